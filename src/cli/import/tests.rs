use std::collections::BTreeSet;
use std::io::Read;

use serde_json::{Value, json};

use super::parts::Part;
use super::records::{LONGEST, Lines, Record};
use super::source::Source;
use super::state::{self, State};
use super::table::{Reading, Table};
use super::tally::{Report, Tally};
use super::*;

fn reader(text: &str) -> Box<dyn Read + Send + '_> {
    Box::new(text.as_bytes())
}

/// Line, kind and what is sent; or the pointer and the reason.
fn told(records: impl Iterator<Item = std::io::Result<Record>>) -> Vec<(u64, Kind, Result<Value, String>)> {
    let told = |record: Record| {
        let json = record.json.map(|json| serde_json::from_slice(&json).unwrap_or(Value::Null));
        (record.line, record.kind, json.map_err(|fault| format!("{}: {}", fault.pointer, fault.detail)))
    };
    records.map(|record| told(record.unwrap())).collect()
}

fn rows(text: &str, reading: Reading) -> Vec<(u64, Kind, Result<Value, String>)> {
    told(Table::new(reader(text), reading).unwrap())
}

fn wrong_header(text: &str, reading: Reading) -> String {
    Table::new(reader(text), reading).err().map(|error| format!("{error:#}")).unwrap_or_default()
}

#[test]
fn lines_keep_their_numbers_and_what_cannot_be_read_is_left_to_the_service() {
    let long = format!("{{\"kind\": \"incident\", \"title\": \"{}\"}}", "x".repeat(LONGEST));
    let text = format!("\u{feff}{{\"kind\": \"incident\"}}\r\n\n  \n{{\"id\": 1}}\n{long}\nnonsense\n{{\"kind\": \"i");
    assert_eq!(
        told(Lines::new(reader(&text))),
        [
            (1, Kind::Incident, Ok(json!({"kind": "incident"}))),
            (4, Kind::Deployment, Ok(json!({"id": 1}))),
            (5, Kind::Deployment, Err(": the line is longer than 65536 bytes".to_owned())),
            (6, Kind::Deployment, Ok(Value::Null)),
            (7, Kind::Deployment, Ok(Value::Null)),
        ]
    );
}

#[test]
fn of_a_table_what_is_empty_is_not_said_or_removed() {
    let text = "\u{feff}project_id,id, version ,unplanned\r\nshop,1,,true\r\n\r\nshop,\"a\nb\",2,yes\r\n\n\nshop,3\r\n";
    let reading = Reading { kind: Some(Kind::Deployment), ..Reading::default() };
    let first = json!({"kind": "deployment", "project_id": "shop", "id": "1", "unplanned": true});
    let found = rows(text, reading);
    assert_eq!(found[0], (2, Kind::Deployment, Ok(first.clone())));
    let second = json!({"kind": "deployment", "project_id": "shop", "id": "a\nb", "version": "2", "unplanned": "yes"});
    assert_eq!(found[1], (4, Kind::Deployment, Ok(second)));
    assert_eq!((found.len(), found[2].0), (3, 8), "the quoted line break counts, and empty lines do");
    assert_eq!(found[2].2, Err(": the row has 2 cells, and the header has 4".to_owned()));
    let mut removed = first;
    removed["version"] = Value::Null;
    assert_eq!(rows(text, Reading { empty_is_null: true, ..reading })[0].2, Ok(removed));
}

#[test]
fn a_table_says_of_what_kind_its_rows_are() {
    let text = "kind,project_id,id\nincident,shop,1\n,shop,2\npod,shop,3\n";
    let kinds = |reading| rows(text, reading).into_iter().map(|(_, kind, json)| (kind, json.unwrap()["kind"].clone()));
    let silent: Vec<_> = kinds(Reading::default()).collect();
    assert_eq!(silent[..2], [(Kind::Incident, json!("incident")), (Kind::Deployment, Value::Null)]);
    let told: Vec<_> = kinds(Reading { kind: Some(Kind::Incident), ..Reading::default() }).collect();
    assert_eq!(told[1..], [(Kind::Incident, json!("incident")), (Kind::Deployment, json!("pod"))]);
    assert!(wrong_header("project_id,id\n", Reading::default()).contains("--kind"));
}

#[test]
fn a_wrong_header_is_told_before_anything_is_sent() {
    let reading = Reading { kind: Some(Kind::Deployment), ..Reading::default() };
    assert!(wrong_header("project_id,id,deployd_at\n", reading).contains("did you mean deployed_at?"));
    assert!(wrong_header("project_id,id,ticket\n", reading).contains("\"ticket\"; --ignore-unknown"));
    assert!(wrong_header("project_id,version\n", reading).contains("no column id"));
    assert!(wrong_header("project_id,id,id\n", reading).contains("twice"));
    assert!(wrong_header("", reading).contains("no column project_id"));
    let lenient = Reading { ignore_unknown: true, ..reading };
    let kept = json!({"kind": "deployment", "project_id": "shop", "id": "1"});
    assert_eq!(rows("project_id,ticket,id\nshop,x,1\n", lenient)[0].2, Ok(kept));
}

#[test]
fn an_open_quotation_mark_swallows_no_file_silently() {
    let text = format!("project_id,id\nshop,\"1\n{}", "shop,2\n".repeat(LONGEST));
    let reading = Reading { kind: Some(Kind::Deployment), ..Reading::default() };
    let found = rows(&text, reading);
    assert_eq!((found.len(), found[0].0), (1, 2));
    assert!(found[0].2.as_ref().unwrap_err().contains("quotation mark"));
}

#[test]
fn a_part_knows_which_lines_of_the_file_it_has() {
    let mut part = Part::default();
    for (number, json) in [(3, "{}"), (7, "{\"a\": 1}"), (9, "[]")] {
        part.push(number, json.as_bytes());
    }
    assert_eq!([0, 1, 3, 4].map(|n| part.number(n)), [None, Some(3), Some(9), None]);
    let rest = part.without(&BTreeSet::from([3, 9]));
    assert_eq!((rest.len(), rest.number(1)), (1, Some(7)));
    let mut text = String::new();
    flate2::read::GzDecoder::new(rest.gzipped().unwrap().as_slice()).read_to_string(&mut text).unwrap();
    assert_eq!(text, "{\"a\": 1}\n");
}

#[test]
fn both_answers_of_the_service_are_understood() {
    let fault = |pointer: &str| Fault { pointer: pointer.to_owned(), detail: "no".to_owned() };
    let taken = json!({
        "lines": 3, "created": 1, "changed": 0, "unchanged": 1, "refused": 1, "dry_run": false,
        "errors": [{"line": 2, "pointer": "/id", "detail": "no"}],
    });
    let tally = Tally { lines: 3, created: 1, unchanged: 1, refused: 1, ..Tally::default() };
    assert_eq!(Report::read(taken, 3), Some(Report { tally, faults: vec![(2, fault("/id"))] }));
    let refused = json!({
        "type": "/problems/import-refused", "title": "no",
        "errors": [{"pointer": "/1", "detail": "no"}, {"pointer": "/2/id", "detail": "no"}],
    });
    let tally = Tally { lines: 2, refused: 2, ..Tally::default() };
    assert_eq!(Report::read(refused, 2), Some(Report { tally, faults: vec![(1, fault("")), (2, fault("/id"))] }));
    assert_eq!(Report::read(json!({"type": "/problems/else"}), 2), None);
    assert_eq!(Report::read(json!(["welcome"]), 2), None);
}

#[test]
fn only_the_same_file_and_service_are_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("facts.ndjson");
    let identity = |text: &str| {
        std::fs::write(&file, text).unwrap();
        Source::file(&file).unwrap().file.unwrap().1
    };
    let path = state::beside(&file);
    let input = identity("{}");
    let load = |service: &str, input: &source::Identity| {
        State::load(&path, service, input).map_err(|error| format!("{error:#}"))
    };
    assert_eq!(load("http://a/", &input), Ok(None));
    let state =
        State { service: "http://a/".to_owned(), input, kind: Kind::Incident, line: 7, tally: Tally::default() };
    state.save(&path).unwrap();
    assert_eq!(load("http://a/", &state.input), Ok(Some(state.clone())));
    assert!(load("http://b/", &state.input).unwrap_err().contains("http://a/"));
    assert!(load("http://a/", &identity("{} ")).unwrap_err().contains("has changed"));
    std::fs::write(&path, "{").unwrap();
    assert!(load("http://a/", &state.input).unwrap_err().contains("start afresh"));
}

#[test]
fn the_ending_says_the_format() {
    let format = |name: &str| source::format_of(std::path::Path::new(name)).ok();
    assert_eq!(format("a/facts.NDJSON.gz"), Some(Format::Ndjson));
    assert_eq!([format("a.jsonl"), format("a.csv"), format("csv")], [Some(Format::Ndjson), Some(Format::Csv), None]);
}
