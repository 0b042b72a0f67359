//! Who is let in: what a surface asks before anything else, for whoever does not come over the unix socket.

use super::{ApiError, ErrorCode, Result};
use crate::core::access::Caller;
use crate::secrets::{Secret, TokenHash};
use async_trait::async_trait;
use std::net::IpAddr;

/// Knows the tokens.
#[async_trait]
pub trait Gatekeeper: Send + Sync + 'static {
    /// The caller with this token, as it is in this moment: one that was revoked or is over opens nothing.
    ///
    /// # Errors
    /// `Unauthenticated` for a token that opens nothing (which of the reasons is not told to strangers),
    /// `TooManyRequests` after too many of those from one address.
    async fn admit(&self, token: &Secret, from: IpAddr) -> Result<Caller>;

    /// Whoever shows a link that [`Api::sign_in_link`](super::Api::sign_in_link) made; it is used up then.
    ///
    /// # Errors
    /// As of [`admit`](Self::admit).
    async fn redeem(&self, _link: &Secret, _from: IpAddr) -> Result<Caller> {
        let what = "only tokens open something here";
        Err(ApiError::new(ErrorCode::Unauthenticated, what, ""))
    }

    /// Whether the token with this hash, which let in a caller of this name, still opens something. Cheap: asked for each piece of
    /// an answer that goes on.
    fn still(&self, name: &str, token: &TokenHash) -> bool;
}
