//! `status` as files, so that `cat`, `grep` and scripts can read it: written whole, then renamed.

use crate::core::names::ObjectRef;
use crate::core::status::Status;
use crate::store::data_dir;
use std::io;
use std::path::Path;

/// # Errors
/// When the disk refuses; the store has the status all the same.
pub async fn write(data: &Path, object: &ObjectRef, status: &Status) -> io::Result<()> {
    let text = serde_yaml::to_string(status).map_err(io::Error::other)?;
    // One writer an object, so that one temporary name is enough.
    on_the_side(data, object, move |data, folders, name| data_dir::put(data, folders, name, text.as_bytes()))
        .await
}

/// A file that is not there is removed.
pub async fn remove(data: &Path, object: &ObjectRef) {
    if let Err(error) = on_the_side(data, object, data_dir::remove).await {
        tracing::warn!(object = %object, %error, "status file could not be removed");
    }
}

async fn on_the_side(
    data: &Path,
    object: &ObjectRef,
    work: impl FnOnce(&Path, &[&str], &str) -> io::Result<()> + Send + 'static,
) -> io::Result<()> {
    let (data, kind, name) = (data.to_owned(), object.kind.lower(), format!("{}.yaml", object.name));
    let done = tokio::task::spawn_blocking(move || work(&data, &["status", kind], &name)).await;
    done.map_err(io::Error::other)?
}
