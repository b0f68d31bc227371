//! Who is it: from the bytes of an `Authorization` header to an identity, or a refusal that tells nothing.
//! Knows no HTTP beyond that header; what a role may do is decided where the routes are.

mod header;
mod session;
#[cfg(test)]
mod session_tests;
#[cfg(test)]
mod tests;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

use crate::config;
pub use crate::config::Role;
use crate::domain::Name;
use header::Scheme;
pub use session::{Credentials, SESSION_SECONDS};

/// Whoever is let in. The name is the actor of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub name: Name,
    pub role: Role,
}

/// Deliberately empty: an answer that says what was wrong helps whoever is guessing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the credentials are missing or wrong")]
pub struct Denied;

/// Checks credentials in a time that depends on what was sent, never on what would have been right.
#[derive(Clone)]
pub struct Authenticator {
    /// Random and secret, so that digests of the same token differ between stores and nobody can aim at a near
    /// miss. Kept with the store, so that a session holds on every replica and over a restart.
    key: [u8; 32],
    /// None: somebody has to be in `candidates`.
    everybody: Option<Identity>,
    candidates: Vec<Candidate>,
}

#[derive(Clone)]
struct Candidate {
    scheme: Scheme,
    digest: [u8; 32],
    identity: Identity,
}

/// The token made up because none was configured; to be shown to the operator once.
#[derive(Debug)]
pub struct GeneratedToken(SecretString);

impl GeneratedToken {
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl Authenticator {
    /// Without credentials, and without `no_auth`, it makes a token rather than let everybody in.
    pub fn new(config: &config::Auth, key: [u8; 32]) -> (Self, Option<GeneratedToken>) {
        let mut authenticator = Self { key, everybody: None, candidates: Vec::new() };
        if config.no_auth {
            authenticator.everybody = Some(Identity { name: actor("anonymous"), role: Role::Admin });
            return (authenticator, None);
        }
        for config::Token { name, token, role } in &config.tokens {
            let identity = Identity { name: name.clone(), role: *role };
            authenticator.add(Scheme::Token, token.expose_secret(), identity);
        }
        if let Some(config::Basic { username, password }) = &config.basic {
            let identity = Identity { name: actor(username), role: Role::Admin };
            let pair: SecretString = format!("{username}:{}", password.expose_secret()).into();
            authenticator.add(Scheme::Basic, pair.expose_secret(), identity);
        }
        if config.has_credentials() {
            return (authenticator, None);
        }
        let token: SecretString = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()).into();
        let identity = Identity { name: actor("generated"), role: Role::Admin };
        authenticator.add(Scheme::Token, token.expose_secret(), identity);
        (authenticator, Some(GeneratedToken(token)))
    }

    /// Takes the raw header, as it may not be text.
    pub fn identify(&self, authorization: Option<&[u8]>) -> Result<Identity, Denied> {
        if let Some(everybody) = &self.everybody {
            return Ok(everybody.clone());
        }
        // Headers that are missing or garbled are digested and compared like any other.
        let (scheme, credentials) = header::parse(authorization.unwrap_or_default());
        self.candidate(scheme, &credentials).map(|candidate| candidate.identity.clone())
    }

    /// Whether anything but an open door is configured.
    pub fn asks(&self) -> bool {
        self.everybody.is_none()
    }

    fn candidate(&self, scheme: Scheme, credentials: &[u8]) -> Result<&Candidate, Denied> {
        let digest = self.digest(scheme, credentials);
        let (mut found, mut position) = (Choice::from(0), 0_u64);
        for (index, candidate) in (0_u64..).zip(&self.candidates) {
            let same = digest.ct_eq(&candidate.digest);
            position.conditional_assign(&index, same);
            found |= same;
        }
        let candidate = usize::try_from(position).ok().and_then(|position| self.candidates.get(position));
        candidate.filter(|_| bool::from(found)).ok_or(Denied)
    }

    pub fn takes_tokens(&self) -> bool {
        self.offers(Scheme::Token)
    }

    pub fn takes_basic(&self) -> bool {
        self.offers(Scheme::Basic)
    }

    /// What `WWW-Authenticate` offers: one value per scheme that could succeed.
    pub fn challenges(&self) -> Vec<&'static str> {
        let mut challenges = Vec::new();
        if self.takes_tokens() {
            challenges.push(r#"Bearer realm="em-metrics""#);
        }
        if self.takes_basic() {
            challenges.push(r#"Basic realm="em-metrics", charset="UTF-8""#);
        }
        challenges
    }

    fn offers(&self, scheme: Scheme) -> bool {
        self.candidates.iter().any(|candidate| candidate.scheme == scheme)
    }

    fn add(&mut self, scheme: Scheme, credentials: &str, identity: Identity) {
        let digest = self.digest(scheme, credentials.as_bytes());
        self.candidates.push(Candidate { scheme, digest, identity });
    }

    fn digest(&self, scheme: Scheme, credentials: &[u8]) -> [u8; 32] {
        let hasher = Sha256::new().chain_update(self.key).chain_update([scheme as u8]);
        hasher.chain_update(credentials).finalize().into()
    }
}

/// A name for the journal from one that may be empty or too long to be one.
fn actor(name: &str) -> Name {
    Name::parse(name).unwrap_or_else(|_| Name::parse("basic").expect("a valid name"))
}

impl fmt::Debug for Authenticator {
    /// Neither the key nor the digests.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let identities: Vec<_> = self.candidates.iter().map(|candidate| &candidate.identity).collect();
        f.debug_struct("Authenticator")
            .field("everybody", &self.everybody)
            .field("identities", &identities)
            .finish_non_exhaustive()
    }
}
