//! One writer at a time for each record: reading it, changing it and committing it belong together.
//!
//! Without that, of two changes made at once the later commit takes back the earlier one. These locks
//! are held while a commit waits for the disk, and over nothing else; they must never be nested.

use crate::core::names::ObjectRef;
use std::hash::{DefaultHasher, Hash, Hasher};
use tokio::sync::{Mutex, MutexGuard};

/// Objects share gates: few enough to take all of them, enough that commits still go in groups.
const GATES: usize = 64;

#[derive(Debug)]
pub struct Gates([Mutex<()>; GATES]);

impl Default for Gates {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(())))
    }
}

impl Gates {
    /// Waits until nobody else writes the record of `object`.
    pub async fn one(&self, object: &ObjectRef) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        object.hash(&mut hasher);
        let at = usize::try_from(hasher.finish() % GATES as u64).unwrap_or_default();
        self.0[at].lock().await
    }

    /// Waits until nobody else writes any record. Always in the same order, so that two never wait for
    /// each other.
    pub async fn all(&self) -> Vec<MutexGuard<'_, ()>> {
        let mut held = Vec::with_capacity(GATES);
        for gate in &self.0 {
            held.push(gate.lock().await);
        }
        held
    }
}
