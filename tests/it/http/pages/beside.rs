//! The five keys beside the figures of others, on the overview.

use em_metrics::benchmarks::Choice;
use serde_json::Value;

use super::overview::{KEYS, a_month, card};
use super::{after, browse, get, page, values};
use crate::engine::Engine;

on_each_engine! {
    others_stand_beside_with_their_source,
    others_of_an_industry_and_a_size_are_named,
}

async fn others_stand_beside_with_their_source(engine: Engine) {
    let app = engine.app().await;
    a_month(&app).await;
    for query in ["", "?project_id=cart&from=2026-06-01", "?project_id=nobody"] {
        let answer = browse(&app, &format!("/{query}")).await;
        let html = page(&answer, 200);
        let api = get(&app, &format!("/dora/benchmark{query}")).await.expect(200);
        for metric in KEYS {
            let api = &api["metrics"][metric];
            let beside = after(&card(html, metric), "class=\"beside\"", "</div>").to_owned();
            let mut expected = Vec::from_iter(api["score"].as_f64().map(|score| (score * 10.0).round() / 10.0));
            expected.push(api["by_industry"]["mean"].as_f64().unwrap());
            assert_eq!(values(&beside), expected, "{metric} {query}");
            assert!(beside.contains("2025") && beside.contains("n not published"), "{beside}");
            assert!(beside.contains("href=\"https://dora.dev/quickcheck/\""), "{beside}");
            for said in ["band", "reason"] {
                assert!(api[said].as_str().is_none_or(|said| beside.contains(said)), "{beside}");
            }
        }
        let score = after(html, "id=\"quick-check\"", "</article>");
        let check = &api["quick_check"];
        let expected = [&check["score"], &check["published_by_industry"]].map(Value::as_f64);
        let expected = expected.into_iter().flatten().map(|score| (score * 10.0).round() / 10.0);
        assert_eq!(values(score), expected.collect::<Vec<_>>(), "{query}");
        assert!(score.contains("https://dora.dev/quickcheck/") && score.contains("CC-BY-4.0"), "{score}");
        assert_eq!(score.contains("choose a project"), query.is_empty(), "{score}");
    }
}

async fn others_of_an_industry_and_a_size_are_named(engine: Engine) {
    let choice = Choice { year: 2024, industry: "technology".to_owned(), organisation_size: "all".to_owned() };
    let peers = choice.find().unwrap();
    let app = engine.app_with(|config| config.benchmark = peers).await;
    a_month(&app).await;
    let answer = browse(&app, "/").await;
    let html = page(&answer, 200);
    let beside = after(&card(html, "lead_time_for_changes"), "class=\"beside\"", "</div>").to_owned();
    assert!(
        beside.contains("DORA 2024, Technology: ") && beside.contains("DORA 2024, All organizations: "),
        "{beside}"
    );
    let rework = after(&card(html, "deployment_rework_rate"), "class=\"beside\"", "</div>").to_owned();
    assert!(rework.contains("did not ask for it") && values(&rework).is_empty(), "{rework}");
}
