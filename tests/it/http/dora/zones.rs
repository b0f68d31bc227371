//! Days, weeks and months of time zones.

use serde_json::{Value, json};

use super::{deployed, dora, tell};
use crate::engine::Engine;

on_each_engine! {
    dates_and_parts_are_those_of_the_zone,
    days_of_23_and_25_hours_hold_their_deployments,
    a_day_without_midnight_begins_later,
    deployment_days_are_days_of_the_zone,
}

/// Start, end and number of deployments of each part.
fn parts(answer: &Value) -> Vec<(&str, &str, u64)> {
    let series = answer["series"].as_array().unwrap();
    series
        .iter()
        .map(|part| {
            let count = part["deployment_frequency"]["deployments"].as_u64().unwrap();
            (part["start"].as_str().unwrap(), part["end"].as_str().unwrap(), count)
        })
        .collect()
}

async fn dates_and_parts_are_those_of_the_zone(engine: Engine) {
    let app = engine.app().await;
    tell(
        &app,
        [
            deployed("1", "2026-05-31T18:14:59Z", json!({})),
            deployed("2", "2026-05-31T18:15:00Z", json!({})),
            deployed("3", "2026-06-15T11:00:00Z", json!({})),
        ],
    )
    .await;
    let answer = dora(&app, "from=2026-05-20&to=2026-06-16&tz=Asia/Kathmandu&interval=month").await;
    assert_eq!(answer["tz"], "Asia/Kathmandu");
    assert_eq!(
        parts(&answer),
        [("2026-05-19T18:15:00Z", "2026-05-31T18:15:00Z", 1), ("2026-05-31T18:15:00Z", "2026-06-15T18:15:00Z", 2)]
    );
    // times say their own zone; an unescaped + arrives as a space
    let answer = dora(&app, "from=2026-06-01T00:00:00 05:45&to=2026-06-02&tz=Etc/GMT+3").await;
    assert_eq!((&answer["from"], &answer["to"]), (&json!("2026-05-31T18:15:00Z"), &json!("2026-06-02T03:00:00Z")));
    assert_eq!(answer["tz"], "Etc/GMT+3");
}

async fn days_of_23_and_25_hours_hold_their_deployments(engine: Engine) {
    let app = engine.app().await;
    tell(
        &app,
        [
            deployed("1", "2026-03-28T22:59:59Z", json!({})),
            deployed("2", "2026-03-28T23:00:00Z", json!({})),
            deployed("3", "2026-03-29T21:59:59Z", json!({})),
            deployed("4", "2026-03-29T22:00:00Z", json!({})),
            // New York, autumn before: the hour from 1 to 2 was there twice
            deployed("5", "2025-11-02T05:30:00Z", json!({})),
            deployed("6", "2025-11-02T06:30:00Z", json!({})),
            deployed("7", "2025-11-03T04:59:59Z", json!({})),
            deployed("8", "2025-11-03T05:00:00Z", json!({})),
        ],
    )
    .await;
    let berlin = dora(&app, "from=2026-03-28&to=2026-03-31&tz=Europe/Berlin&interval=day").await;
    assert_eq!(
        parts(&berlin),
        [
            ("2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", 1),
            ("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", 2),
            ("2026-03-29T22:00:00Z", "2026-03-30T22:00:00Z", 1),
        ]
    );
    assert_eq!(berlin["series"][1]["deployment_frequency"]["per_day"], 2.0, "a short day is a day");
    assert_eq!(berlin["deployment_frequency"]["per_day"], 4.0 / 3.0);
    let new_york = dora(&app, "from=2025-11-02&to=2025-11-04&tz=America/New_York&interval=day").await;
    assert_eq!(
        parts(&new_york),
        [("2025-11-02T04:00:00Z", "2025-11-03T05:00:00Z", 3), ("2025-11-03T05:00:00Z", "2025-11-04T05:00:00Z", 1)]
    );
}

async fn a_day_without_midnight_begins_later(engine: Engine) {
    let app = engine.app().await;
    tell(
        &app,
        [
            deployed("1", "2018-11-04T02:59:59Z", json!({})),
            deployed("2", "2018-11-04T03:00:00Z", json!({})),
            deployed("3", "2026-03-28T21:59:59Z", json!({})),
            deployed("4", "2026-03-28T22:00:00Z", json!({})),
        ],
    )
    .await;
    let sao_paulo = dora(&app, "from=2018-11-03&to=2018-11-05&tz=America/Sao_Paulo&interval=day").await;
    assert_eq!(
        parts(&sao_paulo),
        [("2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z", 1), ("2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z", 1)]
    );
    let beirut = dora(&app, "from=2026-03-29&to=2026-03-30&tz=Asia/Beirut").await;
    assert_eq!((&beirut["from"], &beirut["to"]), (&json!("2026-03-28T22:00:00Z"), &json!("2026-03-29T21:00:00Z")));
    assert_eq!(beirut["deployment_frequency"]["deployments"], 1);
}

async fn deployment_days_are_days_of_the_zone(engine: Engine) {
    let app = engine.app().await;
    // one day in New York, two in UTC
    tell(&app, [deployed("1", "2026-06-10T22:00:00Z", json!({})), deployed("2", "2026-06-11T02:00:00Z", json!({}))])
        .await;
    for (zone, days) in [("UTC", 2), ("America/New_York", 1)] {
        let answer = dora(&app, &format!("from=2026-06-08&to=2026-06-15&tz={zone}")).await;
        assert_eq!(answer["deployment_frequency"]["deployment_days"], days, "{zone}");
        assert_eq!(answer["deployment_frequency"]["median_deployment_days_per_week"], f64::from(days), "{zone}");
    }
}
