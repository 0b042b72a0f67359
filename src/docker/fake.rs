//! An engine in memory, with the semantics that docker-facts measured on real ones.
//!
//! Always compiled: integration tests and benches are their own crates and could not see it behind
//! `cfg(test)`. The product itself must never use it. Ids and times are counted, so that output is
//! the same in every run. The contract suite holds it to what the real engine does.

mod calls;
mod drift;
mod engine;
mod fault;
mod stage;

pub use fault::{Fault, What, When};

use crate::core::seen::{EngineEvent, SeenContainer, Space};
use crate::docker::{DockerError, ExecRequest, ExecResult, Result};
use engine::State;
use fault::take_fault;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, broadcast};

/// Calls that only read. These and [`WRITES`] are the names for [`Fault::method`] and the keys of
/// [`FakeDocker::call_log`].
pub const READS: [&str; 17] = [
    "info",
    "list",
    "inspect",
    "usage",
    "sample",
    "get_file",
    "exists",
    "link",
    "links",
    "logs",
    "stream_logs",
    "wait",
    "image",
    "volume",
    "volumes",
    "networks",
    "events",
];
/// Calls that write.
pub const WRITES: [&str; 17] = [
    "create",
    "start",
    "stop",
    "remove",
    "remove_throwaway",
    "update",
    "rename",
    "unpause",
    "put_files",
    "exec",
    "pull",
    "create_volume",
    "remove_volume",
    "create_network",
    "remove_network",
    "connect",
    "disconnect",
];

/// Events waiting for one slow reader; more are lost, as with the real engine.
const EVENT_BUFFER: usize = 4096;

/// Answers an exec: the container as inspect shows it, and the request.
pub type ExecScript = Arc<dyn Fn(&SeenContainer, &ExecRequest) -> Result<ExecResult> + Send + Sync>;
/// Decides what a started container does: `Some(code)` ends it at once.
pub type StartScript = Arc<dyn Fn(&SeenContainer) -> Option<i64> + Send + Sync>;

#[derive(Clone, Debug)]
enum Signal {
    Event(Box<EngineEvent>),
    End,
    /// The connection is gone, and nobody says so.
    Mute,
}

struct Control {
    engine: State,
    up: bool,
    calls: BTreeMap<&'static str, u64>,
    /// Each after so many calls of its method that it lets pass.
    faults: Vec<(usize, Fault)>,
    drop_events: bool,
    hang_limit: Duration,
    exec: Option<ExecScript>,
    on_start: Vec<StartScript>,
    space: Option<Space>,
    /// Whether the kernel's files can be seen.
    cgroups: bool,
    /// By container: processes that somebody stopped.
    stopped: BTreeMap<String, Vec<String>>,
    /// By container: whether it can write nothing to its volumes.
    read_only: BTreeMap<String, bool>,
}

/// The fake. Share it as `Arc<FakeDocker>`; helpers for tests are methods beside the trait.
pub struct FakeDocker {
    control: Mutex<Control>,
    signals: broadcast::Sender<Signal>,
    /// Something changed: waiters look again.
    changed: Arc<Notify>,
}

impl Default for FakeDocker {
    fn default() -> Self {
        Self::new()
    }
}

enum Answer<T> {
    Now(Result<T>),
    Hang(Duration),
    Late(Result<T>, Duration),
}

impl FakeDocker {
    /// An empty engine: 4 CPUs, 16 GiB, cgroup v2, amd64.
    #[must_use]
    pub fn new() -> Self {
        let control = Control {
            engine: State::new(),
            up: true,
            calls: BTreeMap::new(),
            faults: Vec::new(),
            drop_events: false,
            hang_limit: Duration::from_secs(10),
            exec: None,
            on_start: Vec::new(),
            space: Some(Space { free: 100 << 30, total: 200 << 30, read_only: false }),
            cgroups: false,
            stopped: BTreeMap::new(),
            read_only: BTreeMap::new(),
        };
        Self {
            control: Mutex::new(control),
            signals: broadcast::channel(EVENT_BUFFER).0,
            changed: Arc::new(Notify::new()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the engine's state and tells everybody who waits.
    fn change<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let mut control = self.lock();
        let result = work(&mut control.engine);
        self.publish(&mut control);
        result
    }

    fn publish(&self, control: &mut Control) {
        let events = control.engine.take_events();
        if control.drop_events {
            control.engine.forget_last_events(events.len());
        }
        for event in events {
            if !control.drop_events {
                // Nobody listening is no failure.
                let _ = self.signals.send(Signal::Event(Box::new(event)));
            }
        }
        self.changed.notify_waiters();
    }

    fn begin<T>(&self, method: &'static str, work: impl FnOnce(&mut Control) -> Result<T>) -> Answer<T> {
        debug_assert!(is_method(method), "unknown method {method}");
        let mut control = self.lock();
        *control.calls.entry(method).or_default() += 1;
        if !control.up {
            return Answer::Now(Err(down(method)));
        }
        let fault = take_fault(&mut control.faults, method);
        if let Some(Fault { what: What::Slow(pause), .. }) = fault {
            let result = work(&mut control);
            self.publish(&mut control);
            return Answer::Late(result, pause);
        }
        if let Some(Fault { when: When::Before, what, .. }) = fault {
            return fail(what, control.hang_limit);
        }
        let result = work(&mut control);
        self.publish(&mut control);
        match fault {
            Some(fault) => fail(fault.what, control.hang_limit),
            None => Answer::Now(result),
        }
    }

    async fn call<T>(&self, method: &'static str, work: impl FnOnce(&mut Control) -> Result<T>) -> Result<T> {
        let answer = self.begin(method, work);
        self.end(method, answer).await
    }

    async fn end<T>(&self, method: &'static str, answer: Answer<T>) -> Result<T> {
        match answer {
            Answer::Now(result) => result,
            Answer::Late(result, pause) => {
                tokio::time::sleep(pause).await;
                result
            }
            Answer::Hang(limit) => {
                tokio::time::sleep(limit).await;
                Err(DockerError::Timeout { doing: method, after: limit })
            }
        }
    }

    /// Counts and may fail like every call, for those that give a stream.
    fn stream_call<T>(&self, method: &'static str, work: impl FnOnce(&mut Control) -> T) -> Result<T> {
        match self.begin(method, |c| Ok(work(c))) {
            Answer::Now(result) | Answer::Late(result, _) => result,
            Answer::Hang(after) => Err(DockerError::Timeout { doing: method, after }),
        }
    }
}

fn is_method(name: &str) -> bool {
    READS.contains(&name) || WRITES.contains(&name)
}

fn down(doing: &'static str) -> DockerError {
    DockerError::Unavailable { doing, detail: "the engine is stopped".to_owned() }
}

fn fail<T>(what: What, limit: Duration) -> Answer<T> {
    match what {
        What::Error(error) => Answer::Now(Err(error)),
        What::Hang | What::Slow(_) => Answer::Hang(limit),
    }
}
