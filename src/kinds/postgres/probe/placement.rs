//! Whether the data lies where the data directory says: symbolic links in it, and above it inside the volume,
//! and where they lead. Reads of the container's files alone, also of one that does not run; must never ask the
//! server where they lead, which follows links without a word.

use crate::core::seen::SeenContainer;
use crate::docker::{Docker, DockerError};
use crate::kinds::postgres::plan::inside;
use crate::kinds::postgres::world::Placement;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::collections::BTreeMap;

/// Looks at the engine has to answer at once.
const AT_ONCE: usize = 4;

/// What PostgreSQL 13 to 18 keeps in a data directory as directories of its own ("Database File Layout" in its
/// manual), and the usual place of a log collector.
const DIRECTORIES: [&str; 19] = [
    "base",
    "global",
    "log",
    "pg_commit_ts",
    "pg_dynshmem",
    "pg_log",
    "pg_logical",
    "pg_multixact",
    "pg_notify",
    "pg_replslot",
    "pg_serial",
    "pg_snapshots",
    "pg_stat",
    "pg_stat_tmp",
    "pg_subtrans",
    "pg_tblspc",
    "pg_twophase",
    "pg_wal",
    "pg_xact",
];

/// Where the links of this container's data directory lead. `no_tablespaces`: its server says that it has none, so it
/// follows none of their links.
///
/// # Errors
/// When the engine could not be asked.
pub(super) async fn placement(
    docker: &dyn Docker,
    c: &SeenContainer,
    data_directory: &str,
    no_tablespaces: bool,
) -> Result<Placement, DockerError> {
    let tablespaces = if no_tablespaces {
        Vec::new()
    } else {
        let links = docker.links(&c.id, &format!("{data_directory}/pg_tblspc")).await?;
        let Some(links) = links else { return Ok(Placement::TooMany) };
        links
    };
    let mut paths = above(c, data_directory);
    paths.extend(DIRECTORIES.iter().map(|name| format!("{data_directory}/{name}")));
    paths.extend(tablespaces.iter().map(|oid| format!("{data_directory}/pg_tblspc/{oid}")));
    let looks = paths.into_iter().map(|path| async move {
        let to = docker.link(&c.id, &path).await?;
        Ok::<_, DockerError>(to.map(|to| (path, to)))
    });
    let found: Vec<Option<(String, String)>> = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
    // The directory itself, so that a plan sees it when it lies outside of every volume.
    let mut links = BTreeMap::from([(data_directory.to_owned(), data_directory.to_owned())]);
    links.extend(found.into_iter().flatten());
    Ok(Placement::Links(links))
}

/// The data directory and what is above it up to where its volume is mounted.
fn above(c: &SeenContainer, data_directory: &str) -> Vec<String> {
    let mount = c.mounts.iter().map(|m| m.path.as_str()).filter(|path| inside(data_directory, path));
    let Some(mount) = mount.max_by_key(|path| path.len()) else { return Vec::new() };
    let mut paths = Vec::new();
    let mut path = data_directory.trim_end_matches('/');
    while path.len() > mount.len() {
        paths.push(path.to_owned());
        path = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    }
    paths
}
