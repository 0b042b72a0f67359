//! Events: recorded, folded, bounded. The same words again raise a count instead of a line.

use crate::core::event::{Event, EventType, Note};
use crate::core::text::shown;
use crate::store::Change;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

/// Prefix of event keys.
pub const PREFIX: &str = "event/";
/// Events kept of one object.
const KEEP: usize = 100;
/// Characters of a message that are kept: words of servers, engines and files go into it.
const WORDS: usize = 4_000;
/// Events kept in one answer.
pub const MAX_ANSWER: usize = 1000;
/// The same warning of an object again is a line of the log after this long: what fails fails for hours.
const AGAIN: SignedDuration = SignedDuration::from_hours(1);
/// What concerns no single object.
pub const OPERATOR: &str = "operator";

/// All events of a store, in memory; changes go out as store changes.
#[derive(Debug, Default)]
pub struct Journal {
    by_object: BTreeMap<String, VecDeque<Kept>>,
    sequence: u64,
}

/// An [`Event`] in little room: a store of ten thousand objects has a hundred thousand.
#[derive(Debug)]
struct Kept {
    sequence: u64,
    first_seen: Timestamp,
    last_seen: Timestamp,
    reason: Cow<'static, str>,
    message: Box<str>,
    count: u64,
    kind: EventType,
    /// When it was last a line of the log; of an earlier process's it is not known.
    said: Timestamp,
}

/// What came of a note.
#[derive(Debug)]
pub struct Added {
    pub changes: Vec<Change>,
    /// Whether it is worth a line of the log, and how often it was seen by now.
    pub says: bool,
    pub count: u64,
}

impl Kept {
    /// `None` when its times are none.
    fn of(event: Event) -> Option<Self> {
        Some(Self {
            sequence: event.sequence,
            first_seen: event.first_seen.parse().ok()?,
            last_seen: event.last_seen.parse().ok()?,
            reason: event.reason.into(),
            message: event.message.into(),
            count: event.count,
            kind: event.kind,
            said: Timestamp::MIN,
        })
    }

    fn event(&self, object: &str) -> Event {
        Event {
            object: object.to_owned(),
            kind: self.kind,
            reason: self.reason.to_string(),
            message: self.message.to_string(),
            count: self.count,
            first_seen: self.first_seen.to_string(),
            last_seen: self.last_seen.to_string(),
            sequence: self.sequence,
        }
    }
}

impl Journal {
    /// Takes the body of a record under `event/`, in the order of their keys. One that cannot be read is
    /// left out: events are no truth.
    pub fn load(&mut self, body: Value) {
        let Ok(event) = serde_json::from_value::<Event>(body) else { return };
        self.sequence = self.sequence.max(event.sequence);
        let object = event.object.clone();
        if let Some(kept) = Kept::of(event) {
            let events = self.by_object.entry(object).or_default();
            events.reserve_exact(1);
            events.push_back(kept);
        }
    }

    /// Adds a note and says what to write. Moves a repeated event to the end.
    pub fn add(&mut self, object: &str, note: &Note, now: Timestamp) -> Added {
        self.sequence += 1;
        let message = shown(&note.message, WORDS);
        let events = self.by_object.entry(object.to_owned()).or_default();
        let same = events
            .iter()
            .position(|e| e.kind == note.kind && e.reason == note.reason && *e.message == *message);
        let mut changes = Vec::new();
        let kept = match same.and_then(|at| events.remove(at)) {
            Some(old) => {
                changes.push(Change::delete(key(object, old.sequence)));
                Kept { count: old.count + 1, last_seen: now, sequence: self.sequence, ..old }
            }
            None => Kept {
                kind: note.kind,
                reason: Cow::Borrowed(note.reason),
                message: message.into(),
                count: 1,
                first_seen: now,
                last_seen: now,
                sequence: self.sequence,
                said: Timestamp::MIN,
            },
        };
        // What was done is news each time, and so is what concerns everybody, which is told once anyway.
        let says =
            note.kind == EventType::Normal || object == OPERATOR || now.duration_since(kept.said) >= AGAIN;
        let (said, count) = (if says { now } else { kept.said }, kept.count);
        let kept = Kept { said, ..kept };
        if let Ok(body) = serde_json::to_value(kept.event(object)) {
            changes.push(Change::put(key(object, kept.sequence), body));
        }
        // Growing in steps of one: most objects have few events, and there may be many objects.
        events.reserve_exact(1);
        events.push_back(kept);
        while events.len() > KEEP {
            if let Some(old) = events.pop_front() {
                changes.push(Change::delete(key(object, old.sequence)));
            }
        }
        Added { changes, says, count }
    }

    /// What went wrong with an object is over: should it come again, that is news.
    pub fn is_well(&mut self, object: &str) {
        let events = self.by_object.get_mut(object).into_iter().flatten();
        events.for_each(|event| event.said = Timestamp::MIN);
    }

    /// Everything of an object goes, but for what is said to the operator.
    pub fn forget(&mut self, object: &str) -> Vec<Change> {
        let gone = self.by_object.remove(object).unwrap_or_default();
        gone.iter().map(|e| Change::delete(key(object, e.sequence))).collect()
    }

    /// Oldest first, at most the newest [`MAX_ANSWER`].
    #[must_use]
    pub fn after(&self, object: Option<&str>, after: u64) -> Vec<Event> {
        let mut events: Vec<(&str, &Kept)> = self
            .by_object
            .iter()
            .filter(|(name, _)| object.is_none_or(|o| o == name.as_str()))
            .flat_map(|(name, events)| events.iter().map(move |e| (name.as_str(), e)))
            .filter(|(_, e)| e.sequence > after)
            .collect();
        events.sort_by_key(|(_, e)| e.sequence);
        let surplus = events.len().saturating_sub(MAX_ANSWER);
        events.iter().skip(surplus).map(|(name, e)| e.event(name)).collect()
    }
}

fn key(object: &str, sequence: u64) -> String {
    format!("{PREFIX}{object}/{sequence:020}")
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
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        for i in 0..3 {
            let note = Note::normal("ContainerStarted", "start");
            apply(&mut store, journal.add("postgres/a", &note, at(i)).changes);
        }
        let event = &journal.after(None, 0)[0];
        let (first, last) = ("1970-01-01T00:00:00Z", "1970-01-01T00:00:02Z");
        assert_eq!((event.count, event.first_seen.as_str(), event.last_seen.as_str()), (3, first, last));
        for i in 0..300 {
            let note = Note::warning("X", format!("{i}"));
            apply(&mut store, journal.add("postgres/a", &note, at(9)).changes);
        }
        assert_eq!((store.len(), journal.after(Some("postgres/a"), 0).len()), (KEEP, KEEP));
        assert_eq!(journal.after(Some("postgres/b"), 0), vec![]);
        let mut again = Journal::default();
        store.values().for_each(|body| again.load(body.clone()));
        assert_eq!(again.after(None, 0), journal.after(None, 0));
        assert_eq!(again.sequence, journal.sequence);
        apply(&mut store, journal.forget("postgres/a"));
        assert!(store.is_empty());
    }

    #[test]
    fn the_same_failure_is_counted_and_said_once_until_it_changes_or_for_long() {
        let mut journal = Journal::default();
        let mut add = |object: &str, second: i64, note: Note| {
            let added = journal.add(object, &note, Timestamp::from_second(second).unwrap());
            (added.says, added.count)
        };
        let (a, b) = (|| Note::warning("StopFailed", "a"), || Note::warning("StopFailed", "b"));
        assert_eq!(add("postgres/a", 0, a()), (true, 1));
        assert_eq!(add("postgres/a", 1, a()), (false, 2));
        assert_eq!(add("postgres/a", 2, b()), (true, 1));
        assert_eq!(add("postgres/a", 3_599, a()), (false, 3));
        assert_eq!(add("postgres/a", 3_600, a()), (true, 4));
        assert_eq!(add("postgres/b", 3_600, a()), (true, 1));
        for count in 1..3 {
            assert_eq!(add("postgres/a", 3_601, Note::normal("ContainerStarted", "x")), (true, count));
            assert_eq!(add(OPERATOR, 3_601, a()), (true, count));
        }
        journal.is_well("postgres/a");
        let again = journal.add("postgres/a", &a(), Timestamp::from_second(3_602).unwrap());
        assert_eq!((again.says, again.count), (true, 5));
    }
}
