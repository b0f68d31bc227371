//! The databases under load: made fresh, looked into when the server has stopped, taken away.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// A place where databases of one engine can be made.
#[derive(Debug)]
pub enum Databases {
    Sqlite { folder: PathBuf },
    Postgres { server: url::Url, version: String, data: String },
}

impl Databases {
    /// The inner error says why this engine is not measured.
    pub async fn of(engine: Engine, folder: &Path, postgres: Option<&str>) -> anyhow::Result<Result<Self, String>> {
        if engine == Engine::Sqlite {
            return Ok(Ok(Self::Sqlite { folder: folder.to_owned() }));
        }
        let Some(url) = postgres else {
            return Ok(Err("EM_TEST_POSTGRES is not set, and scripts/bench found no PostgreSQL to start".into()));
        };
        let mut connection = PgConnection::connect(url).await?;
        let mut settings = Vec::new();
        for name in ["fsync", "synchronous_commit", "server_version", "data_directory"] {
            let setting: String =
                sqlx::query_scalar("SELECT current_setting($1)").bind(name).fetch_one(&mut connection).await?;
            settings.push(setting);
        }
        let [fsync, synchronous_commit, version, data] = settings.try_into().unwrap_or_default();
        if fsync != "on" || synchronous_commit != "on" {
            return Ok(Err(format!(
                "the server has fsync {fsync} and synchronous_commit {synchronous_commit}: its answers are not durable"
            )));
        }
        Ok(Ok(Self::Postgres { server: url.parse()?, version, data }))
    }

    pub fn engine(&self) -> Engine {
        match self {
            Self::Sqlite { .. } => Engine::Sqlite,
            Self::Postgres { .. } => Engine::Postgres,
        }
    }

    pub async fn make(&self, name: &str) -> anyhow::Result<Database> {
        Ok(match self {
            Self::Sqlite { folder } => Database::Sqlite { file: folder.join(format!("{name}.db")) },
            Self::Postgres { server, .. } => {
                let name = format!("bench_{}_{name}", std::process::id());
                let mut url = server.clone();
                url.set_path(&name);
                let mut connection = PgConnection::connect(server.as_str()).await?;
                sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await?;
                Database::Postgres { server: server.clone(), name, url }
            }
        })
    }
}

#[derive(Debug)]
pub enum Database {
    Sqlite { file: PathBuf },
    Postgres { server: url::Url, name: String, url: url::Url },
}

/// What a database holds, and what its totals say it holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Contents {
    pub deployments: u64,
    pub deployed: u64,
    pub journal: u64,
    pub total_started: u64,
    pub total_deployed: u64,
}

const CONTENTS: &str = "SELECT (SELECT COUNT(*) FROM deployments), \
    (SELECT COUNT(*) FROM deployments WHERE deployed_at IS NOT NULL), \
    (SELECT COUNT(*) FROM journal), \
    (SELECT CAST(COALESCE(SUM(count), 0) AS BIGINT) FROM series WHERE metric = 'deployment_started'), \
    (SELECT CAST(COALESCE(SUM(count), 0) AS BIGINT) FROM series WHERE metric = 'deployment_frequency')";

impl Database {
    /// The `storage` section of a configuration that uses it.
    pub fn section(&self) -> serde_json::Value {
        match self {
            Self::Sqlite { file } => json!({ "sqlite_db": file }),
            Self::Postgres { url, .. } => json!({ "database_url": url.as_str() }),
        }
    }

    /// The same for our own storage.
    pub fn storage(&self) -> em_metrics::config::Storage {
        match self {
            Self::Sqlite { file } => em_metrics::config::Storage { sqlite_db: file.clone(), ..Default::default() },
            Self::Postgres { url, .. } => {
                em_metrics::config::Storage { database_url: Some(url.as_str().into()), ..Default::default() }
            }
        }
    }

    /// As the command line names it.
    pub fn address(&self) -> String {
        match self {
            Self::Sqlite { file } => format!("sqlite:{}", file.display()),
            Self::Postgres { url, .. } => url.to_string(),
        }
    }

    /// Lets a SQLite file be moved once more.
    pub async fn undo_move(&self) -> anyhow::Result<()> {
        if let Self::Sqlite { file } = self {
            let mut connection = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(file)).await?;
            sqlx::query("DELETE FROM identity WHERE key = 'moved_to'").execute(&mut connection).await?;
        }
        Ok(())
    }

    /// Makes one that has just been filled like one that has been used for long: what the server would do to it at a
    /// time of its own, perhaps while something is measured, is done now.
    pub async fn calm(&self) -> anyhow::Result<()> {
        if let Self::Postgres { url, .. } = self {
            let mut connection = PgConnection::connect(url.as_str()).await?;
            for statement in ["VACUUM (ANALYZE)", "CHECKPOINT"] {
                sqlx::query(statement).execute(&mut connection).await?;
            }
        }
        Ok(())
    }

    pub async fn contents(&self) -> anyhow::Result<Contents> {
        let counts: (i64, i64, i64, i64, i64) = match self {
            Self::Sqlite { file } => {
                let mut connection =
                    SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(file)).await?;
                sqlx::query_as(CONTENTS).fetch_one(&mut connection).await?
            }
            Self::Postgres { url, .. } => {
                let mut connection = PgConnection::connect(url.as_str()).await?;
                sqlx::query_as(CONTENTS).fetch_one(&mut connection).await?
            }
        };
        Ok(Contents {
            deployments: counts.0.try_into()?,
            deployed: counts.1.try_into()?,
            journal: counts.2.try_into()?,
            total_started: counts.3.try_into()?,
            total_deployed: counts.4.try_into()?,
        })
    }

    pub async fn remove(self) -> anyhow::Result<()> {
        match self {
            Self::Sqlite { file } => std::fs::remove_file(file)?,
            Self::Postgres { server, name, .. } => {
                let mut connection = PgConnection::connect(server.as_str()).await?;
                sqlx::query(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)")))
                    .execute(&mut connection)
                    .await?;
            }
        }
        Ok(())
    }
}
