//! How secrets are shown: not.

use std::borrow::Cow;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Serializer;
use url::Url;

pub(super) const MASK: &str = "***";

pub(super) fn masked<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(if secret.expose_secret().is_empty() { "" } else { MASK })
}

#[expect(clippy::ref_option, reason = "the signature that serde calls")]
pub(super) fn optional_url<S: Serializer>(url: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    match url {
        None => serializer.serialize_none(),
        Some(url) => serializer.serialize_str(&masked_url(url.expose_secret())),
    }
}

/// The address without its password: in the user part, or in a parameter such as `?password=`.
pub fn masked_url(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else { return MASK.to_owned() };
    let telling = |name: &str| ["password", "secret", "token", "key"].iter().any(|word| name.contains(word));
    let has_secret_parameter = url.query_pairs().any(|(name, _)| telling(&name.to_ascii_lowercase()));
    if url.password().is_none() && !has_secret_parameter {
        return text.to_owned();
    }
    if url.password().is_some() && url.set_password(Some(MASK)).is_err() {
        return MASK.to_owned();
    }
    if has_secret_parameter {
        let pairs: Vec<(String, String)> = url
            .query_pairs()
            .map(|(name, value)| {
                let value = if telling(&name.to_ascii_lowercase()) { Cow::Borrowed(MASK) } else { value };
                (name.into_owned(), value.into_owned())
            })
            .collect();
        url.query_pairs_mut().clear().extend_pairs(pairs);
    }
    url.into()
}
