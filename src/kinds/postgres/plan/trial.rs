//! The trial start of what the object would run from now on. Must never let parameters or an image that
//! failed in it near a server that runs.

use super::{Plan, Subject};
use crate::core::names::annotation;
use crate::core::plan::Sign;
use crate::kinds::postgres::action::Action;
use crate::kinds::postgres::facts::ImageFacts;
use crate::kinds::postgres::trial::{Trial, Verdict};
use crate::kinds::postgres::world::World;
use crate::workload::plan::keep_serving;

/// The trial that is due before the manifest's parameters run on this image.
#[must_use]
pub fn trial_due(subject: &Subject<'_>, world: &World, image: &ImageFacts) -> Option<Trial> {
    Trial::due(subject.identity, subject.spec, subject.memory, image, world.work.container.ours())
}

/// Why the manifest's parameters do not run on this image, as its trial start showed or the server itself.
pub(super) fn refusal<'a>(
    subject: &'a Subject<'_>,
    world: &'a World,
    image: &ImageFacts,
) -> Option<&'a String> {
    if let Some(words) = subject.work().gave_up(&image.work.id) {
        return Some(words);
    }
    match world.trials.get(&image.work.id)? {
        Verdict::Refused(words) => Some(words),
        Verdict::Passed | Verdict::Unknown(_) => None,
    }
}

/// What the user can do about it.
pub(super) fn unblock(what: &str) -> String {
    format!(
        "correct {what}; if it needs something that is not in an empty cluster, the annotation {}: \"true\" starts the server without a trial",
        annotation::SKIP_TRIAL
    )
}

/// Plans it. True when it failed and there are no parameters to go back to: then nothing is started with them.
pub(super) fn tried(subject: &Subject<'_>, world: &World, image: &ImageFacts, plan: &mut Plan) -> bool {
    if let Some(words) = refusal(subject, world, image) {
        if subject.memory.proven_parameters.is_some() {
            return false;
        }
        plan.block("ParameterRejected", words.clone(), unblock("spec.parameters"));
        keep_serving(&subject.work(), &world.work, plan);
        return true;
    }
    if !world.trials.contains_key(&image.work.id)
        && let Some(trial) = trial_due(subject, world, image)
    {
        let why = match &subject.memory.proven_parameters {
            Some(_) if !subject.memory.work.proven_with(&image.work.id) => "another image",
            _ => "new parameters",
        };
        plan.step(Sign::Create, Action::TrialStart(Box::new(trial)), why);
    }
    false
}
