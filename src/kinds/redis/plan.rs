//! From what is wanted and what was seen to the steps that can run now. Pure: the same values give the same plan, and no
//! plan removes a volume that the user has not confirmed.
//!
//! The mode of persistence must not change by a new file and a restart: with `appendonly yes` and no append-only file Redis
//! starts empty beside a full dump.rdb and then overwrites it, and with `appendonly no` it reads an old dump.rdb beside a
//! newer append-only file. It is changed in the running server, and the file follows when that is done. So every file is
//! made anew from the mode in force, also on the way back from parameters that do not work.

mod room;
mod server;

use super::action::Action;
use super::client::RedisError;
use super::desired::{self, Files, SERVER};
use super::facts::RedisImage;
use super::parameters::{default, needs_restart, odd, same};
use super::spec::Persistence;
use super::world::{Server, ServerFacts, World};
use crate::core::digest::sha256;
use crate::core::plan::{Blocked, Plan as CorePlan};
use crate::core::seen::{ContainerState, SeenContainer};
use crate::workload::plan::lost::{copy_command, lost};
use crate::workload::plan::{self as work, Reached, Verdicts, Want, keep_serving, stopped_cause};
use crate::workload::world::{Deaths, Declared, SILENT};
use crate::workload::{self, Case};
use room::room;
use server::server;
pub use server::{loaded, rotates};
use std::collections::BTreeMap;

pub type Plan = CorePlan<Action>;

/// What `plan` is about.
pub type Subject<'a> = crate::kinds::Subject<'a, super::Redis>;

impl<'a> crate::kinds::Subject<'a, super::Redis> {
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

    /// What the data on the volume is kept by.
    #[must_use]
    pub fn mode(&self) -> Persistence {
        self.memory.persistence.unwrap_or(self.spec.persistence)
    }
}

/// An older server does not read what a newer one wrote.
fn unfit_for_data(subject: &Subject<'_>, image: &RedisImage) -> Option<Blocked> {
    let newer = subject.memory.data_major.filter(|major| *major > image.major)?;
    let (volume, reference) = (subject.identity.volume(), &subject.spec.work.image);
    Some(Blocked {
        danger: false,
        reason: "MajorVersionChange",
        why: format!(
            "volume {volume} holds data of Redis {newer}, the image {reference} is Redis {}: an older server does not read it. Nothing was touched",
            image.major
        ),
        unblock: format!("set version back to {newer}"),
    })
}

fn with_verdicts<T>(subject: &Subject<'_>, then: impl FnOnce(&Verdicts<'_, RedisImage>) -> T) -> T {
    then(&Verdicts {
        unfit: &|image| unfit_for_data(subject, image),
        refusal: &|image| subject.work().gave_up(&image.work.id),
    })
}

/// The image that containers are made from now: the wanted one when it can be used, else the one in use.
#[must_use]
pub fn image_to_run<'w>(subject: &Subject<'_>, world: &'w World) -> Option<&'w RedisImage> {
    with_verdicts(subject, |verdicts| work::image_to_run(&world.work, verdicts))
}

/// The steps that can run now, what has to wait, what needs the user.
#[must_use]
pub fn plan(subject: &Subject<'_>, world: &World) -> Plan {
    let mut plan = Plan::default();
    let (case, seen) = (subject.work(), &world.work);
    if work::should_run(&case, seen, None, WHAT, None, &mut plan) {
        running(subject, world, &mut plan);
        work::duplicates(&case, seen, &mut plan);
        work::called_alike(&case, seen, &mut plan);
    }
    plan
}

/// What must be on a volume that comes back.
const WHAT: &str = "the files of its data (appendonlydir or dump.rdb)";

fn running(subject: &Subject<'_>, world: &World, plan: &mut Plan) {
    let room = room(subject, world);
    plan.blocked.extend(room.blocked.clone());
    let now = workload::Checked { caps: room.caps, ..subject.spec.work.clone() };
    let case = Case { spec: &now, ..subject.work() };
    let unblock = "correct spec.version or spec.image";
    let image = with_verdicts(subject, |verdicts| work::usable(&case, &world.work, verdicts, unblock, plan));
    let Some(image) = image else {
        keep_serving(&case, &world.work, plan);
        work::pull(&case, &world.work, plan);
        return;
    };
    if data_blocks(&case, subject, world, plan) {
        keep_serving(&case, &world.work, plan);
        return;
    }
    let files = files(subject, world);
    let c = world.work.container.ours();
    let way_back = c.and_then(|c| way_back(subject, world, &files, c));
    let want = Want {
        process: desired::process(),
        not_kept: desired::not_kept(image).join(" "),
        upload: Action::UploadFiles(files.clone()),
        files_differ: c.is_none_or(|c| is_stale(subject, &files, c)),
        look_first: false,
        keeps: None,
        credentials: Some(credentials(subject)),
        refused: SERVER.log.refused_in(&world.work.log_tail).filter(|_| way_back.is_none()),
        answers: !matches!(world.server, Server::NotRunning | Server::Down(RedisError::Refused(_))),
        dies: c.map(|c| crash_words(world, c)).unwrap_or_default(),
        way_back,
    };
    match work::member(&case, &world.work, image, &want, plan) {
        Reached::Held => return,
        Reached::NotYet => {}
        Reached::Running(c) => {
            server(&case, subject, world, files, c, plan);
            work::asked_restart(&case, c, plan);
        }
    }
    work::pull(&case, &world.work, plan);
}

/// The step that makes the passwords.
fn credentials(subject: &Subject<'_>) -> Action {
    subject.spec.password.clone().map_or(Action::GeneratePasswords, Action::TakePassword)
}

/// Reasons in the data itself, and in the password, why no container may touch the volume, of whatever image.
fn data_blocks(case: &Case<'_>, subject: &Subject<'_>, world: &World, plan: &mut Plan) -> bool {
    let before = plan.blocked.len();
    lost(case, &world.work, WHAT, plan);
    work::lost_volumes(case, &world.work, plan);
    if let (Declared::Unreadable(why), false) = (&world.declared, world.work.password_sealed) {
        let unblock = "put that right; nothing is made before";
        plan.block("SecretUnreadable", format!("spec.password: {why}"), unblock);
    }
    if let Some(data) = world.data.filter(|_| case.memory.ever_ready) {
        let missing = match subject.mode() {
            Persistence::Aof if !data.aof => Some("its append-only file"),
            Persistence::Rdb if !data.rdb && subject.memory.dumped => Some("its snapshot"),
            _ => None,
        };
        if let Some(missing) = missing {
            plan.danger(
                "VolumeEmpty",
                format!(
                    "volume {} is there, but the data of this object is not on it: {missing} is missing. No server was started on it: it would begin empty",
                    subject.identity.volume()
                ),
                format!("copy the data into it: {}", copy_command(case)),
            );
        }
    }
    plan.blocked.len() > before
}

/// What the server should run with now: the manifest's parameters, or the last that worked while they are refused.
#[must_use]
pub fn files(subject: &Subject<'_>, world: &World) -> Files {
    let (spec, memory) = (subject.spec, subject.memory);
    let refused = memory.refused.as_ref().is_some_and(|refused| refused.parameters == spec.parameters);
    let parameters =
        if refused { memory.proven.clone().unwrap_or_default() } else { spec.parameters.clone() };
    Files::new(subject.identity, spec, parameters, subject.mode(), room(subject, world).maxmemory)
}

/// By what is remembered of the last write: of which container, and which text.
#[must_use]
pub fn written(container: &str, files: &Files) -> String {
    sha256(format!("{container} {}", files.text()).as_bytes())
}

fn is_stale(subject: &Subject<'_>, files: &Files, c: &SeenContainer) -> bool {
    subject.memory.written.as_ref() != Some(&written(&c.id, files))
}

/// Settings that the running server has otherwise: those that it takes over as it runs, and names of those for which it
/// has to start again.
fn differing(
    subject: &Subject<'_>,
    files: &Files,
    facts: &ServerFacts,
    stale: bool,
) -> (Vec<(String, String)>, Vec<String>) {
    let mut wanted = files.settings();
    for name in names(subject) {
        // What is taken out of the manifest goes back.
        if let Some(default) = default(name) {
            wanted.entry(name.to_owned()).or_insert_with(|| default.to_owned());
        }
    }
    // What it does not know yet, a start may: a parameter of a module.
    let differs = |name: &str, value: &str| match facts.config.get(name) {
        Some(told) => !same(name, value, told) || stale && odd(name) && told != value,
        None => true,
    };
    wanted.retain(|name, value| differs(name, value));
    let (restart, live): (BTreeMap<_, _>, BTreeMap<_, _>) =
        wanted.into_iter().partition(|(name, _)| needs_restart(name));
    (live.into_iter().collect(), restart.into_keys().collect())
}

/// Parameters of the manifest, of now and before.
pub fn names<'a>(subject: &Subject<'a>) -> impl Iterator<Item = &'a str> {
    let memory = subject.memory;
    let before = memory.parameters.keys().chain(memory.proven.iter().flat_map(BTreeMap::keys));
    subject.spec.parameters.keys().chain(before).map(String::as_str)
}

/// Parameters that wait for a restart.
#[must_use]
pub fn pending(subject: &Subject<'_>, world: &World, facts: &ServerFacts) -> Vec<String> {
    differing(subject, &files(subject, world), facts, false).1
}

/// Whether the server runs with all that was written.
#[must_use]
pub fn runs_as_written(subject: &Subject<'_>, world: &World, facts: &ServerFacts, c: &SeenContainer) -> bool {
    let files = files(subject, world);
    let (live, restart) = differing(subject, &files, facts, false);
    live.is_empty() && restart.is_empty() && !is_stale(subject, &files, c)
}

/// The way back, when a server does not come up with new parameters or another image although it did with the last ones.
fn way_back(
    subject: &Subject<'_>,
    world: &World,
    files: &Files,
    c: &SeenContainer,
) -> Option<(Action, &'static str)> {
    if matches!(world.server, Server::Up(_)) || !c.error.is_empty() {
        return None;
    }
    let memory = subject.memory;
    let died = matches!(c.state, ContainerState::Restarting | ContainerState::Exited | ContainerState::Dead);
    let refuses = died && c.exit_code == Some(1) && fatal(world).is_some();
    let words = match world.work.silent >= SILENT {
        true => "it runs, and nobody has listened in it for ten minutes".to_owned(),
        false if refuses || world.work.deaths.count >= Deaths::LOOP => crash_words(world, c),
        false => return None,
    };
    // With another image than they worked with, it may as well be the image that does not start.
    if let Some(back_to) = memory.work.proven_image.as_ref().filter(|proven| **proven != c.image_id) {
        return (world.work.fallback.as_ref() == Some(back_to)).then(|| {
            let (image, back_to) = (c.image_id.clone(), back_to.clone());
            (workload::Action::GiveUpImage { image, words, back_to }.into(), "image")
        });
    }
    let parameters = memory.started.clone().filter(|started| *started != memory.parameters)?;
    let files = Files { parameters, ..files.clone() };
    Some((Action::RestoreParameters { files, words }, "parameters"))
}

/// What a server says of a file that it does not take: `>>> 'hz "x"'`, and why.
fn fatal(world: &World) -> Option<String> {
    let log = &world.work.log_tail;
    let (at, of) =
        log.iter().enumerate().rev().find_map(|(at, line)| Some((at, line.split_once(">>> ")?.1)))?;
    Some(std::iter::once(of).chain(log.get(at + 1).map(String::as_str)).collect::<Vec<_>>().join(": "))
}

/// Why a server dies, as far as container and log tell.
fn crash_words(world: &World, c: &SeenContainer) -> String {
    let last = fatal(world).or_else(|| world.work.log_tail.last().cloned());
    match last {
        Some(last) => format!("{}; its last words: {last}", stopped_cause(c)),
        None => stopped_cause(c),
    }
}
