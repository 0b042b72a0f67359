//! Figures for a monitoring system: what a family of series is, and durations counted by upper bound. Names follow
//! Prometheus' conventions: base units, `_total` for what only grows.

use std::time::Duration;

/// How the values of a family move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    Gauge,
    /// Never smaller but after a start of what is counted.
    Counter,
    /// Of durations, in seconds.
    Histogram,
}

/// All series of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    pub name: &'static str,
    /// With the unit, where the name does not say it.
    pub help: &'static str,
    pub sort: Sort,
}

impl Family {
    #[must_use]
    pub const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self { name, help, sort: Sort::Gauge }
    }

    #[must_use]
    pub const fn counter(name: &'static str, help: &'static str) -> Self {
        Self { name, help, sort: Sort::Counter }
    }

    #[must_use]
    pub const fn histogram(name: &'static str, help: &'static str) -> Self {
        Self { name, help, sort: Sort::Histogram }
    }
}

/// Upper bounds of a histogram, seconds: an inspect takes a millisecond, a stop of a busy server minutes.
pub const BOUNDS: [f64; 10] = [0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0];

/// How long something took, many times.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// Those up to each of [`BOUNDS`] and above the one before.
    counts: [u64; BOUNDS.len()],
    count: u64,
    sum: f64,
}

impl Histogram {
    pub fn observe(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        if let Some(count) =
            BOUNDS.iter().zip(&mut self.counts).find(|(bound, _)| seconds <= **bound).map(|(_, count)| count)
        {
            *count += 1;
        }
        self.count += 1;
        self.sum += seconds;
    }

    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Of all, in seconds.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// Each bound with how many took no longer.
    pub fn up_to(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        BOUNDS.iter().zip(&self.counts).scan(0, |all, (bound, count)| {
            *all += count;
            Some((*bound, *all))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_is_in_every_bound_that_it_does_not_exceed() {
        let mut histogram = Histogram::default();
        for ms in [0, 1, 2, 100, 101, 300_000, 300_001] {
            histogram.observe(Duration::from_millis(ms));
        }
        let counts: Vec<u64> = histogram.up_to().map(|(_, count)| count).collect();
        assert_eq!(counts, [2, 3, 3, 4, 5, 5, 5, 5, 5, 6]);
        assert_eq!(histogram.count(), 7);
        assert!((histogram.sum() - 600.205).abs() < 1e-9);
    }
}
