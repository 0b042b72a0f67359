//! Who may ask, and who did: tokens, who is let in by one, and the audit log.
//!
//! What is decided is in values (`tokens.rs`, `tries.rs`, `log.rs`); the operator writes and hands on. A secret of a token is
//! in no record: it is shown once.

mod asking;
mod audit;
mod gate;
mod log;
mod sign_in;
mod tickets;
mod tokens;
mod tries;

pub use asking::asked_by;
pub(super) use asking::handed_on;
pub use log::PREFIX as AUDIT;
pub use tokens::expiry;

use crate::core::names::Name;
use crate::store::{Store, StoreError};
use log::Log;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tickets::Tickets;
use tokens::Tokens;
use tries::Tries;

/// See the module.
#[derive(Default)]
pub struct Access {
    door: Mutex<Door>,
    /// Held by whoever writes records of tokens: a use that is written late must not bring back what was revoked.
    writing: tokio::sync::Mutex<()>,
    /// `None` until it is needed first, and after a write that failed: then nobody knows what is in the store.
    log: tokio::sync::Mutex<Option<Log>>,
}

/// What decides who is let in.
#[derive(Default)]
struct Door {
    tokens: Tokens,
    tries: Tries,
    tickets: Tickets,
    /// Where the dashboard is, as a browser is told, if it is anywhere.
    dashboard: Option<String>,
    /// When the last use of a token was last written, in milliseconds of the operator's clock.
    written: BTreeMap<Name, u64>,
}

impl Access {
    /// # Errors
    /// When the store cannot be read. A single record that cannot be read opens nothing.
    pub(super) fn load(store: &dyn Store) -> Result<Self, StoreError> {
        let access = Self::default();
        store.each(tokens::PREFIX, &mut |key, found| {
            if !access.door().tokens.load(found.body) {
                tracing::warn!(%key, "this token cannot be read and opens nothing; revoke it and make another one");
            }
        })?;
        Ok(access)
    }

    /// Never held over an await.
    fn door(&self) -> MutexGuard<'_, Door> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
