//! The body of `status` as far as it is about the container and what belongs to it, in the form people and scripts read.

use super::disk::roughly;
use super::image::Facts;
use super::plan::caps_in_sync;
use super::runtime::MemberRuntime;
use super::schedule::Due;
use super::{Case, World};
use crate::core::resource::Caps;
use crate::core::seen::SeenContainer;
use crate::core::will::Wanted;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `S`: what a kind's server says of itself; `I`: what a kind knows of an image. Later versions add fields; none is ever
/// renamed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "S: DeserializeOwned, I: DeserializeOwned"))]
pub struct Status<S = Value, I = Map<String, Value>> {
    #[serde(default)]
    pub container: Option<ContainerStatus>,
    #[serde(default)]
    pub image: Option<ImageStatus<I>>,
    #[serde(default)]
    pub endpoint: Option<Endpoint>,
    #[serde(default)]
    pub server: Option<S>,
    #[serde(default)]
    pub volume: Option<VolumeStatus>,
    #[serde(default)]
    pub resources: Option<ResourcesStatus>,
    #[serde(default)]
    pub credentials: Option<CredentialsStatus>,
    #[serde(default)]
    pub hardening: Option<String>,
    /// Each container that is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runtime: Vec<MemberRuntime>,
    /// RFC 3339: when the data are deleted, unless the manifest comes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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

impl ContainerStatus {
    #[must_use]
    pub fn of(c: &SeenContainer) -> Self {
        Self {
            name: c.name.clone(),
            id: c.id.clone(),
            state: c.state.as_str().to_owned(),
            started_at: Some(c.started_at.clone()).filter(|t| !t.is_empty()),
            restart_count: c.restart_count,
            oom_killed: c.oom_killed,
            exit_code: c.exit_code,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageStatus<I> {
    pub reference: String,
    pub id: String,
    pub digest: Option<String>,
    #[serde(flatten)]
    pub more: I,
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
    /// RFC 3339: when the next one takes its place by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_rotation: Option<String>,
}

/// The status after a pass. What could not be seen this time is absent, not stale.
#[must_use]
pub fn status<F: Facts, S, I>(
    case: &Case<'_>,
    world: &World<F>,
    of_kind: OfKind<'_, F, S, I>,
) -> Status<S, I> {
    let (id, memory) = (case.identity, case.memory);
    let container = world.container.ours();
    let published = container.and_then(|c| c.published.first());
    let image = image(case, world, &of_kind);
    let runtime = container.map(|c| {
        let made_for = image.as_ref().filter(|image| image.id == c.image_id);
        let reference = made_for.map_or_else(String::new, |image| image.reference.clone());
        MemberRuntime::of(&id.role, c, reference, &case.spec.caps, world)
    });
    Status {
        container: container.map(ContainerStatus::of),
        image,
        endpoint: (case.wanted() != Wanted::Deleted).then(|| Endpoint {
            host: id.container(),
            port: case.server.port,
            host_ip: published.map(|p| p.host_ip.to_string()),
            host_port: published.map(|p| p.host),
        }),
        server: of_kind.server,
        volume: world.volume.ours().map(|()| VolumeStatus {
            name: id.volume(),
            mount_path: of_kind.runs.map(|facts| facts.image().mount_path.clone()),
            free: world.room.map(|(space, _)| roughly(space.free)),
            disk_size: world.room.map(|(space, _)| roughly(space.total)),
            extra: memory
                .volumes
                .iter()
                .map(|(path, name)| ExtraVolumeStatus { name: name.clone(), mount_path: path.clone() })
                .collect(),
        }),
        resources: Some(ResourcesStatus {
            desired: (&case.spec.caps).into(),
            applied: container.map(|c| (&c.caps).into()),
            in_sync: container.is_some_and(|c| caps_in_sync(&case.spec.caps, &c.caps, &world.engine)),
        }),
        credentials: (memory.password_generation > 0).then(|| CredentialsStatus {
            username: of_kind.owner.to_owned(),
            generation: memory.password_generation,
            rotated_at: memory.password_rotated_at.clone(),
            next_rotation: of_kind.due.next.clone(),
        }),
        hardening: container.map(|_| memory.profile().in_words(case.server.user)),
        runtime: runtime.into_iter().collect(),
        deletion_at: case
            .asked
            .gone
            .as_ref()
            .filter(|gone| !case.present && case.deletes_later() && !gone.due.is_empty())
            .map(|gone| gone.due.clone()),
    }
}

/// What a kind adds to a status.
pub struct OfKind<'a, F, S, I> {
    pub server: Option<S>,
    /// The image that containers are made from now.
    pub runs: Option<&'a F>,
    /// Who the data belongs to.
    pub owner: &'a str,
    /// When its password is rotated by itself.
    pub due: &'a Due,
    /// What there is to say of an image.
    pub image: &'a dyn Fn(&F) -> I,
    /// What of its CMD is not in force.
    pub not_kept: &'a dyn Fn(&F) -> Vec<String>,
}

/// Of the container's own image, where it is known; else of the one that it would be made from.
fn image<F: Facts, S, I>(
    case: &Case<'_>,
    world: &World<F>,
    of_kind: &OfKind<'_, F, S, I>,
) -> Option<ImageStatus<I>> {
    let wanted = world.image.fit().map(|facts| (case.spec.image.as_str(), facts));
    let pinned = case.memory.image.as_ref().map(|pinned| pinned.reference.as_str());
    let pinned = pinned.zip(world.pinned.as_ref());
    let in_use = world.container.ours().map(|c| c.image_id.as_str());
    let used = wanted.into_iter().chain(pinned).find(|(_, facts)| in_use == Some(facts.image().id.as_str()));
    let (reference, facts) = used.or(wanted)?;
    Some(ImageStatus {
        reference: reference.to_owned(),
        id: facts.image().id.clone(),
        digest: facts.image().digest.clone(),
        more: (of_kind.image)(facts),
        command_not_kept: (of_kind.not_kept)(facts),
    })
}

impl<S, I> Default for Status<S, I> {
    fn default() -> Self {
        Self {
            container: None,
            image: None,
            endpoint: None,
            server: None,
            volume: None,
            resources: None,
            credentials: None,
            hardening: None,
            runtime: Vec::new(),
            deletion_at: None,
        }
    }
}

impl<S, I: Clone> Status<S, I> {
    /// `image` is what the container was made from. While another one is wanted, it stays what it was:
    /// what an image id stands for never changes.
    #[must_use]
    pub fn with_image_in_use<F>(mut self, old: Option<&Self>, world: &World<F>) -> Self {
        let in_use = world.container.ours().map(|c| c.image_id.as_str());
        if let Some(id) = in_use.filter(|id| self.image.as_ref().is_none_or(|i| i.id != *id)) {
            let known = old.and_then(|s| s.image.clone()).filter(|i| i.id == id);
            for member in self.runtime.iter_mut().filter(|member| member.image_id == id) {
                member.image = known.as_ref().map_or_else(String::new, |image| image.reference.clone());
            }
            self.image = known;
        }
        self
    }
}
