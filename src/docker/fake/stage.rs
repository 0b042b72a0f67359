//! What a test sets up before and reads off afterwards. None of these counts as a call or can be made to
//! fail.

use super::{ExecScript, FakeDocker, WRITES};
use crate::core::seen::{
    ContainerState, EngineInfo, SeenContainer, SeenImage, SeenNetwork, SeenVolume, Space, Usage,
};
use crate::docker::{ExecRequest, ExecResult, FileToPut, Result};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Names are container names (or ids); errors are `NotFound`.
impl FakeDocker {
    pub fn set_info(&self, info: EngineInfo) {
        self.change(|s| s.info = info);
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
        WRITES.iter().filter_map(|m| control.calls.get(m)).sum()
    }

    pub fn reset_calls(&self) {
        self.lock().calls.clear();
    }

    // Scripts

    /// Answers every exec; without it each ends with 0 and no output.
    pub fn on_exec(
        &self,
        script: impl Fn(&SeenContainer, &ExecRequest) -> Result<ExecResult> + Send + Sync + 'static,
    ) {
        let script: ExecScript = Arc::new(script);
        self.lock().exec = Some(script);
    }

    /// Decides for every started container whether it ends at once, and with which code. The script that was
    /// given last is asked first.
    pub fn on_start(&self, script: impl Fn(&SeenContainer) -> Option<i64> + Send + Sync + 'static) {
        self.lock().on_start.insert(0, Arc::new(script));
    }

    /// What is left on the one disk of this engine; `None`: nobody can see it.
    pub fn set_space(&self, space: Option<Space>) {
        self.lock().space = space;
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

    /// What it has used of CPUs since it was started, in nanoseconds.
    ///
    /// # Errors
    /// `NotFound`
    pub fn set_cpu(&self, name: &str, nano: u64) -> Result<()> {
        self.change(|s| s.get_mut(name).map(|c| c.cpu_nano = nano))
    }

    /// Somebody stops these processes of a container; none: lets them go on.
    pub fn stop_processes(&self, id: &str, names: &[&str]) {
        self.lock().stopped.insert(id.to_owned(), names.iter().map(|name| (*name).to_owned()).collect());
    }

    /// Its volumes are mounted read-only in this container, or not, from now on.
    pub fn set_read_only(&self, id: &str, read_only: bool) {
        self.lock().read_only.insert(id.to_owned(), read_only);
    }

    /// The kernel shows containers to us, as where the engine is on this machine.
    pub fn show_cgroups(&self) {
        self.lock().cgroups = true;
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

    /// The same file is not in it any more; containers that are there have none either.
    pub fn remove_image_file(&self, image: &str, path: &str) {
        self.change(|s| s.remove_image_file(image, path));
    }

    /// An image gets all files of another one. Both must be there.
    pub fn copy_image_files(&self, of: &str, image: &str) {
        self.change(|s| s.copy_image_files(of, image));
    }

    /// A symbolic link in a container; `to` is where it leads in the end.
    ///
    /// # Errors
    /// `NotFound`
    pub fn add_link(&self, name: &str, path: &str, to: &str) -> Result<()> {
        self.change(|s| s.add_link(name, path, to))
    }

    /// Somebody else's running container; gives its id.
    pub fn add_foreign_container(&self, name: &str) -> String {
        self.change(|s| {
            let id = s.next_id();
            s.insert(SeenContainer {
                id: id.clone(),
                name: name.to_owned(),
                image_id: "sha256:foreign".to_owned(),
                image_ref: "foreign".to_owned(),
                state: ContainerState::Running,
                restart_policy: "no".to_owned(),
                ..SeenContainer::default()
            });
            id
        })
    }

    /// Starts somebody else's container with these mounts: the name of a volume or a path of the host, and `rw` or `ro`.
    ///
    /// # Errors
    /// `NotFound`
    pub fn set_mounts(&self, name: &str, mounts: &[(&str, &str)]) -> Result<()> {
        self.change(|s| {
            let id = s.id_of(name)?;
            s.get_mut(&id)?.mounts = mounts.iter().copied().collect();
            s.emit_container(&id, "start", &[]);
            Ok(())
        })
    }

    /// A container made by hand, with these labels, from this image; gives its id. It runs.
    pub fn add_copy(&self, name: &str, of: &str, image: &str) -> String {
        self.change(|s| {
            let id = s.next_id();
            let seen = s.inspect(of).unwrap_or_default();
            s.insert(SeenContainer {
                id: id.clone(),
                name: name.to_owned(),
                image_id: image.to_owned(),
                mounts: Vec::new(),
                networks: Vec::new(),
                published: Vec::new(),
                port_bindings: Vec::new(),
                state: ContainerState::Running,
                ..seen
            });
            s.emit_container(&id, "start", &[]);
            id
        })
    }

    /// # Errors
    /// `NotFound`
    pub fn relabel<'a>(&self, name: &str, labels: impl Iterator<Item = (&'a str, &'a str)>) -> Result<()> {
        self.change(|s| s.get_mut(name).map(|c| c.seen.labels = labels.collect()))
    }

    /// The driver options of a volume: type and device.
    pub fn set_device(&self, volume: &str, device: &str) {
        self.change(|s| s.set_device(volume, device));
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

    /// A file as it was put, with owner and mode.
    ///
    /// # Errors
    /// `NotFound`
    pub fn file(&self, name: &str, path: &str) -> Result<Option<FileToPut>> {
        self.lock().engine.laid(name, path)
    }
}
