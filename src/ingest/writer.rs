//! The one writer: takes what has queued up, does it in one transaction, answers everyone.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::health::Health;
use super::plan::Rules;
use super::{Command, Error, Ingest, Job, Outcome, load};
use crate::domain::{Name, teams::Teams};
use crate::storage::{self, Store, Tx};
use crate::telemetry::instruments;

/// Commands in one transaction at most.
const BATCH: usize = 256;
/// Commands that may wait; more are held back at the door.
const QUEUE: usize = 4096;
/// How often a batch is tried again when replicas meet.
const TRIES: u32 = 10;
/// How often, after a write has failed, a small one tells whether the next would succeed.
const PROBES: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
pub struct Settings {
    /// The environment of facts that name none.
    pub production: Name,
    pub teams: Teams,
    /// `false`: one transaction for each command; for comparison only.
    pub group_commit: bool,
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
        (Self { store, rules, batch, patience, queue, health, next_probe, meters }, ingest)
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
        let (jobs, late): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.begin(now));
        for job in late {
            self.answer(job.answer, Err(Error::Overloaded));
        }
        if jobs.is_empty() {
            return;
        }
        self.meters.queue_length.record(self.queue.len() as u64, &[]);
        self.meters.batch_size.record(f64::from(u16::try_from(jobs.len()).unwrap_or(u16::MAX)), &[]);
        let deadline = now + self.patience;
        let commands: Vec<&Command> = jobs.iter().map(|job| &job.command).collect();
        match self.transact(&commands, deadline).await {
            Ok(outcomes) => {
                for (job, outcome) in jobs.into_iter().zip(outcomes) {
                    self.answer(job.answer, outcome);
                }
            }
            // one command that the database cannot stomach must not take the others with it
            Err(Error::Failed) if jobs.len() > 1 => {
                for job in jobs {
                    let outcome = match self.transact(&[&job.command], deadline).await {
                        Ok(mut outcomes) => outcomes.pop().unwrap_or(Err(Error::Failed)),
                        Err(error) => Err(error),
                    };
                    self.answer(job.answer, outcome);
                }
            }
            Err(error) => {
                for job in jobs {
                    self.answer(job.answer, Err(error.clone()));
                }
            }
        }
    }

    fn answer(&self, to: oneshot::Sender<Result<Outcome, Error>>, outcome: Result<Outcome, Error>) {
        let word = match &outcome {
            Ok(_) => "accepted",
            Err(Error::Refused(_)) => "refused",
            Err(Error::Overloaded) => "overloaded",
            Err(Error::Unavailable) => "unavailable",
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
        deadline: Instant,
    ) -> Result<Vec<Result<Outcome, Error>>, Error> {
        match within(deadline, self.try_often(commands)).await {
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
                Err(Error::Unavailable)
            }
        }
    }

    async fn try_often(&self, commands: &[&Command]) -> Result<Done, storage::Error> {
        let mut tries = 0;
        loop {
            let started = Instant::now();
            let outcome = self.try_once(commands).await;
            let failure = outcome.as_ref().err().map(|error| KeyValue::new("error.type", error.kind()));
            self.meters.commit_duration.record(started.elapsed().as_secs_f64(), failure.as_slice());
            match outcome {
                Err(storage::Error::Contended(error)) if tries < TRIES => {
                    tries += 1;
                    tracing::debug!(%error, tries, "writers met; trying again");
                    // replicas that met once would meet again in step: wait a different while each
                    let wait = rand::random_range(0..=(1_u64 << tries.min(7)));
                    tokio::time::sleep(Duration::from_millis(wait)).await;
                }
                // it has said so, and knows better now
                Err(storage::Error::Changed) if tries < TRIES => tries += 1,
                other => return other,
            }
        }
    }

    async fn try_once(&self, commands: &[&Command]) -> Result<Done, storage::Error> {
        let mut tx = self.store.begin().await?;
        let outcome = self.attempt(&mut tx, commands).await;
        tx.end(outcome).await
    }

    async fn attempt(&self, tx: &mut Tx<'_>, commands: &[&Command]) -> Result<Done, storage::Error> {
        let mut working = load::working_set(tx, commands.iter().copied()).await?;
        let outcomes =
            commands.iter().map(|command| working.apply(command, &self.rules).map_err(Error::from)).collect();
        let writes = working.writes();
        if let Some(writes) = &writes {
            tx.write(writes).await?;
        }
        Ok(Done { outcomes, wrote: writes.is_some() })
    }
}

/// A batch that is over.
#[derive(Debug)]
struct Done {
    outcomes: Vec<Result<Outcome, Error>>,
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
