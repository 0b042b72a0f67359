//! The body of a link's status. Later versions add fields; none is ever renamed.

use super::plan::Subject;
use super::record::{Password, Rotation};
use super::world::{Server, World};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Status {
    pub service: String,
    /// `shop/production`
    pub environment: String,
    pub database: String,
    pub username: String,
    /// Names of the variables that applications find.
    pub variables: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<u64>,
    pub password: Password,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
    /// RFC 3339: when the next one begins by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_rotation: Option<String>,
}

#[must_use]
pub fn status(subject: &Subject<'_>, world: &World) -> Status {
    let (spec, memory) = (subject.spec, subject.memory);
    let sessions = match &world.server {
        Server::Seen { look, .. } if !look.sessions.is_empty() => Some(look.sessions.values().sum()),
        _ => None,
    };
    Status {
        service: spec.service.to_string(),
        environment: format!("{}/{}", spec.project.name, spec.environment),
        database: subject.tenant().name,
        username: world.username.clone(),
        variables: world.inside.iter().map(|variable| variable.name.clone()).collect(),
        sessions,
        password: subject.password(),
        rotation: memory.rotation.clone(),
        next_rotation: world.due.next.clone(),
    }
}
