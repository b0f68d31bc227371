//! The `incidents` section: what is made of incidents that say too little.

use std::time::Duration;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Incidents {
    /// A deployment of the same project and environment, at most so long before an incident that names none, is
    /// suggested as what has caused it; 0: none is.
    pub suggest_within_minutes: u32,
}

impl Incidents {
    pub fn suggest_within(&self) -> Option<Duration> {
        (self.suggest_within_minutes > 0).then(|| Duration::from_secs(u64::from(self.suggest_within_minutes) * 60))
    }
}
