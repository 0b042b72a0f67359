//! The durable store: one writer thread owns the disk, readers see what is on it.
//!
//! Every record is also in memory, put there only after its fsync, so that nobody acts on something a
//! crash could take back, and reading goes on while the disk is full. Opening first tries a copy of the
//! directory: sled repairs as it opens, and a damaged store must stay as it was found.

use super::lock::StoreLock;
use super::note::Note;
use super::record::{self, RecordError};
use super::sled::{Bytes, Disk, Records, THREAD, Trouble};
use super::{Change, META_KEY, Record, Result, STORE_VERSION, Store, StoreError, check_keys};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Read};
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
/// Free space that is left alone, so that the store can still be opened: a log segment of sled has 512 KiB.
const RESERVE: u64 = 4 * 1024 * 1024;
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

/// The body of [`META_KEY`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meta {
    version: u32,
    pub(super) id: String,
    created_at: String,
    commits: u64,
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

/// The store of the directory, checked on a copy; `None` when none was finished.
fn find(data_dir: &Path) -> Result<Option<Meta>> {
    let note = Note::read(data_dir)?;
    let store = data_dir.join("store");
    let before = data_dir.join("store.before");
    if before.is_dir() {
        // The last start was killed while sled opened the store, which sled does not always survive.
        remove(&store).and_then(|()| std::fs::rename(&before, &store)).map_err(|e| write(data_dir, e))?;
    }
    if !store.is_dir() {
        if note.is_none() && !store.exists() {
            return Ok(None);
        }
        return Err(damaged(data_dir, "its directory is gone"));
    }
    let copy = data_dir.join("store.check");
    remove(&copy).map_err(|e| write(data_dir, e))?;
    size_of(&store)
        .map_err(|e| e.to_string())
        .and_then(|size| check_room(data_dir, size))
        .map_err(|e| write(data_dir, e))?;
    copy_dir(&store, &copy).map_err(|e| {
        // A full disk must not stay full because of the copy.
        let _ = remove(&copy);
        write(data_dir, format!("making a copy to check it: {e}"))
    })?;
    let examined = Disk::open(&copy)
        .map_err(|t| told(data_dir, t))
        .and_then(|(_closed_here, records)| examine(data_dir, &records, note.as_ref()));
    let meta = match examined {
        Ok(meta) => meta,
        Err(error) => {
            remove(&copy).map_err(|e| write(data_dir, e))?;
            return Err(error);
        }
    };
    sync_tree(&copy).and_then(|()| std::fs::rename(&copy, &before)).map_err(|e| write(data_dir, e))?;
    if note.is_none() {
        // Stopped between making the store and its note.
        let note = Note { id: meta.id.clone(), commits: meta.commits };
        note.create(data_dir).map_err(|e| write(data_dir, e))?;
    }
    Ok(Some(meta))
}

pub(super) fn examine(data_dir: &Path, records: &Records, note: Option<&Note>) -> Result<Meta> {
    for (key, bytes) in records {
        Record::decode(key, bytes).map_err(|error| match error {
            RecordError::Newer { found, .. } => StoreError::Newer { path: data_dir.into(), found },
            RecordError::Unreadable { .. } => damaged(data_dir, error),
        })?;
    }
    let Some(meta) = meta_of(records) else {
        return Err(damaged(data_dir, format!("its own record {META_KEY} is missing")));
    };
    if meta.version > STORE_VERSION {
        return Err(StoreError::Newer { path: data_dir.into(), found: meta.version });
    }
    match note {
        Some(note) if note.id != meta.id => {
            Err(damaged(data_dir, format!("it has the id {}, store.id says {}", meta.id, note.id)))
        }
        Some(note) if note.commits > meta.commits => {
            Err(damaged(data_dir, format!("the last {} commits are missing", note.commits - meta.commits)))
        }
        _ => Ok(meta),
    }
}

fn create(data_dir: &Path) -> Result<Meta> {
    let id = new_id().map_err(|e| write(data_dir, format!("no random numbers: {e}")))?;
    let meta = make(data_dir, &id, BTreeMap::new())?;
    std::fs::rename(data_dir.join("store.new"), data_dir.join("store")).map_err(|e| write(data_dir, e))?;
    let note = Note { id: meta.id.clone(), commits: 0 };
    note.create(data_dir).map_err(|e| write(data_dir, e))?;
    Ok(meta)
}

/// A whole store as `store.new`. Made under another name: a directory called store is complete, or
/// damaged.
pub(super) fn make(data_dir: &Path, id: &str, bodies: BTreeMap<String, Value>) -> Result<Meta> {
    check_room(data_dir, 0).map_err(|e| write(data_dir, e))?;
    let meta = Meta { version: STORE_VERSION, id: id.to_owned(), created_at: record::now(), commits: 0 };
    let fresh = data_dir.join("store.new");
    remove(&fresh).map_err(|e| write(data_dir, e))?;
    let (mut disk, _) = Disk::open(&fresh).map_err(|t| told(data_dir, t))?;
    let mut batch: BTreeMap<String, Option<Bytes>> =
        bodies.into_iter().map(|(key, body)| (key, Some(Record::new(body, record::now).encode()))).collect();
    batch.insert(META_KEY.to_owned(), Some(encode_meta(&meta).map_err(|e| write(data_dir, e))?));
    if let Err(detail) = disk.write(&batch) {
        // Closing would wait for ever for the write that failed.
        std::mem::forget(disk);
        return Err(write(data_dir, detail));
    }
    disk.sync_directory().map_err(|e| write(data_dir, e))?;
    Ok(meta)
}

/// 64 random bits as hex.
fn new_id() -> std::io::Result<String> {
    let mut bytes = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:016x}", u64::from_be_bytes(bytes)))
}

fn encode_meta(meta: &Meta) -> Result<Bytes, String> {
    let body = serde_json::to_value(meta).map_err(|e| e.to_string())?;
    Ok(Record::new(body, record::now).encode())
}

fn meta_of(records: &Records) -> Option<Meta> {
    let record = Record::decode(META_KEY, records.get(META_KEY)?).ok()?;
    serde_json::from_value(record.body).ok()
}

fn decode(key: &str, bytes: &[u8]) -> Result<Record> {
    Record::decode(key, bytes).map_err(|e| StoreError::Read { key: key.into(), detail: e.to_string() })
}

pub(super) fn told(data_dir: &Path, trouble: Trouble) -> StoreError {
    match trouble {
        Trouble::Damaged(detail) => damaged(data_dir, detail),
        Trouble::Disk(detail) => write(data_dir, detail),
    }
}

pub(super) fn damaged(data_dir: &Path, detail: impl ToString) -> StoreError {
    StoreError::Damaged { path: data_dir.into(), detail: detail.to_string() }
}

pub(super) fn write(data_dir: &Path, detail: impl ToString) -> StoreError {
    StoreError::Write { path: data_dir.into(), detail: detail.to_string() }
}

pub(super) fn remove(dir: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Whether `size` bytes fit above the reserve.
pub(super) fn check_room(data_dir: &Path, size: u64) -> Result<(), String> {
    let free = fs2::available_space(data_dir).map_err(|e| e.to_string())?;
    let needed = size + RESERVE;
    if free < needed {
        return Err(format!("no space left: {} KiB free, {} KiB needed", free / 1024, needed.div_ceil(1024)));
    }
    Ok(())
}

fn size_of(dir: &Path) -> std::io::Result<u64> {
    let mut size = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        size += if meta.is_dir() { size_of(&entry.path())? } else { meta.len() };
    }
    Ok(size)
}

fn sync_tree(dir: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?
        } else {
            File::open(entry.path())?.sync_all()?
        }
    }
    File::open(dir)?.sync_all()
}

pub(super) fn copy_dir(from: &Path, to: &Path) -> std::io::Result<()> {
    DirBuilder::new().mode(0o700).create(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "durable_tests.rs"]
mod tests;
