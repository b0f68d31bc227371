//! A real balancer in front of replicas: each request goes to the next one.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::net::TcpStream;

use crate::server::{Process, Server};

const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Balancer {
    _process: Process,
    pub address: SocketAddr,
}

impl Balancer {
    /// `haproxy` is the program. It asks nobody whether they are ready, and tries nothing twice.
    pub async fn start(haproxy: &Path, servers: &[Server], folder: &Path) -> anyhow::Result<Self> {
        // taken for a moment, as it cannot tell which one it has found free
        let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let replicas = servers.iter().enumerate().map(|(n, server)| format!("  server {n} {}\n", server.address));
        let config = format!(
            "defaults\n  mode http\n  retries 0\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n\
             frontend all\n  bind {address}\n  default_backend replicas\n\
             backend replicas\n  balance roundrobin\n{}",
            replicas.collect::<String>(),
        );
        let file = folder.join(format!("haproxy-{}.cfg", address.port()));
        std::fs::write(&file, config)?;
        let log = tempfile::NamedTempFile::new_in(folder)?;
        let child = Command::new(haproxy)
            .args(["-db", "-f"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.reopen()?)
            .spawn()
            .with_context(|| format!("cannot start {}", haproxy.display()))?;
        let mut process = Process(child);
        let began = Instant::now();
        // it says nothing when it listens
        while TcpStream::connect(address).await.is_err() {
            let ended = process.0.try_wait()?.is_some() || began.elapsed() > PATIENCE;
            let said = || std::fs::read_to_string(log.path()).unwrap_or_default();
            anyhow::ensure!(!ended, "{} does not start:\n{}", haproxy.display(), said());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(Self { _process: process, address })
    }
}
