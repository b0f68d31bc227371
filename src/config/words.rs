//! Settings that take one word of a list.

use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer};

/// The value that belongs to the word. Not serde's derive, because figment would also take the
/// number of a variant: `"role": 0` must be refused.
pub(super) fn one_of<'de, D: Deserializer<'de>, T: Copy>(
    deserializer: D,
    names: &'static [&'static str],
    values: &[T],
) -> Result<T, D::Error> {
    let word = String::deserialize(deserializer)?;
    let found = names.iter().zip(values).find(|(name, _)| word.eq_ignore_ascii_case(name));
    found.map(|(_, value)| *value).ok_or_else(|| D::Error::unknown_variant(&word, names))
}
