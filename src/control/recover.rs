//! What `seawall recover` can rebuild: records of objects from the labels of their containers and
//! volumes and from the manifests. Reads the engine; the decisions are pure.
//!
//! Data that is already there must never be initialised again, and nothing is guessed in its disfavour:
//! where it cannot be known whether a volume holds data, it counts as holding some.

mod survey;

pub(super) use survey::unproven_because;
pub use survey::{Remains, Unproven, survey};

use super::any::Spec;
use super::memory::Memory;
use super::objects::Record;
use super::operator::now;
use super::registry::Kinds;
use super::sources::{Before, read};
use crate::core::desired::{VolumeMount, stable_hash};
use crate::core::json::Json;
use crate::core::names::{Installation, Kind, ObjectRef, label};
use crate::core::problem::Place;
use crate::core::resource::{Document, Metadata};
use crate::core::seen::{ContainerState, SeenContainer};
use crate::core::will::Asked;
use crate::docker::{Docker, DockerError};
use crate::kinds::Found;
use crate::manifest::load::{Directory, Loaded};
use crate::secrets::random_id;
use crate::workload;
use crate::workload::desired::looker;
use crate::workload::hardening::Profile;
use crate::workload::memory::PinnedImage;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Where a throw-away container has the volume that it looks into.
const LOOK: &str = "/seawall-look";
/// Stands for the manifest of an object that has a container and no manifest: it goes the way of a
/// manifest that was removed, with the prune guard in between.
pub const NO_FILE: &str = "(recovered)";

/// What was found out about an object's data and image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    pub data: Option<Found>,
    /// There was a way to look: without data, there is none.
    pub sure: bool,
    /// Tags of the container's image.
    pub tags: Vec<String>,
    /// The image that the manifest names today.
    pub wanted_image: Option<String>,
}

/// A good manifest of an object.
#[derive(Clone, Debug)]
pub struct Wish {
    pub document: Document,
    pub spec: Spec,
}

/// What the manifests say.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    pub good: BTreeMap<ObjectRef, Wish>,
    /// Objects whose manifest cannot be used, and why.
    pub broken: BTreeMap<ObjectRef, String>,
    /// What is wrong with the directory as a whole.
    pub directory: Option<String>,
}

/// What a scan of the manifests says about each object.
#[must_use]
pub fn wishes(kinds: &Kinds, loaded: &Loaded) -> Wishes {
    let (records, schemas) = (BTreeMap::new(), kinds.spec_schemas());
    let before = Before {
        kinds,
        records: &records,
        schemas: &schemas,
        host: None,
        prune_confirmed: None,
        unread: &BTreeMap::new(),
        owned: &BTreeMap::new(),
    };
    let mut in_force = read(loaded, &before);
    let directory = match &loaded.directory {
        Directory::Present => None,
        Directory::Empty => Some("it has no manifests".to_owned()),
        Directory::Missing => Some("it is not there".to_owned()),
        Directory::Unreadable(why) => Some(format!("it cannot be read ({why})")),
    };
    let runs = |object: &ObjectRef| kinds.runs(object.kind);
    let good = in_force.checked.into_iter().filter(|(object, _)| runs(object));
    let good = good.filter_map(|(object, spec)| {
        Some((object.clone(), Wish { document: in_force.documents.remove(&object)?, spec }))
    });
    Wishes { good: good.collect(), broken: in_force.kept, directory }
}

/// The words that confirm the takeover of these remains; they change with what is taken over.
#[must_use]
pub fn confirm_words(store: &str, remains: &[&Remains]) -> String {
    let mut text = store.to_owned();
    for r in remains {
        let container = r.container.as_ref().map_or("", |c| c.id.as_str());
        let volume = r.volume.as_ref().map_or("", |v| v.name.as_str());
        text.push_str(&format!(" {} {container} {volume}", r.member()));
    }
    format!("recover-{store}-{}", stable_hash(&text).get(..6).unwrap_or_default())
}

/// One line about an object, for the preview. `made_by`: the kind of those that make it, where no manifest does.
#[must_use]
pub fn describe(remains: &Remains, wish: Option<&Wish>, made_by: Option<Kind>) -> String {
    let mut parts = Vec::new();
    if let Some(c) = &remains.container {
        let port = c.port_bindings.first().map_or(String::new(), |p| format!(", port {}", p.host));
        parts.push(format!("container {} ({}{port})", c.name, word(c.state)));
    }
    if let Some(v) = &remains.volume {
        parts.push(format!("volume {}", v.name));
    }
    if let Some(owner) = made_by {
        parts.push(format!("stays as it is, and is its {owner}'s again in the next run"));
        return format!("{}: {}", remains.member(), parts.join(", "));
    }
    parts.push(match (wish, &remains.container) {
        (Some(wish), _) => format!("manifest {}", wish.document.place),
        (None, Some(_)) => {
            "no manifest: the next run removes the container and keeps the data, unless one comes back"
                .to_owned()
        }
        (None, None) => "no manifest: kept as it is until one comes back".to_owned(),
    });
    format!("{}: {}", remains.member(), parts.join(", "))
}

fn word(state: ContainerState) -> &'static str {
    match state {
        ContainerState::Created => "created",
        ContainerState::Running => "running",
        ContainerState::Paused => "paused",
        ContainerState::Restarting => "restarting",
        ContainerState::Removing => "being removed",
        ContainerState::Exited => "stopped",
        ContainerState::Dead => "dead",
    }
}

/// Looks at what lies on the object's volume. Without a container of its own a throw-away one, never
/// started, gives access to the volume; `spare` are images it may be made from.
///
/// # Errors
/// When the engine does not answer.
pub async fn look(
    kinds: &Kinds,
    docker: &dyn Docker,
    installation: &Installation,
    remains: &Remains,
    wish: Option<&Wish>,
    spare: &BTreeSet<String>,
) -> Result<Looked, DockerError> {
    let mut looked = Looked::default();
    let Some(kind) = kinds.get(remains.object.kind) else { return Ok(looked) };
    if let Some(wanted) = wanted(remains, wish) {
        looked.wanted_image = docker.image(wanted.image.as_str()).await?.map(|i| i.id);
    }
    let volume = remains.volume_name(installation);
    if let Some(c) = &remains.container {
        looked.tags = docker.image(&c.image_id).await?.map(|i| i.tags).unwrap_or_default();
        if let Some(mount) = c.mounts.iter().find(|m| m.volume == volume) {
            looked.data = kind.look_at_data(docker, &c.id, &mount.path, Some(c)).await?;
            looked.sure = c.started_at.is_empty();
            return Ok(looked);
        }
    }
    if remains.volume.is_none() {
        // There is no data at all.
        looked.sure = true;
        return Ok(looked);
    }
    let image = looked.wanted_image.as_ref().or_else(|| spare.first());
    let Some(image) = image else { return Ok(looked) };
    let mut desired = looker(installation, &remains.store, &random_id(), image);
    desired.mounts.push(VolumeMount { volume, path: LOOK.to_owned() });
    let id = docker.create(&desired).await?;
    let found = kind.look_at_data(docker, &id, LOOK, None).await;
    // Also after a failure.
    let removed = docker.remove_throwaway(&id).await;
    looked.data = found?;
    looked.sure = true;
    removed?;
    Ok(looked)
}

/// What the manifest wants of it.
fn wanted<'w>(remains: &Remains, wish: Option<&'w Wish>) -> Option<&'w workload::Checked> {
    let each = wish.map(|wish| wish.spec.each()).unwrap_or_default();
    each.into_iter().find(|(role, _)| *role == remains.role).map(|(_, work)| work)
}

/// What is left of another member of the same object goes into its record, too.
pub fn add_member(record: &mut Record, remains: &Remains, looked: &Looked, wish: Option<&Wish>) {
    let work = work(remains, looked, wish);
    if remains.role.is_only() {
        record.memory.edit_work(|memory| memory.clone_from(&work));
    } else {
        record.memory.edit_member(&remains.role, |memory| memory.clone_from(&work));
    }
    record.asked.stopped |= asked(remains.container.as_ref(), wish).stopped;
    if wish.is_none() && record.source.is_none() {
        record.source = remains.container.as_ref().map(|_| no_file());
    }
}

fn no_file() -> Place {
    Place { file: NO_FILE.to_owned(), line: 0, column: 0 }
}

/// The record of an object, from what is left of it, or of the first of its members.
#[must_use]
pub fn record(kinds: &Kinds, remains: &Remains, looked: &Looked, wish: Option<&Wish>) -> Record {
    let labels = remains.container.as_ref().map(|c| &c.labels);
    let labels = labels.or_else(|| remains.volume.as_ref().map(|v| &v.labels));
    let uid = labels.and_then(|l| l.get(label::UID)).map_or_else(random_id, str::to_owned);
    let generation = labels.and_then(|l| l.get(label::GENERATION)).and_then(|g| g.parse().ok()).unwrap_or(1);
    let name = remains.object.name.clone();
    let (metadata, spec, source) = match wish {
        Some(wish) => {
            let document = &wish.document;
            (document.metadata.clone(), Json::from(&document.spec), Some(document.place.clone()))
        }
        None => {
            let metadata = Metadata { name, labels: BTreeMap::new(), annotations: BTreeMap::new() };
            (
                metadata,
                Json::from(&spec(kinds, remains, looked)),
                remains.container.as_ref().map(|_| no_file()),
            )
        }
    };
    Record {
        object: remains.object.clone(),
        uid,
        id: 0,
        created_at: now(),
        generation,
        metadata,
        spec,
        version: 0,
        by_api: false,
        source,
        owner: None,
        asked: asked(remains.container.as_ref(), wish),
        memory: memory(kinds, remains, looked, wish),
    }
}

/// Only a stop on purpose takes the restart policy away first.
pub(super) fn stopped_on_purpose(c: &SeenContainer) -> bool {
    !c.state.is_up() && !c.started_at.is_empty() && c.restart_policy == "no"
}

fn asked(container: Option<&SeenContainer>, wish: Option<&Wish>) -> Asked {
    let stopped = container.is_some_and(stopped_on_purpose)
        && wish.and_then(|w| w.spec.work()).is_none_or(|spec| !spec.stopped);
    Asked { stopped, ..Asked::default() }
}

fn memory(kinds: &Kinds, remains: &Remains, looked: &Looked, wish: Option<&Wish>) -> Memory {
    let Some(kind) = kinds.get(remains.object.kind) else { return Memory::default() };
    let (work, found) = (work(remains, looked, wish), looked.data.as_ref());
    if remains.role.is_only() {
        return kind.recovered(work, remains.container.as_ref(), found);
    }
    let whole = workload::Memory { home: work.home.clone(), ..workload::Memory::default() };
    let mut memory = kind.recovered(whole, remains.container.as_ref(), found);
    memory.edit_member(&remains.role, |memory| memory.clone_from(&work));
    memory
}

fn work(remains: &Remains, looked: &Looked, wish: Option<&Wish>) -> workload::Memory {
    let c = remains.container.as_ref();
    let ever_ready = looked.data.is_some() || !looked.sure;
    let image =
        c.zip(wanted(remains, wish)).filter(|(c, _)| looked.wanted_image.as_ref() == Some(&c.image_id));
    workload::Memory {
        container: c.map(|c| c.id.clone()),
        home: remains.home.clone(),
        port: c.and_then(|c| c.port_bindings.first()).map(|p| p.host),
        command_of: image.map(|(c, _)| c.image_id.clone()),
        image: image
            .map(|(c, wanted)| PinnedImage { reference: wanted.image.to_string(), id: c.image_id.clone() }),
        ever_ready,
        password_generation: u64::from(ever_ready),
        password_rotated_at: if ever_ready { now() } else { String::new() },
        profile: c.map(Profile::of_container),
        ..workload::Memory::default()
    }
}

/// The least that keeps an object without a manifest as it is.
fn spec(kinds: &Kinds, remains: &Remains, looked: &Looked) -> Value {
    let mut spec = json!({"deletionPolicy": "Retain"});
    let own = remains.container.as_ref();
    let kind = kinds.get(remains.object.kind);
    for (key, value) in kind.map(|kind| kind.recovered_spec(own, looked.data.as_ref())).unwrap_or_default() {
        spec[key] = value;
    }
    if let (Some(tag), Some(fields)) = (looked.tags.first(), spec.as_object_mut()) {
        fields.remove("version");
        fields.insert("image".to_owned(), json!(tag));
    }
    let Some(c) = own else { return spec };
    spec["port"] = if c.port_bindings.is_empty() { json!("none") } else { json!("auto") };
    let mut resources = json!({});
    if let Some(memory) = c.caps.memory {
        resources["memory"] = json!(memory.to_string());
    }
    if let Some(swap) = c.caps.swap.filter(|s| s.0 > 0) {
        resources["swap"] = json!(swap.to_string());
    }
    if let Some(cpus) = c.caps.cpus {
        resources["cpus"] = json!(cpus.to_string());
    }
    spec["resources"] = resources;
    spec
}

#[cfg(test)]
#[path = "recover_tests.rs"]
mod tests;
