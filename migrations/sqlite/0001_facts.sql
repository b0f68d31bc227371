-- Facts: the current state of each deployment and incident. Instants are microseconds since 1970 UTC.
-- `counted`: one bit for each instrument that the fact has moved, so that nothing counts twice.

CREATE TABLE deployments (
    project_id      TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    team_id         TEXT,
    environment     TEXT    NOT NULL,
    status          TEXT    NOT NULL,
    first_commit_at INTEGER,
    deploy_start_at INTEGER,
    deployed_at     INTEGER,
    failed_at       INTEGER,
    rolled_back_at  INTEGER,
    reason          TEXT,
    username        TEXT,
    commit_sha      TEXT,
    version         TEXT,
    url             TEXT,
    unplanned       INTEGER,
    incident_count  INTEGER NOT NULL,
    counted         INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    happened_at     INTEGER NOT NULL GENERATED ALWAYS AS (COALESCE(deployed_at, failed_at, deploy_start_at, created_at)) STORED
) STRICT;

-- By id first: it serves both the identity and the paths that carry the id alone.
CREATE UNIQUE INDEX deployments_identity ON deployments (id, project_id);
CREATE INDEX deployments_of_project ON deployments (project_id, happened_at, first_commit_at);
CREATE INDEX deployments_happened ON deployments (happened_at);

CREATE TABLE incidents (
    project_id             TEXT    NOT NULL,
    id                     TEXT    NOT NULL,
    team_id                TEXT,
    environment            TEXT    NOT NULL,
    deployment_id          TEXT,
    deployment_deployed_at INTEGER,
    severity               TEXT,
    title                  TEXT,
    url                    TEXT,
    started_at             INTEGER NOT NULL,
    restored_at            INTEGER,
    finished_at            INTEGER,
    counted                INTEGER NOT NULL,
    created_at             INTEGER NOT NULL,
    updated_at             INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX incidents_identity ON incidents (id, project_id);
CREATE INDEX incidents_of_project ON incidents (project_id, started_at);
CREATE INDEX incidents_started ON incidents (started_at);
CREATE INDEX incidents_of_deployment ON incidents (deployment_id, project_id) WHERE deployment_id IS NOT NULL;
CREATE INDEX incidents_unfinished ON incidents (started_at) WHERE restored_at IS NULL OR finished_at IS NULL;

-- Every accepted change, append-only. `before` is NULL where the change made the fact.
CREATE TABLE journal (
    seq         INTEGER PRIMARY KEY,
    recorded_at INTEGER NOT NULL,
    actor       TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    entity      TEXT    NOT NULL,
    project_id  TEXT    NOT NULL,
    entity_id   TEXT    NOT NULL,
    before      TEXT,
    after       TEXT    NOT NULL
) STRICT;

-- Running totals, what the exporters read. They never decrease. Ids grow with the age of the series.
CREATE TABLE series (
    id          INTEGER PRIMARY KEY,
    metric      TEXT    NOT NULL,
    project_id  TEXT    NOT NULL,
    team_id     TEXT    NOT NULL, -- '' = none
    environment TEXT    NOT NULL,
    started_at  INTEGER NOT NULL,
    count       INTEGER NOT NULL,
    sum_micros  INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX series_identity ON series (project_id, team_id, environment, metric);

-- A histogram's observations per bucket, not cumulative; buckets never hit have no row.
CREATE TABLE series_bucket (
    series_id INTEGER NOT NULL REFERENCES series (id),
    bucket    INTEGER NOT NULL,
    count     INTEGER NOT NULL,
    PRIMARY KEY (series_id, bucket)
) STRICT, WITHOUT ROWID;

-- The greatest series id that a consumer of the totals has been shown (the 0-first rule).
CREATE TABLE announced (
    consumer  TEXT    NOT NULL PRIMARY KEY,
    series_id INTEGER NOT NULL
) STRICT;

-- What makes this store itself for ever: instance_id = service.instance.id.
CREATE TABLE identity (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
