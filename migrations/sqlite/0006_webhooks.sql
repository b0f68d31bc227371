-- Facts that tools tell by their webhooks: what was said of each so far, from which the fact follows; and how the time
-- of the first commit was found, when nobody sent it.

ALTER TABLE deployments ADD COLUMN seen TEXT;
ALTER TABLE deployments ADD COLUMN first_commit_from TEXT;
ALTER TABLE incidents ADD COLUMN seen TEXT;

-- Deliveries as they arrived, until they have become facts and for some time after.
CREATE TABLE inbox (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    source      TEXT NOT NULL, -- vendor, or vendor/name
    delivery    TEXT NOT NULL, -- the sender's id of it, or a digest of the body
    event       TEXT NOT NULL,
    headers     TEXT   NOT NULL,
    body        BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    actor       TEXT NOT NULL,
    state       TEXT NOT NULL, -- received, done, ignored, failed
    reason      TEXT,
    became      TEXT,            -- the facts that it told of
    attempts    INTEGER NOT NULL,
    due_at      INTEGER            -- when to try next; NULL: nothing is to be done
) STRICT;

CREATE UNIQUE INDEX inbox_identity ON inbox (source, delivery);
CREATE INDEX inbox_due ON inbox (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX inbox_of_state ON inbox (state, id);

-- Who has ever sent, and when last: outlives the deliveries.
CREATE TABLE webhook_sources (
    source           TEXT NOT NULL PRIMARY KEY,
    first_received_at INTEGER NOT NULL,
    last_received_at INTEGER NOT NULL
) STRICT;

-- What leads to deployments.
CREATE TABLE pushes (
    repository      TEXT NOT NULL,
    after_sha       TEXT NOT NULL,
    before_sha      TEXT NOT NULL, -- '': the branch was new
    branch          TEXT,
    pushed_at       INTEGER NOT NULL,
    first_commit_at INTEGER,           -- of the commits that it lists
    is_cut          INTEGER NOT NULL,  -- 1: there are more
    PRIMARY KEY (repository, after_sha, before_sha)
) STRICT;

CREATE TABLE commits (
    repository   TEXT NOT NULL,
    sha          TEXT NOT NULL,
    committed_at INTEGER NOT NULL,
    PRIMARY KEY (repository, sha)
) STRICT;

-- Pull requests and tickets: what was said of each, and the columns that they are found by.
CREATE TABLE changes (
    kind       TEXT NOT NULL, -- pull_request, ticket
    place      TEXT NOT NULL, -- the repository, the project
    id         TEXT NOT NULL,
    known      TEXT   NOT NULL,
    merge_sha  TEXT,
    head_sha   TEXT,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (kind, place, id)
) STRICT;

CREATE INDEX changes_merged ON changes (place, merge_sha) WHERE merge_sha IS NOT NULL;
CREATE INDEX changes_head ON changes (place, head_sha) WHERE head_sha IS NOT NULL;

-- Deployments that tools have told of, whose first commit may still be found, or found in a better way.
CREATE INDEX deployments_first_commit_open ON deployments (created_at)
    WHERE seen IS NOT NULL AND (first_commit_at IS NULL OR first_commit_from IN ('head_commit', 'pull_request'));

-- Incidents that tools have told of and that no deployment is known to have caused.
CREATE INDEX incidents_unlinked ON incidents (created_at) WHERE seen IS NOT NULL AND deployment_id IS NULL;
