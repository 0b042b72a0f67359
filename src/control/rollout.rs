//! Who else is on the way to the image that an object is about to change to. Decides nothing: what follows from it
//! is the plan's.

use super::objects::Record;
use super::operator::Operator;
use crate::core::names::{Kind, ObjectRef};
use crate::kinds::postgres::check::Checked;
use crate::kinds::postgres::world::World;
use crate::workload::rollout::{Other, Rollout, Stand};
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
fn change(record: &Record, world: &World) -> Option<String> {
    let image = world.work.image.fit()?;
    let pinned = record.memory.work.image.as_ref().filter(|_| record.memory.work.ever_ready)?;
    (pinned.id != image.work.id).then(|| image.work.id.clone())
}

fn stand(record: &Record, checked: &Checked, image: &str, named: &Checked) -> Stand {
    let memory = &record.memory;
    let stops = checked.work.stopped || record.asked.stopped || checked.work.paused;
    let runs = record.source.is_some() && !stops;
    Other {
        memory: &memory.work,
        generation: record.generation,
        runs,
        named: checked.work.image == named.work.image,
    }
    .stand(image)
}

impl Operator {
    /// For a plan that will be run: who is let go is counted from now on.
    pub(super) fn rollout(&self, record: &Record, checked: &Checked, world: &World) -> Rollout {
        let Some(image) = change(record, world) else { return Rollout::default() };
        let mut state = self.state();
        let others = state.records.values().filter_map(|other| {
            let checked = state.checked.get(&other.object)?;
            Some((other.as_ref(), checked.as_ref()))
        });
        let mut rollout = among(others, record, checked, &image);
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
        if !rollout.holds() && !checked.work.paused {
            state.claims.push(Claimed { image, object: record.object.clone(), at: Instant::now() });
        }
        rollout
    }

    /// For a plan that is only shown: `before` are those that would go, and their images.
    pub(super) fn rollout_after(
        &self,
        all: &[(Arc<Record>, Arc<Checked>)],
        record: &Record,
        checked: &Checked,
        world: &World,
        before: &[(String, String)],
    ) -> Rollout {
        let Some(image) = change(record, world) else { return Rollout::default() };
        let others = all.iter().map(|(record, checked)| (record.as_ref(), checked.as_ref()));
        let mut rollout = among(others, record, checked, &image);
        let would = before.iter().filter(|(of, object)| *of == image && !rollout.going.contains(object));
        let would: Vec<String> = would.map(|(_, object)| object.clone()).collect();
        rollout.to_go = rollout.to_go.saturating_sub(would.len());
        rollout.going.extend(would);
        rollout.going.sort();
        rollout
    }

    /// Something else stands in its way: its turn is the next one's.
    pub(super) fn stays(&self, object: &ObjectRef) {
        self.state().claims.retain(|claim| claim.object != *object);
    }

    /// One has arrived: the next may go.
    pub(super) fn next_may_go(&self, object: &ObjectRef, checked: &Checked) {
        let waiting: Vec<ObjectRef> = {
            let state = self.state();
            let same = state.checked.iter().filter(|(_, other)| other.work.image == checked.work.image);
            same.map(|(other, _)| other.clone()).filter(|other| other != object).collect()
        };
        waiting.iter().for_each(|other| self.nudge(other));
    }
}

fn among<'a>(
    others: impl Iterator<Item = (&'a Record, &'a Checked)>,
    record: &Record,
    checked: &Checked,
    image: &str,
) -> Rollout {
    let mut rollout = Rollout { at_once: checked.work.at_once, ..Rollout::default() };
    for (other, of_other) in others {
        if other.object.kind == Kind::Postgres && other.object != record.object {
            rollout.add(other.object.to_string(), stand(other, of_other, image, checked));
        }
    }
    rollout
}
