//! Makes facts of what is in the inbox, in the background: the sender has long been answered. A delivery is claimed
//! for a while, so that of several replicas one works on it; what a crash interrupts is claimed again by the next,
//! and a fact that was already recorded does not count twice.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::first_commit::FirstCommits;
use super::links::Links;
use super::sources::{Sources, Wanted};
use crate::domain::{Clock, Name, Refusal, Timestamp};
use crate::ingest::{Action, Command, Effect, Error, Ingest, Mode};
use crate::storage::{self, Claimed, Settled, Standing, Store};
use crate::telemetry::{Complaint, Outage};
use crate::webhooks::{Happening, Headers, Ignored};

/// Deliveries taken on at once.
const BATCH: i64 = 64;
/// How long they are ours.
const LEASE: Duration = Duration::from_mins(1);
/// How often somebody looks for what nobody has told of: another replica's, or what is due again.
const ROUND: Duration = Duration::from_secs(2);
/// How often it looks for first commits that nobody has sent.
const LOOKS: Duration = Duration::from_mins(1);
/// How long nobody else looks because of the time alone; a little less, so that it is not missed by a moment.
const TURN: Duration = Duration::from_secs(50);
/// How many times as long as it has looked it then does not.
const REST: u32 = 5;
/// How long a delivery waits that could not be recorded; longer each time.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// Where a list of what a delivery became ends.
const MOST_NAMED: usize = 100;

#[derive(Debug)]
pub struct Projector {
    store: Store,
    ingest: Ingest,
    sources: std::sync::Arc<Sources>,
    clock: Clock,
    arrived: std::sync::Arc<Notify>,
    /// Told when deliveries have become facts.
    settled: std::sync::Arc<Notify>,
    outage: Outage,
    first_commits: FirstCommits,
    links: Links,
    /// When to look for first commits and causes again, if nothing comes in before.
    next_look: Instant,
    /// Whether something has come in since it last looked; also what did before it began.
    is_new: bool,
    /// Not before then, whatever comes in: looking takes a small part of the time, also where there is much to look at.
    rested: Instant,
}

/// What a delivery would become.
#[derive(Debug)]
pub struct Trial {
    pub became: Vec<Value>,
    pub ignored: Option<String>,
}

impl Projector {
    pub fn new(
        store: Store,
        ingest: Ingest,
        sources: std::sync::Arc<Sources>,
        clock: Clock,
        arrived: std::sync::Arc<Notify>,
        settled: std::sync::Arc<Notify>,
        suggest_within: Option<Duration>,
    ) -> Self {
        let first_commits = FirstCommits::new(store.clone(), ingest.clone(), clock.clone());
        let links = Links::new(store.clone(), ingest.clone(), clock.clone(), suggest_within);
        let (outage, next_look, rested) = (Outage::default(), Instant::now(), Instant::now());
        let is_new = true;
        Self {
            store,
            ingest,
            sources,
            clock,
            arrived,
            settled,
            outage,
            first_commits,
            links,
            next_look,
            is_new,
            rested,
        }
    }

    /// Works until it is told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        if let Err(error) = self.store.release_claims(self.clock.now()).await {
            tracing::debug!(%error, "what a process before this one took on waits until its claim runs out");
        }
        loop {
            let more = match self.round().await {
                Ok(claimed) => {
                    if let Some(outage) = self.outage.works(Instant::now()) {
                        tracing::info!(outage_seconds = outage.as_secs_f64(), "deliveries become facts again");
                    }
                    claimed == BATCH
                }
                Err(error) => {
                    let reason = error.reason();
                    match self.outage.fails(Instant::now()) {
                        Complaint::Begins => tracing::error!(%error, reason, "deliveries wait for the database"),
                        Complaint::GoesOn { failures } => {
                            tracing::error!(%error, reason, failures, "deliveries still wait for the database");
                        }
                        Complaint::Nothing => {}
                    }
                    false
                }
            };
            if stop.is_cancelled() {
                return;
            }
            if !more {
                self.look().await;
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = self.arrived.notified() => {}
                    () = tokio::time::sleep_until(self.next_round()) => {}
                }
            }
        }
    }

    /// Works until nothing is due any more: for a process that does not stay.
    pub async fn once(&mut self) -> Result<(), storage::Error> {
        while self.round().await? == BATCH {}
        self.look().await;
        Ok(())
    }

    /// What has come in may tell of first commits and causes, and so may the passing of time. Whoever has taken in the
    /// one looks at once; for the other one of all replicas is enough.
    async fn look(&mut self) {
        let began = Instant::now();
        if began < self.next_look.max(self.rested) {
            return;
        }
        self.next_look = began + LOOKS;
        if !std::mem::take(&mut self.is_new) {
            let now = self.clock.now();
            match self.store.take_turn("first commits and causes", now, now.later(TURN)).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return tracing::debug!(%error, "whose turn it is to look is not known"),
            }
        }
        if let Err(error) = self.first_commits.look().await {
            tracing::warn!(%error, "first commits could not be looked for; trying again");
        }
        if let Err(error) = self.links.look().await {
            tracing::warn!(%error, "the deployments behind incidents could not be looked for; trying again");
        }
        // for those who look further than the store
        self.settled.notify_one();
        self.rested = Instant::now() + began.elapsed() * REST;
    }

    fn next_round(&self) -> Instant {
        (Instant::now() + ROUND).min(self.next_look.max(self.rested))
    }

    /// Takes on what is due; how much that was.
    async fn round(&mut self) -> Result<i64, storage::Error> {
        let claimed = self.store.claim(self.clock.now(), LEASE, BATCH).await?;
        if claimed.is_empty() {
            return Ok(0);
        }
        (self.next_look, self.is_new) = (Instant::now(), true);
        let (mut settled, mut changes, mut commands, mut owners) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for letter in &claimed {
            match self.read(letter) {
                Ok(wanted) => {
                    changes.extend(wanted.changes.iter().cloned());
                    owners.push((letter, wanted.actions.len(), wanted.changes));
                    commands.extend(wanted.actions.into_iter().map(|action| Command {
                        actor: letter.actor.clone(),
                        received_at: letter.received_at,
                        action,
                    }));
                }
                Err(Ignored(reason)) => settled.push(Settled {
                    id: letter.id,
                    standing: Standing::Ignored,
                    reason: Some(reason),
                    became: None,
                    due_at: None,
                }),
            }
        }
        let named: Vec<Value> = commands.iter().map(|command| named(&command.action)).collect();
        let outcomes = if commands.is_empty() { Ok(Vec::new()) } else { self.ingest.many(commands, Mode::Each).await };
        match outcomes {
            Ok(outcomes) => {
                let mut outcomes = named.into_iter().zip(outcomes);
                for (letter, count, changes) in owners {
                    let own: Vec<_> = outcomes.by_ref().take(count).collect();
                    settled.push(told(letter.id, own, &changes));
                }
            }
            Err(error) => {
                // nothing of them is told; whatever else was claimed is settled all the same
                changes.clear();
                settled.extend(owners.into_iter().map(|(letter, ..)| self.later(letter, &error)));
            }
        }
        let now = self.clock.now();
        // in one order everywhere, so that replicas do not wait for each other in a circle
        changes.sort_by_cached_key(place);
        let pushes = changes.iter().filter_map(|change| match change {
            Happening::Push(push) => Some(push),
            _ => None,
        });
        self.store
            .alone(async |tx| {
                tx.keep_pushes(pushes).await?;
                for change in &changes {
                    match change {
                        Happening::PullRequest(said) => tx.hear_pull_request(said, now).await?,
                        Happening::Ticket(said) => tx.hear_ticket(said, now).await?,
                        Happening::Push(_) | Happening::Deployment(_) | Happening::Incident(_) => {}
                    }
                }
                tx.settle(&settled).await
            })
            .await?;
        Ok(i64::try_from(claimed.len()).unwrap_or(BATCH))
    }

    fn read(&self, letter: &Claimed) -> Result<Wanted, Ignored> {
        let source = self.sources.of_key(&letter.source);
        let source = source.ok_or_else(|| Ignored(format!("{} is no source that is known any more", letter.source)))?;
        let headers: Headers = serde_json::from_str(&letter.headers).unwrap_or_default();
        self.sources.read(&source, &letter.event, &headers, &letter.body, letter.received_at)
    }

    fn later(&self, letter: &Claimed, error: &Error) -> Settled {
        let doubled = FIRST_WAIT * 2_u32.saturating_pow(u32::try_from(letter.attempts.clamp(1, 16)).unwrap_or(16) - 1);
        Settled {
            id: letter.id,
            standing: Standing::Received,
            reason: Some(error.to_string()),
            became: None,
            due_at: Some(self.clock.now().later(doubled.min(LONGEST_WAIT))),
        }
    }
}

/// Where a pull request or a ticket is kept.
fn place(change: &Happening) -> Option<(Name, Name)> {
    match change {
        Happening::PullRequest(said) => Some((said.repository.clone(), said.id.clone())),
        Happening::Ticket(said) => Some((said.place.clone(), said.id.clone())),
        Happening::Push(_) | Happening::Deployment(_) | Happening::Incident(_) => None,
    }
}

/// What deliveries would become, one after another, without recording anything.
pub async fn try_out(
    ingest: &Ingest,
    mut wanted: Vec<Result<Wanted, Ignored>>,
    actor: &Name,
    received_at: Timestamp,
) -> Result<Vec<Trial>, Error> {
    let (mut names, mut commands) = (Vec::with_capacity(wanted.len()), Vec::new());
    for wanted in &mut wanted {
        let actions = wanted.as_mut().map(|wanted| std::mem::take(&mut wanted.actions)).unwrap_or_default();
        names.push(actions.iter().map(named).collect::<Vec<_>>());
        commands.extend(actions.into_iter().map(|action| Command { actor: actor.clone(), received_at, action }));
    }
    let outcomes = if commands.is_empty() { Vec::new() } else { ingest.many(commands, Mode::Try).await? };
    let mut outcomes = outcomes.into_iter();
    let trial = |(wanted, names): (Result<Wanted, Ignored>, Vec<Value>)| match wanted {
        Err(Ignored(reason)) => Trial { became: Vec::new(), ignored: Some(reason) },
        Ok(wanted) => {
            let settled = told(0, names.into_iter().zip(&mut outcomes).collect(), &wanted.changes);
            let became = settled.became.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
            Trial { became, ignored: None }
        }
    };
    Ok(wanted.into_iter().zip(names).map(trial).collect())
}

fn named(action: &Action) -> Value {
    match action {
        Action::Deployment(command) => {
            json!({"kind": "deployment", "project_id": command.project_id, "id": command.id})
        }
        Action::Incident(command) => json!({"kind": "incident", "project_id": command.project_id, "id": command.id}),
    }
}

/// What has become of a delivery whose facts were told.
fn told(id: i64, outcomes: Vec<(Value, Result<Effect, Refusal>)>, changes: &[Happening]) -> Settled {
    let (mut became, mut reasons) = (Vec::new(), Vec::new());
    for (mut fact, outcome) in outcomes {
        match outcome {
            Ok(effect) => fact["effect"] = json!(word(effect)),
            Err(refusal) => {
                fact["refused"] = json!(refusal.to_string());
                reasons.push(format!("{}: {refusal}", fact["id"].as_str().unwrap_or_default()));
            }
        }
        became.push(fact);
    }
    became.extend(changes.iter().map(|change| match change {
        Happening::Push(push) => {
            json!({"kind": "push", "repository": push.repository, "id": push.after, "effect": "kept"})
        }
        Happening::PullRequest(said) => {
            json!({"kind": "pull_request", "repository": said.repository, "id": said.id, "effect": "kept"})
        }
        Happening::Ticket(said) => json!({"kind": "ticket", "place": said.place, "id": said.id, "effect": "kept"}),
        Happening::Deployment(_) | Happening::Incident(_) => Value::Null,
    }));
    became.truncate(MOST_NAMED);
    let standing = if reasons.is_empty() { Standing::Done } else { Standing::Failed };
    Settled {
        id,
        standing,
        reason: (!reasons.is_empty()).then(|| reasons.join("; ")),
        became: serde_json::to_string(&became).ok(),
        due_at: None,
    }
}

fn word(effect: Effect) -> &'static str {
    match effect {
        Effect::Created => "created",
        Effect::Changed => "changed",
        Effect::Unchanged => "unchanged",
    }
}
