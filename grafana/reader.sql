-- A role for Grafana and other programs that may read the views and nothing else. Run it as the owner of em-metrics'
-- database, after em-metrics has made the views (any number of times):
--
--   psql "$DATABASE_URL" -f grafana/reader.sql
--   psql "$DATABASE_URL" -c '\password em_metrics_reader'

DO $$
BEGIN
    CREATE ROLE em_metrics_reader LOGIN;
EXCEPTION
    WHEN duplicate_object THEN NULL;
END
$$;

ALTER ROLE em_metrics_reader SET default_transaction_read_only = on;
-- a dashboard must not keep the database from its work
ALTER ROLE em_metrics_reader SET statement_timeout = '30s';
GRANT USAGE ON SCHEMA public TO em_metrics_reader;
GRANT SELECT ON v_deployments, v_incidents, v_dora_daily TO em_metrics_reader;
