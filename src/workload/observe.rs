//! Reads what is there of a container with its volume, network, port and image. Reads only; what is dear to read is read
//! only when a decision needs it.
//!
//! The one exception to "reads only" is in `observe/image.rs`: looking into an image takes a throw-away container.

pub mod image;
mod objects;
pub use objects::extra_volumes;
mod ports;

use super::image::Facts;
use super::tools::{PasswordError, Reach, Tools};
use super::world::{Deaths, SILENT};
use super::{Case, World};
use crate::core::seen::{ContainerState, EngineInfo, Glance, SeenContainer, Slot};
use crate::core::will::Wanted;
use crate::docker::DockerError;
use image::{LookInto, Unseen};
use std::net::{IpAddr, Ipv4Addr};

/// Lines of a dead server's log that go into a condition.
pub const LOG_LINES: usize = 6;

/// Why nothing could be seen.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    #[error(transparent)]
    Docker(#[from] DockerError),
    #[error(transparent)]
    Password(#[from] PasswordError),
}

/// Who looks: a pass that will act leases the free port it sees, a mere view does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    Act,
    View,
}

/// Looks at everything but the server itself. `accepted`: the user says that a volume which came back without labels is
/// this object's.
///
/// # Errors
/// When the engine or the store could not be asked; then nothing is known.
pub async fn observe<F: LookInto>(
    tools: &Tools,
    case: &Case<'_>,
    engine: &EngineInfo,
    intent: Intent,
    accepted: bool,
) -> Result<World<F>, ObserveError> {
    let (id, memory) = (case.identity, case.memory);
    let mut world = World::unseen(engine.clone());
    world.password_sealed = tools.password(&id.object)?.is_some();
    let image = async {
        match case.wanted() {
            Wanted::Running | Wanted::Stopped => image::wanted(tools, case, engine).await,
            Wanted::Retained | Wanted::Deleted => super::image::ImageSeen::Missing,
        }
    };
    // Side by side where one does not depend on the other: a busy engine answers each after a while.
    let (container, image) = tokio::join!(objects::container(tools, case), image);
    (world.container, world.misnamed) = container?;
    world.image = match world.container.ours() {
        Some(c) => image::still_local(tools, case, engine, c, image).await,
        None => image,
    };
    world.pinned = image::pinned(tools, case, engine, world.container.ours(), &world.image).await;
    image::without_old_commands(case, &mut world);
    let (volume, network) = tokio::join!(
        objects::volume(tools, case, &world.container, accepted),
        objects::network(tools, id, world.container.ours())
    );
    (world.volume, world.network) = (volume?, network?);
    starts(tools, case, intent, &mut world);
    objects::others(tools, case, &mut world).await?;
    ports::ports(tools, case, intent, &mut world).await?;
    if let Slot::Ours(c) = &world.container {
        let mount = c.mounts.iter().find(|mount| mount.volume == id.volume());
        let inside = mount.filter(|_| c.state == ContainerState::Running);
        let inside = inside.map(|mount| (c.id.as_str(), mount.path.as_str()));
        world.room = tools.room(id, inside).await;
    }
    world.extra_volumes = objects::extra_volumes(tools, id, memory, &world.container).await?;
    Ok(world)
}

/// How the image starts is needed before the first Ready only; who has to prove it by a restart says so
/// to the others.
fn starts<F: Facts>(tools: &Tools, case: &Case<'_>, intent: Intent, world: &mut World<F>) {
    let (memory, member) = (case.memory, &case.identity.member_ref());
    let Some(image) = world.image.fit() else { return };
    if memory.ever_ready && memory.first_start.is_none() {
        return;
    }
    let (image, profile) = (&image.image().id, memory.profile());
    if intent == Intent::Act && memory.first_start.is_some() && !case.spec.paused {
        tools.claim_proof(image, profile, member);
    }
    world.image_starts = tools.image_starts(image, profile, member);
}

/// The memory in use, when the cap would be lowered.
///
/// # Errors
/// When the engine is away.
pub async fn usage<F>(
    tools: &Tools,
    case: &Case<'_>,
    c: &SeenContainer,
    world: &mut World<F>,
) -> Result<(), DockerError> {
    let lowered = case.spec.caps.memory.is_some_and(|new| c.caps.memory.is_none_or(|old| new < old));
    if lowered && !world.engine.lacks.memory_limit {
        world.usage = unless_away(tools.docker.usage(&c.id).await)?;
    }
    Ok(())
}

/// How often it died since it last answered, and how long nobody has listened in it. While it is between two deaths, its
/// log tells why; what does not come up may go back to the image before. `answers`: the server was logged into; `closed`:
/// nobody listens.
///
/// # Errors
/// When the engine is away.
pub async fn deaths<F>(
    tools: &Tools,
    case: &Case<'_>,
    c: &SeenContainer,
    world: &mut World<F>,
    answers: bool,
    closed: bool,
) -> Result<(), DockerError> {
    let id = case.identity;
    world.deaths = tools.count_deaths(id, c, answers);
    world.troubles = tools.troubles(id, c).await;
    let silent = c.state == ContainerState::Running && closed;
    world.silent = tools.silent_for(id, format!("{} {}", c.id, c.started_at), silent);
    let between = c.state == ContainerState::Running && world.deaths.count >= Deaths::LOOP;
    if between && !answers && case.wanted() == Wanted::Running {
        world.log_tail = unless_away(tools.docker.logs(&c.id, LOG_LINES).await)?;
    }
    if !answers
        && gives_up(world)
        && let Some(proven) = case.memory.proven_image.as_ref().filter(|id| **id != c.image_id)
    {
        // While the engine does not tell, there is none to go back to: the one that is there stays.
        world.fallback = tools.docker.image(proven).await.ok().flatten().map(|image| image.id);
    }
    Ok(())
}

/// It does not come up as it is.
#[must_use]
pub fn gives_up<F>(world: &World<F>) -> bool {
    world.deaths.count >= Deaths::LOOP || world.silent >= SILENT
}

/// The image that a container is made from in the place of another, where one is planned: seen to be local before the
/// other is stopped for it. One that is gone is one that is not local, with what follows from that: then the plan is to
/// be made anew, and true is returned.
pub async fn successor<F: LookInto>(
    tools: &Tools,
    case: &Case<'_>,
    engine: &EngineInfo,
    planned: &str,
    world: &mut World<F>,
) -> bool {
    match image::unseen(tools, planned).await {
        None => false,
        Some(Unseen::Unknown(words)) => {
            world.unseen_successor = Some(words);
            false
        }
        Some(Unseen::Gone) => {
            world.image = image::wanted(tools, case, engine).await;
            world.pinned = image::pinned(tools, case, engine, world.container.ours(), &world.image).await;
            image::without_old_commands(case, world);
            true
        }
    }
}

/// Where the server of a container that runs is reached; `None` when it has no address yet.
#[must_use]
pub fn address(case: &Case<'_>, c: &Glance, reach: Reach) -> Option<(IpAddr, u16)> {
    let (network, port) = (case.identity.network(), case.server.port);
    let address =
        c.networks.iter().find(|(name, _)| *name == network).and_then(|(_, ip)| ip.parse::<IpAddr>().ok());
    let published = c.published.iter().find(|p| p.container == port);
    match (reach, published, address) {
        (Reach::Host, Some(p), _) if p.host_ip.is_unspecified() => {
            Some((IpAddr::V4(Ipv4Addr::LOCALHOST), p.host))
        }
        (Reach::Host, Some(p), _) => Some((p.host_ip, p.host)),
        // By what the engine says of this very container: any other on the network can have its name, too.
        (Reach::Network, _, Some(ip)) | (Reach::Host, None, Some(ip)) => Some((ip, port)),
        (Reach::Network, _, None) | (Reach::Host, None, None) => None,
    }
}

/// What only says more: a refusal is nothing said, and ends no look.
///
/// # Errors
/// When the engine is away.
pub fn unless_away<T: Default>(answer: Result<T, DockerError>) -> Result<T, DockerError> {
    match answer {
        Err(error) if !error.is_unavailable() => Ok(T::default()),
        answer => answer,
    }
}
