//! A PostgreSQL of the test's own, to be killed.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use crate::process::{Program, engine, free_port};

const NOBODY: u32 = 65534;

pub struct Postgres {
    folder: TempDir,
    bin: PathBuf,
    host: String,
    port: u16,
    program: Option<Program>,
}

/// How it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Transactions are rolled back, connections are told.
    Fast,
    /// Nobody is told, and the next start recovers from the log.
    Immediate,
    /// SIGKILL.
    Killed,
}

impl Postgres {
    /// On this address and on the machine's own.
    pub async fn start(host: &str) -> Self {
        Self::made(host, &std::env::temp_dir(), None).await
    }

    /// With its data on one disk, and its log on another.
    pub async fn on(data: &Path, log: &Path) -> Self {
        Self::made("127.0.0.1", data, Some(log)).await
    }

    async fn made(host: &str, parent: &Path, log: Option<&Path>) -> Self {
        let mut server = Self::nowhere(host, parent);
        let mut command = server.command("initdb");
        command.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--wal-segsize=1"]);
        if let Some(log) = log {
            command.arg("--waldir").arg(log.join("log"));
        }
        run(command.arg("-D").arg(server.folder.path().join("data"))).await;
        // who is let in: everybody who can reach it
        let hba = server.folder.path().join("data/pg_hba.conf");
        std::fs::write(hba, "local all all trust\nhost all all all trust\nhost replication all all trust\n").unwrap();
        server.resume().await;
        server
    }

    fn nowhere(host: &str, parent: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("em-metrics-failures").tempdir_in(parent).unwrap();
        if is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        Self { folder, bin: engine("EM_TEST_PG_BIN"), host: host.to_owned(), port: free_port(), program: None }
    }

    /// A replica of it, which only reads.
    pub async fn replica(&self) -> Self {
        let mut server = Self::nowhere(&self.host, &std::env::temp_dir());
        let mut command = server.command("pg_basebackup");
        command.args(["-d", &self.url(), "-R", "-X", "stream", "-c", "fast", "--no-sync", "-D"]);
        run(command.arg(server.folder.path().join("data"))).await;
        server.resume().await;
        server
    }

    /// From now on it is the primary.
    pub async fn promote(&self) {
        let mut command = self.command("pg_ctl");
        run(command.args(["promote", "-w", "-D"]).arg(self.folder.path().join("data"))).await;
    }

    /// Whether it has not ended by itself.
    pub fn is_running(&mut self) -> bool {
        self.program.as_mut().is_some_and(|program| !program.has_ended())
    }

    /// The machine's own way to it, which is never cut.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url_at(&self, host: &str) -> String {
        format!("postgres://postgres@{host}:{}/postgres", self.port)
    }

    pub async fn end(&mut self, how: End) {
        let program = self.program.take().unwrap();
        program
            .signal(match how {
                End::Fast => "INT",
                End::Immediate => "QUIT",
                End::Killed => "KILL",
            })
            .await;
        program.ends().await;
    }

    pub async fn resume(&mut self) {
        let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
        loop {
            let mut addresses = vec!["127.0.0.1", &self.host];
            addresses.dedup();
            let mut command = self.command("postgres");
            command.arg("-D").arg(self.folder.path().join("data")).arg("-k").arg(self.folder.path());
            command.args(["-p", &self.port.to_string(), "-h", &addresses.join(",")]);
            // the processes are killed, not the machine: what is written is there
            command.args(["-c", "fsync=off", "-c", "max_connections=300", "-c", "shared_buffers=64MB"]);
            command.args(["-c", "min_wal_size=4MB", "-c", "max_wal_size=8MB"]);
            match Program::try_start(command, "database system is ready to accept").await {
                Ok((program, _)) => {
                    self.program = Some(program);
                    return;
                }
                // children of one that was killed may still be on their way out
                Err(words) => assert!(tokio::time::Instant::now() < deadline, "PostgreSQL: {words}"),
            }
        }
    }

    /// PostgreSQL refuses to run as root: then it runs as nobody.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.current_dir(self.folder.path());
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }
}

async fn run(command: &mut Command) {
    let done = command.output().await.unwrap();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn is_root() -> bool {
    // the process' own folder tells whose it is
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}
