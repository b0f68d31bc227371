-- What other programs may read with SQL: live facts only, and nothing about who did what. Durations are seconds, by
-- the definitions of /dora. Times are texts of RFC 3339, days are those of UTC. What needs more thought than a sum, ask of /dora.

-- Each deployment that is not deleted. failed_in_use: an incident is linked to it, or it was rolled back.
CREATE VIEW v_deployments AS
SELECT
    d.project_id, d.id, d.team_id, d.environment, d.status,
    strftime('%Y-%m-%dT%H:%M:%S', d.first_commit_at / 1000000, 'unixepoch') || printf('.%06dZ', d.first_commit_at % 1000000) AS first_commit_at,
    strftime('%Y-%m-%dT%H:%M:%S', d.deploy_start_at / 1000000, 'unixepoch') || printf('.%06dZ', d.deploy_start_at % 1000000) AS deploy_start_at,
    strftime('%Y-%m-%dT%H:%M:%S', d.deployed_at / 1000000, 'unixepoch') || printf('.%06dZ', d.deployed_at % 1000000) AS deployed_at,
    strftime('%Y-%m-%dT%H:%M:%S', d.failed_at / 1000000, 'unixepoch') || printf('.%06dZ', d.failed_at % 1000000) AS failed_at,
    strftime('%Y-%m-%dT%H:%M:%S', d.rolled_back_at / 1000000, 'unixepoch') || printf('.%06dZ', d.rolled_back_at % 1000000) AS rolled_back_at,
    d.commit_sha, d.version, d.url,
    COALESCE(d.unplanned, 0) AS unplanned,
    d.deployed_at IS NOT NULL AND (i.first_started_at IS NOT NULL OR d.rolled_back_at IS NOT NULL) AS failed_in_use,
    (d.deployed_at - d.first_commit_at) / 1e6 AS lead_time_seconds,
    -- NULL: did not fail, or has not recovered
    CASE WHEN d.deployed_at IS NOT NULL AND COALESCE(d.rolled_back_at, i.all_restored_at) IS NOT NULL THEN
        max(COALESCE(min(d.rolled_back_at, i.all_restored_at), d.rolled_back_at, i.all_restored_at) - COALESCE(i.first_started_at, d.deployed_at), 0) / 1e6
    END AS recovery_seconds
FROM deployments AS d
LEFT JOIN (
    SELECT
        project_id, deployment_id,
        min(started_at) AS first_started_at,
        CASE WHEN count(*) = count(restored_at) THEN max(restored_at) END AS all_restored_at
    FROM incidents
    WHERE deployment_id IS NOT NULL AND deleted_at IS NULL
    GROUP BY project_id, deployment_id
) AS i ON i.project_id = d.project_id AND i.deployment_id = d.id
WHERE d.deleted_at IS NULL;

-- Each incident that is not deleted.
CREATE VIEW v_incidents AS
SELECT
    project_id, id, team_id, environment, deployment_id, severity, title, url,
    strftime('%Y-%m-%dT%H:%M:%S', started_at / 1000000, 'unixepoch') || printf('.%06dZ', started_at % 1000000) AS started_at,
    strftime('%Y-%m-%dT%H:%M:%S', restored_at / 1000000, 'unixepoch') || printf('.%06dZ', restored_at % 1000000) AS restored_at,
    strftime('%Y-%m-%dT%H:%M:%S', finished_at / 1000000, 'unixepoch') || printf('.%06dZ', finished_at % 1000000) AS finished_at,
    (restored_at - started_at) / 1e6 AS time_to_restore_seconds,
    CASE WHEN started_at >= deployment_deployed_at THEN (started_at - deployment_deployed_at) / 1e6 END
        AS time_to_detect_seconds
FROM incidents
WHERE deleted_at IS NULL;

-- Sums that can be added up over days and groups; days on which nothing happened have no row.
CREATE VIEW v_dora_daily AS
SELECT
    day, project_id, team_id, environment,
    sum(deployments) AS deployments,
    sum(failed_in_use) AS failed_in_use,
    sum(unplanned) AS unplanned,
    sum(lead_times) AS lead_times,
    COALESCE(sum(lead_time_seconds), 0) AS lead_time_seconds,
    sum(pipelines_failed) AS pipelines_failed,
    sum(incidents_started) AS incidents_started
FROM (
    SELECT
        date(d.deployed_at / 1000000, 'unixepoch') AS day, d.project_id, d.team_id, d.environment,
        1 AS deployments,
        CASE WHEN d.rolled_back_at IS NOT NULL OR EXISTS (
            SELECT 1 FROM incidents AS i
            WHERE i.deployment_id = d.id AND i.project_id = d.project_id AND i.deleted_at IS NULL
        ) THEN 1 ELSE 0 END AS failed_in_use,
        CASE WHEN d.unplanned THEN 1 ELSE 0 END AS unplanned,
        CASE WHEN d.first_commit_at IS NULL THEN 0 ELSE 1 END AS lead_times,
        (d.deployed_at - d.first_commit_at) / 1e6 AS lead_time_seconds,
        0 AS pipelines_failed,
        0 AS incidents_started
    FROM deployments AS d
    WHERE d.deployed_at IS NOT NULL AND d.deleted_at IS NULL
    UNION ALL
    SELECT date(failed_at / 1000000, 'unixepoch'), project_id, team_id, environment, 0, 0, 0, 0, NULL, 1, 0
    FROM deployments
    WHERE deployed_at IS NULL AND failed_at IS NOT NULL AND deleted_at IS NULL
    UNION ALL
    SELECT date(started_at / 1000000, 'unixepoch'), project_id, team_id, environment, 0, 0, 0, 0, NULL, 0, 1
    FROM incidents
    WHERE deleted_at IS NULL
) AS happened
GROUP BY day, project_id, team_id, environment;
