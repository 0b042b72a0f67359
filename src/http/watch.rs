//! What one watcher is told, of the news that all get: lines of server-sent events. Pure.

use super::select::{Fields, Labels, Selectable};
use super::wire::ErrorBody;
use crate::control::api::{Change, Marks, Told};
use crate::core::condition::{ConditionType, Truth};
use crate::core::names::{API_VERSION, Kind, ObjectRef};
use bytes::Bytes;
use serde_json::json;
use std::collections::BTreeMap;

/// A bookmark each 30 s: every so many of the [`Told::UpTo`].
const BOOKMARK: u32 = 6;

/// Where a watcher is, and what he asked for.
#[derive(Debug, Default)]
pub struct Cursor {
    /// `None`: of every kind.
    pub kind: Option<Kind>,
    pub labels: Labels,
    pub fields: Fields,
    /// Everything up to here was told; 0: nothing.
    pub after: u64,
    /// [`Told::UpTo`] until the next bookmark.
    pub wait: u32,
}

/// An object as selectors see it.
struct Seen<'a>(&'a ObjectRef, &'a Marks);

impl Selectable for Seen<'_> {
    fn name(&self) -> &str {
        self.0.name.as_str()
    }
    fn labels(&self) -> &BTreeMap<String, String> {
        &self.1.labels
    }
    fn is(&self, kind: ConditionType, truth: Truth) -> bool {
        let of = self.1.conditions.iter().find(|(of, _)| *of == kind);
        of.map_or(Truth::Unknown, |(_, truth)| *truth) == truth
    }
}

impl Cursor {
    /// The pieces of an event, of which the largest is the same for all; none: it is not for this one.
    pub fn hear(&mut self, told: &Told) -> Vec<Bytes> {
        match told {
            Told::Change(change) => self.change(change),
            Told::UpTo(revision) => {
                self.after = self.after.max(*revision);
                let due = self.wait == 0;
                self.wait = if due { BOOKMARK - 1 } else { self.wait - 1 };
                if due { self.bookmark() } else { Vec::new() }
            }
        }
    }

    fn change(&self, change: &Change) -> Vec<Bytes> {
        if change.revision <= self.after || self.kind.is_some_and(|kind| kind != change.object.kind) {
            return Vec::new();
        }
        let selects = |marks: &Marks| {
            let seen = Seen(&change.object, marks);
            self.labels.select(&seen) && self.fields.select(&seen)
        };
        let (before, now) = (change.before(self.after), change.now.as_ref());
        let word = match (before.is_some_and(selects), now.is_some_and(selects)) {
            (false, false) => return Vec::new(),
            (false, true) => "ADDED",
            (true, true) => "MODIFIED",
            (true, false) => "DELETED",
        };
        // As long as not everything there was is told, there is nothing that one could begin from.
        let id = if self.after > 0 { format!("id: {}\n", change.revision) } else { String::new() };
        let head = format!("event: {word}\n{id}data: {{\"type\":\"{word}\",\"object\":");
        vec![head.into(), change.json.clone(), Bytes::from_static(b"}\n\n")]
    }

    fn bookmark(&self) -> Vec<Bytes> {
        let kind = self.kind.map(|kind| kind.as_str()).unwrap_or_default();
        let metadata = json!({"resourceVersion": self.after.to_string()});
        let object = json!({"apiVersion": API_VERSION, "kind": kind, "metadata": metadata});
        vec![event("BOOKMARK", &format!("id: {}\n", self.after), &object)]
    }
}

/// The last event: why there are no more.
#[must_use]
pub fn error(body: &ErrorBody) -> Bytes {
    event("ERROR", "", &json!(body))
}

fn event(word: &str, id: &str, object: &serde_json::Value) -> Bytes {
    format!("event: {word}\n{id}data: {}\n\n", json!({"type": word, "object": object})).into()
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
