//! The web page.

mod beside;
mod changes;
mod facts;
mod links;
mod overview;
mod sign_in;
mod tables;

use reqwest::Method;

use crate::app::{Answer, App};

/// Asks as a browser does, without following where it is led.
async fn browse(app: &App, path: &str) -> Answer {
    Answer::of(browser().get(address(app, path)).header("accept", "text/html,*/*;q=0.8")).await
}

fn browser() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

fn address(app: &App, path: &str) -> String {
    format!("http://{}{path}", app.address)
}

/// The page, of an answer that is one.
#[track_caller]
fn page(answer: &Answer, status: u16) -> &str {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    secure(answer);
    &answer.text
}

/// What every answer to a browser carries, whatever it says.
#[track_caller]
fn secure(answer: &Answer) {
    let policy = answer.header("content-security-policy");
    for rule in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(rule), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("referrer-policy"), "same-origin");
    assert!(!answer.text.contains("<style") && !answer.text.contains(" style="), "the policy would not let it be");
}

/// The part of a page from a mark to the end of the element it is in.
#[track_caller]
fn after<'a>(html: &'a str, mark: &str, end: &str) -> &'a str {
    let (_, rest) = html.split_once(mark).unwrap_or_else(|| panic!("no {mark} in {html}"));
    rest.split_once(end).map_or(rest, |(inside, _)| inside)
}

/// The exact values in a part of a page, in their order.
fn values(html: &str) -> Vec<f64> {
    html.split("<data value=\"").skip(1).map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect()
}

/// The addresses that a part of a page links to.
fn links(html: &str) -> Vec<String> {
    let quoted = html.split(" href=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    quoted.map(|link| link.replace("&#38;", "&").replace("&amp;", "&")).collect()
}

async fn get(app: &App, path: &str) -> Answer {
    Answer::of(app.request(Method::GET, path)).await
}
