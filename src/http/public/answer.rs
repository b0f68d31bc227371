//! How public answers are sent: good for a few minutes, by name of their content, for every page and nobody in
//! particular.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};

use crate::domain::Timestamp;

/// Seconds that an answer is good for. Windows end at a multiple of it, so that within it the same question has the
/// same answer.
pub const GOOD_FOR: u32 = 300;

/// Scripts, styles and pictures of others have no place in them.
const POLICY_OF_PICTURES: &str = "default-src 'none'";
const POLICY_OF_PAGES: &str = "default-src 'none'; img-src 'self'; style-src 'self'; form-action 'none'; \
                               frame-ancestors 'none'; base-uri 'none'";

pub const SVG: &str = "image/svg+xml; charset=utf-8";
pub const JSON: &str = "application/json";
pub const CSS: &str = "text/css; charset=utf-8";
pub const HTML: &str = "text/html; charset=utf-8";

/// The last moment that all answers of these minutes are about.
pub fn as_of(now: Timestamp) -> Timestamp {
    let step = i64::from(GOOD_FOR) * 1_000_000;
    Timestamp::from_micros(now.micros() - now.micros() % step).unwrap_or(now)
}

/// The body, unless the other end says that it has it.
pub fn cacheable(asked: &HeaderMap, media_type: &'static str, body: String) -> Response {
    let body = if media_type == SVG { in_xml(body) } else { body };
    let tag = tag(body.as_bytes());
    let policy = if media_type == HTML { POLICY_OF_PAGES } else { POLICY_OF_PICTURES };
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ];
    let known = has(asked, &tag);
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, media_type)], body).into_response()
    };
    let headers = response.headers_mut();
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let (Ok(tag), Ok(age)) = (tag.try_into(), format!("public, max-age={GOOD_FOR}").try_into()) {
        headers.insert(header::ETAG, tag);
        headers.insert(header::CACHE_CONTROL, age);
    }
    response
}

/// What XML has no character for, also not as an escape, is replaced: a name may hold it, and no picture may break.
fn in_xml(text: String) -> String {
    let is_none = |c: char| matches!(c, '\0'..'\t' | '\u{b}' | '\u{c}' | '\u{e}'..' ' | '\u{fffe}' | '\u{ffff}');
    if text.contains(is_none) { text.replace(is_none, "\u{fffd}") } else { text }
}

/// Weak: the same content may be sent compressed or not.
fn tag(body: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut tag = "W/\"".to_owned();
    for byte in &Sha256::digest(body)[..16] {
        let _ = write!(tag, "{byte:02x}");
    }
    tag + "\""
}

/// Compared weakly, as RFC 9110 asks for this header.
fn has(asked: &HeaderMap, tag: &str) -> bool {
    let opaque = tag.trim_start_matches("W/");
    let values = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|one| one == "*" || one.trim_start_matches("W/") == opaque)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(tags: &[&str]) -> HeaderMap {
        tags.iter().map(|tag| (header::IF_NONE_MATCH, HeaderValue::from_str(tag).unwrap())).collect()
    }

    #[test]
    fn what_the_other_end_has_is_not_sent_again() {
        let send = |tags: &[&str]| cacheable(&asked(tags), SVG, "<svg/>".to_owned());
        let first = send(&[]);
        let tag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers()[header::CACHE_CONTROL], "public, max-age=300");
        let strong = tag.trim_start_matches("W/").to_owned();
        for tags in [&[tag.as_str()][..], &["\"a\", \"b\"", &tag], &[&format!("\"a\",{strong}")], &["*"]] {
            let again = send(tags);
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{tags:?}");
            assert_eq!(again.headers()[header::ETAG].to_str().unwrap(), tag);
            assert!(
                again.headers().contains_key(header::CACHE_CONTROL)
                    && !again.headers().contains_key(header::CONTENT_TYPE)
            );
        }
        for tags in [&["\"a\""][..], &[&tag[3..]], &[""]] {
            assert_eq!(send(tags).status(), StatusCode::OK, "{tags:?}");
        }
        assert_ne!(cacheable(&asked(&[]), SVG, "<svg />".to_owned()).headers()[header::ETAG], tag.as_str());
    }

    #[test]
    fn a_picture_is_well_formed_whatever_things_are_called() {
        let kept = "<svg>\t\r\n \u{7f}\u{85}\u{d7ff}\u{e000}\u{fffd}\u{10000}\u{10ffff}</svg>";
        assert_eq!(in_xml(kept.to_owned()), kept);
        for none in ['\0', '\u{8}', '\u{b}', '\u{c}', '\u{e}', '\u{1f}', '\u{fffe}', '\u{ffff}'] {
            assert_eq!(in_xml(format!("a{none}b")), "a\u{fffd}b");
        }
    }

    #[test]
    fn all_moments_of_some_minutes_are_one() {
        let of = |text| as_of(Timestamp::parse(text).unwrap()).to_string();
        assert_eq!(of("2026-06-15T12:04:59.999999Z"), "2026-06-15T12:00:00Z");
        assert_eq!(of("2026-06-15T12:05:00Z"), "2026-06-15T12:05:00Z");
    }
}
