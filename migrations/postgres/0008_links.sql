-- How an incident came to its deployment (without one: who says that none has caused it), and which deployment may have
-- caused it while nobody has said so.

ALTER TABLE incidents ADD COLUMN link_method TEXT COLLATE "C";
ALTER TABLE incidents ADD COLUMN suggested_deployment_id TEXT COLLATE "C";

-- Its tool says what has caused it, found or not.
ALTER TABLE incidents ADD COLUMN names_cause BOOLEAN GENERATED ALWAYS AS (
    seen::jsonb -> 'cause' IS NOT NULL
) STORED;

-- Incidents without a deployment.
CREATE INDEX incidents_without_link ON incidents (started_at) WHERE deployment_id IS NULL;
CREATE INDEX incidents_suggested ON incidents (started_at) WHERE suggested_deployment_id IS NOT NULL;

-- An incident that was only heard of when it was over has no known beginning: `started_at` is when it was first heard of,
-- and durations from there would be invented. The same as `Incident::has_known_start`, by what tools have said of it; a
-- generated column, so that it also holds for what the version before this one writes.

ALTER TABLE incidents ADD COLUMN start_is_guessed BOOLEAN GENERATED ALWAYS AS (
    COALESCE(
        (seen::jsonb ->> 'first')::bigint = started_at AND seen::jsonb ->> 'start' IS NULL
        AND COALESCE((seen::jsonb -> 'steps')::text, '') NOT LIKE '%"open"%', FALSE
    )
) STORED;

CREATE OR REPLACE VIEW v_deployments AS
SELECT
    d.project_id, d.id, d.team_id, d.environment, d.status,
    to_timestamp(d.first_commit_at / 1e6) AS first_commit_at,
    to_timestamp(d.deploy_start_at / 1e6) AS deploy_start_at,
    to_timestamp(d.deployed_at / 1e6) AS deployed_at,
    to_timestamp(d.failed_at / 1e6) AS failed_at,
    to_timestamp(d.rolled_back_at / 1e6) AS rolled_back_at,
    d.commit_sha, d.version, d.url,
    COALESCE(d.unplanned, FALSE) AS unplanned,
    d.deployed_at IS NOT NULL AND (i.first_started_at IS NOT NULL OR d.rolled_back_at IS NOT NULL) AS failed_in_use,
    (d.deployed_at - d.first_commit_at) / 1e6 AS lead_time_seconds,
    -- NULL: did not fail, has not recovered, or nobody knows when it failed
    CASE WHEN d.deployed_at IS NOT NULL AND COALESCE(i.starts_known, TRUE)
        AND COALESCE(d.rolled_back_at, i.all_restored_at) IS NOT NULL THEN
        GREATEST(LEAST(d.rolled_back_at, i.all_restored_at) - COALESCE(i.first_started_at, d.deployed_at), 0) / 1e6
    END AS recovery_seconds
FROM deployments AS d
LEFT JOIN (
    SELECT
        project_id, deployment_id,
        min(started_at) AS first_started_at,
        count(*) = count(CASE WHEN NOT start_is_guessed THEN 1 END) AS starts_known,
        CASE WHEN count(*) = count(restored_at) THEN max(restored_at) END AS all_restored_at
    FROM incidents
    WHERE deployment_id IS NOT NULL AND deleted_at IS NULL
    GROUP BY project_id, deployment_id
) AS i ON i.project_id = d.project_id AND i.deployment_id = d.id
WHERE d.deleted_at IS NULL;

CREATE OR REPLACE VIEW v_incidents AS
SELECT
    project_id, id, team_id, environment, deployment_id, severity, title, url,
    to_timestamp(started_at / 1e6) AS started_at,
    to_timestamp(restored_at / 1e6) AS restored_at,
    to_timestamp(finished_at / 1e6) AS finished_at,
    -- NULL while its beginning is not known
    CASE WHEN NOT start_is_guessed THEN (restored_at - started_at) / 1e6 END AS time_to_restore_seconds,
    CASE WHEN NOT start_is_guessed AND started_at >= deployment_deployed_at
        THEN (started_at - deployment_deployed_at) / 1e6
    END AS time_to_detect_seconds
FROM incidents
WHERE deleted_at IS NULL;
