//! The one writer: takes what has queued up, does it in one transaction, answers everyone.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::health::Health;
use super::plan::Rules;
use super::{Command, Effect, Error, Ingest, Job, LetterAnswer, Mode, Outcome, Work, load};
use crate::domain::{Clock, Name, Refusal, teams::Teams};
use crate::storage::{self, Letter, Store, Tx};
use crate::telemetry::instruments;

/// Commands in one transaction at most.
const BATCH: usize = 256;
/// Commands that may wait; more are held back at the door.
const QUEUE: usize = 4096;
/// What each command or delivery of a long batch may add to the time of a short one.
const BULK_PATIENCE: Duration = Duration::from_millis(1);
/// How often a batch is tried again when replicas meet.
const TRIES: u32 = 10;
/// When it is tried again after its connection has died: a database that comes back within this was never away.
const AFTER_DEATH: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1500)];
/// How often, after a write has failed, a small one tells whether the next would succeed.
const PROBES: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
pub struct Settings {
    /// The environment of facts that name none.
    pub production: Name,
    pub teams: Teams,
    /// `false`: one transaction for each command; for comparison only.
    pub group_commit: bool,
    /// For when it was recorded.
    pub clock: Clock,
    /// How long a command may wait before it is refused as too much, and how long a batch may take.
    pub patience: Duration,
}

/// Writing was failing when the writer ended.
#[derive(Debug, thiserror::Error)]
#[error("the database took no writes at the end; whoever sent some was told so")]
pub struct Unwritten;

/// Drains the queue until it is told to stop and nothing is left.
#[derive(Debug)]
pub struct Writer {
    store: Store,
    rules: Rules,
    clock: Clock,
    batch: usize,
    patience: Duration,
    queue: mpsc::Receiver<Job>,
    health: Health,
    /// When to try a small write, if the last one failed.
    next_probe: Instant,
    meters: Meters,
}

#[derive(Debug)]
struct Meters {
    queue_length: Gauge<u64>,
    batch_size: Histogram<f64>,
    commit_duration: Histogram<f64>,
    commands: Counter<u64>,
}

impl Writer {
    pub fn new(store: Store, settings: Settings) -> (Self, Ingest) {
        let (sender, queue) = mpsc::channel(QUEUE);
        let (health, patience) = (Health::new(), settings.patience);
        let ingest = Ingest { queue: sender, patience, writable: health.writable() };
        let batch = if settings.group_commit { BATCH } else { 1 };
        let rules = Rules { production: settings.production, teams: settings.teams };
        let (meters, next_probe) = (Meters::new(), Instant::now());
        (Self { store, rules, clock: settings.clock, batch, patience, queue, health, next_probe, meters }, ingest)
    }

    /// Runs until `stop` ends and the queue is empty, or until nobody can send any more.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Result<(), Unwritten> {
        let mut jobs = Vec::with_capacity(self.batch);
        let mut stop = std::pin::pin!(stop);
        let mut stopping = false;
        loop {
            tokio::select! {
                biased;
                () = &mut stop, if !stopping => {
                    stopping = true;
                    self.queue.close();
                }
                () = tokio::time::sleep_until(self.next_probe), if !self.health.is_well() => self.probe().await,
                taken = self.queue.recv_many(&mut jobs, self.batch) => {
                    if taken == 0 {
                        break;
                    }
                    self.process(std::mem::take(&mut jobs)).await;
                }
            }
        }
        if !self.health.is_well() {
            self.probe().await;
        }
        if self.health.is_well() { Ok(()) } else { Err(Unwritten) }
    }

    /// With nobody sending anything, for instance because we are known to be unwell, only this shows the end of it.
    async fn probe(&mut self) {
        match within(Instant::now() + self.patience, self.store.try_writing()).await {
            Ok(()) => self.health.works(),
            Err(error) => self.health.fails(&error),
        }
        self.next_probe = Instant::now() + PROBES;
    }

    async fn process(&mut self, jobs: Vec<Job>) {
        let now = Instant::now();
        let (mut ones, mut many, mut letters) = (Vec::with_capacity(jobs.len()), Vec::new(), Vec::new());
        for job in jobs {
            let in_time = job.begin(now);
            match job.work {
                Work::One { command, answer } if in_time => ones.push((command, answer)),
                Work::One { answer, .. } => self.answer(answer, Err(Error::Overloaded)),
                Work::Many { commands, mode, answer } if in_time => many.push((commands, mode, answer)),
                Work::Many { answer, .. } => drop(answer.send(Err(Error::Overloaded))),
                Work::Letters { letters: sent, answer } if in_time => letters.push((sent, answer)),
                Work::Letters { answer, .. } => drop(answer.send(Err(Error::Overloaded))),
            }
        }
        let (long, short): (Vec<_>, Vec<_>) = letters.into_iter().partition(|(sent, _)| sent.len() > 1);
        if !short.is_empty() {
            self.deliver(short, now + self.patience).await;
        }
        if !ones.is_empty() {
            self.together(ones, now + self.patience).await;
        }
        for (commands, mode, answer) in many {
            let patience = self.patience + BULK_PATIENCE * u32::try_from(commands.len()).unwrap_or(u32::MAX);
            let commands: Vec<_> = commands.iter().collect();
            let done = self.transact(&commands, mode, Instant::now() + patience).await;
            // whoever has hung up will not read it
            drop(answer.send(done.map(|outcomes| outcomes.into_iter().map(effect).collect())));
        }
        for (sent, answer) in long {
            let patience = self.patience + BULK_PATIENCE * u32::try_from(sent.len()).unwrap_or(u32::MAX);
            self.deliver(vec![(sent, answer)], Instant::now() + patience).await;
        }
    }

    /// Deliveries into the inbox, in one transaction.
    async fn deliver(&mut self, letters: Vec<(Vec<Letter>, LetterAnswer)>, deadline: Instant) {
        let batch: Vec<&Letter> = letters.iter().flat_map(|(sent, _)| sent).collect();
        let mut done = match within(deadline, self.receive(&batch)).await {
            Ok(ids) => {
                self.health.works();
                Ok(ids)
            }
            Err(error @ (storage::Error::Refused(_) | storage::Error::Unreadable(_))) => {
                tracing::error!(%error, reason = error.reason(), "deliveries cannot be stored");
                Err(Error::Failed)
            }
            Err(error) => {
                self.health.fails(&error);
                self.next_probe = Instant::now() + PROBES;
                Err(Error::Unavailable(error.cause()))
            }
        };
        for (sent, answer) in letters {
            let own = done.as_mut().map(|ids| ids.drain(..sent.len()).collect()).map_err(|error| error.clone());
            // whoever has hung up will send it again
            drop(answer.send(own));
        }
    }

    /// Commands that do not know of each other, in one transaction.
    async fn together(&mut self, jobs: Vec<(Command, Answer)>, deadline: Instant) {
        self.meters.queue_length.record(self.queue.len() as u64, &[]);
        self.meters.batch_size.record(f64::from(u16::try_from(jobs.len()).unwrap_or(u16::MAX)), &[]);
        let commands: Vec<&Command> = jobs.iter().map(|(command, _)| command).collect();
        match self.transact(&commands, Mode::Each, deadline).await {
            Ok(outcomes) => {
                for ((_, answer), outcome) in jobs.into_iter().zip(outcomes) {
                    self.answer(answer, outcome.map_err(Error::from));
                }
            }
            // one command that the database cannot stomach must not take the others with it
            Err(Error::Failed) if jobs.len() > 1 => {
                for (command, answer) in jobs {
                    let outcome = match self.transact(&[&command], Mode::Each, deadline).await {
                        Ok(mut outcomes) => outcomes.pop().map_or(Err(Error::Failed), |o| o.map_err(Error::from)),
                        Err(error) => Err(error),
                    };
                    self.answer(answer, outcome);
                }
            }
            Err(error) => {
                for (_, answer) in jobs {
                    self.answer(answer, Err(error.clone()));
                }
            }
        }
    }

    fn answer(&self, to: Answer, outcome: Result<Outcome, Error>) {
        let word = match &outcome {
            Ok(_) => "accepted",
            Err(Error::Refused(_)) => "refused",
            Err(Error::Overloaded) => "overloaded",
            Err(Error::Unavailable(_)) => "unavailable",
            Err(Error::Failed) => "failed",
        };
        self.meters.commands.add(1, &[KeyValue::new("outcome", word)]);
        // a caller that has hung up will not read it
        let _ = to.send(outcome);
    }

    /// The batch in one transaction, tried again where replicas met.
    async fn transact(
        &mut self,
        commands: &[&Command],
        mode: Mode,
        deadline: Instant,
    ) -> Result<Vec<Result<Outcome, Refusal>>, Error> {
        match within(deadline, self.try_often(commands, mode)).await {
            Ok(Done { outcomes, wrote }) => {
                if wrote {
                    self.health.works();
                }
                Ok(outcomes)
            }
            Err(error @ (storage::Error::Refused(_) | storage::Error::Unreadable(_))) => {
                tracing::error!(%error, reason = error.reason(), commands = commands.len(), "a batch cannot be stored");
                Err(Error::Failed)
            }
            Err(error) => {
                self.health.fails(&error);
                self.next_probe = Instant::now() + PROBES;
                Err(Error::Unavailable(error.cause()))
            }
        }
    }

    async fn try_often(&self, commands: &[&Command], mode: Mode) -> Result<Done, storage::Error> {
        let mut tries = self.tries();
        loop {
            let started = Instant::now();
            let outcome = once(&self.store, commands, mode, &self.rules, Some(&self.clock)).await;
            let failure = outcome.as_ref().err().map(|error| KeyValue::new("error.type", error.kind()));
            self.meters.commit_duration.record(started.elapsed().as_secs_f64(), failure.as_slice());
            match outcome.as_ref().err().and_then(|error| tries.again(error)) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return outcome,
            }
        }
    }

    fn tries(&self) -> Tries {
        let waits: &[Duration] = if self.health.is_well() { &AFTER_DEATH } else { &[] };
        Tries { done: 0, after_death: waits.iter() }
    }

    async fn receive(&self, letters: &[&Letter]) -> Result<Vec<Option<i64>>, storage::Error> {
        let mut tries = self.tries();
        loop {
            let outcome = self.store.receive(letters).await;
            match outcome.as_ref().err().and_then(|error| tries.again(error)) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return outcome,
            }
        }
    }
}

/// How often a batch was tried again.
#[derive(Debug)]
struct Tries {
    done: u32,
    /// While the database is known to be away nobody is kept waiting for it.
    after_death: std::slice::Iter<'static, Duration>,
}

impl Tries {
    /// Whether that is to be done after this error, and how long to wait before.
    fn again(&mut self, error: &storage::Error) -> Option<Duration> {
        if self.done == TRIES {
            return None;
        }
        let wait = match error {
            storage::Error::Contended(error) => {
                tracing::debug!(%error, tries = self.done + 1, "writers met; trying again");
                // replicas that met once would meet again in step: wait a different while each
                Duration::from_millis(rand::random_range(0..=(2_u64 << self.done.min(6))))
            }
            storage::Error::BrokenOff(error) => {
                let wait = *self.after_death.next()?;
                tracing::debug!(%error, ?wait, "the connection died; trying another");
                wait
            }
            // it has said so, and knows better now
            storage::Error::Changed => Duration::ZERO,
            _ => return None,
        };
        self.done += 1;
        Some(wait)
    }
}

/// Records many commands in one transaction, beside a queue or without one, as if each had been recorded when it was
/// received; those that were refused.
pub async fn tell(store: &Store, commands: &[Command], rules: &Rules) -> Result<Vec<Refusal>, storage::Error> {
    let commands: Vec<_> = commands.iter().collect();
    let done = once(store, &commands, Mode::Each, rules, None).await?;
    Ok(done.outcomes.into_iter().filter_map(Result::err).collect())
}

/// The commands in one transaction, tried once.
async fn once(
    store: &Store,
    commands: &[&Command],
    mode: Mode,
    rules: &Rules,
    clock: Option<&Clock>,
) -> Result<Done, storage::Error> {
    let mut tx = store.begin().await?;
    let outcome = attempt(&mut tx, commands, mode, rules, clock).await;
    tx.end(outcome).await
}

async fn attempt(
    tx: &mut Tx<'_>,
    commands: &[&Command],
    mode: Mode,
    rules: &Rules,
    clock: Option<&Clock>,
) -> Result<Done, storage::Error> {
    let mut working = load::working_set(tx, commands.iter().copied()).await?;
    let outcomes: Vec<_> = commands.iter().map(|command| working.apply(command, rules)).collect();
    let wanted = match mode {
        Mode::Each => true,
        Mode::All => outcomes.iter().all(Result::is_ok),
        Mode::Try => false,
    };
    let writes = working.writes().filter(|_| wanted);
    if let Some(writes) = &writes {
        tx.write(writes, clock).await?;
    }
    Ok(Done { outcomes, wrote: writes.is_some() })
}

type Answer = oneshot::Sender<Result<Outcome, Error>>;

fn effect(outcome: Result<Outcome, Refusal>) -> Result<Effect, Refusal> {
    outcome.map(|outcome| outcome.effect())
}

/// A batch that is over.
#[derive(Debug)]
struct Done {
    outcomes: Vec<Result<Outcome, Refusal>>,
    /// Whether anything changed, so that the disk was asked.
    wrote: bool,
}

/// A server that has frozen answers nothing, and its kernel keeps the connection alive: nobody may wait for it.
async fn within<T>(
    deadline: Instant,
    work: impl Future<Output = Result<T, storage::Error>>,
) -> Result<T, storage::Error> {
    timeout_at(deadline, work).await.unwrap_or_else(|_| Err(storage::Error::TooSlow))
}

impl Meters {
    fn new() -> Self {
        Self {
            queue_length: instruments::WRITER_QUEUE_LENGTH.gauge(),
            batch_size: instruments::WRITER_BATCH_SIZE.histogram(),
            commit_duration: instruments::WRITER_COMMIT_DURATION.histogram(),
            commands: instruments::WRITER_COMMANDS.counter(),
        }
    }
}
