//! Requests that nobody would make on purpose: never an answer of 5xx, never a trace of what is refused,
//! never totals that differ from the facts. The same every run.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::app::Answer;
use crate::engine::Engine;

on_each_engine! {
    nonsense_is_refused_and_leaves_no_trace,
}

const FIELDS: [&str; 22] = [
    "id",
    "project_id",
    "team_id",
    "environment",
    "username",
    "version",
    "url",
    "unplanned",
    "first_commit_at",
    "deploy_start_at",
    "deployed_at",
    "failed_at",
    "rolled_back_at",
    "reason",
    "create_if_not_exists",
    "deployment_id",
    "severity",
    "title",
    "started_at",
    "restored_at",
    "finished_at",
    "date",
];
const STEPS: [&str; 7] = ["", "/deployed", "/failed", "/rolled-back", "/restored", "/finished", "/nothing"];
const TEXTS: [&str; 18] = [
    "1",
    "2",
    "3",
    "shop",
    "api",
    "",
    " ",
    "a/b",
    "é",
    "\0",
    "\u{202e}",
    "\u{ffff}",
    "%",
    "..",
    "'\"",
    "2026-06-15T11:00:00Z",
    "2027-01-01T00:00:00Z",
    "1970-01-01T00:00:00+23:59",
];
const PARAMETERS: [&str; 10] = [
    "project_id=shop",
    "project_id=%00",
    "project_id=%FF",
    "limit=1",
    "limit=-1",
    "cursor=e30",
    "from=2026-06-15",
    "status=deployed",
    "type=unfinished",
    "%%%=&&&",
];

struct Nonsense(StdRng);

impl Nonsense {
    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        *of.choose(&mut self.0).unwrap()
    }

    fn value(&mut self) -> Value {
        match self.0.random_range(0..10) {
            0 => self.one_of(&[json!(null), json!(true)].each_ref()).clone(),
            1 => self.one_of(&[json!(0), json!(-1.5), json!([]), json!({"a": [1]})].each_ref()).clone(),
            _ => json!(self.one_of(&TEXTS)),
        }
    }

    /// Mostly fit to be recorded, so that the rest meets facts.
    fn body(&mut self) -> Vec<u8> {
        let mut body = Map::new();
        if self.0.random_bool(0.8) {
            body.insert("id".to_owned(), json!(self.one_of(&["1", "2", "3"])));
            body.insert("project_id".to_owned(), json!(self.one_of(&["shop", "api"])));
            body.insert("first_commit_at".to_owned(), json!("2026-06-15T10:00:00Z"));
        }
        for _ in 0..self.0.random_range(0..3) {
            body.insert(self.one_of(&FIELDS).to_owned(), self.value());
        }
        let mut bytes = Value::Object(body).to_string().into_bytes();
        if self.0.random_bool(0.2) {
            let at = self.0.random_range(0..bytes.len());
            bytes[at] = self.0.random();
        }
        bytes
    }

    fn path(&mut self) -> String {
        let collection = self.one_of(&["/deployments", "/incidents", "/api/v1/deployments"]);
        let mut path = collection.to_owned();
        if self.0.random_bool(0.6) {
            let id = self.one_of(&TEXTS[..15]);
            path.push('/');
            path.extend(percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC));
            path += self.one_of(&STEPS);
        }
        if self.0.random_bool(0.3) {
            path.push('?');
            path.push_str(self.one_of(&PARAMETERS));
        }
        path
    }
}

async fn nonsense_is_refused_and_leaves_no_trace(engine: Engine) {
    let app = engine.app().await;
    let mut nonsense = Nonsense(StdRng::seed_from_u64(17));
    let mut before = app.stored().await;
    let mut accepted = 0;
    for _ in 0..600 {
        let (path, body) = (nonsense.path(), nonsense.body());
        let shown = format!("{path} {}", String::from_utf8_lossy(&body));
        let request = if nonsense.0.random_bool(0.8) {
            app.request(Method::POST, &path).header("content-type", "application/json").body(body)
        } else {
            app.request(Method::GET, &path)
        };
        let answer = Answer::of(request).await;
        assert!(!answer.status.is_server_error(), "{shown}: {}", answer.text);
        let after = app.stored().await;
        if answer.status.is_client_error() {
            assert_eq!(answer.json()["status"], answer.status.as_u16(), "{shown}");
            assert_eq!(after, before, "a trace of {shown}");
        } else {
            accepted += 1;
        }
        before = after;
    }
    assert!(accepted > 50, "only {accepted} were accepted: the others met no facts");
    app.expect_exact().await;
}
