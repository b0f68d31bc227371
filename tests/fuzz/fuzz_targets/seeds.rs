#![no_main]
//! Where the other targets begin: the samples of each vendor, and what was captured in the wild where
//! `EM_METRICS_PAYLOADS` names its folder. Writes to the folder that `EM_FUZZ_CORPUS` names, one folder for each
//! target and vendor. A target itself, because what is built with instrumentation runs only below libFuzzer; it ends before it
//! begins.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use em_metrics_fuzz::Delivery;
use em_metrics_fuzz::webhooks::{VENDORS, Vendor};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: sow_and_leave(), |_input: &[u8]| {});

fn sow_and_leave() {
    let sown = sow().map_err(|error| eprintln!("seeds: {error}"));
    std::process::exit(i32::from(sown.is_err()));
}

fn sow() -> Result<(), Box<dyn std::error::Error>> {
    let corpus = std::env::var_os("EM_FUZZ_CORPUS").map(PathBuf::from).ok_or("EM_FUZZ_CORPUS names no folder")?;
    let payloads = std::env::var_os("EM_METRICS_PAYLOADS").map(PathBuf::from);
    let mut seeds = Seeds { corpus, written: 0 };
    for vendor in VENDORS {
        let mut headers: BTreeSet<&str> = [""].into();
        for sample in vendor.samples {
            let header = sample.headers.first().map_or("", |(_, value)| value);
            headers.insert(header);
            seeds.delivery(&Delivery { vendor, header, body: sample.body.as_bytes() })?;
        }
        // which header came with it is not said everywhere: it is tried with each
        for body in captured(payloads.as_deref(), vendor)? {
            for header in &headers {
                seeds.delivery(&Delivery { vendor, header, body: &body })?;
            }
        }
    }
    for (line, body) in EVENTS {
        seeds.write("cloudevents", format!("{line}\n{body}").as_bytes())?;
    }
    for text in TIMES {
        seeds.write("times", text.as_bytes())?;
    }
    for (signature, time, secret, body) in SIGNATURES {
        seeds.write("signature", format!("{signature}\n{time}\n{secret}\n{body}").as_bytes())?;
    }
    eprintln!("{} seeds", seeds.written);
    Ok(())
}

struct Seeds {
    corpus: PathBuf,
    written: usize,
}

impl Seeds {
    fn delivery(&mut self, delivery: &Delivery<'_>) -> std::io::Result<()> {
        if delivery.vendor.name == "cdevents" {
            self.write("cloudevents", &[b"content-type=application/json\n", delivery.body].concat())?;
        }
        self.write(&format!("webhooks-{}", delivery.vendor.name), &delivery.to_bytes())
    }

    fn write(&mut self, target: &str, bytes: &[u8]) -> std::io::Result<()> {
        let folder = self.corpus.join(target);
        fs::create_dir_all(&folder)?;
        self.written += 1;
        fs::write(folder.join(format!("seed-{:05}", self.written)), bytes)
    }
}

/// Folders are named as vendors are, but for dashes and what is behind them.
fn captured(payloads: Option<&Path>, vendor: &Vendor) -> std::io::Result<Vec<Vec<u8>>> {
    let mut bodies = Vec::new();
    let Some(payloads) = payloads else { return Ok(bodies) };
    for folder in fs::read_dir(payloads)? {
        let folder = folder?;
        let name = folder.file_name().to_string_lossy().into_owned();
        if !folder.path().is_dir() || name.trim_end_matches("-inbound") != vendor.name {
            continue;
        }
        for file in fs::read_dir(folder.path())? {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                bodies.push(fs::read(path)?);
            }
        }
    }
    bodies.sort();
    Ok(bodies)
}

const EVENTS: &[(&str, &str)] = &[
    ("content-type=application/cloudevents+json", r#"{"specversion":"1.0","id":"1","source":"/ci","type":"a.b"}"#),
    (
        "content-type=application/cloudevents-batch+json",
        r#"[{"specversion":"1.0","id":"1","source":"/ci","type":"a.b"}]"#,
    ),
    (
        "content-type=application/json ce-specversion=1.0 ce-id=%E2%82%AC ce-source=/ci ce-type=dev.cdevents.service.deployed.0.3.0",
        r#"{"context":{},"subject":{"id":"shop","content":{"artifactId":"pkg:oci/a@1"}}}"#,
    ),
    ("content-type=text/plain ce-specversion=1.0 ce-id=1 ce-source=/ci ce-type=a.b", "hello"),
    ("", r#"{"specversion":"1.0","id":"1","source":"/ci","type":"a.b","data_base64":"e30="}"#),
];

const TIMES: &[&str] = &[
    "2021-04-28T19:50:00Z",
    "2021-04-28T19:50:00.123456789+05:30",
    "2021-04-28 21:50:00 +0200",
    "2021-04-28 19:50:00 UTC",
    "2021-04-28T19:50:00",
    "Wed, 28 Apr 2021 19:50:00 +0000",
    "1619639400",
    "1619639400.25",
    "1619639400000000000",
    "\"2021-04-28T19:50:00Z\"",
    "1e9",
];

const SIGNATURES: &[(&str, &str, &str, &str)] = &[
    (
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        "",
        "It's a Secret to Everybody",
        "Hello, World!",
    ),
    ("t=1614265330,v1=00,v1=ff", "1614265330", "secret", "{}"),
    (
        "v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        "1614265330",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        r#"{"test": 2432232314}"#,
    ),
    ("eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJuZXRsaWZ5In0.AAAA", "", "secret", "{}"),
];
