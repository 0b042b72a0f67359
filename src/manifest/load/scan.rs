//! Finds and reads the manifest files of a directory, nothing else. It must never read more into
//! memory than the limits say, wait on a pipe or device, follow a link out of the directory, nor go round in
//! circles of links. How long it may take is the business of `patience`.

use super::beneath::{Folder, Found, Refused};
use super::patience::{Patience, Step};
use super::{Directory, FileText, MAX_FILE, MAX_FILES, MAX_TOTAL, Stamp, Texts};
use crate::core::problem::{Place, Problem};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// Folders inside each other.
const MAX_FOLDERS: usize = 64;
/// Names in all folders, manifests or not.
const MAX_NAMES: usize = 200_000;
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

/// What the name of a manifest ends in.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// Whether a file of this name is a manifest.
fn is_manifest(name: &str) -> bool {
    !is_skipped(name) && name.rsplit_once('.').is_some_and(|(_, end)| ENDINGS.contains(&end))
}

/// Whether somebody may take a file of this name for a manifest, though it is none: `a.YAML`, `a.yml.bak`,
/// `a.yaml~`. Hidden files, and what editors leave behind, nobody does.
#[must_use]
pub fn looks_like_a_manifest(path: &str) -> bool {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name).to_ascii_lowercase();
    let mut parts = name.trim_end_matches('~').split('.').skip(1);
    !name.starts_with(['.', '#']) && parts.any(|part| ENDINGS.contains(&part))
}

/// Reads `dir`; `step` is told of everything that may take long before it is done.
pub(super) fn scan(dir: &Path, step: &Step) -> Texts {
    let mut walk = Walk {
        step,
        files: BTreeMap::new(),
        seen: BTreeSet::new(),
        bytes: 0,
        names: 0,
        limit: None,
        ignored: Vec::new(),
        stamps: BTreeMap::new(),
    };
    let directory = match step.before("") {
        Err(late) => Directory::Unreadable(late.to_string()),
        Ok(()) => match Folder::top(dir).and_then(|top| walk.folder(&top, "", 0)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Directory::Missing,
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                Directory::Unreadable("it is not a directory".to_owned())
            }
            Err(error) => Directory::Unreadable(error.to_string()),
            Ok(()) => Directory::Present,
        },
    };
    Texts { directory, files: walk.files, limit: walk.limit, ignored: walk.ignored, stamps: walk.stamps }
}

struct Walk<'a> {
    step: &'a Step,
    files: BTreeMap<String, FileText>,
    /// The folders that were visited, by device and inode.
    seen: BTreeSet<(u64, u64)>,
    bytes: u64,
    names: usize,
    limit: Option<Problem>,
    ignored: Vec<String>,
    stamps: BTreeMap<String, Stamp>,
}

impl Walk<'_> {
    /// Reads one folder; `prefix` is its relative path with `/` at the end, empty at the top.
    fn folder(&mut self, folder: &Folder, prefix: &str, depth: usize) -> io::Result<()> {
        if !self.seen.insert(folder.id()?) {
            return Ok(());
        }
        let mut entries: Vec<(String, OsString)> = Vec::new();
        folder.names(|entry| {
            self.names += 1;
            let name = entry.to_string_lossy();
            if is_skipped(&name) {
                self.ignore(&name, prefix);
            } else {
                entries.push((name.into_owned(), entry.to_owned()));
            }
            self.names <= MAX_NAMES
        })?;
        if self.names > MAX_NAMES {
            self.end(prefix, format!("there are more than {MAX_NAMES} names in the folders"));
            return Ok(());
        }
        entries.sort();
        for (name, entry) in entries {
            if self.limit.is_some() {
                return Ok(());
            }
            self.entry(folder, &entry, &name, format!("{prefix}{name}"), depth);
        }
        Ok(())
    }

    fn entry(&mut self, folder: &Folder, entry: &OsStr, name: &str, relative: String, depth: usize) {
        match self.step.before(&relative) {
            Err(Patience::Over) => return self.end(&relative, Patience::Over.to_string()),
            Err(stuck @ Patience::Stuck) => {
                // It may be a folder: nothing below it is known either.
                self.add(format!("{relative}/"), FileText::NotRead(stuck.to_string()));
                if is_manifest(name) {
                    self.add(relative, FileText::NotRead(stuck.to_string()));
                }
                return;
            }
            Ok(()) => {}
        }
        let found = match folder.find(entry) {
            Err(Refused::Gone) if is_manifest(name) => {
                thread::sleep(COMES_BACK);
                folder.find(entry)
            }
            found => found,
        };
        match found {
            Ok(Found::Folder(inner)) => self.inner(&inner, format!("{relative}/"), depth),
            // What vanished meanwhile is gone.
            Err(Refused::Gone) => {}
            Ok(Found::File(file)) if is_manifest(name) => {
                let text = match read(file) {
                    Ok((text, stamp)) => {
                        self.stamps.extend(stamp.map(|stamp| (relative.clone(), stamp)));
                        text
                    }
                    Err(error) => FileText::NotRead(Refused::Disk(error).to_string()),
                };
                self.add(relative, text);
            }
            Err(refused) if is_manifest(name) => self.add(relative, FileText::NotRead(refused.to_string())),
            // Without the name of a manifest it may be a folder of them, or a link to one.
            Err(refused @ (Refused::Nowhere | Refused::Leaves | Refused::Links | Refused::Disk(_))) => {
                self.add(format!("{relative}/"), FileText::NotRead(refused.to_string()));
            }
            Ok(Found::File(_)) | Err(Refused::Special(_)) => self.ignore(&relative, ""),
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

    fn inner(&mut self, folder: &Folder, name: String, depth: usize) {
        if depth >= MAX_FOLDERS {
            let why = format!("not read: folders are nested deeper than {MAX_FOLDERS}");
            return self.add(name, FileText::NotRead(why));
        }
        match self.folder(folder, &name, depth + 1) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                self.add(name, FileText::NotRead(Refused::Disk(error).to_string()));
            }
            // A folder that vanished meanwhile is gone.
            _ => {}
        }
    }

    /// Takes a file in, unless a limit is reached.
    fn add(&mut self, relative: String, text: FileText) {
        if let FileText::Bytes(bytes) = &text {
            self.bytes += bytes.len() as u64;
        }
        if self.files.len() >= MAX_FILES {
            self.end(&relative, format!("there are more than {MAX_FILES} files"));
        } else if self.bytes > MAX_TOTAL {
            self.end(&relative, format!("the files have more than {MAX_TOTAL} bytes in all"));
        } else {
            self.files.insert(relative, text);
        }
    }

    /// Ends the scan at `relative`.
    fn end(&mut self, relative: &str, why: String) {
        let place = Place { file: relative.to_owned(), line: 0, column: 0 };
        self.limit = Some(Problem::new(place, "", format!("not read, nor what comes after it: {why}")));
    }
}

/// With the stamp of the very text that was read.
fn read(mut file: File) -> io::Result<(FileText, Option<Stamp>)> {
    let too_large = |size: u64| {
        (FileText::NotRead(format!("{size} bytes; at most {MAX_FILE} are read of one file")), None)
    };
    let size = file.metadata()?.len();
    if size > MAX_FILE {
        return Ok(too_large(size));
    }
    let mut bytes = Vec::new();
    file.by_ref().take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    // It may have grown since.
    if bytes.len() as u64 > MAX_FILE {
        return Ok(too_large(bytes.len() as u64));
    }
    let stamp = stamp(&file.metadata()?, &bytes);
    Ok((FileText::Bytes(bytes), Some(stamp)))
}

/// `meta` of after the text was read: what is written meanwhile shows in it.
fn stamp(meta: &Metadata, text: &[u8]) -> Stamp {
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
