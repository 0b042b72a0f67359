//! From what was seen of a link and what is still to do to conditions. Pure, and honest: Ready is only said of a login that
//! was let in.

use super::plan::{Plan, Subject};
use super::record::Phase;
use super::world::{Proof, Server, World};
use crate::core::condition::{ConditionType as C, Finding, ROTATING, Truth};
use crate::core::failure::Outlook;

#[must_use]
pub fn findings(subject: &Subject<'_>, world: &World, plan: &Plan, outlook: &Outlook) -> Vec<Finding> {
    if let Some(failure) = outlook.failure.as_ref().filter(|failure| failure.unknown) {
        return vec![Finding::new(C::Ready, Truth::Unknown, failure.reason, &failure.message)];
    }
    let ready = ready(subject, world, plan, outlook);
    let mut list = vec![ready, progressing(subject, plan)];
    let lacks = &subject.memory.known.lacks;
    let broken = outlook.manifest_broken.as_ref().map(|why| ("ManifestBroken", why.clone()));
    let lacks = (!lacks.is_empty()).then(|| ("ExtensionUnavailable", lacks.join("; ")));
    let stuck = match &world.server {
        Server::Seen { next: Proof::TurnedAway(why), .. } => {
            let words =
                format!("the login that is to take over does not get in: {why}; the old one stays in use");
            Some(("RotationStuck", words))
        }
        _ => None,
    };
    let differs = match &world.server {
        Server::Seen { look, .. } => look.differs.clone().map(|words| ("SharedOtherwise", words)),
        _ => None,
    };
    if let Some((reason, words)) = broken.or(stuck).or(lacks).or(differs) {
        list.push(Finding::new(C::Degraded, Truth::True, reason, words));
    }
    if outlook.stalled {
        let why = outlook.failure.as_ref().map_or("no progress", |failure| &failure.message);
        list.push(Finding::new(
            C::Stalled,
            Truth::True,
            "NoProgress",
            format!("10 passes without progress: {why}"),
        ));
    }
    if subject.spec.paused {
        let words = format!("seawall.dev/paused; {} steps are held back (seawall plan)", plan.steps.len());
        list.push(Finding::new(C::Paused, Truth::True, "Paused", words));
    }
    list
}

fn progressing(subject: &Subject<'_>, plan: &Plan) -> Finding {
    let rotates = subject.memory.phase().map(|phase| match phase {
        Phase::Preparing | Phase::Proving => "the login that takes over gets its password",
        Phase::Draining => "applications find the new login; the old one still lets in those who use it",
    });
    let (truth, reason, words) = if let Some(words) = rotates {
        (Truth::True, ROTATING, words.to_owned())
    } else if let Some(waiting) = plan.waiting.first() {
        (Truth::True, waiting.on, waiting.why.clone())
    } else if let Some(step) = plan.steps.first().filter(|_| !subject.spec.paused) {
        (Truth::True, "Reconciling", format!("{}: {}", step.action, step.cause))
    } else if !plan.blocked.is_empty() {
        (Truth::False, "Blocked", "what is left to do needs the user".to_owned())
    } else if !plan.steps.is_empty() {
        (Truth::False, "Paused", "what is left to do is held back".to_owned())
    } else {
        (Truth::False, "Settled", "nothing to do".to_owned())
    };
    Finding::new(C::Progressing, truth, reason, words)
}

fn ready(subject: &Subject<'_>, world: &World, plan: &Plan, outlook: &Outlook) -> Finding {
    let no = |reason, words: String| Finding::new(C::Ready, Truth::False, reason, words);
    if let Some(block) = plan.blocked.first() {
        return no(block.reason, format!("{}: {}", block.why, block.unblock));
    }
    if let Some(failure) = &outlook.failure {
        return no(failure.reason, failure.message.clone());
    }
    if let Some(wait) = plan.waiting.first() {
        return no(wait.on, wait.why.clone());
    }
    if let Some(step) = plan.steps.first() {
        return no("Reconciling", format!("{}: {}", step.action, step.cause));
    }
    match &world.server {
        Server::Seen { proof: Proof::LetIn, .. } => {
            let (service, mut database) = (&subject.spec.service, subject.tenant().name);
            if !database.is_empty() {
                database.push_str(" on ");
            }
            let words = format!("logged in as {} over the network to {database}{service}", world.username);
            Finding::new(C::Ready, Truth::True, "LoginSucceeded", words)
        }
        Server::Seen { proof: Proof::TurnedAway(why), .. } => {
            no("LoginFailed", format!("{} does not get in: {why}", world.username))
        }
        _ => Finding::new(C::Ready, Truth::Unknown, "NotProven", "its login was not tried yet"),
    }
}
