//! `resourceVersion`: the revision at which what is shown of an object last changed.
//!
//! It tells two states of an object apart, also after a restart. What is only sampled (use, statistics) makes no version.

use crate::core::names::ObjectRef;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
pub struct Versions {
    /// Of what nobody changed since the start.
    first: u64,
    of: BTreeMap<ObjectRef, u64>,
    /// Changed, and no revision tells it yet.
    touched: BTreeSet<ObjectRef>,
}

impl Versions {
    #[must_use]
    pub fn from(first: u64) -> Self {
        Self { first, ..Self::default() }
    }

    pub fn touch(&mut self, object: &ObjectRef) {
        self.touched.insert(object.clone());
    }

    /// This revision tells of everything that changed until now.
    pub fn stamp(&mut self, revision: u64) {
        self.of.extend(std::mem::take(&mut self.touched).into_iter().map(|object| (object, revision)));
    }

    pub fn forget(&mut self, object: &ObjectRef) {
        self.touched.remove(object);
        self.of.remove(object);
    }

    #[must_use]
    pub fn of(&self, object: &ObjectRef) -> u64 {
        self.of.get(object).copied().unwrap_or(self.first)
    }
}
