//! Whether a server of an image can be started on the data that is there. Must find it out before anything
//! is stopped: a server on the wrong data dies at each start, and one that looks for it elsewhere makes an
//! empty database, which nobody would tell from a loss.

use super::Subject;
use crate::core::plan::Blocked;
use crate::kinds::postgres::collation::Columns;
use crate::kinds::postgres::facts::{ImageFacts, below};
use crate::kinds::postgres::world::{DataSeen, World};

/// Why a server of this image must not be started on the data that is there; `None` when it may.
pub(super) fn unfit_for_data(subject: &Subject<'_>, world: &World, image: &ImageFacts) -> Option<Blocked> {
    another_major(subject, world, image)
        .or_else(|| another_place(subject, world, image))
        .or_else(|| another_catalog(subject, world, image))
        .or_else(|| another_order(subject, world, image))
}

fn another_major(subject: &Subject<'_>, world: &World, image: &ImageFacts) -> Option<Blocked> {
    let on_volume = match world.data {
        DataSeen::Major(major) | DataSeen::Elsewhere { major, .. } => Some(major),
        DataSeen::Empty | DataSeen::NotLooked => subject.memory.data_major,
    };
    let major = on_volume.filter(|major| *major != image.major)?;
    Some(Blocked {
        danger: false,
        reason: "MajorVersionChange",
        why: format!(
            "volume {} holds data of PostgreSQL {major}, the image {} is PostgreSQL {}: the data directory is not compatible. Nothing was touched",
            subject.identity.volume(),
            subject.spec.work.image,
            image.major
        ),
        unblock: format!(
            "set version back to {major}; to move to {}, make a new object and load a dump into it",
            image.major
        ),
    })
}

/// The data of one major lies at different places in the volume in different images.
fn another_place(subject: &Subject<'_>, world: &World, image: &ImageFacts) -> Option<Blocked> {
    let lies = data_path(subject, world)?;
    let looks = image.data_path()?;
    if lies == looks {
        return None;
    }
    let root = image.work.mount_path.trim_end_matches('/');
    let at = if lies.is_empty() { root.to_owned() } else { format!("{root}/{lies}") };
    let place = |path: &str| {
        if path.is_empty() { "at its root".to_owned() } else { format!("at {path}") }
    };
    Some(Blocked {
        danger: false,
        reason: "DataElsewhere",
        why: format!(
            "in volume {} the data lies {}, the image {} looks for it {} (PGDATA {}, volume at {root}): it would make an empty database beside it. Nothing was touched",
            subject.identity.volume(),
            place(&lies),
            subject.spec.work.image,
            place(&looks),
            image.pgdata
        ),
        unblock: format!(
            "name an image that keeps the data there, for example one built FROM {} with ENV PGDATA={at}; or make a new object and load a dump into it",
            subject.spec.work.image
        ),
    })
}

/// Where in the volume the data lies: as learnt from its server, as seen, or as the image in use has it.
fn data_path(subject: &Subject<'_>, world: &World) -> Option<String> {
    if let DataSeen::Elsewhere { path, .. } = &world.data {
        return Some(path.clone());
    }
    let memory = subject.memory;
    if memory.data_path.is_some() || !memory.work.ever_ready {
        return memory.data_path.clone();
    }
    let of_container = || {
        let c = world.work.container.ours()?;
        let volume = subject.identity.volume();
        let mount = c.mounts.iter().find(|m| m.volume == volume)?;
        below(c.env.get("PGDATA")?, &mount.path)
    };
    of_container().or_else(|| world.work.pinned.as_ref()?.data_path())
}

/// Pre-releases and some vendors' builds have other system catalogs behind the same major.
fn another_catalog(subject: &Subject<'_>, world: &World, image: &ImageFacts) -> Option<Blocked> {
    let memory = subject.memory;
    let in_use = || world.work.pinned.as_ref().filter(|_| memory.work.ever_ready)?.catalog;
    let lies = world.data_catalog.or(memory.data_catalog).or_else(in_use)?;
    let takes = image.catalog.filter(|takes| *takes != lies)?;
    Some(Blocked {
        danger: false,
        reason: "CatalogVersionChange",
        why: format!(
            "volume {} holds data of catalog version {lies}, the servers of image {} take {takes} alone, although both are PostgreSQL {}: one of them is a pre-release or a special build. Nothing was touched",
            subject.identity.volume(),
            subject.spec.work.image,
            image.major
        ),
        unblock: "name an image with the data's catalog version again; to move, make a new object and load a dump into it"
            .to_owned(),
    })
}

/// Indexes that were built with one order of text miss rows when they are searched with another.
fn another_order(subject: &Subject<'_>, world: &World, image: &ImageFacts) -> Option<Blocked> {
    let (spec, memory) = (subject.spec, subject.memory);
    let old = memory.libraries.as_ref().filter(|_| !spec.accept_collation_change)?;
    // Also by a collation that only a column names, which a server that does not run cannot be asked for.
    let providers = world.columns.providers(memory.collation_providers.as_deref());
    let changed = old.changed(&image.libraries, providers.as_deref())?;
    let by_databases = old.changed(&image.libraries, memory.collation_providers.as_deref());
    let unsure = match &world.columns {
        _ if by_databases.is_some() => String::new(),
        Columns::Asked(_) => String::new(),
        Columns::NotAsked => {
            " No database is sorted by that; whether a column is can be asked of a running server alone: with the image before it tells.".to_owned()
        }
        Columns::Unknown(why) => format!(" No database is sorted by that; whether a column is could not be asked: {why}."),
    };
    Some(Blocked {
        danger: false,
        reason: "CollationChange",
        why: format!(
            "the image {} sorts text in another order than the one that the indexes on volume {} were built with ({changed}): searches by them would silently miss rows.{unsure} Nothing was touched",
            spec.work.image,
            subject.identity.volume()
        ),
        unblock: "go back to the image before, or set spec.acceptCollationChange: true and build the indexes again when the condition CollationVersionMismatch says which".to_owned(),
    })
}
