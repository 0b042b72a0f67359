//! What is in an image of PostgreSQL. Must never start anything of it unless it does not tell its version otherwise.

use crate::core::seen::SeenImage;
use crate::docker::{Docker, DockerError};
use crate::kinds::postgres::collation::Libraries;
use crate::kinds::postgres::facts::{Contents, ImageFacts, TOOLS, facts, major_of_env};
use crate::kinds::postgres::parameters::STATEMENTS;
use crate::kinds::postgres::{initialisation, programs};
use crate::workload::image::Unfit;
use crate::workload::observe::image::{LookInto, Looker};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;

/// Where Debian and Alpine keep what is installed, in the order of [`Libraries::of`].
const PACKAGES: [&str; 2] = ["/var/lib/dpkg/status", "/lib/apk/db/installed"];
/// Read of each; an image of a database server has a tenth of it.
const PACKAGE_BYTES: usize = 8 << 20;

#[async_trait]
impl LookInto for ImageFacts {
    async fn find(looker: &Looker<'_>, image: &SeenImage) -> Result<Result<Self, Unfit>, DockerError> {
        let read = |docker, id| read_contents(docker, image, id, false);
        let mut contents = looker.look(None, read).await?;
        if contents.built_for.is_none()
            && major_of_env(image).is_none()
            && let Some(server) = &contents.server
        {
            let ask = vec![server.clone(), "--version".to_owned()];
            let read = |docker, id| read_contents(docker, image, id, true);
            contents = looker.look(Some(ask), read).await?;
        }
        Ok(facts(image, &contents))
    }
}

async fn read_contents(
    docker: Arc<dyn Docker>,
    image: &SeenImage,
    id: String,
    ask_version: bool,
) -> Result<Contents, DockerError> {
    let (docker, id) = (docker.as_ref(), id.as_str());
    let passwd = docker.get_file(id, "/etc/passwd", 256 * 1024).await?.unwrap_or_default();
    let mut found = Vec::new();
    for (tool, paths) in TOOLS {
        for path in paths {
            if docker.exists(id, path).await? {
                found.push(tool.to_owned());
                break;
            }
        }
    }
    let [mut dpkg, mut apk] = [const { String::new() }; 2];
    for (path, text) in PACKAGES.into_iter().zip([&mut dpkg, &mut apk]) {
        let file = docker.get_file(id, path, PACKAGE_BYTES).await?.unwrap_or_default();
        *text = String::from_utf8_lossy(&file).into_owned();
    }
    let libraries = Libraries::of(&dpkg, &apk);
    let init_scripts = docker.exists(id, initialisation::SCRIPTS).await?;
    let mut version_output = None;
    if ask_version && docker.start(id).await.is_ok() {
        let code = docker.wait(id, Duration::from_secs(20)).await?;
        let lines = docker.logs(id, 5).await?;
        version_output = (code == 0).then(|| lines.join("\n"));
    }
    let (server, built_for) = server_programs(docker, image, id).await?;
    let statements = has_library(docker, id, server.as_deref().unwrap_or_default(), STATEMENTS).await?;
    let passwd = String::from_utf8_lossy(&passwd).into_owned();
    let tools = found;
    Ok(Contents { passwd, tools, libraries, version_output, server, built_for, init_scripts, statements })
}

/// Whether this server's program would find this library.
async fn has_library(docker: &dyn Docker, id: &str, server: &str, name: &str) -> Result<bool, DockerError> {
    let dir = server.rsplit_once('/').map_or("", |(dir, _)| dir);
    for libraries in programs::libraries(dir) {
        if docker.exists(id, &format!("{libraries}/{name}.so")).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Where the server's program is, and major and catalog version that it was built for. The small program
/// beside it tells the same as the big one, where it is there.
async fn server_programs(
    docker: &dyn Docker,
    image: &SeenImage,
    id: &str,
) -> Result<(Option<String>, Option<(u32, u32)>), DockerError> {
    const SMALL: usize = 1 << 20;
    const BIG: usize = 64 << 20;
    for dir in programs::dirs(image) {
        let server = format!("{dir}/postgres");
        // Looked for before it is read, which costs the engine ten times as much.
        if !docker.exists(id, &server).await? {
            continue;
        }
        let small = file(docker, id, &format!("{dir}/pg_checksums"), SMALL).await?;
        if let Some(built_for) = programs::built_for(&small.unwrap_or_default()) {
            return Ok((Some(server), Some(built_for)));
        }
        // A directory of this name is no server, and the next place may have one.
        let Some(program) = file(docker, id, &server, BIG).await? else { continue };
        let built_for = programs::built_for(&program);
        return Ok((Some(server), built_for));
    }
    Ok((None, None))
}

/// A file of an image; what is no file (a directory, a device, a link that leads nowhere) is none.
async fn file(
    docker: &dyn Docker,
    id: &str,
    path: &str,
    most: usize,
) -> Result<Option<Vec<u8>>, DockerError> {
    match docker.get_file(id, path, most).await {
        Err(DockerError::Refused { status, .. }) if status < 500 => Ok(None),
        answer => answer,
    }
}
