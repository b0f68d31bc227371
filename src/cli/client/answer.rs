//! What the service said: a fact to print, or a problem document to explain.

use std::fmt::Write as _;

use reqwest::header::{LINK, LOCATION};
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use crate::cli::output::{complain, say};

pub(in crate::cli) struct Answer {
    text: String,
    location: Option<String>,
    /// The `Link` to the next page.
    next_page: Option<String>,
}

/// RFC 9457, as far as it is shown.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    title: String,
    detail: String,
    request_id: String,
    errors: Vec<FieldError>,
}

#[derive(Deserialize)]
struct FieldError {
    pointer: String,
    detail: String,
}

impl Answer {
    pub(super) async fn read(response: Response) -> Result<Self, reqwest::Error> {
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let location = header(LOCATION);
        let next_page = header(LINK).filter(|link| link.contains("rel=\"next\""));
        Ok(Self { text: response.text().await?, location, next_page })
    }

    pub(super) fn location(&self) -> Option<&str> {
        self.location.as_deref()
    }

    /// Where the next page begins.
    pub(in crate::cli) fn next_cursor(&self) -> Option<String> {
        let (_, query) = self.next_page.as_ref()?.split_once('<')?.1.split_once('>')?.0.split_once('?')?;
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find_map(|(name, value)| (name == "cursor").then(|| value.into_owned()))
    }

    /// An object or an array; nothing else is an answer of ours.
    pub(in crate::cli) fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.text).ok().filter(|value: &Value| value.is_object() || value.is_array())
    }

    pub(super) fn print(&self, as_json: bool, summary: impl FnOnce(&Value) -> String) {
        match self.json() {
            Some(value) if !as_json => say(&summary(&value)),
            _ => say(self.text.trim_end()),
        }
        if self.next_page.is_some() {
            complain("there are more: raise --limit, or narrow the list down");
        }
    }
}

/// The problem in a few lines: title, detail, then one line for each bad field.
pub(super) fn problem(status: StatusCode, answer: &Answer) -> String {
    let parsed = serde_json::from_str::<Problem>(&answer.text).ok().filter(|problem| !problem.title.is_empty());
    let Some(Problem { title, detail, request_id, errors }) = parsed else {
        let start: String = answer.text.trim().chars().take(200).collect();
        return if start.is_empty() { status.to_string() } else { format!("{status}: {start}") };
    };
    let mut text = title;
    // The detail may consist of nothing but what the fields say.
    if !detail.is_empty() && (errors.is_empty() || !errors.iter().all(|error| detail.contains(&error.detail))) {
        let _ = write!(text, ": {detail}");
    }
    for FieldError { pointer, detail } in errors {
        let _ = write!(text, "\n  {pointer}: {detail}");
    }
    let _ = write!(text, "\n  (status {}", status.as_u16());
    if !request_id.is_empty() {
        let _ = write!(text, ", request {request_id}");
    }
    text.push(')');
    text
}
