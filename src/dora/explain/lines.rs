//! One fact, seen by one metric.

use super::Metric;
use crate::domain::deployment::FirstCommitFrom;
use crate::domain::incident::{Link, LinkState, Method};
use crate::domain::{Deployment, Incident, Name, Prose, Timestamp};
use crate::dora::facts::{self, Linked, Recovery};

/// The window and the environments (empty: all) that the number is about.
#[derive(Debug, Clone)]
pub struct Scope {
    pub from: Timestamp,
    pub to: Timestamp,
    pub environments: Vec<Name>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Deployment,
    Incident,
}

/// What one fact does to a number.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub subject: Subject,
    pub project_id: Name,
    pub id: Name,
    pub team_id: Option<Name>,
    pub environment: Name,
    /// When it reached users, failed or began; of an incident, when it started.
    pub at: Timestamp,
    /// The fields of the block that it adds one to; none: it was left out.
    pub counts_as: Vec<&'static str>,
    /// A stable word for why.
    pub reason: &'static str,
    /// The same for people.
    pub detail: String,
    /// What it adds to a duration, in microseconds.
    pub value: Option<i64>,
    /// Of a deployment: how its first commit was found, when nobody sent it.
    pub first_commit_from: Option<FirstCommitFrom>,
    /// The incidents of a deployment, the deployment of an incident; of the same project.
    pub related: Vec<Name>,
    /// Of an incident.
    pub link: Option<Link>,
    /// Of the pipeline or the incident, as its sender gave it.
    pub url: Option<Prose>,
}

/// An incident that is linked to a deployment.
#[derive(Debug, Clone)]
pub struct LinkedIncident {
    pub id: Name,
    pub seen: Linked,
    pub method: Option<Method>,
}

impl Scope {
    pub fn covers(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }

    pub fn has_environment(&self, environment: &Name) -> bool {
        self.environments.is_empty() || self.environments.contains(environment)
    }

    fn other_environment(&self, environment: &Name) -> Option<Verdict> {
        let asked: Vec<_> = self.environments.iter().map(Name::as_str).collect();
        let detail = || format!("its environment is {environment}, asked for {}", asked.join(", "));
        (!self.has_environment(environment)).then(|| left_out("other_environment", detail()))
    }
}

/// Of what was only heard of when it was over.
const UNKNOWN_START: &str = "start_not_known";

/// How a metric sees a fact.
struct Verdict {
    counts_as: Vec<&'static str>,
    reason: &'static str,
    detail: String,
    value: Option<i64>,
}

fn left_out(reason: &'static str, detail: impl Into<String>) -> Verdict {
    Verdict { counts_as: Vec::new(), reason, detail: detail.into(), value: None }
}

fn counted(counts_as: &[&'static str], reason: &'static str, detail: impl Into<String>) -> Verdict {
    Verdict { counts_as: counts_as.to_vec(), reason, detail: detail.into(), value: None }
}

/// A deployment with the incidents linked to it. `None`: it has nothing to do with the window.
pub fn deployment(metric: Metric, fact: &Deployment, linked: &[LinkedIncident], scope: &Scope) -> Option<Line> {
    let at = Some(fact.happened_at()).filter(|at| scope.covers(*at))?;
    let verdict = scope.other_environment(&fact.environment).unwrap_or_else(|| match fact.deployed_at {
        None => not_deployed(metric, fact),
        Some(deployed_at) => deployed(metric, fact, deployed_at, linked),
    });
    let Verdict { counts_as, reason, detail, value } = verdict;
    Some(Line {
        subject: Subject::Deployment,
        project_id: fact.project_id.clone(),
        id: fact.id.clone(),
        team_id: fact.team_id.clone(),
        environment: fact.environment.clone(),
        at,
        counts_as,
        reason,
        detail,
        value,
        first_commit_from: fact.first_commit_from,
        related: linked.iter().map(|incident| incident.id.clone()).collect(),
        link: None,
        url: fact.url.clone(),
    })
}

fn not_deployed(metric: Metric, fact: &Deployment) -> Verdict {
    match (fact.failed_at, metric) {
        (Some(at), Metric::Pipelines) => {
            counted(&["failed"], "pipeline_failed", format!("failed at {at}, before it reached users"))
        }
        (Some(at), _) => left_out("pipeline_failed", format!("failed at {at}, before it reached users")),
        (None, _) => left_out("not_deployed", "has neither reached users nor failed"),
    }
}

fn deployed(metric: Metric, fact: &Deployment, deployed_at: Timestamp, linked: &[LinkedIncident]) -> Verdict {
    let reached = || format!("reached users at {deployed_at}");
    match metric {
        Metric::DeploymentFrequency => counted(&["deployments"], "deployed", reached()),
        Metric::Pipelines => counted(&["deployed"], "deployed", reached()),
        Metric::LeadTimeForChanges => match (fact.first_commit_at, fact.lead_time_micros()) {
            (Some(first_commit), value) => Verdict {
                value,
                ..counted(&["n"], "deployed", format!("first commit at {first_commit}{}, {}", found(fact), reached()))
            },
            (None, _) => left_out("no_first_commit", "the time of its first commit is not known"),
        },
        Metric::DeploymentReworkRate if fact.unplanned == Some(true) => {
            counted(&["deployments", "unplanned"], "unplanned", "marked as unplanned")
        }
        Metric::DeploymentReworkRate => counted(&["deployments"], "planned", "not marked as unplanned"),
        Metric::ChangeFailureRate => match failure(fact, linked) {
            Some((reason, detail)) => counted(&["deployments", "failed"], reason, detail),
            None => counted(&["deployments"], "did_not_fail", "no incident is linked, and it was not rolled back"),
        },
        Metric::FailedDeploymentRecoveryTime => {
            let incidents = linked.iter().map(|incident| incident.seen);
            match Recovery::of(deployed_at, fact.rolled_back_at, incidents) {
                None => left_out("did_not_fail", "no incident is linked, and it was not rolled back"),
                Some(Recovery::Open) => counted(&["open"], "not_recovered", "not rolled back, and an incident is open"),
                Some(Recovery::AfterUnknown) => {
                    let how = failure(fact, linked).map(|(_, detail)| detail).unwrap_or_default();
                    left_out(UNKNOWN_START, format!("{how}; it has recovered, but when it failed is not known yet"))
                }
                Some(Recovery::After(micros)) => {
                    let how = failure(fact, linked).map(|(_, detail)| detail).unwrap_or_default();
                    let failed_at =
                        linked.iter().filter_map(|incident| incident.seen.started_at()).min().unwrap_or(deployed_at);
                    let recovered_at = Timestamp::from_micros(failed_at.micros() + micros).unwrap_or(failed_at);
                    let detail = format!("{how}; failed at {failed_at}, recovered at {recovered_at}");
                    Verdict { value: Some(micros), ..counted(&["n"], "recovered", detail) }
                }
            }
        }
        Metric::TimeToRestore | Metric::TimeToDetect | Metric::Incidents => {
            left_out("not_an_incident", "this number is made of incidents")
        }
    }
}

/// Where the time of its first commit is from.
fn found(fact: &Deployment) -> &'static str {
    match fact.first_commit_from {
        None => "",
        Some(FirstCommitFrom::HeadCommit) => " (of the commit that was deployed, for want of better)",
        Some(FirstCommitFrom::PullRequest) => " (of the pull request that was merged)",
        Some(FirstCommitFrom::Pushes) => " (of the pushes since the deployment before)",
        Some(FirstCommitFrom::Api) => " (as the repository compares it with the deployment before)",
    }
}

/// How a tool's words led to the deployment; what was said outright needs no words.
fn found_by(method: Option<Method>) -> &'static str {
    match method {
        None | Some(Method::Sent | Method::Person) => "",
        Some(Method::Label) => " (by a label)",
        Some(Method::Commit) => " (by its commit)",
        Some(Method::Version) => " (by its version)",
    }
}

/// Why a deployment failed in use, if it did.
fn failure(fact: &Deployment, linked: &[LinkedIncident]) -> Option<(&'static str, String)> {
    let words: Vec<_> = linked.iter().map(|incident| format!("{}{}", incident.id, found_by(incident.method))).collect();
    let incidents = match words.as_slice() {
        [] => None,
        [only] => Some(format!("incident {only} is linked to it")),
        several => Some(format!("incidents {} are linked to it", several.join(", "))),
    };
    let rolled_back = fact.rolled_back_at.map(|at| format!("rolled back at {at}"));
    match (incidents, rolled_back) {
        (Some(incidents), Some(rolled_back)) => {
            Some(("incident_and_rolled_back", format!("{incidents}; {rolled_back}")))
        }
        (Some(incidents), None) => Some(("incident", incidents)),
        (None, Some(rolled_back)) => Some(("rolled_back", rolled_back)),
        (None, None) => None,
    }
}

/// `None`: it has nothing to do with the window.
pub fn incident(metric: Metric, fact: &Incident, scope: &Scope) -> Option<Line> {
    let covers = |at: Option<Timestamp>| at.is_some_and(|at| scope.covers(at));
    let started = scope.covers(fact.started_at);
    let open = fact.started_at < scope.to && fact.restored_at.is_none_or(|at| at >= scope.to);
    if !(started || metric == Metric::Incidents && (covers(fact.restored_at) || covers(fact.finished_at) || open)) {
        return None;
    }
    let verdict = scope.other_environment(&fact.environment).unwrap_or_else(|| match metric {
        Metric::TimeToRestore => match (fact.restored_at, fact.time_to_restore_micros()) {
            (Some(at), value @ Some(_)) => {
                Verdict { value, ..counted(&["n"], "restored", format!("restored at {at}")) }
            }
            (Some(at), None) => left_out(UNKNOWN_START, format!("restored at {at}; its beginning is not known yet")),
            (None, _) => left_out("not_restored", "not restored yet"),
        },
        Metric::TimeToDetect => detected(fact),
        Metric::Incidents => {
            let happened = [
                ("started", started.then_some(fact.started_at)),
                ("restored", fact.restored_at.filter(|at| scope.covers(*at))),
                ("finished", fact.finished_at.filter(|at| scope.covers(*at))),
            ];
            let happened: Vec<_> = happened.into_iter().filter_map(|(word, at)| Some((word, at?))).collect();
            let mut counts_as: Vec<_> = happened.iter().map(|(word, _)| *word).collect();
            let mut words: Vec<_> = happened.iter().map(|(word, at)| format!("{word} at {at}")).collect();
            if open {
                counts_as.push("open");
                words.push("open at the end of the window".to_owned());
            }
            counted(&counts_as, counts_as.last().copied().unwrap_or_default(), words.join(", "))
        }
        _ => left_out("not_a_deployment", "this number is made of deployments"),
    });
    let Verdict { counts_as, reason, detail, value } = verdict;
    Some(Line {
        subject: Subject::Incident,
        project_id: fact.project_id.clone(),
        id: fact.id.clone(),
        team_id: fact.team_id.clone(),
        environment: fact.environment.clone(),
        at: fact.started_at,
        counts_as,
        reason,
        detail,
        value,
        first_commit_from: None,
        related: fact.deployment_id.iter().cloned().collect(),
        link: Some(fact.link()),
        url: fact.url.clone(),
    })
}

/// Of an incident: of what it is told of its deployment nothing is left when that is not, or no longer, in use.
const NOT_DEPLOYED: &str = "deployment_not_deployed";

impl Line {
    /// Says that the deployment of an incident was deleted, when that is why nothing is known of it.
    pub fn tell_deleted(&mut self, is_deleted: impl Fn(&Name, &Name) -> bool) {
        if self.reason == NOT_DEPLOYED
            && let [deployment] = self.related.as_slice()
            && is_deleted(deployment, &self.project_id)
        {
            (self.reason, self.detail) = ("deployment_deleted", format!("its deployment {deployment} was deleted"));
        }
    }
}

fn not_linked(fact: &Incident) -> Verdict {
    let detail = match (&fact.suggested_deployment_id, fact.link().state) {
        (Some(suggested), LinkState::Suggested) => {
            format!("linked to no deployment; {suggested} is suggested and counts when somebody confirms it")
        }
        (_, LinkState::None) => "somebody says that no deployment has caused it".to_owned(),
        _ => "linked to no deployment".to_owned(),
    };
    left_out("not_linked", detail)
}

fn detected(fact: &Incident) -> Verdict {
    let Some(deployment) = &fact.deployment_id else {
        return not_linked(fact);
    };
    let Some(deployed_at) = fact.deployment_deployed_at else {
        return left_out(NOT_DEPLOYED, format!("its deployment {deployment} has not reached users, or was deleted"));
    };
    if !fact.has_known_start() {
        return left_out(UNKNOWN_START, "its beginning is not known yet");
    }
    let found = found_by(fact.link_method);
    let reached = format!("its deployment {deployment}{found} reached users at {deployed_at}");
    match facts::Incident::from(fact).time_to_detect() {
        Some(micros) => Verdict { value: Some(micros), ..counted(&["n"], "linked", reached) },
        None => left_out("began_before_deployment", format!("it began before that: {reached}")),
    }
}
