//! Finds and reads the manifest files of a directory, nothing else. It must never read more into
//! memory than the limits say, wait on a pipe or device, nor go round in circles of links.

use super::{Directory, FileText, MAX_FILE, MAX_FILES, MAX_TOTAL, Stamp, Texts};
use crate::core::problem::{Place, Problem};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// Folders inside each other.
const MAX_FOLDERS: usize = 64;
/// How long a file that has just vanished gets to come back: editors delete and write anew.
const COMES_BACK: Duration = Duration::from_millis(10);

/// Whether an entry of this name is left out, file or folder: hidden ones, and what editors leave
/// behind while they save.
#[must_use]
pub fn is_skipped(name: &str) -> bool {
    name.starts_with('.')
        || name.starts_with('#')
        || name.ends_with(['~', '#'])
        || name.ends_with(".swp")
        || name.ends_with(".tmp")
        || name == "4913"
}

/// Whether a file of this name is a manifest.
fn is_manifest(name: &str) -> bool {
    !is_skipped(name) && (name.ends_with(".yaml") || name.ends_with(".yml"))
}

pub(super) fn scan(dir: &Path) -> Texts {
    let mut walk = Walk::default();
    let directory = match fs::metadata(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => Directory::Missing,
        Err(error) => Directory::Unreadable(error.to_string()),
        Ok(meta) if !meta.is_dir() => Directory::Unreadable("it is not a directory".to_owned()),
        Ok(_) => match walk.folder(dir, "", 0) {
            Err(error) if error.kind() == ErrorKind::NotFound => Directory::Missing,
            Err(error) => Directory::Unreadable(error.to_string()),
            Ok(()) => Directory::Present,
        },
    };
    Texts { directory, files: walk.files, limit: walk.limit, ignored: walk.ignored, stamps: walk.stamps }
}

#[derive(Default)]
struct Walk {
    files: BTreeMap<String, FileText>,
    /// Real paths of the folders that were visited.
    seen: BTreeSet<PathBuf>,
    bytes: u64,
    limit: Option<Problem>,
    ignored: Vec<String>,
    stamps: BTreeMap<String, Stamp>,
}

impl Walk {
    /// Reads one folder; `prefix` is its relative path with `/` at the end, empty at the top.
    fn folder(&mut self, dir: &Path, prefix: &str, depth: usize) -> io::Result<()> {
        if !self.seen.insert(fs::canonicalize(dir)?) {
            return Ok(());
        }
        let mut entries = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_skipped(&name) {
                self.ignore(&name, prefix);
            } else {
                entries.push((name, entry.path()));
            }
        }
        entries.sort();
        for (name, path) in entries {
            if self.limit.is_some() {
                return Ok(());
            }
            self.entry(&path, &name, format!("{prefix}{name}"), depth);
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, name: &str, relative: String, depth: usize) {
        match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => {
                let folder = format!("{relative}/");
                if depth >= MAX_FOLDERS {
                    let why = format!("not read: folders are nested deeper than {MAX_FOLDERS}");
                    self.files.insert(folder, FileText::NotRead(why));
                    return;
                }
                match self.folder(path, &folder, depth + 1) {
                    Err(error) if error.kind() != ErrorKind::NotFound => {
                        self.files.insert(folder, FileText::NotRead(unreadable(&error)));
                    }
                    // A folder that vanished meanwhile is gone.
                    _ => {}
                }
            }
            // Without the name of a manifest it may be a folder of them, or a link to one.
            Err(error) if !is_manifest(name) => {
                if fs::symlink_metadata(path).is_ok() {
                    self.files.insert(format!("{relative}/"), FileText::NotRead(unreadable(&error)));
                }
            }
            _ if !is_manifest(name) => self.ignore(&relative, ""),
            _ => {
                if let Some(text) = self.file(path, &relative) {
                    self.files.insert(relative, text);
                }
            }
        }
    }

    /// Keeps a name that is passed over, in order; what editors make while they save comes and goes.
    fn ignore(&mut self, name: &str, prefix: &str) {
        if self.ignored.len() < MAX_FILES && !name.ends_with(".swp") && !name.ends_with(".tmp") {
            let name = format!("{prefix}{name}");
            let at = self.ignored.partition_point(|other| *other < name);
            self.ignored.insert(at, name);
        }
    }

    /// The content of a file; `None` when it is gone or a limit is reached.
    fn file(&mut self, path: &Path, relative: &str) -> Option<FileText> {
        let result = match read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                thread::sleep(COMES_BACK);
                read(path)
            }
            result => result,
        };
        let text = match result {
            Ok((text, stamp)) => {
                self.stamps.extend(stamp.map(|stamp| (relative.to_owned(), stamp)));
                text
            }
            Err(error) if error.kind() == ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => {
                return None;
            }
            Err(error) => FileText::NotRead(unreadable(&error)),
        };
        if let FileText::Bytes(bytes) = &text {
            self.bytes += bytes.len() as u64;
        }
        let what = if self.files.len() >= MAX_FILES {
            format!("not read, nor what comes after it: there are more than {MAX_FILES} files")
        } else if self.bytes > MAX_TOTAL {
            format!("not read, nor what comes after it: the files have more than {MAX_TOTAL} bytes in all")
        } else {
            return Some(text);
        };
        let place = Place { file: relative.to_owned(), line: 0, column: 0 };
        self.limit = Some(Problem::new(place, "", what));
        None
    }
}

/// `error` is about a name that is there, so "not found" can only be what a link leads to.
fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "cannot be read: the link leads nowhere".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}

/// With the stamp of the very text that was read.
fn read(path: &Path) -> io::Result<(FileText, Option<Stamp>)> {
    // Before opening: to open a pipe is to wait for its writer.
    let meta = fs::metadata(path)?;
    if !meta.is_file() {
        return Ok((FileText::NotRead("not a regular file".to_owned()), None));
    }
    let too_large = |size: u64| {
        (FileText::NotRead(format!("{size} bytes; at most {MAX_FILE} are read of one file")), None)
    };
    if meta.len() > MAX_FILE {
        return Ok(too_large(meta.len()));
    }
    let mut bytes = Vec::new();
    let mut file = fs::File::open(path)?;
    file.by_ref().take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    // It may have grown since.
    if bytes.len() as u64 > MAX_FILE {
        return Ok(too_large(bytes.len() as u64));
    }
    let stamp = stamp(&file.metadata()?, &bytes);
    Ok((FileText::Bytes(bytes), Some(stamp)))
}

/// `meta` of after the text was read: what is written meanwhile shows in it.
fn stamp(meta: &fs::Metadata, text: &[u8]) -> Stamp {
    let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    Stamp {
        device: meta.dev(),
        inode: meta.ino(),
        size: meta.size(),
        written: nanoseconds(meta.mtime(), meta.mtime_nsec()),
        changed: nanoseconds(meta.ctime(), meta.ctime_nsec()),
        ended: text.ends_with(b"\n"),
    }
}
