//! Reads a directory of manifests to send their texts: the same files, under the same limits, as the
//! operator reads.

use super::out::Failure;
use crate::http::wire::MAX_REQUEST;
use crate::manifest::load::{Directory, FileText, MAX_FILE, Texts, read_dir};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// One file, by its path; it need not be called as manifests are.
pub fn read_one(path: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let wrong = |what: String| Failure::usage(format!("{}: {what}", path.display()), "");
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text));
    match read {
        Err(error) => Err(wrong(error.to_string())),
        Ok(_) if text.len() as u64 > MAX_FILE => {
            Err(wrong(format!("it has more than {} MiB", MAX_FILE >> 20)))
        }
        Ok(_) => Ok(BTreeMap::from([(path.display().to_string(), text)])),
    }
}

/// Path relative to `dir` → text.
pub fn read(dir: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let wrong = |what: String| Failure::usage(what, "");
    let Texts { directory, files, limit, .. } = read_dir(dir);
    match directory {
        Directory::Present | Directory::Empty => {}
        Directory::Missing => return Err(wrong(format!("there is no directory {}", dir.display()))),
        Directory::Unreadable(why) => return Err(wrong(format!("{}: {why}", dir.display()))),
    }
    if let Some(limit) = limit {
        return Err(wrong(limit.to_string()));
    }
    let mut texts = BTreeMap::new();
    let mut room = MAX_REQUEST;
    for (name, text) in files {
        let path = dir.join(&name);
        let bytes = match text {
            FileText::Bytes(bytes) => bytes,
            FileText::NotRead(why) => return Err(wrong(format!("{}: {why}", path.display()))),
        };
        // JSON makes texts longer; the server tells when it is too much after all.
        room = room
            .checked_sub(bytes.len())
            .ok_or_else(|| wrong(format!("{} holds more than {} MiB", dir.display(), MAX_REQUEST >> 20)))?;
        let text =
            String::from_utf8(bytes).map_err(|_| wrong(format!("{}: not UTF-8 text", path.display())))?;
        texts.insert(name, text);
    }
    Ok(texts)
}
