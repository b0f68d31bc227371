//! What callers never hear of: replicas that change the same things at once, connections that die in the middle.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::app::{Answer, App};
use crate::engine::Engine;
use crate::replicas::two;

fn deployment(id: usize, version: &str) -> Value {
    json!({
        "kind": "deployment", "id": id.to_string(), "project_id": format!("project-{}", id % 40), "version": version,
        "first_commit_at": "2026-06-15T10:00:00Z", "deployed_at": "2026-06-15T11:00:00Z"
    })
}

/// Many lines to a transaction.
fn import(app: &App, lines: &[Value]) -> JoinHandle<Value> {
    let lines = lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let request = app.request(Method::POST, "/import").header("content-type", "application/x-ndjson").body(lines);
    tokio::spawn(async { Answer::of(request).await.expect(200) })
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_change_the_same_in_opposite_order_never_wait_in_a_circle() {
    let (first, second) = two().await;
    for round in 0..6 {
        let version = round.to_string();
        let mut lines: Vec<_> = (0..400).map(|id| deployment(id, &version)).collect();
        let one = import(&first, &lines);
        lines.reverse();
        tokio::try_join!(one, import(&second, &lines)).unwrap();
        // and of facts that each has for itself the same totals
        let own =
            |from: usize| (0..400).map(|n| deployment(1000 * (round + 1) + from + 2 * n, "own")).collect::<Vec<_>>();
        let mut others = own(1);
        others.reverse();
        tokio::try_join!(import(&first, &own(0)), import(&second, &others)).unwrap();
    }
    assert_eq!(first.total("deployment_frequency_total").await, 5200.0);
    first.expect_exact().await;
    second.stop().await;
    let database = first.stop().await;
    let deadlocks = "SELECT CAST(deadlocks AS TEXT) FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(database.texts(deadlocks).await, ["0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_serialized_is_done_again() {
    let database = Engine::Postgres.database().await;
    let name = database.url().rsplit('/').next().unwrap().to_owned();
    let strict = format!("ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'");
    database.other().await.execute(strict).await;
    let first = App::start(database, |_| ()).await;
    let second = App::start(first.database.shared(), |_| ()).await;
    let posts = (0..400).map(|n| {
        let app = if n % 2 == 0 { &first } else { &second };
        let start = json!({"id": n.to_string(), "project_id": "shop", "first_commit_at": "2026-06-15T10:00:00Z"});
        async move { app.post("/deployments", start).await }
    });
    for answer in join_all(posts).await {
        answer.expect(201);
    }
    assert_eq!(first.total("deployment_started_total").await, 400.0);
    first.expect_exact().await;
    second.stop().await;
    let database = first.stop().await;
    let met = "SELECT CAST(xact_rollback > 0 AS TEXT) FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(database.texts(met).await, ["true"], "they never met");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_circle_that_the_database_breaks_is_done_again() {
    let app = Engine::Postgres.app().await;
    import(&app, &[deployment(1, "0"), deployment(2, "0")]).await.unwrap();
    let mut other = app.database.other().await;
    // which is the patient one, so that it is us who must give way
    other
        .execute("SET deadlock_timeout = '1min'; BEGIN; UPDATE deployments SET updated_at = updated_at WHERE id = '2'")
        .await;
    let importing = import(&app, &[deployment(1, "1"), deployment(2, "1")]);
    waits(&app).await;
    other.execute("UPDATE deployments SET updated_at = updated_at WHERE id = '1'").await;
    other.execute("COMMIT").await;
    assert_eq!(importing.await.unwrap()["changed"], 2);
    app.expect_exact().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_dies_in_the_middle_is_replaced_and_nobody_hears_of_it() {
    let app = Engine::Postgres.app().await;
    import(&app, &[deployment(1, "0")]).await.unwrap();
    for round in 1..4 {
        let mut other = app.database.other().await;
        other.execute("BEGIN; LOCK TABLE journal IN EXCLUSIVE MODE").await;
        let start = json!({"project_id": "shop"});
        let request = app.request(Method::POST, "/incidents").json(&start);
        let telling = tokio::spawn(Answer::of(request));
        // in the middle of a transaction, more than once
        for _ in 0..round {
            waits(&app).await;
            other.execute(KILL).await;
        }
        waits(&app).await;
        other.let_go().await;
        // one that has no id would be another one if it were told twice
        assert_eq!(telling.await.unwrap().expect(201)["id"], format!("incident_shop_{round}"));
    }
    app.get("/health/ready").await.expect(200);
    assert_eq!(app.total("incident_count_total").await, 3.0);
    app.expect_exact().await;
    app.stop().await;
}

const WAITS: &str = "SELECT state FROM pg_stat_activity WHERE application_name = 'em-metrics' \
                     AND wait_event_type = 'Lock' AND datname = current_database()";
const KILL: &str = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'em-metrics' \
                    AND wait_event_type = 'Lock' AND datname = current_database()";

/// Until our writer stands before a lock of somebody else.
async fn waits(app: &App) {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while app.database.texts(WAITS).await.is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "nobody waits");
        tokio::task::yield_now().await;
    }
}
