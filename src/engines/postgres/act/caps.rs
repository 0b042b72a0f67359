//! Caps, set in place and read back: must never take the engine's yes for the deed.

use super::{ActError, Scene};
use crate::core::quantity::Bytes;
use crate::core::resource::Caps;
use crate::core::seen::LiveUpdate;
use crate::engines::postgres::action::caps_in_words;
use crate::engines::postgres::plan::caps_in_sync;

/// The engine's word is checked against its own numbers afterwards, also against the limit that the
/// kernel enforces where the engine tells it (docker-facts §1: inspect alone can lie).
pub(super) async fn update_caps(scene: &Scene<'_>, name: &str, caps: &Caps) -> Result<(), ActError> {
    let docker = scene.docker();
    let id = scene.container_id(name)?;
    docker.update(&id, &LiveUpdate { caps: Some(*caps), restart: None }).await?;
    let after = docker.inspect(&id).await?.ok_or_else(|| ActError::Gone(format!("container {name}")))?;
    if !caps_in_sync(caps, &after.caps, scene.engine) {
        return Err(ActError::NotApplied(caps_in_words(&after.caps)));
    }
    if let Some(usage) = docker.usage(&id).await?
        && !same_limit(usage.memory_limit, caps.memory)
    {
        let limit = usage.memory_limit.map_or("no memory limit".to_owned(), |l| format!("memory limit {l}"));
        return Err(ActError::NotApplied(format!("{limit} in the kernel")));
    }
    Ok(())
}

/// The kernel counts in pages, of at most 64 KiB.
fn same_limit(kernel: Option<Bytes>, asked: Option<Bytes>) -> bool {
    match (kernel, asked) {
        (Some(kernel), Some(asked)) => kernel.0.abs_diff(asked.0) < 64 * Bytes::KI,
        (kernel, asked) => kernel == asked,
    }
}
