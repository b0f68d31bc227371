//! What anybody may send, in any order.

use super::*;

pub fn maybe<T: Clone + std::fmt::Debug + 'static>(values: Vec<T>) -> impl Strategy<Value = Option<T>> {
    proptest::option::weighted(0.6, select(values))
}

pub fn some_time() -> impl Strategy<Value = Option<Timestamp>> {
    proptest::option::weighted(0.5, (-5..6_i64).prop_map(|days| at(days * DAY)))
}

pub fn details() -> impl Strategy<Value = Details> {
    let user = maybe(vec![name("ann"), name("bob")]);
    let team = proptest::option::weighted(0.2, select(vec![name("red"), name("green")]));
    let url = proptest::option::weighted(0.2, Just(Prose::parse("https://ci.example/1").unwrap()));
    (some_time(), some_time(), user, team, url, proptest::option::weighted(0.2, any::<bool>())).prop_map(
        |(first_commit_at, deploy_start_at, username, team_id, url, unplanned)| Details {
            team_id,
            first_commit_at,
            deploy_start_at,
            username,
            url,
            unplanned,
            ..Details::default()
        },
    )
}

pub fn deployment_command() -> impl Strategy<Value = Action> {
    let change = prop_oneof![
        3 => some_time().prop_map(|deployed_at| deployment::Change::Start { deployed_at }),
        3 => (some_time(), any::<bool>()).prop_map(|(deployed_at, create_if_not_exists)| {
            deployment::Change::Deployed { deployed_at, create_if_not_exists }
        }),
        1 => some_time().prop_map(|failed_at| deployment::Change::Failed { failed_at, reason: None }),
        1 => some_time().prop_map(|rolled_back_at| deployment::Change::RolledBack { rolled_back_at, reason: None }),
    ];
    (select(vec!["1", "2", "3"]), maybe(vec![name("shop"), name("api")]), details(), change).prop_map(
        |(id, project_id, details, change)| {
            Action::Deployment(deployment::Command { id: name(id), project_id, details, change })
        },
    )
}

pub fn incident_command() -> impl Strategy<Value = Action> {
    let open = (maybe(vec![name("1"), name("2"), name("3")]), some_time(), some_time(), some_time()).prop_map(
        |(deployment_id, started_at, restored_at, finished_at)| {
            incident::Change::Open(Box::new(Opening {
                deployment_id,
                started_at,
                restored_at,
                finished_at,
                ..Opening::default()
            }))
        },
    );
    let change = prop_oneof![
        3 => open,
        1 => some_time().prop_map(|date| incident::Change::Restored { date }),
        1 => some_time().prop_map(|date| incident::Change::Finished { date }),
    ];
    (maybe(vec![name("a"), name("b"), name("c")]), maybe(vec![name("shop"), name("api")]), change).prop_map(
        |(id, project_id, change)| {
            let opening = matches!(change, incident::Change::Open(_));
            let id = if opening { id } else { id.or_else(|| Some(name("a"))) };
            Action::Incident(incident::Command { id, project_id, change })
        },
    )
}

pub fn edit<T: Clone + std::fmt::Debug + 'static>(
    values: impl Strategy<Value = Option<T>>,
) -> impl Strategy<Value = Edit<T>> {
    (any::<bool>(), values)
        .prop_map(|(keep, value)| if keep { Edit::Keep } else { value.map_or(Edit::Clear, Edit::Set) })
}

pub fn correction() -> impl Strategy<Value = Action> {
    let deployment = (edit(some_time()), edit(some_time()), edit(some_time()), edit(some_time()), edit(some_time()))
        .prop_map(|(first_commit_at, deploy_start_at, deployed_at, failed_at, rolled_back_at)| {
            deployment::Change::Corrected(Box::new(correction::Deployment {
                first_commit_at,
                deploy_start_at,
                deployed_at,
                failed_at,
                rolled_back_at,
                ..correction::Deployment::default()
            }))
        });
    let deployment =
        prop_oneof![4 => deployment, 1 => Just(deployment::Change::Deleted), 1 => Just(deployment::Change::Undeleted)];
    let deployment = (select(vec!["1", "2", "3"]), maybe(vec![name("shop"), name("api")]), deployment).prop_map(
        |(id, project_id, change)| {
            let details = Details::default();
            Action::Deployment(deployment::Command { id: name(id), project_id, details, change })
        },
    );
    let link = edit(maybe(vec![name("1"), name("2"), name("3")]));
    let incident = (link, edit(some_time()), edit(some_time()), edit(some_time())).prop_map(
        |(deployment_id, started_at, restored_at, finished_at)| {
            incident::Change::Corrected(Box::new(correction::Incident {
                deployment_id,
                started_at,
                restored_at,
                finished_at,
                ..correction::Incident::default()
            }))
        },
    );
    let incident =
        prop_oneof![4 => incident, 1 => Just(incident::Change::Deleted), 1 => Just(incident::Change::Undeleted)];
    let incident = (select(vec!["a", "b", "c"]), maybe(vec![name("shop"), name("api")]), incident).prop_map(
        |(id, project_id, change)| Action::Incident(incident::Command { id: Some(name(id)), project_id, change }),
    );
    prop_oneof![deployment, incident]
}

pub fn command() -> impl Strategy<Value = Command> {
    let action = prop_oneof![3 => deployment_command(), 2 => incident_command()];
    sent(action)
}

pub fn sent(action: impl Strategy<Value = Action>) -> impl Strategy<Value = Command> {
    (action, -2..3_i64).prop_map(|(action, days)| Command { actor: name("test"), received_at: at(days * DAY), action })
}
