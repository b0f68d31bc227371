//! GitHub's pushes and pull requests.

use crate::domain::{Commit, Name, PullRequest, Push};
use crate::webhooks::body::id;
use crate::webhooks::{Body, Event, Happening, Ignored, Reading};

/// The repository as pushes and deployments name it.
fn repository(body: Body<'_>) -> Result<Name, Ignored> {
    let full_name = body.at("/repository/full_name").word().ok_or_else(|| Ignored::missing("repository.full_name"))?;
    id("github", &[&full_name]).ok_or_else(|| Ignored::missing("repository.full_name"))
}

pub(super) fn push(event: &Event<'_>) -> Reading {
    let body = event.body;
    let reference = body.at("/ref").text().unwrap_or_default();
    let Some(branch) = reference.strip_prefix("refs/heads/") else {
        return Err(Ignored::because("only pushes to branches have commits that are new"));
    };
    let commits: Vec<_> = body.at("/commits").items().collect();
    let head_at = body.at("/head_commit/timestamp").time();
    Ok(vec![Happening::Push(Push {
        repository: repository(body)?,
        branch: crate::webhooks::body::name(branch),
        before: body.at("/before").sha(),
        after: body.at("/after").sha(),
        at: body.at("/repository/pushed_at").time().or(head_at).unwrap_or(event.received_at),
        is_cut: commits.len() >= MOST_COMMITS,
        commits: commits
            .into_iter()
            .filter_map(|commit| Some(Commit { sha: commit.at("/id").sha()?, at: commit.at("/timestamp").time()? }))
            .collect(),
    })])
}

/// GitHub lists no more in one push.
const MOST_COMMITS: usize = 2048;

pub(super) fn pull_request(event: &Event<'_>) -> Reading {
    let (body, request) = (event.body, event.body.at("/pull_request"));
    let repository = repository(body)?;
    let own_id = request.at("/id").word().ok_or_else(|| Ignored::missing("pull_request.id"))?;
    let pull_request_id = id("github", &["pull", &own_id]).ok_or_else(|| Ignored::missing("pull_request.id"))?;
    let review = body.at("/review");
    let reviewed_at = review.at("/submitted_at").time().filter(|_| event.event == "pull_request_review.submitted");
    let updated = request.at("/updated_at").time().into_iter().chain(reviewed_at).max();
    let at = updated.unwrap_or(event.received_at);
    // of somebody else, and of no bot
    let author = request.at("/user/login").text();
    let counts = review.at("/user/login").text() != author && review.at("/user/type").text() != Some("Bot");
    let reviewed_at = reviewed_at.filter(|_| counts);
    let is_approval = review.at("/state").text().is_some_and(|state| state.eq_ignore_ascii_case("approved"));
    let merged_at = request.at("/merged_at").time();
    let is_merged = merged_at.is_some() || request.at("/merged").flag() == Some(true);
    let comments = request.at("/comments").int().zip(request.at("/review_comments").int());
    Ok(vec![Happening::PullRequest(PullRequest {
        number: request.at("/number").int(),
        title: request.at("/title").prose(),
        url: request.at("/html_url").prose(),
        author: request.at("/user/login").name(),
        is_draft: request.at("/draft").flag(),
        opened_at: request.at("/created_at").time(),
        ready_at: (event.event == "pull_request.ready_for_review").then_some(at),
        first_review_at: reviewed_at,
        approved_at: reviewed_at.filter(|_| is_approval),
        merged_at,
        is_closed: request.at("/state").text().map(|state| state == "closed"),
        closed_at: request.at("/closed_at").time(),
        head_sha: request.at("/head/sha").sha(),
        head_branch: request.at("/head/ref").name(),
        base_branch: request.at("/base/ref").name(),
        // one that is not merged has one too: GitHub's trial
        merge_sha: request.at("/merge_commit_sha").sha().filter(|_| is_merged),
        additions: request.at("/additions").int(),
        deletions: request.at("/deletions").int(),
        commits: request.at("/commits").int(),
        comments: comments.map(|(general, on_lines)| general + on_lines),
        ..PullRequest::new(repository, pull_request_id, at)
    })])
}
