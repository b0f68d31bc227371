//! Linear: <https://linear.app/developers/webhooks>.

use super::body::{id, name};
use super::{About, Body, Event, Happening, Headers, Ignored, Reading, Scheme, Vendor};
use crate::domain::{Name, Ticket, TicketStatus};

pub static VENDOR: Vendor = Vendor {
    name: "linear",
    title: "Linear",
    // the header `linear-timestamp` is not signed, and so is not looked at
    schemes: &[Scheme::HexWithBodyTime { header: "linear-signature", time: "/webhookTimestamp" }],
    headers: &["linear-delivery", "linear-event"],
    about,
    read,
    guide: include_str!("guides/linear.md"),
    samples: &[
        sample!("linear", "issue_completed", [("linear-event", "Issue")]),
        sample!("linear", "issue_started", [("linear-event", "Issue")]),
        sample!("linear", "issue_removed", [("linear-event", "Issue")]),
    ],
};

fn about(headers: &Headers, body: Body<'_>) -> About {
    let kind = body.at("/type").text().or(headers.get("linear-event")).unwrap_or_default();
    let event = match body.at("/action").text() {
        Some(action) => format!("{kind}.{action}"),
        None => kind.to_owned(),
    };
    About { event, delivery: headers.get("linear-delivery").map(str::to_owned) }
}

fn read(event: &Event<'_>) -> Reading {
    if !event.event.starts_with("Issue.") {
        return Err(Ignored::event(event.event));
    }
    let (body, issue) = (event.body, event.body.at("/data"));
    let is_removed = event.event == "Issue.remove";
    // when it was removed stands only around it
    let own = issue.at("/updatedAt").time().filter(|_| !is_removed);
    let at = own.or(body.at("/createdAt").time()).or(issue.at("/updatedAt").time()).unwrap_or(event.received_at);
    let team = issue.at("/team/key").text();
    let number = issue.at("/number").word();
    let identifier =
        issue.at("/identifier").word().or(team.zip(number).map(|(team, number)| format!("{team}-{number}")));
    let ticket_id = identifier.and_then(|own| id("linear", &[&own])).ok_or_else(|| missing("data.identifier"))?;
    let place = team.or(issue.at("/teamId").text()).and_then(|team| id("linear", &[team]));
    let status = match issue.at("/state/type").text() {
        Some("triage" | "backlog" | "unstarted") => Some(TicketStatus::Waiting),
        Some("started") => Some(TicketStatus::Started),
        Some("completed") => Some(TicketStatus::Finished),
        Some("canceled" | "duplicate") => Some(TicketStatus::Dropped),
        None => None,
        Some(other) => return Err(Ignored(format!("{other:?} is no type of state that is known here"))),
    };
    let is_finished = status == Some(TicketStatus::Finished);
    Ok(vec![Happening::Ticket(Ticket {
        kind: kind(issue),
        title: issue.at("/title").prose(),
        url: body.at("/url").prose().or(issue.at("/url").prose()),
        // what is done and then put away stays done
        status: if is_removed && !is_finished { Some(TicketStatus::Dropped) } else { status },
        estimate: issue.at("/estimate").float(),
        created_at: issue.at("/createdAt").time(),
        started_at: issue.at("/startedAt").time(),
        finished_at: issue.at("/completedAt").time().filter(|_| is_finished),
        ..Ticket::new(place.ok_or_else(|| missing("data.team.key"))?, ticket_id, at)
    })])
}

/// Linear knows no types, only labels: its only one, else the first of those that each workspace begins with.
fn kind(issue: Body<'_>) -> Option<Name> {
    let labels = || issue.at("/labels").items().filter_map(|label| label.at("/name").text());
    if labels().count() == 1 {
        return labels().next().and_then(name);
    }
    let usual = ["bug", "feature", "improvement"];
    usual.iter().find_map(|usual| labels().find(|label| label.eq_ignore_ascii_case(usual))).and_then(name)
}

fn missing(field: &str) -> Ignored {
    Ignored(format!("it has no {field}"))
}

#[cfg(test)]
mod tests;
