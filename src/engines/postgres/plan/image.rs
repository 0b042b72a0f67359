//! The image: pulled when it is not local, pinned by its id when first used.

use super::start::keep_serving;
use super::{Plan, Subject, hardening};
use crate::core::plan::Sign;
use crate::engines::postgres::action::Action;
use crate::engines::postgres::facts::ImageFacts;
use crate::engines::postgres::record::PinnedImage;
use crate::engines::postgres::world::{ImageSeen, World};

/// The image to run; `None` when there is none now, and what is there goes on serving.
pub(super) fn usable<'a>(subject: &Subject<'_>, world: &'a World, plan: &mut Plan) -> Option<&'a ImageFacts> {
    let spec = subject.spec;
    match &world.image {
        ImageSeen::Missing if keep_serving(subject, world, plan) => None,
        ImageSeen::Missing => {
            plan.step(Sign::Create, Action::PullImage(spec.image.clone()), "the image is not local");
            None
        }
        ImageSeen::Unfit(why) => {
            plan.block(
                "ImageUnfit",
                format!("image {}: {why}", spec.image),
                "change spec.version or spec.image",
            );
            keep_serving(subject, world, plan);
            None
        }
        ImageSeen::Fit(image) => Some(image),
    }
}

/// A tag that moves changes nothing: the image is kept by its id until the manifest names another.
pub(super) fn pin(subject: &Subject<'_>, world: &World, image: &ImageFacts, plan: &mut Plan) {
    let (spec, memory) = (subject.spec, subject.memory);
    let pinned = PinnedImage { reference: spec.image.clone(), id: image.id.clone() };
    if memory.image.as_ref() != Some(&pinned) {
        let why = match &memory.image {
            None => "first use".to_owned(),
            Some(old) if old.reference == spec.image => "the pinned image is no longer local".to_owned(),
            Some(old) => format!("image {} → {}: spec changed", old.reference, spec.image),
        };
        let profile = hardening::profile(memory, world, image);
        let action = Action::PinImage { reference: pinned.reference, id: pinned.id, profile };
        plan.step(Sign::Change, action, why);
    }
}
