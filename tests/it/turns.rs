//! What somebody has to do now and then, where no process stays: one of many takes each turn.

use std::time::Duration;

use em_metrics::domain::Timestamp;

use crate::app::{App, NOW};
use crate::engine::Engine;

on_each_engine!(one_of_many_takes_a_turn, a_clock_that_was_wrong_keeps_nobody_waiting);

async fn one_of_many_takes_a_turn(engine: Engine) {
    let app = engine.app().await;
    let store = &app.store;
    let now = Timestamp::parse(NOW).unwrap();
    let next = now.later(Duration::from_mins(1));
    let (one, other) = tokio::join!(store.claim_turn("export", now, next), store.claim_turn("export", now, next));
    assert_eq!(u8::from(one.unwrap()) + u8::from(other.unwrap()), 1);
    assert!(!store.claim_turn("export", now.later(Duration::from_secs(59)), next).await.unwrap());
    assert!(store.claim_turn("inbox", now, next).await.unwrap(), "another turn is another's");
    // it has gone well, and the next one comes sooner
    store.set_turn("export", now.later(Duration::from_secs(15))).await.unwrap();
    let later = now.later(Duration::from_secs(15));
    assert!(store.claim_turn("export", later, next).await.unwrap());
}

async fn a_clock_that_was_wrong_keeps_nobody_waiting(engine: Engine) {
    let app = engine.app().await;
    let store = &app.store;
    let now = Timestamp::parse(NOW).unwrap();
    let (wrong, minute) = (now.later(Duration::from_hours(24 * 365)), Duration::from_mins(1));
    assert!(store.claim_turn("export", wrong, wrong.later(minute)).await.unwrap());
    assert!(store.claim_turn("export", now, now.later(minute)).await.unwrap());
    assert!(!store.claim_turn("export", now, now.later(minute)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_processes_one_takes_it() {
    let one = Engine::Postgres.app().await;
    let other = App::start(one.database.shared(), |_| ()).await;
    let now = Timestamp::parse(NOW).unwrap();
    for turn in 0..20 {
        let now = now.later(Duration::from_mins(turn));
        let next = now.later(Duration::from_mins(1));
        let claims =
            tokio::join!(one.store.claim_turn("export", now, next), other.store.claim_turn("export", now, next));
        assert_eq!(u8::from(claims.0.unwrap()) + u8::from(claims.1.unwrap()), 1, "{turn}");
    }
}
