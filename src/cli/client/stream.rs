//! An answer of any length, handed on as it comes.

use std::io::Write;
use std::time::Duration;

use reqwest::{Client, Response};

use super::retry::{Outcome, receive};
use super::{Access, Failure, Request, http, root_cause};

impl Access {
    /// Writes the answer of this media type; how many bytes it has. An error unless it came to its proper end.
    pub(in crate::cli) async fn stream(
        &self,
        request: &Request,
        media_type: &str,
        to: &mut (dyn Write + Send),
    ) -> anyhow::Result<u64> {
        let http = http(self.url.as_str()).build()?;
        let mut response = self.until_done(|left| self.open(&http, request, media_type, left)).await?;
        let mut bytes = 0;
        // it may take long as a whole, as long as it keeps coming
        let patience = Duration::from_secs(self.timeout);
        loop {
            let chunk = match tokio::time::timeout(patience, response.chunk()).await {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => return Ok(bytes),
                Ok(Err(error)) => return Err(broke_off(bytes, &root_cause(&error)).into()),
                Err(_) => return Err(broke_off(bytes, "no more came in time").into()),
            };
            to.write_all(&chunk)?;
            bytes += chunk.len() as u64;
        }
    }

    async fn open(&self, http: &Client, request: &Request, media_type: &str, left: Duration) -> Outcome<Response> {
        let response = match tokio::time::timeout(left, self.builder(http, request).send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Outcome::Later(self.away(&error), None),
            Err(_) => {
                let text = format!("cannot reach {}: no answer in time", self.shown());
                return Outcome::Failed(Failure::Unreachable(text));
            }
        };
        let found = response.headers().get(reqwest::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if response.status().is_success() {
            if found.is_some_and(|found| found.starts_with(media_type)) {
                return Outcome::Done(response);
            }
            return Outcome::Failed(self.stranger());
        }
        match receive(response).await {
            Ok((status, asked, answer)) => self.failure(status, asked, &answer, request.repeatable),
            Err(error) => Outcome::Later(self.away(&error), None),
        }
    }
}

fn broke_off(bytes: u64, why: &str) -> Failure {
    Failure::Unreachable(format!("the answer broke off after {bytes} bytes: {why}"))
}
