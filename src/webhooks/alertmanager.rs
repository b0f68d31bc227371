//! Prometheus' Alertmanager: <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>. It signs
//! nothing: a secret is sent by `http_config`.

use super::{About, Body, Event, Headers, Reading, Vendor, alerts};

pub static VENDOR: Vendor = Vendor {
    name: "alertmanager",
    title: "Alertmanager",
    schemes: &[],
    headers: &[],
    about,
    read,
    guide: include_str!("guides/alertmanager.md"),
    samples: &[
        sample!("alertmanager", "firing", []),
        sample!("alertmanager", "mixed", []),
        sample!("alertmanager", "unset_end", []),
        sample!("alertmanager", "empty", []),
    ],
};

fn about(_: &Headers, body: Body<'_>) -> About {
    alerts::about(body)
}

fn read(event: &Event<'_>) -> Reading {
    alerts::read(VENDOR.name, event)
}
