//! Pushes and pull requests of Azure Repos.

use crate::domain::{Commit, Name, PullRequest, Push};
use crate::webhooks::body::{id, name};
use crate::webhooks::{Body, Event, Happening, Ignored, Reading};

const BRANCH: &str = "refs/heads/";

/// By its number, which pipelines know too and which it keeps when it is renamed.
fn repository(repository: Body<'_>) -> Result<Name, Ignored> {
    let own = repository.at("/id").text().and_then(|own| id("azuredevops", &[own]));
    own.ok_or_else(|| Ignored::missing("resource.repository.id"))
}

fn branch(reference: Body<'_>) -> Option<Name> {
    reference.text()?.strip_prefix(BRANCH).and_then(name)
}

pub(super) fn push(event: &Event<'_>) -> Reading {
    let resource = event.body.at("/resource");
    let repository = repository(resource.at("/repository"))?;
    let moved: Vec<_> =
        resource.at("/refUpdates").items().filter_map(|update| Some((branch(update.at("/name"))?, update))).collect();
    if moved.is_empty() {
        return Err(Ignored::because("only pushes to branches have commits that are new"));
    }
    let at = resource.at("/date").time().or(event.body.at("/createdDate").time()).unwrap_or(event.received_at);
    // the newest is the first of them; of which branch they are it does not say
    let listed = resource.at("/commits").items().rev().filter_map(|commit| {
        let at = commit.at("/committer/date").time().or(commit.at("/author/date").time());
        Some(Commit { sha: commit.at("/commitId").sha()?, at: at? })
    });
    let is_one = moved.len() == 1;
    let listed: Vec<_> = if is_one { listed.collect() } else { Vec::new() };
    let pushes = moved.into_iter().map(|(branch, update)| {
        let (before, after) = (update.at("/oldObjectId").sha(), update.at("/newObjectId").sha());
        // a new branch without commits has none that are new
        let is_cut = after.is_some() && listed.is_empty() && (before.is_some() || !is_one);
        Push {
            repository: repository.clone(),
            branch: Some(branch),
            before,
            after,
            at,
            commits: listed.clone(),
            is_cut,
        }
    });
    Ok(pushes.map(Happening::Push).collect())
}

fn request(event: &Event<'_>, request: Body<'_>) -> Result<PullRequest, Ignored> {
    let repository = repository(request.at("/repository"))?;
    let number = request.at("/pullRequestId").word().ok_or_else(|| Ignored::missing("resource.pullRequestId"))?;
    let own = repository.as_str().trim_start_matches("azuredevops:");
    let own_id = id("azuredevops", &[own, "pull", &number]);
    let at = event.body.at("/createdDate").time().unwrap_or(event.received_at);
    let status = request.at("/status").text();
    let closed = request.at("/closedDate").time();
    let is_merged = status == Some("completed");
    let web = request.at("/repository/webUrl").text().map(|web| format!("{web}/pullrequest/{number}"));
    let web = web.and_then(|web| crate::domain::Prose::parse(&web).ok());
    Ok(PullRequest {
        number: request.at("/pullRequestId").int(),
        title: request.at("/title").prose(),
        url: request.at("/_links/web/href").prose().or(web),
        author: request.at("/createdBy/uniqueName").name().or(request.at("/createdBy/displayName").name()),
        is_draft: request.at("/isDraft").flag(),
        opened_at: request.at("/creationDate").time(),
        merged_at: closed.filter(|_| is_merged),
        is_closed: match status {
            Some("active") => Some(false),
            Some("completed" | "abandoned") => Some(true),
            _ => None,
        },
        closed_at: closed.filter(|_| status != Some("active")),
        head_sha: request.at("/lastMergeSourceCommit/commitId").sha(),
        head_branch: branch(request.at("/sourceRefName")),
        base_branch: branch(request.at("/targetRefName")),
        // one that is not merged has one too: a trial
        merge_sha: request.at("/lastMergeCommit/commitId").sha().filter(|_| is_merged),
        ..PullRequest::new(repository, own_id.ok_or_else(|| Ignored::missing("resource.pullRequestId"))?, at)
    })
}

pub(super) fn pull_request(event: &Event<'_>) -> Reading {
    let resource = event.body.at("/resource");
    let told = request(event, resource)?;
    let author = resource.at("/createdBy/id").text();
    // of people other than the author: 10 approves, 5 with suggestions, -5 waits, -10 rejects
    let people = resource.at("/reviewers").items().filter(|reviewer| {
        let is_group = reviewer.at("/isContainer").flag() == Some(true);
        let is_service = reviewer.at("/uniqueName").text().is_some_and(|name| name.starts_with("Build\\"));
        !is_group && !is_service && reviewer.at("/id").text() != author
    });
    let votes: Vec<_> = people.filter_map(|reviewer| reviewer.at("/vote").int()).collect();
    // a vote has no time: it is that of the update that brings it, and of nothing that happens later
    let voted_at = Some(told.at).filter(|_| event.event == "git.pullrequest.updated");
    Ok(vec![Happening::PullRequest(PullRequest {
        first_review_at: voted_at.filter(|_| votes.iter().any(|vote| *vote != 0)),
        approved_at: voted_at.filter(|_| votes.iter().any(|vote| *vote > 0)),
        ..told
    })])
}

pub(super) fn comment(event: &Event<'_>) -> Reading {
    let (comment, body) = (event.body.at("/resource/comment"), event.body.at("/resource/pullRequest"));
    let told = request(event, body)?;
    let is_another = comment.at("/author/id").text() != body.at("/createdBy/id").text();
    let counts = is_another && comment.at("/commentType").text().is_none_or(|kind| kind == "text");
    let written = comment.at("/publishedDate").time().filter(|_| counts);
    Ok(vec![Happening::PullRequest(PullRequest { first_review_at: written, ..told })])
}
