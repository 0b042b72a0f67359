//! Others with our volume or our labels. Two servers on one volume destroy its data, so ours is not started
//! beside another container; of two containers that say that they are ours, none is removed.

use super::{has, stop};
use crate::core::plan::{Plan, Sign};
use crate::core::seen::{ContainerState, Slot};
use crate::core::will::Wanted;
use crate::workload::action::{Action, Step, short};
use crate::workload::{Case, World};

/// Whether another container that runs can write to our volume: then nothing of ours is started or made.
/// Ours, when it runs, goes on, but the engine must not start it again by itself.
pub fn shared<A: Step, F>(case: &Case<'_>, world: &World<F>, plan: &mut Plan<A>) -> bool {
    let (id, spec) = (case.identity, case.spec);
    let users: Vec<_> = world.sharers.iter().filter(|u| !spec.volume_users.contains(&u.name)).collect();
    let Some(first) = users.first() else { return false };
    let wanted = case.wanted();
    if matches!(wanted, Wanted::Stopped | Wanted::Retained) {
        return false;
    }
    let named: Vec<String> =
        users.iter().map(|u| format!("{} ({}, image {})", u.name, short(&u.id), short(&u.image))).collect();
    let verb = if users.len() == 1 { "uses" } else { "use" };
    let meanwhile = match (&world.container, wanted) {
        (_, Wanted::Deleted) => "The data is not removed meanwhile",
        (Slot::Ours(c), _) if c.state == ContainerState::Running => {
            "Both can write to it, and two servers destroy what is on it; ours is not started again beside it"
        }
        _ => "Two servers on one volume destroy what is on it: ours is not started beside it",
    };
    plan.danger(
        "VolumeShared",
        format!("volume {} is in use: {} {verb} it. {meanwhile}", id.volume(), named.join(", ")),
        format!(
            "stop what should not use it (docker stop {}); mounts with :ro do no harm, and one that only looks after volumes is let in by the annotation {}: \"{}\"",
            first.name,
            crate::core::names::annotation::VOLUME_USERS,
            first.name
        ),
    );
    if wanted == Wanted::Deleted {
        return true;
    }
    if let Slot::Ours(c) = &world.container {
        let why = format!("container {} uses the volume", first.name);
        match c.state {
            // The engine starts it again and again.
            ContainerState::Restarting => {
                plan.step(Sign::Change, stop::<A>(case), why);
            }
            ContainerState::Removing => {}
            _ if c.restart_policy != "no" => {
                plan.step(Sign::Change, Action::HoldRestart { container: id.container() }, why);
            }
            _ => {}
        }
    }
    true
}

/// Whether others are at its data, or are met by its name: data that something else can write to is at risk, whatever the server
/// still answers, and who goes by a name that is another's as well does not get to it.
#[must_use]
pub fn is_others_too<A>(plan: &Plan<A>) -> bool {
    plan.blocked.iter().any(|block| matches!(block.reason, "VolumeShared" | DNS_NAME_TAKEN))
}

/// Others that our name on the network leads to: the engine's resolver gives out all of them in turn, so that clients meet now
/// our server, now another. Ours is not touched, and neither is the other one.
pub fn called_alike<A: Step, F>(case: &Case<'_>, world: &World<F>, plan: &mut Plan<A>) {
    let Some(first) = world.called_alike.first() else { return };
    let (name, network) = (case.identity.container(), case.identity.network());
    let others: Vec<String> =
        world.called_alike.iter().map(|u| format!("{} ({})", u.name, short(&u.id))).collect();
    plan.danger(
        DNS_NAME_TAKEN,
        format!(
            "on network {network} the name {name} leads to {} as well: clients that go by it meet another server every other time, and may tell it their password",
            others.join(", ")
        ),
        format!(
            "take that container's alias away (docker network disconnect {network} {0} && docker network connect {network} {0})",
            first.name
        ),
    );
}

/// The reason of a block: a name of ours on the network is another's as well.
pub const DNS_NAME_TAKEN: &str = "DnsNameTaken";

/// Of two that carry our labels the record knows which is ours. Still no container is removed: whoever made
/// the other one may have meant something by it.
pub fn duplicates<A: Step, F>(case: &Case<'_>, world: &World<F>, plan: &mut Plan<A>) {
    if world.duplicates.is_empty() {
        return;
    }
    let id = case.identity;
    let own = match (&world.container, world.misnamed.first()) {
        (Slot::Ours(c), _) => Some((c.id.as_str(), c.name.as_str())),
        (_, Some((id, name))) => Some((id.as_str(), name.as_str())),
        _ => None,
    };
    let others: Vec<String> =
        world.duplicates.iter().map(|(id, name)| format!("{name} ({})", short(id))).collect();
    let others = others.join(", ");
    let (why, unblock) = match own {
        Some((own, name)) => (
            format!(
                "beside container {name} ({}), which is this object's, {others} carries its labels (made from an image of it?). Neither is removed",
                short(own)
            ),
            format!(
                "make the other one anew without labels of Seawall (docker run --label seawall.dev/store= …), or from an image that has none; container {name} is used as before"
            ),
        ),
        None => (
            format!(
                "{others} carries the labels of this object, but Seawall did not make it (made from an image of it?). It was not touched"
            ),
            format!(
                "if it is this object's own container under another name, give it its name back (docker rename NAME {}); otherwise make it anew without labels of Seawall (docker run --label seawall.dev/store= …)",
                id.container()
            ),
        ),
    };
    plan.danger("DuplicateContainer", why, unblock);
    if has(plan, |a| matches!(a, Action::RemoveContainer { .. })) {
        plan.steps.clear();
    }
}
