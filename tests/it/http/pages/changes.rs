//! `/changes`: who has changed a fact, and when.

use em_metrics::config::{Config, Role, Token};
use reqwest::Method;
use serde_json::json;

use super::{address, after, browse, browser, links, page};
use crate::app::{Answer, App};
use crate::engine::Engine;
use crate::http::dora::{deployed, incident, tell};
use crate::http::name;

on_each_engine! {
    a_fact_leads_to_who_corrected_it_and_when,
    every_change_is_on_some_page,
    what_senders_write_is_only_text,
    a_session_may_look_and_a_stranger_may_not,
    what_makes_no_sense_is_refused,
}

async fn change(app: &App, method: Method, path: &str, body: serde_json::Value) {
    let answer = Answer::of(app.request(method, path).json(&body)).await;
    assert!(answer.status.is_success(), "{}", answer.text);
}

/// The rows of the table, newest first.
fn rows(html: &str) -> Vec<String> {
    after(html, "<tbody>", "</tbody>").split("<tr>").skip(1).map(ToOwned::to_owned).collect()
}

async fn a_fact_leads_to_who_corrected_it_and_when(engine: Engine) {
    let app = engine.app().await;
    tell(&app, [deployed("7", "2026-06-10T12:00:00Z", json!({"version": "1"}))]).await;
    tell(&app, [deployed("7", "2026-06-10T12:00:00Z", json!({"project_id": "cart"}))]).await;
    app.set_now("2026-06-15T13:14:15Z");
    change(&app, Method::PATCH, "/deployments/7?project_id=shop", json!({"version": "2", "team_id": "red"})).await;
    app.set_now("2026-06-15T23:00:00Z");
    tell(&app, [incident("down", "2026-06-15T11:00:00Z", json!({"deployment_id": "7", "project_id": "shop"}))]).await;
    let facts = browse(&app, "/facts?metric=deployment_frequency&project_id=shop&tz=Europe%2FBerlin").await;
    let link = links(after(page(&facts, 200), "<tbody>", "</tbody>")).pop().unwrap();
    let answer = browse(&app, &format!("/{link}")).await;
    let html = page(&answer, 200);
    assert!(after(html, "<h1>", "</h1>") == "Deployment 7: its changes" && html.contains("project shop"), "{html}");
    let rows = rows(html);
    assert_eq!(rows.len(), 3, "not those of the project cart: {html}");
    assert!(
        rows[0].contains("16 Jun 2026, 01:00:00") && rows[0].contains("incident count: <del>0</del>"),
        "{}",
        rows[0]
    );
    assert!(rows[1].contains("15 Jun 2026, 15:14:15") && rows[1].contains("<td>corrected</td>"), "{}", rows[1]);
    assert!(rows[1].contains("<td>anonymous</td>"), "{}", rows[1]);
    let shown = |text: &str| rows[1].contains(text);
    assert!(shown("version: <del>1</del>") && shown("<ins>2</ins>") && shown("team id: <ins>red</ins>"), "{}", rows[1]);
    assert!(rows[2].contains("<td>started</td>") && rows[2].contains("version: <ins>1</ins>"), "{}", rows[2]);
    // an open incident leads to its own
    let overview = browse(&app, "/?days=7").await;
    let open = after(page(&overview, 200), "id=\"incidents-title\"", "</section>").to_owned();
    let changes = links(&open).into_iter().find(|link| link.starts_with("changes")).unwrap();
    let answer = browse(&app, &format!("/{changes}")).await;
    assert!(page(&answer, 200).contains("Incident down: its changes"), "{}", answer.text);
}

async fn every_change_is_on_some_page(engine: Engine) {
    let app = engine.app().await;
    tell(&app, (0..7).map(|n| deployed(&n.to_string(), "2026-06-10T12:00:00Z", json!({})))).await;
    change(&app, Method::DELETE, "/deployments/3", json!({})).await;
    let mut path = "/changes?limit=3".to_owned();
    let mut seen = Vec::new();
    loop {
        let answer = browse(&app, &path).await;
        let html = page(&answer, 200);
        seen.extend(rows(html));
        let Some(older) = links(html).into_iter().find(|link| link.contains("cursor=")) else { break };
        path = format!("/{older}&limit=3");
    }
    assert_eq!(seen.len(), 8);
    assert!(seen[0].contains("<td>deleted</td>") && seen[0].contains("deleted at: <ins>"), "{}", seen[0]);
    let only = browse(&app, "/changes?kind=deployment.deleted&actor=anonymous").await;
    assert_eq!(rows(page(&only, 200)).len(), 1);
    assert!(links(&only.text).contains(&"changes".to_owned()), "back to all of them");
    let none = browse(&app, "/changes?actor=nobody").await;
    assert!(page(&none, 200).contains("None."));
}

async fn what_senders_write_is_only_text(engine: Engine) {
    let app = engine.app().await;
    let hostile = "\"><script>alert(1)</script>";
    tell(&app, [deployed(hostile, "2026-06-10T12:00:00Z", json!({"version": hostile, "url": "javascript:alert(1)"}))])
        .await;
    let answer = browse(&app, "/changes").await;
    let html = page(&answer, 200);
    assert!(!html.contains("<script>alert"), "{html}");
    let links = links(after(html, "<tbody>", "</tbody>"));
    assert!(links.len() == 1 && links[0].starts_with("changes?entity=deployment&"), "{links:?}");
    let answer = browse(&app, &format!("/{}", links[0])).await;
    assert_eq!(rows(page(&answer, 200)).len(), 1);
}

async fn a_session_may_look_and_a_stranger_may_not(engine: Engine) {
    let guarded = |config: &mut Config| {
        let token = Token { name: name("board"), token: "read-me".to_owned().into(), role: Role::Reader };
        (config.auth.no_auth, config.auth.tokens) = (false, vec![token]);
    };
    let app = engine.app_with(guarded).await;
    let stranger = browse(&app, "/changes?id=7").await;
    assert_eq!((stranger.status.as_u16(), stranger.header("location")), (303, "sign-in?next=%2Fchanges%3Fid%3D7"));
    let form = "token=read-me&next=%2Fchanges%3Fid%3D7";
    let request = browser().post(address(&app, "/sign-in")).header("content-type", "application/x-www-form-urlencoded");
    let signed_in = Answer::of(request.header("accept", "text/html").body(form)).await;
    assert_eq!(signed_in.header("location"), "./changes?id=7");
    let cookie = signed_in.header("set-cookie").split(';').next().unwrap().to_owned();
    let with_cookie = |path: &str| browser().get(address(&app, path)).header("cookie", cookie.clone());
    let seen = Answer::of(with_cookie("/changes?id=7").header("accept", "text/html")).await;
    assert!(page(&seen, 200).contains("None.") && seen.header("cache-control") == "no-store", "{}", seen.text);
    // the API is still asked with a token, and with nothing else
    assert_eq!(Answer::of(with_cookie("/journal")).await.status, 401);
}

async fn what_makes_no_sense_is_refused(engine: Engine) {
    let app = engine.app().await;
    for query in ["entity=pod", "cursor=x", "tz=Mars", "from=soon", "limit=0", "who=me"] {
        page(&browse(&app, &format!("/changes?{query}")).await, 400);
    }
}
