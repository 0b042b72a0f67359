//! The only file that knows sled: opens its directory, loads everything, writes batches durably.
//!
//! Writes never run on a tokio worker. sled may panic, hang or report corruption while opening: all
//! three come back as [`Trouble`].

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Once, mpsc};
use std::thread;
use std::time::Duration;

/// One encoded record.
pub type Bytes = Box<[u8]>;
/// Encoded records by key.
pub type Records = BTreeMap<String, Bytes>;

/// What is read often is in the callers' memory, so sled's cache serves its own writes.
const CACHE: u64 = 1024 * 1024;
/// sled's own thread only rolls buffers and collects garbage; durability is ours, at every write. It also syncs the file each time, changed
/// or not.
const HOUSEKEEPING_MS: u64 = 10_000;
const OPEN_TIMEOUT: Duration = Duration::from_secs(60);
/// A database dropped a moment ago in this process may still hold its file lock.
const LOCK_TRIES: u32 = 40;
const LOCK_PAUSE: Duration = Duration::from_millis(50);
/// Threads of this name turn panics into errors, so their panic message is not printed.
pub const THREAD: &str = "seawall-store";

/// Why the directory could not be opened or written.
#[derive(Debug)]
pub enum Trouble {
    /// The content is not what sled wrote.
    Damaged(String),
    /// The disk or the permissions.
    Disk(String),
}

/// An open sled directory.
pub struct Disk {
    db: sled::Db,
    dir: PathBuf,
    /// A second descriptor of the log: sled's flush does not fsync, and fsync works per file.
    log: File,
    blobs: BTreeSet<OsString>,
}

/// Reads an open directory, also what a write is only just making durable. Must go before its [`Disk`]:
/// whoever drops the last of them closes the database.
#[derive(Debug)]
pub struct Reader(sled::Db);

impl Reader {
    pub fn get(&self, key: &str) -> Result<Option<Bytes>, String> {
        guarded(|| Ok(self.0.get(key)?.map(|value| value.as_ref().into())))
    }

    /// In key order, until `take` fails.
    pub fn each(
        &self,
        prefix: &str,
        mut take: impl FnMut(&str, &[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut entries = self.0.scan_prefix(prefix);
        while let Some((key, value)) = guarded(|| entries.next().transpose())? {
            take(std::str::from_utf8(&key).map_err(|_| "a key is not text")?, &value)?;
        }
        Ok(())
    }
}

impl Disk {
    /// A second handle, for reading.
    pub fn reader(&self) -> Reader {
        Reader(self.db.clone())
    }

    /// Opens or creates the directory, reads all of it and gives every record but what was measured.
    pub fn open(dir: &Path) -> Result<(Disk, Records), Trouble> {
        quiet_panics();
        let (tell, told) = mpsc::sync_channel(1);
        let of_thread = dir.to_owned();
        let spawned = thread::Builder::new().name(THREAD.into()).spawn(move || {
            let opened = catch_unwind(AssertUnwindSafe(|| open_here(&of_thread)));
            let opened = opened.unwrap_or_else(|p| Err(Trouble::Damaged(panic_text(&*p))));
            // Nobody listens after the timeout; the database is closed with the dropped value.
            let _ = tell.send(opened);
        });
        spawned.map_err(|e| Trouble::Disk(e.to_string()))?;
        told.recv_timeout(OPEN_TIMEOUT)
            .unwrap_or_else(|_| Err(Trouble::Damaged(format!("opening did not end in {OPEN_TIMEOUT:?}"))))
    }

    /// Applies all changes (`None` deletes) or none, and returns when they are on the disk.
    ///
    /// After an error nothing more can be written, the value must be forgotten instead of dropped (sled
    /// may wait for ever in its destructor), and whether the batch is on the disk is not known.
    pub fn write(&mut self, changes: &BTreeMap<String, Option<Bytes>>) -> Result<(), String> {
        guarded(|| {
            let mut batch = sled::Batch::default();
            for (key, value) in changes {
                match value {
                    Some(bytes) => batch.insert(key.as_bytes(), bytes.as_ref()),
                    None => batch.remove(key.as_bytes()),
                }
            }
            self.db.apply_batch(batch)?;
            self.db.flush()
        })?;
        self.log.sync_all().and_then(|()| self.sync_blobs()).map_err(|e| e.to_string())
    }

    /// Makes the directory itself durable, once after it was created.
    pub fn sync_directory(&self) -> std::io::Result<()> {
        File::open(self.dir.join("conf"))?.sync_all()?;
        File::open(self.dir.join("blobs"))?.sync_all()?;
        File::open(&self.dir)?.sync_all()
    }

    /// Pages above 128 KiB become files of their own, which the log's fsync does not cover.
    fn sync_blobs(&mut self) -> std::io::Result<()> {
        let dir = self.dir.join("blobs");
        let now = names(&dir)?;
        let mut fresh = false;
        for name in now.difference(&self.blobs) {
            fresh = true;
            match File::open(dir.join(name)) {
                Ok(file) => file.sync_all()?,
                // Collected by sled since it was listed.
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        if fresh {
            File::open(&dir)?.sync_all()?;
        }
        self.blobs = now;
        Ok(())
    }
}

/// Turns sled's panics into errors.
fn guarded<T>(work: impl FnOnce() -> sled::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(|e| e.to_string()),
        Err(panic) => Err(panic_text(&*panic)),
    }
}

fn open_here(dir: &Path) -> Result<(Disk, Records), Trouble> {
    let config = sled::Config::new()
        .path(dir)
        .cache_capacity(CACHE)
        .mode(sled::Mode::LowSpace)
        .flush_every_ms(Some(HOUSEKEEPING_MS));
    let mut tries = 0;
    let db = loop {
        match config.open() {
            Err(sled::Error::Io(e)) if e.to_string().contains("acquire lock") && tries < LOCK_TRIES => {
                tries += 1;
                thread::sleep(LOCK_PAUSE);
            }
            other => break other.map_err(trouble)?,
        }
    };
    let mut records = Records::new();
    // Around what is measured, which is most of it by far: to pass over it record by record would read all of its pages.
    let behind = format!("{}\u{10ffff}", super::MEASURED);
    for entry in db.range(..super::MEASURED).chain(db.range(behind.as_str()..)) {
        let (key, value) = entry.map_err(trouble)?;
        let key = std::str::from_utf8(&key).map_err(|_| Trouble::Damaged("a key is not text".into()))?;
        records.insert(key.to_owned(), value.as_ref().into());
    }
    let disk = |e: std::io::Error| Trouble::Disk(e.to_string());
    let log = File::options().read(true).write(true).open(dir.join("db")).map_err(disk)?;
    let blobs = names(&dir.join("blobs")).map_err(disk)?;
    Ok((Disk { db, dir: dir.to_owned(), log, blobs }, records))
}

/// The disk's own errors stay what they are; anything else (a short read, a file that is gone) means
/// that the content is wrong.
fn trouble(error: sled::Error) -> Trouble {
    use ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    match error {
        sled::Error::Io(e)
            if matches!(e.kind(), PermissionDenied | QuotaExceeded | ReadOnlyFilesystem | StorageFull) =>
        {
            Trouble::Disk(e.to_string())
        }
        other => Trouble::Damaged(short(&other.to_string())),
    }
}

fn names(dir: &Path) -> std::io::Result<BTreeSet<OsString>> {
    std::fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name())).collect()
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    short(text.unwrap_or("unknown panic"))
}

fn short(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(200).collect()
}

fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if thread::current().name() != Some(THREAD) {
                before(info);
            }
        }));
    });
}
