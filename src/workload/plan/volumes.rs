//! Volumes beside that of the data, which an image declares: each gets a volume of the object's own and keeps it. Must
//! never drop one, whatever a later image declares.

use crate::core::plan::{Plan, Sign};
use crate::core::seen::Slot;
use crate::workload::action::{Action, Step, volume_in_words};
use crate::workload::image::Image;
use crate::workload::{Case, World};

/// Volumes that the image declares beside that of the data, and the object does not have yet.
fn unknown<'a>(case: &'a Case<'_>, image: &'a Image) -> impl Iterator<Item = &'a String> {
    image.extra_volumes.iter().filter(|path| !case.memory.volumes.contains_key(*path))
}

/// What the engine made for an existing container, without a name, is kept as it is: what it holds cannot be
/// told. True when there is such a volume: with it, another container is wanted.
pub(super) fn keep<A: Step, F>(case: &Case<'_>, world: &World<F>, image: &Image, plan: &mut Plan<A>) -> bool {
    let Slot::Ours(c) = &world.container else { return false };
    let mut any = false;
    for path in unknown(case, image) {
        if let Some(mount) = c.mounts.iter().find(|m| m.path == *path && !m.volume.is_empty()) {
            let action = Action::KeepVolume { volume: mount.volume.clone(), path: path.clone() };
            plan.step(Sign::Change, action, declared(path));
            any = true;
        }
    }
    any
}

/// A volume of ours for every one that the image declares.
pub(super) fn extra<A: Step>(case: &Case<'_>, image: &Image, plan: &mut Plan<A>) {
    for path in unknown(case, image) {
        let volume = case.identity.extra_volume(path);
        plan.step(Sign::Create, Action::CreateExtraVolume { volume, path: path.clone() }, declared(path));
    }
}

fn declared(path: &str) -> String {
    format!("the image declares a volume at {path}")
}

/// Reasons in the extra volumes why no container may be made or started without them.
pub fn lost_volumes<A: Step, F>(case: &Case<'_>, world: &World<F>, plan: &mut Plan<A>) {
    for (path, volume) in &case.memory.volumes {
        match world.extra_volumes.get(volume) {
            Some(Slot::Missing) if case.memory.ever_ready => plan.danger(
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
