//! The client side, for pipelines and people without curl: one request, repeated while that may help.

mod answer;
mod retry;
mod stream;
#[cfg(test)]
mod tests;

use std::error::Error as _;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{ClientBuilder, Method, StatusCode, Url, redirect};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::Value;

use super::output::complain;

pub(super) use answer::Answer;

pub(super) const BEST_EFFORT: &str = "--best-effort";

/// All that RFC 3986 does not call unreserved is encoded, slashes too.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Why the service did not do it. The two are told apart by the exit code.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{0}")]
    Refused(String),
    /// Of the same in smaller parts each may be taken.
    #[error("{0}")]
    TooLarge(String),
    #[error("{0}")]
    Unreachable(String),
    #[error("interrupted")]
    Interrupted,
}

impl Failure {
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(_) | Self::TooLarge(_) => 1,
            Self::Unreachable(_) => 3,
            // as shells tell of a process that ctrl-c has ended
            Self::Interrupted => 130,
        }
    }
}

/// Which service, and how to tell what it said.
#[derive(Debug, Args)]
#[command(next_help_heading = "Service")]
pub(super) struct Service {
    #[command(flatten)]
    pub(super) access: Access,
    /// Print the answer as JSON instead of one line
    #[arg(long)]
    pub(super) json: bool,
    /// Say what went wrong, but exit with 0
    #[arg(long)]
    best_effort: bool,
}

/// Where it is, and who we are.
#[derive(Debug, Args)]
#[command(next_help_heading = "Service")]
pub(super) struct Access {
    /// Where the service is; `http://user:password@host` for basic authentication
    #[arg(long, env = "EM_METRICS_URL", hide_env_values = true, default_value = DEFAULT_URL, value_parser = base)]
    url: Url,
    /// The token to send; better by the environment, as others may see the command line
    #[arg(long, env = "EM_METRICS_TOKEN", hide_env_values = true)]
    token: Option<SecretString>,
    /// Keep trying that many seconds, all in all
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

const DEFAULT_URL: &str = "http://127.0.0.1:3000";

/// An empty variable is as good as none.
fn base(text: &str) -> Result<Url, String> {
    let text = if text.is_empty() { DEFAULT_URL } else { text };
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err(format!("expected an address such as {DEFAULT_URL}")),
    }
}

#[derive(Clone)]
enum Payload {
    None,
    Json(Value),
    /// Compressed already.
    Lines(Vec<u8>),
}

pub(super) struct Request {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    headers: Vec<(&'static str, String)>,
    body: Payload,
    /// An answer for the caller to read, although it is no success.
    also: Option<StatusCode>,
    /// Whether sending it twice does the same as sending it once.
    repeatable: bool,
}

impl Request {
    pub(super) fn get(path: &str) -> Self {
        let path = path.to_owned();
        let (query, headers) = (Vec::new(), Vec::new());
        Self { method: Method::GET, path, query, headers, body: Payload::None, also: None, repeatable: true }
    }

    /// What was not said on the command line is not sent, so that the service's defaults apply.
    pub(super) fn post(path: &str, body: &impl Serialize) -> anyhow::Result<Self> {
        let mut body = serde_json::to_value(body)?;
        if let Value::Object(fields) = &mut body {
            fields.retain(|_, value| !matches!(value, Value::Null | Value::Bool(false)));
        }
        Ok(Self { method: Method::POST, body: Payload::Json(body), ..Self::get(path) })
    }

    /// As another tool would have sent it.
    pub(super) fn deliver(path: &str, headers: Vec<(&'static str, String)>, body: Value) -> Self {
        Self { method: Method::POST, headers, body: Payload::Json(body), ..Self::get(path) }
    }

    /// NDJSON, gzipped.
    pub(super) fn post_lines(path: &str, gzipped: Vec<u8>) -> Self {
        Self { method: Method::POST, body: Payload::Lines(gzipped), ..Self::get(path) }
    }

    pub(super) fn or_answered_with(mut self, status: StatusCode) -> Self {
        self.also = Some(status);
        self
    }

    pub(super) fn query<'a>(mut self, name: &'static str, values: impl IntoIterator<Item = &'a String>) -> Self {
        self.query.extend(values.into_iter().map(|value| (name, value.clone())));
        self
    }

    pub(super) fn not_repeatable_unless(mut self, repeatable: bool) -> Self {
        self.repeatable = repeatable;
        self
    }
}

/// `/{collection}/{id}/{action}`
pub(super) fn path(collection: &str, id: &str, action: &str) -> anyhow::Result<String> {
    if matches!(id, "." | "..") {
        bail!("the id `{id}` cannot be part of an address");
    }
    Ok(format!("/{collection}/{}/{action}", utf8_percent_encode(id, SEGMENT)))
}

impl Service {
    /// Sends the request and prints the answer: as it is, or in the words of `summary`.
    pub(super) async fn call(
        &self,
        request: anyhow::Result<Request>,
        summary: impl FnOnce(&Value) -> String,
    ) -> anyhow::Result<()> {
        let result = match request {
            Ok(request) => self.access.send(&request).await.map(|answer| answer.print(self.json, summary)),
            Err(error) => Err(error),
        };
        self.forgive(result)
    }

    /// With `--best-effort` nothing is a failure.
    pub(super) fn forgive(&self, result: anyhow::Result<()>) -> anyhow::Result<()> {
        match result {
            Err(error) if self.best_effort => {
                complain(&format!("warning: {error:#}"));
                Ok(())
            }
            result => result,
        }
    }
}

/// The settings that every HTTP client here shares.
pub(super) fn http(url: &str) -> ClientBuilder {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("em-metrics/", env!("CARGO_PKG_VERSION")))
        // A redirected POST would arrive as a GET, and look like a success.
        .redirect(redirect::Policy::none())
        .connect_timeout(Duration::from_secs(10));
    let Ok(url) = Url::parse(url) else { return builder };
    let local = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let builder = if local { builder.no_proxy() } else { builder };
    // Where there are no certificates on the system, a client that wants them cannot even be made.
    if url.scheme() == "http" { builder.tls_certs_only([]) } else { builder }
}

/// What lies under reqwest's general words, such as "connection refused".
pub(super) fn root_cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(std::error::Error::source) {
        cause = Some(deeper);
    }
    cause.map_or_else(|| error.to_string(), ToString::to_string)
}
