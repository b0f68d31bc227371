//! A client that costs little, as it shares the cores with the server: one task and one kept connection
//! each, requests written as bytes, answers read only as far as they must be.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

/// Longer than any answer may take.
const PATIENCE: Duration = Duration::from_mins(1);

pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(4096) })
    }

    /// Sends one request and reads its answer: the status and the body.
    pub async fn ask(&mut self, request: &[u8]) -> anyhow::Result<(u16, &[u8])> {
        self.received.clear();
        self.stream.write_all(request).await?;
        loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                bail!("the server closed the connection");
            }
            if let Some((status, head, length)) = parse(&self.received)?
                && self.received.len() >= head + length
            {
                return Ok((status, &self.received[head..head + length]));
            }
        }
    }
}

/// Status, length of the head, length of the body; `None` while the head is not complete.
fn parse(received: &[u8]) -> anyhow::Result<Option<(u16, usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(received)? else { return Ok(None) };
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.context("an answer without content-length")?;
    Ok(Some((response.code.unwrap_or_default(), head, std::str::from_utf8(length.value)?.parse()?)))
}

/// What happened in the measured time.
#[derive(Debug, Default)]
pub struct Load {
    /// Answers in the measured time.
    pub answered: usize,
    pub elapsed: Duration,
    /// Of each answer, in microseconds; sorted.
    pub latencies: Vec<u32>,
}

impl Load {
    pub fn per_second(&self) -> f64 {
        exact(self.answered) / self.elapsed.as_secs_f64()
    }

    /// In milliseconds; `share` of 1.
    pub fn quantile(&self, share: f64) -> f64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index into what is there")]
        let index = (exact(self.latencies.len()) * share) as usize;
        let micros = self.latencies.get(index.min(self.latencies.len().saturating_sub(1)));
        micros.map_or(f64::NAN, |micros| f64::from(*micros) / 1e3)
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn exact(count: usize) -> f64 {
    count as f64
}

/// What the connections send, and what they are told.
pub trait Work {
    /// Writes the next request; `None` when there is nothing left to ask for.
    fn next(&mut self, request: &mut Vec<u8>) -> Option<u64>;
    /// The answer to a request was a good one.
    fn done(&mut self, request: u64);
    /// The status of a good answer.
    fn expected(&self) -> u16;
}

struct Shared<W> {
    work: W,
    measuring: Option<Instant>,
    stop: bool,
    load: Load,
}

/// Keeps `connections` busy for the warm-up and the measured time, or until there is no work left.
/// `mark` is called when measuring begins and when it ends. The first answer that is not the expected
/// one ends it with an error.
pub async fn drive<W: Work + 'static>(
    address: SocketAddr,
    connections: usize,
    (measured, warm_up): (Duration, Duration),
    work: W,
    mut mark: impl FnMut(),
) -> anyhow::Result<(Load, W)> {
    let shared = Rc::new(RefCell::new(Shared { work, measuring: None, stop: false, load: Load::default() }));
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        open.push(Connection::open(address).await?);
    }
    let local = LocalSet::new();
    let outcome = local.run_until(async {
        let tasks = open.into_iter().map(|connection| tokio::task::spawn_local(keep_busy(connection, shared.clone())));
        let mut all = futures_util::future::try_join_all(tasks.collect::<Vec<_>>());
        let mut ended = tokio::time::timeout(warm_up, &mut all).await;
        let began = Instant::now();
        mark();
        shared.borrow_mut().measuring = Some(began);
        if ended.is_err() {
            ended = tokio::time::timeout(measured, &mut all).await;
        }
        shared.borrow_mut().stop = true;
        mark();
        shared.borrow_mut().load.elapsed = began.elapsed();
        let answers = match ended {
            Ok(answers) => answers,
            Err(_) => tokio::time::timeout(PATIENCE, all).await.context("answers that do not come")?,
        };
        answers?.into_iter().collect::<anyhow::Result<()>>()
    });
    outcome.await?;
    drop(local);
    let shared = Rc::into_inner(shared).context("a connection is still busy")?.into_inner();
    let (mut load, work) = (shared.load, shared.work);
    load.answered = load.latencies.len();
    load.latencies.sort_unstable();
    Ok((load, work))
}

async fn keep_busy<W: Work>(mut connection: Connection, shared: Rc<RefCell<Shared<W>>>) -> anyhow::Result<()> {
    let mut request = Vec::with_capacity(1024);
    let expected = shared.borrow().work.expected();
    loop {
        request.clear();
        let next = {
            let mut shared = shared.borrow_mut();
            if shared.stop { None } else { shared.work.next(&mut request) }
        };
        let Some(number) = next else { return Ok(()) };
        let sent = Instant::now();
        let (status, body) = connection.ask(&request).await?;
        let answered = Instant::now();
        if status != expected {
            shared.borrow_mut().stop = true;
            let (asked, told) = (String::from_utf8_lossy(&request), String::from_utf8_lossy(body));
            bail!("expected {expected}, got {status}: {told}\nto {asked}");
        }
        let mut shared = shared.borrow_mut();
        shared.work.done(number);
        if shared.measuring.is_some() && !shared.stop {
            let micros = u32::try_from((answered - sent).as_micros()).unwrap_or(u32::MAX);
            shared.load.latencies.push(micros);
        }
    }
}
