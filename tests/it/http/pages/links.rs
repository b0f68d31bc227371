//! `/links`: saying what caused an incident, by a click.

use em_metrics::auth::Role;
use em_metrics::config::{Auth, Config, Token};
use serde_json::{Value, json};

use super::sign_in::{cookie, send, with_cookie};
use super::{after, links, page};
use crate::app::App;
use crate::engine::Engine;
use crate::http::name;

on_each_engine! {
    a_suggestion_is_confirmed_by_a_click,
    another_is_chosen_or_none,
    only_those_who_may_write_can_say_it,
    no_other_site_can_say_it,
    the_overview_leads_to_what_waits,
}

fn guarded(config: &mut Config) {
    let token = |who: &str, role| Token { name: name(who), token: format!("token of {who}").into(), role };
    config.auth = Auth { tokens: vec![token("ops", Role::Writer), token("board", Role::Reader)], ..Auth::default() };
}

/// Two deployments before two incidents, of which one has a suggestion; and who may say what of it.
async fn fill(engine: Engine) -> App {
    let app = engine.app_with(guarded).await.authorized("Bearer token of ops");
    for (id, at) in [("41", "10:00"), ("42", "11:00"), ("43", "13:00")] {
        let at = format!("2026-06-10T{at}:00Z");
        let body = json!({"id": id, "project_id": "shop", "first_commit_at": "2026-06-01T00:00:00Z",
            "deploy_start_at": at, "deployed_at": at, "version": format!("v{id}<")});
        app.post("/deployments", body).await.expect(201);
    }
    for (id, title) in [("down", "The till <is> down"), ("slow", "The till is slow")] {
        let body = json!({"id": id, "project_id": "shop", "started_at": "2026-06-10T12:00:00Z", "title": title});
        app.post("/incidents", body).await.expect(201);
    }
    let suggest = "UPDATE incidents SET suggested_deployment_id = '42' WHERE id = 'down'";
    app.database.other().await.execute(suggest).await;
    app
}

async fn signed_in(app: &App, who: &str) -> String {
    cookie(&send(app, "/sign-in", &[("token", &format!("token of {who}"))], &[]).await)
}

/// The fields of the forms of an incident's row, in their order.
fn forms<'a>(html: &'a str, incident: &str) -> Vec<&'a str> {
    let row = html.split("<tr>").find(|row| row.contains(&format!("name=\"id\" value=\"{incident}\""))).unwrap();
    row.split("<form method=\"post\" action=\"links\">").skip(1).collect()
}

/// What a browser sends of a form when nothing was chosen.
fn hidden(form: &str) -> Vec<(&str, String)> {
    let fields = form.split("<input type=\"hidden\" name=\"").skip(1).map(|field| {
        let (name, rest) = field.split_once("\" value=\"").unwrap();
        (name, rest.split('"').next().unwrap().replace("&#38;", "&"))
    });
    fields.collect()
}

async fn submit(app: &App, cookie: &str, fields: &[(&str, String)], site: &str) -> crate::app::Answer {
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    send(app, "/links", &fields, &[("cookie", cookie), ("sec-fetch-site", site)]).await
}

async fn link(app: &App, id: &str) -> (Value, Value) {
    let fact = app.get(&format!("/incidents/{id}")).await.expect(200);
    (fact["link"].clone(), fact["deployment_id"].clone())
}

async fn a_suggestion_is_confirmed_by_a_click(engine: Engine) {
    let app = fill(engine).await;
    let ops = signed_in(&app, "ops").await;
    let answer = with_cookie(&app, "/links?project_id=shop", &ops).await;
    let html = page(&answer, 200);
    assert!(html.contains("The till &#60;is&#62; down") && !html.contains("The till is slow"), "{html}");
    assert!(html.contains("v42&#60;, 1 h before"), "{html}");
    let confirm = hidden(forms(html, "down")[0]);
    assert!(confirm.contains(&("deployment_id", "42".to_owned())), "{confirm:?}");
    let answer = submit(&app, &ops, &confirm, "same-origin").await;
    let back = "links?link=suggested&project_id=shop";
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, back), "{}", answer.text);
    assert_eq!(link(&app, "down").await, (json!("linked"), json!("42")));
    let entry = &app.get("/journal?id=down&kind=incident.corrected").await.expect(200)[0];
    assert_eq!(entry["actor"], "ops");
    // a second click says nothing new
    assert_eq!(submit(&app, &ops, &confirm, "same-origin").await.status, 303);
    assert_eq!(app.get("/journal?id=down&kind=incident.corrected").await.expect(200).as_array().unwrap().len(), 1);
    let answer = with_cookie(&app, &format!("/{back}"), &ops).await;
    assert!(page(&answer, 200).contains("None."), "{}", answer.text);
    app.expect_exact().await;
}

async fn another_is_chosen_or_none(engine: Engine) {
    let app = fill(engine).await;
    let ops = signed_in(&app, "ops").await;
    let answer = with_cookie(&app, "/links", &ops).await;
    let other = forms(page(&answer, 200), "down")[1];
    assert!(other.contains("<option value=\"41\">41 (v41") && other.contains("<option value=\"42\">"), "{other}");
    assert!(!other.contains("<option value=\"43\">"), "it came after: {other}");
    let mut fields = hidden(other);
    fields.push(("deployment_id", "41".to_owned()));
    assert_eq!(submit(&app, &ops, &fields, "same-origin").await.status, 303);
    assert_eq!(link(&app, "down").await, (json!("linked"), json!("41")));

    let answer = with_cookie(&app, "/links?link=unlinked", &ops).await;
    let forms = forms(page(&answer, 200), "slow");
    assert_eq!(forms.len(), 1, "nothing is suggested");
    let mut fields = hidden(forms[0]);
    fields.extend([("deployment_id", String::new()), ("none", "true".to_owned())]);
    let answer = submit(&app, &ops, &fields, "same-origin").await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "links?link=unlinked"));
    assert_eq!(link(&app, "slow").await, (json!("none"), Value::Null));

    // what cannot be is refused, and told to people
    for (fields, status) in [
        (vec![("project_id", "shop"), ("id", "slow"), ("deployment_id", "17")], 422),
        (vec![("project_id", "shop"), ("id", "slow"), ("deployment_id", "")], 400),
        (vec![("project_id", "shop"), ("id", "unheard"), ("none", "true")], 404),
        (vec![("id", "slow"), ("none", "true")], 400),
    ] {
        let fields: Vec<_> = fields.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        page(&submit(&app, &ops, &fields, "same-origin").await, status);
    }
    for next in ["https://evil.example/", "//evil.example", "links?\r\nx: y"] {
        let fields = [("project_id", "shop"), ("id", "slow"), ("none", "true"), ("next", next)];
        let answer = submit(&app, &ops, &fields.map(|(name, value)| (name, value.to_owned())), "same-origin").await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "links"), "{next:?}");
    }
    assert_eq!(link(&app, "slow").await, (json!("none"), Value::Null));
    app.expect_exact().await;
}

async fn only_those_who_may_write_can_say_it(engine: Engine) {
    let app = fill(engine).await;
    let (ops, board) = (signed_in(&app, "ops").await, signed_in(&app, "board").await);
    let answer = with_cookie(&app, "/links", &board).await;
    let html = page(&answer, 200);
    assert!(html.contains("The till &#60;is&#62; down") && !html.contains("action=\"links\""), "{html}");
    let answer = with_cookie(&app, "/links", &ops).await;
    let confirm = hidden(forms(page(&answer, 200), "down")[0]);
    page(&submit(&app, &board, &confirm, "same-origin").await, 403);
    let answer = submit(&app, "em_metrics_session=1.guess", &confirm, "same-origin").await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "sign-in"));
    assert_eq!(link(&app, "down").await, (json!("suggested"), Value::Null));
}

async fn no_other_site_can_say_it(engine: Engine) {
    let app = fill(engine).await;
    let ops = signed_in(&app, "ops").await;
    let answer = with_cookie(&app, "/links", &ops).await;
    let confirm = hidden(forms(page(&answer, 200), "down")[0]);
    let fields: Vec<_> = confirm.iter().map(|(name, value)| (*name, value.as_str())).collect();
    for site in ["cross-site", "same-site", "anything"] {
        page(&submit(&app, &ops, &confirm, site).await, 403);
    }
    let (cookie, ours) = (("cookie", ops.as_str()), format!("http://{}", app.address));
    for headers in [vec![cookie], vec![cookie, ("origin", "https://evil.example")], vec![cookie, ("origin", "null")]] {
        page(&send(&app, "/links", &fields, &headers).await, 403);
    }
    // a browser adds the header of the API by itself, once it has been asked for a password
    let authorization = ("authorization", "Bearer token of ops");
    page(&send(&app, "/links", &fields, &[authorization, ("sec-fetch-site", "cross-site")]).await, 403);
    assert_eq!(link(&app, "down").await, (json!("suggested"), Value::Null));
    assert_eq!(send(&app, "/links", &fields, &[cookie, ("origin", &ours)]).await.status, 303);
    assert_eq!(link(&app, "down").await, (json!("linked"), json!("42")));
}

async fn the_overview_leads_to_what_waits(engine: Engine) {
    let app = fill(engine).await;
    let ops = signed_in(&app, "ops").await;
    let answer = with_cookie(&app, "/?project_id=shop&days=7", &ops).await;
    let open = after(page(&answer, 200), "id=\"incidents-title\"", "</section>");
    assert!(open.contains("42? (suggested)") && open.contains("some wait for somebody"), "{open}");
    let link = links(open).pop().unwrap();
    assert_eq!(link, "links?project_id=shop");
    let answer = with_cookie(&app, &format!("/{link}"), &ops).await;
    assert!(page(&answer, 200).contains("project shop"), "{}", answer.text);
    let answer = with_cookie(&app, "/links?project_id=other&link=unlinked&tz=Europe/Berlin", &ops).await;
    assert!(page(&answer, 200).contains("times of Europe/Berlin"), "{}", answer.text);
    page(&with_cookie(&app, "/links?link=maybe", &ops).await, 400);
}
