//! Who sends a request, for whatever is written down of it.
//!
//! A request over TCP brings its [`Caller`] along, in its extensions: whoever looked at its token put it there. One over the unix socket has
//! the user whom the system names for the other end.

use crate::control::access::asked_by;
use crate::core::access::Caller;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::Next;
use axum::response::Response;
use axum::serve::IncomingStream;
use tokio::net::UnixListener;

/// The other end of the unix socket.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// `None`: the system does not tell.
    uid: Option<u32>,
}

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self { uid: stream.io().peer_cred().map(|peer| peer.uid()).ok() }
    }
}

/// To be the innermost layer: routes find a [`Caller`] behind it in any case.
pub async fn known(mut request: Request, next: Next) -> Response {
    let extensions = request.extensions_mut();
    let peer = extensions.get::<ConnectInfo<Peer>>().and_then(|peer| peer.0.uid);
    let by_socket = || peer.map_or_else(Caller::socket, Caller::user);
    let caller = extensions.get_or_insert_with(by_socket).clone();
    asked_by(caller, next.run(request)).await
}
