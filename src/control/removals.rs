//! Manifests that are gone: when the container goes, and when the data may. Both need an absence that was
//! watched for long enough; what was not watched (the operator was away, git was at work) does not count.
//!
//! The graces are counted here and nowhere else. It must never shorten one that has begun.

use super::manifests::COMMIT;
use super::objects::Record;
use super::operator::{Operator, now, this_second};
use super::sources::InForce;
use super::state::Live;
use crate::core::event::Note;
use crate::core::names::ObjectRef;
use crate::core::will::Gone;
use crate::manifest::load::Directory;
use crate::store::{Saving, StoreError};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How often the rest of a deletion's grace is made durable, in milliseconds: a crash costs it at most so much.
const CHECKPOINT: u64 = 30_000;
/// How soon to look again for the end of what holds a grace, in milliseconds.
const HELD: u64 = 2_000;

/// A manifest that is gone and whose container is not yet; a restart begins it anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absence {
    /// Milliseconds of the operator's clock: counted up to here.
    at: u64,
    /// Milliseconds that were counted.
    counted: u64,
    /// Does not count for now.
    pub held: bool,
    /// What is said of it.
    pub words: String,
}

impl Absence {
    #[must_use]
    pub fn begin(clock: u64) -> Self {
        Self { at: clock, counted: 0, held: false, words: String::new() }
    }

    /// Counts the time since the last look, unless it is held. Milliseconds that are left.
    fn count(&mut self, clock: u64, grace: u64, held: bool) -> u64 {
        if !held && !self.held {
            self.counted = self.counted.saturating_add(clock.saturating_sub(self.at));
        }
        (self.at, self.held) = (clock, held);
        grace.saturating_sub(self.counted)
    }
}

/// The rest of a deletion's grace after `elapsed` more milliseconds. `None` when there is nothing to write down.
fn rest(gone: &Gone, elapsed: u64, first: bool, held: Option<&str>, now: Timestamp) -> Option<Gone> {
    let was_held = gone.held.is_some();
    let left = gone.left_ms.saturating_sub(if was_held { 0 } else { elapsed });
    let due = match held {
        Some(_) => String::new(),
        None if first || was_held || gone.due.is_empty() => after(now, left),
        None => gone.due.clone(),
    };
    let next = Gone { since: gone.since.clone(), left_ms: left, due, held: held.map(str::to_owned) };
    let counts = next.left_ms == 0 || gone.left_ms - next.left_ms >= CHECKPOINT;
    let said = next.due != gone.due || next.held != gone.held;
    // The last of a grace is not spent in the moment in which something holds it.
    let next = if held.is_some() { Gone { left_ms: next.left_ms.max(1), ..next } } else { next };
    (counts || said).then_some(next)
}

fn after(now: Timestamp, ms: u64) -> String {
    // Whole seconds, rounded up: what is said is never too early.
    let seconds = i64::try_from(ms.div_ceil(1_000)).unwrap_or(i64::MAX);
    now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(now).to_string()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Operator {
    /// The files of all manifests that are gone, as far as it matters what git does.
    fn missing(&self, new: &InForce) -> BTreeSet<String> {
        let state = self.state();
        let file = |object| Some(state.records.get(object)?.source.as_ref()?.file.clone());
        new.gone.iter().filter_map(file).collect()
    }

    /// Manifests that are gone, once they were away for long enough or the user let them go.
    pub(super) async fn removals(
        &self,
        new: &InForce,
        moved: &mut BTreeSet<ObjectRef>,
    ) -> Result<Option<u64>, StoreError> {
        let (clock, grace) = (self.clock(), millis(self.config.times.removal));
        let git = if new.gone.is_empty() {
            None
        } else {
            self.git.under_way(&self.config.manifests, &self.missing(new)).await
        };
        let mut again: Option<u64> = None;
        let (mut said, mut over) = (Vec::new(), Vec::new());
        let known: Vec<ObjectRef> = self.state().records.keys().cloned().collect();
        for object in known {
            let let_go = new.let_go.contains(&object);
            if !let_go && !new.gone.contains(&object) {
                let mut state = self.state();
                if state.live.get_mut(&object).is_some_and(|live| live.absence.take().is_some()) {
                    moved.insert(object);
                }
                continue;
            }
            let left = self.live(&object, |live| {
                live.absence.get_or_insert_with(|| Absence::begin(clock)).count(clock, grace, git.is_some())
            });
            if !let_go && (left > 0 || git.is_some()) {
                let wait = if git.is_some() { HELD } else { left };
                again = Some(again.map_or(wait, |other| other.min(wait)));
                said.extend(self.say_absent(&object, left, git.as_deref(), moved));
                continue;
            }
            let counted = |live: &mut Live| live.absence.as_ref().map_or(0, |absence| absence.counted);
            let counted = if let_go { 0 } else { self.live(&object, counted) };
            over.push((object, counted));
        }
        self.note_all(&said).await;
        // What the store refuses keeps the absence that was counted: the next look tries it again.
        let mut refused = None;
        for some in over.chunks(COMMIT) {
            match self.remove(some).await {
                Ok(()) => moved.extend(some.iter().map(|(object, _)| object.clone())),
                Err(error) => drop(refused.get_or_insert(error)),
            }
        }
        refused.map_or(Ok(again), Err)
    }

    /// Says once that a manifest is gone and when its container goes, and again when that changes.
    fn say_absent(
        &self,
        object: &ObjectRef,
        left: u64,
        git: Option<&str>,
        moved: &mut BTreeSet<ObjectRef>,
    ) -> Option<(ObjectRef, Note)> {
        let mut state = self.state();
        let source = state.records.get(object).and_then(|r| r.source.clone()).unwrap_or_default();
        let absence = state.live.get_mut(object)?.absence.as_mut()?;
        let what = self.kinds.gone(object.kind);
        let head = format!("{} is gone; {what}", source.file);
        let words = match git {
            Some(git) => {
                format!("{head} once it has been away for long enough, which does not count now: {git}")
            }
            None if absence.words.starts_with(&format!("{head} at ")) => return None,
            None => format!("{head} at {}, unless it comes back before", after(this_second(), left)),
        };
        if absence.words == words {
            return None;
        }
        absence.words.clone_from(&words);
        moved.insert(object.clone());
        Some((object.clone(), Note::warning("ManifestGone", words)))
    }

    /// These objects have no manifest from here on, all of them or none: one commit. With each, the milliseconds
    /// for which it was seen to have none.
    async fn remove(&self, over: &[(ObjectRef, u64)]) -> Result<(), StoreError> {
        let (catalogs, services): (Vec<_>, Vec<_>) =
            over.iter().partition(|(object, _)| !self.kinds.runs(object.kind));
        let gone = |counted: u64| self.gone_from_now(counted);
        {
            let _gates = self.gates.all().await;
            let removed: Vec<Arc<Record>> = {
                let state = self.state();
                let known = services.iter().filter_map(|(object, counted)| {
                    Some((state.records.get(object)?.as_ref().clone(), *counted))
                });
                let without = known.map(|(mut record, counted)| {
                    record.let_go(gone(counted));
                    Arc::new(record)
                });
                without.collect()
            };
            self.save(&removed, Saving::Durable).await?;
        }
        services.iter().for_each(|(object, _)| self.count_from_now(object));
        let note = Note::normal("ManifestRemoved", "the manifest is gone");
        let notes: Vec<_> = services.iter().map(|(object, _)| (object.clone(), note.clone())).collect();
        self.note_all(&notes).await;
        for (object, _) in catalogs {
            self.forget(object, None).await?;
        }
        Ok(())
    }

    /// The grace of what nobody wants any more, of which so many milliseconds were counted.
    pub(super) fn gone_from_now(&self, counted: u64) -> Gone {
        let left = millis(self.config.times.deletion).saturating_sub(counted);
        Gone { since: now(), left_ms: left.max(1), due: after(this_second(), left), held: None }
    }

    pub(super) fn count_from_now(&self, object: &ObjectRef) {
        let clock = self.clock();
        self.live(object, |live| {
            live.absence = None;
            live.counted_at = Some(clock);
            // Something else is wanted of it now.
            live.settled = false;
        });
    }

    /// Counts what is left until data may go whose deletion was agreed to in the manifest.
    pub(super) async fn deletions(&self, directory: &Directory) -> Result<Option<u64>, StoreError> {
        let leaving: Vec<ObjectRef> = {
            let state = self.state();
            let waits = |object: &ObjectRef| {
                let (record, checked) = (state.records.get(object)?, state.checked.get(object)?);
                (!record.is_present() && record.asked.deletes_later(checked.given_up())).then_some(())
            };
            state.records.keys().filter(|object| waits(object).is_some()).cloned().collect()
        };
        if leaving.is_empty() {
            return Ok(None);
        }
        let held = match directory {
            Directory::Present | Directory::Empty => {
                self.git.under_way(&self.config.manifests, &BTreeSet::new()).await
            }
            Directory::Missing => Some("the manifest directory is missing".to_owned()),
            Directory::Unreadable(why) => Some(format!("the manifest directory cannot be read ({why})")),
        };
        let mut again = CHECKPOINT;
        for object in leaving {
            let clock = self.clock();
            let full =
                Gone { since: now(), left_ms: millis(self.config.times.deletion).max(1), ..Gone::default() };
            let record = self.state().records.get(&object).cloned();
            let Some(record) = record else { continue };
            let gone = record.asked.gone.clone().unwrap_or(full);
            let at = self.live(&object, |live| live.counted_at);
            let elapsed = at.map_or(0, |at| clock.saturating_sub(at));
            let next = rest(&gone, elapsed, at.is_none(), held.as_deref(), this_second());
            let left = match next {
                None => {
                    if gone.held.is_some() || at.is_none() {
                        self.live(&object, |live| live.counted_at = Some(clock));
                    }
                    gone.left_ms.saturating_sub(elapsed)
                }
                Some(next) => {
                    let left = next.left_ms;
                    let news = left == 0 || next.held != gone.held || next.due != gone.due;
                    self.edit(&object, Saving::Durable, |r| {
                        // A manifest that came back meanwhile has ended it.
                        if !r.is_present() {
                            r.asked.gone = Some(next);
                        }
                    })
                    .await?;
                    self.live(&object, |live| live.counted_at = Some(clock));
                    if news {
                        self.hurry(&object);
                    }
                    left
                }
            };
            again = again.min(if held.is_some() { HELD } else { left.max(1) });
        }
        Ok(Some(again))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn only_an_absence_that_was_watched_counts() {
        let mut absence = Absence::begin(1_000);
        assert_eq!(absence.count(1_000, 30_000, false), 30_000);
        assert_eq!(absence.count(11_000, 30_000, false), 20_000);
        // Neither while git works, nor the time up to the look that saw that it rests again.
        assert_eq!(absence.count(15_000, 30_000, true), 20_000);
        assert_eq!(absence.count(900_000, 30_000, true), 20_000);
        assert_eq!(absence.count(902_000, 30_000, false), 20_000);
        assert_eq!(absence.count(922_000, 30_000, false), 0);
    }

    #[test]
    fn the_grace_of_a_deletion_is_kept_over_restarts_and_holds() {
        let gone = |left_ms, due: &str, held: Option<&str>| Gone {
            since: "s".into(),
            left_ms,
            due: due.into(),
            held: held.map(str::to_owned),
        };
        let start = gone(600_000, "1970-01-01T00:10:00Z", None);
        // Between two checkpoints nothing is written.
        assert_eq!(rest(&start, 29_999, false, None, at(29)), None);
        assert_eq!(rest(&start, 30_000, false, None, at(30)), Some(gone(570_000, &start.due, None)));
        // After a restart the time moves by as long as nobody watched.
        let later = rest(&gone(570_000, &start.due, None), 0, true, None, at(1_000)).unwrap();
        assert_eq!(later, gone(570_000, "1970-01-01T00:26:10Z", None));
        // Held: said at once, and not counted until it is over; then the time is said anew.
        let held = rest(&later, 10_000, false, Some("git"), at(1_010)).unwrap();
        assert_eq!(held, gone(560_000, "", Some("git")));
        assert_eq!(rest(&held, 99_000, false, Some("git"), at(1_109)), None);
        let freed = rest(&held, 1_000, false, None, at(2_000)).unwrap();
        assert_eq!(freed, gone(560_000, "1970-01-01T00:42:40Z", None));
        // Over: never while it is held.
        assert_eq!(rest(&freed, 560_000, false, None, at(9_000)).unwrap().left_ms, 0);
        assert_eq!(rest(&freed, 999_000, false, Some("git"), at(9_000)).unwrap().left_ms, 1);
    }
}
