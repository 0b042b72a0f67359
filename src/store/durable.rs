//! The durable store: one writer thread owns the disk, readers see what is on it.
//!
//! What passes read ([`HELD`]) is also in memory, put there only after its fsync, so that nobody acts on
//! something a crash could take back, and reading it goes on while the disk is full. Opening first tries
//! a copy of the directory: sled repairs as it opens, and a damaged store must stay as it was found.

use super::directory::{Meta, check_room, create, encode_meta, find, remove, told, write};
use super::lock::StoreLock;
use super::note::Note;
use super::record;
use super::sled::{Bytes, Disk, Reader, Records, THREAD};
use super::{Change, META_KEY, Record, Result, Store, StoreError, check_keys, data_dir};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Prefixes of what passes read. Everything else is in the memory of those who write it, and twice would
/// be too much.
const HELD: [&str; 3] = ["image/", "meta/", "secret/"];
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
    shared: Arc<Shared>,
    /// For what is not held; `None` only while this is dropped.
    reader: Option<Reader>,
    requests: Option<mpsc::Sender<Request>>,
    writer: Option<JoinHandle<()>>,
    /// Freed last, when the writer has closed the disk.
    _lock: StoreLock,
}

/// What the writer tells the readers.
#[derive(Debug, Default)]
struct Shared {
    held: RwLock<Records>,
    /// The first failure of the disk: sled takes no more writes then, and neither do we, and how much of that
    /// one is on the disk is not known.
    failed: OnceLock<String>,
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
        data_dir::make(data_dir)?;
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
        if !data_dir.exists() {
            return Err(missing());
        }
        data_dir::check(data_dir)?;
        if !data_dir.join("store").exists() && Note::read(data_dir)?.is_none() {
            return Err(missing());
        }
        let lock = StoreLock::take(data_dir)?;
        let meta = find(data_dir)?.ok_or_else(missing)?;
        SledStore::start(data_dir, lock, meta)
    }

    fn start(data_dir: &Path, lock: StoreLock, meta: Meta) -> Result<SledStore> {
        let (disk, mut records) = Disk::open(&data_dir.join("store")).map_err(|t| told(data_dir, t))?;
        records.retain(|key, _| is_held(key));
        // Must be gone before the first commit: the next start would take it for the newest.
        // Renamed first: half removed it would be taken for a store.
        let spent = data_dir.join("store.check");
        std::fs::rename(data_dir.join("store.before"), &spent)
            .and_then(|()| File::open(data_dir)?.sync_all())
            .and_then(|()| remove(&spent))
            .map_err(|e| write(data_dir, e))?;
        let note = Note::open(data_dir).map_err(|e| write(data_dir, e))?;
        let reader = Some(disk.reader());
        let shared = Arc::new(Shared { held: RwLock::new(records), failed: OnceLock::new() });
        let (requests, queue) = mpsc::channel(QUEUE);
        let id = meta.id.clone();
        let writer =
            Writer { data_dir: data_dir.into(), disk: Some(disk), shared: Arc::clone(&shared), meta, note };
        let writer = thread::Builder::new()
            .name(THREAD.into())
            .spawn(move || writer.run(queue))
            .map_err(|e| write(data_dir, e))?;
        Ok(SledStore {
            data_dir: data_dir.into(),
            id,
            shared,
            reader,
            requests: Some(requests),
            writer: Some(writer),
            _lock: lock,
        })
    }

    fn held(&self, key: &str) -> Option<Bytes> {
        self.shared.held.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn on_disk(&self, key: &str) -> Result<&Reader> {
        let detail = match (&self.reader, self.shared.failed.get()) {
            (Some(reader), None) => return Ok(reader),
            (_, first) => first.map_or("the store is closed", String::as_str),
        };
        Err(StoreError::Read { key: key.into(), detail: format!("{detail}; restart Seawall") })
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
        let bytes = if is_held(key) {
            self.held(key)
        } else {
            self.on_disk(key)?.get(key).map_err(|detail| StoreError::Read { key: key.into(), detail })?
        };
        bytes.map(|bytes| decode(key, &bytes).map(|record| record.body)).transpose()
    }

    fn each(&self, prefix: &str, take: &mut dyn FnMut(String, Record)) -> Result<()> {
        let read = self.on_disk(prefix)?.each(prefix, |key, bytes| {
            take(key.to_owned(), Record::decode(key, bytes).map_err(|e| e.to_string())?);
            Ok(())
        });
        read.map_err(|detail| StoreError::Read { key: format!("{prefix}*"), detail })
    }

    fn id(&self) -> String {
        self.id.clone()
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        // Before the writer's, which closes the database.
        self.reader = None;
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
    /// `None` after the first failure.
    disk: Option<Disk>,
    shared: Arc<Shared>,
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
        let Some(disk) = &mut self.disk else {
            let first = self.shared.failed.get().map_or("the disk failed", String::as_str);
            return Err(format!("{first}; restart Seawall"));
        };
        let mut meta = self.meta.clone();
        meta.commits += 1;
        let mut batch = changes;
        batch.insert(META_KEY.into(), Some(encode_meta(&meta)?));
        let size: usize =
            batch.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, |v| v.len())).sum();
        // A write that fails inside sled cannot be repeated and may hang it, so it is not tried.
        check_room(&self.data_dir, size as u64 * 2)?;
        if let Err(detail) = disk.write(&batch) {
            // Closing would wait for ever for the write that failed.
            std::mem::forget(self.disk.take());
            let _ = self.shared.failed.set(detail.clone());
            return Err(detail);
        }
        self.meta = meta;
        // A count that is too small only makes the check at the next start weaker.
        let _ = Note { id: self.meta.id.clone(), commits: self.meta.commits }.overwrite(&self.note);
        let mut held = self.shared.held.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in batch.into_iter().filter(|(key, _)| is_held(key)) {
            match value {
                Some(bytes) => held.insert(key, bytes),
                None => held.remove(&key),
            };
        }
        Ok(())
    }
}

fn is_held(key: &str) -> bool {
    HELD.iter().any(|prefix| key.starts_with(prefix))
}

fn decode(key: &str, bytes: &[u8]) -> Result<Record> {
    Record::decode(key, bytes).map_err(|e| StoreError::Read { key: key.into(), detail: e.to_string() })
}

#[cfg(test)]
#[path = "durable_tests.rs"]
mod tests;
