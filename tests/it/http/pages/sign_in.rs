//! Signing in and out.

use em_metrics::config::{Auth, Basic, Config, Role, Token};
use reqwest::Method;

use super::{address, browse, browser, get, page, secure};
use crate::app::{Answer, App, NOW};
use crate::engine::Engine;
use crate::http::name;

on_each_engine! {
    who_is_not_signed_in_is_led_to_sign_in,
    each_way_of_signing_in_works,
    a_cookie_is_for_this_browser_and_a_while,
    sessions_end,
    a_session_opens_pages_and_nothing_else,
    a_session_holds_on_the_next_start,
    refusals_are_all_the_same,
    guessing_is_slow,
    who_guesses_keeps_nobody_out_who_has_a_token,
    nobody_is_led_elsewhere,
    other_sites_cannot_sign_anybody_in,
    without_authentication_there_is_no_signing_in,
    the_header_of_the_api_opens_pages_too,
}

fn guarded(config: &mut Config) {
    let token = |who: &str, token: &str, role| Token { name: name(who), token: token.to_owned().into(), role };
    config.auth = Auth {
        no_auth: false,
        tokens: vec![token("board", "read-me", Role::Reader), token("ops", "rule-me", Role::Admin)],
        basic: Some(Basic { username: "ann".to_owned(), password: "s3cret:ü".to_owned().into() }),
    };
}

async fn sign_in(app: &App, fields: &[(&str, &str)]) -> Answer {
    send(app, "/sign-in", fields, &[]).await
}

pub async fn send(app: &App, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let mut request = browser().post(address(app, path)).body(body);
    request = request.header("content-type", "application/x-www-form-urlencoded").header("accept", "text/html");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request).await
}

/// The name and value of the cookie that was set.
pub fn cookie(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

async fn signed_in(app: &App) -> String {
    cookie(&sign_in(app, &[("token", "read-me")]).await)
}

pub async fn with_cookie(app: &App, path: &str, cookie: &str) -> Answer {
    Answer::of(browser().get(address(app, path)).header("accept", "text/html").header("cookie", cookie)).await
}

async fn who_is_not_signed_in_is_led_to_sign_in(engine: Engine) {
    let app = engine.app_with(guarded).await;
    for (path, next) in [
        ("/", "%2F"),
        ("/?days=7&project_id=a%2Fb", "%2F%3Fdays%3D7%26project_id%3Da%252Fb"),
        ("/facts?metric=incidents", "%2Ffacts%3Fmetric%3Dincidents"),
    ] {
        let answer = browse(&app, path).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, format!("sign-in?next={next}").as_str()));
        secure(&answer);
        let form = browse(&app, &format!("/{}", answer.header("location"))).await;
        assert!(page(&form, 200).contains("name=\"token\"") && form.text.contains("name=\"username\""));
    }
    // styles say nothing about anybody's facts
    let form = browse(&app, "/sign-in").await;
    let style = form.text.split('"').find(|text| text.starts_with("assets/page.") && text.contains("css")).unwrap();
    assert_eq!(get(&app, &format!("/{style}")).await.status, 200);
}

async fn each_way_of_signing_in_works(engine: Engine) {
    let app = engine.app_with(guarded).await;
    for fields in [[("token", "read-me"), ("next", "/?days=7")], [("token", " rule-me "), ("next", "/?days=7")]] {
        let answer = sign_in(&app, &fields).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "./?days=7"));
        page(&with_cookie(&app, "/", &cookie(&answer)).await, 200);
    }
    let answer = sign_in(&app, &[("username", "ann"), ("password", "s3cret:ü")]).await;
    let seen = with_cookie(&app, "/", &format!("a=b; {}; c", cookie(&answer))).await;
    assert!(page(&seen, 200).contains("Sign out"));
}

async fn a_cookie_is_for_this_browser_and_a_while(engine: Engine) {
    let app = engine.app_with(guarded).await;
    let answer = sign_in(&app, &[("token", "read-me")]).await;
    let set = answer.header("set-cookie");
    assert!(set.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax"), "{set}");
    assert!(!set.contains("read-me"), "{set}");
    for secure in [("x-forwarded-proto", "https"), ("origin", &format!("https://{}", app.address))] {
        let answer = send(&app, "/sign-in", &[("token", "read-me")], &[secure]).await;
        assert!(answer.header("set-cookie").ends_with("; Secure"), "{}", answer.header("set-cookie"));
    }
}

async fn sessions_end(engine: Engine) {
    let app = engine.app_with(guarded).await;
    let cookie = signed_in(&app).await;
    page(&with_cookie(&app, "/", &cookie).await, 200);
    let answer = send(&app, "/sign-out", &[], &[("cookie", &cookie)]).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "sign-in"));
    assert!(answer.header("set-cookie").starts_with("em_metrics_session=; Path=/; Max-Age=0;"));
    app.set_now("2026-06-15T23:59:59Z");
    page(&with_cookie(&app, "/", &cookie).await, 200);
    app.set_now("2026-06-16T00:00:00Z");
    assert_eq!(with_cookie(&app, "/", &cookie).await.status, 303, "twelve hours later");
    app.set_now(NOW);
    for changed in [cookie.replace('.', ".A"), cookie[..cookie.len() - 1].to_owned(), cookie.replace("=1", "=2")] {
        assert_eq!(with_cookie(&app, "/", &changed).await.status, 303, "{changed}");
    }
}

async fn a_session_opens_pages_and_nothing_else(engine: Engine) {
    let app = engine.app_with(guarded).await;
    let cookie = cookie(&sign_in(&app, &[("token", "rule-me")]).await);
    for path in ["/dora", "/deployments", "/config", "/version"] {
        with_cookie(&app, path, &cookie).await.expect_problem(401, "unauthenticated");
    }
    let request = app.request(Method::POST, "/incidents").header("cookie", &cookie);
    app.refuses(request.json(&serde_json::json!({"project_id": "shop"})), 401, "unauthenticated").await;
}

async fn a_session_holds_on_the_next_start(engine: Engine) {
    let app = engine.app_with(guarded).await;
    let cookie = signed_in(&app).await;
    let app = App::start(app.stop().await, guarded).await;
    page(&with_cookie(&app, "/", &cookie).await, 200);
    // not when its token is gone
    let app = App::start(app.stop().await, |config| {
        guarded(config);
        config.auth.tokens.remove(0);
    })
    .await;
    assert_eq!(with_cookie(&app, "/", &cookie).await.status, 303);
}

async fn refusals_are_all_the_same(engine: Engine) {
    let app = engine.app_with(guarded).await;
    let mut pages = Vec::new();
    for fields in [
        vec![("token", "nobody's")],
        vec![("token", "")],
        vec![("token", "ann:s3cret:ü")],
        vec![("username", "ann"), ("password", "wrong")],
        vec![("username", "nobody"), ("password", "s3cret:ü")],
        vec![],
    ] {
        let answer = sign_in(&app, &fields).await;
        assert_eq!(answer.header("set-cookie"), "", "{fields:?}");
        let html = page(&answer, 403).to_owned();
        assert!(!html.contains("nobody's") && !html.contains("s3cret"), "{html}");
        pages.push(html);
    }
    pages.dedup();
    assert_eq!(pages.len(), 1);
    assert!(pages[0].contains("did not match"), "{}", pages[0]);
}

async fn guessing_is_slow(engine: Engine) {
    let app = engine.app_with(guarded).await;
    let guess = [("token", "a-guess")];
    let guesses = (0..40).map(|_| sign_in(&app, &guess));
    let answers = futures_util::future::join_all(guesses).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 403).collect();
    assert!(refused.len() < 40 && !refused.is_empty(), "{} of 40 were let guess", 40 - refused.len());
    for answer in refused {
        page(answer, 429);
        assert_eq!(answer.header("retry-after"), "1");
    }
    assert_eq!(sign_in(&app, &[("token", "read-me")]).await.status, 303, "and then it goes on");
}

async fn who_guesses_keeps_nobody_out_who_has_a_token(engine: Engine) {
    let app = engine.app_with(guarded).await;
    let guess = [("username", "ann"), ("password", "a-guess")];
    let guessing = futures_util::future::join_all((0..60).map(|_| sign_in(&app, &guess)));
    let knowing = async {
        let mut statuses = Vec::new();
        for _ in 0..20 {
            statuses.push(sign_in(&app, &[("token", "read-me")]).await.status.as_u16());
        }
        statuses
    };
    let (guesses, knowing) = tokio::join!(guessing, knowing);
    assert!(guesses.iter().any(|answer| answer.status == 429), "as many as there may be were under way");
    assert_eq!(knowing, [303; 20]);
}

async fn nobody_is_led_elsewhere(engine: Engine) {
    let app = engine.app_with(guarded).await;
    for next in
        ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/sign-out", "/docs"]
    {
        let answer = sign_in(&app, &[("token", "read-me"), ("next", next)]).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "./"), "{next}");
    }
    let answer = browse(&app, "/sign-in?next=%22%3E%3Cscript%3E").await;
    assert!(!page(&answer, 200).contains("<script"), "{}", answer.text);
}

async fn other_sites_cannot_sign_anybody_in(engine: Engine) {
    let app = engine.app_with(guarded).await;
    let fields = [("token", "read-me")];
    let ours = format!("http://{}", app.address);
    for (headers, status) in [
        (vec![("sec-fetch-site", "cross-site")], 403),
        (vec![("sec-fetch-site", "same-site"), ("origin", ours.as_str())], 403),
        (vec![("origin", "https://evil.example")], 403),
        (vec![("origin", "null")], 403),
        (vec![("sec-fetch-site", "same-origin"), ("origin", "https://by-a-proxy.example")], 303),
        (vec![("origin", ours.as_str())], 303),
        (vec![("origin", "https://metrics.example"), ("x-forwarded-host", "metrics.example")], 303),
    ] {
        for path in ["/sign-in", "/sign-out"] {
            let answer = send(&app, path, &fields, &headers).await;
            assert_eq!(answer.status, status, "{path} {headers:?}");
            assert_eq!(answer.header("set-cookie").is_empty(), status == 403, "{headers:?}");
            secure(&answer);
        }
    }
}

async fn without_authentication_there_is_no_signing_in(engine: Engine) {
    let app = engine.app().await;
    let answer = browse(&app, "/").await;
    assert!(!page(&answer, 200).contains("Sign out"));
    let answer = browse(&app, "/sign-in?next=%2F%3Fdays%3D7").await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "./?days=7"));
}

async fn the_header_of_the_api_opens_pages_too(engine: Engine) {
    let app = engine.app_with(guarded).await.authorized("Bearer read-me");
    let request = app.request(Method::GET, "/").header("accept", "text/html");
    let answer = Answer::of(request).await;
    assert!(!page(&answer, 200).contains("Sign out"), "there is no session to end");
}
