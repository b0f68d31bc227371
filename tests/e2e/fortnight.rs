//! A fortnight in three minutes: the service killed every other day, the collector away for two days. Then the
//! README's PromQL must give the true integers, for what was pushed and for what was scraped.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::files;
use crate::process::{Service, client};
use crate::prometheus::{Collector, Prometheus};
use crate::truth::{self, DAYS, DETECT, Day, LEAD_TIME, RESTORE};

/// A day. `increase` extrapolates by up to one sample: with one a second, 4 must not become 4.5.
const DAY: Duration = Duration::from_secs(12);
/// The collector is away from the morning of the first to the morning of the second.
const AWAY: usize = 6;
const BACK: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn the_promql_of_the_readme_gives_the_true_integers_over_http() {
    fortnight("http/protobuf").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_promql_of_the_readme_gives_the_true_integers_over_grpc() {
    fortnight("grpc").await;
}

async fn fortnight(protocol: &str) {
    let folder = tempfile::tempdir().unwrap();
    let client = client();
    let mut service = Service::new(Vec::new());
    let prometheus = Prometheus::start(service.port).await;
    let mut collector = Collector::new(&prometheus);
    collector.start().await;
    let url = if protocol == "grpc" { collector.grpc_url() } else { collector.http_url() };
    service.configure([
        ("SQLITE_DB", folder.path().join("facts.db").display().to_string()),
        ("OTEL_COLLECTOR_URL", url),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol.to_owned()),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1000".to_owned()),
    ]);
    service.start().await;

    let dawn = Instant::now() + Duration::from_secs(2);
    let dawn_unix = unix_now() + 2.0;
    for day in 0..DAYS {
        let morning = dawn + DAY * u32::try_from(day).unwrap();
        tokio::time::sleep_until(morning).await;
        match day {
            AWAY => collector.stop().await,
            BACK => collector.start().await,
            _ => {}
        }
        tokio::time::sleep_until(morning + Duration::from_millis(1500)).await;
        truth::send(&service, &client, day).await;
        // before the next export, as often as not
        if day % 2 == 1 {
            service.kill().await;
            service.start().await;
        }
    }
    tokio::time::sleep_until(dawn + DAY * u32::try_from(DAYS).unwrap()).await;

    for job in ["em_metrics", "scrape"] {
        totals_are_true(&prometheus, job).await;
        each_day_is_true(&prometheus, job, dawn_unix).await;
        windows_are_true(&prometheus, job).await;
    }
    files::every_expression_returns_data(&prometheus).await;
    service.stop().await;
}

fn deployments(day: Day) -> usize {
    day.deployments
}

fn as_values(counts: &BTreeMap<String, usize>) -> BTreeMap<String, f64> {
    counts.iter().map(|(project, count)| (project.clone(), f64::from(u32::try_from(*count).unwrap()))).collect()
}

fn scaled(counts: &BTreeMap<String, usize>, by: f64) -> BTreeMap<String, f64> {
    as_values(counts).into_iter().map(|(project, value)| (project, value * by)).collect()
}

async fn totals_are_true(prometheus: &Prometheus, job: &str) {
    let finished =
        BTreeMap::from_iter(truth::SCRIPT.map(|(project, days)| {
            (project.to_owned(), days.iter().step_by(2).map(|day| day.incidents).sum::<usize>())
        }));
    let incidents = truth::of_all(|day| day.incidents);
    let expected = [
        ("deployment_started_total", as_values(&truth::of_all(|day| day.deployments + day.failed))),
        ("deployment_frequency_total", as_values(&truth::of_all(deployments))),
        ("deployment_failed_total", as_values(&truth::of_all(|day| day.failed))),
        ("change_failure_count_total", as_values(&incidents)),
        ("incident_count_total", as_values(&incidents)),
        ("incident_restored_total", as_values(&incidents)),
        ("incident_finished_total", as_values(&finished)),
        ("lead_time_for_changes_seconds_sum", scaled(&truth::of_all(deployments), LEAD_TIME)),
        ("lead_time_for_changes_seconds_count", as_values(&truth::of_all(deployments))),
        ("deployment_duration_seconds_sum", scaled(&truth::of_all(deployments), 300.0)),
        ("time_to_detect_seconds_sum", scaled(&incidents, DETECT)),
        ("time_to_restore_seconds_sum", scaled(&incidents, RESTORE)),
    ];
    for (series, values) in expected {
        let query = format!("sum by (project_id) ({series}{{job=\"{job}\"}})");
        prometheus.await_values(&query, &values, Duration::from_secs(10)).await;
    }
}

/// `round(sum by (project_id) (increase(x[1d])))`, step = window.
async fn each_day_is_true(prometheus: &Prometheus, job: &str, dawn: f64) {
    let pushed = job == "em_metrics";
    for day in 0..DAYS {
        // while the collector was away, and until its return, the days are told together
        if pushed && (AWAY..=BACK).contains(&day) {
            continue;
        }
        let evening = evening(dawn, day);
        let query = format!(
            "round(sum by (project_id) (increase(deployment_frequency_total{{job=\"{job}\"}}[{}s])))",
            DAY.as_secs()
        );
        let mut found = prometheus.query_at(&query, Some(evening)).await;
        // a project that is not known yet is not there; one that is silent shows 0
        for (project, _) in truth::SCRIPT {
            found.entry(project.to_owned()).or_insert(0.0);
        }
        let expected = as_values(&truth::of_day(day, deployments));
        assert_eq!(found, expected, "{job}, day {day}");
    }
    if pushed {
        // from the evening before the outage to the evening of the return: all of it, at once
        let at = |time: f64| {
            format!("sum by (project_id) (last_over_time(deployment_frequency_total{{job=\"{job}\"}}[1h] @ {time:.3}))")
        };
        let (before, after) = (at(evening(dawn, AWAY - 1)), at(evening(dawn, BACK)));
        let found = prometheus.query(&format!("{after} - {before}")).await;
        let expected =
            (AWAY..=BACK).map(|day| truth::of_day(day, deployments)).fold(BTreeMap::new(), |mut sum, day| {
                for (project, count) in day.into_iter().filter(|(project, _)| project != "late") {
                    *sum.entry(project).or_default() += count;
                }
                sum
            });
        assert_eq!(found, as_values(&expected), "the days of the outage");
    }
}

fn evening(dawn: f64, day: usize) -> f64 {
    dawn + DAY.as_secs_f64() * f64::from(u32::try_from(day + 1).unwrap())
}

/// The other expressions of the README, over the whole fortnight.
async fn windows_are_true(prometheus: &Prometheus, job: &str) {
    let of = |series: &str| format!("{series}{{job=\"{job}\"}}");
    let all = |counts: BTreeMap<String, usize>| f64::from(u32::try_from(counts.values().sum::<usize>()).unwrap());
    let (deployed, incidents) = (all(truth::of_all(deployments)), all(truth::of_all(|day| day.incidents)));
    let frequency = of("deployment_frequency_total");
    let window = 3600;
    let one = |found: BTreeMap<String, f64>| found.into_values().next().unwrap();

    let by_project = format!("round(sum by (project_id) (increase({frequency}[{window}s])))");
    assert_eq!(prometheus.query(&by_project).await, as_values(&truth::of_all(deployments)), "{by_project}");

    // there is nothing an hour ago: the whole is the difference
    let last = format!("sum(last_over_time({frequency}[1h]))");
    let exact = format!("{last} - (sum(last_over_time({frequency}[1h] offset 1h)) or 0 * {last})");
    assert!((one(prometheus.query(&exact).await) - deployed).abs() < 1e-9, "{exact}");

    let buckets = of("lead_time_for_changes_seconds_bucket");
    let median = format!("histogram_quantile(0.5, sum by (le) (increase({buckets}[{window}s])))");
    let median = one(prometheus.query(&median).await);
    // 2 h lies between the bounds 64 and 128 minutes
    assert!((3840.0..=7680.0).contains(&median), "the median lead time is {median} s");

    let failures = of("change_failure_count_total");
    let rate = format!(
        "(sum(increase({failures}[{window}s])) or 0 * sum(increase({frequency}[{window}s]))) / (sum(increase({frequency}[{window}s])) > 0)"
    );
    let (found, expected) = (one(prometheus.query(&rate).await), incidents / deployed);
    assert!((found - expected).abs() / expected < 0.02, "the change fail rate is {found}, not {expected}");
}

#[expect(clippy::disallowed_methods, reason = "Prometheus stamps its samples with the machine's time")]
fn unix_now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}
