//! Azure Boards.

use super::numbered;
use crate::domain::{Ticket, TicketStatus};
use crate::webhooks::body::id;
use crate::webhooks::{Body, Event, Happening, Ignored, Reading};

pub(super) fn work_item(event: &Event<'_>) -> Reading {
    let resource = event.body.at("/resource");
    // an update has its own number; it says what changed, and beside it the whole
    let whole = resource.at("/revision/fields");
    let field = |name: &str| {
        let own = resource.at("/fields").field(name);
        let new = own.field("newValue");
        let told =
            if own.0.is_object() && !own.field("displayName").is_null() { own.field("displayName") } else { own };
        [new, whole.field(name), told].into_iter().find(|value| !value.is_null() && !value.0.is_object())
    };
    let field = |name: &str| field(name).unwrap_or(Body(&serde_json::Value::Null));
    let numbers = ["/workItemId", "/revision/id", "/id"].into_iter().filter_map(|path| resource.at(path).int());
    let number = numbers.into_iter().find(|number| *number > 0).ok_or_else(|| Ignored::missing("resource.id"))?;
    let place = field("System.TeamProject").text().and_then(|project| id("azuredevops", &[project]));
    let place = place.ok_or_else(|| Ignored::missing("field System.TeamProject"))?;
    let changed = field("System.ChangedDate").time();
    let at = changed.or(event.body.at("/createdDate").time()).unwrap_or(event.received_at);
    let own_id = numbered(event, &["workitem", &number.to_string()]).ok_or_else(|| Ignored::missing("resource.id"))?;
    let is_deleted = event.event == "workitem.deleted";
    let status = if is_deleted { Some(TicketStatus::Dropped) } else { status(field("System.State")) };
    // only a change of the state says when it came to be so
    let before = resource.at("/fields").field("System.State").field("oldValue");
    let moved_at = changed.filter(|_| !before.is_null());
    let became = |wanted: TicketStatus| moved_at.filter(|_| status == Some(wanted));
    let estimates = ["StoryPoints", "Effort", "Size"].map(|name| format!("Microsoft.VSTS.Scheduling.{name}"));
    let estimates = event.settings.estimate_field.iter().chain(&estimates);
    Ok(vec![Happening::Ticket(Ticket {
        kind: field("System.WorkItemType").name(),
        title: field("System.Title").prose(),
        url: resource.at("/_links/html/href").prose().or(resource.at("/revision/_links/html/href").prose()),
        status,
        estimate: estimates.into_iter().find_map(|name| field(name).float()),
        created_at: field("System.CreatedDate").time(),
        started_at: field("Microsoft.VSTS.Common.ActivatedDate").time().or(became(TicketStatus::Started)),
        finished_at: field("Microsoft.VSTS.Common.ClosedDate").time().or(became(TicketStatus::Finished)),
        ..Ticket::new(place, own_id, at)
    })])
}

/// The states of the four processes that Azure Boards comes with; of others nothing is said.
fn status(state: Body<'_>) -> Option<TicketStatus> {
    Some(match state.text()?.to_ascii_lowercase().as_str() {
        "new" | "proposed" | "to do" | "approved" => TicketStatus::Waiting,
        "active" | "committed" | "doing" | "in progress" | "resolved" => TicketStatus::Started,
        "closed" | "done" | "completed" => TicketStatus::Finished,
        "removed" => TicketStatus::Dropped,
        _ => return None,
    })
}
