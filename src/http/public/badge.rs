//! A number as a badge: drawn here, in the look of shields.io, or as JSON for its endpoint.

use serde::Serialize;
use shields::{BadgeParams, BadgeStyle, render_badge_svg};
use utoipa::ToSchema;

use crate::dora::explain::Metric;
use crate::dora::{Measure, words};

/// What <https://shields.io/badges/endpoint-badge> reads.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Badge {
    /// Always 1.
    schema_version: u8,
    label: String,
    message: String,
    /// `blue`, or `lightgrey` for "not enough data". Never green or red: a number is no verdict.
    color: &'static str,
    /// How long an answer is good for.
    cache_seconds: u32,
}

impl Badge {
    /// With the metric's name for a label, unless there is another.
    pub fn new(metric: Metric, measure: Measure, label: Option<String>, cache_seconds: u32) -> Self {
        let known = measure.enough && measure.value.is_some();
        Self {
            schema_version: 1,
            label: label.unwrap_or_else(|| words::title(metric).to_lowercase()),
            message: words::measure(metric, measure),
            color: if known { "blue" } else { "lightgrey" },
            cache_seconds,
        }
    }

    pub fn svg(&self) -> String {
        render_badge_svg(&BadgeParams {
            style: BadgeStyle::Flat,
            label: Some(&self.label),
            message: Some(&self.message),
            message_color: Some(self.color),
            ..BadgeParams::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn badge(measure: Measure, label: Option<&str>) -> Badge {
        Badge::new(Metric::ChangeFailureRate, measure, label.map(str::to_owned), 300)
    }

    const KNOWN: Measure = Measure { n: 48, value: Some(0.0416), enough: true };

    #[test]
    fn it_names_itself_to_those_who_do_not_see_it() {
        let svg = badge(KNOWN, None).svg();
        assert!(svg.starts_with("<svg ") && svg.contains(r#"role="img""#), "{svg}");
        assert!(svg.contains(r#"aria-label="change fail rate: 4.2 %""#), "{svg}");
        assert!(svg.contains("<title>change fail rate: 4.2 %</title>"), "{svg}");
    }

    #[test]
    fn a_label_cannot_break_out() {
        let svg = badge(KNOWN, Some(r#"</text><script>alert("1")</script>&'"#)).svg();
        assert!(!svg.contains("<script") && !svg.contains(r#"alert(""#), "{svg}");
        assert!(svg.contains("&lt;script&gt;"), "{svg}");
    }

    #[test]
    fn shields_can_read_it() {
        let json = |badge: &Badge| serde_json::to_string(badge).unwrap();
        let expected =
            r#"{"schemaVersion":1,"label":"change fail rate","message":"4.2 %","color":"blue","cacheSeconds":300}"#;
        assert_eq!(json(&badge(KNOWN, None)), expected);
        let too_little = badge(Measure { enough: false, ..KNOWN }, Some("fails"));
        let expected =
            r#"{"schemaVersion":1,"label":"fails","message":"not enough data","color":"lightgrey","cacheSeconds":300}"#;
        assert_eq!(json(&too_little), expected);
    }
}
