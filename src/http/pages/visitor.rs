//! Who looks at a page: by session, or by the same header as the API's callers. Sessions open pages and nothing
//! else, so a request that another site makes a browser send can change nothing.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::PAGES;
use crate::http::AppState;

pub const COOKIE: &str = "em_metrics_session";

/// May look at pages. All roles may read.
#[derive(Debug)]
pub struct Visitor {
    pub by_session: bool,
}

impl FromRequestParts<AppState> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        let sent = parts.headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        if state.auth.identify(sent).is_ok() {
            return Ok(Self { by_session: false });
        }
        let now = state.clock.now();
        if sessions(&parts.headers).any(|session| state.auth.resume(session, now).is_ok()) {
            return Ok(Self { by_session: true });
        }
        let wanted = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", &wanted).finish();
        Err(see(&format!("sign-in?{query}")))
    }
}

/// The session cookies: a browser may send several of the name, of other paths.
fn sessions(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|value| value.split(';')).filter_map(|cookie| {
        let (name, value) = cookie.trim().split_once('=')?;
        (name == COOKIE).then_some(value)
    })
}

/// Leads to another of our pages, by a relative address: it also holds behind a proxy with a path of its own.
pub fn see(address: &str) -> Response {
    let address = HeaderValue::from_str(address).unwrap_or(HeaderValue::from_static("./"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, address)]).into_response()
}

/// Where to go after signing in: one of our pages, whatever was asked for.
pub fn next(wanted: &str) -> String {
    let path = wanted.split(['?', '#']).next().unwrap_or_default();
    let fit = wanted.bytes().all(|byte| byte.is_ascii_graphic());
    let known = PAGES.contains(&path) && fit;
    format!("./{}", if known { wanted.trim_start_matches('/') } else { "" })
}

#[cfg(test)]
mod tests {
    use super::next;

    #[test]
    fn only_our_own_pages_are_next() {
        assert_eq!(next("/"), "./");
        assert_eq!(next("/?days=7&project_id=a%2Fb"), "./?days=7&project_id=a%2Fb");
        assert_eq!(next("/facts?metric=incidents"), "./facts?metric=incidents");
        assert_eq!(next("/changes?id=1"), "./changes?id=1");
        for elsewhere in [
            "",
            "//evil.example",
            "https://evil.example/",
            "/\\evil.example",
            "/sign-out",
            "/facts/../../x",
            "javascript:alert(1)",
            "/?a=\r\nSet-Cookie: x=y",
            "?next=x",
            "/.//evil.example",
        ] {
            assert_eq!(next(elsewhere), "./", "{elsewhere}");
        }
    }
}
