-- What answers for a window look up: incidents by the deployments of the window, and those that began
-- before the window and were restored or finished in it, or are open.

CREATE INDEX incidents_of_deployed ON incidents (deployment_deployed_at) WHERE deployment_deployed_at IS NOT NULL;
CREATE INDEX incidents_restored ON incidents (restored_at);
CREATE INDEX incidents_finished ON incidents (finished_at) WHERE finished_at IS NOT NULL;
