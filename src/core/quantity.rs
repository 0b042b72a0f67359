//! Quantities as people write them: `512Mi`, `1.5`. Parsed once, printed canonically.

use super::text::{NAME, quoted, shown};
use std::fmt;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// Why a string is no quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    #[error("{} is not an amount of memory; write 512Mi, 2Gi, 1.5Gi, 500M, 1G or a number of bytes", quoted(.0))]
    Bytes(String),
    #[error(
        "{} has the unit {}; write {} (Ki, Mi, Gi, Ti are powers of 1024; k, M, G, T of 1000; no unit is bytes)",
        quoted(.0), quoted(.1), shown(.2, NAME)
    )]
    Unit(String, String, String),
    #[error("{} is negative; an amount is zero or more", quoted(.0))]
    Negative(String),
    #[error("{} is too large", quoted(.0))]
    TooLarge(String),
    #[error("{} is not a number of CPUs; write 0.5, 1.5, 2 or 500m", quoted(.0))]
    Cpus(String),
}

const UNITS: [(&str, u64); 9] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("", 1),
];

impl Bytes {
    pub const KI: u64 = 1 << 10;
    pub const MI: u64 = 1 << 20;
    pub const GI: u64 = 1 << 30;

    /// Kubernetes' forms: `512Mi`, `2Gi`, `1.5Gi`, `500M`, `1073741824`.
    ///
    /// # Errors
    /// With the accepted forms when the unit or the number is none of these; `512MB` names `512Mi`.
    pub fn parse(s: &str) -> Result<Self, QuantityError> {
        let text = s.trim();
        if text.starts_with('-') {
            return Err(QuantityError::Negative(text.to_owned()));
        }
        let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let unit = unit.trim();
        let Some((_, factor)) = UNITS.iter().find(|(u, _)| *u == unit) else {
            let guess = match unit.chars().next().map(|c| c.to_ascii_uppercase()) {
                Some('K') => "Ki",
                Some('M') => "Mi",
                Some('G') => "Gi",
                Some('T') => "Ti",
                _ => return Err(QuantityError::Bytes(text.to_owned())),
            };
            if number.is_empty() {
                return Err(QuantityError::Bytes(text.to_owned()));
            }
            return Err(QuantityError::Unit(text.to_owned(), unit.to_owned(), format!("{number}{guess}")));
        };
        let scaled = decimal(number, *factor).ok_or_else(|| QuantityError::Bytes(text.to_owned()))?;
        u64::try_from(scaled)
            .ok()
            .filter(|v| *v < 1 << 62)
            .map(Bytes)
            .ok_or_else(|| QuantityError::TooLarge(text.to_owned()))
    }
}

/// `number × factor` rounded down, for a decimal like `1.5`; `None` when it is not a number.
fn decimal(number: &str, factor: u64) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |s: &str| s.len() <= 18 && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || number.is_empty() || number.ends_with('.') {
        return None;
    }
    // `.5`, as Docker takes it.
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let part: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let scale = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    Some(whole * u128::from(factor) + part * u128::from(factor) / scale)
}

impl fmt::Display for Bytes {
    /// The largest binary unit that divides it: `512Mi`, `1Gi`, `1000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, size) in [("Ti", 1u64 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)] {
            if self.0 >= size && self.0.is_multiple_of(size) {
                return write!(f, "{}{unit}", self.0 / size);
            }
        }
        write!(f, "{}", self.0)
    }
}

/// A number of CPUs in billionths, Docker's `NanoCpus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NanoCpus(pub u64);

impl NanoCpus {
    /// `1.5`, `2` or Kubernetes' `500m`.
    ///
    /// # Errors
    /// With the accepted forms when it is none of these.
    pub fn parse(s: &str) -> Result<Self, QuantityError> {
        let text = s.trim();
        if text.starts_with('-') {
            return Err(QuantityError::Negative(text.to_owned()));
        }
        let (number, factor) = match text.strip_suffix('m') {
            Some(milli) => (milli, 1_000_000),
            None => (text, 1_000_000_000),
        };
        let value = decimal(number, factor).ok_or_else(|| QuantityError::Cpus(text.to_owned()))?;
        u64::try_from(value)
            .ok()
            .filter(|v| *v < 1 << 53)
            .map(NanoCpus)
            .ok_or_else(|| QuantityError::TooLarge(text.to_owned()))
    }
}

impl fmt::Display for NanoCpus {
    /// A decimal without trailing zeros: `1.5`, `2`, `0.25`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0 / 1_000_000_000;
        let rest = self.0 % 1_000_000_000;
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{rest:09}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_as_written() {
        for (text, bytes, printed) in [
            ("512Mi", 512 << 20, "512Mi"),
            ("1Gi", 1 << 30, "1Gi"),
            ("1.5Gi", 1536 << 20, "1536Mi"),
            ("1024Mi", 1 << 30, "1Gi"),
            ("500M", 500_000_000, "500000000"),
            ("1000", 1000, "1000"),
            (" 64Mi ", 64 << 20, "64Mi"),
        ] {
            let got = Bytes::parse(text).unwrap();
            assert_eq!(got, Bytes(bytes), "{text}");
            assert_eq!(got.to_string(), printed, "{text}");
            assert_eq!(Bytes::parse(&got.to_string()).unwrap(), got);
        }
    }

    #[test]
    fn wrong_bytes_say_what_to_write() {
        for (text, needle) in [
            ("512MB", "write 512Mi"),
            ("1gb", "write 1Gi"),
            ("-1Mi", "negative"),
            ("", "write 512Mi"),
            ("Mi", "write 512Mi"),
            ("lots", "write 512Mi"),
            ("1.Gi", "write 512Mi"),
            ("99999999999Gi", "too large"),
            ("1..5Gi", "write 512Mi"),
        ] {
            let error = Bytes::parse(text).unwrap_err().to_string();
            assert!(error.contains(needle), "{text}: {error}");
        }
    }

    #[test]
    fn cpus_as_written() {
        for (text, nano, printed) in [
            ("1.5", 1_500_000_000, "1.5"),
            (".5", 500_000_000, "0.5"),
            ("2", 2_000_000_000, "2"),
            ("250m", 250_000_000, "0.25"),
        ] {
            assert_eq!(NanoCpus::parse(text).unwrap(), NanoCpus(nano));
            assert_eq!(NanoCpus(nano).to_string(), printed);
        }
        for bad in ["-1", "two", "", "1.5.5", "NaN", "inf", "1e3"] {
            assert!(NanoCpus::parse(bad).is_err(), "{bad}");
        }
    }
}
