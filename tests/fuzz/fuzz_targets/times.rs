#![no_main]
//! Times: what is read, written down and read again is the same.

use em_metrics_fuzz::webhooks::Body;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let number = serde_json::from_str::<Value>(text).ok();
    for value in [Some(Value::String(text.to_owned())), number].into_iter().flatten() {
        if let Some(time) = Body(&value).time() {
            assert_eq!(Body(&Value::String(time.to_string())).time(), Some(time), "{value}");
        }
    }
});
