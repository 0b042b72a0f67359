//! Containers as processes: started, ended, removed, and what they hold while they run: ports and places
//! in networks.

use super::{State, refused, wrong_state};
use crate::core::seen::{ContainerState, SeenContainer};
use crate::docker::{DockerError, Result};
use std::collections::BTreeMap;

impl State {
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
        (c.cpu_nano, c.oom_kills) = (0, 0);
        c.seen.error.clear();
        c.seen.started_at = now;
        c.seen.published.clone_from(&c.seen.port_bindings);
        self.emit_container(&id, "start", &[]);
        Ok(true)
    }

    pub fn unpause(&mut self, id: &str) -> Result<()> {
        let id = self.id_of(id)?;
        let seen = &mut self.get_mut(&id)?.seen;
        if seen.state == ContainerState::Paused {
            seen.state = ContainerState::Running;
            self.emit_container(&id, "unpause", &[]);
        }
        Ok(())
    }

    /// Takes networks and ports, or nothing.
    fn occupy(&mut self, id: &str) -> Result<()> {
        let seen = self.get(id)?.seen.clone();
        let mut bound = BTreeMap::new();
        for endpoint in seen.networks.iter().filter(|e| e.network != "none") {
            let name = &endpoint.network;
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

    pub(super) fn attach(&mut self, id: &str, name: &str, network: &str) -> Result<()> {
        let here = self.attached.entry(network.to_owned()).or_default();
        here.insert(id.to_owned());
        let n = here.len() + 1;
        if let Some(endpoint) = self.get_mut(id)?.seen.networks.iter_mut().find(|e| e.network == name) {
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
        for endpoint in &mut c.seen.networks {
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

    /// Gone already is fine. With `volumes`, those without a name go, too.
    pub fn remove(&mut self, id: &str, volumes: bool) {
        let Ok(id) = self.id_of(id) else { return };
        if self.is_up(&id) {
            self.emit_container(&id, "kill", &[("signal", "9")]);
            self.end(&id, 137);
        }
        self.emit_container(&id, "destroy", &[]);
        if let Some(c) = self.containers.remove(&id) {
            self.names.remove(&c.seen.name);
            for mount in &c.seen.mounts {
                let Some(volume) = self.volumes.get_mut(&mount.volume) else { continue };
                volume.users.retain(|user| *user != id);
                if volumes && volume.users.is_empty() && anonymous(&mount.volume) {
                    self.volumes.remove(&mount.volume);
                }
            }
        }
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
}

/// Volumes that nobody named are called by 64 hex digits.
fn anonymous(volume: &str) -> bool {
    volume.len() == 64 && volume.bytes().all(|b| b.is_ascii_hexdigit())
}
