//! `GET /dora/trend`

use chrono::{Duration, NaiveDate};
use reqwest::Method;
use serde_json::{Value, json};

use super::{deployed, dora, incident, tell};
use crate::app::App;
use crate::engine::Engine;

on_each_engine! {
    the_last_twelve_weeks_are_held_against_those_before,
    what_is_usual_is_noise,
    too_little_is_not_judged,
    the_windows_follow_the_calendar,
    what_is_later_than_now_is_now,
    its_numbers_are_those_of_dora,
    filters_restrict_both_windows,
    bad_questions_are_refused,
}

/// So many deployments in each week from this Monday on.
async fn weeks(app: &App, project: &str, monday: &str, counts: &[usize]) {
    let monday: NaiveDate = monday.parse().unwrap();
    for (week, count) in counts.iter().enumerate() {
        let day = monday + Duration::weeks(week.try_into().unwrap()) + Duration::days(2);
        let id = |n| format!("{day}-{n}");
        let change = json!({"project_id": project});
        tell(app, (0..*count).map(|n| deployed(&id(n), &format!("{day}T10:00:00Z"), change.clone()))).await;
    }
}

async fn trend(app: &App, query: &str) -> Value {
    app.get(&format!("/dora/trend?{query}")).await.expect(200)
}

const ALTERNATING: [usize; 12] = [1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2];

#[track_caller]
fn close(found: &Value, expected: f64) {
    assert!((found.as_f64().unwrap() - expected).abs() < 1e-9, "{found} instead of {expected}");
}

async fn the_last_twelve_weeks_are_held_against_those_before(engine: Engine) {
    let app = engine.app().await;
    weeks(&app, "shop", "2025-12-29", &ALTERNATING).await;
    weeks(&app, "shop", "2026-03-23", &[1, 2, 1, 2, 1, 5, 1, 2, 1, 2, 1, 2]).await;
    // in the week that is running
    tell(&app, [deployed("running", "2026-06-15T10:00:00Z", json!({}))]).await;
    let answer = trend(&app, "metric=deployment_frequency").await;
    assert_eq!((&answer["metric"], &answer["measured"]), (&json!("deployment_frequency"), &json!("per_day")));
    assert_eq!((&answer["interval"], &answer["more_is_better"]), (&json!("week"), &json!(true)));
    assert_eq!((&answer["from"], &answer["to"]), (&json!("2026-03-23T00:00:00Z"), &json!("2026-06-15T12:00:00Z")));
    assert_eq!(answer["before"]["from"], "2025-12-28T12:00:00Z");
    assert_eq!((&answer["before"]["n"], &answer["this"]["n"]), (&json!(18), &json!(22)));
    close(&answer["difference"], 4.0 / 84.5);
    close(&answer["relative_difference"], 4.0 / 18.0);
    // mean 1.5 and mean moving range 1 a week
    let chart = &answer["chart"];
    assert_eq!((&chart["limits_from"], &chart["n"], &answer["min_points"]), (&json!("before"), &json!(12), &json!(6)));
    close(&chart["centre"], 1.5 / 7.0);
    close(&chart["upper_limit"], 4.16 / 7.0);
    close(&chart["lower_limit"], 0.0);
    close(&chart["moving_range_limit"], 3.267 / 7.0);
    assert_eq!((&answer["verdict"], &answer["better"]), (&json!("signal"), &json!(true)));
    assert_eq!(
        answer["reason"],
        "1 of 12 whole weeks stands out from the limits drawn from the window before, upwards, which is better: more \
         than noise"
    );
    assert_eq!(answer["stands_out"], json!({"of": 12, "better": 1, "worse": 0, "jumps": 1, "lasting": false}));
    assert!(answer["source"].as_str().unwrap().contains("Wheeler"));
    let points = answer["points"].as_array().unwrap();
    let partial: Vec<_> = (0..points.len()).filter(|n| points[*n]["partial"] == true).collect();
    assert_eq!((points.len(), partial), (26, vec![0, 25]), "half a day before, and the running week");
    assert_eq!(points[18]["signals"], json!(["above_limit", "jump"]));
    assert_eq!(points[19]["signals"], json!(["jump"]), "back again");
    assert_eq!((&points[18]["n"], &points[18]["start"]), (&json!(5), &json!("2026-04-27T00:00:00Z")));
    assert_eq!((&points[25]["n"], &points[25]["moving_range"]), (&json!(1), &json!(null)));
    assert_eq!((&points[12]["window"], &points[13]["window"]), (&json!("before"), &json!("this")));
    assert_eq!(app.get("/api/v1/dora/trend?metric=deployment_frequency").await.expect(200), answer);
}

async fn what_is_usual_is_noise(engine: Engine) {
    let app = engine.app().await;
    weeks(&app, "shop", "2025-12-29", &ALTERNATING).await;
    weeks(&app, "shop", "2026-03-23", &[2, 2, 1, 3, 1, 2, 3, 0, 2, 2, 1, 2]).await;
    let answer = trend(&app, "metric=deployment_frequency").await;
    assert_eq!((&answer["verdict"], &answer["better"]), (&json!("noise"), &json!(null)));
    assert_eq!(answer["stands_out"], json!(null));
    assert!(answer["reason"].as_str().unwrap().starts_with("no signal in 12 whole weeks"), "{answer}");
    assert_eq!(
        answer["points"].as_array().unwrap().iter().map(|point| point["signals"].clone()).collect::<Vec<_>>(),
        vec![json!([]); 26]
    );
}

async fn too_little_is_not_judged(engine: Engine) {
    let app = engine.app().await;
    let answer = trend(&app, "metric=lead_time_for_changes").await;
    assert_eq!((&answer["verdict"], &answer["chart"]), (&json!("not_enough_data"), &json!(null)));
    assert_eq!(answer["reason"], "nothing has happened, in this window and in the one before");
    assert_eq!((&answer["this"]["n"], &answer["this"]["value"]), (&json!(0), &json!(null)));
    // five lead times before and six now: the medians are there, their difference is not
    weeks(&app, "shop", "2026-01-05", &[1, 1, 1, 1, 1]).await;
    weeks(&app, "shop", "2026-04-06", &[2, 2, 2]).await;
    let answer = trend(&app, "metric=lead_time_for_changes").await;
    assert_eq!((&answer["before"]["enough"], &answer["this"]["enough"]), (&json!(false), &json!(true)));
    assert_eq!((&answer["before"]["value"], &answer["difference"]), (&json!(3600.0), &json!(null)));
    assert!(answer["reason"].as_str().unwrap().ends_with("the window before has 5, this one 3"), "{answer}");
    tell(&app, [deployed("sixth", "2026-02-10T10:00:00Z", json!({}))]).await;
    assert_eq!(trend(&app, "metric=lead_time_for_changes").await["difference"], 0.0);
}

async fn the_windows_follow_the_calendar(engine: Engine) {
    let app = engine.app().await;
    for (query, before, points) in [
        ("from=2026-04-01&to=2026-05-01&interval=month", "2026-03-01T00:00:00Z", 2),
        ("from=2026-01-01&to=2026-04-01&interval=month&tz=Europe/Berlin", "2025-09-30T22:00:00Z", 6),
        // of the 14 days before, one has 23 hours
        ("from=2026-04-06&to=2026-04-20&interval=day&tz=Europe/Berlin", "2026-03-22T23:00:00Z", 28),
    ] {
        let answer = trend(&app, &format!("metric=incidents&{query}")).await;
        assert_eq!(answer["before"]["from"], before, "{query}");
        assert_eq!(answer["before"]["to"], answer["from"], "{query}");
        assert_eq!(answer["points"].as_array().unwrap().len(), points, "{query}");
        assert!(answer["points"].as_array().unwrap().iter().all(|point| point["partial"] == false), "{query}");
    }
    for (interval, from) in [("day", "2026-05-17T22:00:00Z"), ("month", "2025-05-31T22:00:00Z")] {
        let answer = trend(&app, &format!("metric=incidents&interval={interval}&tz=Europe/Berlin")).await;
        assert_eq!(answer["from"], from, "the default of {interval}");
    }
}

async fn what_is_later_than_now_is_now(engine: Engine) {
    let app = engine.app().await;
    let answer = trend(&app, "metric=incidents&from=2026-06-01&to=2026-07-01&interval=day").await;
    assert_eq!(
        (&answer["to"], &answer["this"]["to"]),
        (&json!("2026-06-15T12:00:00Z"), &json!("2026-06-15T12:00:00Z"))
    );
    assert_eq!(answer["before"]["from"], "2026-05-17T12:00:00Z");
    assert_eq!(answer["points"].as_array().unwrap().last().unwrap()["partial"], true);
    assert_eq!(trend(&app, "metric=incidents&to=2026-07-01").await["from"], "2026-03-23T00:00:00Z");
}

async fn its_numbers_are_those_of_dora(engine: Engine) {
    let app = engine.app().await;
    weeks(&app, "shop", "2026-06-01", &[3, 2]).await;
    tell(
        &app,
        [
            incident(
                "a",
                "2026-06-03T11:00:00Z",
                json!({"deployment_id": "2026-06-03-1", "restored_at": "2026-06-03T13:00:00Z"}),
            ),
            incident("b", "2026-06-04T11:00:00Z", json!({})),
        ],
    )
    .await;
    let window = "from=2026-06-01&to=2026-06-15&interval=week";
    let all = dora(&app, window).await;
    for (metric, n, value) in [
        ("deployment_frequency", "deployments", "per_day"),
        ("lead_time_for_changes", "n", "median_seconds"),
        ("change_failure_rate", "deployments", "ratio"),
        ("failed_deployment_recovery_time", "n", "median_seconds"),
        ("deployment_rework_rate", "deployments", "ratio"),
        ("time_to_restore", "n", "median_seconds"),
        ("time_to_detect", "n", "median_seconds"),
        ("pipelines", "deployed", "ratio"),
    ] {
        let answer = trend(&app, &format!("metric={metric}&{window}")).await;
        assert_eq!(answer["measured"], value);
        let same = |found: &Value, block: &Value| {
            assert_eq!((&found["n"], &found["value"]), (&block[n], &block[value]), "{metric}");
            assert_eq!(found["enough"], block.get("enough").cloned().unwrap_or(json!(true)), "{metric}");
        };
        same(&answer["this"], &all[metric]);
        for part in 0..2 {
            same(&answer["points"][2 + part], &all["series"][part][metric]);
        }
    }
    let incidents = trend(&app, &format!("metric=incidents&{window}")).await;
    assert_eq!((&incidents["this"]["n"], &incidents["this"]["value"]), (&json!(2), &json!(2.0 / 14.0)));
}

async fn filters_restrict_both_windows(engine: Engine) {
    let app = engine.app().await;
    weeks(&app, "shop", "2026-06-01", &[3, 2]).await;
    weeks(&app, "cart", "2026-06-01", &[1, 4]).await;
    let ns = async |filter: &str| {
        let query = format!("metric=deployment_frequency&from=2026-06-08&to=2026-06-15{filter}");
        let answer = trend(&app, &query).await;
        json!([answer["before"]["n"], answer["this"]["n"]])
    };
    assert_eq!(ns("").await, json!([4, 6]));
    assert_eq!(ns("&project_id=cart").await, json!([1, 4]));
    assert_eq!(ns("&project_id=cart&project_id=shop").await, json!([4, 6]));
    assert_eq!(ns("&environment=staging").await, json!([0, 0]));
    assert_eq!(ns("&team_id=red").await, json!([0, 0]));
}

async fn bad_questions_are_refused(engine: Engine) {
    let app = engine.app().await;
    for (query, pointer) in [
        ("", "/metric"),
        ("metric=velocity", "/metric"),
        ("metric=incidents&metric=pipelines", "/metric"),
        ("metric=incidents&interval=none", "/interval"),
        ("metric=incidents&interval=hour", "/interval"),
        ("metric=incidents&group_by=team", "/group_by"),
        ("metric=incidents&tz=Mars", "/tz"),
        ("metric=incidents&from=2026-06-02&to=2026-06-02", "/from"),
        ("metric=incidents&from=2026-06-16&to=2026-06-20", "/from"),
        ("metric=incidents&from=1971-01-01&to=1973-01-01", "/from"),
        ("metric=incidents&from=2010-01-01", "/from"),
        ("metric=incidents&from=2020-01-01&interval=day", "/interval"),
    ] {
        let request = app.request(Method::GET, &format!("/dora/trend?{query}"));
        assert_eq!(app.refuses(request, 400, "invalid").await, [pointer], "{query}");
    }
    let app = engine.app_with(|config| config.auth.no_auth = false).await;
    app.get("/dora/trend?metric=incidents").await.expect_problem(401, "unauthenticated");
}
