//! Ages as kubectl prints them (`5s`, `3m20s`, `5h`, `12d`).

use crate::core::duration::human;
use jiff::Timestamp;

/// The age of an RFC 3339 time; `<unknown>` for anything else.
#[must_use]
pub fn age(time: &str, now: Timestamp) -> String {
    match time.parse::<Timestamp>() {
        Ok(time) => human(now.as_second().saturating_sub(time.as_second()).max(0).unsigned_abs()),
        Err(_) => "<unknown>".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_kubectls() {
        let now: Timestamp = "2026-08-10T12:00:00Z".parse().unwrap();
        for (time, want) in [
            ("2026-08-10T12:00:00Z", "0s"),
            ("2026-08-10T11:58:01Z", "119s"),
            ("2026-08-10T11:56:40Z", "3m20s"),
            ("2026-08-10T11:56:00Z", "4m"),
            ("2026-08-10T11:20:00Z", "40m"),
            ("2026-08-10T07:30:00Z", "4h30m"),
            ("2026-08-09T22:00:00Z", "14h"),
            ("2026-08-07T07:00:00Z", "3d5h"),
            ("2026-07-01T12:00:00Z", "40d"),
            ("2023-08-10T12:00:00Z", "3y1d"),
            ("2026-08-10T12:00:05Z", "0s"),
            ("", "<unknown>"),
        ] {
            assert_eq!(age(time, now), want, "{time}");
        }
    }
}
