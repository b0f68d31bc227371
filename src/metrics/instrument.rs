//! The catalogue: the one declaration of each instrument. `/metrics`, OTLP and the README table loop over it.

/// What an instrument is called in the store, in marks and in the catalogue. The discriminant is
/// stored (a bit in `counted`): never renumber, only append.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Metric {
    DeploymentStarted = 0,
    DeploymentFrequency = 1,
    DeploymentFailed = 2,
    DeploymentDuration = 3,
    LeadTimeForChanges = 4,
    ChangeFailureCount = 5,
    IncidentCount = 6,
    TimeToDetect = 7,
    IncidentRestored = 8,
    TimeToRestore = 9,
    IncidentFinished = 10,
    DeploymentUnplanned = 11,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Histogram(Bounds),
}

/// Upper bucket bounds in seconds: `first * 2^i` for `i` in `0..count`.
/// Powers of two err by a few percent on lognormal durations; see the README.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    pub first: i64,
    pub count: u8,
}

impl Bounds {
    /// The bounds in seconds, ascending, without the last bucket's infinity.
    pub fn seconds(self) -> impl Iterator<Item = i64> {
        (0..self.count).map(move |i| self.first << i)
    }

    /// The bucket of a value: the first whose bound is not below it; `count` = above all bounds.
    pub fn bucket(self, micros: i64) -> u8 {
        (0..self.count).find(|i| micros <= (self.first << i) * 1_000_000).unwrap_or(self.count)
    }
}

/// One instrument as the world sees it.
#[derive(Debug)]
pub struct Instrument {
    pub metric: Metric,
    /// Its OpenTelemetry name; stored with its totals: never rename.
    pub name: &'static str,
    pub kind: Kind,
    /// In UCUM.
    pub unit: &'static str,
    /// One observation when ...
    pub help: &'static str,
    /// The value of an observation.
    pub value: &'static str,
}

const COMMITS_TO_MONTHS: Kind = Kind::Histogram(Bounds { first: 60, count: 19 });

pub static CATALOGUE: [Instrument; 12] = [
    Instrument {
        metric: Metric::DeploymentStarted,
        name: "deployment_started",
        kind: Kind::Counter,
        unit: "{deployment}",
        help: "Deployments first seen.",
        value: "1",
    },
    Instrument {
        metric: Metric::DeploymentFrequency,
        name: "deployment_frequency",
        kind: Kind::Counter,
        unit: "{deployment}",
        help: "Deployments that reached users.",
        value: "1",
    },
    Instrument {
        metric: Metric::DeploymentFailed,
        name: "deployment_failed",
        kind: Kind::Counter,
        unit: "{deployment}",
        help: "Deployments whose pipeline failed before they reached users.",
        value: "1",
    },
    Instrument {
        metric: Metric::DeploymentDuration,
        name: "deployment_duration",
        kind: Kind::Histogram(Bounds { first: 15, count: 13 }),
        unit: "s",
        help: "From the start of the deployment to users, for deployments whose start is known.",
        value: "deployed_at - deploy_start_at",
    },
    Instrument {
        metric: Metric::LeadTimeForChanges,
        name: "lead_time_for_changes",
        kind: COMMITS_TO_MONTHS,
        unit: "s",
        help: "From the first commit to users.",
        value: "deployed_at - first_commit_at",
    },
    Instrument {
        metric: Metric::ChangeFailureCount,
        name: "change_failure_count",
        kind: Kind::Counter,
        unit: "{deployment}",
        help: "Deployments that failed in use: first incident linked, or rolled back; at most once each.",
        value: "1",
    },
    Instrument {
        metric: Metric::IncidentCount,
        name: "incident_count",
        kind: Kind::Counter,
        unit: "{incident}",
        help: "Incidents first seen.",
        value: "1",
    },
    Instrument {
        metric: Metric::TimeToDetect,
        name: "time_to_detect",
        kind: COMMITS_TO_MONTHS,
        unit: "s",
        help: "From the deployment to the start of the incident linked to it.",
        value: "incident.started_at - deployment.deployed_at",
    },
    Instrument {
        metric: Metric::IncidentRestored,
        name: "incident_restored",
        kind: Kind::Counter,
        unit: "{incident}",
        help: "Incidents restored.",
        value: "1",
    },
    Instrument {
        metric: Metric::TimeToRestore,
        name: "time_to_restore",
        kind: Kind::Histogram(Bounds { first: 60, count: 15 }),
        unit: "s",
        help: "From the start of an incident to its restoration.",
        value: "restored_at - started_at",
    },
    Instrument {
        metric: Metric::IncidentFinished,
        name: "incident_finished",
        kind: Kind::Counter,
        unit: "{incident}",
        help: "Incidents finished.",
        value: "1",
    },
    Instrument {
        metric: Metric::DeploymentUnplanned,
        name: "deployment_unplanned",
        kind: Kind::Counter,
        unit: "{deployment}",
        help: "Deployments that reached users unplanned: hotfixes, roll-backs, roll-forwards (rework).",
        value: "1",
    },
];

impl Metric {
    /// The bit it has in a fact's `counted` marks.
    pub fn bit(self) -> u8 {
        self as u8
    }

    pub fn instrument(self) -> &'static Instrument {
        &CATALOGUE[self as usize]
    }

    pub fn name(self) -> &'static str {
        self.instrument().name
    }

    pub fn from_name(name: &str) -> Option<Self> {
        CATALOGUE.iter().find(|i| i.name == name).map(|i| i.metric)
    }

    /// The bounds of a histogram; `None` for a counter.
    pub fn bounds(self) -> Option<Bounds> {
        match self.instrument().kind {
            Kind::Counter => None,
            Kind::Histogram(bounds) => Some(bounds),
        }
    }
}

/// The catalogue as the README shows it.
pub fn table_markdown() -> String {
    let rows = CATALOGUE.iter().map(|Instrument { name, kind, unit, help, value, .. }| match kind {
        Kind::Counter => format!("| `{name}_total` | counter, `{unit}` | {help} | {value} |"),
        Kind::Histogram(_) => format!("| `{name}_seconds` | histogram, `{unit}` | {help} | `{value}` |"),
    });
    let head = ["| in Prometheus | kind, unit | counts | value |".to_owned(), "| --- | --- | --- | --- |".to_owned()];
    head.into_iter().chain(rows).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_stands_in_the_order_of_the_bits() {
        for (i, instrument) in CATALOGUE.iter().enumerate() {
            assert_eq!(instrument.metric as usize, i);
            assert_eq!(Metric::from_name(instrument.name), Some(instrument.metric));
        }
    }

    #[test]
    fn a_value_on_a_bound_belongs_to_the_bucket_below_it() {
        let bounds = Bounds { first: 60, count: 3 };
        assert_eq!(bounds.seconds().collect::<Vec<_>>(), [60, 120, 240]);
        let bucket = |seconds: i64| bounds.bucket(seconds * 1_000_000);
        assert_eq!([bucket(0), bucket(60), bucket(61), bucket(240), bucket(241)], [0, 0, 1, 2, 3]);
        assert_eq!(bounds.bucket(60_000_001), 1);
    }
}
