//! A push, a pull request, a deployment, an incident and its end, as GitHub and `PagerDuty` sent them in the wild, brought
//! into one story: then the five keys are right in the answers, and in Prometheus.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use em_metrics::domain::Timestamp;
use em_metrics::webhooks::vendor;
use serde_json::{Value, json};

use crate::process::{Service, client};
use crate::prometheus::{Collector, Prometheus};

const SECRET: &str = "a secret of the tests";
/// The project of the captured deliveries, which all are about GitHub's example.
const PROJECT: &str = "baxterthehacker/public-repo";
/// What merging the captured pull request made; it had none yet when it was captured.
const MERGED: &str = "4fd8b3c1a05e7296d1f0b3c8a7e5d4926c1b0a3f";
const HOTFIX: &str = "b7e21c60d49f8a35c2e7049b1d6f3a8c5e90d247";
/// How long what was told may take to be an answer, or to arrive in Prometheus.
const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs EM_METRICS_PAYLOADS"]
async fn from_a_push_to_the_end_of_an_incident() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(Vec::new());
    let prometheus = Prometheus::start(service.port).await;
    let mut collector = Collector::new(&prometheus);
    collector.start().await;
    let config = folder.path().join("config.json");
    // PagerDuty's service has a name of its own
    let webhooks = json!({"projects": {"pig208": PROJECT}, "sources": [
        {"vendor": "github", "secrets": [SECRET]}, {"vendor": "pagerduty", "secrets": [SECRET]},
    ]});
    std::fs::write(&config, json!({ "webhooks": webhooks }).to_string()).unwrap();
    service.configure([
        ("CONFIG", config.display().to_string()),
        ("SQLITE_DB", folder.path().join("facts.db").display().to_string()),
        ("OTEL_COLLECTOR_URL", collector.http_url()),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1000".to_owned()),
    ]);
    service.start().await;

    tell(&service).await;
    let answer = answered(&service).await;
    assert_eq!(answer["deployment_frequency"]["deployments"], 3);
    // from the commit of the branch at 23:40:15 to users at 23:45:15
    let lead_time = &answer["lead_time_for_changes"];
    assert_eq!((&lead_time["n"], &lead_time["median_seconds"]), (&json!(1), &json!(300.0)));
    assert_eq!(answer["change_failure_rate"]["ratio"], 1.0 / 3.0);
    let recovery = &answer["failed_deployment_recovery_time"];
    assert_eq!((&recovery["n"], &recovery["median_seconds"]), (&json!(1), &json!(1800.0)));
    assert_eq!(answer["deployment_rework_rate"]["ratio"], 1.0 / 3.0);
    assert_eq!(answer["time_to_detect"]["median_seconds"], 600.0);

    for (query, value) in [
        ("deployment_frequency_total", 3.0),
        ("lead_time_for_changes_seconds_count", 1.0),
        ("lead_time_for_changes_seconds_sum", 300.0),
        ("change_failure_count_total / deployment_frequency_total", 1.0 / 3.0),
        ("time_to_restore_seconds_count", 1.0),
        ("time_to_restore_seconds_sum", 1800.0),
        ("deployment_unplanned_total / deployment_frequency_total", 1.0 / 3.0),
        ("time_to_detect_seconds_sum", 600.0),
    ] {
        // both what was pushed and what was scraped
        for job in ["em_metrics", "scrape"] {
            let of_job: Vec<_> = query.split(" / ").map(|name| format!("sum({name}{{job=\"{job}\"}})")).collect();
            let expected = BTreeMap::from([(String::new(), value)]);
            prometheus.await_values(&of_job.join(" / "), &expected, PATIENCE).await;
        }
    }
    // who was heard of is told of from the start
    service.stop().await;
    service.start().await;
    for source in ["github", "pagerduty"] {
        let quiet_for = format!("sgn(count(em_metrics_webhook_silence_seconds{{source=\"{source}\"}} < 3600))");
        prometheus.await_values(&quiet_for, &BTreeMap::from([(String::new(), 1.0)]), PATIENCE).await;
    }
    service.stop().await;
}

/// In the order in which it happened, but for the end of the incident, which is told before its beginning.
async fn tell(service: &Service) {
    let sender = Sender { service, client: client() };
    let deployment = captured("github/goplayground.deployment_status.json");
    sender.github("deployment_status", deployment.clone()).await;
    let branch = captured("github/zulip.push__1_commit.json");
    sender.github("push", branch.clone()).await;
    let mut pull_request = captured("github/zulip.pull_request__merged.json");
    put(&mut pull_request, "/pull_request/merge_commit_sha", MERGED);
    put(&mut pull_request, "/pull_request/merged_at", "2015-05-05T23:43:00Z");
    sender.github("pull_request", pull_request).await;
    let mut merge = branch;
    put(&mut merge, "/ref", "refs/heads/master");
    put(&mut merge, "/after", MERGED);
    put(&mut merge, "/head_commit/id", MERGED);
    put(&mut merge, "/head_commit/timestamp", "2015-05-05T23:43:00Z");
    sender.github("push", merge).await;
    let deployed = |id: u64, sha: &str, task: &str, created_at: &str, at: &str| {
        let mut deployment = deployment.clone();
        put(&mut deployment, "/deployment/id", id);
        put(&mut deployment, "/deployment/sha", sha);
        put(&mut deployment, "/deployment/task", task);
        put(&mut deployment, "/deployment/created_at", created_at);
        put(&mut deployment, "/deployment_status/created_at", at);
        sender.github("deployment_status", deployment)
    };
    deployed(710_693, MERGED, "deploy", "2015-05-05T23:44:00Z", "2015-05-05T23:45:15Z").await;

    for (kind, at) in [("resolved", "2015-05-06T00:25:15Z"), ("triggered", "2015-05-05T23:55:15Z")] {
        let mut incident = captured(&format!("pagerduty/zulip.{kind}_v3.json"));
        put(&mut incident, "/event/occurred_at", at);
        // captured of two incidents
        put(&mut incident, "/event/data/id", "PFQZPSY");
        put(&mut incident, "/event/data/title", format!("Down. Root cause: {MERGED}"));
        sender.send("pagerduty", &[], &incident).await;
    }
    deployed(710_694, HOTFIX, "hotfix", "2015-05-06T00:19:00Z", "2015-05-06T00:25:00Z").await;
}

struct Sender<'a> {
    service: &'a Service,
    client: reqwest::Client,
}

impl Sender<'_> {
    async fn github(&self, event: &str, body: Value) {
        self.send("github", &[("x-github-event", event)], &body).await;
    }

    async fn send(&self, tool: &str, headers: &[(&str, &str)], body: &Value) {
        let (body, signed) =
            vendor(tool).unwrap().schemes[0].sign(body.to_string().as_bytes(), SECRET, Timestamp::EPOCH);
        let url = self.service.url(&format!("/webhooks/{tool}"));
        let request = headers.iter().fold(self.client.post(url).body(body), |r, (name, value)| r.header(*name, *value));
        let request = signed.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        let response = request.send().await.unwrap();
        let status = response.status();
        assert_eq!(status, 200, "{tool}: {}", response.text().await.unwrap());
    }
}

/// What `/dora` says, as soon as the incident is known from its beginning and linked.
async fn answered(service: &Service) -> Value {
    let client = client();
    let url = service.url("/dora?from=2015-05-01&to=2015-06-01");
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let answer: Value = client.get(&url).send().await.unwrap().json().await.unwrap();
        let whole = answer["deployment_frequency"]["deployments"] == 3
            && answer["lead_time_for_changes"]["n"] == 1
            && answer["time_to_detect"]["n"] == 1;
        if whole {
            return answer;
        }
        assert!(tokio::time::Instant::now() < deadline, "{answer:#}");
        // what was told becomes facts in the background
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn captured(file: &str) -> Value {
    let folder = std::env::var_os("EM_METRICS_PAYLOADS").expect("EM_METRICS_PAYLOADS names the folder of payloads");
    serde_json::from_slice(&std::fs::read(PathBuf::from(folder).join(file)).unwrap()).unwrap()
}

fn put(body: &mut Value, pointer: &str, value: impl Into<Value>) {
    *body.pointer_mut(pointer).unwrap_or_else(|| panic!("there is no {pointer}")) = value.into();
}
