//! `/import` and `/export`.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::app::{Answer, App};
use crate::engine::Engine;
use crate::http::name;

on_each_engine! {
    what_is_new_is_made_and_what_is_known_is_replaced,
    the_same_lines_again_change_nothing,
    incidents_may_stand_before_their_deployments,
    a_refused_line_is_named_and_holds_up_no_other,
    a_status_is_refused_and_not_ignored,
    what_is_wrong_with_a_line_is_said_of_the_line,
    when_every_line_is_refused_so_is_the_import,
    half_a_line_at_the_end_is_refused,
    a_compressed_import_is_read,
    a_broken_compression_leaves_no_trace,
    what_is_large_is_kept_on_the_disk_until_it_is_whole,
    one_that_is_long_to_read_holds_up_nobody,
    all_or_nothing,
    a_dry_run_tells_and_leaves_no_trace,
    what_is_no_import_is_refused,
    more_than_the_limit_is_refused,
    a_long_line_is_refused_and_the_next_is_read,
    a_deleted_fact_is_not_imported,
    what_is_exported_can_be_imported_elsewhere,
    what_was_corrected_or_deleted_can_be_imported_elsewhere_and_here,
    an_export_is_filtered,
    an_export_as_a_table,
    more_than_a_page_is_exported_whole,
}

fn deployment(id: &str) -> Value {
    json!({
        "kind": "deployment", "project_id": "shop", "id": id, "first_commit_at": "2026-06-15T08:00:00Z",
        "deploy_start_at": "2026-06-15T10:00:00Z", "deployed_at": "2026-06-15T11:00:00Z",
    })
}

fn incident(id: &str, deployment: &str) -> Value {
    json!({
        "kind": "incident", "project_id": "shop", "id": id, "deployment_id": deployment,
        "started_at": "2026-06-15T11:10:00Z", "finished_at": "2026-06-15T11:40:00Z",
    })
}

fn ndjson(lines: &[Value]) -> String {
    lines.iter().flat_map(|line| [line.to_string(), "\n".to_owned()]).collect()
}

fn sending(app: &App, query: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
    let request = app.request(Method::POST, &format!("/import{query}"));
    request.header("content-type", "application/x-ndjson").body(body)
}

async fn import(app: &App, query: &str, lines: &[Value]) -> Value {
    Answer::of(sending(app, query, ndjson(lines))).await.expect(200)
}

/// created, changed, unchanged, refused
fn told(report: &Value) -> [u64; 4] {
    ["created", "changed", "unchanged", "refused"].map(|word| report[word].as_u64().unwrap())
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

async fn what_is_new_is_made_and_what_is_known_is_replaced(engine: Engine) {
    let app = engine.app().await;
    let report = import(&app, "", &[deployment("1"), deployment("2"), incident("a", "1")]).await;
    assert_eq!(told(&report), [3, 0, 0, 0]);
    assert_eq!(report["lines"], 3);
    let stored = app.get("/incidents/a").await.expect(200);
    assert_eq!(stored["restored_at"], "2026-06-15T11:40:00Z", "finished implies restored");
    app.expect_exact().await;
    let change =
        json!({"kind": "deployment", "project_id": "shop", "id": "1", "version": "2", "deploy_start_at": null});
    assert_eq!(told(&import(&app, "", &[change, deployment("3")]).await), [1, 1, 0, 0]);
    let stored = app.get("/deployments/1").await.expect(200);
    assert_eq!((&stored["version"], &stored["duration_seconds"]), (&json!("2"), &Value::Null));
    assert_eq!(stored["lead_time_seconds"], 10800.0);
}

async fn the_same_lines_again_change_nothing(engine: Engine) {
    let app = engine.app().await;
    let lines = [deployment("1"), deployment("1"), incident("a", "1"), incident("a", "1")];
    assert_eq!(told(&import(&app, "", &lines).await), [2, 0, 2, 0]);
    let stored = app.stored().await;
    assert_eq!(told(&import(&app, "", &lines).await), [0, 0, 4, 0]);
    assert_eq!(app.stored().await, stored);
    app.expect_exact().await;
}

async fn incidents_may_stand_before_their_deployments(engine: Engine) {
    for query in ["", "?atomic=true"] {
        let app = engine.app().await;
        assert_eq!(told(&import(&app, query, &[incident("a", "1"), deployment("1")]).await), [2, 0, 0, 0]);
        assert_eq!(app.total("change_failure_count_total").await, 1.0);
        app.expect_exact().await;
    }
}

async fn a_refused_line_is_named_and_holds_up_no_other(engine: Engine) {
    let app = engine.app().await;
    let mut impossible = deployment("3");
    impossible["deployed_at"] = json!("2026-06-15T07:00:00Z");
    let body = [
        deployment("1").to_string(),
        "not json".to_owned(),
        String::new(),
        "[]".to_owned(),
        json!({"kind": "deployment", "project_id": "shop"}).to_string(),
        json!({"kind": "pod", "project_id": "shop", "id": "1"}).to_string(),
        impossible.to_string(),
        incident("a", "9").to_string(),
        json!({"kind": "deployment", "project_id": "shop", "id": "4"}).to_string(),
        json!({"kind": "incident", "project_id": "shop", "id": "b", "started_at": 3}).to_string(),
        // no address leads to it
        crate::http::with(deployment("9"), json!({"id": ".."})).to_string(),
        deployment("2").to_string(),
    ];
    let report = Answer::of(sending(&app, "", body.join("\r\n"))).await.expect(200);
    assert_eq!(told(&report), [2, 0, 0, 9]);
    let errors = report["errors"].as_array().unwrap();
    let errors: Vec<_> = errors.iter().map(|e| (e["line"].as_u64().unwrap(), e["pointer"].as_str().unwrap())).collect();
    assert_eq!(
        errors,
        [
            (2, ""),
            (4, ""),
            (5, "/id"),
            (6, "/kind"),
            (7, "/deployed_at"),
            (7, "/deployed_at"),
            (8, "/deployment_id"),
            (9, "/deploy_start_at"),
            (10, "/started_at"),
            (11, "/id"),
        ]
    );
    assert_eq!(app.stored().await.counts(), (2, 0));
}

async fn a_status_is_refused_and_not_ignored(engine: Engine) {
    let app = engine.app().await;
    let with_status = |id: &str| crate::http::with(deployment(id), json!({"status": "failed"}));
    let report = import(&app, "", &[deployment("1"), with_status("2"), deployment("3")]).await;
    assert_eq!(told(&report), [2, 0, 0, 1]);
    let error = &report["errors"][0];
    assert_eq!((&error["line"], &error["pointer"]), (&json!(2), &json!("/status")));
    assert!(error["detail"].as_str().unwrap().contains("follows from deployed_at"), "{error}");
    let all_or_nothing = sending(&app, "?atomic=true", ndjson(&[deployment("4"), with_status("5")]));
    assert_eq!(app.refuses(all_or_nothing, 422, "import-refused").await, ["/2/status"]);
}

async fn what_is_wrong_with_a_line_is_said_of_the_line(engine: Engine) {
    let app = engine.app().await;
    let lines = ["[]", "{\"kind\": ", "nonsense", "{\"id\": \"1\", \"id\": \"2\"}", "{} {}", "{}"];
    let answer = Answer::of(sending(&app, "", lines.join("\n"))).await;
    let problem = answer.expect(422);
    let details = problem["errors"].as_array().unwrap().iter().map(|error| error["detail"].as_str().unwrap());
    let expected = [
        "the line must be a JSON object",
        "not JSON: EOF while parsing a value at column 8",
        "not JSON: expected ident at column 2",
        "duplicate field `id` at column 16",
        "not JSON: trailing characters at column 4",
        "required: deployment or incident",
    ];
    assert_eq!(details.take(6).collect::<Vec<_>>(), expected);
}

async fn when_every_line_is_refused_so_is_the_import(engine: Engine) {
    let app = engine.app().await;
    let pointers = app.refuses(sending(&app, "", "{}\nnonsense\n"), 422, "import-refused").await;
    assert_eq!(pointers, ["/1/kind", "/1/project_id", "/1/id", "/2"]);
    assert_eq!(told(&import(&app, "", &[]).await), [0, 0, 0, 0]);
}

async fn half_a_line_at_the_end_is_refused(engine: Engine) {
    let app = engine.app().await;
    let body = ndjson(&[deployment("1"), deployment("2")]);
    for query in ["", "?atomic=true", "?dry_run=true"] {
        let cut = sending(&app, query, body[..body.len() - 20].to_owned());
        app.refuses(cut, 400, "invalid").await;
    }
    let cut = sending(&app, "", gzip(&body[..body.len() - 2])).header("content-encoding", "gzip");
    app.refuses(cut, 400, "invalid").await;
    // without the end of the line it is whole
    let whole = sending(&app, "", body[..body.len() - 1].to_owned());
    assert_eq!(told(&Answer::of(whole).await.expect(200)), [2, 0, 0, 0]);
}

async fn a_compressed_import_is_read(engine: Engine) {
    let app = engine.app().await;
    let parts = [gzip(&ndjson(&[deployment("1")])), gzip(&ndjson(&[deployment("2")]))].concat();
    let request = sending(&app, "", parts).header("content-encoding", "gzip");
    assert_eq!(told(&Answer::of(request).await.expect(200)), [2, 0, 0, 0]);
}

async fn a_broken_compression_leaves_no_trace(engine: Engine) {
    let app = engine.app().await;
    let lines: Vec<_> = (0..2000).map(|n| deployment(&n.to_string())).collect();
    let whole = gzip(&ndjson(&lines));
    let mut flipped = whole.clone();
    let last = flipped.len() - 5;
    flipped[last] ^= 1;
    for broken in [whole[..whole.len() / 2].to_vec(), flipped, b"no gzip".to_vec()] {
        app.refuses(sending(&app, "", broken).header("content-encoding", "gzip"), 400, "invalid").await;
    }
    let bomb = gzip(&" ".repeat(17 * 1000 * 1000));
    let small = engine.app_with(|config| config.server.import_limit_bytes = 1_000_000).await;
    small.refuses(sending(&small, "", bomb).header("content-encoding", "gzip"), 413, "too-large").await;
}

async fn what_is_large_is_kept_on_the_disk_until_it_is_whole(engine: Engine) {
    let app = engine.app().await;
    let fact = |kind: &str, n: usize| {
        let fact =
            if kind == "incident" { incident(&n.to_string(), &n.to_string()) } else { deployment(&n.to_string()) };
        crate::http::with(fact, json!({"left_aside": "x".repeat(50_000)}))
    };
    // more than is held in memory, also where it is compressed: what is left aside is not the same twice
    let lines: Vec<_> = (0..60).map(|n| fact("incident", n)).chain((0..60).map(|n| fact("deployment", n))).collect();
    let text = ndjson(&lines);
    assert!(text.len() > 5 * 1024 * 1024);
    let mut stored = GzEncoder::new(Vec::new(), Compression::none());
    stored.write_all(text.as_bytes()).unwrap();
    let stored = stored.finish().unwrap();
    let compressed = |body: Vec<u8>| sending(&app, "", body).header("content-encoding", "gzip");
    for end in [stored.len() - 1, stored.len() - 9, stored.len() / 2] {
        app.refuses(compressed(stored[..end].to_vec()), 400, "invalid").await;
    }
    assert_eq!(told(&Answer::of(compressed(stored)).await.expect(200)), [120, 0, 0, 0]);
    assert_eq!(told(&Answer::of(sending(&app, "", text.clone())).await.expect(200)), [0, 0, 120, 0]);
    assert_eq!(told(&Answer::of(sending(&app, "?atomic=true", text)).await.expect(200)), [0, 0, 120, 0]);
    app.expect_exact().await;
    let left: Vec<_> =
        app.database.folder().map(|folder| std::fs::read_dir(folder).unwrap().collect()).unwrap_or_default();
    assert!(left.iter().flatten().all(|file| file.file_name().to_string_lossy().starts_with("facts.db")), "{left:?}");
}

async fn one_that_is_long_to_read_holds_up_nobody(engine: Engine) {
    let app = engine.app().await;
    let nothing = gzip(&"\n".repeat(20_000_000));
    assert!(nothing.len() < 100_000);
    let send = || sending(&app, "", nothing.clone()).header("content-encoding", "gzip").send();
    let running: Vec<_> = (0..4).map(|_| tokio::spawn(send())).collect();
    for _ in 0..10 {
        let asked = tokio::time::Instant::now();
        app.get("/dora").await.expect(200);
        assert!(asked.elapsed().as_secs() < 3, "{:?}", asked.elapsed());
    }
    // who hangs up is not read on for
    running.iter().for_each(tokio::task::JoinHandle::abort);
    let report = import(&app, "", &[deployment("1")]).await;
    assert_eq!(told(&report), [1, 0, 0, 0]);
}

async fn all_or_nothing(engine: Engine) {
    let app = engine.app().await;
    let lines = [deployment("1"), incident("a", "9")];
    let pointers = app.refuses(sending(&app, "?atomic=true", ndjson(&lines)), 422, "import-refused").await;
    assert_eq!(pointers, ["/2/deployment_id"]);
    let text = format!("{}half a li", ndjson(&lines));
    let pointers = app.refuses(sending(&app, "?atomic=true", text), 422, "import-refused").await;
    assert_eq!(pointers, ["/2/deployment_id", "/3"]);
    assert_eq!(told(&import(&app, "?atomic=true", &[deployment("1"), incident("a", "1")]).await), [2, 0, 0, 0]);
    app.expect_exact().await;
}

async fn a_dry_run_tells_and_leaves_no_trace(engine: Engine) {
    let app = engine.app().await;
    import(&app, "", &[deployment("1")]).await;
    let stored = app.stored().await;
    let lines = [deployment("1"), incident("a", "2"), incident("b", "9"), deployment("2")];
    let report = import(&app, "?dry_run=true", &lines).await;
    assert_eq!((told(&report), &report["dry_run"]), ([2, 0, 1, 1], &json!(true)));
    assert_eq!(report["errors"][0]["line"], 3);
    assert_eq!(app.stored().await, stored);
}

async fn what_is_no_import_is_refused(engine: Engine) {
    let app = engine.app().await;
    let body = ndjson(&[deployment("1")]);
    let typed = |media_type: &str| app.request(Method::POST, "/import").header("content-type", media_type);
    for media_type in ["text/csv", "application/x-www-form-urlencoded"] {
        app.refuses(typed(media_type).body(body.clone()), 415, "unsupported-media-type").await;
    }
    let brotli = sending(&app, "", body.clone()).header("content-encoding", "br");
    app.refuses(brotli, 415, "unsupported-encoding").await;
    for query in ["?atomic=yes", "?dryrun=true"] {
        app.refuses(sending(&app, query, body.clone()), 400, "invalid").await;
    }
}

async fn more_than_the_limit_is_refused(engine: Engine) {
    let app = engine.app_with(|config| config.server.import_limit_bytes = 1000).await;
    app.refuses(sending(&app, "", "\n".repeat(1001)), 413, "too-large").await;
    import(&app, "", &[deployment("1")]).await;
}

async fn a_long_line_is_refused_and_the_next_is_read(engine: Engine) {
    let app = engine.app().await;
    let mut long = deployment("1");
    long["unheard_of"] = "x".repeat(70_000).into();
    let report = import(&app, "", &[long, deployment("2")]).await;
    assert_eq!((told(&report), &report["errors"][0]["line"]), ([1, 0, 0, 1], &json!(1)));
}

async fn a_deleted_fact_is_not_imported(engine: Engine) {
    let app = engine.app().await;
    import(&app, "", &[deployment("1")]).await;
    Answer::of(app.request(Method::DELETE, "/deployments/1")).await;
    let report = import(&app, "", &[deployment("1"), deployment("2")]).await;
    assert_eq!((told(&report), &report["errors"][0]["pointer"]), ([1, 0, 0, 1], &json!("/id")));
}

async fn what_is_exported_can_be_imported_elsewhere(engine: Engine) {
    let app = engine.app().await;
    let lines = [
        deployment("1"),
        json!({"kind": "deployment", "project_id": "api", "id": "1", "failed_at": "2026-06-15T11:00:00.000001Z",
            "reason": "two\nlines", "team_id": "red", "unplanned": false}),
        json!({"kind": "deployment", "project_id": "api", "id": "a/ü \"", "deployed_at": "2026-06-14T11:00:00Z",
            "rolled_back_at": "2026-06-15T11:00:00Z", "username": "ann", "environment": "staging"}),
        incident("a", "1"),
        json!({"kind": "incident", "project_id": "api", "id": "b", "started_at": "2026-06-15T11:00:00Z", "title": "x"}),
    ];
    import(&app, "", &lines).await;
    let exported = app.get("/export").await;
    assert_eq!(exported.header("content-type"), "application/x-ndjson");
    assert_eq!(exported.text.lines().count(), 5);

    let other = Engine::Sqlite.app_with(|config| config.teams.add_project(&name("blue"), name("shop"))).await;
    let report = Answer::of(sending(&other, "?atomic=true", exported.text.clone())).await.expect(200);
    assert_eq!(told(&report), [5, 0, 0, 0]);
    assert_eq!(other.get("/export").await.text, exported.text);
    let dora = "/dora?from=2026-06-01&to=2026-07-01&interval=day&group_by=team";
    assert_eq!(other.get(dora).await.text, app.get(dora).await.text);
}

async fn what_was_corrected_or_deleted_can_be_imported_elsewhere_and_here(engine: Engine) {
    let app = engine.app().await;
    import(&app, "", &[deployment("1"), deployment("2"), deployment("3")]).await;
    import(&app, "", &[incident("a", "1"), incident("b", "2"), incident("c", "3")]).await;
    // later than its incident began; deleted under its incident; deleted with it
    let later = json!({"first_commit_at": null, "deploy_start_at": "2026-06-15T11:30:00Z", "deployed_at": "2026-06-15T11:35:00Z"});
    Answer::of(app.request(Method::PATCH, "/deployments/1").json(&later)).await.expect(200);
    for path in ["/deployments/2", "/deployments/3", "/incidents/c"] {
        assert!(Answer::of(app.request(Method::DELETE, path)).await.status.is_success());
    }
    let exported = app.get("/export").await.text;
    let other = Engine::Sqlite.app().await;
    let report = Answer::of(sending(&other, "?atomic=true", exported.clone())).await.expect(200);
    assert_eq!(told(&report), [3, 0, 0, 0]);
    let dora = "/dora?from=2026-06-01&to=2026-07-01";
    assert_eq!(other.get(dora).await.text, app.get(dora).await.text);
    assert_eq!(told(&import(&app, "", &[]).await), [0; 4]);
    let stored = app.stored().await;
    assert_eq!(told(&Answer::of(sending(&app, "", exported)).await.expect(200)), [0, 0, 3, 0]);
    let said = json!({"kind": "incident", "project_id": "shop", "id": "b", "deployment_id": "2"});
    assert_eq!(told(&import(&app, "", &[said]).await), [0, 0, 1, 0], "as it is stored");
    assert_eq!(app.stored().await, stored);
    for kind in ["deployment", "incident"] {
        let table = app.get(&format!("/export?format=csv&kind={kind}")).await.text;
        let columns: Vec<_> = table.lines().map(|row| row.matches(',').count()).collect();
        assert!(columns.iter().all(|n| *n == columns[0]), "{table}");
    }
}

async fn an_export_is_filtered(engine: Engine) {
    let app = engine.app().await;
    let mut other = deployment("2");
    other["project_id"] = json!("api");
    import(&app, "", &[deployment("1"), other, incident("a", "1")]).await;
    for (query, expected) in [
        ("", 3),
        ("?kind=incident", 1),
        ("?project_id=api", 1),
        ("?project_id=api&project_id=shop&kind=deployment", 2),
        ("?from=2026-06-15T11:00:00.000001Z", 1),
        ("?environment=staging", 0),
    ] {
        assert_eq!(app.get(&format!("/export{query}")).await.text.lines().count(), expected, "{query}");
    }
    for (query, pointer) in [("format=xml", "/format"), ("kind=pod", "/kind"), ("format=csv", "/kind")] {
        assert_eq!(app.get(&format!("/export?{query}")).await.expect_problem(400, "invalid"), [pointer]);
    }
}

async fn an_export_as_a_table(engine: Engine) {
    let app = engine.app().await;
    import(&app, "", &[deployment("1"), incident("a", "1")]).await;
    let table = app.get("/export?format=csv&kind=incident").await;
    assert_eq!(table.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(
        table.text,
        "kind,project_id,id,team_id,environment,deployment_id,link_method,severity,title,url,started_at,restored_at,finished_at\n\
         incident,shop,a,,production,1,sent,,,,2026-06-15T11:10:00Z,2026-06-15T11:40:00Z,2026-06-15T11:40:00Z\n"
    );
}

async fn more_than_a_page_is_exported_whole(engine: Engine) {
    let app = engine.app().await;
    let lines: Vec<_> = (0..2500).map(|n| deployment(&n.to_string())).collect();
    assert_eq!(told(&import(&app, "", &lines).await), [2500, 0, 0, 0]);
    let exported = app.get("/export").await.text;
    let ids: std::collections::BTreeSet<_> = exported.lines().collect();
    assert_eq!((ids.len(), exported.lines().count()), (2500, 2500));
    let table = app.get("/export?format=csv&kind=deployment").await.text;
    assert_eq!(table.lines().count(), 2501);
    app.expect_exact().await;
}
