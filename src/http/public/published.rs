//! What may be shown to everybody. Whoever asks for anything else is told what anyone is told who asks for what does
//! not exist, before anything else about the question is looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::http::StatusCode;
use tokio::sync::Semaphore;

use crate::config::Publication;
use crate::domain::Name;
use crate::dora::explain::Metric;
use crate::http::error::Problem;

/// Strangers' questions that are answered at once; more wait for each other and for nobody else.
const AT_ONCE: usize = 2;

#[derive(Debug)]
pub struct Public {
    pub publications: Vec<Publication>,
    /// By the name of the metric.
    projects: BTreeMap<&'static str, BTreeSet<Name>>,
    pub lane: Arc<Semaphore>,
}

/// A metric of projects that are all public.
#[derive(Debug, PartialEq, Eq)]
pub struct Allowed {
    pub metric: Metric,
    /// Sorted, without repeats.
    pub projects: Vec<Name>,
}

impl Public {
    pub fn new(publications: &[Publication]) -> Self {
        let mut projects: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for publication in publications {
            for metric in &publication.metrics {
                projects.entry(metric.name()).or_default().extend(publication.projects.iter().cloned());
            }
        }
        Self { publications: publications.to_vec(), projects, lane: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// The metric of these projects; of all whose metric is public when none is named.
    pub fn allow(&self, metric: &str, projects: &[String]) -> Result<Allowed, Problem> {
        let allowed = || {
            let public = self.projects.get(metric)?;
            let metric = Metric::parse(metric).ok()?;
            if projects.is_empty() {
                return Some(Allowed { metric, projects: public.iter().cloned().collect() });
            }
            let projects: Option<BTreeSet<_>> =
                projects.iter().map(|name| public.get(name.as_str()).cloned()).collect();
            Some(Allowed { metric, projects: projects?.into_iter().collect() })
        };
        allowed().ok_or_else(no_such_thing)
    }
}

/// The same as for a path that is not there.
pub fn no_such_thing() -> Problem {
    Problem::of_status(StatusCode::NOT_FOUND)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public() -> Public {
        let publication = |projects: &[&str], metrics: &[Metric]| Publication {
            projects: projects.iter().map(|name| Name::parse(name).unwrap()).collect(),
            metrics: metrics.to_vec(),
        };
        Public::new(&[
            publication(&["shop", "cart"], &[Metric::DeploymentFrequency, Metric::Incidents]),
            publication(&["bank"], &[Metric::DeploymentFrequency]),
        ])
    }

    fn allowed(metric: &str, projects: &[&str]) -> Option<Vec<String>> {
        let projects: Vec<_> = projects.iter().map(ToString::to_string).collect();
        let allowed = public().allow(metric, &projects).ok()?;
        assert_eq!(allowed.metric.name(), metric);
        Some(allowed.projects.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_is_published_is_allowed_and_nothing_else() {
        for (metric, projects, expected) in [
            ("deployment_frequency", &[][..], Some(&["bank", "cart", "shop"][..])),
            ("incidents", &[], Some(&["cart", "shop"])),
            ("incidents", &["shop"], Some(&["shop"])),
            ("incidents", &["shop", "cart", "shop"], Some(&["cart", "shop"])),
            ("deployment_frequency", &["bank", "shop"], Some(&["bank", "shop"])),
            // published, but not this of it
            ("incidents", &["bank"], None),
            ("lead_time_for_changes", &["shop"], None),
            // one that is not spoils all
            ("incidents", &["shop", "bank"], None),
            ("incidents", &["shop", "secret"], None),
            ("incidents", &["SHOP"], None),
            ("incidents", &["shop "], None),
            ("Incidents", &["shop"], None),
            ("", &[], None),
        ] {
            let expected = expected.map(|names| names.iter().map(ToString::to_string).collect());
            assert_eq!(allowed(metric, projects), expected, "{metric} {projects:?}");
        }
        assert!(Public::new(&[]).allow("incidents", &[]).is_err());
    }
}
