//! What must be true afterwards.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;

use super::database::End;
use super::load::Ledger;
use super::scrapes;
use super::trouble::Trouble;
use crate::prometheus::Prometheus;

#[derive(Debug, Default)]
pub struct Figures {
    replicas: BTreeMap<&'static str, usize>,
    database: BTreeMap<&'static str, usize>,
    pub connections_cut: usize,
    pub takeovers: usize,
    pub worst_takeover: Duration,
    longest_gap: f64,
    samples: usize,
}

impl Figures {
    pub fn replica_in(&mut self, trouble: Trouble) {
        let what = match trouble {
            Trouble::Killed => "killed",
            Trouble::Frozen => "frozen",
            Trouble::WithoutDatabase => "cut off from the database",
            Trouble::WithoutOthers => "cut off from clients and collector",
        };
        *self.replicas.entry(what).or_default() += 1;
    }

    pub fn database_ended(&mut self, how: End) {
        let what = match how {
            End::Fast => "stopped",
            End::Immediate => "stopped at once",
            End::Killed => "killed",
        };
        *self.database.entry(what).or_default() += 1;
    }

    pub fn tell(&self, ledger: &Ledger) {
        let of = |number: &std::sync::atomic::AtomicU64| number.load(Ordering::SeqCst);
        println!("replicas: {:?}", self.replicas);
        println!("PostgreSQL: {:?}; all its connections cut {} times", self.database, self.connections_cut);
        println!(
            "exporters: {} in turn; after a failure that was awaited, the next one within {:.1} s; longest gap between \
             two samples {:.1} s; {} samples looked at",
            self.takeovers,
            self.worst_takeover.as_secs_f64(),
            self.longest_gap,
            self.samples
        );
        println!(
            "requests: {} acknowledged, {} answered with 503, {} not answered; {} facts; the longest wait for an \
             acknowledgement {:.1} s",
            of(&ledger.acknowledged),
            of(&ledger.unavailable),
            of(&ledger.unanswered),
            ledger.facts.lock().unwrap().len(),
            Duration::from_millis(of(&ledger.longest_wait)).as_secs_f64()
        );
    }
}

/// Each acknowledged fact, as it was last answered, and no other.
pub async fn facts_are_there_once(client: &reqwest::Client, replicas: &[String], ledger: &Ledger) {
    for replica in replicas {
        let response = client.get(format!("{replica}/export")).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let mut stored = BTreeMap::new();
        for line in response.text().await.unwrap().lines() {
            let fact: Value = serde_json::from_str(line).unwrap();
            let key = (fact["kind"].as_str().unwrap().to_owned(), fact["id"].as_str().unwrap().to_owned());
            assert!(stored.insert(key, fact).is_none(), "{replica} has it twice: {line}");
        }
        let acknowledged = ledger.facts.lock().unwrap();
        assert!(acknowledged.len() > 100, "there was hardly any load: {} facts", acknowledged.len());
        for ((kind, id), answered) in acknowledged.iter() {
            let stored = stored.remove(&((*kind).to_owned(), id.clone()));
            let stored = stored.unwrap_or_else(|| panic!("{kind} {id} was acknowledged, and {replica} has lost it"));
            for field in ["project_id", "deployment_id", "deployed_at", "failed_at", "rolled_back_at", "restored_at"] {
                assert_eq!(said(&stored, field), said(answered, field), "{field} of {stored}");
            }
        }
        assert_eq!(stored.len(), 0, "{replica} has what nobody was told of: {:?}", stored.keys());
    }
}

fn said<'a>(fact: &'a Value, field: &str) -> Option<&'a Value> {
    fact.get(field).filter(|value| !value.is_null())
}

/// The totals on the page of every replica: the same, and what the acknowledged facts come to.
pub async fn replicas_show_the_truth(client: &reqwest::Client, replicas: &[String], ledger: &Ledger) {
    let mut first = None;
    for replica in replicas {
        let page = client.get(format!("{replica}/metrics")).send().await.unwrap().text().await.unwrap();
        let totals = scrapes::totals(&page);
        let mut shown = BTreeMap::new();
        for (series, total) in &totals {
            let (name, labels) = series.split_once('{').unwrap();
            let project = labels.split_once("project_id=\"").unwrap().1.split_once('"').unwrap().0;
            *shown.entry((name.to_owned(), project.to_owned())).or_insert(0.0) += total;
        }
        let truth = ledger.truth.lock().unwrap().clone();
        assert!(truth.len() > 5, "{truth:?}");
        for ((series, project), count) in truth {
            let shown = shown.get(&(series.to_owned(), project.clone())).copied();
            assert_eq!(shown, Some(count), "{series} of {project} at {replica}");
        }
        assert_eq!(first.get_or_insert_with(|| totals.clone()), &totals, "{replica}");
    }
}

/// Every sample that Prometheus has: each series begins with 0, never falls, and its steps come to the truth.
pub async fn steps_are_facts(prometheus: &Prometheus, ledger: &Ledger, figures: &mut Figures) {
    let mut truth: BTreeMap<&str, BTreeMap<String, f64>> = BTreeMap::new();
    for ((series, project), count) in ledger.truth.lock().unwrap().iter() {
        truth.entry(*series).or_default().insert(project.clone(), *count);
    }
    assert!(truth.len() > 5, "{truth:?}");
    for (series, truth) in &truth {
        let last = format!("sum by (project_id) ({series}{{job=\"em_metrics\"}}) > 0");
        prometheus.await_values(&last, truth, Duration::from_secs(90)).await;
        let data = prometheus.api("query", &[("query", format!("{series}[2h]"))]).await;
        let mut steps: BTreeMap<String, f64> = BTreeMap::new();
        for of in data["result"].as_array().unwrap() {
            let project = of["metric"]["project_id"].as_str().unwrap();
            let samples = of["values"].as_array().unwrap().iter();
            let samples: Vec<(f64, f64)> =
                samples.map(|s| (s[0].as_f64().unwrap(), s[1].as_str().unwrap().parse().unwrap())).collect();
            assert!(samples[0].1 == 0.0, "{series} of {project} begins with {}", samples[0].1);
            assert!(!steps.contains_key(project), "{series} of {project} comes under two identities: {}", of["metric"]);
            let mut sum = 0.0;
            for pair in samples.windows(2) {
                let ((before, from), (now, to)) = (pair[0], pair[1]);
                assert!(to >= from, "{series} of {project} falls from {from} to {to} at {now}");
                sum += to - from;
                figures.longest_gap = figures.longest_gap.max(now - before);
            }
            figures.samples += samples.len();
            steps.insert(project.to_owned(), sum);
        }
        steps.retain(|_, sum| *sum > 0.0);
        assert_eq!(&steps, truth, "{series}: the sum of its increases");
        // the README's, over a window that began before all of this
        let of = format!("sum by (project_id) (last_over_time({series}[1h]))");
        let exact = format!("({of} - (sum by (project_id) (last_over_time({series}[1h] offset 1h)) or 0 * {of})) > 0");
        assert_eq!(&prometheus.query(&exact).await, truth, "{exact}");
    }
}
