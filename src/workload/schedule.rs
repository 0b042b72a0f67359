//! When a password is rotated by itself. Pure: which time it is, is said by whoever asks.

use super::check::Found;
use crate::core::duration::duration;
use crate::core::path;
use crate::manifest::scalar::Text;
use jiff::civil::{Date, Time};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan};
use std::time::Duration;

/// Each rotation is a login and a write or more.
const OFTENEST: Duration = Duration::from_secs(3_600);
/// The longest wait for one: a clock that is set anew, or a host that slept, is noticed by then.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);
/// The shortest: timers may be early.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
/// Clocks are set anew, and whole days are left out; more than one such day in a row there never was.
const DAYS: i64 = 3;

/// Every so often, and only at some time of the day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    pub every: Duration,
    pub window: Option<Window>,
    pub zone: TimeZone,
}

/// From the first of them, on the clock of a wall, until before the other one; over midnight, where that one is the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub from: Time,
    pub to: Time,
}

impl Window {
    /// `02:00-04:00`
    ///
    /// # Errors
    /// With the accepted form.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no time of the day; write 02:00-04:00");
        let time = |text: &str| {
            let (hour, minute) = text.trim().split_once(':')?;
            let short = hour.len() <= 2 && minute.len() == 2;
            Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok().filter(|_| short)
        };
        let (from, to) = text.split_once('-').ok_or_else(wrong)?;
        let (from, to) = time(from).zip(time(to)).ok_or_else(wrong)?;
        if from == to {
            return Err("it begins when it ends; leave it out for any time".to_owned());
        }
        Ok(Self { from, to })
    }

    /// That of the night of `day`: from when, until before when. On a clock that is put forward meanwhile, what is not on it
    /// begins and ends when it would have.
    fn on(self, day: Date, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        let until = if self.from < self.to { day } else { day.checked_add(1.day()).ok()? };
        let at = |day: Date, time: Time| zone.to_timestamp(day.to_datetime(time)).ok();
        Some((at(day, self.from)?, at(until, self.to)?))
    }
}

/// By its name in the IANA database, which is compiled in: a container has none.
///
/// # Errors
/// When there is none of this name.
pub fn zone(name: &str) -> Result<TimeZone, String> {
    let none = |_| format!("there is no time zone {name:?}; write its name, as Europe/Berlin");
    TimeZoneDatabase::bundled().get(name).map_err(none)
}

impl Schedule {
    /// What a manifest says at `spec.rotation`; `None`: nothing of when. Problems go into `found`.
    pub fn check(
        every: Option<&Text>,
        window: Option<&Text>,
        time_zone: Option<&Text>,
        found: &mut Found<'_>,
    ) -> Option<Self> {
        const AT: &str = "spec.rotation";
        let mut of = |name: &str, why: String| found.add(&path::field(AT, name), why);
        let long = |text: &Text| {
            let long = duration(&text.0)?;
            if long < OFTENEST { Err("every hour is the most often".to_owned()) } else { Ok(long) }
        };
        let long = every.and_then(|text| long(text).map_err(|why| of("every", why)).ok());
        let within = window.and_then(|text| Window::parse(&text.0).map_err(|why| of("window", why)).ok());
        let by = time_zone.and_then(|text| zone(&text.0).map_err(|why| of("timeZone", why)).ok());
        if every.is_none() && (window.is_some() || time_zone.is_some()) {
            found.add(AT, "a window without `every` says nothing");
        }
        Some(Self { every: long?, window: within, zone: by.unwrap_or(TimeZone::UTC) })
    }

    /// When the next rotation begins, not before `now`; `last`: when the password in use was made. That alone it counts from:
    /// one that was missed moves no other.
    #[must_use]
    pub fn next(&self, last: Timestamp, now: Timestamp) -> Timestamp {
        let due = last.checked_add(self.every).unwrap_or(Timestamp::MAX).max(now);
        let Some(window) = self.window else { return due };
        let day = due.to_zoned(self.zone.clone()).date();
        let windows = (-1..=DAYS).filter_map(|n| window.on(day.checked_add(n.days()).ok()?, &self.zone));
        let next = windows.into_iter().find(|(from, to)| from < to && due < *to);
        next.map_or(due, |(from, _)| due.max(from))
    }
}

/// How a schedule stands at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The next rotation begins now.
    pub now: bool,
    /// RFC 3339: when it begins, if that is later.
    pub next: Option<String>,
    /// When to look again for it, in milliseconds.
    pub again_ms: Option<u64>,
}

impl Due {
    /// `last`: when the password in use was made (RFC 3339). Of one that nobody knows this of nothing is due.
    #[must_use]
    pub fn at(now: Timestamp, schedule: Option<&Schedule>, last: &str) -> Self {
        let Some((schedule, last)) = schedule.zip(last.parse().ok()) else { return Self::default() };
        let next = schedule.next(last, now);
        if next <= now {
            // Whatever it waits for wakes; that its window is over does not.
            return Self { now: true, next: None, again_ms: millis(LONGEST_WAIT) };
        }
        let left = Duration::try_from(next.duration_since(now)).unwrap_or(LONGEST_WAIT);
        let again_ms = millis(left.clamp(SHORTEST_WAIT, LONGEST_WAIT));
        Self { now: false, next: Some(format!("{next:.0}")), again_ms }
    }
}

fn millis(time: Duration) -> Option<u64> {
    u64::try_from(time.as_millis()).ok().map(|ms| ms.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_next_one_is_in_the_window_and_never_in_the_past() {
        for (window, place, last, now, want) in [
            (None, "UTC", "2026-01-01T12:00:00Z", "2026-01-02T00:00:00Z", "2026-01-31T12:00:00Z"),
            (None, "UTC", "2026-01-01T12:00:00Z", "2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z"),
            (
                Some("11:00-13:00"),
                "UTC",
                "2026-01-01T12:00:00Z",
                "2026-01-02T00:00:00Z",
                "2026-01-31T12:00:00Z",
            ),
            (
                Some("02:00-04:00"),
                "UTC",
                "2026-01-01T12:00:00Z",
                "2026-01-02T00:00:00Z",
                "2026-02-01T02:00:00Z",
            ),
            (
                Some("14:00-15:00"),
                "UTC",
                "2026-01-01T12:00:00Z",
                "2026-01-02T00:00:00Z",
                "2026-01-31T14:00:00Z",
            ),
            // The end is not in it.
            (
                Some("11:00-12:00"),
                "UTC",
                "2026-01-01T12:00:00Z",
                "2026-01-02T00:00:00Z",
                "2026-02-01T11:00:00Z",
            ),
            // Over midnight.
            (
                Some("23:00-01:00"),
                "UTC",
                "2026-01-01T00:30:00Z",
                "2026-01-02T00:00:00Z",
                "2026-01-31T00:30:00Z",
            ),
            (
                Some("23:00-01:00"),
                "UTC",
                "2026-01-01T02:00:00Z",
                "2026-01-02T00:00:00Z",
                "2026-01-31T23:00:00Z",
            ),
            // What was missed waits for the next window.
            (
                Some("02:00-04:00"),
                "UTC",
                "2026-01-01T12:00:00Z",
                "2026-05-05T05:00:00Z",
                "2026-05-06T02:00:00Z",
            ),
            (
                Some("02:00-04:00"),
                "Europe/Berlin",
                "2026-01-01T12:00:00Z",
                "2026-01-02T00:00:00Z",
                "2026-02-01T01:00:00Z",
            ),
            // In the night when 02:00 is not on the clock it begins when that would have been.
            (
                Some("02:00-02:30"),
                "Europe/Berlin",
                "2026-02-26T12:00:00Z",
                "2026-03-01T00:00:00Z",
                "2026-03-29T01:00:00Z",
            ),
        ] {
            let every = Duration::from_secs(30 * 86_400);
            let window = window.map(|window| Window::parse(window).unwrap());
            let schedule = Schedule { every, window, zone: zone(place).unwrap() };
            assert_eq!(schedule.next(time(last), time(now)), time(want), "{window:?} {place} {last} {now}");
        }
    }

    fn schedule(every: u64, window: &str, place: &str) -> Schedule {
        let window = (!window.is_empty()).then(|| Window::parse(window).unwrap());
        Schedule { every: Duration::from_secs(every), window, zone: zone(place).unwrap() }
    }

    /// As it is run: at each moment that it names, a new password is made.
    #[test]
    fn each_one_comes_when_it_was_said_to_come() {
        const HOUR: u64 = 3_600;
        const DAY: u64 = 24 * HOUR;
        for (every, window, place, first, want) in [
            // Shorter than the window, and as long as the day.
            (
                HOUR,
                "02:00-04:00",
                "UTC",
                "2026-01-01T12:00:00Z",
                ["01-02T02:00", "01-02T03:00", "01-03T02:00"],
            ),
            (
                DAY,
                "23:30-00:30",
                "UTC",
                "2026-01-01T12:00:00Z",
                ["01-02T23:30", "01-03T23:30", "01-04T23:30"],
            ),
            (DAY, "", "UTC", "2026-01-01T12:00:00Z", ["01-02T12:00", "01-03T12:00", "01-04T12:00"]),
            // The clock is put forward at 02:00 on the 29th: what is not on it begins when it would have.
            (
                DAY,
                "02:10-02:20",
                "Europe/Berlin",
                "2026-03-27T00:00:00Z",
                ["03-28T01:10", "03-29T01:10", "03-31T00:10"],
            ),
            // There the window is none, and that night is left out.
            (
                DAY,
                "02:30-03:30",
                "Europe/Berlin",
                "2026-03-27T00:00:00Z",
                ["03-28T01:30", "03-30T00:30", "03-31T00:30"],
            ),
            // And back at 03:00 on October 25th: of two hours the first.
            (
                DAY,
                "02:10-02:20",
                "Europe/Berlin",
                "2026-10-22T12:00:00Z",
                ["10-24T00:10", "10-25T00:10", "10-26T01:10"],
            ),
        ] {
            let schedule = schedule(every, window, place);
            let (mut last, mut now, mut got) = (time(first), time(first), Vec::new());
            for _ in want {
                let next = schedule.next(last, now);
                assert_eq!(schedule.next(last, next), next, "{window} {place}: it is in its window");
                let due = Due::at(next, Some(&schedule), &last.to_string());
                assert!(due.now && due.next.is_none(), "{window} {place} {due:?}");
                got.push(next.to_string()[5..16].to_owned());
                (last, now) = (next, next);
            }
            assert_eq!(got, want, "{window} {place}");
        }
    }

    #[test]
    fn it_is_looked_for_in_time_and_not_all_the_time() {
        let last = "2026-01-01T00:00:00Z";
        for (now, next, again_ms) in [
            ("2026-01-01T00:00:00Z", Some("2026-01-31T00:00:00Z"), 3_600_001),
            ("2026-01-30T23:59:00Z", Some("2026-01-31T00:00:00Z"), 60_001),
            ("2026-01-30T23:59:59.9999Z", Some("2026-01-31T00:00:00Z"), 1_001),
            ("2026-01-31T00:00:00Z", None, 3_600_001),
        ] {
            let due = Due::at(time(now), Some(&schedule(30 * 86_400, "", "UTC")), last);
            assert_eq!((due.now, due.next.as_deref(), due.again_ms), (next.is_none(), next, Some(again_ms)));
        }
        // What was missed is due in the next window, and not before.
        let windowed = schedule(30 * 86_400, "02:00-04:00", "UTC");
        let due = Due::at(time("2026-05-05T05:00:00Z"), Some(&windowed), last);
        assert_eq!((due.now, due.next.as_deref()), (false, Some("2026-05-06T02:00:00Z")));
        for (of, last) in [(None, last), (Some(&windowed), ""), (Some(&windowed), "long ago")] {
            assert_eq!(Due::at(time("2030-01-01T00:00:00Z"), of, last), Due::default(), "{last}");
        }
    }

    #[test]
    fn windows_and_zones_as_typed() {
        assert!(Window::parse("2:00 - 04:30").is_ok());
        for bad in ["", "02:00", "02:00-", "25:00-26:00", "02:00-02:00", "02:00-04:61", "2-4", "-1:00-02:00"]
        {
            assert!(Window::parse(bad).is_err(), "{bad}");
        }
        assert!(zone("Europe/Berlin").is_ok() && zone("Middle/Earth").is_err());
    }
}
