//! Single steps of an incident, and what must be true after any of them.

use super::{Change, Command, Incident};
use crate::domain::refusal::{Findings, Refusal};
use crate::domain::rules::{in_order, not_before, not_in_the_future, same_time};
use crate::domain::{Context, Deployment, Timestamp};

pub fn restore(
    after: &mut Incident,
    at: Option<Timestamp>,
    pointer: &'static str,
    context: &Context<'_>,
) -> Result<(), Refusal> {
    if after.restored_at.is_some() {
        return same_time(pointer, &mut after.restored_at, at);
    }
    after.restored_at = Some(at.unwrap_or_else(|| not_before(Some(after.started_at), context.now)));
    Ok(())
}

pub fn finish(
    after: &mut Incident,
    at: Option<Timestamp>,
    restored_at: Option<Timestamp>,
    pointer: &'static str,
    context: &Context<'_>,
) -> Result<(), Refusal> {
    if after.finished_at.is_some() {
        same_time(pointer, &mut after.finished_at, at)?;
    } else {
        let floor = Some(after.started_at).max(after.restored_at);
        after.finished_at = Some(at.unwrap_or_else(|| not_before(floor, context.now)));
    }
    if after.restored_at.is_none() {
        after.restored_at = restored_at.or(after.finished_at);
        return Ok(());
    }
    same_time("/restored_at", &mut after.restored_at, restored_at)
}

pub fn possible(
    after: &Incident,
    before: Option<&Incident>,
    linked: Option<&Deployment>,
    command: &Command,
    context: &Context<'_>,
) -> Result<(), Refusal> {
    // A caller that sent `date` wants to read about `date`, and never about a field that it did not send.
    let dated = matches!(command.change, Change::Restored { .. } | Change::Finished { .. });
    let pointer = |field: &'static str| if dated { "/date" } else { field };
    let restored = match &command.change {
        Change::Open(opening) if opening.restored_at.is_none() && opening.finished_at.is_some() => "/finished_at",
        _ => pointer("/restored_at"),
    };
    let mut findings = Findings::default();
    not_in_the_future(pointer("/started_at"), Some(after.started_at), context, &mut findings);
    not_in_the_future(restored, after.restored_at, context, &mut findings);
    if after.finished_at != after.restored_at {
        not_in_the_future(pointer("/finished_at"), after.finished_at, context, &mut findings);
        in_order(pointer("/finished_at"), after.finished_at, "restored_at", after.restored_at, &mut findings);
    }
    in_order(restored, after.restored_at, "started_at", Some(after.started_at), &mut findings);
    if after.finished_at.is_some() && after.restored_at.is_none() {
        findings.add("/restored_at", "what is finished has been restored");
    }
    // An incident may begin while its deployment is still rolling out, but not before that began.
    let said = |fact: &Incident| (fact.deployment_id.clone(), fact.started_at);
    // The deployment may have been corrected after it was linked; what was right to store is right to import. And a
    // tool that says later when it began is not refused what it could have said before.
    let as_told = matches!(command.change, Change::Imported(_) | Change::Sighted(_));
    let newly_linked = !as_told && before.is_none_or(|before| said(before) != said(after));
    if newly_linked && let Some(linked) = linked.filter(|linked| after.deployment_id.as_ref() == Some(&linked.id)) {
        let began = linked.deploy_start_at.or(linked.deployed_at);
        in_order("/started_at", Some(after.started_at), "the start of its deployment", began, &mut findings);
    }
    findings.or(Refusal::Impossible)
}
