//! A PostgreSQL of the test's own, to be killed.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::PathBuf;
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
        let folder = tempfile::Builder::new().prefix("em-metrics-failures").tempdir().unwrap();
        let bin = engine("EM_TEST_PG_BIN");
        let mut server = Self { folder, bin, host: host.to_owned(), port: free_port(), program: None };
        if is_root() {
            chown(server.folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let mut command = server.command("initdb");
        command.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D"]);
        let made = command.arg(server.folder.path().join("data")).output().await.unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        // who is let in: everybody who can reach it
        let hba = server.folder.path().join("data/pg_hba.conf");
        std::fs::write(hba, "local all all trust\nhost all all all trust\n").unwrap();
        server.resume().await;
        server
    }

    /// The machine's own way to it, which is never cut.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
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
            match Program::try_start(command, "ready to accept connections").await {
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

fn is_root() -> bool {
    // the process' own folder tells whose it is
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}
