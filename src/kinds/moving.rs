//! How far the long steps of a kind are, in bytes: for who looks while they run. Nothing is decided by it.

use crate::core::names::ObjectRef;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// By object; one that is not under way is missing.
#[derive(Default)]
pub struct Moving(Mutex<BTreeMap<ObjectRef, Arc<AtomicU64>>>);

impl Moving {
    fn all(&self) -> MutexGuard<'_, BTreeMap<ObjectRef, Arc<AtomicU64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From 0.
    pub fn begin(&self, object: &ObjectRef) -> Arc<AtomicU64> {
        let moved = Arc::new(AtomicU64::new(0));
        self.all().insert(object.clone(), Arc::clone(&moved));
        moved
    }

    pub fn end(&self, object: &ObjectRef) {
        self.all().remove(object);
    }

    /// `progress` of its status.
    #[must_use]
    pub fn sampled(&self, object: &ObjectRef) -> Map<String, Value> {
        let moved = self.all().get(object).map(|moved| moved.load(Ordering::Relaxed));
        moved.map(|bytes| ("progress".to_owned(), json!({"bytes": bytes}))).into_iter().collect()
    }
}
