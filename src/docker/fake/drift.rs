//! What the world does to an engine behind Seawall's back. None of these counts as a call or can be made
//! to fail.

use super::{FakeDocker, Signal};
use crate::core::resource::Caps;
use crate::core::seen::{ContainerState, LiveUpdate};
use crate::docker::Result;

/// Names are container names (or ids); errors are `NotFound`.
impl FakeDocker {
    // The engine

    /// Like SIGTERM: every container ends, event streams end, every call fails.
    pub fn stop_engine(&self) {
        self.stop_engine_with(0);
    }

    /// The same of containers that end with this code then.
    pub fn stop_engine_with(&self, code: i64) {
        let mut control = self.lock();
        let running: Vec<String> =
            control.engine.containers.keys().filter(|id| control.engine.is_up(id)).cloned().collect();
        for id in &running {
            control.engine.emit_container(id, "kill", &[("signal", "15")]);
            control.engine.end(id, code);
        }
        self.publish(&mut control);
        control.up = false;
        control.engine.forget_events();
        drop(control);
        self.end_event_streams();
    }

    /// Brings back what its restart policy says: `always` all, also those stopped on purpose;
    /// `unless-stopped` those that were not. A container that was never started stays so.
    pub fn start_engine(&self) {
        let mut control = self.lock();
        control.up = true;
        control.engine.begin();
        let back: Vec<String> = control
            .engine
            .containers
            .values()
            .filter(|c| c.seen.state == ContainerState::Exited)
            .filter(|c| match c.seen.restart_policy.as_str() {
                "always" => true,
                "unless-stopped" => !c.stopped,
                _ => false,
            })
            .map(|c| c.seen.id.clone())
            .collect();
        for id in back {
            // A port that is taken leaves it exited, with the reason in its error.
            let _ = control.engine.start(&id);
            if let Ok(c) = control.engine.get_mut(&id) {
                c.seen.restart_count = 0;
            }
        }
        self.publish(&mut control);
    }

    /// While on, events reach nobody, nor are they kept.
    pub fn drop_events(&self, drop: bool) {
        self.lock().drop_events = drop;
    }

    /// Ends every open event stream, as an engine restart does.
    pub fn end_event_streams(&self) {
        let _ = self.signals.send(Signal::End);
    }

    /// Open event streams stay open and tell nothing more, as when a network drops a connection.
    pub fn mute_event_streams(&self) {
        let _ = self.signals.send(Signal::Mute);
    }

    // By hand and by accident

    /// The container's own process writes a file.
    ///
    /// # Errors
    /// `NotFound`
    pub fn write_file(&self, name: &str, path: &str, content: &[u8]) -> Result<()> {
        self.change(|s| s.write(name, path, content))
    }

    /// Somebody deletes a file in a container, or on its volume.
    ///
    /// # Errors
    /// `NotFound`
    pub fn remove_file(&self, name: &str, path: &str) -> Result<()> {
        self.change(|s| s.remove_file(name, path))
    }

    /// The main process ends by itself; the restart policy is applied.
    ///
    /// # Errors
    /// `NotFound`
    pub fn crash(&self, name: &str, code: i64) -> Result<()> {
        self.change(|s| {
            let id = s.id_of(name)?;
            if !s.is_up(&id) {
                return Ok(());
            }
            s.end(&id, code);
            let again = match s.get(&id)?.seen.restart_policy.as_str() {
                "always" | "unless-stopped" => true,
                "on-failure" => code != 0,
                _ => false,
            };
            // A port lost in between is not tried again.
            if again && s.start(&id).is_ok() {
                s.get_mut(&id)?.seen.restart_count += 1;
            }
            Ok(())
        })
    }

    /// Out of memory: `oom`, then a crash with 137.
    ///
    /// # Errors
    /// `NotFound`
    pub fn oom(&self, name: &str) -> Result<()> {
        self.change(|s| s.id_of(name).map(|id| s.emit_container(&id, "oom", &[])))?;
        self.crash(name, 137)?;
        self.change(|s| s.get_mut(name).map(|c| c.seen.oom_killed = true))
    }

    /// The kernel kills a process that is not the first one for want of memory: `oom`, and the container runs on.
    ///
    /// # Errors
    /// `NotFound`
    pub fn oom_inside(&self, name: &str) -> Result<()> {
        self.change(|s| {
            let id = s.id_of(name)?;
            s.get_mut(&id)?.oom_kills += 1;
            s.emit_container(&id, "oom", &[]);
            Ok(())
        })
    }

    /// In the engine's back-off between two crashes.
    ///
    /// # Errors
    /// `NotFound`
    pub fn crash_loop(&self, name: &str, code: i64) -> Result<()> {
        self.crash(name, code)?;
        self.change(|s| {
            let seen = &mut s.get_mut(name)?.seen;
            seen.state = ContainerState::Restarting;
            seen.exit_code = Some(code);
            Ok(())
        })
    }

    /// `docker kill`: the restart policy is not applied.
    ///
    /// # Errors
    /// `NotFound`
    pub fn drift_kill(&self, name: &str) -> Result<()> {
        self.change(|s| {
            let id = s.id_of(name)?;
            if s.is_up(&id) {
                s.emit_container(&id, "kill", &[("signal", "9")]);
                s.end(&id, 137);
                s.get_mut(&id)?.stopped = true;
            }
            Ok(())
        })
    }

    /// `docker rm -f`
    ///
    /// # Errors
    /// `NotFound`
    pub fn drift_remove(&self, name: &str) -> Result<()> {
        self.change(|s| s.id_of(name).map(|id| s.remove(&id, false)))
    }

    /// `docker update`
    ///
    /// # Errors
    /// `NotFound`, or what the engine refuses.
    pub fn drift_update_caps(&self, name: &str, caps: Caps) -> Result<()> {
        self.change(|s| s.update(name, &LiveUpdate { caps: Some(caps), restart: None }))
    }

    /// `docker update --restart`, with any of the engine's policies.
    ///
    /// # Errors
    /// `NotFound`
    pub fn drift_restart_policy(&self, name: &str, policy: &str) -> Result<()> {
        self.change(|s| {
            policy.clone_into(&mut s.get_mut(name)?.seen.restart_policy);
            s.update(name, &LiveUpdate::default())
        })
    }

    /// `docker rename`
    ///
    /// # Errors
    /// `NotFound`, `NameTaken`
    pub fn drift_rename(&self, name: &str, to: &str) -> Result<()> {
        self.change(|s| s.rename(name, to))
    }

    /// `docker pause`; a container that does not run stays as it is.
    ///
    /// # Errors
    /// `NotFound`
    pub fn drift_pause(&self, name: &str) -> Result<()> {
        self.change(|s| {
            let id = s.id_of(name)?;
            let seen = &mut s.get_mut(&id)?.seen;
            if seen.state == ContainerState::Running {
                seen.state = ContainerState::Paused;
                s.emit_container(&id, "pause", &[]);
            }
            Ok(())
        })
    }

    /// `docker network disconnect NETWORK NAME`, by the network's name.
    ///
    /// # Errors
    /// `NotFound`
    pub fn drift_disconnect(&self, name: &str, network: &str) -> Result<()> {
        self.change(|s| {
            let id = s.get(name)?.seen.endpoint(network).map(|e| e.network_id.clone()).unwrap_or_default();
            s.disconnect(&id, name)
        })
    }

    /// `docker network rm`, by id; only running containers prevent it.
    ///
    /// # Errors
    /// `WrongState`
    pub fn drift_remove_network(&self, id: &str) -> Result<()> {
        self.change(|s| s.remove_network(id))
    }

    /// `docker volume rm`
    ///
    /// # Errors
    /// `WrongState`
    pub fn drift_remove_volume(&self, name: &str) -> Result<()> {
        self.change(|s| s.remove_volume(name))
    }
}
