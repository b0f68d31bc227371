//! Azure DevOps: <https://learn.microsoft.com/azure/devops/service-hooks/events>.

mod changes;
mod deploys;
mod work_items;

#[cfg(test)]
mod tests;

use super::body::id;
use super::{About, Body, Event, Headers, Ignored, Reading, Vendor};
use crate::domain::Name;

pub static VENDOR: Vendor = Vendor {
    name: "azuredevops",
    title: "Azure DevOps",
    // it signs nothing: its subscriptions send a name and a password, or a header
    schemes: &[],
    headers: &[],
    about,
    read,
    guide: include_str!("guides/azuredevops.md"),
    samples: &[
        sample!("azuredevops", "release_deployed", []),
        sample!("azuredevops", "release_started", []),
        sample!("azuredevops", "run", []),
        sample!("azuredevops", "stage", []),
        sample!("azuredevops", "push", []),
        sample!("azuredevops", "pull_request", []),
        sample!("azuredevops", "pull_request_comment", []),
        sample!("azuredevops", "work_item", []),
    ],
};

fn about(_: &Headers, body: Body<'_>) -> About {
    let notification = body.at("/subscriptionId").word().zip(body.at("/notificationId").word());
    let notification = notification.map(|(subscription, number)| format!("{subscription}:{number}"));
    About {
        event: body.at("/eventType").text().unwrap_or_default().to_owned(),
        delivery: notification.or(body.at("/id").word()),
    }
}

fn read(event: &Event<'_>) -> Reading {
    match event.event {
        "ms.vss-release.deployment-started-event" | "ms.vss-release.deployment-completed-event" => {
            deploys::release(event)
        }
        "ms.vss-pipelines.run-state-changed-event" => deploys::run(event),
        "ms.vss-pipelines.stage-state-changed-event" => deploys::stage(event),
        "git.push" => changes::push(event),
        "git.pullrequest.created" | "git.pullrequest.updated" | "git.pullrequest.merged" => {
            changes::pull_request(event)
        }
        "ms.vss-code.git-pullrequest-comment-event" => changes::comment(event),
        "workitem.created" | "workitem.updated" | "workitem.restored" | "workitem.commented" | "workitem.deleted" => {
            work_items::work_item(event)
        }
        "build.complete" => Err(Ignored::because("builds are read from runs: subscribe to \"Run state changed\"")),
        other => Err(Ignored::event(other)),
    }
}

/// Numbers are given out anew in each organisation.
fn numbered(event: &Event<'_>, parts: &[&str]) -> Option<Name> {
    let collection = event.body.at("/resourceContainers/collection/id").text();
    id("azuredevops", &collection.into_iter().chain(parts.iter().copied()).collect::<Vec<_>>())
}
