//! Text that comes from outside, already checked: bounded, not empty, without control characters.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// 1..=MAX characters, not blank. Control characters are refused because they break logs, labels and
/// (NUL) `PostgreSQL`; line breaks and tabs are let through only where `MAX` says it is prose.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<const MAX: usize>(Arc<str>);

/// Ids, projects, teams, environments, users: 1..=200 characters.
pub type Name = Text<200>;
/// Titles, reasons, addresses: 1..=2000 characters, line breaks allowed.
pub type Prose = Text<2000>;

impl<const MAX: usize> Text<MAX> {
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err(format!("expected 1 to {MAX} characters, got none"));
        }
        let length = text.chars().count();
        if length > MAX {
            return Err(format!("expected 1 to {MAX} characters, got {length}"));
        }
        let prose = MAX > 200;
        let control = |c: char| c.is_control() && !(prose && matches!(c, '\n' | '\r' | '\t'));
        if text.contains(control) {
            return Err("control characters are not allowed".to_owned());
        }
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const MAX: usize> fmt::Debug for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<const MAX: usize> PartialEq<str> for Text<MAX> {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl<const MAX: usize> std::borrow::Borrow<str> for Text<MAX> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> Serialize for Text<MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_counted_in_characters_and_carry_no_control_characters() {
        assert!(Name::parse(&"ü".repeat(200)).is_ok());
        assert!(Name::parse(&"ü".repeat(201)).is_err());
        assert!(Name::parse("").is_err());
        assert!(Name::parse("  ").is_err());
        assert!(Name::parse("a\0b").is_err());
        assert!(Name::parse("a\nb").is_err());
        assert!(Name::parse("a/b 🚀").is_ok());
        assert!(Prose::parse("one\ntwo").is_ok());
        assert!(Prose::parse("nul\0").is_err());
    }
}
