//! Where the data lies: all of it must be in volumes that outlive the container. Must never let a container go
//! that holds some of it, unless the user gave the data up.

use super::server::inside;
use super::{Subject, image_to_run};
use crate::core::plan::Blocked;
use crate::core::seen::{SeenContainer, SeenMount};
use crate::kinds::postgres::world::{Placement, World};

/// Paths that are told; the rest is counted.
const TOLD: usize = 5;

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
    let declared = image_to_run(subject, world).map_or(&[][..], |image| image.work.extra_volumes.as_slice());
    let survives = |m: &SeenMount| {
        m.volume == data
            || subject.memory.work.volumes.values().any(|v| *v == m.volume)
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

/// What stands against removing the container, because it holds data that is nowhere else.
pub(super) fn keeps(subject: &Subject<'_>, world: &World, c: &SeenContainer) -> Option<Blocked> {
    Some(block(&astray(subject, world, c)?))
}

pub(super) fn block(words: &str) -> Blocked {
    Blocked {
        danger: false,
        reason: "DataOutsideVolume",
        why: format!("data lies outside the volumes that outlive the container: {words}. The next re-create would lose it, so none is made"),
        unblock: "empty a tablespace with ALTER DATABASE or ALTER TABLE … SET TABLESPACE pg_default, then DROP TABLESPACE; for anything else make a new object and load a dump into it".to_owned(),
    }
}
