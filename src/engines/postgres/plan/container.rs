//! The container itself: made when it is missing, made anew when only that can put it right, otherwise
//! left and brought up. Must never plan a re-create where a change in place is enough.

use super::hardening::relax;
use super::live::live;
use super::parameter_file::{upload, way_back};
use super::start::{self, keep_serving, restart};
use super::{Plan, Subject};
use crate::core::desired::{DesiredContainer, PortMap};
use crate::core::identity::Identity;
use crate::core::names::label;
use crate::core::plan::Sign;
use crate::core::seen::{ContainerState, SeenContainer};
use crate::engines::postgres::action::{Action, short};
use crate::engines::postgres::desired::not_kept;
use crate::engines::postgres::facts::ImageFacts;
use crate::engines::postgres::world::{ImageSeen, World};

/// A container of ours that should run. What stands in the way of the rest is planned alone: the rest is
/// decided at the next look.
pub(super) fn existing(
    subject: &Subject<'_>,
    world: &World,
    image: &ImageFacts,
    desired: DesiredContainer,
    c: &SeenContainer,
    plan: &mut Plan,
) {
    let id = subject.identity;
    if c.state == ContainerState::Removing {
        plan.wait("ContainerRemoving", "the engine is removing the container", Some(500));
        return;
    }
    if relax(subject, world, image, c, plan) {
        return;
    }
    // While the image to come is pulled, what there is stays: it is replaced once, not twice.
    let pulling = world.image == ImageSeen::Missing;
    if let Some(why) = replace_cause(c, &desired, world).filter(|_| !pulling) {
        if let Some(words) = &world.unseen_successor {
            let why =
                format!("{why}: not before the image {} is seen to be local: {words}", short(&desired.image));
            plan.wait("ImageUnknown", why, Some(5_000));
            keep_serving(subject, world, plan);
            return;
        }
        remove_container(c, id, &why, plan);
        create(subject, world, image, desired, &why, Sign::Replace, plan);
        return;
    }
    live(subject, world, c, plan);
    if let Some(action) = way_back(subject, image, world, c) {
        let what = if matches!(action, Action::GiveUpImage { .. }) { "image" } else { "parameters" };
        plan.step(Sign::Change, action, format!("the server does not start with the new {what}"));
        return;
    }
    start::by_state(subject, world, image, c, plan);
    if subject.restart_due()
        && c.state == ContainerState::Running
        && !plan.steps.iter().any(|s| matches!(s.action, Action::RestartServer { .. }))
    {
        restart(id, "asked for by `seawall restart`", plan);
    }
}

/// Made, and started in the same pass unless the volume holds something that nobody has looked at.
pub(super) fn create(
    subject: &Subject<'_>,
    world: &World,
    image: &ImageFacts,
    desired: DesiredContainer,
    why: &str,
    sign: Sign,
    plan: &mut Plan,
) {
    let name = desired.name.clone();
    let not_kept = not_kept(subject.spec, image).join("; ");
    let why = if not_kept.is_empty() {
        why.to_owned()
    } else {
        format!("{why}; of the image's CMD is not kept: {not_kept}")
    };
    plan.step(sign, Action::CreateContainer(Box::new(desired)), why);
    let volume_is_new = plan.steps.iter().any(|s| matches!(s.action, Action::CreateVolume(_)));
    // Without a container that held it the volume may be another one by now, or empty.
    let returned = subject.memory.ever_ready && sign == Sign::Create;
    if (subject.memory.must_look_at_volume() || returned) && !volume_is_new {
        plan.wait(
            "LookingAtVolume",
            "what lies on the volume is looked at before the server starts",
            Some(0),
        );
        return;
    }
    plan.step(Sign::Change, upload(subject, world, image, &name), "before the first start");
    plan.step(Sign::Change, Action::StartContainer(name), "created");
}

pub(super) fn remove_container(c: &SeenContainer, id: &Identity, why: &str, plan: &mut Plan) {
    if c.state.is_up() {
        plan.step(Sign::Change, Action::StopContainer(id.container()), why);
    }
    plan.step(Sign::Delete, Action::RemoveContainer { name: id.container(), id: c.id.clone() }, why);
}

/// Why only a re-create can make the container right; `None` when it is not needed.
pub(super) fn replace_cause(c: &SeenContainer, desired: &DesiredContainer, world: &World) -> Option<String> {
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
