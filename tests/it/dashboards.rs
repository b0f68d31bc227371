//! What Grafana's dashboards ask: every address of the service, and every SQL of PostgreSQL by a role that may read the
//! views only. Prometheus' dashboard has its test among those with real engines.

use em_metrics::domain::Timestamp;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

use crate::app::{App, NOW};
use crate::engine::Engine;

on_each_engine! {
    every_address_returns_rows,
}

fn dashboard(name: &str) -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("grafana/dashboards").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// All targets of all panels, with the titles of these.
fn targets(dashboard: &Value) -> Vec<(String, &Value)> {
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| {
        let title = panel["title"].as_str().unwrap();
        panel["targets"].as_array().unwrap().iter().map(move |target| (title.to_owned(), target))
    });
    targets.collect()
}

/// The text with these variables, as Grafana fills them in; there are no others.
fn filled(text: &str, variables: &[(&str, &str)]) -> String {
    let filled = variables.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    assert!(!filled.contains('$'), "a variable is not known here: {filled}");
    filled
}

/// Some weeks of deployments, a few of which fail in use.
async fn weeks(app: &App) {
    let now = NOW.parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    for day in 0..180 {
        let at = now - chrono::Duration::days(day) - chrono::Duration::hours(3);
        let body = json!({
            "id": day.to_string(), "project_id": if day % 3 == 0 { "cart" } else { "shop" }, "team_id": "red",
            "first_commit_at": at - chrono::Duration::hours(2 + (day * day) % 7), "deployed_at": at,
        });
        app.post("/deployments", body.clone()).await.expect(201);
        if day % 6 == 1 {
            let started_at = at + chrono::Duration::minutes(20);
            let restored_at = started_at + chrono::Duration::minutes(30 + day);
            let body = json!({
                "id": day.to_string(), "project_id": body["project_id"], "deployment_id": body["id"], "severity": "2",
                "title": "slow", "started_at": started_at, "restored_at": restored_at,
            });
            app.post("/incidents", body).await.expect(201);
        }
    }
}

/// What a selector with dots finds.
fn select<'a>(value: &'a Value, selector: &str) -> &'a Value {
    selector.split('.').filter(|part| !part.is_empty()).fold(value, |value, part| &value[part])
}

async fn every_address_returns_rows(engine: Engine) {
    let app = engine.app().await;
    weeks(&app).await;
    let dashboard = dashboard("dora-answers.json");
    let targets = targets(&dashboard);
    assert!(targets.len() > 10, "hardly any target");
    let options = |variable: &str| {
        let list = dashboard["templating"]["list"].as_array().unwrap();
        let found = list.iter().find(|entry| entry["name"] == variable).unwrap();
        let options = found["options"].as_array().unwrap().iter();
        options.map(|option| option["value"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // by default, with everything filled in, and every choice of a list
    let mut choices = vec![("", "", "", "week".to_owned(), "lead_time_for_changes".to_owned())];
    for (interval, metric) in options("interval").into_iter().map(|interval| (interval, "incidents".to_owned())) {
        choices.push(("production", "shop", "red", interval, metric));
    }
    choices.extend(options("metric").into_iter().map(|metric| ("", "shop", "", "week".to_owned(), metric)));
    for (environment, project, team, interval, metric) in &choices {
        let variables = [
            ("${__from:date:iso}", "2026-03-17T12:00:00.000Z"),
            ("${__to:date:iso}", "2026-06-15T12:00:00.000Z"),
            ("${environment}", environment),
            ("${project}", project),
            ("${team}", team),
            ("${zone}", "UTC"),
            ("${interval}", interval),
            ("${metric}", metric),
        ];
        for (title, target) in &targets {
            assert_eq!(
                (&target["type"], &target["source"], &target["parser"]),
                (&json!("json"), &json!("url"), &json!("backend"))
            );
            let parameters = target["url_options"]["params"].as_array().unwrap().iter().map(|parameter| {
                (parameter["key"].as_str().unwrap(), filled(parameter["value"].as_str().unwrap(), &variables))
            });
            let path = target["url"].as_str().unwrap();
            let request = app.request(reqwest::Method::GET, path).query(&parameters.collect::<Vec<_>>());
            let answer = crate::app::Answer::of(request).await.expect(200);
            let found = select(&answer, target["root_selector"].as_str().unwrap());
            let rows = found.as_array().cloned().unwrap_or_else(|| vec![found.clone()]);
            assert!(!rows.is_empty(), "{title}: no rows of {path}");
            for column in target["columns"].as_array().unwrap() {
                let selector = column["selector"].as_str().unwrap();
                let is_there = |row: &&Value| {
                    let (parent, field) = selector.rsplit_once('.').unwrap_or(("", selector));
                    select(row, parent).get(field).is_some()
                };
                assert_eq!(rows.iter().filter(is_there).count(), rows.len(), "{title}: {selector} of {path}");
                let values = || rows.iter().map(|row| select(row, selector)).filter(|value| !value.is_null());
                let fits = |value: &Value| match column["type"].as_str().unwrap() {
                    "number" => value.is_number(),
                    "boolean" => value.is_boolean(),
                    "timestamp" => value.as_str().is_some_and(|text| Timestamp::parse(text).is_ok()),
                    "string" => value.is_string(),
                    other => panic!("{other}"),
                };
                assert!(values().all(fits), "{title}: {selector}");
                // which way is better is not known of noise, and few values make no median
                let may_be_unknown =
                    selector == "better" || !environment.is_empty() || metric != "lead_time_for_changes";
                assert!(may_be_unknown || values().next().is_some(), "{title}: {selector} is never known");
            }
        }
    }
}

/// As Grafana's PostgreSQL data source expands its macros.
fn expanded(sql: &str) -> String {
    let (from, to) = ("'2026-03-17T12:00:00Z'", "'2026-06-15T12:00:00Z'");
    let mut sql = sql.to_owned();
    while let Some(start) = sql.find("$__timeFilter(") {
        let inside = start + "$__timeFilter(".len();
        let end = inside + sql[inside..].find(')').unwrap();
        let column = sql[inside..end].to_owned();
        sql.replace_range(start..=end, &format!("{column} BETWEEN {from} AND {to}"));
    }
    let sql = sql.replace("$__timeFrom()", from).replace("$__timeTo()", to);
    filled(&sql, &[("${environment}", "production"), ("${project:sqlstring}", "'shop','cart'")])
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sql_returns_rows_to_a_reader() {
    let app = Engine::Postgres.app().await;
    weeks(&app).await;
    let mut owner = PgConnection::connect(&app.database.url()).await.unwrap();
    let role = crate::views::reader(&mut owner).await;
    let mut reader = PgConnection::connect(&app.database.url()).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("SET SESSION AUTHORIZATION {role}"))).execute(&mut reader).await.unwrap();
    let dashboard = dashboard("dora-sql.json");
    let of_panels =
        targets(&dashboard).into_iter().map(|(title, target)| (title, &target["rawSql"], &target["format"]));
    let variables = dashboard["templating"]["list"].as_array().unwrap().iter().filter(|entry| entry["type"] == "query");
    let of_variables = variables.map(|entry| (entry["name"].to_string(), &entry["query"], &Value::Null));
    let mut asked = 0;
    for (title, sql, format) in of_panels.chain(of_variables) {
        let sql = expanded(sql.as_str().unwrap());
        let rows = sqlx::query(AssertSqlSafe(sql.clone()))
            .fetch_all(&mut reader)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert!(!rows.is_empty(), "{title}: no rows of {sql}");
        if format == "time_series" {
            // Grafana asks for a time of this name, in order
            let times = format!("SELECT extract(epoch FROM time::timestamptz)::float8 FROM ({sql}) AS series");
            let rows = sqlx::query(AssertSqlSafe(times)).fetch_all(&mut reader).await.unwrap();
            assert!(rows.iter().map(|row| row.get::<f64, _>(0)).is_sorted(), "{title}");
        }
        asked += 1;
    }
    assert!(asked > 10, "hardly any SQL");
    reader.close().await.unwrap();
    crate::views::drop_reader(&mut owner, &role).await;
}
