//! From SQLite to PostgreSQL under a running Prometheus, while pipelines go on telling: what they told is there once, no
//! series jumps or begins anew, and none is away for longer than two cycles.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use reqwest::Client;
use serde_json::json;
use tokio::process::Command;

use crate::crash::postgres;
use crate::process::{Service, client};
use crate::prometheus::{Collector, Prometheus};

const CYCLE: Duration = Duration::from_secs(5);
const TOLD: &str = "deployment_started_total";
/// Both ways, each with series of its own.
const JOBS: [&str; 2] = ["em_metrics", "scrape"];

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_sees_no_jump_and_no_long_gap_when_the_store_moves() {
    postgres(|_, database| async move { move_under(&database).await }).await;
}

async fn move_under(database: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("facts.db");
    // years of facts, whose totals stay as they are
    em_metrics(&file, &["demo", "--deployments", "3000", "--projects", "20"]).await;
    let mut service = Service::new(Vec::new());
    let prometheus = Prometheus::start(service.port).await;
    let mut collector = Collector::new(&prometheus);
    collector.start().await;
    let exporting = |service: &mut Service, store: &str, at: &str| {
        service.configure([
            (store, at.to_owned()),
            ("OTEL_COLLECTOR_URL", collector.http_url()),
            ("OTEL_METRIC_EXPORT_INTERVAL", CYCLE.as_millis().to_string()),
        ]);
    };
    exporting(&mut service, "SQLITE_DB", &file.display().to_string());
    service.start().await;
    let (stop, told) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let pipeline = tokio::spawn(tell(client(), service.url("/deployments"), stop.clone(), told.clone()));
    for job in JOBS {
        await_more_than(&prometheus, job, 20.0).await;
    }
    let before = totals(&prometheus).await;

    let from = format!("sqlite:{}", file.display());
    let addresses = ["migrate-store", "--from", &from, "--to", database];
    em_metrics(&file, &[&addresses[..], &["--ahead"]].concat()).await;
    service.stop().await;
    let in_old = told.load(Ordering::SeqCst);
    em_metrics(&file, &addresses).await;
    let mut moved = service.moved();
    exporting(&mut moved, "DATABASE_URL", database);
    moved.start().await;
    for job in JOBS {
        await_more_than(&prometheus, job, f64::from(in_old) + 20.0).await;
    }
    stop.store(true, Ordering::SeqCst);
    pipeline.await.unwrap();

    let told = f64::from(told.load(Ordering::SeqCst));
    for job in JOBS {
        let query = format!("sum by (project_id) ({TOLD}{{job=\"{job}\", project_id=\"moving\"}})");
        prometheus.await_values(&query, &BTreeMap::from([("moving".to_owned(), told)]), CYCLE * 6).await;
        // what nobody told of anew has not moved
        let mut expected = before[job].clone();
        expected.insert("moving".to_owned(), told);
        assert_eq!(totals(&prometheus).await[job], expected, "{job}");
        for series in [TOLD, "lead_time_for_changes_seconds_bucket", "lead_time_for_changes_seconds_sum"] {
            let of = format!("{series}{{job=\"{job}\"}}[1h]");
            let resets = prometheus.query(&format!("sum(resets({of}))")).await;
            assert_eq!(resets, only(0.0), "{job}: {series} began anew");
            let flat =
                format!("max(max_over_time({}) - min_over_time({0}))", of.replace("}[", ", project_id!=\"moving\"}["));
            assert_eq!(prometheus.query(&flat).await, only(0.0), "{job}: a jump of {series}");
        }
        // one series a project, whoever shows it
        let series = format!("count(last_over_time({TOLD}{{job=\"{job}\", project_id=\"moving\"}}[1h]))");
        assert_eq!(prometheus.query(&series).await, only(1.0), "{job}");
        let gap = longest_gap(&prometheus, job).await;
        println!("{job}: {told} told, {in_old} of them before the move; the longest gap was {gap:.1} s");
        assert!(gap <= 2.0 * CYCLE.as_secs_f64(), "{job}: a gap of {gap} s");
    }
    moved.stop().await;
}

/// A pipeline that asks again until it is answered.
async fn tell(client: Client, url: String, stop: Arc<AtomicBool>, told: Arc<AtomicU32>) {
    let mut number = 0;
    while !stop.load(Ordering::SeqCst) {
        let body = json!({"id": number.to_string(), "project_id": "moving", "first_commit_at": "2026-01-01T00:00:00Z"});
        let answer = client.post(&url).json(&body).send().await;
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            number += 1;
            told.store(number, Ordering::SeqCst);
        }
        // as often as pipelines do, and while nobody listens as patiently
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn em_metrics(file: &Path, arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_em-metrics"));
    let output = command.env_clear().env("SQLITE_DB", file).args(arguments).output().await.unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {said}");
}

async fn await_more_than(prometheus: &Prometheus, job: &str, count: f64) {
    let query = format!("sum({TOLD}{{job=\"{job}\", project_id=\"moving\"}}) > bool {count}");
    prometheus.await_values(&query, &only(1.0), CYCLE * 12).await;
}

/// One value without a project.
fn only(value: f64) -> BTreeMap<String, f64> {
    BTreeMap::from([(String::new(), value)])
}

/// By job and project.
async fn totals(prometheus: &Prometheus) -> BTreeMap<&'static str, BTreeMap<String, f64>> {
    let mut totals = BTreeMap::new();
    for job in JOBS {
        totals.insert(job, prometheus.query(&format!("sum by (project_id) ({TOLD}{{job=\"{job}\"}})")).await);
    }
    totals
}

/// Seconds between two samples that follow each other.
async fn longest_gap(prometheus: &Prometheus, job: &str) -> f64 {
    let query = format!("{TOLD}{{job=\"{job}\", project_id=\"moving\"}}[1h]");
    let data = prometheus.api("query", &[("query", query)]).await;
    let samples = data["result"][0]["values"].as_array().unwrap();
    let times: Vec<_> = samples.iter().map(|sample| sample[0].as_f64().unwrap()).collect();
    times.windows(2).map(|two| two[1] - two[0]).fold(0.0, f64::max)
}
