//! Jira, Cloud and Data Center: <https://developer.atlassian.com/server/jira/platform/webhooks/>. What is read is the
//! issue as it stands, which nearly every event carries; the changelog only says since when.

use super::body::{id, name};
use super::signature::Hash;
use super::{About, Body, Event, Happening, Headers, Ignored, Reading, Scheme, Vendor, causes};
use crate::domain::incident::{self, State};
use crate::domain::{Name, Prose, Ticket, TicketStatus, Timestamp};

pub static VENDOR: Vendor = Vendor {
    name: "jira",
    title: "Jira",
    schemes: &[Scheme::Hex { header: "x-hub-signature", prefix: "sha256=", hash: Hash::Sha256 }],
    headers: &["x-atlassian-webhook-identifier"],
    about,
    read,
    guide: include_str!("guides/jira.md"),
    samples: &[
        sample!("jira", "issue_done", []),
        sample!("jira", "issue_started", []),
        sample!("jira", "incident_created", []),
        sample!("jira", "incident_done", []),
    ],
};

fn about(headers: &Headers, body: Body<'_>) -> About {
    // sent by a workflow's own step, an issue comes without the name of an event
    let unnamed = if body.at("/issue/fields").is_null() { "" } else { TRANSITION };
    let event = body.at("/webhookEvent").text().unwrap_or(unnamed);
    About { event: event.to_owned(), delivery: headers.get("x-atlassian-webhook-identifier").map(str::to_owned) }
}

const TRANSITION: &str = "transition";

fn read(event: &Event<'_>) -> Reading {
    let told = match event.event {
        "jira:issue_created" | "jira:issue_updated" | "jira:issue_deleted" | TRANSITION => Issue::of(event)?,
        _ => return Err(Ignored::event(event.event)),
    };
    if told.is_incident() {
        return Ok(vec![told.incident(None)]);
    }
    let mut happenings = vec![told.ticket()];
    if told.was_incident() {
        happenings.push(told.incident(Some(State::Void)));
    }
    Ok(happenings)
}

fn missing(field: &str) -> Ignored {
    Ignored(format!("it has no {field}"))
}

struct Issue<'a> {
    event: &'a Event<'a>,
    fields: Body<'a>,
    id: Name,
    place: Name,
    at: Timestamp,
    is_deleted: bool,
}

impl<'a> Issue<'a> {
    fn of(event: &'a Event<'a>) -> Result<Self, Ignored> {
        let issue = event.body.at("/issue");
        let fields = issue.at("/fields");
        let key = issue.at("/key").text().ok_or_else(|| missing("issue.key"))?;
        let project = fields.at("/project/key").text().or(key.rsplit_once('-').map(|(project, _)| project));
        let time = event.body.at("/timestamp").time().or(fields.at("/updated").time());
        Ok(Self {
            event,
            fields,
            id: id("jira", &[key]).ok_or_else(|| missing("issue.key"))?,
            place: project
                .and_then(|project| id("jira", &[project]))
                .ok_or_else(|| missing("issue.fields.project.key"))?,
            at: time.unwrap_or(event.received_at),
            is_deleted: event.event == "jira:issue_deleted",
        })
    }

    /// What this message changed, by the field's name.
    fn changes(&self, field: &'static str) -> impl Iterator<Item = Body<'a>> {
        let items = self.event.body.at("/changelog/items").items();
        items.filter(move |item| item.at("/field").text().is_some_and(|name| name.eq_ignore_ascii_case(field)))
    }

    fn labels(&self) -> impl Iterator<Item = &'a str> {
        self.fields.at("/labels").items().filter_map(Body::text)
    }

    fn is_incident(&self) -> bool {
        let kind = self.fields.at("/issuetype/name").text();
        self.labels().chain(kind).any(|word| self.event.settings.is_incident(word))
    }

    /// Before this message took away the label or the type that made it one.
    fn was_incident(&self) -> bool {
        let labels = self.changes("labels").filter_map(|item| item.at("/fromString").text());
        let kinds = self.changes("issuetype").filter_map(|item| item.at("/fromString").text());
        labels.flat_map(str::split_whitespace).chain(kinds).any(|word| self.event.settings.is_incident(word))
    }

    /// How far the work is. Old versions send no category: then only a resolution tells.
    fn status(&self) -> Option<TicketStatus> {
        let resolution = self.fields.at("/resolution/name").text();
        let is_given_up = resolution.is_some_and(|resolution| is_one_of(GIVEN_UP, resolution));
        match self.fields.at("/status/statusCategory/key").text() {
            Some("new") => Some(TicketStatus::Waiting),
            Some("indeterminate") => Some(TicketStatus::Started),
            Some("done") | None if is_given_up => Some(TicketStatus::Dropped),
            Some("done") => Some(TicketStatus::Finished),
            None => resolution.map(|_| TicketStatus::Finished),
            Some(_) => None,
        }
    }

    /// Since when it is in the category that it is in, as far as this message knows.
    fn moved_at(&self) -> Option<Timestamp> {
        let now = self.changes("status").next().map(|_| self.at);
        self.fields.at("/statuscategorychangedate").time().or(now)
    }

    /// Not every workflow sets a resolution.
    fn resolved_at(&self) -> Option<Timestamp> {
        self.fields.at("/resolutiondate").time().or_else(|| self.moved_at())
    }

    fn title(&self) -> Option<Prose> {
        self.fields.at("/summary").prose()
    }

    /// Where a person sees it: the address in the body is for programs.
    fn url(&self) -> Option<Prose> {
        let issue = self.event.body.at("/issue");
        let (base, _) = issue.at("/self").text()?.split_once("/rest/api/")?;
        let url = serde_json::Value::String(format!("{base}/browse/{}", issue.at("/key").text()?));
        Body(&url).prose()
    }

    fn ticket(&self) -> Happening {
        let status = self.status();
        let is_finished = status == Some(TicketStatus::Finished);
        Happening::Ticket(Ticket {
            kind: self.fields.at("/issuetype/name").name(),
            title: self.title(),
            url: self.url(),
            status: if self.is_deleted && !is_finished { Some(TicketStatus::Dropped) } else { status },
            estimate: self.estimate(),
            created_at: self.fields.at("/created").time(),
            started_at: self.moved_at().filter(|_| status == Some(TicketStatus::Started)),
            finished_at: self.resolved_at().filter(|_| is_finished),
            ..Ticket::new(self.place.clone(), self.id.clone(), self.at)
        })
    }

    /// A number, or the choice of one.
    fn estimate(&self) -> Option<f64> {
        let value = self.fields.field(self.event.settings.estimate_field.as_deref()?);
        value.float().or(value.at("/value").float())
    }

    fn incident(&self, state: Option<State>) -> Happening {
        let resolution = self.fields.at("/resolution/name").text();
        let stands = match self.status() {
            _ if self.is_deleted => Some(State::Void),
            Some(TicketStatus::Finished | TicketStatus::Dropped) if resolution.is_some_and(|r| is_one_of(NONE, r)) => {
                Some(State::Void)
            }
            Some(TicketStatus::Finished | TicketStatus::Dropped) => {
                Some(State::Finished(self.resolved_at().unwrap_or(self.at)))
            }
            Some(TicketStatus::Waiting | TicketStatus::Started) => Some(State::Open),
            None => None,
        };
        Happening::incident(
            self.id.clone(),
            self.fields.at("/project/key").name().or_else(|| name(self.place.as_str().trim_start_matches("jira:"))),
            incident::Sighting {
                state: state.or(stands),
                started_at: self.fields.at("/created").time(),
                cause: causes::find(self.labels(), self.fields.at("/description").text()),
                severity: self.fields.at("/priority/name").name(),
                title: self.title(),
                url: self.url(),
                ..incident::Sighting::new(self.at)
            },
        )
    }
}

/// Resolutions that Jira comes with, or came with, and that do not mean that the work was done.
const GIVEN_UP: &[&str] = &[
    "won't do",
    "won't fix",
    "duplicate",
    "declined",
    "cannot reproduce",
    "incomplete",
    "rejected",
    "invalid",
    "obsolete",
];
/// Those of an incident that was none.
const NONE: &[&str] = &["duplicate", "declined", "cannot reproduce", "rejected", "invalid"];

fn is_one_of(names: &[&str], resolution: &str) -> bool {
    names.contains(&resolution.to_lowercase().replace('\u{2019}', "'").as_str())
}

#[cfg(test)]
mod tests;
