//! Stops a server so that it needs no recovery at its next start, and says when it did not. Must never
//! leave it to the engine's own kill while the server can still be asked.

use super::{ActError, Scene, by_postgres};
use crate::core::desired::RestartPolicy;
use crate::core::event::Note;
use crate::core::seen::{ContainerState, LiveUpdate};
use crate::docker::{Docker, DockerError};
use crate::engines::postgres::desired::STOP_TIMEOUT;
use crate::engines::postgres::probe::left_clean;
use std::time::Duration;

/// Between two requests for the shutdown.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// The stop signal is lost when it meets an entrypoint that is still preparing the start: a shell drops
/// it while a child runs. The server would go on until the engine kills it, so it is asked again.
pub(super) async fn fast_shutdown(docker: &dyn Docker, id: &str) -> Result<(), DockerError> {
    let ask = by_postgres(&["sh", "-c", "kill -INT \"$(head -n 1 \"$PGDATA/postmaster.pid\")\""]);
    let mut stopping = docker.stop(id, Duration::from_secs(u64::from(STOP_TIMEOUT)));
    loop {
        tokio::select! {
            stopped = &mut stopping => return stopped,
            () = tokio::time::sleep(ASK_AGAIN) => {}
        }
        // A shutdown in hand is not disturbed by a second request; a server that is gone needs none.
        if let Err(error) = docker.exec(id, &ask, ASK_AGAIN).await {
            tracing::debug!(container = id, %error, "the server could not be asked to shut down again");
        }
    }
}

pub(super) async fn stop(scene: &Scene<'_>, name: &str) -> Result<Vec<Note>, ActError> {
    let docker = scene.docker();
    let id = scene.container_id(name)?;
    scene.tools.drop_session(&scene.identity.object);
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
    fast_shutdown(docker, &id).await?;
    let after = docker.inspect(&id).await?;
    let code = after.as_ref().and_then(|c| c.exit_code);
    let told = docker.logs(&id, 5).await?.iter().any(|line| line.contains("database system is shut down"));
    // The signal may have come before the server did; then the data tells.
    let clean = match &after {
        _ if code == Some(0) && told => true,
        Some(container) => left_clean(docker, container).await? == Some(true),
        None => false,
    };
    if let Some(error) = not_held {
        return Err(error.into());
    }
    let unclean = was_running && !clean;
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
