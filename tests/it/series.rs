//! The rows of the totals: no sum is too large, and no other row is taken for one's own.

use em_metrics::metrics::Metric;
use serde_json::{Value, json};

use crate::app::App;
use crate::engine::Engine;

on_each_engine! {
    a_sum_may_be_more_than_64_bits_hold,
    rows_that_somebody_has_deleted_are_made_again,
    a_row_that_has_become_another_series_is_left_alone,
}

/// In use since the first commit ever.
fn old(id: usize) -> Value {
    json!({"id": id.to_string(), "project_id": "shop", "first_commit_at": "1970-01-01T00:00:00Z",
        "deployed_at": "2026-06-15T12:00:00Z"})
}

async fn lead_times(app: &App) -> (i64, i128) {
    let series = app.store.series().await.unwrap();
    let of = series.iter().find(|series| series.metric == Metric::LeadTimeForChanges).unwrap();
    (of.count, of.sum_micros)
}

async fn a_sum_may_be_more_than_64_bits_hold(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", old(0)).await.expect(201);
    let (_, each) = lead_times(&app).await;
    assert_eq!(each, 1_781_524_800_000_000);
    // as many as there may be in some years
    let mut other = app.database.other().await;
    let wrap = 1_i128 << 62;
    other.execute(format!("UPDATE series SET count = 2588, sum_micros = {} WHERE sum_micros > 0", wrap - 1)).await;
    let answers = futures_util::future::join_all((1..300).map(|id| app.post("/deployments", old(id)))).await;
    for answer in answers {
        answer.expect(201);
    }
    assert_eq!(lead_times(&app).await, (2588 + 299, wrap - 1 + 299 * each));
    other.execute("UPDATE series SET sum_carry = 1000000 WHERE sum_carry > 0").await;
    app.post("/deployments", old(300)).await.expect(201);
    let sum = 1_000_000 * wrap - 1 + 300 * each;
    assert_eq!(lead_times(&app).await.1, sum);
    let shown = app.total("lead_time_for_changes_seconds_sum").await;
    let sum = (sum / 1_000_000).to_string().parse::<f64>().unwrap();
    assert!((shown / sum - 1.0).abs() < 1e-12, "{shown}, not {sum}");
}

async fn rows_that_somebody_has_deleted_are_made_again(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", old(1)).await.expect(201);
    let mut other = app.database.other().await;
    other.execute("DELETE FROM series_bucket; DELETE FROM series").await;
    app.post("/deployments", old(2)).await.expect(201);
    assert_eq!(app.total("deployment_started_total").await, 1.0);
    assert_eq!(lead_times(&app).await.0, 1);
    assert_eq!(app.total("lead_time_for_changes_seconds_bucket").await, 1.0);
    other.execute("DELETE FROM series WHERE metric = 'deployment_started'").await;
    app.post("/deployments", old(3)).await.expect(201);
    assert_eq!(app.total("deployment_started_total").await, 1.0);
    assert_eq!(lead_times(&app).await.0, 2);
}

async fn a_row_that_has_become_another_series_is_left_alone(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", old(1)).await.expect(201);
    // as in a database that was put in the place of this one: the same ids, and other labels
    let mut other = app.database.other().await;
    other.execute("UPDATE series SET project_id = 'bank'").await;
    app.post("/deployments", old(2)).await.expect(201);
    let series = app.store.series().await.unwrap();
    let of = |project: &str| {
        let mut series = series.iter().filter(|series| series.labels.project_id.as_str() == project);
        series.find(|series| series.metric == Metric::DeploymentStarted).unwrap().count
    };
    assert_eq!((of("bank"), of("shop")), (1, 1));
}
