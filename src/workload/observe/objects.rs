//! What is there under our names: container, volume, network, and whether it is ours. Must never take
//! for ours what does not carry all of our labels.

use crate::core::identity::Identity;
use crate::core::names::label;
use crate::core::seen::{ContainerState, SeenContainer, Slot};
use crate::core::will::Wanted;
use crate::docker::DockerError;
use crate::workload::ownership::{foreign, foreign_volume, not_ours};
use crate::workload::tools::Tools;
use crate::workload::world::own_names;
use crate::workload::{Case, Memory, World};
use std::collections::BTreeMap;

/// What is under our name, and the container that is ours under another one: (id, name).
pub(super) async fn container(
    tools: &Tools,
    case: &Case<'_>,
) -> Result<(Slot<SeenContainer>, Vec<(String, String)>), DockerError> {
    let (id, memory) = (case.identity, case.memory);
    let found = tools.docker.inspect(&id.container()).await?;
    let elsewhere = match memory.container.as_deref() {
        Some(known) if found.as_ref().is_none_or(|c| c.id != known) => {
            let kept = tools.docker.inspect(known).await?;
            kept.filter(|c| c.id == known && foreign(&c.labels, id).is_none())
        }
        _ => None,
    };
    let slot = match found {
        None => Slot::Missing,
        Some(c) => match (not_ours(&c, id, memory, case.server.keeps_data), &elsewhere) {
            (Some(why), _) => Slot::Foreign(why),
            // By label alone, while the real one exists.
            (None, Some(ours)) => Slot::Foreign(format!("the one that Seawall made is called {}", ours.name)),
            (None, None) => Slot::Ours(c),
        },
    };
    Ok((slot, elsewhere.map(|c| (c.id, c.name)).into_iter().collect()))
}

/// Who else has our labels or our volume. A look that was taken for all objects is enough for a plan; one
/// that would hold something back is taken anew.
pub(super) async fn others<F>(
    tools: &Tools,
    case: &Case<'_>,
    world: &mut World<F>,
) -> Result<(), DockerError> {
    let id = case.identity;
    let fresh =
        |world: &World<F>| matches!(world.container, Slot::Missing) && matches!(world.volume, Slot::Missing);
    if fresh(world) && case.memory == &Memory::default() {
        // A new object, of which there is nothing yet.
        return Ok(());
    }
    let own = world.container.ours().map(|c| c.id.clone()).or_else(|| case.memory.container.clone());
    let (mut census, member) = (tools.known_census().await?, id.member_ref());
    let names = own_names(&id.installation, &member);
    if !census.users_but(&id.volume(), own.as_deref()).is_empty()
        || !census.namesakes(&member).is_empty()
        || !census.called(&names, own.as_deref()).is_empty()
    {
        census = tools.look_around().await?;
    }
    world.sharers = census.users_but(&id.volume(), own.as_deref());
    world.called_alike = census.called(&names, own.as_deref());
    let others = census.namesakes(&member).iter().filter(|n| own.as_deref() != Some(n.id.as_str()));
    world.duplicates = others.map(|n| (n.id.clone(), n.name.clone())).collect();
    Ok(())
}

/// A mounted volume cannot go away: it is looked up only when no container of ours holds it. One that was
/// restored without labels is the object's when the user says that its data is; what lies on it is looked at
/// before a server starts.
pub(super) async fn volume(
    tools: &Tools,
    case: &Case<'_>,
    container: &Slot<SeenContainer>,
    accepted: bool,
) -> Result<Slot<()>, DockerError> {
    let id = case.identity;
    let name = id.volume();
    if !case.server.keeps_data {
        return Ok(Slot::Missing);
    }
    if container.ours().is_some_and(|c| c.mounts.iter().any(|m| m.volume == name)) {
        return Ok(Slot::Ours(()));
    }
    let accepted = accepted && case.wanted() != Wanted::Deleted;
    Ok(match tools.docker.volume(&name).await? {
        None => Slot::Missing,
        Some(volume) if accepted && !volume.labels.contains_key(label::INSTALLATION) => Slot::Ours(()),
        Some(volume) => foreign_volume(&volume.labels, id).map_or(Slot::Ours(()), Slot::Foreign),
    })
}

/// Remembered volumes beside that of the data which no container of ours holds: missing, or whose. One that the
/// engine named has no labels of ours: that it is remembered makes it the object's.
///
/// # Errors
/// When the engine could not be asked.
pub async fn extra_volumes(
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
            Some(volume) => foreign_volume(&volume.labels, id).map_or(Slot::Ours(()), Slot::Foreign),
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
