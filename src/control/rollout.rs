//! Who else is on the way to the image that an object is about to change to. Decides nothing: what follows from it
//! is the plan's.

use super::any::Spec;
use super::objects::Record;
use super::operator::Operator;
use super::pass::Typed;
use crate::core::names::ObjectRef;
use crate::kinds::Reconciler;
use crate::workload::Checked;
use crate::workload::rollout::{Other, Rollout, Stand};
use crate::workload::world::Seen;
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

/// The image that the object would change to; only a database that was Ready has something to lose.
fn change(record: &Record, seen: &dyn Seen) -> Option<String> {
    let image = seen.image()?;
    let memory = record.memory.work();
    let pinned = memory.image.as_ref().filter(|_| memory.ever_ready)?;
    (pinned.id != image).then(|| image.to_owned())
}

fn stand(record: &Record, spec: &Checked, image: &str, named: &Checked) -> Stand {
    let stops = spec.stopped || record.asked.stopped || spec.paused;
    let runs = record.source.is_some() && !stops;
    let named = spec.image == named.image;
    Other { memory: record.memory.work(), generation: record.generation, runs, named }.stand(image)
}

impl Operator {
    /// For a plan that will be run: who is let go is counted from now on.
    pub(super) fn hold_back<R: Reconciler>(&self, moment: &Typed<R>, world: &mut R::World) {
        let (record, Some(spec)) = (moment.record.as_ref(), moment.spec.work()) else { return };
        let Some(seen) = R::seen_mut(world) else { return };
        let Some(image) = change(record, seen) else { return };
        let mut state = self.state();
        let others = state.records.values().filter_map(|other| {
            let spec = state.checked.get(&other.object)?;
            Some((other.as_ref(), spec))
        });
        let mut rollout = among(others, record, spec, &image);
        state.claims.retain(|claim| claim.at.elapsed() < CLAIM && claim.object != record.object);
        for claim in state.claims.iter().filter(|claim| claim.image == image) {
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
        let image = |spec: &Spec| spec.work().map(|spec| spec.image.clone());
        let waiting: Vec<ObjectRef> = {
            let state = self.state();
            let same = state.checked.iter().filter(|(_, other)| image(other) == image(spec));
            same.map(|(other, _)| other.clone()).filter(|other| other != object).collect()
        };
        waiting.iter().for_each(|other| self.nudge(other));
    }
}

/// For a plan that is only shown: `before` are those that would go, and their images.
pub(super) fn hold_back_after(
    all: &[(Arc<Record>, Spec)],
    record: &Record,
    spec: &Checked,
    seen: &mut dyn Seen,
    before: &[(String, String)],
) {
    let Some(image) = change(record, seen) else { return };
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
        if other.object.kind == record.object.kind
            && let Some(of_other) = of_other.work()
        {
            rollout.add(other.object.to_string(), stand(other, of_other, image, spec));
        }
    }
    rollout
}
