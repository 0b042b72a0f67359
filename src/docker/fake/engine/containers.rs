//! Containers as things: made, found, changed, renamed. What runs in them is in `running.rs`.

use super::{Container, Files, State, carries, no_container, refused};
use crate::core::desired::{DesiredContainer, VolumeMount};
use crate::core::pairs::Pairs;
use crate::core::quantity::{Bytes, NanoCpus};
use crate::core::resource::Caps;
use crate::core::seen::{
    ContainerState, ContainerSummary, Io, LiveUpdate, Sample, SeenContainer, SeenEndpoint, SeenMount, Usage,
    all_cpus,
};
use crate::docker::{DockerError, Result};
use std::collections::{BTreeMap, BTreeSet};

/// The smallest memory limit the engine takes.
const MIN_MEMORY: u64 = 6 << 20;

impl State {
    /// By id or name.
    pub fn id_of(&self, id: &str) -> Result<String> {
        if self.containers.contains_key(id) {
            return Ok(id.to_owned());
        }
        self.names.get(id).cloned().ok_or_else(|| no_container(id))
    }

    pub fn get(&self, id: &str) -> Result<&Container> {
        let id = self.id_of(id)?;
        self.containers.get(&id).map(AsRef::as_ref).ok_or_else(|| no_container(&id))
    }

    pub fn get_mut(&mut self, id: &str) -> Result<&mut Container> {
        let id = self.id_of(id)?;
        self.containers.get_mut(&id).map(AsMut::as_mut).ok_or_else(|| no_container(&id))
    }

    pub fn list(&self, labels: &[(&str, &str)]) -> Vec<ContainerSummary> {
        let in_order = self.names.values().filter_map(|id| self.containers.get(id));
        in_order
            .filter(|c| carries(&c.seen.labels, labels))
            .map(|c| (&c.seen, &c.mounts))
            .map(|(seen, more)| ContainerSummary {
                id: seen.id.clone(),
                name: seen.name.clone(),
                image_id: seen.image_id.clone(),
                labels: seen.labels.clone(),
                state: seen.state,
                networks: seen
                    .networks
                    .iter()
                    .map(|e| (e.network.as_str(), format!("{} {}", seen.id, e.aliases.join(" "))))
                    .collect(),
                host_ports: seen
                    .published
                    .iter()
                    .map(|p| p.host)
                    .collect::<BTreeSet<_>>()
                    .into_iter()
                    .collect(),
                mounts: seen.mounts.iter().map(|m| (m.volume.as_str(), "rw")).chain(more.iter()).collect(),
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
        let lacks = self.info.lacks;
        let memory = caps.memory.filter(|_| !lacks.memory_limit);
        let cpus = caps.cpus.filter(|_| !lacks.cpu_quota);
        Caps {
            memory,
            swap: caps.swap.filter(|s| memory.is_some() && s.0 > 0),
            cpus: cpus.filter(|c| *c < all_cpus(&self.info) && *c > NanoCpus(0)),
        }
    }

    pub fn create(&mut self, d: &DesiredContainer) -> Result<String> {
        let Some(image) = self.image(&d.image).cloned() else {
            return Err(DockerError::ImageMissing { reference: d.image.clone() });
        };
        self.check_caps("create a container", &d.caps)?;
        if let Some(by) = self.names.get(&d.name) {
            let detail =
                format!("The container name \"/{}\" is already in use by container \"{by}\"", d.name);
            return Err(DockerError::NameTaken { name: d.name.clone(), detail });
        }
        let id = self.next_id();
        // What the image declares and nobody mounts is a volume without a name.
        let declared = image.volumes.iter().filter(|path| !d.mounts.iter().any(|m| m.path == **path));
        let unnamed: Vec<VolumeMount> = declared
            .cloned()
            .map(|path| (path, self.next_id()))
            .map(|(path, volume)| VolumeMount { volume, path })
            .collect();
        let all: Vec<&VolumeMount> = d.mounts.iter().chain(&unnamed).collect();
        for mount in &all {
            // As the engine does: a volume that is not there is made, without labels.
            self.create_volume(&mount.volume, &BTreeMap::new());
            self.volumes.entry(mount.volume.clone()).or_default().users.push(id.clone());
        }
        let sorted =
            |list: &[String]| list.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>();
        let mut mounts: Vec<SeenMount> = all
            .iter()
            .map(|m| SeenMount { kind: "volume".into(), volume: m.volume.clone(), path: m.path.clone() })
            .collect();
        mounts.sort_by(|a, b| a.path.cmp(&b.path));
        let endpoint = SeenEndpoint {
            network: d.network.clone().unwrap_or_else(|| "none".into()),
            network_id: String::new(),
            ip: String::new(),
            aliases: sorted(&d.aliases),
        };
        let mut port_bindings = d.ports.clone();
        port_bindings.sort_unstable();
        // A container has its image's labels too.
        let own_labels = Pairs::from(&d.all_labels());
        let own_env: Pairs = d.variables().collect();
        let hard = &d.hardening;
        let seen = SeenContainer {
            id: id.clone(),
            name: d.name.clone(),
            image_id: image.id,
            image_ref: d.image.clone(),
            labels: image.labels.iter().chain(own_labels.iter()).collect(),
            env: image.env.iter().chain(own_env.iter()).collect(),
            state: ContainerState::Created,
            exit_code: None,
            oom_killed: false,
            error: String::new(),
            started_at: String::new(),
            finished_at: String::new(),
            restart_count: 0,
            caps: self.normal(d.caps),
            restart_policy: d.restart.as_str().into(),
            networks: vec![endpoint],
            mounts,
            port_bindings,
            published: Vec::new(),
            shm_size: Some(d.shm_size.unwrap_or(Bytes(64 << 20))),
            pids_limit: Some(hard.pids_limit).filter(|n| *n > 0 && !self.info.lacks.pids_limit),
            init: hard.init && !self.info.lacks.init,
            cap_add: hard.only_capabilities.as_deref().map(sorted).unwrap_or_default(),
            cap_drop: hard.only_capabilities.iter().map(|_| "ALL".to_owned()).collect(),
            no_new_privileges: hard.no_new_privileges,
            user: hard.user.clone().unwrap_or(image.user),
        };
        self.insert(seen);
        self.emit_container(&id, "create", &[]);
        Ok(id)
    }

    pub fn insert(&mut self, seen: SeenContainer) {
        let usage = Usage { memory: Bytes(32 << 20), unreclaimable: Bytes(16 << 20), memory_limit: None };
        self.names.insert(seen.name.clone(), seen.id.clone());
        let container = Container {
            files: Files::default(),
            logs: Vec::new(),
            usage,
            cpu_nano: 0,
            oom_kills: 0,
            stopped: false,
            mounts: Pairs::default(),
            seen,
        };
        self.containers.insert(container.seen.id.clone(), Box::new(container));
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

    /// A second passes with each.
    pub fn sample(&mut self, id: &str) -> Result<Option<Sample>> {
        self.clock += 1_000_000_000;
        let at_nano = self.now();
        let Some(usage) = self.usage(id)? else { return Ok(None) };
        let c = self.get(id)?;
        let (block, network) = (Some(Io::default()), Some(Io::default()));
        let (cpu_nano, oom_kills) = (c.cpu_nano, Some(c.oom_kills));
        Ok(Some(Sample { usage, at_nano, cpu_nano, block, network, oom_kills }))
    }

    pub fn logs(&self, id: &str) -> Result<&[String]> {
        Ok(&self.get(id)?.logs)
    }
}
