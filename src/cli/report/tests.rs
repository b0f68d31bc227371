use serde_json::json;

use super::model::{Count, Fact, StandsOut, Window};
use super::*;

/// What somebody may call a project who means no good.
const HOSTILE: &str = "a|b`<script>alert('1')</script> [x](http://evil) **&amp;** \"q\" _u_ #1 @all\\";

fn window(n: u64, value: Option<f64>, enough: bool) -> Window {
    Window { from: "2026-06-01T00:00:00Z".to_owned(), to: "2026-06-08T00:00:00Z".to_owned(), n, value, enough }
}

fn report() -> Report {
    let trend = |measured: &str, this: Window, verdict: &str, better| Trend {
        measured: measured.to_owned(),
        difference: this.value.map(|value| value - 0.5),
        this,
        before: window(6, Some(0.5), true),
        relative_difference: Some(0.5),
        verdict: verdict.to_owned(),
        better,
        stands_out: better.map(|_| StandsOut { of: 7, better: 0, worse: 2, jumps: 0, lasting: false }),
        reason: format!("because of {HOSTILE}"),
    };
    let fact = |id: &str, seconds, counts_as: &str| Fact {
        kind: "deployment".to_owned(),
        project_id: HOSTILE.to_owned(),
        id: id.to_owned(),
        at: "2026-06-09T10:00:00Z".to_owned(),
        counts_as: vec!["deployments".to_owned(), counts_as.to_owned()],
        detail: "an incident is linked".to_owned(),
        seconds,
        link: "/deployments/1".to_owned(),
    };
    let explanation = |facts| Explanation { formula: "a / b".to_owned(), counted: 3, left_out: 1, facts };
    let number = |metric, trend, facts| Number::new(metric, trend, explanation(facts), 2);
    Report {
        from: "2026-06-08T00:00:00Z".to_owned(),
        to: "2026-06-15T00:00:00Z".to_owned(),
        before_from: "2026-06-01T00:00:00Z".to_owned(),
        tz: "UTC".to_owned(),
        environments: Some(vec!["production".to_owned()]),
        projects: Some(vec![HOSTILE.to_owned()]),
        teams: None,
        counts: vec![Count { what: "deployments", this: 9, before: 6 }],
        numbers: vec![
            number(
                Metric::LeadTimeForChanges,
                trend("median_seconds", window(9, Some(7500.0), true), "signal", Some(false)),
                vec![fact("1", Some(60.0), "n"), fact("2", Some(3600.0), "n"), fact("3", Some(120.0), "n")],
            ),
            number(
                Metric::ChangeFailureRate,
                trend("ratio", window(9, Some(0.125), false), "not_enough_data", None),
                vec![fact("4", None, "failed"), fact("5", None, "x")],
            ),
        ],
        incidents: vec![Incident {
            project_id: "shop".to_owned(),
            id: "a".to_owned(),
            title: Some(format!("{HOSTILE}\nsecond line")),
            severity: None,
            deployment_id: Some("4".to_owned()),
            started_at: "2026-06-09T11:00:00Z".to_owned(),
            restored_at: None,
            time_to_restore_seconds: None,
        }],
    }
}

#[test]
fn the_facts_that_say_most_are_shown() {
    let report = report();
    let ids = |n: usize| report.numbers[n].facts.iter().map(|fact| fact.id.as_str()).collect::<Vec<_>>();
    assert_eq!((ids(0), ids(1)), (vec!["2", "3"], vec!["4"]));
}

#[test]
fn markdown_keeps_its_shape_whatever_things_are_called() {
    let text = markdown::render(&report());
    assert!(
        !text.contains('<') && !text.contains("http://") && !text.contains("x](") && !text.contains(" @all"),
        "{text}"
    );
    let bars = |line: &str| line.replace("\\\\", "").replace("\\|", "").matches('|').count();
    for (table, columns) in [("deployments", 3), ("Change lead time", 7), ("deployment 2", 5)] {
        let row = text.lines().find(|line| line.starts_with(&format!("| {table}"))).unwrap();
        assert_eq!(bars(row), columns + 1, "{row}");
    }
    insta::assert_snapshot!(text.lines().skip(4).take(8).collect::<Vec<_>>().join("\n"), @r"
    | | this time | before |
    | --- | ---: | ---: |
    | deployments | 9 | 6 |

    | | this time | n | before | n | change | verdict |
    | --- | ---: | ---: | ---: | ---: | ---: | --- |
    | Change lead time, median | 2 h 5 min | 9 | under 1 s | 6 | 50 % more | signal: worse on 2 of 7 |
    | Change fail rate | not enough data | 9 | 50 % | 6 | 37.5 points less | not enough data |
    ");
}

#[test]
fn html_runs_nothing_and_asks_for_nothing() {
    let text = html::render(&report());
    for bad in ["<script", "<img", "<link", "src=", "href=", "'1'", "\"q\""] {
        assert!(!text.contains(bad), "{bad}: {text}");
    }
    assert!(text.contains("a|b`&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;"), "{text}");
    let count = |tag: &str| (text.matches(&format!("<{tag}")).count(), text.matches(&format!("</{tag}>")).count());
    for tag in ["table", "tr", "td", "h2", "p>", "p "] {
        let (open, closed) = count(tag);
        assert!(tag.starts_with('p') || open == closed, "{tag}: {open} {closed}");
    }
    assert!(text.contains("<td class=\"signal\">signal: worse on 2 of 7</td>") && text.contains("not enough data"));
    assert!(text.contains("Content-Security-Policy") && text.ends_with("</html>\n"));
}

#[test]
fn how_far_back_is_a_length_or_a_date() {
    assert_eq!(length("12h"), Some(12 * 3_600_000_000));
    assert_eq!([length("7d"), length("1w")], [Some(7 * 24 * 3_600_000_000); 2]);
    assert_eq!([length("2026-06-08"), length("d"), length("-1d"), length("7")], [None; 4]);
    let of = |from: &str| interval(&json!({"from": from, "to": "2026-06-15T00:00:00Z"}));
    let found = ["2026-06-08T00:00:00Z", "2026-03-15T00:00:00Z", "2024-06-15T00:00:00Z"].map(of);
    assert_eq!(found, ["day", "week", "month"]);
}
