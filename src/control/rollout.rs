//! Who else is on the way to the image that an object is about to change to. Decides nothing: what follows from it
//! is the plan's.

use super::any::Spec;
use super::objects::Record;
use super::operator::Operator;
use super::pass::Typed;
use crate::core::member::Role;
use crate::core::names::ObjectRef;
use crate::kinds::Reconciler;
use crate::workload::rollout::{Other, Rollout, Stand};
use crate::workload::world::Seen;
use crate::workload::{Checked, Memory};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// From the plan to the record that says that an object goes it takes a trial start.
const CLAIM: Duration = Duration::from_secs(30);

/// An object that was let go to an image, until its record says so.
#[derive(Clone, Debug)]
pub struct Claimed {
    image: String,
    object: ObjectRef,
    at: Instant,
}

/// The image that it would change to; only a database that was Ready has something to lose.
fn change(memory: Option<&Memory>, seen: &dyn Seen) -> Option<String> {
    let (image, memory) = (seen.image()?, memory?);
    let pinned = memory.image.as_ref().filter(|_| memory.ever_ready)?;
    (pinned.id != image).then(|| image.to_owned())
}

/// Of several members of an object, the one that matters most to others.
fn stand(record: &Record, spec: &Spec, image: &str, named: &Checked) -> Stand {
    let of_one = |(role, spec): (Role, &Checked)| {
        let stops = spec.stopped || record.asked.stopped || spec.paused;
        let runs = record.is_present() && !stops;
        let (memory, named) = (record.memory.member(&role)?, spec.image == named.image);
        Some(Other { memory, generation: record.generation, runs, named }.stand(image))
    };
    spec.each().into_iter().filter_map(of_one).max_by_key(Stand::weight).unwrap_or(Stand::Elsewhere)
}

impl Operator {
    /// For a plan that will be run: who is let go is counted from now on.
    pub(super) fn hold_back<R: Reconciler>(&self, moment: &Typed<R>, world: &mut R::World) {
        let (record, specs) = (moment.record.as_ref(), moment.spec.each());
        // Which of its own members goes first is the kind's.
        self.state().claims.retain(|claim| claim.at.elapsed() < CLAIM && claim.object != record.object);
        for (role, seen) in R::seen_mut(world) {
            let spec = specs.iter().find(|(of, _)| *of == role).map(|(_, spec)| *spec);
            if let Some((spec, image)) = spec.zip(change(record.memory.member(&role), seen)) {
                self.hold_back_one(record, spec, image, seen);
            }
        }
    }

    fn hold_back_one(&self, record: &Record, spec: &Checked, image: String, seen: &mut dyn Seen) {
        let mut state = self.state();
        let others = state.records.values().filter_map(|other| {
            let spec = state.checked.get(&other.object)?;
            Some((other.as_ref(), spec))
        });
        let mut rollout = among(others, record, spec, &image);
        let others = state.claims.iter().filter(|claim| claim.object != record.object);
        for claim in others.filter(|claim| claim.image == image) {
            let name = claim.object.to_string();
            if !rollout.going.contains(&name) {
                rollout.going.push(name);
                rollout.to_go = rollout.to_go.saturating_sub(1);
            }
        }
        rollout.going.sort();
        // What is paused goes nowhere.
        if !rollout.holds() && !spec.paused {
            state.claims.push(Claimed { image, object: record.object.clone(), at: Instant::now() });
        }
        seen.set_rollout(rollout);
    }

    /// Something else stands in its way: its turn is the next one's.
    pub(super) fn stays(&self, object: &ObjectRef) {
        self.state().claims.retain(|claim| claim.object != *object);
    }

    /// One has arrived: the next may go.
    pub(super) fn next_may_go(&self, object: &ObjectRef, spec: &Spec) {
        let images =
            |spec: &Spec| spec.each().into_iter().map(|(_, spec)| spec.image.clone()).collect::<Vec<_>>();
        let of_this = images(spec);
        let waiting: Vec<ObjectRef> = {
            let state = self.state();
            let shares = |other: &Spec| images(other).iter().any(|image| of_this.contains(image));
            let same = state.checked.iter().filter(|(_, other)| shares(other));
            same.map(|(other, _)| other.clone()).filter(|other| other != object).collect()
        };
        waiting.iter().for_each(|other| self.nudge(other));
    }
}

/// For a plan that is only shown: `before` are those that would go, and their images.
pub(super) fn hold_back_after(
    all: &[(Arc<Record>, Spec)],
    record: &Record,
    (role, spec): (&Role, &Checked),
    seen: &mut dyn Seen,
    before: &[(String, String)],
) {
    let Some(image) = change(record.memory.member(role), seen) else { return };
    let others = all.iter().map(|(record, spec)| (record.as_ref(), spec));
    let mut rollout = among(others, record, spec, &image);
    let would = before.iter().filter(|(of, object)| *of == image && !rollout.going.contains(object));
    let would: Vec<String> = would.map(|(_, object)| object.clone()).collect();
    rollout.to_go = rollout.to_go.saturating_sub(would.len());
    rollout.going.extend(would);
    rollout.going.sort();
    seen.set_rollout(rollout);
}

fn among<'a>(
    others: impl Iterator<Item = (&'a Record, &'a Spec)>,
    record: &Record,
    spec: &Checked,
    image: &str,
) -> Rollout {
    let mut rollout = Rollout { at_once: spec.at_once, ..Rollout::default() };
    for (other, of_other) in others.filter(|(other, _)| other.object != record.object) {
        if other.object.kind == record.object.kind {
            rollout.add(other.object.to_string(), stand(other, of_other, image, spec));
        }
    }
    rollout
}
