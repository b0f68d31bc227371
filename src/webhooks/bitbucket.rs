//! Bitbucket Cloud: <https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/>, and Data Center:
//! <https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html>. Their events have other names and
//! other bodies. Neither says anything about deployments.

mod cloud;
mod data_center;

#[cfg(test)]
mod tests;

use super::signature::Hash;
use super::{About, Body, Event, Headers, Ignored, Reading, Scheme, Vendor};

pub static VENDOR: Vendor = Vendor {
    name: "bitbucket",
    title: "Bitbucket",
    schemes: &[Scheme::Hex { header: "x-hub-signature", prefix: "sha256=", hash: Hash::Sha256 }],
    headers: &["x-event-key", "x-event-time", "x-request-uuid", "x-request-id"],
    about,
    read,
    guide: include_str!("guides/bitbucket.md"),
    samples: &[
        sample!("bitbucket", "push", [("x-event-key", "repo:push"), ("x-event-time", "Mon, 15 Jun 2026 09:58:10 GMT")]),
        sample!("bitbucket", "pull_request_approved", [("x-event-key", "pullrequest:approved")]),
        sample!("bitbucket", "pull_request_merged", [("x-event-key", "pullrequest:fulfilled")]),
        sample!("bitbucket", "pull_request_commented", [("x-event-key", "pullrequest:comment_created")]),
        sample!("bitbucket", "data_center_push", [("x-event-key", "repo:refs_changed")]),
        sample!("bitbucket", "data_center_needs_work", [("x-event-key", "pr:reviewer:needs_work")]),
        sample!("bitbucket", "data_center_merged", [("x-event-key", "pr:merged")]),
    ],
};

fn about(headers: &Headers, body: Body<'_>) -> About {
    let event = headers.get("x-event-key").or(body.at("/eventKey").text()).unwrap_or_default();
    let delivery = headers.get("x-request-uuid").or(headers.get("x-request-id"));
    About { event: event.to_owned(), delivery: delivery.map(str::to_owned) }
}

fn read(event: &Event<'_>) -> Reading {
    match event.event {
        "repo:push" => cloud::push(event),
        "repo:refs_changed" => data_center::push(event),
        "diagnostics:ping" => Err(Ignored::because("Bitbucket asks whether anybody is here: all is well")),
        other if other.starts_with("pullrequest:") => cloud::pull_request(event),
        other if other.starts_with("pr:") => data_center::pull_request(event),
        other => Err(Ignored::event(other)),
    }
}

fn only_branches() -> Ignored {
    Ignored::because("only pushes to branches have commits that are new")
}
