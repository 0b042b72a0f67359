//! The conditions of an object for which no container runs and whose end is one thing: made or not. Pure.

use crate::core::condition::{ConditionType as C, Finding, Truth};
use crate::core::failure::Outlook;
use crate::core::plan::Plan;
use std::fmt::Display;

/// `ready`: what is said when nothing is left to do.
#[must_use]
pub fn findings<A: Display>(plan: &Plan<A>, outlook: &Outlook, paused: bool, ready: Finding) -> Vec<Finding> {
    if let Some(failure) = outlook.failure.as_ref().filter(|failure| failure.unknown) {
        return vec![Finding::new(C::Ready, Truth::Unknown, failure.reason, &failure.message)];
    }
    let block = plan.blocked.first().map(|b| (b.reason, format!("{}: {}", b.why, b.unblock)));
    let failure = outlook.failure.as_ref().map(|failure| (failure.reason, failure.message.clone()));
    let stuck = block.or(failure);
    let wait = plan.waiting.first().map(|wait| (wait.on, wait.why.clone()));
    let step = plan.steps.first().map(|step| ("Reconciling", format!("{}: {}", step.action, step.cause)));
    let left = stuck.clone().or(wait.clone()).or(step.clone());
    let ready = left.map_or(ready, |(reason, words)| Finding::new(C::Ready, Truth::False, reason, words));
    let (truth, reason, words) = match (wait, step) {
        _ if !plan.blocked.is_empty() => {
            (Truth::False, "Blocked", "what is left to do needs the user".to_owned())
        }
        (Some((on, why)), _) => (Truth::True, on, why),
        (None, Some(_)) if paused => (Truth::False, "Paused", "what is left to do is held back".to_owned()),
        (None, Some(_)) if stuck.is_some() => {
            (Truth::False, "Failing", "it is tried again and again".to_owned())
        }
        (None, Some((reason, words))) => (Truth::True, reason, words),
        (None, None) => (Truth::False, "Settled", "nothing to do".to_owned()),
    };
    let broken = outlook.manifest_broken.clone().map(|why| ("ManifestBroken", why));
    let degraded =
        broken.or(stuck).map(|(reason, words)| Finding::new(C::Degraded, Truth::True, reason, words));
    let stalled = outlook.stalled.then(|| {
        let why = outlook.failure.as_ref().map_or("no progress", |failure| &failure.message);
        Finding::new(C::Stalled, Truth::True, "NoProgress", format!("10 passes without progress: {why}"))
    });
    let held = paused.then(|| {
        let words = format!("seawall.dev/paused; {} steps are held back (seawall plan)", plan.steps.len());
        Finding::new(C::Paused, Truth::True, "Paused", words)
    });
    let progressing = Finding::new(C::Progressing, truth, reason, words);
    [ready, progressing].into_iter().chain(degraded).chain(stalled).chain(held).collect()
}
