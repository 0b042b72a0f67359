//! Ages as kubectl prints them (`5s`, `3m20s`, `5h`, `12d`).

use jiff::Timestamp;

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
