//! `status` as files, so that `cat`, `grep` and scripts can read it: written whole, then renamed.

use crate::core::names::ObjectRef;
use crate::engines::postgres::status::Status;
use std::io;
use std::path::{Path, PathBuf};

fn path(data: &Path, object: &ObjectRef) -> PathBuf {
    data.join("status").join(object.kind.lower()).join(format!("{}.yaml", object.name))
}

/// # Errors
/// When the disk refuses; the store has the status all the same.
pub async fn write(data: &Path, object: &ObjectRef, status: &Status) -> io::Result<()> {
    let path = path(data, object);
    let text = serde_yaml::to_string(status).map_err(io::Error::other)?;
    if let Some(parent) = path.parent() {
        tokio::fs::create_dir_all(parent).await?;
    }
    // One writer an object, so that one temporary name is enough.
    let temporary = path.with_extension("yaml.tmp");
    tokio::fs::write(&temporary, text).await?;
    tokio::fs::rename(&temporary, &path).await
}

/// A file that is not there is removed.
pub async fn remove(data: &Path, object: &ObjectRef) {
    if let Err(error) = tokio::fs::remove_file(path(data, object)).await
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(object = %object, %error, "status file could not be removed");
    }
}
