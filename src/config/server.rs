//! The `server` section: where the service listens and how patient it is.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::Problem;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    pub host: String,
    /// 0 takes a free port.
    pub port: u16,
    /// Open at once; others wait. Lowered where the process may not have so many files.
    pub max_connections: usize,
    pub body_limit_bytes: usize,
    /// Of `POST /import`, as it is sent and inflated; what is large is kept on the disk until it is recorded.
    pub import_limit_bytes: usize,
    pub request_timeout_seconds: u64,
    /// How long a stop goes on serving, while `/health/ready` says that it is one.
    pub drain_seconds: u64,
    /// How long a stop waits then for requests in flight.
    pub shutdown_timeout_seconds: u64,
    /// `scheme://host[:port]`, or `*` for any. None: no CORS headers.
    pub cors_origins: Vec<String>,
    /// Whether `/metrics` needs credentials, like everything else.
    pub metrics_auth: bool,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            host: "0.0.0.0".to_owned(),
            port: 3000,
            max_connections: 1024,
            body_limit_bytes: 1024 * 1024,
            import_limit_bytes: 1024 * 1024 * 1024,
            request_timeout_seconds: 30,
            drain_seconds: 0,
            shutdown_timeout_seconds: 30,
            cors_origins: Vec::new(),
            metrics_auth: false,
        }
    }
}

impl Server {
    pub fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.request_timeout_seconds)
    }

    /// How long a write may wait for its turn, and how long it may take then: together the time of a request.
    pub fn write_limit(&self) -> Duration {
        self.request_timeout() / 2
    }

    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }

    pub fn shutdown_timeout(&self) -> Duration {
        Duration::from_secs(self.shutdown_timeout_seconds)
    }

    pub(super) fn check(&self) -> Result<(), Problem> {
        if self.host.trim().is_empty() {
            return Err(Problem::at("server.host", "expected an address or a host name, found an empty string"));
        }
        if !(1..=1_000_000).contains(&self.max_connections) {
            let problem = format!("expected 1 to 1000000, found {}", self.max_connections);
            return Err(Problem::at("server.max_connections", &problem));
        }
        if self.body_limit_bytes == 0 {
            return Err(Problem::at("server.body_limit_bytes", "expected at least 1, found 0"));
        }
        if self.import_limit_bytes == 0 {
            return Err(Problem::at("server.import_limit_bytes", "expected at least 1, found 0"));
        }
        if self.request_timeout_seconds == 0 {
            return Err(Problem::at("server.request_timeout_seconds", "expected at least 1, found 0"));
        }
        match self.cors_origins.iter().position(|origin| !is_origin(origin)) {
            None => Ok(()),
            Some(index) => Err(Problem::at(
                &format!("server.cors_origins[{index}]"),
                "expected `*`, or scheme://host[:port] with nothing after it, such as https://dash.example.com",
            )),
        }
    }
}

/// Browsers send origins in exactly this spelling, and they are compared as text.
fn is_origin(text: &str) -> bool {
    text == "*" || url::Url::parse(text).is_ok_and(|url| url.origin().ascii_serialization() == text)
}
