//! The key file: 32 bytes as 64 hex characters and a newline, readable by its owner only.
//!
//! It never overwrites a file, never makes a new key while sealed data exists, and never prints the key.

use super::hex;
use aes_gcm::aead::Generate;
use rustix::fs::OFlags;
use sha2::{Digest, Sha256};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Bytes in a key.
const KEY_BYTES: usize = 32;
/// Nothing longer is read: a key file is 65 bytes, anything else is a mistake.
const READ_LIMIT: u64 = 4096;

/// The encryption key. Wiped from memory when dropped.
#[derive(Clone)]
pub struct Key {
    bytes: Zeroizing<[u8; KEY_BYTES]>,
}

/// What is wrong with the key file.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error(
        "the key file {path} is missing; put it back from your copy: what was sealed with it cannot be opened without it"
    )]
    Missing { path: PathBuf },
    #[error("the key file {path} has {found} characters, a key has 64 hex characters")]
    WrongLength { path: PathBuf, found: usize },
    #[error("the key file {path} is not hexadecimal")]
    NotHex { path: PathBuf },
    #[error("the key file {path} can be read by others (mode {mode:03o}); run `chmod 600 {path}`")]
    Open { path: PathBuf, mode: u32 },
    #[error("the key file {path} is there already and is never overwritten")]
    Exists { path: PathBuf },
    #[error("nothing can be put beside the key file {path}, or in its place: {why}")]
    Fixed { path: PathBuf, why: String },
    #[error("could not {doing} the key file {path}: {detail}")]
    Io { path: PathBuf, doing: &'static str, detail: String },
}

impl Key {
    /// Reads the key file.
    ///
    /// # Errors
    /// Every [`KeyError`] but `Exists` and `Fixed`.
    pub fn load(path: &Path) -> Result<Key, KeyError> {
        // Neither a pipe nor a device can make it wait. A link is followed: a mounted secret is one; in the data
        // directory, whose check comes first, there is none.
        let mut options = OpenOptions::new();
        options.read(true).custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed());
        let file = options.open(path).map_err(|e| match e.kind() {
            ErrorKind::NotFound => KeyError::Missing { path: path.into() },
            _ => io(path, "read", &e),
        })?;
        let meta = file.metadata().map_err(|e| io(path, "read", &e))?;
        if !meta.is_file() {
            return Err(io(path, "read", &std::io::Error::other("it is not a regular file")));
        }
        let mode = meta.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Open { path: path.into(), mode });
        }
        let mut raw = Zeroizing::new(Vec::with_capacity(READ_LIMIT as usize));
        file.take(READ_LIMIT).read_to_end(&mut raw).map_err(|e| io(path, "read", &e))?;
        let text = raw.trim_ascii();
        if text.len() != KEY_BYTES * 2 {
            return Err(KeyError::WrongLength { path: path.into(), found: text.len() });
        }
        let not_hex = || KeyError::NotHex { path: path.into() };
        let text = std::str::from_utf8(text).map_err(|_| not_hex())?;
        let decoded = Zeroizing::new(hex::decode(text).ok_or_else(not_hex)?);
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        bytes.copy_from_slice(&decoded);
        Ok(Key { bytes })
    }

    fn random(path: &Path) -> Result<Key, KeyError> {
        let random = <[u8; KEY_BYTES]>::try_generate().map_err(|e| KeyError::Io {
            path: path.into(),
            doing: "make",
            detail: e.to_string(),
        })?;
        Ok(Key { bytes: Zeroizing::new(random) })
    }

    /// A key without a file, for work that keeps nothing it seals.
    ///
    /// # Errors
    /// `Io` when the system gives no randomness.
    pub fn throwaway() -> Result<Key, KeyError> {
        Key::random(Path::new("(none)"))
    }

    /// Makes a new key and its file (mode 600), durable when it returns.
    ///
    /// # Errors
    /// `Exists` when there is a file, `Io` when it cannot be written (then nothing is left behind).
    pub fn create(path: &Path) -> Result<Key, KeyError> {
        let key = Key::random(path)?;
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|e| {
                match e.kind() {
                    ErrorKind::AlreadyExists => KeyError::Exists { path: path.into() },
                    _ => io(path, "create", &e),
                }
            })?;
        let mut text = Zeroizing::new(hex::encode(&*key.bytes));
        text.push('\n');
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| {
            let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            File::open(parent)?.sync_all()
        });
        if let Err(e) = written {
            // A half-written key would look like a damaged one at the next start. The file is ours
            // (create_new), and the write error is the one worth telling.
            let _ = std::fs::remove_file(path);
            return Err(io(path, "write", &e));
        }
        Ok(key)
    }

    /// Reads the key, or makes one when there is none and nothing was ever sealed.
    ///
    /// # Errors
    /// `Missing` when the file is gone but `sealed_data_exists`; else as `load` and `create`.
    pub fn load_or_create(path: &Path, sealed_data_exists: bool) -> Result<Key, KeyError> {
        match Key::load(path) {
            Err(KeyError::Missing { .. }) if !sealed_data_exists => Key::create(path),
            other => other,
        }
    }

    /// Names the key without telling it: the first 8 hex characters of its SHA-256.
    #[must_use]
    pub fn id(&self) -> String {
        hex::encode(&Sha256::digest(self.bytes.as_slice())[..4])
    }

    pub(super) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id())
    }
}

pub(super) fn io(path: &Path, doing: &'static str, error: &std::io::Error) -> KeyError {
    KeyError::Io { path: path.into(), doing, detail: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn put(path: &Path, text: &[u8], mode: u32) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_created_key_is_private_loads_again_and_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("encryption_key");
        let made = Key::load_or_create(&path, false).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.len(), 65);
        assert!(text.ends_with('\n'));
        assert_eq!(Key::load_or_create(&path, true).unwrap().bytes(), made.bytes());
        assert!(matches!(Key::create(&path), Err(KeyError::Exists { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert_eq!(format!("{made:?}"), format!("Key({})", made.id()));
        assert!(!text.contains(&made.id()), "the id shows a part of the key");
    }

    #[test]
    fn no_new_key_while_sealed_data_exists() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k");
        assert!(matches!(Key::load_or_create(&path, true), Err(KeyError::Missing { .. })));
        assert!(!path.exists());
    }

    #[test]
    fn what_is_wrong_with_a_key_file_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k");
        let good = "ab".repeat(32);
        let table: [(&[u8], u32, &str); 9] = [
            (good.as_bytes(), 0o644, "chmod 600"),
            (good.as_bytes(), 0o640, "mode 640"),
            (good.as_bytes(), 0o602, "mode 602"),
            (b"", 0o600, "has 0 characters"),
            (&good.as_bytes()[1..], 0o600, "has 63 characters"),
            (&[b'b'; 66], 0o600, "has 66 characters"),
            (&[b'x'; 64], 0o600, "not hexadecimal"),
            (&[0xff; 64], 0o600, "not hexadecimal"),
            (&[b'a'; 100_000], 0o600, "has 4096 characters"),
        ];
        for (text, mode, says) in table {
            put(&path, text, mode);
            let error = Key::load(&path).unwrap_err().to_string();
            assert!(error.contains(says), "{error} / {says}");
            assert!(!error.contains(&good), "{error}");
            // A broken key file is never replaced.
            Key::load_or_create(&path, false).unwrap_err();
            assert_eq!(fs::read(&path).unwrap(), text);
        }
        put(&path, format!("{good}\n").as_bytes(), 0o400);
        Key::load(&path).unwrap();
        put(&path, good.to_uppercase().as_bytes(), 0o600);
        Key::load(&path).unwrap();
        assert!(matches!(Key::load(dir.path()), Err(KeyError::Io { .. })));
        assert!(matches!(Key::create(&dir.path().join("no/where")), Err(KeyError::Io { .. })));
    }
}
