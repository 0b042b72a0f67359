//! What monitoring asks, over TCP: `/metrics` in Prometheus' text format, `/healthz`, `/readyz`. Nobody logs in, so nothing
//! is told that is secret, and nothing can be changed. Must never be what the operator waits for.

use super::tcp;
use crate::control::operator::Operator;
use crate::core::condition::Truth;
use crate::core::text::shown;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Connections at once; further ones wait to be taken.
const MAX_CONNECTIONS: usize = 8;
/// For the head of a request.
const HEAD: Duration = Duration::from_secs(2);
/// For a whole connection, which is one request.
const WHOLE: Duration = Duration::from_secs(20);
/// Characters of a reason that are told.
const WORDS: usize = 300;

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves until `cancel`. An address that cannot be had is said in the log and in what `operator` tells of itself.
pub async fn serve(operator: Arc<Operator>, address: SocketAddr, cancel: CancellationToken) {
    let router = router(Arc::clone(&operator));
    let told = |at: Result<SocketAddr, String>| {
        match &at {
            Ok(at) => tracing::info!(address = %at, "figures are served at http://{at}/metrics"),
            Err(why) => {
                tracing::warn!(why, "figures are not served; tried again every 30 s (--metrics-addr)")
            }
        }
        operator.metrics_are(at);
    };
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let answered = |stream, _, _| {
        let router = router.clone();
        async move {
            // Whoever asks has gone, or was too slow.
            let _ = timeout(WHOLE, answer(stream, router)).await;
        }
    };
    tcp::listen(address, &room, &cancel, told, answered).await;
}

async fn answer(stream: TcpStream, router: Router) -> Result<(), hyper::Error> {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await
}

/// What is answered there.
pub fn router(operator: Arc<Operator>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .with_state(operator)
}

async fn metrics(State(operator): State<Arc<Operator>>) -> Response {
    match operator.metrics().await {
        Ok(text) => ([(CONTENT_TYPE, TEXT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "figures could not be written down");
            (StatusCode::INTERNAL_SERVER_ERROR, "the figures could not be written down; see the log\n")
                .into_response()
        }
    }
}

async fn readyz(State(operator): State<Arc<Operator>>) -> Response {
    let parts = operator.readiness();
    let ready = parts.iter().all(|part| part.state == Truth::True);
    let lines = parts.iter().map(|part| match part.state {
        Truth::True => format!("{}: ok\n", part.name),
        _ => format!("{}: not ready: {}\n", part.name, shown(&part.why, WORDS)),
    });
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, lines.collect::<String>()).into_response()
}
