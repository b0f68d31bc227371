//! Medians, as markdown.

use std::fmt::Write as _;
use std::path::Path;

use crate::Options;
use crate::answers;
use crate::deliveries;
use crate::machine::file_system;
use crate::moving;
use crate::replicas;
use crate::series;
use crate::startup;
use crate::store::Databases;
use crate::throughput::{Cell, Request};

/// One line for each request and number of connections: ours, the baseline, and the ratio of the two.
pub fn throughput(databases: &Databases, options: &Options, cells: &[Cell]) -> String {
    let baseline = if options.against.is_some() { "the other build" } else { "group commit off" };
    let mut text = format!("### {}\n\n{}", databases.engine().name(), about(databases));
    let _ = writeln!(
        text,
        "Medians of {} runs of {} s. In brackets: {baseline}.\n\n\
         | request | connections | per second | ratio | p50 ms | p99 ms | CPU us/request | resident MB |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        options.runs, options.seconds,
    );
    for request in Request::ALL {
        for &connections in &options.connections {
            let of = |variant: usize, value: fn(&Cell) -> f64| {
                let mine = cells
                    .iter()
                    .filter(|cell| (cell.request, cell.connections, cell.variant) == (request, connections, variant));
                mine.map(value).collect::<Vec<_>>()
            };
            let both = |value: fn(&Cell) -> f64, digits: usize| {
                format!("{:.digits$} ({:.digits$})", median(of(0, value)), median(of(1, value)))
            };
            // of the two in the same run
            let ratios = of(0, |cell| cell.per_second).into_iter().zip(of(1, |cell| cell.per_second));
            let _ = writeln!(
                text,
                "| {} | {connections} | {} | {:.2} | {} | {} | {} | {} |",
                request.name(),
                both(|cell| cell.per_second, 0),
                median(ratios.map(|(ours, theirs)| ours / theirs).collect()),
                both(|cell| cell.p50_ms, 2),
                both(|cell| cell.p99_ms, 2),
                both(|cell| cell.cpu_micros, 0),
                both(|cell| cell.resident_mb, 1),
            );
        }
    }
    text
}

fn about(databases: &Databases) -> String {
    let Databases::Postgres { version, data, .. } = databases else { return String::new() };
    let kind = file_system(Path::new(data));
    format!("Version {version}, fsync on, {kind}; its own CPU and memory are not counted.\n")
}

pub fn replicas(databases: &Databases, options: &Options, cells: &[Cell]) -> String {
    let arrangements = replicas::arrangements(options);
    let mut text = format!(
        "### Replicas on one PostgreSQL\n\n{}Medians of {} runs of {} s, through HAProxy in turn. The client, the \
         balancer, the replicas and the database share the cores of this machine, so more replicas have no more to \
         compute with. CPU and memory are those of all replicas together. The ratio is to one without a balancer.\n\n\
         | request | connections | replicas | per second | ratio | p50 ms | p99 ms | CPU us/request | resident MB |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
        about(databases),
        options.runs,
        options.seconds,
    );
    for request in Request::ALL {
        for &connections in &options.connections {
            let of = |variant: usize, value: fn(&Cell) -> f64| {
                let mine = cells
                    .iter()
                    .filter(|cell| (cell.request, cell.connections, cell.variant) == (request, connections, variant));
                median(mine.map(value).collect())
            };
            for (variant, arrangement) in arrangements.iter().enumerate() {
                let _ = writeln!(
                    text,
                    "| {} | {connections} | {} | {:.0} | {:.2} | {:.2} | {:.2} | {:.0} | {:.1} |",
                    request.name(),
                    arrangement.name(),
                    of(variant, |cell| cell.per_second),
                    of(variant, |cell| cell.per_second) / of(0, |cell| cell.per_second),
                    of(variant, |cell| cell.p50_ms),
                    of(variant, |cell| cell.p99_ms),
                    of(variant, |cell| cell.cpu_micros),
                    of(variant, |cell| cell.resident_mb),
                );
            }
        }
    }
    text
}

pub fn series(databases: &Databases, all: &[series::Measured]) -> String {
    let mut text = format!(
        "### Many series\n\n{}{} deployments stored, spread over more and more projects.\n\n\
         An export cycle of a server that does nothing else, from its first statement to the collector's last answer: \
         median and slowest of {}, how much of it is sending; requests and MB (gzip) of one cycle; the most that was \
         ever resident.\n\n\
         | projects | series | cycle s | slowest s | sending s | requests | MB sent | peak MB |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
        about(databases),
        all.first().map_or(0, |measured| measured.facts),
        all.first().map_or(0, |measured| measured.cycles.seconds.len()),
    );
    for series::Measured { projects, series, cycles, .. } in all {
        let _ = writeln!(
            text,
            "| {projects} | {series} | {:.3} | {:.3} | {:.3} | {} | {:.2} | {:.0} |",
            median(cycles.seconds.clone()),
            cycles.seconds.last().copied().unwrap_or(f64::NAN),
            median(cycles.sending_seconds.clone()),
            cycles.requests,
            cycles.megabytes,
            cycles.peak_megabytes,
        );
    }
    let _ = writeln!(
        text,
        "\nRequests at {} connections of a server without a collector and without an index in memory. First each project is asked about once, which \
         makes the server learn its series; then they are asked about by chance.\n\n\
         | projects | all once, s | `POST /deployments` per second | p99 ms | `/deployed` per second | p99 ms |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: |",
        series::CONNECTIONS,
    );
    for series::Measured { projects, first_seconds, requests, .. } in all {
        let requests = requests.iter().map(|(per_second, p99)| format!(" {per_second:.0} | {p99:.2} |"));
        let _ = writeln!(text, "| {projects} | {first_seconds:.2} |{}", requests.collect::<String>());
    }
    text
}

pub fn deliveries(options: &Options, cells: &[deliveries::Cell]) -> String {
    let mut text = format!(
        "Signed deliveries of 9 kB to `/webhooks/github`, one run of {} s each, while those before become facts.\n\n\
         | connections | per second | p50 ms | p99 ms | slowest ms | CPU us/request | facts | last one later by s |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
        options.seconds,
    );
    for cell in cells {
        let _ = writeln!(
            text,
            "| {} | {:.0} | {:.2} | {:.2} | {:.2} | {:.0} | {} | {:.1} |",
            cell.connections,
            cell.per_second,
            cell.p50_ms,
            cell.p99_ms,
            cell.slowest_ms,
            cell.cpu_micros,
            cell.answered,
            cell.behind_seconds,
        );
    }
    text
}

pub fn startup(measured: &startup::Measured) -> String {
    let starts = &measured.starts;
    format!(
        "### Start-up with {} facts stored\n\n\
         SQLite, a file of {:.0} MB that is in the page cache; from the start of the process until `/health/ready` \
         answers, {} starts.\n\n\
         | what | |\n| --- | ---: |\n\
         | start-up, median | {:.1} ms |\n| start-up, slowest | {:.1} ms |\n\
         | resident after the start | {:.1} MB |\n| resident after the load below | {:.1} MB |\n\
         | `POST /deployments` at 64 connections | {:.0} per second, p99 {:.2} ms |\n",
        measured.facts,
        megabytes(measured.file_bytes),
        starts.len(),
        starts[starts.len() / 2],
        starts[starts.len() - 1],
        measured.resident_after_start_mb,
        measured.resident_after_load_mb,
        measured.load_per_second,
        measured.load_p99_ms,
    )
}

pub fn answers(measured: &answers::Measured) -> String {
    let mut text = format!(
        "### `GET /dora` with {} deployments stored\n\n\
         SQLite, three years of 50 projects, made in {:.0} s. The index in memory holds {:.0} facts in {:.0} MB \
         ({:.1} bytes each), {:.1} s after the start; resident {:.0} MB. Milliseconds, as a client on this machine \
         sees them: median, and the slowest of {} from memory, {} from the store.\n\n\
         | question | from memory | slowest | from the store | slowest | ratio |\n\
         | --- | ---: | ---: | ---: | ---: | ---: |\n",
        measured.deployments,
        measured.filled_seconds,
        measured.index_facts,
        measured.index_megabytes,
        measured.index_megabytes * 1e6 / measured.index_facts,
        measured.ready_seconds,
        measured.resident_megabytes,
        measured.answers.first().map_or(0, |answered| answered.memory.len()),
        measured.answers.first().map_or(0, |answered| answered.store.len()),
    );
    for answered in &measured.answers {
        let slowest = |times: &[f64]| times.last().copied().unwrap_or(f64::NAN);
        let (memory, store) = (median(answered.memory.clone()), median(answered.store.clone()));
        let _ = writeln!(
            text,
            "| {} | {memory:.2} | {:.2} | {store:.1} | {:.1} | {:.0} |",
            answered.question,
            slowest(&answered.memory),
            slowest(&answered.store),
            store / memory,
        );
    }
    text
}

pub fn moving(all: &[moving::Measured]) -> String {
    let mut text = String::new();
    if all.is_empty() {
        return text;
    }
    text.push_str(
        "### Moving a store from SQLite to PostgreSQL\n\n\
         `em-metrics migrate-store` of deployments with their journal and totals, compared at the end: at once, and with \
         `--ahead` first, where only the rest is a pause.\n\n\
         | deployments | file MB | at once, s | ahead, s | the rest, s | most memory MB |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for measured in all {
        let _ = writeln!(
            text,
            "| {} | {:.0} | {:.1} | {:.1} | {:.1} | {:.0} |",
            measured.deployments,
            megabytes(measured.file_bytes),
            measured.seconds,
            measured.ahead_seconds,
            measured.rest_seconds,
            measured.peak_megabytes,
        );
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "shown without decimals")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.as_slice() {
        [] => f64::NAN,
        odd if odd.len() % 2 == 1 => odd[middle],
        even => f64::midpoint(even[middle - 1], even[middle]),
    }
}
