//! The keys of an installation: the one in its key file and, while records are sealed anew, the next one beside it.
//!
//! A file is whole or not there, and a key that a record may need is always in one. It must never put a key in the place
//! of another one before it is told that nothing needs that any more.

use super::key::{Key, KeyError, io};
use std::ffi::OsStr;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What opens the records, and seals new ones.
#[derive(Clone, Debug)]
pub struct Keys {
    pub current: Key,
    /// The one that takes its place once every record is sealed with it.
    pub next: Option<Key>,
    /// Where `current` lies; `None` for a key without a file.
    pub file: Option<PathBuf>,
}

impl From<Key> for Keys {
    fn from(current: Key) -> Self {
        Keys { current, next: None, file: None }
    }
}

impl Keys {
    /// Reads the key file, and the next key if a rotation is under way.
    ///
    /// # Errors
    /// As [`Key::load`].
    pub fn load(path: &Path) -> Result<Keys, KeyError> {
        Keys::around(Key::load(path)?, path)
    }

    /// As [`Key::load_or_create`].
    ///
    /// # Errors
    /// As [`Key::load_or_create`].
    pub fn load_or_create(path: &Path, sealed_data_exists: bool) -> Result<Keys, KeyError> {
        Keys::around(Key::load_or_create(path, sealed_data_exists)?, path)
    }

    fn around(current: Key, path: &Path) -> Result<Keys, KeyError> {
        let next = match Key::load(&beside(path, "next")) {
            Err(KeyError::Missing { .. }) => None,
            other => Some(other?),
        };
        Ok(Keys { current, next, file: Some(path.into()) })
    }

    /// The key of new seals.
    #[must_use]
    pub fn sealing(&self) -> &Key {
        self.next.as_ref().unwrap_or(&self.current)
    }

    /// The one with this [`Key::id`].
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Key> {
        self.all().find(|key| key.id() == id)
    }

    pub fn all(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.current).chain(&self.next)
    }
}

/// A file that belongs to the key file: `encryption_key.next`.
#[must_use]
pub fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or(OsStr::new("key")).to_owned();
    name.push(".");
    name.push(what);
    path.with_file_name(name)
}

/// Makes the next key, in its file when it returns. Nothing is sealed with it before.
///
/// # Errors
/// `Fixed` when the key file could not be replaced in the end, `Io` when the next one cannot be written.
pub fn make_next(path: &Path, current: &Key) -> Result<Key, KeyError> {
    loop {
        let key = make_beside(path, "next")?;
        // One in four thousand million; a record names its key by the id.
        if key.id() != current.id() {
            return Ok(key);
        }
    }
}

/// Makes a key in a file of its own beside the key file, whole or not at all.
///
/// # Errors
/// `Fixed` where nothing can be put there, `Io` when it cannot be written.
pub fn make_beside(path: &Path, what: &str) -> Result<Key, KeyError> {
    replaceable(path)?;
    // A crash leaves it half written at most under a name that nobody reads.
    let draft = beside(path, "draft");
    let key = Key::create(&draft)?;
    std::fs::rename(&draft, beside(path, what))
        .and_then(|()| sync_directory(path))
        .map_err(|e| io(path, "write", &e))?;
    Ok(key)
}

/// The next key becomes the one of the key file, and the old one is gone.
///
/// # Errors
/// `Io`: either all of it or nothing happened.
pub fn promote_next(path: &Path) -> Result<(), KeyError> {
    std::fs::rename(beside(path, "next"), path)
        .and_then(|()| sync_directory(path))
        .map_err(|e| io(path, "replace", &e))
}

/// A link, or a file that was mounted by itself (a container's secret, say), belongs to somebody else; what would lie
/// beside it may go with the container.
fn replaceable(path: &Path) -> Result<(), KeyError> {
    let fixed = |why: String| KeyError::Fixed { path: path.into(), why };
    let meta = std::fs::symlink_metadata(path).map_err(|e| io(path, "read", &e))?;
    if meta.is_symlink() {
        return Err(fixed("it is a link".to_owned()));
    }
    // No second name can be given to what is mounted by itself.
    let probe = beside(path, "draft");
    remove(&probe)?;
    let linked = std::fs::hard_link(path, &probe);
    remove(&probe)?;
    linked.map_err(|e| fixed(format!("it cannot be given another name ({e}): is it mounted by itself?")))
}

fn remove(path: &Path) -> Result<(), KeyError> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(io(path, "remove", &e)),
        _ => Ok(()),
    }
}

fn sync_directory(path: &Path) -> std::io::Result<()> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_next_key_takes_the_place_of_the_first_when_told_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("encryption_key");
        let before = Keys::load_or_create(&path, false).unwrap();
        assert_eq!((before.next.is_none(), before.sealing().id()), (true, before.current.id()));
        // What a crash left behind is no key.
        fs::write(dir.path().join("encryption_key.draft"), "half").unwrap();
        let made = make_next(&path, &before.current).unwrap();
        let during = Keys::load(&path).unwrap();
        assert_eq!(during.current.id(), before.current.id());
        assert_eq!(during.sealing().id(), made.id());
        assert!(during.find(&before.current.id()).is_some() && during.find("00000000").is_none());
        let next = dir.path().join("encryption_key.next");
        assert_eq!(fs::metadata(&next).unwrap().permissions().mode() & 0o777, 0o600);
        promote_next(&path).unwrap();
        let after = Keys::load(&path).unwrap();
        assert_eq!((after.current.id(), after.next.is_none()), (made.id(), true));
        let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["encryption_key"], "nothing is left beside it");
    }

    #[test]
    fn a_key_that_somebody_else_keeps_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (real, path) = (dir.path().join("real"), dir.path().join("k"));
        let key = Key::create(&real).unwrap();
        std::os::unix::fs::symlink(&real, &path).unwrap();
        let error = make_next(&path, &key).unwrap_err().to_string();
        assert!(error.contains("it is a link"), "{error}");
        assert!(!dir.path().join("k.next").exists());
    }

    #[test]
    fn a_next_key_that_is_not_right_is_told_and_not_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k");
        Key::create(&path).unwrap();
        let next = dir.path().join("k.next");
        fs::write(&next, "ab").unwrap();
        fs::set_permissions(&next, fs::Permissions::from_mode(0o600)).unwrap();
        let error = Keys::load(&path).unwrap_err().to_string();
        assert!(error.contains("k.next has 2 characters"), "{error}");
        fs::set_permissions(&next, fs::Permissions::from_mode(0o644)).unwrap();
        let error = Keys::load(&path).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }
}
