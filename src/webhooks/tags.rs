//! Tags and labels, by which people say what a tool has no field for: the service, the environment.

use super::Body;
use crate::domain::Name;

/// What names a project, the most telling first.
pub const PROJECT: &[&str] = &["project", "service"];
pub const ENVIRONMENT: &[&str] = &["environment", "env"];

/// From an object of labels.
pub fn label(labels: Body<'_>, keys: &[&str]) -> Option<Name> {
    keys.iter().find_map(|key| labels.field(key).name())
}
