//! The body of a Redis' `status`: that of its container, and what its server says of itself.

use super::desired::not_kept;
use super::plan::{Subject, image_to_run};
use super::spec::{Persistence, word};
use super::world::{Server, World};
use crate::workload;
use crate::workload::disk::roughly;
use crate::workload::status::{self as work, OfKind};
use serde::{Deserialize, Serialize};

/// Later versions add fields; none is ever renamed.
pub type Status = workload::Status<ServerStatus, ImageStatus>;

/// What is said of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageStatus {
    pub version: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerStatus {
    pub version: String,
    /// In force.
    pub persistence: String,
    /// By data, roughly.
    pub used_memory: Option<String>,
    /// `null` is no limit.
    pub maxmemory: Option<String>,
}

/// The status after a pass. What could not be seen this time is absent, not stale.
#[must_use]
pub fn status(subject: &Subject<'_>, world: &World) -> Status {
    let server = match &world.server {
        Server::Up(facts) => Some(ServerStatus {
            version: facts.version.clone(),
            persistence: word(if facts.saves.aof { Persistence::Aof } else { subject.mode() }),
            used_memory: facts.used.map(roughly),
            maxmemory: facts.told("maxmemory").parse().ok().filter(|n| *n > 0).map(roughly),
        }),
        _ => None,
    };
    let of_kind = OfKind {
        server,
        runs: image_to_run(subject, world),
        owner: &subject.spec.username,
        due: &world.due,
        image: &|facts| ImageStatus { version: facts.version.clone() },
        not_kept: &not_kept,
    };
    work::status(&subject.work(), &world.work, of_kind)
}
