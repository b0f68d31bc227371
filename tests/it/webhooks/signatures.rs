//! Signatures: what vendors have published and what was captured, byte by byte.

use em_metrics::domain::Timestamp;
use em_metrics::webhooks::{Forged, Headers, Scheme, VENDORS, verify};
use serde_json::Value;

use super::payloads::folder;

/// How each entry of the vectors is signed.
fn schemes(entry: &Value) -> Vec<Scheme> {
    let vendor = entry["vendor"].as_str().unwrap();
    let name = match vendor {
        "jira/bitbucket" => "jira",
        other => other.split([' ', '-']).next().unwrap(),
    };
    match name {
        "standard" => vec![Scheme::Standard],
        "generic" => VENDORS.iter().find(|vendor| vendor.name == "github").unwrap().schemes.to_vec(),
        _ => VENDORS.iter().find(|vendor| vendor.name == name).map_or_else(Vec::new, |vendor| vendor.schemes.to_vec()),
    }
}

#[test]
#[ignore = "needs EM_METRICS_PAYLOADS"]
fn every_vector_is_judged_as_its_vendor_does_and_a_flipped_byte_is_not_taken() {
    let vectors: Vec<Value> =
        serde_json::from_slice(&std::fs::read(folder().join("signature-vectors.json")).unwrap()).unwrap();
    let now = Timestamp::parse("2021-02-25T15:02:10Z").unwrap();
    let mut judged = 0;
    for entry in &vectors {
        let secret = entry["secret"].as_str().unwrap();
        // the secret of this one is not in the folder, only where it can be found
        if secret.starts_with('<') {
            continue;
        }
        let body = match entry["body_file"].as_str() {
            Some(file) => std::fs::read(folder().join(file)).unwrap(),
            None => entry["body"].as_str().unwrap().as_bytes().to_vec(),
        };
        let header = entry["header"].as_str().unwrap();
        let header = if header.starts_with("X-Hub-Signature-256") { "X-Hub-Signature-256" } else { header };
        let more = entry["headers"].as_object().into_iter().flatten();
        let sent = more.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
        let signature = entry["signature"].as_str().unwrap().to_owned();
        let headers: Headers = sent.chain([(header.to_owned(), signature)]).collect();
        let schemes = schemes(entry);
        assert!(!schemes.is_empty(), "no vendor knows {entry}");
        let judge = |body: &[u8], secret: &str| verify(&schemes, &headers, body, &[secret], now);
        let expected = if entry["expect_valid"] == true { Ok(()) } else { Err(Forged::Wrong) };
        assert_eq!(judge(&body, secret), expected, "{entry}");
        for place in 0..body.len() {
            let mut flipped = body.clone();
            flipped[place] ^= 1;
            assert_eq!(judge(&flipped, secret), Err(Forged::Wrong), "byte {place} of {entry}");
        }
        assert_eq!(judge(&body, "another secret"), Err(Forged::Wrong), "{entry}");
        judged += 1;
    }
    assert!(judged >= vectors.len() - 1, "only {judged} of {} were judged", vectors.len());
}
