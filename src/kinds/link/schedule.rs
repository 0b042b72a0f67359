//! When a password is rotated by itself. Pure: which time it is, is said by whoever asks.

use jiff::civil::Time;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan, Zoned};
use std::time::Duration;

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

    fn has(self, time: Time) -> bool {
        if self.from < self.to {
            (self.from..self.to).contains(&time)
        } else {
            time >= self.from || time < self.to
        }
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
    /// When the next rotation begins, not before `now`; `last`: when the password in use was made.
    #[must_use]
    pub fn next(&self, last: Timestamp, now: Timestamp) -> Timestamp {
        let due = last.checked_add(self.every).unwrap_or(Timestamp::MAX).max(now);
        let Some(window) = self.window else { return due };
        let local = due.to_zoned(self.zone.clone());
        if window.has(local.time()) {
            return due;
        }
        let begins = |day: &Zoned| day.with().time(window.from).build().ok();
        let today = begins(&local).filter(|begin| *begin > local);
        let begin = today.or_else(|| begins(&local.checked_add(1.day()).ok()?));
        begin.map_or(due, |begin| begin.timestamp())
    }
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
