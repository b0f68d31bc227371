//! A real Prometheus and a real collector in front of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::process::{Program, client, engine, free_port};

pub struct Prometheus {
    port: u16,
    client: reqwest::Client,
    program: Program,
    _folder: TempDir,
}

impl Prometheus {
    /// Takes OTLP, scrapes the service every second under two jobs, and evaluates the project's rules.
    pub async fn start(service_port: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let rules = copy_rules(folder.path());
        // the project's file, but with what is near: our ports, our rules, and seconds for minutes
        let shipped = std::fs::read_to_string(project("grafana/prometheus.yml")).unwrap();
        let config = shipped
            .replace("scrape_interval: 15s", "scrape_interval: 1s")
            .replace("evaluation_interval: 1m", "evaluation_interval: 2s")
            .replace("rules/recording.yml", &rules.join("recording.yml").display().to_string())
            .replace("rules/alerts.yml", &rules.join("alerts.yml").display().to_string())
            .replace("localhost:9090", &format!("127.0.0.1:{port}"))
            .replace("em-metrics:3000", &format!("127.0.0.1:{service_port}"));
        let scrape =
            format!("\n  - job_name: scrape\n    static_configs: [{{targets: [\"127.0.0.1:{service_port}\"]}}]\n");
        let file = folder.path().join("prometheus.yml");
        std::fs::write(&file, config + &scrape).unwrap();
        let mut command = Command::new(engine("EM_TEST_PROMETHEUS"));
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--web.enable-otlp-receiver");
        let (program, _) = Program::start(command, "Server is ready to receive web requests").await;
        Self { port, client: client(), program, _folder: folder }
    }

    /// Takes OTLP as the project's file says, and scrapes nothing.
    pub async fn told() -> Self {
        let shipped = std::fs::read_to_string(project("grafana/prometheus.yml")).unwrap();
        let otlp = shipped.find("\notlp:").unwrap();
        let end = shipped.find("\nscrape_configs:").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        Self::configured(&shipped[otlp..end], folder, &data, &["--web.enable-otlp-receiver"]).await
    }

    /// Asks one address every second, whoever answers there.
    pub async fn scraping(address: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let config = format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs:\n  - job_name: em_metrics\n    \
             static_configs: [{{targets: [\"{address}\"]}}]\n"
        );
        Self::configured(&config, folder, &data, &[]).await
    }

    /// Shows what is in these blocks, and takes nothing in.
    pub async fn over(blocks: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::configured("global: {}\n", folder, blocks, &["--storage.tsdb.retention.time=100y"]).await
    }

    async fn configured(config: &str, folder: TempDir, data: &Path, arguments: &[&str]) -> Self {
        let port = free_port();
        let file = folder.path().join("prometheus.yml");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(engine("EM_TEST_PROMETHEUS"));
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .args(arguments);
        let (program, _) = Program::start(command, "Server is ready to receive web requests").await;
        Self { port, client: client(), program, _folder: folder }
    }

    pub fn otlp(&self) -> String {
        format!("http://127.0.0.1:{}/api/v1/otlp", self.port)
    }

    pub async fn api(&self, path: &str, form: &[(&str, String)]) -> Value {
        let url = format!("http://127.0.0.1:{}/api/v1/{path}", self.port);
        let response = self.client.get(url).query(form).send().await;
        let text = response.unwrap().text().await.unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{path}: {text}"));
        assert_eq!(answer["status"], "success", "{form:?}: {text}\n{}", self.program.words());
        answer["data"].clone()
    }

    /// The value for each `project_id` (`""` when there is no such label), at a moment in seconds.
    pub async fn query_at(&self, query: &str, at: Option<f64>) -> BTreeMap<String, f64> {
        let mut form = vec![("query", query.to_owned())];
        form.extend(at.map(|at| ("time", format!("{at:.3}"))));
        let data = self.api("query", &form).await;
        let samples = data["result"].as_array().unwrap();
        let project = |sample: &Value| sample["metric"]["project_id"].as_str().unwrap_or_default().to_owned();
        let value = |sample: &Value| sample["value"][1].as_str().unwrap().parse().unwrap();
        samples.iter().map(|sample| (project(sample), value(sample))).collect()
    }

    pub async fn query(&self, query: &str) -> BTreeMap<String, f64> {
        self.query_at(query, None).await
    }

    /// Waits until the query gives this; panics with what it gives instead after `patience`.
    pub async fn await_values(&self, query: &str, expected: &BTreeMap<String, f64>, patience: Duration) {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let found = self.query(query).await;
            if found == *expected {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{query}\nfound    {found:?}\nexpected {expected:?}");
            // Prometheus tells nobody when a sample arrives
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// The collector on its ports, as the tests' own configuration has it.
pub struct Collector {
    host: String,
    grpc: u16,
    http: u16,
    prometheus: String,
    program: Option<Program>,
}

impl Collector {
    pub fn new(prometheus: &Prometheus) -> Self {
        Self::at("127.0.0.1", prometheus)
    }

    /// At an address of this machine.
    pub fn at(host: &str, prometheus: &Prometheus) -> Self {
        let (grpc, http) = (free_port(), free_port());
        Self { host: host.to_owned(), grpc, http, prometheus: prometheus.otlp(), program: None }
    }

    pub async fn start(&mut self) {
        let mut command = Command::new(engine("EM_TEST_COLLECTOR"));
        command
            .arg(format!("--config={}", project("tests/e2e/collector/config.yaml").display()))
            .env("OTLP_GRPC", format!("{}:{}", self.host, self.grpc))
            .env("OTLP_HTTP", format!("{}:{}", self.host, self.http))
            .env("HEALTH", format!("127.0.0.1:{}", free_port()))
            .env("PROMETHEUS_OTLP_URL", &self.prometheus);
        let (program, _) = Program::start(command, "Everything is ready").await;
        self.program = Some(program);
    }

    pub async fn stop(&mut self) {
        self.program.take().unwrap().stop().await;
    }

    pub fn http_url(&self) -> String {
        format!("http://{}:{}", self.host, self.http)
    }

    pub fn grpc_url(&self) -> String {
        format!("http://{}:{}", self.host, self.grpc)
    }
}

fn copy_rules(to: &Path) -> std::path::PathBuf {
    let rules = to.join("rules");
    std::fs::create_dir(&rules).unwrap();
    for name in ["recording.yml", "alerts.yml"] {
        let text = std::fs::read_to_string(project("grafana/rules").join(name)).unwrap();
        std::fs::write(rules.join(name), text.replace("interval: 4m", "interval: 2s")).unwrap();
    }
    rules
}

pub fn project(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
