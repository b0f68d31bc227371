-- What is read from the APIs of forges: how far each repository is, and who reads it meanwhile.
CREATE TABLE backfills (
    key    TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- whose, which
    state  TEXT   NOT NULL,                       -- where it goes on, and the tags of what it has read
    due_at BIGINT NOT NULL                        -- when to read next; while it is read, until when it is somebody's
);

-- Deployments whose first commit an API was asked for.
CREATE TABLE first_commits_asked (
    project_id    TEXT COLLATE "C" NOT NULL,
    deployment_id TEXT COLLATE "C" NOT NULL,
    base_sha      TEXT COLLATE "C" NOT NULL, -- what it was compared with; '': with nothing
    etag          TEXT,                      -- of an answer that told nothing
    due_at        BIGINT NOT NULL,           -- when to ask again, should it still be unknown
    PRIMARY KEY (project_id, deployment_id)
);
