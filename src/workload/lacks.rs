//! What the engine cannot do of what is wanted, in words. Pure. Must never call in force what is not.

use crate::core::resource::Caps;
use crate::core::seen::EngineInfo;

/// Caps that are wanted and that this engine cannot hold anybody to; `None` when it can all of them.
#[must_use]
pub fn caps_not_in_force(caps: &Caps, engine: &EngineInfo) -> Option<String> {
    let all_cpus = engine.cpus.saturating_mul(1_000_000_000);
    let memory = caps.memory.filter(|_| engine.lacks.memory_limit);
    let swap = caps.swap.filter(|_| engine.lacks.memory_limit || !engine.swap_limit);
    let cpus = caps.cpus.filter(|cpus| engine.lacks.cpu_quota && cpus.0 < all_cpus);
    let each = [
        memory.map(|wanted| format!("limit memory: memory {wanted} is not in force")),
        swap.map(|wanted| format!("limit swap: swap {wanted} is not in force")),
        cpus.map(|wanted| format!("limit CPUs: cpus {wanted} is not in force")),
    ];
    let each: Vec<String> =
        each.into_iter().flatten().map(|what| format!("the engine cannot {what}")).collect();
    (!each.is_empty()).then(|| each.join("; "))
}

/// The same with what every container of ours is made with, whatever its manifest says.
#[must_use]
pub fn in_words(caps: &Caps, engine: &EngineInfo) -> Option<String> {
    let lacks = engine.lacks;
    let ours = [
        lacks
            .pids_limit
            .then(|| "the engine cannot limit processes: a container may start more than 4096".to_owned()),
        lacks.init.then(|| "the engine has no docker-init: processes that nobody waits for stay".to_owned()),
    ];
    let each: Vec<String> =
        caps_not_in_force(caps, engine).into_iter().chain(ours.into_iter().flatten()).collect();
    (!each.is_empty())
        .then(|| format!("{}. The rest is in force; `seawall doctor` says what helps", each.join("; ")))
}
