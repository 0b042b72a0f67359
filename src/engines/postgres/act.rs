//! Runs one step. Each can be repeated after a crash at any instruction; nothing is decided here.
//!
//! What a step has to remember goes into [`Memory`]; the caller makes it durable before the next step.

mod caps;
mod error;
mod parameter_file;
mod password;
mod shutdown;
mod trial;

pub use error::ActError;

use super::action::Action;
use super::client::{Session, SqlError};
use super::facts::ImageFacts;
use super::initialisation;
use super::ownership::foreign_volume;
use super::parameters;
use super::record::{Memory, PinnedImage, RefusedImage, RefusedParameters};
use super::tools::Tools;
use super::world::{DataSeen, ImageSeen, Server, World};
use crate::core::desired::RestartPolicy;
use crate::core::event::Note;
use crate::core::identity::Identity;
use crate::core::seen::{EngineInfo, LiveUpdate, Slot};
use crate::core::will::Asked;
use crate::docker::{Docker, DockerError, ExecRequest};
use crate::secrets::{ExposeSecret, Secret};
use caps::update_caps;
use parameter_file::{parameter_file, restore_parameters, write_parameters};
use password::{generate_password, password_file, reset_password};
use shutdown::{fast_shutdown, stop};
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use trial::trial_start;
use zeroize::Zeroizing;

/// What a step works with.
pub struct Scene<'a> {
    pub tools: &'a Tools,
    pub identity: &'a Identity,
    pub engine: &'a EngineInfo,
    pub world: &'a World,
    pub asked: &'a Asked,
    /// RFC 3339
    pub now: String,
    /// Whether what the plan was made for is still wanted: asked between the waits of a long step.
    pub still: &'a (dyn Fn() -> bool + Send + Sync),
    /// The id of the container that a step of this plan made.
    pub made: OnceLock<String>,
    /// Names of containers that may use the object's volume beside it.
    pub volume_users: &'a BTreeSet<String>,
    /// The image that the plan was made with.
    pub image: Option<&'a ImageFacts>,
    /// That of the container which the plan makes in the place of one that it removes.
    pub successor: Option<&'a str>,
}

impl Scene<'_> {
    fn docker(&self) -> &dyn Docker {
        self.tools.docker.as_ref()
    }

    fn image(&self) -> Result<&ImageFacts, ActError> {
        self.image.ok_or_else(|| ActError::Gone("the image".to_owned()))
    }

    /// The wanted image or the one in use until now.
    fn image_of(&self, id: &str) -> Option<&ImageFacts> {
        let wanted = match &self.world.image {
            ImageSeen::Fit(image) => Some(image),
            _ => None,
        };
        wanted.into_iter().chain(&self.world.pinned).find(|image| image.id == id)
    }

    /// The container that the steps work on, by id: another one may have taken its name meanwhile.
    fn container_id(&self, name: &str) -> Result<String, ActError> {
        let seen = self.world.container.ours().map(|c| &c.id);
        let renamed = self.world.misnamed.first().map(|(id, _)| id);
        let id = self.made.get().or(seen).or(renamed);
        id.cloned().ok_or_else(|| ActError::Gone(format!("container {name}")))
    }

    /// Starts the object's container, unless another one has its volume: two servers destroy what is on it.
    /// Looked at right before, as nothing else is late enough. A volume that a step of this plan made is
    /// nobody else's.
    async fn start(&self, name: &str) -> Result<(), ActError> {
        let id = self.container_id(name)?;
        let new = self.world.volume == Slot::Missing;
        if !new {
            let census = self.tools.look_around().await?;
            let users = census.users_but(&self.identity.volume(), Some(&id));
            if users.iter().any(|u| !self.volume_users.contains(&u.name)) {
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
    async fn successor_is_local(&self) -> Result<(), ActError> {
        let Some(image) = self.successor else { return Ok(()) };
        match self.docker().image(image).await {
            Ok(Some(_)) => Ok(()),
            // The next look asks, too, and says what is the matter.
            Ok(None) | Err(_) => Err(ActError::SuccessorUnseen),
        }
    }

    /// The session that the probe of this pass left.
    fn session(&self) -> Result<Arc<dyn Session>, ActError> {
        let session = self.tools.session(&self.identity.object);
        session.ok_or_else(|| ActError::Sql(SqlError::Refused("the session ended".to_owned())))
    }

    fn password(&self) -> Result<Secret, ActError> {
        let password = self.tools.password(&self.identity.object)?;
        password.ok_or_else(|| ActError::Gone("the password".to_owned()))
    }
}

/// A command of the server's own user.
fn by_postgres(argv: &[&str]) -> ExecRequest {
    ExecRequest {
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        user: "postgres".to_owned(),
        ..ExecRequest::default()
    }
}

/// Runs `action`. The notes are for the event list, beside the step itself.
///
/// # Errors
/// When the step did not happen, or it is not known that it did.
pub async fn apply(scene: &Scene<'_>, action: &Action, memory: &mut Memory) -> Result<Vec<Note>, ActError> {
    let (tools, id, docker) = (scene.tools, scene.identity, scene.docker());
    if !matches!(
        action,
        Action::EmptyPasswordFile { .. }
            | Action::TrialStart(_)
            | Action::PinImage { .. }
            | Action::ReservePort(_)
    ) {
        tools.forget_proof(&id.object);
    }
    match action {
        Action::GeneratePassword { username, database } => {
            generate_password(scene, memory).await?;
            memory.init_username = Some(username.clone());
            memory.init_database = Some(database.clone());
        }
        Action::ReservePort(port) => {
            if !tools.ports.reserve(*port, &id.object) {
                return Err(ActError::PortLost(*port));
            }
            if let Some(old) = memory.port.filter(|old| old != port) {
                memory.refused_ports.insert(old);
            }
            memory.port = Some(*port);
        }
        // The controller pulls beside the passes: control/pulls.rs.
        Action::PullImage(_) => {}
        Action::PinImage { reference, id, profile } => {
            if memory.image.as_ref().is_none_or(|old| old.id != *id) {
                memory.profile = Some(*profile);
                memory.command_of = Some(id.clone());
                memory.refused_profiles.clear();
            }
            memory.image = Some(PinnedImage { reference: reference.clone(), id: id.clone() });
        }
        Action::TrialStart(trial) => return trial_start(scene, trial, memory).await,
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
            // An existing volume comes back with its old labels (docker-facts §3).
            let labels = id.volume_labels();
            let volume = docker.create_volume(name, &labels).await?;
            if foreign_volume(&volume.labels, id).is_some() {
                return Err(ActError::Foreign(format!("volume {name}")));
            }
            memory.volume_fresh = true;
        }
        Action::CreateExtraVolume { volume: name, path } => {
            let volume = docker.create_volume(name, &id.volume_labels()).await?;
            if foreign_volume(&volume.labels, id).is_some() {
                return Err(ActError::Foreign(format!("volume {name}")));
            }
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
            let _ = scene.made.set(created.clone());
            memory.container = Some(created);
        }
        Action::UploadFiles { container, parameters, initialise, .. } => {
            upload(scene, container, parameters, *initialise).await?;
            if !initialise {
                memory.password_emptied_in = Some(scene.container_id(container)?);
            }
            let empty = memory.volume_fresh || scene.world.data == DataSeen::Empty;
            memory.init_began |= *initialise && empty;
            memory.written_parameters = Some(parameters::sha256(parameters.as_bytes()));
        }
        Action::StartContainer(name) => scene.start(name).await?,
        Action::StopContainer(name) => {
            scene.successor_is_local().await?;
            return stop(scene, name).await;
        }
        Action::RemoveContainer { id: container, .. } => {
            scene.successor_is_local().await?;
            tools.drop_session(&id.object);
            docker.remove(container).await?;
            if memory.container.as_ref() == Some(container) {
                memory.container = None;
            }
        }
        Action::RenameContainer { id, to, .. } => docker.rename(id, to).await?,
        Action::UnpauseContainer(name) => docker.unpause(&scene.container_id(name)?).await?,
        Action::UpdateCaps { container, caps } => update_caps(scene, container, caps).await?,
        Action::UpdateRestartPolicy { container } => {
            let change = LiveUpdate { caps: None, restart: Some(RestartPolicy::Always) };
            docker.update(&scene.container_id(container)?, &change).await?;
        }
        Action::ConnectNetwork { container, .. } => {
            let Slot::Ours(network) = &scene.world.network else {
                return Err(ActError::Gone("the network".to_owned()));
            };
            docker.connect(network, &scene.container_id(container)?, &[]).await?;
        }
        Action::EmptyPasswordFile { container } => {
            let container = scene.container_id(container)?;
            docker.put_files(&container, &[password_file(scene.image()?, Zeroizing::default())]).await?;
            memory.password_emptied_in = Some(container);
        }
        Action::WriteParameters { container, text } => {
            write_parameters(scene, container, text, memory).await?
        }
        Action::RestoreParameters { container, text, refused, words } => {
            let refused = RefusedParameters {
                sha256: refused.clone(),
                message: words.clone(),
                image: scene.image.map(|image| image.id.clone()),
            };
            restore_parameters(scene, container, text, refused, memory).await?;
            return Ok(vec![Note::warning("ParameterRejected", words.clone())]);
        }
        Action::GiveUpImage { image, words, back_to } => {
            let generation = id.generation;
            let message = words.clone();
            memory.refused_image = Some(RefusedImage { id: image.clone(), message, generation });
            // By its id: the manifest names another one.
            memory.image = Some(PinnedImage { reference: back_to.clone(), id: back_to.clone() });
            // As it ran: what was given to the other image is not this one's.
            memory.command_of = Some(back_to.clone());
            memory.profile = memory.proven_profile.or(memory.profile);
            memory.refused_profiles.clear();
            return Ok(vec![Note::warning("ImageRefused", words.clone())]);
        }
        Action::HoldRestart { container } => {
            let change = LiveUpdate { caps: None, restart: Some(RestartPolicy::No) };
            docker.update(&scene.container_id(container)?, &change).await?;
        }
        Action::RestartServer { container: name, .. } => {
            let container = scene.container_id(name)?;
            tools.drop_session(&id.object);
            fast_shutdown(docker, &container).await?;
            memory.port_restarted |= matches!(scene.world.server, Server::PortSilent(_));
            // It is down, so the restart is answered, whatever comes next.
            memory.restarted_for.clone_from(&scene.asked.restart);
            if !(scene.still)() {
                return Err(ActError::Overtaken);
            }
            scene.start(name).await?;
        }
        Action::CreateDatabase(name) => {
            scene.session()?.create_database(name).await?;
        }
        Action::ResetPassword { container, username } => {
            reset_password(scene, container, username, memory).await?;
        }
        Action::RelaxHardening { from, to, image_refuses } => {
            if let Some(image) = image_refuses {
                tools.image_refuses(image, *from).await;
            }
            memory.refused_profiles.insert(*from);
            memory.profile = Some(*to);
        }
        Action::GiveUpInitialisation { container, words } => {
            memory.init_failed = Some(words.clone());
            stop(scene, container).await?;
            return Ok(vec![Note::warning("InitialisationFailed", words.clone())]);
        }
        Action::ProveRestart { container: name } => {
            tools.drop_session(&id.object);
            fast_shutdown(docker, &scene.container_id(name)?).await?;
            scene.start(name).await?;
        }
        Action::RemoveVolume(name) => {
            docker.remove_volume(name).await?;
            memory.volumes.retain(|_, kept| kept != name);
            if *name == id.volume() {
                memory.forget_data(scene.asked.reinitialise.as_ref());
            }
        }
        // Records are the controller's to delete and to hand over, as the last thing.
        Action::Forget | Action::HandOver(_) => {}
    }
    Ok(Vec::new())
}

async fn upload(scene: &Scene<'_>, container: &str, text: &str, initialise: bool) -> Result<(), ActError> {
    let image = scene.image()?;
    let content = if initialise {
        Zeroizing::new(scene.password()?.expose_secret().as_bytes().to_vec())
    } else {
        Zeroizing::default()
    };
    let mut files = vec![parameter_file(parameters::PATH, text), password_file(image, content)];
    if initialise && image.init_scripts {
        files.push(parameter_file(initialisation::SCRIPT, &initialisation::script()));
    }
    Ok(scene.docker().put_files(&scene.container_id(container)?, &files).await?)
}
