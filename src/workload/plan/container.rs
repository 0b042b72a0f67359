//! The container itself: made when it is missing, made anew when only that can put it right, otherwise
//! left and brought up. Must never plan a re-create where a change in place is enough.

use super::hardening::relax;
use super::live::live;
use super::start::{self, asked_restart, keep_serving};
use super::{Reached, Want, has, stop};
use crate::core::desired::{DesiredContainer, PortMap};
use crate::core::names::label;
use crate::core::plan::{Plan, Sign};
use crate::core::seen::{ContainerState, SeenContainer};
use crate::workload::action::{Action, Step, short};
use crate::workload::image::{Facts, ImageSeen};
use crate::workload::{Case, World};

/// A container of ours that should run. What stands in the way of the rest is planned alone: the rest is
/// decided at the next look.
pub(super) fn existing<'w, A: Step, F: Facts>(
    case: &Case<'_>,
    world: &World<F>,
    image: &F,
    want: &Want<'_, A>,
    desired: DesiredContainer,
    c: &'w SeenContainer,
    plan: &mut Plan<A>,
) -> Reached<'w> {
    if c.state == ContainerState::Removing {
        plan.wait("ContainerRemoving", "the engine is removing the container", Some(500));
        return Reached::NotYet;
    }
    if relax(case, world, image.image(), want.refused, c, plan) {
        return Reached::NotYet;
    }
    // While the image to come is pulled, what there is stays: it is replaced once, not twice.
    let pulling = matches!(world.image, ImageSeen::Missing);
    if let Some(why) = replace_cause(c, &desired, world).filter(|_| !pulling) {
        if let Some(words) = &world.unseen_successor {
            let why =
                format!("{why}: not before the image {} is seen to be local: {words}", short(&desired.image));
            plan.wait("ImageUnknown", why, Some(5_000));
            keep_serving(case, world, plan);
            return Reached::NotYet;
        }
        remove_container(case, c, &why, plan);
        create(case, want, desired, &why, Sign::Replace, plan);
        return Reached::NotYet;
    }
    live(case, world, c, plan);
    if let Some((action, what)) = &want.way_back {
        plan.step(Sign::Change, action.clone(), format!("the server does not start with the new {what}"));
        return Reached::NotYet;
    }
    if start::by_state(case, world, want, c, plan) {
        return Reached::Running(c);
    }
    asked_restart(case, c, plan);
    Reached::NotYet
}

/// Made, and started in the same pass unless the volume holds something that nobody has looked at.
pub(super) fn create<A: Step>(
    case: &Case<'_>,
    want: &Want<'_, A>,
    desired: DesiredContainer,
    why: &str,
    sign: Sign,
    plan: &mut Plan<A>,
) {
    let name = desired.name.clone();
    let why = if want.not_kept.is_empty() {
        why.to_owned()
    } else {
        format!("{why}; of the image's CMD is not kept: {}", want.not_kept)
    };
    plan.step(sign, Action::CreateContainer(Box::new(desired)), why);
    let volume_is_new = has(plan, |a| matches!(a, Action::CreateVolume(_)));
    // Without a container that held it the volume may be another one by now, or empty.
    let returned = case.memory.ever_ready && sign == Sign::Create;
    if (want.look_first || returned) && !volume_is_new {
        plan.wait(
            "LookingAtVolume",
            "what lies on the volume is looked at before the server starts",
            Some(0),
        );
        return;
    }
    plan.step(Sign::Change, want.upload.clone(), "before the first start");
    plan.step(Sign::Change, Action::StartContainer(name), "created");
}

/// Away with it, stopped first as its server wants.
pub fn remove_container<A: Step>(case: &Case<'_>, c: &SeenContainer, why: &str, plan: &mut Plan<A>) {
    let id = case.identity;
    if c.state.is_up() {
        plan.step(Sign::Change, stop::<A>(case), why);
    }
    plan.step(Sign::Delete, Action::RemoveContainer { name: id.container(), id: c.id.clone() }, why);
}

/// Why only a re-create can make the container right; `None` when it is not needed.
#[must_use]
pub fn replace_cause<F>(c: &SeenContainer, desired: &DesiredContainer, world: &World<F>) -> Option<String> {
    if c.image_id != desired.image {
        return Some(format!("image {} → {}", short(&c.image_id), short(&desired.image)));
    }
    let labels = &c.labels;
    let changed: Vec<&str> = desired
        .group_hashes()
        .into_iter()
        .filter(|(group, hash)| labels.get(&format!("{}{group}", label::HASH_PREFIX)) != Some(hash))
        .map(|(group, _)| group)
        .collect();
    if changed == ["ports"] {
        // Not always the spec: an automatic port that was lost moves too.
        return Some(format!("port {} → {}", host_ports(&c.port_bindings), host_ports(&desired.ports)));
    }
    if changed == ["security"] {
        return Some("hardening changed".to_owned());
    }
    if !changed.is_empty() {
        return Some(format!("{} changed: spec changed", changed.join(", ")));
    }
    for mount in &desired.mounts {
        if !c.mounts.iter().any(|m| m.volume == mount.volume && m.path == mount.path) {
            return Some(format!("volume {} is not mounted at {}", mount.volume, mount.path));
        }
    }
    if c.port_bindings != desired.ports {
        return Some("port map changed by hand".to_owned());
    }
    if let Some(name) = &desired.network
        && let Some(endpoint) = c.endpoint(name)
        && !endpoint.network_id.is_empty()
        && world.network.ours() != Some(&endpoint.network_id)
    {
        // Bound by id: a network made again under the same name is another one (docker-facts §10).
        return Some(format!("network {name} was made again"));
    }
    None
}

fn host_ports(ports: &[PortMap]) -> String {
    let ports: Vec<String> = ports.iter().map(|p| p.host.to_string()).collect();
    if ports.is_empty() { "none".to_owned() } else { ports.join(", ") }
}
