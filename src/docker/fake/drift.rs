//! What the world does to an engine behind Seawall's back, and what tests read off it. None of these
//! counts as a call or can be made to fail.

use super::{ExecScript, FakeDocker, Fault, METHODS, READS, Signal, StartScript, What, When};
use crate::core::resource::Caps;
use crate::core::seen::{
    ContainerState, EngineInfo, LiveUpdate, SeenContainer, SeenImage, SeenNetwork, SeenVolume, Usage,
};
use crate::docker::{FileToPut, Result};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Names are container names (or ids); errors are `NotFound`.
impl FakeDocker {
    // The engine

    pub fn set_info(&self, info: EngineInfo) {
        self.change(|s| s.info = info);
    }

    /// Like SIGTERM: every container ends, event streams end, every call fails.
    pub fn stop_engine(&self) {
        let mut control = self.lock();
        let running: Vec<String> =
            control.engine.containers.keys().filter(|id| control.engine.is_up(id)).cloned().collect();
        for id in &running {
            control.engine.end(id, 0);
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

    /// While on, events reach nobody.
    pub fn drop_events(&self, drop: bool) {
        self.lock().drop_events = drop;
    }

    /// Ends every open event stream, as an engine restart does.
    pub fn end_event_streams(&self) {
        let _ = self.signals.send(Signal::End);
    }

    // Failures

    /// Adds a failure; several for one method come in the order given.
    pub fn inject(&self, fault: Fault) {
        self.inject_after(0, fault);
    }

    /// As [`FakeDocker::inject`], once `skip` calls of the method went well.
    pub fn inject_after(&self, skip: usize, fault: Fault) {
        debug_assert!(METHODS.contains(&fault.method), "no method {}", fault.method);
        self.lock().faults.push((skip, fault));
    }

    /// Failures that have not come yet.
    #[must_use]
    pub fn faults_left(&self) -> usize {
        self.lock().faults.len()
    }

    /// The next `times` calls of `method` give no answer.
    pub fn hang(&self, method: &'static str, times: usize) {
        self.inject(Fault { method, when: When::Before, what: What::Hang, times });
    }

    pub fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    /// How long a hanging call takes to end as a timeout; 10 s unless told.
    pub fn set_hang_limit(&self, limit: Duration) {
        self.lock().hang_limit = limit;
    }

    // Counts

    /// Method → calls so far, failed ones too.
    #[must_use]
    pub fn call_log(&self) -> BTreeMap<&'static str, u64> {
        self.lock().calls.clone()
    }

    /// Calls so far of methods that write.
    #[must_use]
    pub fn writes(&self) -> u64 {
        let control = self.lock();
        METHODS.iter().skip(READS).filter_map(|m| control.calls.get(m)).sum()
    }

    pub fn reset_calls(&self) {
        self.lock().calls.clear();
    }

    // Scripts

    /// Answers every exec; without it each ends with 0 and no output.
    pub fn on_exec(
        &self,
        script: impl Fn(&SeenContainer, &crate::docker::ExecRequest) -> Result<crate::docker::ExecResult>
        + Send
        + Sync
        + 'static,
    ) {
        let script: ExecScript = Arc::new(script);
        self.lock().exec = Some(script);
    }

    /// Decides for every started container whether it ends at once, and with which code.
    pub fn on_start(&self, script: impl Fn(&SeenContainer) -> Option<i64> + Send + Sync + 'static) {
        let script: StartScript = Arc::new(script);
        self.lock().on_start = Some(script);
    }

    /// # Errors
    /// `NotFound`
    pub fn set_logs(&self, name: &str, lines: Vec<String>) -> Result<()> {
        self.change(|s| s.get_mut(name).map(|c| c.logs = lines))
    }

    /// # Errors
    /// `NotFound`
    pub fn set_usage(&self, name: &str, usage: Usage) -> Result<()> {
        self.change(|s| s.get_mut(name).map(|c| c.usage = usage))
    }

    // Things there already

    pub fn add_image(&self, image: SeenImage) {
        self.change(|s| s.add_image(image));
    }

    /// An image that a pull finds.
    pub fn add_remote_image(&self, image: SeenImage) {
        self.change(|s| s.add_remote_image(image));
    }

    pub fn remove_image(&self, reference: &str) {
        self.change(|s| s.remove_image(reference));
    }

    /// A file that every container of this image has. The image must be there.
    pub fn add_image_file(&self, image: &str, path: &str, content: &[u8]) {
        self.change(|s| s.add_image_file(image, path, content));
    }

    /// Somebody else's running container; gives its id.
    pub fn add_foreign_container(&self, name: &str) -> String {
        self.change(|s| {
            let id = s.new_id();
            s.insert(SeenContainer {
                id: id.clone(),
                name: name.to_owned(),
                image_id: "sha256:foreign".to_owned(),
                image_ref: "foreign".to_owned(),
                labels: BTreeMap::new(),
                env: BTreeMap::new(),
                state: ContainerState::Running,
                exit_code: None,
                oom_killed: false,
                error: String::new(),
                started_at: String::new(),
                finished_at: String::new(),
                restart_count: 0,
                caps: Caps::default(),
                restart_policy: "no".to_owned(),
                networks: BTreeMap::new(),
                mounts: Vec::new(),
                port_bindings: Vec::new(),
                published: Vec::new(),
                shm_size: None,
                pids_limit: None,
                init: false,
                cap_add: Vec::new(),
                cap_drop: Vec::new(),
                no_new_privileges: false,
            });
            id
        })
    }

    /// Somebody else's volume, without labels.
    pub fn add_foreign_volume(&self, name: &str) -> SeenVolume {
        self.change(|s| s.create_volume(name, &BTreeMap::new()))
    }

    /// A network, also a second one of a name that is there (as Docker 20.10 allows).
    pub fn add_network(&self, name: &str, labels: &BTreeMap<String, String>) -> SeenNetwork {
        self.change(|s| s.add_network(name, labels))
    }

    /// A process outside Docker listens there.
    pub fn hold_port(&self, port: u16) {
        self.change(|s| s.hold_port(port));
    }

    pub fn free_port(&self, port: u16) {
        self.change(|s| s.free_port(port));
    }

    // Reading

    /// The container as inspect shows it.
    #[must_use]
    pub fn seen(&self, name: &str) -> Option<SeenContainer> {
        self.lock().engine.inspect(name)
    }

    /// Names of all containers, volumes and networks there are.
    #[must_use]
    pub fn inventory(&self) -> Vec<String> {
        self.lock().engine.inventory()
    }

    /// Ids of all networks of a name.
    #[must_use]
    pub fn network_ids(&self, name: &str) -> Vec<String> {
        self.lock().engine.networks(name).into_iter().map(|n| n.id).collect()
    }

    /// One environment variable of a local image.
    #[must_use]
    pub fn image_env(&self, reference: &str, name: &str) -> Option<String> {
        self.lock().engine.image(reference)?.env.get(name).cloned()
    }

    /// A file as it was put, with owner and mode.
    ///
    /// # Errors
    /// `NotFound`
    pub fn file(&self, name: &str, path: &str) -> Result<Option<FileToPut>> {
        self.lock().engine.laid(name, path)
    }

    // Accidents and hands

    /// The container's own process writes a file.
    ///
    /// # Errors
    /// `NotFound`
    pub fn write_file(&self, name: &str, path: &str, content: &[u8]) -> Result<()> {
        self.change(|s| s.write(name, path, content))
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
        self.change(|s| s.id_of(name).map(|id| s.remove(&id)))
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
            let id =
                s.get(name)?.seen.networks.get(network).map(|e| e.network_id.clone()).unwrap_or_default();
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
