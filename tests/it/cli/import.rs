//! `em-metrics import` against the real service, and against one that breaks off.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::engine::Engine;

use super::{app, em_metrics, em_metrics_at, stderr, stdout};

fn deployment(n: usize) -> Value {
    json!({
        "kind": "deployment", "project_id": "shop", "id": n.to_string(), "first_commit_at": "2026-06-15T08:00:00Z",
        "deployed_at": "2026-06-15T11:00:00Z", "team_id": null,
    })
}

fn incident(n: usize) -> Value {
    json!({
        "kind": "incident", "project_id": "shop", "id": n.to_string(), "deployment_id": n.to_string(),
        "started_at": "2026-06-15T11:10:00Z",
    })
}

fn write(folder: &Path, name: &str, lines: impl IntoIterator<Item = Value>) -> String {
    let text: String = lines.into_iter().flat_map(|line| [line.to_string(), "\n".to_owned()]).collect();
    let path = folder.join(name);
    if path.extension().is_some_and(|ending| ending == "gz") {
        let mut encoder = GzEncoder::new(std::fs::File::create(&path).unwrap(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap();
    } else {
        std::fs::write(&path, text).unwrap();
    }
    path.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_exported_is_imported_elsewhere_in_either_form() {
    let (one, other) = (app().await, app().await);
    let folder = tempfile::tempdir().unwrap();
    // what a spreadsheet would calculate
    let formulas = ["=HYPERLINK(\"http://evil\")", "'=1+1", "-2", "''@x", "'quoted'"];
    let deployment = |n: usize| crate::http::with(deployment(n), json!({"version": formulas[n % 5]}));
    // each incident stands before its deployment, and in another part
    let file = write(folder.path(), "facts.ndjson.gz", (0..25).map(incident).chain((0..25).map(deployment)));
    let taken = em_metrics(&one, &["import", &file, "--lines-per-part", "10"]).await;
    assert_eq!(taken.status.code(), Some(0), "{}", stderr(&taken));
    assert!(stdout(&taken).starts_with("50 lines: 50 created, 0 changed"), "{}", stdout(&taken));
    let again = em_metrics(&one, &["import", &file, "--json"]).await;
    let again: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(again, json!({"lines": 50, "created": 0, "changed": 0, "unchanged": 50, "refused": 0}));

    for kind in ["deployment", "incident"] {
        let table = one.get(&format!("/export?format=csv&kind={kind}")).await.text;
        assert!(!table.contains(",=") && !table.contains(",-") && !table.contains(",@"), "{table}");
        let path = folder.path().join(format!("{kind}.csv"));
        std::fs::write(&path, &table).unwrap();
        let taken = em_metrics(&other, &["import", &path.display().to_string(), "--empty-is-null"]).await;
        assert!(stdout(&taken).starts_with("25 lines: 25 created"), "{}{}", stdout(&taken), stderr(&taken));
    }
    assert_eq!(one.get("/export").await.text, other.get("/export").await.text);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3, "nothing is left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_lines_are_named_by_their_place_in_the_file() {
    let app = app().await;
    let folder = tempfile::tempdir().unwrap();
    let broken = |n: usize| json!({"kind": "deployment", "project_id": "shop", "id": format!("broken {n}")});
    let lines = [incident(77), deployment(1)].into_iter().chain((0..2500).map(broken)).chain([incident(1)]);
    let file = write(folder.path(), "facts.jsonl", lines);
    let errors = folder.path().join("errors").display().to_string();
    let refused = em_metrics(&app, &["import", &file, "--errors", &errors]).await;
    let words = stderr(&refused);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stdout(&refused).starts_with("2503 lines: 2 created, 0 changed, 0 unchanged, 2501 refused"));
    assert!(
        words.contains("line 3: /deploy_start_at: required") && words.ends_with("2501 of 2503 lines are refused\n")
    );
    assert!(words.lines().count() < 30, "{words}");
    let told = std::fs::read_to_string(&errors).unwrap();
    let told: std::collections::BTreeSet<u64> =
        told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["line"].as_u64().unwrap()).collect();
    assert_eq!(told, [1].into_iter().chain(3..=2502).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn all_or_nothing_and_only_tried_leave_no_trace_of_what_is_not_wanted() {
    let app = app().await;
    let folder = tempfile::tempdir().unwrap();
    let good = write(folder.path(), "good.ndjson", [incident(1), deployment(1)]);
    let bad = write(folder.path(), "bad.ndjson", [deployment(1), incident(2), deployment(3)]);
    let tried = em_metrics(&app, &["import", &good, "--dry-run"]).await;
    assert_eq!(tried.status.code(), Some(0), "{}", stderr(&tried));
    assert!(stdout(&tried).contains("nothing was recorded; it would be 2 created"), "{}", stdout(&tried));
    let refused = em_metrics(&app, &["import", &bad, "--atomic"]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("line 2: /deployment_id") && stderr(&refused).contains("1 of 3"));
    assert_eq!(stdout(&refused), "3 lines: nothing was recorded\n");
    // also when the line never got to the service
    let table = folder.path().join("bad.csv");
    std::fs::write(&table, "kind,project_id,id,deployed_at\ndeployment,shop,1,2026-06-15T11:00:00Z\nshort\n").unwrap();
    let refused = em_metrics(&app, &["import", &table.display().to_string(), "--atomic"]).await;
    assert_eq!((refused.status.code(), stdout(&refused)), (Some(1), "2 lines: nothing was recorded\n".to_owned()));
    assert_eq!(app.store.journal_len().await.unwrap(), 0);
    let much = write(folder.path(), "much.ndjson", (0..100_001).map(|_| json!({})));
    let refused = em_metrics(&app, &["import", &much, "--atomic"]).await;
    assert!(stderr(&refused).contains("--atomic is for 100000 lines at the most"), "{}", stderr(&refused));
}

type Parts = Arc<Mutex<Vec<Vec<u64>>>>;

/// Takes parts as the service does, but never answers the second one it gets.
async fn stuck_at_the_second(parts: Parts) -> String {
    async fn import(State(parts): State<Parts>, body: axum::body::Bytes) -> axum::response::Response {
        let mut text = String::new();
        GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
        let ids = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let ids: Vec<u64> = ids.map(|line| line["id"].as_str().unwrap().parse().unwrap()).collect();
        let (lines, number) = (ids.len(), {
            let mut parts = parts.lock().unwrap();
            parts.push(ids);
            parts.len()
        });
        if number == 2 {
            std::future::pending::<()>().await;
        }
        let tally = json!({"lines": lines, "created": lines, "changed": 0, "unchanged": 0, "refused": 0, "errors": []});
        (StatusCode::OK, axum::Json(tally)).into_response()
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/import", axum::routing::post(import)).with_state(parts);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_import_goes_on_where_it_stopped() {
    let parts = Parts::default();
    let url = stuck_at_the_second(parts.clone()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "facts.ndjson", (0..5).map(deployment).chain((5..7).map(incident)));
    let arguments = ["import", &file, "--lines-per-part", "2"];
    let mut command = em_metrics_at(&url, &arguments);
    let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    while parts.lock().unwrap().len() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let pid = child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let stopped = child.wait_with_output().await.unwrap();
    assert_eq!(stopped.status.code(), Some(130), "{}", stderr(&stopped));
    assert!(stderr(&stopped).contains("--resume"), "{}", stderr(&stopped));

    let finished = em_metrics_at(&url, &[&arguments[..], &["--resume"]].concat()).output().await.unwrap();
    assert_eq!(finished.status.code(), Some(0), "{}", stderr(&finished));
    assert!(stderr(&finished).contains("going on after 2 lines"), "{}", stderr(&finished));
    assert!(stdout(&finished).starts_with("7 lines: 7 created"), "{}", stdout(&finished));
    assert_eq!(*parts.lock().unwrap(), [vec![0, 1], vec![2, 3], vec![2, 3], vec![4], vec![5, 6]]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "the note of how far it was is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_for_the_service_is_sent_in_smaller_parts() {
    let app = Engine::Sqlite.app_with(|config| config.server.import_limit_bytes = 2000).await;
    let folder = tempfile::tempdir().unwrap();
    let broken = json!({"kind": "deployment", "project_id": "shop", "id": "x"});
    let lines = (0..50).map(incident).chain((0..50).map(deployment)).chain([broken]);
    let file = write(folder.path(), "facts.ndjson", lines);
    let taken = em_metrics(&app, &["import", &file]).await;
    assert!(
        stdout(&taken).starts_with("101 lines: 100 created, 0 changed, 0 unchanged, 1 refused"),
        "{}",
        stderr(&taken)
    );
    assert!(stderr(&taken).contains("line 101: "), "{}", stderr(&taken));
    let once = em_metrics(&app, &["import", &file, "--atomic"]).await;
    assert_eq!(once.status.code(), Some(1));
    assert!(stderr(&once).contains("larger than 2000 bytes"), "{}", stderr(&once));
    // a line by itself cannot be smaller
    let long = write(folder.path(), "long.ndjson", [json!({"kind": "deployment", "x": "y".repeat(3000)})]);
    let refused = em_metrics(&app, &["import", &long]).await;
    assert!(stderr(&refused).contains("larger than 2000 bytes"), "{}", stderr(&refused));
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_input_is_read_as_well() {
    let app = app().await;
    let mut command = em_metrics_at(&format!("http://{}", app.address), &["import", "-"]);
    let piped = std::process::Stdio::piped;
    let mut child = command.stdin(piped()).stdout(piped()).stderr(piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let text = format!("{}\n{}\n", incident(1), deployment(1));
    tokio::io::AsyncWriteExt::write_all(&mut input, text.as_bytes()).await.unwrap();
    drop(input);
    let taken = child.wait_with_output().await.unwrap();
    assert!(stdout(&taken).starts_with("2 lines: 2 created"), "{}{}", stdout(&taken), stderr(&taken));
}
