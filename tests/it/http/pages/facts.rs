//! `/facts`: what a number is made of.

use serde_json::json;

use super::{after, browse, links, page};
use crate::engine::Engine;
use crate::http::dora::{deployed, incident, tell};

on_each_engine! {
    a_point_of_a_chart_leads_to_its_facts,
    the_way_back_leads_to_the_same_view,
    counted_and_left_out_are_told_apart,
    more_facts_than_fit_are_on_more_pages,
    a_fact_links_to_where_it_is_from,
    facts_of_no_metric_are_refused,
}

async fn a_point_of_a_chart_leads_to_its_facts(engine: Engine) {
    let app = engine.app().await;
    tell(
        &app,
        [
            deployed("early", "2026-06-10T21:59:00Z", json!({})),
            deployed("late", "2026-06-10T22:01:00Z", json!({})),
            incident("down", "2026-06-11T09:00:00Z", json!({"deployment_id": "late"})),
        ],
    )
    .await;
    // in Berlin the second one is of the day after
    let answer = browse(&app, "/?days=7&tz=Europe%2FBerlin").await;
    let chart = after(page(&answer, 200), "id=\"over-time-change_failure_rate\"", "</figure>").to_owned();
    let (row, _) = chart.split_once(">Thu 11 Jun 2026<").unwrap();
    let link = links(row).pop().unwrap();
    let answer = browse(&app, &format!("/{link}")).await;
    let html = page(&answer, 200);
    assert!(html.contains("late") && !html.contains("early"), "{html}");
    assert!(html.contains("incident down is linked to it"), "{html}");
    assert!(html.contains("11 Jun 2026, 00:01"), "the time is Berlin's: {html}");
}

async fn the_way_back_leads_to_the_same_view(engine: Engine) {
    let app = engine.app().await;
    tell(&app, (0..3).map(|n| deployed(&n.to_string(), "2026-06-10T10:00:00Z", json!({"team_id": "a&b"})))).await;
    let back = async |path: &str| {
        let answer = browse(&app, path).await;
        links(after(page(&answer, 200), "class=\"back\"", "</p>")).remove(0)
    };
    for view in [
        "./",
        "./?days=90",
        "./?days=7&tz=Europe%2FBerlin&environment=production&team_id=a%26b&project_id=shop",
        "./?from=2026-06-01&to=2026-06-12&tz=Europe%2FBerlin",
        "./?days=7&all=projects&all=teams",
    ] {
        let answer = browse(&app, &view[1..]).await;
        let html = page(&answer, 200);
        for of in ["id=\"over-time-deployment_frequency\"", "id=\"deployment_frequency\""] {
            let facts =
                links(after(html, of, "</article>")).into_iter().find(|link| link.starts_with("facts?")).unwrap();
            assert_eq!(back(&format!("/{facts}")).await, view, "{facts}");
            // also from the facts that were left out
            let answer = browse(&app, &format!("/{facts}")).await;
            let left_out = links(after(page(&answer, 200), "aria-label=\"Which facts\"", "</nav>")).pop().unwrap();
            assert!(left_out.contains("counted=false"), "{left_out}");
            assert_eq!(back(&format!("/{left_out}")).await, view, "{left_out}");
        }
    }
    // nobody is led elsewhere by it
    for (said, leads) in [("https://evil.example/", "./?https%3A%2F%2Fevil.example%2F="), ("%3Fdays%3D7", "./?days=7")]
    {
        assert_eq!(back(&format!("/facts?metric=incidents&back={said}")).await, leads);
    }
}

async fn counted_and_left_out_are_told_apart(engine: Engine) {
    let app = engine.app().await;
    tell(
        &app,
        [
            deployed("live", "2026-06-10T10:00:00Z", json!({})),
            deployed("trial", "2026-06-10T11:00:00Z", json!({"environment": "staging"})),
        ],
    )
    .await;
    let shown = async |query: &str| {
        let answer = browse(&app, &format!("/facts?metric=deployment_frequency{query}")).await;
        let html = page(&answer, 200);
        let table = after(html, "<tbody>", "</tbody>");
        (table.contains("Deployment live"), table.contains("Deployment trial"))
    };
    assert_eq!(shown("").await, (true, true));
    assert_eq!(shown("&counted=true").await, (true, false));
    assert_eq!(shown("&counted=false").await, (false, true));
}

async fn more_facts_than_fit_are_on_more_pages(engine: Engine) {
    let app = engine.app().await;
    tell(
        &app,
        (0..103).map(|n| deployed(&n.to_string(), &format!("2026-06-10T{:02}:{:02}:00Z", n / 60, n % 60), json!({}))),
    )
    .await;
    let mut path = "/facts?metric=deployment_frequency&counted=true&days=7".to_owned();
    let mut sizes = Vec::new();
    loop {
        let answer = browse(&app, &path).await;
        let html = page(&answer, 200);
        sizes.push(html.matches("<th scope=\"row\">Deployment ").count());
        assert!(html.contains(r#"aria-current="true""#));
        let Some(next) = links(html).into_iter().find(|link| link.contains("cursor=")) else { break };
        path = format!("/{next}");
    }
    assert_eq!(sizes, [100, 3]);
}

async fn a_fact_links_to_where_it_is_from(engine: Engine) {
    let app = engine.app().await;
    let run = "https://ci.example/run/7?a=1&b=\"><script>";
    tell(
        &app,
        [
            deployed("run", "2026-06-10T10:00:00Z", json!({"url": run})),
            deployed("trick", "2026-06-10T11:00:00Z", json!({"url": "javascript:alert(1)"})),
            deployed("plain", "2026-06-10T12:00:00Z", json!({})),
            incident("down", "2026-06-11T09:00:00Z", json!({"url": "http://status.example/down"})),
        ],
    )
    .await;
    let rows = async |metric: &str| {
        let answer = browse(&app, &format!("/facts?metric={metric}&days=7")).await;
        after(page(&answer, 200), "<tbody>", "</tbody>").to_owned()
    };
    let deployments = rows("deployment_frequency").await;
    let elsewhere =
        |rows: &str| links(rows).into_iter().filter(|link| !link.starts_with("changes?")).collect::<Vec<_>>();
    assert_eq!(elsewhere(&deployments).len(), 1, "{deployments}");
    assert!(
        deployments.contains("https://ci.example/run/7?a=1") && !deployments.contains("\"><script>"),
        "{deployments}"
    );
    assert!(deployments.contains("rel=\"noopener noreferrer\">run</a>"), "{deployments}");
    assert_eq!(elsewhere(&rows("incidents").await), ["http://status.example/down"]);
}

async fn facts_of_no_metric_are_refused(engine: Engine) {
    let app = engine.app().await;
    for query in ["", "?metric=speed", "?metric=incidents&counted=maybe", "?metric=incidents&cursor=e30"] {
        page(&browse(&app, &format!("/facts{query}")).await, 400);
    }
}
