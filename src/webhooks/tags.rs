//! Tags and labels, by which people say what a tool has no field for: the service, the environment.

use super::Body;
use super::body::name;
use crate::domain::Name;

/// What names a project, the most telling first.
pub const PROJECT: &[&str] = &["project", "service"];
pub const ENVIRONMENT: &[&str] = &["environment", "env"];

/// From tags such as `service:shop`.
pub fn value(tags: &[&str], keys: &[&str]) -> Option<Name> {
    let of = |key: &&str| {
        let values = tags.iter().filter_map(|tag| tag.split_once(':'));
        values.filter(|(name, _)| name.trim().eq_ignore_ascii_case(key)).find_map(|(_, value)| name(value))
    };
    keys.iter().find_map(of)
}

/// From an object of labels.
pub fn label(labels: Body<'_>, keys: &[&str]) -> Option<Name> {
    keys.iter().find_map(|key| labels.field(key).name())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_most_telling_key_is_believed() {
        let tags = ["urgent", "Service: till", "project:shop", "env:"];
        assert_eq!(value(&tags, PROJECT), name("shop"));
        assert_eq!(value(&tags[..2], PROJECT), name("till"));
        assert_eq!(value(&tags, ENVIRONMENT), None);
        let labels = json!({"env": "live", "service": 7, "project": ""});
        assert_eq!(label(Body(&labels), PROJECT), name("7"));
        assert_eq!(label(Body(&labels), ENVIRONMENT), name("live"));
        assert_eq!(label(Body(&json!([])), PROJECT), None);
    }
}
