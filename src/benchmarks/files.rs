//! Reads the files, and turns what points the other way.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Edition, Group, Respondents, Score, Source};

const EDITIONS: &str = include_str!("dora/editions.json");

/// The files of a year: by industry, by size of the organisation.
const FILES: &[(u16, &str, &str)] = &[
    (2024, include_str!("dora/2024/industry_metrics.json"), include_str!("dora/2024/organization_size_metrics.json")),
    (2025, include_str!("dora/2025/industry_metrics.json"), include_str!("dora/2025/organization_size_metrics.json")),
];

#[derive(Deserialize)]
struct About {
    source: Source,
    editions: Vec<AboutEdition>,
}

#[derive(Deserialize)]
struct AboutEdition {
    year: u16,
    respondents: Option<Respondents>,
    recovery_inverted: Inverted,
}

#[derive(Deserialize)]
struct Inverted {
    industry: bool,
    organisation_size: bool,
}

/// `performance_average` is left out: in 2025 it is the mean of numbers of which some are better high and some low.
/// DORA's page does not show it either, but the mean of the metrics.
#[derive(Deserialize)]
pub(super) struct Entry {
    name: String,
    pub(super) leadtime: Figure,
    pub(super) deployfreq: Figure,
    pub(super) changefailure: Figure,
    pub(super) failurerecovery: Figure,
    pub(super) rework: Option<Figure>,
}

#[derive(Deserialize)]
pub(super) struct Figure {
    pub(super) mean: f64,
    std: f64,
}

pub(super) fn read() -> Vec<Edition> {
    let about: About = serde_json::from_str(EDITIONS).expect("what is said about the editions is in order");
    let editions = about.editions.into_iter().map(|edition| {
        let (_, industry, size) = FILES.iter().find(|(year, ..)| *year == edition.year).expect("the files of a year");
        Edition {
            year: edition.year,
            source: about.source.clone(),
            respondents: edition.respondents,
            industries: groups(industry, edition.recovery_inverted.industry),
            organisation_sizes: groups(size, edition.recovery_inverted.organisation_size),
        }
    });
    editions.collect()
}

pub(super) fn entries(file: &str) -> BTreeMap<String, Entry> {
    serde_json::from_str(file).expect("published figures are in order")
}

fn groups(file: &str, recovery_inverted: bool) -> BTreeMap<String, Group> {
    let group = |(key, entry): (String, Entry)| {
        let recovery = &entry.failurerecovery;
        let group = Group {
            key: key.clone(),
            name: entry.name,
            lead_time: entry.leadtime.as_it_is(),
            deployment_frequency: entry.deployfreq.as_it_is(),
            change_failure_rate: entry.changefailure.turned(),
            recovery_time: if recovery_inverted { recovery.turned() } else { recovery.as_it_is() },
            rework_rate: entry.rework.as_ref().map(Figure::turned),
        };
        (key, group)
    };
    entries(file).into_iter().map(group).collect()
}

impl Figure {
    fn as_it_is(&self) -> Score {
        Score { mean: self.mean, std: self.std }
    }

    /// Figures have two decimals at most.
    fn turned(&self) -> Score {
        Score { mean: ((10.0 - self.mean) * 100.0).round() / 100.0, std: self.std }
    }
}
