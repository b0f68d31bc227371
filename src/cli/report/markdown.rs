//! A report as Markdown that stands on its own.

use std::fmt::Write as _;

use super::model::Report;
use super::words;

pub(super) fn render(report: &Report) -> String {
    let mut text = format!("# {}\n\n{}\n\n", safe(&words::title(report)), safe(&words::about(report)));
    text.push_str("| | this time | before |\n| --- | ---: | ---: |\n");
    for count in &report.counts {
        let _ = writeln!(text, "| {} | {} | {} |", safe(count.what), count.this, count.before);
    }
    text.push_str(
        "\n| | this time | n | before | n | change | verdict |\n| --- | ---: | ---: | ---: | ---: | ---: | --- |\n",
    );
    for number in &report.numbers {
        let trend = &number.trend;
        let cells = [
            words::name(number),
            words::value(number.metric, &trend.this),
            trend.this.n.to_string(),
            words::value(number.metric, &trend.before),
            trend.before.n.to_string(),
            words::change(number),
            words::verdict(trend),
        ];
        let _ = writeln!(text, "| {} |", cells.map(|cell| safe(&cell)).join(" | "));
    }
    text.push_str("\n## Incidents\n\n");
    if report.incidents.is_empty() {
        text.push_str("None began, and none is open.\n");
    }
    for incident in &report.incidents {
        let title = incident.title.as_deref().unwrap_or(&incident.id);
        let cause = incident.deployment_id.as_ref().map(|id| format!(", deployment {id}")).unwrap_or_default();
        let outcome = words::outcome(incident);
        let line = format!("{} ({}, {}{cause}): {outcome}", title, incident.project_id, incident.started_at);
        let _ = writeln!(text, "* {}", safe(&line));
    }
    for number in &report.numbers {
        let _ = write!(text, "\n## {}\n\n{}\n\n", safe(&words::name(number)), safe(&number.trend.reason));
        let _ = writeln!(text, "{}", safe(&words::selection(number)));
        if !number.facts.is_empty() {
            text.push_str("\n| | project | at | | why |\n| --- | --- | --- | ---: | --- |\n");
        }
        for fact in &number.facts {
            let cells = [
                format!("{} {}", fact.kind, fact.id),
                fact.project_id.clone(),
                fact.at.clone(),
                words::weight(fact),
                fact.detail.clone(),
            ];
            let _ = writeln!(text, "| {} |", cells.map(|cell| safe(&cell)).join(" | "));
        }
    }
    text
}

/// Text that stays what it is, wherever it stands: no table, link, mark-up or line of its own.
pub(super) fn safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            // addresses and people are not to be linked either
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '!' | '|' | '~' | '$' | '@' => {
                safe.push('\\');
                safe.push(c);
            }
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe.replace("://", "\\://").replace("www.", "www\\.")
}
