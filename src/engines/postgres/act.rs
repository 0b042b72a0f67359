//! Runs one step. Each can be repeated after a crash at any instruction; nothing is decided here.
//!
//! What a step has to remember goes into [`Memory`]; the caller makes it durable before the next step.

use super::action::Action;
use super::client::{SqlError, set_password_sql};
use super::desired::{Identity, PASSWORD_FILE, STOP_TIMEOUT};
use super::facts::ImageFacts;
use super::parameters;
use super::plan::caps_in_sync;
use super::record::{Memory, PinnedImage, RefusedParameters};
use super::tools::{PasswordError, Tools, secret_key};
use super::world::{ImageSeen, Slot, World};
use crate::core::desired::RestartPolicy;
use crate::core::event::Note;
use crate::core::quantity::Bytes;
use crate::core::resource::Caps;
use crate::core::seen::{ContainerState, EngineInfo, LiveUpdate};
use crate::docker::{Docker, DockerError, ExecRequest, FileToPut};
use crate::secrets::{self, ExposeSecret};
use crate::store::{Change, StoreError};
use std::time::Duration;
use zeroize::Zeroizing;

/// Why a step did not work.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    #[error(transparent)]
    Docker(#[from] DockerError),
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Seal(#[from] secrets::SealError),
    #[error("the statement failed: {0}")]
    Sql(#[from] SqlError),
    #[error("port {0} was taken by another object a moment ago")]
    PortLost(u16),
    #[error("the engine said yes, but has {0} afterwards")]
    NotApplied(String),
    #[error("PostgreSQL refused: {0}")]
    ParametersRefused(String),
    #[error("{0} exists and is not ours")]
    Foreign(String),
    #[error("psql in the container failed (exit code {code}): {stderr}")]
    Psql { code: i64, stderr: String },
    #[error("the record could not be written as JSON: {0}")]
    Json(String),
    #[error("nothing to work on: {0}")]
    Gone(String),
}

impl ActError {
    /// One CamelCase word from a closed set: metric label, event reason, condition reason.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            ActError::Docker(e) => docker_reason(e),
            ActError::Password(_) | ActError::Seal(_) => "CredentialsUnreadable",
            ActError::Store(_) | ActError::Json(_) => "StoreFailed",
            ActError::Sql(_) | ActError::Psql { .. } => "StatementFailed",
            ActError::PortLost(_) => "PortTaken",
            ActError::NotApplied(_) => "NotApplied",
            ActError::ParametersRefused(_) => "ParameterRejected",
            ActError::Foreign(_) => "NameConflict",
            ActError::Gone(_) => "Changed",
        }
    }

    /// The engine could not be asked: nothing is known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, ActError::Docker(e) if e.is_unavailable())
    }
}

/// The condition reason of an engine error.
#[must_use]
pub fn docker_reason(error: &DockerError) -> &'static str {
    match error {
        DockerError::Unavailable { .. } => "EngineUnavailable",
        DockerError::Timeout { .. } => "EngineTimeout",
        DockerError::NotFound { .. } => "NotFound",
        DockerError::ImageMissing { .. } => "ImageMissing",
        DockerError::NameTaken { .. } => "NameConflict",
        DockerError::PortTaken { .. } => "PortTaken",
        DockerError::MemoryInUse { .. } => "LimitBelowUse",
        DockerError::WrongState { .. } => "Changed",
        DockerError::Refused { .. } => "EngineRefused",
    }
}

/// What a step works with.
pub struct Scene<'a> {
    pub tools: &'a Tools,
    pub identity: &'a Identity,
    pub engine: &'a EngineInfo,
    pub world: &'a World,
    /// RFC 3339
    pub now: String,
}

impl Scene<'_> {
    fn docker(&self) -> &dyn Docker {
        self.tools.docker.as_ref()
    }

    fn image(&self) -> Result<&ImageFacts, ActError> {
        match &self.world.image {
            ImageSeen::Fit(facts) => Ok(facts),
            _ => Err(ActError::Gone("the image".to_owned())),
        }
    }

    /// Names are ours alone: a step works on the container of our name, whatever its id became.
    async fn container_id(&self, name: &str) -> Result<String, ActError> {
        let found = self.docker().inspect(name).await?;
        found.map(|c| c.id).ok_or_else(|| ActError::Gone(format!("container {name}")))
    }
}

/// Runs `action`. The notes are for the event list, beside the step itself.
///
/// # Errors
/// When the step did not happen, or it is not known that it did.
pub async fn apply(scene: &Scene<'_>, action: &Action, memory: &mut Memory) -> Result<Vec<Note>, ActError> {
    let (tools, id, docker) = (scene.tools, scene.identity, scene.docker());
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
        Action::PinImage { reference, id } => {
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
            // An existing volume comes back with its old labels (docker-facts §3).
            let labels = id.labels();
            let volume = docker.create_volume(name, &labels).await?;
            if volume.labels.get(crate::core::names::label::STORE) != Some(&id.store) {
                return Err(ActError::Foreign(format!("volume {name}")));
            }
            memory.volume_fresh = true;
        }
        Action::CreateContainer(desired) => {
            let created = docker.create(desired).await;
            if matches!(created, Err(DockerError::ImageMissing { .. })) {
                tools.forget_image(&desired.image);
            }
            created?;
        }
        Action::UploadFiles { container, parameters, initialise, .. } => {
            upload(scene, container, parameters, *initialise).await?;
            memory.written_parameters = Some(parameters::sha256(parameters.as_bytes()));
        }
        Action::StartContainer(name) => docker.start(&scene.container_id(name).await?).await?,
        Action::StopContainer(name) => return stop(scene, name).await,
        Action::RemoveContainer { id: container, .. } => {
            tools.drop_session(&id.object);
            docker.remove(container).await?;
        }
        Action::RenameContainer { id, to, .. } => docker.rename(id, to).await?,
        Action::UpdateCaps { container, caps } => update_caps(scene, container, caps).await?,
        Action::UpdateRestartPolicy { container } => {
            let change = LiveUpdate { caps: None, restart: Some(RestartPolicy::Always) };
            docker.update(&scene.container_id(container).await?, &change).await?;
        }
        Action::ConnectNetwork { container, .. } => {
            let Slot::Ours(network) = &scene.world.network else {
                return Err(ActError::Gone("the network".to_owned()));
            };
            docker.connect(network, &scene.container_id(container).await?, &[]).await?;
        }
        Action::EmptyPasswordFile { container } => {
            let container = scene.container_id(container).await?;
            docker.put_files(&container, &[password_file(scene.image()?, Zeroizing::default())]).await?;
            memory.password_emptied_in = Some(container);
        }
        Action::WriteParameters { container, text } => {
            write_parameters(scene, container, text, memory).await?
        }
        Action::RestoreParameters { container, text, refused, words } => {
            let container = scene.container_id(container).await?;
            fast_shutdown(docker, &container).await?;
            docker.put_files(&container, &[parameter_file(parameters::PATH, text)]).await?;
            memory.written_parameters = Some(parameters::sha256(text.as_bytes()));
            memory.refused_parameters =
                Some(RefusedParameters { sha256: refused.clone(), message: words.clone() });
            docker.start(&container).await?;
            return Ok(vec![Note::warning("ParameterRejected", words.clone())]);
        }
        Action::RestartServer { container, .. } => {
            let container = scene.container_id(container).await?;
            tools.drop_session(&id.object);
            fast_shutdown(docker, &container).await?;
            docker.start(&container).await?;
            memory.restart_requested = None;
        }
        Action::CreateDatabase(name) => {
            let session = tools
                .take_session(&id.object)
                .ok_or_else(|| ActError::Sql(SqlError::Refused("the session ended".to_owned())))?;
            let made = session.create_database(name).await;
            tools.keep_session(&id.object, session);
            made?;
        }
        Action::ResetPassword { container, username } => {
            reset_password(scene, container, username, memory).await?;
        }
        Action::RelaxHardening(level) => memory.hardening_level = *level,
        Action::RemoveVolume(name) => docker.remove_volume(name).await?,
        // The record itself is the controller's to delete, as the last thing.
        Action::Forget => tools.forget(&id.object),
    }
    Ok(Vec::new())
}

async fn generate_password(scene: &Scene<'_>, memory: &mut Memory) -> Result<(), ActError> {
    let key = secret_key(&scene.identity.object);
    let sealed = scene.tools.sealer.seal(&key, &secrets::password())?;
    let body = serde_json::to_value(&sealed).map_err(|e| ActError::Json(e.to_string()))?;
    scene.tools.store.commit(vec![Change::put(key, body)]).await?;
    memory.password_generation += 1;
    memory.password_rotated_at.clone_from(&scene.now);
    Ok(())
}

/// Read by an entrypoint that runs as root without DAC_OVERRIDE (as owner) and by the postgres user
/// (as group).
fn password_file(image: &ImageFacts, content: Zeroizing<Vec<u8>>) -> FileToPut {
    FileToPut { path: PASSWORD_FILE.to_owned(), mode: 0o440, uid: 0, gid: image.gid, content }
}

fn parameter_file(path: &str, text: &str) -> FileToPut {
    FileToPut {
        path: path.to_owned(),
        mode: 0o644,
        uid: 0,
        gid: 0,
        content: Zeroizing::new(text.as_bytes().to_vec()),
    }
}

async fn upload(scene: &Scene<'_>, container: &str, text: &str, initialise: bool) -> Result<(), ActError> {
    let image = scene.image()?;
    let content = if initialise {
        let password = scene.tools.password(&scene.identity.object)?;
        let password = password.ok_or_else(|| ActError::Gone("the password".to_owned()))?;
        Zeroizing::new(password.expose_secret().as_bytes().to_vec())
    } else {
        Zeroizing::default()
    };
    let id = scene.container_id(container).await?;
    let files = [parameter_file(parameters::PATH, text), password_file(image, content)];
    Ok(scene.docker().put_files(&id, &files).await?)
}

/// Between two requests for the shutdown.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// The stop signal is lost when it meets an entrypoint that is still preparing the start: a shell drops
/// it while a child runs. The server would go on until the engine kills it, so it is asked again.
async fn fast_shutdown(docker: &dyn Docker, id: &str) -> Result<(), DockerError> {
    let ask = "kill -INT \"$(head -n 1 \"$PGDATA/postmaster.pid\")\"";
    let request = ExecRequest {
        argv: ["sh", "-c", ask].map(str::to_owned).to_vec(),
        user: "postgres".to_owned(),
        ..ExecRequest::default()
    };
    let mut stopping = docker.stop(id, Duration::from_secs(u64::from(STOP_TIMEOUT)));
    loop {
        tokio::select! {
            stopped = &mut stopping => return stopped,
            () = tokio::time::sleep(ASK_AGAIN) => {}
        }
        // A shutdown in hand is not disturbed by a second request; a server that is gone needs none.
        if let Err(error) = docker.exec(id, &request, ASK_AGAIN).await {
            tracing::debug!(container = id, %error, "the server could not be asked to shut down again");
        }
    }
}

async fn stop(scene: &Scene<'_>, name: &str) -> Result<Vec<Note>, ActError> {
    let docker = scene.docker();
    let id = scene.container_id(name).await?;
    scene.tools.drop_session(&scene.identity.object);
    // First the policy: a restart of the engine must not bring back what was stopped on purpose.
    docker.update(&id, &LiveUpdate { caps: None, restart: Some(RestartPolicy::No) }).await?;
    let was_running = scene.world.container.ours().is_some_and(|c| c.state == ContainerState::Running);
    fast_shutdown(docker, &id).await?;
    let after = docker.inspect(&id).await?;
    let code = after.and_then(|c| c.exit_code);
    let clean = docker.logs(&id, 5).await?.iter().any(|line| line.contains("database system is shut down"));
    let unclean = was_running && (code != Some(0) || !clean);
    Ok(if unclean {
        let code = code.map_or("unknown".to_owned(), |c| c.to_string());
        vec![Note::warning(
            "UncleanShutdown",
            format!("{name} stopped with exit code {code}; recovery runs at the next start"),
        )]
    } else {
        Vec::new()
    })
}

/// The engine's word is checked against its own numbers afterwards, also against the limit that the
/// kernel enforces where the engine tells it (docker-facts §1: inspect alone can lie).
async fn update_caps(scene: &Scene<'_>, name: &str, caps: &Caps) -> Result<(), ActError> {
    let docker = scene.docker();
    let id = scene.container_id(name).await?;
    docker.update(&id, &LiveUpdate { caps: Some(*caps), restart: None }).await?;
    let after = docker.inspect(&id).await?.ok_or_else(|| ActError::Gone(format!("container {name}")))?;
    if !caps_in_sync(caps, &after.caps, scene.engine) {
        return Err(ActError::NotApplied(super::action::caps_in_words(&after.caps)));
    }
    if let Some(usage) = docker.usage(&id).await?
        && !same_limit(usage.memory_limit, caps.memory)
    {
        let limit = usage.memory_limit.map_or("no memory limit".to_owned(), |l| format!("memory limit {l}"));
        return Err(ActError::NotApplied(format!("{limit} in the kernel")));
    }
    Ok(())
}

/// The kernel counts in pages, of at most 64 KiB.
fn same_limit(kernel: Option<Bytes>, asked: Option<Bytes>) -> bool {
    match (kernel, asked) {
        (Some(kernel), Some(asked)) => kernel.0.abs_diff(asked.0) < 64 * Bytes::KI,
        (kernel, asked) => kernel == asked,
    }
}

/// The server's own binary reads the new file first: a file it refuses never replaces a good one.
async fn write_parameters(
    scene: &Scene<'_>,
    name: &str,
    text: &str,
    memory: &mut Memory,
) -> Result<(), ActError> {
    const CANDIDATE: &str = "/etc/seawall/candidate.conf";
    let docker = scene.docker();
    let image = scene.image()?;
    let id = scene.container_id(name).await?;
    docker.put_files(&id, &[parameter_file(CANDIDATE, text)]).await?;
    let argv =
        ["postgres", "-C", "config_file", "-D", &image.pgdata, "-c", &format!("config_file={CANDIDATE}")];
    let check = ExecRequest {
        argv: argv.iter().map(|s| (*s).to_owned()).collect(),
        user: "postgres".to_owned(),
        ..ExecRequest::default()
    };
    let checked = docker.exec(&id, &check, Duration::from_secs(10)).await?;
    if checked.exit_code != 0 {
        let message = server_words(&format!("{}\n{}", checked.stderr, checked.stdout));
        memory.refused_parameters =
            Some(RefusedParameters { sha256: parameters::sha256(text.as_bytes()), message: message.clone() });
        return Err(ActError::ParametersRefused(message));
    }
    docker.put_files(&id, &[parameter_file(parameters::PATH, text)]).await?;
    let session = scene
        .tools
        .take_session(&scene.identity.object)
        .ok_or_else(|| ActError::Sql(SqlError::Refused("the session ended".to_owned())))?;
    let reloaded = session.reload().await;
    scene.tools.keep_session(&scene.identity.object, session);
    reloaded?;
    // Only now: a file that was written and not yet read is written and read again.
    memory.written_parameters = Some(parameters::sha256(text.as_bytes()));
    Ok(())
}

/// The message of a PostgreSQL log excerpt, without timestamps and levels: the first line that says
/// what is wrong.
#[must_use]
pub fn server_words(log: &str) -> String {
    let mut hint = None;
    let mut message = None;
    for line in log.lines() {
        for level in ["ERROR:", "FATAL:", "LOG:", "WARNING:"] {
            if let Some((_, words)) = line.split_once(level)
                && message.is_none()
            {
                message = Some(words.trim().to_owned());
            }
        }
        if let Some((_, words)) = line.split_once("HINT:")
            && hint.is_none()
        {
            hint = Some(words.trim().to_owned());
        }
    }
    match (message, hint) {
        (Some(message), Some(hint)) => format!("{message} ({hint})"),
        (Some(message), None) => message,
        (None, _) => log.trim().chars().take(300).collect(),
    }
}

async fn reset_password(
    scene: &Scene<'_>,
    name: &str,
    username: &str,
    memory: &mut Memory,
) -> Result<(), ActError> {
    let object = &scene.identity.object;
    let password = scene.tools.password(object)?.ok_or_else(|| ActError::Gone("the password".to_owned()))?;
    let argv = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", username, "-d", "template1", "-f", "-"];
    let request = ExecRequest {
        argv: argv.iter().map(|s| (*s).to_owned()).collect(),
        user: "postgres".to_owned(),
        stdin: Some(Zeroizing::new(set_password_sql(username, &password).into_bytes())),
        ..ExecRequest::default()
    };
    let id = scene.container_id(name).await?;
    let result = scene.docker().exec(&id, &request, Duration::from_secs(15)).await?;
    if result.exit_code != 0 {
        return Err(ActError::Psql { code: result.exit_code, stderr: result.stderr.trim().to_owned() });
    }
    // It is a role of this server: the data is that user's.
    memory.init_username.get_or_insert_with(|| username.to_owned());
    memory.password_generation += 1;
    memory.password_rotated_at.clone_from(&scene.now);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_own_words() {
        let log = "2026-01-01 00:00:00.000 UTC [9] LOG:  invalid value for parameter \"work_mem\": \"16ZB\"\n\
                   2026-01-01 00:00:00.000 UTC [9] HINT:  Valid units for this parameter are \"B\", \"kB\".\n\
                   2026-01-01 00:00:00.000 UTC [9] FATAL:  configuration file \"x\" contains errors\n";
        assert_eq!(
            server_words(log),
            "invalid value for parameter \"work_mem\": \"16ZB\" (Valid units for this parameter are \"B\", \"kB\".)"
        );
        assert_eq!(server_words("strange"), "strange");
    }
}
