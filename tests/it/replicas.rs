//! Several processes on one PostgreSQL: one fact, one count, one exporter.

use std::collections::BTreeSet;
use std::time::Duration;

use em_metrics::config::{Config, Source};
use em_metrics::domain::{Clock, Timestamp};
use em_metrics::ingest::webhooks::InboxKeeper;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::app::{Answer, App};
use crate::engine::Engine;
use crate::http::name;
use crate::webhooks::inbox::{SECRET, settled, source};

/// Longer than these tests take.
const AGES: Duration = Duration::from_hours(1);

pub async fn two() -> (App, App) {
    let first = Engine::Postgres.app().await;
    let second = App::start(first.database.shared(), |_| ()).await;
    (first, second)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_id_at_the_same_moment_is_one_fact_and_one_count() {
    let (first, second) = two().await;
    for n in 0..20 {
        let body = json!({"id": n.to_string(), "project_id": "shop", "first_commit_at": "2026-06-15T10:00:00Z"});
        let both = [&first, &second, &first, &second].map(|app| app.post("/deployments", body.clone()));
        let answers = join_all(both).await;
        let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 200, 200, 201], "{answers:?}");
    }
    for app in [&first, &second] {
        assert_eq!(app.metric("deployment_started_total{").await, Some(20.0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_given_by_two_replicas_at_once_are_unique() {
    let (first, second) = two().await;
    let opened = (0..60).map(|n| {
        let app = if n % 2 == 0 { &first } else { &second };
        app.post("/incidents", json!({"project_id": "shop"}))
    });
    let answers = join_all(opened).await;
    let ids: BTreeSet<_> = answers.iter().map(|answer| answer.expect(201)["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, (1..=60).map(|n| format!("incident_shop_{n}")).collect());
    assert_eq!(second.metric("incident_count_total{").await, Some(60.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn totals_of_new_projects_survive_two_replicas_that_first_see_them_together() {
    let (first, second) = two().await;
    let told = (0..80).map(|n| {
        let app = if n % 2 == 0 { &first } else { &second };
        let project = format!("project-{}", n / 4);
        let body = json!({
            "id": n.to_string(), "project_id": project, "first_commit_at": "2026-06-15T10:00:00Z",
            "deployed_at": "2026-06-15T11:00:00Z",
        });
        app.post("/deployments", body)
    });
    for answer in join_all(told).await {
        answer.expect(201);
    }
    let series = first.store.series().await.unwrap();
    assert_eq!(series, second.store.series().await.unwrap());
    assert_eq!(series.len(), 20 * em_metrics::metrics::CATALOGUE.len());
    let deployed = series.iter().filter(|s| s.metric == em_metrics::metrics::Metric::DeploymentFrequency);
    assert!(deployed.clone().all(|series| series.count == 4), "{series:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_them_exports_and_the_other_takes_over() {
    let (first, second) = two().await;
    assert!(first.store.lead(AGES).await.unwrap());
    assert!(first.store.lead(AGES).await.unwrap(), "a leader stays the leader");
    assert!(!second.store.lead(AGES).await.unwrap());
    assert_eq!(first.store.instance_id().await.unwrap(), second.store.instance_id().await.unwrap());
    let _database = first.stop().await;
    // its lock goes with its connection, which the server may notice a moment later
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !second.store.lead(AGES).await.unwrap() {
        assert!(tokio::time::Instant::now() < deadline, "nobody took over");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exporter_that_is_frozen_is_replaced_and_knows_it_when_it_thaws() {
    let (first, second) = two().await;
    let silence = Duration::from_millis(500);
    assert!(first.store.lead(silence).await.unwrap());
    // nothing asks for it: it says nothing, and its connection stays open
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !second.store.lead(AGES).await.unwrap() {
        assert!(tokio::time::Instant::now() < deadline, "nobody took over");
        tokio::task::yield_now().await;
    }
    assert!(!first.store.leads().await, "it would go on where it was");
    assert!(!first.store.lead(silence).await.unwrap());
    assert!(second.store.leads().await);
    second.store.resign().await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !first.store.lead(silence).await.unwrap() {
        assert!(tokio::time::Instant::now() < deadline, "it was not let in again");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_exporter_goes_on_later_than_the_last_whatever_its_own_clock_says() {
    let (first, second) = two().await;
    let clocks =
        [2_000_000_000_000_000, 1_000_000].map(|micros| Clock::manual(Timestamp::from_micros(micros).unwrap()));
    let last = first.store.now(&clocks[0]).await.unwrap();
    let next = second.store.now(&clocks[1]).await.unwrap();
    assert!(last < next, "{last} {next}");
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_that_two_replicas_take_in_at_once_are_all_answered_with_200() {
    let configure = |config: &mut Config| {
        config.webhooks.sources =
            ["a", "b", "c", "d"].map(|own| Source { name: Some(name(own)), ..source("github") }).to_vec();
    };
    let first = Engine::Postgres.app_with(configure).await;
    let second = App::start(first.database.shared(), configure).await;
    // the other way round there: each batch of one replica meets what a batch of the other holds
    let posts = (0..400).map(|n| {
        let (app, n) = if n % 2 == 0 { (&first, n / 2) } else { (&second, 199 - n / 2) };
        let path = format!("/webhooks/github/{}", ["a", "b", "c", "d"][n % 4]);
        let request = app.request(Method::POST, &path).header("x-github-event", "ping").body("{}");
        let request = request.header("x-github-delivery", (n / 4).to_string());
        Answer::of(request.header("authorization", format!("Bearer {SECRET}")))
    });
    for answer in join_all(posts).await {
        answer.expect(200);
    }
    assert_eq!(settled(&first).await.len(), 200);
    let attempts = first.database.texts("SELECT DISTINCT CAST(attempts AS TEXT) FROM inbox").await;
    assert_eq!(attempts, ["1"], "each was for one of them to read");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_does_for_all_is_done_by_one_at_a_time_and_by_another_when_it_is_due_again() {
    let (first, second) = two().await;
    let at = |time: &str| Timestamp::parse(time).unwrap();
    let (now, until, later) = (at("2026-06-15T12:00:00Z"), at("2026-06-15T12:30:00Z"), at("2026-06-15T13:00:00Z"));
    for (now, until) in [(now, until), (until, later)] {
        let at_once = (0..10).map(|n| {
            let store = if n % 2 == 0 { &first.store } else { &second.store };
            async move { store.take_turn("sweeping", now, until).await.unwrap() }
        });
        assert_eq!(join_all(at_once).await.into_iter().filter(|is_ours| *is_ours).count(), 1);
        // whoever has it does not take it on once more either
        assert!(!first.store.take_turn("sweeping", now, until).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_deliveries_are_cleared_away_by_one_of_them() {
    let configure = |config: &mut Config| config.webhooks.sources = vec![source("github")];
    let first = Engine::Postgres.app_with(configure).await;
    let second = App::start(first.database.shared(), configure).await;
    // what each of them does by itself at its start is over
    let turns = "SELECT CAST(due_at AS TEXT) FROM turns WHERE what = 'clearing the inbox'";
    while first.database.texts(turns).await.is_empty() {
        tokio::task::yield_now().await;
    }
    let request = first.request(Method::POST, "/webhooks/github").header("x-github-event", "ping").body("{}");
    let request = request.header("x-github-delivery", "1").header("authorization", format!("Bearer {SECRET}"));
    Answer::of(request).await.expect(200);
    settled(&first).await;
    let keepers = [&first, &second]
        .map(|app| InboxKeeper::new(app.store.clone(), app.clock.clone(), &em_metrics::config::Webhooks::default()));
    let cleared = async |now: &str| {
        first.set_now(now);
        second.set_now(now);
        let both = join_all(keepers.iter().map(InboxKeeper::clear)).await;
        both.into_iter().filter_map(Result::unwrap).collect::<Vec<_>>()
    };
    // thirty days later
    assert_eq!(cleared("2026-07-15T12:00:01Z").await, [1]);
    assert_eq!(cleared("2026-07-15T12:30:00Z").await, [0; 0]);
    assert_eq!(cleared("2026-07-15T12:30:01Z").await, [0]);
    assert_eq!(settled(&second).await.len(), 0);
}
