//! The one writer: takes what has queued up, does it in one transaction, answers everyone.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram};
use tokio::sync::mpsc;

use super::plan::Rules;
use super::{Command, Error, Ingest, Job, Outcome, load};
use crate::domain::{Name, teams::Teams};
use crate::storage::{self, Store};
use crate::telemetry::instruments;

/// Commands in one transaction at most.
const BATCH: usize = 256;
/// Commands that may wait; more are held back at the door.
const QUEUE: usize = 4096;
/// How often a batch is tried again when replicas meet.
const TRIES: u32 = 10;

#[derive(Debug, Clone)]
pub struct Settings {
    /// The environment of facts that name none.
    pub production: Name,
    pub teams: Teams,
    /// `false`: one transaction for each command; for comparison only.
    pub group_commit: bool,
    /// How long a command may wait before it is refused as too much.
    pub patience: Duration,
}

/// Drains the queue until it is told to stop and nothing is left.
#[derive(Debug)]
pub struct Writer {
    store: Store,
    rules: Rules,
    batch: usize,
    queue: mpsc::Receiver<Job>,
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
        let ingest = Ingest { queue: sender, patience: settings.patience };
        let batch = if settings.group_commit { BATCH } else { 1 };
        let rules = Rules { production: settings.production, teams: settings.teams };
        (Self { store, rules, batch, queue, meters: Meters::new() }, ingest)
    }

    /// Runs until `stop` ends and the queue is empty, or until nobody can send any more.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
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
                taken = self.queue.recv_many(&mut jobs, self.batch) => {
                    if taken == 0 {
                        return;
                    }
                    self.process(std::mem::take(&mut jobs)).await;
                }
            }
        }
    }

    async fn process(&self, mut jobs: Vec<Job>) {
        let now = tokio::time::Instant::now();
        let mut late = Vec::new();
        jobs.retain_mut(|job| {
            let in_time = job.deadline > now && !job.answer.is_closed();
            if !in_time {
                let (gone, _) = tokio::sync::oneshot::channel();
                late.push(std::mem::replace(&mut job.answer, gone));
            }
            in_time
        });
        for answer in late {
            self.answer(answer, Err(Error::Overloaded));
        }
        if jobs.is_empty() {
            return;
        }
        self.meters.queue_length.record(self.queue.len() as u64, &[]);
        self.meters.batch_size.record(f64::from(u16::try_from(jobs.len()).unwrap_or(u16::MAX)), &[]);
        let commands: Vec<&Command> = jobs.iter().map(|job| &job.command).collect();
        match self.transact(&commands).await {
            Ok(outcomes) => {
                for (job, outcome) in jobs.into_iter().zip(outcomes) {
                    self.answer(job.answer, outcome);
                }
            }
            // one command that the database cannot stomach must not take the others with it
            Err(storage::Error::Unavailable(sqlx_error))
                if jobs.len() > 1 && storage::refused_by_database(&sqlx_error) =>
            {
                tracing::warn!(error = %sqlx_error, "a batch was refused by the database; trying its commands one by one");
                for job in jobs {
                    let outcome = match self.transact(&[&job.command]).await {
                        Ok(mut outcomes) => outcomes.pop().unwrap_or(Err(Error::Unavailable)),
                        Err(error) => Err(unavailable(&error)),
                    };
                    self.answer(job.answer, outcome);
                }
            }
            Err(error) => {
                let error = unavailable(&error);
                for job in jobs {
                    self.answer(job.answer, Err(error.clone()));
                }
            }
        }
    }

    fn answer(&self, to: tokio::sync::oneshot::Sender<Result<Outcome, Error>>, outcome: Result<Outcome, Error>) {
        let word = match &outcome {
            Ok(_) => "accepted",
            Err(Error::Refused(_)) => "refused",
            Err(Error::Overloaded) => "overloaded",
            Err(Error::Unavailable) => "unavailable",
        };
        self.meters.commands.add(1, &[KeyValue::new("outcome", word)]);
        // a caller that has hung up will not read it
        let _ = to.send(outcome);
    }

    /// The batch in one transaction, tried again where replicas met.
    async fn transact(&self, commands: &[&Command]) -> Result<Vec<Result<Outcome, Error>>, storage::Error> {
        let mut tries = 0;
        loop {
            let started = tokio::time::Instant::now();
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
                other => return other,
            }
        }
    }

    async fn try_once(&self, commands: &[&Command]) -> Result<Vec<Result<Outcome, Error>>, storage::Error> {
        let mut tx = self.store.begin().await?;
        let mut working = load::working_set(&mut tx, commands.iter().copied()).await?;
        let outcomes =
            commands.iter().map(|command| working.apply(command, &self.rules).map_err(Error::from)).collect();
        if let Some(writes) = working.writes() {
            tx.write(&writes).await?;
            tx.commit().await?;
        }
        Ok(outcomes)
    }
}

fn unavailable(error: &storage::Error) -> Error {
    let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    tracing::error!(%error, source, "a batch could not be written");
    Error::Unavailable
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
