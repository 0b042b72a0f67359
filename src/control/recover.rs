//! What `seawall recover` can rebuild: records of objects from the labels of their containers and
//! volumes and from the manifests. Reads the engine; the decisions are pure.
//!
//! Data that is already there must never be initialised again, and nothing is guessed in its disfavour:
//! where it cannot be known whether a volume holds data, it counts as holding some.

use super::objects::Record;
use super::operator::now;
use super::sources::{Before, read};
use crate::core::desired::{VolumeMount, stable_hash};
use crate::core::identity::Home;
use crate::core::names::{Installation, Kind, Name, ObjectRef, data_volume, label};
use crate::core::pairs::Pairs;
use crate::core::problem::Place;
use crate::core::resource::{Document, Metadata};
use crate::core::seen::{ContainerState, SeenContainer, SeenImage, SeenVolume};
use crate::core::will::Asked;
use crate::docker::{Docker, DockerError};
use crate::kinds::postgres::check::Checked;
use crate::kinds::postgres::probe::{Found, data};
use crate::kinds::postgres::record::Memory;
use crate::kinds::spec_schemas;
use crate::manifest::load::{Directory, Loaded};
use crate::secrets::random_id;
use crate::workload;
use crate::workload::desired::looker;
use crate::workload::hardening::Profile;
use crate::workload::memory::PinnedImage;
use crate::workload::ownership::{hands_on_labels, is_probe};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Where a throw-away container has the volume that it looks into.
const LOOK: &str = "/seawall-look";
/// Stands for the manifest of an object that has a container and no manifest: it goes the way of a
/// manifest that was removed, with the prune guard in between.
const NO_FILE: &str = "(recovered)";

/// What is left of one object on the engine.
#[derive(Clone, Debug)]
pub struct Remains {
    pub object: ObjectRef,
    /// The store that its labels name.
    pub store: String,
    pub container: Option<SeenContainer>,
    pub volume: Option<SeenVolume>,
    /// Where its volumes are, if not under its own name.
    pub home: Option<Home>,
}

impl Remains {
    fn volume_name(&self, installation: &Installation) -> String {
        Home::data_volume(self.home.as_ref(), installation, &self.object)
    }
}

/// What was found out about an object's data and image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// PostgreSQL major of the data.
    pub major: Option<u32>,
    /// There was a way to look: without data, there is none.
    pub sure: bool,
    /// Tags of the container's image.
    pub tags: Vec<String>,
    /// The image that the manifest names today.
    pub wanted_image: Option<String>,
    /// Whose the data is.
    pub system_identifier: Option<String>,
}

impl Looked {
    fn found(&mut self, data: Option<Found>) {
        self.major = data.as_ref().map(|d| d.major);
        self.system_identifier = data.and_then(|d| d.system_identifier);
    }
}

/// A good manifest of an object.
#[derive(Clone, Debug)]
pub struct Wish {
    pub document: Document,
    pub checked: Arc<Checked>,
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

/// A container that carries an installation's labels and is not taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unproven {
    pub name: String,
    pub why: String,
}

/// Everything of an installation that carries its labels, by store and object; and what only says so.
///
/// # Errors
/// When the engine does not answer.
pub async fn survey(
    docker: &dyn Docker,
    installation: &Installation,
) -> Result<(Vec<Remains>, Vec<Unproven>), DockerError> {
    let ours = [(label::INSTALLATION, installation.as_str())];
    let mut all: BTreeMap<(String, ObjectRef), Remains> = BTreeMap::new();
    let mut unproven = Vec::new();
    let volumes = docker.volumes(&ours).await?;
    for row in docker.list(&ours).await? {
        let Some((store, object)) = whose(&row.labels).filter(|_| !is_probe(&row)) else { continue };
        let Some(container) = docker.inspect(&row.id).await? else { continue };
        let image = docker.image(&container.image_id).await?;
        let home = home(&container.labels, &volumes);
        let name = Home::data_volume(home.as_ref(), installation, &object);
        match unproven_because(&container, image.as_ref(), installation, &object, &name) {
            Some(why) => unproven.push(Unproven { name: container.name, why }),
            None => {
                let remains = entry(&mut all, store, object);
                remains.container = Some(container);
                remains.home = home;
            }
        }
    }
    for volume in volumes {
        let Some((store, object)) = whose(&volume.labels) else { continue };
        // That of a renamed object bears its old name; the container tells.
        let renamed = |r: &&mut Remains| r.home.is_some() && r.volume_name(installation) == volume.name;
        if let Some(remains) = all.values_mut().filter(|r| r.store == store).find(renamed) {
            remains.volume = Some(volume);
            continue;
        }
        let base = volume.labels.get(label::VOLUMES);
        let home = base.map(|base| Home { base: base.to_owned(), name: object.name.clone() });
        let name = Home::data_volume(home.as_ref(), installation, &object);
        if volume.name == name {
            let remains = entry(&mut all, store, object);
            remains.volume = Some(volume);
            remains.home = home;
        }
    }
    Ok((all.into_values().collect(), unproven))
}

/// Where the volumes of a container with these labels are, if not under its object's own name.
fn home(labels: &Pairs, volumes: &[SeenVolume]) -> Option<Home> {
    let base = labels.get(label::VOLUMES)?;
    let volume = volumes.iter().find(|volume| volume.name == data_volume(base))?;
    let (_, object) = whose(&volume.labels)?;
    Some(Home { base: base.to_owned(), name: object.name })
}

/// Why a container that carries the labels of an object cannot be taken for its; `None` when it can. There is
/// no record to go by: it must have the name and the volume, and its labels must be its own.
#[must_use]
fn unproven_because(
    c: &SeenContainer,
    image: Option<&SeenImage>,
    installation: &Installation,
    object: &ObjectRef,
    volume: &str,
) -> Option<String> {
    let name = installation.container(object);
    if c.name != name {
        return Some(format!("that of {object} is called {name}"));
    }
    if !c.mounts.iter().any(|m| m.volume == volume) {
        return Some(format!("it does not mount volume {volume}"));
    }
    match image {
        None => {
            Some("its image is not there, so that nobody can tell whether the labels are its own".to_owned())
        }
        Some(image) if hands_on_labels(&image.labels) => {
            Some("its image carries such labels (made by docker commit?): they may not be its own".to_owned())
        }
        Some(_) => None,
    }
}

fn entry(all: &mut BTreeMap<(String, ObjectRef), Remains>, store: String, object: ObjectRef) -> &mut Remains {
    all.entry((store.clone(), object.clone())).or_insert(Remains {
        object,
        store,
        container: None,
        volume: None,
        home: None,
    })
}

fn whose(labels: &Pairs) -> Option<(String, ObjectRef)> {
    let kind: Kind = labels.get(label::KIND)?.parse().ok()?;
    let name = Name::parse(labels.get(label::NAME)?).ok()?;
    // It becomes part of files and commands: nothing but what we draw ourselves.
    let is_id = |id: &&str| id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit());
    Some((labels.get(label::STORE).filter(is_id)?.to_owned(), ObjectRef::new(kind, name)))
}

/// What a scan of the manifests says about each Postgres.
#[must_use]
pub fn wishes(loaded: &Loaded) -> Wishes {
    let (records, schemas) = (BTreeMap::new(), spec_schemas());
    let before = Before {
        records: &records,
        schemas: &schemas,
        host: None,
        prune_confirmed: None,
        unread: &BTreeMap::new(),
    };
    let mut in_force = read(loaded, &before);
    let directory = match &loaded.directory {
        Directory::Present => None,
        Directory::Empty => Some("it has no manifests".to_owned()),
        Directory::Missing => Some("it is not there".to_owned()),
        Directory::Unreadable(why) => Some(format!("it cannot be read ({why})")),
    };
    let good = in_force.checked.into_iter().filter_map(|(object, checked)| {
        Some((object.clone(), Wish { document: in_force.documents.remove(&object)?, checked }))
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
        text.push_str(&format!(" {} {container} {volume}", r.object));
    }
    format!("recover-{store}-{}", stable_hash(&text).get(..6).unwrap_or_default())
}

/// One line about an object, for the preview.
#[must_use]
pub fn describe(remains: &Remains, wish: Option<&Wish>) -> String {
    let mut parts = Vec::new();
    if let Some(c) = &remains.container {
        let port = c.port_bindings.first().map_or(String::new(), |p| format!(", port {}", p.host));
        parts.push(format!("container {} ({}{port})", c.name, word(c.state)));
    }
    if let Some(v) = &remains.volume {
        parts.push(format!("volume {}", v.name));
    }
    parts.push(match (wish, &remains.container) {
        (Some(wish), _) => format!("manifest {}", wish.document.place),
        (None, Some(_)) => {
            "no manifest: the next run removes the container and keeps the data, unless one comes back"
                .to_owned()
        }
        (None, None) => "no manifest: kept as it is until one comes back".to_owned(),
    });
    format!("{}: {}", remains.object, parts.join(", "))
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
    docker: &dyn Docker,
    installation: &Installation,
    remains: &Remains,
    wish: Option<&Wish>,
    spare: &BTreeSet<String>,
) -> Result<Looked, DockerError> {
    let mut looked = Looked::default();
    if let Some(wish) = wish {
        looked.wanted_image = docker.image(wish.checked.work.image.as_str()).await?.map(|i| i.id);
    }
    let volume = remains.volume_name(installation);
    if let Some(c) = &remains.container {
        looked.tags = docker.image(&c.image_id).await?.map(|i| i.tags).unwrap_or_default();
        if let Some(mount) = c.mounts.iter().find(|m| m.volume == volume) {
            let pgdata = c.env.get("PGDATA");
            looked.found(data(docker, &c.id, &mount.path, pgdata).await?);
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
    let found = data(docker, &id, LOOK, None).await;
    // Also after a failure.
    let removed = docker.remove_throwaway(&id).await;
    looked.found(found?);
    looked.sure = true;
    removed?;
    Ok(looked)
}

/// The record of an object, from what is left of it.
#[must_use]
pub fn record(remains: &Remains, looked: &Looked, wish: Option<&Wish>) -> Record {
    let labels = remains.container.as_ref().map(|c| &c.labels);
    let labels = labels.or_else(|| remains.volume.as_ref().map(|v| &v.labels));
    let uid = labels.and_then(|l| l.get(label::UID)).map_or_else(random_id, str::to_owned);
    let generation = labels.and_then(|l| l.get(label::GENERATION)).and_then(|g| g.parse().ok()).unwrap_or(1);
    let name = remains.object.name.clone();
    let (metadata, spec, source) = match wish {
        Some(wish) => {
            let document = &wish.document;
            (document.metadata.clone(), document.spec.clone(), Some(document.place.clone()))
        }
        None => {
            let place = Place { file: NO_FILE.to_owned(), line: 0, column: 0 };
            let metadata = Metadata { name, labels: BTreeMap::new(), annotations: BTreeMap::new() };
            (metadata, spec(remains, looked), remains.container.as_ref().map(|_| place))
        }
    };
    Record {
        object: remains.object.clone(),
        uid,
        created_at: now(),
        generation,
        metadata,
        spec,
        source,
        asked: asked(remains.container.as_ref(), wish),
        memory: memory(remains, looked, wish),
    }
}

fn asked(container: Option<&SeenContainer>, wish: Option<&Wish>) -> Asked {
    // Only a stop on purpose takes the restart policy away first.
    let on_purpose =
        |c: &SeenContainer| !c.state.is_up() && !c.started_at.is_empty() && c.restart_policy == "no";
    let stopped = container.is_some_and(on_purpose) && wish.is_none_or(|w| !w.checked.work.stopped);
    Asked { stopped, ..Asked::default() }
}

fn memory(remains: &Remains, looked: &Looked, wish: Option<&Wish>) -> Memory {
    let c = remains.container.as_ref();
    let env = |key: &str| c.and_then(|c| c.env.get(key)).filter(|v| !v.is_empty()).map(str::to_owned);
    let ever_ready = looked.major.is_some() || !looked.sure;
    let init_database = if ever_ready { env("POSTGRES_DB") } else { None };
    let image = c.zip(wish).filter(|(c, _)| looked.wanted_image.as_ref() == Some(&c.image_id));
    Memory {
        work: workload::Memory {
            container: c.map(|c| c.id.clone()),
            home: remains.home.clone(),
            port: c.and_then(|c| c.port_bindings.first()).map(|p| p.host),
            command_of: image.map(|(c, _)| c.image_id.clone()),
            image: image.map(|(c, w)| PinnedImage {
                reference: w.checked.work.image.to_string(),
                id: c.image_id.clone(),
            }),
            ever_ready,
            password_generation: u64::from(ever_ready),
            password_rotated_at: if ever_ready { now() } else { String::new() },
            profile: c.map(Profile::of_container),
            ..workload::Memory::default()
        },
        data_major: looked.major,
        system_identifier: looked.system_identifier.clone(),
        init_username: if ever_ready { env("POSTGRES_USER") } else { None },
        // Made by initdb, so it was there: never made again, empty, behind the user's back.
        seen_databases: init_database.clone().into_iter().collect(),
        init_database,
        ..Memory::default()
    }
}

/// The least that keeps an object without a manifest as it is.
fn spec(remains: &Remains, looked: &Looked) -> Value {
    let mut spec = json!({"deletionPolicy": "Retain"});
    let mut put = |key: &str, value: Value| spec[key] = value;
    match (looked.tags.first(), looked.major) {
        (Some(tag), _) => put("image", json!(tag)),
        (None, Some(major)) => put("version", json!(major.to_string())),
        (None, None) => put("version", json!("18")),
    }
    if let Some(c) = &remains.container {
        let text = |key: &str| c.env.get(key).filter(|v| !v.is_empty());
        if let Some(username) = text("POSTGRES_USER") {
            put("username", json!(username));
        }
        if let Some(database) = text("POSTGRES_DB") {
            put("database", json!(database));
        }
        put("port", if c.port_bindings.is_empty() { json!("none") } else { json!("auto") });
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
        put("resources", resources);
    }
    spec
}

#[cfg(test)]
#[path = "recover_tests.rs"]
mod tests;
