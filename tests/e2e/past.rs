//! Facts of a fortnight that no Prometheus has seen: imported, exported as OpenMetrics, made into blocks by the real
//! promtool. Then a real Prometheus over these blocks must know the true integers.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::process::{Service, engine};
use crate::prometheus::Prometheus;

const DAYS: usize = 14;
/// 2026-03-01T00:00:00Z
const START: f64 = 1_772_323_200.0;
const DAY: f64 = 86_400.0;

fn deployments_of(project: &str, day: usize) -> usize {
    if project == "shop" { day % 3 + 1 } else { day % 2 }
}

fn facts() -> Vec<Value> {
    let mut facts = Vec::new();
    for day in 0..DAYS {
        let date = format!("2026-03-{:02}", day + 1);
        for project in ["shop", "api"] {
            for n in 0..deployments_of(project, day) {
                facts.push(json!({
                    "kind": "deployment", "project_id": project, "id": format!("{day}-{n}"),
                    "first_commit_at": format!("{date}T0{n}:00:00Z"), "deployed_at": format!("{date}T0{}:00:00Z", n + 2),
                }));
            }
        }
        if day % 2 == 0 {
            facts.push(json!({
                "kind": "incident", "project_id": "shop", "id": day.to_string(), "deployment_id": format!("{day}-0"),
                "started_at": format!("{date}T03:00:00Z"), "restored_at": format!("{date}T04:00:00Z"),
            }));
        }
    }
    facts
}

async fn run(mut command: Command) -> Output {
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

async fn em_metrics(service: &Service, arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_em-metrics"));
    command.env_clear().env("EM_METRICS_URL", service.url("")).args(arguments);
    run(command).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_past_is_filled_from_the_facts() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let text: String = facts().iter().flat_map(|fact| [fact.to_string(), "\n".to_owned()]).collect();
    std::fs::write(at("facts.ndjson"), text).unwrap();
    let mut service = Service::new(vec![("SQLITE_DB".to_owned(), at("facts.db"))]);
    service.start().await;
    em_metrics(&service, &["import", &at("facts.ndjson")]).await;
    let export = ["export", "--format", "openmetrics", "--step", "2h", "--to", "2026-03-15", "-o"];
    em_metrics(&service, &[&export[..], &[&at("past.txt")]].concat()).await;
    let mut promtool = Command::new(engine("EM_TEST_PROMTOOL"));
    promtool.args(["tsdb", "create-blocks-from", "--quiet", "openmetrics", &at("past.txt"), &at("blocks")]);
    run(promtool).await;

    let prometheus = Prometheus::over(Path::new(&at("blocks"))).await;
    for day in 0..DAYS {
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let midnight = START + DAY * (day + 1) as f64;
        for project in ["shop", "api"] {
            let expected: usize = (0..=day).map(|day| deployments_of(project, day)).sum();
            let query =
                format!("sum(last_over_time(deployment_frequency_total{{project_id=\"{project}\"}}[2h])) or vector(0)");
            let counted = prometheus.query_at(&query, Some(midnight)).await;
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let expected = expected as f64;
            assert_eq!(counted, BTreeMap::from([(String::new(), expected)]), "{project}, day {day}");
        }
    }
    // each series begins with 0, and at its end there is a sample: nothing is extrapolated
    let end = Some(START + DAY * 14.0);
    let increase =
        async |series: &str| prometheus.query_at(&format!("sum by (project_id) (increase({series}[30d]))"), end).await;
    let of = |shop: f64, api: f64| BTreeMap::from([("shop".to_owned(), shop), ("api".to_owned(), api)]);
    assert_eq!(increase("deployment_frequency_total").await, of(27.0, 7.0));
    assert_eq!(increase("lead_time_for_changes_seconds_sum").await, of(27.0 * 7200.0, 7.0 * 7200.0));
    assert_eq!(increase("lead_time_for_changes_seconds_bucket{le=\"7680.0\"}").await, of(27.0, 7.0));
    assert_eq!(increase("lead_time_for_changes_seconds_bucket{le=\"3840.0\"}").await, of(0.0, 0.0));
    assert_eq!(increase("change_failure_count_total").await, of(7.0, 0.0));
    assert_eq!(increase("time_to_detect_seconds_sum").await, of(7.0 * 3600.0, 0.0));
    assert_eq!(increase("incident_restored_total").await, of(7.0, 0.0));
    service.stop().await;
}
