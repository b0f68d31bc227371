-- Facts that tools tell by their webhooks: what was said of each so far, from which the fact follows; and how the time
-- of the first commit was found, when nobody sent it.

ALTER TABLE deployments ADD COLUMN seen TEXT;
ALTER TABLE deployments ADD COLUMN first_commit_from TEXT;
ALTER TABLE incidents ADD COLUMN seen TEXT;

-- Deliveries as they arrived, until they have become facts and for some time after.
CREATE TABLE inbox (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    source       TEXT    NOT NULL, -- vendor, or vendor/name
    delivery     TEXT    NOT NULL, -- the sender's id of it, or a digest of the body
    event        TEXT    NOT NULL,
    headers      TEXT    NOT NULL,
    body         BLOB   NOT NULL,
    received_at  INTEGER NOT NULL,
    actor        TEXT    NOT NULL,
    state        TEXT    NOT NULL, -- received, done, ignored, failed
    reason       TEXT,
    became       TEXT,             -- the facts that it told of
    attempts     INTEGER NOT NULL,
    due_at       INTEGER           -- when to try next; NULL: nothing is to be done
) STRICT;

CREATE UNIQUE INDEX inbox_identity ON inbox (source, delivery);
CREATE INDEX inbox_due ON inbox (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX inbox_of_state ON inbox (state, id);
CREATE INDEX inbox_received ON inbox (received_at);
