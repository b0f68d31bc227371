//! A JSON body that somebody else has designed: everything may be absent, null or of another type, and fields of
//! other people are never an error.

use serde_json::Value;

use super::times;
use crate::domain::names::Text;
use crate::domain::{Name, Timestamp};

/// A part of a body. What is not there is null.
#[derive(Debug, Clone, Copy)]
pub struct Body<'a>(pub &'a Value);

impl<'a> Body<'a> {
    /// What a JSON pointer leads to, such as `/deployment/id`.
    #[must_use]
    pub fn at(self, pointer: &str) -> Body<'a> {
        Body(self.0.pointer(pointer).unwrap_or(&Value::Null))
    }

    /// A field by a name that may hold anything, slashes too.
    #[must_use]
    pub fn field(self, name: &str) -> Body<'a> {
        Body(self.0.get(name).unwrap_or(&Value::Null))
    }

    pub fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// `None` when it is no string or has nothing in it.
    pub fn text(self) -> Option<&'a str> {
        self.0.as_str().filter(|text| !text.trim().is_empty())
    }

    /// Numbers too: ids are strings with one vendor and integers with the next.
    pub fn word(self) -> Option<String> {
        match self.0 {
            Value::Number(number) => Some(number.to_string()),
            _ => self.text().map(str::to_owned),
        }
    }

    pub fn int(self) -> Option<i64> {
        self.0.as_i64().or_else(|| self.text()?.parse().ok())
    }

    pub fn float(self) -> Option<f64> {
        // "NaN" and "inf" are read as numbers, and are none
        self.0.as_f64().or_else(|| self.text()?.parse().ok()).filter(|number| number.is_finite())
    }

    pub fn flag(self) -> Option<bool> {
        self.0.as_bool()
    }

    /// A time in any of the ways in which they are written; `times` lists them.
    pub fn time(self) -> Option<Timestamp> {
        times::read(self.0)
    }

    /// What fits into an id, a project, a user or an environment; the beginning of what is too long.
    pub fn name(self) -> Option<Name> {
        name(&self.word()?)
    }

    /// A commit. Zeros stand for none.
    pub fn sha(self) -> Option<Name> {
        self.name().filter(|sha| sha.as_str().chars().any(|c| c != '0'))
    }

    /// As [`Self::name`], for titles, reasons and addresses.
    pub fn prose<const MAX: usize>(self) -> Option<Text<MAX>> {
        fitting(&self.word()?)
    }

    /// No items when it is no list.
    pub fn items(self) -> impl DoubleEndedIterator<Item = Body<'a>> + ExactSizeIterator {
        self.0.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(Body)
    }
}

/// See [`Body::name`].
pub fn name(text: &str) -> Option<Name> {
    fitting(text)
}

/// An id with its vendor in front; one that is too long keeps its end, where ids differ.
pub fn id(vendor: &str, parts: &[&str]) -> Option<Name> {
    let own = parts.join(":");
    if own.trim().is_empty() {
        return None;
    }
    let whole: Vec<char> = format!("{vendor}:{own}").chars().map(harmless).collect();
    let prefix = vendor.chars().count() + 1;
    let kept: String = if whole.len() <= MOST {
        whole.into_iter().collect()
    } else {
        let (head, tail) = (&whole[..prefix], &whole[whole.len() - (MOST - prefix)..]);
        head.iter().chain(tail).collect()
    };
    Name::parse(&kept).ok()
}

/// Characters of a name.
const MOST: usize = 200;

fn fitting<const MAX: usize>(text: &str) -> Option<Text<MAX>> {
    let kept: String = text.trim().chars().take(MAX).map(harmless).collect();
    Text::parse(&kept).ok()
}

fn harmless(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_absent_or_of_another_type_is_nothing() {
        let value = json!({"id": 42, "name": " ", "list": [1, 2], "at": "soon"});
        let body = Body(&value);
        assert_eq!(body.at("/id").word().as_deref(), Some("42"));
        assert_eq!(body.at("/id").text(), None);
        assert_eq!(body.at("/name").name(), None);
        assert_eq!(body.at("/nowhere/at/all").word(), None);
        assert_eq!(body.at("/at").time(), None);
        assert_eq!(Body(&json!("NaN")).float(), None);
        assert_eq!(Body(&json!("-inf")).float(), None);
        assert_eq!(body.at("/list").items().len(), 2);
        assert_eq!(body.at("/id").items().len(), 0);
        let shas = json!(["2f8c6b1", "0000000000000000000000000000000000000000", null]);
        assert_eq!(Body(&shas).items().filter_map(Body::sha).collect::<Vec<_>>(), [name("2f8c6b1").unwrap()]);
    }

    #[test]
    fn names_are_made_to_fit() {
        assert_eq!(name("a\nb").unwrap().as_str(), "a b");
        assert_eq!(name(&"ü".repeat(300)).unwrap().as_str(), "ü".repeat(200));
        assert_eq!(id("github", &["42", "1"]).unwrap().as_str(), "github:42:1");
        assert_eq!(id("github", &[""]), None);
        let long = id("v", &[&format!("{}end", "x".repeat(300))]).unwrap();
        assert!(long.as_str().starts_with("v:x") && long.as_str().ends_with("end"));
        assert_eq!(long.as_str().len(), 200);
    }
}
