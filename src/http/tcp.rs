//! Listens on an address for as long as the operator runs, and takes connections as long as there is room for them.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Between two tries to have an address that somebody else has.
const AGAIN: Duration = Duration::from_secs(30);

/// A connection's place among those that there is room for.
#[derive(Clone)]
pub struct Place(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

impl Place {
    /// Another connection may have it already, though this one goes on: what it is used for has a bound of its own.
    pub fn leave(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Until `cancel`. An address that cannot be had is tried again every 30 s: databases do not wait for who asks about them.
/// `told` hears where it listens, and why not when that is new; each connection has a place of `room` until it ended or left it.
pub async fn listen<F>(
    address: SocketAddr,
    room: &Arc<Semaphore>,
    cancel: &CancellationToken,
    told: impl Fn(Result<SocketAddr, String>),
    answer: impl Fn(TcpStream, SocketAddr, Place) -> F,
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
    answer: &impl Fn(TcpStream, SocketAddr, Place) -> F,
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
                let place = Place(Arc::new(Mutex::new(Some(place))));
                let answered = answer(stream, from, place.clone());
                tokio::spawn(async move {
                    answered.await;
                    place.leave();
                });
            }
            // Of one connection only.
            Err(e)
                if matches!(e.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {}
            Err(error) => return error,
        }
    }
}
