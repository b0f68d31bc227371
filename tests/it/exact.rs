//! The numbers against the facts: the totals of `/metrics` equal a recount of what the lists answer.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::app::App;

impl App {
    /// Every item of a list, page after page as the `Link` headers lead.
    pub async fn every(&self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut next = Some(path.to_owned());
        while let Some(path) = next {
            let answer = self.get(&path).await;
            items.extend(answer.expect(200).as_array().unwrap().clone());
            next = answer.next_page();
        }
        items
    }

    /// A total of `/metrics`, over all labels.
    pub async fn total(&self, series: &str) -> f64 {
        total(&self.get("/metrics").await.text, series)
    }

    /// Fails unless every instrument says what a recount of the facts says.
    pub async fn expect_exact(&self) {
        let mut expected = BTreeMap::<&str, f64>::new();
        let mut add = |series: &'static str, value: f64| *expected.entry(series).or_default() += value;
        let given = |fact: &Value, field: &str| f64::from(u8::from(!fact[field].is_null()));
        for deployment in self.every("/deployments?limit=1000").await {
            let incidents = deployment["incidents"].as_array().unwrap().len();
            let failed_in_use =
                !deployment["deployed_at"].is_null() && (incidents > 0 || !deployment["rolled_back_at"].is_null());
            add("deployment_started_total", 1.0);
            add("deployment_frequency_total", given(&deployment, "deployed_at"));
            add("deployment_failed_total", given(&deployment, "failed_at"));
            add("change_failure_count_total", f64::from(u8::from(failed_in_use)));
            add("deployment_duration_seconds_count", given(&deployment, "duration_seconds"));
            add("deployment_duration_seconds_sum", deployment["duration_seconds"].as_f64().unwrap_or_default());
            add("lead_time_for_changes_seconds_count", given(&deployment, "lead_time_seconds"));
            add("lead_time_for_changes_seconds_sum", deployment["lead_time_seconds"].as_f64().unwrap_or_default());
        }
        for incident in self.every("/incidents?limit=1000").await {
            add("incident_count_total", 1.0);
            add("incident_restored_total", given(&incident, "restored_at"));
            add("incident_finished_total", given(&incident, "finished_at"));
            add("time_to_restore_seconds_count", given(&incident, "time_to_restore_seconds"));
            add("time_to_restore_seconds_sum", incident["time_to_restore_seconds"].as_f64().unwrap_or_default());
            add("time_to_detect_seconds_count", given(&incident, "time_to_detect_seconds"));
            add("time_to_detect_seconds_sum", incident["time_to_detect_seconds"].as_f64().unwrap_or_default());
        }
        let text = self.get("/metrics").await.text;
        for (series, expected) in expected {
            let shown = total(&text, series);
            assert!((shown - expected).abs() < 1e-6, "{series} is {shown}, but the facts say {expected}");
        }
    }
}

fn total(text: &str, series: &str) -> f64 {
    text.lines()
        .filter(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with('{')))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum()
}
