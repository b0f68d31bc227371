//! What is configured to be read is read in the background, by one of the replicas.

use em_metrics::config::Config;
use serde_json::json;

use super::fake::{Fake, page, refusal, silence};
use super::github::{DEPLOYMENTS, forge, status, statuses};
use crate::app::App;
use crate::engine::Engine;
use crate::webhooks::inbox::settled;

on_each_engine! {
    what_is_due_is_read_and_only_what_has_changed,
    a_limit_is_waited_for_and_what_was_done_is_not_done_again,
    what_cannot_be_read_is_tried_again_later,
    what_is_left_at_the_end_is_gone_on_with_at_once,
}

fn configured(fake: &Fake) -> impl Fn(&mut Config) {
    let api = json!({"vendor": "github", "url": fake.url, "token": "a-token-of-github", "repositories": ["Acme/Shop"]});
    let api: em_metrics::config::Api = serde_json::from_value(api).unwrap();
    move |config| config.webhooks.apis = vec![api.clone()]
}

/// Waits until the next reading is due then, in microseconds: the last one has come to its end.
async fn due(app: &App, at: &str) {
    let at = em_metrics::domain::Timestamp::parse(at).unwrap().micros().to_string();
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
    loop {
        let due = app.database.texts("SELECT CAST(due_at AS TEXT) FROM backfills WHERE key LIKE 'github %'").await;
        if due == [at.clone()] {
            settled(app).await;
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{due:?}, and not {at}");
        tokio::task::yield_now().await;
    }
}

/// The service once more, when everything is due.
async fn later(app: App, fake: &Fake) -> App {
    let database = app.stop().await;
    database.other().await.execute("UPDATE backfills SET due_at = 0").await;
    fake.asked();
    App::start(database, configured(fake)).await
}

async fn what_is_due_is_read_and_only_what_has_changed(engine: Engine) {
    let fake = forge().await;
    let app = engine.app_with(configured(&fake)).await;
    due(&app, "2026-06-15T13:00:00Z").await;
    assert_eq!(app.stored().await.counts(), (3, 0));
    let actors: Vec<_> = app.database.journal().await.into_iter().map(|entry| entry.actor).collect();
    assert!(!actors.is_empty() && actors.iter().all(|actor| actor == "em-metrics"), "{actors:?}");
    let sent = app.database.texts("SELECT source FROM webhook_sources").await;
    assert_eq!(sent, [""; 0], "who was asked has not sent anything");
    let before = app.stored().await;

    let app = later(app, &fake).await;
    due(&app, "2026-06-15T13:00:00Z").await;
    let asked: Vec<_> = fake.asked().iter().map(|asked| asked.status).collect();
    assert_eq!(asked, [200, 304, 304, 304], "the repository, two pages of deployments, one of pull requests");
    assert_eq!(app.stored().await, before);
}

async fn a_limit_is_waited_for_and_what_was_done_is_not_done_again(engine: Engine) {
    let fake = forge().await;
    fake.at(&statuses(2), [refusal(403).with("retry-after", "1800")]);
    let app = engine.app_with(configured(&fake)).await;
    due(&app, "2026-06-15T12:30:00Z").await;
    assert_eq!(app.stored().await.counts(), (1, 0));

    fake.at(&statuses(2), [page(json!([status(3, "success", "2026-06-11T10:05:00Z")]))]);
    let app = later(app, &fake).await;
    due(&app, "2026-06-15T13:00:00Z").await;
    assert_eq!(app.stored().await.counts(), (3, 0));
    assert!(!fake.was_asked(&statuses(3)), "that one was done: {:?}", fake.asked());
    assert_eq!(app.metric("deployment_frequency_total{").await, Some(2.0));
}

async fn what_cannot_be_read_is_tried_again_later(engine: Engine) {
    let fake = forge().await;
    fake.at("/repos/Acme/Shop", [refusal(404)]);
    let app = engine.app_with(configured(&fake)).await;
    due(&app, "2026-06-15T13:00:00Z").await;
    assert_eq!(app.stored().await.counts(), (0, 0));
}

async fn what_is_left_at_the_end_is_gone_on_with_at_once(engine: Engine) {
    let fake = forge().await;
    fake.at(&statuses(2), [silence()]);
    let app = engine.app_with(configured(&fake)).await;
    while !fake.was_asked(&statuses(2)) {
        tokio::task::yield_now().await;
    }
    let database = app.stop().await;
    fake.asked();
    fake.at(&statuses(2), [page(json!([status(3, "success", "2026-06-11T10:05:00Z")]))]);
    let app = App::start(database, configured(&fake)).await;
    due(&app, "2026-06-15T13:00:00Z").await;
    assert_eq!(app.stored().await.counts(), (3, 0));
    assert!(!fake.was_asked(&statuses(3)), "that one was done: {:?}", fake.asked());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_replicas_reads() {
    let fake = forge().await;
    let one = Engine::Postgres.app_with(configured(&fake)).await;
    let other = App::start(one.database.shared(), configured(&fake)).await;
    due(&one, "2026-06-15T13:00:00Z").await;
    due(&other, "2026-06-15T13:00:00Z").await;
    let asked = fake.asked();
    assert_eq!(asked.iter().filter(|asked| asked.path == DEPLOYMENTS).count(), 1, "{asked:?}");
    assert_eq!(other.stored().await.counts(), (3, 0));
    other.stop().await;
}
