//! Which team a fact belongs to when its sender does not say.

use std::collections::{BTreeMap, BTreeSet};

use super::names::Name;

/// Who owns which project, who is in which team, as configured.
#[derive(Debug, Clone, Default)]
pub struct Teams {
    by_project: BTreeMap<Name, BTreeSet<Name>>,
    by_user: BTreeMap<Name, BTreeSet<Name>>,
}

impl Teams {
    pub fn add_project(&mut self, team: &Name, project: Name) {
        self.by_project.entry(project).or_default().insert(team.clone());
    }

    pub fn add_user(&mut self, team: &Name, user: Name) {
        self.by_user.entry(user).or_default().insert(team.clone());
    }

    /// Every configured (project, team), for the series that are announced at start-up.
    pub fn project_teams(&self) -> impl Iterator<Item = (&Name, &Name)> {
        self.by_project.iter().flat_map(|(project, teams)| teams.iter().map(move |team| (project, team)))
    }

    /// The one sent; else the only team that has the project; else the only team that has the user;
    /// else the only team in both sets; else none.
    pub fn resolve(&self, sent: Option<&Name>, project: &Name, user: Option<&Name>) -> Option<Name> {
        if let Some(sent) = sent {
            return Some(sent.clone());
        }
        let none = BTreeSet::new();
        let of_project = self.by_project.get(project).unwrap_or(&none);
        let of_user = user.and_then(|user| self.by_user.get(user)).unwrap_or(&none);
        only(of_project.iter())
            .or_else(|| only(of_user.iter()))
            .or_else(|| only(of_project.intersection(of_user)))
            .cloned()
    }
}

fn only<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next()?;
    items.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn teams() -> Teams {
        let mut teams = Teams::default();
        for (team, projects, users) in [
            ("red", vec!["shop", "shared"], vec!["ann", "bob"]),
            ("blue", vec!["shared", "api"], vec!["bob", "cleo"]),
            ("green", vec![], vec!["bob"]),
        ] {
            for project in projects {
                teams.add_project(&name(team), name(project));
            }
            for user in users {
                teams.add_user(&name(team), name(user));
            }
        }
        teams
    }

    #[test]
    fn the_team_is_found_in_the_documented_order() {
        let teams = teams();
        let resolve = |sent: Option<&str>, project: &str, user: Option<&str>| {
            teams.resolve(sent.map(name).as_ref(), &name(project), user.map(name).as_ref()).map(|t| t.to_string())
        };
        assert_eq!(resolve(Some("sent"), "shop", None).as_deref(), Some("sent"));
        assert_eq!(
            resolve(None, "shop", Some("cleo")).as_deref(),
            Some("red"),
            "the project's only team wins over the user's"
        );
        assert_eq!(resolve(None, "shared", Some("cleo")).as_deref(), Some("blue"), "the user's only team");
        assert_eq!(resolve(None, "unknown", Some("ann")).as_deref(), Some("red"));
        assert_eq!(resolve(None, "shared", Some("bob")), None, "red and blue have both");
        assert_eq!(resolve(None, "unknown", None), None);
        let mut teams = teams.clone();
        teams.add_project(&name("violet"), name("api"));
        teams.add_project(&name("violet"), name("shared"));
        assert_eq!(
            teams.resolve(None, &name("api"), Some(&name("bob"))).map(|t| t.to_string()).as_deref(),
            Some("blue"),
            "the only one in both sets"
        );
    }
}
