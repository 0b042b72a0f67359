//! Which host port is published, and when another one is tried. Must never give up a port that a Ready
//! server had: it is kept for good.

use crate::core::plan::{Plan, Sign};
use crate::core::resource::PortRequest;
use crate::core::seen::SeenContainer;
use crate::workload::action::{Action, Step};
use crate::workload::{Case, World};

/// The host port to publish (`Some(None)`: none), `None` when there is no legal one now.
pub(super) fn port<A: Step, F>(case: &Case<'_>, world: &World<F>, plan: &mut Plan<A>) -> Option<Option<u16>> {
    let memory = case.memory;
    let wanted = match case.spec.port {
        PortRequest::None => return Some(None),
        PortRequest::Fixed(port) => {
            if let Some(holder) = world.port_holder.as_ref().filter(|_| world.port_kept) {
                plan.block(
                    "PortConflict",
                    format!("port {port} is kept for {holder}, which is Retained"),
                    format!("seawall release-port {holder} (it gets another one when its manifest comes back), or choose another port, or port: auto"),
                );
                return None;
            }
            if let Some(holder) = &world.port_holder {
                plan.block(
                    "PortConflict",
                    format!("port {port} belongs to {holder}"),
                    "choose another port, or port: auto",
                );
                return None;
            }
            if let Some(who) = &world.port_taken {
                let kept = match world.container.ours().and_then(|c| c.port_bindings.first()) {
                    Some(kept) => format!("; until it is free, the server keeps port {}", kept.host),
                    None => String::new(),
                };
                plan.block(
                    "PortTaken",
                    format!("port {port} is taken: {who}{kept}"),
                    "free the port, choose another one, or port: auto",
                );
                return None;
            }
            port
        }
        PortRequest::Auto => match memory.port {
            Some(port) if !another_port(case, world) => port,
            _ => match world.free_port {
                Some(port) => port,
                None => {
                    plan.block(
                        "NoFreePort",
                        format!("no free host port from {} upward", case.server.port),
                        "give a port, or port: none",
                    );
                    return None;
                }
            },
        },
    };
    if memory.port != Some(wanted) {
        let why = match (case.spec.port, memory.port) {
            (PortRequest::Fixed(_), Some(old)) => format!("port {old} → {wanted}: spec changed"),
            (PortRequest::Fixed(_), None) => "spec.port".to_owned(),
            (_, Some(old)) => format!("port {old} is taken by somebody else"),
            (_, None) => "port: auto, the first that is free".to_owned(),
        };
        plan.step(Sign::Change, Action::ReservePort(wanted), why);
    }
    Some(Some(wanted))
}

/// The engine could not publish the port at the first start: somebody else took it. A port that was
/// once ours in a Ready server is kept for good instead.
#[must_use]
pub fn port_was_refused<F>(case: &Case<'_>, world: &World<F>) -> bool {
    let refused = |c: &SeenContainer| {
        let error = c.error.to_ascii_lowercase();
        !c.state.is_up()
            && (error.contains("port is already allocated") || error.contains("address already in use"))
    };
    case.spec.port == PortRequest::Auto
        && !case.memory.ever_ready
        && world.container.ours().is_some_and(refused)
}

/// The automatic port was lost before the first start, and there is another one to try.
#[must_use]
pub fn another_port<F>(case: &Case<'_>, world: &World<F>) -> bool {
    port_was_refused(case, world) && world.free_port.is_some()
}
