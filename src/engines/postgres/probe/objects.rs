//! What is there under our names: container, volume, network, and whether it is ours. Must never take
//! for ours what does not carry all of our labels.

use crate::core::names::label;
use crate::core::seen::{ContainerState, SeenContainer};
use crate::docker::DockerError;
use crate::engines::postgres::desired::Identity;
use crate::engines::postgres::tools::Tools;
use crate::engines::postgres::world::Slot;
use std::collections::BTreeMap;

pub(super) async fn container(tools: &Tools, id: &Identity) -> Result<Slot<SeenContainer>, DockerError> {
    Ok(match tools.docker.inspect(&id.container()).await? {
        None => Slot::Missing,
        Some(c) => match foreign(&c.labels, id) {
            None => Slot::Ours(c),
            Some(why) => Slot::Foreign(why),
        },
    })
}

/// Ours by its labels, under another name: (id, name).
pub(super) async fn misnamed(tools: &Tools, id: &Identity) -> Result<Vec<(String, String)>, DockerError> {
    let labels = [
        (label::INSTALLATION, id.installation.as_str()),
        (label::KIND, id.object.kind.as_str()),
        (label::NAME, id.object.name.as_str()),
    ];
    let found = tools.docker.list(&labels).await?;
    Ok(found.into_iter().filter(|c| foreign(&c.labels, id).is_none()).map(|c| (c.id, c.name)).collect())
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
        Some(volume) => match foreign(&volume.labels, id) {
            None => Slot::Ours(()),
            Some(why) => Slot::Foreign(why),
        },
    })
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
            c.state == ContainerState::Running && c.networks.get(&name).is_some_and(|e| e.network_id == known)
        })
    {
        return Ok(Slot::Ours(known));
    }
    let found = tools.docker.networks(&name).await?;
    let ours = found.iter().find(|n| {
        n.labels.get(label::INSTALLATION).map(String::as_str) == Some(id.installation.as_str())
            && n.labels.get(label::STORE).map(String::as_str) == Some(id.store.as_str())
    });
    tools.remember_network(ours.map(|n| n.id.clone()));
    Ok(match (ours, found.first()) {
        (Some(network), _) => Slot::Ours(network.id.clone()),
        (None, Some(_)) => Slot::Foreign("it does not carry this installation's labels".to_owned()),
        (None, None) => Slot::Missing,
    })
}

/// Whether labels say that an object is this one's.
fn foreign(labels: &BTreeMap<String, String>, id: &Identity) -> Option<String> {
    let wanted = [
        (label::INSTALLATION, id.installation.as_str()),
        (label::STORE, id.store.as_str()),
        (label::KIND, id.object.kind.as_str()),
        (label::NAME, id.object.name.as_str()),
    ];
    let wrong = wanted.iter().find(|(key, value)| labels.get(*key).map(String::as_str) != Some(*value))?;
    Some(match labels.get(wrong.0) {
        None => format!("it has no label {}", wrong.0),
        Some(other) => format!("its label {} is {other:?}, ours is {:?}", wrong.0, wrong.1),
    })
}
