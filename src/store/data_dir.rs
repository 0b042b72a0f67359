//! The data directory as a place: that it is ours alone, and that nothing in it is opened through a link.
//!
//! Everything in it decides what happens to databases and passwords. So it must never be used while others
//! own it or can write to it, and a link in it must never lead a write of ours elsewhere.

use super::{Result, StoreError};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// What Seawall keeps in it, apart from what `seawall recover` has moved aside.
const NAMES: [&str; 16] = [
    ".sock",
    "encryption_key",
    "encryption_key.draft",
    "encryption_key.next",
    "encryption_key.x25519",
    "lock",
    "seawall.sock",
    "seawall.yaml",
    "secrets",
    "status",
    "store",
    "store.before",
    "store.check",
    "store.id",
    "store.id.new",
    "store.new",
];
/// Folders inside each other: `store/blobs`, `status/KIND`.
const DEPTH: usize = 4;
/// Flags of every file that is opened in it.
const NO_LINK: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// Makes the directory (mode 700) when it is missing, and looks whether it can be trusted.
///
/// # Errors
/// `Exposed` with what is wrong and what to do; `Write` when it cannot be made or looked at.
pub fn make(data_dir: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data_dir)
        .map_err(|e| StoreError::Write { path: data_dir.into(), detail: e.to_string() })?;
    check(data_dir)
}

/// Looks whether the directory, which may itself be a link, can be trusted.
///
/// # Errors
/// As [`make`].
pub fn check(data_dir: &Path) -> Result<()> {
    let failed = |e: io::Error| StoreError::Write { path: data_dir.into(), detail: e.to_string() };
    let meta = std::fs::metadata(data_dir).map_err(failed)?;
    let us = rustix::process::geteuid().as_raw();
    judge(data_dir, &meta, us)
        .and_then(|()| {
            let entered_by_others = meta.mode() & 0o011 != 0;
            NAMES.iter().try_for_each(|name| inside(&data_dir.join(name), us, entered_by_others, DEPTH))
        })
        .map_err(|detail| StoreError::Exposed { path: data_dir.into(), detail })
}

/// The directory itself.
fn judge(path: &Path, meta: &Metadata, us: u32) -> Result<(), String> {
    let shown = path.display();
    if !meta.is_dir() {
        return Err("it is not a directory; give another --data".to_owned());
    }
    if meta.uid() != us {
        let owner = meta.uid();
        return Err(format!(
            "it belongs to user {owner}, and this is user {us}: whoever owns it decides what is in it. Run as its owner (`sudo -u '#{owner}' seawall …`); or, if it should be yours and you know all that is in it, `chown -R {us} {shown}`"
        ));
    }
    if meta.mode() & 0o022 != 0 {
        let mode = meta.mode() & 0o7777;
        return Err(format!(
            "others can write to it (mode {mode:o}): look whether all that is in it is yours, then `chmod go-w {shown}`"
        ));
    }
    Ok(())
}

/// What is in it. What is not there is fine.
fn inside(path: &Path, us: u32, entered_by_others: bool, depth: usize) -> Result<(), String> {
    let shown = path.display();
    let unknown = |e: io::Error| format!("{shown} cannot be looked at: {e}");
    let meta = match std::fs::symlink_metadata(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        other => other.map_err(unknown)?,
    };
    if meta.is_symlink() {
        let instead = match path.file_name().and_then(|name| name.to_str()) {
            Some("encryption_key") => "; a key that lies elsewhere is named by --key-file",
            _ => "",
        };
        return Err(format!(
            "{shown} is a link, and nothing in the data directory is opened through one: remove it (`rm {shown}` removes only the link){instead}"
        ));
    }
    if meta.uid() != us && meta.uid() != 0 {
        let owner = meta.uid();
        return Err(format!(
            "{shown} belongs to user {owner}, and this is user {us}: find out how it came there before you `chown` or remove it"
        ));
    }
    if entered_by_others && meta.mode() & 0o022 != 0 {
        let mode = meta.mode() & 0o7777;
        return Err(format!("others can write to {shown} (mode {mode:o}): `chmod go-w {shown}`"));
    }
    if meta.is_dir() && depth > 0 {
        for entry in std::fs::read_dir(path).map_err(unknown)? {
            inside(&entry.map_err(unknown)?.path(), us, entered_by_others, depth - 1)?;
        }
    }
    Ok(())
}

/// Options to open a file in it: neither through a link, nor waiting for a pipe.
#[must_use]
pub fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    // The bits of the flags are what the system call takes.
    options.custom_flags(NO_LINK.bits().cast_signed());
    options
}

/// Reads a small regular file of it; longer ones are cut at `max` bytes.
pub(super) fn read(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let file = options().read(true).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Opens `DATA/folder/file` for reading, where no step below the data directory is a link.
///
/// # Errors
/// Of the disk; also when a step on the way is a link.
pub fn open(data_dir: &Path, folder: &str, file: &Path) -> io::Result<File> {
    let mut at = open_folders(data_dir, &[folder], false)?;
    if let Some(folders) = file.parent() {
        for step in folders {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            at = rustix::fs::openat(&at, step, flags, Mode::empty())?;
        }
    }
    let name = file.file_name().ok_or_else(|| io::Error::other("it is no name of a file"))?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | NO_LINK;
    Ok(File::from(rustix::fs::openat(&at, name, flags, Mode::empty())?))
}

/// Writes `DATA/folders…/name` whole: under a temporary name, then renamed.
///
/// # Errors
/// Of the disk; also when a step on the way is a link.
pub fn put(data_dir: &Path, folders: &[&str], name: &str, text: &[u8]) -> io::Result<()> {
    let folder = open_folders(data_dir, folders, true)?;
    let temporary = format!("{name}.tmp");
    // Left by a writer that was killed, or put there: removed, not opened.
    match rustix::fs::unlinkat(&folder, &temporary, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | NO_LINK;
    let mut file = File::from(rustix::fs::openat(&folder, &temporary, flags, Mode::from_raw_mode(0o644))?);
    file.write_all(text)?;
    Ok(rustix::fs::renameat(&folder, &temporary, &folder, name)?)
}

/// Removes `DATA/folders…/name`. What is not there is fine.
///
/// # Errors
/// As [`put`].
pub fn remove(data_dir: &Path, folders: &[&str], name: &str) -> io::Result<()> {
    let removed = open_folders(data_dir, folders, false)
        .and_then(|folder| Ok(rustix::fs::unlinkat(&folder, name, AtFlags::empty())?));
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn open_folders(data_dir: &Path, folders: &[&str], make: bool) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    if make {
        DirBuilder::new().recursive(true).mode(0o700).create(data_dir)?;
    }
    let mut folder = rustix::fs::open(data_dir, flags, Mode::empty())?;
    for step in folders {
        if make {
            match rustix::fs::mkdirat(&folder, *step, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        folder = rustix::fs::openat(&folder, *step, flags | OFlags::NOFOLLOW, Mode::empty())?;
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn refusal(data: &Path) -> String {
        check(data).map_or_else(|e| e.to_string(), |()| "fine".to_owned())
    }

    #[test]
    fn a_directory_that_others_can_write_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let data = base.path().join("a/data");
        make(&data).unwrap();
        assert_eq!(fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
        for (bits, says) in [
            (0o700, "fine"),
            (0o755, "fine"),
            (0o770, "others can write to it (mode 770)"),
            (0o702, "chmod go-w"),
            (0o1777, "others can write to it (mode 1777)"),
        ] {
            mode(&data, bits);
            assert!(refusal(&data).contains(says), "{bits:o}: {}", refusal(&data));
            assert_eq!(make(&data).is_ok(), says == "fine");
        }
        // What lies in it counts only where others can get there.
        mode(&data, 0o700);
        fs::create_dir(data.join("store")).unwrap();
        fs::write(data.join("store/db"), "x").unwrap();
        mode(&data.join("store/db"), 0o666);
        assert_eq!(refusal(&data), "fine");
        mode(&data, 0o711);
        assert!(refusal(&data).contains("store/db (mode 666)"), "{}", refusal(&data));
        assert!(refusal(&base.path().join("none")).contains("No such file"));
    }

    #[test]
    fn a_directory_or_file_of_another_user_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let data = base.path().join("data");
        make(&data).unwrap();
        fs::write(data.join("lock"), "").unwrap();
        // Only root can give a file away.
        if chown(data.join("lock"), Some(12_345), None).is_err() {
            return;
        }
        assert!(refusal(&data).contains("lock belongs to user 12345"), "{}", refusal(&data));
        chown(data.join("lock"), Some(0), None).unwrap();
        chown(&data, Some(12_345), None).unwrap();
        let said = refusal(&data);
        assert!(said.contains("belongs to user 12345") && said.contains("sudo -u '#12345'"), "{said}");
    }

    #[test]
    fn no_link_in_it_is_accepted_but_the_directory_may_be_one() {
        let base = tempfile::tempdir().unwrap();
        let data = base.path().join("data");
        make(&data).unwrap();
        fs::write(base.path().join("outside"), "keep").unwrap();
        for name in NAMES {
            symlink(base.path().join("outside"), data.join(name)).unwrap();
            assert!(refusal(&data).contains(&format!("{name} is a link")), "{name}: {}", refusal(&data));
            fs::remove_file(data.join(name)).unwrap();
        }
        for deep in ["status/postgres/a.yaml", "store/blobs/0"] {
            fs::create_dir_all(data.join(deep).parent().unwrap()).unwrap();
            symlink("/nowhere", data.join(deep)).unwrap();
            assert!(refusal(&data).contains(&format!("{deep} is a link")), "{}", refusal(&data));
            fs::remove_file(data.join(deep)).unwrap();
        }
        // What a user keeps there beside is not opened, so it may be what it likes.
        symlink("/etc", data.join("mine")).unwrap();
        symlink(&data, base.path().join("link")).unwrap();
        assert_eq!(refusal(&base.path().join("link")), "fine");
    }

    #[test]
    fn a_write_never_goes_through_a_link() {
        let base = tempfile::tempdir().unwrap();
        let (data, out) = (base.path().join("data"), base.path().join("out"));
        make(&data).unwrap();
        fs::create_dir_all(out.join("postgres")).unwrap();
        fs::write(out.join("file"), "keep").unwrap();
        let status = ["status", "postgres"];
        put(&data, &status, "a.yaml", b"one").unwrap();
        // The names themselves are replaced, not followed.
        fs::remove_file(data.join("status/postgres/a.yaml")).unwrap();
        for name in ["a.yaml", "a.yaml.tmp"] {
            symlink(out.join("file"), data.join("status/postgres").join(name)).unwrap();
        }
        put(&data, &status, "a.yaml", b"two").unwrap();
        assert_eq!(fs::read(data.join("status/postgres/a.yaml")).unwrap(), b"two");
        assert!(!data.join("status/postgres/a.yaml").is_symlink());
        remove(&data, &status, "a.yaml").unwrap();
        remove(&data, &status, "a.yaml").unwrap();
        remove(&data, &["status", "none"], "a.yaml").unwrap();
        // Folders on the way are.
        for folder in ["status/postgres", "status"] {
            fs::remove_dir_all(data.join(folder)).unwrap();
            symlink(&out, data.join(folder)).unwrap();
            put(&data, &status, "a.yaml", b"three").unwrap_err();
            remove(&data, &status, "file").unwrap_err();
            fs::remove_file(data.join(folder)).unwrap();
        }
        assert_eq!(fs::read_to_string(out.join("file")).unwrap(), "keep");
        assert_eq!(fs::read_dir(out.join("postgres")).unwrap().count(), 0);
        symlink(out.join("file"), data.join("lock")).unwrap();
        assert!(read(&data.join("lock"), 9).is_err());
        assert!(options().write(true).create(true).truncate(true).open(data.join("lock")).is_err());
        assert_eq!(fs::read_to_string(out.join("file")).unwrap(), "keep");
    }
}
