//! A forge's API on this machine: it answers what it was told to, in order, and remembers what it was asked.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse as _, Response};
use reqwest::StatusCode;
use serde_json::Value;

/// An answer.
#[derive(Debug, Clone)]
pub struct Canned {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    /// Never comes.
    hangs: bool,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// With its query.
    pub path: String,
    pub if_none_match: Option<String>,
    pub authorization: Option<String>,
    pub status: u16,
}

#[derive(Debug, Clone, Default)]
pub struct Fake {
    pub url: String,
    answers: Arc<Mutex<HashMap<String, VecDeque<Canned>>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

#[expect(clippy::needless_pass_by_value, reason = "it reads better where it is called")]
pub fn page(body: Value) -> Canned {
    Canned { status: 200, headers: Vec::new(), body: body.to_string(), hangs: false }
}

pub fn refusal(status: u16) -> Canned {
    Canned { status, headers: Vec::new(), body: "{\"message\": \"so it is\"}".to_owned(), hangs: false }
}

/// Somebody who has fallen asleep.
pub fn silence() -> Canned {
    Canned { hangs: true, ..refusal(500) }
}

impl Canned {
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Fake {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self { url: format!("http://{}", listener.local_addr().unwrap()), ..Self::default() };
        let router = axum::Router::new().fallback(answer).with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        fake
    }

    /// What is answered there from now on: one after the other, and the last one again and again.
    pub fn at(&self, path: &str, answers: impl IntoIterator<Item = Canned>) -> &Self {
        self.answers.lock().unwrap().insert(path.to_owned(), answers.into_iter().collect());
        self
    }

    /// A `Link` to the next page.
    pub fn next(&self, path: &str) -> String {
        format!("<{0}/first>; rel=\"first\", <{0}{path}>; rel=\"next\"", self.url)
    }

    /// What was asked since this was last called.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    pub fn was_asked(&self, path: &str) -> bool {
        self.asked.lock().unwrap().iter().any(|asked| asked.path == path)
    }
}

async fn answer(State(fake): State<Fake>, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path_and_query().unwrap().as_str().to_owned();
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let if_none_match = header("if-none-match");
    let mut answer = {
        let mut answers = fake.answers.lock().unwrap();
        match answers.get_mut(&path) {
            Some(queue) if queue.len() > 1 => queue.pop_front().unwrap(),
            Some(queue) => queue[0].clone(),
            None => refusal(404),
        }
    };
    let etag = answer.headers.iter().find(|(name, _)| *name == "etag").map(|(_, value)| value.clone());
    if answer.status == 200 && etag.is_some() && etag == if_none_match {
        (answer.status, answer.body) = (304, String::new());
    }
    let authorization = header("authorization");
    fake.asked.lock().unwrap().push(Asked { path, if_none_match, authorization, status: answer.status });
    if answer.hangs {
        std::future::pending::<()>().await;
    }
    let mut response = (StatusCode::from_u16(answer.status).unwrap(), answer.body).into_response();
    for (name, value) in answer.headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}
