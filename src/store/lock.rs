//! One operator per store: an exclusive lock on `DATA/lock`, with the holder's pid in it.
//!
//! The lock is the kernel's, not the file's: it is gone with the process, however that ends. The file
//! itself is never removed, for a second process could then lock another file of the same name.

use super::{Result, StoreError, data_dir};
use fs2::FileExt;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// Held as long as it lives.
#[derive(Debug)]
pub struct StoreLock {
    _file: File,
}

impl StoreLock {
    /// Takes the lock of the data directory, which must exist.
    ///
    /// # Errors
    /// `Locked` with the holder's pid; `Write` when the file cannot be made.
    pub fn take(data_dir: &Path) -> Result<StoreLock> {
        let path = data_dir.join("lock");
        let failed = |e: std::io::Error| StoreError::Write {
            path: data_dir.into(),
            detail: format!("the file lock: {e}"),
        };
        let mut options = data_dir::options();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path).map_err(failed)?;
        if let Err(e) = file.try_lock_exclusive() {
            if e.kind() != fs2::lock_contended_error().kind() {
                return Err(failed(e));
            }
            return Err(StoreError::Locked { path: data_dir.into(), pid: holder(&path) });
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
        Ok(StoreLock { _file: file })
    }
}

/// The pid in the file. The holder may be between locking and writing it, so an empty file is read again.
fn holder(path: &Path) -> String {
    for _ in 0..10 {
        let mut text = String::new();
        if let Ok(file) = data_dir::options().read(true).open(path)
            && file.take(32).read_to_string(&mut text).is_ok()
            && text.ends_with('\n')
        {
            return text.trim().to_owned();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    "unknown".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_holds_it_and_gets_it_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("lock"), "4194999999999\n").unwrap();
        let first = StoreLock::take(dir.path()).unwrap();
        let error = StoreLock::take(dir.path()).unwrap_err();
        let me = std::process::id().to_string();
        assert!(matches!(&error, StoreError::Locked { pid, .. } if *pid == me), "{error}");
        assert!(error.to_string().contains(&format!("process {me}")), "{error}");
        drop(first);
        StoreLock::take(dir.path()).unwrap();
    }

    #[test]
    fn a_holder_without_a_pid_is_unknown() {
        let dir = tempfile::tempdir().unwrap();
        let held = File::create(dir.path().join("lock")).unwrap();
        held.try_lock_exclusive().unwrap();
        let error = StoreLock::take(dir.path()).unwrap_err();
        assert!(matches!(&error, StoreError::Locked { pid, .. } if pid == "unknown"), "{error}");
    }
}
