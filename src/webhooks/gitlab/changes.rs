//! GitLab's pushes and merge requests.

use super::repository;
use crate::domain::{Commit, Name, PullRequest, Push};
use crate::webhooks::body::{id, name};
use crate::webhooks::{Body, Event, Happening, Ignored, Reading};

pub(super) fn push(event: &Event<'_>) -> Reading {
    let body = event.body;
    let reference = body.at("/ref").text().unwrap_or_default();
    let Some(branch) = reference.strip_prefix("refs/heads/") else {
        return Err(Ignored::because("only pushes to branches have commits that are new"));
    };
    let listed = body.at("/commits").items();
    let commits: Vec<_> =
        listed.filter_map(|c| Some(Commit { sha: c.at("/id").sha()?, at: c.at("/timestamp").time()? })).collect();
    let total = body.at("/total_commits_count").int().and_then(|total| usize::try_from(total).ok());
    Ok(vec![Happening::Push(Push {
        repository: repository(body).ok_or_else(|| Ignored::missing("project.path_with_namespace"))?,
        branch: name(branch),
        before: body.at("/before").sha(),
        after: body.at("/after").sha(),
        // GitLab does not say when it was pushed
        at: commits.iter().map(|commit| commit.at).max().unwrap_or(event.received_at),
        is_cut: total.is_some_and(|total| total > commits.len()),
        commits,
    })])
}

/// What both a merge request and a note on one say of it.
fn request(event: &Event<'_>, request: Body<'_>) -> Result<PullRequest, Ignored> {
    let body = event.body;
    let own_id = request.at("/id").word().ok_or_else(|| Ignored::missing("id of the merge request"))?;
    let own_id =
        id("gitlab", &["merge_request", &own_id]).ok_or_else(|| Ignored::missing("id of the merge request"))?;
    let repository = repository(body).ok_or_else(|| Ignored::missing("project.path_with_namespace"))?;
    let at = request.at("/updated_at").time().unwrap_or(event.received_at);
    let state = request.at("/state").text();
    let merge_sha = request.at("/merge_commit_sha").sha().or(request.at("/squash_commit_sha").sha());
    Ok(PullRequest {
        number: request.at("/iid").int(),
        title: request.at("/title").prose(),
        url: request.at("/url").prose(),
        author: author(body, request),
        is_draft: request.at("/draft").flag().or(request.at("/work_in_progress").flag()),
        opened_at: request.at("/created_at").time(),
        merged_at: request.at("/merged_at").time(),
        is_closed: state.map(|state| matches!(state, "closed" | "merged")),
        head_sha: request.at("/last_commit/id").sha(),
        head_branch: request.at("/source_branch").name(),
        base_branch: request.at("/target_branch").name(),
        merge_sha: merge_sha.filter(|_| state == Some("merged")),
        ..PullRequest::new(repository, own_id, at)
    })
}

/// GitLab gives the author's number, and names only who acts, who is to work on it and who is to review it.
fn author(body: Body<'_>, request: Body<'_>) -> Option<Name> {
    let author = request.at("/author_id").word();
    let lists = ["/assignees", "/reviewers"].into_iter().flat_map(|field| body.at(field).items());
    let known = [body.at("/user")].into_iter().chain(lists).find(|user| user.at("/id").word() == author);
    known.filter(|_| author.is_some()).and_then(|user| user.at("/username").name())
}

/// Whether somebody else than the author has acted, and no bot.
fn is_of_another(body: Body<'_>, actor: Body<'_>, request: Body<'_>) -> bool {
    let author = request.at("/author_id").word();
    let user = body.at("/user/username").text().unwrap_or_default();
    let is_bot = user.contains("_bot_") || user.ends_with("_bot") || user.ends_with("-bot");
    author.is_some() && actor.word().is_some_and(|actor| Some(actor) != author) && !is_bot
}

pub(super) fn merge_request(event: &Event<'_>) -> Reading {
    let (body, attributes) = (event.body, event.body.at("/object_attributes"));
    let told = request(event, attributes)?;
    let at = told.at;
    let action = attributes.at("/action").text().unwrap_or_default();
    // `approval` is somebody's, `approved` the one after which no other is needed
    let is_approval = matches!(action, "approval" | "approved");
    let counts = is_approval && is_of_another(body, body.at("/user/id"), attributes);
    let is_end = matches!(action, "merge" | "close");
    Ok(vec![Happening::PullRequest(PullRequest {
        ready_at: is_ready(body.at("/changes")).then_some(at),
        first_review_at: counts.then_some(at),
        approved_at: counts.then_some(at),
        // later events about a merged one have later times
        merged_at: told.merged_at.or((action == "merge").then_some(at)),
        closed_at: attributes.at("/closed_at").time().or(is_end.then_some(at)),
        // old bodies give no number of who acts: it is the author who opens
        author: told.author.or_else(|| {
            let has_opened = action == "open" && body.at("/user/id").is_null();
            body.at("/user/username").name().filter(|_| has_opened)
        }),
        ..told
    })])
}

/// Older versions say it by the title alone.
fn is_ready(changes: Body<'_>) -> bool {
    let draft = changes.at("/draft");
    let is_draft = |title: Body<'_>| {
        let title = title.text().unwrap_or_default().trim_start().to_ascii_lowercase();
        ["draft:", "[draft]", "(draft)", "wip:", "[wip]"].iter().any(|mark| title.starts_with(mark))
    };
    if let (Some(was), Some(is)) = (draft.at("/previous").flag(), draft.at("/current").flag()) {
        return was && !is;
    }
    let (was, is) = (changes.at("/title/previous"), changes.at("/title/current"));
    is_draft(was) && is.text().is_some() && !is_draft(is)
}

/// A comment on a merge request is a review of it.
pub(super) fn note(event: &Event<'_>) -> Reading {
    let (body, note) = (event.body, event.body.at("/object_attributes"));
    if note.at("/noteable_type").text() != Some("MergeRequest") {
        return Err(Ignored::because("only comments on merge requests are read"));
    }
    if note.at("/system").flag() == Some(true) {
        return Err(Ignored::because("GitLab itself wrote the comment"));
    }
    let told = request(event, body.at("/merge_request"))?;
    let written = note.at("/created_at").time();
    let counts = is_of_another(body, note.at("/author_id"), body.at("/merge_request"));
    Ok(vec![Happening::PullRequest(PullRequest { first_review_at: written.filter(|_| counts), ..told })])
}
