//! What earlier looks teach about this one: rates, and how long something has been so. Lost with the process, and then
//! learnt anew; must never make a rate out of counters that began again.

use super::pressure::{Forecast, Pressure, Watched};
use super::reading::Reading;
use crate::core::seen::Space;

/// Seconds without a segment archived, while some wait.
const STALLED: i64 = 300;
/// Looks with failures, and no success since.
const FAILING: u32 = 2;

/// What is known after a look.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trend {
    /// Seconds of a clock that only goes forward.
    at: i64,
    lsn: Option<i64>,
    archived: Option<u64>,
    failed: Option<u64>,
    /// Looks that saw new failures since the last success.
    pub failing: u32,
    /// Since when segments wait and none was archived.
    waits: Option<i64>,
    free: Watched,
    pub pressure: Pressure,
    /// Bytes of WAL a second since the look before.
    pub rate: Option<f64>,
}

impl Trend {
    /// With what this look told; `now`: seconds of a clock that only goes forward.
    #[must_use]
    pub fn after(&self, reading: &Reading, disk: Option<Space>, now: i64) -> Self {
        let mut next = self.clone();
        next.at = now;
        next.wal(reading, now - self.at);
        next.archiver(reading);
        next.backlog(reading, self.archived, now);
        if let Some(space) = disk {
            next.free.push(now, space.free);
            next.pressure = self.pressure.next(space, next.forecast());
        }
        next
    }

    #[must_use]
    pub fn forecast(&self) -> Option<Forecast> {
        self.free.forecast()
    }

    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.failing >= FAILING
    }

    /// For how many seconds nothing was archived although something waits, if that is too long.
    #[must_use]
    pub fn stalled(&self) -> Option<u64> {
        let since = self.waits?;
        u64::try_from(self.at - since).ok().filter(|_| self.at - since >= STALLED)
    }

    fn wal(&mut self, reading: &Reading, passed: i64) {
        let lsn = reading.position.as_ref().ok().and_then(|position| position.lsn);
        self.rate = match (self.lsn, lsn) {
            // Less than before: other data, or a server that lost some.
            (Some(before), Some(lsn)) if passed > 0 && lsn >= before =>
            {
                #[expect(clippy::cast_precision_loss, reason = "a rate has a few figures")]
                Some((lsn - before) as f64 / passed as f64)
            }
            _ => None,
        };
        self.lsn = lsn;
    }

    /// The server counts failures since its statistics were last reset: what is new is the change. It tries three times a
    /// second apart and then waits a minute, so a look without a new failure is no success.
    fn archiver(&mut self, reading: &Reading) {
        let Ok(archiver) = &reading.archiver else { return };
        let more = match self.failed {
            Some(before) if archiver.failed_count >= before => archiver.failed_count > before,
            Some(_) => archiver.failed_count > 0,
            // Nobody looked before: one that was failing is seen to fail for the first time.
            None => archiver.fails(),
        };
        if !archiver.fails() {
            self.failing = 0;
        } else if more {
            self.failing = self.failing.saturating_add(1);
        }
        self.failed = Some(archiver.failed_count);
        self.archived = Some(archiver.archived_count);
    }

    fn backlog(&mut self, reading: &Reading, before: Option<u64>, now: i64) {
        let (Ok(backlog), Ok(archiver)) = (&reading.backlog, &reading.archiver) else { return };
        if backlog.segments == 0 {
            self.waits = None;
        } else if self.waits.is_none() || before != Some(archiver.archived_count) {
            self.waits = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::reading::{Archiver, Backlog, Position};
    use super::*;

    fn reading(lsn: i64, backlog: u64, archived: u64, failed: u64, fails: bool) -> Reading {
        let (archived_at, failed_at) = if fails { (1.0, 2.0) } else { (2.0, 1.0) };
        Reading {
            position: Ok(Position { in_recovery: false, lsn: Some(lsn) }),
            backlog: Ok(Backlog { segments: backlog, other: 0 }),
            archiver: Ok(Archiver {
                archived_count: archived,
                failed_count: failed,
                last_archived_at: (archived > 0).then_some(archived_at),
                last_failed_at: (failed > 0).then_some(failed_at),
                ..Archiver::default()
            }),
            ..Reading::failed("not asked")
        }
    }

    #[test]
    fn a_rate_needs_two_looks_at_the_same_log() {
        let first = Trend::default().after(&reading(1_000, 0, 0, 0, false), None, 100);
        assert_eq!(first.rate, None);
        let second = first.after(&reading(4_000, 0, 0, 0, false), None, 130);
        assert_eq!(second.rate, Some(100.0));
        assert_eq!(second.after(&reading(4_000, 0, 0, 0, false), None, 160).rate, Some(0.0));
        assert_eq!(second.after(&reading(10, 0, 0, 0, false), None, 160).rate, None, "other data");
        assert_eq!(second.after(&reading(9_000, 0, 0, 0, false), None, 130).rate, None, "no time passed");
        let blind = second.after(&Reading::failed("away"), None, 160);
        assert_eq!(blind.rate, None);
        assert_eq!(blind.after(&reading(9_000, 0, 0, 0, false), None, 190).rate, None, "since when?");
    }

    #[test]
    fn failures_count_by_their_change_until_a_success() {
        let mut trend = Trend::default();
        for (archived, failed, fails, want) in [
            (5, 7, false, 0),
            // A lifetime count says nothing.
            (5, 7, false, 0),
            (5, 10, true, 1),
            // It waits a minute between its tries.
            (5, 10, true, 1),
            (5, 13, true, 2),
            (6, 13, false, 0),
            (6, 14, true, 1),
            // Statistics were reset.
            (0, 0, false, 0),
            (0, 3, true, 1),
            (0, 1, true, 2),
        ] {
            trend = trend.after(&reading(0, 0, archived, failed, fails), None, 0);
            assert_eq!(trend.failing, want, "{archived} {failed}");
            assert_eq!(trend.is_failing(), want >= 2);
        }
        let found = Trend::default().after(&reading(0, 1, 0, 9, true), None, 0);
        assert_eq!(found.failing, 1, "it was failing when it was first looked at");
        assert_eq!(found.after(&Reading::failed("away"), None, 0).failing, 1, "not known is no success");
    }

    #[test]
    fn what_waits_is_stalled_after_five_minutes_without_a_success() {
        let mut trend = Trend::default();
        for (now, backlog, archived, want) in [
            (0, 0, 3, None),
            (30, 1, 3, None),
            (329, 4, 3, None),
            (330, 5, 3, Some(300)),
            (400, 6, 3, Some(370)),
            // One went: it is slow, and not stalled.
            (430, 6, 4, None),
            (729, 9, 4, None),
            (730, 9, 4, Some(300)),
            (760, 0, 4, None),
            (1_060, 0, 4, None),
        ] {
            trend = trend.after(&reading(0, backlog, archived, 0, false), None, now);
            assert_eq!(trend.stalled(), want, "at {now}");
        }
    }
}
