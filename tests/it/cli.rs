//! The command line against the real service: what a pipeline without curl does.

use std::process::Output;

use serde_json::Value;
use tokio::process::Command;

use crate::app::App;
use crate::engine::Engine;

mod export;
mod import;
mod report;

/// `em-metrics ARGUMENTS`, with nothing in its environment but what a pipeline sets.
async fn em_metrics(app: &App, arguments: &[&str]) -> Output {
    em_metrics_at(&format!("http://{}", app.address), arguments).output().await.unwrap()
}

pub fn em_metrics_at(url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_em-metrics"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("EM_METRICS_URL", url)
        .env("EM_METRICS_TOKEN", "secret")
        .args(arguments);
    command
}

async fn app() -> App {
    let app = Engine::Sqlite.app_with(|config| {
        config.auth.no_auth = false;
        let token = r#"{"auth": {"tokens": [{"name": "ci", "token": "secret", "role": "writer"}]}}"#;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.json");
        std::fs::write(&file, token).unwrap();
        config.auth = em_metrics::config::load(Some(&file), &std::collections::BTreeMap::new()).unwrap().auth;
    });
    app.await.authorized("Bearer secret")
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_and_an_incident_are_told_without_curl() {
    let app = app().await;
    let id = "release/1 ü";
    let started = &["deployment", "start", id, "--project", "shop", "--first-commit-at", "2026-06-15T10:00:00Z"];
    assert_eq!(em_metrics(&app, started).await.status.code(), Some(0));
    let deployed = em_metrics(&app, &["deployment", "deployed", id, "--project", "shop", "--json"]).await;
    let deployed: Value = serde_json::from_slice(&deployed.stdout).unwrap();
    assert_eq!((&deployed["status"], &deployed["lead_time_seconds"]), (&"deployed".into(), &7200.0.into()));
    let opened =
        em_metrics(&app, &["incident", "open", "--project", "shop", "--deployment", id, "--title", "no checkout"])
            .await;
    assert!(stdout(&opened).contains("incident_shop_1"), "{}", stdout(&opened));
    let listed = em_metrics(&app, &["incident", "list", "--type", "in-progress"]).await;
    assert!(stdout(&listed).contains("no checkout"), "{}", stdout(&listed));
    assert_eq!(em_metrics(&app, &["incident", "restored", "incident_shop_1"]).await.status.code(), Some(0));
    assert_eq!(em_metrics(&app, &["incident", "finished", "incident_shop_1"]).await.status.code(), Some(0));
    let rolled_back = em_metrics(&app, &["deployment", "rolled-back", id, "--reason", "no checkout"]).await;
    assert_eq!(rolled_back.status.code(), Some(0), "{}", stderr(&rolled_back));
    assert_eq!(app.metric("change_failure_count_total{").await, Some(1.0));
    assert_eq!(app.metric("incident_finished_total{").await, Some(1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_why_and_fails_unless_it_must_not() {
    let app = app().await;
    let wrong = ["deployment", "start", "1", "--project", "shop", "--first-commit-at", "yesterday"];
    let refused = em_metrics(&app, &wrong).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).contains("first_commit_at") && stderr(&refused).contains("RFC 3339"),
        "{}",
        stderr(&refused)
    );
    let forgiven = em_metrics(&app, &[&wrong[..], &["--best-effort"]].concat()).await;
    assert_eq!(forgiven.status.code(), Some(0));
    assert!(stderr(&forgiven).contains("first_commit_at"));

    let unknown = em_metrics(&app, &["deployment", "deployed", "2"]).await;
    assert_eq!(unknown.status.code(), Some(1));
    assert!(
        stderr(&unknown).contains("create_if_not_exists") || stderr(&unknown).contains("create-if-not-exists"),
        "{}",
        stderr(&unknown)
    );
    let stranger = em_metrics(&app, &["deployment", "deployed", "2", "--token", "wrong"]).await;
    assert_eq!(stranger.status.code(), Some(1));
    assert!(
        !stderr(&stranger).contains("wrong\n") && stderr(&stranger).contains("credentials"),
        "{}",
        stderr(&stranger)
    );
    assert_eq!(app.store.journal_len().await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_away_is_told_apart_from_a_refusal() {
    let app = app().await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{nobody}");
    let away = em_metrics(&app, &["incident", "list", "--url", &url, "--timeout", "1"]).await;
    assert_eq!(away.status.code(), Some(3), "{}", stderr(&away));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_check_of_a_container_asks_the_running_service() {
    let app = app().await;
    let health = |port: u16| {
        Command::new(env!("CARGO_BIN_EXE_em-metrics"))
            .env_clear()
            .env("PORT", port.to_string())
            .arg("healthcheck")
            .output()
    };
    assert_eq!(health(app.address.port()).await.unwrap().status.code(), Some(0));
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_eq!(health(nobody).await.unwrap().status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_start_is_said_and_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    let start = |variables: Vec<(&'static str, String)>| {
        Command::new(env!("CARGO_BIN_EXE_em-metrics"))
            .env_clear()
            .env("SQLITE_DB", folder.path().join("facts.db"))
            .env("PORT", "0")
            .envs(variables)
            .kill_on_drop(true)
            .output()
    };
    std::fs::write(&file, r#"{"teams": {"red": {"projects": ["shop", 3]}}}"#).unwrap();
    let config = file.display().to_string();
    let failed = start(vec![("CONFIG", config.clone())]).await.unwrap();
    assert_eq!(failed.status.code(), Some(1));
    let words = stderr(&failed);
    assert!(words.contains(&config) && words.contains("teams.red.projects[1]") && words.contains("string"), "{words}");

    let failed = start(vec![("DATABASE_URL", "postgres://postgres:hush@127.0.0.1:1/x".into())]).await.unwrap();
    let words = stderr(&failed);
    assert_eq!(failed.status.code(), Some(1));
    assert!(words.contains("DATABASE_URL") && words.contains("SQLITE_DB") && !words.contains("hush"), "{words}");

    let elsewhere = folder.path().join("not/there").display().to_string();
    let failed = start(vec![("SQLITE_DB", format!("{elsewhere}/facts.db"))]).await.unwrap();
    let words = stderr(&failed);
    assert_eq!(failed.status.code(), Some(1));
    assert!(words.contains(&elsewhere) && words.contains("folder"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_does_not_answer_is_said_without_its_password() {
    let failed = Command::new(env!("CARGO_BIN_EXE_em-metrics"))
        .env_clear()
        .env("DATABASE_URL", "postgres://postgres:hush@127.0.0.1:1/facts")
        .arg("migrate")
        .output()
        .await
        .unwrap();
    let words = stderr(&failed);
    assert_eq!(failed.status.code(), Some(1));
    assert!(words.contains("127.0.0.1:1/facts") && !words.contains("hush"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_fills_an_empty_store_with_exact_facts() {
    let database = Engine::Sqlite.database().await;
    let crate::engine::Database::Sqlite { folder } = &database else { panic!("not SQLite") };
    let file = folder.path().join("facts.db");
    let demo = async |more: &[&str]| {
        let few = ["demo", "--deployments", "300", "--days", "20", "--until", "2025-06-15T00:00:00Z"];
        let mut demo = Command::new(env!("CARGO_BIN_EXE_em-metrics"));
        demo.env_clear().env("SQLITE_DB", &file).args(few).args(more).output().await.unwrap()
    };
    let filled = demo(&[]).await;
    assert!(filled.status.success() && stdout(&filled).contains("300 deployments"), "{}", stderr(&filled));
    let refused = demo(&[]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("--force"), "{}", stderr(&refused));
    let again = demo(&["--force"]).await;
    assert!(again.status.success(), "told again, it is the same: {}", stderr(&again));
    let more = demo(&["--force", "--seed", "2"]).await;
    assert!(more.status.success(), "{}", stderr(&more));

    let app = App::start(database, |_| ()).await;
    app.expect_exact().await;
    assert_eq!(app.total("deployment_started_total").await, 600.0);
    let answer = app.get("/dora?from=2025-05-26&to=2025-06-15&group_by=project").await.expect(200);
    let failed = answer["change_failure_rate"]["failed"].as_u64().unwrap();
    assert!(failed > 0 && answer["groups"].as_array().unwrap().len() == 12, "{answer}");
}
