//! Changes of objects, as they are told to who watches.

use super::Result;
use crate::core::condition::{ConditionType, Truth};
use crate::core::names::ObjectRef;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What selectors look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    pub labels: BTreeMap<String, String>,
    pub conditions: Vec<(ConditionType, Truth)>,
}

/// What became of one object, made once for all who watch. What happened in quick succession may be one change.
#[derive(Debug)]
pub struct Change {
    pub object: ObjectRef,
    /// Of the last of it.
    pub revision: u64,
    /// What selectors saw before each step, oldest first; `None`: it was not there.
    pub steps: Vec<(u64, Option<Arc<Marks>>)>,
    /// `None`: it is no more.
    pub now: Option<Marks>,
    /// An [`ObjectView`](super::ObjectView) as JSON: the object as it is, or as it was last.
    pub json: Bytes,
}

impl Change {
    /// What selectors saw of it at this revision, which is one before its last.
    #[must_use]
    pub fn before(&self, revision: u64) -> Option<&Marks> {
        self.steps.iter().find(|(at, _)| *at > revision)?.1.as_deref()
    }
}

/// One piece of news.
#[derive(Clone, Debug)]
pub enum Told {
    /// In the order of their revisions; the first ones, where everything was asked for, in any order.
    Change(Arc<Change>),
    /// Everything up to this revision was told. Comes after what was missed, then every five seconds.
    UpTo(u64),
}

/// News as they come, without end; an error is the last of them.
pub type Changes = BoxStream<'static, Result<Told>>;
