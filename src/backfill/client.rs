//! The client of a forge's API: slow where it is told to be, and silent about its token.

use std::error::Error as _;
use std::time::Duration;

use reqwest::header::{ETAG, HeaderMap, IF_NONE_MATCH, LINK};
use reqwest::{Client, ClientBuilder, Response, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Url;

use crate::domain::Clock;
use crate::forges::answer::{Answer, Verdict, next_page};
use crate::forges::{Base, Forge};

/// For one answer, from the question to its last byte.
const LIMIT: Duration = Duration::from_mins(1);
/// Of one answer.
const MOST_BYTES: usize = 32 * 1024 * 1024;
/// Of an answer that is no success.
const MOST_WORDS: usize = 4096;
/// A repository that was renamed is found by one.
const MOST_REDIRECTS: usize = 5;
/// Pages of what belongs to one object, such as the reviews of a pull request.
const MOST_PAGES: usize = 20;
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long somebody is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// A limit that ends later than this is a [`Trouble::Limited`].
    pub longest_wait: Duration,
    /// How often something that goes wrong over there is asked for.
    pub tries: u32,
    /// Before the second of them; then twice as long each time.
    pub first_pause: Duration,
}

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error("the rate limit is used up for {} s more", .0.as_secs())]
    Limited(Duration),
    /// May pass by itself.
    #[error("{url}: {why}")]
    Broken { url: String, why: String },
    #[error("{url}: {why}")]
    Refused { url: String, why: String },
    #[error("{url}: {why}")]
    Absent { url: String, why: String },
}

/// An answer.
#[derive(Debug)]
pub enum Got {
    Page {
        value: Value,
        next: Option<Url>,
        etag: Option<String>,
    },
    /// As it was when it had the tag.
    Unchanged,
}

/// Called with what is being waited for, in words.
pub type Notice<'a> = &'a (dyn Fn(&str) + Send + Sync);

#[derive(Debug, Clone)]
pub struct Api {
    pub forge: &'static Forge,
    pub base: Base,
    http: Client,
    token: Option<SecretString>,
    clock: Clock,
    patience: Patience,
}

impl Api {
    pub fn new(
        forge: &'static Forge,
        base: Base,
        http: ClientBuilder,
        token: Option<SecretString>,
        clock: Clock,
        patience: Patience,
    ) -> Result<Self, reqwest::Error> {
        let ours = base.clone();
        let on_same_host = redirect::Policy::custom(move |attempt| {
            let goes_on = ours.is_ours(attempt.url()) && attempt.previous().len() <= MOST_REDIRECTS;
            if goes_on { attempt.follow() } else { attempt.stop() }
        });
        let http = http.redirect(on_same_host).timeout(LIMIT).build()?;
        let token = token.filter(|token| !token.expose_secret().trim().is_empty());
        Ok(Self { forge, base, http, token, clock, patience })
    }

    /// Asks until it is answered, or the patience is at its end.
    pub async fn get(&self, url: &Url, etag: Option<&str>, notice: Notice<'_>) -> Result<Got, Trouble> {
        let (mut tries, mut pause) = (1, self.patience.first_pause);
        loop {
            let wait = match self.once(url, etag).await {
                Err(Trouble::Limited(wait)) if wait <= self.patience.longest_wait => {
                    notice(&format!("{} asks to slow down: waiting {} s", self.forge.title, wait.as_secs()));
                    wait
                }
                Err(Trouble::Broken { why, .. }) if tries < self.patience.tries => {
                    notice(&format!("{why}; trying again"));
                    tries += 1;
                    let wait = pause;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    wait
                }
                answered => return answered,
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Everything on all pages of a list; of something that is no list, that itself.
    pub async fn all(&self, url: &Url, notice: Notice<'_>) -> Result<Vec<Value>, Trouble> {
        let (mut all, mut next) = (Vec::new(), Some(url.clone()));
        for _ in 0..MOST_PAGES {
            let Some(url) = next.take() else { break };
            let Got::Page { value, next: following, .. } = self.get(&url, None, notice).await? else { break };
            match value {
                Value::Array(values) => all.extend(values),
                value => all.push(value),
            }
            next = following;
        }
        Ok(all)
    }

    async fn once(&self, url: &Url, etag: Option<&str>) -> Result<Got, Trouble> {
        let mut request = self.http.get(url.clone());
        for (name, value) in self.forge.headers {
            request = request.header(*name, *value);
        }
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret().trim());
        }
        let shown = || shown(url);
        let broken = |why: String| Trouble::Broken { url: shown(), why };
        let response = request.send().await.map_err(|error| broken(root_cause(&error)))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let is_success = response.status().is_success();
        let bytes = read(response, if is_success { MOST_BYTES } else { MOST_WORDS });
        let (bytes, is_whole) = bytes.await.map_err(|error| broken(root_cause(&error)))?;
        let text = if is_success { "" } else { &*String::from_utf8_lossy(&bytes) };
        let header = |name: &str| text_of(&headers, name);
        match (Answer { status, header: &header, text }).judge(self.clock.now()) {
            Verdict::Unchanged => Ok(Got::Unchanged),
            Verdict::Later(wait) => Err(Trouble::Limited(wait)),
            Verdict::Again(why) => Err(broken(why)),
            Verdict::Refused(why) => Err(Trouble::Refused { url: shown(), why }),
            Verdict::Absent(why) => Err(Trouble::Absent { url: shown(), why }),
            Verdict::Content if !is_whole => {
                Err(Trouble::Refused { url: shown(), why: format!("the answer has more than {MOST_BYTES} bytes") })
            }
            Verdict::Content => {
                let value: Value = serde_json::from_slice(&bytes).map_err(|_| {
                    let why = "the answer is not JSON: is this the address of the API?".to_owned();
                    Trouble::Refused { url: shown(), why }
                })?;
                let next = next_page(&self.base, url, text_of(&headers, LINK.as_str()), (self.forge.next)(&value));
                let next = next.map_err(|why| Trouble::Refused { url: shown(), why })?;
                Ok(Got::Page { value, next, etag: text_of(&headers, ETAG.as_str()).map(str::to_owned) })
            }
        }
    }
}

/// What can be shown of an address: cursors in its query help nobody.
fn shown(url: &Url) -> String {
    url[..url::Position::AfterPath].to_owned()
}

fn text_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Up to so many bytes, and whether these are all.
async fn read(mut response: Response, most: usize) -> Result<(Vec<u8>, bool), reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > most {
            bytes.truncate(most);
            return Ok((bytes, false));
        }
    }
    Ok((bytes, true))
}

/// What lies under reqwest's general words, such as "connection refused".
fn root_cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(std::error::Error::source) {
        cause = Some(deeper);
    }
    cause.map_or_else(|| error.to_string(), ToString::to_string)
}
