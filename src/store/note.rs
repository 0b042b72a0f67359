//! The plain file `DATA/store.id`: which store belongs here and how many commits it must hold.
//!
//! It exists to notice a damaged store, because sled opens some as if they were empty or older. It must
//! never claim more than the store holds: the count is raised only after a commit is on the disk, so
//! it needs no fsync of its own (a power loss can only make it smaller).

use super::{Result, StoreError, data_dir};
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

const FILE: &str = "store.id";
/// Bytes that are read of it; it has 38.
const MAX: u64 = 64;

/// The content of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// 16 hex characters.
    pub id: String,
    pub commits: u64,
}

impl Note {
    /// `None` when there is no file.
    ///
    /// # Errors
    /// `Damaged` when it is not what was written, `Read` when it cannot be read.
    pub fn read(data_dir: &Path) -> Result<Option<Note>> {
        let text = match data_dir::read(&data_dir.join(FILE), MAX) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(StoreError::Read { key: FILE.into(), detail: e.to_string() }),
        };
        let damaged = || StoreError::Damaged {
            path: data_dir.into(),
            detail: format!("the file {FILE} is not readable"),
        };
        std::str::from_utf8(&text).ok().and_then(Note::parse).map(Some).ok_or_else(damaged)
    }

    /// Makes the file, durable when it returns.
    pub fn create(&self, data_dir: &Path) -> std::io::Result<()> {
        let fresh = data_dir.join(format!("{FILE}.new"));
        let mut file =
            data_dir::options().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(self.text().as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, data_dir.join(FILE))?;
        File::open(data_dir)?.sync_all()
    }

    /// Opens the file for [`Note::overwrite`].
    pub fn open(data_dir: &Path) -> std::io::Result<File> {
        data_dir::options().write(true).open(data_dir.join(FILE))
    }

    /// In place: the text has always the same length, far below one disk sector.
    pub fn overwrite(&self, file: &File) -> std::io::Result<()> {
        file.write_all_at(self.text().as_bytes(), 0)
    }

    fn text(&self) -> String {
        format!("{} {:020}\n", self.id, self.commits)
    }

    fn parse(text: &str) -> Option<Note> {
        let (id, commits) = text.strip_suffix('\n')?.split_once(' ')?;
        let note = Note { id: id.to_owned(), commits: commits.parse().ok()? };
        (note.text() == text && id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit())).then_some(note)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_overwritten_and_read() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Note::read(dir.path()).unwrap(), None);
        let mut note = Note { id: "0123456789abcdef".into(), commits: 1 };
        note.create(dir.path()).unwrap();
        note.commits = u64::MAX;
        note.overwrite(&Note::open(dir.path()).unwrap()).unwrap();
        assert_eq!(Note::read(dir.path()).unwrap(), Some(note));
    }

    #[test]
    fn anything_else_is_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let good = Note { id: "0123456789abcdef".into(), commits: 7 }.text();
        let bad =
            ["", "\n", "x 1\n", &good[1..], good.trim(), &good.replace('7', "x"), &good.replace('a', "g")];
        for text in bad {
            std::fs::write(dir.path().join(FILE), text).unwrap();
            assert!(matches!(Note::read(dir.path()), Err(StoreError::Damaged { .. })), "{text:?}");
        }
    }
}
