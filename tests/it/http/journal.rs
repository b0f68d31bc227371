//! `/journal`

use em_metrics::auth::Role;
use em_metrics::config::{Auth, Config, Token};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::Answer;
use crate::engine::Engine;
use crate::http::name;

on_each_engine! {
    who_said_what_and_when,
    it_is_filtered_and_paged,
    a_misspelt_filter_is_refused,
}

async fn who_said_what_and_when(engine: Engine) {
    let token = |of: &str, token: &str| Token { name: name(of), token: token.into(), role: Role::Writer };
    let tokens = vec![token("ann", "t1"), token("ci", "t2")];
    let auth = |config: &mut Config| config.auth = Auth { tokens, ..Auth::default() };
    let app = engine.app_with(auth).await.authorized("Bearer t2");
    let body = json!({"id": "17", "project_id": "shop", "first_commit_at": "2026-06-15T08:00:00Z",
        "deployed_at": "2026-06-15T11:00:00Z"});
    app.post("/deployments", body).await.expect(201);
    app.set_now("2026-06-15T13:00:00Z");
    let app = app.authorized("Bearer t1");
    Answer::of(app.request(Method::PATCH, "/deployments/17").json(&json!({"version": "2"}))).await.expect(200);
    Answer::of(app.request(Method::DELETE, "/deployments/17")).await;
    let entries = app.get("/journal").await.expect(200);
    let told = |entry: &Value| (entry["kind"].clone(), entry["actor"].clone(), entry["recorded_at"].clone());
    assert_eq!(
        entries.as_array().unwrap().iter().map(told).collect::<Vec<_>>(),
        [
            (json!("deployment.deleted"), json!("ann"), json!("2026-06-15T13:00:00Z")),
            (json!("deployment.corrected"), json!("ann"), json!("2026-06-15T13:00:00Z")),
            (json!("deployment.started"), json!("ci"), json!("2026-06-15T12:00:00Z")),
        ]
    );
    assert_eq!(entries[0]["changes"], json!({"deleted_at": {"before": null, "after": "2026-06-15T13:00:00Z"}}));
    assert_eq!(entries[0]["after"], Value::Null);
    assert_eq!(entries[1]["changes"], json!({"version": {"before": null, "after": "2"}}));
    assert_eq!(entries[1]["after"]["version"], "2");
    assert_eq!(entries[2]["changes"]["lead_time_seconds"], json!({"before": null, "after": 10800.0}));
    assert_eq!(
        (&entries[2]["project_id"], &entries[2]["id"], &entries[2]["entity"]),
        (&json!("shop"), &json!("17"), &json!("deployment"))
    );
}

async fn it_is_filtered_and_paged(engine: Engine) {
    let app = engine.app().await;
    for n in 0..3 {
        for project in ["shop", "api"] {
            app.set_now(&format!("2026-06-15T1{n}:00:00Z"));
            let body = json!({"id": n.to_string(), "project_id": project, "started_at": "2026-06-15T01:00:00Z"});
            app.post("/incidents", body).await.expect(201);
        }
    }
    app.post("/incidents/1/restored?project_id=api", json!({})).await.expect(200);
    let count = async |query: &str| app.get(&format!("/journal?{query}")).await.expect(200).as_array().unwrap().len();
    for (query, expected) in [
        ("", 7),
        ("project_id=api", 4),
        ("id=1", 3),
        ("id=1&project_id=api", 2),
        ("kind=incident.restored", 1),
        ("entity=incident", 7),
        ("entity=deployment", 0),
        ("actor=nobody", 0),
        ("from=2026-06-15T11:00:00Z&to=2026-06-15T12:00:00Z", 2),
    ] {
        assert_eq!(count(query).await, expected, "{query}");
    }
    let whole = app.get("/journal").await.expect(200);
    let (mut paged, mut next) = (Vec::new(), Some("/journal?limit=3".to_owned()));
    while let Some(path) = next {
        let page = app.get(&path).await;
        next = page.next_page();
        paged.extend(page.expect(200).as_array().unwrap().clone());
    }
    assert_eq!(Value::Array(paged), whole);
}

async fn a_misspelt_filter_is_refused(engine: Engine) {
    let app = engine.app().await;
    for (query, pointer) in [
        ("entity=pod", "/entity"),
        ("project=shop", "/project"),
        ("from=yesterday", "/from"),
        ("cursor=x", "/cursor"),
        ("limit=0", "/limit"),
    ] {
        let pointers = app.get(&format!("/journal?{query}")).await.expect_problem(400, "invalid");
        assert_eq!(pointers, [pointer]);
    }
}
