//! Datadog's monitors. The body is what people paste into its Webhooks integration: the one of our guide.
//! <https://docs.datadoghq.com/integrations/webhooks/>

use super::body::id;
use super::{About, Body, Event, Happening, Headers, Ignored, Reading, Vendor, tags};
use crate::domain::incident::{Sighting, State};

pub static VENDOR: Vendor = Vendor {
    name: "datadog",
    title: "Datadog",
    schemes: &[],
    headers: &[],
    about,
    read,
    guide: include_str!("guides/datadog.md"),
    samples: &[
        sample!("datadog", "triggered", []),
        sample!("datadog", "warn", []),
        sample!("datadog", "recovered", []),
        sample!("datadog", "test", []),
    ],
};

fn about(_: &Headers, body: Body<'_>) -> About {
    let event = body.at("/transition").text().unwrap_or_default().to_ascii_lowercase();
    About { event, delivery: filled(body.at("/id")).and_then(Body::word) }
}

/// A variable that Datadog knows nothing for is sent by its name, or as `null`.
fn filled(value: Body<'_>) -> Option<Body<'_>> {
    value.word().filter(|word| !word.starts_with('$') && word != "null" && word != "N/A").map(|_| value)
}

fn read(event: &Event<'_>) -> Reading {
    let body = event.body;
    let told = |field: &str| filled(body.at(field));
    if ["/title", "/event_title"].iter().any(|field| body.at(field).text().is_some_and(|t| t.contains("[TEST]"))) {
        return Err(Ignored::because("Datadog's test of a notification, and no alert"));
    }
    let Some(cycle) = told("/cycle").and_then(Body::word) else {
        return Err(Ignored::because("it has no \"cycle\": paste the payload of the guide into Datadog's webhook"));
    };
    let at = told("/at").and_then(Body::time).unwrap_or(event.received_at);
    let state = match event.event {
        "triggered" | "re-triggered" => State::Open,
        "recovered" => State::Finished(at),
        "warn" | "re-warn" => return Err(Ignored::because("a warning is no alert")),
        "no data" | "re-no data" => return Err(Ignored::because("a lack of data is no alert")),
        "renotify" => return Err(Ignored::because("it says again what was said before")),
        _ => return Err(Ignored::event(event.event)),
    };
    let words: Vec<_> = told("/tags").and_then(Body::text).unwrap_or_default().split(',').map(str::trim).collect();
    Ok(vec![Happening::incident(
        id(VENDOR.name, &[&cycle]).ok_or_else(|| Ignored::because("it has no \"cycle\""))?,
        tags::value(&words, tags::PROJECT),
        Sighting {
            state: Some(state),
            environment: tags::value(&words, tags::ENVIRONMENT),
            cause: super::causes::find(words.iter().copied(), body.at("/text").text()),
            severity: told("/priority").and_then(Body::name),
            title: told("/title").and_then(Body::prose),
            url: told("/url").and_then(Body::prose),
            ..Sighting::new(at)
        },
    )])
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::webhooks::testing::{RECEIVED, at, ignored, incidents, states};

    fn alert(transition: &str) -> Value {
        json!({"id": "$ID", "cycle": "77", "transition": transition, "at": "1781517600000", "priority": "null"})
    }

    #[test]
    fn the_transition_says_how_it_stands() {
        let when = at("2026-06-15T10:00:00Z");
        assert_eq!(states(&VENDOR, &alert("Triggered")), [Some(State::Open)]);
        assert_eq!(states(&VENDOR, &alert("Re-Triggered")), [Some(State::Open)]);
        assert_eq!(states(&VENDOR, &alert("Recovered")), [Some(State::Finished(when))]);
        let (id, sighting) = incidents(&VENDOR, &alert("Triggered")).remove(0);
        assert_eq!((id.as_str(), sighting.at, sighting.severity), ("datadog:77", when, None));
        assert_eq!((VENDOR.about)(&Headers::default(), Body(&alert("Triggered"))).delivery, None);
        let unfilled = json!({"cycle": 7, "transition": "Recovered", "at": "$DATE"});
        assert_eq!(states(&VENDOR, &unfilled), [Some(State::Finished(at(RECEIVED)))]);
    }

    #[test]
    fn what_tells_nothing_says_why() {
        for (transition, reason) in
            [("Warn", "warning"), ("No Data", "lack of data"), ("Renotify", "again"), ("Ascended", "ascended")]
        {
            assert!(ignored(&VENDOR, &alert(transition)).contains(reason), "{transition}");
        }
        assert!(ignored(&VENDOR, &json!({"transition": "Triggered"})).contains("guide"));
        assert!(ignored(&VENDOR, &json!({"cycle": "$ALERT_CYCLE_KEY", "transition": "Triggered"})).contains("guide"));
        assert!(ignored(&VENDOR, &json!({"cycle": "7", "title": "[TEST] CPU"})).contains("test"));
    }
}
