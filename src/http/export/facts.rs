//! Every fact, page by page.

use std::collections::HashSet;

use axum::body::Bytes;
use serde::Serialize;

use super::super::streamed::{Failure, Output};
use super::{Kind, csv, ndjson};
use crate::domain::incident::Method;
use crate::domain::{Deployment, Incident, Name, Prose, Timestamp};
use crate::storage::{Filter, PAGE, Snapshot};

/// The forms that have a line for each fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Ndjson,
    Csv,
}

impl Form {
    fn page<T: Serialize>(self, facts: Vec<T>, is_first: bool) -> Result<Bytes, Failure> {
        match self {
            Self::Ndjson => ndjson::page(facts),
            Self::Csv => csv::page(facts, is_first),
        }
    }
}

pub async fn write(
    mut snapshot: Snapshot,
    kinds: &[Kind],
    filter: &Filter,
    form: Form,
    to: &Output,
) -> Result<(), Failure> {
    // they are not exported, so nothing can be linked to them elsewhere
    let deleted = snapshot.deleted_with_incidents().await?;
    for kind in kinds {
        let (mut after, mut is_first) = (None, true);
        loop {
            let (count, last) = match kind {
                Kind::Deployment => {
                    let facts = snapshot.page_of_deployments(filter, after.as_ref()).await?;
                    let last = facts.last().map(|fact| (fact.id.clone(), fact.project_id.clone()));
                    let count = facts.len();
                    to.send(form.page(facts.into_iter().map(DeploymentLine::from).collect(), is_first)?).await?;
                    (count, last)
                }
                Kind::Incident => {
                    let facts = snapshot.page_of_incidents(filter, after.as_ref()).await?;
                    let last = facts.last().map(|fact| (fact.id.clone(), fact.project_id.clone()));
                    let count = facts.len();
                    let line = |fact| IncidentLine::new(fact, &deleted, form);
                    to.send(form.page(facts.into_iter().map(line).collect(), is_first)?).await?;
                    (count, last)
                }
            };
            if count < PAGE {
                break;
            }
            (after, is_first) = (last, false);
        }
    }
    Ok(())
}

/// Everything that was said about it, and nothing that follows from that. What is unknown is `null`, so that an import
/// does not guess it.
#[derive(Debug, Serialize)]
struct DeploymentLine {
    kind: &'static str,
    project_id: Name,
    id: Name,
    team_id: Option<Name>,
    environment: Name,
    first_commit_at: Option<Timestamp>,
    deploy_start_at: Option<Timestamp>,
    deployed_at: Option<Timestamp>,
    failed_at: Option<Timestamp>,
    rolled_back_at: Option<Timestamp>,
    reason: Option<Prose>,
    username: Option<Name>,
    commit_sha: Option<Name>,
    version: Option<Name>,
    url: Option<Prose>,
    unplanned: Option<bool>,
}

/// The same of an incident.
#[derive(Debug, Serialize)]
struct IncidentLine {
    kind: &'static str,
    project_id: Name,
    id: Name,
    team_id: Option<Name>,
    environment: Name,
    #[serde(skip_serializing_if = "Link::is_left_out")]
    deployment_id: Link,
    link_method: Option<Method>,
    severity: Option<Name>,
    title: Option<Prose>,
    url: Option<Prose>,
    started_at: Timestamp,
    restored_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
}

impl From<Deployment> for DeploymentLine {
    fn from(fact: Deployment) -> Self {
        Self {
            kind: "deployment",
            project_id: fact.project_id,
            id: fact.id,
            team_id: fact.team_id,
            environment: fact.environment,
            first_commit_at: fact.first_commit_at,
            deploy_start_at: fact.deploy_start_at,
            deployed_at: fact.deployed_at,
            failed_at: fact.failed_at,
            rolled_back_at: fact.rolled_back_at,
            reason: fact.reason,
            username: fact.username,
            commit_sha: fact.commit_sha,
            version: fact.version,
            url: fact.url,
            unplanned: fact.unplanned,
        }
    }
}

/// What is said about the deployment of an incident.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Link {
    Said(Option<Name>),
    /// It is deleted. Where it is known an import then keeps the link, and where it is not makes none.
    LeftOut,
}

impl Link {
    fn is_left_out(&self) -> bool {
        matches!(self, Self::LeftOut)
    }
}

impl IncidentLine {
    fn new(fact: Incident, deleted: &HashSet<(Name, Name)>, form: Form) -> Self {
        let to_deleted = |id: &Name| deleted.contains(&(fact.project_id.clone(), id.clone()));
        let link_method = fact.link_method.filter(|_| !fact.deployment_id.as_ref().is_some_and(to_deleted));
        let deployment_id = match (fact.deployment_id, form) {
            (Some(id), Form::Ndjson) if to_deleted(&id) => Link::LeftOut,
            // a table has its columns in each row
            (Some(id), Form::Csv) if to_deleted(&id) => Link::Said(None),
            (said, _) => Link::Said(said),
        };
        Self {
            kind: "incident",
            project_id: fact.project_id,
            id: fact.id,
            team_id: fact.team_id,
            environment: fact.environment,
            deployment_id,
            link_method,
            severity: fact.severity,
            title: fact.title,
            url: fact.url,
            started_at: fact.started_at,
            restored_at: fact.restored_at,
            finished_at: fact.finished_at,
        }
    }
}
