//! `GET /dora/benchmark`

use em_metrics::benchmarks::Choice;
use reqwest::Method;
use serde_json::{Value, json};

use super::{deployed, dora, incident, tell};
use crate::app::App;
use crate::engine::Engine;

on_each_engine! {
    what_has_not_happened_yet_is_not_less,
    the_five_keys_stand_beside_published_figures,
    too_little_has_no_band,
    the_configuration_chooses_the_figures,
    the_source_and_its_terms_are_named,
    filters_and_windows_are_those_of_dora,
    bad_questions_are_refused,
}

async fn benchmark(app: &App, query: &str) -> Value {
    app.get(&format!("/dora/benchmark?{query}")).await.expect(200)
}

/// Twenty deployments in ten days, an hour after their first commit; six failed and recovered in two days, five were
/// not planned.
async fn fill(app: &App) {
    for n in 0..20 {
        let (id, day) = (n.to_string(), 5 + n / 2);
        let at = format!("2026-06-{day:02}T10:00:0{}Z", n % 2);
        tell(app, [deployed(&id, &at, json!({"unplanned": n < 5}))]).await;
        if n < 6 {
            let restored = format!("2026-06-{:02}T11:00:00Z", day + 2);
            let start = format!("2026-06-{day:02}T11:00:00Z");
            tell(app, [incident(&id, &start, json!({"deployment_id": id, "restored_at": restored}))]).await;
        }
    }
}

const WINDOW: &str = "from=2026-06-05&to=2026-06-15";

#[track_caller]
fn close(found: &Value, expected: f64) {
    assert!((found.as_f64().unwrap() - expected).abs() < 1e-9, "{found} instead of {expected}");
}

async fn the_five_keys_stand_beside_published_figures(engine: Engine) {
    let app = engine.app().await;
    fill(&app).await;
    let answer = benchmark(&app, WINDOW).await;
    assert_eq!(answer["year"], 2025);
    assert_eq!(answer["industry"], json!({"key": "all", "name": "All industries"}));
    assert_eq!(
        answer["metrics"]["deployment_frequency"],
        json!({
            "measured": "per_day", "n": 20, "value": 2.0, "enough": true, "band": "once an hour to once a day",
            "score": 8.0, "reason": null, "year": 2025, "source": "DORA, dora.dev",
            "by_industry": {"mean": 4.8, "std": 2.8, "standing": "better"},
            "by_organisation_size": {"mean": 4.8, "std": 2.8, "standing": "better"},
        })
    );
    for (metric, n, band, score, mean, standing) in [
        // exactly an hour is not less than one
        ("lead_time_for_changes", 20, json!("less than one day"), 8.0, 5.5, "better"),
        ("change_failure_rate", 20, json!(null), 7.0, 8.1, "usual"),
        // stored inverted by size
        ("failed_deployment_recovery_time", 6, json!("one day to one week"), 6.0, 7.4, "usual"),
        ("deployment_rework_rate", 20, json!(null), 7.5, 7.8, "usual"),
    ] {
        let found = &answer["metrics"][metric];
        assert_eq!((&found["n"], &found["band"], &found["reason"]), (&json!(n), &band, &json!(null)), "{metric}");
        close(&found["score"], score);
        for by in ["by_industry", "by_organisation_size"] {
            assert_eq!((&found[by]["mean"], &found[by]["standing"]), (&json!(mean), &json!(standing)), "{metric}");
        }
    }
    let score = &answer["quick_check"];
    close(&score["score"], 36.5 / 5.0);
    close(&score["published_by_industry"], 33.6 / 5.0);
    close(&score["published_by_organisation_size"], 33.6 / 5.0);
    assert_eq!((score["metrics"].as_array().unwrap().len(), &score["missing"]), (5, &json!([])));
    assert_eq!(app.get(&format!("/api/v1/dora/benchmark?{WINDOW}")).await.expect(200), answer);
}

async fn too_little_has_no_band(engine: Engine) {
    let app = engine.app().await;
    let answer = benchmark(&app, "").await;
    assert_eq!(answer["quick_check"]["score"], json!(null));
    assert_eq!(answer["quick_check"]["missing"].as_array().unwrap().len(), 5);
    for n in 0..5 {
        tell(&app, [deployed(&n.to_string(), "2026-06-10T10:00:00Z", json!({}))]).await;
    }
    let answer = benchmark(&app, "").await;
    for (metric, reason) in [
        ("deployment_frequency", "not enough data: n = 5; a frequency takes 6 deployments, or a window of six months"),
        ("lead_time_for_changes", "not enough data: n = 5; a median takes 6"),
        ("change_failure_rate", "not enough data: n = 5; a share takes 20 deployments"),
        ("failed_deployment_recovery_time", "not enough data: n = 0; a median takes 6"),
        ("deployment_rework_rate", "not enough data: n = 5; a share takes 20 deployments"),
    ] {
        let found = &answer["metrics"][metric];
        assert_eq!((&found["band"], &found["score"]), (&json!(null), &json!(null)), "{metric}");
        assert_eq!((&found["reason"], &found["enough"]), (&json!(reason), &json!(false)), "{metric}");
        assert_eq!(found["by_industry"]["standing"], json!(null), "{metric}");
        assert!(found["by_industry"]["mean"].is_number(), "what is published is there: {metric}");
    }
    assert_eq!(answer["metrics"]["lead_time_for_changes"]["value"], 3600.0);
    tell(&app, [deployed("sixth", "2026-06-10T10:00:00Z", json!({}))]).await;
    let answer = benchmark(&app, "").await;
    assert_eq!(answer["quick_check"]["metrics"], json!(["deployment_frequency", "lead_time_for_changes"]));
    close(&answer["quick_check"]["score"], 7.0);
    close(&answer["quick_check"]["published_by_industry"], 10.3 / 2.0);
}

async fn the_configuration_chooses_the_figures(engine: Engine) {
    let choice = Choice { year: 2024, industry: "energy".to_owned(), organisation_size: "fewer_than_020".to_owned() };
    let app = engine.app_with(|config| config.benchmark = choice.find().unwrap()).await;
    fill(&app).await;
    let answer = benchmark(&app, WINDOW).await;
    assert_eq!((&answer["year"], &answer["industry"]["name"]), (&json!(2024), &json!("Energy")));
    assert_eq!(answer["organisation_size"], json!({"key": "fewer_than_020", "name": "10 to 19 employees"}));
    let recovery = &answer["metrics"]["failed_deployment_recovery_time"];
    assert_eq!(
        (&recovery["by_industry"]["mean"], &recovery["by_organisation_size"]["mean"]),
        (&json!(6.6), &json!(8.0))
    );
    let rework = &answer["metrics"]["deployment_rework_rate"];
    assert_eq!(
        (&rework["reason"], &rework["by_industry"]),
        (&json!("the survey of 2024 did not ask for it"), &json!(null))
    );
    assert_eq!((&rework["n"], &rework["value"]), (&json!(20), &json!(0.25)));
    assert_eq!(answer["quick_check"]["missing"], json!(["deployment_rework_rate"]));
    assert_eq!(answer["source"]["respondents"], json!(null));
    let shown = app.get("/config").await.expect(200)["benchmark"].clone();
    assert_eq!(shown, json!({"year": 2024, "industry": "energy", "organisation_size": "fewer_than_020"}));
}

async fn the_source_and_its_terms_are_named(engine: Engine) {
    let app = engine.app().await;
    let source = benchmark(&app, "").await["source"].clone();
    assert_eq!((&source["attribution"], &source["licence"]), (&json!("DORA, dora.dev"), &json!("CC-BY-4.0")));
    assert_eq!(source["respondents"], "nearly 5,000 in the whole survey");
    for field in ["title", "url", "data", "licence_url", "changes", "respondents_url", "respondents_of_group"] {
        assert!(source[field].as_str().is_some_and(|text| !text.is_empty()), "{field}");
    }
}

async fn filters_and_windows_are_those_of_dora(engine: Engine) {
    let app = engine.app().await;
    fill(&app).await;
    tell(&app, [deployed("1", "2026-06-10T10:00:00Z", json!({"project_id": "cart"}))]).await;
    for query in ["", "project_id=cart", "project_id=shop&tz=Europe/Berlin&from=2026-06-10", "environment=staging"] {
        let (found, answer) = (benchmark(&app, query).await, dora(&app, query).await);
        for field in ["from", "to", "tz", "projects", "environment"] {
            assert_eq!(found[field], answer[field], "{query}");
        }
        let metrics = &found["metrics"];
        assert_eq!(metrics["deployment_frequency"]["value"], answer["deployment_frequency"]["per_day"], "{query}");
        assert_eq!(metrics["change_failure_rate"]["value"], answer["change_failure_rate"]["ratio"], "{query}");
        let lead_time = &answer["lead_time_for_changes"];
        assert_eq!(metrics["lead_time_for_changes"]["value"], lead_time["median_seconds"], "{query}");
        assert_eq!(metrics["lead_time_for_changes"]["n"], lead_time["n"], "{query}");
    }
}

async fn bad_questions_are_refused(engine: Engine) {
    let app = engine.app().await;
    for (query, pointer) in [
        ("interval=week", "/interval"),
        ("group_by=team", "/group_by"),
        ("year=2024", "/year"),
        ("tz=Mars", "/tz"),
        ("from=1970-01-01", "/from"),
        ("from=2026-06-16", "/from"),
    ] {
        let request = app.request(Method::GET, &format!("/dora/benchmark?{query}"));
        assert_eq!(app.refuses(request, 400, "invalid").await, [pointer], "{query}");
    }
    let app = engine.app_with(|config| config.auth.no_auth = false).await;
    app.get("/dora/benchmark").await.expect_problem(401, "unauthenticated");
}

async fn what_has_not_happened_yet_is_not_less(engine: Engine) {
    let app = engine.app().await;
    tell(&app, [deployed("1", "2026-06-10T12:00:00Z", json!({}))]).await;
    let until = async |to: &str| app.get(&format!("/dora/benchmark?from=2026-06-01&to={to}")).await.expect(200);
    let now = until("2026-06-15T12:00:00Z").await;
    assert_eq!(until("2027-01-01").await, now);
    assert_eq!(now["metrics"]["deployment_frequency"]["score"], json!(null));
    app.get("/dora/benchmark?from=2026-07-01&to=2026-08-01").await.expect_problem(400, "invalid");
}
