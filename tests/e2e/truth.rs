//! A scripted fortnight of three projects, and what is true of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::process::Service;

pub const DAYS: usize = 14;

/// What one project does on one day.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Day {
    pub deployments: usize,
    /// Of those, how many get an incident.
    pub incidents: usize,
    /// Pipelines that fail before they reach users.
    pub failed: usize,
}

const fn day(deployments: usize, incidents: usize, failed: usize) -> Day {
    Day { deployments, incidents, failed }
}

/// Rare and uneven, as such events are. `late` is first seen on day 9, by a deployment that is over already.
pub const SCRIPT: [(&str, [Day; DAYS]); 3] = [
    (
        "shop",
        [
            day(3, 1, 0),
            day(2, 0, 1),
            day(0, 0, 0),
            day(4, 1, 0),
            day(1, 0, 0),
            day(2, 0, 0),
            day(3, 1, 1),
            day(2, 0, 0),
            day(1, 0, 0),
            day(0, 0, 0),
            day(4, 2, 0),
            day(1, 0, 0),
            day(2, 0, 2),
            day(3, 0, 0),
        ],
    ),
    (
        "api",
        [
            day(1, 1, 0),
            day(0, 0, 0),
            day(1, 0, 0),
            day(2, 0, 0),
            day(0, 0, 1),
            day(1, 0, 0),
            day(1, 0, 0),
            day(1, 1, 0),
            day(0, 0, 0),
            day(1, 0, 0),
            day(0, 0, 0),
            day(2, 0, 0),
            day(1, 1, 0),
            day(0, 0, 0),
        ],
    ),
    (
        "late",
        [
            day(0, 0, 0),
            day(0, 0, 0),
            day(0, 0, 0),
            day(0, 0, 0),
            day(0, 0, 0),
            day(0, 0, 0),
            day(0, 0, 0),
            day(0, 0, 0),
            day(0, 0, 0),
            day(1, 0, 0),
            day(0, 0, 0),
            day(1, 1, 0),
            day(0, 0, 0),
            day(1, 0, 0),
        ],
    ),
];

/// Lead time of every deployment of the script, in seconds: 2 h.
pub const LEAD_TIME: f64 = 7200.0;
/// From deployment to incident, and from there to restoration, in seconds.
pub const DETECT: f64 = 600.0;
pub const RESTORE: f64 = 1800.0;

pub fn of_day(number: usize, value: impl Fn(Day) -> usize) -> BTreeMap<String, usize> {
    SCRIPT.iter().map(|(project, days)| ((*project).to_owned(), value(days[number]))).collect()
}

pub fn of_all(value: impl Fn(Day) -> usize) -> BTreeMap<String, usize> {
    SCRIPT.iter().map(|(project, days)| ((*project).to_owned(), days.iter().map(|day| value(*day)).sum())).collect()
}

/// Sends a day's events as pipelines do, some of them twice.
pub async fn send(service: &Service, client: &reqwest::Client, number: usize) {
    for (project, days) in SCRIPT {
        let Day { deployments, incidents, failed } = days[number];
        for n in 0..deployments {
            let id = format!("{project}-{number}-{n}");
            let body = json!({
                "project_id": project, "first_commit_at": "2026-01-01T10:00:00Z", "deploy_start_at": "2026-01-01T11:55:00Z",
            });
            let mut start = body.clone();
            start["id"] = id.clone().into();
            let mut deployed = body;
            deployed["create_if_not_exists"] = true.into();
            deployed["deployed_at"] = "2026-01-01T12:00:00Z".into();
            // every third pipeline tells only the end, and every second repeats itself
            if n % 3 != 2 && project != "late" {
                post(service, client, "/deployments", &start).await;
            }
            for _ in 0..=n % 2 {
                post(service, client, &format!("/deployments/{id}/deployed"), &deployed).await;
            }
            if n < incidents {
                let incident = json!({
                    "id": id, "project_id": project, "deployment_id": id, "started_at": "2026-01-01T12:10:00Z",
                });
                post(service, client, "/incidents", &incident).await;
                let date = json!({"date": "2026-01-01T12:40:00Z"});
                post(service, client, &format!("/incidents/{id}/restored?project_id={project}"), &date).await;
                if number.is_multiple_of(2) {
                    post(service, client, &format!("/incidents/{id}/finished?project_id={project}"), &date).await;
                }
            }
        }
        for n in 0..failed {
            let id = format!("{project}-{number}-failed-{n}");
            let start = json!({"id": id, "project_id": project, "first_commit_at": "2026-01-01T10:00:00Z"});
            post(service, client, "/deployments", &start).await;
            post(service, client, &format!("/deployments/{id}/failed"), &json!({})).await;
        }
    }
}

async fn post(service: &Service, client: &reqwest::Client, path: &str, body: &Value) {
    let response = client.post(service.url(path)).json(body).send().await.unwrap();
    let status = response.status();
    assert!(status.is_success(), "{path}: {status} {}", response.text().await.unwrap());
}
