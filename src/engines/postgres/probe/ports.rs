//! Which host ports are whose. Must never take a port that somebody else's container has, running or not.

use super::{Intent, ObserveError};
use crate::core::names::label;
use crate::core::resource::PortRequest;
use crate::core::seen::ContainerSummary;
use crate::docker::DockerError;
use crate::engines::postgres::desired::PORT;
use crate::engines::postgres::plan::{Subject, port_was_refused};
use crate::engines::postgres::tools::Tools;
use crate::engines::postgres::world::World;
use std::collections::BTreeSet;

/// Who has the wanted port, or which one is free.
pub(super) async fn ports(
    tools: &Tools,
    subject: &Subject<'_>,
    intent: Intent,
    world: &mut World,
) -> Result<(), ObserveError> {
    let (id, memory) = (subject.identity, subject.memory);
    let wants_port = memory.port.is_none() || port_was_refused(subject, world);
    match subject.spec.port {
        PortRequest::Auto if wants_port => {
            let mut refused = held_by_others(tools).await?;
            refused.extend(memory.refused_ports.iter().copied().chain(memory.port));
            world.free_port = match intent {
                Intent::Act => tools.ports.lease(PORT, &refused, &id.object),
                Intent::View => tools.ports.free(PORT, &refused),
            };
        }
        PortRequest::Fixed(port) => {
            let holder = tools.ports.holder(port, &id.object);
            world.port_kept = holder.as_ref().is_some_and(|holder| tools.ports.is_retained(holder));
            world.port_holder = holder.map(|o| o.to_string());
        }
        _ => {}
    }
    Ok(())
}

/// Ports of all containers that are not of this installation: what they publish now, and what another
/// Seawall keeps for one that is stopped or being restarted.
async fn held_by_others(tools: &Tools) -> Result<BTreeSet<u16>, DockerError> {
    if let Some(known) = tools.ports_of_others() {
        return Ok(known);
    }
    let ours = tools.installation.as_str();
    let of_others = |c: &ContainerSummary| c.labels.get(label::INSTALLATION).is_none_or(|i| i != ours);
    let all = tools.docker.list(&[]).await?;
    let ports = all.iter().filter(|c| of_others(c)).flat_map(|c| {
        let kept = c.labels.get(label::HOST_PORT).and_then(|p| p.parse().ok());
        c.host_ports.iter().copied().chain(kept)
    });
    Ok(tools.remember_ports_of_others(ports.collect()))
}
