//! What forbids every step on an object: names that are somebody else's, data that this image or this
//! spec must not touch. Blocks only; what is in the way is never removed here.

use super::{Plan, Subject};
use crate::core::names::annotation;
use crate::kinds::postgres::world::{DataSeen, Declared, World};
use crate::workload::plan::lost::{copy_command, lost};
use crate::workload::plan::lost_volumes;

/// What to say where a volume that is not ours may be the one that was restored.
pub(super) fn restored(subject: &Subject<'_>) -> Option<String> {
    subject.memory.system_identifier.as_ref().map(|known| {
        format!(
            "; if it holds the restored data of this object, say so with the annotation {}: \"{known}\": a server is started only if it is that data",
            annotation::ACCEPT_CLUSTER
        )
    })
}

/// What must be on a volume that comes back, in words.
pub(super) fn lost_data(subject: &Subject<'_>) -> String {
    match &subject.memory.system_identifier {
        Some(known) => format!("the data with system identifier {known}"),
        None => "data of the right major version".to_owned(),
    }
}

/// Reasons in the data itself why no container may touch the volume, of whatever image.
pub(super) fn data_blocks(subject: &Subject<'_>, world: &World, plan: &mut Plan) -> bool {
    let (spec, memory) = (subject.spec, subject.memory);
    let before = plan.blocked.len();
    lost(&subject.work(), &world.work, &lost_data(subject), plan);
    other_data(subject, world, plan);
    lost_volumes(&subject.work(), &world.work, plan);
    if memory.work.ever_ready && !world.work.password_sealed {
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

/// Nothing is made with another password than the manifest's.
pub(super) fn secret_missing(world: &World, plan: &mut Plan) -> bool {
    let Declared::Unreadable(why) = &world.declared else { return false };
    if !world.work.password_sealed {
        plan.block(
            "SecretUnreadable",
            format!("spec.password: {why}"),
            "put that right; nothing is made before",
        );
    }
    !world.work.password_sealed
}

/// Whether what was found on a volume that came back is this object's data.
fn other_data(subject: &Subject<'_>, world: &World, plan: &mut Plan) {
    let (id, memory, volume) = (subject.identity, subject.memory, subject.identity.volume());
    if !memory.work.ever_ready || world.data == DataSeen::NotLooked {
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
            format!("copy the data into it: {}", copy_command(&subject.work())),
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
        format!("copy the data into it: {}", copy_command(&subject.work())),
    );
}
