//! Whether a server that was stopped needs no recovery at its next start. Must never call a shutdown clean that is not
//! known to be.

use super::{ActError, Scene};
use crate::core::event::Note;
use crate::docker::ExecRequest;
use crate::kinds::postgres::desired::SERVER;
use crate::kinds::postgres::probe::left_clean;
use crate::workload::act::{self as work, by_user};

/// The request that a server hears when its entry point did not pass the signal on.
#[must_use]
pub fn ask_again() -> ExecRequest {
    by_user(SERVER.user, &["sh", "-c", "kill -INT \"$(head -n 1 \"$PGDATA/postmaster.pid\")\""])
}

pub(super) async fn stop(scene: &Scene<'_>, name: &str) -> Result<Vec<Note>, ActError> {
    let docker = scene.work.docker();
    let stopped = work::stop(&scene.work, name).await?;
    let id = scene.work.container_id(name)?;
    let told = docker.logs(&id, 5).await?.iter().any(|line| line.contains("database system is shut down"));
    // The signal may have come before the server did; then the data tells.
    let clean = match &stopped.after {
        _ if stopped.exit_code() == Some(0) && told => true,
        Some(container) => left_clean(docker, container).await? == Some(true),
        None => false,
    };
    Ok(stopped.said(name, clean)?)
}
