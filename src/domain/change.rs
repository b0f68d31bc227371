//! What leads to a deployment: pushes and their commits, pull requests, tickets. Kept as they are told; numbers are
//! made of them later.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::seen::Said;
use super::{Name, Prose, Timestamp};

/// Commits that a branch went forward by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    /// With the vendor in front, such as `github:acme/shop`.
    pub repository: Name,
    pub branch: Option<Name>,
    /// `None`: the branch is new.
    pub before: Option<Name>,
    /// `None`: the branch was deleted.
    pub after: Option<Name>,
    pub at: Timestamp,
    pub commits: Vec<Commit>,
    /// There are more than the sender lists.
    pub is_cut: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    pub sha: Name,
    pub at: Timestamp,
}

/// What one message says about a pull (or merge) request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PullRequest {
    #[serde(skip)]
    pub repository: Name,
    /// With the vendor in front.
    #[serde(skip)]
    pub id: Name,
    /// When it was so.
    #[serde(skip)]
    pub at: Timestamp,
    /// Its number in the repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<Prose>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Prose>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_draft: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Timestamp>,
    /// When it stopped being a draft.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<Timestamp>,
    /// By somebody else than its author, and by no bot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_review_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merged_at: Option<Timestamp>,
    /// Whether it is closed, merged or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_closed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_sha: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_branch: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_branch: Option<Name>,
    /// The commit that merging made; only when it is merged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge_sha: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additions: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletions: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commits: Option<i64>,
    /// Of people, on the whole and on lines of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comments: Option<i64>,
}

/// What one message says about a ticket.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ticket {
    /// Where it is kept: the vendor and its project or team, such as `jira:SHOP`.
    #[serde(skip)]
    pub place: Name,
    /// With the vendor in front, such as `jira:SHOP-42`.
    #[serde(skip)]
    pub id: Name,
    /// When it was so.
    #[serde(skip)]
    pub at: Timestamp,
    /// Such as `Bug` or `Story`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<Prose>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Prose>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<TicketStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketStatus {
    Waiting,
    Started,
    Finished,
    /// Not done, and not to be done.
    Dropped,
}

impl PullRequest {
    pub fn new(repository: Name, id: Name, at: Timestamp) -> Self {
        Self {
            repository,
            id,
            at,
            number: None,
            title: None,
            url: None,
            author: None,
            is_draft: None,
            opened_at: None,
            ready_at: None,
            first_review_at: None,
            approved_at: None,
            merged_at: None,
            is_closed: None,
            closed_at: None,
            head_sha: None,
            head_branch: None,
            base_branch: None,
            merge_sha: None,
            additions: None,
            deletions: None,
            commits: None,
            comments: None,
        }
    }
}

impl Ticket {
    pub fn new(place: Name, id: Name, at: Timestamp) -> Self {
        Self {
            place,
            id,
            at,
            kind: None,
            title: None,
            url: None,
            status: None,
            estimate: None,
            created_at: None,
            started_at: None,
            finished_at: None,
        }
    }
}

/// Fields of which the earliest value holds, whoever says it when. Of all others the one that was said last does.
const EARLIEST: &[&str] =
    &["opened_at", "ready_at", "first_review_at", "approved_at", "merged_at", "created_at", "started_at"];

/// Everything that was said of a pull request or a ticket, by field. What is null says nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Known(BTreeMap<String, Said<Value>>);

impl Known {
    /// Takes in one message; in whatever order they come, the same is known in the end.
    pub fn hear(&mut self, at: Timestamp, said: &impl Serialize) {
        let Ok(Value::Object(said)) = serde_json::to_value(said) else { return };
        for (field, value) in said.into_iter().filter(|(_, value)| !value.is_null()) {
            let said = Said { at, value };
            match self.0.get(&field) {
                Some(known) if !replaces(&field, known, &said) => {}
                _ => drop(self.0.insert(field, said)),
            }
        }
    }

    /// The fields as they stand.
    pub fn fields(&self) -> Map<String, Value> {
        self.0.iter().map(|(field, said)| (field.clone(), said.value.clone())).collect()
    }
}

fn replaces(field: &str, known: &Said<Value>, said: &Said<Value>) -> bool {
    let time = |said: &Said<Value>| said.value.as_str().and_then(|text| Timestamp::parse(text).ok());
    if EARLIEST.contains(&field) {
        return (time(said), said.at) < (time(known), known.at);
    }
    // of two at one moment, any that needs no order
    (said.at, said.value.to_string()) > (known.at, known.value.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000).unwrap()
    }

    fn pull_request(seconds: i64) -> PullRequest {
        PullRequest::new(Name::parse("github:a/b").unwrap(), Name::parse("github:1").unwrap(), at(seconds))
    }

    #[test]
    fn the_first_review_is_the_earliest_and_the_size_is_the_last() {
        let mut known = Known::default();
        let late = PullRequest { first_review_at: Some(at(20)), additions: Some(5), ..pull_request(20) };
        let early = PullRequest { first_review_at: Some(at(10)), additions: Some(1), ..pull_request(10) };
        let silent = pull_request(30);
        for said in [&late, &early, &silent] {
            known.hear(said.at, said);
        }
        let expected = json!({"first_review_at": "1970-01-01T00:00:10Z", "additions": 5});
        assert_eq!(Value::Object(known.fields()), expected);
    }

    proptest! {
        #[test]
        fn any_order_and_any_repetition_end_in_the_same(
            said in prop::collection::vec((0..5_i64, prop::option::of(0..5_i64), prop::option::of(0..3_i64)), 1..8),
            order in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let said: Vec<_> = said.into_iter().map(|(seconds, opened, additions)| PullRequest {
                opened_at: opened.map(|s| at(s + 1)), additions, ..pull_request(seconds)
            }).collect();
            let (mut straight, mut crooked) = (Known::default(), Known::default());
            for one in &said {
                straight.hear(one.at, one);
            }
            for one in order.iter().map(|index| index.get(&said)).chain(said.iter().rev()) {
                crooked.hear(one.at, one);
            }
            prop_assert_eq!(straight, crooked);
        }
    }
}
