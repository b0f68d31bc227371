//! The part of `--help` that clap cannot know: examples, exit codes, the environment.

use std::fmt::Write as _;

use crate::config::VARIABLES;

pub(super) const SHORT: &str = "Examples, exit codes and the environment variables: em-metrics --help";

/// Each must parse (there is a test).
pub(super) const EXAMPLES: &[(&str, &str)] = &[
    ("em-metrics", "serve on port 3000, facts in ./em-metrics.db"),
    ("em-metrics demo --deployments 2000", "half a year of made-up facts, to look around in"),
    ("em-metrics config check --file config.json", "is this file all right? then what would be in force"),
    ("em-metrics deployment start 42 --project shop --first-commit-from-git", "a pipeline's first step"),
    ("em-metrics deployment deployed 42 --project shop --best-effort", "its last step, which never fails it"),
    ("em-metrics incident open --project shop --deployment 42 --title 'no checkout'", "something broke"),
    ("em-metrics incident restored incident_shop_1", "it works again"),
    ("em-metrics incident list --type in-progress", "what is broken now"),
    ("em-metrics import history.ndjson --dry-run", "what would become of these facts? without it, take them in"),
    ("em-metrics import deployments.csv.gz --kind deployment --resume", "a table; on where it was interrupted"),
    ("em-metrics export --project shop -o facts.ndjson", "all facts of a project, as import reads them"),
    ("em-metrics export --format openmetrics -o past.txt", "for promtool tsdb create-blocks-from openmetrics"),
    (
        "em-metrics migrate-store --from sqlite:em-metrics.db --to postgres://u@db/m",
        "all of it, when the service has stopped",
    ),
    ("em-metrics webhook guide github", "where to click to have GitHub tell of deployments"),
    ("em-metrics webhook test github --secret s3cret-of-mine", "is it set up here? what would become of a delivery?"),
    ("em-metrics backfill github --project acme/shop --since 90d", "read there what no webhook has told"),
    ("em-metrics report --format html --since 7d --tz Europe/Berlin", "the week in numbers, and what has changed"),
];

const EXIT_CODES: &str = "\
Exit codes:
  0  done (with --best-effort: always)
  1  it was refused, or failed; stderr says why
  2  the command line is wrong
  3  the service cannot be reached, or cannot answer now
  130  interrupted
";

pub(super) fn long() -> String {
    let mut text = "Examples:\n".to_owned();
    for (command, meaning) in EXAMPLES {
        let _ = writeln!(text, "  {command}\n      {meaning}");
    }
    let _ = write!(text, "\n{EXIT_CODES}\n{}", environment());
    text
}

/// The variables that the service reads.
pub(super) fn environment() -> String {
    let mut text = "Environment of the service; <NAME>_FILE instead of a name with a * reads it from a file.\n\
                    All but CONFIG are also keys of the file (em-metrics config example), and win over it.\n"
        .to_owned();
    for variable in VARIABLES.iter().filter(|variable| !is_of_one_signal(variable.name)) {
        let name = format!("{}{}", variable.name, if variable.is_secret() { " *" } else { "" });
        let doc = variable.doc.replace('`', "");
        let default = if variable.default.is_empty() { String::new() } else { format!(" [{}]", variable.default) };
        let _ = writeln!(text, "  {name:<34} {doc}{default}");
    }
    text.push_str(
        "  The OTEL_EXPORTER_OTLP_ ones also as OTEL_EXPORTER_OTLP_METRICS_ and OTEL_EXPORTER_OTLP_TRACES_.\n",
    );
    text.push_str(
        "\nEnvironment of the commands that talk to a service:\n  \
         EM_METRICS_URL                     Where the service is [http://127.0.0.1:3000]\n  \
         EM_METRICS_TOKEN                   The token to send",
    );
    text
}

/// The forms that repeat a variable for metrics or traces alone.
pub(super) fn is_of_one_signal(name: &str) -> bool {
    ["OTEL_EXPORTER_OTLP_METRICS_", "OTEL_EXPORTER_OTLP_TRACES_"].iter().any(|prefix| name.starts_with(prefix))
}
