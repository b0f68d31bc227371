//! Problem documents of requests that reach no handler, and of a service that cannot serve.

use reqwest::Method;
use serde_json::json;

use crate::app::Answer;
use crate::engine::Engine;

on_each_engine! {
    unknown_paths_are_not_found,
    unknown_methods_are_told_which_are_known,
    a_problem_document_is_whole,
    head_answers_like_get_without_a_body,
    headers_that_are_too_large_are_refused,
    what_is_not_http_is_refused,
    a_database_that_is_gone_is_503_and_tells_nothing,
}

async fn unknown_paths_are_not_found(engine: Engine) {
    let app = engine.app().await;
    for path in [
        "/nothing",
        "/deployments/",
        "/deployments/17/started",
        "/deployments/17/deployed/twice",
        "/deployments/a/b",
        "/incidents/",
        "/incidents/outage/closed",
        "/api",
        "/api/v2/deployments",
        "/api/v1/api/v1/deployments",
        "/api/v1/nothing",
        "/problems/nothing",
        "/%00",
        "//deployments",
        "/Deployments",
        "/health/ready/",
    ] {
        for method in [Method::GET, Method::POST] {
            if path == "/problems/nothing" && method == Method::POST {
                continue;
            }
            app.refuses(app.request(method, path), 404, "not-found").await;
        }
    }
}

async fn unknown_methods_are_told_which_are_known(engine: Engine) {
    let app = engine.app().await;
    for (path, allowed) in [
        ("/deployments", "GET,HEAD,POST"),
        ("/deployments/17/deployed", "POST"),
        ("/deployments/17/failed", "POST"),
        ("/deployments/17/rolled-back", "POST"),
        ("/incidents", "GET,HEAD,POST"),
        ("/incidents/outage/restored", "POST"),
        ("/incidents/outage/finished", "POST"),
        ("/health", "GET,HEAD"),
        ("/metrics", "GET,HEAD"),
        ("/openapi.json", "GET,HEAD"),
    ] {
        for prefix in ["", "/api/v1"] {
            for method in ["PUT", "TRACE", "OPTIONS", "BREW"] {
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                let path = format!("{prefix}{path}");
                app.refuses(app.request(method.clone(), &path), 405, "method-not-allowed").await;
                let answer = Answer::of(app.request(method, &path)).await;
                let mut methods: Vec<_> = answer.header("allow").split(',').map(str::trim).collect();
                methods.sort_unstable();
                assert_eq!(methods.join(","), allowed, "{path}");
            }
        }
    }
    let answer = Answer::of(app.request(Method::GET, "/deployments/17/deployed")).await;
    answer.expect_problem(405, "method-not-allowed");
}

async fn a_problem_document_is_whole(engine: Engine) {
    let app = engine.app().await;
    let request = app.request(Method::POST, "/deployments").header("x-request-id", "run-17").json(&json!({"id": 5}));
    let problem = Answer::of(request).await.expect(400);
    insta::allow_duplicates! { insta::assert_json_snapshot!(problem, @r#"
    {
      "detail": "id: invalid type: integer `5`, expected a string",
      "errors": [
        {
          "detail": "invalid type: integer `5`, expected a string",
          "pointer": "/id"
        }
      ],
      "request_id": "run-17",
      "status": 400,
      "title": "a field is missing or malformed",
      "type": "/problems/invalid"
    }
    "#) };
}

async fn head_answers_like_get_without_a_body(engine: Engine) {
    let app = engine.app().await;
    app.post("/incidents", json!({"id": "outage", "project_id": "shop"})).await.expect(201);
    for path in ["/health", "/incidents", "/incidents/outage", "/metrics", "/openapi.json", "/docs"] {
        let head = Answer::of(app.request(Method::HEAD, path)).await;
        assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""), "{path}");
        assert_eq!(head.header("content-type"), app.get(path).await.header("content-type"), "{path}");
    }
    for (path, status) in [("/nothing", 404), ("/incidents/other", 404), ("/incidents?limit=0", 400)] {
        let head = Answer::of(app.request(Method::HEAD, path)).await;
        assert_eq!((head.status.as_u16(), head.text.as_str()), (status, ""), "{path}");
        assert_eq!(head.header("content-type"), "application/problem+json", "{path}");
    }
}

async fn headers_that_are_too_large_are_refused(engine: Engine) {
    let app = engine.app().await;
    let before = app.stored().await;
    let long = "a".repeat(100_000);
    let many = "x-a: b\r\n".repeat(1000);
    for head in [
        format!("GET /health?{long} HTTP/1.1\r\nhost: x\r\n\r\n"),
        format!("POST /incidents HTTP/1.1\r\nhost: x\r\nx-long: {long}\r\n\r\n"),
        format!("POST /incidents HTTP/1.1\r\nhost: x\r\n{many}\r\n"),
    ] {
        let reply = app.talk(head).await;
        // as the README says: it never reaches what could write a problem document
        assert_eq!((reply.status(), reply.body.as_str()), (431, ""));
    }
    assert_eq!(app.stored().await, before);
}

async fn what_is_not_http_is_refused(engine: Engine) {
    let app = engine.app().await;
    for bytes in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS greeting \r\n\r\n".as_slice(),
        b"GET\r\n\r\n",
        b"GET /health HTTP/9.9\r\n\r\n",
        b"GET /health HTTP/1.1\r\nbad header\r\n\r\n",
        b"GET /health HTTP/1.1\r\nx: a\0b\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n\r\n",
    ] {
        let reply = app.talk(bytes).await;
        assert_eq!(reply.status(), 400, "{reply:?}");
    }
    app.get("/health").await.expect(200);
}

async fn a_database_that_is_gone_is_503_and_tells_nothing(engine: Engine) {
    let app = engine.app().await;
    app.store.close().await;
    app.get("/health").await.expect(200);
    app.get("/health/live").await.expect(200);
    let start = json!({"id": "17", "project_id": "shop", "first_commit_at": "2026-06-15T10:00:00Z"});
    for answer in [
        app.get("/health/ready").await,
        app.get("/deployments").await,
        app.get("/deployments/17").await,
        app.get("/incidents").await,
        app.get("/incidents/outage").await,
        app.get("/metrics").await,
        app.post("/deployments", start).await,
        app.post("/deployments/17/deployed", json!({})).await,
        app.post("/incidents", json!({"project_id": "shop"})).await,
    ] {
        answer.expect_problem(503, "unavailable");
        assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
        let text = answer.text.to_lowercase();
        for internal in ["sqlx", "pool", "sqlite", "postgres", "/tmp", "connection"] {
            assert!(!text.contains(internal), "{text}");
        }
    }
}
