//! A store moves into another database: with all that is in it, whatever interrupts it, and nowhere else.

mod refusals;
mod rows;
mod story;

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Output, Stdio};
use std::time::Duration;

use em_metrics::domain::Timestamp;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::app::App;
use crate::engine::{Database, Engine};
use rows::{expect_same, rows};
use story::{again, configure, tell, tell_by_webhook};

on_each_engine! {
    the_service_goes_on_in_the_other_database,
    a_move_that_is_killed_goes_on,
    a_copy_made_ahead_is_made_the_same,
    numbers_that_were_given_out_are_not_given_again,
}

/// `em-metrics migrate-store`, with nothing in its environment.
fn command(from: &Database, to: &Database) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_em-metrics"));
    command.env_clear().args(["migrate-store", "--from", &from.address(), "--to", &to.address()]);
    command.kill_on_drop(true);
    command
}

async fn migrate_store(from: &Database, to: &Database) -> Output {
    command(from, to).output().await.unwrap()
}

async fn copy_ahead(from: &Database, to: &Database) -> Output {
    command(from, to).arg("--ahead").output().await.unwrap()
}

#[track_caller]
fn succeeded(output: &Output) -> String {
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{complained}");
    assert!(!complained.contains("warning"), "{complained}");
    said.into_owned()
}

/// What the service answers to those who read.
async fn answers(app: &App) -> Vec<(&'static str, String)> {
    const PATHS: [&str; 11] = [
        "/dora?from=2026-05-01&to=2026-06-15",
        "/dora?from=2026-06-01&to=2026-06-15&group_by=project",
        "/dora?from=2026-06-01&to=2026-06-15&as_of=2026-06-15T12:00:00Z",
        "/dora/explain?metric=lead_time_for_changes&from=2026-06-01&to=2026-06-15",
        "/deployments?limit=1000",
        "/incidents?limit=1000",
        "/journal?limit=1000",
        "/inbox?limit=1000",
        "/export",
        "/export?format=openmetrics",
        "/export?format=csv&kind=deployment",
    ];
    let mut answers = Vec::new();
    for path in PATHS {
        let answer = app.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answers.push((path, answer.text));
    }
    let metrics = app.get("/metrics").await.text;
    let totals: Vec<_> = metrics.lines().filter(|line| line.contains("project_id=")).collect();
    assert!(totals.len() > 100, "{metrics}");
    answers.push(("/metrics", totals.join("\n")));
    answers
}

async fn filled(engine: Engine, seed: u64) -> App {
    let app = engine.app_with(configure).await;
    tell(&app, seed, 150).await;
    for number in 1..4 {
        tell_by_webhook(&app, number).await;
    }
    // a scraper has seen them
    let scraped = app.request(reqwest::Method::GET, "/metrics").header("user-agent", "Prometheus/3.0");
    let scraped = scraped.header("accept", "application/openmetrics-text");
    assert_eq!(scraped.send().await.unwrap().status(), 200);
    app.store.instance_id().await.unwrap();
    // the API of a forge is being asked
    let (now, until) = (app.clock.now(), app.clock.now().later(Duration::from_hours(1)));
    app.store.claim_backfill("github acme/shop", now, until).await.unwrap().unwrap();
    assert!(app.store.take_turn("sweeping", now, until).await.unwrap());
    let open = app.store.first_commit_open(Timestamp::EPOCH, None, 1).await.unwrap();
    app.store.claim_asking(&open[0], now, until).await.unwrap().unwrap();
    app
}

async fn the_service_goes_on_in_the_other_database(engine: Engine) {
    let app = filled(engine, 7).await;
    let told = tell(&app, 8, 100).await;
    let (answered, stored) = (answers(&app).await, app.stored().await);
    let identity = (app.store.instance_id().await.unwrap(), app.store.secret().await.unwrap());
    let source = app.stop().await;
    let held = rows(&source).await;
    let empty: Vec<_> = held.iter().filter(|(_, rows)| rows.is_empty()).map(|(table, _)| table).collect();
    assert!(empty.is_empty(), "let the story fill them: {empty:?}");

    let target = engine.other().empty_database().await;
    let said = succeeded(&migrate_store(&source, &target).await);
    for (table, rows) in &held {
        let line = said.lines().find(|line| line.split(' ').next() == Some(table)).unwrap_or_default();
        assert!(line.contains(&format!(" {} ", rows.len())), "{table}: {} rows, but {said}", rows.len());
    }
    expect_same(&target, &held).await;
    let once_more = succeeded(&migrate_store(&source, &target).await);
    assert!(once_more.contains("nothing was changed"), "{once_more}");
    expect_same(&target, &held).await;

    let app = App::start(target, configure).await;
    assert_eq!(app.stored().await, stored);
    assert_eq!((app.store.instance_id().await.unwrap(), app.store.secret().await.unwrap()), identity);
    for (now, before) in answers(&app).await.into_iter().zip(answered) {
        assert_eq!(now, before);
    }
    // it counts on: what was told before counts nothing, what is new counts 1
    let counted = app.total("deployment_started_total").await;
    let repeated = json!({"id": "new", "project_id": "shop", "first_commit_at": "2026-06-15T10:00:00Z"});
    app.post("/deployments", repeated.clone()).await.expect(201);
    app.post("/deployments", repeated).await.expect(200);
    let starts = told.iter().filter(|told| told.path() == "/deployments").take(20);
    for told in starts {
        again(&app, told).await;
    }
    tell_by_webhook(&app, 1).await;
    assert_eq!(app.total("deployment_started_total").await, counted + 1.0);
    tell_by_webhook(&app, 9).await;
    assert_eq!(app.total("deployment_started_total").await, counted + 2.0);
    assert_eq!(app.get("/journal?limit=1000").await.status, 200);
}

/// Starts a move and kills it when it says this; whether that was in time.
async fn killed_at(from: &Database, to: &Database, word: &str) -> bool {
    let mut child = command(from, to).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.starts_with(word) {
            child.start_kill().unwrap();
            return child.wait().await.unwrap().signal().is_some();
        }
    }
    panic!("it never said {word}");
}

async fn a_move_that_is_killed_goes_on(engine: Engine) {
    let app = filled(engine, 21).await;
    let source = app.stop().await;
    // several pages of the larger tables
    let mut demo = Command::new(env!("CARGO_BIN_EXE_em-metrics"));
    let (name, address) = match engine {
        Engine::Sqlite => ("SQLITE_DB", source.address().replacen("sqlite:", "", 1)),
        Engine::Postgres => ("DATABASE_URL", source.address()),
    };
    demo.env_clear().env(name, address).args(["demo", "--deployments", "4500", "--force"]);
    succeeded(&demo.output().await.unwrap());
    let (held, target) = (rows(&source).await, engine.other().empty_database().await);
    for word in ["deployments", "journal", "series_bucket", "deployments: comparing"] {
        if !killed_at(&source, &target, word).await {
            break;
        }
        refusals::expect_no_service(&target, "run it again").await;
    }
    succeeded(&migrate_store(&source, &target).await);
    expect_same(&target, &held).await;

    // at the worst moment: the source is given up, and the target not yet begun; and something is missing there
    let mut other = target.other().await;
    other.execute("UPDATE identity SET key = 'moving' WHERE key = 'moved_from'").await;
    other.execute("DELETE FROM series_bucket; UPDATE series SET count = 0; DELETE FROM journal WHERE seq < 20").await;
    // and more than a page is too much
    let surplus = "INSERT INTO commits (repository, sha, committed_at) SELECT repository, sha || seq, committed_at \
                   FROM commits CROSS JOIN (SELECT seq FROM journal WHERE seq < 1500) AS numbers";
    other.execute(surplus).await;
    drop(other);
    refusals::expect_no_service(&source, "was moved to").await;
    refusals::expect_no_service(&target, "run it again").await;
    succeeded(&migrate_store(&source, &target).await);
    expect_same(&target, &held).await;
    App::start(target, configure).await.get("/health/ready").await.expect(200);
}

async fn a_copy_made_ahead_is_made_the_same(engine: Engine) {
    let app = filled(engine, 33).await;
    let target = engine.other().empty_database().await;
    let said = succeeded(&copy_ahead(&app.database, &target).await);
    assert!(said.contains("stop the service"), "{said}");
    refusals::expect_no_service(&target, "run it again").await;
    // the service goes on meanwhile, and changes, adds and clears away
    tell(&app, 33, 60).await;
    tell(&app, 34, 60).await;
    tell_by_webhook(&app, 5).await;
    app.database.other().await.execute("DELETE FROM inbox WHERE id = (SELECT MIN(id) FROM inbox)").await;
    succeeded(&copy_ahead(&app.database, &target).await);
    tell(&app, 35, 20).await;
    let answered = answers(&app).await;
    let source = app.stop().await;
    let held = rows(&source).await;
    succeeded(&migrate_store(&source, &target).await);
    expect_same(&target, &held).await;
    let app = App::start(target, configure).await;
    assert_eq!(answers(&app).await, answered);
}

async fn numbers_that_were_given_out_are_not_given_again(engine: Engine) {
    let app = filled(engine, 40).await;
    app.database.other().await.execute("DELETE FROM inbox WHERE id = (SELECT MAX(id) FROM inbox)").await;
    let source = app.stop().await;
    let last = "SELECT CAST(MAX(id) AS TEXT) FROM inbox";
    let before: i64 = source.texts(last).await[0].parse().unwrap();
    let target = engine.other().empty_database().await;
    succeeded(&migrate_store(&source, &target).await);
    let app = App::start(target, configure).await;
    tell_by_webhook(&app, 8).await;
    let ids: Vec<i64> =
        app.database.texts("SELECT CAST(id AS TEXT) FROM inbox").await.iter().map(|id| id.parse().unwrap()).collect();
    assert!(!ids.contains(&(before + 1)), "{ids:?} has the number of the delivery that was cleared away");
    assert!(ids.iter().max() > Some(&(before + 1)), "{ids:?}");
}
