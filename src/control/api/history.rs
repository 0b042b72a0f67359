//! Figures over time, as they are told over the wire.

use crate::core::measure::Unit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is known of one object over time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct HistoryView {
    /// `postgres/main`
    pub object: String,
    /// Seconds since 1970, both belong to it.
    pub from: i64,
    pub to: i64,
    /// Seconds between two points where none is missing.
    pub step: i64,
    /// By name; those of which nothing is known in this time are left out.
    pub series: Vec<SeriesView>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SeriesView {
    pub name: String,
    pub unit: Unit,
    pub last: f64,
    pub min: f64,
    pub max: f64,
    /// Oldest first; what is not known is missing.
    pub points: Vec<Point>,
}

/// A sample, or an average of several with the most among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Point {
    /// Seconds since 1970: when it begins.
    pub at: i64,
    pub mean: f64,
    pub max: f64,
}

impl SeriesView {
    #[must_use]
    pub fn of(name: String, unit: Unit, points: Vec<Point>) -> Self {
        let fold = |of: fn(&Point) -> f64, pick: fn(f64, f64) -> f64| points.iter().map(of).reduce(pick);
        Self {
            name,
            unit,
            last: points.last().map_or(0.0, |point| point.mean),
            min: fold(|point| point.mean, f64::min).unwrap_or_default(),
            max: fold(|point| point.max, f64::max).unwrap_or_default(),
            points,
        }
    }
}
