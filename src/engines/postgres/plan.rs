//! From what is wanted and what was seen to the steps that can run now. Pure: the same values give
//! the same plan, and no plan removes a volume that the user has not confirmed.
//!
//! Here is the order in which things are looked at; each file in `plan/` decides about one of them.

mod compatible;
mod container;
mod hardening;
mod image;
mod initialisation;
mod live;
mod parameter_file;
mod placement;
mod port;
mod preconditions;
mod removal;
mod rename;
mod server;
mod sharing;
mod start;
mod trial;

pub use image::image_to_run;
pub use live::caps_in_sync;
pub use parameter_file::SILENT;
pub use placement::astray;
pub use port::{another_port, port_was_refused};
pub use server::inside;
pub use trial::trial_due;

use super::action::Action;
use super::check::Checked;
use super::desired;
use super::record::Memory;
use super::world::{ImageSeen, World};
use crate::core::identity::Identity;
use crate::core::plan::{Plan as CorePlan, Sign};
use crate::core::seen::Slot;
use crate::core::text::in_shell;
use crate::core::will::{Asked, Wanted};
use container::{create, existing, replace_cause};
use initialisation::unfinished;
use placement::{extra_volumes, forbids_removal, keep_volumes};
use port::port;
use preconditions::{conflicts, data_blocks, lost};
use removal::gone;
use rename::probably_renamed;
use start::{keep_serving, misnamed};

pub type Plan = CorePlan<Action>;

/// The image of the container that `plan` makes in the place of one that it removes.
#[must_use]
pub fn successor(plan: &Plan) -> Option<&str> {
    plan.steps.iter().find(|s| matches!(s.action, Action::RemoveContainer { .. }))?;
    plan.steps.iter().find_map(|s| match &s.action {
        Action::CreateContainer(desired) => Some(desired.image.as_str()),
        _ => None,
    })
}

/// What `plan` is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub identity: &'a Identity,
    pub spec: &'a Checked,
    pub asked: &'a Asked,
    pub memory: &'a Memory,
    /// Whether a manifest (or its last good version) is in force.
    pub present: bool,
}

impl Subject<'_> {
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        match (self.present, self.asked.deletes_now(self.spec.given_up())) {
            (true, _) if self.spec.stopped || self.asked.stopped => Wanted::Stopped,
            (true, _) => Wanted::Running,
            (false, true) => Wanted::Deleted,
            (false, false) => Wanted::Retained,
        }
    }

    /// Whether, its manifest gone, its data go after their grace.
    #[must_use]
    pub fn deletes_later(&self) -> bool {
        self.asked.deletes_later(self.spec.given_up())
    }

    /// `seawall restart` was said and not yet done.
    #[must_use]
    pub fn restart_due(&self) -> bool {
        self.asked.restart_due(self.memory.restarted_for.as_ref())
    }

    /// `seawall reinitialise` was said and not yet done.
    #[must_use]
    pub fn reinitialise_due(&self) -> bool {
        self.asked.reinitialise_due(self.memory.reinitialised_for.as_ref())
    }

    /// The words of a shell that start psql in the container as the owner, for an advice. Once the managed database
    /// answered it is that one, as `template1` may be closed; as PGDATABASE, since `-d a=b` would be a connection string.
    #[must_use]
    pub fn psql(&self) -> String {
        let answered = self.memory.seen_databases.contains(&self.spec.database);
        let database = if answered { &self.spec.database } else { "template1" };
        format!(
            "docker exec -u postgres -e PGDATABASE={} {} psql -X -U {}",
            in_shell(database),
            self.identity.container(),
            in_shell(self.memory.owner(&self.spec.username))
        )
    }
}

/// The steps that can run now, what has to wait, what needs the user.
#[must_use]
pub fn plan(subject: &Subject<'_>, world: &World) -> Plan {
    let mut plan = Plan::default();
    if conflicts(subject, world, &mut plan) || sharing::shared(subject, world, &mut plan) {
        return plan;
    }
    if subject.present && probably_renamed(subject, &mut plan) {
        return plan;
    }
    match subject.wanted() {
        Wanted::Running => running(subject, world, &mut plan),
        Wanted::Stopped => stopped(subject, world, &mut plan),
        Wanted::Retained => gone(subject, world, false, &mut plan),
        Wanted::Deleted => gone(subject, world, true, &mut plan),
    }
    sharing::duplicates(subject, world, &mut plan);
    plan
}

fn stopped(subject: &Subject<'_>, world: &World, plan: &mut Plan) {
    let id = subject.identity;
    lost(subject, world, plan);
    let Slot::Ours(c) = &world.container else { return };
    let why = if subject.spec.stopped { "spec.stopped is true" } else { "stopped by `seawall stop`" };
    if c.state.is_up() {
        plan.step(Sign::Change, Action::StopContainer(id.container()), why);
    } else if c.restart_policy != "no" {
        // Otherwise the next start of the engine would bring it back.
        let why = format!("{why}, but the restart policy is {:?}", c.restart_policy);
        plan.step(Sign::Change, Action::StopContainer(id.container()), why);
    }
}

fn running(subject: &Subject<'_>, world: &World, plan: &mut Plan) {
    let (id, spec, memory) = (subject.identity, subject.spec, subject.memory);
    let Some(image) = image::usable(subject, world, plan) else {
        keep_serving(subject, world, plan);
        image::pull(subject, world, plan);
        return;
    };
    if unfinished(subject, world, plan) {
        return;
    }
    if data_blocks(subject, world, plan) {
        keep_serving(subject, world, plan);
        return;
    }
    if trial::tried(subject, world, image, plan) {
        return;
    }
    let Some(port) = port(subject, world, plan) else {
        keep_serving(subject, world, plan);
        return;
    };
    if keep_volumes(subject, world, image, plan) {
        return;
    }
    let profile = Some(hardening::profile(memory, world, image));
    let desired = desired::container(id, spec, image, &Memory { profile, ..memory.clone() }, port);
    if let Slot::Ours(c) = &world.container
        && world.image != ImageSeen::Missing
        && replace_cause(c, &desired, world).is_some()
        && forbids_removal(subject, world, c, plan)
    {
        // It goes on as it is; of the change only what needs no other container.
        keep_serving(subject, world, plan);
        return;
    }
    if !world.password_sealed {
        let action =
            Action::GeneratePassword { username: spec.username.clone(), database: spec.database.clone() };
        plan.step(Sign::Create, action, "no password yet");
    }
    image::pin(subject, world, image, plan);
    if world.network == Slot::Missing {
        plan.step(Sign::Create, Action::CreateNetwork(id.network()), "network missing");
    }
    if world.volume == Slot::Missing {
        plan.step(Sign::Create, Action::CreateVolume(id.volume()), "volume missing");
    }
    extra_volumes(subject, image, plan);
    match &world.container {
        Slot::Missing if misnamed(subject, world, plan) => {}
        Slot::Missing => {
            let why = if memory.ever_ready {
                format!("container missing: re-create on volume {}", id.volume())
            } else {
                "container missing".to_owned()
            };
            create(subject, world, image, desired, &why, Sign::Create, plan);
        }
        Slot::Ours(c) => existing(subject, world, image, desired, c, plan),
        Slot::Foreign(_) => {}
    }
    image::pull(subject, world, plan);
}
