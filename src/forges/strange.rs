//! Whatever an API answers, nothing breaks, and nobody else is told the token.

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;
use crate::domain::Timestamp;
use crate::forges::answer::next_page;
use crate::webhooks::{Body, Event, Headers, Settings, vendor};

/// The names that matter here, so that what is made up is not all passed over.
const FIELDS: &[&str] = &[
    "id",
    "iid",
    "number",
    "state",
    "status",
    "sha",
    "environment",
    "name",
    "created_at",
    "updated_at",
    "merged_at",
    "released_at",
    "published_at",
    "submitted_at",
    "tag_name",
    "user",
    "author",
    "creator",
    "login",
    "username",
    "system",
    "body",
    "commit",
    "commits",
    "committer",
    "date",
    "committed_date",
    "deployable",
    "started_at",
    "head",
    "base",
    "values",
    "next",
    "full_name",
    "path_with_namespace",
    "closed_at",
    "merge_commit_sha",
];

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(vec![
            "success",
            "merged",
            "2026-06-15T10:00:00.5Z",
            "1969-12-31T00:00:00Z",
            "ü",
            "",
            "approved this merge request",
            "https://api.example/next",
        ])
        .prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        let field = prop::sample::select(FIELDS.to_vec());
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((field, inner), 0..10).prop_map(|fields| {
                fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>().into()
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_answer_is_read_or_passed_over(page in prop::collection::vec(json(), 0..3), beside in json(), said in json()) {
        let received_at = Timestamp::parse("2026-06-15T12:00:00Z").unwrap();
        let settings = Settings { releases: true, ..Settings::default() };
        let base = Base::parse("https://api.example/v1").unwrap();
        for forge in FORGES {
            let place = (forge.place)(&said).unwrap_or(Place { path: "acme/shop".to_owned(), id: None });
            let _ = ((forge.compared)(&said), (forge.commit_at)(&said), (forge.next)(&said));
            for list in forge.lists {
                for item in (forge.items)(*list, &Value::from(page.clone())) {
                    for url in (forge.details)(&base, &place, *list, &item) {
                        prop_assert!(base.is_ours(&url) && url.path().starts_with("/v1/"), "{url}");
                    }
                    let details = [vec![beside.clone()], vec![said.clone()]];
                    let _ = (forge.is_open)(*list, &details);
                    let deliveries = (forge.deliveries)(&place, *list, &item, &details);
                    prop_assert_eq!(&deliveries, &(forge.deliveries)(&place, *list, &item, &details));
                    for delivery in deliveries {
                        let headers: Headers = delivery.headers.into_iter().collect();
                        let vendor = vendor(forge.name).unwrap();
                        let about = (vendor.about)(&headers, Body(&delivery.body));
                        prop_assert!(about.delivery.is_some_and(|id| id.starts_with(BACKFILLED)));
                        let body = Body(&delivery.body);
                        let _ = (vendor.read)(&Event { event: &about.event, headers: &headers, body, received_at, settings: &settings });
                    }
                }
            }
        }
    }

    #[test]
    fn no_link_leads_elsewhere(link in r#"[-<>;,="a-z:/@.\\ ]{0,30}|<[-a-z:/@.\\]{0,20}>; rel="?next"?"#, said in "[-a-z:/@.\\\\]{0,20}") {
        let base = Base::parse("https://api.example/v1").unwrap();
        let asked = base.join(&["x"], &[]).unwrap();
        if let Ok(Some(next)) = next_page(&base, &asked, Some(&link), Some(&said)) {
            prop_assert_eq!(next.host_str(), Some("api.example"));
            prop_assert_eq!(next.scheme(), "https");
        }
    }
}
