//! Badges and panels on somebody else's page, in a real browser: they load, have their size, and something is to be
//! seen on them; what is not public is not shown. A picture of `/public` is kept under `target/screenshots`.

use std::path::Path;
use std::time::Duration;

use em_metrics::domain::Clock;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::process::{Service, client, engine};

const PUBLIC: &str = r#"{"public": [{"projects": ["shop"], "metrics": [
    "deployment_frequency", "lead_time_for_changes", "change_failure_rate", "time_to_restore", "incidents"]}]}"#;

/// Tries each address as a picture, and says how large it is and how many colours it has.
const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><body><script>
const look = address => new Promise(done => {
    const image = new Image();
    // readable by this page, which is of another origin, only if the answer says that everybody may
    image.crossOrigin = "anonymous";
    image.onerror = () => done(null);
    image.onload = () => {
        const canvas = document.createElement("canvas");
        canvas.width = image.naturalWidth;
        canvas.height = image.naturalHeight;
        const drawing = canvas.getContext("2d");
        drawing.drawImage(image, 0, 0);
        const pixels = new Uint32Array(drawing.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
        done({width: canvas.width, height: canvas.height, colours: new Set(pixels).size});
    };
    image.src = address;
});
Promise.all(ADDRESSES.map(look)).then(seen => {
    const result = document.createElement("pre");
    result.textContent = JSON.stringify(seen);
    document.body.replaceChildren(result);
});
</script>"#;

#[tokio::test(flavor = "multi_thread")]
async fn badges_and_panels_are_seen_on_other_pages() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("config.json"), PUBLIC).unwrap();
    let mut service =
        Service::new(vec![("SQLITE_DB".into(), path("facts.db")), ("CONFIG".into(), path("config.json"))]);
    service.start().await;
    tell(&service).await;

    let badges = ["badges/deployment_frequency.svg", "badges/time_to_restore.svg?project_id=shop&label=%3C%26%22%27"];
    let mut panels = Vec::new();
    for metric in
        ["deployment_frequency", "lead_time_for_changes", "change_failure_rate", "time_to_restore", "incidents"]
    {
        for rest in ["", "limits=true&theme=dark", "interval=day&period=366d&limits=true", "interval=month&period=1d"] {
            panels.push(format!("panels/{metric}.svg?width=400&height=200&{rest}"));
        }
    }
    let hidden = [
        "badges/deployment_frequency.svg?project_id=secret",
        "panels/pipelines.svg",
        "panels/incidents.svg?project_id=guess",
    ];
    let addresses = badges.into_iter().chain(panels.iter().map(String::as_str)).chain(hidden);
    let addresses: Vec<_> = addresses.map(|address| service.url(&format!("/{address}"))).collect();
    std::fs::write(path("page.html"), PAGE.replace("ADDRESSES", &json!(addresses).to_string())).unwrap();
    let page = format!("file://{}", path("page.html"));
    let dom = chromium(folder.path(), &["--dump-dom", &page]).await;
    let result = dom.split("<pre>").nth(1).and_then(|rest| rest.split("</pre>").next());
    let seen: Vec<Value> = serde_json::from_str(result.unwrap_or_else(|| panic!("{dom}"))).unwrap();
    assert_eq!(seen.len(), addresses.len());
    for (index, (address, picture)) in addresses.iter().zip(&seen).enumerate() {
        let [width, height, colours] =
            ["width", "height", "colours"].map(|name| picture[name].as_u64().unwrap_or_default());
        if index < badges.len() {
            assert!(width > 60 && height == 20 && colours > 20, "{address}: {picture}");
        } else if index < badges.len() + panels.len() {
            assert!((width, height) == (400, 200) && colours > 20, "{address}: {picture}");
        } else {
            assert!(picture.is_null(), "{address} is shown: {picture}");
        }
    }

    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
    std::fs::create_dir_all(&kept).unwrap();
    let file = kept.join("public.png");
    let _ = std::fs::remove_file(&file);
    let shot = format!("--screenshot={}", file.display());
    chromium(folder.path(), &[&shot, "--window-size=1300,1250", "--hide-scrollbars", &service.url("/public")]).await;
    assert!(std::fs::metadata(&file).unwrap().len() > 30_000, "the page is nearly empty: {}", file.display());
    service.stop().await;
}

async fn tell(service: &Service) {
    let now = chrono::DateTime::from_timestamp_micros(Clock::system().now().micros()).unwrap();
    let mut lines = Vec::new();
    for day in 0..200 {
        let at = now - chrono::Duration::days(day) - chrono::Duration::hours(2);
        for (project, id) in [("shop", format!("{day}")), ("secret", format!("s{day}"))] {
            let fact = json!({
                "kind": "deployment", "project_id": project, "id": id, "environment": "production",
                "first_commit_at": at - chrono::Duration::minutes(90 + 37 * (day % 11)), "deployed_at": at,
            });
            lines.push(fact.to_string());
        }
        if day % 5 == 2 {
            let fact = json!({
                "kind": "incident", "project_id": "shop", "id": format!("{day}"), "environment": "production",
                "deployment_id": format!("{day}"), "started_at": at + chrono::Duration::minutes(5),
                "restored_at": at + chrono::Duration::minutes(30 + day % 40),
            });
            lines.push(fact.to_string());
        }
    }
    let request =
        client().post(service.url("/import")).header("content-type", "application/x-ndjson").body(lines.join("\n"));
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

/// What it prints.
async fn chromium(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(engine("EM_TEST_CHROMIUM"));
    command
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--virtual-time-budget=20000"])
        .arg(format!("--user-data-dir={}", folder.join("browser").display()))
        .args(arguments)
        .kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_mins(2), command.output()).await;
    let output = output.expect("the browser does not end").unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
