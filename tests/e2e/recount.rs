//! The totals against the facts, by plain SQL that knows nothing of the service's code.

use sqlx::{AssertSqlSafe, PgPool, SqlitePool};

/// Each instrument by its definition: count, and the sum in microseconds.
const DEFINITIONS: &[(&str, &str)] = &[
    ("deployment_started", "SELECT COUNT(*), 0 FROM deployments"),
    ("deployment_frequency", "SELECT COUNT(*), 0 FROM deployments WHERE deployed_at IS NOT NULL"),
    ("deployment_unplanned", "SELECT COUNT(*), 0 FROM deployments WHERE deployed_at IS NOT NULL AND unplanned"),
    ("deployment_failed", "SELECT COUNT(*), 0 FROM deployments WHERE failed_at IS NOT NULL"),
    (
        "deployment_duration",
        "SELECT COUNT(deployed_at - deploy_start_at), COALESCE(SUM(deployed_at - deploy_start_at), 0) FROM deployments",
    ),
    (
        "lead_time_for_changes",
        "SELECT COUNT(deployed_at - first_commit_at), COALESCE(SUM(deployed_at - first_commit_at), 0) FROM deployments",
    ),
    (
        "change_failure_count",
        "SELECT COUNT(*), 0 FROM deployments AS d WHERE deployed_at IS NOT NULL AND (rolled_back_at IS NOT NULL OR EXISTS \
         (SELECT 1 FROM incidents AS i WHERE i.project_id = d.project_id AND i.deployment_id = d.id))",
    ),
    ("incident_count", "SELECT COUNT(*), 0 FROM incidents"),
    (
        "time_to_detect",
        "SELECT COUNT(*), COALESCE(SUM(i.started_at - d.deployed_at), 0) FROM incidents AS i JOIN deployments AS d \
         ON d.project_id = i.project_id AND d.id = i.deployment_id AND d.deployed_at <= i.started_at",
    ),
    ("incident_restored", "SELECT COUNT(*), 0 FROM incidents WHERE restored_at IS NOT NULL"),
    (
        "time_to_restore",
        "SELECT COUNT(restored_at), COALESCE(SUM(restored_at - started_at), 0) FROM incidents WHERE restored_at IS NOT NULL",
    ),
    ("incident_finished", "SELECT COUNT(*), 0 FROM incidents WHERE finished_at IS NOT NULL"),
];

enum Database {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Database {
    async fn connect(url: &str) -> Self {
        if url.starts_with("sqlite") {
            return Self::Sqlite(SqlitePool::connect(url).await.unwrap());
        }
        Self::Postgres(PgPool::connect(url).await.unwrap())
    }

    async fn pairs(&self, query: &str) -> Vec<(i64, i64)> {
        let query = AssertSqlSafe(query.to_owned());
        match self {
            Self::Sqlite(pool) => sqlx::query_as(query).fetch_all(pool).await.unwrap(),
            Self::Postgres(pool) => sqlx::query_as(query).fetch_all(pool).await.unwrap(),
        }
    }

    async fn count(&self, query: &str) -> i64 {
        self.pairs(&format!("SELECT CAST(n AS BIGINT), CAST(0 AS BIGINT) FROM ({query}) AS counted")).await[0].0
    }
}

/// What a query counts as `n`.
pub async fn count(url: &str, query: &str) -> i64 {
    Database::connect(url).await.count(query).await
}

/// Panics unless facts, journal and totals agree.
pub async fn check(url: &str) {
    let database = Database::connect(url).await;
    if let Database::Sqlite(pool) = &database {
        let verdict: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(pool).await.unwrap();
        assert_eq!(verdict, "ok");
    }
    for (metric, definition) in DEFINITIONS {
        let totals = format!(
            "SELECT CAST(COALESCE(SUM(count), 0) AS BIGINT), CAST(COALESCE(SUM(sum_micros), 0) AS BIGINT) \
             FROM series WHERE metric = '{metric}'"
        );
        let facts = format!("SELECT CAST(n AS BIGINT), CAST(s AS BIGINT) FROM ({}) AS facts", named(definition));
        assert_eq!(
            database.pairs(&totals).await,
            database.pairs(&facts).await,
            "{metric}: the totals against the facts"
        );
    }
    // every histogram's buckets hold every observation
    let unequal = "SELECT COUNT(*) AS n FROM (SELECT s.id FROM series AS s LEFT JOIN series_bucket AS b ON b.series_id = s.id \
                   WHERE s.metric IN ('deployment_duration', 'lead_time_for_changes', 'time_to_detect', 'time_to_restore') \
                   GROUP BY s.id, s.count HAVING COALESCE(SUM(b.count), 0) <> s.count) AS wrong";
    assert_eq!(database.count(unequal).await, 0, "buckets against counts");
    // each fact has been journalled once as made, and nothing that is journalled is missing
    let facts = "SELECT (SELECT COUNT(*) FROM deployments) + (SELECT COUNT(*) FROM incidents) AS n";
    let made = "SELECT COUNT(*) AS n FROM journal WHERE before IS NULL";
    let known = "SELECT COUNT(*) AS n FROM (SELECT DISTINCT entity, project_id, entity_id FROM journal) AS known";
    let facts = database.count(facts).await;
    assert_eq!(
        (database.count(made).await, database.count(known).await),
        (facts, facts),
        "the journal against the facts"
    );
}

/// `SELECT a, b FROM ..` with its columns called n and s.
fn named(definition: &str) -> String {
    let (columns, rest) = definition.split_once(" FROM ").unwrap();
    let columns = columns.strip_prefix("SELECT ").unwrap();
    let (n, s) = columns.split_once(", ").unwrap();
    format!("SELECT {n} AS n, {s} AS s FROM {rest}")
}
