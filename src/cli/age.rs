//! Ages as kubectl prints them (`5s`, `3m20s`, `5h`, `12d`), and durations as people type them.

use jiff::Timestamp;
use std::time::Duration;

/// The age of an RFC 3339 time; `<unknown>` for anything else.
#[must_use]
pub fn age(time: &str, now: Timestamp) -> String {
    match time.parse::<Timestamp>() {
        Ok(time) => human(now.as_second().saturating_sub(time.as_second()).max(0).unsigned_abs()),
        Err(_) => "<unknown>".to_owned(),
    }
}

/// kubectl's rounding: the younger, the finer.
fn human(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |big: u64, unit: &str, small: u64, small_unit: &str| {
        if small == 0 { format!("{big}{unit}") } else { format!("{big}{unit}{small}{small_unit}") }
    };
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 => two(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, "d", hours % 24, "h"),
        691_200..63_072_000 => format!("{days}d"),
        63_072_000..252_288_000 => two(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

/// `60s`, `5m`, `1h30m`, `250ms`; a number alone is seconds.
///
/// # Errors
/// With the accepted forms.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration; write 60s, 5m, 1h30m or 250ms");
    let mut total = Duration::ZERO;
    let mut rest = text;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: u64 = rest.get(..end).and_then(|n| n.parse().ok()).ok_or_else(wrong)?;
        rest = rest.get(end..).unwrap_or_default();
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (unit, after) = rest.split_at(end);
        let millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "" if total.is_zero() && after.is_empty() => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(wrong()),
        };
        let part = number.checked_mul(millis).ok_or_else(wrong)?;
        total = total.checked_add(Duration::from_millis(part)).ok_or_else(wrong)?;
        rest = after;
    }
    // A year: longer is a slip of the finger, and far from any overflow of clocks.
    if total > Duration::from_secs(31_536_000) { Err(wrong()) } else { Ok(total) }
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

    #[test]
    fn durations_as_typed() {
        for (text, millis) in
            [("60s", 60_000), ("5m", 300_000), ("1h30m", 5_400_000), ("250ms", 250), ("7", 7_000), ("0", 0)]
        {
            assert_eq!(duration(text).unwrap(), Duration::from_millis(millis), "{text}");
        }
        for bad in ["", "s", "-1s", "5x", "1.5h", "99999999999999h", "9999999h", "5m3", "ä"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
