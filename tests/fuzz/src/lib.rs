//! What the targets share. The two rooms are compiled here by themselves: they know nothing of the others
//! (`tests/it/layers.rs` holds that), and the whole program would take minutes to build with instrumentation.

#[allow(dead_code, unused_imports, reason = "used by rooms that are not here")]
#[path = "../../../src/domain/mod.rs"]
pub mod domain;
#[path = "../../../src/webhooks/mod.rs"]
pub mod webhooks;

mod mutate;

pub use mutate::json;

/// An input of the target `webhooks`: a vendor, the value of each header that it reads, and a body.
pub struct Delivery<'a> {
    pub vendor: &'static webhooks::Vendor,
    pub header: &'a str,
    pub body: &'a [u8],
}

impl<'a> Delivery<'a> {
    /// From one byte, one line and the rest.
    pub fn of(input: &'a [u8]) -> Option<Self> {
        let (first, rest) = input.split_first()?;
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let vendor = webhooks::VENDORS[usize::from(*first) % webhooks::VENDORS.len()];
        Some(Self { vendor, header: std::str::from_utf8(&rest[..end]).ok()?, body: &rest[end + 1..] })
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let index = webhooks::VENDORS.iter().position(|vendor| vendor.name == self.vendor.name).unwrap_or_default();
        let mut bytes = vec![u8::try_from(index).unwrap_or_default()];
        bytes.extend(self.header.bytes().filter(|byte| *byte != b'\n'));
        bytes.push(b'\n');
        bytes.extend(self.body);
        bytes
    }

    pub fn headers(&self) -> webhooks::Headers {
        self.vendor.headers.iter().map(|name| (*name, self.header)).collect()
    }
}

/// Reads as the handler would, and holds what each reading promises.
pub fn read(delivery: &Delivery<'_>, body: &serde_json::Value) {
    let headers = delivery.headers();
    let body = webhooks::Body(body);
    let about = (delivery.vendor.about)(&headers, body);
    let settings = webhooks::Settings {
        deploy_workflows: ["deploy", "Deploy", "build", "CI"].map(str::to_owned).to_vec(),
        incident_labels: ["incident", "bug"].map(str::to_owned).to_vec(),
        releases: true,
        estimate_field: Some("customfield_10106".to_owned()),
    };
    let received_at = domain::Timestamp::from_micros(1_781_524_800_000_000).expect("a time of our own");
    let event = webhooks::Event { event: &about.event, headers: &headers, body, received_at, settings: &settings };
    let told = (delivery.vendor.read)(&event);
    match &told {
        Ok(happenings) => assert!(!happenings.is_empty(), "it tells nothing and gives no reason"),
        Err(ignored) => assert!(!ignored.0.is_empty(), "it is ignored for no reason"),
    }
    // a delivery that comes twice says the same twice
    assert_eq!(told, (delivery.vendor.read)(&event));
    assert_eq!(about, (delivery.vendor.about)(&headers, body));
    let shown = serde_json::to_string(&told.unwrap_or_default());
    assert!(shown.is_ok(), "what it tells cannot be written down");
}
