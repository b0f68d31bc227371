//! Answers as a table: a row for each part of the window, a column for each number. Columns are only ever added.

use axum::http::{HeaderName, HeaderValue, header};
use csv::WriterBuilder;

use super::view::group_word;
use crate::domain::{Name, cell};
use crate::dora::Answer;
use crate::dora::keys::{Durations, Keys, Share};
use crate::http::error::{self, Problem};
use crate::report::{Question, Report};

type Csv = ([(HeaderName, HeaderValue); 1], Vec<u8>);

/// With `group_by`, the groups only: nothing is there twice.
pub fn table(question: &Question, report: &Report) -> Result<Csv, Problem> {
    let body = write(question, report).map_err(|error| {
        tracing::error!(%error, "answers cannot be written as CSV");
        Problem::new(&error::INTERNAL, error::INTERNAL.advice)
    })?;
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8; header=present"))], body))
}

fn write(question: &Question, report: &Report) -> Result<Vec<u8>, csv::Error> {
    let mut csv = WriterBuilder::new().from_writer(Vec::new());
    let group_column = question.group_by.map(group_word);
    let columns = cells(&Keys::default()).into_iter().map(|(name, _)| name);
    csv.write_record(["start", "end"].into_iter().chain(group_column).chain(columns))?;
    let mut add = |name: Option<&Name>, answer: &Answer| {
        report.calendar.buckets.iter().zip(&answer.series).try_for_each(|(bucket, keys)| {
            let head = [bucket.start.to_string(), bucket.end.to_string()];
            let name = name.map(Name::as_str).unwrap_or_default();
            let group = group_column.map(|_| cell::guarded(name).into_owned());
            csv.write_record(head.into_iter().chain(group).chain(cells(keys).into_iter().map(|(_, cell)| cell)))
        })
    };
    if group_column.is_none() {
        add(None, &report.all)?;
    }
    for (name, answer) in &report.groups {
        add(name.as_ref(), answer)?;
    }
    csv.into_inner().map_err(|error| error.into_error().into())
}

/// What is not known is empty.
fn cells(keys: &Keys) -> Vec<(&'static str, String)> {
    fn known(value: Option<impl ToString>) -> String {
        value.map(|value| value.to_string()).unwrap_or_default()
    }
    macro_rules! durations {
        ($cells:ident, $block:literal, $durations:expr) => {
            let Durations { n, median_seconds, p75_seconds, p90_seconds, mean_seconds } = $durations;
            $cells.extend([
                (concat!($block, "_n"), n.to_string()),
                (concat!($block, "_median_seconds"), known(median_seconds)),
                (concat!($block, "_p75_seconds"), known(p75_seconds)),
                (concat!($block, "_p90_seconds"), known(p90_seconds)),
                (concat!($block, "_mean_seconds"), known(mean_seconds)),
            ]);
        };
    }
    macro_rules! share {
        ($cells:ident, $block:literal, $share:expr) => {
            let Share { ratio, interval95 } = $share;
            $cells.extend([
                (concat!($block, "_ratio"), known(ratio)),
                (concat!($block, "_interval95_low"), known(interval95.map(|[low, _]| low))),
                (concat!($block, "_interval95_high"), known(interval95.map(|[_, high]| high))),
            ]);
        };
    }
    let (frequency, failure) = (keys.deployment_frequency, keys.change_failure_rate);
    let (recovery, rework) = (keys.failed_deployment_recovery_time, keys.deployment_rework_rate);
    let mut cells = vec![
        ("deployments", frequency.deployments.to_string()),
        ("deployments_per_day", known(frequency.per_day)),
        ("deployment_days", frequency.deployment_days.to_string()),
        ("median_deployment_days_per_week", known(frequency.median_deployment_days_per_week)),
    ];
    durations!(cells, "lead_time_for_changes", keys.lead_time_for_changes);
    cells.push(("change_failure_rate_failed", failure.failed.to_string()));
    share!(cells, "change_failure_rate", failure.share);
    durations!(cells, "failed_deployment_recovery_time", recovery.recovered);
    cells.push(("failed_deployment_recovery_time_open", recovery.open.to_string()));
    cells.push(("deployment_rework_rate_unplanned", rework.unplanned.to_string()));
    share!(cells, "deployment_rework_rate", rework.share);
    durations!(cells, "time_to_restore", keys.time_to_restore);
    durations!(cells, "time_to_detect", keys.time_to_detect);
    cells.extend([
        ("incidents_started", keys.incidents.started.to_string()),
        ("incidents_restored", keys.incidents.restored.to_string()),
        ("incidents_finished", keys.incidents.finished.to_string()),
        ("incidents_open", keys.incidents.open.to_string()),
        ("pipelines_failed", keys.pipelines.failed.to_string()),
    ]);
    share!(cells, "pipelines", keys.pipelines.share);
    cells
}
