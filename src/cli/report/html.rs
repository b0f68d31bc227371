//! A report as one HTML file that asks for nothing else and runs nothing.

use std::fmt::Write as _;

use super::model::{Number, Report};
use super::words;

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid #8886 }
td.n { text-align: right; white-space: nowrap }
.signal { font-weight: 600 }
p.about, td.quiet { opacity: .75 }
</style>
"#;

pub(super) fn render(report: &Report) -> String {
    let title = safe(&words::title(report));
    let mut text = format!("{HEAD}<title>{title}</title>\n</head>\n<body>\n<h1>{title}</h1>\n");
    let _ = writeln!(text, "<p class=\"about\">{}</p>", safe(&words::about(report)));
    table(&mut text, &["", "this time", "before"]);
    for count in &report.counts {
        let what = safe(count.what);
        let _ = writeln!(
            text,
            "<tr><th scope=\"row\">{what}</th><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            count.this, count.before
        );
    }
    text.push_str("</table>\n");
    table(&mut text, &["", "this time", "n", "before", "n", "change", "verdict"]);
    report.numbers.iter().for_each(|number| row(&mut text, number));
    text.push_str("</table>\n<h2>Incidents</h2>\n");
    if report.incidents.is_empty() {
        text.push_str("<p>None began, and none is open.</p>\n");
    } else {
        table(&mut text, &["", "project", "began", "deployment", ""]);
        for incident in &report.incidents {
            let title = incident.title.as_deref().unwrap_or(&incident.id);
            let cause = incident.deployment_id.as_deref().unwrap_or_default();
            let cells = [title, &incident.project_id, &incident.started_at, cause, &words::outcome(incident)];
            let _ = writeln!(text, "<tr>{}</tr>", cells.map(|cell| format!("<td>{}</td>", safe(cell))).concat());
        }
        text.push_str("</table>\n");
    }
    report.numbers.iter().for_each(|number| behind(&mut text, number));
    text.push_str("</body>\n</html>\n");
    text
}

fn table(text: &mut String, columns: &[&str]) {
    let cells: Vec<_> = columns.iter().map(|column| format!("<th scope=\"col\">{}</th>", safe(column))).collect();
    let _ = writeln!(text, "<table>\n<tr>{}</tr>", cells.concat());
}

fn row(text: &mut String, number: &Number) {
    let trend = &number.trend;
    let _ = write!(text, "<tr><th scope=\"row\">{}</th>", safe(&words::name(number)));
    for window in [&trend.this, &trend.before] {
        let value = safe(&words::value(number.metric, window));
        let _ = write!(text, "<td class=\"n\">{value}</td><td class=\"n\">{}</td>", window.n);
    }
    let class = if trend.verdict == "signal" { "signal" } else { "quiet" };
    let (change, verdict) = (safe(&words::change(number)), safe(&words::verdict(trend)));
    let _ = writeln!(text, "<td class=\"n\">{change}</td><td class=\"{class}\">{verdict}</td></tr>");
}

/// A number's reason and its facts.
fn behind(text: &mut String, number: &Number) {
    let _ = writeln!(text, "<h2>{}</h2>\n<p>{}</p>", safe(&words::name(number)), safe(&number.trend.reason));
    let _ = writeln!(text, "<p class=\"about\">{}</p>", safe(&number.formula));
    let _ = writeln!(text, "<p>{}</p>", safe(&words::selection(number)));
    if number.facts.is_empty() {
        return;
    }
    table(text, &["", "project", "at", "", "why"]);
    for fact in &number.facts {
        let name = format!("{} {}", fact.kind, fact.id);
        let cells = [&name, &fact.project_id, &fact.at, &words::weight(fact), &fact.detail];
        let _ = writeln!(text, "<tr>{}</tr>", cells.map(|cell| format!("<td>{}</td>", safe(cell))).concat());
    }
    text.push_str("</table>\n");
}

pub(super) fn safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}
