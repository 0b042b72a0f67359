//! Runs one step. Each can be repeated after a crash at any instruction; nothing is decided here.
//!
//! What a step has to remember goes into [`Memory`]; the caller makes it durable before the next step.

mod error;
mod monitor;
mod parameter_file;
mod password;
mod shutdown;
mod trial;

pub use error::ActError;
pub use shutdown::ask_again;

use super::action::Action;
use super::client::{Session, SqlError};
use super::desired;
use super::facts::ImageFacts;
use super::initialisation;
use super::parameters;
use super::record::{Memory, RefusedParameters};
use super::tools::Tools;
use super::world::{DataSeen, Server, World};
use crate::core::digest::sha256;
use crate::core::event::Note;
use crate::secrets::ExposeSecret;
use crate::workload::act as work;
use crate::workload::{self, Action as Work};
use parameter_file::{parameter_file, restore_parameters, write_parameters};
use password::{generate_password, make_current, password_file, reset_password, take_password};
use shutdown::stop;
use std::sync::Arc;
use trial::trial_start;
use zeroize::Zeroizing;

/// What a step works with.
pub struct Scene<'a> {
    pub tools: &'a Tools,
    pub work: work::Scene<'a, ImageFacts>,
    pub with_record: &'a work::WithRecord,
    pub world: &'a World,
    /// The image that the plan was made with.
    pub image: Option<&'a ImageFacts>,
}

impl Scene<'_> {
    fn image(&self) -> Result<&ImageFacts, ActError> {
        self.image.ok_or_else(|| gone("the image"))
    }

    /// The wanted image or the one in use until now.
    fn image_of(&self, id: &str) -> Option<&ImageFacts> {
        let images = self.world.work.image.fit().into_iter().chain(&self.world.work.pinned);
        images.into_iter().find(|image| image.work.id == id)
    }

    /// The session that the probe of this pass left.
    fn session(&self) -> Result<Arc<dyn Session>, ActError> {
        let session = self.tools.session(&self.work.case.identity.object);
        session.ok_or_else(|| ActError::Sql(SqlError::Refused("the session ended".to_owned())))
    }
}

fn gone(what: &str) -> ActError {
    ActError::Work(workload::act::ActError::Gone(what.to_owned()))
}

/// Runs `action`. The notes are for the event list, beside the step itself.
///
/// # Errors
/// When the step did not happen, or it is not known that it did.
pub async fn apply(scene: &Scene<'_>, action: &Action, memory: &mut Memory) -> Result<Vec<Note>, ActError> {
    let (tools, id, docker) = (scene.tools, scene.work.case.identity, scene.work.docker());
    if !matches!(
        action,
        Action::EmptyPasswordFile { .. }
            | Action::PutMonitorRight { .. }
            | Action::CountStatements
            | Action::TrialStart(_)
            | Action::Work(Work::PinImage { .. } | Work::ReservePort(_))
    ) {
        tools.forget_proof(&id.object);
    }
    match action {
        Action::Work(action) => return container(scene, action, memory).await,
        Action::GeneratePassword { username, database } => {
            generate_password(scene, memory).await?;
            memory.init_username = Some(username.clone());
            memory.init_database = Some(database.clone());
        }
        Action::TakePassword { source, username, database } => {
            take_password(scene, source, memory).await?;
            if !scene.world.work.password_sealed {
                memory.init_username = Some(username.clone());
                memory.init_database = Some(database.clone());
            }
        }
        Action::TrialStart(trial) => return trial_start(scene, trial, memory).await,
        Action::UploadFiles { container, parameters, initialise, .. } => {
            upload(scene, container, parameters, *initialise).await?;
            if !initialise {
                memory.password_emptied_in = Some(scene.work.container_id(container)?);
            }
            let empty = memory.work.volume_fresh || scene.world.data == DataSeen::Empty;
            memory.init_began |= *initialise && empty;
            // Another image may have no such library; the data was made so all the same.
            if *initialise {
                memory.counts_statements = desired::counts_statements(memory, scene.image()?);
            }
            memory.written_parameters = Some(sha256(parameters.as_bytes()));
        }
        Action::EmptyPasswordFile { container } => {
            let container = scene.work.container_id(container)?;
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
                image: scene.image.map(|image| image.work.id.clone()),
            };
            restore_parameters(scene, container, text, refused, memory).await?;
            return Ok(vec![Note::warning("ParameterRejected", words.clone())]);
        }
        Action::CreateDatabase(name) => {
            scene.session()?.create_database(name).await?;
        }
        Action::PutMonitorRight { make, others } => monitor::put_right(scene, *make, others).await?,
        Action::CountStatements => scene.session()?.count_statements().await?,
        Action::MakePending => scene.work.make_pending().await?,
        Action::ResetPassword { container, username, pending } => {
            reset_password(scene, container, username, *pending, memory).await?;
        }
        Action::MakeCurrent => make_current(scene, memory)?,
        Action::GiveUpInitialisation { container, words } => {
            memory.init_failed = Some(words.clone());
            tools.drop_session(&id.object);
            stop(scene, container).await?;
            return Ok(vec![Note::warning("InitialisationFailed", words.clone())]);
        }
    }
    Ok(Vec::new())
}

/// A step of the container, with what it means for the server in it.
async fn container(scene: &Scene<'_>, action: &Work, memory: &mut Memory) -> Result<Vec<Note>, ActError> {
    let id = scene.work.case.identity;
    if action.interrupts() || matches!(action, Work::ProveRestart { .. }) {
        // So that it does not look like a user's.
        scene.tools.drop_session(&id.object);
    }
    if let Work::StopContainer { name, .. } = action {
        scene.work.successor_is_local().await?;
        return stop(scene, name).await;
    }
    let done = work::apply(&scene.work, action, &mut memory.work).await;
    match action {
        // Unless it was not even stopped.
        Work::RestartServer { .. } if !matches!(done, Err(work::ActError::Docker(_))) => {
            memory.work.port_restarted |= matches!(scene.world.server, Server::PortSilent(_));
        }
        Work::RemoveVolume(name) if done.is_ok() && *name == id.volume() => memory.forget_data(),
        _ => {}
    }
    Ok(done?)
}

async fn upload(scene: &Scene<'_>, container: &str, text: &str, initialise: bool) -> Result<(), ActError> {
    let image = scene.image()?;
    let content = if initialise {
        Zeroizing::new(scene.work.password()?.expose_secret().as_bytes().to_vec())
    } else {
        Zeroizing::default()
    };
    let mut files = vec![parameter_file(parameters::PATH, text), password_file(image, content)];
    if initialise && image.init_scripts {
        files.push(parameter_file(initialisation::SCRIPT, &initialisation::script()));
    }
    Ok(scene.work.docker().put_files(&scene.work.container_id(container)?, &files).await?)
}
