//! What PostgreSQL has to say of itself beside what every container's conditions are made from. Pure, and honest:
//! Ready is only ever said of a login that worked.

use super::action::Action;
use super::collation::{self, Columns};
use super::parameters::limits;
use super::plan::{Plan, Subject, astray, inside, rotates};
use super::wal::{self, Health};
use super::world::{Crowd, Declared, InitSeen, Server, ServerFacts, World};
use crate::core::condition::{ConditionType as C, Finding, Truth};
use crate::core::failure::Outlook;
use crate::core::text::in_shell;
use crate::core::will::Wanted;
use crate::workload::findings::{self as work, Said, Served};
use crate::workload::image::ImageSeen;
use crate::workload::plan::is_others_too;

/// All conditions of an object after a pass.
#[must_use]
pub fn findings(subject: &Subject<'_>, world: &World, plan: &Plan, outlook: &Outlook) -> Vec<Finding> {
    work::findings(&subject.work(), &world.work, plan, outlook, &served(subject, world, plan))
}

/// Conditions to write before the steps of `plan` run: `Some` when the server does not serve until they
/// are done.
#[must_use]
pub fn before_steps(
    subject: &Subject<'_>,
    world: &World,
    plan: &Plan,
    outlook: &Outlook,
) -> Option<Vec<Finding>> {
    let looks_again = |action: &Action| matches!(action, Action::TrialStart(_));
    let served = served(subject, world, plan);
    work::before_steps(&subject.work(), &world.work, plan, outlook, &served, looks_again)
}

fn served(subject: &Subject<'_>, world: &World, plan: &Plan) -> Served {
    Served {
        proven: proven(subject, world, plan),
        answers: matches!(world.server, Server::Up(_)),
        starting: match &world.server {
            Server::Starting(words) | Server::Refused(words) => Some(words.clone()),
            _ => None,
        },
        turned_away: match &world.server {
            Server::TurnedAway(reason, words) => Some((reason, words.clone())),
            Server::Up(facts) => {
                let full = facts.crowd.filter(|crowd| matches!(crowd, Crowd::Server { .. }));
                full.map(|crowd| crowd.in_words(&subject.spec.database))
            }
            _ => None,
        },
        left_clean: (world.left_clean == Some(true)).then_some("pg_control"),
        first: plan.waiting.iter().find(|w| w.on == "AuthenticationWeak").map(|w| (w.on, w.why.clone())),
        last: degraded(subject, world),
        rotates: rotates(subject, world),
        more: more(subject, world),
    }
}

fn more(subject: &Subject<'_>, world: &World) -> Vec<Finding> {
    let mut list = Vec::new();
    if let Server::Up(facts) = &world.server {
        list.push(pending_restart(subject, facts));
    }
    if matches!(subject.work().wanted(), Wanted::Running | Wanted::Stopped) {
        match &world.health {
            Health::NotYet => list.push(archiving(world)),
            health => list.extend(wal::findings(health, is_managed(world))),
        }
    }
    list
}

fn pending_restart(subject: &Subject<'_>, facts: &ServerFacts) -> Finding {
    if facts.pending_restart.is_empty() {
        return Finding::new(
            C::PendingRestart,
            Truth::False,
            "NoneWaiting",
            "no parameter waits for a restart",
        );
    }
    let restart = format!("seawall restart {}", subject.identity.object);
    let how = if !facts.pending_by_hand.is_empty() {
        format!(
            "{} was changed in another file than Seawall's (ALTER SYSTEM writes postgresql.auto.conf), and nobody tried whether the server starts with it, so it is not restarted by itself: take it out there, or {restart}",
            facts.pending_by_hand.join(", ")
        )
    } else if !facts.broken_configuration.is_empty() {
        "the server would not start again with its configuration files, so it is not restarted by itself: see Degraded".to_owned()
    } else if subject.spec.work.restart_automatically {
        "Seawall restarts the server".to_owned()
    } else {
        format!("restartPolicy is Manual: {restart}")
    };
    let names = facts.pending_restart.join(", ");
    let words = format!("{names} wait for a restart; {how}");
    Finding::new(C::PendingRestart, Truth::True, "ParametersChanged", words)
}

fn is_managed(world: &World) -> bool {
    world.work.image.fit().is_some_and(|facts| facts.managed)
}

/// By what Seawall sets, as long as no server told what it does.
fn archiving(world: &World) -> Finding {
    let more = match &world.work.image {
        ImageSeen::Fit(facts) if facts.managed => wal::PREPARED,
        ImageSeen::Fit(_) => wal::NO_TOOL,
        ImageSeen::Missing | ImageSeen::Unfit(_) | ImageSeen::Unknown { .. } => "nothing is archived",
    };
    Finding::new(C::ContinuousArchiving, Truth::False, "NotConfigured", more)
}

fn half_made(subject: &Subject<'_>, world: &World) -> bool {
    !subject.memory.work.ever_ready && matches!(world.init, InitSeen::Unfinished(_))
}

/// Ready, when a login proved it.
fn proven(subject: &Subject<'_>, world: &World, plan: &Plan) -> Option<Finding> {
    let Server::Up(facts) = &world.server else { return None };
    let c = world.work.container.ours()?;
    if !facts.database_exists
        || facts.in_recovery
        || subject.memory.work.first_start.is_some()
        || half_made(subject, world)
    {
        return None;
    }
    if !subject.memory.same_cluster(&facts.system_identifier) {
        return None;
    }
    // We are in by a connection that is kept for superusers: nobody else gets one.
    if matches!(facts.crowd, Some(Crowd::Server { .. })) {
        return None;
    }
    // It answers, and can write nothing.
    if world.work.is_full() {
        return None;
    }
    if is_others_too(plan) {
        return None;
    }
    // By the container's own mounts: the image that the manifest names may be another one by now.
    let volume = subject.identity.volume();
    if !c.mounts.iter().any(|m| m.volume == volume && inside(&facts.data_directory, &m.path))
        || astray(subject, world, c).is_some()
    {
        return None;
    }
    let message = format!(
        "logged in as {} over the network to PostgreSQL {}; data_directory {} lies in volume {volume}",
        subject.memory.owner(&subject.spec.username),
        facts.version,
        facts.data_directory
    );
    Some(Finding::new(C::Ready, Truth::True, "LoginSucceeded", message))
}

fn degraded(subject: &Subject<'_>, world: &World) -> Option<Said> {
    if let Server::Up(facts) = &world.server
        && let Some(crowd) = facts.crowd
    {
        return Some(crowd.in_words(&subject.spec.database));
    }
    if let Server::Up(facts) = &world.server
        && let Some(words) = collation::in_words(
            &facts.collations.mismatched,
            world.columns.mismatched(),
            &subject.identity.container(),
            subject.memory.owner(&subject.spec.username),
        )
    {
        return Some(("CollationVersionMismatch", words));
    }
    if let (true, Columns::Unknown(why)) = (subject.memory.order_changed, &world.columns) {
        let words = format!(
            "text is sorted by other libraries than before, and whether indexes were built with those could not be asked: {why}"
        );
        return Some(("CollationVersionUnknown", words));
    }
    if let Declared::Unreadable(why) = &world.declared {
        return Some(("SecretUnreadable", format!("spec.password: {why}; the password stays as it was")));
    }
    if let Server::Up(facts) = &world.server
        && !facts.broken_configuration.is_empty()
    {
        let words = format!(
            "it would not start again with its configuration files: {}. Mend these lines, then: {} -c 'SELECT pg_catalog.pg_reload_conf()'",
            facts.broken_configuration.join("; "),
            subject.psql()
        );
        return Some(("ConfigurationBroken", words));
    }
    if let (Server::Up(_), Some(said)) = (&world.server, wal::degraded(&world.health)) {
        return Some(said);
    }
    if let Server::Up(facts) = &world.server
        && let Some(words) = overridden(subject, facts)
    {
        return Some(("ParametersOverridden", words));
    }
    if subject.work().wanted() != Wanted::Running {
        return None;
    }
    let (_, words) = limits::warning(&subject.spec.parameters, &subject.spec.work.caps)?;
    Some(("MemoryOvercommitted", words))
}

/// Each with what takes it away on this server: since 17 our file forbids ALTER SYSTEM, also to reset.
fn overridden(subject: &Subject<'_>, facts: &ServerFacts) -> Option<String> {
    let container = subject.identity.container();
    let owner = subject.memory.owner(&subject.spec.username);
    let psql = subject.psql();
    let mut words = Vec::new();
    if !facts.overridden.is_empty() {
        let names = &facts.overridden;
        let how = if facts.major().is_some_and(|major| major >= 17) {
            let lines: Vec<String> = names.iter().map(|name| format!("-e '/^{name} *=/d'")).collect();
            let file = in_shell(&format!("{}/postgresql.auto.conf", facts.data_directory));
            format!("docker exec -u postgres {container} sed -i {} {file}", lines.join(" "))
        } else {
            let resets: Vec<String> =
                names.iter().map(|name| format!("-c 'ALTER SYSTEM RESET {name}'")).collect();
            format!("{psql} {}", resets.join(" "))
        };
        words.push(format!(
            "{} in the manifest lose against ALTER SYSTEM or another configuration file. To let the manifest decide: {how} && {psql} -c 'SELECT pg_catalog.pg_reload_conf()'",
            names.join(", ")
        ));
    }
    if let Some(name) = facts.overridden_by_role.first() {
        words.push(format!(
            "{} in the manifest lose against settings of {owner} or of database {} (ALTER ROLE or ALTER DATABASE … SET; in psql \\drds lists them). To let the manifest decide: ALTER ROLE … RESET {name}, or ALTER DATABASE … RESET {name}",
            facts.overridden_by_role.join(", "),
            subject.spec.database
        ));
    }
    (!words.is_empty()).then(|| words.join("; "))
}
