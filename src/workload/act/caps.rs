//! Caps, set in place and read back: must never take the engine's yes for the deed.

use super::{ActError, Scene};
use crate::core::quantity::Bytes;
use crate::core::resource::Caps;
use crate::core::seen::LiveUpdate;
use crate::docker::DockerError;
use crate::workload::action::caps_in_words;
use crate::workload::plan::caps_in_sync;
use std::time::Duration;

/// Between the memory in use and a cap, for one more process.
const ROOM: Bytes = Bytes(16 << 20);
/// For one line of a file that is no file.
const READING: Duration = Duration::from_secs(2);

/// The engine's word is checked against its own numbers afterwards, also against the limit that the
/// kernel enforces where the engine tells it (docker-facts §1: inspect alone can lie).
pub(super) async fn update_caps<F>(scene: &Scene<'_, F>, name: &str, caps: &Caps) -> Result<(), ActError> {
    let docker = scene.docker();
    let id = scene.container_id(name)?;
    docker.update(&id, &LiveUpdate { caps: Some(*caps), restart: None }).await?;
    let after = docker.inspect(&id).await?.ok_or_else(|| ActError::Gone(format!("container {name}")))?;
    if !caps_in_sync(caps, &after.caps, &scene.world.engine) {
        return Err(ActError::NotApplied(caps_in_words(&after.caps)));
    }
    if scene.world.engine.lacks.memory_limit {
        return Ok(());
    }
    let seen = docker.cgroup(&id).await.map(|sample| sample.usage.memory_limit);
    let told = match seen {
        Some(limit) => Some(limit),
        None => told_inside(scene, &id, caps).await,
    };
    let kernel = match told {
        Some(limit) => Some(limit),
        None => match docker.usage(&id).await {
            // Not told, as by an engine that does not know it.
            Err(DockerError::Forbidden { .. }) => None,
            answer => answer?.map(|usage| usage.memory_limit),
        },
    };
    if let Some(kernel) = kernel
        && !same_limit(kernel, caps.memory)
    {
        let limit = kernel.map_or("no memory limit".to_owned(), |l| format!("memory limit {l}"));
        return Err(ActError::NotApplied(format!("{limit} in the kernel")));
    }
    Ok(())
}

/// The limit as the container's own cgroup file says it from within, where it cannot be seen from here; `None` when it cannot be told
/// so. Before a lowering the engine was asked for the memory in use, and asked again within a second it waits for its collector.
async fn told_inside<F>(scene: &Scene<'_, F>, id: &str, caps: &Caps) -> Option<Option<Bytes>> {
    let used = scene.world.usage.as_ref()?.unreclaimable;
    // A command takes memory of the container's: where it is short, another process would be killed for it.
    if caps.memory.is_some_and(|cap| cap.0 < used.0.saturating_add(ROOM.0)) {
        return None;
    }
    let file = match scene.world.engine.cgroup_version {
        2 => "/sys/fs/cgroup/memory.max",
        _ => "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    };
    let told = scene.docker().exec(id, &scene.by_user(&["cat", file]), READING).await.ok()?;
    let number = (told.exit_code == 0).then(|| told.stdout.trim().to_owned())?;
    match number.parse() {
        Ok(limit) => Some(Some(Bytes(limit)).filter(|limit| limit.0 < scene.world.engine.memory)),
        Err(_) => (number == "max").then_some(None),
    }
}

/// The kernel counts in pages, of at most 64 KiB.
fn same_limit(kernel: Option<Bytes>, asked: Option<Bytes>) -> bool {
    match (kernel, asked) {
        (Some(kernel), Some(asked)) => kernel.0.abs_diff(asked.0) < 64 * Bytes::KI,
        (kernel, asked) => kernel == asked,
    }
}
