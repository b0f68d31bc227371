//! Sessions of people at the web page: a signed promise that somebody showed the right credentials, good for a
//! while. Nothing is kept here: a session ends by itself, and with the credentials it came from.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::header::Scheme;
use super::{Authenticator, Candidate, Denied, Identity};
use crate::domain::Timestamp;

/// A working day.
pub const SESSION_SECONDS: i64 = 12 * 3600;
const MICROS: i64 = 1_000_000;

/// What a person types.
#[derive(Clone, Copy)]
pub enum Credentials<'a> {
    Token(&'a str),
    Pair { username: &'a str, password: &'a str },
}

impl std::fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(***)")
    }
}

impl Authenticator {
    /// A new session: the second it ends at, and a signature.
    pub fn sign_in(&self, credentials: Credentials<'_>, now: Timestamp) -> Result<String, Denied> {
        let candidate = match credentials {
            Credentials::Token(token) => self.candidate(Scheme::Token, token.trim().as_bytes()),
            Credentials::Pair { username, password } => {
                self.candidate(Scheme::Basic, format!("{username}:{password}").as_bytes())
            }
        }?;
        let until = (now.micros() / MICROS + SESSION_SECONDS).to_string();
        let signature = URL_SAFE_NO_PAD.encode(signature(candidate, &until).finalize().into_bytes());
        Ok(format!("{until}.{signature}"))
    }

    /// Who it is whose session this is.
    pub fn resume(&self, session: &str, now: Timestamp) -> Result<Identity, Denied> {
        let (until, signed) = session.split_once('.').ok_or(Denied)?;
        let ends: i64 = until.parse().map_err(|_| Denied)?;
        let signed = URL_SAFE_NO_PAD.decode(signed).map_err(|_| Denied)?;
        if ends <= now.micros() / MICROS {
            return Err(Denied);
        }
        let is_whose = |candidate: &&Candidate| signature(candidate, until).verify_slice(&signed).is_ok();
        let whose = self.candidates.iter().find(is_whose);
        whose.map(|candidate| candidate.identity.clone()).ok_or(Denied)
    }
}

/// The digest is as secret as the key in it, and another for other credentials.
fn signature(candidate: &Candidate, until: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&candidate.digest).expect("a key of any length is taken");
    mac.update(b"em-metrics session until ");
    mac.update(until.as_bytes());
    mac
}
