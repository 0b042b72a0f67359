//! What is left of an installation on the engine, by what its containers and volumes say. Must never take for an object's what only
//! says so itself.

use crate::control::registry::Kinds;
use crate::core::identity::Home;
use crate::core::member::{Member, Role};
use crate::core::names::{Installation, Kind, Name, ObjectRef, data_volume, label};
use crate::core::pairs::Pairs;
use crate::core::seen::{SeenContainer, SeenImage, SeenVolume};
use crate::docker::{Docker, DockerError};
use crate::workload::ownership::{hands_on_labels, is_probe};
use std::collections::BTreeMap;

/// What is left of one object on the engine, or of one of its members.
#[derive(Clone, Debug)]
pub struct Remains {
    pub object: ObjectRef,
    /// Which of several members it is.
    pub role: Role,
    /// The store that its labels name.
    pub store: String,
    pub container: Option<SeenContainer>,
    pub volume: Option<SeenVolume>,
    /// Where its volumes are, if not under its own name.
    pub home: Option<Home>,
}

impl Remains {
    pub(super) fn volume_name(&self, installation: &Installation) -> String {
        Home::data_volume(self.home.as_ref(), installation, &self.object, &self.role)
    }

    pub(super) fn member(&self) -> Member {
        Member { object: self.object.clone(), role: self.role.clone() }
    }
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
    kinds: &Kinds,
    docker: &dyn Docker,
    installation: &Installation,
) -> Result<(Vec<Remains>, Vec<Unproven>), DockerError> {
    let ours = [(label::INSTALLATION, installation.as_str())];
    let mut all: BTreeMap<(String, Member), Remains> = BTreeMap::new();
    let mut unproven = Vec::new();
    let volumes = docker.volumes(&ours).await?;
    for row in docker.list(&ours).await? {
        let Some((store, member)) = whose(&row.labels).filter(|_| !is_probe(&row)) else { continue };
        let Some(container) = docker.inspect(&row.id).await? else { continue };
        let image = docker.image(&container.image_id).await?;
        let home = home(&container.labels, &volumes);
        let name = Home::data_volume(home.as_ref(), installation, &member.object, &member.role);
        let keeps_data = kinds.get(member.object.kind).is_none_or(|kind| kind.keeps_data());
        let volume = keeps_data.then_some(name.as_str());
        match unproven_because(&container, image.as_ref(), installation, &member, volume) {
            Some(why) => unproven.push(Unproven { name: container.name, why }),
            None => {
                let remains = entry(&mut all, store, member);
                remains.container = Some(container);
                remains.home = home;
            }
        }
    }
    for volume in volumes {
        let Some((store, member)) = whose(&volume.labels) else { continue };
        // That of a renamed object bears its old name; the container tells.
        let renamed = |r: &&mut Remains| r.home.is_some() && r.volume_name(installation) == volume.name;
        if let Some(remains) = all.values_mut().filter(|r| r.store == store).find(renamed) {
            remains.volume = Some(volume);
            continue;
        }
        let base = volume.labels.get(label::VOLUMES);
        let home = base.map(|base| Home { base: base.to_owned(), name: member.object.name.clone() });
        let name = Home::data_volume(home.as_ref(), installation, &member.object, &member.role);
        if volume.name == name {
            let remains = entry(&mut all, store, member);
            remains.volume = Some(volume);
            remains.home = home;
        }
    }
    Ok((all.into_values().collect(), unproven))
}

/// Where the volumes of a container with these labels are, if not under its object's own name.
fn home(labels: &Pairs, volumes: &[SeenVolume]) -> Option<Home> {
    let (base, role) = (labels.get(label::VOLUMES)?, Role::of_labels(labels)?);
    let volume = volumes.iter().find(|volume| volume.name == data_volume(&role.volumes(base)))?;
    let (_, member) = whose(&volume.labels)?;
    Some(Home { base: base.to_owned(), name: member.object.name })
}

/// Why a container that carries the labels of an object cannot be taken for its; `None` when it can. There is
/// no record to go by: it must have the name and, where its kind keeps data, the volume, and its labels must be its own.
#[must_use]
pub(in crate::control) fn unproven_because(
    c: &SeenContainer,
    image: Option<&SeenImage>,
    installation: &Installation,
    member: &Member,
    volume: Option<&str>,
) -> Option<String> {
    let name = member.role.container(&installation.container(&member.object));
    if c.name != name {
        return Some(format!("that of {member} is called {name}"));
    }
    if let Some(volume) = volume
        && !c.mounts.iter().any(|m| m.volume == volume)
    {
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

fn entry(all: &mut BTreeMap<(String, Member), Remains>, store: String, member: Member) -> &mut Remains {
    all.entry((store.clone(), member.clone())).or_insert(Remains {
        object: member.object,
        role: member.role,
        store,
        container: None,
        volume: None,
        home: None,
    })
}

pub(super) fn whose(labels: &Pairs) -> Option<(String, Member)> {
    let kind: Kind = labels.get(label::KIND)?.parse().ok()?;
    let name = Name::parse(labels.get(label::NAME)?).ok()?;
    // It becomes part of files and commands: nothing but what we draw ourselves.
    let is_id = |id: &&str| id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit());
    let member = Member { object: ObjectRef::new(kind, name), role: Role::of_labels(labels)? };
    Some((labels.get(label::STORE).filter(is_id)?.to_owned(), member))
}
