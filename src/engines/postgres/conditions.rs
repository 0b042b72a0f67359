//! From what was seen and what is still to do to conditions. Pure, and honest: what could not be
//! read is `Unknown`, and Ready is only ever said of a login that worked.

use super::action::{Action, caps_in_words};
use super::collation::{self, Columns};
use super::disk::{Room, roughly};
use super::lacks;
use super::parameters::limits;
use super::plan::{Plan, Subject, astray, caps_in_sync, inside};
use super::world::{ImageSeen, InitSeen, Server, ServerFacts, World};
use crate::core::condition::{ConditionType as C, Finding, Truth};
use crate::core::failure::{Failure, Outlook};
use crate::core::seen::{ContainerState, SeenContainer, Slot, Space};
use crate::core::text::in_shell;
use crate::core::will::Wanted;

/// Conditions when nothing at all could be seen.
#[must_use]
pub fn unknown(failure: &Failure, subject: &Subject<'_>) -> Vec<Finding> {
    let mut list = vec![Finding::new(C::Ready, Truth::Unknown, failure.reason, &failure.message)];
    if subject.spec.paused {
        list.push(paused(None));
    }
    list
}

/// All conditions of an object after a pass.
#[must_use]
pub fn findings(subject: &Subject<'_>, world: &World, plan: &Plan, outlook: &Outlook) -> Vec<Finding> {
    if let Some(failure) = outlook.failure.as_ref().filter(|f| f.unknown) {
        return unknown(failure, subject);
    }
    let mut list = vec![ready(subject, world, plan, outlook)];
    list.push(progressing(subject, world, plan, outlook));
    if let Some(degraded) = degraded(subject, world, plan, outlook) {
        list.push(degraded);
    }
    if outlook.stalled {
        let why = outlook.failure.as_ref().map_or_else(
            || plan.waiting.first().map_or_else(|| "no progress".to_owned(), |w| w.why.clone()),
            |f| f.message.clone(),
        );
        list.push(Finding::new(
            C::Stalled,
            Truth::True,
            "NoProgress",
            format!("10 passes without progress: {why}"),
        ));
    }
    if subject.spec.paused {
        list.push(paused(Some(plan)));
    }
    if let Slot::Ours(c) = &world.container {
        list.push(in_sync(subject, world, plan, c));
    }
    if let Server::Up(facts) = &world.server {
        list.push(if facts.pending_restart.is_empty() {
            Finding::new(C::PendingRestart, Truth::False, "NoneWaiting", "no parameter waits for a restart")
        } else {
            let how = if subject.spec.restart_automatically {
                "Seawall restarts the server".to_owned()
            } else {
                format!("restartPolicy is Manual: seawall restart {}", subject.identity.object)
            };
            let names = facts.pending_restart.join(", ");
            Finding::new(
                C::PendingRestart,
                Truth::True,
                "ParametersChanged",
                format!("{names} wait for a restart; {how}"),
            )
        });
    }
    if matches!(subject.wanted(), Wanted::Running | Wanted::Stopped) {
        list.push(archiving(world));
    }
    list
}

/// Conditions to write before the steps of `plan` run: `Some` when the server does not serve until they
/// are done. A stop or a re-create takes its time, and nobody may read Ready meanwhile.
#[must_use]
pub fn before_steps(
    subject: &Subject<'_>,
    world: &World,
    plan: &Plan,
    outlook: &Outlook,
) -> Option<Vec<Finding>> {
    let interrupts = |action: &Action| {
        matches!(
            action,
            Action::StopContainer(_) | Action::RestartServer { .. } | Action::RemoveContainer { .. }
        )
    };
    // What comes after a trial start is looked at anew once it was held; till then the server serves.
    let mut now = plan.steps.iter().take_while(|s| !matches!(s.action, Action::TrialStart(_)));
    let step = now.find(|s| interrupts(&s.action)).or(match &world.server {
        Server::Up(_) => None,
        _ => plan.steps.first(),
    })?;
    let mut list = findings(subject, world, plan, outlook);
    if let Some(ready) = list.iter_mut().find(|f| f.kind == C::Ready && f.status == Truth::True) {
        let words = format!("{}: {}", step.action, step.cause);
        *ready = Finding::new(C::Ready, Truth::False, "Reconciling", words);
    }
    Some(list)
}

fn paused(plan: Option<&Plan>) -> Finding {
    let would = match plan {
        Some(plan) if !plan.steps.is_empty() => {
            format!("; {} steps are held back (seawall plan)", plan.steps.len())
        }
        _ => String::new(),
    };
    Finding::new(
        C::Paused,
        Truth::True,
        "Annotation",
        format!("seawall.dev/paused is true: nothing is written{would}"),
    )
}

fn archiving(world: &World) -> Finding {
    let more = match &world.image {
        ImageSeen::Fit(facts) if facts.managed => {
            "nothing is archived: archive_mode is on with a command that does nothing, so that a target can be added without a restart"
        }
        ImageSeen::Fit(_) => "nothing is archived; the image is custom: it has no tool for archiving",
        ImageSeen::Missing | ImageSeen::Unfit(_) | ImageSeen::Unknown { .. } => "nothing is archived",
    };
    Finding::new(C::ContinuousArchiving, Truth::False, "NotConfigured", more)
}

fn ready(subject: &Subject<'_>, world: &World, plan: &Plan, outlook: &Outlook) -> Finding {
    let no = |reason, message: String| Finding::new(C::Ready, Truth::False, reason, message);
    let container = world.container.ours();
    match subject.wanted() {
        Wanted::Deleted => return no("Deleting", "deletion was confirmed".to_owned()),
        Wanted::Retained if container.is_none() => {
            let volume = if world.volume == Slot::Missing { "" } else { "volume, " };
            let kept = match plan.waiting.iter().find(|w| w.on == "DeletionPending") {
                Some(waiting) => waiting.why.clone(),
                None => format!("{volume}credentials, port and record are kept"),
            };
            return no("Retained", format!("the manifest is gone; {kept}"));
        }
        Wanted::Retained if !plan.blocked.is_empty() => {
            return no(
                "Retained",
                "the manifest is gone; the container is stopped and kept, see Degraded".to_owned(),
            );
        }
        Wanted::Retained => {
            return no("Retained", "the manifest is gone; the container is being removed".to_owned());
        }
        Wanted::Stopped if container.is_none_or(|c| !c.state.is_up()) => {
            return stopped(subject, container, world.left_clean);
        }
        Wanted::Stopped => return no("Stopping", "the server is being stopped".to_owned()),
        Wanted::Running => {}
    }
    // A server that serves stays Ready while a change is blocked; the block shows in Degraded.
    if let Some(good) = proven(subject, world, plan) {
        return good;
    }
    if let (Server::Up(_), Some((space, Room::Full))) = (&world.server, &world.room) {
        return no("DiskFull", disk(*space));
    }
    if let Some(block) = plan.blocked.first() {
        let reason = match block.reason {
            own @ ("NameConflict"
            | "PortTaken"
            | "VolumeShared"
            | "DuplicateContainer"
            | "InitialisationFailed") => own,
            _ => "Blocked",
        };
        return no(reason, format!("{}: {}", block.why, block.unblock));
    }
    if let Some(failure) = &outlook.failure {
        return no(failure.reason, failure.message.clone());
    }
    if let Some(waiting) = plan.waiting.first() {
        let mut why = waiting.why.clone();
        if is_crash(waiting.on) && world.log_tail.len() > 1 {
            why = format!("{why}; last lines: {}", world.log_tail.join(" | "));
        }
        return no(waiting.on, why);
    }
    let step = plan
        .steps
        .first()
        .map_or_else(|| "nothing seen yet".to_owned(), |s| format!("{}: {}", s.action, s.cause));
    no("Reconciling", step)
}

fn disk(space: Space) -> String {
    format!(
        "{} of {} are free on the disk under the volume: make room there, or move it to a bigger one",
        roughly(space.free),
        roughly(space.total)
    )
}

fn is_crash(on: &str) -> bool {
    matches!(on, "CrashLoop" | "OutOfMemory")
}

/// A stop is clean by exit code or by what the data says; anything else is said.
fn stopped(subject: &Subject<'_>, container: Option<&SeenContainer>, left_clean: Option<bool>) -> Finding {
    let by = if subject.spec.stopped { "spec.stopped is true" } else { "by `seawall stop`" };
    let how = match container.map(|c| (c.exit_code, c.state)) {
        None => "there is no container".to_owned(),
        Some((_, ContainerState::Created)) => "never started".to_owned(),
        Some((Some(0), _)) => "clean shutdown (exit code 0)".to_owned(),
        Some((Some(code), _)) if left_clean == Some(true) => {
            format!("clean shutdown (by pg_control; the container ended with exit code {code})")
        }
        Some((Some(code), _)) => {
            format!("NOT a clean shutdown: exit code {code}; recovery runs at the next start")
        }
        Some((None, _)) => "exit code unknown".to_owned(),
    };
    Finding::new(C::Ready, Truth::False, "Stopped", format!("stopped ({by}): {how}"))
}

fn half_made(subject: &Subject<'_>, world: &World) -> bool {
    !subject.memory.ever_ready && matches!(world.init, InitSeen::Unfinished(_))
}

/// Ready, when a login proved it.
fn proven(subject: &Subject<'_>, world: &World, plan: &Plan) -> Option<Finding> {
    let Server::Up(facts) = &world.server else { return None };
    let c = world.container.ours()?;
    if !facts.database_exists
        || facts.in_recovery
        || subject.memory.first_start.is_some()
        || half_made(subject, world)
    {
        return None;
    }
    if !subject.memory.same_cluster(&facts.system_identifier) {
        return None;
    }
    // It answers, and can write nothing.
    if matches!(&world.room, Some((_, Room::Full))) {
        return None;
    }
    // By the container's own mounts: the image that the manifest names may be another one by now.
    // Data that something else can write to is at risk, whatever the server still answers.
    if plan.blocked.iter().any(|b| b.reason == "VolumeShared") {
        return None;
    }
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

fn progressing(subject: &Subject<'_>, world: &World, plan: &Plan, outlook: &Outlook) -> Finding {
    let starting = match &world.server {
        Server::Starting(words) | Server::Refused(words) => Some(words.clone()),
        _ => None,
    };
    if let Some(crash) = plan.waiting.iter().find(|w| is_crash(w.on)) {
        return Finding::new(
            C::Progressing,
            Truth::False,
            crash.on,
            "it is started again and again by the engine",
        );
    }
    // Nothing here is under way: somebody has to let it in.
    if let (Wanted::Running, Server::TurnedAway(reason, words), None) =
        (subject.wanted(), &world.server, plan.steps.first())
    {
        return Finding::new(C::Progressing, Truth::False, reason, words);
    }
    if let (Wanted::Running, Some(words)) = (subject.wanted(), starting) {
        return Finding::new(C::Progressing, Truth::True, "ServerStarting", words);
    }
    if let Some(waiting) = plan.waiting.first() {
        return Finding::new(C::Progressing, Truth::True, waiting.on, &waiting.why);
    }
    if let Some(step) = plan.steps.first().filter(|_| !subject.spec.paused) {
        let more = outlook.failure.as_ref().map(|f| format!(" (failed: {})", f.message)).unwrap_or_default();
        return Finding::new(
            C::Progressing,
            Truth::True,
            "Reconciling",
            format!("{}: {}{more}", step.action, step.cause),
        );
    }
    if !plan.blocked.is_empty() {
        return Finding::new(C::Progressing, Truth::False, "Blocked", "what is left to do needs the user");
    }
    if !plan.steps.is_empty() {
        return Finding::new(C::Progressing, Truth::False, "Paused", "what is left to do is held back");
    }
    Finding::new(C::Progressing, Truth::False, "Settled", "nothing to do")
}

fn degraded(subject: &Subject<'_>, world: &World, plan: &Plan, outlook: &Outlook) -> Option<Finding> {
    let yes = |reason, message: String| Some(Finding::new(C::Degraded, Truth::True, reason, message));
    if let Some(block) = plan.blocked.first() {
        return yes(block.reason, format!("{}. To go on: {}", block.why, block.unblock));
    }
    if let Some(failure) = &outlook.failure {
        return yes(failure.reason, failure.message.clone());
    }
    match &world.room {
        Some((space, Room::Full)) => return yes("DiskFull", disk(*space)),
        Some((space, Room::Low)) => return yes("DiskLow", disk(*space)),
        _ => {}
    }
    if let Some(crash) = plan.waiting.iter().find(|w| is_crash(w.on)) {
        return yes(crash.on, crash.why.clone());
    }
    if let Some(weak) = plan.waiting.iter().find(|w| w.on == "AuthenticationWeak") {
        return yes("AuthenticationWeak", weak.why.clone());
    }
    if let (Some(_), Some(unknown)) =
        (&world.unseen_successor, plan.waiting.iter().find(|w| w.on == "ImageUnknown"))
    {
        return yes("ImageUnknown", unknown.why.clone());
    }
    if let ImageSeen::Unknown { words, .. } = &world.image {
        return yes("ImageUnknown", format!("image {}: {words}", subject.spec.image));
    }
    if let Some(problem) = &outlook.manifest_broken {
        return yes("ManifestBroken", format!("the last good version stays in force: {problem}"));
    }
    if let Some((reason, words)) = &outlook.guard {
        return yes(reason, words.clone());
    }
    if let Some(words) = outlook.leaving.as_ref().filter(|words| !words.is_empty()) {
        return yes("ManifestGone", words.clone());
    }
    if let Some(waiting) = plan.waiting.iter().find(|w| w.on == "DeletionPending") {
        return yes(waiting.on, waiting.why.clone());
    }
    if let Server::Up(facts) = &world.server
        && let Some(words) = collation::in_words(
            &facts.collations.mismatched,
            world.columns.mismatched(),
            &subject.identity.container(),
            subject.memory.owner(&subject.spec.username),
        )
    {
        return yes("CollationVersionMismatch", words);
    }
    if let (true, Columns::Unknown(why)) = (subject.memory.order_changed, &world.columns) {
        return yes(
            "CollationVersionUnknown",
            format!(
                "text is sorted by other libraries than before, and whether indexes were built with those could not be asked: {why}"
            ),
        );
    }
    if let Server::Up(facts) = &world.server
        && let Some(words) = overridden(subject, facts)
    {
        return yes("ParametersOverridden", words);
    }
    if let (Wanted::Running, Some((_, words))) =
        (subject.wanted(), limits::warning(&subject.spec.parameters, &subject.spec.caps))
    {
        return yes("MemoryOvercommitted", words);
    }
    if let (Wanted::Running, Some(words)) =
        (subject.wanted(), lacks::in_words(&subject.spec.caps, &world.engine))
    {
        return yes("EngineLacks", words);
    }
    let profile = subject.memory.profile();
    if profile.is_reduced() {
        return yes("HardeningReduced", profile.in_words().to_owned());
    }
    None
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

fn in_sync(subject: &Subject<'_>, world: &World, plan: &Plan, c: &SeenContainer) -> Finding {
    let desired = &subject.spec.caps;
    let synced = caps_in_sync(desired, &c.caps, &world.engine);
    if let Some(words) = lacks::caps_not_in_force(desired, &world.engine).filter(|_| synced) {
        let words = format!("{words}; the engine has {}", caps_in_words(&c.caps));
        return Finding::new(C::ResourcesInSync, Truth::False, "EngineLacks", words);
    }
    if synced {
        return Finding::new(C::ResourcesInSync, Truth::True, "Applied", caps_in_words(&c.caps));
    }
    let words = format!("wanted {}; the engine has {}", caps_in_words(desired), caps_in_words(&c.caps));
    match plan.blocked.iter().find(|b| b.reason == "LimitBelowUse") {
        Some(block) => Finding::new(C::ResourcesInSync, Truth::False, "LimitBelowUse", &block.why),
        None => Finding::new(C::ResourcesInSync, Truth::False, "Different", words),
    }
}
