//! Every expression of every dashboard and rule, asked of a real Prometheus that has data.

use serde_json::Value;

use crate::prometheus::{Prometheus, project};

/// What Grafana fills in.
const VARIABLES: &[(&str, &str)] = &[
    ("$__range_s", "3600"),
    ("$__range", "1h"),
    ("$__interval", "5m"),
    ("$environment", "production"),
    ("$team", ".*"),
    ("$project", ".*"),
];

pub async fn every_expression_returns_data(prometheus: &Prometheus) {
    let mut asked = 0;
    for file in std::fs::read_dir(project("grafana/dashboards")).unwrap() {
        let file = file.unwrap().path();
        let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let mut expressions = Vec::new();
        collect(&dashboard, &mut expressions);
        // the others ask the service and PostgreSQL: see tests/it/dashboards.rs
        let asks_prometheus = file.file_name().is_some_and(|name| name == "dora.json");
        assert_eq!(expressions.len() > 10, asks_prometheus, "{}: {} expressions", file.display(), expressions.len());
        for expression in expressions {
            let filled = VARIABLES.iter().fold(expression, |text, (name, value)| text.replace(name, value));
            assert!(!filled.contains('$'), "a variable is not known here: {filled}");
            assert!(returns_data(prometheus, &filled).await, "no data: {filled}");
            asked += 1;
        }
    }
    let rules = prometheus.api("rules", &[]).await;
    for group in rules["groups"].as_array().unwrap() {
        for rule in group["rules"].as_array().unwrap() {
            let expression = rule["query"].as_str().unwrap();
            assert_ne!(rule["health"], "err", "{rule}");
            // an alert is silent when all is well; then what it watches must be there
            let watched = [" > ", " == ", " unless "]
                .iter()
                .fold(expression, |text, mark| text.split(mark).next().unwrap_or(text));
            let alert = rule["type"] == "alerting";
            let data = returns_data(prometheus, expression).await;
            assert!(data || (alert && returns_data(prometheus, watched.trim()).await), "no data: {expression}");
            asked += 1;
        }
    }
    println!("{asked} expressions of dashboards and rules return data");
}

fn collect(value: &Value, expressions: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                match (key.as_str(), value) {
                    ("expr", Value::String(text)) => expressions.push(text.clone()),
                    _ => collect(value, expressions),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, expressions)),
        _ => {}
    }
}

async fn returns_data(prometheus: &Prometheus, expression: &str) -> bool {
    // a bar is drawn where it begins and looks ahead from there: now, the one that ends now is asked for
    let query = expression.replace(" offset -5m", "");
    let data = prometheus.api("query", &[("query", query)]).await;
    data["resultType"] == "scalar" || !data["result"].as_array().unwrap().is_empty()
}
