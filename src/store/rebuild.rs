//! A new store in the place of a lost, damaged or unreadable one, for `seawall recover`.
//!
//! What was there is moved aside as `DATA/store.damaged-<time>`, never deleted. The new store appears
//! whole or not at all: killed at any point, the directory holds the old store, the new one, or a note
//! without a store, which counts as damaged and can be rebuilt again.

use super::directory::{check_room, copy_dir, damaged, examine, make, remove, told, write};
use super::lock::StoreLock;
use super::note::Note;
use super::sled::Disk;
use super::{Change, META_KEY, Record, Result, StoreError, check_keys, data_dir};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// What a data directory holds.
#[derive(Debug)]
pub enum Found {
    Nothing,
    /// In words.
    Damaged(String),
    /// Its id and the bodies of its records, but for the store's own.
    Sound {
        id: String,
        records: BTreeMap<String, Value>,
    },
}

/// A data directory under lock whose store may be made anew.
#[derive(Debug)]
pub struct Rebuild {
    data_dir: PathBuf,
    pub found: Found,
    _lock: StoreLock,
}

impl Rebuild {
    /// Takes the lock and looks at what is there, on a copy.
    ///
    /// # Errors
    /// `Locked` while an operator runs; `Newer` for a store that a newer Seawall wrote: it is not lost.
    pub fn begin(data_dir: &Path) -> Result<Rebuild> {
        data_dir::make(data_dir)?;
        let lock = StoreLock::take(data_dir)?;
        let found = match look(data_dir) {
            Ok(found) => found,
            Err(error @ (StoreError::Damaged { .. } | StoreError::Read { .. })) => {
                Found::Damaged(error.to_string())
            }
            Err(other) => return Err(other),
        };
        Ok(Rebuild { data_dir: data_dir.into(), found, _lock: lock })
    }

    /// Puts a store with this id and these records in place. `aside` is the name of the directory that
    /// what was there goes to. Gives that directory's path when there was anything.
    ///
    /// # Errors
    /// When the disk refuses; then what was there is still there, or set aside whole.
    pub fn finish(self, id: &str, changes: Vec<Change>, aside: &str) -> Result<Option<PathBuf>> {
        check_keys(&changes).map_err(|detail| write(&self.data_dir, detail))?;
        let dir = &self.data_dir;
        let bodies = changes.into_iter().filter_map(|change| match change {
            Change::Put { key, body } => Some((key, body)),
            Change::Delete { .. } => None,
        });
        make(dir, id, bodies.collect())?;
        let moved = self.set_aside(id, aside).map_err(|e| write(dir, e))?;
        let note = Note { id: id.to_owned(), commits: 0 };
        std::fs::rename(dir.join("store.new"), dir.join("store"))
            .and_then(|()| File::open(dir)?.sync_all())
            .and_then(|()| note.create(dir))
            .map_err(|e| write(dir, e))?;
        Ok(moved)
    }

    fn set_aside(&self, id: &str, aside: &str) -> std::io::Result<Option<PathBuf>> {
        let dir = &self.data_dir;
        let old: Vec<&str> =
            ["store.before", "store"].into_iter().filter(|name| dir.join(name).exists()).collect();
        let note = dir.join("store.id");
        let mut moved = None;
        if !old.is_empty() || note.exists() {
            let target = dir.join(aside);
            DirBuilder::new().mode(0o700).create(&target)?;
            if note.exists() {
                std::fs::copy(&note, target.join("store.id"))?;
            }
            moved = Some(target);
        }
        if !note.exists() {
            // From here on a start without a store is told of damage, and makes no empty one.
            Note { id: id.to_owned(), commits: 0 }.create(dir)?;
        }
        if let Some(target) = &moved {
            for name in old {
                std::fs::rename(dir.join(name), target.join(name))?;
            }
            File::open(target)?.sync_all()?;
        }
        File::open(dir)?.sync_all()?;
        Ok(moved)
    }
}

fn look(data_dir: &Path) -> Result<Found> {
    let note = Note::read(data_dir)?;
    // The copy that a start was killed over is the one before sled touched it.
    let store = ["store.before", "store"].into_iter().map(|name| data_dir.join(name)).find(|p| p.is_dir());
    let Some(store) = store else {
        let nothing = note.is_none() && !data_dir.join("store").exists();
        return if nothing { Ok(Found::Nothing) } else { Err(damaged(data_dir, "its directory is gone")) };
    };
    let copy = data_dir.join("store.check");
    remove(&copy).map_err(|e| write(data_dir, e))?;
    let looked = check_room(data_dir, 0)
        .and_then(|()| copy_dir(&store, &copy).map_err(|e| e.to_string()))
        .map_err(|e| write(data_dir, e))
        .and_then(|()| {
            let (_closed_here, records) = Disk::open(&copy).map_err(|t| told(data_dir, t))?;
            let meta = examine(data_dir, &records, note.as_ref())?;
            let mut bodies = BTreeMap::new();
            for (key, bytes) in &records {
                let record = Record::decode(key, bytes).map_err(|e| damaged(data_dir, e))?;
                if key != META_KEY {
                    bodies.insert(key.clone(), record.body);
                }
            }
            Ok(Found::Sound { id: meta.id, records: bodies })
        });
    match remove(&copy) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(write(data_dir, e)),
        _ => looked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{SledStore, Store};
    use serde_json::json;
    use std::fs;

    fn rebuilt(dir: &Path) -> Option<PathBuf> {
        let rebuild = Rebuild::begin(dir).unwrap();
        rebuild.finish("00000000000000aa", vec![Change::put("obj/a", json!(1))], "store.damaged-t").unwrap()
    }

    fn holds_the_new(dir: &Path) {
        let store = SledStore::open(dir).unwrap();
        assert_eq!(store.id(), "00000000000000aa");
        assert_eq!(store.get("obj/a").unwrap(), Some(json!(1)));
        assert_eq!(store.scan("old/").unwrap().len(), 0);
    }

    fn old(dir: &Path) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let store = SledStore::open(dir).unwrap();
        runtime.block_on(store.commit(vec![Change::put("old/x", json!("y"))])).unwrap();
    }

    #[test]
    fn a_store_with_a_given_id_appears_where_there_was_none() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("data");
        assert!(matches!(Rebuild::begin(&dir).unwrap().found, Found::Nothing));
        assert_eq!(rebuilt(&dir), None);
        holds_the_new(&dir);
    }

    #[test]
    fn what_was_there_is_kept_aside_byte_by_byte() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        old(dir);
        let log = fs::read(dir.join("store/db")).unwrap();
        let note = fs::read(dir.join("store.id")).unwrap();
        let found = Rebuild::begin(dir).unwrap().found;
        assert!(
            matches!(&found, Found::Sound { records, .. } if records["old/x"] == json!("y")),
            "{found:?}"
        );
        let aside = rebuilt(dir).unwrap();
        assert_eq!(aside, dir.join("store.damaged-t"));
        assert_eq!(fs::read(aside.join("store/db")).unwrap(), log);
        assert_eq!(fs::read(aside.join("store.id")).unwrap(), note);
        holds_the_new(dir);
    }

    #[test]
    fn damage_is_told_and_changes_nothing_before_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        old(dir);
        fs::write(dir.join("store/db"), b"not a database").unwrap();
        let found = Rebuild::begin(dir).unwrap().found;
        assert!(matches!(found, Found::Damaged(_)), "{found:?}");
        assert_eq!(fs::read(dir.join("store/db")).unwrap(), b"not a database");
        assert!(rebuilt(dir).is_some());
        holds_the_new(dir);
    }

    #[test]
    fn killed_halfway_a_start_makes_no_empty_store_and_a_second_try_ends_it() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        old(dir);
        let rebuild = Rebuild::begin(dir).unwrap();
        make(dir, "00000000000000aa", BTreeMap::new()).unwrap();
        rebuild.set_aside("00000000000000aa", "store.damaged-1").unwrap();
        drop(rebuild);
        assert!(matches!(SledStore::open(dir), Err(StoreError::Damaged { .. })));
        // And a moment later, with the store in place and its note still the old one's.
        fs::rename(dir.join("store.new"), dir.join("store")).unwrap();
        assert!(matches!(SledStore::open(dir), Err(StoreError::Damaged { .. })));
        assert!(rebuilt(dir).is_some());
        holds_the_new(dir);
    }

    #[test]
    fn nobody_rebuilds_under_a_running_operator() {
        let dir = tempfile::tempdir().unwrap();
        let store = SledStore::open(dir.path()).unwrap();
        assert!(matches!(Rebuild::begin(dir.path()), Err(StoreError::Locked { .. })));
        drop(store);
        Rebuild::begin(dir.path()).unwrap();
    }
}
