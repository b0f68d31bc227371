//! The client against a service that answers what it is told, one connection for each answer.

use std::ffi::OsString;
use std::time::Instant;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::cli;

/// Starts the service; its task ends with the requests it has got, after the last answer.
async fn service(answers: &[&str]) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answers: Vec<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
    let task = tokio::spawn(async move {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !is_complete(&request) {
                let mut buffer = [0; 4096];
                let read = socket.read(&mut buffer).await.unwrap();
                assert!(read > 0, "the client has gone");
                request.extend_from_slice(&buffer[..read]);
            }
            requests.push(String::from_utf8(request).unwrap());
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
        requests
    });
    (url, task)
}

fn is_complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

fn answer(status: &str, headers: &str, body: &Value) -> String {
    let body = body.to_string();
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
}

fn deployment() -> Value {
    json!({"id": "42", "project_id": "shop", "status": "started", "deploy_start_at": "2026-03-01T09:30:00Z"})
}

/// Runs a command line; `Err` carries the exit code and the words.
async fn run(url: &str, line: &str) -> Result<(), (u8, String)> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let words = line.split_whitespace().chain(["--url", url]).map(OsString::from);
    let arguments = cli::parse([OsString::from("em-metrics")].into_iter().chain(words)).unwrap();
    cli::run(arguments).await.map_err(|error| {
        let code = error.downcast_ref().map_or(1, Failure::exit_code);
        (code, format!("{error:#}"))
    })
}

#[tokio::test]
async fn only_what_was_said_is_sent() {
    let created = answer("201 Created", "", &deployment());
    let (url, service) = service(&[&created, &created, &created]).await;
    let start =
        "deployment start 42 --project shop --first-commit-at 2026-03-01T09:00:00Z --link http://ci/1 --token t";
    run(&url, start).await.unwrap();
    run(&format!("{url}/prefix/"), "deployment deployed a/b#ü --project s&p --unplanned").await.unwrap();
    run(&url, "incident restored i1 --at 2026-03-01T10:00:00Z --json").await.unwrap();
    let requests = service.await.unwrap();
    let seen: Vec<(&str, Value)> = requests
        .iter()
        .map(|request| {
            let (head, body) = request.split_once("\r\n\r\n").unwrap();
            (head.lines().next().unwrap(), serde_json::from_str(body).unwrap())
        })
        .collect();
    let body = json!({
        "id": "42", "project_id": "shop", "first_commit_at": "2026-03-01T09:00:00Z", "url": "http://ci/1",
    });
    assert_eq!(seen[0], ("POST /deployments HTTP/1.1", body));
    let line = "POST /prefix/deployments/a%2Fb%23%C3%BC/deployed?project_id=s%26p HTTP/1.1";
    assert_eq!(seen[1], (line, json!({"project_id": "s&p", "unplanned": true})));
    assert_eq!(seen[2], ("POST /incidents/i1/restored HTTP/1.1", json!({"date": "2026-03-01T10:00:00Z"})));
    assert!(requests[0].contains("authorization: Bearer t\r\n"));
    assert!(!requests[1].contains("authorization"));
}

#[tokio::test]
async fn a_refusal_is_told_field_by_field() {
    let problem = json!({
        "type": "/problems/conflict", "title": "this contradicts what is stored", "status": 409,
        "detail": "first_commit_at: stored is another", "request_id": "r-1",
        "errors": [{"pointer": "/first_commit_at", "detail": "stored is another"}],
    });
    let conflict = answer("409 Conflict", "", &problem);
    let (url, service) = service(&[&conflict, &conflict]).await;
    let words = "this contradicts what is stored\n  /first_commit_at: stored is another\n  (status 409, request r-1)";
    assert_eq!(run(&url, "deployment failed 42").await, Err((1, words.to_owned())));
    assert_eq!(run(&url, "deployment failed 42 --best-effort").await, Ok(()));
    service.await.unwrap();
}

#[tokio::test]
async fn a_busy_service_is_asked_again_when_it_says() {
    let busy = answer("503 Service Unavailable", "retry-after: 1\r\n", &json!({"title": "busy"}));
    let (url, service) = service(&[&busy, &answer("200 OK", "", &json!([]))]).await;
    let start = Instant::now();
    run(&url, "incident list --type in-progress --project a --project b").await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1));
    let requests = service.await.unwrap();
    assert!(requests[1].starts_with("GET /incidents?type=in-progress&project_id=a&project_id=b HTTP/1.1"));
}

#[tokio::test]
async fn patience_ends() {
    let busy = answer("503 Service Unavailable", "retry-after: 60\r\n", &json!({"title": "busy", "detail": "later"}));
    let (url, service) = service(&[&busy]).await;
    let start = Instant::now();
    assert_eq!(run(&url, "incident list").await, Err((3, "busy: later\n  (status 503)".to_owned())));
    assert!(start.elapsed() < Duration::from_secs(2), "it does not wait for what will not come in time");
    service.await.unwrap();
    let refused = run(&url, "incident list --timeout 1").await;
    assert_eq!(refused, Err((3, format!("cannot reach {url}/: Connection refused (os error 111)"))));
}

#[tokio::test]
async fn what_may_count_twice_is_not_sent_twice() {
    // The service takes the request and dies.
    let (url, opened) = service(&[""]).await;
    assert_eq!(run(&url, "incident open --project shop").await.unwrap_err().0, 3);
    assert_eq!(opened.await.unwrap().len(), 1);
    let (url, started) = service(&["", &answer("200 OK", "", &json!({"id": "i"}))]).await;
    run(&url, "incident open --project shop --id i").await.unwrap();
    assert_eq!(started.await.unwrap().len(), 2);
}

#[tokio::test]
async fn redirects_and_strangers_are_no_success() {
    let moved = answer("301 Moved Permanently", "location: https://em.example/\r\n", &json!(null));
    let stranger = answer("200 OK", "", &json!("welcome"));
    let (url, service) = service(&[&moved, &stranger]).await;
    let words = format!("{url}/ redirects to https://em.example/: give the final address as --url");
    assert_eq!(run(&url, "deployment failed 42").await, Err((1, words)));
    let words = format!("{url}/ does not answer like em-metrics");
    assert_eq!(run(&url, "deployment failed 42").await, Err((1, words)));
    service.await.unwrap();
}
