//! Sending until it is answered, refused, or the time is up.

use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode};

use secrecy::ExposeSecret as _;

use super::answer::{self, Answer};
use super::{Access, Failure, Payload, Request, http, root_cause};
use crate::config::masked_url;

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What one try came to.
pub(super) enum Outcome<T> {
    Done(T),
    Failed(Failure),
    /// Worth another try, not before the pause if the service asked for one.
    Later(Failure, Option<Duration>),
}

impl Access {
    pub(in crate::cli) async fn send(&self, request: &Request) -> anyhow::Result<Answer> {
        self.send_by(&self.http()?, request).await
    }

    /// A client for many requests.
    pub(in crate::cli) fn http(&self) -> anyhow::Result<Client> {
        Ok(http(self.url.as_str()).build()?)
    }

    pub(in crate::cli) async fn send_by(&self, http: &Client, request: &Request) -> anyhow::Result<Answer> {
        self.until_done(|left| self.attempt(http, request, left)).await
    }

    /// Tries until it is done, refused, or the time is up.
    pub(super) async fn until_done<T, F>(&self, attempt: impl Fn(Duration) -> F) -> anyhow::Result<T>
    where
        F: Future<Output = Outcome<T>>,
    {
        let deadline = Instant::now() + Duration::from_secs(self.timeout);
        let mut pause = FIRST_PAUSE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match attempt(left).await {
                Outcome::Done(done) => return Ok(done),
                Outcome::Failed(failure) => return Err(failure.into()),
                Outcome::Later(failure, asked) => {
                    let wait = asked.unwrap_or(pause);
                    if wait >= deadline.saturating_duration_since(Instant::now()) {
                        return Err(failure.into());
                    }
                    tokio::time::sleep(wait).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// The request as it goes out, without a time limit.
    pub(super) fn builder(&self, http: &Client, request: &Request) -> RequestBuilder {
        let mut url = self.url.clone();
        let whole = format!("{}{}", url.path().trim_end_matches('/'), request.path);
        url.set_path(&whole);
        let mut builder = http.request(request.method.clone(), url);
        if !request.query.is_empty() {
            builder = builder.query(&request.query);
        }
        if let Some(token) =
            self.token.as_ref().map(|token| token.expose_secret().trim()).filter(|token| !token.is_empty())
        {
            builder = builder.bearer_auth(token);
        }
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        match &request.body {
            Payload::None => builder,
            Payload::Json(body) => builder.json(body),
            Payload::Lines(gzipped) => builder
                .header(CONTENT_TYPE, "application/x-ndjson")
                .header(CONTENT_ENCODING, "gzip")
                .body(gzipped.clone()),
        }
    }

    async fn attempt(&self, http: &Client, request: &Request, left: Duration) -> Outcome<Answer> {
        let builder = self.builder(http, request).timeout(left).header(ACCEPT, "application/json");
        let received = match builder.send().await {
            Ok(response) => receive(response).await,
            Err(error) => Err(error),
        };
        match received {
            Ok((status, asked, answer)) => self.judge(status, asked, answer, request),
            Err(error) => {
                let failure = self.away(&error);
                // Once it is on its way, nobody knows whether it was done.
                let again = error.is_connect() || (request.repeatable && !error.is_builder());
                if again { Outcome::Later(failure, None) } else { Outcome::Failed(failure) }
            }
        }
    }

    pub(super) fn away(&self, error: &reqwest::Error) -> Failure {
        Failure::Unreachable(format!("cannot reach {}: {}", self.shown(), root_cause(error)))
    }

    /// The address without secrets.
    pub(in crate::cli) fn shown(&self) -> String {
        masked_url(self.url.as_str())
    }

    fn judge(&self, status: StatusCode, asked: Option<Duration>, answer: Answer, request: &Request) -> Outcome<Answer> {
        if !status.is_success() && request.also != Some(status) {
            return self.failure(status, asked, &answer, request.repeatable);
        }
        match answer.json() {
            Some(_) => Outcome::Done(answer),
            None => Outcome::Failed(self.stranger()),
        }
    }

    pub(in crate::cli) fn stranger(&self) -> Failure {
        Failure::Refused(format!("{} does not answer like em-metrics", self.shown()))
    }

    /// What an answer that is no success means.
    pub(super) fn failure<T>(
        &self,
        status: StatusCode,
        asked: Option<Duration>,
        answer: &Answer,
        repeatable: bool,
    ) -> Outcome<T> {
        let service = self.shown();
        let problem = answer::problem(status, answer);
        match status {
            // By contract these two have left no trace.
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Outcome::Later(Failure::Unreachable(problem), asked)
            }
            // From a proxy between: the service may have done it.
            StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT if repeatable => {
                Outcome::Later(Failure::Unreachable(problem), asked)
            }
            StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => Outcome::Failed(Failure::Unreachable(problem)),
            _ if status.is_redirection() => Outcome::Failed(Failure::Refused(format!(
                "{service} redirects{}: give the final address as --url",
                answer.location().map(|to| format!(" to {}", masked_url(to))).unwrap_or_default()
            ))),
            StatusCode::PAYLOAD_TOO_LARGE => Outcome::Failed(Failure::TooLarge(problem)),
            _ => Outcome::Failed(Failure::Refused(problem)),
        }
    }
}

pub(super) async fn receive(response: Response) -> Result<(StatusCode, Option<Duration>, Answer), reqwest::Error> {
    let status = response.status();
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let answer = Answer::read(response).await?;
    Ok((status, seconds.map(Duration::from_secs), answer))
}
