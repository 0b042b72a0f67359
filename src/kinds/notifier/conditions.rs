//! From what is to be told to conditions. Pure, and honest: Ready is only said of a webhook that took a message.

use super::{Action, Subject};
use crate::core::condition::{ConditionType as C, Finding, Truth};
use crate::core::failure::Outlook;
use crate::core::plan::Plan;

#[must_use]
pub fn findings(
    subject: &Subject<'_, super::Notifier>,
    plan: &Plan<Action>,
    outlook: &Outlook,
) -> Vec<Finding> {
    let paused = subject.spec.paused;
    let block = plan.blocked.first().map(|b| (b.reason, format!("{}: {}", b.why, b.unblock)));
    let failure = outlook.failure.as_ref().map(|failure| (failure.reason, failure.message.clone()));
    let stuck = block.or(failure);
    let step = plan.steps.first().map(|step| format!("{}: {}", step.action, step.cause));
    let proven = subject.memory.proven.as_deref() == Some(&subject.spec.webhook());
    let ready = match (&stuck, &step) {
        (Some((reason, words)), _) => Finding::new(C::Ready, Truth::False, reason, words),
        (None, Some(step)) if !proven => Finding::new(C::Ready, Truth::False, "NotTriedYet", step),
        _ => Finding::new(C::Ready, Truth::True, "WebhookTakes", "the webhook took the last message"),
    };
    let progressing = match &step {
        Some(_) if paused => {
            Finding::new(C::Progressing, Truth::False, "Paused", "what is left to do is held back")
        }
        _ if !plan.blocked.is_empty() => {
            Finding::new(C::Progressing, Truth::False, "Blocked", "what is left to do needs the user")
        }
        Some(_) if stuck.is_some() => {
            Finding::new(C::Progressing, Truth::False, "Failing", "it is tried again and again")
        }
        Some(step) => Finding::new(C::Progressing, Truth::True, "Reconciling", step),
        None => Finding::new(C::Progressing, Truth::False, "Settled", "nothing to do"),
    };
    let broken = outlook.manifest_broken.clone().map(|why| ("ManifestBroken", why));
    let degraded =
        broken.or(stuck).map(|(reason, words)| Finding::new(C::Degraded, Truth::True, reason, words));
    let stalled = outlook.stalled.then(|| {
        let why = outlook.failure.as_ref().map_or("no progress", |failure| &failure.message);
        Finding::new(C::Stalled, Truth::True, "NoProgress", format!("10 passes without progress: {why}"))
    });
    let held = paused.then(|| {
        let words = format!("seawall.dev/paused; {} messages are held back (seawall plan)", plan.steps.len());
        Finding::new(C::Paused, Truth::True, "Paused", words)
    });
    [ready, progressing].into_iter().chain(degraded).chain(stalled).chain(held).collect()
}
