//! Permission as a parameter type: a handler that takes [`Writer`] cannot be reached without it.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};

use super::AppState;
use super::error::{self, Problem};
use crate::auth::{Identity, Role};

/// May read facts and answers.
#[derive(Debug)]
pub struct Reader;

/// May record facts, under the name that goes into the journal.
#[derive(Debug)]
pub struct Writer(pub Identity);

/// May read the configuration.
#[derive(Debug)]
pub struct Admin;

impl FromRequestParts<AppState> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        identify(parts, state, Role::Reader).map(|_| Self)
    }
}

impl FromRequestParts<AppState> for Writer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        identify(parts, state, Role::Writer).map(Self)
    }
}

impl FromRequestParts<AppState> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        identify(parts, state, Role::Admin).map(|_| Self)
    }
}

fn identify(parts: &Parts, state: &AppState, needed: Role) -> Result<Identity, Problem> {
    let sent = parts.headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let Ok(identity) = state.auth.identify(sent) else {
        let mut problem = Problem::new(&error::UNAUTHENTICATED, error::UNAUTHENTICATED.advice);
        for challenge in state.auth.challenges() {
            problem = problem.with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        return Err(problem);
    };
    if identity.role < needed {
        return Err(Problem::new(&error::FORBIDDEN, error::FORBIDDEN.advice));
    }
    Ok(identity)
}
