//! `/`: the numbers, the filters, the first start.

use serde_json::{Value, json};

use super::{after, browse, get, links, page, values};
use crate::app::{Answer, App};
use crate::engine::Engine;
use crate::http::dora::{deployed, dora, incident, step, tell};

on_each_engine! {
    the_cards_say_what_the_api_says,
    signal_or_noise_is_what_the_api_says,
    the_charts_say_what_the_api_says,
    what_has_not_happened_yet_is_not_less,
    filters_stand_in_the_address,
    several_projects_can_be_asked_for,
    open_incidents_are_listed,
    hostile_names_are_only_text,
    a_filter_that_makes_no_sense_is_a_page_that_says_so,
    nothing_yet_shows_how_to_begin,
    few_facts_are_not_enough_data,
    others_than_browsers_are_led_to_the_documentation,
    what_a_page_loads_is_kept_for_ever,
}

/// Twelve deployments of two projects in the last 30 days, six in the 30 before; two failed.
pub async fn a_month(app: &App) {
    let facts = (0..12).map(|n| {
        let (project, team) = if n % 3 == 0 { ("cart", json!("blue")) } else { ("shop", Value::Null) };
        let changes = json!({"project_id": project, "team_id": team, "unplanned": n == 5});
        deployed(&n.to_string(), &format!("2026-06-{:02}T10:{n:02}:00Z", n + 1), changes)
    });
    tell(app, facts).await;
    let earlier = (20..26).map(|n| deployed(&n.to_string(), &format!("2026-05-{:02}T10:00:00Z", n - 18), json!({})));
    tell(app, earlier).await;
    let link = |id: &str| json!({"deployment_id": id, "title": "Slow", "severity": "high"});
    tell(
        app,
        [
            incident("down", "2026-06-02T11:00:00Z", link("1")),
            step("/incidents/down/restored", json!({"date": "2026-06-02T12:30:00Z"})),
            incident("slow", "2026-06-14T09:00:00Z", link("10")),
        ],
    )
    .await;
}

pub fn card(html: &str, metric: &str) -> String {
    after(html, &format!("id=\"{metric}\""), "</article>").to_owned()
}

async fn the_cards_say_what_the_api_says(engine: Engine) {
    let app = engine.app().await;
    a_month(&app).await;
    let answer = browse(&app, "/").await;
    let html = page(&answer, 200);
    let api = dora(&app, "").await;
    let number = |pointer: &str| api.pointer(pointer).unwrap().as_f64().unwrap();
    let headline = |metric: &str| values(after(&card(html, metric), "class=\"headline\"", "</p>"));
    let facts = |metric: &str| values(after(&card(html, metric), "class=\"source\"", "</p>"));
    assert_eq!(headline("deployment_frequency"), [number("/deployment_frequency/per_day")]);
    assert_eq!(headline("lead_time_for_changes"), [number("/lead_time_for_changes/median_seconds")]);
    assert_eq!(facts("change_failure_rate"), [number("/change_failure_rate/deployments")]);
    // twelve deployments make no share, and one that has recovered no median
    for metric in ["change_failure_rate", "deployment_rework_rate", "failed_deployment_recovery_time"] {
        assert_eq!(headline(metric), [0.0_f64; 0], "{metric}");
        assert!(card(html, metric).contains("Not enough data"), "{metric}");
    }
    assert_eq!(facts("failed_deployment_recovery_time"), [number("/failed_deployment_recovery_time/n")]);
    // the footer's link asks the API for the same
    let footer = links(after(html, "<footer>", "</footer>"));
    assert_eq!(
        get(&app, &format!("/{}", footer[0])).await.expect(200)["deployment_frequency"],
        api["deployment_frequency"]
    );
    assert!(get(&app, &format!("/{}", footer[1])).await.text.starts_with("start,end,deployments"));
}

pub const KEYS: [&str; 5] = [
    "deployment_frequency",
    "lead_time_for_changes",
    "change_failure_rate",
    "failed_deployment_recovery_time",
    "deployment_rework_rate",
];

async fn signal_or_noise_is_what_the_api_says(engine: Engine) {
    let app = engine.app().await;
    a_month(&app).await;
    for query in ["from=2026-05-16T12:00:00Z", "days=90", "from=2026-05-20&to=2026-06-03&tz=Europe%2FBerlin"] {
        let interval = if query == "days=90" { "from=2026-03-17T12:00:00Z&interval=week" } else { "interval=day" };
        let answer = browse(&app, &format!("/?{query}")).await;
        let html = page(&answer, 200);
        for metric in KEYS {
            let answer =
                get(&app, &format!("/dora/trend?metric={metric}&{interval}&{}", query.replace("days=90", ""))).await;
            let api = answer.expect(200);
            let of = |side: &str| api["stands_out"][side].as_u64();
            let verdict = match (api["verdict"].as_str().unwrap(), of("better"), of("worse")) {
                ("signal", Some(0), Some(0)) => "from the day before".to_owned(),
                ("signal", Some(better), Some(0)) => format!("better on {better} of {}", of("of").unwrap()),
                ("signal", Some(0), Some(worse)) => format!("worse on {worse} of {}", of("of").unwrap()),
                ("signal", better, worse) => {
                    format!("better on {} and worse on {} of", better.unwrap(), worse.unwrap())
                }
                ("noise", None, None) => "Noise".to_owned(),
                (_, none, _) => format!("Not enough data{}", none.map(|_| "?").unwrap_or_default()),
            };
            let card = card(html, metric);
            let said = after(&card, "class=\"trend\"", "</p>").to_owned();
            assert!(
                said.contains(&verdict) && said.contains(api["reason"].as_str().unwrap()),
                "{metric} {query}: {said}"
            );
            let before = values(after(&card, "class=\"before muted\"", "</p>"));
            let was = api["before"]["value"].as_f64().filter(|_| api["before"]["enough"] == true);
            assert_eq!(before, Vec::from_iter(was), "{metric} {query}");
            limits_are_those_of(after(html, &format!("id=\"over-time-{metric}\""), "</figure>"), html, &api);
        }
    }
}

/// The table of a chart, whether scripts run or not: what signals, what is no whole part, and between which limits.
#[track_caller]
fn limits_are_those_of(chart: &str, html: &str, api: &Value) {
    let metric = api["metric"].as_str().unwrap();
    let points: Vec<_> = api["points"].as_array().unwrap().iter().filter(|point| point["window"] == "this").collect();
    let rows: Vec<_> = chart.split("<tr data-tick").skip(1).collect();
    assert_eq!(rows.len(), points.len(), "{metric}");
    for (row, point) in rows.iter().zip(points) {
        assert_eq!(row.contains(" data-part"), point["partial"] == true, "{metric}: {row}");
        assert_eq!(row.contains("(part)"), point["partial"] == true, "{metric}: {row}");
        let signals = point["signals"].as_array().unwrap();
        assert_eq!(row.contains(" data-signal"), !signals.is_empty(), "{metric}: {row}");
        for signal in signals {
            assert!(row.contains(&signal.as_str().unwrap().replace('_', " ")), "{metric}: {row}");
        }
        assert_eq!(values(row), Vec::from_iter(point["value"].as_f64()), "{metric}");
    }
    let figure = format!("id=\"over-time-{metric}\"");
    let opening = html.split(&figure).next().unwrap().rsplit("<figure").next().unwrap();
    for (name, field) in [("centre", "centre"), ("lower", "lower_limit"), ("upper", "upper_limit")] {
        let drawn = opening.split(&format!("data-{name}=\"")).nth(1);
        let drawn = drawn.map(|rest| rest.split('"').next().unwrap().parse::<f64>().unwrap());
        // read back from JSON, the last bit may differ
        let off = drawn.zip(api["chart"][field].as_f64()).map(|(drawn, limit)| (drawn - limit).abs());
        assert!(off.is_none_or(|off| off < 1e-9), "{metric} {name}: {off:?}");
        assert_eq!(drawn.is_some(), !api["chart"].is_null(), "{metric} {name}");
    }
    assert_eq!(chart.contains("Natural limits</th>"), !api["chart"].is_null(), "{metric}");
}

async fn the_charts_say_what_the_api_says(engine: Engine) {
    let app = engine.app().await;
    a_month(&app).await;
    for (query, api) in [
        ("", "interval=day"),
        ("days=90", "interval=week&from=2026-03-17T12:00:00Z"),
        ("from=2024-01-01&tz=Europe%2FBerlin", "interval=month&from=2024-01-01&tz=Europe%2FBerlin"),
    ] {
        let answer = browse(&app, &format!("/?{query}")).await;
        let html = page(&answer, 200);
        let api = dora(&app, api).await;
        let parts = api["series"].as_array().unwrap();
        let chart = |metric: &str| values(after(html, &format!("id=\"over-time-{metric}\""), "</figure>"));
        let series = |block: &str, field: &str| -> Vec<f64> {
            parts.iter().filter_map(|part| part[block][field].as_f64()).collect()
        };
        assert_eq!(chart("deployment_frequency"), series("deployment_frequency", "per_day"), "{query}");
        assert_eq!(chart("lead_time_for_changes"), series("lead_time_for_changes", "median_seconds"), "{query}");
        assert_eq!(chart("change_failure_rate"), series("change_failure_rate", "ratio"), "{query}");
        let table = after(html, "id=\"over-time-deployment_frequency\"", "</figure>");
        assert_eq!(links(table).len(), parts.len(), "{query}");
    }
}

async fn what_has_not_happened_yet_is_not_less(engine: Engine) {
    let app = engine.app().await;
    a_month(&app).await;
    let answer = browse(&app, "/?from=2026-06-01&to=2026-12-31").await;
    let html = page(&answer, 200);
    assert!(html.contains(r#"name="to" type="date" value="2026-12-31""#), "asked for is asked for: {html}");
    let chart = after(html, "id=\"over-time-deployment_frequency\"", "</figure>");
    assert_eq!(chart.matches("<tr data-tick").count(), 15, "up to now: {chart}");
    // a window that is to come is empty
    page(&browse(&app, "/?from=2026-07-01&to=2026-07-08").await, 200);
}

async fn filters_stand_in_the_address(engine: Engine) {
    let app = engine.app().await;
    a_month(&app).await;
    let query = "from=2026-06-01&to=2026-06-08&tz=Europe%2FBerlin&environment=production&project_id=shop";
    let answer = browse(&app, &format!("/?{query}")).await;
    let html = page(&answer, 200);
    for field in [
        r#"name="from" type="date" value="2026-06-01""#,
        r#"name="to" type="date" value="2026-06-08""#,
        r#"name="tz" value="Europe/Berlin""#,
        "<option selected>shop</option>",
        "<option selected>production</option>",
        "<option>blue</option>",
    ] {
        assert!(html.contains(field), "{field} in {html}");
    }
    let api = dora(&app, query).await;
    let deployments = &api["deployment_frequency"]["deployments"];
    let card = after(html, "id=\"deployment_frequency\"", "</article>");
    assert_eq!(*values(card).last().unwrap(), deployments.as_f64().unwrap());
    // every link of the page carries them on, but for those that leave it
    let mut links = links(after(html, "<main", "</main>"));
    links.retain(|link| !link.starts_with("https://"));
    let kept = links.iter().filter(|link| link.contains("tz=Europe%2FBerlin") && link.contains("project_id="));
    assert!(kept.count() >= links.len() - 1, "{links:?}");
    // the periods replace the dates
    assert!(links.iter().any(|link| link.starts_with("./?tz=") && link.ends_with("days=90")), "{links:?}");
    // one that was never heard of is shown as chosen, and as empty
    let answer = browse(&app, "/?project_id=nobody&days=7").await;
    assert!(page(&answer, 200).contains("<option selected>nobody</option>"));
}

async fn several_projects_can_be_asked_for(engine: Engine) {
    let app = engine.app().await;
    a_month(&app).await;
    let answer = browse(&app, "/?project_id=shop&project_id=cart").await;
    let html = page(&answer, 200);
    for project in ["shop", "cart"] {
        let chip = format!(r#"<input type="checkbox" name="project_id" value="{project}" checked>"#);
        assert!(html.contains(&chip), "{html}");
    }
    assert_eq!(*values(after(html, "id=\"deployment_frequency\"", "</article>")).last().unwrap(), 12.0);
}

async fn open_incidents_are_listed(engine: Engine) {
    let app = engine.app().await;
    a_month(&app).await;
    let answer = browse(&app, "/").await;
    let open = after(page(&answer, 200), "id=\"incidents-title\"", "</section>");
    assert!(open.contains("slow") && open.contains("1 d 3 h") && !open.contains("down"), "{open}");
    let answer = browse(&app, "/?project_id=cart").await;
    assert!(after(page(&answer, 200), "id=\"incidents-title\"", "</section>").contains("All is well"));
}

async fn hostile_names_are_only_text(engine: Engine) {
    let app = engine.app().await;
    let script = "<script>alert(1)</script>";
    let name = r#""><img src=x onerror=alert(1)>'&"#;
    let changes = json!({"project_id": script, "team_id": name, "environment": script});
    let facts = (0..6).map(|n| deployed(&format!("{script}{n}"), "2026-06-14T10:00:00Z", changes.clone()));
    tell(&app, facts).await;
    for (id, url) in [("a", "javascript:alert(1)"), ("b", "https://example.com/?a=1&b=\"><script>")] {
        let changes = json!({"project_id": script, "environment": script, "title": script, "severity": name,
            "url": url, "deployment_id": format!("{script}1")});
        tell(&app, [incident(&format!("{id}{script}"), "2026-06-14T11:00:00Z", changes)]).await;
    }
    let environment: String = url::form_urlencoded::byte_serialize(script.as_bytes()).collect();
    for path in ["/", "/facts?metric=change_failure_rate", "/facts?metric=incidents", "/?project_id=%3Cscript%3E"] {
        let with = if path.contains('?') { '&' } else { '?' };
        let answer = browse(&app, &format!("{path}{with}environment={environment}")).await;
        let html = page(&answer, 200);
        // the page's own scripts have an address and no text
        assert!(!html.contains("<script>"), "{path}: {html}");
        assert!(!html.contains("<img src=x") && !html.contains("href=\"javascript:"), "{path}: {html}");
    }
    let answer = browse(&app, &format!("/?environment={environment}")).await;
    assert!(answer.text.contains("https://example.com/?a=1"), "{}", answer.text);
    assert!(answer.text.contains("alert(1)"), "shown as what it is");
}

async fn a_filter_that_makes_no_sense_is_a_page_that_says_so(engine: Engine) {
    let app = engine.app().await;
    a_month(&app).await;
    for (query, said) in [
        ("tz=Mars", "IANA"),
        ("from=yesterday", "RFC 3339"),
        ("from=2026-06-02&to=2026-06-01", "is after"),
        ("from=1990-01-01", "10 years"),
        ("days=0", "from 1 to 3650"),
        ("days=7&days=30", "only once"),
        ("project=shop", "unknown query parameter"),
        ("project_id=%FF", "UTF-8"),
        ("project_id=%00", "control"),
        ("from=%3Cscript%3E", "RFC 3339"),
    ] {
        let answer = browse(&app, &format!("/?{query}")).await;
        let html = page(&answer, 400);
        assert!(html.contains(said), "{query}: {html}");
        assert!(html.contains(answer.header("x-request-id")) && !html.contains("<script"), "{html}");
        // whoever is no browser reads a problem document
        let answer = get(&app, &format!("/facts?metric=incidents&{query}")).await;
        answer.expect_problem(400, "invalid");
    }
    // no window is too long or too early to have one before it
    for query in ["from=1970-01-01&to=1970-01-02", "from=1970-01-01T00:00:00Z&to=1970-01-01T00:00:00Z", "days=3650"] {
        page(&browse(&app, &format!("/?{query}")).await, 200);
    }
}

async fn nothing_yet_shows_how_to_begin(engine: Engine) {
    let app = engine.app().await;
    let answer = browse(&app, "/").await;
    let html = page(&answer, 200);
    assert!(html.contains(&format!("http://{}/deployments", app.address)), "{html}");
    assert!(html.contains("em-metrics demo"), "{html}");
    let request = app.request(reqwest::Method::GET, "/").header("accept", "text/html");
    let request = request.header("host", "x;rm -rf").header("x-forwarded-proto", "https");
    assert!(Answer::of(request).await.text.contains("https://localhost:3000/deployments"));
    tell(&app, [incident("1", "2026-06-14T09:00:00Z", json!({}))]).await;
    assert!(!page(&browse(&app, "/").await, 200).contains("em-metrics demo"));
}

async fn few_facts_are_not_enough_data(engine: Engine) {
    let app = engine.app().await;
    let told = |n: i32| deployed(&n.to_string(), "2026-06-10T10:00:00Z", json!({}));
    tell(&app, (0..5).map(told)).await;
    let headline = |html: &str, metric: &str| after(&card(html, metric), "class=\"headline\"", "</p>").to_owned();
    let answer = browse(&app, "/").await;
    let html = page(&answer, 200);
    assert!(headline(html, "lead_time_for_changes").contains("Not enough data"), "{html}");
    assert!(card(html, "lead_time_for_changes").contains("n = 5; a median takes 6"), "{html}");
    assert!(!headline(html, "deployment_frequency").contains("Not enough"), "a count is a count");
    assert!(headline(html, "failed_deployment_recovery_time").contains("Nothing to say"), "{html}");
    tell(&app, [told(5)]).await;
    let answer = browse(&app, "/").await;
    assert!(!headline(page(&answer, 200), "lead_time_for_changes").contains("Not enough"));
    // as `/dora` says it
    assert_eq!(dora(&app, "").await["lead_time_for_changes"]["enough"], true);
}

async fn others_than_browsers_are_led_to_the_documentation(engine: Engine) {
    let app = engine.app().await;
    for accept in ["*/*", "application/json"] {
        let request = super::browser().get(super::address(&app, "/")).header("accept", accept);
        let answer = Answer::of(request).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (307, "docs"));
        assert!(answer.header("vary").contains("accept"));
    }
}

async fn what_a_page_loads_is_kept_for_ever(engine: Engine) {
    let app = engine.app().await;
    a_month(&app).await;
    let answer = browse(&app, "/").await;
    let html = page(&answer, 200);
    let loaded = html.split(['"']).filter(|text| text.starts_with("assets/"));
    let loaded: std::collections::BTreeSet<_> = loaded.collect();
    assert_eq!(loaded.len(), 5, "{loaded:?}");
    for path in loaded {
        let asset = get(&app, &format!("/{path}")).await;
        assert_eq!(asset.status, 200, "{path}");
        assert_eq!(asset.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(asset.header("x-content-type-options"), "nosniff");
        let kind = asset.header("content-type").split(';').next().unwrap().to_owned();
        assert!(["text/css", "text/javascript", "image/svg+xml"].contains(&kind.as_str()), "{kind}");
    }
    get(&app, "/assets/page.0.js").await.expect_problem(404, "not-found");
}
