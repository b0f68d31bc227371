//! Bitbucket Data Center, which was called Server, and Stash before.

use super::only_branches;
use crate::domain::{Commit, Name, PullRequest, Push};
use crate::webhooks::body::id;
use crate::webhooks::{Body, Event, Happening, Ignored, Reading};

/// A repository's own name is unique in its project only.
fn path(repository: Body<'_>) -> Result<String, Ignored> {
    let (project, slug) = (repository.at("/project/key").text(), repository.at("/slug").text());
    let (project, slug) = project.zip(slug).ok_or_else(|| Ignored::missing("repository with a project and a slug"))?;
    Ok(format!("{project}/{slug}"))
}

fn named(path: &str) -> Result<Name, Ignored> {
    id("bitbucket", &[path]).ok_or_else(|| Ignored::missing("repository with a project and a slug"))
}

pub(super) fn push(event: &Event<'_>) -> Reading {
    let body = event.body;
    let repository = named(&path(body.at("/repository"))?)?;
    let branches = body.at("/changes").items().filter(|change| change.at("/ref/type").text() == Some("BRANCH"));
    let branches: Vec<_> = branches.collect();
    let at = body.at("/date").time().unwrap_or(event.received_at);
    // newer versions list some of the commits, and do not say of which branch
    let listed: Vec<_> = body.at("/commits").items().chain([body.at("/toCommit")]).filter_map(commit).collect();
    let pushes = branches.iter().map(|change| {
        let after = change.at("/toHash").sha();
        let mut commits = if branches.len() == 1 { listed.clone() } else { Vec::new() };
        commits.sort_by(|a, b| (a.at, &a.sha).cmp(&(b.at, &b.sha)));
        commits.dedup();
        Happening::Push(Push {
            repository: repository.clone(),
            branch: change.at("/ref/displayId").name(),
            before: change.at("/fromHash").sha(),
            at,
            is_cut: after.is_some(),
            after,
            commits,
        })
    });
    let pushes: Vec<_> = pushes.collect();
    if pushes.is_empty() { Err(only_branches()) } else { Ok(pushes) }
}

fn commit(commit: Body<'_>) -> Option<Commit> {
    let at = commit.at("/committerTimestamp").time().or(commit.at("/authorTimestamp").time());
    Some(Commit { sha: commit.at("/id").sha()?, at: at? })
}

pub(super) fn pull_request(event: &Event<'_>) -> Reading {
    let (body, request) = (event.body, event.body.at("/pullRequest"));
    let path = path(request.at("/toRef/repository"))?;
    let number = request.at("/id").word().ok_or_else(|| Ignored::missing("pullRequest.id"))?;
    // numbers begin anew in each repository
    let own_id = id("bitbucket", &[&path, "pull", &number]).ok_or_else(|| Ignored::missing("pullRequest.id"))?;
    let sent_at = body.at("/date").time();
    let at = sent_at.or(request.at("/updatedDate").time()).unwrap_or(event.received_at);
    let (review, reviewer) = match event.event {
        // changes_requested is what needs_work became
        "pr:reviewer:approved" | "pr:reviewer:needs_work" | "pr:reviewer:changes_requested" => {
            (sent_at, body.at("/participant/user"))
        }
        "pr:comment:added" => (body.at("/comment/createdDate").time(), body.at("/comment/author")),
        _ => (None, Body(&serde_json::Value::Null)),
    };
    let author = request.at("/author/user");
    // of somebody else, and of no bot
    let is_another = reviewer.at("/name").text() != author.at("/name").text();
    let review = review.filter(|_| is_another && reviewer.at("/type").text() != Some("SERVICE"));
    let state = request.at("/state").text();
    let closed = request.at("/closedDate").time();
    let is_deleted = event.event == "pr:deleted";
    let is_open = match state {
        Some("OPEN") => Some(!is_deleted),
        Some("MERGED" | "DECLINED") => Some(false),
        _ => None,
    };
    Ok(vec![Happening::PullRequest(PullRequest {
        number: request.at("/id").int(),
        title: request.at("/title").prose(),
        url: request.at("/links/self/0/href").prose(),
        author: author.at("/name").name(),
        is_draft: request.at("/draft").flag(),
        opened_at: request.at("/createdDate").time(),
        first_review_at: review,
        approved_at: review.filter(|_| event.event == "pr:reviewer:approved"),
        merged_at: closed.filter(|_| state == Some("MERGED")),
        is_closed: is_open.map(|open| !open),
        closed_at: closed.or(sent_at.filter(|_| is_deleted)),
        head_sha: request.at("/fromRef/latestCommit").sha(),
        head_branch: request.at("/fromRef/displayId").name(),
        base_branch: request.at("/toRef/displayId").name(),
        merge_sha: request.at("/properties/mergeCommit/id").sha().filter(|_| state == Some("MERGED")),
        comments: request.at("/properties/commentCount").int(),
        ..PullRequest::new(named(&path)?, own_id, at)
    })])
}
