//! `/badges`, `/panels`, `/public`: what everybody may see.

use std::collections::BTreeMap;

use em_metrics::config::{Config, Publication};
use em_metrics::dora::explain::Metric;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answer, App};
use crate::engine::Engine;
use crate::http::{name, with};

on_each_engine! {
    a_badge_says_what_dora_says,
    badges_of_nothing_and_of_too_little_say_so,
    a_panel_draws_each_week,
    limits_are_those_of_the_trend,
    a_panel_is_well_formed_whatever_a_project_is_called,
    what_is_not_public_is_not_there,
    only_production_is_public,
    answers_are_kept_for_some_minutes,
    bad_questions_about_what_is_public_are_refused,
    the_page_names_what_is_public_and_nothing_else,
    nobody_has_to_sign_in,
}

const METRICS: [Metric; 3] = [Metric::DeploymentFrequency, Metric::ChangeFailureRate, Metric::LeadTimeForChanges];

fn published(config: &mut Config) {
    config.auth.no_auth = true;
    config.public = vec![
        Publication { projects: vec![name("shop"), name("cart")], metrics: METRICS.to_vec() },
        Publication { projects: vec![name("bank")], metrics: vec![Metric::Incidents] },
    ];
}

/// One deployment of the project on each of the days before now (15 June, noon).
async fn deploy(app: &App, project: &str, days: std::ops::Range<i64>, changes: &Value) {
    for day in days {
        let at = "2026-06-15T09:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap() - chrono::Duration::days(day);
        let body = json!({
            "id": format!("{project}-{day}-{changes}"), "project_id": project,
            "first_commit_at": at - chrono::Duration::hours(1 + day % 3), "deployed_at": at,
        });
        app.post("/deployments", with(body, changes.clone())).await.expect(201);
    }
}

async fn message(app: &App, badge: &str) -> String {
    app.get(&format!("/badges/{badge}")).await.expect(200)["message"].as_str().unwrap().to_owned()
}

async fn a_badge_says_what_dora_says(engine: Engine) {
    let app = engine.app_with(published).await;
    deploy(&app, "shop", 0..45, &json!({})).await;
    deploy(&app, "cart", 0..15, &json!({})).await;
    deploy(&app, "bank", 0..45, &json!({})).await;
    app.post("/incidents", json!({"project_id": "cart", "deployment_id": "cart-3-{}"})).await.expect(201);
    let svg = app.get("/badges/deployment_frequency.svg?project_id=shop").await;
    assert_eq!(svg.header("content-type"), "image/svg+xml; charset=utf-8");
    assert!(svg.text.contains("<title>deployment frequency: 1 a day</title>"), "{}", svg.text);
    let badge = app.get("/badges/deployment_frequency.json?project_id=shop&label=deploys").await.expect(200);
    let expected =
        json!({"schemaVersion": 1, "label": "deploys", "message": "1 a day", "color": "blue", "cacheSeconds": 300});
    assert_eq!(badge, expected);
    // both together, by default and by name; bank is not among them
    let both = app.get("/dora?project_id=shop&project_id=cart").await.expect(200);
    assert_eq!(both["deployment_frequency"]["per_day"], 1.5);
    for query in ["", "?project_id=cart&project_id=shop"] {
        assert_eq!(message(&app, &format!("deployment_frequency.json{query}")).await, "1.5 a day", "{query}");
    }
    let ratio = both["change_failure_rate"]["ratio"].as_f64().unwrap();
    assert_eq!(message(&app, "change_failure_rate.json").await, format!("{:.1} %", 100.0 * ratio));
    assert_eq!(message(&app, "lead_time_for_changes.json").await, "2 h");
    // 4 June, noon, to 15 June, noon
    assert_eq!(message(&app, "deployment_frequency.json?period=11d&project_id=cart").await, "1 a day");
    assert_eq!(message(&app, "deployment_frequency.json?period=60d&project_id=cart").await, "1.75 a week");
}

async fn badges_of_nothing_and_of_too_little_say_so(engine: Engine) {
    let app = engine.app_with(published).await;
    assert_eq!(message(&app, "deployment_frequency.json").await, "0 a day");
    deploy(&app, "shop", 0..19, &json!({})).await;
    let badge = app.get("/badges/change_failure_rate.json").await.expect(200);
    assert_eq!((&badge["message"], &badge["color"]), (&json!("not enough data"), &json!("lightgrey")));
    deploy(&app, "shop", 19..20, &json!({})).await;
    assert_eq!(message(&app, "change_failure_rate.json").await, "0 %");
}

/// The texts of these marks' titles.
fn titles(svg: &str) -> Vec<&str> {
    svg.split("<title>").skip(1).filter_map(|rest| rest.split("</title>").next()).collect()
}

async fn a_panel_draws_each_week(engine: Engine) {
    let app = engine.app_with(published).await;
    deploy(&app, "shop", 0..15, &json!({})).await;
    let panel = app.get("/panels/deployment_frequency.svg?period=20d&project_id=shop").await;
    assert_eq!((panel.status.as_u16(), panel.header("content-type")), (200, "image/svg+xml; charset=utf-8"));
    // from the Monday of the week of 26 May; the week of 15 June has just begun
    let expected = ["week of 25 May: 0", "week of 1 Jun: 7", "week of 8 Jun: 7", "week of 15 Jun: 1"];
    assert_eq!(titles(&panel.text), expected, "{}", panel.text);
    for says in [
        r#"<title id="title">Deployment frequency</title>"#,
        "Deployments per week · shop",
        "n = 15",
        "as of 15 Jun 2026, 12:00 UTC",
        "pale: not over",
        r#"width="720" height="320""#,
    ] {
        assert!(panel.text.contains(says), "{says}: {}", panel.text);
    }
    let panel = app
        .get("/panels/lead_time_for_changes.svg?period=3d&interval=day&theme=dark&width=400&height=200&project_id=shop")
        .await;
    // noon to noon, and the first day from its midnight
    let expected = ["12 Jun: 1 h (n = 1)", "13 Jun: 3 h (n = 1)", "14 Jun: 2 h (n = 1)", "15 Jun: 1 h (n = 1)"];
    assert_eq!(titles(&panel.text), expected, "{}", panel.text);
    assert!(panel.text.contains(r##"fill="#0d1117""##) && panel.text.contains("not enough data"), "{}", panel.text);
}

async fn limits_are_those_of_the_trend(engine: Engine) {
    let app = engine.app_with(published).await;
    deploy(&app, "shop", 0..160, &json!({})).await;
    deploy(&app, "cart", 90..91, &json!({})).await;
    deploy(&app, "cart", 104..106, &json!({})).await;
    // three times as many in one week
    for nth in 0..2 {
        deploy(&app, "shop", 8..15, &json!({"version": nth.to_string()})).await;
    }
    let of = async |query: &str| app.get(&format!("/panels/deployment_frequency.svg?period=77d{query}")).await.text;
    let (plain, limited) = (of("").await, of("&limits=true").await);
    let dashed = |svg: &str| svg.matches("stroke-dasharray").count();
    assert_eq!((dashed(&plain), dashed(&limited)), (0, 2), "{limited}");
    let trend = app
        .get("/dora/trend?metric=deployment_frequency&from=2026-03-30&project_id=shop&project_id=cart")
        .await
        .expect(200);
    let points = trend["points"].as_array().unwrap().iter().filter(|point| point["window"] == "this");
    let signals = points.filter(|point| point["signals"] != json!([])).count();
    assert!(signals > 1 && trend["chart"]["n"] == 11, "{trend}");
    assert_eq!(limited.matches(r##"fill="#bc4c00""##).count(), signals);
    let says = format!("{signals} of 12 stand out from natural process limits, which were drawn from 11 values");
    assert!(limited.contains(&says), "{limited}");
    let too_few = of("&limits=true&interval=month").await;
    assert!(too_few.contains("no limits can be drawn"), "{too_few}");
}

async fn a_panel_is_well_formed_whatever_a_project_is_called(engine: Engine) {
    let odd = "a\u{fffe}b\u{ffff}<&";
    let adjust = |config: &mut Config| {
        config.public = vec![Publication { projects: vec![name(odd)], metrics: METRICS.to_vec() }];
    };
    let app = engine.app_with(adjust).await;
    deploy(&app, odd, 0..3, &json!({})).await;
    for path in ["/panels/deployment_frequency.svg", "/badges/deployment_frequency.svg"] {
        let svg = app.get(path).await;
        assert_eq!(svg.status, 200);
        assert!(!svg.text.contains(['\u{fffe}', '\u{ffff}']), "{}", svg.text);
        assert!(path.contains("badges") || svg.text.contains("a\u{fffd}b\u{fffd}&#60;&#38;"), "{}", svg.text);
    }
}

/// All that a stranger sees of an answer, without what differs from request to request.
async fn seen(app: &App, path: &str) -> (u16, BTreeMap<String, String>, Value) {
    let answer = app.get(path).await;
    let mut body = answer.json();
    body["request_id"].take();
    let headers = answer.headers.iter().filter(|(name, _)| !matches!(name.as_str(), "date" | "x-request-id"));
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    (answer.status.as_u16(), headers.collect(), body)
}

async fn what_is_not_public_is_not_there(engine: Engine) {
    let app = engine.app_with(published).await;
    for project in ["shop", "bank", "secret"] {
        deploy(&app, project, 0..30, &json!({"team_id": "red"})).await;
    }
    let nothing = seen(&app, "/no/such/path").await;
    assert_eq!(nothing.0, 404);
    let long = "x".repeat(300);
    for (metric, query) in [
        // a project that there is, and one that there is not
        ("deployment_frequency", "project_id=secret"),
        ("deployment_frequency", "project_id=guess"),
        ("deployment_frequency", "project_id=shop&project_id=secret"),
        ("deployment_frequency", "project_id=shop%20"),
        ("deployment_frequency", &format!("project_id={long}")),
        ("deployment_frequency", "project_id=%00"),
        // what is asked beside it does not matter
        ("deployment_frequency", "project_id=secret&period=x&width=1&unknown=1"),
        // a metric that is not published, at all or of this project
        ("time_to_restore", ""),
        ("velocity", ""),
        ("incidents", "project_id=shop"),
        ("deployment_frequency", "project_id=bank"),
        ("Deployment_Frequency", ""),
        ("", ""),
    ] {
        for path in [format!("/badges/{metric}.svg"), format!("/badges/{metric}.json"), format!("/panels/{metric}.svg")]
        {
            assert_eq!(seen(&app, &format!("{path}?{query}")).await, nothing, "{path}?{query}");
        }
    }
    for path in
        ["/badges/incidents", "/badges/incidents.png", "/panels/incidents.json", "/panels/incidents", "/badges/.svg"]
    {
        assert_eq!(seen(&app, path).await, nothing, "{path}");
    }
    let closed = engine.app().await;
    for path in ["/public", "/badges/incidents.svg", "/panels/incidents.svg?project_id=shop"] {
        assert_eq!(seen(&closed, path).await, nothing, "{path}, where nothing is published");
    }
}

async fn only_production_is_public(engine: Engine) {
    let app = engine.app_with(published).await;
    deploy(&app, "shop", 0..5, &json!({"environment": "staging"})).await;
    assert_eq!(message(&app, "deployment_frequency.json?project_id=shop").await, "0 a day");
    let request = app.request(Method::GET, "/badges/deployment_frequency.svg?environment=staging");
    assert_eq!(app.refuses(request, 400, "invalid").await, ["/environment"]);
}

async fn answers_are_kept_for_some_minutes(engine: Engine) {
    let app = engine.app_with(published).await;
    deploy(&app, "shop", 1..3, &json!({})).await;
    let again =
        async |path: &str, tag: &str| Answer::of(app.request(Method::GET, path).header("if-none-match", tag)).await;
    let paths = [
        "/badges/deployment_frequency.svg",
        "/badges/deployment_frequency.json",
        "/panels/deployment_frequency.svg",
        "/public",
        "/public/style.css",
    ];
    let mut tags = Vec::new();
    for path in paths {
        let first = app.get(path).await;
        assert_eq!(first.status, 200, "{path}");
        assert_eq!(first.header("cache-control"), "public, max-age=300");
        assert_eq!(
            (first.header("access-control-allow-origin"), first.header("x-content-type-options")),
            ("*", "nosniff")
        );
        assert!(first.header("content-security-policy").starts_with("default-src 'none'"));
        tags.push(first.header("etag").to_owned());
    }
    app.set_now("2026-06-15T12:04:59Z");
    for (path, tag) in paths.iter().zip(&tags) {
        let second = again(path, tag).await;
        assert_eq!((second.status.as_u16(), second.text.as_str()), (304, ""), "{path}");
        assert_eq!(second.header("etag"), tag);
        assert_eq!(second.header("cache-control"), "public, max-age=300");
        assert_eq!(again(path, "W/\"other\"").await.status, 200);
    }
    app.set_now("2026-06-15T12:05:00Z");
    assert_eq!(again(paths[2], &tags[2]).await.status, 200, "it says as of when it is");
    deploy(&app, "shop", 5..25, &json!({})).await;
    assert_eq!(again(paths[0], &tags[0]).await.status, 200, "the number is another one");
}

async fn bad_questions_about_what_is_public_are_refused(engine: Engine) {
    let app = engine.app_with(published).await;
    for (path, pointer) in [
        ("badges/deployment_frequency.svg?period=30", "/period"),
        ("badges/deployment_frequency.svg?period=0d", "/period"),
        ("badges/deployment_frequency.svg?period=367d", "/period"),
        ("badges/deployment_frequency.svg?period=-1d", "/period"),
        ("badges/deployment_frequency.svg?period=7d&period=8d", "/period"),
        ("badges/deployment_frequency.svg?label=%0A", "/label"),
        // no character of XML
        ("badges/deployment_frequency.svg?label=%EF%BF%BF", "/label"),
        (&format!("badges/deployment_frequency.svg?label={}", "x".repeat(61)), "/label"),
        ("badges/deployment_frequency.svg?width=700", "/width"),
        ("panels/deployment_frequency.svg?width=399", "/width"),
        ("panels/deployment_frequency.svg?height=1001", "/height"),
        ("panels/deployment_frequency.svg?theme=blue", "/theme"),
        ("panels/deployment_frequency.svg?interval=none", "/interval"),
        ("panels/deployment_frequency.svg?limits=yes", "/limits"),
        ("panels/deployment_frequency.svg?label=x", "/label"),
    ] {
        let request = app.request(Method::GET, &format!("/{path}"));
        assert_eq!(app.refuses(request, 400, "invalid").await, [pointer], "{path}");
    }
}

async fn the_page_names_what_is_public_and_nothing_else(engine: Engine) {
    let app = engine.app_with(published).await;
    for project in ["shop", "cart", "bank", "secret"] {
        deploy(&app, project, 0..9, &json!({"team_id": "red"})).await;
    }
    let page = app.get("/public").await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = page.header("content-security-policy");
    assert!(policy.contains("img-src 'self'; style-src 'self'") && !policy.contains("script-src"), "{policy}");
    assert!(
        !page.text.contains("secret") && !page.text.contains("red") && !page.text.contains("<script"),
        "{}",
        page.text
    );
    let pictures: Vec<_> = page.text.split("src=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(pictures.len(), 4, "{}", page.text);
    for picture in pictures {
        for prefix in ["", "/api/v1"] {
            let panel = app.get(&format!("{prefix}/{}", picture.replace("&#38;", "&"))).await;
            assert_eq!(panel.status, 200, "{picture}: {}", panel.text);
            assert!(panel.text.starts_with("<svg") && !panel.text.contains("secret"), "{}", panel.text);
        }
    }
    assert!(app.get("/public/style.css").await.header("content-type").starts_with("text/css"));
}

async fn nobody_has_to_sign_in(engine: Engine) {
    let adjust = |config: &mut Config| {
        published(config);
        config.auth.no_auth = false;
    };
    let app = engine.app_with(adjust).await;
    for path in ["/public", "/badges/deployment_frequency.svg", "/panels/incidents.svg?project_id=bank&limits=true"] {
        assert_eq!(app.get(path).await.status, 200, "{path}");
        let wrong = app.request(Method::GET, path).header("authorization", "Bearer wrong");
        assert_eq!(Answer::of(wrong).await.status, 200, "{path}");
        let head = app.request(Method::HEAD, path);
        assert_eq!(Answer::of(head).await.status, 200, "{path}");
    }
    app.get("/dora").await.expect_problem(401, "unauthenticated");
}
