//! Env files on the disk. Every step below an allowed directory is opened without following a link, however fast somebody
//! swaps them, and a file is written whole or not at all. Decides nothing.

use super::env_file::Refusal;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use zeroize::Zeroizing;

/// A disk that does not answer must not hold up a pass.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes that are read of a file: more is not what was written.
const MOST: u64 = 256 << 10;

/// What is there. Never printed: there are secrets in it.
pub enum There {
    Missing,
    Text { text: Zeroizing<Vec<u8>>, mode: u32, stamp: String },
    Refused(Refusal),
}

/// A file, and whether a write of it was cut short.
pub struct Look {
    pub there: There,
    pub leftover: bool,
}

/// Looks at `path`, below `root`.
#[must_use]
pub fn look(root: &Path, path: &Path) -> Look {
    let mut leftover = false;
    let there = folder(root, path).and_then(|(folder, name)| {
        leftover = stat(&folder, &temporary(&name))?.is_some();
        read(&folder, &name, path)
    });
    Look { there: there.unwrap_or_else(There::Refused), leftover }
}

/// Writes it whole: under a temporary name, then renamed. What was there stays until then.
///
/// # Errors
/// Of the disk, in words; then the old one is as it was.
pub fn write(root: &Path, path: &Path, mode: u32, text: &[u8]) -> Result<String, String> {
    let (folder, name) = folder(root, path).map_err(|refusal| refusal.words(path).1)?;
    let put = || -> io::Result<String> {
        remove_leftover(&folder, &name)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let own = Mode::RUSR | Mode::WUSR;
        let mut file = File::from(rustix::fs::openat(&folder, temporary(&name), flags, own)?);
        file.write_all(text)?;
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        rustix::fs::renameat(&folder, temporary(&name), &folder, &name)?;
        rustix::fs::fsync(&folder)?;
        Ok(stamp(&file.metadata()?))
    };
    put().map_err(|error| {
        // It has a secret in it; one that cannot be removed is found by the next look.
        let _ = remove_leftover(&folder, &name);
        error.to_string()
    })
}

/// Removes what a write that was cut short left beside it.
///
/// # Errors
/// Of the disk, in words.
pub fn sweep(root: &Path, path: &Path) -> Result<(), String> {
    match folder(root, path) {
        Ok((folder, name)) => remove_leftover(&folder, &name).map_err(|error| error.to_string()),
        Err(Refusal::Disk(why)) => Err(why),
        Err(_) => Ok(()),
    }
}

/// What is done on disks, one thing at a time with each file: a thread that waits for one is not joined by others, and what it
/// writes in the end is never newer than what is written after it.
#[derive(Default)]
pub struct Disks(Mutex<BTreeMap<PathBuf, Arc<Gate>>>);

type Gate = tokio::sync::Mutex<()>;

impl Disks {
    /// Does `work`, which is with the file at `path`, beside the passes.
    ///
    /// # Errors
    /// When the disk gives no answer.
    pub async fn in_time<T: Send + 'static>(
        &self,
        path: &Path,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        let gate = {
            let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            gates.retain(|_, gate| Arc::strong_count(gate) > 1);
            Arc::clone(gates.entry(path.to_owned()).or_default())
        };
        let alone = async {
            let held = gate.lock_owned().await;
            let work = move || {
                let _held = held;
                work()
            };
            tokio::task::spawn_blocking(work).await
        };
        match tokio::time::timeout(PATIENCE, alone).await {
            Ok(Ok(done)) => Ok(done),
            _ => Err(format!("the disk gave no answer within {} s", PATIENCE.as_secs())),
        }
    }
}

/// Hidden, so that nobody takes it for a manifest.
fn temporary(name: &OsStr) -> OsString {
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(".seawall");
    temporary
}

fn remove_leftover(folder: &OwnedFd, name: &OsStr) -> io::Result<()> {
    match rustix::fs::unlinkat(folder, temporary(name), AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn disk(error: impl Into<io::Error>) -> Refusal {
    Refusal::Disk(error.into().to_string())
}

/// The folder that `path` is in, with its name there; `root` itself may be a link.
fn folder(root: &Path, path: &Path) -> Result<(OwnedFd, OsString), Refusal> {
    let inside = path.strip_prefix(root).map_err(|_| Refusal::Outside(vec![root.to_owned()]))?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut here = match rustix::fs::open(root, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Err(Refusal::NoFolder(root.to_owned())),
        other => other.map_err(disk)?,
    };
    let mut steps: Vec<&OsStr> = Vec::new();
    for step in inside.components() {
        let Component::Normal(step) = step else { return Err(Refusal::Outside(vec![root.to_owned()])) };
        steps.push(step);
    }
    let Some((name, folders)) = steps.split_last() else { return Err(Refusal::Special("a directory")) };
    let mut so_far: PathBuf = root.to_owned();
    for step in folders {
        so_far.push(step);
        match stat(&here, step)? {
            None => return Err(Refusal::NoFolder(so_far)),
            Some(FileType::Symlink) => return Err(Refusal::Link(so_far)),
            Some(FileType::Directory) => {}
            Some(_) => return Err(Refusal::NotAFolder(so_far)),
        }
        // What is there by now counts: a link is not followed.
        here = rustix::fs::openat(&here, *step, flags | OFlags::NOFOLLOW, Mode::empty()).map_err(disk)?;
    }
    Ok((here, (*name).to_owned()))
}

fn stat(folder: &OwnedFd, name: &OsStr) -> Result<Option<FileType>, Refusal> {
    match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(None),
        other => Ok(Some(FileType::from_raw_mode(other.map_err(disk)?.st_mode))),
    }
}

fn read(folder: &OwnedFd, name: &OsStr, path: &Path) -> Result<There, Refusal> {
    match stat(folder, name)? {
        None => return Ok(There::Missing),
        Some(FileType::RegularFile) => {}
        Some(FileType::Symlink) => return Err(Refusal::Link(path.to_owned())),
        Some(FileType::Directory) => return Err(Refusal::Special("a directory")),
        Some(_) => return Err(Refusal::Special("no regular file")),
    }
    // Neither through a link that is there by now, nor waiting for a pipe.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(folder, name, flags, Mode::empty()).map_err(disk)?);
    let meta = file.metadata().map_err(disk)?;
    if !meta.is_file() {
        return Err(Refusal::Special("no regular file"));
    }
    let mut text = Zeroizing::new(Vec::new());
    (&file).take(MOST).read_to_end(&mut text).map_err(disk)?;
    Ok(There::Text { text, mode: meta.mode() & 0o7777, stamp: stamp(&meta) })
}

/// By which a text is told from one that somebody wrote later.
fn stamp(meta: &std::fs::Metadata) -> String {
    format!("{}-{}-{}.{:09}", meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[tokio::test]
    async fn a_disk_that_hangs_is_waited_for_by_one_thread_and_holds_up_no_other_file() {
        let disks = Disks::default();
        let (go, wait) = channel::<()>();
        let (hangs, other) = (Path::new("/a"), Path::new("/b"));
        tokio::time::pause();
        let later = || tokio::time::advance(2 * PATIENCE);
        let (hung, ()) = tokio::join!(disks.in_time(hangs, move || wait.recv()), later());
        assert!(hung.unwrap_err().contains("no answer"));
        let (again, ()) = tokio::join!(disks.in_time(hangs, || panic!("a second thread")), later());
        assert!(again.is_err());
        assert_eq!(disks.in_time(other, || 7).await, Ok(7));
        go.send(()).unwrap();
        assert_eq!(disks.in_time(hangs, || 8).await, Ok(8));
        assert_eq!(disks.in_time(other, || 9).await, Ok(9));
        assert_eq!(disks.0.lock().unwrap().len(), 1, "nothing is kept of those that nobody uses");
    }
}
