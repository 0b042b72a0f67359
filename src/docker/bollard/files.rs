//! Files of a container, as the archives that the engine takes and gives. Must never follow a link out
//! of the container: links are resolved here, inside its own tree.

use super::BollardDocker;
use super::call::{LONG, SHORT, call, counted, part, unusable, within};
use crate::docker::archive::{self, Entry};
use crate::docker::map::Call;
use crate::docker::{Docker, DockerError, FileToPut, Result};
use bollard::query_parameters as query;
use futures_util::StreamExt;

/// As in the kernel's spirit, only smaller.
const MAX_LINKS: usize = 8;
/// Bytes of archive that a directory of links may have: some thousand of them.
const MAX_LISTING: usize = 4 << 20;
/// Room for tar headers before a file's content.
const TAR_HEADERS: usize = 16 * 1024;

impl BollardDocker {
    pub(super) async fn write_files(&self, id: &str, files: &[FileToPut]) -> Result<()> {
        let call = call("write files into a container", "container", id);
        let tar = archive::pack(files).map_err(|e| unusable(call, e))?;
        let body = bollard::body_full(bytes::Bytes::from_owner(tar));
        let options = query::UploadToContainerOptionsBuilder::default().path("/").build();
        within(LONG, call, self.client()?.upload_to_container(id, Some(options), body)).await
    }

    /// The content of a regular file, links followed.
    pub(super) async fn read_file(&self, id: &str, path: &str, max: usize) -> Result<Option<Vec<u8>>> {
        let call = call("read a file of a container", "container", id);
        let mut path = path.to_owned();
        for _ in 0..=MAX_LINKS {
            match self.entry(call, &path, max).await? {
                None => return Ok(None),
                Some(Entry::File(content)) => return Ok(Some(content)),
                Some(Entry::Link(to)) => path = archive::resolve(&path, &to),
                Some(Entry::Other) => break,
            }
        }
        Err(unusable(call, format!("{path} leads to no regular file")))
    }

    /// The engine itself follows the link, inside the container's tree.
    pub(super) async fn read_link(&self, id: &str, path: &str) -> Result<Option<String>> {
        Ok(self.target(id, path).await?.filter(|to| !to.is_empty()))
    }

    pub(super) async fn is_there(&self, id: &str, path: &str) -> Result<bool> {
        match self.target(id, path).await? {
            // A link may lead nowhere.
            Some(to) if !to.is_empty() => Ok(self.target(id, &to).await?.is_some()),
            seen => Ok(seen.is_some()),
        }
    }

    /// Where what is at `path` leads to, empty when it is no link; `None` when nothing is there.
    async fn target(&self, id: &str, path: &str) -> Result<Option<String>> {
        let call = call("look at a path of a container", "container", id);
        let options = query::ContainerArchiveInfoOptionsBuilder::default().path(path).build();
        let asked = within(SHORT, call, self.client()?.get_container_archive_info(id, Some(options))).await;
        match asked {
            Ok(seen) => Ok(Some(seen.link_target)),
            // A HEAD is answered without words: the container or the path may be missing.
            Err(DockerError::Refused { status: 404, .. } | DockerError::NotFound { .. }) => {
                match self.inspect(id).await? {
                    Some(_) => Ok(None),
                    None => Err(DockerError::NotFound { what: format!("container {id}") }),
                }
            }
            Err(other) => Err(other),
        }
    }

    /// Reads the directory's archive, which for a directory of links is short.
    pub(super) async fn list_links(&self, id: &str, directory: &str) -> Result<Option<Vec<String>>> {
        let call = call("look into a directory of a container", "container", id);
        let options = query::DownloadFromContainerOptionsBuilder::default().path(directory).build();
        let tar = self.download(call, options, MAX_LISTING + 1).await?;
        if tar.len() > MAX_LISTING {
            return Ok(None);
        }
        archive::links(&tar).map(Some).map_err(|e| unusable(call, e))
    }

    /// The archive of what is at a path of the container that `call` names, cut once it has `enough` bytes; empty when
    /// nothing is there.
    async fn download(
        &self,
        call: Call<'_>,
        options: query::DownloadFromContainerOptions,
        enough: usize,
    ) -> Result<Vec<u8>> {
        let mut parts = self.client()?.download_from_container(call.name, Some(options));
        let read = async {
            let mut tar = Vec::new();
            while let Some(piece) =
                part(LONG, call, async { parts.next().await.transpose() }).await.or_else(absent)?
            {
                tar.extend_from_slice(&piece);
                if tar.len() >= enough {
                    break;
                }
            }
            Ok(tar)
        };
        counted(call, read).await
    }

    /// A file or link of the container that `call` names, not followed; `None` when there is none.
    async fn entry(&self, call: Call<'_>, path: &str, max: usize) -> Result<Option<Entry>> {
        let options = query::DownloadFromContainerOptionsBuilder::default().path(path).build();
        let tar = self.download(call, options, max.saturating_add(TAR_HEADERS)).await?;
        if tar.is_empty() {
            return Ok(None);
        }
        let entry = archive::first(&tar, max);
        entry.map(Some).map_err(|e| unusable(call, e))
    }
}

/// A missing path inside a container that is there.
fn absent<T>(error: DockerError) -> Result<Option<T>> {
    match error {
        DockerError::Refused { status: 404, .. } => Ok(None),
        other => Err(other),
    }
}
