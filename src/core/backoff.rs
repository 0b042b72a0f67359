//! How long to wait before trying again: 1 s × 2ⁿ up to 5 minutes, with jitter passed in.

/// After this many passes without progress an object is `Stalled`.
pub const STALLED_AFTER: u32 = 10;

/// Longest delay, milliseconds.
pub const MAX_MS: u64 = 300_000;

/// The delay in milliseconds before attempt `failures + 1`. `jitter` is 0.0 ≤ j < 1.0 and adds up
/// to a tenth, so that many objects that failed together do not come back together.
#[must_use]
pub fn delay_ms(failures: u32, jitter: f64) -> u64 {
    let base = 1000u64.saturating_mul(1u64 << failures.saturating_sub(1).min(20)).min(MAX_MS);
    let extra = (base / 10).min(30_000);
    // The product is below 30 000 and not negative: the cast keeps the value.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let added = (extra as f64 * jitter.clamp(0.0, 1.0)) as u64;
    base + added
}

/// Longest pause between two looks at something that comes by itself, milliseconds.
const MAX_WAIT_MS: u64 = 2_000;

/// The pause before another look at what is on its way (a server that starts, say), after `waits` looks:
/// a quarter longer each time, up to 2 s, so that many slow starts at once are not slowed by looking.
#[must_use]
pub fn patience_ms(first: u64, waits: u32) -> u64 {
    let longer = first.saturating_mul(u64::from(waits.saturating_sub(1)) + 4) / 4;
    longer.min(MAX_WAIT_MS.max(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_grows_and_is_bounded() {
        for (first, waits, want) in
            [(300, 0, 300), (300, 1, 300), (300, 2, 375), (300, 5, 600), (300, 100, 2_000), (5_000, 9, 5_000)]
        {
            assert_eq!(patience_ms(first, waits), want, "{first} {waits}");
        }
    }

    #[test]
    fn doubles_and_is_bounded() {
        for (failures, want) in
            [(0, 1000), (1, 1000), (2, 2000), (3, 4000), (9, 256_000), (10, MAX_MS), (u32::MAX, MAX_MS)]
        {
            assert_eq!(delay_ms(failures, 0.0), want, "{failures}");
        }
        assert_eq!(delay_ms(1, 0.5), 1050);
        assert!(delay_ms(50, 0.999) < MAX_MS + 30_000);
    }
}
