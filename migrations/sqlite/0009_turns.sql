-- What has to be done now and then by one of all processes: when it is due next.
CREATE TABLE turns (
    what   TEXT    NOT NULL PRIMARY KEY,
    due_at INTEGER NOT NULL
) STRICT;
