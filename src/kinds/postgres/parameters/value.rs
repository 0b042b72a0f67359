//! Whether a value is one that PostgreSQL takes, by the rules of its own parser (guc.c: `parse_bool`, `parse_int`,
//! `parse_real`, `convert_to_base_unit`, `config_enum_lookup_by_name`).
//!
//! Pure. It must never refuse what a server takes: where the rules depend on the C library, nothing is said. What a
//! parameter asks for beyond type, unit and range is the server's to judge.

use super::settings::{Setting, Type};
use crate::core::text::quoted;

/// A unit of memory or time, and how many of them one of the parameter's own is worth.
struct Unit {
    name: &'static str,
    /// How many base units (bytes, or microseconds) one has.
    size: f64,
}

const MEMORY: [Unit; 5] = [
    Unit { name: "TB", size: 1_099_511_627_776.0 },
    Unit { name: "GB", size: 1_073_741_824.0 },
    Unit { name: "MB", size: 1_048_576.0 },
    Unit { name: "kB", size: 1024.0 },
    Unit { name: "B", size: 1.0 },
];
const TIME: [Unit; 6] = [
    Unit { name: "d", size: 86_400_000_000.0 },
    Unit { name: "h", size: 3_600_000_000.0 },
    Unit { name: "min", size: 60_000_000.0 },
    Unit { name: "s", size: 1_000_000.0 },
    Unit { name: "ms", size: 1000.0 },
    Unit { name: "us", size: 1.0 },
];

/// The units that a value may be written in, and the size of the parameter's own; `None` when it has none.
fn units(own: &str) -> Option<(&'static [Unit], f64)> {
    let digits = own.find(|c: char| !c.is_ascii_digit()).unwrap_or(own.len());
    let (count, name) = own.split_at(digits);
    let count: f64 = if count.is_empty() { 1.0 } else { count.parse().ok()? };
    let of = |list: &'static [Unit]| {
        list.iter().find(|unit| unit.name == name).map(|unit| (list, unit.size * count))
    };
    of(&MEMORY).or_else(|| of(&TIME))
}

/// What a number in a text comes to.
enum Number {
    /// In the parameter's own unit.
    Is(f64),
    /// It is none.
    Not,
    /// It is one, and what follows is no unit of this parameter.
    Unit(String),
    /// The C library's to say: hexadecimal fractions, binary numbers.
    Unclear,
}

/// What is wrong with `value`, in words; `None` when the server takes it, or has to be asked.
#[must_use]
pub fn wrong(setting: &Setting, value: &str) -> Option<String> {
    let allowed = allowed(setting);
    let name = setting.name;
    let no = |why: &str| Some(format!("{name} must be {allowed}: {}{why}", quoted(value)));
    match &setting.kind {
        Type::Text => None,
        Type::Bool if is_bool(value) => None,
        Type::Bool => no(" is neither"),
        Type::Enum { told, further } => {
            if told.iter().chain(further).any(|word| word.eq_ignore_ascii_case(value)) {
                return None;
            }
            no(" is none of them")
        }
        Type::Integer { .. } | Type::Real { .. } => {
            let whole = matches!(setting.kind, Type::Integer { .. });
            match number(value, setting.unit, whole) {
                Number::Unclear => None,
                Number::Not => no(" is not a number"),
                Number::Unit(unit) => no(&wrong_unit(setting.unit, &unit)),
                Number::Is(n) if in_range(setting, n) => None,
                Number::Is(_) if is_bare(value) && !setting.unit.is_empty() => {
                    no(&format!(" is out of range; without a unit it counts {}", setting.unit))
                }
                Number::Is(_) => no(" is out of range"),
            }
        }
    }
}

/// The value of a whole number in the parameter's own unit, when it is one that the server takes.
#[must_use]
pub fn whole(setting: &Setting, value: &str) -> Option<i64> {
    match number(value, setting.unit, true) {
        // It was compared with a range of 32 bits.
        #[allow(clippy::cast_possible_truncation)]
        Number::Is(n) if in_range(setting, n) => Some(n as i64),
        _ => None,
    }
}

/// Bytes that one of the parameter's own unit has.
#[must_use]
pub fn bytes_each(setting: &Setting) -> u64 {
    match units(setting.unit) {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Some((list, size)) if list.len() == MEMORY.len() => size as u64,
        _ => 1,
    }
}

fn in_range(setting: &Setting, n: f64) -> bool {
    match setting.kind {
        #[allow(clippy::cast_precision_loss)]
        Type::Integer { min, max } => n >= min as f64 && n <= max as f64,
        // The greatest number is shown with a few digits of it.
        Type::Real { min, max } => n >= min && (n <= max || max > 1e308) && n.is_finite(),
        _ => false,
    }
}

/// `true`, `f`, `yes`, `of`, `1`: any beginning that is clear, in any case.
fn is_bool(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    let begins = |word: &str, least: usize| value.len() >= least && word.starts_with(&value);
    ["true", "false", "yes", "no"].iter().any(|word| begins(word, 1))
        || begins("on", 2)
        || begins("off", 2)
        || value == "1"
        || value == "0"
}

fn is_bare(value: &str) -> bool {
    value.trim().chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'))
}

fn number(value: &str, own: &str, whole: bool) -> Number {
    let text = value.trim_start_matches(is_space);
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    if is_binary(&lower) {
        return Number::Unclear;
    }
    let read = match lower.strip_prefix("0x") {
        Some(hex) if hex.contains(['.', 'p']) => return Number::Unclear,
        Some(hex) => {
            let end = hex.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(hex.len());
            match (&hex[..end], u64::from_str_radix(&hex[..end], 16)) {
                ("", _) => Some((0.0, 1)),
                #[allow(clippy::cast_precision_loss)]
                (_, Ok(n)) => Some((n as f64, end + 2)),
                (_, Err(_)) => return Number::Unclear,
            }
        }
        None if whole => integer(digits).or_else(|| decimal(digits)),
        None => decimal(digits),
    };
    let Some((n, end)) = read else { return Number::Not };
    let n = if negative { -n } else { n };
    let unit = digits[end..].trim_start_matches(is_space);
    let n = if unit.is_empty() {
        n
    } else {
        let word = unit.trim_end_matches(is_space);
        match converted(n, word, own) {
            Some(n) => n,
            None => return Number::Unit(word.to_owned()),
        }
    };
    Number::Is(if whole { n.round_ties_even() } else { n })
}

/// A number as strtol(3) reads it: octal with a zero in front. `None` where what follows makes it a decimal one.
fn integer(digits: &str) -> Option<(f64, usize)> {
    let octal = digits.len() > 1 && digits.starts_with('0');
    let (radix, last) = if octal { (8, '7') } else { (10, '9') };
    let end = digits.find(|c: char| !('0'..=last).contains(&c)).unwrap_or(digits.len());
    if end == 0 || digits[end..].starts_with(['.', 'e', 'E']) {
        return None;
    }
    // What has more than 64 bits is read as a decimal.
    #[allow(clippy::cast_precision_loss)]
    i64::from_str_radix(&digits[..end], radix).ok().map(|n| (n as f64, end))
}

/// A number as strtod(3) reads it.
fn decimal(digits: &str) -> Option<(f64, usize)> {
    let count = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let mut end = count(digits);
    let mut some = end > 0;
    if digits[end..].starts_with('.') {
        let fraction = count(&digits[end + 1..]);
        some |= fraction > 0;
        end += 1 + fraction;
    }
    if !some {
        return None;
    }
    if let Some(power) = digits[end..].strip_prefix(['e', 'E']) {
        let sign = usize::from(power.starts_with(['+', '-']));
        let digits = count(&power[sign..]);
        if digits > 0 {
            end += 1 + sign + digits;
        }
    }
    digits[..end].parse().ok().map(|n| (n, end))
}

/// `0b1`: a number by the newest C, zero and a strange unit by the others.
fn is_binary(lower: &str) -> bool {
    lower.strip_prefix("0b").is_some_and(|rest| rest.starts_with(['0', '1']))
}

/// In the parameter's own unit. A fraction is rounded to the next smaller unit, as PostgreSQL does.
fn converted(n: f64, unit: &str, own: &str) -> Option<f64> {
    let (list, size) = units(own)?;
    let at = list.iter().position(|u| u.name == unit)?;
    let n = n * (list[at].size / size);
    Some(match list.get(at + 1) {
        Some(smaller) => {
            let each = smaller.size / size;
            (n / each).round_ties_even() * each
        }
        None => n,
    })
}

fn is_space(c: char) -> bool {
    c == ' ' || ('\t'..='\r').contains(&c)
}

fn wrong_unit(own: &str, unit: &str) -> String {
    let Some((list, _)) = units(own) else {
        return format!(" has {} after the number, and this parameter has no unit", quoted(unit));
    };
    let meant = |u: &&Unit| {
        let letters = |text: &str| text.trim_end_matches(['b', 'B', 'i']).to_ascii_lowercase();
        u.name.eq_ignore_ascii_case(unit) || !letters(unit).is_empty() && letters(u.name) == letters(unit)
    };
    match list.iter().find(meant) {
        Some(right) if right.name.eq_ignore_ascii_case(unit) => {
            format!(" has the unit {}; units are case-sensitive: {}", quoted(unit), right.name)
        }
        Some(right) => format!(" has the unit {}; write {}", quoted(unit), right.name),
        None => format!(" has the unit {}", quoted(unit)),
    }
}

/// `64kB to 2147483647kB, with a unit such as kB, MB, GB`.
#[must_use]
pub fn allowed(setting: &Setting) -> String {
    let with = match setting.unit {
        "" => "",
        unit if unit.ends_with('B') => ", with a unit such as kB, MB, GB",
        _ => ", with a unit such as ms, s, min, h",
    };
    match &setting.kind {
        Type::Text => "a text".to_owned(),
        Type::Bool => "on or off".to_owned(),
        Type::Enum { told, .. } => {
            let words: Vec<&str> = told.iter().map(|w| if w.is_empty() { "\"\"" } else { *w }).collect();
            match words.split_last() {
                Some((last, [])) => (*last).to_owned(),
                Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
                None => "nothing".to_owned(),
            }
        }
        Type::Integer { min, max } => {
            format!("{} to {}{with}", amount(*min, setting.unit), amount(*max, setting.unit))
        }
        Type::Real { min, max } if *max > 1e308 => format!("a number from {min} upward{with}"),
        Type::Real { min, max } if setting.unit.is_empty() => format!("a number from {min} to {max}"),
        Type::Real { min, max } => format!("{min} to {max}{}{with}", setting.unit),
    }
}

/// A bound as it would be written: `16` of `8kB` is `128kB`. Zero and what is less mean something of their own.
fn amount(n: i64, unit: &str) -> String {
    let digits = unit.find(|c: char| !c.is_ascii_digit()).unwrap_or(unit.len());
    let (each, unit) = unit.split_at(digits);
    match (n, each.parse::<i64>()) {
        (..=0, _) => n.to_string(),
        (n, Ok(each)) => format!("{}{unit}", n.saturating_mul(each)),
        (n, Err(_)) => format!("{n}{unit}"),
    }
}

#[cfg(test)]
#[path = "value_tests.rs"]
mod tests;
