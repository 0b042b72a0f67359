//! Where the data lies: all of it must be in volumes that outlive the container. Must never let a container go
//! that holds some of it, unless the user gave the data up.

use super::server::inside;
use super::{Plan, Subject, image_to_run};
use crate::core::plan::Sign;
use crate::core::seen::{SeenContainer, SeenMount, Slot};
use crate::engines::postgres::action::{Action, volume_in_words};
use crate::engines::postgres::facts::ImageFacts;
use crate::engines::postgres::world::{Placement, World};

/// Paths that are told; the rest is counted.
const TOLD: usize = 5;

/// Volumes that the image declares beside that of the data, and the object does not have yet.
fn unknown<'a>(subject: &'a Subject<'_>, image: &'a ImageFacts) -> impl Iterator<Item = &'a String> {
    image.extra_volumes.iter().filter(|path| !subject.memory.volumes.contains_key(*path))
}

/// What the engine made for an existing container, without a name, is kept as it is: what it holds cannot be
/// told. True when there is such a volume: with it, another container is wanted.
pub(super) fn keep_volumes(
    subject: &Subject<'_>,
    world: &World,
    image: &ImageFacts,
    plan: &mut Plan,
) -> bool {
    let Slot::Ours(c) = &world.container else { return false };
    let mut any = false;
    for path in unknown(subject, image) {
        if let Some(mount) = c.mounts.iter().find(|m| m.path == *path && !m.volume.is_empty()) {
            let action = Action::KeepVolume { volume: mount.volume.clone(), path: path.clone() };
            plan.step(Sign::Change, action, declared(path));
            any = true;
        }
    }
    any
}

/// A volume of ours for every one that the image declares.
pub(super) fn extra_volumes(subject: &Subject<'_>, image: &ImageFacts, plan: &mut Plan) {
    for path in unknown(subject, image) {
        let volume = subject.identity.extra_volume(path);
        plan.step(Sign::Create, Action::CreateExtraVolume { volume, path: path.clone() }, declared(path));
    }
}

fn declared(path: &str) -> String {
    format!("the image declares a volume at {path}")
}

/// Reasons in the extra volumes why no container may be made or started without them.
pub(super) fn lost_volumes(subject: &Subject<'_>, world: &World, plan: &mut Plan) {
    for (path, volume) in &subject.memory.volumes {
        match world.extra_volumes.get(volume) {
            Some(Slot::Missing) if subject.memory.ever_ready => plan.danger(
                "VolumeMissing",
                format!(
                    "volume {} with what this object keeps at {path} is gone. An empty one was not made in its place",
                    volume_in_words(volume)
                ),
                format!("bring it back: docker volume create {volume}, then its content"),
            ),
            Some(Slot::Foreign(why)) => plan.block(
                "NameConflict",
                format!("volume {volume} exists and is not ours: {why}. It was not touched"),
                "choose another name for this object, or another installation",
            ),
            _ => {}
        }
    }
}

/// What of the data does not lie in a volume that outlives the container, in words.
#[must_use]
pub fn astray(subject: &Subject<'_>, world: &World, c: &SeenContainer) -> Option<String> {
    let links = match &world.placement {
        Placement::NotLooked => return None,
        Placement::TooMany => {
            return Some("there are more links in pg_tblspc than can be looked at".to_owned());
        }
        Placement::Links(links) => links,
    };
    let data = subject.identity.volume();
    let declared = image_to_run(subject, world).map_or(&[][..], |image| image.extra_volumes.as_slice());
    let survives = |m: &SeenMount| {
        m.volume == data
            || subject.memory.volumes.values().any(|v| *v == m.volume)
            // To be kept by this very plan.
            || (!m.volume.is_empty() && declared.contains(&m.path))
    };
    let kept: Vec<&str> = c.mounts.iter().filter(|m| survives(m)).map(|m| m.path.as_str()).collect();
    // The deepest mount above a path is the one that holds it.
    let held = |path: &str| {
        let above = c.mounts.iter().filter(|m| inside(path, &m.path));
        above.max_by_key(|m| m.path.len()).is_some_and(|m| kept.contains(&m.path.as_str()))
    };
    let stray: Vec<String> = links
        .iter()
        .filter(|(_, to)| !held(to))
        .map(|(path, to)| if path == to { format!("{path} itself") } else { format!("{path} leads to {to}") })
        .collect();
    let told = stray.iter().take(TOLD).cloned().collect::<Vec<_>>().join(", ");
    match stray.len() {
        0 => None,
        n if n > TOLD => Some(format!("{told} and {} more", n - TOLD)),
        _ => Some(told),
    }
}

pub(super) fn block(words: &str, plan: &mut Plan) {
    plan.block(
        "DataOutsideVolume",
        format!("data lies outside the volumes that outlive the container: {words}. The next re-create would lose it, so none is made"),
        "empty a tablespace with ALTER DATABASE or ALTER TABLE … SET TABLESPACE pg_default, then DROP TABLESPACE; for anything else make a new object and load a dump into it",
    );
}

/// Whether the container must not go, because it holds data that is nowhere else.
pub(super) fn forbids_removal(
    subject: &Subject<'_>,
    world: &World,
    c: &SeenContainer,
    plan: &mut Plan,
) -> bool {
    // Without the object's volume it never served the object: whose it is, is decided elsewhere.
    let data = subject.identity.volume();
    let words = astray(subject, world, c).filter(|_| c.mounts.iter().any(|m| m.volume == data));
    if let Some(words) = &words {
        block(words, plan);
    }
    words.is_some()
}
