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
