//! What was seen on the engine, normalised: the sentinels of the API are already turned into words.

use crate::core::desired::PortMap;
use crate::core::pairs::Pairs;
use crate::core::quantity::{Bytes, NanoCpus};
use crate::core::resource::Caps;
use std::collections::{BTreeMap, BTreeSet};

/// A Docker object under our name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot<T> {
    Missing,
    Ours(T),
    /// Without our labels, or with those of another installation's or object's.
    Foreign(String),
}

impl<T> Slot<T> {
    #[must_use]
    pub fn ours(&self) -> Option<&T> {
        match self {
            Slot::Ours(t) => Some(t),
            _ => None,
        }
    }
}

/// The engine and its host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineInfo {
    pub version: String,
    pub api_version: String,
    /// 1 or 2.
    pub cgroup_version: u8,
    pub cpus: u64,
    pub memory: u64,
    /// As images name it: `amd64`, `arm64`.
    pub architecture: String,
    /// Whether the kernel can cap swap.
    pub swap_limit: bool,
    pub lacks: Lacks,
    /// `/var/lib/docker` or wherever the engine keeps its data.
    pub root_dir: String,
    /// The engine's own id; stays the same over its restarts.
    pub id: String,
    /// The engine's clock when it was asked, nanoseconds since 1970; 0 when it did not say.
    pub time_nano: i64,
}

/// What most engines can do and this one says that it cannot. What is asked of it is left out where it would refuse or
/// drop it, so that the rest is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lacks {
    pub memory_limit: bool,
    pub cpu_quota: bool,
    pub pids_limit: bool,
    /// The program that clears away what has ended in a container.
    pub init: bool,
}

impl Lacks {
    /// It can do all of it.
    pub const NONE: Self = Self { memory_limit: false, cpu_quota: false, pids_limit: false, init: false };
}

impl EngineInfo {
    #[must_use]
    pub fn host(&self) -> Host {
        Host { cpus: self.cpus, memory: self.memory }
    }
}

/// What containers share: no cap can be above it. Zero is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host {
    pub cpus: u64,
    pub memory: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContainerState {
    #[default]
    Created,
    Running,
    Paused,
    /// In the engine's own restart back-off.
    Restarting,
    Removing,
    Exited,
    Dead,
}

impl ContainerState {
    const ALL: [Self; 7] = [
        Self::Created,
        Self::Running,
        Self::Paused,
        Self::Restarting,
        Self::Removing,
        Self::Exited,
        Self::Dead,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ContainerState::Created => "created",
            ContainerState::Running => "running",
            ContainerState::Paused => "paused",
            ContainerState::Restarting => "restarting",
            ContainerState::Removing => "removing",
            ContainerState::Exited => "exited",
            ContainerState::Dead => "dead",
        }
    }

    /// `None` for a word no engine we know uses.
    #[must_use]
    pub fn parse(s: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == s)
    }

    /// Whether it has a main process, or will have one again by the engine's own doing.
    #[must_use]
    pub fn is_up(self) -> bool {
        matches!(self, ContainerState::Running | ContainerState::Paused | ContainerState::Restarting)
    }
}

/// One row of the list call: enough to notice that something changed, no limits in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerSummary {
    pub id: String,
    /// Without the leading slash.
    pub name: String,
    pub image_id: String,
    pub labels: Pairs,
    pub state: ContainerState,
    /// Names of attached networks, and the id of its place there, which is another one after each connect.
    pub networks: Pairs,
    /// Host ports published right now.
    pub host_ports: Vec<u16>,
    /// What of the host it mounts: the name of a volume or an absolute path, and `rw` or `ro`.
    pub mounts: Pairs,
}

/// One network a container is attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenEndpoint {
    /// The network's name.
    pub network: String,
    pub network_id: String,
    /// Empty while the container is not running.
    pub ip: String,
    pub aliases: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenMount {
    /// `volume`, `bind` or `tmpfs`.
    pub kind: String,
    /// The volume's name; empty for other mounts.
    pub volume: String,
    pub path: String,
}

/// One inspected container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenContainer {
    pub id: String,
    pub name: String,
    pub image_id: String,
    /// The reference it was created with.
    pub image_ref: String,
    pub labels: Pairs,
    /// What it was created with and what its image brings. Never holds a secret of ours.
    pub env: Pairs,
    pub state: ContainerState,
    pub exit_code: Option<i64>,
    /// Unreliable alone on Docker 20.10 (docker-facts §5).
    pub oom_killed: bool,
    /// Why the engine could not start it; empty when it could.
    pub error: String,
    /// RFC 3339 as the engine gave it; empty when never started.
    pub started_at: String,
    pub finished_at: String,
    pub restart_count: u64,
    /// What inspect says; `None` is no limit. `swap` is extra above memory.
    pub caps: Caps,
    /// `always`, `no`, or another of the engine's words.
    pub restart_policy: String,
    /// Ordered by the networks' names.
    pub networks: Vec<SeenEndpoint>,
    pub mounts: Vec<SeenMount>,
    /// As asked for at create (`HostConfig.PortBindings`).
    pub port_bindings: Vec<PortMap>,
    /// As published right now (`NetworkSettings.Ports`).
    pub published: Vec<PortMap>,
    pub shm_size: Option<Bytes>,
    pub pids_limit: Option<i64>,
    pub init: bool,
    /// Capabilities added; `cap_drop` holds `ALL` on hardened ones.
    pub cap_add: Vec<String>,
    pub cap_drop: Vec<String>,
    pub no_new_privileges: bool,
    /// As asked for at create, else the image's; empty is root.
    pub user: String,
}

impl SeenContainer {
    /// Its place in the network of this name.
    #[must_use]
    pub fn endpoint(&self, network: &str) -> Option<&SeenEndpoint> {
        self.networks.iter().find(|e| e.network == network)
    }

    #[must_use]
    pub fn glance(&self) -> Glance {
        Glance {
            id: self.id.clone(),
            image_id: self.image_id.clone(),
            state: self.state,
            started_at: self.started_at.clone(),
            restart_count: self.restart_count,
            networks: self.networks.iter().map(|e| (e.network.clone(), e.ip.clone())).collect(),
            published: self.published.clone(),
        }
    }
}

/// What is remembered of a container between two looks: enough to tell that it changed and where its
/// server answers, in a tenth of the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glance {
    pub id: String,
    pub image_id: String,
    pub state: ContainerState,
    pub started_at: String,
    pub restart_count: u64,
    /// Name and address, by name; the address is empty while the container is not running.
    pub networks: Vec<(String, String)>,
    pub published: Vec<PortMap>,
}

impl Glance {
    /// Whether the list call shows something else.
    #[must_use]
    pub fn differs(&self, summary: &ContainerSummary) -> bool {
        let networks: BTreeSet<&str> = summary.networks.iter().map(|(name, _)| name).collect();
        let known: BTreeSet<&str> = self.networks.iter().map(|(name, _)| name.as_str()).collect();
        let ports: BTreeSet<u16> = summary.host_ports.iter().copied().collect();
        let published: BTreeSet<u16> = self.published.iter().map(|p| p.host).collect();
        summary.id != self.id
            || summary.state != self.state
            || summary.image_id != self.image_id
            || networks != known
            || ports != published
    }
}

/// Memory and CPU use right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Working set: usage without inactive file pages.
    pub memory: Bytes,
    /// What the kernel would not give back under pressure: usage minus file cache (page cache).
    pub unreclaimable: Bytes,
    /// The limit the kernel enforces; `None` when there is none or the engine does not tell.
    pub memory_limit: Option<Bytes>,
}

/// Bytes that came in (read, received) and went out (written, sent).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Io {
    pub inward: u64,
    pub outward: u64,
}

/// What a container that runs uses, and what it has used since it was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    pub usage: Usage,
    /// When, in nanoseconds since 1970 by the clock of whoever counted.
    pub at_nano: i64,
    /// Nanoseconds of one CPU.
    pub cpu_nano: u64,
    /// On disks. With cgroup v1 the kernel counts what a process itself waits for, not what goes out by the page cache later.
    pub block: Option<Io>,
    pub network: Option<Io>,
    /// Processes that the kernel killed for want of memory, its first one among them; `None`: not told.
    pub oom_kills: Option<u64>,
}

/// A change to a running (or stopped) container, without a re-create.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveUpdate {
    /// `Some`: set exactly these caps, lifting those that are `None` inside.
    pub caps: Option<Caps>,
    pub restart: Option<crate::core::desired::RestartPolicy>,
}

/// One local image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenImage {
    /// `sha256:…`
    pub id: String,
    pub tags: Vec<String>,
    /// `repo@sha256:…`; empty for locally built images.
    pub digests: Vec<String>,
    pub env: Pairs,
    pub labels: Pairs,
    /// Declared by VOLUME.
    pub volumes: Vec<String>,
    pub architecture: String,
    pub user: String,
    pub stop_signal: String,
    /// As in the image: the shell form is `/bin/sh -c …`.
    pub cmd: Vec<String>,
    pub entrypoint: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenVolume {
    pub name: String,
    pub labels: Pairs,
    pub mountpoint: String,
    /// Type and device of its driver options (`none /srv/data`, `nfs :/export`); empty for a plain one.
    pub device: String,
}

/// Bytes of a file system that unprivileged processes can still take, and of all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    pub free: u64,
    pub total: u64,
    /// The kernel lets nobody write to it.
    pub read_only: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenNetwork {
    pub id: String,
    pub name: String,
    pub labels: Pairs,
    pub driver: String,
    pub internal: bool,
    /// RFC 3339; empty where the engine did not say.
    pub created_at: String,
}

/// A hint from the engine's event stream: look at this again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineEvent {
    /// `container`, `volume`, `network`, `image`.
    pub kind: String,
    /// `die`, `start`, `update`, `oom`, …
    pub action: String,
    /// Container id, volume name or network id.
    pub actor: String,
    /// Container labels; empty for volumes and networks (the engine gives none).
    pub labels: Pairs,
    /// Further attributes (`exitCode`, `name`, `container`, …).
    pub attributes: BTreeMap<String, String>,
    /// Nanoseconds since the epoch, to go on from after a reconnect.
    pub time_nano: i64,
}

/// Nothing but a short form for tests and the planner: all CPUs of a host as a cap.
#[must_use]
pub fn all_cpus(engine: &EngineInfo) -> NanoCpus {
    NanoCpus(engine.cpus * 1_000_000_000)
}
