//! Signing in and out.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::Semaphore;

use super::visitor::{COOKIE, elsewhere, is_of_this_site, next, see, text};
use super::{Frame, html_with};
use crate::auth::{Credentials, SESSION_SECONDS};
use crate::http::AppState;
use crate::http::error::{self, Problem};
use crate::http::extract::{Form, Query};

/// How long a wrong guess takes, and how many may be under way: together, about 50 guesses a second at a password.
const PENALTY: Duration = Duration::from_millis(300);
const AT_ONCE: usize = 16;

/// Those who did not get in, and those who say a password.
#[derive(Debug)]
pub struct SignIns(Semaphore);

impl Default for SignIns {
    fn default() -> Self {
        Self(Semaphore::new(AT_ONCE))
    }
}

#[derive(Template)]
#[template(path = "sign_in.html", config = "src/http/pages/askama.toml")]
struct SignInPage<'a> {
    frame: Frame,
    tokens: bool,
    basic: bool,
    failed: bool,
    next: &'a str,
}

pub async fn get_sign_in(State(state): State<AppState>, mut query: Query) -> Result<Response, Problem> {
    let wanted = query.one("next", |text| Ok(text.to_owned()))?.unwrap_or_default();
    query.done()?;
    if !state.auth.asks() {
        return Ok(see(&next(&wanted)));
    }
    page(&state, StatusCode::OK, &wanted)
}

fn page(state: &AppState, status: StatusCode, next: &str) -> Result<Response, Problem> {
    let (tokens, basic) = (state.auth.takes_tokens(), state.auth.takes_basic());
    let failed = status != StatusCode::OK;
    html_with(status, &SignInPage { frame: Frame::new(false), tokens, basic, failed, next })
}

pub async fn post_sign_in(State(state): State<AppState>, headers: HeaderMap, form: Form) -> Result<Response, Problem> {
    of_this_site(&headers)?;
    let field = |name| form.field(name).unwrap_or_default();
    let wanted = field("next");
    let credentials = match (form.field("token"), form.field("username")) {
        (Some(token), _) => Credentials::Token(token),
        (None, username) => Credentials::Pair { username: username.unwrap_or_default(), password: field("password") },
    };
    let enter = || state.auth.sign_in(credentials, state.clock.now()).ok();
    // A token is long and made up by a machine: nobody guesses it, however often, so whoever has the right one need
    // not wait for those who have none. A password may be guessed: it is looked at only when it is its turn.
    let by_token = if matches!(credentials, Credentials::Token(_)) { enter() } else { None };
    if let Some(session) = by_token {
        return Ok(let_in(&headers, wanted, &session));
    }
    let Ok(_attempt) = state.sign_ins.0.try_acquire() else {
        let problem = Problem::new(&error::TOO_MANY, "too many people are signing in: try again in a moment");
        return Err(problem.with_header(header::RETRY_AFTER, HeaderValue::from_static("1")));
    };
    let Some(session) = enter() else {
        tokio::time::sleep(PENALTY).await;
        tracing::info!("somebody could not sign in");
        return page(&state, StatusCode::FORBIDDEN, wanted);
    };
    Ok(let_in(&headers, wanted, &session))
}

fn let_in(headers: &HeaderMap, wanted: &str, session: &str) -> Response {
    with_cookie(see(&next(wanted)), headers, session, SESSION_SECONDS)
}

pub async fn post_sign_out(headers: HeaderMap) -> Result<Response, Problem> {
    of_this_site(&headers)?;
    Ok(with_cookie(see("sign-in"), &headers, "", 0))
}

/// Lax: a link from elsewhere opens the page it leads to, and a form from elsewhere does not carry the session.
fn with_cookie(mut response: Response, headers: &HeaderMap, session: &str, seconds: i64) -> Response {
    let secure = if by_https(headers) { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={session}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    match HeaderValue::from_str(&cookie) {
        Ok(cookie) => _ = response.headers_mut().insert(header::SET_COOKIE, cookie),
        Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
    response
}

/// As the proxy in front of us says, or the browser itself.
fn by_https(headers: &HeaderMap) -> bool {
    let proto = text(headers, "x-forwarded-proto").is_some_and(|proto| proto.eq_ignore_ascii_case("https"));
    proto || text(headers, "origin").is_some_and(|origin| origin.starts_with("https://"))
}

/// Refuses what another site made a browser send: nobody is to be signed in as somebody else.
fn of_this_site(headers: &HeaderMap) -> Result<(), Problem> {
    // what is no browser does not say, and has nothing that another site could use
    if is_of_this_site(headers).unwrap_or(true) { Ok(()) } else { Err(elsewhere()) }
}
