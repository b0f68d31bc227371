//! Any order and any repetition of what tools say ends in the same fact, and in the same marks of what was counted.

use proptest::prelude::*;

use crate::domain::correction::{self, Edit};
use crate::domain::deployment::{self, FirstCommitFrom, Outcome};
use crate::domain::incident::{self, Change, LinkState, Method, State};
use crate::domain::teams::Teams;
use crate::domain::{Context, Deployment, Incident, Name, Timestamp};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000).unwrap()
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn in_context<T>(work: impl FnOnce(&Context<'_>) -> T) -> T {
    let (production, teams) = (name("production"), Teams::default());
    work(&Context { now: at(1_000_000), production: &production, teams: &teams })
}

fn see_deployment(before: Option<&Deployment>, sighting: &deployment::Sighting) -> Deployment {
    let command = deployment::Command {
        id: name("github:1"),
        project_id: Some(name("shop")),
        details: deployment::Details::default(),
        change: deployment::Change::Sighted(Box::new(sighting.clone())),
    };
    let mut after = in_context(|context| deployment::apply(before, &command, context)).unwrap();
    crate::metrics::deployments::observe(&mut after);
    if let Some(mut overtaken) = deployment::overtaken(&after, sighting) {
        crate::metrics::deployments::observe(&mut overtaken);
        after.counted = overtaken.counted;
    }
    after
}

fn see_incident(before: Option<&Incident>, sighting: &incident::Sighting) -> Incident {
    let id = name("pagerduty:1");
    let command = incident::Command {
        id: Some(id.clone()),
        project_id: Some(name("shop")),
        change: incident::Change::Sighted(Box::new(sighting.clone())),
    };
    let mut after = in_context(|context| incident::apply(before, &id, &command, None, context)).unwrap();
    crate::metrics::incidents::observe(&mut after, None);
    if let Some(mut overtaken) = incident::overtaken(&after) {
        crate::metrics::incidents::observe(&mut overtaken, None);
        after.counted = overtaken.counted;
    }
    after
}

prop_compose! {
    fn deployment_sighting()(said in 1..20_i64, kind in 0..4_u8, when in 1..20_i64,
        start in prop::option::of(1..20_i64), environment in prop::option::of(0..2_u8), sha in prop::option::of(0..2_u8),
        unplanned in prop::bool::weighted(0.2)) -> deployment::Sighting {
        deployment::Sighting {
            outcome: match kind {
                0 => None,
                1 => Some(Outcome::Deployed(at(when))),
                2 => Some(Outcome::Failed(at(when))),
                _ => Some(Outcome::RolledBack(at(when))),
            },
            deploy_start_at: start.map(at),
            environment: environment.map(|e| name(["production", "staging"][usize::from(e)])),
            commit_sha: sha.map(|sha| name(["a", "b"][usize::from(sha)])),
            unplanned,
            ..deployment::Sighting::new(at(said))
        }
    }
}

prop_compose! {
    fn incident_sighting()(said in 1..20_i64, kind in 0..5_u8, when in 1..20_i64,
        start in prop::option::of(1..20_i64), severity in prop::option::of(0..2_u8)) -> incident::Sighting {
        incident::Sighting {
            state: match kind {
                0 => None,
                1 => Some(State::Open),
                2 => Some(State::Restored(at(when))),
                3 => Some(State::Finished(at(when))),
                _ => Some(State::Void),
            },
            started_at: start.map(at),
            severity: severity.map(|s| name(["high", "low"][usize::from(s)])),
            ..incident::Sighting::new(at(said))
        }
    }
}

proptest! {
    #[test]
    fn deployments(
        said in prop::collection::vec(deployment_sighting(), 1..6),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let tell = |said: Vec<&deployment::Sighting>| {
            said.into_iter().fold(None, |before: Option<Deployment>, s| Some(see_deployment(before.as_ref(), s))).unwrap()
        };
        let straight = tell(said.iter().collect());
        let crooked = tell(order.iter().map(|index| index.get(&said)).chain(said.iter().rev()).collect());
        // what a failure overtook has its durations counted only when it came first
        let (mut a, mut b) = (straight.clone(), crooked);
        for metric in [crate::metrics::Metric::DeploymentDuration, crate::metrics::Metric::LeadTimeForChanges,
            crate::metrics::Metric::ChangeFailureCount, crate::metrics::Metric::DeploymentUnplanned] {
            a.counted.set(metric.bit());
            b.counted.set(metric.bit());
        }
        prop_assert_eq!(a, b);
        let again = tell(said.iter().chain(&said).collect());
        prop_assert_eq!(again, straight);
    }

    #[test]
    fn incidents(
        said in prop::collection::vec(incident_sighting(), 1..6),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let tell = |said: Vec<&incident::Sighting>| {
            said.into_iter().fold(None, |before: Option<Incident>, s| Some(see_incident(before.as_ref(), s))).unwrap()
        };
        let straight = tell(said.iter().collect());
        let crooked = tell(order.iter().map(|index| index.get(&said)).chain(said.iter().rev()).collect());
        prop_assert_eq!(crooked, straight);
    }
}

#[test]
fn a_first_commit_that_was_sent_is_better_than_any_that_was_found() {
    let seen = see_deployment(None, &deployment::Sighting::new(at(10)));
    let find = |before: &Deployment, seconds, from| {
        let command = deployment::Command {
            id: before.id.clone(),
            project_id: Some(before.project_id.clone()),
            details: deployment::Details::default(),
            change: deployment::Change::FirstCommit { at: at(seconds), from },
        };
        in_context(|context| deployment::apply(Some(before), &command, context)).unwrap()
    };
    let head = find(&seen, 5, FirstCommitFrom::HeadCommit);
    assert_eq!((head.first_commit_at, head.first_commit_from), (Some(at(5)), Some(FirstCommitFrom::HeadCommit)));
    let pushes = find(&head, 3, FirstCommitFrom::Pushes);
    assert_eq!(pushes.first_commit_at, Some(at(3)));
    assert_eq!(find(&pushes, 4, FirstCommitFrom::HeadCommit), pushes);
    let sent = Deployment { first_commit_at: Some(at(9)), ..seen };
    assert_eq!(find(&sent, 3, FirstCommitFrom::Api), sent);
}

/// What may be said of the deployment of an incident, by whom.
#[derive(Debug, Clone)]
enum OfLink {
    Suggested(bool),
    Found,
    ByPerson(Option<&'static str>),
    Imported(Option<&'static str>, Option<Method>),
    Named,
}

fn of_link() -> impl Strategy<Value = OfLink> {
    let deployment = || prop::option::of(prop::sample::select(vec!["a", "b"]));
    let method = prop::option::of(prop::sample::select(vec![Method::Sent, Method::Commit, Method::Person]));
    prop_oneof![
        any::<bool>().prop_map(OfLink::Suggested),
        Just(OfLink::Found),
        deployment().prop_map(OfLink::ByPerson),
        (deployment(), method).prop_map(|(deployment, method)| OfLink::Imported(deployment, method)),
        Just(OfLink::Named),
    ]
}

impl OfLink {
    fn change(&self) -> Change {
        let edit = |id: Option<&str>| id.map_or(Edit::Clear, |id| Edit::Set(name(id)));
        match self {
            Self::Suggested(is) => Change::Suggested { deployment_id: is.then(|| name("b")) },
            Self::Found => Change::Linked { deployment_id: name("a"), method: Method::Label },
            Self::ByPerson(id) => {
                let correction = correction::Incident { deployment_id: edit(*id), ..correction::Incident::default() };
                Change::Corrected(Box::new(correction))
            }
            Self::Imported(id, method) => Change::Imported(Box::new(correction::Incident {
                deployment_id: edit(*id),
                link_method: method.map_or(Edit::Clear, Edit::Set),
                ..correction::Incident::default()
            })),
            Self::Named => Change::Sighted(Box::new(incident::Sighting {
                cause: Some(incident::Cause::Deployment(name("a"))),
                ..incident::Sighting::new(at(3))
            })),
        }
    }
}

proptest! {
    #[test]
    fn what_a_person_says_of_a_link_stays_and_a_suggestion_is_none(said in prop::collection::vec(of_link(), 1..8)) {
        let mut fact = see_incident(None, &incident::Sighting::new(at(5)));
        let deployment = see_deployment(None, &deployment::Sighting::new(at(4)));
        for one in &said {
            let before = fact.clone();
            let command = incident::Command { id: Some(fact.id.clone()), project_id: None, change: one.change() };
            let linked = Deployment { id: command.deployment_id().cloned().unwrap_or(name("a")), ..deployment.clone() };
            fact = in_context(|context| incident::apply(Some(&before), &before.id, &command, Some(&linked), context)).unwrap();
            let again = in_context(|context| incident::apply(Some(&fact), &fact.id, &command, Some(&linked), context));
            prop_assert_eq!(&again.unwrap(), &fact, "said twice");
            // nothing that counts follows from a suggestion, and none stands beside what is known
            let is_settled = fact.deployment_id.is_some() || fact.link_method.is_some();
            prop_assert!(!is_settled || fact.suggested_deployment_id.is_none());
            if matches!(one, OfLink::Suggested(_)) {
                let but = Incident { updated_at: before.updated_at,
                    suggested_deployment_id: before.suggested_deployment_id.clone(), ..fact.clone() };
                prop_assert_eq!(but, before.clone());
            }
            let by_tool = matches!(one, OfLink::Suggested(_) | OfLink::Found | OfLink::Named);
            if by_tool && before.link_method == Some(Method::Person) {
                prop_assert_eq!((&fact.deployment_id, fact.link_method), (&before.deployment_id, before.link_method));
            }
            if let OfLink::ByPerson(id) = one {
                let state = if id.is_some() { LinkState::Linked } else { LinkState::None };
                prop_assert_eq!((fact.link().state, fact.link().confidence), (state, Some("certain")));
            }
        }
    }
}
