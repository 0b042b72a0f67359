//! Runs one step of a container. Each can be repeated after a crash at any instruction; nothing is decided here.
//!
//! What a step has to remember goes into [`Memory`]; the caller makes it durable before the next step.

mod caps;
mod error;
mod rotation;
mod stop;

pub use error::ActError;
pub use stop::{Stopped, shut_down, stop};

use super::image::Facts;
use super::memory::{PinnedImage, RefusedImage};
use super::ownership::foreign_volume;
use super::tools::Tools;
use super::{Action, Case, Memory, World};
use crate::core::desired::RestartPolicy;
use crate::core::event::Note;
use crate::core::seen::{LiveUpdate, Slot};
use crate::docker::{Docker, DockerError, ExecRequest};
use crate::secrets::Secret;
use crate::store::Change;
use caps::update_caps;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Containers that steps of one plan made, as the world that it was made for does not have them: name → id.
#[derive(Debug, Default)]
pub struct Made(Mutex<BTreeMap<String, String>>);

impl Made {
    fn put(&self, name: &str, id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), id.to_owned());
    }

    fn id(&self, name: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

/// What goes into the store in one commit with what a step has to remember.
#[derive(Debug, Default)]
pub struct WithRecord(Mutex<Vec<Change>>);

impl WithRecord {
    /// The last thing that a step does: what came before it may still fail.
    pub fn put(&self, changes: Vec<Change>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(changes);
    }

    #[must_use]
    pub fn take(&self) -> Vec<Change> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a step works with.
pub struct Scene<'a, F> {
    pub tools: &'a Tools,
    pub case: Case<'a>,
    pub world: &'a World<F>,
    /// RFC 3339
    pub now: &'a str,
    /// Whether what the plan was made for is still wanted: asked between the waits of a long step.
    pub still: &'a (dyn Fn() -> bool + Send + Sync),
    /// The containers that steps of this plan made.
    pub made: &'a Made,
    /// The image of the container which the plan makes in the place of one that it removes.
    pub successor: Option<&'a str>,
    /// Asks a server that is to shut down once more, from inside.
    pub ask_again: ExecRequest,
}

impl<F> Scene<'_, F> {
    #[must_use]
    pub fn docker(&self) -> &dyn Docker {
        self.tools.docker.as_ref()
    }

    /// The container that the steps work on, by id: another one may have taken its name meanwhile.
    ///
    /// # Errors
    /// When there is none.
    pub fn container_id(&self, name: &str) -> Result<String, ActError> {
        let seen = self.world.container.ours().map(|c| &c.id);
        let renamed = self.world.misnamed.first().map(|(id, _)| id);
        let id = self.made.id(name).or_else(|| seen.or(renamed).cloned());
        id.ok_or_else(|| ActError::Gone(format!("container {name}")))
    }

    /// Starts the object's container, unless another one has its volume: two servers destroy what is on it.
    /// Looked at right before, as nothing else is late enough. A volume that a step of this plan made is
    /// nobody else's.
    ///
    /// # Errors
    /// When it was not started.
    pub async fn start(&self, name: &str) -> Result<(), ActError> {
        let id = self.container_id(name)?;
        let new = self.world.volume == Slot::Missing;
        if !new {
            let census = self.tools.look_around().await?;
            let users = census.users_but(&self.case.identity.volume(), Some(&id));
            if users.iter().any(|u| !self.case.spec.volume_users.contains(&u.name)) {
                return Err(ActError::VolumeShared);
            }
        }
        self.docker().start(&id).await?;
        if !new {
            // Whoever came in between is found by the next look.
            self.tools.forget_census();
        }
        Ok(())
    }

    /// Right before a container is stopped or removed to make another in its place: what that one is made from is
    /// there. A stop may have taken minutes, a trial seconds.
    ///
    /// # Errors
    /// When it is not seen to be there.
    pub async fn successor_is_local(&self) -> Result<(), ActError> {
        let Some(image) = self.successor else { return Ok(()) };
        match self.docker().image(image).await {
            Ok(Some(_)) => Ok(()),
            // The next look asks, too, and says what is the matter.
            Ok(None) | Err(_) => Err(ActError::SuccessorUnseen),
        }
    }

    /// # Errors
    /// When there is none, or it cannot be opened.
    pub fn password(&self) -> Result<Secret, ActError> {
        let password = self.tools.password(&self.case.identity.object)?;
        password.ok_or_else(|| ActError::Gone("the password".to_owned()))
    }

    /// A command of the server's own user.
    #[must_use]
    pub fn by_user(&self, argv: &[&str]) -> ExecRequest {
        by_user(self.case.server.user, argv)
    }
}

/// A command of this user in a container.
#[must_use]
pub fn by_user(user: &str, argv: &[&str]) -> ExecRequest {
    ExecRequest {
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        user: user.to_owned(),
        ..ExecRequest::default()
    }
}

/// Runs `action`. The notes are for the event list, beside the step itself.
///
/// # Errors
/// When the step did not happen, or it is not known that it did.
pub async fn apply<F: Facts>(
    scene: &Scene<'_, F>,
    action: &Action,
    memory: &mut Memory,
) -> Result<Vec<Note>, ActError> {
    let (tools, id, docker) = (scene.tools, scene.case.identity, scene.docker());
    match action {
        Action::ReservePort(port) => {
            if !tools.ports.reserve(*port, &id.member_ref()) {
                return Err(ActError::PortLost(*port));
            }
            if let Some(old) = memory.port.filter(|old| old != port) {
                memory.refused_ports.insert(old);
            }
            memory.port = Some(*port);
        }
        // The controller pulls beside the passes, and records are its own to delete and to hand over, as the last thing.
        Action::PullImage(_) | Action::Forget | Action::HandOver(_) => {}
        Action::PinImage { reference, id, profile } => {
            if memory.image.as_ref().is_none_or(|old| old.id != *id) {
                memory.profile = Some(*profile);
                memory.command_of = Some(id.clone());
                memory.refused_profiles.clear();
            }
            memory.image = Some(PinnedImage { reference: reference.clone(), id: id.clone() });
        }
        Action::CreateNetwork(name) => {
            let labels = id.installation_labels();
            let _gate = tools.network_gate.lock().await;
            let made_meanwhile = docker.networks(name).await?.into_iter().find(|n| n.labels == labels);
            let network = match made_meanwhile {
                Some(network) => network,
                None => docker.create_network(name, &labels).await?,
            };
            tools.remember_network(Some(network.id));
        }
        Action::CreateVolume(name) => {
            create_volume(scene, name).await?;
            memory.volume_fresh = true;
        }
        Action::CreateExtraVolume { volume: name, path } => {
            create_volume(scene, name).await?;
            memory.volumes.insert(path.clone(), name.clone());
        }
        Action::KeepVolume { volume, path } => {
            memory.volumes.insert(path.clone(), volume.clone());
        }
        Action::CreateContainer(desired) => {
            let created = docker.create(desired).await;
            if matches!(created, Err(DockerError::ImageMissing { .. })) {
                tools.forget_image(&desired.image);
            }
            let created = created?;
            scene.made.put(&desired.name, &created);
            memory.container = Some(created);
        }
        Action::StartContainer(name) => scene.start(name).await?,
        Action::StopContainer { name, .. } => {
            scene.successor_is_local().await?;
            let stopped = stop(scene, name).await?;
            let clean = stopped.exit_code() == Some(0);
            return stopped.said(name, clean);
        }
        Action::RemoveContainer { id: container, .. } => {
            scene.successor_is_local().await?;
            docker.remove(container).await?;
            if memory.container.as_ref() == Some(container) {
                memory.container = None;
            }
        }
        Action::RenameContainer { id, to, .. } => docker.rename(id, to).await?,
        Action::UnpauseContainer(name) => docker.unpause(&scene.container_id(name)?).await?,
        Action::UpdateCaps { container, caps } => update_caps(scene, container, caps).await?,
        Action::UpdateRestartPolicy { container } => {
            restart_policy(scene, container, RestartPolicy::Always).await?;
        }
        Action::HoldRestart { container } => restart_policy(scene, container, RestartPolicy::No).await?,
        Action::ConnectNetwork { container, .. } => {
            let Slot::Ours(network) = &scene.world.network else {
                return Err(ActError::Gone("the network".to_owned()));
            };
            docker.connect(network, &scene.container_id(container)?, &[]).await?;
        }
        Action::GiveUpImage { image, words, back_to } => {
            let (message, generation) = (words.clone(), id.generation);
            memory.refused_image = Some(RefusedImage { id: image.clone(), message, generation });
            // By its id: the manifest names another one.
            memory.image = Some(PinnedImage { reference: back_to.clone(), id: back_to.clone() });
            // As it ran: what was given to the other image is not this one's.
            memory.command_of = Some(back_to.clone());
            memory.profile = memory.proven_profile.or(memory.profile);
            memory.refused_profiles.clear();
            return Ok(vec![Note::warning("ImageRefused", words.clone())]);
        }
        Action::RestartServer { container: name, .. } => {
            shut_down(scene, &scene.container_id(name)?).await?;
            // It is down, so the restart is answered, whatever comes next.
            memory.restarted_for.clone_from(&scene.case.asked.restart);
            if !(scene.still)() {
                return Err(ActError::Overtaken);
            }
            scene.start(name).await?;
        }
        Action::RelaxHardening { from, to, image_refuses, .. } => {
            if let Some(image) = image_refuses {
                tools.image_refuses(image, *from).await;
            }
            memory.refused_profiles.insert(*from);
            memory.profile = Some(*to);
        }
        Action::ProveRestart { container: name } => {
            shut_down(scene, &scene.container_id(name)?).await?;
            scene.start(name).await?;
        }
        Action::RemoveVolume(name) => {
            docker.remove_volume(name).await?;
            memory.volumes.retain(|_, kept| kept != name);
            if *name == id.volume() {
                memory.forget_data(scene.case.asked.reinitialise.as_ref());
            }
        }
    }
    Ok(Vec::new())
}

async fn create_volume<F>(scene: &Scene<'_, F>, name: &str) -> Result<(), ActError> {
    let id = scene.case.identity;
    // An existing volume comes back with its old labels (docker-facts §3).
    let volume = scene.docker().create_volume(name, &id.volume_labels()).await?;
    match foreign_volume(&volume.labels, id) {
        Some(_) => Err(ActError::Foreign(format!("volume {name}"))),
        None => Ok(()),
    }
}

async fn restart_policy<F>(scene: &Scene<'_, F>, name: &str, policy: RestartPolicy) -> Result<(), ActError> {
    let change = LiveUpdate { caps: None, restart: Some(policy) };
    Ok(scene.docker().update(&scene.container_id(name)?, &change).await?)
}
