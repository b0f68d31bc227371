//! GitLab's issues: some are incidents, the others tickets.

use super::project;
use crate::domain::{Name, Ticket, TicketStatus, Timestamp, incident};
use crate::webhooks::body::{id, name};
use crate::webhooks::{Body, Event, Happening, Ignored, Reading, causes};

pub(super) fn issue(event: &Event<'_>) -> Reading {
    let (body, issue) = (event.body, event.body.at("/object_attributes"));
    let own_id = issue.at("/id").word().ok_or_else(|| Ignored::missing("object_attributes.id"))?;
    let own_id = id("gitlab", &["issue", &own_id]).ok_or_else(|| Ignored::missing("object_attributes.id"))?;
    let updated = issue.at("/updated_at").time().unwrap_or(event.received_at);
    // old bodies have the labels beside the issue
    let labels = titles(issue.at("/labels")).chain(titles(body.at("/labels"))).collect::<Vec<_>>();
    let marks = |labels: &[&str]| labels.iter().any(|label| event.settings.is_incident(label));
    let of_its_type = issue.at("/type").text().is_some_and(|kind| kind.eq_ignore_ascii_case("incident"));
    let is_incident = of_its_type || marks(&labels);
    let was_incident = marks(&titles(body.at("/changes/labels/previous")).collect::<Vec<_>>());
    if !is_incident && !was_incident {
        return ticket(event, own_id, updated);
    }
    let state = match issue.at("/state").text() {
        _ if !is_incident => incident::State::Void,
        Some("closed") if went_elsewhere(issue) => incident::State::Void,
        Some("closed") => incident::State::Finished(issue.at("/closed_at").time().unwrap_or(updated)),
        _ => incident::State::Open,
    };
    let plain: Vec<_> = labels.iter().map(|label| label.replace("::", ":")).collect();
    let own_severity = issue.at("/severity").name().filter(|severity| severity.as_str() != "unknown");
    let labelled =
        || plain.iter().find_map(|l| l.to_lowercase().strip_prefix("severity:").and_then(|s| name(s.trim())));
    Ok(vec![Happening::incident(
        own_id,
        project(body),
        incident::Sighting {
            state: Some(state),
            started_at: issue.at("/created_at").time(),
            cause: causes::find(plain.iter().map(String::as_str), issue.at("/description").text()),
            severity: own_severity.or_else(labelled),
            title: issue.at("/title").prose(),
            url: issue.at("/url").prose(),
            ..incident::Sighting::new(updated)
        },
    )])
}

/// GitLab makes a new one of one that it moves.
fn went_elsewhere(issue: Body<'_>) -> bool {
    ["/moved_to_id", "/duplicated_to_id"].iter().any(|field| issue.at(field).word().is_some())
}

fn titles(labels: Body<'_>) -> impl Iterator<Item = &str> {
    labels.items().filter_map(|label| label.at("/title").text())
}

fn ticket(event: &Event<'_>, own_id: Name, updated: Timestamp) -> Reading {
    let issue = event.body.at("/object_attributes");
    let place = project(event.body).and_then(|project| id("gitlab", &[project.as_str()]));
    let place = place.ok_or_else(|| Ignored::missing("project.path_with_namespace"))?;
    let is_closed = issue.at("/state").text() == Some("closed");
    let status = match (is_closed, went_elsewhere(issue)) {
        (true, true) => TicketStatus::Dropped,
        (true, false) => TicketStatus::Finished,
        (false, _) => TicketStatus::Waiting,
    };
    Ok(vec![Happening::Ticket(Ticket {
        kind: issue.at("/type").name(),
        title: issue.at("/title").prose(),
        url: issue.at("/url").prose(),
        status: Some(status),
        estimate: issue.at("/weight").float(),
        created_at: issue.at("/created_at").time(),
        finished_at: issue.at("/closed_at").time().filter(|_| status == TicketStatus::Finished),
        ..Ticket::new(place, own_id, updated)
    })])
}
