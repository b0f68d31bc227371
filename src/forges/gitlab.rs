//! GitLab: <https://docs.gitlab.com/api/rest/>. Its objects are told otherwise than by its webhooks.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::shape::only;
use super::{Answers, Base, Delivery, Forge, Item, List, Place};
use crate::domain::Timestamp;
use crate::webhooks::Body;

pub static GITLAB: Forge = Forge {
    name: "gitlab",
    title: "GitLab",
    api: "https://gitlab.com/api/v4",
    headers: &[("accept", "application/json")],
    about,
    place,
    next: |_| None,
    lists: &List::ALL,
    by_change: &List::ALL,
    list,
    items,
    details,
    is_open: |_, _| false,
    deliveries,
    compare,
    oldest_first: true,
    compared,
    commit,
    commit_at,
};

const MOST: (&str, &str) = ("per_page", "100");
const NEWEST_FIRST: [(&str, &str); 3] = [("order_by", "updated_at"), ("sort", "desc"), MOST];

fn project(base: &Base, project: &str, rest: &[&str], query: &[(&str, &str)]) -> Option<Url> {
    base.join(&[&["projects", project], rest].concat(), query)
}

/// By its number where that is known: a path may change.
fn of(place: &Place) -> &str {
    place.id.as_deref().unwrap_or(&place.path)
}

fn about(base: &Base, path: &str) -> Option<Url> {
    project(base, path, &[], &[])
}

fn place(answer: &Value) -> Option<Place> {
    let body = Body(answer);
    Some(Place { path: body.at("/path_with_namespace").text()?.to_owned(), id: body.at("/id").word() })
}

fn list(base: &Base, place: &Place, list: List) -> Option<Url> {
    match list {
        List::Deployments => project(base, of(place), &["deployments"], &NEWEST_FIRST),
        List::Changes => {
            project(base, of(place), &["merge_requests"], &[&[("state", "all")], &NEWEST_FIRST[..]].concat())
        }
        List::Releases => {
            project(base, of(place), &["releases"], &[("order_by", "released_at"), ("sort", "desc"), MOST])
        }
    }
}

fn items(list: List, page: &Value) -> Vec<Item> {
    Body(page).items().filter_map(|one| item(list, one)).collect()
}

fn item(list: List, one: Body<'_>) -> Option<Item> {
    let created = one.at("/created_at").time();
    let (id, changed) = match list {
        List::Deployments | List::Changes => (one.at("/id").word()?, one.at("/updated_at").time().or(created)?),
        List::Releases => (one.at("/tag_name").word()?, one.at("/released_at").time().or(created)?),
    };
    Some(Item { id, listed_by: changed, changed_at: changed, value: one.0.clone() })
}

fn details(base: &Base, place: &Place, list: List, item: &Item) -> Vec<Url> {
    let number = Body(&item.value).at("/iid").word().unwrap_or_default();
    let oldest_first = [("order_by", "created_at"), ("sort", "asc"), MOST];
    match list {
        // who has reviewed it, and when
        List::Changes => {
            project(base, of(place), &["merge_requests", &number, "notes"], &oldest_first).into_iter().collect()
        }
        List::Deployments | List::Releases => Vec::new(),
    }
}

fn deliveries(place: &Place, list: List, item: &Item, details: &[Answers]) -> Vec<Delivery> {
    let delivery = |event, mut body: Value| {
        body["project"] = json!({"path_with_namespace": place.path});
        if let Some(id) = place.id.as_ref().and_then(|id| id.parse::<u64>().ok()) {
            body["project"]["id"] = json!(id);
        }
        Delivery::new(("x-gitlab-event", event), "idempotency-key", body)
    };
    let one = Body(&item.value);
    match list {
        List::Deployments => deployment(place, one).into_iter().map(|body| delivery("Deployment Hook", body)).collect(),
        List::Changes => {
            let notes = details.first().map(Vec::as_slice).unwrap_or_default();
            let (request, notes) = merge_request(one, notes);
            let request = request.into_iter().map(|body| delivery("Merge Request Hook", body));
            request.chain(notes.into_iter().map(|body| delivery("Note Hook", body))).collect()
        }
        List::Releases => {
            let mut body = only(&item.value, &["/created_at", "/released_at", "/commit/id"]);
            for (field, pointer) in [("tag", "/tag_name"), ("url", "/_links/self")] {
                body[field] = one.at(pointer).0.clone();
            }
            if let Some(committed) = one.at("/commit/committed_date").text() {
                body["commit"]["timestamp"] = json!(committed);
            }
            (body["object_kind"], body["action"]) = (json!("release"), json!("create"));
            vec![delivery("Releases Hook", body)]
        }
    }
}

/// When it began, and how it went.
fn deployment(place: &Place, one: Body<'_>) -> Vec<Value> {
    let status = one.at("/status").text().unwrap_or_default();
    // these neither deployed nor failed
    if matches!(status, "canceled" | "skipped") {
        return Vec::new();
    }
    let sha = one.at("/sha").text().unwrap_or_default();
    let told = |status: &str, at: Body<'_>| {
        json!({
            "object_kind": "deployment",
            "status": status,
            "status_changed_at": at.time().map(to_the_second),
            "deployment_id": one.at("/id").0,
            "deployable_url": one.at("/deployable/web_url").0,
            "environment": one.at("/environment/name").0,
            "short_sha": sha.get(..8).unwrap_or(sha),
            "commit_url": format!("/{}/-/commit/{sha}", place.path),
            "user": only(one.at("/user").0, &["/username"]),
        })
    };
    let started = one.at("/deployable/started_at");
    let began = started.time().map(|_| told("running", started));
    // it was last changed when it ended: that is the time that the webhook tells
    let is = (status != "running" || began.is_none()).then(|| told(status, one.at("/updated_at")));
    began.into_iter().chain(is).collect()
}

/// As GitLab's webhooks tell it.
fn to_the_second(at: Timestamp) -> Timestamp {
    at.earlier(Duration::from_micros(u64::try_from(at.micros() % 1_000_000).unwrap_or_default()))
}

/// What is said of a merge request and of its approvals, and of comments on it.
fn merge_request(one: Body<'_>, notes: &[Value]) -> (Vec<Value>, Vec<Value>) {
    let author = only(one.at("/author").0, &["/id", "/username"]);
    let mut attributes = only(
        one.0,
        &[
            "/id",
            "/iid",
            "/title",
            "/draft",
            "/state",
            "/created_at",
            "/updated_at",
            "/merged_at",
            "/closed_at",
            "/source_branch",
            "/target_branch",
            "/merge_commit_sha",
            "/squash_commit_sha",
        ],
    );
    for (field, value) in [("url", one.at("/web_url")), ("author_id", one.at("/author/id"))] {
        attributes[field] = value.0.clone();
    }
    attributes["last_commit"] = json!({"id": one.at("/sha").0});
    if attributes["state"] == "merged" && one.at("/closed_at").is_null() {
        attributes["closed_at"] = one.at("/merged_at").0.clone();
    }
    let kind = "merge_request";
    let mut requests = vec![json!({"object_kind": kind, "user": author, "object_attributes": attributes})];
    let (mut comments, mut heard) = (Vec::new(), BTreeSet::new());
    for note in notes.iter().map(Body) {
        let (user, at) = (only(note.at("/author").0, &["/id", "/username"]), note.at("/created_at").0);
        let is_by_author = note.at("/author/id").word() == one.at("/author/id").word();
        if note.at("/system").flag() == Some(true) {
            if note.at("/body").text().is_some_and(|text| text.starts_with("approved this merge request")) {
                let mut attributes = attributes.clone();
                (attributes["action"], attributes["updated_at"]) = (json!("approved"), at.clone());
                requests.push(
                    json!({"object_kind": kind, "user": user, "assignees": [author], "object_attributes": attributes}),
                );
            }
        } else if !is_by_author && heard.insert(note.at("/author/id").word()) {
            // of each person the first one: the first of all is what counts
            let said = json!({"noteable_type": "MergeRequest", "system": false, "created_at": at,
                "author_id": note.at("/author/id").0});
            comments.push(json!({"object_kind": "note", "user": user, "assignees": [author],
                "object_attributes": said, "merge_request": attributes}));
        }
    }
    (requests, comments)
}

fn compare(base: &Base, path: &str, from: &str, to: &str) -> Option<Url> {
    project(base, path, &["repository", "compare"], &[("from", from), ("to", to)])
}

fn compared(answer: &Value) -> Vec<Timestamp> {
    Body(answer).at("/commits").items().filter_map(|commit| commit_at(commit.0)).collect()
}

fn commit(base: &Base, path: &str, sha: &str) -> Option<Url> {
    project(base, path, &["repository", "commits", sha], &[])
}

fn commit_at(answer: &Value) -> Option<Timestamp> {
    Body(answer).at("/committed_date").time().or(Body(answer).at("/created_at").time())
}
