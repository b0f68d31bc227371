//! How bodies arrive: too large, too slow, in pieces, not at all.

use reqwest::Method;
use serde_json::json;

use crate::app::{Answer, App};
use crate::engine::Engine;

on_each_engine! {
    a_body_over_the_limit_is_refused,
    a_body_of_exactly_the_limit_is_read,
    a_chunked_body_over_the_limit_is_refused,
    the_limit_is_one_mebibyte_unless_configured,
    a_body_that_does_not_come_times_out,
    a_body_in_pieces_is_put_together,
    a_body_that_breaks_off_leaves_no_trace,
    a_bad_chunk_leaves_no_trace,
    reading_requests_ignore_their_bodies,
    contradicting_lengths_are_refused,
    a_body_that_nobody_reads_costs_no_answer,
    a_connection_that_will_be_closed_says_so,
}

const HEAD: &str = "POST /incidents HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n";

async fn small(engine: Engine) -> App {
    engine.app_with(|config| config.server.body_limit_bytes = 1000).await
}

/// A body of exactly this many bytes.
fn padded(bytes: usize) -> String {
    let body = r#"{"project_id": "shop"}"#;
    format!("{body}{}", " ".repeat(bytes - body.len()))
}

async fn a_body_over_the_limit_is_refused(engine: Engine) {
    let app = small(engine).await;
    let request = app.request(Method::POST, "/incidents").header("content-type", "application/json");
    app.refuses(request.body(padded(1001)), 413, "too-large").await;
    let detail = app.request(Method::POST, "/incidents").body(padded(1001));
    assert!(Answer::of(detail).await.json()["detail"].as_str().unwrap().contains("1000 bytes"));
    // told before it is sent: the answer does not wait for it
    let reply = app.talk(format!("{HEAD}content-length: 1000000000\r\n\r\n")).await;
    reply.expect_problem(413, "too-large");
    let reply = app.talk(format!("{HEAD}expect: 100-continue\r\ncontent-length: 1001\r\n\r\n")).await;
    reply.expect_problem(413, "too-large");
}

async fn a_body_of_exactly_the_limit_is_read(engine: Engine) {
    let app = small(engine).await;
    let request = app.request(Method::POST, "/incidents").header("content-type", "application/json");
    Answer::of(request.body(padded(1000))).await.expect(201);
}

async fn a_chunked_body_over_the_limit_is_refused(engine: Engine) {
    let app = engine
        .app_with(|config| {
            config.server.body_limit_bytes = 1000;
            config.server.request_timeout_seconds = 1;
        })
        .await;
    let before = app.stored().await;
    let chunk = format!("1f4\r\n{}\r\n", " ".repeat(500));
    // whether it ends or not
    for end in ["0\r\n\r\n", ""] {
        let reply = app.talk(format!("{HEAD}transfer-encoding: chunked\r\n\r\n{chunk}{chunk}{chunk}{end}")).await;
        reply.expect_problem(413, "too-large");
    }
    assert_eq!(app.stored().await, before);
}

async fn the_limit_is_one_mebibyte_unless_configured(engine: Engine) {
    let app = engine.app().await;
    let request = || app.request(Method::POST, "/incidents").header("content-type", "application/json");
    Answer::of(request().body(padded(1024 * 1024))).await.expect(201);
    app.refuses(request().body(padded(1024 * 1024 + 1)), 413, "too-large").await;
    // a client that is still sending hears it too
    app.refuses(request().body(padded(8 * 1024 * 1024)), 413, "too-large").await;
}

async fn a_body_that_does_not_come_times_out(engine: Engine) {
    let app = engine.app_with(|config| config.server.request_timeout_seconds = 1).await;
    let before = app.stored().await;
    for part in ["", r#"{"project_id": "shop""#] {
        let reply = app.talk(format!("{HEAD}content-length: 22\r\n\r\n{part}")).await;
        reply.expect_problem(408, "timeout");
    }
    assert_eq!(app.stored().await, before);
    // nobody else was kept waiting
    app.post("/incidents", json!({"project_id": "shop"})).await.expect(201);
}

async fn a_body_in_pieces_is_put_together(engine: Engine) {
    let app = engine.app().await;
    let mut wire = app.wire().await;
    wire.send(format!("{HEAD}expect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\n")).await;
    wire.hear("100 Continue\r\n\r\n").await;
    for byte in r#"{"project_id":"grüße"}"#.bytes() {
        wire.send([b'1', b'\r', b'\n', byte, b'\r', b'\n']).await;
    }
    wire.send("0\r\n\r\n").await;
    let reply = wire.reply().await;
    assert_eq!(reply.status(), 201, "{reply:?}");
    assert_eq!(app.get("/incidents").await.expect(200)[0]["id"], "incident_grüße_1");
}

async fn a_body_that_breaks_off_leaves_no_trace(engine: Engine) {
    let app = engine.app().await;
    let before = app.stored().await;
    // what has come is a whole JSON object, but more was promised
    for framing in [
        "content-length: 100\r\n\r\n{\"project_id\": \"shop\"}",
        "content-length: 22\r\n\r\n{\"project_id\":",
        "transfer-encoding: chunked\r\n\r\n16\r\n{\"project_id\": \"shop\"}\r\n",
        "transfer-encoding: chunked\r\n\r\n16\r\n{\"project_id\": \"sh",
    ] {
        let mut wire = app.wire().await;
        wire.send(format!("{HEAD}{framing}")).await;
        wire.end().await;
        let reply = wire.reply().await;
        assert!(reply.head.is_empty() || reply.status() == 400, "{reply:?}");
    }
    assert_eq!(app.stored().await, before);
}

async fn a_bad_chunk_leaves_no_trace(engine: Engine) {
    let app = engine.app().await;
    let before = app.stored().await;
    for chunk in ["zz\r\n{}\r\n0\r\n\r\n", "-1\r\n", "ffffffffffffffffff\r\n{}", "2\r\n{}xx0\r\n\r\n"] {
        let reply = app.talk(format!("{HEAD}transfer-encoding: chunked\r\n\r\n{chunk}")).await;
        assert_eq!(reply.status(), 400, "{reply:?}");
    }
    assert_eq!(app.stored().await, before);
}

async fn reading_requests_ignore_their_bodies(engine: Engine) {
    let app = engine.app().await;
    app.post("/incidents", json!({"project_id": "shop"})).await.expect(201);
    let answer = Answer::of(app.request(Method::GET, "/incidents").body("{ nonsense")).await;
    assert_eq!(answer.expect(200).as_array().unwrap().len(), 1);
}

async fn contradicting_lengths_are_refused(engine: Engine) {
    let app = engine.app().await;
    let before = app.stored().await;
    for framing in [
        "content-length: 22\r\ncontent-length: 2\r\n\r\n{\"project_id\": \"shop\"}",
        "content-length: -1\r\n\r\n{\"project_id\": \"shop\"}",
        "content-length: 22,2\r\n\r\n{\"project_id\": \"shop\"}",
        "content-length: twenty-two\r\n\r\n{\"project_id\": \"shop\"}",
    ] {
        let reply = app.talk(format!("{HEAD}{framing}")).await;
        assert_eq!(reply.status(), 400, "{framing}: {reply:?}");
    }
    assert_eq!(app.stored().await, before);
}

async fn a_body_that_nobody_reads_costs_no_answer(engine: Engine) {
    let app = engine.app().await;
    let before = app.stored().await;
    let body = padded(500_000);
    let mut wire = app.wire().await;
    // each is refused before its body is read; the next one on the connection is answered all the same
    for path in ["/nothing", "/health", "/deployments/%00/deployed"] {
        wire.send(format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len())).await;
        wire.send(&body).await;
    }
    wire.send("GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let reply = wire.reply().await;
    let all = format!("{}\r\n\r\n{}", reply.head, reply.body.to_lowercase());
    let statuses: Vec<_> = all.split("http/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["404", "405", "400", "200"]);
    assert_eq!(app.stored().await, before);
}

async fn a_connection_that_will_be_closed_says_so(engine: Engine) {
    let app = engine.app().await;
    for head in [
        // more than will be read for nothing, what never comes, what waits for leave
        "POST /nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n",
        "POST /nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n",
        "POST /nothing HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 100\r\n\r\n",
    ] {
        let reply = app.talk(head).await;
        reply.expect_problem(404, "not-found");
        assert!(reply.head.contains("connection: close"), "{reply:?}");
        assert!(!reply.head.contains("100 continue"), "{reply:?}");
    }
}
