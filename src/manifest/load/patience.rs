//! Bounds the time of a scan: a file system that does not answer (a server that is gone, a frozen mount) keeps
//! whoever asks it, for ever. So the asking is done on a thread of its own, which is left alone then.
//!
//! It must never pile up such threads: what has not answered is not asked again until it has.

use super::{Directory, Texts};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long one file or folder may take.
const ONE: Duration = Duration::from_secs(5);
/// How long all of them may take.
const ALL: Duration = Duration::from_secs(60);
/// Threads of this process that wait for a disk at once; with as many nothing is asked any more.
const MAX_WAITING: usize = 8;

/// Why a step is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Patience {
    #[error("not read: its file system does not answer; it is read again when it does")]
    Stuck,
    #[error("reading them takes longer than {} s", ALL.as_secs())]
    Over,
}

/// What a scan is at, and what it must leave out.
#[derive(Debug)]
pub(super) struct Step {
    now: Arc<Mutex<Now>>,
    leave_out: BTreeSet<String>,
    end: Instant,
}

#[derive(Debug)]
struct Now {
    relative: String,
    since: Instant,
    /// Nobody waits for this scan any more.
    left: bool,
}

impl Step {
    /// To be called before everything that may take long, with its path (empty: the directory itself).
    ///
    /// # Errors
    /// When it must not be done.
    pub(super) fn before(&self, relative: &str) -> Result<(), Patience> {
        if self.leave_out.contains(relative) {
            return Err(Patience::Stuck);
        }
        let mut now = held(&self.now);
        if now.left || Instant::now() > self.end {
            return Err(Patience::Over);
        }
        relative.clone_into(&mut now.relative);
        now.since = Instant::now();
        Ok(())
    }

    #[cfg(test)]
    fn at_ease() -> Self {
        let now = Now { relative: String::new(), since: Instant::now(), left: false };
        Self { now: Arc::new(Mutex::new(now)), leave_out: BTreeSet::new(), end: Instant::now() + ALL }
    }
}

/// A step that is still being waited for, by a thread that nobody waits for.
struct Waiting {
    dir: PathBuf,
    relative: String,
    over: Arc<AtomicBool>,
}

type Scan = Arc<dyn Fn(&Path, &Step) -> Texts + Send + Sync>;

/// Of the whole process: threads are.
static WAITING: Mutex<Vec<Waiting>> = Mutex::new(Vec::new());

/// The answer of `scan`, which is run as often as it gets stuck at something new.
pub(super) fn patiently(dir: &Path, scan: fn(&Path, &Step) -> Texts) -> Texts {
    bounded(dir, Arc::new(scan), ONE)
}

fn bounded(dir: &Path, scan: Scan, one: Duration) -> Texts {
    let end = Instant::now() + ALL;
    loop {
        let leave_out = {
            let mut waiting = held(&WAITING);
            waiting.retain(|w| !w.over.load(Ordering::SeqCst));
            if waiting.len() >= MAX_WAITING {
                return unreadable(format!("{MAX_WAITING} files or folders do not answer"));
            }
            waiting.iter().filter(|w| w.dir == dir).map(|w| w.relative.clone()).collect::<BTreeSet<_>>()
        };
        let now = Now { relative: String::new(), since: Instant::now(), left: false };
        let now = Arc::new(Mutex::new(now));
        let step = Step { now: Arc::clone(&now), leave_out, end };
        let over = Arc::new(AtomicBool::new(false));
        let (answer, answers) = sync_channel(1);
        let work = Work { answer, over: Arc::clone(&over) };
        let (scan, scanned) = (Arc::clone(&scan), dir.to_owned());
        let started = thread::Builder::new()
            .name("read-manifests".to_owned())
            .spawn(move || work.done(scan(&scanned, &step)));
        if let Err(error) = started {
            return unreadable(format!("there is no thread to read it: {error}"));
        }
        loop {
            let left = one.saturating_sub(held(&now).since.elapsed());
            match answers.recv_timeout(left.max(Duration::from_millis(1))) {
                Ok(texts) => return texts,
                Err(RecvTimeoutError::Disconnected) => {
                    return unreadable("the scan ended abnormally".to_owned());
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            let mut now = held(&now);
            if now.since.elapsed() >= one {
                now.left = true;
                let relative = now.relative.clone();
                tracing::warn!(dir = %dir.display(), file = ?relative, "a file system of manifests does not answer");
                held(&WAITING).push(Waiting { dir: dir.to_owned(), relative, over });
                break;
            }
        }
    }
}

/// Says that its thread is over, however it ends.
struct Work {
    answer: SyncSender<Texts>,
    over: Arc<AtomicBool>,
}

impl Work {
    fn done(self, texts: Texts) {
        // Nobody may be waiting any more.
        let _ = self.answer.try_send(texts);
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
    }
}

fn unreadable(why: String) -> Texts {
    Texts { directory: Directory::Unreadable(why), ..Texts::default() }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::FileText;
    use super::*;
    use std::sync::mpsc::Receiver;

    /// Reads a, b and c, and waits for `answers` at b.
    fn stuck_at_b(answers: Receiver<()>) -> Scan {
        let answers = Mutex::new(answers);
        Arc::new(move |_, step| {
            let mut texts = Texts::default();
            for name in ["a.yaml", "b.yaml", "c.yaml"] {
                let text = match step.before(name) {
                    Ok(()) if name == "b.yaml" => {
                        let _ = held(&answers).recv();
                        FileText::Bytes(b"late".to_vec())
                    }
                    Ok(()) => FileText::Bytes(Vec::new()),
                    Err(why) => FileText::NotRead(why.to_string()),
                };
                texts.files.insert(name.to_owned(), text);
            }
            texts
        })
    }

    #[test]
    fn what_does_not_answer_is_named_asked_once_and_read_again_when_it_does() {
        let dir = Path::new("/what/does/not/answer");
        let (answer, answers) = sync_channel(9);
        let scan = stuck_at_b(answers);
        let short = Duration::from_millis(100);
        for _ in 0..20 {
            let texts = bounded(dir, Arc::clone(&scan), short);
            let said: Vec<(&str, bool)> = texts
                .files
                .iter()
                .map(|(name, text)| (name.as_str(), matches!(text, FileText::NotRead(_))))
                .collect();
            assert_eq!(said, [("a.yaml", false), ("b.yaml", true), ("c.yaml", false)]);
        }
        let threads = || held(&WAITING).iter().filter(|w| w.dir == dir).count();
        assert_eq!(threads(), 1, "one thread waits, however often somebody looks");
        for _ in 0..2 {
            answer.send(()).unwrap();
        }
        let until = Instant::now() + Duration::from_secs(20);
        while bounded(dir, Arc::clone(&scan), ONE).files["b.yaml"] != FileText::Bytes(b"late".to_vec()) {
            assert!(Instant::now() < until, "it is read again");
            let _ = answer.try_send(());
        }
        assert_eq!(threads(), 0);
    }

    #[test]
    fn a_scan_that_nobody_waits_for_ends_and_one_that_dies_is_told() {
        let step = Step::at_ease();
        assert_eq!(step.before("x"), Ok(()));
        held(&step.now).left = true;
        assert_eq!(step.before("x"), Err(Patience::Over));
        let dead = bounded(Path::new("/dead"), Arc::new(|_, _| panic!("dead")), ONE);
        assert!(matches!(dead.directory, Directory::Unreadable(_)));
    }
}
