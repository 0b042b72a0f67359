//! Events: recorded, folded, bounded. The same words again raise a count instead of a line.

use crate::core::event::{Event, Note};
use crate::store::Change;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};

/// Events kept of one object.
const KEEP: usize = 100;
/// Events kept in one answer.
pub const MAX_ANSWER: usize = 1000;
/// What concerns no single object.
pub const OPERATOR: &str = "operator";

/// All events of a store, in memory; changes go out as store changes.
#[derive(Debug, Default)]
pub struct Journal {
    by_object: BTreeMap<String, VecDeque<Event>>,
    sequence: u64,
}

impl Journal {
    /// From the records under `event/`. One that cannot be read is left out: events are no truth.
    #[must_use]
    pub fn load(records: BTreeMap<String, Value>) -> Self {
        let mut journal = Self::default();
        for body in records.into_values() {
            if let Ok(event) = serde_json::from_value::<Event>(body) {
                journal.sequence = journal.sequence.max(event.sequence);
                journal.by_object.entry(event.object.clone()).or_default().push_back(event);
            }
        }
        for events in journal.by_object.values_mut() {
            events.make_contiguous().sort_by_key(|e| e.sequence);
        }
        journal
    }

    /// Adds a note and says what to write. Moves a repeated event to the end.
    pub fn add(&mut self, object: &str, note: &Note, now: &str) -> Vec<Change> {
        self.sequence += 1;
        let events = self.by_object.entry(object.to_owned()).or_default();
        let same = events
            .iter()
            .position(|e| e.kind == note.kind && e.reason == note.reason && e.message == note.message);
        let mut changes = Vec::new();
        let event = match same.and_then(|at| events.remove(at)) {
            Some(old) => {
                changes.push(Change::delete(key(&old)));
                Event { count: old.count + 1, last_seen: now.to_owned(), sequence: self.sequence, ..old }
            }
            None => Event {
                object: object.to_owned(),
                kind: note.kind,
                reason: note.reason.to_owned(),
                message: note.message.clone(),
                count: 1,
                first_seen: now.to_owned(),
                last_seen: now.to_owned(),
                sequence: self.sequence,
            },
        };
        if let Ok(body) = serde_json::to_value(&event) {
            changes.push(Change::put(key(&event), body));
        }
        events.push_back(event);
        while events.len() > KEEP {
            if let Some(old) = events.pop_front() {
                changes.push(Change::delete(key(&old)));
            }
        }
        changes
    }

    /// Everything of an object goes, but for what is said to the operator.
    pub fn forget(&mut self, object: &str) -> Vec<Change> {
        self.by_object.remove(object).unwrap_or_default().iter().map(|e| Change::delete(key(e))).collect()
    }

    /// Oldest first, at most the newest [`MAX_ANSWER`].
    #[must_use]
    pub fn after(&self, object: Option<&str>, after: u64) -> Vec<Event> {
        let mut events: Vec<Event> = self
            .by_object
            .iter()
            .filter(|(name, _)| object.is_none_or(|o| o == name.as_str()))
            .flat_map(|(_, events)| events.iter())
            .filter(|e| e.sequence > after)
            .cloned()
            .collect();
        events.sort_by_key(|e| e.sequence);
        let surplus = events.len().saturating_sub(MAX_ANSWER);
        events.split_off(surplus)
    }
}

fn key(event: &Event) -> String {
    format!("event/{}/{:020}", event.object, event.sequence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(store: &mut BTreeMap<String, Value>, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Put { key, body } => drop(store.insert(key, body)),
                Change::Delete { key } => drop(store.remove(&key)),
            }
        }
    }

    #[test]
    fn repeated_events_fold_and_the_number_is_bounded() {
        let (mut journal, mut store) = (Journal::default(), BTreeMap::new());
        for i in 0..3 {
            let note = Note::normal("ContainerStarted", "start");
            apply(&mut store, journal.add("postgres/a", &note, &format!("t{i}")));
        }
        let event = &journal.after(None, 0)[0];
        assert_eq!((event.count, event.first_seen.as_str(), event.last_seen.as_str()), (3, "t0", "t2"));
        for i in 0..300 {
            apply(&mut store, journal.add("postgres/a", &Note::warning("X", format!("{i}")), "t"));
        }
        assert_eq!((store.len(), journal.after(Some("postgres/a"), 0).len()), (KEEP, KEEP));
        assert_eq!(journal.after(Some("postgres/b"), 0), vec![]);
        let again = Journal::load(store.clone());
        assert_eq!(again.after(None, 0), journal.after(None, 0));
        assert_eq!(again.sequence, journal.sequence);
        apply(&mut store, journal.forget("postgres/a"));
        assert!(store.is_empty());
    }
}
