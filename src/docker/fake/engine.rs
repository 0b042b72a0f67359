//! The state of the fake engine and what calls on containers do to it. Synchronous, and infallible
//! but for what the real engine refuses. Only listing calls look at more than their own object.

mod objects;

use crate::core::desired::DesiredContainer;
use crate::core::quantity::{Bytes, NanoCpus};
use crate::core::resource::Caps;
use crate::core::seen::{
    ContainerState, ContainerSummary, EngineEvent, EngineInfo, LiveUpdate, SeenContainer, SeenEndpoint,
    SeenImage, SeenMount, SeenNetwork, SeenVolume, Usage, all_cpus,
};
use crate::docker::{DockerError, FileToPut, Result};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What the real engine keeps for replay.
const REPLAY: usize = 256;
/// The smallest memory limit the engine takes.
const MIN_MEMORY: u64 = 6 << 20;
/// 2027-01-15, in nanoseconds: any fixed time will do.
const EPOCH: i64 = 1_800_000_000_000_000_000;

pub(super) struct Container {
    pub seen: SeenContainer,
    pub files: BTreeMap<String, FileToPut>,
    pub logs: Vec<String>,
    pub usage: Usage,
    /// Stopped on purpose: `unless-stopped` does not bring it back.
    pub stopped: bool,
}

#[derive(Default)]
pub(super) struct Volume {
    seen: Option<SeenVolume>,
    files: BTreeMap<String, FileToPut>,
    users: BTreeSet<String>,
}

pub(super) struct State {
    pub info: EngineInfo,
    pub containers: BTreeMap<String, Container>,
    names: BTreeMap<String, String>,
    volumes: BTreeMap<String, Volume>,
    networks: BTreeMap<String, SeenNetwork>,
    /// Network id → containers running in it.
    attached: BTreeMap<String, BTreeSet<String>>,
    images: BTreeMap<String, SeenImage>,
    image_files: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
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

fn carries(have: &BTreeMap<String, String>, want: &[(&str, &str)]) -> bool {
    want.iter().all(|(k, v)| have.get(*k).is_some_and(|h| h == v))
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
                root_dir: "/var/lib/docker".into(),
                id: "fake".into(),
            },
            containers: BTreeMap::new(),
            names: BTreeMap::new(),
            volumes: BTreeMap::new(),
            networks: BTreeMap::new(),
            attached: BTreeMap::new(),
            images: BTreeMap::new(),
            image_files: BTreeMap::new(),
            references: BTreeMap::new(),
            remote: BTreeMap::new(),
            ports: BTreeMap::new(),
            counter: 0,
            clock: EPOCH,
            fresh: Vec::new(),
            history: VecDeque::new(),
        }
    }

    /// 64 hex digits, the counter first so that no id begins with another's twelve.
    fn next_id(&mut self) -> String {
        self.counter += 1;
        format!("{:012x}{:052x}", self.counter, self.counter)
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

    fn emit(
        &mut self,
        kind: &str,
        action: &str,
        actor: &str,
        labels: &BTreeMap<String, String>,
        more: &[(&str, &str)],
    ) {
        let (labels, mut attributes): (BTreeMap<_, _>, BTreeMap<_, _>) =
            labels.clone().into_iter().partition(|(k, _)| k.starts_with("seawall.dev/"));
        attributes.extend(more.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        let event = EngineEvent {
            kind: kind.into(),
            action: action.into(),
            actor: actor.into(),
            labels,
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

    pub fn forget_events(&mut self) {
        self.history.clear();
    }

    // Containers

    /// By id or name.
    pub fn id_of(&self, id: &str) -> Result<String> {
        if self.containers.contains_key(id) {
            return Ok(id.to_owned());
        }
        self.names.get(id).cloned().ok_or_else(|| no_container(id))
    }

    pub fn get(&self, id: &str) -> Result<&Container> {
        let id = self.id_of(id)?;
        self.containers.get(&id).ok_or_else(|| no_container(&id))
    }

    pub fn get_mut(&mut self, id: &str) -> Result<&mut Container> {
        let id = self.id_of(id)?;
        self.containers.get_mut(&id).ok_or_else(|| no_container(&id))
    }

    pub fn list(&self, labels: &[(&str, &str)]) -> Vec<ContainerSummary> {
        let in_order = self.names.values().filter_map(|id| self.containers.get(id));
        in_order
            .filter(|c| carries(&c.seen.labels, labels))
            .map(|Container { seen, .. }| ContainerSummary {
                id: seen.id.clone(),
                name: seen.name.clone(),
                image_id: seen.image_id.clone(),
                labels: seen.labels.clone(),
                state: seen.state,
                networks: seen.networks.keys().cloned().collect(),
                host_ports: seen
                    .published
                    .iter()
                    .map(|p| p.host)
                    .collect::<BTreeSet<_>>()
                    .into_iter()
                    .collect(),
            })
            .collect()
    }

    pub fn inspect(&self, id: &str) -> Option<SeenContainer> {
        self.get(id).ok().map(|c| c.seen.clone())
    }

    fn check_caps(&self, doing: &'static str, caps: &Caps) -> Result<()> {
        if caps.memory.is_some_and(|m| m.0 < MIN_MEMORY) {
            return Err(refused(doing, 400, "Minimum memory limit allowed is 6MB".into()));
        }
        let all = all_cpus(&self.info);
        if caps.cpus.is_some_and(|c| c > all) {
            let n = self.info.cpus;
            let detail =
                format!("range of CPUs is from 0.01 to {n}.00, as there are only {n} CPUs available");
            return Err(refused(doing, 400, detail));
        }
        Ok(())
    }

    /// As inspect tells caps back: all CPUs are no cap, swap needs memory.
    fn normal(&self, caps: Caps) -> Caps {
        Caps {
            memory: caps.memory,
            swap: caps.swap.filter(|s| caps.memory.is_some() && s.0 > 0),
            cpus: caps.cpus.filter(|c| *c < all_cpus(&self.info) && *c > NanoCpus(0)),
        }
    }

    pub fn create(&mut self, d: &DesiredContainer) -> Result<String> {
        let Some((image_id, mut labels, mut env)) =
            self.image(&d.image).map(|i| (i.id.clone(), i.labels.clone(), i.env.clone()))
        else {
            return Err(DockerError::ImageMissing { reference: d.image.clone() });
        };
        self.check_caps("create a container", &d.caps)?;
        if let Some(by) = self.names.get(&d.name) {
            let detail =
                format!("The container name \"/{}\" is already in use by container \"{by}\"", d.name);
            return Err(DockerError::NameTaken { name: d.name.clone(), detail });
        }
        let id = self.next_id();
        for mount in &d.mounts {
            // As the engine does: a volume that is not there is made, without labels.
            self.create_volume(&mount.volume, &BTreeMap::new());
            self.volumes.entry(mount.volume.clone()).or_default().users.insert(id.clone());
        }
        let sorted =
            |list: &[String]| list.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>();
        let mut mounts: Vec<SeenMount> = d
            .mounts
            .iter()
            .map(|m| SeenMount { kind: "volume".into(), volume: m.volume.clone(), path: m.path.clone() })
            .collect();
        mounts.sort_by(|a, b| a.path.cmp(&b.path));
        let endpoint =
            SeenEndpoint { network_id: String::new(), ip: String::new(), aliases: sorted(&d.aliases) };
        let mut port_bindings = d.ports.clone();
        port_bindings.sort_unstable();
        // A container has its image's labels too.
        labels.extend(d.all_labels());
        env.extend(d.env.clone());
        let hard = &d.hardening;
        let seen = SeenContainer {
            id: id.clone(),
            name: d.name.clone(),
            image_id,
            image_ref: d.image.clone(),
            labels,
            env,
            state: ContainerState::Created,
            exit_code: None,
            oom_killed: false,
            error: String::new(),
            started_at: String::new(),
            finished_at: String::new(),
            restart_count: 0,
            caps: self.normal(d.caps),
            restart_policy: d.restart.as_str().into(),
            networks: BTreeMap::from([(d.network.clone().unwrap_or_else(|| "none".into()), endpoint)]),
            mounts,
            port_bindings,
            published: Vec::new(),
            shm_size: Some(d.shm_size.unwrap_or(Bytes(64 << 20))),
            pids_limit: Some(hard.pids_limit).filter(|n| *n > 0),
            init: hard.init,
            cap_add: hard.only_capabilities.as_deref().map(sorted).unwrap_or_default(),
            cap_drop: hard.only_capabilities.iter().map(|_| "ALL".to_owned()).collect(),
            no_new_privileges: hard.no_new_privileges,
        };
        self.insert(seen);
        self.emit_container(&id, "create", &[]);
        Ok(id)
    }

    pub fn insert(&mut self, seen: SeenContainer) {
        let usage = Usage { memory: Bytes(32 << 20), unreclaimable: Bytes(16 << 20), memory_limit: None };
        self.names.insert(seen.name.clone(), seen.id.clone());
        let container = Container { files: BTreeMap::new(), logs: Vec::new(), usage, stopped: false, seen };
        self.containers.insert(container.seen.id.clone(), container);
    }

    pub fn new_id(&mut self) -> String {
        self.next_id()
    }

    /// `false` when it ran already.
    pub fn start(&mut self, id: &str) -> Result<bool> {
        let id = self.id_of(id)?;
        let seen = &self.get(&id)?.seen;
        // A restarting container counts as running: 304.
        if matches!(seen.state, ContainerState::Running | ContainerState::Restarting) {
            return Ok(false);
        }
        if seen.state == ContainerState::Paused {
            return Err(wrong_state(&id, "cannot start a paused container, try unpause instead"));
        }
        if let Err(error) = self.occupy(&id) {
            let detail = match &error {
                DockerError::PortTaken { detail } | DockerError::Refused { detail, .. } => detail.clone(),
                other => other.to_string(),
            };
            let seen = &mut self.get_mut(&id)?.seen;
            seen.error = detail;
            seen.exit_code = Some(128);
            return Err(error);
        }
        let now = self.now_text();
        let c = self.get_mut(&id)?;
        c.stopped = false;
        c.seen.state = ContainerState::Running;
        c.seen.exit_code = None;
        c.seen.oom_killed = false;
        c.seen.error.clear();
        c.seen.started_at = now;
        c.seen.published.clone_from(&c.seen.port_bindings);
        self.emit_container(&id, "start", &[]);
        Ok(true)
    }

    /// Takes networks and ports, or nothing.
    fn occupy(&mut self, id: &str) -> Result<()> {
        let seen = self.get(id)?.seen.clone();
        let mut bound = BTreeMap::new();
        for (name, endpoint) in &seen.networks {
            if name == "none" {
                continue;
            }
            // Bound by id at the first start, for ever.
            let network = if endpoint.network_id.is_empty() {
                self.networks(name).into_iter().next().map(|n| n.id)
            } else {
                Some(endpoint.network_id.clone()).filter(|n| self.networks.contains_key(n))
            };
            let Some(network) = network else {
                let lost = if endpoint.network_id.is_empty() { name } else { &endpoint.network_id };
                return Err(refused("start a container", 404, format!("network {lost} not found")));
            };
            bound.insert(name.clone(), network);
        }
        for port in &seen.port_bindings {
            match self.ports.get(&port.host) {
                Some(by) if by.is_empty() => {
                    let detail = format!("listen tcp4 0.0.0.0:{}: bind: address already in use", port.host);
                    return Err(DockerError::PortTaken { detail });
                }
                Some(by) if by != id => {
                    let detail = format!("Bind for 0.0.0.0:{} failed: port is already allocated", port.host);
                    return Err(DockerError::PortTaken { detail });
                }
                _ => {}
            }
        }
        for port in &seen.port_bindings {
            self.ports.insert(port.host, id.to_owned());
        }
        for (name, network) in bound {
            self.attach(id, &name, &network)?;
        }
        Ok(())
    }

    fn attach(&mut self, id: &str, name: &str, network: &str) -> Result<()> {
        let here = self.attached.entry(network.to_owned()).or_default();
        here.insert(id.to_owned());
        let n = here.len() + 1;
        if let Some(endpoint) = self.get_mut(id)?.seen.networks.get_mut(name) {
            network.clone_into(&mut endpoint.network_id);
            endpoint.ip = format!("172.18.{}.{}", n / 250, n % 250 + 1);
        }
        Ok(())
    }

    /// Gives back what a running container holds.
    fn release(&mut self, id: &str) {
        let Some(c) = self.containers.get_mut(id) else { return };
        for port in std::mem::take(&mut c.seen.published) {
            self.ports.remove(&port.host);
        }
        for endpoint in c.seen.networks.values_mut() {
            endpoint.ip.clear();
            if let Some(here) = self.attached.get_mut(&endpoint.network_id) {
                here.remove(id);
            }
        }
    }

    /// The main process ends; no restart policy is applied.
    pub fn end(&mut self, id: &str, code: i64) {
        let now = self.now_text();
        self.release(id);
        let Some(c) = self.containers.get_mut(id) else { return };
        c.seen.state = ContainerState::Exited;
        c.seen.exit_code = Some(code);
        c.seen.finished_at = now;
        self.emit_container(id, "die", &[("exitCode", &code.to_string())]);
    }

    pub fn is_up(&self, id: &str) -> bool {
        self.containers.get(id).is_some_and(|c| c.seen.state.is_up())
    }

    pub fn stop(&mut self, id: &str) -> Result<()> {
        let id = self.id_of(id)?;
        if self.is_up(&id) {
            self.emit_container(&id, "kill", &[("signal", "15")]);
            self.end(&id, 0);
            self.get_mut(&id)?.stopped = true;
            self.emit_container(&id, "stop", &[]);
        }
        Ok(())
    }

    /// Gone already is fine.
    pub fn remove(&mut self, id: &str) {
        let Ok(id) = self.id_of(id) else { return };
        if self.is_up(&id) {
            self.emit_container(&id, "kill", &[("signal", "9")]);
            self.end(&id, 137);
        }
        self.emit_container(&id, "destroy", &[]);
        if let Some(c) = self.containers.remove(&id) {
            self.names.remove(&c.seen.name);
            for mount in &c.seen.mounts {
                if let Some(volume) = self.volumes.get_mut(&mount.volume) {
                    volume.users.remove(&id);
                }
            }
        }
    }

    pub fn update(&mut self, id: &str, change: &LiveUpdate) -> Result<()> {
        let id = self.id_of(id)?;
        if let Some(caps) = &change.caps {
            self.check_caps("update a container", caps)?;
            let c = self.get(&id)?;
            let too_low = caps.memory.is_some_and(|m| m < c.usage.unreclaimable);
            if too_low && self.is_up(&id) {
                // cgroup v1 refuses; on v2 the engine says yes and the kernel kills.
                if self.info.cgroup_version == 1 {
                    let detail = format!("unable to set memory limit (current usage: {})", c.usage.memory.0);
                    return Err(DockerError::MemoryInUse { detail });
                }
                self.emit_container(&id, "oom", &[]);
                self.end(&id, 137);
                self.get_mut(&id)?.seen.oom_killed = true;
            }
            let caps = self.normal(*caps);
            self.get_mut(&id)?.seen.caps = caps;
        }
        if let Some(policy) = change.restart {
            policy.as_str().clone_into(&mut self.get_mut(&id)?.seen.restart_policy);
        }
        self.emit_container(&id, "update", &[]);
        Ok(())
    }

    pub fn rename(&mut self, id: &str, name: &str) -> Result<()> {
        let id = self.id_of(id)?;
        if let Some(by) = self.names.get(name) {
            let detail =
                format!("Error when allocating new name: Conflict. \"/{name}\" is in use by \"{by}\"");
            return Err(DockerError::NameTaken { name: name.to_owned(), detail });
        }
        let old = std::mem::replace(&mut self.get_mut(&id)?.seen.name, name.to_owned());
        self.names.remove(&old);
        self.names.insert(name.to_owned(), id.clone());
        self.emit_container(&id, "rename", &[("oldName", &format!("/{old}"))]);
        Ok(())
    }

    pub fn usage(&self, id: &str) -> Result<Option<Usage>> {
        let c = self.get(id)?;
        let usage = Usage { memory_limit: c.seen.caps.memory, ..c.usage };
        Ok((c.seen.state == ContainerState::Running).then_some(usage))
    }

    pub fn exec(&mut self, id: &str, argv: &[String]) -> Result<SeenContainer> {
        let id = self.id_of(id)?;
        let seen = self.get(&id)?.seen.clone();
        if seen.state != ContainerState::Running {
            return Err(wrong_state(&id, &format!("container {id} is not running")));
        }
        let shown = argv.join(" ");
        self.emit_container(&id, &format!("exec_create: {shown}"), &[]);
        self.emit_container(&id, &format!("exec_start: {shown}"), &[]);
        self.emit_container(&id, "exec_die", &[]);
        Ok(seen)
    }

    pub fn logs(&self, id: &str) -> Result<&[String]> {
        Ok(&self.get(id)?.logs)
    }
}
