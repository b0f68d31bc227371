//! Whether a delivery is from who it says. Over the raw bytes, in constant time; five families cover every vendor.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use serde_json::Value;
use sha1::Sha1;
use sha2::{Digest as _, Sha224, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq as _;

use super::{Body, Headers};
use crate::domain::Timestamp;

/// How old or how far ahead a signed time may be, where the sender signs one.
const WINDOW_MICROS: i64 = 5 * 60 * 1_000_000;

/// How a vendor signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// The HMAC of the body in hex, after `prefix`; several may be sent, parted by commas, and one has to be right.
    Hex { header: &'static str, prefix: &'static str, hash: Hash },
    /// `sha256=<hex>`, and the same with sha224, sha384 and sha512: the sender chooses.
    NamedHex { header: &'static str },
    /// HMAC-SHA256 in hex over a time of its own header, a separator and the body. Without that header, over the body.
    TimedHex { header: &'static str, time_header: &'static str, separator: &'static str },
    /// `t=<unix>,v1=<hex>`: HMAC-SHA256 over the time and the body, with nothing between.
    StampedHex { header: &'static str },
    /// Hex HMAC-SHA256 of the body, which holds the time in milliseconds; it may be a minute old.
    HexWithBodyTime { header: &'static str, time: &'static str },
    /// <https://www.standardwebhooks.com>: `v1,<base64>` over `id.timestamp.body`.
    Standard,
    /// A JSON Web Signature (HS256) whose claims name the issuer and the digest of the body.
    Jws { header: &'static str, issuer: &'static str },
    /// The secret itself, in this header.
    Secret { header: &'static str },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    Sha1,
    Sha256,
}

/// It is not what the secret's owner would have sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forged {
    #[error("no signature was sent")]
    Unsigned,
    #[error("the signature does not fit the body and the secret")]
    Wrong,
    #[error("it was signed too long ago, or ahead of time")]
    Old,
}

/// Whether one of the schemes finds the delivery authentic for one of the secrets (a secret that is being replaced
/// has a successor beside it).
pub fn verify(
    schemes: &[Scheme],
    headers: &Headers,
    body: &[u8],
    secrets: &[&str],
    now: Timestamp,
) -> Result<(), Forged> {
    let mut outcome = Err(Forged::Unsigned);
    for scheme in schemes {
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            match scheme.verify(headers, body, secret, now) {
                Ok(()) => return Ok(()),
                Err(Forged::Unsigned) => {}
                Err(forged) => outcome = Err(forged),
            }
        }
    }
    outcome
}

impl Scheme {
    fn verify(self, headers: &Headers, body: &[u8], secret: &str, now: Timestamp) -> Result<(), Forged> {
        let sent = |name: &str| headers.get(name).ok_or(Forged::Unsigned);
        match self {
            Self::Hex { header, prefix, hash } => {
                let right = match hash {
                    Hash::Sha1 => mac::<Hmac<Sha1>>(secret.as_bytes(), &[body]),
                    Hash::Sha256 => mac::<Hmac<Sha256>>(secret.as_bytes(), &[body]),
                };
                one_of(sent(header)?.split(',').filter_map(|one| unhex(one.trim().strip_prefix(prefix)?)), &right)
            }
            Self::NamedHex { header } => {
                let (name, hex) = sent(header)?.split_once('=').ok_or(Forged::Wrong)?;
                let key = secret.as_bytes();
                let right = match name {
                    "sha224" => mac::<Hmac<Sha224>>(key, &[body]),
                    "sha256" => mac::<Hmac<Sha256>>(key, &[body]),
                    "sha384" => mac::<Hmac<Sha384>>(key, &[body]),
                    "sha512" => mac::<Hmac<Sha512>>(key, &[body]),
                    _ => return Err(Forged::Wrong),
                };
                one_of(unhex(hex).into_iter(), &right)
            }
            Self::TimedHex { header, time_header, separator } => {
                let signature = unhex(sent(header)?).ok_or(Forged::Wrong)?;
                let key = secret.as_bytes();
                let Some(time) = headers.get(time_header) else {
                    return one_of([signature].into_iter(), &mac::<Hmac<Sha256>>(key, &[body]));
                };
                let right = mac::<Hmac<Sha256>>(key, &[time.as_bytes(), separator.as_bytes(), body]);
                one_of([signature].into_iter(), &right)?;
                in_time(time, now)
            }
            Self::StampedHex { header } => {
                let parts =
                    || headers.get(header).unwrap_or_default().split(',').filter_map(|p| p.trim().split_once('='));
                sent(header)?;
                let (_, time) = parts().find(|(name, _)| *name == "t").ok_or(Forged::Wrong)?;
                let right = mac::<Hmac<Sha256>>(secret.as_bytes(), &[time.as_bytes(), body]);
                one_of(parts().filter(|(name, _)| *name == "v1").filter_map(|(_, hex)| unhex(hex)), &right)?;
                in_time(time, now)
            }
            Self::HexWithBodyTime { header, time } => {
                let signature = unhex(sent(header)?).ok_or(Forged::Wrong)?;
                one_of([signature].into_iter(), &mac::<Hmac<Sha256>>(secret.as_bytes(), &[body]))?;
                let body: Value = serde_json::from_slice(body).map_err(|_| Forged::Wrong)?;
                let sent_at = Body(&body).at(time).time().ok_or(Forged::Old)?;
                near(sent_at, now, WINDOW_MICROS / 5)
            }
            Self::Standard => {
                let (id, time) = (sent("webhook-id")?, sent("webhook-timestamp")?);
                let key = secret.strip_prefix("whsec_").and_then(|key| STANDARD.decode(key).ok());
                let key = key.unwrap_or_else(|| secret.as_bytes().to_vec());
                let right = mac::<Hmac<Sha256>>(&key, &[id.as_bytes(), b".", time.as_bytes(), b".", body]);
                let sent = sent("webhook-signature")?.split(' ');
                one_of(sent.filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok()), &right)?;
                in_time(time, now)
            }
            Self::Jws { header, issuer } => jws(sent(header)?, issuer, body, secret),
            Self::Secret { header } => same(sent(header)?, secret),
        }
    }
}

/// A header that a delivery is signed with.
pub type Signed = (&'static str, String);

impl Scheme {
    /// The headers that the vendor would send with a body, and the body, which in one family holds the time.
    /// For samples and tests.
    pub fn sign(self, body: &[u8], secret: &str, now: Timestamp) -> (Vec<u8>, Vec<Signed>) {
        let key = secret.as_bytes();
        let seconds = (now.micros() / 1_000_000).to_string();
        let sha256 = |parts: &[&[u8]]| mac::<Hmac<Sha256>>(key, parts);
        let signed = match self {
            Self::Hex { header, prefix, hash: Hash::Sha1 } => {
                vec![(header, format!("{prefix}{}", hex(&mac::<Hmac<Sha1>>(key, &[body]))))]
            }
            Self::Hex { header, prefix, hash: Hash::Sha256 } => {
                vec![(header, format!("{prefix}{}", hex(&sha256(&[body]))))]
            }
            Self::NamedHex { header } => vec![(header, format!("sha256={}", hex(&sha256(&[body]))))],
            Self::TimedHex { header, time_header, separator } => {
                let signature = hex(&sha256(&[seconds.as_bytes(), separator.as_bytes(), body]));
                vec![(header, signature), (time_header, seconds)]
            }
            Self::StampedHex { header } => {
                vec![(header, format!("t={seconds},v1={}", hex(&sha256(&[seconds.as_bytes(), body]))))]
            }
            Self::HexWithBodyTime { header, time } => {
                let mut dated: Value = serde_json::from_slice(body).unwrap_or_default();
                if let Some(field) = dated.pointer_mut(time) {
                    *field = (now.micros() / 1000).into();
                }
                let dated = dated.to_string().into_bytes();
                let signature = hex(&sha256(&[&dated]));
                return (dated, vec![(header, signature)]);
            }
            Self::Standard => {
                let key = secret.strip_prefix("whsec_").and_then(|key| STANDARD.decode(key).ok());
                let key = key.unwrap_or_else(|| secret.as_bytes().to_vec());
                let id = format!("msg_{}", hex(&Sha256::digest(body)[..8]));
                let parts: [&[u8]; 5] = [id.as_bytes(), b".", seconds.as_bytes(), b".", body];
                let signature = format!("v1,{}", STANDARD.encode(mac::<Hmac<Sha256>>(&key, &parts)));
                vec![("webhook-id", id), ("webhook-timestamp", seconds), ("webhook-signature", signature)]
            }
            Self::Jws { header, issuer } => {
                let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
                let head = part(serde_json::json!({"alg": "HS256", "typ": "JWT"}));
                let claims = part(serde_json::json!({"iss": issuer, "sha256": hex(&Sha256::digest(body))}));
                let signature = URL_SAFE_NO_PAD.encode(sha256(&[head.as_bytes(), b".", claims.as_bytes()]));
                vec![(header, format!("{head}.{claims}.{signature}"))]
            }
            Self::Secret { header } => vec![(header, secret.to_owned())],
        };
        (body.to_vec(), signed)
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// By hand: of the well-kept libraries each brings RSA and elliptic curves for the sake of one HMAC.
fn jws(token: &str, issuer: &str, body: &[u8], secret: &str) -> Result<(), Forged> {
    let (signed, signature) = token.rsplit_once('.').ok_or(Forged::Wrong)?;
    let (head, claims) = signed.split_once('.').ok_or(Forged::Wrong)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Forged::Wrong)?;
    one_of([signature].into_iter(), &mac::<Hmac<Sha256>>(secret.as_bytes(), &[signed.as_bytes()]))?;
    let read = |part: &str| -> Option<Value> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok() };
    let (head, claims) = read(head).zip(read(claims)).ok_or(Forged::Wrong)?;
    let digest = claims["sha256"].as_str().and_then(unhex).ok_or(Forged::Wrong)?;
    if head["alg"] != "HS256" || claims["iss"] != issuer {
        return Err(Forged::Wrong);
    }
    one_of([digest].into_iter(), &Sha256::digest(body))
}

/// Whether two secrets are one, in a time that tells nothing but their lengths.
pub fn same(sent: &str, secret: &str) -> Result<(), Forged> {
    one_of([sent.as_bytes().to_vec()].into_iter(), secret.as_bytes())
}

fn one_of(sent: impl Iterator<Item = Vec<u8>>, right: &[u8]) -> Result<(), Forged> {
    let mut found = subtle::Choice::from(0);
    for one in sent {
        found |= one.ct_eq(right);
    }
    if found.into() { Ok(()) } else { Err(Forged::Wrong) }
}

fn mac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("an HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.trim().chars().map(|c| c.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    digits.chunks_exact(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).ok()).collect()
}

fn in_time(signed: &str, now: Timestamp) -> Result<(), Forged> {
    let signed = super::times::read(&Value::String(signed.to_owned())).ok_or(Forged::Old)?;
    near(signed, now, WINDOW_MICROS)
}

fn near(signed: Timestamp, now: Timestamp, window: i64) -> Result<(), Forged> {
    if now.micros_since(signed).abs() <= window { Ok(()) } else { Err(Forged::Old) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SCHEMES: [Scheme; 9] = [
        Scheme::Hex { header: "a", prefix: "sha256=", hash: Hash::Sha256 },
        Scheme::Hex { header: "b", prefix: "", hash: Hash::Sha1 },
        Scheme::NamedHex { header: "c" },
        Scheme::TimedHex { header: "d", time_header: "d-time", separator: ":" },
        Scheme::StampedHex { header: "e" },
        Scheme::HexWithBodyTime { header: "f", time: "/sent" },
        Scheme::Standard,
        Scheme::Jws { header: "g", issuer: "netlify" },
        Scheme::Secret { header: "h" },
    ];

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000).unwrap()
    }

    proptest! {
        #[test]
        fn what_is_signed_is_taken_and_nothing_else(text in "[a-z]{0,20}", secret in "[a-z]{8,20}", flip in any::<prop::sample::Index>()) {
            let now = at(1_780_000_000);
            for scheme in SCHEMES {
                let body = serde_json::json!({"sent": 1, "text": text}).to_string();
                let (body, signed) = scheme.sign(body.as_bytes(), &secret, now);
                let headers: Headers = signed.into_iter().collect();
                let verify = |body: &[u8], secret: &str, now| verify(&[scheme], &headers, body, &["", secret], now);
                prop_assert_eq!(verify(&body, &secret, now), Ok(()), "{:?}", scheme);
                prop_assert_eq!(verify(&body, "another", now), Err(Forged::Wrong), "{:?}", scheme);
                let mut flipped = body.clone();
                flipped[flip.index(body.len())] ^= 1;
                let covers_body = !matches!(scheme, Scheme::Secret { .. });
                prop_assert_eq!(verify(&flipped, &secret, now).is_err(), covers_body, "{:?}", scheme);
                prop_assert_eq!(super::verify(&[scheme], &Headers::default(), &body, &[&secret], now), Err(Forged::Unsigned));
                let signs_a_time = matches!(scheme, Scheme::TimedHex { .. } | Scheme::StampedHex { .. } | Scheme::Standard | Scheme::HexWithBodyTime { .. });
                let later = verify(&body, &secret, at(1_780_000_301));
                prop_assert_eq!(later, if signs_a_time { Err(Forged::Old) } else { Ok(()) }, "{:?}", scheme);
            }
        }

        #[test]
        fn no_header_makes_it_panic(header in ".{0,60}", body in prop::collection::vec(any::<u8>(), 0..40)) {
            for scheme in SCHEMES {
                let names = ["a", "b", "c", "d", "d-time", "e", "f", "g", "h", "webhook-id", "webhook-timestamp", "webhook-signature"];
                let headers: Headers = names.iter().map(|name| (*name, header.clone())).collect();
                let taken = verify(&[scheme], &headers, &body, &["a secret that nobody guesses"], at(1_780_000_000));
                prop_assert!(taken.is_err());
            }
        }
    }
}
