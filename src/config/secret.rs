//! How secrets are shown: not.

use secrecy::{ExposeSecret as _, SecretString};
use serde::Serializer;
use url::{Position, Url};

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

/// Where an address leads, without who asks and with what: tokens are sent as a user without a password, as a
/// parameter of any name, as a fragment. What cannot be told apart is not shown at all.
pub fn masked_url(text: &str) -> String {
    let Some(url) = Url::parse(text).ok().filter(|url| !url.cannot_be_a_base() && !is_torn(url)) else {
        return MASK.to_owned();
    };
    let has_user = !url.username().is_empty() || url.password().is_some();
    format!(
        "{}{}{}{}",
        &url[..Position::BeforeUsername],
        if has_user { "***@" } else { "" },
        &url[Position::BeforeHost..Position::AfterPath],
        if url.query().is_some() { "?***" } else { "" },
    )
}

/// Whether a `/`, `?` or `#` in the password may have ended what was meant to be the user part: the parser
/// then takes the user for the host, and the beginning of the password for the port.
pub(super) fn is_torn(url: &Url) -> bool {
    url.fragment().is_some() || url[Position::AfterPort..].contains('@')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_shows_where_it_leads_and_nothing_else() {
        for (address, shown) in [
            ("http://collector:4318/v1/metrics", "http://collector:4318/v1/metrics"),
            ("postgres://h/d", "postgres://h/d"),
            ("postgres://u:hush@h:5432/d", "postgres://***@h:5432/d"),
            ("postgres://u:hu%40sh@[::1]:5432/d", "postgres://***@[::1]:5432/d"),
            ("postgres://u:hush@hush@h/d", "postgres://***@h/d"),
            ("http://hush@collector", "http://***@collector/"),
            ("http://:hush@collector", "http://***@collector/"),
            ("https://collector/v1?auth=hush", "https://collector/v1?***"),
            ("https://collector/v1?hush", "https://collector/v1?***"),
            ("postgres://h/d?sslmode=require&p%61ssword=hush", "postgres://h/d?***"),
            ("postgres:///d?host=/run/postgresql&password=hush", "postgres:///d?***"),
            ("postgres://u:12#hush@h/d", "***"),
            ("postgres://u:12?hush@h/d", "***"),
            ("postgres://u:12/hush@h/d", "***"),
            ("postgres://u:a#hush@h/d", "***"),
            ("http://collector#hush", "***"),
            ("u:hush@h/d", "***"),
            ("hush@h", "***"),
            ("//u:hush@h/d", "***"),
            ("hush", "***"),
            ("", "***"),
        ] {
            assert_eq!(masked_url(address), shown, "{address}");
        }
    }

    proptest! {
        #[test]
        fn no_part_of_a_secret_is_shown(
            scheme in "(postgres|postgresql|http|https|ftp|[a-z]{1,5})://|//|",
            before in r"[-a-z0-9:/?#@\[\]\\% &=.;]{0,8}",
            after in r"[-a-z0-9:/?#@\[\]\\% &=.;]{0,8}",
            place in 0..5_u8,
        ) {
            // letters that neither a host nor a scheme above can have
            let secret = format!("{before}HUSH{after}");
            let address = match place {
                0 => format!("{scheme}user:{secret}@host/path"),
                1 => format!("{scheme}{secret}@host:1/path"),
                2 => format!("{scheme}user:12{secret}@host:1/path?x=y"),
                3 => format!("{scheme}host/path?key={secret}"),
                _ => format!("{scheme}host/path?host=/run&x#{secret}"),
            };
            let shown = masked_url(&address);
            prop_assert!(!shown.to_lowercase().contains("hush"), "{address} is shown as {shown}");
        }
    }
}
