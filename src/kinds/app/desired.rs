//! What the containers of an application should be. Pure. No secret is in any of it: in the place of one stands a digest.

use super::image::AppImage;
use super::launcher;
use super::world::Env;
use crate::core::desired::{DesiredContainer, Hardening, RestartPolicy, VolumeMount, stable_hash};
use crate::core::identity::Identity;
use crate::core::member::Role;
use crate::kinds::app_spec::{App, AppSpec, Injection};
use crate::workload::hardening::LogWords;
use crate::workload::server::Server;
use std::collections::BTreeMap;

/// What is the same for all applications. They serve where their images say, as the user of their images.
pub static SERVER: Server = Server {
    port: 0,
    user: "",
    shutdown: "as its image says",
    stop_signal: "",
    stop_timeout: STOP,
    log: LogWords { serves: "", of_clients: &[] },
    capabilities: &[],
    keeps_data: false,
};

/// Seconds that it may take to stop: what `docker stop` gives.
const STOP: u32 = 10;
const PIDS: i64 = 4_096;

/// The names of the two containers that an application may have: one serves, the other one is tried beside it.
#[must_use]
pub fn roles() -> [Role; 2] {
    // Both are labels, as a test sees to.
    ["a", "b"].map(|name| Role::parse(name).unwrap_or_default())
}

/// The other one of the two.
#[must_use]
pub fn other(role: &Role) -> Role {
    let [a, b] = roles();
    if *role == a { b } else { a }
}

/// An application, and all that a container of it is made from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Version<'a> {
    pub app: &'a App,
    /// The same as it was written.
    pub written: &'a AppSpec,
    pub image: &'a AppImage,
    pub env: &'a Env,
}

impl Version<'_> {
    /// The container of this member. `tried`: nobody starts it again when it ends.
    #[must_use]
    pub fn container(&self, whole: &Identity, role: &Role, tried: bool) -> DesiredContainer {
        let id = whole.member(role.clone());
        let launched = self.app.injection == Injection::File;
        let hidden = self.env.secret.iter().filter(|_| launched);
        let withheld = hidden.map(|name| (name.clone(), None)).collect();
        // With an entry point of ours the engine leaves those of the image out, CMD too.
        let (entrypoint, command) = if launched {
            let image = if self.app.command.is_empty() { &self.image.work.cmd } else { &self.app.command };
            (launcher::prefix().into_iter().chain(self.image.entrypoint.clone()).collect(), image.clone())
        } else {
            (Vec::new(), self.app.command.clone())
        };
        DesiredContainer {
            name: id.container(),
            image: self.image.work.id.clone(),
            env: self.env.shown.clone(),
            withheld,
            command,
            entrypoint,
            labels: id.labels(),
            mounts: self
                .volumes(whole)
                .into_iter()
                .map(|(path, volume)| VolumeMount { volume, path })
                .collect(),
            network: Some(id.network()),
            // Whichever of the two serves is found by the same name.
            aliases: vec![whole.container()],
            ports: self.app.ports.clone(),
            caps: self.app.caps,
            restart: if tried { RestartPolicy::No } else { RestartPolicy::Always },
            stop_signal: None,
            stop_timeout: Some(STOP),
            hardening: Hardening {
                no_new_privileges: true,
                only_capabilities: None,
                pids_limit: PIDS,
                init: true,
                user: None,
            },
            shm_size: None,
        }
    }

    /// Path → volume: its own, and one for each that the image declares elsewhere.
    #[must_use]
    pub fn volumes(&self, whole: &Identity) -> BTreeMap<String, String> {
        let own = self.app.volumes.iter();
        let own = own.map(|(path, name)| (path.clone(), whole.extra_volume(&format!("/{name}"))));
        let declared =
            self.declared().map(|path| (path.clone(), whole.extra_volume(&format!("/image{path}"))));
        own.chain(declared).collect()
    }

    /// Paths that the image keeps data at, and the application does not say where.
    fn declared(&self) -> impl Iterator<Item = &String> {
        self.image
            .work
            .extra_volumes
            .iter()
            .filter(|path| !self.app.volumes.contains_key(path.trim_end_matches('/')))
    }

    /// Whether two containers of it cannot run at once: both would need the same port, or write to what the image takes for
    /// its own.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        !self.app.ports.is_empty() || self.declared().next().is_some()
    }

    /// By what it is told from other versions: all that another container would have to be made for, and what may make the
    /// same one end well, its caps and its check.
    #[must_use]
    pub fn key(&self, whole: &Identity) -> String {
        let container = self.container(whole, &Role::default(), false);
        let (hashes, check) = (container.group_hashes(), (&self.app.health, self.app.grace));
        stable_hash(&format!(
            "{} {:?} {hashes:?} {:?} {check:?}",
            container.image, container.mounts, container.caps
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_two_members_and_each_is_the_other_ones_other() {
        let [a, b] = roles();
        assert_eq!((a.label(), b.label()), (Some("a"), Some("b")));
        assert_eq!((other(&a), other(&b)), (b, a));
    }
}
