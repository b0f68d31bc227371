//! What bodies may say: JSON of the wrong sort, and the pointers to what is wrong.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::app::{Answer, App};
use crate::engine::Engine;

on_each_engine! {
    what_is_not_json_is_refused,
    what_is_not_an_object_is_refused,
    fields_of_the_wrong_type_are_pointed_at,
    all_bad_fields_are_pointed_at,
    times_need_an_offset,
    times_of_every_spelling_are_understood,
    a_field_given_twice_is_refused,
    of_a_long_value_only_the_beginning_is_said_back,
    deep_nesting_harms_nobody,
    bodies_must_be_announced_as_json,
    json_by_any_of_its_names_is_read,
    an_empty_body_needs_no_content_type,
    encoded_bodies_are_refused,
}

const WRITES: [&str; 7] = [
    "/deployments",
    "/deployments/17/deployed",
    "/deployments/17/failed",
    "/deployments/17/rolled-back",
    "/incidents",
    "/incidents/outage/restored",
    "/incidents/outage/finished",
];

fn raw(app: &App, path: &str, body: impl Into<Vec<u8>>) -> RequestBuilder {
    app.request(Method::POST, path).header("content-type", "application/json").body(body.into())
}

/// A deployment and an incident to write to.
async fn known(engine: Engine) -> App {
    let app = engine.app().await;
    let start = json!({"id": "17", "project_id": "shop", "first_commit_at": "2026-06-15T10:00:00Z"});
    app.post("/deployments", start).await.expect(201);
    app.post("/incidents", json!({"id": "outage", "project_id": "shop"})).await.expect(201);
    app
}

async fn what_is_not_json_is_refused(engine: Engine) {
    let app = known(engine).await;
    let start = r#"{"id":"18","project_id":"shop","first_commit_at":"2026-06-15T10:00:00Z""#;
    for body in [
        b"{".as_slice(),
        b"{]",
        b"nonsense",
        b"{} {}",
        b"{}}",
        b"{}x",
        b"\0",
        b"{}\0",
        b"\xEF\xBB\xBF{}",
        b"\xFF\xFE{\0}\0",
        b"{'date': null}",
        b"{\"date\": null,}",
        b"{\"date\": NaN}",
        b"// comment\n{}",
        b"id=18&project_id=shop",
        b"<deployment id=\"18\"/>",
        b"{\"id\": \"\xFF\"}",
        b"{\"id\": \"\xC3\"}",
        b"{\"id\": \"\xED\xA0\x80\"}",
        b"{\"id\": \"\\ud800\"}",
        b"{\"id\": \"line\nbreak\"}",
        b"{\"id\": 1e999}",
        start.as_bytes(),
        format!("{start}}} trailing").as_bytes(),
    ] {
        for path in ["/deployments", "/incidents"] {
            app.refuses(raw(&app, path, body), 400, "not-json").await;
        }
    }
    for path in WRITES {
        app.refuses(raw(&app, path, "{} trailing"), 400, "not-json").await;
    }
}

async fn what_is_not_an_object_is_refused(engine: Engine) {
    let app = known(engine).await;
    // as long as the longest list of fields there is: by position it would mean something
    let in_order = json!(["18", "shop", "2026-06-15T10:00:00Z", null, null, null, null, null, null, null, null, null]);
    for body in
        [json!(null), json!(true), json!(17), json!("text"), json!([]), json!([null]), json!([null, null]), in_order]
    {
        for path in WRITES {
            let request = raw(&app, path, body.to_string());
            assert_eq!(app.refuses(request, 400, "invalid").await, [""], "{path} {body}");
        }
    }
    let date = json!(["2026-06-15T12:00:00Z"]);
    for path in ["/incidents/outage/restored", "/incidents/outage/finished"] {
        assert_eq!(app.refuses_post(path, date.clone(), 400, "invalid").await, [""]);
    }
}

async fn fields_of_the_wrong_type_are_pointed_at(engine: Engine) {
    let app = known(engine).await;
    let texts = [json!(17), json!(1.5), json!(true), json!([]), json!(["17"]), json!({}), json!({"id": "17"})];
    for field in ["id", "project_id", "team_id", "environment", "username", "commit_sha", "version", "url"] {
        for value in &texts {
            let pointers = app.refuses_post("/deployments", json!({field: value}), 400, "invalid").await;
            assert_eq!(pointers, [format!("/{field}")], "{value}");
        }
    }
    for (path, field) in [
        ("/deployments", "first_commit_at"),
        ("/deployments", "deploy_start_at"),
        ("/deployments", "deployed_at"),
        ("/deployments/17/deployed", "deployed_at"),
        ("/deployments/17/failed", "failed_at"),
        ("/deployments/17/rolled-back", "rolled_back_at"),
        ("/incidents", "started_at"),
        ("/incidents", "restored_at"),
        ("/incidents", "finished_at"),
        ("/incidents/outage/restored", "date"),
        ("/incidents/outage/finished", "date"),
    ] {
        for value in [json!(1_781_517_600), json!(true), json!({}), json!("now"), json!(""), json!("15.06.2026")] {
            let pointers = app.refuses_post(path, json!({field: value}), 400, "invalid").await;
            assert_eq!(pointers, [format!("/{field}")], "{path} {value}");
        }
    }
    for (path, field) in [("/deployments", "unplanned"), ("/deployments/17/deployed", "create_if_not_exists")] {
        for value in [json!("true"), json!(1), json!([]), json!({})] {
            let pointers = app.refuses_post(path, json!({field: value}), 400, "invalid").await;
            assert_eq!(pointers, [format!("/{field}")], "{value}");
        }
    }
}

async fn all_bad_fields_are_pointed_at(engine: Engine) {
    let app = known(engine).await;
    let body = json!({
        "id": 17, "project_id": "shop", "first_commit_at": "yesterday", "unplanned": "no", "url": {"deep": []},
    });
    let mut pointers = app.refuses_post("/deployments", body, 400, "invalid").await;
    pointers.sort();
    assert_eq!(pointers, ["/first_commit_at", "/id", "/unplanned", "/url"]);
}

async fn times_need_an_offset(engine: Engine) {
    let app = known(engine).await;
    for time in [
        "2026-06-15T12:00:00",
        "2026-06-15",
        "2026-06-15 12:00",
        "12:00:00Z",
        "2026-06-15T12:00Z",
        "2026-02-29T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-06-15T24:00:01Z",
        "2026-06-15T12:00:00+2500",
        "2026-06-15T12:00:00+99:00",
        "2026-06-15T12:00:00 Z",
        " 2026-06-15T12:00:00Z",
        "2026-06-15T12:00:00Z\u{0}",
        "２０２６-06-15T12:00:00Z",
        "1969-12-31T23:59:59Z",
        "10000-01-01T00:00:00Z",
        "-001-01-01T00:00:00Z",
    ] {
        let body = json!({"deployed_at": time});
        let pointers = app.refuses_post("/deployments/17/deployed", body, 400, "invalid").await;
        assert_eq!(pointers, ["/deployed_at"], "{time}");
    }
}

async fn times_of_every_spelling_are_understood(engine: Engine) {
    let app = known(engine).await;
    for (n, (time, shown)) in [
        ("2026-06-15T11:00:00+00:00", "2026-06-15T11:00:00Z"),
        ("2026-06-15T16:45:00+05:45", "2026-06-15T11:00:00Z"),
        ("2026-06-14T23:00:00-12:00", "2026-06-15T11:00:00Z"),
        ("2026-06-15t11:00:00z", "2026-06-15T11:00:00Z"),
        ("2026-06-15T11:00:00.123456789Z", "2026-06-15T11:00:00.123456Z"),
        ("2026-06-15T11:00:00.1Z", "2026-06-15T11:00:00.100Z"),
        ("2024-12-31T23:59:60Z", "2025-01-01T00:00:00Z"),
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({"id": n.to_string(), "project_id": "api", "started_at": time});
        assert_eq!(app.post("/incidents", body).await.expect(201)["started_at"], shown, "{time}");
    }
}

async fn a_field_given_twice_is_refused(engine: Engine) {
    let app = known(engine).await;
    let twice = r#"{"id":"18","id":"19","project_id":"shop","first_commit_at":"2026-06-15T10:00:00Z"}"#;
    assert_eq!(app.refuses(raw(&app, "/deployments", twice), 400, "invalid").await, ["/id"]);
    let twice = r#"{"date":"2026-06-15T12:00:00Z","date":null}"#;
    assert_eq!(app.refuses(raw(&app, "/incidents/outage/restored", twice), 400, "invalid").await, ["/date"]);
}

async fn of_a_long_value_only_the_beginning_is_said_back(engine: Engine) {
    let app = known(engine).await;
    let long = "ü\"".repeat(2000);
    let bodies = [
        ("/deployments", json!({"id": "18", "project_id": "shop", "first_commit_at": long})),
        ("/deployments", json!({"id": "18", "project_id": "shop", "unplanned": long})),
        ("/incidents/outage/restored", json!({"date": long})),
    ];
    let queries =
        ["dora?tz", "dora?from", "dora?interval", "dora/explain?metric", "deployments?limit", "incidents?type"];
    let queries = queries.iter().map(|query| app.request(Method::GET, &format!("/{query}={long}")));
    let names = ["deployments", "dora"].map(|path| app.request(Method::GET, &format!("/{path}?{long}=1")));
    let bodies = bodies.map(|(path, body)| app.request(Method::POST, path).json(&body));
    for request in queries.chain(names).chain(bodies) {
        let answer = Answer::of(request).await;
        answer.expect_problem(400, "invalid");
        assert!(answer.text.len() < 1500 && answer.text.contains('…'), "{}", answer.text);
    }
    let url = |end: &str| json!({"url": format!("https://ci/{}{end}", "x".repeat(1900))});
    app.post("/deployments/17/deployed", url("1")).await.expect(200);
    let answer = app.post("/deployments/17/deployed", url("2")).await;
    answer.expect_problem(409, "conflict");
    assert!(answer.text.len() < 1000, "{}", answer.text);
}

async fn deep_nesting_harms_nobody(engine: Engine) {
    let app = known(engine).await;
    let deep = |field: &str| {
        let (open, close) = ("[".repeat(200_000), "]".repeat(200_000));
        raw(&app, "/incidents", format!(r#"{{"project_id":"shop","{field}":{open}{close}}}"#))
    };
    let answer = Answer::of(deep("id")).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    // a field that nobody knows is ignored, however deep
    assert_eq!(Answer::of(deep("later")).await.expect(201)["id"], "incident_shop_2");
    let maps = r#"{"a":"#.repeat(50_000);
    app.refuses(raw(&app, "/incidents", maps), 400, "not-json").await;
}

async fn bodies_must_be_announced_as_json(engine: Engine) {
    let app = known(engine).await;
    let body = json!({"id": "18", "project_id": "shop", "first_commit_at": "2026-06-15T10:00:00Z"}).to_string();
    for content_type in [
        // what curl -d says unless it is told
        "application/x-www-form-urlencoded",
        "text/plain",
        "text/json",
        "application/jsonp",
        "application/xml",
        "multipart/form-data; boundary=x",
        "*/*",
        "",
        "json",
    ] {
        for path in WRITES {
            let request = app.request(Method::POST, path).header("content-type", content_type).body(body.clone());
            app.refuses(request, 415, "unsupported-media-type").await;
        }
    }
    app.refuses(app.request(Method::POST, "/deployments").body(body), 415, "unsupported-media-type").await;
    let advice: Value = app.get("/problems/unsupported-media-type").await.expect(200);
    assert!(advice["advice"].as_str().unwrap().contains("--json"), "{advice}");
}

async fn json_by_any_of_its_names_is_read(engine: Engine) {
    let app = known(engine).await;
    for content_type in [
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/json ;charset=UTF-8",
        "application/cloudevents+json",
    ] {
        let request = app.request(Method::POST, "/incidents").header("content-type", content_type);
        Answer::of(request.body(r#" {"project_id": "shop"} "#)).await.expect(201);
    }
    assert_eq!(app.total("incident_count_total").await, 5.0);
}

async fn an_empty_body_needs_no_content_type(engine: Engine) {
    let app = known(engine).await;
    let form = app.request(Method::POST, "/deployments/17/deployed");
    // curl -d ''
    let form = form.header("content-type", "application/x-www-form-urlencoded").body("");
    Answer::of(form).await.expect(200);
    Answer::of(app.request(Method::POST, "/incidents/outage/restored").body(" \r\n\t")).await.expect(200);
    Answer::of(raw(&app, "/incidents/outage/finished", "")).await.expect(200);
}

async fn encoded_bodies_are_refused(engine: Engine) {
    let app = known(engine).await;
    for (encoding, refused) in [("gzip", true), ("identity, br", true), ("x-gzip", true), ("identity", false)] {
        for path in WRITES {
            let request = raw(&app, path, "{}").header("content-encoding", encoding);
            let answer = Answer::of(request).await;
            assert_eq!(answer.status == 415, refused, "{encoding} {path}: {}", answer.text);
            if refused {
                answer.expect_problem(415, "unsupported-encoding");
                assert_eq!(answer.header("accept-encoding"), "identity");
                let detail = answer.json()["detail"].as_str().unwrap().to_owned();
                assert!(detail.contains(encoding) && detail.contains("only identity"), "{detail}");
            }
        }
    }
}
