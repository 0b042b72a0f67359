//! What changes on a container in place, without a re-create or a restart: caps, restart policy, network.
//! Must never lower memory below what is in use, unless the user forces it.

use crate::core::desired::RestartPolicy;
use crate::core::plan::{Plan, Sign};
use crate::core::quantity::Bytes;
use crate::core::resource::Caps;
use crate::core::seen::{ContainerState, EngineInfo, SeenContainer};
use crate::workload::action::{Action, Step, caps_in_words};
use crate::workload::{Case, World};

/// Whether the caps in force are those wanted: all CPUs of the host is the same as no limit.
#[must_use]
pub fn caps_in_sync(desired: &Caps, seen: &Caps, engine: &EngineInfo) -> bool {
    let cpus = |caps: &Caps| caps.cpus.filter(|c| c.0 < engine.cpus.max(1) * 1_000_000_000);
    let memory = desired.memory == seen.memory
        && (!engine.swap_limit || desired.memory.is_none() || desired.swap == seen.swap);
    // What the engine cannot limit is as good as it gets.
    (memory || engine.lacks.memory_limit) && (engine.lacks.cpu_quota || cpus(desired) == cpus(seen))
}

/// What changes on a container without a re-create or a restart.
pub fn live<A: Step, F>(case: &Case<'_>, world: &World<F>, c: &SeenContainer, plan: &mut Plan<A>) {
    let (name, network) = (case.identity.container(), case.identity.network());
    let caps = case.spec.caps;
    if !caps_in_sync(&caps, &c.caps, &world.engine) {
        let why = format!("{} → {}", caps_in_words(&c.caps), caps_in_words(&caps));
        let lowers = |new: &Bytes| c.caps.memory.is_none_or(|old| *new < old);
        let lowered = caps.memory.filter(|new| lowers(new) && !world.engine.lacks.memory_limit);
        let running = c.state == ContainerState::Running;
        match (lowered, &world.usage) {
            (Some(new), Some(usage)) if usage.unreclaimable > new && !case.spec.force_caps => plan.block(
                "LimitBelowUse",
                format!(
                    "memory {new} is below the {} in use; the kernel would kill the server",
                    mebibytes(usage.unreclaimable.0)
                ),
                "raise resources.memory, stop the service first, or set resources.force: true",
            ),
            (Some(new), None) if running && !case.spec.force_caps => plan.wait(
                "UsageUnknown",
                format!("memory in use could not be read; lowering to {new} waits for it"),
                Some(2_000),
            ),
            _ => plan.step(Sign::Change, Action::UpdateCaps { container: name.clone(), caps }, why),
        }
    }
    if c.restart_policy != RestartPolicy::Always.as_str() {
        let why = format!("restart policy is {:?}", c.restart_policy);
        plan.step(Sign::Change, Action::UpdateRestartPolicy { container: name.clone() }, why);
    }
    if c.endpoint(&network).is_none() {
        let why = format!("not connected to network {network}");
        plan.step(Sign::Change, Action::ConnectNetwork { container: name, network }, why);
    }
}

/// Whole mebibytes, rounded up: a number to compare with a limit.
fn mebibytes(bytes: u64) -> String {
    format!("{}Mi", bytes.div_ceil(1 << 20))
}
