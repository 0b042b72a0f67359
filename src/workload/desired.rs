//! What a container should be, whatever runs in it. Pure and infallible: everything has been turned into legal values
//! before.

use super::image::Image;
use super::ownership::PROBE_PREFIX;
use super::{Case, Memory};
use crate::core::desired::{DesiredContainer, Hardening, PortMap, RestartPolicy, VolumeMount};
use crate::core::identity::Identity;
use crate::core::names::{Installation, label};
use crate::core::quantity::Bytes;
use crate::core::resource::Caps;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// How a kind's server is started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    pub env: BTreeMap<String, String>,
    pub command: Vec<String>,
}

/// `/dev/shm` from the memory cap: a quarter, between 64 MiB and 1 GiB; 256 MiB without a cap. It is
/// fixed at create and therefore not part of what forces a re-create.
#[must_use]
pub fn shm_size(caps: &Caps) -> Bytes {
    match caps.memory {
        None => Bytes(256 * Bytes::MI),
        Some(memory) => Bytes((memory.0 / 4).clamp(64 * Bytes::MI, Bytes::GI)),
    }
}

/// A throw-away container that only looks into an image or a volume: no network, no rights, labelled so
/// that a left-over is removed. It is made to be read from; started, it ends at once.
#[must_use]
pub fn looker(installation: &Installation, store: &str, name: &str, image: &str) -> DesiredContainer {
    DesiredContainer {
        name: format!("{PROBE_PREFIX}{name}"),
        image: image.to_owned(),
        env: BTreeMap::new(),
        withheld: BTreeMap::new(),
        command: Vec::new(),
        entrypoint: vec!["true".to_owned()],
        labels: BTreeMap::from([
            (label::INSTALLATION.to_owned(), installation.to_string()),
            (label::STORE.to_owned(), store.to_owned()),
            (label::PROBE.to_owned(), name.to_owned()),
        ]),
        mounts: Vec::new(),
        network: None,
        aliases: Vec::new(),
        ports: Vec::new(),
        caps: Caps::default(),
        restart: RestartPolicy::No,
        stop_signal: None,
        stop_timeout: None,
        hardening: Hardening {
            no_new_privileges: true,
            only_capabilities: Some(Vec::new()),
            pids_limit: 64,
            init: false,
            user: None,
        },
        shm_size: None,
    }
}

/// The container that should exist. `port` is the reserved host port, `None` when unpublished.
#[must_use]
pub fn container(
    case: &Case<'_>,
    image: &Image,
    memory: &Memory,
    port: Option<u16>,
    process: &Process,
) -> DesiredContainer {
    let (identity, spec, server) = (case.identity, case.spec, case.server);
    DesiredContainer {
        name: identity.container(),
        image: image.id.clone(),
        env: process.env.clone(),
        withheld: BTreeMap::new(),
        command: process.command.clone(),
        entrypoint: Vec::new(),
        labels: identity.labels(),
        mounts: mounts(identity, image, memory),
        network: Some(identity.network()),
        aliases: Vec::new(),
        ports: port
            .map(|host| PortMap { container: server.port, host_ip: IpAddr::V4(Ipv4Addr::LOCALHOST), host })
            .into_iter()
            .collect(),
        caps: spec.caps,
        restart: RestartPolicy::Always,
        stop_signal: Some(server.stop_signal.to_owned()),
        stop_timeout: Some(server.stop_timeout),
        hardening: memory.profile().hardening(server.user, server.capabilities),
        shm_size: Some(shm_size(&spec.caps)),
    }
}

/// The data's volume, then all that belongs to the object besides. The engine sorts them by path, so that
/// one may lie inside another.
fn mounts(identity: &Identity, image: &Image, memory: &Memory) -> Vec<VolumeMount> {
    let data = VolumeMount { volume: identity.volume(), path: image.mount_path.clone() };
    let mut extra = memory.volumes.clone();
    for path in &image.extra_volumes {
        extra.entry(path.clone()).or_insert_with(|| identity.extra_volume(path));
    }
    // A later image may have its data where an earlier one had something else.
    extra.remove(&image.mount_path);
    let extra = extra.into_iter().map(|(path, volume)| VolumeMount { volume, path });
    std::iter::once(data).chain(extra).collect()
}
