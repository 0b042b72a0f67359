//! A volume that is gone with the data of an object that was Ready. Must never make an empty one in its place.

use crate::core::identity::Identity;
use crate::core::plan::Plan;
use crate::core::seen::Slot;
use crate::workload::action::Step;
use crate::workload::{Case, World};

/// Whether the volume with the object's data is gone. Said also of one that does not run: what is lost
/// while it is stopped is found out in time.
/// `data`: what must be on it for a server to be started, in words.
pub fn lost<A: Step, F>(case: &Case<'_>, world: &World<F>, data: &str, plan: &mut Plan<A>) {
    let (id, memory) = (case.identity, case.memory);
    if !memory.ever_ready || !case.server.keeps_data || world.volume != Slot::Missing {
        return;
    }
    let volume = id.volume();
    plan.danger(
        "VolumeMissing",
        format!("volume {volume} with the data of this object is gone. An empty one was not made in its place"),
        format!(
            "see that this is the engine that had it (--docker-host); then bring the volume back: docker volume create {} {volume} — and its content: {}. A server is started on it only with {data}. If there is no copy: README, \"A lost volume\"",
            label_options(id),
            copy_command(case)
        ),
    );
}

/// The command that fills the volume.
#[must_use]
pub fn copy_command(case: &Case<'_>) -> String {
    format!(
        "docker run --rm --user 0 --entrypoint cp -v COPY:/from:ro -v {}:/to {} -a /from/. /to/ (COPY: the volume or directory that holds a copy)",
        case.identity.volume(),
        case.spec.image
    )
}

/// The labels by which a volume is ours, as options of the docker command.
fn label_options(id: &Identity) -> String {
    let proof = id.volume_proof().into_iter();
    let options = proof.filter_map(|(key, value)| Some(format!("--label {key}={}", value?)));
    options.collect::<Vec<_>>().join(" ")
}
