//! Servers that a probe has just waited for in vain. The pass that this asks for need not wait as long once more: while it does
//! it holds up those who wait for a pass. Must never stand for an answer: one counts once, for one start of one container, and
//! not for long. All of it can be lost.

use crate::core::names::ObjectRef;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a wait in vain saves a pass another one.
const SILENCE: Duration = Duration::from_secs(10);

struct Silence<S> {
    /// Of which start of which container.
    epoch: String,
    at: Instant,
    said: S,
}

/// By object, what is to be said of its server.
pub struct Silences<S>(Mutex<BTreeMap<ObjectRef, Silence<S>>>);

impl<S> Default for Silences<S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<S> Silences<S> {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<ObjectRef, Silence<S>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From a probe.
    pub fn remember(&self, object: &ObjectRef, epoch: String, said: S) {
        self.lock().insert(object.clone(), Silence { epoch, at: Instant::now(), said });
    }

    /// What a probe found a moment ago.
    pub fn take(&self, object: &ObjectRef, epoch: &str) -> Option<S> {
        let last = self.lock().remove(object)?;
        (last.epoch == epoch && last.at.elapsed() < SILENCE).then_some(last.said)
    }

    /// Nothing of a deleted object stays in memory.
    pub fn forget(&self, object: &ObjectRef) {
        self.lock().remove(object);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silence_counts_once_for_its_start_and_not_for_long() {
        let silences = Silences::default();
        let object: ObjectRef = "postgres/a".parse().unwrap();
        for (epoch, after, told) in [("c 1", 9, true), ("c 2", 0, false), ("c 1", 11, false)] {
            silences.remember(&object, "c 1".to_owned(), ());
            tokio::time::sleep(Duration::from_secs(after)).await;
            assert_eq!(silences.take(&object, epoch).is_some(), told, "{epoch} {after}");
            assert_eq!(silences.take(&object, "c 1"), None, "once");
        }
    }
}
