//! What lies on the volume: the major version of its data, read through a container that mounts it and
//! need not run. Must never start one.

use crate::docker::{Docker, DockerError};

/// The major version of the data below `root` in a container; `None` when there is none.
///
/// # Errors
/// When the engine could not be asked.
pub async fn data_major(
    docker: &dyn Docker,
    container: &str,
    root: &str,
    pgdata: Option<&str>,
) -> Result<Option<u32>, DockerError> {
    let mut candidates: Vec<String> = pgdata.iter().map(|dir| format!("{dir}/PG_VERSION")).collect();
    candidates.push(format!("{root}/PG_VERSION"));
    candidates.push(format!("{root}/data/PG_VERSION"));
    for major in 13..=20 {
        candidates.push(format!("{root}/{major}/docker/PG_VERSION"));
    }
    for path in candidates {
        if let Some(bytes) = docker.get_file(container, &path, 64).await?
            && let Ok(major) = String::from_utf8_lossy(&bytes).trim().parse()
        {
            return Ok(Some(major));
        }
    }
    Ok(None)
}
