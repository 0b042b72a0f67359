//! The body of a Postgres' `status`: what was seen, in the form people and scripts read.

use super::desired::{PORT, not_kept};
use super::disk::roughly;
use super::plan::{Subject, caps_in_sync, image_to_run};
use super::world::{ImageSeen, Server, World};
use crate::core::resource::Caps;
use crate::core::text::shown;
use crate::core::will::Wanted;
use serde::{Deserialize, Serialize};

/// Later issues add fields; none is ever renamed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    pub container: Option<ContainerStatus>,
    pub image: Option<ImageStatus>,
    pub endpoint: Option<Endpoint>,
    pub server: Option<ServerStatus>,
    pub volume: Option<VolumeStatus>,
    pub resources: Option<ResourcesStatus>,
    pub credentials: Option<CredentialsStatus>,
    pub hardening: Option<String>,
    /// RFC 3339: when the data are deleted, unless the manifest comes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_at: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerStatus {
    pub name: String,
    pub id: String,
    pub state: String,
    pub started_at: Option<String>,
    pub restart_count: u64,
    pub oom_killed: bool,
    pub exit_code: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageStatus {
    pub reference: String,
    pub id: String,
    pub digest: Option<String>,
    pub major: u32,
    pub managed: bool,
    pub capabilities: Vec<String>,
    /// What of the image's CMD is not in force, with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command_not_kept: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// The name on the installation's network.
    pub host: String,
    pub port: u16,
    #[serde(rename = "hostIP")]
    pub host_ip: Option<String>,
    pub host_port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerStatus {
    pub version: String,
    pub system_identifier: String,
    pub data_directory: String,
    pub started_at: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeStatus {
    pub name: String,
    pub mount_path: Option<String>,
    /// Of the disk under it, roughly; missing where it cannot be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_size: Option<String>,
    /// What the image keeps outside of it, each in a volume of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra: Vec<ExtraVolumeStatus>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtraVolumeStatus {
    pub name: String,
    pub mount_path: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourcesStatus {
    pub desired: CapsStatus,
    pub applied: Option<CapsStatus>,
    pub in_sync: bool,
}

/// `null` is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapsStatus {
    pub memory: Option<String>,
    pub swap: Option<String>,
    pub cpus: Option<String>,
}

impl From<&Caps> for CapsStatus {
    fn from(caps: &Caps) -> Self {
        Self {
            memory: caps.memory.map(|m| m.to_string()),
            swap: caps.swap.map(|s| s.to_string()),
            cpus: caps.cpus.map(|c| c.to_string()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialsStatus {
    pub username: String,
    pub generation: u64,
    pub rotated_at: String,
}

/// Characters of one text of an image or a server that are kept.
const WORDS: usize = 500;

/// The status after a pass. What could not be seen this time is absent, not stale.
#[must_use]
pub fn status(subject: &Subject<'_>, world: &World) -> Status {
    let (id, memory) = (subject.identity, subject.memory);
    let container = world.container.ours();
    let published = container.and_then(|c| c.published.first());
    Status {
        container: container.map(|c| ContainerStatus {
            name: c.name.clone(),
            id: c.id.clone(),
            state: c.state.as_str().to_owned(),
            started_at: Some(c.started_at.clone()).filter(|t| !t.is_empty()),
            restart_count: c.restart_count,
            oom_killed: c.oom_killed,
            exit_code: c.exit_code,
        }),
        image: image(subject, world),
        endpoint: (subject.wanted() != Wanted::Deleted).then(|| Endpoint {
            host: id.container(),
            port: PORT,
            host_ip: published.map(|p| p.host_ip.to_string()),
            host_port: published.map(|p| p.host),
        }),
        server: match &world.server {
            Server::Up(facts) => Some(ServerStatus {
                version: shown(&facts.version, WORDS),
                system_identifier: shown(&facts.system_identifier, WORDS),
                data_directory: shown(&facts.data_directory, WORDS),
                started_at: shown(&facts.started_at, WORDS),
            }),
            _ => None,
        },
        volume: world.volume.ours().map(|()| VolumeStatus {
            name: id.volume(),
            mount_path: image_to_run(subject, world).map(|facts| facts.mount_path.clone()),
            free: world.room.map(|(space, _)| roughly(space.free)),
            disk_size: world.room.map(|(space, _)| roughly(space.total)),
            extra: memory
                .volumes
                .iter()
                .map(|(path, name)| ExtraVolumeStatus { name: name.clone(), mount_path: path.clone() })
                .collect(),
        }),
        resources: Some(ResourcesStatus {
            desired: (&subject.spec.caps).into(),
            applied: container.map(|c| (&c.caps).into()),
            in_sync: container.is_some_and(|c| caps_in_sync(&subject.spec.caps, &c.caps, &world.engine)),
        }),
        credentials: (memory.password_generation > 0).then(|| CredentialsStatus {
            username: memory.owner(&subject.spec.username).to_owned(),
            generation: memory.password_generation,
            rotated_at: memory.password_rotated_at.clone(),
        }),
        hardening: container.map(|_| memory.profile().in_words().to_owned()),
        deletion_at: subject
            .asked
            .gone
            .as_ref()
            .filter(|gone| !subject.present && subject.deletes_later() && !gone.due.is_empty())
            .map(|gone| gone.due.clone()),
    }
}

/// Of the container's own image, where it is known; else of the one that it would be made from.
fn image(subject: &Subject<'_>, world: &World) -> Option<ImageStatus> {
    let wanted = match &world.image {
        ImageSeen::Fit(facts) => Some((subject.spec.image.as_str(), facts)),
        _ => None,
    };
    let pinned = subject.memory.image.as_ref().map(|pinned| pinned.reference.as_str());
    let pinned = pinned.zip(world.pinned.as_ref());
    let in_use = world.container.ours().map(|c| c.image_id.as_str());
    let used = wanted.into_iter().chain(pinned).find(|(_, facts)| in_use == Some(facts.id.as_str()));
    let (reference, facts) = used.or(wanted)?;
    Some(ImageStatus {
        reference: reference.to_owned(),
        id: facts.id.clone(),
        digest: facts.digest.clone(),
        major: facts.major,
        managed: facts.managed,
        capabilities: facts.capabilities.iter().take(50).map(|c| shown(c, WORDS)).collect(),
        command_not_kept: not_kept(subject.spec, facts),
    })
}

impl Status {
    /// `image` is what the container was made from. While another one is wanted, it stays what it was:
    /// what an image id stands for never changes.
    #[must_use]
    pub fn with_image_in_use(mut self, old: Option<&Status>, world: &World) -> Self {
        let in_use = world.container.ours().map(|c| c.image_id.as_str());
        if let Some(id) = in_use.filter(|id| self.image.as_ref().is_none_or(|i| i.id != *id)) {
            let known = old.and_then(|s| s.image.clone()).filter(|i| i.id == id);
            self.image = known;
        }
        self
    }
}
