//! What lies on the volume: the major version of its data and whose it is, read through a container that
//! mounts it and need not run. Must never start one.

use crate::core::seen::SeenContainer;
use crate::docker::{Docker, DockerError};
use crate::kinds::postgres::control_file;

/// A data directory, as far as its files tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub major: u32,
    /// `None` when its control file is missing or is none.
    pub system_identifier: Option<String>,
    /// Where it is, as the container sees it.
    pub directory: String,
    /// `None` as for `system_identifier`.
    pub catalog: Option<u32>,
}

/// The data below `root` in a container; `None` when there is none.
///
/// # Errors
/// When the engine could not be asked.
pub async fn data(
    docker: &dyn Docker,
    container: &str,
    root: &str,
    pgdata: Option<&str>,
) -> Result<Option<Found>, DockerError> {
    let mut candidates: Vec<String> = pgdata.iter().map(|dir| (*dir).to_owned()).collect();
    candidates.push(root.to_owned());
    candidates.push(format!("{root}/data"));
    for major in 13..=20 {
        candidates.push(format!("{root}/{major}/docker"));
    }
    for directory in candidates {
        let version = docker.get_file(container, &format!("{directory}/PG_VERSION"), 64).await?;
        let major = version.and_then(|bytes| String::from_utf8_lossy(&bytes).trim().parse().ok());
        let Some(major) = major else { continue };
        let path = format!("{directory}/{}", control_file::PATH);
        let head = docker.get_file(container, &path, control_file::HEAD).await?;
        let control = head.and_then(|bytes| control_file::parse(&bytes));
        let system_identifier = control.map(|c| c.system_identifier.to_string());
        let catalog = control.map(|c| c.catalog_version_no);
        return Ok(Some(Found { major, system_identifier, directory, catalog }));
    }
    Ok(None)
}

/// The same for an object that nobody remembers; `own`: its container.
///
/// # Errors
/// When the engine could not be asked.
pub async fn left_over(
    docker: &dyn Docker,
    container: &str,
    root: &str,
    own: Option<&SeenContainer>,
) -> Result<Option<crate::kinds::Found>, DockerError> {
    let pgdata = own.and_then(|c| c.env.get("PGDATA"));
    let found = data(docker, container, root, pgdata).await?;
    let of =
        |found: Found| crate::kinds::Found { major: Some(found.major), identifier: found.system_identifier };
    Ok(found.map(of))
}

/// Whether the data of a stopped container says that its last server was shut down cleanly. An exit code
/// does not tell when the stop signal came before the server: then it is that of whatever prepared the start, even of
/// the engine's own runtime. `None` when there is no such data to ask.
///
/// # Errors
/// When the engine could not be asked.
pub async fn left_clean(docker: &dyn Docker, c: &SeenContainer) -> Result<Option<bool>, DockerError> {
    let Some(pgdata) = c.env.get("PGDATA") else { return Ok(None) };
    let path = format!("{pgdata}/{}", control_file::PATH);
    let head = docker.get_file(&c.id, &path, control_file::HEAD).await?;
    Ok(head.and_then(|bytes| control_file::parse(&bytes)).map(|control| control.shut_down))
}
