//! The service under test, and a client that speaks to it.

use std::net::SocketAddr;

use em_metrics::cli::serve::Service;
use em_metrics::config::Config;
use em_metrics::domain::{Clock, Deployment, Incident, Timestamp};
use em_metrics::metrics::SeriesTotal;
use em_metrics::storage::{Filter, Store};
use em_metrics::telemetry::OwnMetrics;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::engine::Database;

/// What every test's clock says until it is moved.
pub const NOW: &str = "2026-06-15T12:00:00Z";

pub struct App {
    pub address: SocketAddr,
    pub clock: Clock,
    pub store: Store,
    client: reqwest::Client,
    authorization: Option<String>,
    stop: CancellationToken,
    serving: JoinHandle<anyhow::Result<()>>,
    // last: dropped when nothing uses it any more
    pub database: Database,
}

/// All that the store holds, to be compared before and after.
#[derive(Debug, PartialEq)]
pub struct Stored {
    journal: i64,
    series: Vec<SeriesTotal>,
    deployments: Vec<Deployment>,
    incidents: Vec<Incident>,
}

impl Stored {
    /// How many facts there are.
    pub fn facts(&self) -> usize {
        self.deployments.len() + self.incidents.len()
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl App {
    pub async fn start(database: Database, adjust: impl FnOnce(&mut Config)) -> Self {
        // whichever test comes first; a second installation is refused and does no harm
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut config = Config::default();
        config.auth.no_auth = true;
        database.configure(&mut config);
        adjust(&mut config);
        let clock = Clock::manual(Timestamp::parse(NOW).unwrap());
        let own = OwnMetrics::detached(&config.otel);
        let service = Service::start(&config, clock.clone(), own).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let store = service.store.clone();
        let serving = tokio::spawn(service.serve(listener, stop.clone()));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { address, clock, store, client, authorization: None, stop, serving, database }
    }

    /// Speaks with this `Authorization` header from now on.
    pub fn authorized(mut self, authorization: &str) -> Self {
        self.authorization = Some(authorization.to_owned());
        self
    }

    /// As on SIGTERM, without waiting.
    pub fn tell_to_stop(&self) {
        self.stop.cancel();
    }

    /// Stops as on SIGTERM; the database stays.
    pub async fn stop(self) -> Database {
        self.stop.cancel();
        drop(self.client);
        self.serving.await.unwrap().unwrap();
        self.database
    }

    /// The same where writes fail: why it could not end well.
    pub async fn stop_unwell(self) -> (Database, String) {
        self.stop.cancel();
        drop(self.client);
        let error = self.serving.await.unwrap().unwrap_err();
        (self.database, format!("{error:#}"))
    }

    pub fn set_now(&self, time: &str) {
        self.clock.set(Timestamp::parse(time).unwrap());
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("http://{}{path}", self.address));
        match &self.authorization {
            Some(authorization) => request.header("authorization", authorization),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(&body)).await
    }

    /// Sends what must be refused with this problem and leave no trace; the pointers of its `errors`.
    pub async fn refuses(&self, request: reqwest::RequestBuilder, status: u16, name: &str) -> Vec<String> {
        let before = self.stored().await;
        let answer = Answer::of(request).await;
        let pointers = answer.expect_problem(status, name);
        assert_eq!(self.stored().await, before, "a trace of {}", answer.text);
        pointers
    }

    pub async fn refuses_post(&self, path: &str, body: Value, status: u16, name: &str) -> Vec<String> {
        self.refuses(self.request(Method::POST, path).json(&body), status, name).await
    }

    pub async fn stored(&self) -> Stored {
        let everything = Filter { limit: u16::MAX, ..Filter::default() };
        Stored {
            journal: self.store.journal_len().await.unwrap(),
            series: self.store.series().await.unwrap(),
            deployments: self.store.list_deployments(&everything).await.unwrap().items,
            incidents: self.store.list_incidents(&everything).await.unwrap().items,
        }
    }

    /// A total as `/metrics` shows it to a person: the first line that begins with `series`.
    pub async fn metric(&self, series: &str) -> Option<f64> {
        let text = self.get("/metrics").await.text;
        let line = text.lines().find(|line| line.starts_with(series))?;
        Some(line.rsplit(' ').next().unwrap().parse().unwrap())
    }
}

impl Stored {
    /// Deployments and incidents.
    pub fn counts(&self) -> (usize, usize) {
        (self.deployments.len(), self.incidents.len())
    }
}

impl Answer {
    pub async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {:?}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// Where the `Link` header leads, if there is a next page.
    pub fn next_page(&self) -> Option<String> {
        let link = self.headers.get("link")?.to_str().unwrap();
        let target = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\""));
        Some(target.unwrap_or_else(|| panic!("not a link to the next page: {link}")).to_owned())
    }

    /// The body, of an answer with this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.json()
    }

    /// The problem document with this status and type; its `errors` by pointer.
    #[track_caller]
    pub fn expect_problem(&self, status: u16, name: &str) -> Vec<String> {
        let problem = self.expect(status);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(problem["type"], format!("/problems/{name}"));
        assert_eq!(problem["status"], status);
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
    }
}
