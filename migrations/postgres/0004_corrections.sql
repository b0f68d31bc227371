-- A deleted fact stays where it is: its identity and what it has counted must outlive it.

ALTER TABLE deployments ADD COLUMN deleted_at BIGINT;
ALTER TABLE incidents ADD COLUMN deleted_at BIGINT;

-- What happened to one fact, and what was known of it at some moment.
CREATE INDEX journal_of_entity ON journal (entity_id, project_id, entity, seq, recorded_at);
