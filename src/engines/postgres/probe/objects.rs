//! What is there under our names: container, volume, network, and whether it is ours. Must never take
//! for ours what does not carry all of our labels.

use crate::core::names::label;
use crate::core::pairs::Pairs;
use crate::core::seen::{ContainerState, SeenContainer};
use crate::docker::DockerError;
use crate::engines::postgres::desired::Identity;
use crate::engines::postgres::record::Memory;
use crate::engines::postgres::tools::Tools;
use crate::engines::postgres::world::Slot;
use std::collections::BTreeMap;

pub(super) async fn container(tools: &Tools, id: &Identity) -> Result<Slot<SeenContainer>, DockerError> {
    Ok(match tools.docker.inspect(&id.container()).await? {
        None => Slot::Missing,
        Some(c) => foreign(&c.labels, id).map_or_else(|| Slot::Ours(c), Slot::Foreign),
    })
}

/// Ours by its labels, under another name: (id, name).
pub(super) async fn misnamed(tools: &Tools, id: &Identity) -> Result<Vec<(String, String)>, DockerError> {
    let found = tools.docker.list(&id.proof()).await?;
    Ok(found.into_iter().map(|c| (c.id, c.name)).collect())
}

/// A mounted volume cannot go away: it is looked up only when no container of ours holds it.
pub(super) async fn volume(
    tools: &Tools,
    id: &Identity,
    container: &Slot<SeenContainer>,
) -> Result<Slot<()>, DockerError> {
    let name = id.volume();
    if container.ours().is_some_and(|c| c.mounts.iter().any(|m| m.volume == name)) {
        return Ok(Slot::Ours(()));
    }
    Ok(match tools.docker.volume(&name).await? {
        None => Slot::Missing,
        Some(volume) => foreign(&volume.labels, id).map_or(Slot::Ours(()), Slot::Foreign),
    })
}

/// Remembered volumes beside that of the data which no container of ours holds: missing, or whose. One that the
/// engine named has no labels of ours: that it is remembered makes it the object's.
pub(super) async fn extra_volumes(
    tools: &Tools,
    id: &Identity,
    memory: &Memory,
    container: &Slot<SeenContainer>,
) -> Result<BTreeMap<String, Slot<()>>, DockerError> {
    let mut seen = BTreeMap::new();
    for name in memory.volumes.values() {
        if container.ours().is_some_and(|c| c.mounts.iter().any(|m| m.volume == *name)) {
            continue;
        }
        let slot = match tools.docker.volume(name).await? {
            None => Slot::Missing,
            Some(volume) if volume.labels.get(label::INSTALLATION).is_none() => Slot::Ours(()),
            Some(volume) => foreign(&volume.labels, id).map_or(Slot::Ours(()), Slot::Foreign),
        };
        seen.insert(name.clone(), slot);
    }
    Ok(seen)
}

/// The network's id is kept between passes; a container attached to it proves that it is still there.
pub(super) async fn network(
    tools: &Tools,
    id: &Identity,
    container: Option<&SeenContainer>,
) -> Result<Slot<String>, DockerError> {
    let name = id.network();
    if let Some(known) = tools.known_network()
        && container.is_some_and(|c| {
            c.state == ContainerState::Running && c.endpoint(&name).is_some_and(|e| e.network_id == known)
        })
    {
        return Ok(Slot::Ours(known));
    }
    let found = tools.docker.networks(&name).await?;
    let labels = id.installation_labels();
    let ours = found.iter().find(|n| labels.iter().all(|(key, value)| n.labels.get(key) == Some(value)));
    tools.remember_network(ours.map(|n| n.id.clone()));
    Ok(match (ours, found.first()) {
        (Some(network), _) => Slot::Ours(network.id.clone()),
        (None, Some(_)) => Slot::Foreign("it does not carry this installation's labels".to_owned()),
        (None, None) => Slot::Missing,
    })
}

/// Why these labels are not this object's; `None` when they are.
fn foreign(labels: &Pairs, id: &Identity) -> Option<String> {
    let differs = |(key, value): &(&str, &str)| labels.get(key) != Some(*value);
    let (key, value) = id.proof().into_iter().find(differs)?;
    Some(match labels.get(key) {
        None => format!("it has no label {key}"),
        Some(other) => format!("its label {key} is {other:?}, ours is {value:?}"),
    })
}
