//! `resourceVersion`: the revision at which what is shown of an object last changed, and what changed since one.
//!
//! It tells two states of an object apart, also after a restart. What is only sampled (use, statistics) makes no version.

use super::api::Marks;
use super::objects::Record;
use crate::core::names::ObjectRef;
use crate::core::status::Status;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Changes that are kept, for who was away and asks what he missed.
const KEPT: usize = 4_096;
/// With what objects that are no more were at last: of so many at most.
const KEPT_LAST: usize = 256;

#[derive(Debug, Default)]
pub struct Versions {
    /// Of what nobody changed since the start.
    first: u64,
    of: BTreeMap<ObjectRef, u64>,
    /// Changed, and no revision tells it yet.
    touched: BTreeSet<ObjectRef>,
    pending: Vec<Entry>,
    /// In the order of their revisions, each of which is one change.
    log: VecDeque<Entry>,
    /// Entries of the log with a `last`.
    lasts: usize,
    /// Up to this one the log does not tell everything.
    known_after: u64,
    /// The newest.
    newest: u64,
}

#[derive(Debug)]
struct Entry {
    revision: u64,
    object: ObjectRef,
    /// What selectors saw of it before; `None`: it was not there.
    before: Option<Arc<Marks>>,
    /// The object is no more.
    last: Option<Arc<Last>>,
}

/// What an object was at last.
#[derive(Debug)]
pub struct Last {
    pub record: Arc<Record>,
    pub status: Option<Arc<Status>>,
    /// By this process.
    pub seen: bool,
}

/// What became of one object since a revision, in one.
#[derive(Debug)]
pub struct Changed {
    pub object: ObjectRef,
    /// Of the last change.
    pub revision: u64,
    /// What selectors saw of it before each change, oldest first.
    pub steps: Vec<(u64, Option<Arc<Marks>>)>,
    /// It is no more.
    pub last: Option<Arc<Last>>,
}

impl Versions {
    #[must_use]
    pub fn from(first: u64) -> Self {
        Self { first, known_after: first, newest: first, ..Self::default() }
    }

    /// Whether a change of it waits for its revision: what it was before that is known already.
    #[must_use]
    pub fn is_touched(&self, object: &ObjectRef) -> bool {
        self.touched.contains(object)
    }

    #[must_use]
    pub fn are_touched(&self) -> bool {
        !self.pending.is_empty()
    }

    /// It is another one than with these `before`.
    pub fn touch(&mut self, object: &ObjectRef, before: Option<Marks>) {
        if self.touched.insert(object.clone()) {
            self.push(object, before, None);
        }
    }

    /// It is no more.
    pub fn forget(&mut self, object: &ObjectRef, before: Option<Marks>, last: Last) {
        self.touched.remove(object);
        self.push(object, before, Some(Arc::new(last)));
    }

    fn push(&mut self, object: &ObjectRef, before: Option<Marks>, last: Option<Arc<Last>>) {
        let before = before.map(Arc::new);
        self.pending.push(Entry { revision: 0, object: object.clone(), before, last });
    }

    /// Gives everything that changed until now a revision behind this one, each its own: who has heard of one has heard of
    /// all before it. The newest, which is another one in any case.
    pub fn stamp(&mut self, revision: u64) -> u64 {
        let mut newest = revision;
        for mut entry in std::mem::take(&mut self.pending) {
            newest += 1;
            entry.revision = newest;
            match entry.last {
                Some(_) => self.of.remove(&entry.object),
                None => self.of.insert(entry.object.clone(), newest),
            };
            self.lasts += usize::from(entry.last.is_some());
            self.log.push_back(entry);
            self.bound();
        }
        self.touched.clear();
        self.newest = newest.max(revision + 1);
        self.newest
    }

    fn bound(&mut self) {
        while self.log.len() > KEPT || self.lasts > KEPT_LAST {
            let Some(oldest) = self.log.pop_front() else { return };
            self.lasts -= usize::from(oldest.last.is_some());
            self.known_after = oldest.revision;
        }
    }

    #[must_use]
    pub fn of(&self, object: &ObjectRef) -> u64 {
        self.of.get(object).copied().unwrap_or(self.first)
    }

    /// What changed after this revision, in the order of the last changes; costs nothing for what did not. `None`: it is too
    /// old to tell, or none of this process.
    #[must_use]
    pub fn since(&self, revision: u64) -> Option<Vec<Changed>> {
        if revision < self.known_after || revision > self.newest {
            return None;
        }
        let begin = self.log.partition_point(|entry| entry.revision <= revision);
        let (mut open, mut told) = (BTreeMap::<&ObjectRef, Changed>::new(), Vec::new());
        for entry in self.log.range(begin..) {
            let new = || Changed { object: entry.object.clone(), revision: 0, steps: Vec::new(), last: None };
            let changed = open.entry(&entry.object).or_insert_with(new);
            changed.revision = entry.revision;
            changed.steps.push((entry.revision, entry.before.clone()));
            if let Some(last) = &entry.last {
                changed.last = Some(Arc::clone(last));
                // Another object may have its name from here on.
                told.extend(open.remove(&entry.object));
            }
        }
        told.extend(open.into_values());
        told.sort_by_key(|changed| changed.revision);
        Some(told)
    }
}

#[cfg(test)]
#[path = "versions_tests.rs"]
mod tests;
