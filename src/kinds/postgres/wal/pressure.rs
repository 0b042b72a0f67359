//! How much room a disk has left, and for how long. Two thresholds each way, so that a figure on the edge says one thing.

use crate::core::seen::Space;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Percent of the whole that is free: below the first it begins, from the second on it is over.
const LOW: (u64, u64) = (15, 17);
const CRITICAL: (u64, u64) = (5, 6);
/// Seconds until it is full: below the first it begins, from the second on it is over.
const SOON: (u64, u64) = (24 * 3600, 30 * 3600);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressure {
    #[default]
    None,
    Low,
    Critical,
}

/// How sure it is when the disk will be full, by how long it was watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    Low,
    Medium,
    High,
}

/// Seconds of watching.
const WATCHED: [(i64, Confidence); 3] =
    [(3600, Confidence::High), (1800, Confidence::Medium), (300, Confidence::Low)];
/// Seconds between figures that are kept, and how many are: two hours of them.
const APART: i64 = 120;
const MOST: usize = 61;

/// When a disk that fills at the present rate is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    pub secs: u64,
    pub confidence: Confidence,
}

/// What was free, and when (seconds of a clock that only goes forward), oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched(VecDeque<(i64, u64)>);

impl Watched {
    pub fn push(&mut self, now: i64, free: u64) {
        // The last one is always now's; it takes the place of one that is too near to the one before.
        let before = self.0.len().checked_sub(2).and_then(|at| self.0.get(at));
        let near = self.0.back().zip(before).is_some_and(|(last, before)| last.0 - before.0 < APART);
        if near {
            self.0.pop_back();
        } else if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back((now, free));
    }

    /// `None`: it was not watched for long enough, or does not get fuller.
    #[must_use]
    pub fn forecast(&self) -> Option<Forecast> {
        let ((from, before), (to, free)) = (self.0.front()?, self.0.back()?);
        let watched = to - from;
        let (_, confidence) = WATCHED.into_iter().find(|(secs, _)| watched >= *secs)?;
        let lost = before.checked_sub(*free).filter(|lost| *lost > 0)?;
        let secs = u128::from(*free) * u128::try_from(watched).ok()? / u128::from(lost);
        Some(Forecast { secs: u64::try_from(secs).unwrap_or(u64::MAX), confidence })
    }
}

impl Pressure {
    /// From what it was and what is free now.
    #[must_use]
    pub fn next(self, space: Space, forecast: Option<Forecast>) -> Self {
        let below = |(begins, over): (u64, u64), was: bool| {
            let percent = if was { over } else { begins };
            u128::from(space.free) * 100 < u128::from(space.total) * u128::from(percent)
        };
        let limit = if self == Pressure::Critical { SOON.1 } else { SOON.0 };
        // A burst of a few minutes is no rate.
        let soon = forecast.is_some_and(|f| f.confidence >= Confidence::Medium && f.secs < limit);
        if below(CRITICAL, self == Pressure::Critical) || soon {
            Pressure::Critical
        } else if below(LOW, self >= Pressure::Low) {
            Pressure::Low
        } else {
            Pressure::None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_edge_is_crossed_once() {
        use Pressure::{Critical, Low, None as No};
        let mut is = No;
        for (free, want) in [
            (150, No),
            (149, Low),
            (169, Low),
            (170, No),
            (149, Low),
            (50, Low),
            (49, Critical),
            (59, Critical),
            (60, Low),
            (0, Critical),
            (1000, No),
        ] {
            is = is.next(Space { free, total: 1000, read_only: false }, None);
            assert_eq!(is, want, "{free}");
        }
    }

    #[test]
    fn a_disk_that_is_full_within_a_day_is_critical_where_it_was_watched_for_long_enough() {
        let space = Space { free: 900, total: 1000, read_only: false };
        let at = |secs, confidence| Some(Forecast { secs, confidence });
        let (day, hour) = (24 * 3600, 3600);
        for (was, forecast, want) in [
            (Pressure::None, at(day - 1, Confidence::Low), Pressure::None),
            (Pressure::None, at(day - 1, Confidence::Medium), Pressure::Critical),
            (Pressure::None, at(day, Confidence::High), Pressure::None),
            (Pressure::Critical, at(day, Confidence::High), Pressure::Critical),
            (Pressure::Critical, at(30 * hour, Confidence::High), Pressure::None),
            (Pressure::Critical, None, Pressure::None),
        ] {
            assert_eq!(was.next(space, forecast), want, "{forecast:?}");
        }
    }

    #[test]
    fn a_rate_is_that_of_the_time_it_was_watched() {
        let watched = |figures: &[(i64, u64)]| {
            let mut watched = Watched::default();
            figures.iter().for_each(|(at, free)| watched.push(*at, *free));
            watched.forecast().map(|f| (f.secs, f.confidence))
        };
        assert_eq!(watched(&[]), None);
        assert_eq!(watched(&[(0, 1000), (299, 900)]), None, "too short");
        assert_eq!(watched(&[(0, 1000), (300, 900)]), Some((2700, Confidence::Low)));
        assert_eq!(watched(&[(0, 1000), (1799, 900)]), Some((16_191, Confidence::Low)));
        assert_eq!(watched(&[(0, 1000), (1800, 900)]), Some((16_200, Confidence::Medium)));
        assert_eq!(watched(&[(0, 1000), (3600, 999)]), Some((3_596_400, Confidence::High)));
        assert_eq!(watched(&[(0, 900), (3600, 900)]), None);
        assert_eq!(watched(&[(0, 900), (3600, 1000)]), None, "it gets emptier");
    }

    #[test]
    fn two_hours_are_kept_and_the_last_figure_is_now() {
        let mut watched = Watched::default();
        for i in 0..500 {
            watched.push(i * 30, 1_000_000 - i.unsigned_abs());
            assert_eq!(watched.0.back(), Some(&(i * 30, 1_000_000 - i.unsigned_abs())));
        }
        assert_eq!(watched.0.len(), MOST);
        let (first, last) = (watched.0.front().unwrap().0, watched.0.back().unwrap().0);
        assert!((7_080..=7_200).contains(&(last - first)), "{first} to {last}");
        let apart = watched.0.iter().zip(watched.0.iter().skip(1)).map(|(a, b)| b.0 - a.0);
        assert!(apart.rev().skip(1).all(|secs| secs == APART));
    }
}
