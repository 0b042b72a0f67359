//! What forbids every step on an object: names that are somebody else's, data that this image or this
//! spec must not touch. Blocks only; what is in the way is never removed here.

use super::placement::lost_volumes;
use super::{Plan, Subject};
use crate::core::identity::Identity;
use crate::core::names::annotation;
use crate::core::seen::Slot;
use crate::engines::postgres::action::short;
use crate::engines::postgres::world::{DataSeen, World};

/// Whether a name of ours is taken by what is not ours.
pub(super) fn conflicts(subject: &Subject<'_>, world: &World, plan: &mut Plan) -> bool {
    let id = subject.identity;
    let mut conflict = |what: &str, name: &str, why: &str| {
        let own = if what == "container" { world.misnamed.first() } else { None };
        if let Some((own, called)) = own {
            plan.danger(
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
        let restored = match &subject.memory.system_identifier {
            Some(known) if what == "volume" => format!(
                "; if it holds the restored data of this object, say so with the annotation {}: \"{known}\": a server is started only if it is that data",
                annotation::ACCEPT_CLUSTER
            ),
            _ => String::new(),
        };
        plan.block(
            "NameConflict",
            format!("{what} {name} exists and is not ours: {why}. It was not touched"),
            format!(
                "choose another name for this object, or run Seawall with another --installation{theirs}{restored}"
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

/// Reasons in the data itself why no container may touch the volume, of whatever image.
pub(super) fn data_blocks(subject: &Subject<'_>, world: &World, plan: &mut Plan) -> bool {
    let (spec, memory) = (subject.spec, subject.memory);
    let before = plan.blocked.len();
    lost(subject, world, plan);
    other_data(subject, world, plan);
    lost_volumes(subject, world, plan);
    if memory.ever_ready && !world.password_sealed {
        plan.block(
            "CredentialsMissing",
            "the store does not hold the password of this object's data",
            "bring the data directory back from its backup; without one, README, \"Lost store, lost key\"",
        );
    }
    if let Some(owner) = memory.init_username.as_ref().filter(|u| **u != spec.username) {
        plan.block(
            "UsernameChange",
            format!("the data was initialised for user {owner:?}; spec.username is {:?}", spec.username),
            format!("set spec.username back to {owner:?} (create further users with SQL)"),
        );
    }
    plan.blocked.len() > before
}

/// Whether the volume with the object's data is gone. Said also of one that does not run: what is lost
/// while it is stopped is found out in time.
pub(super) fn lost(subject: &Subject<'_>, world: &World, plan: &mut Plan) {
    let (id, memory) = (subject.identity, subject.memory);
    if !memory.ever_ready || world.volume != Slot::Missing {
        return;
    }
    let volume = id.volume();
    let data = match &memory.system_identifier {
        Some(known) => format!("the data with system identifier {known}"),
        None => "data of the right major version".to_owned(),
    };
    plan.danger(
        "VolumeMissing",
        format!("volume {volume} with the data of this object is gone. An empty one was not made in its place"),
        format!(
            "see that this is the engine that had it (--docker-host); then bring the volume back: docker volume create {} {volume} — and its content: {}. A server is started on it only with {data}. If there is no copy: README, \"A lost volume\"",
            label_options(id),
            copy_command(subject)
        ),
    );
}

/// Whether what was found on a volume that came back is this object's data.
fn other_data(subject: &Subject<'_>, world: &World, plan: &mut Plan) {
    let (id, memory, volume) = (subject.identity, subject.memory, subject.identity.volume());
    if !memory.ever_ready || world.data == DataSeen::NotLooked {
        return;
    }
    let Some(known) = &memory.system_identifier else {
        if world.data == DataSeen::Empty {
            empty(subject, plan);
        }
        return;
    };
    match &world.system_identifier {
        _ if world.data == DataSeen::Empty => empty(subject, plan),
        None => plan.danger(
            "VolumeEmpty",
            format!("the data on volume {volume} is not whole: it has no global/pg_control. No server was started on it"),
            format!("copy the data into it: {}", copy_command(subject)),
        ),
        Some(found) if found != known && subject.spec.accept_cluster.as_ref() != Some(found) => plan.danger(
            "DifferentCluster",
            format!("volume {volume} holds other data than this object had: its system identifier is {found}, this object's is {known}. No server was started on it"),
            format!(
                "bring back the volume with this object's data (seawall events {}); if the other data was put there on purpose, say so with the annotation {}: \"{found}\"",
                id.object,
                annotation::ACCEPT_CLUSTER
            ),
        ),
        Some(_) => {}
    }
}

fn empty(subject: &Subject<'_>, plan: &mut Plan) {
    plan.danger(
        "VolumeEmpty",
        format!(
            "volume {} is there, but the data of this object is not on it. No server was started on it: it would make an empty database",
            subject.identity.volume()
        ),
        format!("copy the data into it: {}", copy_command(subject)),
    );
}

/// The command that fills the volume.
fn copy_command(subject: &Subject<'_>) -> String {
    format!(
        "docker run --rm --user 0 --entrypoint cp -v COPY:/from:ro -v {}:/to {} -a /from/. /to/ (COPY: the volume or directory that holds a copy)",
        subject.identity.volume(),
        subject.spec.image
    )
}

/// The labels by which a volume is ours, as options of the docker command.
fn label_options(id: &Identity) -> String {
    id.volume_proof().map(|(key, value)| format!("--label {key}={value}")).join(" ")
}
