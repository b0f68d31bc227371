//! Figures that others have published, with their source: what the numbers of `dora` are shown beside.
//! The files under `dora/` are as DORA publishes them; `editions.json` says where they are from, under which
//! licence, and which way their numbers point.

mod files;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// All years there are, oldest first.
pub static EDITIONS: LazyLock<Vec<Edition>> = LazyLock::new(files::read);

/// What the answers to the survey of a year come to.
#[derive(Debug)]
pub struct Edition {
    pub year: u16,
    pub source: Source,
    /// How many answered; `None`: not published with the figures.
    pub respondents: Option<Respondents>,
    /// By their key in the file.
    pub industries: BTreeMap<String, Group>,
    pub organisation_sizes: BTreeMap<String, Group>,
}

/// Who says so, and on which terms it may be passed on.
#[derive(Debug, Clone, Deserialize)]
pub struct Source {
    pub title: String,
    /// For people.
    pub url: String,
    /// Where the files are from.
    pub data: String,
    /// Year and month.
    pub retrieved: String,
    pub attribution: String,
    pub licence: String,
    pub licence_url: String,
    /// What is done to the figures.
    pub changes: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Respondents {
    pub text: String,
    pub url: String,
}

/// Those who work in the same industry, or in an organisation of the same size.
#[derive(Debug)]
pub struct Group {
    pub key: String,
    pub name: String,
    pub lead_time: Score,
    pub deployment_frequency: Score,
    pub change_failure_rate: Score,
    pub recovery_time: Score,
    /// Asked since 2025.
    pub rework_rate: Option<Score>,
}

/// What the answers of a group come to: 0 to 10, and 10 is best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    pub mean: f64,
    pub std: f64,
}

/// Those that answers are shown beside.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(into = "Choice")]
pub struct Peers {
    pub edition: &'static Edition,
    pub industry: &'static Group,
    pub organisation_size: &'static Group,
}

/// How peers are chosen.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Choice {
    pub year: u16,
    /// Keys of the files of that year.
    pub industry: String,
    pub organisation_size: String,
}

/// There is nothing published for this.
#[derive(Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The field of the choice.
    pub field: &'static str,
    /// What there is, and what was asked for.
    pub problem: String,
}

impl Default for Choice {
    fn default() -> Self {
        Self { year: 2025, industry: "all".to_owned(), organisation_size: "all".to_owned() }
    }
}

impl Choice {
    pub fn find(&self) -> Result<Peers, Unknown> {
        let years = || EDITIONS.iter().map(|edition| edition.year.to_string()).collect::<Vec<_>>().join(" or ");
        let edition = EDITIONS
            .iter()
            .find(|edition| edition.year == self.year)
            .ok_or_else(|| Unknown { field: "year", problem: format!("expected {}, found {}", years(), self.year) })?;
        let group = |field, groups: &'static BTreeMap<String, Group>, key: &String| {
            groups.get(key).ok_or_else(|| {
                let known: Vec<_> = groups.keys().map(String::as_str).collect();
                let problem = format!("expected one of {} (of {}), found {key:?}", known.join(", "), self.year);
                Unknown { field, problem }
            })
        };
        Ok(Peers {
            edition,
            industry: group("industry", &edition.industries, &self.industry)?,
            organisation_size: group("organisation_size", &edition.organisation_sizes, &self.organisation_size)?,
        })
    }
}

impl From<Peers> for Choice {
    fn from(peers: Peers) -> Self {
        let Peers { edition, industry, organisation_size } = peers;
        let (industry, organisation_size) = (industry.key.clone(), organisation_size.key.clone());
        Self { year: edition.year, industry, organisation_size }
    }
}
