#![no_main]
//! A vendor's reader: that of `EM_FUZZ_VENDOR`, so that each has its time and its own corpus; without it the first byte
//! chooses.

use std::sync::LazyLock;

use em_metrics_fuzz::webhooks::{Vendor, vendor};
use em_metrics_fuzz::{Delivery, json, read};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

static ONLY: LazyLock<Option<&'static Vendor>> = LazyLock::new(|| {
    let name = std::env::var("EM_FUZZ_VENDOR").ok()?;
    Some(vendor(&name).expect("EM_FUZZ_VENDOR names a vendor"))
});

fuzz_target!(|input: &[u8]| {
    let Some(delivery) = Delivery::of(input) else { return };
    let delivery = Delivery { vendor: ONLY.unwrap_or(delivery.vendor), ..delivery };
    if let Ok(body) = serde_json::from_slice(delivery.body) {
        read(&delivery, &body);
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    // one in eight is left to libFuzzer, which also changes the vendor and the header
    let body = data[..size].iter().position(|byte| *byte == b'\n').map(|end| end + 1).filter(|_| seed % 8 != 0);
    let changed = body.and_then(|start| Some((start, json(&data[start..size], max_size - start, seed / 8)?)));
    match changed {
        Some((start, body)) => {
            data[start..start + body.len()].copy_from_slice(&body);
            start + body.len()
        }
        None => fuzzer_mutate(data, size, max_size),
    }
});
