//! GitHub: <https://docs.github.com/en/rest>. Its objects are those of its webhooks.

use serde_json::{Value, json};
use url::Url;

use super::shape::only;
use super::{Answers, Base, Delivery, Forge, Item, List, Place};
use crate::domain::Timestamp;
use crate::webhooks::Body;

pub static GITHUB: Forge = Forge {
    name: "github",
    title: "GitHub",
    api: "https://api.github.com",
    headers: &[("accept", "application/vnd.github+json"), ("x-github-api-version", "2022-11-28")],
    about,
    place,
    next: |_| None,
    lists: &List::ALL,
    by_change: &[List::Changes],
    list,
    items,
    details,
    is_open,
    deliveries,
    compare,
    oldest_first: true,
    compared,
    commit,
    commit_at,
};

const DEPLOYMENT: &[&str] = &["/id", "/sha", "/environment", "/created_at", "/creator/login"];
const STATUS: &[&str] =
    &["/id", "/state", "/created_at", "/environment", "/description", "/target_url", "/environment_url", "/log_url"];
const PULL_REQUEST: &[&str] = &[
    "/id",
    "/number",
    "/state",
    "/title",
    "/html_url",
    "/user/login",
    "/draft",
    "/created_at",
    "/updated_at",
    "/closed_at",
    "/merged_at",
    "/merged",
    "/merge_commit_sha",
    "/head/sha",
    "/head/ref",
    "/base/ref",
    "/additions",
    "/deletions",
    "/commits",
    "/comments",
    "/review_comments",
];
const REVIEW: &[&str] = &["/id", "/state", "/submitted_at", "/user/login", "/user/type"];
const RELEASE: &[&str] =
    &["/id", "/tag_name", "/prerelease", "/created_at", "/published_at", "/author/login", "/html_url"];

const MOST: (&str, &str) = ("per_page", "100");

/// `owner/name` as two segments.
fn repository(base: &Base, path: &str, rest: &[&str], query: &[(&str, &str)]) -> Option<Url> {
    let (owner, name) = path.split_once('/')?;
    base.join(&[&["repos", owner, name], rest].concat(), query)
}

fn about(base: &Base, path: &str) -> Option<Url> {
    repository(base, path, &[], &[])
}

fn place(answer: &Value) -> Option<Place> {
    let body = Body(answer);
    Some(Place { path: body.at("/full_name").text()?.to_owned(), id: body.at("/id").word() })
}

fn list(base: &Base, place: &Place, list: List) -> Option<Url> {
    match list {
        List::Deployments => repository(base, &place.path, &["deployments"], &[MOST]),
        List::Changes => {
            let newest_first = [("state", "all"), ("sort", "updated"), ("direction", "desc"), MOST];
            repository(base, &place.path, &["pulls"], &newest_first)
        }
        List::Releases => repository(base, &place.path, &["releases"], &[MOST]),
    }
}

fn items(list: List, page: &Value) -> Vec<Item> {
    Body(page).items().filter_map(|one| item(list, one)).collect()
}

fn item(list: List, one: Body<'_>) -> Option<Item> {
    let created = one.at("/created_at").time()?;
    let (listed_by, changed_at) = match list {
        // each status is a change of its deployment
        List::Deployments => (created, one.at("/updated_at").time().unwrap_or(created).max(created)),
        List::Changes => {
            let updated = one.at("/updated_at").time().unwrap_or(created);
            (updated, updated)
        }
        // a draft has no time, and is not yet one
        List::Releases => (created, one.at("/published_at").time()?),
    };
    Some(Item { id: one.at("/id").word()?, listed_by, changed_at, value: one.0.clone() })
}

fn details(base: &Base, place: &Place, list: List, item: &Item) -> Vec<Url> {
    let word = |field| Body(&item.value).at(field).word().unwrap_or_default();
    let (id, number) = (word("/id"), word("/number"));
    let addresses = match list {
        List::Deployments => vec![repository(base, &place.path, &["deployments", &id, "statuses"], &[MOST])],
        List::Changes => vec![
            // its size is not on the list
            repository(base, &place.path, &["pulls", &number], &[]),
            repository(base, &place.path, &["pulls", &number, "reviews"], &[MOST]),
        ],
        List::Releases => Vec::new(),
    };
    addresses.into_iter().flatten().collect()
}

fn is_open(list: List, details: &[Answers]) -> bool {
    let has_ended =
        |status: &Value| matches!(status["state"].as_str(), Some("success" | "failure" | "error" | "inactive"));
    list == List::Deployments && !details.iter().flatten().any(has_ended)
}

fn deliveries(place: &Place, list: List, item: &Item, details: &[Answers]) -> Vec<Delivery> {
    let repository = json!({"full_name": place.path});
    let delivery = |event, mut body: Value| {
        body["repository"] = repository.clone();
        Delivery::new(("x-github-event", event), "x-github-delivery", body)
    };
    let part = |index: usize| details.get(index).map(Vec::as_slice).unwrap_or_default();
    match list {
        List::Deployments => {
            let deployment = only(&item.value, DEPLOYMENT);
            let created = delivery("deployment", json!({"action": "created", "deployment": deployment}));
            // inactive: a later deployment took its place, which changes nothing
            let statuses = part(0).iter().filter(|status| status["state"] != "inactive").map(|status| {
                let status = only(status, STATUS);
                let body = json!({"action": "created", "deployment": deployment, "deployment_status": status});
                delivery("deployment_status", body)
            });
            std::iter::once(created).chain(statuses).collect()
        }
        List::Changes => {
            let whole = part(0).first().unwrap_or(&item.value);
            let request = delivery("pull_request", json!({"pull_request": only(whole, PULL_REQUEST)}));
            let listed = only(&item.value, PULL_REQUEST);
            // one that is being written has no time
            let reviews = part(1).iter().filter(|review| review["submitted_at"].is_string()).map(|review| {
                let body = json!({"action": "submitted", "pull_request": listed, "review": only(review, REVIEW)});
                delivery("pull_request_review", body)
            });
            std::iter::once(request).chain(reviews).collect()
        }
        List::Releases => {
            let release = only(&item.value, RELEASE);
            vec![delivery("release", json!({"action": "published", "release": release}))]
        }
    }
}

fn compare(base: &Base, path: &str, from: &str, to: &str) -> Option<Url> {
    repository(base, path, &["compare", &format!("{from}...{to}")], &[MOST])
}

fn compared(answer: &Value) -> Vec<Timestamp> {
    Body(answer).at("/commits").items().filter_map(|commit| commit_at(commit.0)).collect()
}

fn commit(base: &Base, path: &str, sha: &str) -> Option<Url> {
    repository(base, path, &["commits", sha], &[])
}

/// When it came to be as it is, as pushes tell it.
fn commit_at(answer: &Value) -> Option<Timestamp> {
    Body(answer).at("/commit/committer/date").time()
}
