//! A container that runs, and what is still to be done about the server in it. No file may name a way of keeping the data
//! before a start by it would find all of them.

use super::{Plan, Subject, credentials, differing, is_stale};
use crate::core::digest::sha256;
use crate::core::plan::Sign;
use crate::core::seen::SeenContainer;
use crate::core::will::Wanted;
use crate::kinds::redis::action::Action;
use crate::kinds::redis::client::RedisError;
use crate::kinds::redis::desired::{DATA, Files, users_file};
use crate::kinds::redis::spec::word;
use crate::kinds::redis::tenancy;
use crate::kinds::redis::world::{Server, ServerFacts, World};
use crate::workload::Case;
use crate::workload::plan::{self as work, restart};
use crate::workload::world::Declared;
use std::collections::{BTreeMap, BTreeSet};

/// Is its server reached, logged into, on our volume?
pub fn server(
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
        Server::PortSilent(words) => work::port_silent(case, words, plan),
        // Nobody of ours gets in, so only a start reads the users' file.
        Server::Down(RedisError::LoginRefused(words)) if !subject.memory.users_restarted => {
            let why = format!("Seawall's own login was refused: {words}");
            plan.step(Sign::Change, Action::UploadFiles(files), why.as_str());
            restart(case, &why, plan);
        }
        Server::Down(error) => turned_away(error, plan),
    }
}

/// The first user that is not as it should be.
fn difference(told: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> String {
    let all: BTreeSet<&String> = told.keys().chain(wanted.keys()).collect();
    let first = all.into_iter().find(|user| told.get(*user) != wanted.get(*user));
    first.map_or_else(String::new, |user| match (told.get(user), wanted.get(user)) {
        (None, _) => format!("user {user} is missing"),
        (_, None) => format!("user {user} is no link's any more"),
        _ => format!("user {user} has other passwords or rules"),
    })
}

/// What was loaded, and since which start.
#[must_use]
pub fn loaded(c: &SeenContainer, tenants: &BTreeMap<String, String>) -> String {
    format!("{} {}", c.started_at, sha256(users_file(tenants).as_bytes()))
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
    let tenants = tenancy::rules(subject);
    let fit = facts.users_fit && facts.tenants == tenants;
    match &facts.ping {
        _ if !fit && subject.memory.users_loaded_in == Some(loaded(c, &tenants)) => {
            plan.stuck("UsersDiffer", "the server tells other users or rules than it was given", 15_000);
        }
        // Sealed first: what is in the store is what the users' file gets.
        _ if world.declared == Declared::Differs => {
            let why = "spec.password has another value";
            plan.step(Sign::Change, credentials(subject), why);
            plan.step(Sign::Change, Action::LoadUsers, why);
        }
        _ if !facts.users_fit => {
            let why = if world.pending {
                "the password is rotated"
            } else {
                "users, passwords or rules are not what they should be"
            };
            plan.step(Sign::Change, Action::LoadUsers, why);
        }
        _ if !fit => {
            let why = difference(&facts.tenants, &tenants);
            plan.step(Sign::Change, Action::LoadTenants, why);
        }
        // A login by it was let in.
        Ok(()) | Err(RedisError::PersistenceBroken(_)) if world.pending => {
            plan.step(Sign::Change, Action::MakeCurrent, "it lets in");
        }
        Ok(()) | Err(RedisError::PersistenceBroken(_)) => {}
        Err(error) => turned_away(error, plan),
    }
    if let Some(words) = facts.broken(subject.mode()) {
        plan.stuck("PersistenceBroken", words, 5_000);
    }
    if facts.lost {
        let why = "the file that a start reads them from is gone from the volume";
        plan.step(Sign::Change, Action::KeepAnew(subject.mode()), why);
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
    let asked = asked_for(subject) && plan.steps.is_empty() && plan.waiting.is_empty();
    if let Some(cause) = work::due(asked, &world.due, &world.work, plan).filter(|_| !world.pending) {
        plan.step(Sign::Change, Action::MakePending, cause);
    }
}

fn asked_for(subject: &Subject<'_>) -> bool {
    subject.spec.password.is_none() && subject.asked.rotate_due(subject.memory.rotated_for.as_ref()).is_some()
}

/// `seawall rotate` was said and not yet done, or it is time by the schedule.
#[must_use]
pub fn rotates(subject: &Subject<'_>, world: &World) -> bool {
    let begins = asked_for(subject) || world.due.now;
    subject.work().wanted() == Wanted::Running && (world.pending || begins)
}
