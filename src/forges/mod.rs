//! The REST APIs of those who keep code, without speaking to them: which addresses to ask, what an answer's headers
//! mean, and what its objects would have said as webhooks. So a fact that was read here is the same fact, under the
//! same id, as the one that a webhook told: both go through `webhooks`. Pure: no I/O, no clock.

pub mod answer;
mod bitbucket;
mod github;
mod gitlab;
mod shape;
#[cfg(test)]
mod strange;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::domain::Timestamp;

pub use bitbucket::BITBUCKET;
pub use github::GITHUB;
pub use gitlab::GITLAB;

/// What stands before the id of a delivery that was read and not sent: nobody was heard from.
pub const BACKFILLED: &str = "backfill:";

/// All that can be asked, by name.
pub const FORGES: &[&Forge] = &[&BITBUCKET, &GITHUB, &GITLAB];

/// What one question was answered, on all pages.
pub type Answers = Vec<Value>;

/// One of them: where things are, and what they say.
#[derive(Debug)]
pub struct Forge {
    /// As that of the vendor whose webhooks it speaks.
    pub name: &'static str,
    /// As its makers write it.
    pub title: &'static str,
    /// Where its API is, unless one has one's own.
    pub api: &'static str,
    /// Headers that each request carries, beside the token.
    pub headers: &'static [(&'static str, &'static str)],
    /// Where a repository describes itself.
    pub about: fn(&Base, &str) -> Option<Url>,
    /// What that answer says.
    pub place: fn(&Value) -> Option<Place>,
    /// Where an answer says that the next page is, if not in a `Link` header.
    pub next: fn(&Value) -> Option<&str>,
    /// What can be read of a repository's history.
    pub lists: &'static [List],
    /// Those that begin with what has changed last; others with what was made last.
    pub by_change: &'static [List],
    /// The first page of a list, newest first.
    pub list: fn(&Base, &Place, List) -> Option<Url>,
    /// What is on a page.
    pub items: fn(List, &Value) -> Vec<Item>,
    /// What has to be read beside an item.
    pub details: fn(&Base, &Place, List, &Item) -> Vec<Url>,
    /// Whether more may be said of an item that is no change of its own: GitHub does not always date a deployment anew
    /// when its status changes.
    pub is_open: fn(List, &[Answers]) -> bool,
    /// What an item would have said as webhooks; `details` as they were answered, in their order.
    pub deliveries: fn(&Place, List, &Item, &[Answers]) -> Vec<Delivery>,
    /// Where the commits are listed that are in the second of two and not in the first, of a repository of that path.
    pub compare: fn(&Base, &str, &str, &str) -> Option<Url>,
    /// Whether the earliest of them come first.
    pub oldest_first: bool,
    /// When each of these was made.
    pub compared: fn(&Value) -> Vec<Timestamp>,
    /// Where a commit describes itself.
    pub commit: fn(&Base, &str, &str) -> Option<Url>,
    /// When it was made.
    pub commit_at: fn(&Value) -> Option<Timestamp>,
}

/// What is read of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum List {
    Deployments,
    /// Pull or merge requests.
    Changes,
    Releases,
}

impl List {
    pub const ALL: [Self; 3] = [Self::Deployments, Self::Changes, Self::Releases];
}

/// A repository, as its forge spells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Such as `acme/shop`.
    pub path: String,
    /// The forge's own number of it.
    pub id: Option<String>,
}

/// Something on a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Tells it from others.
    pub id: String,
    /// What the list is sorted by, the newest first.
    pub listed_by: Timestamp,
    /// When something about it was last different.
    pub changed_at: Timestamp,
    pub value: Value,
}

impl Item {
    /// Tells it from others, and from itself before it changed.
    pub fn key(&self) -> String {
        format!("{}@{}", self.id, self.changed_at)
    }
}

/// A delivery as the vendor would have sent it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Delivery {
    pub headers: Vec<(&'static str, String)>,
    pub body: Value,
}

impl Delivery {
    /// `event` and `id` are the headers that the vendor says them in. The id follows from what is said: the same said
    /// again is the same delivery.
    fn new(event: (&'static str, &str), id: &'static str, body: Value) -> Self {
        let digest = Sha256::digest(format!("{}\n{body}", event.1));
        let own_id = format!("{BACKFILLED}{}", URL_SAFE_NO_PAD.encode(digest));
        Self { headers: vec![(event.0, event.1.to_owned()), (id, own_id)], body }
    }
}

/// Where an API is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base(Url);

impl Base {
    /// `Err` says what is wrong with the address.
    pub fn parse(text: &str) -> Result<Self, String> {
        let problem = || "expected an address such as https://github.acme.example/api/v3".to_owned();
        let url = Url::parse(text).map_err(|_| problem())?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(problem());
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err("expected an address without user, password, query and fragment".to_owned());
        }
        Ok(Self(url))
    }

    pub fn url(&self) -> &Url {
        &self.0
    }

    /// Whether an address is of this API: no other is told the token.
    pub fn is_ours(&self, url: &Url) -> bool {
        self.0.origin() == url.origin()
    }

    /// An address below this one; each of the parts is one segment of it, whatever stands in it.
    fn join(&self, parts: &[&str], query: &[(&str, &str)]) -> Option<Url> {
        if parts.iter().any(|part| part.is_empty() || matches!(*part, "." | "..")) {
            return None;
        }
        let path: Vec<_> = parts.iter().map(|part| utf8_percent_encode(part, SEGMENT).to_string()).collect();
        let mut url = self.0.clone();
        url.set_path(&format!("{}/{}", self.0.path().trim_end_matches('/'), path.join("/")));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Some(url)
    }
}

/// All that RFC 3986 does not call unreserved is encoded, slashes too.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The forge of a name.
pub fn forge(name: &str) -> Option<&'static Forge> {
    FORGES.iter().copied().find(|forge| forge.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_stay_below_the_base() {
        let base = Base::parse("https://github.acme.example/api/v3/").unwrap();
        let url = base.join(&["repos", "a/../b", "c d"], &[("per_page", "100")]).unwrap();
        assert_eq!(url.as_str(), "https://github.acme.example/api/v3/repos/a%2F..%2Fb/c%20d?per_page=100");
        assert_eq!(base.join(&["repos", ".."], &[]), None);
        assert!(base.is_ours(&Url::parse("https://github.acme.example/other").unwrap()));
        for other in ["https://github.acme.example:8443/", "http://github.acme.example/", "https://evil.example/"] {
            assert!(!base.is_ours(&Url::parse(other).unwrap()), "{other}");
        }
    }

    #[test]
    fn an_address_that_is_none_is_refused() {
        for text in ["", "github.com", "ftp://github.com", "https://u:p@github.com", "https://github.com?a=b"] {
            Base::parse(text).unwrap_err();
        }
    }
}
