//! The engines that every test runs on.
//!
//! PostgreSQL: `EM_TEST_POSTGRES` names a server on which databases may be made and dropped
//! (`scripts/test` starts a throw-away one). Each run migrates one template, each test gets a copy of it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use em_metrics::config::Config;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::app::App;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Where the facts of one test are; gone when it ends.
pub enum Database {
    Sqlite {
        folder: TempDir,
    },
    Postgres {
        name: String,
    },
    /// Somebody else's PostgreSQL database, used as well.
    Shared {
        name: String,
    },
}

/// Each of the tests, on each of the engines. A test left off its file's list is dead code and fails the build.
macro_rules! on_each_engine {
    ($($(#[$attribute:meta])* $name:ident),* $(,)?) => {
        mod sqlite {
            $($(#[$attribute])*
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::engine::Engine::Sqlite).await;
            })*
        }
        mod postgres {
            $($(#[$attribute])*
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::engine::Engine::Postgres).await;
            })*
        }
    };
}

impl Engine {
    pub fn other(self) -> Self {
        match self {
            Self::Sqlite => Self::Postgres,
            Self::Postgres => Self::Sqlite,
        }
    }

    /// The service on a fresh database, without credentials.
    pub async fn app(self) -> App {
        self.app_with(|_| ()).await
    }

    /// The service on a fresh database, with some settings of its own.
    pub async fn app_with(self, adjust: impl FnOnce(&mut Config)) -> App {
        App::start(self.database().await, adjust).await
    }

    pub async fn database(self) -> Database {
        match self {
            Self::Sqlite => Database::Sqlite { folder: tempfile::tempdir().unwrap() },
            Self::Postgres => Database::Postgres { name: copy_of_template().await },
        }
    }

    /// Without any table.
    pub async fn empty_database(self) -> Database {
        match self {
            Self::Sqlite => self.database().await,
            Self::Postgres => Database::Postgres { name: make_database().await },
        }
    }
}

impl Database {
    /// For another replica on the same database.
    pub fn shared(&self) -> Self {
        match self {
            Self::Sqlite { .. } => panic!("SQLite is for one process"),
            Self::Postgres { name } | Self::Shared { name } => Self::Shared { name: name.clone() },
        }
    }

    pub fn configure(&self, config: &mut Config) {
        match self {
            Self::Sqlite { folder } => config.storage.sqlite_db = sqlite_file(folder),
            Self::Postgres { name } | Self::Shared { name } => {
                config.storage.database_url = Some(url_of(name).into());
            }
        }
    }
}

/// An accepted change, as the journal keeps it.
#[derive(Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Entry {
    pub actor: String,
    pub kind: String,
    pub project_id: String,
    pub entity_id: String,
}

impl Database {
    /// The whole journal, oldest first.
    pub async fn journal(&self) -> Vec<Entry> {
        let select = "SELECT actor, kind, project_id, entity_id FROM journal ORDER BY seq";
        match self {
            Self::Sqlite { folder } => {
                let options = SqliteConnectOptions::new().filename(sqlite_file(folder)).read_only(true);
                let mut file = SqliteConnection::connect_with(&options).await.unwrap();
                sqlx::query_as(select).fetch_all(&mut file).await.unwrap()
            }
            Self::Postgres { name } | Self::Shared { name } => {
                let mut server = PgConnection::connect(&url_of(name)).await.unwrap();
                sqlx::query_as(select).fetch_all(&mut server).await.unwrap()
            }
        }
    }

    /// What a query of one text column answers.
    pub async fn texts(&self, select: &str) -> Vec<String> {
        let select = AssertSqlSafe(select.to_owned());
        match self.other().await {
            Other::Sqlite(mut file) => sqlx::query_scalar(select).fetch_all(&mut file).await.unwrap(),
            Other::Postgres(mut server) => sqlx::query_scalar(select).fetch_all(&mut server).await.unwrap(),
        }
    }
}

/// A connection of somebody else's.
pub enum Other {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Database {
    pub async fn other(&self) -> Other {
        match self {
            Self::Sqlite { folder } => {
                let options = SqliteConnectOptions::new().filename(sqlite_file(folder)).create_if_missing(true);
                Other::Sqlite(SqliteConnection::connect_with(&options).await.unwrap())
            }
            Self::Postgres { .. } | Self::Shared { .. } => {
                Other::Postgres(PgConnection::connect(&self.url()).await.unwrap())
            }
        }
    }

    /// As the command line names it.
    pub fn address(&self) -> String {
        match self {
            Self::Sqlite { folder } => format!("sqlite:{}", sqlite_file(folder).display()),
            Self::Postgres { .. } | Self::Shared { .. } => self.url(),
        }
    }

    /// The address of a PostgreSQL database.
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite { .. } => panic!("SQLite has no address"),
            Self::Postgres { name } | Self::Shared { name } => url_of(name),
        }
    }
}

impl Other {
    pub async fn execute(&mut self, sql: impl Into<String>) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.into()));
        match self {
            Self::Sqlite(connection) => drop(sql.execute(connection).await.unwrap()),
            Self::Postgres(connection) => drop(sql.execute(connection).await.unwrap()),
        }
    }

    /// Brings the schema to where an older version left it.
    pub async fn migrate_to(&mut self, version: i64) {
        match self {
            Self::Sqlite(connection) => sqlx::migrate!("migrations/sqlite").run_to(version, connection).await.unwrap(),
            Self::Postgres(connection) => {
                sqlx::migrate!("migrations/postgres").run_to(version, connection).await.unwrap();
            }
        }
    }

    /// Keeps everyone else from writing until it is dropped.
    pub async fn hold(mut self) -> Self {
        match &mut self {
            Self::Sqlite(connection) => {
                // who waits politely never comes between the writes of a busy writer
                sqlx::raw_sql("PRAGMA busy_timeout = 0").execute(&mut *connection).await.unwrap();
                while sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *connection).await.is_err() {}
            }
            Self::Postgres(_) => self.execute("BEGIN; LOCK TABLE deployments IN EXCLUSIVE MODE").await,
        }
        self
    }

    pub async fn let_go(mut self) {
        self.execute("ROLLBACK").await;
    }
}

impl Database {
    /// Where its file is, if it is one.
    pub fn folder(&self) -> Option<&std::path::Path> {
        match self {
            Self::Sqlite { folder } => Some(folder.path()),
            Self::Postgres { .. } | Self::Shared { .. } => None,
        }
    }
}

fn sqlite_file(folder: &TempDir) -> PathBuf {
    folder.path().join("facts.db")
}

impl Drop for Database {
    fn drop(&mut self) {
        let Self::Postgres { name } = self else { return };
        let (name, url) = (name.clone(), server());
        // a destructor cannot await, and the runtime of the test is on its way out
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let mut server = PgConnection::connect(&url).await.unwrap();
                let drop = format!("DROP DATABASE {name} WITH (FORCE)");
                sqlx::query(AssertSqlSafe(drop)).execute(&mut server).await.unwrap();
            });
        });
        dropped.join().unwrap();
    }
}

fn server() -> String {
    std::env::var("EM_TEST_POSTGRES").expect(
        "EM_TEST_POSTGRES is not set: run the tests by scripts/test, or set it to a PostgreSQL address whose user \
         may create databases, such as postgres://postgres@127.0.0.1:5432/postgres",
    )
}

fn url_of(database: &str) -> String {
    let mut url = url::Url::parse(&server()).unwrap();
    url.set_path(database);
    url.into()
}

static TEMPLATE: OnceCell<String> = OnceCell::const_new();
static COPIES: AtomicU32 = AtomicU32::new(0);

async fn copy_of_template() -> String {
    let template = TEMPLATE.get_or_init(make_template).await;
    let name = format!("{template}_{}", COPIES.fetch_add(1, Ordering::Relaxed));
    let mut server = PgConnection::connect(&server()).await.unwrap();
    let create = format!("CREATE DATABASE {name} TEMPLATE {template}");
    sqlx::query(AssertSqlSafe(create)).execute(&mut server).await.unwrap();
    name
}

async fn make_database() -> String {
    let name = format!("em_test_{}", uuid::Uuid::new_v4().simple());
    let mut server = PgConnection::connect(&server()).await.unwrap();
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut server).await.unwrap();
    name
}

async fn make_template() -> String {
    let name = make_database().await;
    let storage = em_metrics::config::Storage { database_url: Some(url_of(&name).into()), ..Default::default() };
    em_metrics::storage::Store::open(&storage, std::time::Duration::from_secs(15)).await.unwrap().close().await;
    name
}
