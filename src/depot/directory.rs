//! A directory of this host as a place for backups. Must never write where others may write, too, nor take an empty mount point
//! for the disk that should be there.

use super::{Depot, DepotError, Look, Result};
use crate::core::storage::Part;
use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::timeout;

/// By it a place is known again.
const MARK: &str = ".seawall-target.json";
const INDEX: &str = "index.json";
/// A disk that does not answer must not hold up a pass.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is flushed in the end may be long.
const FLUSH: Duration = Duration::from_secs(600);
/// Bytes that are read at once, and of an index at all.
const PIECE: usize = 256 << 10;
const MOST_INDEX: u64 = 16 << 20;

pub struct Directory {
    root: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Mark {
    /// Of this format.
    version: u32,
    id: String,
}

impl Directory {
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Does `work` on a thread of its own; a thread that the disk keeps is left behind.
    async fn work<T: Send + 'static>(
        &self,
        patience: Duration,
        work: impl FnOnce(&Path) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let root = self.root.clone();
        let done = tokio::task::spawn_blocking(move || work(&root));
        match timeout(patience, done).await {
            Ok(Ok(done)) => done,
            Ok(Err(error)) => Err(DepotError::Failed(error.to_string())),
            Err(_) => Err(self.silent()),
        }
    }

    fn silent(&self) -> DepotError {
        DepotError::Failed(format!("{} gave no answer within {} s", self.root.display(), PATIENCE.as_secs()))
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> DepotError + '_ {
    move |error| DepotError::Failed(format!("{}: {error}", path.display()))
}

/// Whether what is written there stays what it is.
fn safe(root: &Path) -> Result<()> {
    let meta = match fs::symlink_metadata(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(DepotError::Missing(format!("there is no directory {}", root.display())));
        }
        other => other.map_err(failed(root))?,
    };
    if !meta.is_dir() {
        return Err(DepotError::Unsafe(format!("{} is no directory", root.display())));
    }
    let own = rustix::process::geteuid().as_raw();
    if meta.uid() != own && meta.uid() != 0 {
        let what = format!(
            "{} belongs to uid {}: it must be of root or of uid {own}, which Seawall runs as",
            root.display(),
            meta.uid()
        );
        return Err(DepotError::Unsafe(what));
    }
    if meta.mode() & 0o022 != 0 {
        let what = format!(
            "{} can be written by others (mode {:04o}), and who can write there can put data into a database: chmod 0700 {}",
            root.display(),
            meta.mode() & 0o7777,
            root.display()
        );
        return Err(DepotError::Unsafe(what));
    }
    Ok(())
}

fn mark_of(root: &Path) -> Result<Option<String>> {
    let path = root.join(MARK);
    match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(&path)(error)),
        Ok(text) => match serde_json::from_slice::<Mark>(&text) {
            Ok(mark) => Ok(Some(mark.id)),
            Err(error) => Err(DepotError::Unsafe(format!("{} is not understood: {error}", path.display()))),
        },
    }
}

/// The directory of a backup; every step of its key is a name of ours.
fn folder(root: &Path, backup: &str) -> Result<PathBuf> {
    let fine = |step: &str| {
        !step.is_empty() && step.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if !backup.split('/').all(fine) {
        return Err(DepotError::Unsafe(format!("{backup:?} is no key of a backup")));
    }
    Ok(root.join(backup))
}

fn file(root: &Path, backup: &str, name: &str) -> Result<PathBuf> {
    let fine =
        !name.starts_with('.') && name.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b));
    if !fine || name.is_empty() {
        return Err(DepotError::Unsafe(format!("{name:?} is no part of a backup")));
    }
    Ok(folder(root, backup)?.join(name))
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Writes a small file whole or not at all.
fn write_whole(path: &Path, text: &[u8]) -> io::Result<()> {
    let (folder, mut temporary) = (path.parent().unwrap_or(path), path.as_os_str().to_owned());
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    let mut file = create(&temporary)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    sync(folder)
}

fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[async_trait]
impl Depot for Directory {
    async fn look(&self) -> Result<Look> {
        self.work(PATIENCE, |root| {
            safe(root)?;
            let mark = mark_of(root)?;
            let room = rustix::fs::statvfs(root).map_err(|error| failed(root)(error.into()))?;
            let bytes = |blocks: u64| blocks.saturating_mul(room.f_frsize);
            Ok(Look { mark, free: bytes(room.f_bavail), total: bytes(room.f_blocks) })
        })
        .await
    }

    async fn mark(&self, mark: &str) -> Result<String> {
        let mark = Mark { version: 1, id: mark.to_owned() };
        self.work(PATIENCE, move |root| {
            safe(root)?;
            if let Some(there) = mark_of(root)? {
                return Ok(there);
            }
            let path = root.join(MARK);
            let text = serde_json::to_vec(&mark).map_err(|error| DepotError::Failed(error.to_string()))?;
            write_whole(&path, &text).map_err(failed(&path))?;
            mark_of(root)?.ok_or_else(|| DepotError::Failed(format!("{} is gone again", path.display())))
        })
        .await
    }

    async fn put(&self, backup: &str, name: &str, mut from: Receiver<Bytes>) -> Result<Part> {
        let (root, backup, name) = (self.root.clone(), backup.to_owned(), name.to_owned());
        // As long as bytes come; who sends them sees to their end.
        let written = tokio::task::spawn_blocking(move || {
            safe(&root)?;
            let path = file(&root, &backup, &name)?;
            let folder = folder(&root, &backup)?;
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed(&folder))?;
            let mut file = create(&path).map_err(failed(&path))?;
            let (mut digest, mut length) = (Sha256::new(), 0_u64);
            while let Some(bytes) = from.blocking_recv() {
                file.write_all(&bytes).map_err(failed(&path))?;
                digest.update(&bytes);
                length = length.saturating_add(bytes.len() as u64);
            }
            file.sync_all().map_err(failed(&path))?;
            sync(&folder).map_err(failed(&folder))?;
            Ok(Part { name, bytes: length, sha256: hex(&digest.finalize()) })
        });
        written.await.unwrap_or_else(|error| Err(DepotError::Failed(error.to_string())))
    }

    async fn get(&self, backup: &str, part: &Part, to: Sender<Bytes>) -> Result<()> {
        let (root, backup, part) = (self.root.clone(), backup.to_owned(), part.clone());
        let read = tokio::task::spawn_blocking(move || {
            safe(&root)?;
            let path = file(&root, &backup, &part.name)?;
            let mut file = File::open(&path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => DepotError::Corrupt(format!("{} is gone", path.display())),
                _ => failed(&path)(error),
            })?;
            let (mut digest, mut length) = (Sha256::new(), 0_u64);
            let mut piece = vec![0; PIECE];
            loop {
                let read = file.read(&mut piece).map_err(failed(&path))?;
                let bytes = piece.get(..read).unwrap_or_default();
                if bytes.is_empty() {
                    break;
                }
                digest.update(bytes);
                length = length.saturating_add(read as u64);
                // The last piece only when all of it is what it was: what reads it must not take a part for the whole.
                if length > part.bytes {
                    break;
                }
                if length == part.bytes && hex(&digest.clone().finalize()) != part.sha256 {
                    break;
                }
                if to.blocking_send(Bytes::copy_from_slice(bytes)).is_err() {
                    return Err(DepotError::Failed("it was not read to its end".to_owned()));
                }
            }
            if length == part.bytes && hex(&digest.finalize()) == part.sha256 {
                return Ok(());
            }
            let what = format!(
                "{} is not what was written there: its length or SHA-256 is another one",
                path.display()
            );
            Err(DepotError::Corrupt(what))
        });
        read.await.unwrap_or_else(|error| Err(DepotError::Failed(error.to_string())))
    }

    async fn put_index(&self, backup: &str, text: &[u8]) -> Result<()> {
        let (backup, text) = (backup.to_owned(), text.to_owned());
        self.work(FLUSH, move |root| {
            let path = folder(root, &backup)?.join(INDEX);
            write_whole(&path, &text).map_err(failed(&path))?;
            // The directories above it are new, too.
            let above = path.ancestors().skip(1).take_while(|above| above.starts_with(root));
            for folder in above {
                sync(folder).map_err(failed(folder))?;
            }
            Ok(())
        })
        .await
    }

    async fn index(&self, backup: &str) -> Result<Option<Vec<u8>>> {
        let backup = backup.to_owned();
        self.work(PATIENCE, move |root| {
            safe(root)?;
            let path = folder(root, &backup)?.join(INDEX);
            let file = match File::open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                other => other.map_err(failed(&path))?,
            };
            let mut text = Vec::new();
            file.take(MOST_INDEX).read_to_end(&mut text).map_err(failed(&path))?;
            Ok(Some(text))
        })
        .await
    }

    async fn remove(&self, backup: &str) -> Result<()> {
        let backup = backup.to_owned();
        self.work(FLUSH, move |root| {
            safe(root)?;
            let folder = folder(root, &backup)?;
            let gone = |done: io::Result<()>| match done {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&folder)(error)),
                _ => Ok(()),
            };
            // Whoever looks while it goes finds none.
            gone(fs::remove_file(folder.join(INDEX)))?;
            gone(fs::remove_dir_all(&folder))?;
            // Directories that nothing is in any more.
            for above in
                folder.ancestors().skip(1).take_while(|above| above.starts_with(root) && *above != root)
            {
                if fs::remove_dir(above).is_err() {
                    break;
                }
            }
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
#[path = "directory_tests.rs"]
mod tests;
