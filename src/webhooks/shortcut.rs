//! Shortcut: <https://developer.shortcut.com/api/webhook/v1>. One delivery holds several actions, each with what it
//! changed and nothing else; names and types of states stand beside them, in `references`.

use super::body::id;
use super::signature::Hash;
use super::{About, Body, Event, Happening, Headers, Ignored, Reading, Scheme, Vendor};
use crate::domain::{Ticket, TicketStatus, Timestamp};

pub static VENDOR: Vendor = Vendor {
    name: "shortcut",
    title: "Shortcut",
    schemes: &[Scheme::Hex { header: "payload-signature", prefix: "", hash: Hash::Sha256 }],
    headers: &[],
    about,
    read,
    guide: include_str!("guides/shortcut.md"),
    samples: &[
        sample!("shortcut", "stories_update", []),
        sample!("shortcut", "story_create", []),
        sample!("shortcut", "story_delete", []),
    ],
};

fn about(_: &Headers, body: Body<'_>) -> About {
    let actions = || body.at("/actions").items();
    let first = actions().find(|action| is_story(*action)).or(actions().next());
    let word = |field: &str| first.and_then(|action| action.at(field).text()).unwrap_or_default();
    About { event: format!("{}.{}", word("/entity_type"), word("/action")), delivery: body.at("/id").word() }
}

fn is_story(action: Body<'_>) -> bool {
    action.at("/entity_type").text() == Some("story")
}

fn read(event: &Event<'_>) -> Reading {
    let at = event.body.at("/changed_at").time().unwrap_or(event.received_at);
    let stories = event.body.at("/actions").items().filter(|action| is_story(*action));
    let tickets: Vec<_> = stories.filter_map(|action| story(action, event.body.at("/references"), at)).collect();
    if tickets.is_empty() {
        return Err(Ignored::because("none of its actions is on a story"));
    }
    Ok(tickets.into_iter().map(Happening::Ticket).collect())
}

fn story(action: Body<'_>, references: Body<'_>, at: Timestamp) -> Option<Ticket> {
    let step = action.at("/action").text()?;
    let own = action.at("/id").word()?;
    // a change has an old and a new value; what is created has values
    let value = |field: &str| match action.at("/changes").field(field) {
        change if change.is_null() => action.field(field),
        change => change.at("/new"),
    };
    let state = value("workflow_state_id").word().and_then(|state| kind_of(&state, references));
    let status = match (step, state) {
        ("delete", _) => Some(TicketStatus::Dropped),
        (_, Some("backlog" | "unstarted")) => Some(TicketStatus::Waiting),
        (_, Some("started")) => Some(TicketStatus::Started),
        (_, Some("done")) => Some(TicketStatus::Finished),
        // the state is not described, or unknown: the flags that go with it tell nearly as much
        _ if value("completed").flag() == Some(true) => Some(TicketStatus::Finished),
        _ if value("started").flag() == Some(true) => Some(TicketStatus::Started),
        _ if value("completed").flag() == Some(false) => None,
        _ if value("started").flag() == Some(false) => Some(TicketStatus::Waiting),
        _ => None,
    };
    // neither project nor team is named in most messages: all stories are in one place
    let place = id("shortcut", &["stories"])?;
    Some(Ticket {
        kind: value("story_type").name(),
        title: value("name").prose(),
        url: action.at("/app_url").prose(),
        status,
        estimate: value("estimate").float(),
        created_at: (step == "create").then_some(at),
        started_at: value("started_at").time(),
        finished_at: value("completed_at").time().filter(|_| status == Some(TicketStatus::Finished)),
        ..Ticket::new(place, id("shortcut", &[&own])?, at)
    })
}

/// The type of a workflow's state: its name is of the workspace's own making.
fn kind_of<'a>(state: &str, references: Body<'a>) -> Option<&'a str> {
    let is_it = |reference: &Body<'_>| {
        reference.at("/entity_type").text() == Some("workflow-state")
            && reference.at("/id").word().as_deref() == Some(state)
    };
    references.items().find(is_it).and_then(|reference| reference.at("/type").text())
}

#[cfg(test)]
mod tests;
