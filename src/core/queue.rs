//! The work queue as a pure structure: one slot per key, earliest time wins, a key never runs twice
//! at once. Time is a number of milliseconds passed in.

use std::collections::{BTreeMap, BTreeSet};

/// Which keys are due, waiting and running. Deterministic: ties are broken by key order.
#[derive(Debug)]
pub struct Queue<K> {
    due: BTreeMap<K, u64>,
    running: BTreeSet<K>,
    /// Asked for while running: run again at this time.
    held: BTreeMap<K, u64>,
    limit: usize,
}

impl<K: Ord + Clone> Queue<K> {
    /// At most `limit` keys run at once.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { due: BTreeMap::new(), running: BTreeSet::new(), held: BTreeMap::new(), limit: limit.max(1) }
    }

    /// Ask for `key` at `at_ms`. A second request keeps the earlier time.
    pub fn add(&mut self, key: K, at_ms: u64) {
        let slots = if self.running.contains(&key) { &mut self.held } else { &mut self.due };
        slots.entry(key).and_modify(|t| *t = (*t).min(at_ms)).or_insert(at_ms);
    }

    /// The next key to run now, marked as running; `None` when nothing is due or the limit is reached.
    pub fn take(&mut self, now_ms: u64) -> Option<K> {
        if self.running.len() >= self.limit {
            return None;
        }
        let (key, _) = self
            .due
            .iter()
            .filter(|(_, at)| **at <= now_ms)
            .min_by(|a, b| a.1.cmp(b.1).then_with(|| a.0.cmp(b.0)))?;
        let key = key.clone();
        self.due.remove(&key);
        self.running.insert(key.clone());
        Some(key)
    }

    /// `key` has finished; what was asked for meanwhile becomes due.
    pub fn done(&mut self, key: &K) {
        self.running.remove(key);
        if let Some((key, at)) = self.held.remove_entry(key) {
            self.add(key, at);
        }
    }

    /// Forget a key that waits. One that runs goes on, once.
    pub fn forget(&mut self, key: &K) {
        self.due.remove(key);
        self.held.remove(key);
    }

    /// When the next waiting key is due; `None` when nothing waits or nothing more may run.
    #[must_use]
    pub fn next_due(&self) -> Option<u64> {
        if self.running.len() >= self.limit {
            return None;
        }
        self.due.values().min().copied()
    }

    #[must_use]
    pub fn is_running(&self, key: &K) -> bool {
        self.running.contains(key)
    }

    /// Whether nothing is due by `now_ms` and nothing runs.
    #[must_use]
    pub fn is_idle(&self, now_ms: u64) -> bool {
        self.running.is_empty() && self.due.values().all(|at| *at > now_ms)
    }

    #[must_use]
    pub fn running(&self) -> usize {
        self.running.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_time_wins() {
        let mut q = Queue::new(8);
        q.add('a', 50);
        q.add('a', 10);
        q.add('a', 90);
        assert_eq!(q.take(9), None);
        assert_eq!(q.take(10), Some('a'));
        assert_eq!(q.take(1000), None);
    }

    #[test]
    fn held_while_running_then_runs_again_once() {
        let mut q = Queue::new(8);
        q.add('a', 0);
        assert_eq!(q.take(0), Some('a'));
        q.add('a', 0);
        q.add('a', 5);
        q.add('b', 3);
        assert_eq!(q.take(3), Some('b'), "a held key does not hold up others");
        assert_eq!(q.take(3), None);
        q.done(&'a');
        assert_eq!(q.take(3), Some('a'));
        q.done(&'a');
        assert_eq!(q.take(1000), None);
    }

    #[test]
    fn the_limit_is_kept_and_order_is_by_time_then_key() {
        let mut q = Queue::new(2);
        for key in ['c', 'b', 'a'] {
            q.add(key, 1);
        }
        q.add('z', 0);
        assert_eq!((q.take(1), q.take(1), q.take(1)), (Some('z'), Some('a'), None));
        q.done(&'z');
        assert_eq!(q.take(1), Some('b'));
    }
}
