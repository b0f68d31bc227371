//! The `auth` section: who may come in. Checking a request against it is the room `auth`.

use std::collections::BTreeSet;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize};

use super::error::Problem;
use super::{secret, words};
use crate::domain::names::Name;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// Everybody is let in as an admin, whatever else is set here.
    pub no_auth: bool,
    pub tokens: Vec<Token>,
    pub basic: Option<Basic>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// The actor of the journal.
    pub name: Name,
    #[serde(serialize_with = "secret::masked")]
    pub token: SecretString,
    #[serde(default)]
    pub role: Role,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Basic {
    /// Either of the two may be empty, not both.
    pub username: String,
    #[serde(serialize_with = "secret::masked")]
    pub password: SecretString,
}

/// What a caller may do; each role includes the ones before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Reader,
    Writer,
    #[default]
    Admin,
}

impl Role {
    const NAMES: &[&str] = &["reader", "writer", "admin"];
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        words::one_of(deserializer, Self::NAMES, &[Self::Reader, Self::Writer, Self::Admin])
    }
}

impl Auth {
    pub fn has_credentials(&self) -> bool {
        !self.tokens.is_empty() || self.basic.is_some()
    }

    pub(super) fn check(&self) -> Result<(), Problem> {
        let (mut names, mut tokens) = (BTreeSet::new(), BTreeSet::new());
        for (index, entry) in self.tokens.iter().enumerate() {
            let token = entry.token.expose_secret();
            if token.is_empty() || token.trim() != token {
                return Err(Problem::at(
                    &format!("auth.tokens[{index}].token"),
                    "expected a token that is not empty and has no white space at its ends",
                ));
            }
            if !names.insert(&entry.name) {
                let problem = format!("the name `{}` is taken by another token", entry.name);
                return Err(Problem::at(&format!("auth.tokens[{index}].name"), &problem));
            }
            if !tokens.insert(token) {
                return Err(Problem::at(&format!("auth.tokens[{index}].token"), "the same token is listed twice"));
            }
        }
        let Some(basic) = &self.basic else { return Ok(()) };
        if basic.username.is_empty() && basic.password.expose_secret().is_empty() {
            return Err(Problem::at("auth.basic", "expected a username or a password, found both empty"));
        }
        if basic.username.contains(':') {
            // The header joins the two with a colon, so such a name could never match.
            return Err(Problem::at("auth.basic.username", "expected a username without a colon"));
        }
        Ok(())
    }
}
