//! The emulator of the runtime of functions by its makers, with our program in it, and the events that are sent to one.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::Instant;

use crate::process::{Program, client, engine, free_port};

pub const TOKEN: &str = "a-token-of-the-tests";
/// How long it may take to begin.
const PATIENCE: Duration = Duration::from_mins(1);

pub struct Function {
    program: Program,
    url: String,
    client: reqwest::Client,
}

impl Function {
    pub async fn start(environment: &[(String, String)]) -> Self {
        let (address, runtime) = (format!("127.0.0.1:{}", free_port()), format!("127.0.0.1:{}", free_port()));
        let mut command = Command::new(engine("EM_TEST_LAMBDA_EMULATOR"));
        command.args(["--runtime-interface-emulator-address", &address, "--runtime-api-address", &runtime]);
        command.arg(env!("CARGO_BIN_EXE_em-metrics-lambda"));
        command.env_clear().env("AWS_LAMBDA_FUNCTION_TIMEOUT", "60").env("EM_METRICS_TOKEN_AUTH", TOKEN);
        command.env("EM_METRICS_LOG_FORMAT", "json").envs(environment.iter().cloned());
        let (program, _) = Program::start(command, "exec '").await;
        let url = format!("http://{address}/2015-03-31/functions/function/invocations");
        Self { program, url, client: client() }
    }

    /// What the function gives back for an event.
    pub async fn invoke(&self, event: &Value) -> Value {
        let deadline = Instant::now() + PATIENCE;
        let answer = loop {
            match self.client.post(&self.url).body(event.to_string()).send().await {
                Ok(answer) => break answer,
                // it says that it begins a moment before it listens
                Err(error) if error.is_connect() && Instant::now() < deadline => tokio::task::yield_now().await,
                Err(error) => panic!("{error}: {}", self.words()),
            }
        };
        let text = answer.text().await.unwrap();
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}\n{}", self.words()))
    }

    /// The same for a request: status and body.
    pub async fn ask(&self, event: &Value) -> (u64, Value) {
        let answer = self.invoke(event).await;
        let status = answer["statusCode"].as_u64().unwrap_or_else(|| panic!("{answer}\n{}", self.words()));
        (status, serde_json::from_str(answer["body"].as_str().unwrap_or("null")).unwrap())
    }

    /// As between two invocations.
    pub async fn freeze(&self) {
        self.signal("STOP").await;
    }

    pub async fn thaw(&self) {
        self.signal("CONT").await;
    }

    async fn signal(&self, signal: &str) {
        let mut children = Vec::new();
        // whichever thread of the emulator has begun it
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.program.id())).unwrap() {
            let text = std::fs::read_to_string(thread.unwrap().path().join("children")).unwrap_or_default();
            children.extend(text.split_whitespace().map(str::to_owned));
        }
        let [child] = &children[..] else { panic!("{children:?}") };
        assert!(Command::new("kill").args(["-s", signal, child]).status().await.unwrap().success());
    }

    pub fn words(&self) -> String {
        self.program.words()
    }
}

/// What is sent to a function, by whichever way.
pub struct Sent {
    pub method: &'static str,
    pub path: String,
    pub query: &'static str,
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
}

impl Sent {
    pub fn new(method: &'static str, path: &str) -> Self {
        let headers = [("authorization", format!("Bearer {TOKEN}")), ("x-forwarded-proto", "https".to_owned())];
        let headers = headers.map(|(name, value)| (name.to_owned(), value)).to_vec();
        Self { method, path: path.to_owned(), query: "", headers, body: None }
    }

    pub fn json(self, body: &Value) -> Self {
        self.with("content-type", "application/json").bytes(body.to_string().into_bytes())
    }

    pub fn bytes(mut self, body: Vec<u8>) -> Self {
        self.body = Some(body);
        self
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// By a function's own address: bodies are base64, whatever is in them.
    pub fn by_function_url(&self) -> Value {
        let mut event = self.by_http_api("$default");
        event["body"] = json!(self.body.as_ref().map(|body| STANDARD.encode(body)));
        event["isBase64Encoded"] = json!(true);
        event["requestContext"]["domainName"] = json!("abc.lambda-url.eu-central-1.on.aws");
        event
    }

    /// By an HTTP API of API Gateway (payload 2.0), whose path begins with its stage.
    pub fn by_http_api(&self, stage: &str) -> Value {
        let path = if stage == "$default" { self.path.clone() } else { format!("/{stage}{}", self.path) };
        json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": self.query,
            "headers": self.headers(), "body": self.text(), "isBase64Encoded": false,
            "requestContext": {
                "accountId": "123456789012", "apiId": "abc", "stage": stage, "routeKey": "$default", "requestId": "id",
                "domainName": "abc.execute-api.eu-central-1.amazonaws.com", "domainPrefix": "abc",
                "http": {"method": self.method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7", "userAgent": "curl"},
                "time": "12/Mar/2026:19:03:58 +0000", "timeEpoch": 1_773_342_238_000_i64,
            },
        })
    }

    /// By a REST API of API Gateway (payload 1.0), whose path is without the stage.
    pub fn by_rest_api(&self, stage: &str) -> Value {
        let lists: serde_json::Map<_, _> =
            self.headers.iter().map(|(name, value)| (name.clone(), json!([value]))).collect();
        let query: serde_json::Map<_, _> = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(k, v)| (k.to_owned(), json!(v)))
            .collect();
        json!({
            "resource": "/{proxy+}", "path": self.path, "httpMethod": self.method,
            "headers": self.headers(), "multiValueHeaders": lists, "queryStringParameters": query,
            "multiValueQueryStringParameters": null, "pathParameters": {"proxy": self.path.trim_start_matches('/')},
            "stageVariables": null, "body": self.text(), "isBase64Encoded": false,
            "requestContext": {
                "accountId": "123456789012", "apiId": "abc", "stage": stage, "resourcePath": "/{proxy+}", "requestId": "id",
                "path": format!("/{stage}{}", self.path), "httpMethod": self.method, "protocol": "HTTP/1.1",
                "domainName": "abc.execute-api.eu-central-1.amazonaws.com", "identity": {"sourceIp": "192.0.2.7"},
                "requestTimeEpoch": 1_773_342_238_000_i64,
            },
        })
    }

    fn headers(&self) -> serde_json::Map<String, Value> {
        self.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect()
    }

    fn text(&self) -> Option<String> {
        self.body.clone().map(|body| String::from_utf8(body).unwrap())
    }
}
