//! What a container should be: the whole of it, as a value.
//!
//! Two things are derived from it: the create request, and a hash for each field group that only a
//! re-create can change. The hashes go into labels, so that a later pass can tell what we asked for
//! from what somebody changed since.

use crate::core::names::label;
use crate::core::quantity::Bytes;
use crate::core::resource::Caps;
use crate::core::variable::Withheld;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A published port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortMap {
    pub container: u16,
    pub host_ip: IpAddr,
    pub host: u16,
}

/// The engine's restart policies that we use (docker-facts: `always` while it should run, `no` before
/// a stop on purpose; `unless-stopped` stays down after an engine crash).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartPolicy {
    No,
    Always,
}

impl RestartPolicy {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RestartPolicy::No => "no",
            RestartPolicy::Always => "always",
        }
    }
}

/// How far the container is locked down. Falls back one step at a time when an image refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hardening {
    pub no_new_privileges: bool,
    /// `Some(list)`: drop ALL and add these. `None`: the engine's default capabilities.
    pub only_capabilities: Option<Vec<String>>,
    pub pids_limit: i64,
    /// A small init as process 1, so that PostgreSQL does not take orphans for crashed children.
    pub init: bool,
    /// Another user than the image's.
    pub user: Option<String>,
}

/// A named volume mounted in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeMount {
    pub volume: String,
    pub path: String,
}

/// Everything needed to create a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredContainer {
    pub name: String,
    /// What to create from: an image id (`sha256:…`) or a reference.
    pub image: String,
    /// Never holds a secret: it goes into labels, as a hash, and may be shown.
    pub env: BTreeMap<String, String>,
    /// What stands in the place of variables of these names when the container is made, and nowhere else: `env` has a digest.
    /// `None`: it is no variable of the container, which finds it in another way.
    pub withheld: BTreeMap<String, Option<Withheld>>,
    /// Replaces the image's command; empty keeps it.
    pub command: Vec<String>,
    /// Replaces the image's entrypoint; empty keeps it.
    pub entrypoint: Vec<String>,
    /// Identity labels; the hash labels are added by [`DesiredContainer::all_labels`].
    pub labels: BTreeMap<String, String>,
    /// The volume of the data first; the rest are what the image keeps elsewhere.
    pub mounts: Vec<VolumeMount>,
    /// The user-defined network; `None` is no network at all.
    pub network: Option<String>,
    /// Extra names on that network beside the container's own.
    pub aliases: Vec<String>,
    pub ports: Vec<PortMap>,
    pub caps: Caps,
    pub restart: RestartPolicy,
    pub stop_signal: Option<String>,
    /// Seconds.
    pub stop_timeout: Option<u32>,
    pub hardening: Hardening,
    /// `/dev/shm`; fixed at create.
    pub shm_size: Option<Bytes>,
}

/// FNV-1a, 64 bit: stable between builds and platforms, which `std`'s hasher does not promise.
#[must_use]
pub fn stable_hash(text: &str) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in text.bytes() {
        hash ^= u64::from(byte);
        hash = hash.wrapping_mul(0x0100_0000_01b3);
    }
    format!("{hash:016x}")
}

impl DesiredContainer {
    /// Its variables as the container gets them.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.env.iter().filter_map(|(name, value)| match self.withheld.get(name) {
            None => Some((name.as_str(), value.as_str())),
            Some(withheld) => Some((name.as_str(), withheld.as_ref()?.expose())),
        })
    }

    /// Field group → hash of what only a re-create can change. Caps, restart policy and network
    /// membership are not in it: they change live and are compared with the live container.
    #[must_use]
    pub fn group_hashes(&self) -> BTreeMap<&'static str, String> {
        let env: Vec<String> = self.env.iter().map(|(k, v)| format!("{k}={v}")).collect();
        // The others are compared with the live container: one that was made before they had names has
        // them all the same.
        let mounts: Vec<String> =
            self.mounts.iter().take(1).map(|m| format!("{}:{}", m.volume, m.path)).collect();
        let ports: Vec<String> =
            self.ports.iter().map(|p| format!("{}:{}:{}", p.host_ip, p.host, p.container)).collect();
        let hard = &self.hardening;
        BTreeMap::from([
            (
                "process",
                stable_hash(&format!(
                    "{env:?} {:?} {:?} {:?} {:?}",
                    self.entrypoint, self.command, self.stop_signal, self.stop_timeout
                )),
            ),
            ("mounts", stable_hash(&format!("{mounts:?}"))),
            ("ports", stable_hash(&format!("{ports:?}"))),
            (
                "security",
                stable_hash(&format!(
                    "{} {:?} {} {}{}",
                    hard.no_new_privileges,
                    hard.only_capabilities,
                    hard.pids_limit,
                    hard.init,
                    // Nothing where there is none: as it was before there could be one.
                    hard.user.as_ref().map(|user| format!(" {user:?}")).unwrap_or_default()
                )),
            ),
        ])
    }

    /// Identity labels, the host port and one hash label per field group.
    #[must_use]
    pub fn all_labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.labels.clone();
        if let Some(port) = self.ports.first() {
            labels.insert(label::HOST_PORT.to_owned(), port.host.to_string());
        }
        for (group, hash) in self.group_hashes() {
            labels.insert(format!("{}{group}", label::HASH_PREFIX), hash);
        }
        labels
    }
}
