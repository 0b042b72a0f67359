//! From what is wanted and what was seen to the steps that can run now. Pure: the same values give the same plan, and no
//! plan removes a volume that the user has not confirmed.
//!
//! The mode of persistence must not change by a new file and a restart: with `appendonly yes` and no append-only file Redis
//! starts empty beside a full dump.rdb and then overwrites it, and with `appendonly no` it reads an old dump.rdb beside a
//! newer append-only file. It is changed in the running server, and the file follows when that is done. So every file is
//! made anew from the mode in force, also on the way back from parameters that do not work.

use super::action::Action;
use super::client::RedisError;
use super::desired::{self, DATA, Files, SERVER, maxmemory, sha256};
use super::facts::RedisImage;
use super::parameters::{default, needs_restart, odd, same};
use super::spec::{EvictionPolicy, Persistence, word};
use super::world::{Server, ServerFacts, World};
use crate::core::plan::{Blocked, Plan as CorePlan, Sign};
use crate::core::quantity::Bytes;
use crate::core::resource::Caps;
use crate::core::seen::{ContainerState, SeenContainer};
use crate::workload::disk::roughly;
use crate::workload::plan::lost::{copy_command, lost};
use crate::workload::plan::{self as work, Reached, Verdicts, Want, keep_serving, restart, stopped_cause};
use crate::workload::world::{Deaths, SILENT};
use crate::workload::{self, Case};
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
        credentials: Some(Action::GeneratePasswords),
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

/// Reasons in the data itself why no container may touch the volume, of whatever image.
fn data_blocks(case: &Case<'_>, subject: &Subject<'_>, world: &World, plan: &mut Plan) -> bool {
    let before = plan.blocked.len();
    lost(case, &world.work, WHAT, plan);
    work::lost_volumes(case, &world.work, plan);
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

/// What the container and its server may use now, on the way to what is wanted.
struct Room {
    caps: Caps,
    maxmemory: u64,
    blocked: Option<Blocked>,
}

/// A server never may hold more than its container has: its own limit is raised after the cap, and lowered before it.
fn room(subject: &Subject<'_>, world: &World) -> Room {
    let wanted = subject.spec.work.caps;
    let seen = world.work.container.ours().filter(|_| !world.work.engine.lacks.memory_limit);
    let Some(c) = seen else {
        return Room { caps: wanted, maxmemory: maxmemory(wanted.memory), blocked: None };
    };
    let or_all = |cap: Option<Bytes>| cap.map_or(u64::MAX, |cap| cap.0);
    let (old, new) = (c.caps.memory, wanted.memory);
    if or_all(new) >= or_all(old) || !c.state.is_up() {
        let less = if or_all(new) < or_all(old) { new } else { old };
        return Room { caps: wanted, maxmemory: maxmemory(less), blocked: None };
    }
    let as_it_is = Caps { memory: old, swap: c.caps.swap, ..wanted };
    let Server::Up(facts) = &world.server else {
        return Room { caps: as_it_is, maxmemory: maxmemory(old), blocked: None };
    };
    let target = maxmemory(new);
    let limit = facts.told("maxmemory").parse().ok().filter(|limit: &u64| *limit > 0);
    if limit.is_some_and(|limit| limit <= target) {
        return Room { caps: wanted, maxmemory: target, blocked: None };
    }
    if facts.used.is_none_or(|used| used > target) && !subject.spec.work.force_caps {
        let cost = match subject.spec.eviction {
            EvictionPolicy::Noeviction => "writes would fail until keys are deleted".to_owned(),
            policy => format!("by evictionPolicy {} keys would be lost", word(policy)),
        };
        let blocked = Blocked {
            danger: false,
            reason: "LimitBelowUse",
            why: format!(
                "the data takes {}, and with a memory limit of {} maxmemory would be {}: {cost}",
                facts.used.map_or("an unknown amount".to_owned(), roughly),
                new.unwrap_or(Bytes(0)),
                roughly(target)
            ),
            unblock: "raise resources.memory, delete keys, or set resources.force: true".to_owned(),
        };
        return Room { caps: as_it_is, maxmemory: maxmemory(old), blocked: Some(blocked) };
    }
    Room { caps: as_it_is, maxmemory: target, blocked: None }
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

/// A container that runs: is its server reached, logged into, on our volume?
fn server(
    case: &Case<'_>,
    subject: &Subject<'_>,
    world: &World,
    files: Files,
    c: &SeenContainer,
    plan: &mut Plan,
) {
    match &world.server {
        Server::NotRunning => plan.wait("ServerStarting", "the container was just started", Some(300)),
        Server::Up(facts) => up(case, subject, world, files, c, facts, plan),
        Server::Down(RedisError::Refused(words)) => {
            plan.wait("ServerStarting", format!("not accepting connections yet: {words}"), Some(300));
        }
        Server::PortSilent(words) if subject.memory.work.port_restarted => {
            let why = format!("{words}, and a restart did not help: see the log of the Docker engine");
            plan.stuck("PortSilent", why, 15_000);
        }
        Server::PortSilent(words) => restart(case, words, plan),
        // Nobody of ours gets in, so only a start reads the users' file.
        Server::Down(RedisError::LoginRefused(words)) if !subject.memory.users_restarted => {
            let why = format!("Seawall's own login was refused: {words}");
            plan.step(Sign::Change, Action::UploadFiles(files), why.as_str());
            restart(case, &why, plan);
        }
        Server::Down(error) => turned_away(error, plan),
    }
}

fn turned_away(error: &RedisError, plan: &mut Plan) {
    let on = match error {
        RedisError::Loading(words) => return plan.wait("Loading", words, Some(500)),
        RedisError::Hung => "ServerHung",
        RedisError::TurnedAway(reason, _) => reason,
        _ => "LoginFailed",
    };
    plan.stuck(on, error.to_string(), 5_000);
}

fn up(
    case: &Case<'_>,
    subject: &Subject<'_>,
    world: &World,
    mut files: Files,
    c: &SeenContainer,
    facts: &ServerFacts,
    plan: &mut Plan,
) {
    if let Some(words) = &facts.loading {
        plan.wait("Loading", words, Some(500));
        return;
    }
    if facts.told("dir") != DATA {
        plan.block(
            "DataOutsideVolume",
            format!("the server's dir is {:?}, outside the volume at {DATA}: the data would be lost with the container", facts.told("dir")),
            "use an image that starts the server with the file that it is given",
        );
        return;
    }
    match &facts.ping {
        _ if !facts.users_fit && subject.memory.users_loaded_in.as_ref() == Some(&c.started_at) => {
            plan.stuck("UsersDiffer", "the server tells other users or rules than it was given", 15_000);
        }
        _ if !facts.users_fit => {
            plan.step(
                Sign::Change,
                Action::LoadUsers,
                "users, passwords or rules are not what they should be",
            );
        }
        Ok(()) | Err(RedisError::PersistenceBroken(_)) => {}
        Err(error) => turned_away(error, plan),
    }
    if let Some(words) = facts.broken(subject.mode()) {
        plan.stuck("PersistenceBroken", words, 5_000);
    }
    if let Some(refused) = subject.memory.refused.as_ref().filter(|r| r.parameters == subject.spec.parameters)
    {
        plan.block(
            "ParameterRejected",
            format!("Redis refused: {}. The server keeps running with the old parameters", refused.message),
            "correct spec.parameters",
        );
    }
    let to = subject.spec.persistence;
    if files.persistence != to && !facts.carries(to) {
        let why = format!("spec.persistence: {} → {}", word(files.persistence), word(to));
        if facts.begun(to) {
            let why = format!("{why}: the file is being written, and no start reads it before it is whole");
            plan.wait("ChangingPersistence", why, Some(500));
        } else {
            plan.step(Sign::Change, Action::Keep(to), why);
        }
        return;
    }
    if files.persistence != to {
        // Until the next look the running server keeps its data by both: whatever is lost now, a start finds all of it.
        files.persistence = to;
        let why = "a start with it finds all data";
        plan.step(Sign::Change, Action::SetParameters { set: Vec::new(), files }, why);
        return;
    }
    let stale = is_stale(subject, &files, c);
    let (set, needs_restart) = differing(subject, &files, facts, stale);
    if stale || !set.is_empty() {
        let why = if stale { "spec changed" } else { "the running server has others" };
        plan.step(Sign::Change, Action::SetParameters { set, files }, why);
    } else if !needs_restart.is_empty() && case.spec.restart_automatically {
        let why = format!("{} changed and need a restart", needs_restart.join(", "));
        restart(case, &why, plan);
    }
    work::prove(case, &world.work, plan);
}
