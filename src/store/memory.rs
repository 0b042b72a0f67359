//! A store in memory, for tests and benches. It must behave as the durable one does, apart from the disk.

use super::{Change, META_KEY, Record, Result, Store, StoreError, check_keys, record};
use serde_json::json;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const ID: &str = "0000000000000000";

/// Forgets everything when dropped.
#[derive(Debug)]
pub struct MemoryStore {
    /// As bytes, as on disk: a tree of JSON values takes several times the room.
    records: Mutex<BTreeMap<String, Box<[u8]>>>,
    failing: AtomicBool,
    /// Milliseconds.
    slow: AtomicU64,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    #[must_use]
    pub fn new() -> Self {
        let meta = Record::new(json!({ "version": super::STORE_VERSION, "id": ID }), record::now);
        MemoryStore {
            records: Mutex::new(BTreeMap::from([(META_KEY.to_owned(), meta.encode())])),
            failing: AtomicBool::new(false),
            slow: AtomicU64::new(0),
        }
    }

    /// While `true`, every commit fails as on a full disk and changes nothing.
    pub fn fail_writes(&self, failing: bool) {
        self.failing.store(failing, Ordering::SeqCst);
    }

    /// From now on a commit is on the disk at once, and the answer takes so long.
    pub fn slow_answers(&self, pause: Duration) {
        self.slow.store(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    fn write(&self, changes: Vec<Change>) {
        let mut records = self.lock();
        for change in changes {
            match change {
                Change::Put { key, body } => {
                    records.insert(key, Record::new(body, record::now).encode());
                }
                Change::Delete { key } => {
                    records.remove(&key);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Box<[u8]>>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn decode(key: &str, bytes: &[u8]) -> Result<Record> {
    Record::decode(key, bytes).map_err(|e| StoreError::Read { key: key.to_owned(), detail: e.to_string() })
}

#[async_trait::async_trait]
impl Store for MemoryStore {
    async fn commit(&self, changes: Vec<Change>) -> Result<()> {
        let refuse =
            |detail: &str| StoreError::Write { path: PathBuf::from("memory"), detail: detail.into() };
        check_keys(&changes).map_err(|detail| refuse(&detail))?;
        if self.failing.load(Ordering::SeqCst) {
            return Err(refuse("no space left on device (told to fail)"));
        }
        self.write(changes);
        let slow = Duration::from_millis(self.slow.load(Ordering::SeqCst));
        if !slow.is_zero() {
            tokio::time::sleep(slow).await;
        }
        Ok(())
    }

    fn get(&self, key: &str) -> Result<Option<serde_json::Value>> {
        let records = self.lock();
        records.get(key).map(|bytes| Ok(decode(key, bytes)?.body)).transpose()
    }

    fn each(&self, prefix: &str, take: &mut dyn FnMut(String, Record)) -> Result<()> {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let records = self.lock();
        for (key, bytes) in records.range::<str, _>(from).take_while(|(key, _)| key.starts_with(prefix)) {
            take(key.clone(), decode(key, bytes)?);
        }
        Ok(())
    }

    fn id(&self) -> String {
        ID.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn failing_writes_change_nothing_until_told_otherwise() {
        let store = MemoryStore::new();
        store.commit(vec![Change::put("a/1", json!(1)), Change::put("a/2", json!(2))]).await.unwrap();
        store.fail_writes(true);
        let both = || vec![Change::put("a/1", json!(9)), Change::delete("a/2")];
        assert!(matches!(store.commit(both()).await, Err(StoreError::Write { .. })));
        assert_eq!(store.scan("a/").unwrap().into_values().collect::<Vec<_>>(), [json!(1), json!(2)]);
        store.fail_writes(false);
        store.commit(both()).await.unwrap();
        assert_eq!(store.scan("a/").unwrap().into_values().collect::<Vec<_>>(), [json!(9)]);
    }
}
