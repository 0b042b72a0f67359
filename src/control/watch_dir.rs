//! Says "look again" when something under the manifest directory may have changed.
//!
//! It must never decide what changed, nor keep a tokio worker waiting on the disk. Every doubt ends
//! in one message too many, not one too few; what the system loses is caught by the poll.

use crate::manifest::load::{Stamp, is_skipped};
use notify::event::{EventKind, ModifyKind, RenameMode};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A stream of changes without a pause is passed on after this long.
const MAX_BATCH: Duration = Duration::from_secs(1);
/// Folders that are watched; what lies in others is left to the poll.
const MAX_FOLDERS: usize = 10_000;
/// Files that arrived by a rename; a checkout of more than these rests like any other.
const MAX_ARRIVALS: usize = 20_000;
/// Links that lead to links, as the kernel counts them.
const MAX_LINKS: usize = 40;

/// Watches `dir`, which may be missing, replaced or a link, until `cancel` or until the receiver is
/// dropped. One message comes at the start, one after each change once it has been quiet for
/// `quiet` (or after a second), and one at least every `poll`. Messages that nobody has taken yet are one.
/// Must be called inside a tokio runtime.
///
/// # Errors
/// When no thread can be started.
pub fn watch(
    dir: PathBuf,
    poll: Duration,
    quiet: Duration,
    arrivals: Arc<Arrivals>,
    cancel: CancellationToken,
) -> io::Result<mpsc::Receiver<()>> {
    let (look, looks) = mpsc::channel(1);
    // One pending wake-up says all there is to say.
    let (wake, wakes) = sync_channel(1);
    let state = Arc::new(State { wake, rearm: AtomicBool::new(false), arrivals });
    let end = Arc::clone(&state);
    let (over, token) = (look.clone(), cancel.clone());
    std::thread::Builder::new()
        .name("watch-dir".to_owned())
        .spawn(move || Watch { dir, poll, quiet, cancel, look, state }.run(&wakes))?;
    tokio::spawn(async move {
        tokio::select! {
            () = token.cancelled() => {}
            () = over.closed() => {}
        }
        end.wake();
    });
    Ok(looks)
}

/// Files that were renamed to their name: whoever writes so has written all of it before. By device and inode,
/// with the size and the time of the last write that they arrived with: what is written later is no part of it.
#[derive(Debug, Default)]
pub struct Arrivals(Mutex<BTreeMap<(u64, u64), (u64, i128)>>);

impl Arrivals {
    fn held(&self) -> MutexGuard<'_, BTreeMap<(u64, u64), (u64, i128)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, event: &Event) {
        let EventKind::Modify(ModifyKind::Name(RenameMode::To | RenameMode::Both)) = event.kind else {
            return;
        };
        let Some(meta) = event.paths.last().and_then(|path| fs::symlink_metadata(path).ok()) else { return };
        if !meta.is_file() {
            return;
        }
        let mut held = self.held();
        // Only those of the last moments matter: an older file has rested.
        if held.len() >= MAX_ARRIVALS {
            held.clear();
        }
        let written = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
        held.insert((meta.dev(), meta.ino()), (meta.size(), written));
    }

    /// Whether the text with this stamp arrived as a whole.
    #[must_use]
    pub fn has(&self, stamp: &Stamp) -> bool {
        self.held().get(&(stamp.device, stamp.inode)) == Some(&(stamp.size, stamp.written))
    }
}

struct State {
    wake: SyncSender<()>,
    /// The watches no longer fit, or events were lost.
    rearm: AtomicBool,
    arrivals: Arc<Arrivals>,
}

impl State {
    fn wake(&self) {
        // Full: the wake-up that lies there is enough.
        let _ = self.wake.try_send(());
    }
}

struct Watch {
    dir: PathBuf,
    poll: Duration,
    quiet: Duration,
    cancel: CancellationToken,
    look: mpsc::Sender<()>,
    state: Arc<State>,
}

impl Watch {
    fn over(&self) -> bool {
        self.cancel.is_cancelled() || self.look.is_closed()
    }

    fn run(&self, wakes: &Receiver<()>) {
        let mut armed: Option<Armed> = None;
        while !self.over() {
            if !self.rearm(&mut armed) {
                // Still changing: ask again after a pause instead of running after it.
                self.state.wake();
            }
            // Full: somebody is about to look anyway.
            let _ = self.look.try_send(());
            match wakes.recv_timeout(self.poll) {
                Ok(()) => self.settle(wakes),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Makes the watches fit what is there; says whether they surely do.
    fn rearm(&self, armed: &mut Option<Armed>) -> bool {
        armed.take_if(|armed| !armed.whole);
        // Watch first, look afterwards: what changes in between is seen by one of the two. What
        // appeared while the watches were set is found by asking again.
        for _ in 0..3 {
            let targets = Targets::find(&self.dir);
            let stale = self.state.rearm.swap(false, Ordering::SeqCst);
            if !stale && armed.as_ref().is_some_and(|armed| armed.targets == targets) {
                return true;
            }
            // The old watches live until the new ones stand.
            *armed = self.arm(targets);
            if armed.is_none() {
                return true;
            }
        }
        false
    }

    /// Waits until it has been quiet for a while.
    fn settle(&self, wakes: &Receiver<()>) {
        let start = Instant::now();
        while start.elapsed() < MAX_BATCH && !self.over() {
            if wakes.recv_timeout(self.quiet).is_err() {
                return;
            }
        }
    }

    /// Watches `targets`; `None` when the system has no watcher to give (the poll remains).
    fn arm(&self, targets: Targets) -> Option<Armed> {
        let (state, seen) = (Arc::clone(&self.state), targets.clone());
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if let Ok(event) = &event {
                // Before anybody is told to look.
                state.arrivals.note(event);
            }
            match event.as_ref().map(|event| seen.weigh(event)) {
                Ok(Weight::Nothing) => return,
                Ok(Weight::Look) => {}
                Ok(Weight::Rearm) | Err(_) => state.rearm.store(true, Ordering::SeqCst),
            }
            state.wake();
        })
        .inspect_err(|error| tracing::warn!(%error, "cannot watch the manifests; polling only"))
        .ok()?;
        let parents = targets.names.iter().filter_map(|name| name.parent());
        let folders: BTreeSet<&Path> = targets.folders.keys().map(PathBuf::as_path).chain(parents).collect();
        let mut failed = 0_usize;
        for folder in folders {
            // A way to the directory that cannot be watched is left to the poll.
            if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive)
                && targets.folders.contains_key(folder)
            {
                tracing::debug!(%error, folder = %folder.display(), "cannot watch a folder");
                failed += 1;
            }
        }
        if failed > 0 {
            tracing::warn!(folders = failed, "cannot watch some folders of manifests; polling them only");
        }
        Some(Armed { targets, whole: failed == 0, _watcher: watcher })
    }
}

/// Watches that stand.
struct Armed {
    targets: Targets,
    /// False when some could not be set: then all are tried again on the next occasion.
    whole: bool,
    _watcher: RecommendedWatcher,
}

enum Weight {
    Nothing,
    Look,
    Rearm,
}

/// What has to be watched, by real path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Targets {
    /// Folders in which everything counts, with device and inode: the same path may become another folder.
    folders: BTreeMap<PathBuf, (u64, u64)>,
    /// Single names that count, in folders where the rest does not: every step on the way to the
    /// directory, and every step of a link inside of it.
    names: BTreeSet<PathBuf>,
}

impl Targets {
    fn find(dir: &Path) -> Self {
        let mut targets = Self::default();
        let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        if let Some(real) = targets.trace(PathBuf::new(), &absolute, None) {
            targets.folder(real, &absolute);
        }
        targets
    }

    /// Walks from the real path `real` to `path` step by step as the kernel does, noting every name on the way. `None`
    /// when it leads nowhere (then the first missing name is the last one noted), or out of `within`, a real path and
    /// the name that people give it: what is read there follows no such link.
    fn trace(&mut self, mut real: PathBuf, path: &Path, within: Option<(&Path, &Path)>) -> Option<PathBuf> {
        let mut steps: Vec<PathBuf> = steps(path);
        let mut links = 0;
        while let Some(step) = steps.pop() {
            match step.components().next() {
                Some(Component::ParentDir) => {
                    real.pop();
                    continue;
                }
                Some(Component::Normal(name)) => real.push(name),
                _ => {
                    real = step;
                    continue;
                }
            }
            if within.is_some_and(|(top, _)| !real.starts_with(top)) {
                return None;
            }
            self.names.insert(real.clone());
            if !fs::symlink_metadata(&real).ok()?.is_symlink() {
                continue;
            }
            links += 1;
            if links > MAX_LINKS {
                return None;
            }
            let target = fs::read_link(&real).ok()?;
            real.pop();
            match within.filter(|_| target.is_absolute()) {
                None => steps.extend(self::steps(&target)),
                Some((top, name)) => {
                    let inside = target.strip_prefix(name).or_else(|_| target.strip_prefix(top)).ok()?;
                    steps.extend(self::steps(inside));
                    real = top.to_owned();
                }
            }
        }
        within.is_none_or(|(top, _)| real.starts_with(top)).then_some(real)
    }

    /// The folder with the real path `top`, which people call `name`, with all that lies below, also behind
    /// links.
    fn folder(&mut self, top: PathBuf, name: &Path) {
        let within = Some((top.as_path(), name));
        let mut todo = vec![top.clone()];
        while let Some(folder) = todo.pop() {
            let Ok(meta) = fs::metadata(&folder) else { continue };
            if !meta.is_dir() || self.folders.contains_key(&folder) || self.folders.len() >= MAX_FOLDERS {
                continue;
            }
            self.folders.insert(folder.clone(), (meta.dev(), meta.ino()));
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for entry in entries.flatten() {
                let name = entry.file_name();
                let Ok(kind) = entry.file_type() else { continue };
                if is_skipped(&name.to_string_lossy()) {
                    continue;
                }
                if kind.is_dir() {
                    todo.push(entry.path());
                } else if kind.is_symlink() {
                    let real = self.trace(folder.clone(), Path::new(&name), within);
                    // A link to something else than a folder matters only as a manifest, and is then noted.
                    todo.extend(real.filter(|real| real.is_dir()));
                }
            }
        }
    }

    fn weigh(&self, event: &Event) -> Weight {
        if matches!(event.kind, EventKind::Access(_)) {
            return Weight::Nothing;
        }
        // No path: the system says that it lost events.
        if event.need_rescan() || event.paths.is_empty() {
            return Weight::Rearm;
        }
        let moved = matches!(
            event.kind,
            EventKind::Remove(_) | EventKind::Create(_) | EventKind::Modify(ModifyKind::Name(_))
        );
        let known = |path: &PathBuf| self.folders.contains_key(path) || self.names.contains(path);
        // A folder or a link that is now another one: its watch holds the old one.
        if moved && event.paths.iter().any(known) {
            return Weight::Rearm;
        }
        let inside = |path: &PathBuf| path.parent().is_some_and(|parent| self.folders.contains_key(parent));
        if event.paths.iter().any(|path| known(path) || inside(path)) {
            Weight::Look
        } else {
            Weight::Nothing
        }
    }
}

/// The steps of a path, the first one last.
fn steps(path: &Path) -> Vec<PathBuf> {
    path.components().rev().map(|step| PathBuf::from(step.as_os_str())).collect()
}

#[cfg(test)]
#[path = "watch_dir_tests.rs"]
mod tests;
