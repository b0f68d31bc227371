//! `em-metrics export` against the real service, and against one that breaks off.

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{app, em_metrics, em_metrics_at, stderr};

#[tokio::test(flavor = "multi_thread")]
async fn facts_are_written_to_a_file_or_to_standard_output() {
    let app = app().await;
    for project in ["shop", "cart"] {
        let body = json!({"id": "1", "project_id": project, "first_commit_at": "2026-06-15T10:00:00Z"});
        app.post("/deployments", body).await.expect(201);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("facts.csv");
    let wanted = "/export?format=csv&kind=deployment&project_id=shop&from=2026-01-01";
    let arguments = ["export", "--format", "csv", "--kind", "deployment", "--project", "shop", "--from", "2026-01-01"];
    let to_file = em_metrics(&app, &[&arguments[..], &["-o", file.to_str().unwrap()]].concat()).await;
    assert_eq!(to_file.status.code(), Some(0), "{}", stderr(&to_file));
    let expected = app.get(wanted).await.text;
    assert_eq!(std::fs::read_to_string(&file).unwrap(), expected);
    assert_eq!(em_metrics(&app, &arguments).await.stdout, expected.as_bytes());
    assert_eq!(em_metrics(&app, &["export"]).await.stdout, app.get("/export").await.text.as_bytes());
    let refused = em_metrics(&app, &["export", "--format", "csv"]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("kind"), "{}", stderr(&refused));
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_export_is_no_export() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = socket.read(&mut [0; 4096]).await;
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n";
            socket.write_all(format!("{head}3\r\n{{}}\n\r\n").as_bytes()).await.unwrap();
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("facts.ndjson");
    std::fs::write(&file, "those of yesterday").unwrap();
    let broken = em_metrics_at(&url, &["export", "-o", file.to_str().unwrap()]).output().await.unwrap();
    assert_eq!(broken.status.code(), Some(3));
    assert!(stderr(&broken).contains("the answer broke off after 3 bytes"), "{}", stderr(&broken));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "those of yesterday");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
