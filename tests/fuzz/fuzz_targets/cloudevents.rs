#![no_main]
//! Events in every mode: the first line holds the headers, `name=value` parted by blanks, the rest is the body.

use em_metrics_fuzz::webhooks::{Headers, cloudevents, vendor};
use em_metrics_fuzz::{Delivery, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let Ok(line) = std::str::from_utf8(&input[..end]) else { return };
    let headers: Headers = line.split(' ').filter_map(|header| header.split_once('=')).collect();
    let body = input.get(end + 1..).unwrap_or_default();
    match cloudevents::events(&headers, body) {
        Ok(events) => {
            for event in events {
                let text = serde_json::to_vec(&event).expect("JSON is written as JSON");
                // it is an event, and stays what it is; the last digit of a float may be another when it is read again
                let again = cloudevents::events(&Headers::default(), &text).expect("it is an event");
                for attribute in ["specversion", "id", "source", "type", "time", "subject", "datacontenttype"] {
                    assert_eq!(again[0].get(attribute), event.get(attribute), "{attribute}");
                }
                assert_eq!(again.len(), 1);
                let vendor = vendor("cdevents").expect("it is there");
                read(&Delivery { vendor, header: "", body: &text }, &event);
            }
        }
        Err(broken) => assert!(!broken.to_string().is_empty()),
    }
});
