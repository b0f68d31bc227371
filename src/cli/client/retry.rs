//! Sending until it is answered, refused, or the time is up.

use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};

use secrecy::ExposeSecret as _;

use super::answer::{self, Answer};
use super::{Failure, Request, Service, http, root_cause};
use crate::config::masked_url;

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What one try came to.
enum Outcome {
    Done(Answer),
    Failed(Failure),
    /// Worth another try, not before the pause if the service asked for one.
    Later(Failure, Option<Duration>),
}

impl Service {
    pub(super) async fn send(&self, request: &Request) -> anyhow::Result<Answer> {
        let http = http(self.url.as_str()).build()?;
        let deadline = Instant::now() + Duration::from_secs(self.timeout);
        let mut pause = FIRST_PAUSE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.attempt(&http, request, left).await {
                Outcome::Done(answer) => return Ok(answer),
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

    async fn attempt(&self, http: &Client, request: &Request, left: Duration) -> Outcome {
        let mut url = self.url.clone();
        let whole = format!("{}{}", url.path().trim_end_matches('/'), request.path);
        url.set_path(&whole);
        let mut builder = http.request(request.method.clone(), url).timeout(left).header(ACCEPT, "application/json");
        if !request.query.is_empty() {
            builder = builder.query(&request.query);
        }
        if let Some(token) =
            self.token.as_ref().map(|token| token.expose_secret().trim()).filter(|token| !token.is_empty())
        {
            builder = builder.bearer_auth(token);
        }
        if let Some(body) = &request.body {
            builder = builder.json(body);
        }
        let received = match builder.send().await {
            Ok(response) => receive(response).await,
            Err(error) => Err(error),
        };
        match received {
            Ok((status, asked, answer)) => self.judge(status, asked, answer, request.repeatable),
            Err(error) => {
                let text = format!("cannot reach {}: {}", masked_url(self.url.as_str()), root_cause(&error));
                let failure = Failure::Unreachable(text);
                // Once it is on its way, nobody knows whether it was done.
                let again = error.is_connect() || (request.repeatable && !error.is_builder());
                if again { Outcome::Later(failure, None) } else { Outcome::Failed(failure) }
            }
        }
    }

    fn judge(&self, status: StatusCode, asked: Option<Duration>, answer: Answer, repeatable: bool) -> Outcome {
        let service = masked_url(self.url.as_str());
        if status.is_success() {
            return match answer.json() {
                Some(_) => Outcome::Done(answer),
                None => Outcome::Failed(Failure::Refused(format!("{service} does not answer like em-metrics"))),
            };
        }
        let problem = answer::problem(status, &answer);
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
            _ => Outcome::Failed(Failure::Refused(problem)),
        }
    }
}

async fn receive(response: Response) -> Result<(StatusCode, Option<Duration>, Answer), reqwest::Error> {
    let status = response.status();
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let answer = Answer::read(response).await?;
    Ok((status, seconds.map(Duration::from_secs), answer))
}
