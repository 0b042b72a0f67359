//! From what was seen of a container and what is still to do to conditions. Pure, and honest: what could not be
//! read is `Unknown`, and Ready is only ever said of what its kind proved.

use super::action::{Step, caps_in_words};
use super::disk::{Room, roughly};
use super::image::ImageSeen;
use super::lacks;
use super::plan::{DNS_NAME_TAKEN, caps_in_sync};
use super::{Case, World};
use crate::core::condition::{ConditionType as C, Finding, ROTATING, Truth};
use crate::core::failure::{Failure, Outlook};
use crate::core::plan::{Plan, REFERRED_TO};
use crate::core::seen::{ContainerState, SeenContainer, Slot, Space};
use crate::core::will::Wanted;
use std::fmt::Display;

/// A reason, and the words to it.
pub type Said = (&'static str, String);

/// What a kind says of its server.
#[derive(Default)]
pub struct Served {
    /// Ready, when it was proven.
    pub proven: Option<Finding>,
    /// Somebody was let in, whatever is missing for Ready.
    pub answers: bool,
    /// It is on its way up, in its own words.
    pub starting: Option<String>,
    /// It turns logins away, and somebody has to let them in.
    pub turned_away: Option<Said>,
    /// Of a stopped one: by what its data says that its last server was shut down cleanly.
    pub left_clean: Option<&'static str>,
    /// What is wrong with it and matters more than the image or the manifest.
    pub first: Option<Said>,
    /// What else is not as it should be.
    pub last: Option<Said>,
    /// It is being given a new password.
    pub rotates: bool,
    /// Conditions of its own.
    pub more: Vec<Finding>,
}

/// Conditions when nothing at all could be seen.
#[must_use]
pub fn unknown(failure: &Failure, is_paused: bool) -> Vec<Finding> {
    let mut list = vec![Finding::new(C::Ready, Truth::Unknown, failure.reason, &failure.message)];
    if is_paused {
        list.push(paused(0));
    }
    list
}

/// All conditions of an object after a pass.
#[must_use]
pub fn findings<A: Step + Display, F>(
    case: &Case<'_>,
    world: &World<F>,
    plan: &Plan<A>,
    outlook: &Outlook,
    served: &Served,
) -> Vec<Finding> {
    if let Some(failure) = outlook.failure.as_ref().filter(|f| f.unknown) {
        return unknown(failure, case.spec.paused);
    }
    let mut list = vec![ready(case, world, plan, outlook, served)];
    list.push(progressing(case, plan, outlook, served));
    list.extend(
        degraded(case, world, plan, outlook, served)
            .map(|(reason, words)| Finding::new(C::Degraded, Truth::True, reason, words)),
    );
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
    if case.spec.paused {
        list.push(paused(plan.steps.len()));
    }
    if let Slot::Ours(c) = &world.container {
        list.push(in_sync(case, world, plan, c));
    }
    list.extend(served.more.iter().cloned());
    list
}

/// Conditions to write before the steps of `plan` run: `Some` when the server does not serve until they
/// are done. A stop or a re-create takes its time, and nobody may read Ready meanwhile. `looks_again`: what comes after
/// such a step is looked at anew; till then the server serves.
#[must_use]
pub fn before_steps<A: Step + Display, F>(
    case: &Case<'_>,
    world: &World<F>,
    plan: &Plan<A>,
    outlook: &Outlook,
    served: &Served,
    looks_again: impl Fn(&A) -> bool,
) -> Option<Vec<Finding>> {
    let interrupts = |action: &A| action.work().is_some_and(super::Action::interrupts);
    let mut now = plan.steps.iter().take_while(|s| !looks_again(&s.action));
    let first = plan.steps.first().filter(|_| !served.answers);
    let step = now.find(|s| interrupts(&s.action)).or(first)?;
    let mut list = findings(case, world, plan, outlook, served);
    if let Some(ready) = list.iter_mut().find(|f| f.kind == C::Ready && f.status == Truth::True) {
        let words = format!("{}: {}", step.action, step.cause);
        *ready = Finding::new(C::Ready, Truth::False, "Reconciling", words);
    }
    Some(list)
}

fn paused(steps: usize) -> Finding {
    let would =
        if steps > 0 { format!("; {steps} steps are held back (seawall plan)") } else { String::new() };
    Finding::new(
        C::Paused,
        Truth::True,
        "Annotation",
        format!("seawall.dev/paused is true: nothing is written{would}"),
    )
}

fn ready<A: Step + Display, F>(
    case: &Case<'_>,
    world: &World<F>,
    plan: &Plan<A>,
    outlook: &Outlook,
    served: &Served,
) -> Finding {
    let no = |reason, message: String| Finding::new(C::Ready, Truth::False, reason, message);
    let container = world.container.ours();
    match case.wanted() {
        Wanted::Deleted => {
            return match plan.blocked.iter().find(|block| block.reason == REFERRED_TO) {
                Some(block) => no("Blocked", format!("{}: {}", block.why, block.unblock)),
                None => no("Deleting", "deletion was confirmed".to_owned()),
            };
        }
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
            return stopped(case, container, served.left_clean);
        }
        Wanted::Stopped => return no("Stopping", "the server is being stopped".to_owned()),
        Wanted::Running => {}
    }
    // A server that serves stays Ready while a change is blocked; the block shows in Degraded.
    if let Some(good) = &served.proven {
        return good.clone();
    }
    if let (true, Some((space, Room::Full))) = (served.answers, &world.room) {
        return no("DiskFull", disk(*space));
    }
    // Whether the server still answers, or died of it.
    if let Some((_, Room::ReadOnly)) = &world.room {
        return no("DiskReadOnly", READ_ONLY.to_owned());
    }
    if let Some(block) = plan.blocked.first() {
        let reason = match block.reason {
            own @ ("NameConflict"
            | "PortTaken"
            | "VolumeShared"
            | "DuplicateContainer"
            | DNS_NAME_TAKEN
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

/// The kernel does that after an error of the disk, and somebody may do it by hand.
const READ_ONLY: &str = "the file system under the volume is read-only, so that nothing can be written: look into the kernel's log (dmesg), mend the disk, mount it writable again, and restart the server";

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
fn stopped(case: &Case<'_>, container: Option<&SeenContainer>, left_clean: Option<&str>) -> Finding {
    let by = if case.spec.stopped { "spec.stopped is true" } else { "by `seawall stop`" };
    let how = match container.map(|c| (c.exit_code, c.state)) {
        None => "there is no container".to_owned(),
        Some((_, ContainerState::Created)) => "never started".to_owned(),
        Some((Some(0), _)) => "clean shutdown (exit code 0)".to_owned(),
        Some((Some(code), _)) => match left_clean {
            Some(by) => format!("clean shutdown (by {by}; the container ended with exit code {code})"),
            None => format!("NOT a clean shutdown: exit code {code}; recovery runs at the next start"),
        },
        Some((None, _)) => "exit code unknown".to_owned(),
    };
    Finding::new(C::Ready, Truth::False, "Stopped", format!("stopped ({by}): {how}"))
}

fn progressing<A: Display>(case: &Case<'_>, plan: &Plan<A>, outlook: &Outlook, served: &Served) -> Finding {
    if let Some(crash) = plan.waiting.iter().find(|w| is_crash(w.on)) {
        return Finding::new(
            C::Progressing,
            Truth::False,
            crash.on,
            "it is started again and again by the engine",
        );
    }
    // Nothing here is under way: somebody has to let it in.
    if let (Wanted::Running, Some((reason, words)), None) =
        (case.wanted(), &served.turned_away, plan.steps.first())
    {
        return Finding::new(C::Progressing, Truth::False, reason, words);
    }
    if let (Wanted::Running, Some(words)) = (case.wanted(), &served.starting) {
        return Finding::new(C::Progressing, Truth::True, "ServerStarting", words);
    }
    if let Some(waiting) = plan.waiting.first() {
        return Finding::new(C::Progressing, Truth::True, waiting.on, &waiting.why);
    }
    if let Some(step) = plan.steps.first().filter(|_| !case.spec.paused) {
        let more = outlook.failure.as_ref().map(|f| format!(" (failed: {})", f.message)).unwrap_or_default();
        let reason = if served.rotates { ROTATING } else { "Reconciling" };
        let words = format!("{}: {}{more}", step.action, step.cause);
        return Finding::new(C::Progressing, Truth::True, reason, words);
    }
    if !plan.blocked.is_empty() {
        return Finding::new(C::Progressing, Truth::False, "Blocked", "what is left to do needs the user");
    }
    if !plan.steps.is_empty() {
        return Finding::new(C::Progressing, Truth::False, "Paused", "what is left to do is held back");
    }
    Finding::new(C::Progressing, Truth::False, "Settled", "nothing to do")
}

fn degraded<A, F>(
    case: &Case<'_>,
    world: &World<F>,
    plan: &Plan<A>,
    outlook: &Outlook,
    served: &Served,
) -> Option<Said> {
    let yes = |reason, message: String| Some((reason, message));
    if let Some(block) = plan.blocked.first() {
        return yes(block.reason, format!("{}. To go on: {}", block.why, block.unblock));
    }
    if let Some(failure) = &outlook.failure {
        return yes(failure.reason, failure.message.clone());
    }
    match &world.room {
        Some((_, Room::ReadOnly)) => return yes("DiskReadOnly", READ_ONLY.to_owned()),
        Some((space, Room::Full)) => return yes("DiskFull", disk(*space)),
        _ => {}
    }
    if let Some(crash) = plan.waiting.iter().find(|w| is_crash(w.on)) {
        return yes(crash.on, crash.why.clone());
    }
    if let Some(said) = &served.first {
        return Some(said.clone());
    }
    if let (Wanted::Running, Some(said)) = (case.wanted(), world.troubles.said(&case.spec.caps)) {
        return Some(said);
    }
    if let (Some(_), Some(unknown)) =
        (&world.unseen_successor, plan.waiting.iter().find(|w| w.on == "ImageUnknown"))
    {
        return yes("ImageUnknown", unknown.why.clone());
    }
    if let ImageSeen::Unknown { words, .. } = &world.image {
        return yes("ImageUnknown", format!("image {}: {words}", case.spec.image));
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
    if let Some(said) = &served.last {
        return Some(said.clone());
    }
    // It hides nothing that is wrong already.
    if let Some((space, Room::Low)) = &world.room {
        return yes("DiskLow", disk(*space));
    }
    if let (Wanted::Running, Some(words)) = (case.wanted(), lacks::in_words(&case.spec.caps, &world.engine)) {
        return yes("EngineLacks", words);
    }
    let profile = case.memory.profile();
    if profile.is_reduced() {
        return yes("HardeningReduced", profile.in_words(case.server.user));
    }
    None
}

fn in_sync<A, F>(case: &Case<'_>, world: &World<F>, plan: &Plan<A>, c: &SeenContainer) -> Finding {
    let desired = &case.spec.caps;
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
