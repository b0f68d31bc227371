//! Sessions, good and bad.

use super::tests::{basic, token};
use super::*;
use crate::domain::Timestamp;

const KEY: [u8; 32] = [7; 32];

fn at(time: &str) -> Timestamp {
    Timestamp::parse(time).unwrap()
}

fn two() -> config::Auth {
    let tokens = vec![token("ci", "write-me", Role::Writer), token("board", "read-me", Role::Reader)];
    config::Auth { tokens, ..basic("ann", "s3cret:ü") }
}

fn of(config: &config::Auth, key: [u8; 32]) -> Authenticator {
    Authenticator::new(config, key).0
}

#[test]
fn a_session_is_good_for_its_time_and_no_longer() {
    let authenticator = of(&two(), KEY);
    let session = authenticator.sign_in(Credentials::Token(" read-me\n"), at("2026-06-15T08:00:00Z")).unwrap();
    let who = authenticator.resume(&session, at("2026-06-15T19:59:59Z")).unwrap();
    assert_eq!((who.name.as_str(), who.role), ("board", Role::Reader));
    assert_eq!(authenticator.resume(&session, at("2026-06-15T20:00:00Z")), Err(Denied));
    let pair = Credentials::Pair { username: "ann", password: "s3cret:ü" };
    let session = authenticator.sign_in(pair, at("2026-06-15T08:00:00Z")).unwrap();
    assert_eq!(authenticator.resume(&session, at("2026-06-15T08:00:00Z")).unwrap().name.as_str(), "ann");
}

#[test]
fn only_the_right_words_make_a_session() {
    let authenticator = of(&two(), KEY);
    for wrong in [
        Credentials::Token(""),
        Credentials::Token("read-m"),
        Credentials::Token("ann:s3cret:ü"),
        Credentials::Pair { username: "ann", password: "s3cret" },
        Credentials::Pair { username: "", password: "" },
        Credentials::Pair { username: "read-me", password: "" },
    ] {
        assert_eq!(authenticator.sign_in(wrong, at("2026-06-15T08:00:00Z")), Err(Denied));
        assert_eq!(format!("{wrong:?}"), "Credentials(***)");
    }
}

#[test]
fn a_session_that_was_changed_is_none() {
    let authenticator = of(&two(), KEY);
    let now = at("2026-06-15T08:00:00Z");
    let session = authenticator.sign_in(Credentials::Token("read-me"), now).unwrap();
    assert!(!session.contains("read-me"));
    let (until, signature) = session.split_once('.').unwrap();
    let later = until.parse::<i64>().unwrap() + 3600;
    let cut = &signature[..signature.len() - 2];
    let turned: String = signature.chars().rev().collect();
    for changed in [
        format!("{later}.{signature}"),
        format!("{until}.{cut}"),
        format!("{until}.{turned}"),
        format!("{until}."),
        until.to_owned(),
        format!(".{signature}"),
        format!("+{until}.{signature}"),
        String::new(),
        "é.é".to_owned(),
    ] {
        assert_eq!(authenticator.resume(&changed, now), Err(Denied), "{changed}");
    }
    assert!(authenticator.resume(&session, now).is_ok());
}

#[test]
fn a_session_ends_with_its_credentials_and_holds_on_other_replicas() {
    let now = at("2026-06-15T08:00:00Z");
    let session = of(&two(), KEY).sign_in(Credentials::Token("read-me"), now).unwrap();
    assert!(of(&two(), KEY).resume(&session, now).is_ok(), "another replica of the same store");
    assert_eq!(of(&two(), [8; 32]).resume(&session, now), Err(Denied), "another store");
    let mut fewer = two();
    fewer.tokens.pop();
    assert_eq!(of(&fewer, KEY).resume(&session, now), Err(Denied), "the token was taken away");
    fewer.tokens.push(token("board", "read-me-2", Role::Reader));
    assert_eq!(of(&fewer, KEY).resume(&session, now), Err(Denied), "the token was changed");
}
