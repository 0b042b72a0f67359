//! The body of an application's `status`.

use super::plan::{Node, Subject, serves};
use super::world::World;
use crate::workload::runtime::MemberRuntime;
use crate::workload::status::{CapsStatus, ContainerStatus, ResourcesStatus};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Later versions add fields; none is ever renamed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    pub project: String,
    pub environment: String,
    /// The one that serves.
    pub container: Option<ContainerStatus>,
    pub image: Option<ImageStatus>,
    /// By which name it is found on the network.
    pub host: String,
    /// Published ports, as in a manifest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<String>,
    /// The links that give it variables.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
    /// Path → volume.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<String, String>,
    pub resources: Option<ResourcesStatus>,
    /// Each container that is there: the one that serves, and another version that is being tried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runtime: Vec<MemberRuntime>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageStatus {
    pub reference: String,
    pub id: String,
}

/// The status after a pass. What could not be seen this time is absent, not stale.
#[must_use]
pub fn status(subject: &Subject<'_>, world: &World) -> Status {
    let role = serves(subject);
    let (node, spec) = (Node::of(subject, &role), subject.spec);
    let case = node.case(subject);
    let member = world.members.get(&role);
    let container = member.and_then(|member| member.work.container.ours());
    let reference = |role| {
        let made = subject.memory.made.get(role);
        made.map_or_else(|| spec.app.image.to_string(), |made| made.written.image.0.clone())
    };
    let caps = spec.work.caps;
    let in_sync = member
        .zip(container)
        .is_some_and(|(member, c)| crate::workload::plan::caps_in_sync(&caps, &c.caps, &member.work.engine));
    Status {
        project: spec.project().name.to_string(),
        environment: spec.environment.to_string(),
        container: container.map(ContainerStatus::of),
        image: container.map(|c| ImageStatus { reference: reference(&role), id: c.image_id.clone() }),
        host: case.identity.installation.container(&case.identity.object),
        ports: spec.written.ports.iter().map(|port| port.0.clone()).collect(),
        links: spec.links.iter().map(ToString::to_string).collect(),
        volumes: subject.memory.work.volumes.clone(),
        resources: Some(ResourcesStatus {
            desired: CapsStatus::from(&caps),
            applied: container.map(|c| (&c.caps).into()),
            in_sync,
        }),
        runtime: world
            .members
            .iter()
            .filter_map(|(role, member)| {
                let c = member.work.container.ours()?;
                Some(MemberRuntime::of(role, c, reference(role), &caps, &member.work))
            })
            .collect(),
    }
}
