//! A browser as a person uses it, spoken to in the `WebDriver` protocol. What Chromium adds to that (emulation,
//! its logs) is a good part of what is needed here, so this is the protocol itself and no client library.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::process::{Program, client, engine, free_port};
use crate::prometheus::project;

/// How the protocol writes a reference to an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
pub const ENTER: &str = "\u{e007}";
pub const TAB: &str = "\u{e004}";

/// The browser's own process: it outlives a driver that is killed, as by a test that fails.
struct Window(String);

impl Drop for Window {
    fn drop(&mut self) {
        // gone already, when all went well
        let _ = std::process::Command::new("kill").args(["-KILL", &self.0]).stderr(Stdio::null()).status();
    }
}

/// A browser with one window. Dropped = killed.
pub struct Browser {
    client: reqwest::Client,
    session: String,
    driver: Program,
    _window: Window,
    _profile: TempDir,
}

impl Browser {
    pub async fn start() -> Self {
        let (driver, browser) = (engine("EM_TEST_CHROMEDRIVER"), engine("EM_TEST_CHROMIUM"));
        let profile = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut command = Command::new(driver);
        command.arg(format!("--port={port}"));
        let (driver, _) = Program::start(command, "started successfully").await;
        let args = [
            "--headless=new",
            // the pages are our own, and a container is no place for the sandbox
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--hide-scrollbars",
            "--lang=en",
            &format!("--user-data-dir={}", profile.path().display()),
        ];
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"binary": browser, "args": args},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let client = client();
        let base = format!("http://127.0.0.1:{port}/session");
        let made = call(client.post(&base).json(&capabilities)).await;
        let session = format!("{base}/{}", made["sessionId"].as_str().unwrap());
        let window = Window(made["capabilities"]["goog:processID"].as_u64().unwrap().to_string());
        Self { client, session, driver, _window: window, _profile: profile }
    }

    pub async fn stop(self) {
        call(self.client.delete(&self.session)).await;
        self.driver.stop().await;
    }

    async fn post(&self, command: &str, body: Value) -> Value {
        call(self.client.post(format!("{}/{command}", self.session)).json(&body)).await
    }

    async fn get(&self, question: &str) -> Value {
        call(self.client.get(format!("{}/{question}", self.session))).await
    }

    pub async fn open(&self, address: &str) {
        self.post("url", json!({"url": address})).await;
    }

    pub async fn address(&self) -> String {
        self.get("url").await.as_str().unwrap().to_owned()
    }

    async fn element(&self, css: &str) -> String {
        let found = self.post("element", json!({"using": "css selector", "value": css})).await;
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    pub async fn click(&self, css: &str) {
        let element = self.element(css).await;
        self.post(&format!("element/{element}/click"), json!({})).await;
    }

    pub async fn type_into(&self, css: &str, text: &str) {
        let element = self.element(css).await;
        self.post(&format!("element/{element}/value"), json!({"text": text})).await;
    }

    /// Presses a key wherever the focus is.
    pub async fn press(&self, key: &str) {
        let keys = [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})];
        self.post("actions", json!({"actions": [{"type": "key", "id": "keyboard", "actions": keys}]})).await;
    }

    /// The text of the first element, as it is seen.
    pub async fn text(&self, css: &str) -> String {
        let element = self.element(css).await;
        self.get(&format!("element/{element}/text")).await.as_str().unwrap().to_owned()
    }

    /// What a script says that ends with `return`.
    pub async fn run(&self, script: &str) -> Value {
        self.post("execute/sync", json!({"script": script, "args": []})).await
    }

    /// What a script hands to `done`.
    pub async fn run_until_done(&self, script: &str) -> Value {
        let script = format!("const done = arguments[arguments.length - 1]; {script}");
        self.post("execute/async", json!({"script": script, "args": []})).await
    }

    /// Chromium's own commands (the `DevTools` protocol).
    pub async fn chromium(&self, command: &str, parameters: Value) -> Value {
        self.post("goog/cdp/execute", json!({"cmd": command, "params": parameters})).await
    }

    pub async fn size(&self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.chromium("Emulation.setDeviceMetricsOverride", size).await;
    }

    pub async fn scheme(&self, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.chromium("Emulation.setEmulatedMedia", json!({"features": features})).await;
    }

    /// Of the whole page, kept under `target/screenshots`.
    pub async fn picture(&self, name: &str) {
        let taken = self.chromium("Page.captureScreenshot", json!({"captureBeyondViewport": true})).await;
        keep(&format!("{name}.png"), &taken);
    }

    /// As a printer would have it.
    pub async fn print(&self, name: &str) {
        // A4, in inches
        let paper = json!({"paperWidth": 8.27, "paperHeight": 11.69, "printBackground": false});
        keep(&format!("{name}.pdf"), &self.chromium("Page.printToPDF", paper).await);
    }

    /// What it has logged since the last time: `browser` for the console, `performance` for the network.
    pub async fn log(&self, kind: &str) -> Vec<Value> {
        self.post("se/log", json!({"type": kind})).await.as_array().unwrap().clone()
    }

    /// Waits until a script says `true`.
    pub async fn wait_until(&self, script: &str) {
        for _ in 0..100 {
            if self.run(&format!("return {script}")).await == json!(true) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("at {} it never became true: {script}", self.address().await);
    }
}

async fn call(request: reqwest::RequestBuilder) -> Value {
    let response = request.send().await.unwrap();
    let (status, mut body): (_, Value) = (response.status(), response.json().await.unwrap());
    assert!(status.is_success(), "{}", body["value"]["message"].as_str().unwrap_or_default());
    body["value"].take()
}

fn keep(name: &str, taken: &Value) {
    let folder: PathBuf = project("target/screenshots");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), STANDARD.decode(taken["data"].as_str().unwrap()).unwrap()).unwrap();
}
