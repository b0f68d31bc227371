//! The `teams` section: which team has which projects and users.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::error::Problem;
use crate::domain::names::Name;
use crate::domain::teams::Teams;

/// By the team's name.
pub type TeamsSection = BTreeMap<Name, Team>;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Team {
    pub projects: Vec<Name>,
    pub users: Vec<User>,
}

/// A user under the one name that senders use, or under several.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum User {
    Name(Name),
    Names(UserNames),
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UserNames {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub github_username: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gitlab_username: Option<Name>,
}

impl User {
    fn names(&self) -> Vec<Name> {
        match self {
            Self::Name(name) => vec![name.clone()],
            Self::Names(names) => {
                [&names.email, &names.github_username, &names.gitlab_username].into_iter().flatten().cloned().collect()
            }
        }
    }
}

pub(super) fn check(section: &TeamsSection) -> Result<(), Problem> {
    for (team, members) in section {
        if let Some(index) = members.users.iter().position(|user| user.names().is_empty()) {
            return Err(Problem::at(
                &format!("teams.{team}.users[{index}]"),
                "expected at least one of email, github_username, gitlab_username",
            ));
        }
    }
    Ok(())
}

pub(super) fn resolve(section: &TeamsSection) -> Teams {
    let mut teams = Teams::default();
    for (team, members) in section {
        for project in &members.projects {
            teams.add_project(team, project.clone());
        }
        for user in members.users.iter().flat_map(User::names) {
            teams.add_user(team, user);
        }
    }
    teams
}

/// By hand, because an untagged enum would lose which key of the object was wrong.
impl<'de> Deserialize<'de> for User {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrSeveral;

        impl<'de> Visitor<'de> for OneOrSeveral {
            type Value = User;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, or an object of email, github_username, gitlab_username")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<User, E> {
                Name::deserialize(StrDeserializer::new(name)).map(User::Name)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<User, A::Error> {
                UserNames::deserialize(MapAccessDeserializer::new(map)).map(User::Names)
            }
        }

        deserializer.deserialize_any(OneOrSeveral)
    }
}
