//! What forbids every step on an object: names that are somebody else's, data that this image or this
//! spec must not touch. Blocks only; what is in the way is never removed here.

use super::placement::lost_volumes;
use super::{Plan, Subject};
use crate::engines::postgres::action::short;
use crate::engines::postgres::desired::Identity;
use crate::engines::postgres::facts::ImageFacts;
use crate::engines::postgres::world::{DataSeen, Slot, World};

/// Whether a name of ours is taken by what is not ours.
pub(super) fn conflicts(subject: &Subject<'_>, world: &World, plan: &mut Plan) -> bool {
    let id = subject.identity;
    let mut conflict = |what: &str, name: &str, why: &str| {
        let own = if what == "container" { world.misnamed.first() } else { None };
        if let Some((own, called)) = own {
            plan.block(
                "DuplicateContainer",
                format!(
                    "container {name} exists and is not ours: {why}. The container of this object is {called} ({}). Neither was touched",
                    short(own)
                ),
                format!("give the other one another name (docker rename {name} NAME); {called} then gets its name back"),
            );
            return;
        }
        let rename =
            if what == "container" { format!(" (docker rename {name} NAME)") } else { String::new() };
        let theirs = if rename.is_empty() {
            String::new()
        } else {
            format!(", or give that container another name{rename}")
        };
        plan.block(
            "NameConflict",
            format!("{what} {name} exists and is not ours: {why}. It was not touched"),
            format!(
                "choose another name for this object, or run Seawall with another --installation{theirs}"
            ),
        );
    };
    if let Slot::Foreign(why) = &world.container {
        conflict("container", &id.container(), why);
    }
    if let Slot::Foreign(why) = &world.volume {
        conflict("volume", &id.volume(), why);
    }
    if let Slot::Foreign(why) = &world.network {
        conflict("network", &id.network(), why);
    }
    !plan.blocked.is_empty()
}

/// Reasons in the data itself why no container of this image may touch the volume.
pub(super) fn data_blocks(subject: &Subject<'_>, world: &World, image: &ImageFacts, plan: &mut Plan) -> bool {
    let (id, spec, memory) = (subject.identity, subject.spec, subject.memory);
    let on_volume = match world.data {
        DataSeen::Major(major) => Some(major),
        DataSeen::Empty | DataSeen::NotLooked => memory.data_major,
    };
    if let Some(major) = on_volume
        && major != image.major
    {
        plan.block(
            "MajorVersionChange",
            format!(
                "volume {} holds data of PostgreSQL {major}, the image {} is PostgreSQL {}: the data directory is not compatible. Nothing was touched",
                id.volume(),
                spec.image,
                image.major
            ),
            format!("set version back to {major}; to move to {}, make a new object and load a dump into it", image.major),
        );
    }
    if memory.ever_ready && world.volume == Slot::Missing {
        plan.block(
            "VolumeMissing",
            format!("volume {} with the data of this object is gone. An empty one was not made in its place", id.volume()),
            format!("bring the volume back (docker volume create {} {}, then its content), or give the data up: remove the manifest, run seawall delete {} --confirm {}, and commit the manifest again", label_options(id), id.volume(), id.object, id.object.name),
        );
    }
    lost_volumes(subject, world, plan);
    if memory.ever_ready && !world.password_sealed {
        plan.block(
            "CredentialsMissing",
            "the store does not hold the password of this object's data",
            "seawall recover",
        );
    }
    if let Some(owner) = memory.init_username.as_ref().filter(|u| **u != spec.username) {
        plan.block(
            "UsernameChange",
            format!("the data was initialised for user {owner:?}; spec.username is {:?}", spec.username),
            format!("set spec.username back to {owner:?} (create further users with SQL)"),
        );
    }
    !plan.blocked.is_empty()
}

/// The labels by which a volume is ours, as options of the docker command.
fn label_options(id: &Identity) -> String {
    id.proof().map(|(key, value)| format!("--label {key}={value}")).join(" ")
}
