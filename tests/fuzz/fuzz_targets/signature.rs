#![no_main]
//! Signatures: three lines (the signature, a time, the secret), and the body.

use em_metrics_fuzz::domain::Timestamp;
use em_metrics_fuzz::webhooks::{Headers, Scheme, VENDORS, verify};
use libfuzzer_sys::fuzz_target;

/// The headers that a scheme looks at.
fn names(scheme: Scheme) -> [&'static str; 3] {
    match scheme {
        Scheme::Hex { header, .. }
        | Scheme::NamedHex { header }
        | Scheme::StampedHex { header }
        | Scheme::HexWithBodyTime { header, .. }
        | Scheme::Jws { header, .. }
        | Scheme::Secret { header } => [header, "", ""],
        Scheme::TimedHex { header, time_header, .. } => [header, time_header, ""],
        Scheme::Standard => ["webhook-signature", "webhook-timestamp", "webhook-id"],
    }
}

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(4, |byte| *byte == b'\n');
    let mut line = || std::str::from_utf8(parts.next().unwrap_or_default()).unwrap_or_default();
    let (signature, time, secret) = (line(), line(), line());
    let body = parts.next().unwrap_or_default();
    let now = Timestamp::from_micros(1_614_265_330_000_000).expect("a time of our own");
    let of_vendors = VENDORS.iter().flat_map(|vendor| vendor.schemes);
    for scheme in of_vendors.copied().chain([Scheme::Standard]) {
        let [header, time_header, id_header] = names(scheme);
        let headers: Headers = [(header, signature), (time_header, time), (id_header, "msg_1")].into_iter().collect();
        if verify(&[scheme], &headers, body, &[secret], now).is_ok() {
            assert!(!secret.is_empty(), "{scheme:?} took what nobody signed");
            let other = format!("{secret}x");
            assert!(verify(&[scheme], &headers, body, &[&other], now).is_err(), "{scheme:?} takes any secret");
        }
    }
});
