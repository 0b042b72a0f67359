//! Serves an [`Api`] on a unix socket that only its owner can open, or with a group.
//!
//! It never takes a socket away from a process that still answers on it, and it never keeps a
//! leaving operator: requests in flight get a few seconds, then they are cut.

use super::caller::{Peer, known};
use super::error::{Failure, told};
use super::wire::{MAX_REQUEST, MAX_SOCKET_PATH, PLAN_TIMEOUT, REQUEST_TIMEOUT};
use crate::control::api::{Api, ErrorCode};
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Requests at once; more are answered with `Unavailable`.
const MAX_REQUESTS: usize = 256;

/// Logs that are followed at once.
const MAX_STREAMS: usize = 32;

/// Watches at once.
pub const MAX_WATCHES: usize = 1_024;

/// How long requests in flight may take once the operator leaves.
pub(super) const DRAIN: Duration = Duration::from_secs(3);

/// How long a process on an existing socket has to accept a connection.
const PROBE: Duration = Duration::from_secs(2);

/// Why the API is not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(
        "the socket path {path} has {length} bytes; unix sockets allow {MAX_SOCKET_PATH}: choose a shorter --data, or --socket"
    )]
    TooLong { path: PathBuf, length: usize },
    #[error("another process answers on {0}; an operator is running already")]
    InUse(PathBuf),
    #[error("{0} exists and is not a socket; move it away")]
    NotASocket(PathBuf),
    #[error("could not listen on {path}: {source}")]
    Listen { path: PathBuf, source: io::Error },
    #[error("the API server on {path} ended: {source}")]
    Ended { path: PathBuf, source: io::Error },
}

/// What the routes see.
#[derive(Clone)]
pub struct Shared {
    pub api: Arc<dyn Api>,
    pub cancel: CancellationToken,
    /// Bytes of a request's body.
    pub max_body: usize,
    slots: Arc<Semaphore>,
    /// Answers that may go on for ever.
    pub streams: Arc<Semaphore>,
    pub watches: Arc<Semaphore>,
}

impl Shared {
    /// With bounds of its own: what comes over one listener leaves the others theirs.
    pub(super) fn new(api: Arc<dyn Api>, cancel: CancellationToken, max_body: usize) -> Self {
        let room = |most| Arc::new(Semaphore::new(most));
        let (slots, streams, watches) = (room(MAX_REQUESTS), room(MAX_STREAMS), room(MAX_WATCHES));
        Self { api, cancel, max_body, slots, streams, watches }
    }
}

/// Serves until `cancel`; then finishes what is in flight for at most 4 s and removes the socket.
///
/// # Errors
/// When the socket cannot be had, or when the server ends by itself.
pub async fn serve(api: Arc<dyn Api>, socket: &Path, cancel: CancellationToken) -> Result<(), ServeError> {
    serve_for(api, socket, None, cancel).await
}

/// The same for the members of a group, too: they may do everything. A directory that is not there is made, for them to enter.
///
/// # Errors
/// As [`serve`].
pub async fn serve_for(
    api: Arc<dyn Api>,
    socket: &Path,
    group: Option<u32>,
    cancel: CancellationToken,
) -> Result<(), ServeError> {
    let listener = bind(socket, group).await?;
    let ours = fs::symlink_metadata(socket).map(|m| m.ino()).ok();
    let shared = Shared::new(api, cancel.clone(), MAX_REQUEST);
    let router = super::routes::router(shared.clone())
        .layer(from_fn(known))
        .layer(from_fn_with_state(shared, bounded))
        .layer(from_fn(told));
    let server = axum::serve(listener, router.into_make_service_with_connect_info::<Peer>())
        .with_graceful_shutdown(cancel.clone().cancelled_owned())
        .into_future();
    let ended = tokio::select! {
        ended = server => ended,
        // A client that does not read its answer keeps its connection for ever.
        () = drained(&cancel, DRAIN + Duration::from_secs(1)) => Ok(()),
    };
    // Somebody may have put another socket there meanwhile; that one is not ours to remove.
    if ours.is_some() && ours == fs::symlink_metadata(socket).map(|m| m.ino()).ok() {
        let _ = fs::remove_file(socket);
    }
    ended.map_err(|source| ServeError::Ended { path: socket.to_owned(), source })
}

/// A while after the cancellation.
async fn drained(cancel: &CancellationToken, after: Duration) {
    cancel.cancelled().await;
    tokio::time::sleep(after).await;
}

/// One slot and a time limit for every request.
pub(super) async fn bounded(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let unavailable =
        |what: String| Failure::new(ErrorCode::Unavailable, what, "try again in a moment").into_response();
    let Ok(_slot) = shared.slots.try_acquire() else {
        return unavailable(format!("{MAX_REQUESTS} requests are being answered already"));
    };
    let path = request.uri().path().to_owned();
    let limit = if path.ends_with("/plan") { PLAN_TIMEOUT } else { REQUEST_TIMEOUT };
    tokio::select! {
        response = next.run(request) => response,
        () = tokio::time::sleep(limit) => {
            unavailable(format!("{path} had no answer within {} s", limit.as_secs()))
        }
        () = drained(&shared.cancel, DRAIN) => unavailable("the operator is leaving".to_owned()),
    }
}

async fn bind(socket: &Path, group: Option<u32>) -> Result<UnixListener, ServeError> {
    let length = socket.as_os_str().len();
    if length > MAX_SOCKET_PATH {
        return Err(ServeError::TooLong { path: socket.to_owned(), length });
    }
    match fs::symlink_metadata(socket) {
        Ok(found) if !found.file_type().is_socket() => return Err(ServeError::NotASocket(socket.to_owned())),
        Ok(_) if answers(socket).await => return Err(ServeError::InUse(socket.to_owned())),
        _ => {}
    }
    let bound = entered_by(socket, group).and_then(|()| bind_private(socket, group));
    bound.map_err(|source| ServeError::Listen { path: socket.to_owned(), source })
}

/// To a group, if it is not that one's already: a service may have it for its own, and no right to give anything away.
fn give(path: &Path, group: Option<u32>) -> io::Result<()> {
    if group == Some(fs::symlink_metadata(path)?.gid()) {
        return Ok(());
    }
    chown(path, None, group)
}

/// The socket's directory, if it is not there.
fn entered_by(socket: &Path, group: Option<u32>) -> io::Result<()> {
    let Some(dir) = socket.parent().filter(|dir| group.is_some() && !dir.exists()) else { return Ok(()) };
    fs::DirBuilder::new().mode(0o700).create(dir)?;
    give(dir, group)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o750))
}

/// Whether a process accepts connections there. One that is too busy to accept counts as alive.
async fn answers(socket: &Path) -> bool {
    match tokio::time::timeout(PROBE, UnixStream::connect(socket)).await {
        Ok(Ok(_)) | Err(_) => true,
        Ok(Err(e)) => !matches!(e.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound),
    }
}

/// Made in a directory that only we can enter and then moved into place, so that there is no moment
/// at which others could connect; the move also replaces a stale socket in one step.
fn bind_private(socket: &Path, group: Option<u32>) -> io::Result<UnixListener> {
    // Shorter than the final name, so that the length limit holds for it too.
    let nest = socket.with_file_name(".sock");
    match fs::remove_dir_all(&nest) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    fs::DirBuilder::new().mode(0o700).create(&nest)?;
    let fresh = nest.join("s");
    let listener = UnixListener::bind(&fresh)?;
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600))?;
    if group.is_some() {
        give(&fresh, group)?;
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o660))?;
    }
    fs::rename(&fresh, socket)?;
    fs::remove_dir(&nest)?;
    Ok(listener)
}
