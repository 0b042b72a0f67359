//! A store, and over it what could not be written to it yet: a full disk must not hide what was seen.
//!
//! Readers see what waits as if it were written. What must not be acted upon before it is durable goes
//! through [`Store::commit`] and never waits here. What waits is bounded, and lost with the process.

use super::{Change, Record, Result, Store, StoreError, check_keys, record};
use crate::core::metric::Histogram;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// Bytes of keys and bodies that wait at most: status and events of some thousand objects.
const ROOM: usize = 32 * 1024 * 1024;
/// Changes written at once when there is space again.
const CHUNK: usize = 256;

/// Whether a change may be acted upon before it is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saving {
    /// Nobody may act on what a crash could take back.
    Durable,
    /// It can be seen or asked for again, should it be lost.
    MayWait,
}

/// What is not on the disk, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsaved {
    /// RFC 3339: since when.
    pub since: String,
    /// The last refusal.
    pub why: String,
    /// Records that wait.
    pub changes: usize,
}

/// What was asked of the disk since the start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Commits {
    /// With the time that they waited for those before them.
    pub took: Histogram,
    pub failed: u64,
}

/// See the module.
pub struct Overlay {
    under: Arc<dyn Store>,
    waiting: Mutex<Waiting>,
    /// Held by whoever writes while something waits: what waits is older than what comes.
    writing: tokio::sync::Mutex<()>,
    room: usize,
    commits: Mutex<Commits>,
}

#[derive(Default)]
struct Waiting {
    changes: BTreeMap<String, One>,
    bytes: usize,
    stamp: u64,
    /// Since when and why; `None` while nothing waits.
    trouble: Option<(String, String)>,
}

struct One {
    /// `None` deletes.
    record: Option<Record>,
    size: usize,
    /// Tells a later change of the same key from the one that is being written.
    stamp: u64,
    /// The store has no such key: deleting it leaves nothing to write.
    fresh: bool,
}

impl Waiting {
    fn remove(&mut self, key: &str) {
        if let Some(one) = self.changes.remove(key) {
            self.bytes -= one.size;
        }
    }

    fn add(&mut self, key: String, record: Option<Record>, size: usize, fresh: bool) {
        let fresh = self.changes.get(&key).map_or(fresh, |one| one.fresh);
        self.remove(&key);
        if record.is_none() && fresh {
            return;
        }
        self.stamp += 1;
        self.bytes += size;
        self.changes.insert(key, One { record, size, stamp: self.stamp, fresh });
    }

    /// Whether nothing waits any more.
    fn settle(&mut self) -> bool {
        let empty = self.changes.is_empty();
        if empty {
            self.trouble = None;
        }
        empty
    }
}

impl Overlay {
    #[must_use]
    pub fn new(under: Arc<dyn Store>) -> Self {
        Self::with_room(under, ROOM)
    }

    fn with_room(under: Arc<dyn Store>, room: usize) -> Self {
        Overlay {
            under,
            waiting: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
            room,
            commits: Mutex::default(),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one way to the disk.
    async fn write(&self, changes: Vec<Change>) -> Result<()> {
        let start = Instant::now();
        let written = self.under.commit(changes).await;
        let mut commits = self.commits.lock().unwrap_or_else(PoisonError::into_inner);
        commits.took.observe(start.elapsed());
        commits.failed += u64::from(written.is_err());
        written
    }

    #[must_use]
    pub fn commits(&self) -> Commits {
        self.commits.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes as said; what may wait is written with [`Overlay::flush`] when the disk refuses it now.
    ///
    /// # Errors
    /// `Write`: nothing of it is durable, and nothing of it waits.
    pub async fn save(&self, changes: Vec<Change>, saving: Saving) -> Result<()> {
        match saving {
            Saving::Durable => self.commit(changes).await,
            Saving::MayWait => self.hold(changes).await,
        }
    }

    async fn hold(&self, changes: Vec<Change>) -> Result<()> {
        check_keys(&changes).map_err(|why| StoreError::NotHeld { why })?;
        let why = match self.unsaved() {
            // Not tried for each: the next flush tells.
            Some(unsaved) => unsaved.why,
            None => match self.write(changes.clone()).await {
                Ok(()) => return Ok(()),
                Err(error) => error.to_string(),
            },
        };
        let mut sized = Vec::with_capacity(changes.len());
        for change in changes {
            let fresh = matches!(self.under.get(key_of(&change)), Ok(None));
            let (key, record) = match change {
                Change::Put { key, body } => (key, Some(Record::new(body, record::now))),
                Change::Delete { key } => (key, None),
            };
            let size = key.len() + record.as_ref().map_or(0, |record| record.body.to_string().len());
            sized.push((key, record, size, fresh));
        }
        let mut waiting = self.waiting();
        let more: usize = sized.iter().map(|(_, _, size, _)| size).sum();
        let less: usize = sized.iter().filter_map(|(key, ..)| waiting.changes.get(key)).map(|o| o.size).sum();
        if (waiting.bytes + more).saturating_sub(less) > self.room {
            return Err(StoreError::NotHeld { why });
        }
        for (key, record, size, fresh) in sized {
            waiting.add(key, record, size, fresh);
        }
        if !waiting.settle() {
            waiting.trouble.get_or_insert_with(|| (record::now(), why));
        }
        Ok(())
    }

    /// Writes what waits. True when nothing does any more.
    pub async fn flush(&self) -> bool {
        let _writing = self.writing.lock().await;
        let keys: Vec<String> = self.waiting().changes.keys().cloned().collect();
        for some in keys.chunks(CHUNK) {
            let (mut changes, mut before) = (Vec::new(), Vec::new());
            for key in some {
                if let Some(one) = self.waiting().changes.get_mut(key) {
                    changes.push(change(key, one));
                    // From here on the store may have it: deleting it meanwhile is a change, too.
                    before.push((key, one.stamp, std::mem::take(&mut one.fresh)));
                }
            }
            let written = self.write(changes).await;
            let mut waiting = self.waiting();
            match written {
                Ok(()) => {
                    for (key, stamp, _) in before {
                        if waiting.changes.get(key).is_some_and(|one| one.stamp == stamp) {
                            waiting.remove(key);
                        }
                    }
                }
                Err(error) => {
                    for (key, stamp, fresh) in before {
                        if let Some(one) = waiting.changes.get_mut(key).filter(|one| one.stamp == stamp) {
                            one.fresh = fresh;
                        }
                    }
                    if let Some((_, why)) = &mut waiting.trouble {
                        *why = error.to_string();
                    }
                    return false;
                }
            }
        }
        self.waiting().settle()
    }

    /// What waits now.
    #[must_use]
    pub fn unsaved(&self) -> Option<Unsaved> {
        let waiting = self.waiting();
        let (since, why) = waiting.trouble.clone()?;
        Some(Unsaved { since, why, changes: waiting.changes.len() })
    }

    /// Whether the newest of this key is not on the disk.
    #[must_use]
    pub fn is_unsaved(&self, key: &str) -> bool {
        self.waiting().changes.contains_key(key)
    }
}

#[async_trait::async_trait]
impl Store for Overlay {
    async fn commit(&self, changes: Vec<Change>) -> Result<()> {
        // What waits under these keys comes before, also while it is being written.
        let _writing = match self.unsaved() {
            None => None,
            Some(_) => Some(self.writing.lock().await),
        };
        let keys: Vec<String> = changes.iter().map(|change| key_of(change).to_owned()).collect();
        self.write(changes).await?;
        let mut waiting = self.waiting();
        for key in keys {
            waiting.remove(&key);
        }
        waiting.settle();
        Ok(())
    }

    fn get(&self, key: &str) -> Result<Option<Value>> {
        if let Some(one) = self.waiting().changes.get(key) {
            return Ok(one.record.as_ref().map(|record| record.body.clone()));
        }
        self.under.get(key)
    }

    fn each(&self, prefix: &str, take: &mut dyn FnMut(String, Record)) -> Result<()> {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let over: BTreeMap<String, Option<Record>> = {
            let waiting = self.waiting();
            let found = waiting.changes.range::<str, _>(from).take_while(|(key, _)| key.starts_with(prefix));
            found.map(|(key, one)| (key.clone(), one.record.clone())).collect()
        };
        let mut over = over.into_iter().peekable();
        self.under.each(prefix, &mut |key, record| {
            while let Some((before, waits)) = over.next_if(|(waits, _)| *waits < key) {
                waits.into_iter().for_each(|record| take(before.clone(), record));
            }
            match over.next_if(|(waits, _)| *waits == key) {
                Some((key, waits)) => waits.into_iter().for_each(|record| take(key.clone(), record)),
                None => take(key, record),
            }
        })?;
        for (key, waits) in over {
            waits.into_iter().for_each(|record| take(key.clone(), record));
        }
        Ok(())
    }

    fn id(&self) -> String {
        self.under.id()
    }
}

fn key_of(change: &Change) -> &str {
    match change {
        Change::Put { key, .. } | Change::Delete { key } => key,
    }
}

fn change(key: &str, one: &One) -> Change {
    match &one.record {
        Some(record) => Change::put(key, record.body.clone()),
        None => Change::delete(key),
    }
}

#[cfg(test)]
mod tests {
    use super::super::MemoryStore;
    use super::*;
    use serde_json::json;

    fn both() -> (Arc<MemoryStore>, Overlay) {
        let under = Arc::new(MemoryStore::new());
        let over = Overlay::with_room(Arc::clone(&under) as Arc<dyn Store>, 200);
        (under, over)
    }

    fn seen(store: &dyn Store, prefix: &str) -> Vec<(String, Value)> {
        store.scan(prefix).unwrap().into_iter().collect()
    }

    fn all(list: &[(&str, i64)]) -> Vec<(String, Value)> {
        list.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect()
    }

    fn put(key: &str, value: i64) -> Vec<Change> {
        vec![Change::put(key, json!(value))]
    }

    #[tokio::test]
    async fn what_may_wait_is_seen_at_once_and_written_when_there_is_space() {
        let (under, over) = both();
        over.save(put("s/b", 1), Saving::MayWait).await.unwrap();
        over.save(put("s/d", 1), Saving::MayWait).await.unwrap();
        assert_eq!((seen(&*under, "s/"), over.unsaved()), (all(&[("s/b", 1), ("s/d", 1)]), None));
        under.fail_writes(true);
        for change in [put("s/a", 2), put("s/b", 2), vec![Change::delete("s/d")], put("s/e", 2), put("t", 2)]
        {
            over.save(change, Saving::MayWait).await.unwrap();
        }
        let now = all(&[("s/a", 2), ("s/b", 2), ("s/e", 2)]);
        assert_eq!(seen(&over, "s/"), now);
        assert_eq!((over.get("s/b").unwrap(), over.get("s/d").unwrap()), (Some(json!(2)), None));
        assert_eq!(seen(&*under, "s/"), all(&[("s/b", 1), ("s/d", 1)]));
        let unsaved = over.unsaved().unwrap();
        assert!(unsaved.why.contains("no space left") && unsaved.changes == 5, "{unsaved:?}");
        assert!(over.is_unsaved("s/d") && !over.is_unsaved("s/c"));
        assert!(!over.flush().await);
        under.fail_writes(false);
        // Also when something else could be written meanwhile: nothing is written behind its back.
        over.save(put("s/b", 3), Saving::MayWait).await.unwrap();
        assert!(over.flush().await);
        let now = all(&[("s/a", 2), ("s/b", 3), ("s/e", 2)]);
        assert_eq!((seen(&*under, "s/"), seen(&over, "s/")), (now.clone(), now));
        assert_eq!((over.unsaved(), under.get("t").unwrap()), (None, Some(json!(2))));
    }

    #[tokio::test]
    async fn what_must_be_durable_never_waits_and_ends_what_waited_under_its_key() {
        let (under, over) = both();
        under.fail_writes(true);
        over.save(put("s/a", 1), Saving::MayWait).await.unwrap();
        over.save(put("s/b", 1), Saving::MayWait).await.unwrap();
        assert!(matches!(over.save(put("s/a", 2), Saving::Durable).await, Err(StoreError::Write { .. })));
        assert_eq!(over.get("s/a").unwrap(), Some(json!(1)), "what was refused is not seen");
        under.fail_writes(false);
        over.save(put("s/a", 3), Saving::Durable).await.unwrap();
        assert_eq!(over.unsaved().unwrap().changes, 1);
        assert_eq!(seen(&over, "s/"), all(&[("s/a", 3), ("s/b", 1)]));
        assert!(over.flush().await);
        assert_eq!(seen(&*under, "s/"), all(&[("s/a", 3), ("s/b", 1)]));
        under.fail_writes(true);
        over.save(put("s/a", 4), Saving::MayWait).await.unwrap();
        under.fail_writes(false);
        over.save(put("s/a", 5), Saving::Durable).await.unwrap();
        assert_eq!(over.unsaved(), None, "nothing waits any more");
    }

    /// A store whose disk takes its time: a write is on it only once this was told.
    struct Slow(MemoryStore, tokio::sync::Notify);

    #[async_trait::async_trait]
    impl Store for Slow {
        async fn commit(&self, changes: Vec<Change>) -> Result<()> {
            self.1.notified().await;
            self.0.commit(changes).await
        }
        fn get(&self, key: &str) -> Result<Option<Value>> {
            self.0.get(key)
        }
        fn each(&self, prefix: &str, take: &mut dyn FnMut(String, Record)) -> Result<()> {
            self.0.each(prefix, take)
        }
        fn id(&self) -> String {
            self.0.id()
        }
    }

    #[tokio::test]
    async fn what_is_deleted_while_it_is_written_does_not_come_back() {
        let slow = Arc::new(Slow(MemoryStore::new(), tokio::sync::Notify::new()));
        let over = Overlay::new(Arc::clone(&slow) as Arc<dyn Store>);
        slow.0.fail_writes(true);
        slow.1.notify_one();
        over.save(put("event/1", 1), Saving::MayWait).await.unwrap();
        slow.0.fail_writes(false);
        let during = async {
            tokio::task::yield_now().await;
            over.save(vec![Change::delete("event/1")], Saving::MayWait).await.unwrap();
            slow.1.notify_one();
        };
        assert!(!tokio::join!(over.flush(), during).0, "the deletion waits");
        slow.1.notify_one();
        assert!(over.flush().await);
        assert_eq!((seen(&*slow, "event/"), seen(&over, "event/")), (all(&[]), all(&[])));
    }

    #[tokio::test]
    async fn what_waits_is_bounded_and_what_came_and_went_leaves_nothing() {
        let (under, over) = both();
        under.fail_writes(true);
        // As events that repeat: each takes the place of the one before.
        for i in 0..1_000 {
            let old = Change::delete(format!("event/{i:04}"));
            let new = Change::put(format!("event/{:04}", i + 1), json!(i));
            over.save(vec![old, new], Saving::MayWait).await.unwrap();
        }
        assert_eq!(over.unsaved().unwrap().changes, 1);
        let long = vec![Change::put("x", json!("y".repeat(150)))];
        over.save(long.clone(), Saving::MayWait).await.unwrap();
        over.save(long.clone(), Saving::MayWait).await.unwrap();
        let another = vec![Change::put("z", json!("y".repeat(150)))];
        let error = over.save(another, Saving::MayWait).await.unwrap_err().to_string();
        assert!(error.contains("no space left") && error.contains("no more is held"), "{error}");
        over.save(vec![Change::delete("x"), Change::delete("event/1000")], Saving::MayWait).await.unwrap();
        assert_eq!(over.unsaved(), None, "nothing is left to write");
    }
}
