//! Listens on an address for as long as the operator runs, and takes connections as long as there is room for them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Between two tries to have an address that somebody else has.
const AGAIN: Duration = Duration::from_secs(30);

/// Until `cancel`. An address that cannot be had is tried again every 30 s: databases do not wait for who asks about them.
/// `told` hears where it listens, and why not when that is new; each connection has a place of `room` until it ended.
pub async fn listen<F>(
    address: SocketAddr,
    room: &Arc<Semaphore>,
    cancel: &CancellationToken,
    told: impl Fn(Result<SocketAddr, String>),
    answer: impl Fn(TcpStream, SocketAddr) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut before = None;
    loop {
        let error = match TcpListener::bind(address).await {
            Ok(listener) => {
                told(Ok(listener.local_addr().unwrap_or(address)));
                before = None;
                tokio::select! {
                    () = cancel.cancelled() => return,
                    error = accept(&listener, room, &answer) => error,
                }
            }
            Err(error) => error,
        };
        let why = format!("{address}: {error}");
        if before.as_ref() != Some(&why) {
            told(Err(why.clone()));
            before = Some(why);
        }
        tokio::select! {
            () = cancel.cancelled() => return,
            () = sleep(AGAIN) => {}
        }
    }
}

/// Takes connections until that is refused.
async fn accept<F>(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
    answer: &impl Fn(TcpStream, SocketAddr) -> F,
) -> io::Error
where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        let Ok(place) = Arc::clone(room).acquire_owned().await else {
            return io::Error::other("no connection is taken any more");
        };
        match listener.accept().await {
            Ok((stream, from)) => {
                let answered = answer(stream, from);
                tokio::spawn(async move {
                    answered.await;
                    drop(place);
                });
            }
            // Of one connection only.
            Err(e)
                if matches!(e.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {}
            Err(error) => return error,
        }
    }
}
