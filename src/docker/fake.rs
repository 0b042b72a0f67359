//! An engine in memory, with the semantics that docker-facts measured on real ones.
//!
//! Always compiled: integration tests and benches are their own crates and could not see it behind
//! `cfg(test)`. The product itself must never use it. Ids and times are counted, so that output is
//! the same in every run. The contract suite holds it to what the real engine does.

mod drift;
mod engine;

use crate::core::desired::DesiredContainer;
use crate::core::seen::{
    ContainerState, ContainerSummary, EngineEvent, EngineInfo, LiveUpdate, SeenContainer, SeenImage,
    SeenNetwork, SeenVolume, Usage,
};
use crate::docker::{Docker, DockerError, ExecRequest, ExecResult, FileToPut, Result};
use async_trait::async_trait;
use engine::State;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, broadcast};

/// Names for [`Fault::method`] and keys of [`FakeDocker::call_log`]; the first [`READS`] write nothing.
pub const METHODS: [&str; 28] = [
    "info",
    "list",
    "inspect",
    "usage",
    "get_file",
    "logs",
    "follow_logs",
    "wait",
    "image",
    "volume",
    "volumes",
    "networks",
    "events", // writes from here on
    "create",
    "start",
    "stop",
    "remove",
    "update",
    "rename",
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
/// How many of [`METHODS`] only read.
pub const READS: usize = 13;

/// Events waiting for one slow reader; more are lost, as with the real engine.
const EVENT_BUFFER: usize = 4096;

/// Whether the effect of a failing call happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Nothing happened.
    Before,
    /// It happened, then the connection was cut.
    After,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Error(DockerError),
    /// No answer; ends as [`DockerError::Timeout`] after the hang limit.
    Hang,
}

/// A failure to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// One of [`METHODS`].
    pub method: &'static str,
    pub when: When,
    pub what: What,
    /// How many calls it hits.
    pub times: usize,
}

impl Fault {
    /// The next call of `method` finds the connection cut, before or after its effect.
    #[must_use]
    pub fn cut(method: &'static str, when: When) -> Self {
        let error =
            DockerError::Unavailable { doing: method, detail: "connection cut (injected)".to_owned() };
        Self { method, when, what: What::Error(error), times: 1 }
    }
}

/// Answers an exec: the container as inspect shows it, and the request.
pub type ExecScript = Arc<dyn Fn(&SeenContainer, &ExecRequest) -> Result<ExecResult> + Send + Sync>;
/// Decides what a started container does: `Some(code)` ends it at once.
pub type StartScript = Arc<dyn Fn(&SeenContainer) -> Option<i64> + Send + Sync>;

#[derive(Clone, Debug)]
enum Signal {
    Event(Box<EngineEvent>),
    End,
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
    on_start: Option<StartScript>,
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
            on_start: None,
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
        for event in control.engine.take_events() {
            if !control.drop_events {
                // Nobody listening is no failure.
                let _ = self.signals.send(Signal::Event(Box::new(event)));
            }
        }
        self.changed.notify_waiters();
    }

    fn begin<T>(&self, method: &'static str, work: impl FnOnce(&mut Control) -> Result<T>) -> Answer<T> {
        debug_assert!(METHODS.contains(&method), "unknown method {method}");
        let mut control = self.lock();
        *control.calls.entry(method).or_default() += 1;
        if !control.up {
            return Answer::Now(Err(down(method)));
        }
        let fault = take_fault(&mut control.faults, method);
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
        match self.begin(method, work) {
            Answer::Now(result) => result,
            Answer::Hang(limit) => {
                tokio::time::sleep(limit).await;
                Err(DockerError::Timeout { doing: method, after: limit })
            }
        }
    }

    /// Counts and may fail like every call, for those that give a stream.
    fn stream_call<T>(&self, method: &'static str, work: impl FnOnce(&mut Control) -> T) -> Result<T> {
        match self.begin(method, |c| Ok(work(c))) {
            Answer::Now(result) => result,
            Answer::Hang(after) => Err(DockerError::Timeout { doing: method, after }),
        }
    }
}

fn down(doing: &'static str) -> DockerError {
    DockerError::Unavailable { doing, detail: "the engine is stopped".to_owned() }
}

fn fail<T>(what: What, limit: Duration) -> Answer<T> {
    match what {
        What::Error(error) => Answer::Now(Err(error)),
        What::Hang => Answer::Hang(limit),
    }
}

fn take_fault(faults: &mut Vec<(usize, Fault)>, method: &str) -> Option<Fault> {
    let at = faults.iter().position(|(_, f)| f.method == method && f.times > 0)?;
    let (skip, fault) = faults.get_mut(at)?;
    if *skip > 0 {
        *skip -= 1;
        return None;
    }
    fault.times -= 1;
    let taken = fault.clone();
    if taken.times == 0 {
        faults.remove(at);
    }
    Some(taken)
}

#[async_trait]
impl Docker for FakeDocker {
    async fn info(&self) -> Result<EngineInfo> {
        self.call("info", |c| Ok(c.engine.info.clone())).await
    }

    async fn list(&self, labels: &[(&str, &str)]) -> Result<Vec<ContainerSummary>> {
        self.call("list", |c| Ok(c.engine.list(labels))).await
    }

    async fn inspect(&self, name_or_id: &str) -> Result<Option<SeenContainer>> {
        self.call("inspect", |c| Ok(c.engine.inspect(name_or_id))).await
    }

    async fn create(&self, desired: &DesiredContainer) -> Result<String> {
        self.call("create", |c| c.engine.create(desired)).await
    }

    async fn start(&self, id: &str) -> Result<()> {
        let script = self.lock().on_start.clone();
        let ran = self.call("start", |c| c.engine.start(id)).await?;
        let seen = if ran { self.lock().engine.inspect(id) } else { None };
        if let (Some(script), Some(seen)) = (script, seen)
            && let Some(code) = script(&seen)
        {
            self.change(|s| s.end(&seen.id, code));
        }
        Ok(())
    }

    async fn stop(&self, id: &str, _timeout: Duration) -> Result<()> {
        self.call("stop", |c| c.engine.stop(id)).await
    }

    async fn remove(&self, id: &str) -> Result<()> {
        self.call("remove", |c| {
            c.engine.remove(id);
            Ok(())
        })
        .await
    }

    async fn update(&self, id: &str, change: &LiveUpdate) -> Result<()> {
        self.call("update", |c| c.engine.update(id, change)).await
    }

    async fn rename(&self, id: &str, name: &str) -> Result<()> {
        self.call("rename", |c| c.engine.rename(id, name)).await
    }

    async fn usage(&self, id: &str) -> Result<Option<Usage>> {
        self.call("usage", |c| c.engine.usage(id)).await
    }

    async fn put_files(&self, id: &str, files: &[FileToPut]) -> Result<()> {
        self.call("put_files", |c| c.engine.put_files(id, files)).await
    }

    async fn get_file(&self, id: &str, path: &str, max: usize) -> Result<Option<Vec<u8>>> {
        self.call("get_file", |c| {
            let found = c.engine.file(id, path)?;
            Ok(found.map(|mut content| {
                content.truncate(max);
                content
            }))
        })
        .await
    }

    async fn exec(&self, id: &str, request: &ExecRequest, limit: Duration) -> Result<ExecResult> {
        let (seen, script) =
            self.call("exec", |c| Ok((c.engine.exec(id, &request.argv)?, c.exec.clone()))).await?;
        // Not under the lock: a script may look at the engine.
        match script {
            Some(script) => match script(&seen, request) {
                Err(DockerError::Timeout { doing, .. }) => Err(DockerError::Timeout { doing, after: limit }),
                other => other,
            },
            None => Ok(ExecResult { exit_code: 0, stdout: String::new(), stderr: String::new() }),
        }
    }

    async fn logs(&self, id: &str, lines: usize) -> Result<Vec<String>> {
        self.call("logs", |c| {
            let all = c.engine.logs(id)?;
            Ok(all.get(all.len().saturating_sub(lines)..).unwrap_or_default().to_vec())
        })
        .await
    }

    fn follow_logs(&self, id: &str, lines: usize) -> BoxStream<'static, Result<String>> {
        // Follows what was logged so far; scripted logs do not grow.
        let found = self.stream_call("follow_logs", |c| c.engine.logs(id).map(<[String]>::to_vec));
        match found.and_then(|r| r) {
            Ok(all) => {
                let skip = all.len().saturating_sub(lines);
                stream::iter(all.into_iter().skip(skip).map(Ok)).boxed()
            }
            Err(e) => stream::once(async { Err(e) }).boxed(),
        }
    }

    async fn wait(&self, id: &str, limit: Duration) -> Result<i64> {
        self.call("wait", |c| c.engine.get(id).map(|_| ())).await?;
        let ended = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                // Registered before the look, so that no change slips between.
                changed.as_mut().enable();
                match self.lock().engine.inspect(id) {
                    None => return Err(DockerError::NotFound { what: format!("container {id}") }),
                    Some(c) if c.state == ContainerState::Exited => return Ok(c.exit_code.unwrap_or(0)),
                    Some(_) => {}
                }
                changed.await;
            }
        };
        tokio::time::timeout(limit, ended)
            .await
            .unwrap_or(Err(DockerError::Timeout { doing: "wait for a container", after: limit }))
    }

    async fn image(&self, reference: &str) -> Result<Option<SeenImage>> {
        self.call("image", |c| Ok(c.engine.image(reference).cloned())).await
    }

    async fn pull(&self, reference: &str) -> Result<()> {
        self.call("pull", |c| c.engine.pull(reference)).await
    }

    async fn volume(&self, name: &str) -> Result<Option<SeenVolume>> {
        self.call("volume", |c| Ok(c.engine.volume(name))).await
    }

    async fn volumes(&self, labels: &[(&str, &str)]) -> Result<Vec<SeenVolume>> {
        self.call("volumes", |c| Ok(c.engine.volumes(labels))).await
    }

    async fn create_volume(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<SeenVolume> {
        self.call("create_volume", |c| Ok(c.engine.create_volume(name, labels))).await
    }

    async fn remove_volume(&self, name: &str) -> Result<()> {
        self.call("remove_volume", |c| c.engine.remove_volume(name)).await
    }

    async fn networks(&self, name: &str) -> Result<Vec<SeenNetwork>> {
        self.call("networks", |c| Ok(c.engine.networks(name))).await
    }

    async fn create_network(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<SeenNetwork> {
        self.call("create_network", |c| c.engine.create_network(name, labels)).await
    }

    async fn remove_network(&self, id: &str) -> Result<()> {
        self.call("remove_network", |c| c.engine.remove_network(id)).await
    }

    async fn connect(&self, network_id: &str, container: &str, aliases: &[String]) -> Result<()> {
        self.call("connect", |c| c.engine.connect(network_id, container, aliases)).await
    }

    async fn disconnect(&self, network_id: &str, container: &str) -> Result<()> {
        self.call("disconnect", |c| c.engine.disconnect(network_id, container)).await
    }

    fn events(&self, since_nano: i64) -> BoxStream<'static, Result<EngineEvent>> {
        // Subscribed under the lock: no event falls between the replay and the stream.
        let begun = self.stream_call("events", |c| (c.engine.replay(since_nano), self.signals.subscribe()));
        let (replay, live) = match begun {
            Ok(begun) => begun,
            Err(e) => return stream::once(async { Err(e) }).boxed(),
        };
        let state: (VecDeque<EngineEvent>, _) = (replay, live);
        stream::unfold(state, |(mut replay, mut live)| async move {
            if let Some(event) = replay.pop_front() {
                return Some((Ok(event), (replay, live)));
            }
            loop {
                match live.recv().await {
                    Ok(Signal::Event(event)) => return Some((Ok(*event), (replay, live))),
                    // The reader was too slow: these are lost.
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Ok(Signal::End) | Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        })
        .boxed()
    }
}
