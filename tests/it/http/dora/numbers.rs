//! Each number against one that was worked out by hand.

use serde_json::json;

use super::{deployed, dora, incident, step, tell};
use crate::engine::Engine;

on_each_engine! {
    an_empty_window_has_counts_of_zero_and_nulls,
    every_block_says_what_the_facts_say,
    the_change_failure_rate_never_exceeds_one,
    recovery_ends_with_the_roll_back_or_the_last_incident,
    an_incident_of_another_environment_or_time_fails_its_deployment,
    incidents_are_counted_by_their_own_times,
    a_window_is_half_open,
    deployment_days_are_counted_in_whole_weeks,
    few_facts_are_not_enough,
}

const JUNE: &str = "from=2026-06-01&to=2026-06-15";

async fn an_empty_window_has_counts_of_zero_and_nulls(engine: Engine) {
    let app = engine.app().await;
    let durations = json!({"n": 0, "enough": false, "median_seconds": null, "p75_seconds": null, "p90_seconds": null, "mean_seconds": null});
    let empty = json!({
        "deployment_frequency":
            {"deployments": 0, "per_day": 0.0, "deployment_days": 0, "median_deployment_days_per_week": 0.0},
        "lead_time_for_changes": durations,
        "change_failure_rate": {"failed": 0, "deployments": 0, "enough": false, "ratio": null, "interval95": null},
        "failed_deployment_recovery_time": crate::http::with(durations.clone(), json!({"open": 0})),
        "deployment_rework_rate": {"unplanned": 0, "deployments": 0, "enough": false, "ratio": null, "interval95": null},
        "time_to_restore": durations,
        "time_to_detect": durations,
        "incidents": {"started": 0, "restored": 0, "finished": 0, "open": 0},
        "pipelines": {"failed": 0, "deployed": 0, "enough": false, "ratio": null, "interval95": null},
    });
    let asked = json!({
        "from": "2026-06-01T00:00:00Z", "to": "2026-06-15T00:00:00Z", "tz": "UTC", "environment": "production",
        "environments": ["production"], "projects": null, "teams": null,
    });
    assert_eq!(dora(&app, JUNE).await, crate::http::with(asked, empty.clone()));
    let weekly = dora(&app, &format!("{JUNE}&interval=week")).await;
    for (part, start, end) in [(0, "2026-06-01", "2026-06-08"), (1, "2026-06-08", "2026-06-15")] {
        let times = json!({"start": format!("{start}T00:00:00Z"), "end": format!("{end}T00:00:00Z")});
        assert_eq!(weekly["series"][part], crate::http::with(times, empty.clone()));
    }
    assert_eq!(weekly["series"].as_array().unwrap().len(), 2);
    let nothing = dora(&app, "from=2026-06-01&to=2026-06-01").await;
    assert_eq!(nothing["deployment_frequency"]["per_day"], json!(null), "a window without length");
}

async fn every_block_says_what_the_facts_say(engine: Engine) {
    let app = engine.app().await;
    tell(
        &app,
        [
            // four deployments on three days, lead times 1, 2, 4 and 9 hours
            deployed("1", "2026-06-02T10:00:00Z", json!({})),
            deployed("2", "2026-06-02T12:00:00Z", json!({"first_commit_at": "2026-06-02T10:00:00Z"})),
            deployed(
                "3",
                "2026-06-04T12:00:00Z",
                json!({"first_commit_at": "2026-06-04T08:00:00Z", "unplanned": true}),
            ),
            deployed("4", "2026-06-09T12:00:00Z", json!({"first_commit_at": "2026-06-09T03:00:00Z"})),
            // one that failed on the way, one that is still on it, one elsewhere
            step(
                "/deployments",
                json!({"id": "5", "project_id": "shop", "first_commit_at": "2026-06-03T08:00:00Z",
            "deploy_start_at": "2026-06-15T10:00:00Z"}),
            ),
            step("/deployments/5/failed", json!({"failed_at": "2026-06-15T11:00:00Z"})),
            step("/deployments", json!({"id": "6", "project_id": "shop", "first_commit_at": "2026-06-03T08:00:00Z"})),
            deployed("7", "2026-06-03T12:00:00Z", json!({"environment": "staging"})),
            // 2 failed: an incident after 30 minutes that lasted an hour
            incident("a", "2026-06-02T12:30:00Z", json!({"deployment_id": "2", "restored_at": "2026-06-02T13:30:00Z"})),
            // one that belongs to no deployment and is open, one that is over in two hours
            incident("b", "2026-06-05T12:00:00Z", json!({})),
            incident("c", "2026-06-05T12:00:00Z", json!({"finished_at": "2026-06-05T14:00:00Z"})),
        ],
    )
    .await;
    let answer = dora(&app, "from=2026-06-01&to=2026-06-16").await;
    assert_eq!(answer["deployment_frequency"]["deployments"], 4);
    assert_eq!(answer["deployment_frequency"]["per_day"], 4.0 / 15.0);
    assert_eq!(answer["deployment_frequency"]["deployment_days"], 3);
    assert_eq!(answer["deployment_frequency"]["median_deployment_days_per_week"], 1.5, "2 and 1");
    assert_eq!(
        answer["lead_time_for_changes"],
        // p75 = 4 h + 0.25 * 5 h, p90 = 4 h + 0.7 * 5 h
        json!({"n": 4, "enough": false, "median_seconds": 10_800.0, "p75_seconds": 18_900.0, "p90_seconds": 27_000.0, "mean_seconds": 14_400.0})
    );
    let failure = &answer["change_failure_rate"];
    assert_eq!((&failure["failed"], &failure["deployments"], &failure["ratio"]), (&json!(1), &json!(4), &json!(0.25)));
    // Wilson for 1 of 4
    let [low, high] = [0, 1].map(|i| failure["interval95"][i].as_f64().unwrap());
    assert!((low - 0.0456).abs() < 5e-5 && (high - 0.6994).abs() < 5e-5, "{failure}");
    assert_eq!(
        answer["failed_deployment_recovery_time"],
        json!({"n": 1, "open": 0, "enough": false, "median_seconds": 3600.0, "p75_seconds": 3600.0, "p90_seconds": 3600.0, "mean_seconds": 3600.0})
    );
    assert_eq!(answer["deployment_rework_rate"]["unplanned"], 1);
    assert_eq!(answer["deployment_rework_rate"]["ratio"], 0.25);
    assert_eq!(answer["time_to_restore"]["n"], 2);
    assert_eq!(answer["time_to_restore"]["mean_seconds"], 5400.0);
    assert_eq!(answer["time_to_detect"]["n"], 1);
    assert_eq!(answer["time_to_detect"]["median_seconds"], 1800.0);
    assert_eq!(answer["incidents"], json!({"started": 3, "restored": 2, "finished": 1, "open": 1}));
    assert_eq!(answer["pipelines"]["failed"], 1);
    assert_eq!(answer["pipelines"]["deployed"], 4);
    assert_eq!(answer["pipelines"]["ratio"], 0.2);
}

async fn the_change_failure_rate_never_exceeds_one(engine: Engine) {
    let app = engine.app().await;
    tell(&app, [deployed("1", "2026-06-02T10:00:00Z", json!({}))]).await;
    for n in 0..5 {
        tell(&app, [incident(&n.to_string(), "2026-06-02T11:00:00Z", json!({"deployment_id": "1"}))]).await;
    }
    tell(&app, [step("/deployments/1/rolled-back", json!({"rolled_back_at": "2026-06-02T12:00:00Z"}))]).await;
    let answer = dora(&app, JUNE).await;
    assert_eq!(answer["change_failure_rate"]["ratio"], 1.0);
    assert_eq!(answer["change_failure_rate"]["interval95"][1], 1.0);
    // a window in which incidents start but nothing is deployed
    let later = dora(&app, "from=2026-06-02T10:30:00Z&to=2026-06-15").await;
    assert_eq!(
        later["change_failure_rate"],
        json!({"failed": 0, "deployments": 0, "enough": false, "ratio": null, "interval95": null})
    );
    assert_eq!(later["incidents"]["started"], 5);
}

async fn recovery_ends_with_the_roll_back_or_the_last_incident(engine: Engine) {
    let app = engine.app().await;
    let linked = |id: &str, deployment: &str, from: &str, restored: Option<&str>| {
        let at = |time: &str| format!("2026-06-02T{time}:00Z");
        let restored = restored.map(at);
        incident(id, &at(from), json!({"deployment_id": deployment, "restored_at": restored}))
    };
    let back = |id: &str, at: &str| {
        let body = json!({"rolled_back_at": format!("2026-06-02T{at}:00Z")});
        step(&format!("/deployments/{id}/rolled-back"), body)
    };
    tell(
        &app,
        ["two", "open", "back", "first", "bare", "fine"].map(|id| deployed(id, "2026-06-02T10:00:00Z", json!({}))),
    )
    .await;
    tell(
        &app,
        [
            // two incidents: from the start of the first to the end of the last, 11:00 to 14:00
            linked("1", "two", "11:30", Some("12:00")),
            linked("2", "two", "11:00", Some("14:00")),
            // one of two not restored, and not rolled back: open
            linked("3", "open", "11:00", Some("11:10")),
            linked("4", "open", "11:00", None),
            // rolled back while the incident was still open: 11:00 to 11:20
            linked("5", "back", "11:00", None),
            back("back", "11:20"),
            // rolled back before anybody opened an incident: 0, never less
            linked("6", "first", "11:00", Some("11:30")),
            back("first", "10:50"),
            // rolled back without an incident: 10:00 to 10:40
            back("bare", "10:40"),
        ],
    )
    .await;
    let answer = dora(&app, JUNE).await;
    assert_eq!(answer["change_failure_rate"]["failed"], 5);
    // 0, 1200, 2400, 10800 seconds
    assert_eq!(
        answer["failed_deployment_recovery_time"],
        json!({"n": 4, "open": 1, "enough": false, "median_seconds": 1800.0, "p75_seconds": 4500.0, "p90_seconds": 8280.0, "mean_seconds": 3600.0})
    );
}

async fn an_incident_of_another_environment_or_time_fails_its_deployment(engine: Engine) {
    let app = engine.app().await;
    tell(
        &app,
        [
            deployed("1", "2026-06-02T10:00:00Z", json!({})),
            deployed("2", "2026-06-02T11:00:00Z", json!({})),
            deployed("3", "2026-06-02T11:00:00Z", json!({"project_id": "other"})),
            incident("a", "2026-06-03T10:00:00Z", json!({"deployment_id": "1", "environment": "staging"})),
            incident("b", "2026-06-14T10:00:00Z", json!({"deployment_id": "2"})),
        ],
    )
    .await;
    let answer = dora(&app, "from=2026-06-02&to=2026-06-03").await;
    assert_eq!(answer["change_failure_rate"]["failed"], 2);
    assert_eq!(answer["failed_deployment_recovery_time"]["open"], 2);
    assert_eq!(answer["incidents"], json!({"started": 0, "restored": 0, "finished": 0, "open": 0}));
}

async fn incidents_are_counted_by_their_own_times(engine: Engine) {
    let app = engine.app().await;
    tell(
        &app,
        [
            incident("over before", "2026-06-01T10:00:00Z", json!({"finished_at": "2026-06-02T10:00:00Z"})),
            incident("restored in", "2026-06-01T10:00:00Z", json!({"restored_at": "2026-06-05T10:00:00Z"})),
            incident(
                "finished in",
                "2026-06-01T10:00:00Z",
                json!({"restored_at": "2026-06-02T10:00:00Z", "finished_at": "2026-06-06T10:00:00Z"}),
            ),
            incident("open all along", "2026-06-01T10:00:00Z", json!({})),
            incident("restored after", "2026-06-01T10:00:00Z", json!({"restored_at": "2026-06-12T10:00:00Z"})),
            incident("started in", "2026-06-06T10:00:00Z", json!({"restored_at": "2026-06-12T10:00:00Z"})),
            incident("started after", "2026-06-12T10:00:00Z", json!({})),
            incident("at the end", "2026-06-04T10:00:00Z", json!({"restored_at": "2026-06-08T00:00:00Z"})),
        ],
    )
    .await;
    let answer = dora(&app, "from=2026-06-04&to=2026-06-08&interval=day").await;
    // open: "open all along", "restored after", "started in", "at the end" (restored when the window is over)
    assert_eq!(answer["incidents"], json!({"started": 2, "restored": 1, "finished": 1, "open": 4}));
    assert_eq!(answer["time_to_restore"]["n"], 2, "as is known now, also after the window");
    let open: Vec<_> = (0..4).map(|day| answer["series"][day]["incidents"]["open"].as_u64().unwrap()).collect();
    assert_eq!(open, [4, 3, 4, 4]);
}

async fn a_window_is_half_open(engine: Engine) {
    let app = engine.app().await;
    tell(
        &app,
        [
            deployed("1", "2026-06-01T00:00:00Z", json!({})),
            deployed("2", "2026-06-07T23:59:59.999999Z", json!({})),
            deployed("3", "2026-06-08T00:00:00Z", json!({})),
        ],
    )
    .await;
    for (query, expected) in [
        ("from=2026-06-01&to=2026-06-08", 2),
        ("from=2026-06-01T00:00:00.000001Z&to=2026-06-08T00:00:00.000001Z", 2),
        ("from=2026-06-08&to=2026-06-08", 0),
    ] {
        assert_eq!(dora(&app, query).await["deployment_frequency"]["deployments"], expected, "{query}");
    }
    let weekly = dora(&app, "from=2026-05-25&to=2026-06-15&interval=week").await;
    let counts: Vec<_> = (0..3).map(|week| &weekly["series"][week]["deployment_frequency"]["deployments"]).collect();
    assert_eq!(counts, [0, 2, 1]);
}

async fn deployment_days_are_counted_in_whole_weeks(engine: Engine) {
    let app = engine.app().await;
    let days = ["05-29", "06-01", "06-02", "06-02", "06-05", "06-08", "06-15"];
    tell(
        &app,
        days.iter().enumerate().map(|(n, day)| deployed(&n.to_string(), &format!("2026-{day}T10:00:00Z"), json!({}))),
    )
    .await;
    // Wednesday to Tuesday: two whole weeks of 3 and 1 days
    let answer = dora(&app, "from=2026-05-27&to=2026-06-16").await["deployment_frequency"].clone();
    assert_eq!(answer["deployment_days"], 6);
    assert_eq!(answer["median_deployment_days_per_week"], 2.0);
    let short = dora(&app, "from=2026-06-02&to=2026-06-08").await["deployment_frequency"].clone();
    assert_eq!(short["median_deployment_days_per_week"], json!(null), "six days are no week");
}

async fn few_facts_are_not_enough(engine: Engine) {
    let app = engine.app().await;
    let at = |n: i32| format!("2026-06-02T10:00:{n:02}Z");
    let enough = async |block: &str| dora(&app, JUNE).await[block]["enough"] == true;
    for n in 0..19 {
        if n == 5 {
            assert!(!enough("lead_time_for_changes").await, "five durations");
        }
        tell(&app, [deployed(&n.to_string(), &at(n), json!({}))]).await;
    }
    for block in ["change_failure_rate", "deployment_rework_rate", "pipelines"] {
        assert!(!enough(block).await, "{block}: nineteen deployments");
    }
    tell(&app, [deployed("19", &at(19), json!({}))]).await;
    for block in ["lead_time_for_changes", "change_failure_rate", "deployment_rework_rate", "pipelines"] {
        assert!(enough(block).await, "{block}");
    }
    for n in 0..6 {
        assert!(!enough("time_to_restore").await && !enough("failed_deployment_recovery_time").await, "{n}");
        let id = n.to_string();
        tell(&app, [incident(&id, &at(n), json!({"deployment_id": id, "restored_at": "2026-06-03T10:00:00Z"}))]).await;
    }
    for block in ["time_to_restore", "time_to_detect", "failed_deployment_recovery_time"] {
        assert!(enough(block).await, "{block}");
    }
    for n in 6..12 {
        assert!(enough("failed_deployment_recovery_time").await, "{n}: fewer are open than are over");
        tell(&app, [incident(&n.to_string(), &at(n), json!({"deployment_id": n.to_string()}))]).await;
    }
    assert!(!enough("failed_deployment_recovery_time").await, "six are open");
}
