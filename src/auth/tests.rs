//! Headers, good and bad.

use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::*;

pub(super) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub(super) fn token(name: &str, token: &str, role: Role) -> config::Token {
    config::Token { name: self::name(name), token: token.into(), role }
}

pub(super) fn basic(username: &str, password: &str) -> config::Auth {
    let basic = config::Basic { username: username.to_owned(), password: password.into() };
    config::Auth { basic: Some(basic), ..config::Auth::default() }
}

fn authenticator(config: &config::Auth) -> Authenticator {
    let (authenticator, generated) = Authenticator::new(config, rand::random());
    assert!(generated.is_none());
    authenticator
}

fn two_tokens_and_basic() -> Authenticator {
    authenticator(&config::Auth {
        tokens: vec![token("ci", "s3cret-ci", Role::Writer), token("wall", "12345", Role::Reader)],
        ..basic("ann", "pa:ss wörd1")
    })
}

fn pair(text: &str) -> String {
    format!("Basic {}", STANDARD.encode(text))
}

#[test]
fn good_headers_are_let_in_under_their_name() {
    let authenticator = two_tokens_and_basic();
    let unpadded = format!("basic {}", STANDARD_NO_PAD.encode("ann:pa:ss wörd1"));
    assert!(!unpadded.ends_with('=') && pair("ann:pa:ss wörd1").ends_with('='), "the case needs padding");
    for (header, actor, role) in [
        ("Bearer s3cret-ci", "ci", Role::Writer),
        ("bearer s3cret-ci", "ci", Role::Writer),
        ("BEARER 12345", "wall", Role::Reader),
        ("Token 12345", "wall", Role::Reader),
        ("tOkEn 12345", "wall", Role::Reader),
        ("  Bearer \t  12345  ", "wall", Role::Reader),
        (pair("ann:pa:ss wörd1").as_str(), "ann", Role::Admin),
        (unpadded.as_str(), "ann", Role::Admin),
    ] {
        let expected = Identity { name: name(actor), role };
        assert_eq!(authenticator.identify(Some(header.as_bytes())), Ok(expected), "{header}");
    }
}

#[test]
fn bad_headers_are_all_denied_alike() {
    let authenticator = two_tokens_and_basic();
    assert_eq!(authenticator.identify(None), Err(Denied));
    let headers: [&[u8]; 22] = [
        b"",
        b" ",
        b"Bearer",
        b"Bearer ",
        b"s3cret-ci",
        b"Bearer s3cret-c",
        b"Bearer s3cret-cI",
        b"Bearer s3cret-ci2",
        b"Bearer s3cret ci",
        b"Bearer s3cret-ci 12345",
        b"Bearer: s3cret-ci",
        b"Bearers3cret-ci",
        b"Digest s3cret-ci",
        b"Bearer \xff\xfe",
        b"\xff",
        b"Basic",
        b"Basic !!!",
        b"Basic s3cret-ci",
        // ann:
        b"Basic YW5uOg==",
        // :
        b"Basic Og==",
        b"Bearer ann:pa:ss w\xc3\xb6rd1",
        // 12345
        b"Basic MTIzNDU=",
    ];
    for header in headers {
        assert_eq!(authenticator.identify(Some(header)), Err(Denied), "{}", String::from_utf8_lossy(header));
    }
}

#[test]
fn either_half_of_the_basic_pair_may_be_empty() {
    let user_only = authenticator(&basic("ann", ""));
    assert_eq!(user_only.identify(Some(pair("ann:").as_bytes())).unwrap().name, name("ann"));
    assert_eq!(user_only.identify(Some(pair("ann").as_bytes())), Err(Denied));
    assert_eq!(user_only.identify(Some(pair("ann:x").as_bytes())), Err(Denied));

    let password_only = authenticator(&basic("", "s3cret"));
    assert_eq!(password_only.identify(Some(pair(":s3cret").as_bytes())).unwrap().name, name("basic"));
    assert_eq!(password_only.identify(Some(pair("ann:s3cret").as_bytes())), Err(Denied));
}

#[test]
fn no_auth_lets_everybody_in_whatever_they_send() {
    let open = authenticator(&config::Auth { no_auth: true, ..basic("ann", "x") });
    for header in [None, Some(b"Bearer nonsense".as_slice())] {
        assert_eq!(open.identify(header), Ok(Identity { name: name("anonymous"), role: Role::Admin }));
    }
    assert!(open.challenges().is_empty());
}

#[test]
fn without_credentials_a_token_is_made_up() {
    let config = config::Auth::default();
    let (first, generated) = Authenticator::new(&config, rand::random());
    let (second, other) = Authenticator::new(&config, rand::random());
    let (generated, other) = (generated.unwrap(), other.unwrap());
    let header = format!("Bearer {}", generated.expose());
    assert_eq!(generated.expose().len(), 43, "32 bytes in base64url");
    assert_ne!(generated.expose(), other.expose());
    assert_eq!(first.identify(Some(header.as_bytes())).unwrap().role, Role::Admin);
    assert_eq!(second.identify(Some(header.as_bytes())), Err(Denied));
    assert!(!format!("{generated:?}").contains(generated.expose()));
}

#[test]
fn only_schemes_that_could_succeed_are_offered() {
    let bearer = r#"Bearer realm="em-metrics""#;
    let basic_challenge = r#"Basic realm="em-metrics", charset="UTF-8""#;
    assert_eq!(two_tokens_and_basic().challenges(), [bearer, basic_challenge]);
    assert_eq!(authenticator(&basic("ann", "")).challenges(), [basic_challenge]);
    assert_eq!(Authenticator::new(&config::Auth::default(), rand::random()).0.challenges(), [bearer]);
}

#[test]
fn roles_include_the_ones_before_them() {
    assert!(Role::Reader < Role::Writer && Role::Writer < Role::Admin);
}
