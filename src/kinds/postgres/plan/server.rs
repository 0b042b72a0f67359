//! A container that runs: is its server reached, logged into, on our volume, with the database? Must
//! never make a database again that was seen before: an empty one would hide the loss.

use super::parameter_file::{file_in_force, parameters_of};
use super::{Plan, Subject, credentials, placement};
use crate::core::digest::sha256;
use crate::core::names::annotation;
use crate::core::plan::Sign;
use crate::core::seen::SeenContainer;
use crate::core::will::Wanted;
use crate::kinds::postgres::action::Action;
use crate::kinds::postgres::facts::ImageFacts;
use crate::kinds::postgres::world::{
    Crowd, Declared, MonitorRole, Pending, Server, ServerFacts, Statements, Weak, World,
};
use crate::workload::plan::{due, port_silent, prove, restart};

pub(super) fn server(
    subject: &Subject<'_>,
    world: &World,
    image: &ImageFacts,
    c: &SeenContainer,
    plan: &mut Plan,
) {
    if blind(subject, world, image, c, plan) {
        return;
    }
    match &world.server {
        Server::NotRunning => plan.wait("ServerStarting", "the container was just started", Some(300)),
        Server::Starting(words) => plan.wait("ServerStarting", words, Some(500)),
        Server::Refused(words) => {
            plan.wait("ServerStarting", format!("not accepting connections yet: {words}"), Some(300))
        }
        Server::PortSilent(words) => port_silent(&subject.work(), words, plan),
        Server::Hung(words) => plan.stuck("ServerHung", words, 5_000),
        Server::TurnedAway(reason, words) => plan.stuck(reason, words, 5_000),
        Server::Failed(words) => plan.stuck("LoginFailed", words, 5_000),
        // The password of other data is not ours to set.
        Server::LoginRefused(_)
            if world.system_identifier.as_ref().is_some_and(|found| other_cluster(subject, found, plan)) => {}
        Server::LoginRefused(words) => {
            if world.declared == Declared::Differs {
                plan.step(Sign::Change, credentials(subject.spec), "spec.password has another value");
            }
            let cause = format!("the managed credentials were refused: {words}");
            plan.step(Sign::Change, reset(subject, world), cause);
        }
        Server::Weak(weak) => weak_login(subject, world, c, *weak, plan),
        Server::Up(facts) => up(subject, world, image, c, facts, plan),
    }
}

/// Why logins are turned away, where other parameters can be the remedy and may need a restart.
const OF_PARAMETERS: [&str; 4] = ["TooManyConnections", "LibraryMissing", "OutOfMemory", "NoProcessLeft"];

/// Nobody can be let in by a server with old parameters: a corrected manifest reaches it all the same, through
/// the engine. What it does not take over by a signal takes one restart.
fn blind(
    subject: &Subject<'_>,
    world: &World,
    image: &ImageFacts,
    c: &SeenContainer,
    plan: &mut Plan,
) -> bool {
    let (locked_out, by_parameters) = match &world.server {
        Server::LoginRefused(_) | Server::Weak(_) => (true, false),
        Server::TurnedAway(reason, _) => (true, OF_PARAMETERS.contains(reason)),
        Server::Hung(_) | Server::Failed(_) => (true, true),
        Server::NotRunning
        | Server::Starting(_)
        | Server::Refused(_)
        | Server::PortSilent(_)
        | Server::Up(_) => (false, false),
    };
    let Some(there) = world.file_sha256.as_ref().filter(|_| locked_out && subject.memory.work.ever_ready)
    else {
        return false;
    };
    let text = file_in_force(subject, world, image);
    if *there != sha256(text.as_bytes()) {
        let action = Action::WriteParameters { container: subject.identity.container(), text };
        plan.step(Sign::Change, action, "spec.parameters changed, and nobody can log in");
        return true;
    }
    if !by_parameters || subject.memory.reloaded_blind.as_ref() != Some(&c.started_at) {
        return false;
    }
    let why = "nobody can log in, and new parameters may need a restart";
    if subject.spec.work.restart_automatically {
        restart(&subject.work(), why, plan);
    } else {
        let how = format!("{why}; restartPolicy is Manual: seawall restart {}", subject.identity.object);
        plan.stuck("LoginFailed", how, 15_000);
    }
    true
}

/// A login that proves nothing. Only a password that is stored as MD5 can be mended from here, and only
/// once: what a server asks for must not make us do the same again and again.
fn weak_login(subject: &Subject<'_>, world: &World, c: &SeenContainer, weak: Weak, plan: &mut Plan) {
    if weak == Weak::Md5 && subject.memory.verifier_set_in.as_ref() != Some(&c.id) {
        let cause = "the role's password is stored as MD5: it is set again as SCRAM-SHA-256";
        plan.step(Sign::Change, reset(subject, world), cause);
        return;
    }
    let psql = subject.psql();
    plan.wait(
        "AuthenticationWeak",
        format!(
            "{weak}. Find the line with {psql} -c 'TABLE pg_catalog.pg_hba_file_rules' -c 'SHOW hba_file', give it the method scram-sha-256, then {psql} -c 'SELECT pg_catalog.pg_reload_conf()'"
        ),
        Some(15_000),
    );
}

/// Whether its server has other data than this object had: then nothing is done to it.
fn other_cluster(subject: &Subject<'_>, found: &str, plan: &mut Plan) -> bool {
    let (id, memory) = (subject.identity, subject.memory);
    if memory.same_cluster(found) || subject.spec.accept_cluster.as_deref() == Some(found) {
        return false;
    }
    let known = memory.system_identifier.as_deref().unwrap_or_default();
    plan.danger(
        "DifferentCluster",
        format!(
            "the server that answers has other data than this object had: its system identifier is {found}, this object's is {known}. Nothing was done to it"
        ),
        format!(
            "find out what became of the data in volume {} (seawall events {}); if other data was put there on purpose, say so with the annotation {}: \"{found}\"",
            id.volume(), id.object, annotation::ACCEPT_CLUSTER
        ),
    );
    true
}

fn up(
    subject: &Subject<'_>,
    world: &World,
    image: &ImageFacts,
    c: &SeenContainer,
    facts: &ServerFacts,
    plan: &mut Plan,
) {
    let (id, spec, memory) = (subject.identity, subject.spec, subject.memory);
    if other_cluster(subject, &facts.system_identifier, plan) {
        return;
    }
    if facts.in_recovery {
        plan.wait("InRecovery", "the server is in recovery: it answers, but takes no writes", Some(1_000));
        return;
    }
    if !inside(&facts.data_directory, &image.work.mount_path) {
        plan.block(
            "DataOutsideVolume",
            format!(
                "data_directory is {}, outside the volume at {}: the data would be lost with the container",
                facts.data_directory, image.work.mount_path
            ),
            "use an image whose PGDATA lies in its declared volume",
        );
        return;
    }
    if let Some(words) = placement::astray(subject, world, c) {
        plan.blocked.push(placement::block(&words));
        return;
    }
    if !facts.database_exists {
        if memory.seen_databases.contains(&spec.database) {
            plan.block(
                "DatabaseMissing",
                format!("database {:?} was there and is gone; an empty one was not made in its place", spec.database),
                format!("restore it, create it yourself (seawall psql {} -- -d postgres), or name another spec.database", id.object.name),
            );
        } else {
            plan.step(
                Sign::Create,
                Action::CreateDatabase(spec.database.clone()),
                "database missing, never seen before",
            );
        }
    }
    if memory.password_emptied_in.as_ref() != Some(&c.id) {
        let action = Action::EmptyPasswordFile { container: id.container() };
        plan.step(Sign::Change, action, "initdb is done");
    }
    if let Some(crowd @ Crowd::Server { .. }) = facts.crowd {
        let (reason, words) = crowd.in_words(&spec.database);
        plan.stuck(reason, words, 5_000);
    }
    // Before anything that ends the session.
    monitor(world, facts, plan);
    // Made by Seawall where it preloads the library; whoever preloads it makes the extension where it is wanted.
    if memory.counts_statements && facts.statements == Statements::Missing && !world.work.is_full() {
        plan.step(Sign::Create, Action::CountStatements, "statements are counted, and told by it");
    }
    if world.declared == Declared::Differs {
        // Sealed first: what is in the store is set again whenever the server has another one.
        for action in [credentials(spec), reset(subject, world)] {
            plan.step(Sign::Change, action, "spec.password has another value");
        }
    }
    parameters_of(subject, world, image, facts, plan);
    prove(&subject.work(), &world.work, plan);
    if world.declared != Declared::Differs {
        rotate(subject, world, plan);
    }
}

/// The role that reads the server's health. One of that name that is somebody else's is left alone, and a server that can
/// write nothing too.
fn monitor(world: &World, facts: &ServerFacts, plan: &mut Plan) {
    let put = |make, others: &[String]| Action::PutMonitorRight { make, others: others.to_vec() };
    let (sign, action, cause) = match &facts.monitor {
        _ if world.work.is_full() => return,
        MonitorRole::Missing => (Sign::Create, put(true, &[]), "WAL health is read with it"),
        MonitorRole::Differs(others) => (Sign::Change, put(false, others), "it is not as Seawall made it"),
        MonitorRole::Fine if world.monitor_refused => {
            (Sign::Change, put(false, &[]), "the server has another password for it")
        }
        MonitorRole::Fine | MonitorRole::Foreign | MonitorRole::Unknown => return,
    };
    plan.step(sign, action, cause);
}

/// The step that sets what is sealed: of two passwords the later one. Whom the login was tried as: a recovered record may
/// not know who the data belongs to.
fn reset(subject: &Subject<'_>, world: &World) -> Action {
    Action::ResetPassword {
        container: subject.identity.container(),
        username: subject.memory.owner(&subject.spec.username).to_owned(),
        // One that the manifest names ends a rotation.
        pending: world.pending != Pending::No && world.declared != Declared::Differs,
    }
}

/// `seawall rotate` was said and not yet done, or it is time by the schedule.
#[must_use]
pub fn rotates(subject: &Subject<'_>, world: &World) -> bool {
    let begins = asked_for(subject) || world.due.now;
    subject.work().wanted() == Wanted::Running && (world.pending != Pending::No || begins)
}

fn asked_for(subject: &Subject<'_>) -> bool {
    subject.spec.password.is_none() && subject.asked.rotate_due(subject.memory.rotated_for.as_ref()).is_some()
}

/// Sealed, set, proven by a login, and only then the one in use. What is in the store tells how far it is, so that a crash
/// at any border finds all it needs there.
fn rotate(subject: &Subject<'_>, world: &World, plan: &mut Plan) {
    match world.pending {
        Pending::No => {
            let asked = asked_for(subject) && plan.steps.is_empty();
            if let Some(cause) = due(asked, &world.due, &world.work, plan) {
                plan.step(Sign::Change, Action::MakePending, cause);
            }
        }
        Pending::Sealed => {
            plan.step(Sign::Change, reset(subject, world), "the password is rotated");
        }
        Pending::InForce => plan.step(Sign::Change, Action::MakeCurrent, "it lets in"),
    }
}

/// Whether `path` is `root` or below it.
#[must_use]
pub fn inside(path: &str, root: &str) -> bool {
    let root = root.trim_end_matches('/');
    path == root || path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'))
}
