//! `GET /dora/explain`

use reqwest::Method;
use serde_json::{Value, json};

use super::{deployed, dora, incident, step, tell};
use crate::app::App;
use crate::engine::Engine;

on_each_engine! {
    every_fact_is_there_with_its_reason,
    incidents_are_explained_too,
    the_facts_add_up_to_the_answer,
    links_lead_to_the_facts,
    no_link_leads_to_what_was_deleted,
    pages_lead_through_everything_once,
    one_side_can_be_asked_for,
    bad_questions_are_refused,
}

async fn fill(app: &App) {
    tell(
        app,
        [
            deployed("fine", "2026-06-02T10:00:00Z", json!({})),
            deployed("hit", "2026-06-03T10:00:00Z", json!({"url": "https://ci.example/7"})),
            deployed("back", "2026-06-04T10:00:00Z", json!({"unplanned": true})),
            step("/deployments/back/rolled-back", json!({"rolled_back_at": "2026-06-04T10:30:00Z"})),
            deployed("elsewhere", "2026-06-05T10:00:00Z", json!({"environment": "staging"})),
            step(
                "/deployments",
                json!({"id": "broken", "project_id": "shop", "first_commit_at": "2026-06-06T08:00:00Z",
            "deploy_start_at": "2026-06-06T09:00:00Z"}),
            ),
            step("/deployments/broken/failed", json!({"failed_at": "2026-06-06T10:00:00Z"})),
            step(
                "/deployments",
                json!({"id": "running", "project_id": "shop", "first_commit_at": "2026-06-07T08:00:00Z",
            "deploy_start_at": "2026-06-07T09:00:00Z"}),
            ),
            deployed("later", "2026-06-15T10:00:00Z", json!({})),
            incident(
                "one",
                "2026-06-03T11:00:00Z",
                json!({"deployment_id": "hit", "restored_at": "2026-06-03T12:00:00Z"}),
            ),
            incident("two", "2026-06-03T11:30:00Z", json!({"deployment_id": "hit", "environment": "staging"})),
            incident("alone", "2026-06-05T11:00:00Z", json!({"finished_at": "2026-06-05T12:00:00Z"})),
            incident("old", "2026-05-05T11:00:00Z", json!({})),
            incident("rolling", "2026-06-07T11:00:00Z", json!({"deployment_id": "running"})),
        ],
    )
    .await;
}

const JUNE: &str = "from=2026-06-01&to=2026-06-15";

/// Id, reason and what each counts as.
async fn lines(app: &App, metric: &str) -> Vec<(String, String, String)> {
    let explanation = app.get(&format!("/dora/explain?metric={metric}&{JUNE}")).await.expect(200);
    let facts = explanation["facts"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let words = |value: &Value| value.as_array().unwrap().iter().map(text).collect::<Vec<_>>().join(" ");
    facts.iter().map(|fact| (text(&fact["id"]), text(&fact["reason"]), words(&fact["counts_as"]))).collect()
}

#[track_caller]
fn same(found: &[(String, String, String)], expected: &[(&str, &str, &str)]) {
    let found: Vec<_> =
        found.iter().map(|(id, reason, words)| (id.as_str(), reason.as_str(), words.as_str())).collect();
    assert_eq!(found, expected);
}

async fn every_fact_is_there_with_its_reason(engine: Engine) {
    let app = engine.app().await;
    fill(&app).await;
    let left_out =
        [("running", "not_deployed", ""), ("broken", "pipeline_failed", ""), ("elsewhere", "other_environment", "")];
    let with =
        |counted: [(&'static str, &'static str, &'static str); 3]| [left_out.to_vec(), counted.to_vec()].concat();
    same(
        &lines(&app, "change_failure_rate").await,
        &with([
            ("back", "rolled_back", "deployments failed"),
            ("hit", "incident", "deployments failed"),
            ("fine", "did_not_fail", "deployments"),
        ]),
    );
    same(
        &lines(&app, "failed_deployment_recovery_time").await,
        &with([("back", "recovered", "n"), ("hit", "not_recovered", "open"), ("fine", "did_not_fail", "")]),
    );
    same(
        &lines(&app, "deployment_rework_rate").await,
        &with([
            ("back", "unplanned", "deployments unplanned"),
            ("hit", "planned", "deployments"),
            ("fine", "planned", "deployments"),
        ]),
    );
    same(
        &lines(&app, "deployment_frequency").await,
        &with([
            ("back", "deployed", "deployments"),
            ("hit", "deployed", "deployments"),
            ("fine", "deployed", "deployments"),
        ]),
    );
    same(
        &lines(&app, "pipelines").await,
        &[
            ("running", "not_deployed", ""),
            ("broken", "pipeline_failed", "failed"),
            ("elsewhere", "other_environment", ""),
            ("back", "deployed", "deployed"),
            ("hit", "deployed", "deployed"),
            ("fine", "deployed", "deployed"),
        ],
    );
    let explanation = app.get(&format!("/dora/explain?metric=change_failure_rate&{JUNE}")).await.expect(200);
    assert_eq!((&explanation["counted"], &explanation["left_out"]), (&json!(3), &json!(3)));
    assert!(explanation["formula"].as_str().unwrap().starts_with("failed / deployments"));
    assert_eq!(explanation["environment"], "production");
    assert_eq!(
        explanation["facts"][4],
        json!({
            "kind": "deployment", "project_id": "shop", "id": "hit", "team_id": null, "environment": "production",
            "at": "2026-06-03T10:00:00Z", "counted": true, "counts_as": ["deployments", "failed"], "reason": "incident",
            "detail": "incidents one, two are linked to it", "seconds": null, "link": "/deployments/hit?project_id=shop",
            "first_commit_from": null, "deleted": false, "link_method": null, "link_confidence": null,
            "url": "https://ci.example/7",
            "related": ["/incidents/one?project_id=shop", "/incidents/two?project_id=shop"],
        })
    );
}

async fn incidents_are_explained_too(engine: Engine) {
    let app = engine.app().await;
    fill(&app).await;
    let details = async |metric: &str| {
        let explanation = app.get(&format!("/dora/explain?metric={metric}&{JUNE}")).await.expect(200);
        explanation["facts"].as_array().unwrap().iter().map(|fact| fact["detail"].to_string()).collect::<Vec<_>>()
    };
    let recovery = details("failed_deployment_recovery_time").await;
    let both = "rolled back at 2026-06-04T10:30:00Z; failed at 2026-06-04T10:00:00Z, recovered at 2026-06-04T10:30:00Z";
    assert!(recovery.iter().any(|detail| detail.contains(both)), "{recovery:?}");
    assert!(details("time_to_detect").await[0].contains("has not reached users, or was deleted"));
    same(
        &lines(&app, "time_to_restore").await,
        &[
            ("rolling", "not_restored", ""),
            ("alone", "restored", "n"),
            ("two", "other_environment", ""),
            ("one", "restored", "n"),
        ],
    );
    same(
        &lines(&app, "time_to_detect").await,
        &[
            ("rolling", "deployment_not_deployed", ""),
            ("alone", "not_linked", ""),
            ("two", "other_environment", ""),
            ("one", "linked", "n"),
        ],
    );
    same(
        &lines(&app, "incidents").await,
        &[
            ("rolling", "open", "started open"),
            ("alone", "finished", "started restored finished"),
            ("two", "other_environment", ""),
            ("one", "restored", "started restored"),
            ("old", "open", "open"),
        ],
    );
}

async fn the_facts_add_up_to_the_answer(engine: Engine) {
    let app = engine.app().await;
    fill(&app).await;
    for query in [JUNE, "from=2026-06-03&to=2026-06-05", "from=2026-06-01&environment=staging", "team_id=red"] {
        let answer = dora(&app, query).await;
        for metric in [
            "deployment_frequency",
            "lead_time_for_changes",
            "change_failure_rate",
            "failed_deployment_recovery_time",
            "deployment_rework_rate",
            "time_to_restore",
            "time_to_detect",
            "incidents",
            "pipelines",
        ] {
            let explanation = app.get(&format!("/dora/explain?metric={metric}&{query}")).await.expect(200);
            assert_eq!(explanation["answer"], answer[metric], "{metric} {query}");
            let facts = explanation["facts"].as_array().unwrap();
            let counts = |word: &str| {
                facts.iter().filter(|fact| fact["counts_as"].as_array().unwrap().contains(&json!(word))).count()
            };
            for word in
                ["n", "open", "deployments", "failed", "deployed", "unplanned", "started", "restored", "finished"]
            {
                if let Some(expected) = answer[metric].get(word) {
                    assert_eq!(&json!(counts(word)), expected, "{metric} {word} {query}");
                }
            }
        }
    }
}

async fn links_lead_to_the_facts(engine: Engine) {
    let app = engine.app().await;
    tell(
        &app,
        [
            deployed("a/1 ü", "2026-06-10T10:00:00Z", json!({"project_id": "x&y"})),
            incident("i?1", "2026-06-10T11:00:00Z", json!({"project_id": "x&y", "deployment_id": "a/1 ü"})),
        ],
    )
    .await;
    for prefix in ["", "/api/v1"] {
        for metric in ["change_failure_rate", "time_to_detect"] {
            let explanation = app.get(&format!("{prefix}/dora/explain?metric={metric}")).await.expect(200);
            let fact = &explanation["facts"][0];
            for link in [&fact["link"], &fact["related"][0]] {
                let link = link.as_str().unwrap();
                assert!(link.starts_with(prefix), "{link}");
                assert_eq!(app.get(link).await.expect(200)["project_id"], "x&y");
            }
            assert_eq!(app.get(fact["link"].as_str().unwrap()).await.expect(200)["id"], fact["id"]);
        }
    }
}

async fn no_link_leads_to_what_was_deleted(engine: Engine) {
    let app = engine.app().await;
    tell(
        &app,
        [
            deployed("gone", "2026-06-10T10:00:00Z", json!({})),
            incident("kept", "2026-06-10T11:00:00Z", json!({"deployment_id": "gone"})),
            deployed("kept", "2026-06-11T10:00:00Z", json!({})),
            incident("gone", "2026-06-11T11:00:00Z", json!({"deployment_id": "kept"})),
            // of another project, and there
            deployed("gone", "2026-06-12T10:00:00Z", json!({"project_id": "api"})),
        ],
    )
    .await;
    app.set_now("2026-06-15T13:00:00Z");
    for path in ["/deployments/gone?project_id=shop", "/incidents/gone"] {
        assert_eq!(app.request(Method::DELETE, path).send().await.unwrap().status(), 204);
    }
    let then = async |metric: &str| {
        let question = format!("metric={metric}&{JUNE}&as_of=2026-06-15T12:00:00Z");
        let facts = app.get(&format!("/dora/explain?{question}")).await.expect(200)["facts"].clone();
        let links = |fact: &Value| {
            let related = fact["related"].as_array().unwrap();
            related.iter().chain(&[fact["link"].clone()]).filter_map(Value::as_str).map(str::to_owned).collect()
        };
        for link in facts.as_array().unwrap().iter().flat_map(|fact| -> Vec<String> { links(fact) }) {
            app.get(&link).await.expect(200);
        }
        let told = |fact: &Value| {
            let project_and_id = format!("{} {}", fact["project_id"], fact["id"]).replace('"', "");
            (project_and_id, fact["counted"] == true, fact["deleted"] == true, links(fact).len())
        };
        facts.as_array().unwrap().iter().map(told).collect::<Vec<_>>()
    };
    let line = |id: &str, deleted, links| (id.to_owned(), true, deleted, links);
    assert_eq!(
        then("change_failure_rate").await,
        [line("api gone", false, 1), line("shop kept", false, 1), line("shop gone", true, 1)],
        "the second's incident is gone, the third's is not"
    );
    assert_eq!(then("time_to_detect").await, [line("shop gone", true, 1), line("shop kept", false, 1)]);
    // now it is known why nothing is known
    let now = app.get(&format!("/dora/explain?metric=time_to_detect&{JUNE}")).await.expect(200);
    let fact = &now["facts"][0];
    assert_eq!((&fact["id"], &fact["reason"]), (&json!("kept"), &json!("deployment_deleted")));
    assert_eq!((&fact["detail"], &fact["related"]), (&json!("its deployment gone was deleted"), &json!([])));
    let page = app.request(Method::GET, "/facts?metric=time_to_detect").header("accept", "text/html");
    assert!(crate::app::Answer::of(page).await.text.contains("its deployment gone was deleted"));
}

async fn pages_lead_through_everything_once(engine: Engine) {
    let app = engine.app().await;
    for n in 0..10 {
        // two projects, the same ids and times
        let (id, at, project) = ((n / 2).to_string(), format!("2026-06-1{}T10:00:00Z", n / 4), ["shop", "api"][n % 2]);
        tell(&app, [deployed(&id, &at, json!({"project_id": project}))]).await;
    }
    let all = app.get("/dora/explain?metric=deployment_frequency").await.expect(200)["facts"].clone();
    assert_eq!(all.as_array().unwrap().len(), 10);
    for limit in [1, 3, 10, 11] {
        let mut facts = Vec::new();
        let mut next = Some(format!("/dora/explain?metric=deployment_frequency&limit={limit}"));
        while let Some(path) = next {
            let answer = app.get(&path).await;
            let page = answer.expect(200);
            assert_eq!(page["counted"], 10, "the whole, on each page");
            facts.extend(page["facts"].as_array().unwrap().clone());
            next = answer.next_page();
        }
        assert_eq!(json!(facts), all, "limit {limit}");
    }
}

async fn one_side_can_be_asked_for(engine: Engine) {
    let app = engine.app().await;
    fill(&app).await;
    for (counted, expected) in [("true", ["back", "hit", "fine"]), ("false", ["running", "broken", "elsewhere"])] {
        let path = format!("/dora/explain?metric=change_failure_rate&{JUNE}&counted={counted}");
        let explanation = app.get(&path).await.expect(200);
        let ids: Vec<_> =
            explanation["facts"].as_array().unwrap().iter().map(|fact| fact["id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected);
        assert_eq!((&explanation["counted"], &explanation["left_out"]), (&json!(3), &json!(3)));
    }
}

async fn bad_questions_are_refused(engine: Engine) {
    let app = engine.app().await;
    for (query, pointer) in [
        ("", "/metric"),
        ("metric=", "/metric"),
        ("metric=velocity", "/metric"),
        ("metric=incidents&metric=pipelines", "/metric"),
        ("metric=incidents&counted=maybe", "/counted"),
        ("metric=incidents&limit=0", "/limit"),
        ("metric=incidents&cursor=x", "/cursor"),
        ("metric=incidents&interval=day", "/interval"),
        ("metric=incidents&tz=Mars", "/tz"),
        ("metric=incidents&from=1970-01-01", "/from"),
    ] {
        let request = app.request(Method::GET, &format!("/dora/explain?{query}"));
        assert_eq!(app.refuses(request, 400, "invalid").await, [pointer], "{query}");
    }
    let app = engine.app_with(|config| config.auth.no_auth = false).await;
    app.get("/dora/explain?metric=incidents").await.expect_problem(401, "unauthenticated");
}
