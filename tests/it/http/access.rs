//! Who is let in, and to what.

use em_metrics::config::{Auth, Basic, Config, Publication, Role, Token};
use em_metrics::dora::explain::Metric;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answer, App};
use crate::engine::Engine;
use crate::http::name;

on_each_engine! {
    only_what_must_be_is_open,
    metrics_can_be_closed,
    each_way_of_showing_a_token_is_taken,
    a_refusal_tells_nothing_about_what_was_wrong,
    credentials_are_asked_for_before_the_body_is_read,
    basic_credentials_may_lack_either_half,
    readers_read_and_write_nothing,
    only_admins_see_the_configuration,
    the_journal_says_who_it_was,
    without_credentials_nobody_gets_in,
    without_authentication_everybody_gets_in,
}

fn token(name_: &str, token: &str, role: Role) -> Token {
    Token { name: name(name_), token: token.to_owned().into(), role }
}

fn basic(username: &str, password: &str) -> Basic {
    Basic { username: username.to_owned(), password: password.to_owned().into() }
}

/// Three tokens, one for each role, and a pair of name and password.
fn guarded(config: &mut Config) {
    let tokens = vec![
        token("dashboard", "read-me", Role::Reader),
        token("ci", "write-me", Role::Writer),
        token("ops", "rule-me", Role::Admin),
    ];
    config.auth = Auth { no_auth: false, tokens, basic: Some(basic("ann", "s3cret:ü")) };
}

/// `curl -u`
fn pair(text: &str) -> String {
    use base64::Engine as _;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
}

async fn read_as(app: &App, authorization: &str) -> u16 {
    let request = app.request(Method::GET, "/deployments").header("authorization", authorization);
    Answer::of(request).await.status.as_u16()
}

async fn only_what_must_be_is_open(engine: Engine) {
    let publication = Publication { projects: vec![name("shop")], metrics: vec![Metric::Incidents] };
    let adjust = |config: &mut Config| {
        guarded(config);
        config.public = vec![publication];
    };
    let app = engine.app_with(adjust).await;
    let description = app.get("/openapi.json").await.expect(200);
    let mut open = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let described_as_open =
                operation["security"].as_array().is_some_and(|ways| ways.iter().any(|way| *way == json!({})));
            for prefix in ["", "/api/v1"] {
                let path = path.replace("{id}", "17").replace("{name}", "conflict").replace("{file}", "incidents.svg");
                let path = path.replace("{vendor}", "github").replace("{secret}", "guessed");
                let path = format!("{prefix}{path}");
                let answer = Answer::of(app.request(method.clone(), &path)).await;
                if described_as_open {
                    assert_eq!(answer.status, 200, "{path}");
                } else {
                    answer.expect_problem(401, "unauthenticated");
                }
            }
            if described_as_open {
                open.push(path.as_str());
            }
        }
    }
    open.sort_unstable();
    // of the facts of this service only what the configuration publishes
    assert_eq!(
        open,
        [
            "/badges/{file}",
            "/docs",
            "/health",
            "/health/live",
            "/health/ready",
            "/metrics",
            "/openapi.json",
            "/panels/{file}",
            "/problems/{name}",
            "/public"
        ]
    );
}

async fn metrics_can_be_closed(engine: Engine) {
    let adjust = |config: &mut Config| {
        guarded(config);
        config.server.metrics_auth = true;
    };
    let app = engine.app_with(adjust).await;
    app.refuses(app.request(Method::GET, "/metrics"), 401, "unauthenticated").await;
    app.refuses(app.request(Method::GET, "/api/v1/metrics"), 401, "unauthenticated").await;
    let scrape = app.request(Method::GET, "/metrics").header("authorization", "Bearer read-me");
    assert_eq!(Answer::of(scrape).await.status, 200);
    app.get("/health").await.expect(200);
}

async fn each_way_of_showing_a_token_is_taken(engine: Engine) {
    let app = engine.app_with(guarded).await;
    for authorization in [
        "Bearer read-me",
        "bearer read-me",
        "BEARER read-me",
        "Token read-me",
        "tOKEN read-me",
        "Bearer   read-me",
        &pair("ann:s3cret:ü"),
        &pair("ann:s3cret:ü").replace("Basic", "bAsIc"),
    ] {
        assert_eq!(read_as(&app, authorization).await, 200, "{authorization}");
    }
}

/// An answer without what differs between any two.
fn shape(answer: &Answer) -> (Value, Vec<(String, String)>) {
    let mut body = answer.json();
    body["request_id"] = json!(null);
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    (body, headers)
}

async fn a_refusal_tells_nothing_about_what_was_wrong(engine: Engine) {
    let app = engine.app_with(guarded).await;
    let nothing = app.get("/deployments").await;
    nothing.expect_problem(401, "unauthenticated");
    let offered: Vec<_> = nothing.headers.get_all("www-authenticate").iter().map(|v| v.to_str().unwrap()).collect();
    assert_eq!(offered, [r#"Bearer realm="em-metrics""#, r#"Basic realm="em-metrics", charset="UTF-8""#]);
    let long = format!("Bearer {}", "x".repeat(8000));
    for authorization in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Bearer read-m",
        "Bearer read-me2",
        "Bearer READ-ME",
        "Bearer read-me read-me",
        "read-me",
        "Digest read-me",
        "Basic read-me",
        "Basic !!!",
        "Bearer\u{a0}read-me",
        &long,
        &pair("ann"),
        &pair("ann:"),
        &pair(":s3cret:ü"),
        &pair("ann:s3cret"),
        &pair("Ann:s3cret:ü"),
        &pair("ann:s3cret:ü\0"),
        &pair("read-me:"),
        &format!("Bearer {}", pair("ann:s3cret:ü")),
    ] {
        for (method, path) in [(Method::GET, "/deployments"), (Method::POST, "/deployments/17/deployed")] {
            let request = app.request(method, path).header("authorization", authorization.as_bytes());
            let answer = Answer::of(request).await;
            assert_eq!(shape(&answer), shape(&nothing), "{authorization}");
        }
    }
    let not_text = app.request(Method::GET, "/deployments").header("authorization", b"Bearer \xff\xfe".as_slice());
    assert_eq!(shape(&Answer::of(not_text).await), shape(&nothing));
}

async fn credentials_are_asked_for_before_the_body_is_read(engine: Engine) {
    let app = engine.app_with(guarded).await;
    for body in ["", "nonsense", "[]", "{}"] {
        app.refuses(app.request(Method::POST, "/deployments").body(body), 401, "unauthenticated").await;
    }
    let head = "POST /deployments HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 100\r\n\r\n";
    app.talk(head).await.expect_problem(401, "unauthenticated");
}

async fn basic_credentials_may_lack_either_half(engine: Engine) {
    for (username, password) in [("ann", ""), ("", "s3cret")] {
        let adjust = |config: &mut Config| {
            config.auth = Auth { no_auth: false, tokens: vec![], basic: Some(basic(username, password)) };
        };
        let app = engine.app_with(adjust).await;
        assert_eq!(read_as(&app, &pair(&format!("{username}:{password}"))).await, 200);
        for wrong in [":", "ann", "ann:s3cret", "ann:x", "x:s3cret", "s3cret:ann"] {
            assert_eq!(read_as(&app, &pair(wrong)).await, 401, "{username}:{password} {wrong}");
        }
        assert_eq!(read_as(&app, "Bearer ").await, 401);
        let offered = app.get("/deployments").await;
        assert_eq!(offered.header("www-authenticate"), r#"Basic realm="em-metrics", charset="UTF-8""#);
    }
}

async fn readers_read_and_write_nothing(engine: Engine) {
    let app = engine.app_with(guarded).await.authorized("Bearer read-me");
    for path in ["/deployments", "/incidents", "/version", "/metrics"] {
        assert_eq!(app.get(path).await.status, 200, "{path}");
    }
    for path in [
        "/deployments",
        "/deployments/17/deployed",
        "/deployments/17/failed",
        "/deployments/17/rolled-back",
        "/incidents",
        "/incidents/outage/restored",
        "/incidents/outage/finished",
    ] {
        let body = json!({
            "id": "17", "project_id": "shop", "first_commit_at": "2026-06-15T10:00:00Z", "create_if_not_exists": true,
        });
        app.refuses_post(path, body, 403, "forbidden").await;
        assert_eq!(app.post(path, json!({})).await.header("www-authenticate"), "", "other credentials would not help");
    }
}

async fn only_admins_see_the_configuration(engine: Engine) {
    let app = engine.app_with(guarded).await;
    for (authorization, status) in [
        ("Bearer read-me", 403),
        ("Bearer write-me", 403),
        ("Bearer rule-me", 200),
        (pair("ann:s3cret:ü").as_str(), 200),
    ] {
        let request = app.request(Method::GET, "/config").header("authorization", authorization);
        assert_eq!(Answer::of(request).await.status, status, "{authorization}");
    }
}

async fn the_journal_says_who_it_was(engine: Engine) {
    let app = engine.app_with(guarded).await;
    for (n, authorization) in ["Bearer write-me", "Token rule-me", pair("ann:s3cret:ü").as_str()].iter().enumerate() {
        let request = app.request(Method::POST, "/incidents").header("authorization", *authorization);
        Answer::of(request.json(&json!({"id": n.to_string(), "project_id": "shop"}))).await.expect(201);
    }
    let who: Vec<_> = app.database.journal().await.into_iter().map(|entry| (entry.actor, entry.entity_id)).collect();
    let expected = [("ci", "0"), ("ops", "1"), ("ann", "2")].map(|(actor, id)| (actor.to_owned(), id.to_owned()));
    assert_eq!(who, expected);
}

async fn without_credentials_nobody_gets_in(engine: Engine) {
    // none configured: one is made up, and it is not one of these
    let app = engine.app_with(|config| config.auth = Auth::default()).await;
    app.refuses(app.request(Method::GET, "/deployments"), 401, "unauthenticated").await;
    for authorization in ["Bearer ", "Bearer generated", &pair(":"), &pair("admin:admin")] {
        assert_eq!(read_as(&app, authorization).await, 401, "{authorization}");
    }
    app.get("/health").await.expect(200);
}

async fn without_authentication_everybody_gets_in(engine: Engine) {
    let app = engine.app().await;
    assert_eq!(read_as(&app, "Bearer whatever").await, 200);
    app.get("/config").await.expect(200);
    app.post("/incidents", json!({"project_id": "shop"})).await.expect(201);
    assert_eq!(app.database.journal().await[0].actor, "anonymous");
}
