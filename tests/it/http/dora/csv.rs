//! `GET /dora.csv`

use serde_json::{Value, json};

use super::{deployed, dora, incident, tell};
use crate::app::Answer;
use crate::engine::Engine;

on_each_engine! {
    a_row_for_each_part_says_what_the_json_says,
    with_groups_there_is_a_row_for_each_group_and_part,
    no_name_is_taken_for_a_formula,
    it_can_be_asked_for_by_media_type,
}

/// The header and the rows. No cell of these tests has a comma in it.
fn rows(text: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    (lines.next().unwrap(), lines.collect())
}

/// The cell of a column that is made of these names of the JSON.
fn of_json<'a>(part: &'a Value, column: &str) -> &'a Value {
    match column {
        "deployments" => &part["deployment_frequency"]["deployments"],
        "deployments_per_day" => &part["deployment_frequency"]["per_day"],
        "deployment_days" | "median_deployment_days_per_week" => &part["deployment_frequency"][column],
        "start" | "end" => &part[column],
        _ => {
            let (block, value) =
                part.as_object().unwrap().iter().find(|(block, _)| column.starts_with(*block)).unwrap();
            match column[block.len()..].trim_start_matches('_') {
                "interval95_low" => &value["interval95"][0],
                "interval95_high" => &value["interval95"][1],
                field => &value[field],
            }
        }
    }
}

async fn a_row_for_each_part_says_what_the_json_says(engine: Engine) {
    let app = engine.app().await;
    tell(
        &app,
        [
            deployed("1", "2026-06-02T10:00:00Z", json!({})),
            deployed("2", "2026-06-02T12:00:00.123456Z", json!({"unplanned": true})),
            deployed("3", "2026-06-09T12:00:00Z", json!({})),
            incident("a", "2026-06-02T12:30:00Z", json!({"deployment_id": "2", "restored_at": "2026-06-02T13:30:00Z"})),
        ],
    )
    .await;
    let query = "from=2026-06-01&to=2026-06-15&interval=week";
    let answer = app.get(&format!("/dora.csv?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.header("content-type").starts_with("text/csv"));
    let (header, rows) = rows(&answer.text);
    assert_eq!(header.len(), 43);
    let json = dora(&app, query).await;
    let series = json["series"].as_array().unwrap();
    assert_eq!(rows.len(), series.len());
    for (row, part) in rows.iter().zip(series) {
        for (column, cell) in header.iter().zip(row) {
            let expected = of_json(part, column);
            let same = match expected {
                Value::Null => cell.is_empty(),
                Value::String(text) => cell == text,
                // serde_json reads the last digit of a fraction a little wrong
                number => (cell.parse::<f64>().unwrap() - number.as_f64().unwrap()).abs() < 1e-12,
            };
            assert!(same, "{column}: {cell:?} instead of {expected}");
        }
    }
    let whole = app.get("/dora.csv?from=2026-06-01&to=2026-06-15").await;
    assert_eq!(whole.text.lines().count(), 2, "one part: the window");
}

async fn with_groups_there_is_a_row_for_each_group_and_part(engine: Engine) {
    let app = engine.app().await;
    tell(
        &app,
        [
            deployed("1", "2026-06-02T10:00:00Z", json!({"project_id": "a \"quoted\", name"})),
            deployed("2", "2026-06-09T10:00:00Z", json!({})),
        ],
    )
    .await;
    let answer = app.get("/dora.csv?from=2026-06-01&to=2026-06-15&interval=week&group_by=project").await;
    let starts: Vec<_> = answer.text.lines().map(|line| line.split(",0.").next().unwrap()).collect();
    assert!(starts[0].starts_with("start,end,project,deployments,"));
    assert!(starts[1].starts_with("2026-06-01T00:00:00Z,2026-06-08T00:00:00Z,\"a \"\"quoted\"\", name\",1"));
    assert!(starts[2].starts_with("2026-06-08T00:00:00Z,2026-06-15T00:00:00Z,\"a \"\"quoted\"\", name\",0"));
    assert!(starts[3].starts_with("2026-06-01T00:00:00Z,2026-06-08T00:00:00Z,shop,0"));
    assert!(starts[4].starts_with("2026-06-08T00:00:00Z,2026-06-15T00:00:00Z,shop,1"));
    assert_eq!(starts.len(), 5);
}

async fn no_name_is_taken_for_a_formula(engine: Engine) {
    let app = engine.app().await;
    tell(&app, [deployed("1", "2026-06-10T10:00:00Z", json!({"project_id": "=cmd|x"}))]).await;
    let table = app.get("/dora.csv?from=2026-06-01&to=2026-06-15&group_by=project").await.text;
    assert!(table.contains("2026-06-15T00:00:00Z,'=cmd|x,1,"), "{table}");
}

async fn it_can_be_asked_for_by_media_type(engine: Engine) {
    let app = engine.app().await;
    let table = app.get("/dora.csv").await.text;
    for (accept, csv) in [
        ("text/csv", true),
        ("text/csv;q=0.9, text/plain", true),
        ("text/csv, application/json", false),
        ("*/*", false),
    ] {
        let request = app.request(reqwest::Method::GET, "/dora").header("accept", accept);
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.text == table, csv, "{accept}");
        assert!(answer.header("vary").contains("accept"), "{}", answer.header("vary"));
    }
}
