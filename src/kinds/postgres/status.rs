//! The body of a Postgres' `status`: that of its container, and what its server says of itself.

use super::desired::not_kept;
use super::plan::{Subject, image_to_run};
use super::world::{Server, World};
use crate::core::text::shown;
use crate::workload;
use crate::workload::status::{self as work, OfKind};
use serde::{Deserialize, Serialize};

/// Later versions add fields; none is ever renamed.
pub type Status = workload::Status<ServerStatus, ImageStatus>;

/// What is said of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageStatus {
    pub major: u32,
    pub managed: bool,
    pub capabilities: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerStatus {
    pub version: String,
    pub system_identifier: String,
    pub data_directory: String,
    pub started_at: String,
}

/// Characters of one text of an image or a server that are kept.
const WORDS: usize = 500;

/// The status after a pass. What could not be seen this time is absent, not stale.
#[must_use]
pub fn status(subject: &Subject<'_>, world: &World) -> Status {
    let server = match &world.server {
        Server::Up(facts) => Some(ServerStatus {
            version: shown(&facts.version, WORDS),
            system_identifier: shown(&facts.system_identifier, WORDS),
            data_directory: shown(&facts.data_directory, WORDS),
            started_at: shown(&facts.started_at, WORDS),
        }),
        _ => None,
    };
    let of_kind = OfKind {
        server,
        runs: image_to_run(subject, world),
        owner: subject.memory.owner(&subject.spec.username),
        due: &world.due,
        image: &|facts| ImageStatus {
            major: facts.major,
            managed: facts.managed,
            capabilities: facts.capabilities.iter().take(50).map(|c| shown(c, WORDS)).collect(),
        },
        not_kept: &|facts| not_kept(subject.spec, facts),
    };
    work::status(&subject.work(), &world.work, of_kind)
}
