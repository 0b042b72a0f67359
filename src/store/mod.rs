//! The store: durable records under keys, one writer, versioned JSON.
//!
//! It keeps what cannot be seen elsewhere (sealed credentials, ports, identities) and what people
//! want to read later (status, events). It decides nothing and knows no object's meaning.

pub mod data_dir;
mod directory;
mod durable;
mod export;
mod lock;
mod memory;
mod note;
mod overlay;
mod rebuild;
pub mod record;
mod sled;

pub use durable::SledStore;
pub use export::export;
pub use memory::MemoryStore;
pub use overlay::{Commits, Overlay, Saving, Unsaved};
pub use rebuild::{Found, Rebuild};
pub use record::Record;

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The version of the record layout; a store with a newer one is refused in words.
pub const STORE_VERSION: u32 = 3;

/// What went wrong with the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "the store {path} is in use by process {pid}; stop it first, or let it answer: this command talks to it when --data is the same"
    )]
    Locked { path: PathBuf, pid: String },
    #[error(
        "the store {path} is damaged: {detail}. Nothing was changed; keep the directory and run `seawall recover`"
    )]
    Damaged { path: PathBuf, detail: String },
    #[error(
        "the store {path} was written by a newer Seawall (layout {found}, this one knows {STORE_VERSION}); use that version"
    )]
    Newer { path: PathBuf, found: u32 },
    /// Others could put something in our way: nothing was opened or made.
    #[error("the data directory {path} is not safe: {detail}")]
    Exposed { path: PathBuf, detail: String },
    /// Disk full, permissions, I/O: the write did not happen.
    #[error("could not write to the store {path}: {detail}")]
    Write { path: PathBuf, detail: String },
    /// These records are as they were before.
    #[error("{objects}: {source}")]
    NotTakenOver { objects: String, source: Box<StoreError> },
    /// Neither written nor held in memory until it can be.
    #[error("{why}; and no more is held in memory until it can be written")]
    NotHeld { why: String },
    /// The key that a secret was sealed with is not kept any more.
    #[error("could not write {key}: its key was replaced meanwhile; it is tried again with the new one")]
    Outdated { key: String },
    /// A command that only reads found nothing to read.
    #[error("no store at {path}; run `seawall run` first or give --data")]
    Missing { path: PathBuf },
    #[error("could not read {key} from the store: {detail}")]
    Read { key: String, detail: String },
}

pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// The store's own record: `{version, id, createdAt, commits}`. Others read it, only the store writes it.
pub const META_KEY: &str = "meta/store";

/// Prefix of what was measured over time: much, and nobody acts on it. It is read from the disk when it is asked for, is no part of
/// an export, and is no reason to call a store damaged.
pub const MEASURED: &str = "history/";

/// Prefix of what opens the API. No export has it: whoever reads one has no business with it, and whoever has lost a store makes new
/// ones.
pub const TOKENS: &str = "token/";

/// One change of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    Put { key: String, body: Value },
    Delete { key: String },
}

impl Change {
    #[must_use]
    pub fn put(key: impl Into<String>, body: Value) -> Self {
        Change::Put { key: key.into(), body }
    }
    #[must_use]
    pub fn delete(key: impl Into<String>) -> Self {
        Change::Delete { key: key.into() }
    }
}

/// Records by key. Bodies are JSON; the envelope (version, time) is the store's own business.
#[async_trait::async_trait]
pub trait Store: Send + Sync + 'static {
    /// All changes or none; durable (fsync) when it returns `Ok`. After an error they are not seen by
    /// readers, but may turn up after a crash: repeat them. A dropped future may still be committed.
    async fn commit(&self, changes: Vec<Change>) -> Result<()>;
    fn get(&self, key: &str) -> Result<Option<Value>>;
    /// Hands over every record whose key starts with `prefix`, with version and time, in key order, one
    /// at a time: there may be a hundred thousand. `take` must not call the store.
    fn each(&self, prefix: &str, take: &mut dyn FnMut(String, Record)) -> Result<()>;
    /// All of them at once.
    fn records(&self, prefix: &str) -> Result<BTreeMap<String, Record>> {
        let mut all = BTreeMap::new();
        self.each(prefix, &mut |key, record| drop(all.insert(key, record)))?;
        Ok(all)
    }
    /// The bodies of all of them.
    fn scan(&self, prefix: &str) -> Result<BTreeMap<String, Value>> {
        Ok(self.records(prefix)?.into_iter().map(|(key, record)| (key, record.body)).collect())
    }
    /// The random id made when the store was made; labels carry it.
    fn id(&self) -> String;
}

/// Refuses keys no caller may write.
fn check_keys(changes: &[Change]) -> Result<(), String> {
    for change in changes {
        let (Change::Put { key, .. } | Change::Delete { key }) = change;
        if key.is_empty() || key == META_KEY {
            return Err(format!("the key {key:?} is reserved"));
        }
    }
    Ok(())
}
