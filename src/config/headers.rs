//! Headers of an exporter: `name=value,name=value` with percent-encoded values, as the OpenTelemetry
//! variables have them, or an object in the file.

use std::fmt;

use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::secret;

#[derive(Debug, Clone, Default)]
pub(super) struct Headers(pub(super) Vec<(String, SecretString)>);

const EXPECTED: &str = "an object of strings, or `name=value,name=value` with percent-encoded values";

impl Serialize for Headers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, _) in &self.0 {
            map.serialize_entry(name, secret::MASK)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrObject;

        impl<'de> Visitor<'de> for TextOrObject {
            type Value = Headers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Headers, E> {
                let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
                pairs.map(|pair| pair.split_once('=').and_then(parse)).collect::<Option<_>>().map(Headers).ok_or_else(
                    // The text is a secret: nothing of it is repeated.
                    || E::custom(format_args!("expected {EXPECTED}")),
                )
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
                let mut headers = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, SecretString>()? {
                    if !is_name(&name) {
                        return Err(A::Error::custom("expected names that HTTP allows for headers"));
                    }
                    headers.push((name.to_ascii_lowercase(), value));
                }
                Ok(Headers(headers))
            }
        }

        deserializer.deserialize_any(TextOrObject)
    }
}

fn parse((name, value): (&str, &str)) -> Option<(String, SecretString)> {
    let (name, value) = (name.trim(), percent_decode_str(value.trim()).decode_utf8().ok()?);
    is_name(name).then(|| (name.to_ascii_lowercase(), value.into_owned().into()))
}

/// A token of RFC 9110.
fn is_name(name: &str) -> bool {
    let in_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(in_token)
}
