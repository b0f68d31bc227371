//! The program of a function, in the emulator of its runtime, on a real PostgreSQL and before a real collector.

mod emulator;

use std::collections::BTreeMap;
use std::time::Duration;

use em_metrics::domain::Timestamp;
use em_metrics::webhooks::vendor;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::time::Instant;

use crate::crash::postgres;
use crate::process::Service;
use crate::prometheus::{Collector, Prometheus};
use crate::recount;
use emulator::{Function, Sent, TOKEN};

const SECRET: &str = "a secret of the tests";
const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_is_posted_twice_counts_once_and_the_collector_receives_it() {
    postgres(|environment, database| async move { counts_once(environment, &database).await }).await;
}

async fn counts_once(mut environment: Vec<(String, String)>, database: &str) {
    let prometheus = Prometheus::told().await;
    let mut collector = Collector::new(&prometheus);
    collector.start().await;
    environment.push(("OTEL_COLLECTOR_URL".to_owned(), collector.http_url()));
    environment.push(("OTEL_METRIC_EXPORT_INTERVAL".to_owned(), "1000".to_owned()));
    environment.push(("EM_METRICS_WEBHOOK_GITHUB_SECRET".to_owned(), SECRET.to_owned()));
    let function = Function::start(&environment).await;
    let mut server = PgConnection::connect(database).await.unwrap();

    // the same, by each of the ways
    let deployment = json!({"id": "1", "project_id": "shop", "first_commit_at": "2026-01-31T12:00:00Z"});
    let post = Sent::new("POST", "/deployments").json(&deployment);
    assert_eq!(function.ask(&post.by_function_url()).await.0, 201, "{}", function.words());
    for event in
        [post.by_function_url(), post.by_http_api("$default"), post.by_http_api("prod"), post.by_rest_api("prod")]
    {
        let (status, body) = function.ask(&event).await;
        assert_eq!((status, body["id"].as_str()), (200, Some("1")), "{event}");
    }
    let deployed = Sent::new("POST", "/deployments/1/deployed");
    assert_eq!(function.ask(&deployed.by_rest_api("deployments")).await.0, 200, "a stage that is called like a path");

    // nothing of it is held while it is frozen, and all of its connections may die
    function.freeze().await;
    holds_nothing(&mut server).await;
    let cut = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert!(sqlx::query_scalar::<_, i64>(cut).fetch_one(&mut server).await.unwrap() > 1);
    function.thaw().await;
    let second = json!({"id": "2", "project_id": "shop", "first_commit_at": "2026-01-31T12:00:00Z"});
    let second = Sent::new("POST", "/deployments").json(&second);
    assert_eq!(function.ask(&second.by_http_api("prod")).await.0, 201, "{}", function.words());

    // a delivery is made into facts before its invocation ends
    webhook(&function).await;
    answers(&function).await;

    // what a schedule sends has the totals go out
    let told = [("deployment_started_total", 2.0), ("deployment_frequency_total", 1.0)];
    for (series, value) in told {
        let query = format!("sum({series}{{project_id=\"shop\"}})");
        let (deadline, expected) = (Instant::now() + PATIENCE, BTreeMap::from([(String::new(), value)]));
        loop {
            assert_eq!(function.ask(&scheduled()).await.0, 200, "{}", function.words());
            let found = prometheus.query(&query).await;
            if found == expected {
                break;
            }
            assert!(Instant::now() < deadline, "{query}: {found:?}\n{}", function.words());
            // an interval has to pass, and Prometheus tells nobody when a sample arrives
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    // one start of one series, whichever way it was told
    let series = prometheus.query("count(deployment_started_total{project_id=\"shop\"})").await;
    assert_eq!(series, BTreeMap::from([(String::new(), 1.0)]));
    recount::check(database).await;
    collector.stop().await;
}

/// Neither the exporter's lock nor a transaction.
async fn holds_nothing(server: &mut PgConnection) {
    let locks = "SELECT COUNT(*) FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid \
                 WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()";
    // a lock that is kept would fall to others after the 15 s of an interval
    let deadline = Instant::now() + Duration::from_secs(5);
    while sqlx::query_scalar::<_, i64>(locks).fetch_one(&mut *server).await.unwrap() > 0 {
        // the server may not have seen yet that a connection was closed
        assert!(Instant::now() < deadline, "a frozen function holds locks");
    }
}

/// What the README has a schedule send.
fn scheduled() -> Value {
    let readme = std::fs::read_to_string(crate::prometheus::project("README.md")).unwrap();
    let event = readme.lines().find(|line| line.starts_with("{\"version\": \"2.0\"")).unwrap();
    serde_json::from_str(event).unwrap()
}

async fn webhook(function: &Function) {
    let github = vendor("github").unwrap();
    let sample = github.samples.iter().find(|sample| sample.name.contains("deployment_status")).unwrap();
    // bytes that would not survive being parsed and written again
    let body = format!(" {}\n", sample.body);
    let (body, signed) = github.schemes[0].sign(body.as_bytes(), SECRET, Timestamp::EPOCH);
    let mut delivery = Sent::new("POST", "/webhooks/github").bytes(body);
    delivery.headers.retain(|(name, _)| name != "authorization");
    for (name, value) in sample.headers {
        delivery = delivery.with(name, value);
    }
    for (name, value) in signed {
        delivery = delivery.with(name, &value);
    }
    assert_eq!(function.ask(&delivery.by_function_url()).await.0, 200, "{}", function.words());
    let (_, inbox) = function.ask(&Sent::new("GET", "/inbox").by_http_api("prod")).await;
    assert_eq!(inbox[0]["state"], "done", "{inbox}");
}

/// Answers that are not JSON.
async fn answers(function: &Function) {
    let metrics =
        Sent::new("GET", "/metrics").with("accept", "application/openmetrics-text").with("accept-encoding", "gzip");
    let answer = function.invoke(&metrics.by_rest_api("prod")).await;
    assert_eq!((&answer["statusCode"], &answer["isBase64Encoded"]), (&json!(200), &json!(false)), "{answer}");
    assert!(answer["body"].as_str().unwrap().ends_with("# EOF\n"), "{answer}");
    let answer = function.invoke(&metrics.by_function_url()).await;
    assert_eq!((&answer["isBase64Encoded"], &answer["headers"]["content-encoding"]), (&json!(true), &json!("gzip")));
    let mut list = Sent::new("GET", "/deployments");
    list.query = "project_id=shop&limit=1";
    for event in [list.by_rest_api("prod"), list.by_http_api("prod")] {
        let (status, body) = function.ask(&event).await;
        assert_eq!((status, body.as_array().map(Vec::len)), (200, Some(1)), "{body}");
    }
    list.query = "project_id=<shop>";
    assert_eq!(function.ask(&list.by_function_url()).await, (200, json!([])), "what no address should hold");
    let mut stranger = Sent::new("GET", "/deployments");
    stranger.headers.clear();
    let answer = function.invoke(&stranger.by_function_url()).await;
    assert_eq!(answer["statusCode"], 401);
    assert_eq!(answer["headers"]["content-type"], "application/problem+json");
    // what is no request is refused with what would be one, and nothing ends
    let answer = function.invoke(&json!({"source": "aws.events", "detail-type": "Scheduled Event"})).await;
    assert!(answer["errorMessage"].as_str().unwrap().contains("API Gateway"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_replica_exports_the_function_does_not() {
    postgres(|environment, database| async move { leaves_it_to_the_replica(environment, &database).await }).await;
}

async fn leaves_it_to_the_replica(mut environment: Vec<(String, String)>, database: &str) {
    let prometheus = Prometheus::told().await;
    let mut collector = Collector::new(&prometheus);
    collector.start().await;
    let mut replica = Service::new(environment.clone());
    replica.configure([
        ("OTEL_COLLECTOR_URL", collector.http_url()),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1000".to_owned()),
        ("EM_METRICS_TOKEN_AUTH", TOKEN.to_owned()),
    ]);
    replica.start().await;
    // whoever asks here is the function
    let own_collector = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", own_collector.local_addr().unwrap());
    environment.push(("OTEL_COLLECTOR_URL".to_owned(), url));
    let function = Function::start(&environment).await;
    let deployment = json!({"id": "1", "project_id": "shop", "first_commit_at": "2026-01-31T12:00:00Z"});
    let post = Sent::new("POST", "/deployments").json(&deployment);
    assert_eq!(function.ask(&post.by_function_url()).await.0, 201, "{}", function.words());

    // its turn has come, and it has left it to the replica
    let mut server = PgConnection::connect(database).await.unwrap();
    let due = "UPDATE turns SET due_at = 0 WHERE what = 'export'";
    assert_eq!(sqlx::query(due).execute(&mut server).await.unwrap().rows_affected(), 1);
    assert_eq!(function.ask(&scheduled()).await.0, 200);
    let asked = tokio::time::timeout(Duration::ZERO, own_collector.accept()).await;
    assert!(asked.is_err(), "the function exports beside the replica");
    let expected = BTreeMap::from([(String::new(), 1.0)]);
    prometheus.await_values("sum(deployment_started_total{project_id=\"shop\"})", &expected, PATIENCE).await;

    // once there is none, it does; a collector that says nothing costs some seconds, and not each time
    replica.stop().await;
    sqlx::query(due).execute(&mut server).await.unwrap();
    let began = Instant::now();
    assert_eq!(function.ask(&scheduled()).await.0, 200);
    let first = began.elapsed();
    assert!(tokio::time::timeout(Duration::ZERO, own_collector.accept()).await.is_ok(), "{}", function.words());
    assert!(first < Duration::from_secs(10), "{first:?}");
    function.freeze().await;
    holds_nothing(&mut server).await;
    function.thaw().await;
    assert_eq!(function.ask(&scheduled()).await.0, 200);
    assert!(tokio::time::timeout(Duration::ZERO, own_collector.accept()).await.is_err(), "it does not rest");
}

#[tokio::test]
async fn what_no_function_can_be_is_said_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("facts.db").display().to_string();
    let url = "postgres://postgres@127.0.0.1:1/none";
    for (environment, wanted) in [
        (&[][..], "DATABASE_URL"),
        (&[("SQLITE_DB", file.as_str()), ("EM_METRICS_NO_AUTH", "1")], "SQLite"),
        (&[("DATABASE_URL", url)], "EM_METRICS_TOKEN_AUTH"),
        (&[("DATABASE_URL", url), ("EM_METRICS_NO_AUTH", "1")], "AWS_LAMBDA_RUNTIME_API"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_em-metrics-lambda"));
        let output = command.env_clear().envs(environment.iter().copied()).output().await.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.starts_with("error: ") && said.contains(wanted), "{said}");
    }
    assert!(!std::fs::exists(file).unwrap(), "nothing is made that would be lost");
}
