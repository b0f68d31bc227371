//! Connections: accepts them, bounds what a slow client can hold, and on the way out finishes what has
//! been accepted.

use std::io::ErrorKind;
use std::time::Duration;

use axum::extract::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::observe::Peer;
use super::slots::Slots;
use super::{AppState, linger};
use crate::telemetry::{Complaint, Outage};

/// How long a client may take to send a request's headers, and how long an idle connection is kept: longer
/// than the minute between two scrapes.
const HEADER_TIMEOUT: Duration = Duration::from_secs(75);
/// Together with the header timeout, what a client can make us hold before it has said anything.
const HEADER_BYTES: usize = 32 * 1024;

/// Serves until `stop`, then finishes the requests in hand, for `grace` at the longest.
pub async fn serve(listener: TcpListener, state: AppState, stop: CancellationToken, grace: Duration) {
    let mut slots = Slots::new(state.max_connections, state.meters.meter());
    let app = super::app(state);
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(HEADER_BYTES);
    let connections = GracefulShutdown::new();
    let mut outage = Outage::default();
    loop {
        let permit = tokio::select! {
            () = stop.cancelled() => break,
            permit = slots.free() => permit,
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => continue,
            Err(error) => {
                match outage.fails(Instant::now()) {
                    Complaint::Begins => {
                        tracing::error!(%error, "cannot accept connections; trying again until it can");
                    }
                    Complaint::GoesOn { failures } => {
                        tracing::error!(%error, failures, "still cannot accept connections");
                    }
                    Complaint::Nothing => {}
                }
                // out of file descriptors: there is no event for "some are free again"
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        if let Some(outage) = outage.settles(Instant::now()) {
            tracing::info!(outage_seconds = outage.as_secs_f64(), "connections are accepted again");
        }
        // answers are small and complete: waiting to fill a packet only delays them
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone before it began");
        }
        let slot = slots.taken(permit);
        let app = app.clone();
        let service = tower::service_fn(move |request: Request<Incoming>| {
            let app = app.clone();
            linger::answer(request, async move |mut request: Request| {
                request.extensions_mut().insert(Peer(Some(peer)));
                app.oneshot(request).await
            })
        });
        let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            let _slot = slot;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended early");
            }
        });
    }
    drop(listener);
    tracing::info!("no longer accepting connections; finishing {} that are open", connections.count());
    if tokio::time::timeout(grace, connections.shutdown()).await.is_err() {
        tracing::warn!(grace_seconds = grace.as_secs(), "gave up on connections that did not end");
    }
}
