//! Which parameters of a manifest are legal, judged before anything exists.
//!
//! Pure. What only a server can say (a library, a file, a time zone) is not said here; with an image of which nothing
//! is known, only what no server would take is refused.

use super::refused::refused;
use super::settings::{Known, Setting, Table};
use super::value::{whole, wrong};
use crate::core::text;
use crate::manifest::suggest;

/// Why no file may hold this, whatever server reads it. `name` in lower case.
#[must_use]
pub fn unwritable(name: &str, value: &str) -> Option<String> {
    let legal = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$')
            && !part.starts_with(|c: char| c.is_ascii_digit())
    };
    if name.len() > 63 * 2 || !name.split('.').all(legal) || name.split('.').count() > 2 {
        return Some(format!("{} is not a parameter name", text::quoted_key(name)));
    }
    if value.len() > 1000 {
        return Some(format!("the value has {} characters; at most 1000 are allowed", value.len()));
    }
    if value.trim_end_matches('\n').chars().any(char::is_control) {
        return Some("the value contains a control character or has several lines".to_owned());
    }
    if value.ends_with('\n') {
        return Some("the value ends in a line break, which | adds; write |- or put it in quotes".to_owned());
    }
    None
}

/// Why a parameter cannot be set, when that can be told without the server. `name` in lower case.
#[must_use]
pub fn refusal(known: Known, name: &str, value: &str) -> Option<String> {
    if let Some(why) = unwritable(name, value).or_else(|| refused(name, value)) {
        return Some(why);
    }
    // Extensions have the names with a dot.
    if name.contains('.') {
        return None;
    }
    // In several tables it is wrong only where it is in all of them, and in each.
    let known_as: Vec<&Setting> = known.tables().iter().filter_map(|table| table.get(name)).collect();
    if known_as.is_empty() {
        return unknown(known, name);
    }
    if known_as.len() < known.tables().len() {
        return None;
    }
    let wrong = |setting: &&Setting| {
        if setting.read_only {
            Some(format!("{} cannot be set: it tells what the server is", setting.name))
        } else {
            wrong(setting, value).or_else(|| too_short(setting, value))
        }
    };
    let words: Option<Vec<String>> = known_as.iter().map(wrong).collect();
    // The newest one speaks.
    words.and_then(|mut words| words.pop())
}

/// A login is a transaction of its own before it knows what the start-up packet sets, so nothing keeps this one from
/// ending logins, Seawall's too.
fn too_short(setting: &Setting, value: &str) -> Option<String> {
    const LEAST_MS: i64 = 1000;
    let ms = whole(setting, value).filter(|_| setting.name == "transaction_timeout")?;
    (1..LEAST_MS).contains(&ms).then(|| {
        format!(
            "transaction_timeout must be 0 or at least 1s: every login is a transaction, and {} could end it; give the role or the database a shorter one",
            text::quoted(value)
        )
    })
}

fn unknown(known: Known, name: &str) -> Option<String> {
    let shown = text::quoted_key(name);
    let elsewhere = Table::all().iter().find(|table| table.get(name).is_some());
    let Known::Version(table) = known else {
        // A fork, or a major without a table, has names of its own; a slip of the finger is none of them.
        let everywhere = Table::all().iter().flat_map(Table::names);
        let near = slip(name, everywhere).filter(|_| elsewhere.is_none())?;
        return Some(format!("{shown} is not a parameter of PostgreSQL: did you mean {near}?"));
    };
    let major = table.major;
    if let Some(other) = elsewhere {
        return Some(format!("{shown} is not a parameter of PostgreSQL {major}; {} has it", other.major));
    }
    let advice = match slip(name, table.names()).or_else(|| suggest::nearest(name, table.names())) {
        Some(near) => format!(": did you mean {near}?"),
        None => "; if the image has it all the same, name the image in spec.image instead of spec.version"
            .to_owned(),
    };
    Some(format!("{shown} is not a parameter of PostgreSQL {major}{advice}"))
}

/// The name that differs by a letter or two, when there is one: closer than any two names of servers are.
fn slip<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = if name.len() < 8 { 1 } else { 2 };
    // Nearly all others differ in length alone; comparing letters is dear.
    let near = names.filter(|other| other.len().abs_diff(name.len()) <= allowed);
    near.map(|other| (strsim::osa_distance(name, &other.to_ascii_lowercase()), other))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, other)| other)
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
