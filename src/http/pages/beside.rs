//! The five keys beside what DORA has published. No figure of others stands here without its source.

use crate::benchmarks::{Group, Peers, Source};
use crate::dora::benchmark::{self, Benchmark, Key, Standing};
use crate::dora::words::short;

/// A key beside others.
#[derive(Debug)]
pub struct Beside {
    /// 0 to 10; `None` for the reason.
    pub score: Option<String>,
    pub reason: String,
    /// The answer of the survey; empty for shares.
    pub band: &'static str,
    /// Of the industry, and of organisations of the size.
    pub published: [Option<Published>; 2],
}

#[derive(Debug)]
pub struct Published {
    pub mean: String,
    pub std: String,
    pub standing: &'static str,
}

impl Beside {
    pub fn new(key: &Key) -> Self {
        Self {
            score: key.score.map(tenths),
            reason: key.reason.clone().unwrap_or_default(),
            band: key.band.unwrap_or_default(),
            published: [key.by_industry, key.by_size].map(|beside| beside.map(Published::new)),
        }
    }
}

impl Published {
    fn new(benchmark::Beside { published, standing }: benchmark::Beside) -> Self {
        let standing = match standing {
            Some(Standing::Better) => "better than usual",
            Some(Standing::Usual) => "usual",
            Some(Standing::Worse) => "worse than usual",
            None => "",
        };
        Self { mean: tenths(published.mean), std: tenths(published.std), standing }
    }
}

/// The quick check as a whole, and who says what others do.
#[derive(Debug)]
pub struct QuickCheck {
    pub score: Option<String>,
    /// Of how many keys.
    pub keys: usize,
    pub published: [Option<String>; 2],
    pub year: u16,
    pub groups: Groups,
    pub source: &'static Source,
    /// Of the whole survey, and where that is from.
    pub respondents: Option<(&'static str, &'static str)>,
}

/// Who the others are.
#[derive(Debug)]
pub enum Groups {
    /// Everybody who answered: both figures are the same.
    All,
    Both([&'static str; 2]),
}

impl Groups {
    /// Those whose figures are to be shown, each with its place among the published.
    pub fn names(&self) -> Vec<(usize, &'static str)> {
        match self {
            Self::All => vec![(0, "all who answered")],
            Self::Both([industry, size]) => vec![(0, *industry), (1, *size)],
        }
    }

    fn new(industry: &'static Group, size: &'static Group) -> Self {
        if industry.key == "all" && size.key == "all" { Self::All } else { Self::Both([&industry.name, &size.name]) }
    }
}

impl QuickCheck {
    pub fn new(found: &Benchmark, peers: &Peers) -> Self {
        let respondents = peers.edition.respondents.as_ref();
        Self {
            score: found.score.map(tenths),
            keys: found.keys.iter().filter(|key| key.score.is_some()).count(),
            published: [found.published_by_industry, found.published_by_size].map(|mean| mean.map(tenths)),
            year: peers.edition.year,
            groups: Groups::new(peers.industry, peers.organisation_size),
            source: &peers.edition.source,
            respondents: respondents.map(|respondents| (respondents.text.as_str(), respondents.url.as_str())),
        }
    }
}

/// Scores are published with one decimal.
fn tenths(score: f64) -> String {
    short((score * 10.0).round() / 10.0)
}
