//! The headers of a delivery, by their names in lower case.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Headers(BTreeMap<String, String>);

impl Headers {
    /// Of a name that is sent twice, the first counts.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Those of the names, and nothing else: what is kept must hold no secret.
    #[must_use]
    pub fn only(&self, names: &[&str]) -> Self {
        let kept = names.iter().filter_map(|name| self.0.get_key_value(*name));
        Self(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
    }
}

impl<N: AsRef<str>, V: Into<String>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(headers: I) -> Self {
        let mut kept = BTreeMap::new();
        for (name, value) in headers {
            kept.entry(name.as_ref().to_ascii_lowercase()).or_insert_with(|| value.into());
        }
        Self(kept)
    }
}
