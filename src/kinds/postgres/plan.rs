//! From what is wanted and what was seen to the steps that can run now. Pure: the same values give
//! the same plan, and no plan removes a volume that the user has not confirmed.
//!
//! Here is the order in which things are looked at; each file in `plan/` decides about one of them.

mod compatible;
mod crash;
mod initialisation;
mod parameter_file;
mod placement;
mod preconditions;
mod server;
pub mod tenancy;
mod trial;

pub use placement::astray;
pub use server::{inside, rotates};
pub use trial::trial_due;

use super::action::Action;
use super::check::Checked;
use super::desired::{self, SERVER};
use super::facts::ImageFacts;
use super::world::{Server, World};
use crate::core::digest::sha256;
use crate::core::plan::Plan as CorePlan;
use crate::core::seen::{ContainerState, SeenContainer};
use crate::core::text::in_shell;
use crate::workload::Case;
use crate::workload::plan::{self as work, Reached, Verdicts, Want, keep_serving};
use crate::workload::world::Deaths;
use compatible::unfit_for_data;
use crash::crash_words;
use initialisation::unfinished;
use parameter_file::{file_in_force, upload, way_back};
use preconditions::{data_blocks, lost_data, restored, secret_missing};

pub type Plan = CorePlan<Action>;

/// What `plan` is about.
pub type Subject<'a> = crate::kinds::Subject<'a, super::Postgres>;

impl<'a> crate::kinds::Subject<'a, super::Postgres> {
    /// Of it, what concerns its container.
    #[must_use]
    pub fn work(&self) -> Case<'a> {
        Case {
            identity: self.identity,
            spec: &self.spec.work,
            asked: self.asked,
            memory: &self.memory.work,
            present: self.present,
            server: &SERVER,
        }
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

/// What is to be said of an image beyond that it is one.
fn with_verdicts<T>(
    subject: &Subject<'_>,
    world: &World,
    use_them: impl FnOnce(&Verdicts<'_, ImageFacts>) -> T,
) -> T {
    use_them(&Verdicts {
        unfit: &|image| unfit_for_data(subject, world, image),
        refusal: &|image| trial::refusal(subject, world, image),
    })
}

/// The image that containers are made from now: the wanted one when it can be used, else the one in use.
#[must_use]
pub fn image_to_run<'w>(subject: &Subject<'_>, world: &'w World) -> Option<&'w ImageFacts> {
    with_verdicts(subject, world, |verdicts| work::image_to_run(&world.work, verdicts))
}

/// The steps that can run now, what has to wait, what needs the user.
#[must_use]
pub fn plan(subject: &Subject<'_>, world: &World) -> Plan {
    let mut plan = Plan::default();
    let (case, seen) = (subject.work(), &world.work);
    let keeps = seen.container.ours().and_then(|c| placement::keeps(subject, world, c));
    let restored = restored(subject);
    if work::should_run(&case, seen, restored.as_deref(), &lost_data(subject), keeps, &mut plan) {
        running(subject, world, &mut plan);
        work::duplicates(&case, seen, &mut plan);
        work::called_alike(&case, seen, &mut plan);
    }
    plan
}

fn running(subject: &Subject<'_>, world: &World, plan: &mut Plan) {
    let case = subject.work();
    let unblock = trial::unblock("spec.version, spec.image or spec.parameters");
    let image =
        with_verdicts(subject, world, |verdicts| work::usable(&case, &world.work, verdicts, &unblock, plan));
    let Some(image) = image else {
        keep_serving(&case, &world.work, plan);
        work::pull(&case, &world.work, plan);
        return;
    };
    if unfinished(subject, world, plan) {
        return;
    }
    if data_blocks(subject, world, plan) {
        keep_serving(&case, &world.work, plan);
        return;
    }
    if secret_missing(world, plan) {
        keep_serving(&case, &world.work, plan);
        return;
    }
    if trial::tried(subject, world, image, plan) {
        return;
    }
    let want = want(subject, world, image);
    match work::member(&case, &world.work, image, &want, plan) {
        Reached::Held => return,
        Reached::NotYet => {}
        Reached::Running(c) => {
            server::server(subject, world, image, c, plan);
            work::asked_restart(&case, c, plan);
        }
    }
    work::pull(&case, &world.work, plan);
}

/// What differs between PostgreSQL's container and another's.
fn want<'a>(subject: &Subject<'_>, world: &'a World, image: &ImageFacts) -> Want<'a, Action> {
    let (spec, memory) = (subject.spec, subject.memory);
    let container = world.work.container.ours();
    let wanted_sha = sha256(file_in_force(subject, world, image).as_bytes());
    let way_back = container.and_then(|c| way_back(subject, image, world, c));
    // New parameters have a way back of their own, and may well name a file that cannot be read. An image is
    // given up only when no privilege lets it start.
    let blamed = matches!(way_back, Some((Action::RestoreParameters { .. }, _)));
    Want {
        process: desired::process(spec, image, memory),
        not_kept: desired::not_kept(spec, image).join("; "),
        upload: upload(subject, world, image),
        files_differ: world.file_sha256.as_ref() != Some(&wanted_sha),
        look_first: memory.must_look_at_volume(),
        keeps: container.and_then(|c| placement::keeps(subject, world, c)),
        credentials: Some(credentials(spec)),
        refused: SERVER.log.refused_in(&world.work.log_tail).filter(|_| !blamed),
        answers: !matches!(world.server, Server::NotRunning | Server::Starting(_) | Server::Refused(_)),
        dies: container
            .filter(|c| may_be_dying(world, c))
            .map(|c| crash_words(subject, world, c))
            .unwrap_or_default(),
        way_back,
    }
}

/// The step that makes the managed user's password.
fn credentials(spec: &Checked) -> Action {
    let (username, database) = (spec.username.clone(), spec.database.clone());
    match spec.password.clone() {
        None => Action::GeneratePassword { username, database },
        Some(source) => Action::TakePassword { source, username, database },
    }
}

fn may_be_dying(world: &World, c: &SeenContainer) -> bool {
    c.state == ContainerState::Restarting || world.work.deaths.count >= Deaths::LOOP
}
