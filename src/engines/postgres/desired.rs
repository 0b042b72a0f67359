//! What the container of a Postgres should be. Pure and infallible: `check` and `facts` have already
//! turned everything into legal values.

use super::check::Checked;
use super::command::command;
use super::facts::ImageFacts;
use super::ownership::PROBE_PREFIX;
use super::parameters;
use super::record::Memory;
use crate::core::desired::{DesiredContainer, Hardening, PortMap, RestartPolicy, VolumeMount};
use crate::core::identity::Identity;
use crate::core::names::{Installation, label};
use crate::core::quantity::Bytes;
use crate::core::resource::Caps;
use crate::core::text::shown;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// PostgreSQL's port inside every container.
pub const PORT: u16 = 5432;
/// The official image's contract: read at start, before initdb.
pub const PASSWORD_FILE: &str = "/etc/seawall/password";
/// Seconds for a fast shutdown: a checkpoint of a busy server takes its time.
pub const STOP_TIMEOUT: u32 = 120;

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
    identity: &Identity,
    spec: &Checked,
    image: &ImageFacts,
    memory: &Memory,
    port: Option<u16>,
) -> DesiredContainer {
    let database = memory.init_database.as_ref().unwrap_or(&spec.database);
    DesiredContainer {
        name: identity.container(),
        image: image.id.clone(),
        env: BTreeMap::from([
            ("POSTGRES_USER".to_owned(), memory.owner(&spec.username).to_owned()),
            ("POSTGRES_DB".to_owned(), database.clone()),
            ("POSTGRES_PASSWORD_FILE".to_owned(), PASSWORD_FILE.to_owned()),
            ("PGDATA".to_owned(), image.pgdata.clone()),
        ]),
        command: command(&image.cmd, &image.pgdata, &spec.parameters).argv,
        entrypoint: Vec::new(),
        labels: identity.labels(),
        mounts: mounts(identity, image, memory),
        network: Some(identity.network()),
        aliases: Vec::new(),
        ports: port
            .map(|host| PortMap { container: PORT, host_ip: IpAddr::V4(Ipv4Addr::LOCALHOST), host })
            .into_iter()
            .collect(),
        caps: spec.caps,
        restart: RestartPolicy::Always,
        stop_signal: Some("SIGINT".to_owned()),
        stop_timeout: Some(STOP_TIMEOUT),
        hardening: memory.profile().hardening(),
        shm_size: Some(shm_size(&spec.caps)),
    }
}

/// The data's volume, then all that belongs to the object besides. The engine sorts them by path, so that
/// one may lie inside another.
fn mounts(identity: &Identity, image: &ImageFacts, memory: &Memory) -> Vec<VolumeMount> {
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

/// What of the image's CMD is not in force, each with its reason, fit to be shown.
#[must_use]
pub fn not_kept(spec: &Checked, image: &ImageFacts) -> Vec<String> {
    let all = command(&image.cmd, &image.pgdata, &spec.parameters).not_kept;
    all.iter().map(|text| shown(text, 200)).collect()
}

/// The text of the parameter file for this spec on this image.
#[must_use]
pub fn parameter_file(identity: &Identity, spec: &Checked, image: &ImageFacts) -> String {
    parameters::file(&parameters::FileInput {
        object: &identity.object.to_string(),
        base: command(&image.cmd, &image.pgdata, &spec.parameters)
            .base
            .unwrap_or_else(|| format!("{}/postgresql.conf", image.pgdata)),
        major: image.major,
        managed: image.managed,
        parameters: &spec.parameters,
    })
}
