//! Durations as people type them: `60s`, `5m`, `1h30m`, `90d`. Pure.

use std::time::Duration;

/// Longer is a slip of the finger, and far from any overflow of clocks: ten years.
const LONGEST: Duration = Duration::from_secs(315_360_000);

/// `60s`, `5m`, `1h30m`, `90d`, `250ms`; a number alone is seconds.
///
/// # Errors
/// With the accepted forms.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration; write 60s, 5m, 1h30m, 90d or 250ms");
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
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        let part = number.checked_mul(millis).ok_or_else(wrong)?;
        total = total.checked_add(Duration::from_millis(part)).ok_or_else(wrong)?;
        rest = after;
    }
    if total > LONGEST { Err(wrong()) } else { Ok(total) }
}

/// Seconds as kubectl prints ages (`5s`, `3m20s`, `5h`, `12d`): the younger, the finer.
#[must_use]
pub fn human(seconds: u64) -> String {
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
    fn durations_as_typed() {
        for (text, millis) in [
            ("60s", 60_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("90d", 7_776_000_000),
            ("250ms", 250),
            ("7", 7_000),
            ("0", 0),
        ] {
            assert_eq!(duration(text).unwrap(), Duration::from_millis(millis), "{text}");
        }
        for bad in ["", "s", "-1s", "5x", "1.5h", "99999999999999h", "9999999h", "5m3", "ä"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
