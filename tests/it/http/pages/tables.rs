//! The tables of projects and of teams on the overview.

use reqwest::Method;
use serde_json::json;

use super::overview::a_month;
use super::{after, browse, links, page, values};
use crate::app::Answer;
use crate::engine::Engine;
use crate::http::dora::{deployed, dora, tell};

on_each_engine! {
    projects_and_teams_are_compared,
    many_projects_are_folded,
    more_projects_than_can_be_answered_for_keep_nobody_from_the_rest,
}

async fn projects_and_teams_are_compared(engine: Engine) {
    let app = engine.app().await;
    a_month(&app).await;
    let answer = browse(&app, "/").await;
    let html = page(&answer, 200);
    let projects = after(html, "aria-labelledby=\"projects\"><table", "</table>");
    assert_eq!(links(projects), ["./?project_id=shop", "./?project_id=cart"], "the busiest first");
    let api = dora(&app, "group_by=project").await;
    let shop = &api["groups"].as_array().unwrap().iter().find(|group| group["name"] == "shop").unwrap();
    let row = values(after(projects, ">shop</a>", "</tr>"));
    assert_eq!(row[0], shop["deployment_frequency"]["deployments"].as_f64().unwrap());
    assert_eq!(row[1], shop["deployment_frequency"]["per_day"].as_f64().unwrap());
    assert_eq!(row[3], shop["change_failure_rate"]["ratio"].as_f64().unwrap());
    let teams = after(html, "aria-labelledby=\"teams\"><table", "</table>");
    assert_eq!(links(teams), ["./?team_id=blue"]);
    assert!(teams.contains("no team"), "{teams}");
}

async fn many_projects_are_folded(engine: Engine) {
    let app = engine.app().await;
    tell(&app, (0..30).map(|n| deployed("1", "2026-06-10T10:00:00Z", json!({"project_id": format!("p{n:02}")})))).await;
    let rows = |html: &str| links(after(html, "aria-labelledby=\"projects\"><table", "</table>")).len();
    let answer = browse(&app, "/?days=7").await;
    let html = page(&answer, 200);
    assert_eq!(rows(html), 25);
    let all = links(html).into_iter().find(|link| link.contains("all=projects")).unwrap();
    assert_eq!(all, "./?days=7&all=projects#projects");
    let answer = browse(&app, all.trim_start_matches('.').split('#').next().unwrap()).await;
    assert_eq!(rows(page(&answer, 200)), 30);
}

async fn more_projects_than_can_be_answered_for_keep_nobody_from_the_rest(engine: Engine) {
    let app = engine.app().await;
    let line = |n: usize| {
        json!({"kind": "deployment", "project_id": format!("p{n}"), "id": "1", "team_id": "red", "deployed_at": "2026-06-10T12:00:00Z"})
            .to_string()
    };
    let lines = (0..20_001).map(line).collect::<Vec<_>>().join("\n");
    let request = app.request(Method::POST, "/import").header("content-type", "application/x-ndjson").body(lines);
    assert_eq!(Answer::of(request).await.expect(200)["created"], 20_001);
    let answer = browse(&app, "/?days=7").await;
    let html = page(&answer, 200);
    assert!(after(html, "<h2 id=\"projects\">", "</section>").contains("Too many for a table here"));
    assert_eq!(links(after(html, "aria-labelledby=\"teams\"><table", "</table>")), ["./?days=7&team_id=red"]);
}
