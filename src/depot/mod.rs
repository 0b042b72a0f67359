//! Where backups lie: one trait for those who put something there and take it back, and an adapter for each sort of place.
//!
//! A backup is its parts and an index, which is written last: without an index there is no backup, only what is left of
//! one. What is read back is compared with the digest that was taken when it was written.

mod directory;

pub use directory::Directory;

use crate::core::storage::{Part, Place};
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc::{Receiver, Sender};

/// The way to a place.
#[must_use]
pub fn open(place: &Place) -> Arc<dyn Depot> {
    match place {
        Place::Directory(path) => Arc::new(Directory::new(path)),
    }
}

/// What a place is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// By which it is told from another one that is found there later; `None`: nobody has marked it yet.
    pub mark: Option<String>,
    /// Bytes that are free there, and all of them.
    pub free: u64,
    pub total: u64,
}

/// Why a place is of no use now. Words fit to be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DepotError {
    /// There is nothing of that name.
    #[error("{0}")]
    Missing(String),
    /// It must not be used as it is.
    #[error("{0}")]
    Unsafe(String),
    /// What is read is not what was written.
    #[error("{0}")]
    Corrupt(String),
    #[error("{0}")]
    Failed(String),
}

impl DepotError {
    /// One CamelCase word from a closed set.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            DepotError::Missing(_) => "TargetMissing",
            DepotError::Unsafe(_) => "TargetUnsafe",
            DepotError::Corrupt(_) => "BackupCorrupt",
            DepotError::Failed(_) => "TargetFailed",
        }
    }
}

pub type Result<T, E = DepotError> = std::result::Result<T, E>;

/// A place for backups. `backup`: its key there, steps of DNS labels with `/` between. Each call has an end: where bytes are
/// handed on that is the caller's, by closing its side.
#[async_trait]
pub trait Depot: Send + Sync + 'static {
    async fn look(&self) -> Result<Look>;
    /// Marks it, unless it is: what it is marked with. Proves that it can be written to, and read.
    async fn mark(&self, mark: &str) -> Result<String>;
    /// Writes what comes until it ends; a part of this name that is there is replaced.
    async fn put(&self, backup: &str, name: &str, from: Receiver<Bytes>) -> Result<Part>;
    /// Hands on a part, and says in the end whether it was the one that was written.
    async fn get(&self, backup: &str, part: &Part, to: Sender<Bytes>) -> Result<()>;
    /// The last thing of a backup.
    async fn put_index(&self, backup: &str, text: &[u8]) -> Result<()>;
    /// `None`: there is no backup of this key.
    async fn index(&self, backup: &str) -> Result<Option<Vec<u8>>>;
    /// All that is there of it, its index first. Nothing there is success.
    async fn remove(&self, backup: &str) -> Result<()>;
}

/// Of one backup at its place, for the engine whose data it has.
pub struct Shelf<'a> {
    pub depot: &'a dyn Depot,
    pub backup: &'a str,
    /// Bytes that went through so far.
    pub moved: &'a AtomicU64,
    /// Whether it is still wanted.
    pub still: &'a (dyn Fn() -> bool + Send + Sync),
}

impl Shelf<'_> {
    /// As [`Depot::put`].
    ///
    /// # Errors
    /// As there.
    pub async fn put(&self, name: &str, mut from: Receiver<Bytes>) -> Result<Part> {
        let (to, counted) = tokio::sync::mpsc::channel(1);
        let count = async {
            while let Some(bytes) = from.recv().await {
                self.moved.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                if to.send(bytes).await.is_err() {
                    break;
                }
            }
            // What is not taken any more is not asked for either.
            drop((from, to));
        };
        tokio::join!(self.depot.put(self.backup, name, counted), count).0
    }

    /// As [`Depot::get`].
    ///
    /// # Errors
    /// As there.
    pub async fn get(&self, part: &Part, to: Sender<Bytes>) -> Result<()> {
        let (counted, mut from) = tokio::sync::mpsc::channel::<Bytes>(1);
        let count = async {
            while let Some(bytes) = from.recv().await {
                self.moved.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                if to.send(bytes).await.is_err() {
                    break;
                }
            }
            drop((from, to));
        };
        tokio::join!(self.depot.get(self.backup, part, counted), count).0
    }
}
