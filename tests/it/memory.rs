//! `/dora` from memory: byte for byte what the store says, at once, on every replica.

use em_metrics::domain::deployment::{self, Change, Details};
use em_metrics::domain::{Context, Deployment, Name, Timestamp, teams::Teams};
use em_metrics::dora::{Interval, Span, Zone};
use em_metrics::metrics;
use em_metrics::report::{Answers, GroupBy, Memory, Question};
use em_metrics::storage::{Entry, Fact, Store, Totals, Writes};
use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::app::{Answer, App};
use crate::engine::Engine;
use crate::webhooks::unknown_start;

on_each_engine!(
    answers_from_memory_are_those_of_the_store,
    what_is_stored_already_is_loaded,
    too_many_facts_are_left_to_the_store,
    an_incident_of_unknown_beginning_has_no_duration_on_either_road,
    what_is_deleted_is_not_loaded,
);

const ENOUGH: usize = 1 << 30;

/// An index of its own on the store of an app, loaded; kept until it is dropped.
struct Kept {
    memory: Memory,
    answers: Answers,
    _stop: DropGuard,
}

fn keep(store: &Store, bound: usize) -> Kept {
    let memory = Memory::new(store.clone(), bound);
    let stop = CancellationToken::new();
    tokio::spawn(memory.clone().keep(stop.clone()));
    Kept { answers: Answers::new(store.clone(), Some(memory.clone())), memory, _stop: stop.drop_guard() }
}

async fn kept(store: &Store) -> Kept {
    let kept = keep(store, ENOUGH);
    while kept.facts().await.is_none() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    kept
}

impl Kept {
    /// As they are now; `None` when the index is not fit to answer.
    async fn facts(&self) -> Option<usize> {
        self.memory.ask(em_metrics::dora::Index::facts).await.unwrap()
    }
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn question(from: &str, to: &str) -> Question {
    let span = Span { from: time(from), to: time(to), zone: Zone::parse("Europe/Berlin").unwrap() };
    let (projects, teams, environments) = (Vec::new(), Vec::new(), Vec::new());
    Question { span, interval: Some(Interval::Week), projects, teams, environments, group_by: None, as_of: None }
}

fn questions() -> Vec<Question> {
    let june = || question("2026-05-20T00:00:00Z", "2026-06-15T12:00:00Z");
    let part = || question("2026-06-03T10:30:00Z", "2026-06-08T22:00:00Z");
    vec![
        june(),
        Question { group_by: Some(GroupBy::Project), interval: Some(Interval::Day), ..part() },
        Question { group_by: Some(GroupBy::Team), ..june() },
        Question { group_by: Some(GroupBy::Environment), interval: None, ..part() },
        Question { projects: vec![name("cart"), name("unknown")], group_by: Some(GroupBy::Project), ..part() },
        Question { teams: vec![name("red")], environments: vec![name("production")], ..june() },
    ]
}

/// All answers, from memory and from the store, as text.
async fn both(kept: &Kept, store: &Store) -> (Vec<String>, Vec<String>) {
    let from_store = Answers::new(store.clone(), None);
    let (mut memory, mut stored) = (Vec::new(), Vec::new());
    for question in questions() {
        memory.push(format!("{:?}", kept.answers.answer(&question).await.unwrap()));
        stored.push(format!("{:?}", from_store.answer(&question).await.unwrap()));
    }
    (memory, stored)
}

/// Something that may happen, or may be refused.
pub fn anything(random: &mut StdRng) -> (Method, String, Value) {
    if random.random_bool(0.3) {
        return correction(random);
    }
    let (path, body) = news(random);
    (Method::POST, path, body)
}

/// Something that is said afterwards.
fn correction(random: &mut StdRng) -> (Method, String, Value) {
    let n = random.random_range(0..60);
    let project = *["shop", "cart", "pay"].choose(random).unwrap();
    let at = format!("2026-06-{:02}T{:02}:00:00Z", random.random_range(1..15), random.random_range(0..24));
    let fact = if random.random_bool(0.5) { format!("/deployments/{n}") } else { format!("/incidents/i{n}") };
    let query = format!("?project_id={project}");
    let patch = |body| (Method::PATCH, format!("{fact}{query}"), body);
    match random.random_range(0..8) {
        0 => (Method::DELETE, format!("{fact}{query}"), Value::Null),
        1 => (Method::POST, format!("{fact}/restore{query}"), json!({})),
        2 => patch(json!({"team_id": (["red", "blue"].choose(random))})),
        3 => patch(json!({"environment": (["staging", "production"].choose(random))})),
        4 => patch(json!({"deployed_at": at, "started_at": at})),
        5 => patch(json!({"deployed_at": null, "rolled_back_at": null, "restored_at": null, "finished_at": null})),
        6 => patch(json!({"deployment_id": null})),
        _ => patch(json!({"deployment_id": random.random_range(0..60).to_string(), "unplanned": true})),
    }
}

fn news(random: &mut StdRng) -> (String, Value) {
    let n = random.random_range(0..60);
    let at = |random: &mut StdRng| {
        format!(
            "2026-06-{:02}T{:02}:{:02}:00Z",
            random.random_range(1..15),
            random.random_range(0..24),
            random.random_range(0..60)
        )
    };
    let project = *["shop", "cart", "pay"].choose(random).unwrap();
    let commit = "2026-05-25T10:00:00Z";
    let deployed_at = random.random_bool(0.7).then(|| at(random));
    match random.random_range(0..10) {
        0..4 => {
            let team = ["red", "blue"].choose(random).filter(|_| n % 3 > 0);
            let environment = if n % 7 == 0 { "staging" } else { "production" };
            let body = json!({
                "id": n.to_string(), "project_id": project, "first_commit_at": commit, "deploy_start_at": commit,
                "deployed_at": deployed_at, "team_id": team, "environment": environment, "unplanned": n % 5 == 0,
            });
            ("/deployments".to_owned(), body)
        }
        4 => (format!("/deployments/{n}/failed"), json!({"project_id": project, "failed_at": at(random)})),
        5 => (format!("/deployments/{n}/deployed"), json!({"project_id": project, "deployed_at": at(random)})),
        6 => (format!("/deployments/{n}/rolled-back"), json!({"project_id": project, "rolled_back_at": at(random)})),
        7 => {
            let deployment = random.random_bool(0.8).then(|| n.to_string());
            let body = json!({
                "id": format!("i{n}"), "project_id": project, "deployment_id": deployment, "started_at": at(random),
            });
            ("/incidents".to_owned(), body)
        }
        8 => (format!("/incidents/i{n}/restored"), json!({"project_id": project, "date": at(random)})),
        _ => (format!("/incidents/i{n}/finished"), json!({"project_id": project, "date": at(random)})),
    }
}

async fn answers_from_memory_are_those_of_the_store(engine: Engine) {
    let app = engine.app().await;
    let kept = kept(&app.store).await;
    let mut random = StdRng::seed_from_u64(7);
    for round in 0..40 {
        for _ in 0..15 {
            let (method, path, body) = anything(&mut random);
            let status = Answer::of(app.request(method, &path).json(&body)).await.status;
            assert!(!status.is_server_error());
        }
        let (memory, stored) = both(&kept, &app.store).await;
        assert_eq!(memory, stored, "round {round}");
        assert!(kept.facts().await.is_some());
    }
    // one that is loaded only now
    let (memory, stored) = both(&super::memory::kept(&app.store).await, &app.store).await;
    assert_eq!(memory, stored);
}

async fn what_is_stored_already_is_loaded(engine: Engine) {
    let app = engine.app().await;
    let mut random = StdRng::seed_from_u64(11);
    for _ in 0..400 {
        let (path, body) = news(&mut random);
        app.post(&path, body).await;
    }
    let kept = kept(&app.store).await;
    assert_eq!(kept.facts().await, Some(app.stored().await.facts()));
    let (memory, stored) = both(&kept, &app.store).await;
    assert_eq!(memory, stored);
}

async fn too_many_facts_are_left_to_the_store(engine: Engine) {
    let app = engine.app().await;
    post(&app, "shop", "1").await;
    let kept = keep(&app.store, 10);
    for _ in 0..20 {
        assert_eq!(kept.facts().await, None);
        let (memory, stored) = both(&kept, &app.store).await;
        assert_eq!(memory, stored);
        assert!(stored[0].contains("deployments: 1"));
    }
}

async fn an_incident_of_unknown_beginning_has_no_duration_on_either_road(engine: Engine) {
    let app = unknown_start::app(engine).await;
    let follower = kept(&app.store).await;
    unknown_start::over(&app).await;
    for restored in [0, 1] {
        for kept in [&follower, &kept(&app.store).await] {
            let (memory, stored) = both(kept, &app.store).await;
            assert_eq!(memory, stored);
            let report = kept.answers.answer(&questions()[0]).await.unwrap().all.total;
            assert_eq!((report.time_to_restore.n, report.time_to_detect.n), (restored, restored));
            assert_eq!(report.failed_deployment_recovery_time.recovered.n, restored);
            assert_eq!((report.incidents.restored, report.change_failure_rate.failed), (1, 1));
        }
        unknown_start::tell(&app, "triggered", "2026-06-01T10:00:00Z").await;
    }
}

async fn what_is_deleted_is_not_loaded(engine: Engine) {
    let app = engine.app().await;
    for id in ["1", "2"] {
        let body = json!({"id": id, "project_id": "shop", "started_at": "2026-06-02T10:00:00Z"});
        app.post("/incidents", body).await.expect(201);
    }
    let gone = app.request(Method::DELETE, "/incidents/1").send().await.unwrap();
    assert_eq!(gone.status(), 204);
    let (memory, stored) = both(&kept(&app.store).await, &app.store).await;
    assert_eq!(memory, stored);
}

/// Two replicas, each of which has seen a project: making series is done by one at a time.
async fn two() -> (App, App) {
    let first = Engine::Postgres.app().await;
    let second = App::start(first.database.shared(), |_| ()).await;
    post(&first, "slow", "0").await;
    post(&second, "quick", "0").await;
    (first, second)
}

async fn post(app: &App, project: &str, id: &str) {
    let body = json!({
        "id": id, "project_id": project, "first_commit_at": "2026-06-01T10:00:00Z",
        "deployed_at": "2026-06-02T10:00:00Z",
    });
    app.post("/deployments", body).await.expect(201);
}

/// How many deployments of a project the index knows of.
async fn deployments(kept: &Kept, project: &str) -> u64 {
    let question =
        Question { projects: vec![name(project)], ..question("2026-05-01T00:00:00Z", "2026-06-16T00:00:00Z") };
    kept.answers.answer(&question).await.unwrap().all.total.deployment_frequency.deployments
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_an_answer_finds_it_on_the_other_replica() {
    let (first, second) = two().await;
    let indexes = [kept(&first.store).await, kept(&second.store).await];
    let tellers = (0..12).map(|teller| {
        let (apps, indexes) = ([&first, &second], &indexes);
        async move {
            let project = format!("project-{teller}");
            for n in 0..25_usize {
                post(apps[(teller + n) % 2], &project, &n.to_string()).await;
                let other = &indexes[(teller + n + 1) % 2];
                assert_eq!(deployments(other, &project).await, n as u64 + 1);
            }
        }
    });
    join_all(tellers).await;
    for (kept, app) in indexes.iter().zip([&first, &second]) {
        assert_eq!(kept.facts().await, Some(302));
        let (memory, stored) = both(kept, &app.store).await;
        assert_eq!(memory, stored);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_committed_after_later_ones_is_not_missed() {
    let (first, second) = two().await;
    let kept = kept(&second.store).await;
    let fact = deployed("slow");
    let mut slow = first.store.begin().await.unwrap();
    write(&mut slow, &fact).await;
    post(&second, "quick", "1").await;
    assert_eq!(deployments(&kept, "quick").await, 2);
    // the keeper has looked several times, and could have settled what it has seen
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!((deployments(&kept, "quick").await, deployments(&kept, "slow").await), (2, 1));
    slow.commit().await.unwrap();
    assert_eq!(deployments(&kept, "slow").await, 2);
    assert_eq!(kept.facts().await, Some(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_under_way_while_the_facts_are_loaded_is_not_missed() {
    let (first, second) = two().await;
    let fact = deployed("slow");
    let mut slow = first.store.begin().await.unwrap();
    write(&mut slow, &fact).await;
    post(&second, "quick", "1").await;
    let loading = keep(&second.store, ENOUGH);
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(deployments(&loading, "quick").await, 2);
    slow.commit().await.unwrap();
    while loading.facts().await.is_none() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(loading.facts().await, Some(4));
    assert_eq!(deployments(&loading, "slow").await, 2);
}

fn deployed(project: &str) -> Deployment {
    let (now, production, teams) = (time("2026-06-02T12:00:00Z"), name("production"), Teams::default());
    let command = deployment::Command {
        id: name("1"),
        project_id: Some(name(project)),
        details: Details { first_commit_at: Some(time("2026-06-01T10:00:00Z")), ..Details::default() },
        change: Change::Start { deployed_at: Some(time("2026-06-02T10:00:00Z")) },
    };
    deployment::apply(None, &command, &Context { now, production: &production, teams: &teams }).unwrap()
}

/// As the writer would, but for the commit.
async fn write(tx: &mut em_metrics::storage::Tx<'_>, fact: &Deployment) {
    let mut fact = fact.clone();
    let mut totals = Totals::default();
    for observation in metrics::deployments::observe(&mut fact) {
        totals.add(observation, fact.created_at);
    }
    let entry = Entry {
        recorded_at: fact.created_at,
        actor: name("test"),
        kind: "deployment.started",
        before: None,
        after: Fact::Deployment(fact.clone()),
    };
    let writes = Writes { new_deployments: vec![&fact], journal: vec![entry], totals, ..Writes::default() };
    tx.write(&writes, None).await.unwrap();
}
