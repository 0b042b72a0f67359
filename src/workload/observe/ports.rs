//! Which host ports are whose. Must never take a port that somebody else's container has, running or not.

use super::{Intent, ObserveError};
use crate::core::names::label;
use crate::core::resource::PortRequest;
use crate::core::seen::SeenContainer;
use crate::docker::DockerError;
use crate::workload::plan::port_was_refused;
use crate::workload::ports::is_bound;
use crate::workload::tools::{PortsOfOthers, Reach, Tools};
use crate::workload::{Case, World};

/// Who has the wanted port, or which one is free.
pub(super) async fn ports<F>(
    tools: &Tools,
    case: &Case<'_>,
    intent: Intent,
    world: &mut World<F>,
) -> Result<(), ObserveError> {
    let (member, memory) = (case.identity.member_ref(), case.memory);
    let wants_port = memory.port.is_none() || port_was_refused(case, world);
    match case.spec.port {
        PortRequest::Auto if wants_port => {
            let others = others(tools).await?;
            let mut refused = others.kept;
            refused.extend(others.published.into_keys());
            refused.extend(memory.refused_ports.iter().copied().chain(memory.port));
            let from = case.server.port;
            world.free_port = match intent {
                Intent::Act => tools.ports.lease(from, &refused, &member),
                Intent::View => tools.ports.free(from, &refused),
            };
        }
        PortRequest::Fixed(port) => {
            let holder = tools.ports.holder(port, &member).map(|holder| holder.object);
            world.port_kept = holder.as_ref().is_some_and(|holder| tools.ports.is_retained(holder));
            world.port_holder = holder.map(|o| o.to_string());
            // Before what serves on another port, or none, gives way. A port that is bound to our container
            // already is for the engine to tell about.
            let bound = |c: &SeenContainer| c.port_bindings.iter().any(|p| p.host == port);
            if world.port_holder.is_none() && !world.container.ours().is_some_and(bound) {
                world.port_taken = taken(tools, port).await?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Who has the port, in words; `None` when nobody has it as far as can be seen from here.
async fn taken(tools: &Tools, port: u16) -> Result<Option<String>, DockerError> {
    if let Some(container) = others(tools).await?.published.get(&port) {
        return Ok(Some(format!("container {container} publishes it")));
    }
    // In a container "this host" is another one.
    let listens = tools.reach == Reach::Host && is_bound(port);
    Ok(listens
        .then(|| format!("a process of this host listens on it (ss -ltnp 'sport = :{port}' says which)")))
}

async fn others(tools: &Tools) -> Result<PortsOfOthers, DockerError> {
    if let Some(known) = tools.ports_of_others() {
        return Ok(known);
    }
    let ours = tools.installation.as_str();
    let mut found = PortsOfOthers::default();
    for c in tools.docker.list(&[]).await? {
        if c.labels.get(label::INSTALLATION) == Some(ours) {
            continue;
        }
        found.kept.extend(c.labels.get(label::HOST_PORT).and_then(|p| p.parse::<u16>().ok()));
        found.published.extend(c.host_ports.iter().map(|port| (*port, c.name.clone())));
    }
    Ok(tools.remember_ports_of_others(found))
}
