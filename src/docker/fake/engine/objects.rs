//! The fake engine's files, images, volumes, networks and ports.

use super::{State, carries, refused};
use crate::core::pairs::Pairs;
use crate::core::seen::{SeenContainer, SeenEndpoint, SeenImage, SeenMount, SeenNetwork, SeenVolume};
use crate::docker::{DockerError, FileToPut, Result};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

impl State {
    // Files

    /// The volume that a path of a container lies in.
    fn volume_at(seen: &SeenContainer, path: &str) -> Option<String> {
        let below = |m: &&SeenMount| path.strip_prefix(&m.path).is_some_and(|rest| rest.starts_with('/'));
        seen.mounts.iter().filter(below).max_by_key(|m| m.path.len()).map(|m| m.volume.clone())
    }

    pub fn put_files(&mut self, id: &str, files: &[FileToPut]) -> Result<()> {
        let id = self.id_of(id)?;
        for file in files {
            let volume = Self::volume_at(&self.get(&id)?.seen, &file.path);
            let into = match volume {
                Some(volume) => &mut self.volumes.entry(volume).or_default().files,
                None => &mut self.get_mut(&id)?.files,
            };
            into.put(file);
        }
        Ok(())
    }

    pub fn laid(&self, id: &str, path: &str) -> Result<Option<FileToPut>> {
        let c = self.get(id)?;
        let from = match Self::volume_at(&c.seen, path) {
            Some(volume) => self.volumes.get(&volume).map(|v| &v.files),
            None => Some(&c.files),
        };
        Ok(from.and_then(|files| files.get(path)).cloned())
    }

    pub fn file(&self, id: &str, path: &str) -> Result<Option<Vec<u8>>> {
        if let Some(file) = self.laid(id, path)? {
            return Ok(Some(file.content.to_vec()));
        }
        let of_image = self.image_files.get(&self.get(id)?.seen.image_id);
        Ok(of_image.and_then(|files| files.get(path)).cloned())
    }

    pub fn write(&mut self, id: &str, path: &str, content: &[u8]) -> Result<()> {
        let content = Zeroizing::new(content.to_vec());
        self.put_files(id, &[FileToPut { path: path.into(), mode: 0o644, uid: 0, gid: 0, content }])
    }

    pub fn remove_file(&mut self, id: &str, path: &str) -> Result<()> {
        let id = self.id_of(id)?;
        let files = match Self::volume_at(&self.get(&id)?.seen, path) {
            Some(volume) => &mut self.volumes.entry(volume).or_default().files,
            None => &mut self.get_mut(&id)?.files,
        };
        files.remove(path);
        Ok(())
    }

    pub fn links_of(&self, id: &str) -> Result<Option<&BTreeMap<String, String>>> {
        Ok(self.links.get(&self.id_of(id)?))
    }

    pub fn add_link(&mut self, id: &str, path: &str, to: &str) -> Result<()> {
        let id = self.id_of(id)?;
        self.links.entry(id).or_default().insert(path.to_owned(), to.to_owned());
        Ok(())
    }

    pub fn add_image_file(&mut self, image: &str, path: &str, content: &[u8]) {
        if let Some(id) = self.references.get(image) {
            self.image_files.entry(id.clone()).or_default().insert(path.into(), content.to_vec());
        }
    }

    pub fn remove_image_file(&mut self, image: &str, path: &str) {
        if let Some(files) = self.references.get(image).and_then(|id| self.image_files.get_mut(id)) {
            files.remove(path);
        }
    }

    pub fn copy_image_files(&mut self, of: &str, image: &str) {
        if let (Some(of), Some(image)) = (self.references.get(of), self.references.get(image)) {
            let files = self.image_files.get(of).cloned().unwrap_or_default();
            self.image_files.insert(image.clone(), files);
        }
    }

    pub fn inventory(&self) -> Vec<String> {
        let networks = self.networks.values().map(|n| &n.name);
        self.names.keys().chain(self.volumes.keys()).chain(networks).cloned().collect()
    }

    // Images

    pub fn add_image(&mut self, image: SeenImage) {
        for reference in image.tags.iter().chain(&image.digests).chain([&image.id]) {
            self.references.insert(reference.clone(), image.id.clone());
        }
        self.images.insert(image.id.clone(), image);
    }

    pub fn remove_image(&mut self, reference: &str) {
        if let Some(id) = self.references.remove(reference) {
            self.references.retain(|_, to| *to != id);
            self.images.remove(&id);
        }
    }

    pub fn add_remote_image(&mut self, image: SeenImage) {
        for tag in &image.tags {
            self.remote.insert(tag.clone(), image.clone());
        }
    }

    pub fn image(&self, reference: &str) -> Option<&SeenImage> {
        self.references.get(reference).and_then(|id| self.images.get(id))
    }

    pub fn pull(&mut self, reference: &str) -> Result<()> {
        let Some(image) = self.remote.get(reference).cloned() else {
            return Err(refused("pull an image", 404, format!("pull access denied for {reference}")));
        };
        self.add_image(image);
        self.emit("image", "pull", reference, &Pairs::default(), &[]);
        Ok(())
    }

    // Volumes

    pub fn volume(&self, name: &str) -> Option<SeenVolume> {
        self.volumes.get(name).and_then(|v| v.seen.clone())
    }

    pub fn volumes(&self, labels: &[(&str, &str)]) -> Vec<SeenVolume> {
        self.volumes.values().filter_map(|v| v.seen.clone()).filter(|v| carries(&v.labels, labels)).collect()
    }

    /// An existing one comes back with its old labels.
    pub fn create_volume(&mut self, name: &str, labels: &BTreeMap<String, String>) -> SeenVolume {
        if let Some(seen) = self.volume(name) {
            return seen;
        }
        let mountpoint = format!("{}/volumes/{name}/_data", self.info.root_dir);
        let seen =
            SeenVolume { name: name.to_owned(), labels: labels.into(), mountpoint, device: String::new() };
        self.volumes.entry(name.to_owned()).or_default().seen = Some(seen.clone());
        self.emit("volume", "create", name, &Pairs::default(), &[]);
        seen
    }

    pub fn set_device(&mut self, name: &str, device: &str) {
        if let Some(seen) = self.volumes.get_mut(name).and_then(|v| v.seen.as_mut()) {
            device.clone_into(&mut seen.device);
        }
    }

    pub fn remove_volume(&mut self, name: &str) -> Result<()> {
        let Some(volume) = self.volumes.get(name) else { return Ok(()) };
        if !volume.users.is_empty() {
            let detail = format!("remove {name}: volume is in use - {:?}", volume.users);
            return Err(DockerError::WrongState { what: format!("volume {name}"), detail });
        }
        self.volumes.remove(name);
        self.emit("volume", "destroy", name, &Pairs::default(), &[]);
        Ok(())
    }

    // Networks

    pub fn networks(&self, name: &str) -> Vec<SeenNetwork> {
        self.networks.values().chain(&self.bridge).filter(|n| n.name == name).cloned().collect()
    }

    /// The engine starts once more.
    pub fn begin(&mut self) {
        let (name, created_at) = ("bridge".to_owned(), self.now_text());
        self.bridge = Some(SeenNetwork { id: name.clone(), name, created_at, ..SeenNetwork::default() });
    }

    pub fn create_network(&mut self, name: &str, labels: &BTreeMap<String, String>) -> Result<SeenNetwork> {
        if !self.networks(name).is_empty() {
            let detail = format!("network with name {name} already exists");
            return Err(DockerError::NameTaken { name: name.to_owned(), detail });
        }
        // When it was made, only a list tells.
        Ok(SeenNetwork { created_at: String::new(), ..self.add_network(name, labels) })
    }

    /// Also a second one of the same name.
    pub fn add_network(&mut self, name: &str, labels: &BTreeMap<String, String>) -> SeenNetwork {
        let created_at = self.now_text();
        let seen = SeenNetwork {
            created_at,
            id: self.next_id(),
            name: name.to_owned(),
            labels: labels.into(),
            driver: "bridge".into(),
            internal: false,
        };
        self.networks.insert(seen.id.clone(), seen.clone());
        self.emit("network", "create", &seen.id, &Pairs::default(), &[("name", name)]);
        seen
    }

    /// Only running containers hold a network.
    pub fn remove_network(&mut self, id: &str) -> Result<()> {
        if self.attached.get(id).is_some_and(|here| !here.is_empty()) {
            let detail = format!("network {id} has active endpoints");
            return Err(DockerError::WrongState { what: format!("network {id}"), detail });
        }
        if self.networks.remove(id).is_some() {
            self.attached.remove(id);
            self.emit("network", "destroy", id, &Pairs::default(), &[]);
        }
        Ok(())
    }

    fn network_name(&self, id: &str) -> Result<String> {
        let found = self.networks.get(id).map(|n| n.name.clone());
        found.ok_or_else(|| DockerError::NotFound { what: format!("network {id}") })
    }

    pub fn connect(&mut self, network: &str, container: &str, aliases: &[String]) -> Result<()> {
        let id = self.id_of(container)?;
        let up = self.is_up(&id);
        let (name, known) = match self.network_name(network) {
            Ok(name) => (name, network.to_owned()),
            // A container that does not run is put off until its start.
            Err(_) if !up => (network.to_owned(), String::new()),
            Err(e) => return Err(e),
        };
        let seen = &mut self.get_mut(&id)?.seen;
        if up && seen.endpoint("none").is_some() {
            let detail =
                "container cannot be connected to multiple networks with one of them in private (none) mode";
            return Err(refused("connect a container to a network", 400, detail.into()));
        }
        if seen.endpoint(&name).is_some() {
            let detail = format!("endpoint with name {} already exists in network {name}", seen.name);
            return Err(DockerError::WrongState { what: format!("network {network}"), detail });
        }
        let mut aliases = aliases.to_vec();
        aliases.sort();
        seen.networks.retain(|e| e.network != "none");
        seen.networks.push(SeenEndpoint {
            network: name.clone(),
            network_id: known,
            ip: String::new(),
            aliases,
        });
        seen.networks.sort_by(|a, b| a.network.cmp(&b.network));
        if up {
            self.attach(&id, &name, network)?;
        }
        self.emit("network", "connect", network, &Pairs::default(), &[("container", &id), ("name", &name)]);
        Ok(())
    }

    pub fn disconnect(&mut self, network: &str, container: &str) -> Result<()> {
        let id = self.id_of(container)?;
        let name = self.network_name(network)?;
        let seen = &mut self.get_mut(&id)?.seen;
        if seen.endpoint(&name).is_none() {
            let detail = format!("container {id} is not connected to network {name}");
            return Err(DockerError::WrongState { what: format!("network {network}"), detail });
        }
        seen.networks.retain(|e| e.network != name);
        // Ports are published through the network.
        let ports = if seen.networks.is_empty() { std::mem::take(&mut seen.published) } else { Vec::new() };
        for port in ports {
            self.ports.remove(&port.host);
        }
        if let Some(here) = self.attached.get_mut(network) {
            here.remove(&id);
        }
        self.emit(
            "network",
            "disconnect",
            network,
            &Pairs::default(),
            &[("container", &id), ("name", &name)],
        );
        Ok(())
    }

    // Ports

    pub fn hold_port(&mut self, port: u16) {
        self.ports.insert(port, String::new());
    }

    pub fn free_port(&mut self, port: u16) {
        if self.ports.get(&port).is_some_and(String::is_empty) {
            self.ports.remove(&port);
        }
    }
}
