//! The state of the fake engine, its ids, times and events. Synchronous, and infallible but for what the
//! real engine refuses. Only listing calls look at more than their own object.

mod containers;
mod objects;
mod running;

use crate::core::pairs::Pairs;
use crate::core::seen::{
    EngineEvent, EngineInfo, Lacks, SeenContainer, SeenImage, SeenNetwork, SeenVolume, Usage,
};
use crate::docker::{DockerError, FileToPut};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What the real engine keeps for replay.
const REPLAY: usize = 256;
/// 2027-01-15, in nanoseconds: any fixed time will do.
const EPOCH: i64 = 1_800_000_000_000_000_000;

pub(super) struct Container {
    pub seen: SeenContainer,
    pub files: Files,
    pub logs: Vec<String>,
    pub usage: Usage,
    /// CPU time since the start, in nanoseconds.
    pub cpu_nano: u64,
    /// Processes killed for want of memory since the start.
    pub oom_kills: u64,
    /// Stopped on purpose: `unless-stopped` does not bring it back.
    pub stopped: bool,
    /// What somebody else's container mounts, as the list call shows it.
    pub mounts: Pairs,
}

#[derive(Default)]
pub(super) struct Volume {
    seen: Option<SeenVolume>,
    files: Files,
    users: Vec<String>,
}

/// A few files by path. Lists here and boxes below, as benches have ten thousand containers.
#[derive(Default)]
pub(super) struct Files(Vec<FileToPut>);

impl Files {
    fn put(&mut self, file: &FileToPut) {
        self.0.retain(|old| old.path != file.path);
        self.0.reserve_exact(1);
        self.0.push(file.clone());
    }

    fn remove(&mut self, path: &str) {
        self.0.retain(|file| file.path != path);
    }

    fn get(&self, path: &str) -> Option<&FileToPut> {
        self.0.iter().find(|file| file.path == path)
    }
}

#[derive(Default)]
pub(super) struct State {
    pub info: EngineInfo,
    pub containers: BTreeMap<String, Box<Container>>,
    names: BTreeMap<String, String>,
    volumes: BTreeMap<String, Volume>,
    networks: BTreeMap<String, SeenNetwork>,
    /// Its own, which it makes at each start.
    bridge: Option<SeenNetwork>,
    /// Network id → containers running in it.
    attached: BTreeMap<String, BTreeSet<String>>,
    images: BTreeMap<String, SeenImage>,
    image_files: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    /// Container id → symbolic links in it, by path, and where they lead.
    links: BTreeMap<String, BTreeMap<String, String>>,
    /// References and ids → id.
    references: BTreeMap<String, String>,
    remote: BTreeMap<String, SeenImage>,
    /// Host port → container, or "" for a process outside Docker.
    ports: BTreeMap<u16, String>,
    counter: u64,
    clock: i64,
    fresh: Vec<EngineEvent>,
    history: VecDeque<EngineEvent>,
}

fn no_container(id: &str) -> DockerError {
    DockerError::NotFound { what: format!("container {id}") }
}

fn wrong_state(what: &str, detail: &str) -> DockerError {
    DockerError::WrongState { what: format!("container {what}"), detail: detail.to_owned() }
}

fn refused(doing: &'static str, status: u16, detail: String) -> DockerError {
    DockerError::Refused { doing, status, detail }
}

fn carries(have: &Pairs, want: &[(&str, &str)]) -> bool {
    want.iter().all(|(k, v)| have.get(k) == Some(*v))
}

impl State {
    pub fn new() -> Self {
        Self {
            info: EngineInfo {
                version: "28.5.2".into(),
                api_version: "1.51".into(),
                cgroup_version: 2,
                cpus: 4,
                memory: 16 << 30,
                architecture: "amd64".into(),
                swap_limit: true,
                lacks: Lacks::default(),
                root_dir: "/var/lib/docker".into(),
                id: "fake".into(),
                time_nano: 0,
            },
            clock: EPOCH,
            ..Self::default()
        }
    }

    /// 64 hex digits, the counter first so that no id begins with another's twelve.
    pub fn next_id(&mut self) -> String {
        self.counter += 1;
        format!("{:012x}{:052x}", self.counter, self.counter)
    }

    /// Later than every event so far.
    pub fn time(&self) -> i64 {
        self.clock + 1
    }

    fn now(&mut self) -> i64 {
        self.clock += 1_000_000;
        self.clock
    }

    fn now_text(&mut self) -> String {
        let now = self.now();
        jiff::Timestamp::from_nanosecond(i128::from(now)).map(|t| t.to_string()).unwrap_or_default()
    }

    // Events

    fn emit(&mut self, kind: &str, action: &str, actor: &str, labels: &Pairs, more: &[(&str, &str)]) {
        let (labels, others): (Vec<_>, Vec<_>) =
            labels.iter().partition(|(k, _)| k.starts_with("seawall.dev/"));
        let others = others.iter().chain(more);
        let attributes = others.map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let event = EngineEvent {
            kind: kind.into(),
            action: action.into(),
            actor: actor.into(),
            labels: labels.into_iter().collect(),
            attributes,
            time_nano: self.now(),
        };
        if self.history.len() == REPLAY {
            self.history.pop_front();
        }
        self.history.push_back(event.clone());
        self.fresh.push(event);
    }

    pub fn emit_container(&mut self, id: &str, action: &str, more: &[(&str, &str)]) {
        let Some(c) = self.containers.get(id) else { return };
        let (labels, name, image) = (c.seen.labels.clone(), c.seen.name.clone(), c.seen.image_ref.clone());
        let mut attributes = vec![("name", name.as_str()), ("image", image.as_str())];
        attributes.extend_from_slice(more);
        self.emit("container", action, id, &labels, &attributes);
    }

    pub fn take_events(&mut self) -> Vec<EngineEvent> {
        std::mem::take(&mut self.fresh)
    }

    pub fn replay(&self, since: i64) -> VecDeque<EngineEvent> {
        if since == 0 {
            return VecDeque::new();
        }
        self.history.iter().filter(|e| e.time_nano >= since).cloned().collect()
    }

    pub fn forget_last_events(&mut self, count: usize) {
        self.history.truncate(self.history.len().saturating_sub(count));
    }

    pub fn forget_events(&mut self) {
        self.history.clear();
    }
}
