//! The work queue as a pure structure: one slot per key, earliest time wins, a key never runs twice
//! at once. Time is a number of milliseconds passed in.
//!
//! Two lanes of equal width: what goes well, and what failed last time. Many objects that hang or fail
//! use up the second one and never hold up a user's change to a healthy one. What takes long gives its place in
//! the lane back, as it waits more than it works.

use std::collections::{BTreeMap, BTreeSet};

/// Runs set aside, for each place of a lane.
const ASIDE: usize = 8;

/// Where a key runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    Front,
    /// For keys whose last run failed.
    Back,
}

/// Which keys are due, waiting and running. Deterministic: ties are broken by key order. Every call is
/// logarithmic in the number of keys.
#[derive(Debug)]
pub struct Queue<K> {
    due: BTreeMap<K, u64>,
    /// The same by time, a set a lane.
    front: BTreeSet<(u64, K)>,
    back: BTreeSet<(u64, K)>,
    /// `None`: set aside.
    running: BTreeMap<K, Option<Lane>>,
    /// How many run in each lane, and beside them.
    in_front: usize,
    in_back: usize,
    aside: usize,
    /// Asked for while running: run again at this time.
    held: BTreeMap<K, u64>,
    failing: BTreeSet<K>,
    /// When the pause of a key whose last run failed is over.
    rests: BTreeMap<K, u64>,
    /// Nudged while running.
    nudged: BTreeSet<K>,
    limit: usize,
}

impl<K: Ord + Clone> Queue<K> {
    /// At most `limit` keys run at once in each lane.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            due: BTreeMap::new(),
            front: BTreeSet::new(),
            back: BTreeSet::new(),
            running: BTreeMap::new(),
            in_front: 0,
            in_back: 0,
            aside: 0,
            held: BTreeMap::new(),
            failing: BTreeSet::new(),
            rests: BTreeMap::new(),
            nudged: BTreeSet::new(),
            limit: limit.max(1),
        }
    }

    fn order(&mut self, lane: Lane) -> &mut BTreeSet<(u64, K)> {
        match lane {
            Lane::Front => &mut self.front,
            Lane::Back => &mut self.back,
        }
    }

    fn lane(&self, key: &K) -> Lane {
        if self.failing.contains(key) { Lane::Back } else { Lane::Front }
    }

    /// From its next run on, `key` runs in `lane`.
    pub fn set_lane(&mut self, key: &K, lane: Lane) {
        let waiting = self.unschedule(key);
        match lane {
            Lane::Front => {
                self.failing.remove(key);
                self.rests.remove(key);
            }
            Lane::Back => drop(self.failing.insert(key.clone())),
        }
        if let Some(at) = waiting {
            self.schedule(key.clone(), at);
        }
    }

    fn schedule(&mut self, key: K, at: u64) {
        let lane = self.lane(&key);
        self.order(lane).insert((at, key.clone()));
        self.due.insert(key, at);
    }

    fn unschedule(&mut self, key: &K) -> Option<u64> {
        let at = self.due.remove(key)?;
        let lane = self.lane(key);
        self.order(lane).remove(&(at, key.clone()));
        Some(at)
    }

    /// Ask for `key` at `at_ms`. A second request keeps the earlier time.
    pub fn add(&mut self, key: K, at_ms: u64) {
        if self.running.contains_key(&key) {
            self.held.entry(key).and_modify(|t| *t = (*t).min(at_ms)).or_insert(at_ms);
            return;
        }
        let at = self.unschedule(&key).map_or(at_ms, |old| old.min(at_ms));
        self.schedule(key, at);
    }

    /// The last run of `key` failed: until then only [`Queue::add`] makes it due.
    pub fn rest(&mut self, key: &K, until_ms: u64) {
        self.rests.insert(key.clone(), until_ms);
    }

    /// Something was seen of `key`, which may be its own run's doing: one that fails must not be hurried by
    /// what it does itself. So it is due now, but never before its pause is over.
    pub fn nudge(&mut self, key: K, now_ms: u64) {
        if self.running.contains_key(&key) {
            // How this run ends tells whether there is a pause.
            self.nudged.insert(key);
            return;
        }
        let at = self.rests.get(&key).map_or(now_ms, |until| now_ms.max(*until));
        self.add(key, at);
    }

    fn heads(&self) -> [Option<&(u64, K)>; 2] {
        [
            self.front.first().filter(|_| self.in_front < self.limit),
            self.back.first().filter(|_| self.in_back < self.limit),
        ]
    }

    /// The next key to run now, marked as running; `None` when nothing is due that has room in its lane.
    pub fn take(&mut self, now_ms: u64) -> Option<K> {
        let (_, key) = self.heads().into_iter().flatten().filter(|(at, _)| *at <= now_ms).min()?;
        let key = key.clone();
        let lane = self.lane(&key);
        self.unschedule(&key);
        match lane {
            Lane::Front => self.in_front += 1,
            Lane::Back => self.in_back += 1,
        }
        self.running.insert(key.clone(), Some(lane));
        Some(key)
    }

    fn taken(&mut self, place: Option<Lane>) -> &mut usize {
        match place {
            Some(Lane::Front) => &mut self.in_front,
            Some(Lane::Back) => &mut self.in_back,
            None => &mut self.aside,
        }
    }

    /// `key`, which runs for long, gives its place to another one. False when too many did so already.
    pub fn set_aside(&mut self, key: &K) -> bool {
        let Some(place) = self.running.get(key).copied().flatten() else { return true };
        if self.aside >= self.limit * ASIDE {
            return false;
        }
        self.running.insert(key.clone(), None);
        *self.taken(Some(place)) -= 1;
        self.aside += 1;
        true
    }

    /// `key` has finished; what was asked for meanwhile becomes due.
    pub fn done(&mut self, key: &K) {
        if let Some(place) = self.running.remove(key) {
            *self.taken(place) -= 1;
        }
        if let Some((key, at)) = self.held.remove_entry(key) {
            self.add(key, at);
        }
        if self.nudged.remove(key) {
            self.nudge(key.clone(), 0);
        }
    }

    /// Forget a key that waits. One that runs goes on, once.
    pub fn forget(&mut self, key: &K) {
        self.unschedule(key);
        self.held.remove(key);
        self.failing.remove(key);
        self.rests.remove(key);
        self.nudged.remove(key);
    }

    /// How many keys are due and wait for room, and since when the first of them does.
    #[must_use]
    pub fn overdue(&self, now_ms: u64) -> (usize, Option<u64>) {
        let due = |order: &BTreeSet<(u64, K)>| order.iter().take_while(|(at, _)| *at <= now_ms).count();
        let oldest = [self.front.first(), self.back.first()].into_iter().flatten().map(|(at, _)| *at).min();
        (due(&self.front) + due(&self.back), oldest.filter(|at| *at <= now_ms))
    }

    /// How many run: in front, in the back, and set aside.
    #[must_use]
    pub fn running(&self) -> [usize; 3] {
        [self.in_front, self.in_back, self.aside]
    }

    /// When the next waiting key with room in its lane is due.
    #[must_use]
    pub fn next_due(&self) -> Option<u64> {
        self.heads().into_iter().flatten().map(|(at, _)| *at).min()
    }

    /// Whether it runs, or is about to.
    #[must_use]
    pub fn is_due(&self, key: &K, now_ms: u64) -> bool {
        self.is_running(key) || self.due.get(key).is_some_and(|at| *at <= now_ms)
    }

    #[must_use]
    pub fn is_running(&self, key: &K) -> bool {
        self.running.contains_key(key)
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
    fn what_a_failing_run_does_itself_does_not_hurry_it() {
        let mut q = Queue::new(8);
        // Asked for, or only seen, while it ran; then how it ended; then when it is due.
        for (asked, fails, due) in
            [(false, false, Some(0)), (false, true, Some(500)), (true, true, Some(7)), (true, false, Some(0))]
        {
            q.add('a', 0);
            assert_eq!(q.take(0), Some('a'));
            q.nudge('a', 5);
            if asked {
                q.add('a', 7);
            }
            q.set_lane(&'a', if fails { Lane::Back } else { Lane::Front });
            if fails {
                q.rest(&'a', 500);
            }
            q.done(&'a');
            assert_eq!(q.next_due(), due, "{asked} {fails}");
            // Seen later.
            q.nudge('a', 20);
            assert_eq!(q.next_due(), due, "{asked} {fails}");
            q.forget(&'a');
        }
        q.rest(&'a', 500);
        for (now, due) in [(20, 500), (600, 600)] {
            q.nudge('a', now);
            assert_eq!(q.next_due(), Some(due));
            q.take(due);
            q.done(&'a');
        }
        q.add('a', 10);
        assert_eq!(q.next_due(), Some(10), "a user does not wait");
    }

    #[test]
    fn what_failed_never_holds_up_what_goes_well() {
        let mut q = Queue::new(1);
        for key in ['x', 'y'] {
            q.set_lane(&key, Lane::Back);
            q.add(key, 0);
        }
        q.add('a', 5);
        assert_eq!((q.take(5), q.take(5), q.take(5)), (Some('x'), Some('a'), None));
        assert_eq!(q.next_due(), None, "y has to wait for x");
        q.done(&'x');
        q.set_lane(&'y', Lane::Front);
        assert_eq!(q.take(5), None, "a runs in front");
        q.done(&'a');
        assert_eq!(q.take(5), Some('y'));
    }

    #[test]
    fn what_takes_long_makes_room_for_others_up_to_a_limit() {
        let mut q = Queue::new(1);
        (0..20).for_each(|key| q.add(key, 0));
        for key in 0..8 {
            assert_eq!((q.take(0), q.take(0)), (Some(key), None));
            assert!(q.set_aside(&key) && q.set_aside(&99));
        }
        assert_eq!(q.take(0), Some(8));
        assert!(!q.set_aside(&8) && q.take(0).is_none());
        q.done(&3);
        assert!(q.set_aside(&8) && q.is_running(&8) && q.is_due(&8, 0) && q.set_aside(&8));
        q.done(&8);
        assert!(!q.is_due(&8, 0));
        assert_eq!((q.take(0), q.take(0)), (Some(9), None), "a place is counted once");
    }

    #[test]
    fn what_is_due_and_waits_is_counted_with_its_age() {
        let mut q = Queue::new(1);
        assert_eq!(q.overdue(9), (0, None));
        for (key, at) in [('a', 1), ('b', 3), ('c', 5), ('d', 7)] {
            q.add(key, at);
        }
        q.set_lane(&'b', Lane::Back);
        assert_eq!((q.overdue(5), q.running()), ((3, Some(1)), [0, 0, 0]));
        assert_eq!((q.take(5), q.take(5)), (Some('a'), Some('b')));
        assert_eq!((q.overdue(5), q.running()), ((1, Some(5)), [1, 1, 0]));
        assert!(q.set_aside(&'a'));
        assert_eq!((q.overdue(4), q.running()), ((0, None), [0, 1, 1]));
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
