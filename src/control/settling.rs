//! Whether the files of a scan are whole, or somebody is still writing one. Pure.
//!
//! A text that was cut where somebody stopped to write may be a legal manifest with another value in it. So a
//! file counts once it has been left alone for a while; one that was renamed to its name is whole at once.
//! It must never keep a scan waiting for ever: a file that does not rest is left out then, and named.

use crate::manifest::load::Stamp;
use std::collections::BTreeMap;

/// A last line without an end looks cut: such a file rests so many times longer.
const CUT: u64 = 5;
/// Milliseconds after which the other files no longer wait for those that do not rest.
const PATIENCE: u64 = 10_000;

/// What a scan is to be taken for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rest {
    /// All files are whole, but these: they have been changing for too long to wait for.
    Whole(Vec<String>),
    /// Look again after so many milliseconds; nothing of the scan counts until then.
    Wait(u64),
}

/// Two clocks, in milliseconds: that of the file system's times, and one that only goes forward.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    pub wall: i128,
    pub clock: u64,
}

/// The files that do not rest yet: by name, the stamp and since when it is the same.
#[derive(Debug, Default)]
pub struct Settling {
    moving: BTreeMap<String, (Stamp, u64)>,
    since: Option<u64>,
}

impl Settling {
    /// `rest`: milliseconds that a file must be left alone. `whole`: known to be complete. `first`: nothing was
    /// read before, so nothing is taken back by a file that is cut; only what looks cut waits.
    pub fn look(
        &mut self,
        stamps: &BTreeMap<String, Stamp>,
        whole: impl Fn(&Stamp) -> bool,
        rest: u64,
        first: bool,
        now: Now,
    ) -> Rest {
        let mut moving = BTreeMap::new();
        let mut wait = 0;
        for (name, stamp) in stamps {
            let needed = if stamp.ended { rest } else { rest.saturating_mul(CUT) };
            // Milliseconds since the last write; a time in the future says nothing.
            let by_wall = u64::try_from(now.wall - stamp.written / 1_000_000).unwrap_or(0);
            // Whoever renames a file, or sets its times, has written it before.
            if by_wall >= needed || stamp.changed > stamp.written || (first && stamp.ended) || whole(stamp) {
                continue;
            }
            let since = match self.moving.get(name) {
                Some((before, since)) if before == stamp => *since,
                _ => now.clock,
            };
            let left = needed.saturating_sub(by_wall.max(now.clock.saturating_sub(since)));
            if left > 0 {
                wait = wait.max(left);
                moving.insert(name.clone(), (*stamp, since));
            }
        }
        self.moving = moving;
        if wait == 0 {
            self.since = None;
            return Rest::Whole(Vec::new());
        }
        let begun = *self.since.get_or_insert(now.clock);
        if now.clock.saturating_sub(begun) >= PATIENCE {
            return Rest::Whole(self.moving.keys().cloned().collect());
        }
        Rest::Wait(wait)
    }

    /// When to look again although nothing changes: a file that was left out may rest by then.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.moving.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: u64 = 1_000;
    const WALL: i128 = 1_000_000;

    /// Written so many milliseconds ago.
    fn stamp(ago: i128, ended: bool) -> Stamp {
        let written = (WALL - ago) * 1_000_000;
        Stamp { device: 1, inode: 7, size: 10, written, changed: written, ended }
    }

    fn look(settling: &mut Settling, stamp: Stamp, clock: u64) -> Rest {
        let stamps = BTreeMap::from([("a.yaml".to_owned(), stamp)]);
        let now = Now { wall: WALL + i128::from(clock), clock };
        settling.look(&stamps, |_| false, REST, false, now)
    }

    fn whole() -> Rest {
        Rest::Whole(Vec::new())
    }

    #[test]
    fn a_file_counts_once_it_was_left_alone() {
        for (ago, ended, rest) in [
            (2_000, true, whole()),
            (1_000, true, whole()),
            (999, true, Rest::Wait(1)),
            (0, true, Rest::Wait(1_000)),
            (2_000, false, Rest::Wait(3_000)),
            (5_000, false, whole()),
            // A clock that was set back.
            (-60_000, true, Rest::Wait(1_000)),
        ] {
            assert_eq!(look(&mut Settling::default(), stamp(ago, ended), 0), rest, "{ago} {ended}");
        }
        // The same text for long enough by our own clock, whatever the file says of its time.
        let mut settling = Settling::default();
        let future = stamp(-60_000, true);
        assert_eq!(look(&mut settling, future, 0), Rest::Wait(1_000));
        assert_eq!(look(&mut settling, future, 400), Rest::Wait(600));
        assert_eq!(look(&mut settling, Stamp { size: 11, ..future }, 900), Rest::Wait(1_000));
        assert_eq!(look(&mut settling, Stamp { size: 11, ..future }, 1_900), whole());
    }

    #[test]
    fn what_is_known_to_be_whole_counts_at_once() {
        let renamed = Stamp { changed: (WALL + 1) * 1_000_000, ..stamp(0, false) };
        assert_eq!(look(&mut Settling::default(), renamed, 0), whole());
        let (now, mut settling) = (Now { wall: WALL, clock: 0 }, Settling::default());
        let stamps = BTreeMap::from([("a.yaml".to_owned(), stamp(0, false))]);
        assert_eq!(settling.look(&stamps, |s| s.inode == 7, REST, false, now), whole());
        // At the start only what looks cut is waited for.
        assert_eq!(settling.look(&stamps, |_| false, REST, true, now), Rest::Wait(5_000));
        let stamps = BTreeMap::from([("a.yaml".to_owned(), stamp(0, true))]);
        assert_eq!(settling.look(&stamps, |_| false, REST, true, now), whole());
    }

    #[test]
    fn a_file_that_never_rests_is_left_out_in_the_end() {
        let mut settling = Settling::default();
        let mut last = whole();
        for second in 0..=10 {
            last = look(
                &mut settling,
                Stamp { size: second, ..stamp(-i128::from(second) * 1_000, true) },
                second * 1_000,
            );
            assert_eq!(last == Rest::Wait(1_000), second < 10, "{second}: {last:?}");
        }
        assert_eq!(last, Rest::Whole(vec!["a.yaml".to_owned()]));
        assert!(settling.is_waiting());
    }
}
