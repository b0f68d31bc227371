-- What is read from the APIs of forges: how far each repository is, and who reads it meanwhile.
CREATE TABLE backfills (
    key    TEXT    NOT NULL PRIMARY KEY, -- whose, which
    state  TEXT    NOT NULL,             -- where it goes on, and the tags of what it has read
    due_at INTEGER NOT NULL              -- when to read next; while it is read, until when it is somebody's
) STRICT;

-- Deployments whose first commit an API was asked for.
CREATE TABLE first_commits_asked (
    project_id    TEXT    NOT NULL,
    deployment_id TEXT    NOT NULL,
    base_sha      TEXT    NOT NULL, -- what it was compared with; '': with nothing
    etag          TEXT,             -- of an answer that told nothing
    due_at        INTEGER NOT NULL, -- when to ask again, should it still be unknown
    PRIMARY KEY (project_id, deployment_id)
) STRICT;
