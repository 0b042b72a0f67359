//! The API over TCP, for whoever has a token: the router of the socket behind a gate, with bounds for strangers.
//!
//! What it takes of anybody before it knows who they are is bounded: connections, the head of a request, its body, the time of
//! all of it, and how long an answer may lie there unread.

use super::caller::known;
use super::error::told;
use super::gate::{Gate, Peer, admitted, of_this_site};
use super::server::{DRAIN, MAX_WATCHES, Shared, bounded};
use super::tcp::{self, Place};
use crate::control::api::{Api, Gatekeeper};
use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// Connections at once; further ones wait to be taken.
const MAX_CONNECTIONS: usize = 256;
/// Largest body of a request.
const MAX_BODY: usize = 1 << 20;
/// Largest head of a request.
const MAX_HEAD: usize = 32 << 10;
/// For the head of a request, also for the next one on a connection, and for the handshake of TLS.
const HEAD: Duration = Duration::from_secs(10);
/// How long nothing of an answer may be taken.
const UNREAD: Duration = Duration::from_secs(30);

/// Where and how.
#[derive(Clone)]
pub struct Listen {
    pub address: SocketAddr,
    pub tls: Option<Arc<ServerConfig>>,
    /// Something before it ends TLS and says who asks.
    pub behind_proxy: bool,
    /// What is there for browsers beside the API. It asks by itself who is signed in.
    pub pages: Router,
}

/// Serves until `cancel`; then finishes what is in flight for at most 4 s. `heard`: where it listens, or why it does not.
pub async fn serve(
    api: Arc<dyn Api>,
    keeper: Arc<dyn Gatekeeper>,
    listen: Listen,
    cancel: CancellationToken,
    heard: impl Fn(Result<SocketAddr, String>),
) {
    let Listen { address, tls, behind_proxy, pages } = listen;
    let shared = Shared::new(api, cancel.clone(), MAX_BODY);
    let watches = Arc::clone(&shared.watches);
    let only_local = address.ip().is_loopback() && tls.is_none() && !behind_proxy;
    let gate = Arc::new(Gate { keeper, only_local, behind_proxy });
    let router = super::routes::router(shared.clone())
        .layer(from_fn(known))
        .layer(from_fn_with_state(Arc::clone(&gate), admitted))
        .merge(pages.layer(from_fn_with_state(gate, of_this_site)))
        .layer(from_fn_with_state(shared, bounded))
        .layer(from_fn(told));
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let answer = |stream: TcpStream, from, place| {
        let (router, tls, cancel) = (router.clone(), tls.clone(), cancel.clone());
        async move {
            // The end of an event must not wait for the word that its beginning arrived.
            let _ = stream.set_nodelay(true);
            let stream = Timed { stream, unread: None };
            let who = (Peer(from), place);
            let Some(config) = tls else { return speak(stream, who, router, cancel).await };
            // Who does not get through the handshake is nobody to talk to.
            if let Ok(Ok(stream)) = timeout(HEAD, TlsAcceptor::from(config).accept(stream)).await {
                speak(stream, who, router, cancel).await;
            }
        }
    };
    tcp::listen(address, &room, &cancel, heard, answer).await;
    let all = |most| u32::try_from(most).unwrap_or(u32::MAX);
    let ended = async {
        (watches.acquire_many(all(MAX_WATCHES)).await, room.acquire_many(all(MAX_CONNECTIONS)).await)
    };
    let _ = timeout(DRAIN + Duration::from_secs(1), ended).await;
}

/// Requests of one connection, until it ends or the operator leaves.
async fn speak<S>(stream: S, (peer, place): (Peer, Place), router: Router, cancel: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(place.clone());
        router.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // An error is a client that has gone or was too slow.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = cancel.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    // Requests in flight are told after DRAIN that it leaves.
    let _ = timeout(DRAIN + Duration::from_secs(1), connection).await;
}

/// A connection whose answers are read: it is cut off when nothing of one is taken for [`UNREAD`].
struct Timed {
    stream: TcpStream,
    unread: Option<Pin<Box<Sleep>>>,
}

impl Timed {
    fn write<T>(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(done) = write(Pin::new(&mut self.stream), cx) {
            self.unread = None;
            return Poll::Ready(done);
        }
        ready!(self.unread.get_or_insert_with(|| Box::pin(sleep(UNREAD))).as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Timed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Timed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write(cx, |stream, cx| stream.poll_write(cx, bytes))
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, |stream, cx| stream.poll_write_vectored(cx, parts))
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write(cx, AsyncWrite::poll_flush)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write(cx, AsyncWrite::poll_shutdown)
    }
}
