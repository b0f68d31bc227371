//! Child processes: started, awaited by what they say, killed with the test.

use std::collections::VecDeque;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// How long anything may take to come up.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running program. Dropped = killed.
pub struct Program {
    name: String,
    child: Child,
    lines: Lines,
}

type Lines = Arc<Mutex<VecDeque<String>>>;

impl Program {
    /// Starts it and waits until a line of its output contains `ready`; returns that line as well.
    pub async fn start(command: Command, ready: &str) -> (Self, String) {
        let name = command.as_std().get_program().to_string_lossy().into_owned();
        let started = Self::try_start(command, ready).await;
        started.unwrap_or_else(|words| panic!("{name} did not come up; its last words: {words}"))
    }

    /// The same, with its last words when it does not come up.
    pub async fn try_start(mut command: Command, ready: &str) -> Result<(Self, String), String> {
        let name = command.as_std().get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        let lines = Lines::default();
        let (said, mut heard) = watch::channel(None);
        let said = Arc::new(said);
        follow(child.stdout.take().unwrap(), ready, &said, &lines);
        follow(child.stderr.take().unwrap(), ready, &said, &lines);
        drop(said);
        let found = tokio::time::timeout(PATIENCE, heard.wait_for(Option::is_some)).await;
        let line = if let Ok(Ok(line)) = found { line.clone() } else { None };
        let program = Self { name, child, lines };
        match line {
            Some(line) => Ok((program, line)),
            None => Err(program.words()),
        }
    }

    /// Such as `STOP`.
    pub async fn signal(&self, signal: &str) {
        let pid = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().await.unwrap().success());
    }

    /// Waits for its end, which something else has caused.
    pub async fn ends(mut self) {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        assert!(ended.is_ok(), "{} did not stop: {}", self.name, self.words());
    }

    #[cfg(feature = "lambda")]
    pub fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// As the kernel would when memory runs out.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// SIGTERM, and waits for the end.
    pub async fn stop(self) {
        self.signal("TERM").await;
        self.ends().await;
    }

    /// Its last lines.
    pub fn words(&self) -> String {
        self.lines.lock().unwrap().iter().cloned().collect::<Vec<_>>().join("\n")
    }
}

fn follow(
    stream: impl AsyncRead + Unpin + Send + 'static,
    ready: &str,
    said: &Arc<watch::Sender<Option<String>>>,
    kept: &Lines,
) {
    let (ready, said, kept) = (ready.to_owned(), said.clone(), kept.clone());
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if line.contains(&ready) {
                said.send_replace(Some(line.clone()));
            }
            let mut kept = kept.lock().unwrap();
            kept.push_back(line);
            if kept.len() > 60 {
                kept.pop_front();
            }
        }
    });
}

/// em-metrics on a port of its own that stays the same over restarts.
pub struct Service {
    pub host: String,
    pub port: u16,
    /// Where it is to run, when not with the test.
    namespace: Option<String>,
    environment: Vec<(String, String)>,
    program: Option<Program>,
}

impl Service {
    pub fn new(environment: Vec<(String, String)>) -> Self {
        Self { host: "127.0.0.1".to_owned(), port: free_port(), namespace: None, environment, program: None }
    }

    /// At an address of its own, in a network namespace that is there.
    pub fn within(namespace: &str, host: String, environment: Vec<(String, String)>) -> Self {
        Self { host, namespace: Some(namespace.to_owned()), ..Self::new(environment) }
    }

    /// Another one at the same port, with nothing configured.
    pub fn moved(&self) -> Self {
        Self { port: self.port, ..Self::new(Vec::new()) }
    }

    pub fn configure<const N: usize>(&mut self, variables: [(&str, String); N]) {
        self.environment.extend(variables.map(|(name, value)| (name.to_owned(), value)));
    }

    pub async fn start(&mut self) {
        self.try_start().await.unwrap_or_else(|words| panic!("em-metrics did not come up; its last words: {words}"));
    }

    /// The same, with its last words when it does not come up.
    pub async fn try_start(&mut self) -> Result<(), String> {
        let binary = env!("CARGO_BIN_EXE_em-metrics");
        let mut command = Command::new(if self.namespace.is_some() { "ip" } else { binary });
        if let Some(namespace) = &self.namespace {
            // it becomes what it runs: the process is still ours
            command.args(["netns", "exec", namespace, binary]);
        }
        command.env_clear().envs(self.environment.clone()).env("HOST", &self.host).env("PORT", self.port.to_string());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        if !self.environment.iter().any(|(name, _)| name == "EM_METRICS_TOKEN_AUTH") {
            command.env("EM_METRICS_NO_AUTH", "1");
        }
        let (program, _) = Program::try_start(command, "is listening on").await?;
        self.program = Some(program);
        Ok(())
    }

    /// Such as `STOP`.
    pub async fn signal(&self, signal: &str) {
        self.program.as_ref().unwrap().signal(signal).await;
    }

    pub fn is_running(&mut self) -> bool {
        self.program.as_mut().is_some_and(|program| !program.has_ended())
    }

    pub async fn kill(&mut self) {
        self.program.take().unwrap().kill().await;
    }

    pub async fn stop(&mut self) {
        self.program.take().unwrap().stop().await;
    }

    /// Its last lines.
    pub fn words(&self) -> String {
        self.program.as_ref().map(Program::words).unwrap_or_default()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}:{}{path}", self.host, self.port)
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A program that `scripts/engines` provides.
pub fn engine(variable: &str) -> PathBuf {
    let path = std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run the tests by scripts/test, or see CONTRIBUTING.md for one of them")
    });
    assert!(Path::new(&path).exists(), "{variable}={path} is not there");
    path.into()
}

pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap()
}
