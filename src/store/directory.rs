//! The store's directory: made, checked on a copy before it is opened, never changed when it is damaged.

use super::note::Note;
use super::record::{self, RecordError};
use super::sled::{Bytes, Disk, Records, Trouble};
use super::{META_KEY, Record, Result, STORE_VERSION, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Free space that is left alone, so that the store can still be opened: a log segment of sled has 512 KiB.
const RESERVE: u64 = 4 * 1024 * 1024;
/// The body of [`META_KEY`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meta {
    pub(super) version: u32,
    pub(super) id: String,
    created_at: String,
    pub(super) commits: u64,
}

/// The store of the directory, checked on a copy; `None` when none was finished.
pub(super) fn find(data_dir: &Path) -> Result<Option<Meta>> {
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

pub(super) fn create(data_dir: &Path) -> Result<Meta> {
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

pub(super) fn encode_meta(meta: &Meta) -> Result<Bytes, String> {
    let body = serde_json::to_value(meta).map_err(|e| e.to_string())?;
    Ok(Record::new(body, record::now).encode())
}

pub(super) fn meta_of(records: &Records) -> Option<Meta> {
    let record = Record::decode(META_KEY, records.get(META_KEY)?).ok()?;
    serde_json::from_value(record.body).ok()
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
