//! The `public` section: which numbers of which projects everybody may see.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::Problem;
use crate::domain::names::Name;
use crate::dora::explain::Metric;

/// These metrics of these projects, of each by itself and of all together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publication {
    pub projects: Vec<Name>,
    #[serde(serialize_with = "names", deserialize_with = "metrics")]
    pub metrics: Vec<Metric>,
}

/// An empty list would be read as "all" by one and as "none" by another, and one of them would publish too much.
pub(super) fn check(section: &[Publication]) -> Result<(), Problem> {
    for (index, publication) in section.iter().enumerate() {
        let Publication { projects, metrics } = publication;
        for (key, is_empty) in [("projects", projects.is_empty()), ("metrics", metrics.is_empty())] {
            if is_empty {
                return Err(Problem::at(&format!("public[{index}].{key}"), "expected at least one, found none"));
            }
        }
    }
    Ok(())
}

struct Known(Metric);

impl<'de> Deserialize<'de> for Known {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Metric::parse(&String::deserialize(deserializer)?).map(Self).map_err(D::Error::custom)
    }
}

fn metrics<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Metric>, D::Error> {
    Ok(Vec::<Known>::deserialize(deserializer)?.into_iter().map(|Known(metric)| metric).collect())
}

fn names<S: Serializer>(metrics: &[Metric], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(metrics.iter().map(|metric| metric.name()))
}
