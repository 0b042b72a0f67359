//! What two looks tell together. Must never make a rate out of counters that began again: one that went back was reset, or a
//! database went with what it had counted.

use super::reading::Totals;
use serde::Serialize;

/// Since the look before. Absent is what cannot be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Rates {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commits_per_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollbacks_per_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temp_bytes_per_s: Option<f64>,
    /// Of the blocks that were asked for, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_hit_ratio: Option<f64>,
}

impl Rates {
    /// `secs`: between the two.
    #[must_use]
    pub fn between(before: &Totals, now: &Totals, secs: i64) -> Self {
        let more = |of: fn(&Totals) -> u64| of(now).checked_sub(of(before));
        let per_second = |more: u64| (secs > 0).then(|| rounded(float(more) / seconds(secs)));
        let commits = more(|t| t.commits);
        // They are reset together.
        if commits.is_none() {
            return Self::default();
        }
        let blocks = more(|t| t.blocks_hit).zip(more(|t| t.blocks_read));
        Self {
            commits_per_s: commits.and_then(per_second),
            rollbacks_per_s: more(|t| t.rollbacks).and_then(per_second),
            temp_bytes_per_s: more(|t| t.temp_bytes).and_then(per_second),
            cache_hit_ratio: blocks.and_then(|(hit, read)| ratio(hit, read)),
        }
    }
}

/// Part of the blocks that were found in shared buffers, 0 to 1; `None`: nobody asked for any.
#[must_use]
pub fn ratio(hit: u64, read: u64) -> Option<f64> {
    let all = hit.checked_add(read).filter(|all| *all > 0)?;
    // Downwards: only all of them is 1.
    Some((float(hit) / float(all) * 1e4).floor() / 1e4)
}

/// Two figures behind the point.
fn rounded(rate: f64) -> f64 {
    (rate * 100.0).round() / 100.0
}

#[expect(clippy::cast_precision_loss, reason = "a rate has a few figures")]
fn float(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "seconds between two looks")]
fn seconds(secs: i64) -> f64 {
    secs as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(commits: u64, hit: u64, read: u64) -> Totals {
        Totals { commits, blocks_hit: hit, blocks_read: read, ..Totals::default() }
    }

    #[test]
    fn a_rate_needs_time_and_counters_that_went_on() {
        let before = totals(100, 1_000, 10);
        for (now, secs, commits, hit) in [
            (totals(160, 1_090, 20), 30, Some(2.0), Some(0.9)),
            (totals(100, 1_000, 10), 30, Some(0.0), None),
            // Nobody can divide by no time; a part of what was read needs none.
            (totals(160, 1_100, 10), 0, None, Some(1.0)),
            (totals(160, 1_100, 10), -5, None, Some(1.0)),
            // Reset: what it has counted since then is no difference.
            (totals(3, 1_100, 10), 30, None, None),
            (totals(160, 5, 10), 30, Some(2.0), None),
            (totals(160, 1_100, 9), 30, Some(2.0), None),
        ] {
            let rates = Rates::between(&before, &now, secs);
            assert_eq!((rates.commits_per_s, rates.cache_hit_ratio), (commits, hit), "{now:?} {secs}");
        }
    }

    #[test]
    fn only_all_of_it_is_all() {
        for (hit, read, want) in [
            (0, 0, None),
            (0, 5, Some(0.0)),
            (5, 0, Some(1.0)),
            (999_999, 1, Some(0.9999)),
            (u64::MAX, 1, None),
        ] {
            assert_eq!(ratio(hit, read), want, "{hit} {read}");
        }
    }
}
