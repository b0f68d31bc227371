//! Processes that do not stay: of many, one takes each turn of what has to be done now and then; and what connections
//! are worth after a long rest.

use std::time::Duration;

use em_metrics::config::Storage;
use em_metrics::domain::Timestamp;
use em_metrics::storage::Store;

use crate::app::NOW;
use crate::engine::Engine;
use crate::proxy::Proxy;

on_each_engine!(one_of_many_takes_a_turn, a_clock_that_was_wrong_keeps_nobody_waiting);

async fn one_of_many_takes_a_turn(engine: Engine) {
    let app = engine.app().await;
    let store = &app.store;
    let now = Timestamp::parse(NOW).unwrap();
    let next = now.later(Duration::from_mins(1));
    let (one, other) = tokio::join!(store.take_turn("export", now, next), store.take_turn("export", now, next));
    assert_eq!(u8::from(one.unwrap()) + u8::from(other.unwrap()), 1);
    assert!(!store.take_turn("export", now.later(Duration::from_secs(59)), next).await.unwrap());
    assert!(store.take_turn("inbox", now, next).await.unwrap(), "another turn is another's");
    // it has gone well, and the next one comes sooner
    store.set_turn("export", now.later(Duration::from_secs(15))).await.unwrap();
    let later = now.later(Duration::from_secs(15));
    assert!(store.take_turn("export", later, next).await.unwrap());
}

async fn a_clock_that_was_wrong_keeps_nobody_waiting(engine: Engine) {
    let app = engine.app().await;
    let store = &app.store;
    let now = Timestamp::parse(NOW).unwrap();
    let (wrong, minute) = (now.later(Duration::from_hours(24 * 365)), Duration::from_mins(1));
    assert!(store.take_turn("export", wrong, wrong.later(minute)).await.unwrap());
    assert!(store.take_turn("export", now, now.later(minute)).await.unwrap());
    assert!(!store.take_turn("export", now, now.later(minute)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_were_forgotten_on_the_way_are_left_without_a_word() {
    let database = Engine::Postgres.database().await;
    let (proxy, url) = Proxy::to(&database.url()).await;
    let storage = Storage { database_url: Some(url.into()), ..Storage::default() };
    let store = Store::open(&storage, Duration::from_secs(15)).await.unwrap();
    // a write and a read
    let id = store.instance_id().await.unwrap();
    proxy.forget();
    store.forget_connections().await;
    let asked = tokio::time::timeout(Duration::from_secs(3), store.instance_id()).await;
    assert_eq!(asked.expect("it waits for what will never come").unwrap(), id);
}
