//! The web page in a real browser: it loads, filters, drills down, signs in and out; nothing is logged, no other
//! host is asked, and axe finds nothing to complain about. Pictures are kept under `target/screenshots`.

mod webdriver;

use serde_json::{Value, json};

use crate::process::{Service, client, engine};
use webdriver::{Browser, ENTER, TAB};

const TOKEN: &str = "a-token-for-looking-and-telling";

#[tokio::test(flavor = "multi_thread")]
async fn people_can_use_the_web_page() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("facts.db").display().to_string();
    let mut service = Service::new(vec![
        ("SQLITE_DB".into(), file),
        ("EM_METRICS_TOKEN_AUTH".into(), TOKEN.into()),
        ("EM_METRICS_SUGGEST_WITHIN_MINUTES".into(), "2000".into()),
    ]);
    service.start().await;
    let browser = Browser::start().await;
    let page = Page { browser, service };
    page.browser.size(1280, 900).await;
    // what the browser did for itself when it came up
    page.browser.log("performance").await;

    page.sign_in().await;
    page.tell().await;
    page.looks().await;
    page.filters().await;
    page.drills_down().await;
    page.confirms_what_is_suggested().await;
    page.works_by_keyboard().await;
    page.shows_the_contract().await;
    page.signs_out().await;
    page.said_nothing_and_asked_nobody_else().await;
    page.needs_no_script().await;

    let words = page.service.words();
    assert!(!words.contains(TOKEN), "a secret in the log: {words}");
    page.browser.stop().await;
}

struct Page {
    browser: Browser,
    service: Service,
}

impl Page {
    async fn open(&self, path: &str) {
        self.browser.open(&self.service.url(path)).await;
    }

    /// Path and query of where the browser is.
    async fn place(&self) -> String {
        self.browser.address().await.replacen(&self.service.url(""), "", 1)
    }

    /// Waits until it is there: a click is over before what it leads to has come.
    async fn arrives(&self, place: &str) {
        let there = format!("location.pathname + location.search === '{place}' && document.readyState === 'complete'");
        self.browser.wait_until(&there).await;
    }

    /// A picture, and what axe finds.
    async fn check(&self, name: &str) {
        self.browser.picture(name).await;
        let axe = std::fs::read_to_string(engine("EM_TEST_AXE")).unwrap();
        self.browser.run(&format!("{axe}; return true")).await;
        let found = self.browser.run_until_done("axe.run().then(done, (error) => done(String(error)))").await;
        let violations = found["violations"].as_array().unwrap_or_else(|| panic!("{name}: {found}"));
        let told: Vec<_> = violations
            .iter()
            .map(|one| {
                let places: Vec<_> =
                    one["nodes"].as_array().unwrap().iter().map(|node| node["target"].to_string()).collect();
                format!("{} ({}): {} at {}", one["id"], one["impact"], one["help"], places.join(" "))
            })
            .collect();
        assert!(told.is_empty(), "{name}: {told:#?}");
        assert!(found["passes"].as_array().unwrap().len() > 10, "axe looked at nothing");
    }

    async fn sign_in(&self) {
        self.open("/?days=90").await;
        self.arrives("/sign-in?next=%2F%3Fdays%3D90").await;
        self.check("sign-in").await;
        self.browser.type_into("#token", "a-guess").await;
        self.browser.press(ENTER).await;
        self.browser.wait_until("document.querySelector('[role=alert]') !== null").await;
        // that its answer was 403 is logged by the browser itself
        let log = self.browser.log("browser").await;
        assert!(log.iter().all(|entry| entry["message"].as_str().unwrap().contains("403")), "{log:?}");
        self.check("sign-in-refused").await;
        self.browser.type_into("#token", TOKEN).await;
        self.browser.press(ENTER).await;
        self.arrives("/?days=90").await;
        let cookies = self.browser.run("return document.cookie").await;
        assert_eq!(cookies, "", "no script sees the session");
        let text = self.browser.text("main").await;
        assert!(text.contains(&self.service.url("/deployments")), "{text}");
        self.check("first-start").await;
    }

    /// Some months of two teams, told as a pipeline would.
    async fn tell(&self) {
        let now = self.now().await;
        let at = |hours_ago: i64| (now - chrono::Duration::hours(hours_ago)).to_rfc3339();
        for n in 0..150_i64 {
            let hours_ago = 2 + n * 29;
            let (project, team) =
                [("shop", "checkout"), ("cart", "checkout"), ("search", "platform")][usize::try_from(n % 3).unwrap()];
            let id = n.to_string();
            let first_commit_at = at(hours_ago + 3 + n * 7 % 40);
            self.post(
                "/deployments",
                json!({"id": id, "project_id": project, "team_id": team, "unplanned": n % 17 == 0,
                "first_commit_at": first_commit_at, "deployed_at": at(hours_ago)}),
            )
            .await;
            if n % 9 == 0 {
                let title = ["Checkout answers with 500", "Search is slow"][usize::try_from(n % 2).unwrap()];
                self.post(
                    "/incidents",
                    json!({"id": format!("inc-{n}"), "project_id": project, "deployment_id": id,
                    "title": title, "severity": "high", "started_at": at(hours_ago - 1)}),
                )
                .await;
                if n > 9 {
                    let restored = json!({"date": at(hours_ago - 2 - n % 5)});
                    self.post(&format!("/incidents/inc-{n}/restored"), restored).await;
                }
            }
        }
    }

    async fn post(&self, path: &str, body: Value) {
        let answer = client().post(self.service.url(path)).bearer_auth(TOKEN).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
    }

    async fn ask(&self, path: &str) -> Value {
        client().get(self.service.url(path)).bearer_auth(TOKEN).send().await.unwrap().json().await.unwrap()
    }

    /// By the service's own clock.
    async fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.ask("/dora").await["to"].as_str().unwrap().parse().unwrap()
    }

    async fn looks(&self) {
        self.open("/?days=90").await;
        self.browser.wait_until("document.querySelectorAll('.plot canvas').length === 5").await;
        self.check("overview-light").await;
        self.browser.scheme("dark").await;
        self.check("overview-dark").await;
        self.browser.scheme("light").await;
        self.browser.print("overview").await;
        self.browser.size(390, 844).await;
        self.browser.wait_until("document.querySelector('.plot canvas').clientWidth < 390").await;
        // what scrolls by itself may be wider than the window, nothing else
        let wide = "[...document.querySelectorAll('body *:not(.scroll *, .sr, .skip)')] \
                    .filter((element) => element.getBoundingClientRect().right > 390).map((element) => element.outerHTML)";
        assert_eq!(self.browser.run(&format!("return {wide}")).await, json!([]), "wider than the window");
        assert_eq!(self.browser.run("return document.scrollingElement.scrollWidth").await, 390, "it scrolls sideways");
        self.check("overview-narrow").await;
        self.browser.size(1280, 900).await;
    }

    async fn filters(&self) {
        self.browser.click(".periods a:nth-child(2)").await;
        self.arrives("/?days=30").await;
        self.browser.run("document.getElementById('project_id').value = 'cart'").await;
        self.browser.run("document.getElementById('tz').value = 'Europe/Berlin'").await;
        self.browser.click(".filters button").await;
        self.browser
            .wait_until("location.search.includes('project_id=cart') && document.readyState === 'complete'")
            .await;
        let place = self.place().await;
        assert!(place.contains("days=30") && place.contains("tz=Europe%2FBerlin"), "{place}");
        let shown =
            self.browser.run("return Number(document.querySelector('#deployment_frequency .source data').value)").await;
        let api = self.ask("/dora?project_id=cart&tz=Europe%2FBerlin").await;
        assert_eq!(shown, api["deployment_frequency"]["deployments"]);
        // a filter that is none: the page says so, and the way back is there
        self.open("/?tz=Mars").await;
        assert!(self.browser.text("main").await.contains("IANA"));
        self.check("problem").await;
        let log = self.browser.log("browser").await;
        assert!(log.iter().all(|entry| entry["message"].as_str().unwrap().contains("400")), "{log:?}");
    }

    async fn drills_down(&self) {
        self.open("/?days=90").await;
        self.browser.wait_until("document.querySelectorAll('.plot canvas').length === 5").await;
        // a click on the chart, in the middle of it
        self.browser.click("#over-time-deployment_frequency .u-over").await;
        self.browser.wait_until("location.pathname === '/facts'").await;
        self.browser.wait_until("document.readyState === 'complete'").await;
        let place = self.place().await;
        assert!(place.contains("metric=deployment_frequency&from="), "{place}");
        // where it leads back to is the page's own business
        let (question, _) = place.split_once("&back=").unwrap();
        let counted = self.ask(&question.replace("/facts", "/dora/explain")).await["counted"].clone();
        let rows = self.browser.run("return document.querySelectorAll('tbody tr').length").await;
        assert_eq!(rows, counted, "{place}");
        self.check("facts").await;
        self.browser.click(".back a").await;
        self.arrives("/?days=90").await;
        self.browser.run("history.back()").await;
        self.browser.wait_until("location.pathname === '/facts' && document.readyState === 'complete'").await;
        // who has said so
        self.browser.click("tbody tr:first-child td:last-child a").await;
        self.browser.wait_until("location.pathname === '/changes' && document.readyState === 'complete'").await;
        assert!(self.browser.text("tbody").await.contains("started"));
        self.check("changes").await;
        // from a card, and a view of it
        self.open("/?days=90").await;
        self.browser.click("#change_failure_rate .source a").await;
        self.browser.click(".periods a:nth-child(2)").await;
        self.arrives("/facts?days=90&metric=change_failure_rate&counted=true").await;
        assert!(self.browser.text("tbody").await.contains("incident inc-"));
        self.browser.click(".back a").await;
        self.arrives("/?days=90").await;
    }

    /// An incident that nobody has named the deployment of; a delivery makes it be looked at now.
    async fn confirms_what_is_suggested(&self) {
        let body = json!({"id": "whence", "project_id": "shop", "title": "The till is down"});
        self.post("/incidents", body).await;
        let ping = client().post(self.service.url("/webhooks/github")).header("x-github-event", "ping");
        let answer = ping.bearer_auth(TOKEN).json(&json!({"zen": "Keep it logically awesome."})).send().await.unwrap();
        assert!(answer.status().is_success());
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(2);
        while self.ask("/incidents?link=suggested").await == json!([]) {
            assert!(tokio::time::Instant::now() < deadline, "nothing is suggested");
            tokio::task::yield_now().await;
        }
        self.open("/?days=90").await;
        self.browser.click("#incidents-title ~ p a").await;
        self.arrives("/links").await;
        self.check("links").await;
        self.browser.click("tbody tr:first-child form:first-child button").await;
        self.arrives("/links?link=suggested").await;
        assert!(self.browser.text("main").await.contains("None."));
        let fact = self.ask("/incidents/whence").await;
        assert_eq!([&fact["link"], &fact["link_method"]], ["linked", "person"]);
        self.post("/incidents/whence/finished", json!({})).await;
    }

    async fn works_by_keyboard(&self) {
        self.open("/?days=90").await;
        self.browser.wait_until("document.querySelectorAll('.plot canvas').length === 5").await;
        self.browser.press(TAB).await;
        assert_eq!(self.browser.run("return document.activeElement.className").await, "skip");
        self.browser.press(ENTER).await;
        let turn = "document.querySelector('#over-time-lead_time_for_changes figcaption button')";
        self.browser.run(&format!("{turn}.focus()")).await;
        self.browser.press(ENTER).await;
        assert_eq!(self.browser.run(&format!("return {turn}.getAttribute('aria-pressed')")).await, "true");
        let seen = "document.querySelector('#over-time-lead_time_for_changes .series').checkVisibility()";
        assert_eq!(self.browser.run(&format!("return {seen}")).await, true);
        // the table that has come up, then the first of its links
        self.browser.press(TAB).await;
        self.browser.press(TAB).await;
        let focused = self.browser.run("return document.activeElement.getAttribute('href')").await;
        assert!(focused.as_str().unwrap().starts_with("facts?"), "{focused}");
        self.check("overview-as-table").await;
    }

    /// Its style is written into it, and the policy lets that one be.
    async fn shows_the_contract(&self) {
        self.open("/docs").await;
        let width = self.browser.run("return getComputedStyle(document.body).maxWidth").await;
        assert_eq!(width, "960px");
    }

    async fn signs_out(&self) {
        self.open("/").await;
        self.browser.click("header button").await;
        self.arrives("/sign-in").await;
        self.open("/").await;
        self.arrives("/sign-in?next=%2F").await;
    }

    async fn said_nothing_and_asked_nobody_else(&self) {
        let log = self.browser.log("browser").await;
        assert!(log.is_empty(), "{log:#?}");
        let mut asked = 0;
        for entry in self.browser.log("performance").await {
            let event: Value = serde_json::from_str(entry["message"].as_str().unwrap()).unwrap();
            if event["message"]["method"] != "Network.requestWillBeSent" {
                continue;
            }
            let address = event["message"]["params"]["request"]["url"].as_str().unwrap();
            let ours = address.starts_with(&self.service.url("/")) || address.starts_with("data:");
            assert!(ours, "it asked {address}");
            asked += 1;
        }
        assert!(asked > 40, "only {asked} requests were seen");
    }

    /// Where no script arrives, the charts are tables.
    async fn needs_no_script(&self) {
        self.browser.chromium("Network.enable", json!({})).await;
        self.browser.chromium("Network.setBlockedURLs", json!({"urls": ["*/assets/*.js"]})).await;
        self.open("/").await;
        self.browser.type_into("#token", TOKEN).await;
        self.browser.click("main button").await;
        self.arrives("/").await;
        let seen = "[...document.querySelectorAll('.series')].filter((series) => series.checkVisibility()).length";
        assert_eq!(self.browser.run(&format!("return {seen}")).await, 5);
        assert_eq!(self.browser.run("return document.querySelectorAll('canvas').length").await, 0);
        self.check("overview-without-scripts").await;
    }
}
