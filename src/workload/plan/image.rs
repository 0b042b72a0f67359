//! The image: pulled when it is not local, pinned by its id when first used. Must never take a server that
//! runs out of care because of what is the matter with the image that the manifest names: until that one can
//! be used, everything else goes on with the one in use.

use super::hardening;
use crate::core::image_ref::ImageReference;
use crate::core::plan::{Blocked, Plan, Sign};
use crate::workload::action::{Action, Step};
use crate::workload::image::{Facts, ImageSeen};
use crate::workload::memory::PinnedImage;
use crate::workload::{Case, World};

/// What a kind says of an image beyond that it fits.
pub struct Verdicts<'a, F> {
    /// Why a server of this image must not be started on the data that is there.
    pub unfit: &'a dyn Fn(&F) -> Option<Blocked>,
    /// Why the manifest does not run on this image, as was seen.
    pub refusal: &'a dyn Fn(&F) -> Option<&'a String>,
}

/// The image that containers are made from now: the wanted one when it can be used, else the one in use.
#[must_use]
pub fn image_to_run<'w, F>(world: &'w World<F>, verdicts: &Verdicts<'_, F>) -> Option<&'w F> {
    let fits = |image: &&F| (verdicts.unfit)(image).is_none();
    let pinned = world.pinned.as_ref().filter(fits);
    let wanted = match &world.image {
        // Without another image it is the parameters that have to give way.
        ImageSeen::Fit(image)
            if pinned.is_none() || ((verdicts.refusal)(image).is_none() && !world.rollout.holds()) =>
        {
            Some(image).filter(fits)
        }
        _ => None,
    };
    wanted.or(pinned)
}

/// The same, with what has to be said about the wanted one when it is not the one to run. `unblock`: what the user can
/// do about a refusal.
pub fn usable<'w, A: Step, F: Facts>(
    case: &Case<'_>,
    world: &'w World<F>,
    verdicts: &Verdicts<'_, F>,
    unblock: &str,
    plan: &mut Plan<A>,
) -> Option<&'w F> {
    let reference = &case.spec.image;
    match &world.image {
        // The pull itself comes when nothing else is left to do.
        ImageSeen::Missing => {}
        ImageSeen::Unfit(why) => {
            plan.block(
                "ImageUnfit",
                format!("image {reference}: {why}"),
                "change spec.version or spec.image",
            );
        }
        ImageSeen::Unknown { words, refused: true } => plan.block(
            "ImageUnknown",
            format!("image {reference}: {words}"),
            "change spec.version or spec.image, or mend what the engine says; it is asked again by itself",
        ),
        ImageSeen::Unknown { words, refused: false } => {
            plan.wait("ImageUnknown", format!("image {reference}: {words}"), Some(5_000));
        }
        ImageSeen::Fit(image) => plan.blocked.extend((verdicts.unfit)(image)),
    }
    let to_run = image_to_run(world, verdicts);
    if let (ImageSeen::Fit(wanted), Some(to_run)) = (&world.image, to_run)
        && wanted.image().id != to_run.image().id
    {
        if let Some(words) = (verdicts.refusal)(wanted) {
            plan.block(
                "ImageRefused",
                format!(
                    "image {reference} with the parameters of the manifest: {words}. The server keeps its image"
                ),
                unblock,
            );
        } else if (verdicts.unfit)(wanted).is_none() {
            held(case, world, plan);
        }
    }
    to_run
}

/// It is another one's turn, or nobody's any more.
fn held<A: Step, F>(case: &Case<'_>, world: &World<F>, plan: &mut Plan<A>) {
    let reference = &case.spec.image;
    if let Some((other, words)) = &world.rollout.failed {
        plan.block(
            "RolloutStopped",
            format!(
                "{other} did not come back with image {reference}: {words}. This database keeps its image"
            ),
            format!("correct the image; once {other} was changed or has it, the next one goes"),
        );
        return;
    }
    let more = match world.rollout.to_go {
        0 => String::new(),
        more => format!(", {more} more after it"),
    };
    let why = format!(
        "image {reference}: {} at a time, {} goes first; this database has still to go{more}",
        world.rollout.at_once,
        world.rollout.going.join(", "),
    );
    // The one that arrives wakes the others.
    plan.wait("RollingOut", why, Some(15_000));
}

/// Why it is pulled, and whose it is: what a catalog names is somebody's, and is run here.
#[must_use]
pub fn not_local(image: &ImageReference) -> String {
    format!("the image is not local; it comes {}", image.origin())
}

/// Asks for the image when it is not local; the caller has planned everything else.
pub fn pull<A: Step, F>(case: &Case<'_>, world: &World<F>, plan: &mut Plan<A>) {
    if matches!(world.image, ImageSeen::Missing) {
        let image = &case.spec.image;
        plan.step(Sign::Create, Action::PullImage(image.to_string()), not_local(image));
    }
}

/// A tag that moves changes nothing: the image is kept by its id until the manifest names another.
pub(super) fn pin<A: Step, F: Facts>(case: &Case<'_>, world: &World<F>, image: &F, plan: &mut Plan<A>) {
    let (spec, memory) = (case.spec, case.memory);
    let id = &image.image().id;
    if !matches!(&world.image, ImageSeen::Fit(wanted) if wanted.image().id == *id) {
        return;
    }
    let pinned = PinnedImage { reference: spec.image.to_string(), id: id.clone() };
    if memory.image.as_ref() != Some(&pinned) {
        let why = match &memory.image {
            None => "first use".to_owned(),
            Some(old) if old.reference == spec.image.as_str() => {
                "the pinned image is no longer local".to_owned()
            }
            Some(old) => format!("image {} → {}: spec changed", old.reference, spec.image),
        };
        let why = match (&memory.image, world.rollout.to_go) {
            (None, _) | (_, 0) => why,
            (Some(_), more) => {
                format!("{why}; {more} more to go after it, {} at a time", world.rollout.at_once)
            }
        };
        let profile = hardening::profile(memory, world, image);
        let action = Action::PinImage { reference: pinned.reference, id: pinned.id, profile };
        plan.step(Sign::Change, action, why);
    }
}
