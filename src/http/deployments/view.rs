//! A deployment on the wire.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::deployment::{FirstCommitFrom, Status};
use crate::domain::{Deployment, Name, Prose, Timestamp};
use crate::http::resource::seconds;

/// A deployment as it is answered. Absent values are `null`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Deployment)]
pub struct View {
    #[schema(value_type = String)]
    id: Name,
    #[schema(value_type = String)]
    project_id: Name,
    #[schema(value_type = Option<String>)]
    team_id: Option<Name>,
    #[schema(value_type = String)]
    environment: Name,
    #[schema(value_type = String, pattern = "^(started|deployed|failed|rolled_back)$")]
    status: Status,
    #[schema(value_type = Option<String>, format = DateTime)]
    first_commit_at: Option<Timestamp>,
    /// How `first_commit_at` was found, when nobody sent it: from the `pushes` since the deployment before, the
    /// `pull_request`, the repository's `api`, or only the `head_commit`.
    #[schema(value_type = Option<String>)]
    first_commit_from: Option<FirstCommitFrom>,
    #[schema(value_type = Option<String>, format = DateTime)]
    deploy_start_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    deployed_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    failed_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    rolled_back_at: Option<Timestamp>,
    /// Why it failed or was rolled back.
    #[schema(value_type = Option<String>)]
    reason: Option<Prose>,
    #[schema(value_type = Option<String>)]
    username: Option<Name>,
    #[schema(value_type = Option<String>)]
    commit_sha: Option<Name>,
    #[schema(value_type = Option<String>)]
    version: Option<Name>,
    #[schema(value_type = Option<String>)]
    url: Option<Prose>,
    /// A hotfix, a roll-back or a roll-forward.
    unplanned: bool,
    /// `deployed_at - first_commit_at`
    lead_time_seconds: Option<f64>,
    /// `deployed_at - deploy_start_at`
    duration_seconds: Option<f64>,
    /// The incidents linked to it, in the order they started.
    #[schema(value_type = Vec<String>)]
    incidents: Vec<Name>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl View {
    pub fn new(fact: Deployment, incidents: Vec<Name>) -> Self {
        Self {
            incidents,
            lead_time_seconds: fact.lead_time_micros().map(seconds),
            duration_seconds: fact.duration_micros().map(seconds),
            id: fact.id,
            project_id: fact.project_id,
            team_id: fact.team_id,
            environment: fact.environment,
            status: fact.status,
            first_commit_at: fact.first_commit_at,
            first_commit_from: fact.first_commit_from,
            deploy_start_at: fact.deploy_start_at,
            deployed_at: fact.deployed_at,
            failed_at: fact.failed_at,
            rolled_back_at: fact.rolled_back_at,
            reason: fact.reason,
            username: fact.username,
            commit_sha: fact.commit_sha,
            version: fact.version,
            url: fact.url,
            unplanned: fact.unplanned.unwrap_or(false),
            created_at: fact.created_at,
            updated_at: fact.updated_at,
        }
    }
}
