//! The database cannot be written to for a while: everyone is answered in time, nothing is lost or counted
//! twice, and it all comes back by itself.

use std::process::Stdio;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::Instant;

use crate::app::{Answer, App};
use crate::engine::Engine;
use crate::http::with;
use crate::proxy::Proxy;

on_each_engine! {
    a_lock_that_somebody_holds_is_answered_in_time_and_outlived,
    a_stop_during_an_outage_ends_in_time_and_says_so,
    an_import_that_is_held_up_in_the_middle_says_that_its_first_lines_are_recorded,
    an_import_that_the_database_refuses_in_the_middle_does_not_say_that_nothing_was_recorded,
    what_the_database_refuses_is_our_fault_and_no_outage,
}

/// What a request may take in these tests; more than the machine needs for one that works.
const REQUEST: Duration = Duration::from_secs(4);
/// What a machine with much to do may add to that.
const SLACK: Duration = Duration::from_secs(4);

fn start(id: &str) -> Value {
    json!({"id": id, "project_id": "shop", "first_commit_at": "2026-06-15T10:00:00Z"})
}

async fn app(engine: Engine) -> App {
    engine.app_with(|config| config.server.request_timeout_seconds = REQUEST.as_secs()).await
}

impl App {
    /// Sends what cannot be written now.
    pub async fn unavailable(&self, body: Value) -> Answer {
        let sent = Instant::now();
        let answer = self.post("/deployments", body).await;
        assert!(sent.elapsed() < REQUEST + SLACK, "answered after {:?}", sent.elapsed());
        answer.expect_problem(503, "unavailable");
        assert_eq!(answer.header("retry-after"), "1");
        answer
    }

    /// Waits, without sending anything that would be written, until it says that it is ready.
    pub async fn comes_back(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.get("/health/ready").await.status != 200 {
            assert!(Instant::now() < deadline, "it does not come back");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn a_lock_that_somebody_holds_is_answered_in_time_and_outlived(engine: Engine) {
    let app = app(engine).await;
    app.post("/deployments", start("1")).await.expect(201);
    let lock = app.database.other().await.hold().await;
    // more than one batch: the later ones find the writer stuck in the first
    let waiting = (2..9).map(|n| {
        let app = &app;
        async move {
            tokio::time::sleep(Duration::from_millis(200 * n)).await;
            app.unavailable(start(&n.to_string())).await
        }
    });
    join_all(waiting).await;
    app.get("/health/ready").await.expect_problem(503, "unavailable");
    app.get("/health/live").await.expect(200);
    lock.let_go().await;

    app.comes_back().await;
    for n in 1..9 {
        assert!(app.post("/deployments", start(&n.to_string())).await.status.is_success());
    }
    assert_eq!(app.total("deployment_started_total").await, 8.0);
    app.expect_exact().await;
    app.stop().await;
}

async fn a_stop_during_an_outage_ends_in_time_and_says_so(engine: Engine) {
    let app = app(engine).await;
    let lock = app.database.other().await.hold().await;
    app.unavailable(start("1")).await;
    let stopped = tokio::time::timeout(2 * (REQUEST + SLACK), app.stop_unwell()).await;
    let (database, error) = stopped.expect("it did not stop");
    assert!(error.contains("took no writes"), "{error}");
    lock.let_go().await;
    let app = App::start(database, |_| ()).await;
    app.post("/deployments", start("1")).await.expect(201);
    app.expect_exact().await;
}

async fn an_import_that_is_held_up_in_the_middle_says_that_its_first_lines_are_recorded(engine: Engine) {
    let app = app(engine).await;
    let fact = |n: usize| {
        with(start(&n.to_string()), json!({"kind": "deployment", "deploy_start_at": "2026-06-15T10:00:00Z"}))
    };
    let lines = (0..8000).map(|n| fact(n).to_string()).collect::<Vec<_>>().join("\n");
    let send = || {
        let request = app.request(Method::POST, "/import").header("content-type", "application/x-ndjson");
        Answer::of(request.body(lines.clone()))
    };
    let lock = app.database.other().await.hold().await;
    let held_up = send().await;
    held_up.expect_problem(503, "unavailable");
    assert!(!held_up.text.contains("are recorded"), "{}", held_up.text);
    lock.let_go().await;
    app.comes_back().await;

    let other = app.database.other().await;
    let sending = tokio::spawn(send());
    while app.store.journal_len().await.unwrap() == 0 && !sending.is_finished() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let lock = other.hold().await;
    let held_up = sending.await.unwrap();
    assert_eq!(held_up.status, 503);
    assert!(held_up.text.contains("the first lines are recorded, the rest is not"), "{}", held_up.text);
    assert_eq!(held_up.header("retry-after"), "1");
    lock.let_go().await;
    app.comes_back().await;
    let recorded = app.store.journal_len().await.unwrap();
    assert!((500..8000).contains(&recorded) && recorded % 500 == 0, "{recorded} lines are recorded");
    // as it says: sent again, all is there once
    let report = send().await.expect(200);
    assert_eq!((&report["unchanged"], &report["created"]), (&json!(recorded), &json!(8000 - recorded)));
    app.expect_exact().await;
}

/// From now on the database itself has nothing to do with ids that begin with "bad".
async fn refuse(app: &App, engine: Engine) {
    let refuse = match engine {
        Engine::Sqlite => {
            "CREATE TRIGGER refuse BEFORE INSERT ON deployments WHEN NEW.id LIKE 'bad%' \
             BEGIN SELECT RAISE(ABORT, 'hush'); END"
        }
        Engine::Postgres => "ALTER TABLE deployments ADD CONSTRAINT hush CHECK (id NOT LIKE 'bad%')",
    };
    app.database.other().await.execute(refuse).await;
}

async fn an_import_that_the_database_refuses_in_the_middle_does_not_say_that_nothing_was_recorded(engine: Engine) {
    let app = app(engine).await;
    refuse(&app, engine).await;
    let fact = |id: &str| with(start(id), json!({"kind": "deployment", "deploy_start_at": "2026-06-15T10:00:00Z"}));
    for (bad, recorded, words) in [(700, 500, "those before them are recorded"), (3, 0, "nothing was recorded")] {
        let id = |n: usize| if n == bad { "bad".to_owned() } else { format!("{bad}-{n}") };
        let lines = (0..1200).map(|n| fact(&id(n)).to_string()).collect::<Vec<_>>().join("\n");
        let before = app.store.journal_len().await.unwrap();
        let request = app.request(Method::POST, "/import").header("content-type", "application/x-ndjson").body(lines);
        let answer = Answer::of(request).await;
        answer.expect_problem(500, "internal");
        assert!(answer.text.contains(words) && !answer.text.contains("hush"), "{}", answer.text);
        assert_eq!(app.store.journal_len().await.unwrap() - before, recorded);
    }
    app.expect_exact().await;
}

async fn what_the_database_refuses_is_our_fault_and_no_outage(engine: Engine) {
    let app = app(engine).await;
    refuse(&app, engine).await;
    let ids = ["1", "bad-2", "3", "bad-4", "5"];
    let answers = join_all(ids.map(|id| app.post("/deployments", start(id)))).await;
    for (id, answer) in ids.iter().zip(&answers) {
        if id.starts_with("bad") {
            answer.expect_problem(500, "internal");
            assert!(!answer.text.contains("hush") && answer.header("retry-after").is_empty(), "{answer:?}");
        } else {
            answer.expect(201);
        }
    }
    app.get("/health/ready").await.expect(200);
    assert_eq!(app.total("deployment_started_total").await, 3.0);
    app.expect_exact().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_frozen_keeps_nobody_waiting() {
    let database = Engine::Postgres.database().await;
    let (proxy, url) = Proxy::to(&database.url()).await;
    let app = App::start(database, |config| {
        config.server.request_timeout_seconds = REQUEST.as_secs();
        config.storage.database_url = Some(url.into());
    })
    .await;
    app.post("/deployments", start("1")).await.expect(201);
    assert!(app.store.lead(REQUEST).await.unwrap());
    proxy.freeze();
    app.unavailable(start("2")).await;
    let asked = Instant::now();
    assert!(app.store.lead(REQUEST).await.is_err());
    assert!(asked.elapsed() < Duration::from_secs(15), "asked for {:?} who leads", asked.elapsed());
    proxy.thaw();

    app.comes_back().await;
    assert!(app.post("/deployments", start("2")).await.status.is_success());
    assert_eq!(app.total("deployment_started_total").await, 2.0);
    app.expect_exact().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_may_only_be_read_is_not_ready_until_it_may_be_written() {
    let app = app(Engine::Postgres).await;
    let mut other = app.database.other().await;
    let end_sessions = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let name = app.database.url().rsplit('/').next().unwrap().to_owned();
    other.execute(format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await;
    other.execute(end_sessions).await;
    let answer = app.unavailable(start("1")).await;
    assert!(answer.text.contains("can only be read for now"), "{}", answer.text);
    let ready = app.get("/health/ready").await;
    ready.expect_problem(503, "unavailable");
    assert!(ready.text.contains("can only be read for now"), "{}", ready.text);
    app.get("/deployments").await.expect(200);
    other.execute("SET default_transaction_read_only = off").await;
    other.execute(format!("ALTER DATABASE {name} RESET default_transaction_read_only")).await;
    // whoever is connected still only reads, as with a primary that has become a replica: it finds out by itself
    app.comes_back().await;
    app.post("/deployments", start("1")).await.expect(201);
    app.expect_exact().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_told_to_stop_during_an_outage_leaves_with_an_error_and_few_words() {
    let database = Engine::Postgres.database().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    let config = json!({"server": {"request_timeout_seconds": REQUEST.as_secs(), "host": "127.0.0.1", "port": 0},
        "storage": {"database_url": database.url()}, "auth": {"no_auth": true}});
    std::fs::write(&file, config.to_string()).unwrap();
    let mut process = Command::new(env!("CARGO_BIN_EXE_em-metrics"));
    process.env_clear().env("CONFIG", &file).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut process = process.spawn().unwrap();
    let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
    let said = said.next_line().await.unwrap().unwrap();
    let url = format!("{}/deployments", said.rsplit(' ').next().unwrap());

    let lock = database.other().await.hold().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for _ in 0..2 {
        let many = (0..20).map(|n| client.post(&url).json(&start(&n.to_string())).send());
        for answer in join_all(many).await {
            assert_eq!(answer.unwrap().status(), 503);
        }
    }
    // one that is under way when the signal comes
    let under_way = tokio::spawn(client.post(url).json(&start("1")).send());
    tokio::time::sleep(Duration::from_millis(500)).await;
    let pid = process.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    let ended = tokio::time::timeout(2 * (REQUEST + SLACK), process.wait_with_output()).await;
    let ended = ended.expect("it did not stop").unwrap();
    let words = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{words}");
    assert!(words.contains("error: the database took no writes at the end"), "{words}");
    // nothing can be written, a request failed, stopped: once each, whoever else found out
    let complaints: Vec<_> = words.lines().filter(|line| line.contains("ERROR")).collect();
    assert_eq!(complaints.len(), 3, "{complaints:#?}");
    assert_eq!(under_way.await.unwrap().unwrap().status(), 503);
    lock.let_go().await;
}
