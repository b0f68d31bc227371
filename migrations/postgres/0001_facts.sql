-- Facts: the current state of each deployment and incident. Instants are microseconds since 1970 UTC.
-- `counted`: one bit for each instrument that the fact has moved, so that nothing counts twice.

CREATE TABLE deployments (
    project_id      TEXT COLLATE "C"   NOT NULL,
    id              TEXT COLLATE "C"   NOT NULL,
    team_id         TEXT COLLATE "C",
    environment     TEXT COLLATE "C"   NOT NULL,
    status          TEXT   NOT NULL,
    first_commit_at BIGINT,
    deploy_start_at BIGINT,
    deployed_at     BIGINT,
    failed_at       BIGINT,
    rolled_back_at  BIGINT,
    reason          TEXT,
    username        TEXT,
    commit_sha      TEXT,
    version         TEXT,
    url             TEXT,
    unplanned       BOOLEAN,
    incident_count  BIGINT NOT NULL,
    counted         BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    happened_at     BIGINT NOT NULL GENERATED ALWAYS AS (COALESCE(deployed_at, failed_at, deploy_start_at, created_at)) STORED
);

-- By id first: it serves both the identity and the paths that carry the id alone.
CREATE UNIQUE INDEX deployments_identity ON deployments (id, project_id);
CREATE INDEX deployments_of_project ON deployments (project_id, happened_at, first_commit_at);
CREATE INDEX deployments_happened ON deployments (happened_at);

CREATE TABLE incidents (
    project_id             TEXT COLLATE "C"   NOT NULL,
    id                     TEXT COLLATE "C"   NOT NULL,
    team_id                TEXT COLLATE "C",
    environment            TEXT COLLATE "C"   NOT NULL,
    deployment_id          TEXT COLLATE "C",
    deployment_deployed_at BIGINT,
    severity               TEXT,
    title                  TEXT,
    url                    TEXT,
    started_at             BIGINT NOT NULL,
    restored_at            BIGINT,
    finished_at            BIGINT,
    counted                BIGINT NOT NULL,
    created_at             BIGINT NOT NULL,
    updated_at             BIGINT NOT NULL
);

CREATE UNIQUE INDEX incidents_identity ON incidents (id, project_id);
CREATE INDEX incidents_of_project ON incidents (project_id, started_at);
CREATE INDEX incidents_started ON incidents (started_at);
CREATE INDEX incidents_of_deployment ON incidents (deployment_id, project_id) WHERE deployment_id IS NOT NULL;
CREATE INDEX incidents_unfinished ON incidents (started_at) WHERE restored_at IS NULL OR finished_at IS NULL;

-- Every accepted change, append-only. `before` is NULL where the change made the fact.
CREATE TABLE journal (
    seq         BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    recorded_at BIGINT NOT NULL,
    actor       TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    entity      TEXT   NOT NULL,
    project_id  TEXT COLLATE "C"   NOT NULL,
    entity_id   TEXT COLLATE "C"   NOT NULL,
    before      JSON,
    after       JSON    NOT NULL
);

-- Running totals, what the exporters read. They never decrease. Ids grow with the age of the series.
CREATE TABLE series (
    id          BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    metric      TEXT   NOT NULL,
    project_id  TEXT COLLATE "C"   NOT NULL,
    team_id     TEXT COLLATE "C"   NOT NULL, -- '' = none
    environment TEXT COLLATE "C"   NOT NULL,
    started_at  BIGINT NOT NULL,
    count       BIGINT NOT NULL,
    sum_micros  BIGINT NOT NULL
);

CREATE UNIQUE INDEX series_identity ON series (project_id, team_id, environment, metric);

-- A histogram's observations per bucket, not cumulative; buckets never hit have no row.
CREATE TABLE series_bucket (
    series_id BIGINT NOT NULL REFERENCES series (id),
    bucket    BIGINT NOT NULL,
    count     BIGINT NOT NULL,
    PRIMARY KEY (series_id, bucket)
);

-- The greatest series id that a consumer of the totals has been shown (the 0-first rule).
CREATE TABLE announced (
    consumer  TEXT   NOT NULL PRIMARY KEY,
    series_id BIGINT NOT NULL
);

-- What makes this store itself for ever: instance_id = service.instance.id.
CREATE TABLE identity (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
