//! From what is wanted of an application and what was seen to the steps that can run now. Pure: the same values give the same
//! plan. What serves is not stopped before what takes its place is healthy, unless both cannot run at once; then it is kept
//! until that is known.

mod rollout;
mod running;
mod state;

use super::App;
use super::action::{Action, Deed};
use super::desired::{SERVER, Version, roles};
use super::image::AppImage;
use super::world::{Before, Member, World};
use crate::core::desired::DesiredContainer;
use crate::core::identity::Identity;
use crate::core::member::Role;
use crate::core::plan::{Plan as CorePlan, Sign};
use crate::core::seen::{ContainerState, SeenContainer, Slot};
use crate::core::will::Wanted;
use crate::kinds::app_spec::Injection;
use crate::workload::action::Action as Work;
use crate::workload::plan::{self as work, remove_container};
use crate::workload::{self, Case};
use running::Running;
use std::collections::BTreeSet;

pub type Plan = CorePlan<Action>;
type OfMember = CorePlan<Deed>;

/// What `plan` is about.
pub type Subject<'a> = crate::kinds::Subject<'a, App>;

/// One of its containers, and what is remembered of it.
pub struct Node {
    pub identity: Identity,
    pub memory: workload::Memory,
}

impl Node {
    /// What is remembered of the application holds for each of its containers; which container it is, for one.
    #[must_use]
    pub fn of(subject: &Subject<'_>, role: &Role) -> Self {
        let memory = subject.memory;
        let container = memory.members.get(role).and_then(|member| member.container.clone());
        Self {
            identity: subject.identity.member(role.clone()),
            memory: workload::Memory { container, ..memory.work.clone() },
        }
    }

    /// The application as a whole.
    #[must_use]
    fn whole(subject: &Subject<'_>) -> Self {
        Self::of(subject, &Role::default())
    }

    #[must_use]
    pub fn case<'a>(&'a self, subject: &Subject<'a>) -> Case<'a> {
        Case {
            identity: &self.identity,
            spec: &subject.spec.work,
            asked: subject.asked,
            memory: &self.memory,
            present: subject.present,
            server: &SERVER,
        }
    }
}

/// The container that serves, or will be the first to.
#[must_use]
pub fn serves(subject: &Subject<'_>) -> Role {
    subject.memory.serves.clone().unwrap_or_else(|| roles()[0].clone())
}

/// The version that should run now: what is written, or, while that is refused, what was Ready last.
#[must_use]
pub fn version<'w>(subject: &Subject<'w>, world: &'w World) -> Option<Version<'w>> {
    let seen = &world.members.get(&serves(subject))?.work;
    let wanted = seen.image.fit().map(|image| as_written(subject, world, image));
    let before =
        world.before.as_ref().map(|Before { app, written, image, env }| Version { app, written, image, env });
    // Both are refused where they differ in nothing: then what there is goes on.
    let refused = |version: &Version<'_>| subject.memory.refuses(&version.key(subject.identity)).is_some();
    [wanted, before].into_iter().flatten().find(|version| !refused(version))
}

/// What is written, with this image.
fn as_written<'w>(subject: &Subject<'w>, world: &'w World, image: &'w AppImage) -> Version<'w> {
    let spec = subject.spec;
    Version { app: &spec.app, written: &spec.written, image, env: &world.env }
}

/// Why only another container can be right; `None` when it is not needed.
fn replace_cause(
    subject: &Subject<'_>,
    role: &Role,
    c: &SeenContainer,
    desired: &DesiredContainer,
    world: &workload::World<AppImage>,
) -> Option<String> {
    if c.state == ContainerState::Created && !subject.memory.made.contains_key(role) {
        // Nor whether everything that it starts with was laid into it.
        return Some("it is not known what it was made from".to_owned());
    }
    work::replace_cause(c, desired, world).or_else(|| {
        let wanted = |path: &str| desired.mounts.iter().any(|mount| mount.path == path);
        let more = c.mounts.iter().find(|mount| !mount.volume.is_empty() && !wanted(&mount.path))?;
        Some(format!("volume {} is mounted at {}, and should not be", more.volume, more.path))
    })
}

/// Whether the container of this member finds its secrets in a file.
#[must_use]
fn reads_file(subject: &Subject<'_>, role: &Role) -> bool {
    subject.memory.made.get(role).is_some_and(|made| made.written.injection == Injection::File)
}

/// The steps that can run now, what has to wait, what needs the user.
#[must_use]
pub fn plan(subject: &Subject<'_>, world: &World) -> Plan {
    let mut plan = Plan::default();
    let nodes: Vec<(Node, &Member)> =
        world.members.iter().map(|(role, member)| (Node::of(subject, role), member)).collect();
    let whole = Node::whole(subject);
    let wanted = whole.case(subject).wanted();
    for (node, member) in &nodes {
        let (case, mut own) = (node.case(subject), OfMember::default());
        if !work::conflicts::conflicts(&case, &member.work, None, &mut own) {
            match wanted {
                // One that is being tried would be taken for one that ended by itself.
                Wanted::Stopped if case.identity.role != serves(subject) => {
                    if let Slot::Ours(c) = &member.work.container {
                        remove_container(&case, c, "it is stopped before it served", &mut own);
                    }
                }
                Wanted::Stopped => work::stopped(&case, &member.work, &mut own),
                Wanted::Retained | Wanted::Deleted => {
                    if let Slot::Ours(c) = &member.work.container {
                        remove_container(&case, c, "it is not wanted any more", &mut own);
                    }
                }
                Wanted::Running => {}
            }
            work::duplicates(&case, &member.work, &mut own);
        }
        add(&mut plan, &node.identity.role, own);
    }
    // What is not ours in the one place is often the same thing as in the other.
    plan.blocked.dedup();
    if !plan.blocked.is_empty() {
        return plan;
    }
    match wanted {
        Wanted::Running => Running { subject, world }.plan(&mut plan),
        Wanted::Stopped => {}
        Wanted::Retained | Wanted::Deleted => end(subject, wanted, &mut plan),
    }
    plan
}

fn add(plan: &mut Plan, role: &Role, own: OfMember) {
    plan.add(own, |deed| Action { role: role.clone(), deed });
}

/// Its volumes outlive it, unless somebody agreed to lose them; without any nothing of it is left.
fn end(subject: &Subject<'_>, wanted: Wanted, plan: &mut Plan) {
    let volumes: BTreeSet<&String> = subject.memory.work.volumes.values().collect();
    if wanted == Wanted::Deleted {
        for volume in &volumes {
            plan.step(Sign::Data, Work::RemoveVolume((*volume).clone()), "deletion was confirmed");
        }
    }
    if wanted == Wanted::Deleted || volumes.is_empty() {
        plan.step(Sign::Delete, Work::Forget, "it is not wanted any more");
    }
}
