//! What figures over time are measured in, and how people read them. Pure.

use super::duration::human;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Measure")]
pub enum Unit {
    Bytes,
    BytesPerSecond,
    /// CPUs in use.
    Cores,
    #[default]
    Count,
    PerSecond,
    /// A part of a hundred.
    Percent,
    Seconds,
}

impl Unit {
    /// A figure with its unit, rounded: `1.5Gi`, `0.25`, `12/s`.
    #[must_use]
    pub fn text(self, value: f64) -> String {
        match self {
            Unit::Bytes => bytes(value),
            Unit::BytesPerSecond => format!("{}/s", bytes(value)),
            Unit::Cores | Unit::Count => short(value),
            Unit::PerSecond => format!("{}/s", short(value)),
            Unit::Percent => format!("{}%", short(value)),
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds, from 0")]
            Unit::Seconds => human(value.max(0.0).round() as u64),
        }
    }
}

/// The nearest, of binary units: what is kept of a figure is not exact, so that rounding down would say 127Mi of 128Mi.
fn bytes(value: f64) -> String {
    let units = [("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10)];
    let scaled = units.into_iter().map(|(unit, bits)| (unit, value / f64::from(bits).exp2()));
    let largest = scaled.into_iter().find(|(_, scaled)| *scaled >= 0.9995);
    largest.map_or_else(|| short(value), |(unit, scaled)| format!("{}{unit}", short(scaled)))
}

/// Three figures, without zeros that say nothing.
fn short(value: f64) -> String {
    let text = match value.abs() {
        99.95.. => return format!("{value:.0}"),
        9.995.. => format!("{value:.1}"),
        0.0995.. => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_as_people_read_them() {
        for (unit, value, text) in [
            (Unit::Bytes, 0.0, "0"),
            (Unit::Bytes, 512.0, "512"),
            (Unit::Bytes, 134_200_000.0, "128Mi"),
            (Unit::Bytes, 1.5 * 1_073_741_824.0, "1.5Gi"),
            (Unit::BytesPerSecond, 2_097_152.0, "2Mi/s"),
            (Unit::Cores, 0.25, "0.25"),
            (Unit::Cores, 0.0031, "0.0031"),
            (Unit::Count, 12.0, "12"),
            (Unit::Count, 12.34, "12.3"),
            (Unit::Count, 1_234.0, "1234"),
            (Unit::PerSecond, 0.5, "0.5/s"),
            (Unit::Percent, 99.12, "99.1%"),
            (Unit::Seconds, 200.0, "3m20s"),
        ] {
            assert_eq!(unit.text(value), text, "{unit:?} {value}");
        }
    }
}
