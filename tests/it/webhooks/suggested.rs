//! Which deployment may have caused an incident that nobody has named one of, and what people make of that.

use std::collections::BTreeMap;

use em_metrics::config::Config;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::Method;
use serde_json::{Value, json};

use super::inbox::source;
use super::links::{sample, tell};
use crate::app::{Answer, App};
use crate::engine::Engine;
use crate::http::with;

on_each_engine! {
    the_last_deployment_before_an_incident_is_suggested,
    nothing_is_suggested_unless_it_is_configured,
    the_order_in_which_facts_are_told_does_not_matter,
    a_suggestion_counts_when_somebody_confirms_it,
    another_may_be_said_or_none,
    what_its_tool_says_is_better_than_a_suggestion,
    how_it_was_linked_is_exported,
}

fn two_hours(config: &mut Config) {
    config.webhooks.sources = vec![source("github")];
    config.incidents.suggest_within_minutes = 120;
}

fn deployed(id: &str, at: &str) -> Value {
    json!({"id": id, "project_id": "shop", "first_commit_at": "2026-06-01T00:00:00Z", "deploy_start_at": at, "deployed_at": at})
}

fn began(id: &str, at: &str) -> Value {
    json!({"id": id, "project_id": "shop", "started_at": at})
}

async fn record(app: &App, facts: impl IntoIterator<Item = (&'static str, Value)>) {
    for (path, body) in facts {
        let answer = app.post(path, body).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
    }
}

/// What is suggested for each incident.
async fn suggestions(app: &App) -> BTreeMap<String, Option<String>> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let incidents = app.every("/incidents?limit=1000&project_id=shop").await;
    incidents.iter().map(|fact| (text(&fact["id"]).unwrap(), text(&fact["suggested_deployment_id"]))).collect()
}

fn expected(pairs: &[(&str, Option<&str>)]) -> BTreeMap<String, Option<String>> {
    pairs.iter().map(|(id, suggested)| ((*id).to_owned(), suggested.map(str::to_owned))).collect()
}

/// Something comes in, so that it is looked; waits until this is suggested.
async fn becomes(app: &App, expected: &BTreeMap<String, Option<String>>) {
    tell(app, "ping", &json!({"zen": rand::random::<u64>()}).to_string()).await;
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
    loop {
        let found = suggestions(app).await;
        if found == *expected {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{found:?}, and not {expected:?}");
        tokio::task::yield_now().await;
    }
}

/// Waits until all that was told so far has been looked at: until something later has been.
async fn looked(app: &App) {
    let id = rand::random::<u64>().to_string();
    let of = |body: Value| with(body, json!({"project_id": "marker"}));
    let facts =
        [("/deployments", deployed(&id, "2026-06-10T10:00:00Z")), ("/incidents", began(&id, "2026-06-10T11:00:00Z"))];
    record(app, facts.map(|(path, body)| (path, of(body)))).await;
    tell(app, "ping", &json!({"zen": id}).to_string()).await;
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
    while app.get(&format!("/incidents/{id}?project_id=marker")).await.expect(200)["link"] != "suggested" {
        assert!(tokio::time::Instant::now() < deadline, "nobody has looked");
        tokio::task::yield_now().await;
    }
}

async fn patch(app: &App, id: &str, body: Value) -> Value {
    Answer::of(app.request(Method::PATCH, &format!("/incidents/{id}")).json(&body)).await.expect(200)
}

async fn the_last_deployment_before_an_incident_is_suggested(engine: Engine) {
    let app = engine.app_with(two_hours).await;
    let staging = with(deployed("staging", "2026-06-10T11:30:00Z"), json!({"environment": "staging"}));
    let elsewhere = with(deployed("api", "2026-06-10T11:30:00Z"), json!({"project_id": "api"}));
    record(
        &app,
        [
            ("/deployments", deployed("early", "2026-06-10T09:59:59Z")),
            ("/deployments", staging),
            ("/deployments", elsewhere),
            ("/deployments", deployed("after", "2026-06-10T12:00:01Z")),
            ("/incidents", began("down", "2026-06-10T12:00:00Z")),
        ],
    )
    .await;
    looked(&app).await;
    assert_eq!(suggestions(&app).await, expected(&[("down", None)]), "none was in the two hours before");
    record(&app, [("/deployments", deployed("edge", "2026-06-10T10:00:00Z"))]).await;
    becomes(&app, &expected(&[("down", Some("edge"))])).await;
    record(&app, [("/deployments", deployed("nearer", "2026-06-10T12:00:00Z"))]).await;
    becomes(&app, &expected(&[("down", Some("nearer"))])).await;
    let fact = app.get("/incidents/down").await.expect(200);
    let link = ["link", "link_method", "link_confidence", "deployment_id"].map(|field| fact[field].clone());
    assert_eq!(link, [json!("suggested"), json!("window"), json!("suggested"), Value::Null]);
    let entry = &app.get("/journal?kind=incident.suggested&project_id=shop").await.expect(200)[0];
    assert_eq!(
        (&entry["actor"], &entry["changes"]["suggested_deployment_id"]["after"]),
        (&json!("em-metrics"), &json!("nearer"))
    );

    // what is corrected is looked at again
    let moved = json!({"deployed_at": "2026-06-10T12:30:00Z"});
    Answer::of(app.request(Method::PATCH, "/deployments/nearer").json(&moved)).await.expect(200);
    becomes(&app, &expected(&[("down", Some("edge"))])).await;
    assert_eq!(app.request(Method::DELETE, "/deployments/edge").send().await.unwrap().status(), 204);
    becomes(&app, &expected(&[("down", None)])).await;
    patch(&app, "down", json!({"environment": "staging"})).await;
    becomes(&app, &expected(&[("down", Some("staging"))])).await;
}

async fn nothing_is_suggested_unless_it_is_configured(engine: Engine) {
    let app = engine.app_with(two_hours).await;
    let facts = || {
        [("/deployments", deployed("1", "2026-06-10T11:00:00Z")), ("/incidents", began("down", "2026-06-10T12:00:00Z"))]
    };
    record(&app, facts()).await;
    becomes(&app, &expected(&[("down", Some("1"))])).await;
    // what was suggested is not, once it is off
    let database = app.stop().await;
    let app = App::start(database, |config| config.webhooks.sources = vec![source("github")]).await;
    becomes(&app, &expected(&[("down", None)])).await;
    assert_eq!(app.get("/incidents/down").await.expect(200)["link"], "unlinked");
}

/// By the definition: the last of them in the two hours before, in the same place.
fn by_hand(facts: &[(&'static str, Value)]) -> BTreeMap<String, Option<String>> {
    let (deployments, incidents): (Vec<_>, Vec<_>) = facts.iter().partition(|(path, _)| *path == "/deployments");
    let at = |value: &Value| value.as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let suggested = |incident: &Value| {
        let began = at(&incident["started_at"]);
        let fits = |deployment: &&Value| {
            let before = began - at(&deployment["deployed_at"]);
            deployment["environment"] == incident["environment"] && (0..=7200).contains(&before.num_seconds())
        };
        let nearest = deployments.iter().map(|(_, body)| body).filter(fits);
        let nearest = nearest.max_by_key(|body| (at(&body["deployed_at"]), body["id"].as_str().unwrap().to_owned()));
        nearest.map(|body| body["id"].as_str().unwrap().to_owned())
    };
    incidents.iter().map(|(_, body)| (body["id"].as_str().unwrap().to_owned(), suggested(body))).collect()
}

async fn the_order_in_which_facts_are_told_does_not_matter(engine: Engine) {
    for seed in [3, 8] {
        let random = &mut StdRng::seed_from_u64(seed);
        let mut somewhere = |body: Value| {
            let environment = if random.random_bool(0.7) { "production" } else { "staging" };
            (
                with(body, json!({"environment": environment})),
                format!("2026-06-10T{:02}:{:02}:00Z", random.random_range(8..16), random.random_range(0..4) * 15),
            )
        };
        let mut facts = Vec::new();
        for n in 0..10 {
            let (body, at) = somewhere(json!({}));
            facts.push(("/deployments", with(deployed(&format!("d{n}"), &at), body)));
            let (body, at) = somewhere(json!({}));
            facts.push(("/incidents", with(began(&format!("i{n}"), &at), body)));
        }
        let expected = by_hand(&facts);
        assert!(expected.values().flatten().count() > 3, "{expected:?}");
        let app = engine.app_with(two_hours).await;
        let mut steps = [facts.clone(), facts.clone()].concat();
        steps.shuffle(random);
        for (n, step) in steps.into_iter().enumerate() {
            record(&app, [step]).await;
            if n % 7 == 0 {
                looked(&app).await;
            }
        }
        becomes(&app, &expected).await;
        // told once more, nothing changes
        let changes = async || app.every("/journal?project_id=shop&limit=1000").await.len();
        let before = changes().await;
        record(&app, facts).await;
        looked(&app).await;
        assert_eq!((changes().await, suggestions(&app).await), (before, expected));
        assert_eq!(app.total("change_failure_count_total").await, 0.0, "nobody has confirmed anything");
        app.expect_exact().await;
    }
}

async fn ids(app: &App, link: &str) -> Vec<String> {
    let found = app.every(&format!("/incidents?link={link}&limit=1")).await;
    found.iter().map(|fact| fact["id"].as_str().unwrap().to_owned()).collect()
}

async fn failed(app: &App) -> Value {
    app.get("/dora?from=2026-06-10&to=2026-06-11").await.expect(200)["change_failure_rate"]["failed"].clone()
}

async fn a_suggestion_counts_when_somebody_confirms_it(engine: Engine) {
    let app = engine.app_with(two_hours).await;
    let linked = with(began("said", "2026-06-10T12:00:00Z"), json!({"deployment_id": "1"}));
    record(
        &app,
        [
            ("/deployments", deployed("1", "2026-06-10T11:00:00Z")),
            ("/deployments", deployed("2", "2026-06-10T13:00:00Z")),
            ("/incidents", linked),
            ("/incidents", began("down", "2026-06-10T14:00:00Z")),
            ("/incidents", began("alone", "2026-06-10T08:00:00Z")),
        ],
    )
    .await;
    becomes(&app, &expected(&[("said", None), ("down", Some("2")), ("alone", None)])).await;
    assert_eq!(
        (ids(&app, "suggested").await, ids(&app, "unlinked").await),
        (vec!["down".to_owned()], vec!["alone".to_owned()])
    );
    assert_eq!((ids(&app, "linked").await, failed(&app).await), (vec!["said".to_owned()], json!(1)));
    let explanation = app.get("/dora/explain?metric=time_to_detect&from=2026-06-10&to=2026-06-11").await.expect(200);
    let explained = &explanation["facts"][0];
    assert_eq!(
        (&explained["id"], &explained["reason"], &explained["link_method"]),
        (&json!("down"), &json!("not_linked"), &json!("window"))
    );
    assert!(explained["detail"].as_str().unwrap().contains("2 is suggested"), "{explained}");

    let fact = patch(&app, "down", json!({"deployment_id": "2"})).await;
    let link = ["link", "link_method", "link_confidence", "suggested_deployment_id"].map(|field| fact[field].clone());
    assert_eq!(link, [json!("linked"), json!("person"), json!("certain"), Value::Null]);
    assert_eq!((ids(&app, "suggested").await.len(), failed(&app).await), (0, json!(2)));
    assert_eq!(app.total("change_failure_count_total").await, 2.0);
    app.expect_exact().await;
    app.refuses(app.request(Method::GET, "/incidents?link=maybe"), 400, "invalid").await;
}

async fn another_may_be_said_or_none(engine: Engine) {
    let app = engine.app_with(two_hours).await;
    record(
        &app,
        [
            ("/deployments", deployed("1", "2026-06-10T11:00:00Z")),
            ("/deployments", deployed("2", "2026-06-10T11:30:00Z")),
            ("/incidents", began("a", "2026-06-10T12:00:00Z")),
            ("/incidents", began("b", "2026-06-10T12:01:00Z")),
        ],
    )
    .await;
    becomes(&app, &expected(&[("a", Some("2")), ("b", Some("2"))])).await;
    assert_eq!(patch(&app, "a", json!({"deployment_id": "1"})).await["link"], "linked");
    assert_eq!(patch(&app, "b", json!({"deployment_id": null})).await["link"], "none");
    // and it stays so
    record(&app, [("/deployments", deployed("3", "2026-06-10T11:59:00Z"))]).await;
    looked(&app).await;
    assert_eq!(suggestions(&app).await, expected(&[("a", None), ("b", None)]));
    assert_eq!((ids(&app, "none").await, failed(&app).await), (vec!["b".to_owned()], json!(1)));
    let again = patch(&app, "b", json!({"deployment_id": null})).await;
    assert_eq!(again["link_method"], "person");
    assert_eq!(app.get("/journal?id=b&kind=incident.corrected").await.expect(200).as_array().unwrap().len(), 1);
    app.expect_exact().await;
}

async fn what_its_tool_says_is_better_than_a_suggestion(engine: Engine) {
    let app = engine.app_with(two_hours).await;
    let mut issue: Value = serde_json::from_str(sample("issue")).unwrap();
    issue["issue"]["labels"] = json!([{"name": "incident"}]);
    tell(&app, "issues", &issue.to_string()).await;
    let path = "/incidents/github:issue:4040";
    let fact = app.get(path).await.expect(200);
    let place = json!({"project_id": fact["project_id"], "environment": fact["environment"]});
    let at = |minutes: i64| {
        let began: chrono::DateTime<chrono::Utc> = fact["started_at"].as_str().unwrap().parse().unwrap();
        (began - chrono::Duration::minutes(minutes)).to_rfc3339()
    };
    record(&app, [("/deployments", with(deployed("near", &at(5)), place.clone()))]).await;
    looked(&app).await;
    assert_eq!(app.get(path).await.expect(200)["suggested_deployment_id"], "near");
    issue["issue"]["labels"] = json!([{"name": "incident"}, {"name": "deployment:right"}]);
    issue["issue"]["updated_at"] = json!("2026-06-15T13:50:00Z");
    tell(&app, "issues", &issue.to_string()).await;
    looked(&app).await;
    assert_eq!(app.get(path).await.expect(200)["link"], "unlinked", "it names one that is not known yet");
    record(&app, [("/deployments", with(deployed("right", &at(60)), place))]).await;
    looked(&app).await;
    let fact = app.get(path).await.expect(200);
    assert_eq!([&fact["deployment_id"], &fact["link_method"]], [&json!("right"), &json!("label")]);
}

async fn how_it_was_linked_is_exported(engine: Engine) {
    let app = engine.app_with(two_hours).await;
    let linked = with(began("sent", "2026-06-10T12:00:00Z"), json!({"deployment_id": "1"}));
    record(
        &app,
        [
            ("/deployments", deployed("1", "2026-06-10T11:00:00Z")),
            ("/incidents", linked),
            ("/incidents", began("confirmed", "2026-06-10T12:01:00Z")),
            ("/incidents", began("none", "2026-06-10T12:02:00Z")),
            ("/incidents", began("suggested", "2026-06-10T12:03:00Z")),
        ],
    )
    .await;
    patch(&app, "confirmed", json!({"deployment_id": "1"})).await;
    patch(&app, "none", json!({"deployment_id": null})).await;
    becomes(&app, &expected(&[("sent", None), ("confirmed", None), ("none", None), ("suggested", Some("1"))])).await;
    let exported = app.get("/export").await.text;
    let import = async |app: &App| {
        let request = app.request(Method::POST, "/import").header("content-type", "application/x-ndjson");
        Answer::of(request.body(exported.clone())).await.expect(200)
    };
    assert_eq!(import(&app).await["unchanged"], 5, "it is as it was");
    let other = engine.app_with(two_hours).await;
    import(&other).await;
    // what follows from the facts follows from them there as well
    becomes(&other, &suggestions(&app).await).await;
    assert_eq!(other.get("/export").await.text, exported);
    let links = async |app: &App| {
        let facts = app.every("/incidents").await;
        facts
            .iter()
            .map(|fact| (fact["id"].clone(), fact["link"].clone(), fact["link_method"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(links(&other).await, links(&app).await);
    let guessed = exported.replace("\"sent\"", "\"dice\"");
    let request = app.request(Method::POST, "/import").header("content-type", "application/x-ndjson").body(guessed);
    assert!(Answer::of(request).await.text.contains("/link_method"));
}
