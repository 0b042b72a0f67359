//! Stops a server as it wants to be stopped, and tells how that ended. Must never leave it to the engine's own kill while
//! the server can still be asked.

use super::{ActError, Scene};
use crate::core::desired::RestartPolicy;
use crate::core::event::Note;
use crate::core::seen::{ContainerState, LiveUpdate, SeenContainer};
use crate::docker::DockerError;
use std::time::Duration;

/// Between two requests for the shutdown.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// The stop signal is lost when it meets an entrypoint that is still preparing the start: a shell drops
/// it while a child runs. The server would go on until the engine kills it, so it is asked again.
///
/// # Errors
/// When the engine did not stop it.
pub async fn shut_down<F>(scene: &Scene<'_, F>, id: &str) -> Result<(), DockerError> {
    let docker = scene.docker();
    let mut stopping = docker.stop(id, Duration::from_secs(u64::from(scene.case.server.stop_timeout)));
    loop {
        tokio::select! {
            stopped = &mut stopping => return stopped,
            () = tokio::time::sleep(ASK_AGAIN) => {}
        }
        // A shutdown in hand is not disturbed by a second request; a server that is gone needs none.
        if let Err(error) = docker.exec(id, &scene.ask_again, ASK_AGAIN).await {
            tracing::debug!(container = id, %error, "the server could not be asked to shut down again");
        }
    }
}

/// How a stop ended.
pub struct Stopped {
    was_running: bool,
    /// As seen afterwards.
    pub after: Option<SeenContainer>,
    not_held: Option<DockerError>,
}

impl Stopped {
    #[must_use]
    pub fn exit_code(&self) -> Option<i64> {
        self.after.as_ref().and_then(|c| c.exit_code)
    }

    /// What there is to say of it, when it is known whether the shutdown was clean.
    ///
    /// # Errors
    /// When the engine was not told to leave it stopped.
    pub fn said(self, name: &str, clean: bool) -> Result<Vec<Note>, ActError> {
        let code = self.exit_code().map_or("unknown".to_owned(), |c| c.to_string());
        if let Some(error) = self.not_held {
            return Err(error.into());
        }
        Ok(if self.was_running && !clean {
            vec![Note::warning(
                "UncleanShutdown",
                format!("{name} stopped with exit code {code}; recovery runs at the next start"),
            )]
        } else {
            Vec::new()
        })
    }
}

/// # Errors
/// When it did not stop, or something else is wanted by now.
pub async fn stop<F>(scene: &Scene<'_, F>, name: &str) -> Result<Stopped, ActError> {
    let docker = scene.docker();
    let id = scene.container_id(name)?;
    // First the policy: a restart of the engine must not bring back what was stopped on purpose.
    let held = docker.update(&id, &LiveUpdate { caps: None, restart: Some(RestartPolicy::No) }).await;
    // Who lets no request for that through may still let the stop through, and what was asked for is the stop; not
    // where it is the beginning of something else.
    let not_held = match held {
        Err(error @ DockerError::Forbidden { .. }) if scene.successor.is_none() => Some(error),
        answer => answer.map(|()| None)?,
    };
    if !(scene.still)() {
        return Err(ActError::Overtaken);
    }
    let was_running = scene.world.container.ours().is_some_and(|c| c.state == ContainerState::Running);
    shut_down(scene, &id).await?;
    Ok(Stopped { was_running, after: docker.inspect(&id).await?, not_held })
}
