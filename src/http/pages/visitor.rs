//! Who looks at a page: by session, or by the same header as the API's callers. Sessions open pages and take their forms,
//! and nothing else; a form that another site makes a browser send is refused, so it can change nothing.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::PAGES;
use crate::auth::{Identity, Role};
use crate::http::AppState;
use crate::http::error::{self, Problem};

pub const COOKIE: &str = "em_metrics_session";

/// May look at pages. All roles may read.
#[derive(Debug)]
pub struct Visitor {
    pub by_session: bool,
    /// Whether the forms that change something are for them.
    pub may_write: bool,
}

/// May send the forms of pages that change something, under the name that goes into the journal.
#[derive(Debug)]
pub struct Editor(pub Identity);

/// Who it is, and whether a session says so.
fn identify(headers: &HeaderMap, state: &AppState) -> Option<(Identity, bool)> {
    let sent = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    if let Ok(identity) = state.auth.identify(sent) {
        return Some((identity, false));
    }
    let now = state.clock.now();
    let identity = sessions(headers).find_map(|session| state.auth.resume(session, now).ok());
    identity.map(|identity| (identity, true))
}

impl FromRequestParts<AppState> for Editor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        let Some((identity, by_session)) = identify(&parts.headers, state) else { return Err(see("sign-in")) };
        // a browser says where a form is from; what says nothing is none, and has no session to lend
        let is_ours = is_of_this_site(&parts.headers).unwrap_or(!by_session);
        if !is_ours {
            return Err(elsewhere().into_response());
        }
        if identity.role < Role::Writer {
            return Err(Problem::new(&error::FORBIDDEN, error::FORBIDDEN.advice).into_response());
        }
        Ok(Self(identity))
    }
}

/// Whether one of our pages made a browser send it; `None`: nobody says.
pub fn is_of_this_site(headers: &HeaderMap) -> Option<bool> {
    match (text(headers, "sec-fetch-site"), text(headers, "origin")) {
        (Some(site), _) => Some(site == "same-origin" || site == "none"),
        // an old browser, or one that has not been told to trust the address
        (None, Some(origin)) => {
            let host = text(headers, "x-forwarded-host").or_else(|| text(headers, "host"));
            Some(origin.split_once("://").map(|(_, host)| host) == host)
        }
        (None, None) => None,
    }
}

pub fn elsewhere() -> Problem {
    Problem::new(&error::FORBIDDEN, "this form was sent from another site")
}

pub fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

impl FromRequestParts<AppState> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        if let Some((identity, by_session)) = identify(&parts.headers, state) {
            return Ok(Self { by_session, may_write: identity.role >= Role::Writer });
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
        assert_eq!(next("/links"), "./links");
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
