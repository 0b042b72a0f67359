//! The audit log: what is in the store of it, what goes in and what goes out; pure.
//!
//! It is bounded by number and by bytes, the oldest go. Tries of tokens that open nothing are counted, and have a bound of their own: nobody
//! who is not let in gets anything else out of it.

use crate::control::api::AuditEntry;
use crate::store::Change;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};

/// Prefix of the keys in the store.
pub const PREFIX: &str = "audit/";
/// What a try of a token that opens nothing is called.
pub const LOGIN_FAILED: &str = "LoginFailed";
/// Entries that are kept.
pub const MOST: usize = 10_000;
/// The same of tries that failed.
pub const MOST_FAILED: usize = 500;
/// Bytes of all entries.
pub const MOST_BYTES: usize = 4 << 20;
/// A try after so long is another entry.
const AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// An entry as far as it matters for what goes.
struct Kept {
    sequence: u64,
    bytes: usize,
    /// From where and with what, for a failed try.
    failed: Option<String>,
}

/// See the module.
#[derive(Default)]
pub struct Log {
    kept: VecDeque<Kept>,
    bytes: usize,
    /// How many of them are failed tries.
    failed: usize,
    /// The last entry of failed tries, by from where and with what.
    failing: BTreeMap<String, (AuditEntry, Timestamp)>,
    sequence: u64,
}

fn key(sequence: u64) -> String {
    format!("{PREFIX}{sequence:020}")
}

/// Who failed with what, if this is such an entry.
fn failed(entry: &AuditEntry) -> Option<String> {
    (entry.what == LOGIN_FAILED).then(|| format!("{} {} {}", entry.from, entry.who, entry.detail))
}

/// What is to be written for an entry, and what it became.
pub struct Added {
    pub entry: AuditEntry,
    pub changes: Vec<Change>,
}

impl Log {
    /// Takes the body of a record, in the order of their keys. One that cannot be read is not counted.
    pub fn load(&mut self, body: Value) {
        let bytes = body.to_string().len();
        if let Ok(entry) = serde_json::from_value::<AuditEntry>(body) {
            self.keep(&entry, bytes);
        }
    }

    fn keep(&mut self, entry: &AuditEntry, bytes: usize) {
        self.sequence = self.sequence.max(entry.sequence);
        self.bytes += bytes;
        let failed = failed(entry);
        self.failed += usize::from(failed.is_some());
        self.kept.push_back(Kept { sequence: entry.sequence, bytes, failed });
    }

    fn let_go(&mut self, at: usize, changes: &mut Vec<Change>) {
        if let Some(old) = self.kept.remove(at) {
            self.bytes = self.bytes.saturating_sub(old.bytes);
            self.failed = self.failed.saturating_sub(usize::from(old.failed.is_some()));
            changes.push(Change::delete(key(old.sequence)));
            if let Some(who) = old.failed
                && self.failing.get(&who).is_some_and(|(entry, _)| entry.sequence == old.sequence)
            {
                self.failing.remove(&who);
            }
        }
    }

    /// One more; its sequence is given here. A failed try that goes on is the one before, counted and moved to the end.
    pub fn add(&mut self, entry: AuditEntry, now: Timestamp) -> Added {
        let mut changes = Vec::new();
        let mut entry = AuditEntry { sequence: self.sequence + 1, ..entry };
        let who = failed(&entry);
        if let Some(who) = &who
            && let Some((before, last)) = self.failing.remove(who)
            && let Ok(at) = self.kept.binary_search_by_key(&before.sequence, |kept| kept.sequence)
        {
            let goes_on = now.duration_since(last) < AGAIN;
            if goes_on {
                self.let_go(at, &mut changes);
                entry = AuditEntry { at: before.at, count: before.count + 1, ..entry };
            }
        }
        let body = serde_json::to_value(&entry).unwrap_or_default();
        self.keep(&entry, body.to_string().len());
        changes.push(Change::put(key(entry.sequence), body));
        if let Some(who) = who {
            self.failing.insert(who, (entry.clone(), now));
        }
        if self.failed > MOST_FAILED
            && let Some(oldest) = self.kept.iter().position(|kept| kept.failed.is_some())
        {
            self.let_go(oldest, &mut changes);
        }
        while self.kept.len() > MOST || (self.bytes > MOST_BYTES && self.kept.len() > 1) {
            self.let_go(0, &mut changes);
        }
        Added { entry, changes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn entry(what: &str, from: &str, second: i64) -> AuditEntry {
        let at = at(second).to_string();
        AuditEntry {
            at: at.clone(),
            last_at: at,
            who: "somebody".to_owned(),
            from: from.to_owned(),
            what: what.to_owned(),
            count: 1,
            ..AuditEntry::default()
        }
    }

    #[derive(Default)]
    struct Stored(Log, BTreeMap<String, Value>);

    impl Stored {
        fn add(&mut self, what: &str, from: &str, second: i64) -> AuditEntry {
            let added = self.0.add(entry(what, from, second), at(second));
            for change in added.changes {
                match change {
                    Change::Put { key, body } => drop(self.1.insert(key, body)),
                    Change::Delete { key } => assert!(self.1.remove(&key).is_some(), "{key} was not there"),
                }
            }
            added.entry
        }

        fn count(&self, what: &str) -> usize {
            self.1.values().filter(|body| body["what"] == what).count()
        }
    }

    #[test]
    fn what_was_done_is_kept_line_by_line_and_the_oldest_go() {
        let mut all = Stored::default();
        for n in 0..10 {
            assert_eq!(all.add("PasswordRevealed", "socket", 7).sequence, n + 1);
        }
        assert_eq!(all.1.len(), 10);
        for _ in 0..MOST {
            all.add("PasswordRevealed", "socket", 8);
        }
        assert_eq!(all.1.len(), MOST);
        let first = all.1.first_key_value().unwrap().1;
        assert_eq!((&first["sequence"], &first["at"]), (&11.into(), &"1970-01-01T00:00:08Z".into()));
        // Another process goes on where this one was.
        let mut again = Log::default();
        all.1.values().for_each(|body| again.load(body.clone()));
        let (bytes, sequence) = (all.0.bytes, all.0.sequence);
        assert_eq!((again.bytes, again.sequence, again.kept.len()), (bytes, sequence, MOST));
        let added = again.add(entry("x", "socket", 9), at(9));
        assert_eq!((added.entry.sequence, added.changes.len()), (sequence + 1, 2));
    }

    #[test]
    fn bytes_are_bounded_too() {
        let mut all = Stored::default();
        let what = "x".repeat(100_000);
        for _ in 0..100 {
            all.add(&what, "socket", 1);
        }
        let bytes: usize = all.1.values().map(|body| body.to_string().len()).sum();
        assert!(bytes <= MOST_BYTES && bytes > MOST_BYTES - 110_000, "{bytes}");
    }

    #[test]
    fn failed_tries_are_counted_for_an_hour_and_push_nothing_else_out() {
        let mut all = Stored::default();
        all.add("PasswordRevealed", "socket", 0);
        for second in 1..=50 {
            all.add(LOGIN_FAILED, "10.0.0.1", second);
        }
        assert_eq!(all.count(LOGIN_FAILED), 1);
        let last = all.add(LOGIN_FAILED, "10.0.0.1", 51);
        assert_eq!((last.count, last.at.as_str()), (51, "1970-01-01T00:00:01Z"));
        assert_eq!((last.last_at.as_str(), last.sequence), ("1970-01-01T00:00:51Z", 52));
        assert_eq!(all.add(LOGIN_FAILED, "10.0.0.1", 51 + 3_600).count, 1);
        assert_eq!(all.count(LOGIN_FAILED), 2);
        for n in 0..20_000 {
            all.add(LOGIN_FAILED, &format!("net {n}"), 4_000);
        }
        assert_eq!((all.count(LOGIN_FAILED), all.count("PasswordRevealed")), (MOST_FAILED, 1));
        assert_eq!(all.0.failing.len(), MOST_FAILED);
    }
}
