//! The durable store: one writer thread owns the disk, readers see what is on it.
//!
//! Every record is also in memory, put there only after its fsync, so that nobody acts on something a
//! crash could take back, and reading goes on while the disk is full. Opening first tries a copy of the
//! directory: sled repairs as it opens, and a damaged store must stay as it was found.

use super::directory::{Meta, check_room, create, encode_meta, find, remove, told, write};
use super::lock::StoreLock;
use super::note::Note;
use super::record;
use super::sled::{Bytes, Disk, Records, THREAD};
use super::{Change, META_KEY, Record, Result, Store, StoreError, check_keys};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::ops::Bound;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Commits waiting for the writer; further ones wait in their own task.
const QUEUE: usize = 256;
/// A commit unanswered for this long is an error, whatever the disk is doing.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a dropped store waits for its writer.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The store of one data directory. Dropping it finishes queued commits and frees the lock.
#[derive(Debug)]
pub struct SledStore {
    data_dir: PathBuf,
    id: String,
    durable: Arc<RwLock<Records>>,
    requests: Option<mpsc::Sender<Request>>,
    writer: Option<JoinHandle<()>>,
    /// Freed last, when the writer has closed the disk.
    _lock: StoreLock,
}

#[derive(Debug)]
struct Request {
    changes: Vec<(String, Option<Bytes>)>,
    answer: oneshot::Sender<Result<(), String>>,
}

impl SledStore {
    /// Opens the store of `data_dir`, making directory (mode 700) and store when there are none.
    /// Blocks for some milliseconds: not for a tokio worker.
    ///
    /// # Errors
    /// `Locked`, `Damaged` and `Newer` leave every byte of the store as it was; `Write` for the disk.
    pub fn open(data_dir: &Path) -> Result<SledStore> {
        DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(|e| write(data_dir, e))?;
        let lock = StoreLock::take(data_dir)?;
        match find(data_dir)? {
            Some(meta) => SledStore::start(data_dir, lock, meta),
            None => {
                let made = create(data_dir)?;
                // Found like any other, so that the checked copy covers its first opening.
                let meta = find(data_dir)?.unwrap_or(made);
                SledStore::start(data_dir, lock, meta)
            }
        }
    }

    /// Opens an existing store, for commands that run without the operator.
    ///
    /// # Errors
    /// `Missing` when there is none; else as [`SledStore::open`].
    pub fn open_read(data_dir: &Path) -> Result<SledStore> {
        let missing = || StoreError::Missing { path: data_dir.into() };
        if !data_dir.join("store").exists() && Note::read(data_dir)?.is_none() {
            return Err(missing());
        }
        let lock = StoreLock::take(data_dir)?;
        let meta = find(data_dir)?.ok_or_else(missing)?;
        SledStore::start(data_dir, lock, meta)
    }

    fn start(data_dir: &Path, lock: StoreLock, meta: Meta) -> Result<SledStore> {
        let (disk, records) = Disk::open(&data_dir.join("store")).map_err(|t| told(data_dir, t))?;
        // Must be gone before the first commit: the next start would take it for the newest.
        // Renamed first: half removed it would be taken for a store.
        let spent = data_dir.join("store.check");
        std::fs::rename(data_dir.join("store.before"), &spent)
            .and_then(|()| File::open(data_dir)?.sync_all())
            .and_then(|()| remove(&spent))
            .map_err(|e| write(data_dir, e))?;
        let note = Note::open(data_dir).map_err(|e| write(data_dir, e))?;
        let durable = Arc::new(RwLock::new(records));
        let (requests, queue) = mpsc::channel(QUEUE);
        let id = meta.id.clone();
        let writer =
            Writer { data_dir: data_dir.into(), disk: Ok(disk), durable: Arc::clone(&durable), meta, note };
        let writer = thread::Builder::new()
            .name(THREAD.into())
            .spawn(move || writer.run(queue))
            .map_err(|e| write(data_dir, e))?;
        Ok(SledStore {
            data_dir: data_dir.into(),
            id,
            durable,
            requests: Some(requests),
            writer: Some(writer),
            _lock: lock,
        })
    }

    fn read(&self) -> RwLockReadGuard<'_, Records> {
        self.durable.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait::async_trait]
impl Store for SledStore {
    async fn commit(&self, changes: Vec<Change>) -> Result<()> {
        check_keys(&changes).map_err(|detail| write(&self.data_dir, detail))?;
        if changes.is_empty() {
            return Ok(());
        }
        let changes = changes.into_iter().map(|change| match change {
            Change::Put { key, body } => (key, Some(Record::new(body, record::now).encode())),
            Change::Delete { key } => (key, None),
        });
        let (answer, answered) = oneshot::channel();
        let request = Request { changes: changes.collect(), answer };
        let gone = || "the store's writer has stopped; restart Seawall".to_owned();
        let sent = async {
            let requests = self.requests.as_ref().ok_or_else(gone)?;
            requests.send(request).await.map_err(|_| gone())?;
            answered.await.map_err(|_| gone())?
        };
        tokio::time::timeout(COMMIT_TIMEOUT, sent)
            .await
            .unwrap_or_else(|_| Err(format!("no answer from the disk within {COMMIT_TIMEOUT:?}")))
            .map_err(|detail| write(&self.data_dir, detail))
    }

    fn get(&self, key: &str) -> Result<Option<Value>> {
        let bytes = self.read().get(key).cloned();
        bytes.map(|bytes| decode(key, &bytes).map(|record| record.body)).transpose()
    }

    fn records(&self, prefix: &str) -> Result<BTreeMap<String, Record>> {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let all = self.read();
        let found = all.range::<str, _>(from).take_while(|(key, _)| key.starts_with(prefix));
        found.map(|(key, bytes)| Ok((key.clone(), decode(key, bytes)?))).collect()
    }

    fn id(&self) -> String {
        self.id.clone()
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        // Without senders the writer answers what is queued and leaves.
        self.requests = None;
        if let Some(writer) = self.writer.take() {
            let deadline = Instant::now() + CLOSE_TIMEOUT;
            while !writer.is_finished() && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

struct Writer {
    data_dir: PathBuf,
    /// The text of the first failure afterwards: sled takes no more writes then, and neither do we.
    disk: Result<Disk, String>,
    durable: Arc<RwLock<Records>>,
    meta: Meta,
    note: File,
}

impl Writer {
    fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        let mut group = Vec::with_capacity(QUEUE);
        while let Some(first) = queue.blocking_recv() {
            group.push(first);
            while group.len() < QUEUE
                && let Ok(next) = queue.try_recv()
            {
                group.push(next);
            }
            let mut changes = BTreeMap::new();
            for request in &mut group {
                changes.extend(std::mem::take(&mut request.changes));
            }
            let written = self.write(changes);
            for request in group.drain(..) {
                // The committer may have given up waiting.
                let _ = request.answer.send(written.clone());
            }
        }
    }

    fn write(&mut self, changes: BTreeMap<String, Option<Bytes>>) -> Result<(), String> {
        let disk = self.disk.as_mut().map_err(|first| format!("{first}; restart Seawall"))?;
        let mut meta = self.meta.clone();
        meta.commits += 1;
        let mut batch = changes;
        batch.insert(META_KEY.into(), Some(encode_meta(&meta)?));
        let size: usize =
            batch.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, |v| v.len())).sum();
        // A write that fails inside sled cannot be repeated and may hang it, so it is not tried.
        check_room(&self.data_dir, size as u64 * 2)?;
        if let Err(detail) = disk.write(&batch) {
            let poisoned = std::mem::replace(&mut self.disk, Err(detail.clone()));
            // Closing would wait for ever for the write that failed.
            std::mem::forget(poisoned);
            return Err(detail);
        }
        self.meta = meta;
        // A count that is too small only makes the check at the next start weaker.
        let _ = Note { id: self.meta.id.clone(), commits: self.meta.commits }.overwrite(&self.note);
        let mut durable = self.durable.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in batch {
            match value {
                Some(bytes) => durable.insert(key, bytes),
                None => durable.remove(&key),
            };
        }
        Ok(())
    }
}

fn decode(key: &str, bytes: &[u8]) -> Result<Record> {
    Record::decode(key, bytes).map_err(|e| StoreError::Read { key: key.into(), detail: e.to_string() })
}

#[cfg(test)]
#[path = "durable_tests.rs"]
mod tests;
