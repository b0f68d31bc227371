//! Bitbucket Cloud.

use super::only_branches;
use crate::domain::{Commit, Name, PullRequest, Push};
use crate::webhooks::body::id;
use crate::webhooks::{Body, Event, Happening, Ignored, Reading};

fn repository(event: &Event<'_>) -> Result<Name, Ignored> {
    let full_name = event.body.at("/repository/full_name").word();
    let repository = full_name.and_then(|full_name| id("bitbucket", &[&full_name]));
    repository.ok_or_else(|| Ignored::missing("repository.full_name"))
}

/// One push moves several branches.
pub(super) fn push(event: &Event<'_>) -> Reading {
    let repository = repository(event)?;
    let branches = event.body.at("/push/changes").items().filter(|change| {
        let kind = change.at("/new/type").text().or(change.at("/old/type").text());
        matches!(kind, Some("branch" | "named_branch"))
    });
    let pushes: Vec<_> = branches.map(|change| Happening::Push(moved(event, change, repository.clone()))).collect();
    if pushes.is_empty() { Err(only_branches()) } else { Ok(pushes) }
}

fn moved(event: &Event<'_>, change: Body<'_>, repository: Name) -> Push {
    let listed = change.at("/commits").items();
    let mut commits: Vec<_> =
        listed.filter_map(|c| Some(Commit { sha: c.at("/hash").sha()?, at: c.at("/date").time()? })).collect();
    // the newest is the first of them
    commits.reverse();
    let head_at = change.at("/new/target/date").time();
    Push {
        repository,
        branch: change.at("/new/name").name().or(change.at("/old/name").name()),
        before: change.at("/old/target/hash").sha(),
        after: change.at("/new/target/hash").sha(),
        at: pushed_at(event).or(head_at).unwrap_or(event.received_at),
        is_cut: change.at("/truncated").flag() == Some(true),
        commits,
    }
}

/// The body does not say it.
fn pushed_at(event: &Event<'_>) -> Option<crate::domain::Timestamp> {
    let header = event.headers.get("x-event-time")?;
    Body(&header.into()).time()
}

/// Who somebody is, whatever they are called today.
fn who(user: Body<'_>) -> Option<&str> {
    ["/uuid", "/account_id", "/username", "/nickname"].iter().find_map(|field| user.at(field).text())
}

pub(super) fn pull_request(event: &Event<'_>) -> Reading {
    let (body, request) = (event.body, event.body.at("/pullrequest"));
    let repository = repository(event)?;
    let number = request.at("/id").word().ok_or_else(|| Ignored::missing("pullrequest.id"))?;
    // numbers begin anew in each repository
    let own = repository.as_str().trim_start_matches("bitbucket:");
    let own_id = id("bitbucket", &[own, "pull", &number]).ok_or_else(|| Ignored::missing("pullrequest.id"))?;
    let updated = request.at("/updated_on").time();
    let (review, reviewer) = match event.event {
        "pullrequest:approved" => (body.at("/approval/date").time(), body.at("/approval/user")),
        "pullrequest:changes_request_created" => {
            (body.at("/changes_request/date").time(), body.at("/changes_request/user"))
        }
        "pullrequest:comment_created" => {
            let writer = body.at("/comment/user");
            (body.at("/comment/created_on").time(), if writer.is_null() { body.at("/actor") } else { writer })
        }
        _ => (None, Body(&serde_json::Value::Null)),
    };
    let at = updated.into_iter().chain(review).max().unwrap_or(event.received_at);
    let author = request.at("/author");
    // of somebody else, and of no app
    let counts = who(reviewer) != who(author) && reviewer.at("/type").text() != Some("app_user");
    let review = review.filter(|_| counts);
    let state = match request.at("/state").text() {
        Some("OPEN") => Some(false),
        Some("MERGED" | "DECLINED" | "SUPERSEDED") => Some(true),
        _ => None,
    };
    let is_merge = event.event == "pullrequest:fulfilled";
    let is_end = is_merge || event.event == "pullrequest:rejected";
    let is_merged = request.at("/state").text() == Some("MERGED");
    let name = |user: Body<'_>| ["/nickname", "/username", "/display_name"].iter().find_map(|f| user.at(f).name());
    Ok(vec![Happening::PullRequest(PullRequest {
        number: request.at("/id").int(),
        title: request.at("/title").prose(),
        url: request.at("/links/html/href").prose(),
        author: name(author),
        is_draft: request.at("/draft").flag(),
        opened_at: request.at("/created_on").time(),
        first_review_at: review,
        approved_at: review.filter(|_| event.event == "pullrequest:approved"),
        // it changes again after its end, and nothing else says when that was
        merged_at: updated.filter(|_| is_merge),
        is_closed: state,
        closed_at: updated.filter(|_| is_end),
        head_sha: request.at("/source/commit/hash").sha(),
        head_branch: request.at("/source/branch/name").name(),
        base_branch: request.at("/destination/branch/name").name(),
        merge_sha: request.at("/merge_commit/hash").sha().filter(|_| is_merged),
        comments: request.at("/comment_count").int(),
        ..PullRequest::new(repository, own_id, at)
    })])
}
