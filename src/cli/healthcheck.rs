//! `em-metrics healthcheck`: is the service of this configuration, on this machine, ready?

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use super::client;
use crate::config::{Config, Server};

/// Containers are asked every few seconds.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) async fn run(config: &Config) -> anyhow::Result<()> {
    ensure!(config.server.port != 0, "server.port is 0: which port was taken is not known here");
    let url = format!("http://{}/health/ready", local_address(&config.server));
    let http = client::http(&url).build().context("cannot make an HTTP client")?;
    let answer = http.get(&url).timeout(PATIENCE).send().await;
    match answer.map_err(|error| client::root_cause(&error)) {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => bail!("{url} answered {}", answer.status()),
        Err(cause) => bail!("{url} does not answer: {cause}"),
    }
}

/// Where a service that listens on this address can be reached from its own machine.
pub(super) fn local_address(server: &Server) -> String {
    let port = server.port;
    match server.host.parse::<IpAddr>() {
        Ok(IpAddr::V4(host)) if host.is_unspecified() => format!("127.0.0.1:{port}"),
        // A socket on `::` may take IPv6 only.
        Ok(IpAddr::V6(host)) if host.is_unspecified() => format!("[::1]:{port}"),
        Ok(IpAddr::V6(host)) => format!("[{host}]:{port}"),
        _ => format!("{}:{port}", server.host),
    }
}
