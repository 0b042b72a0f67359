//! The valid word nearest to a wrong one.

use crate::core::text::{NAME, quoted, shown};

/// The candidate that was most likely meant, or `None` when nothing is near. Case does not count.
/// Of equally near ones the first is taken.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Long words cost quadratic time and are no slip of the finger.
    if word.len() > 100 {
        return None;
    }
    let lower = word.to_lowercase();
    let mut best: Option<(f64, &'a str)> = None;
    for candidate in candidates {
        let other = candidate.to_lowercase();
        // Two measures: a slip anywhere in the word, and a right beginning.
        let score = strsim::normalized_damerau_levenshtein(&lower, &other)
            .max(strsim::jaro_winkler(&lower, &other) - 0.2);
        if score >= 0.6 && best.is_none_or(|(top, _)| score > top) {
            best = Some((score, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// `did you mean "memory"? valid: cpus, memory, swap`.
#[must_use]
pub fn hint(word: &str, valid: &[&str]) -> String {
    // A list that nobody reads to its end helps nobody.
    const SHOWN: usize = 40;
    let mut list = valid.iter().take(SHOWN).map(|word| shown(word, NAME)).collect::<Vec<_>>().join(", ");
    if valid.len() > SHOWN {
        list.push_str(", …");
    }
    match (nearest(word, valid.iter().copied()), valid.is_empty()) {
        (_, true) => "nothing is allowed here".to_owned(),
        (Some(near), _) => format!("did you mean {}? valid: {list}", quoted(near)),
        (None, _) => format!("valid: {list}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let fields = ["cpus", "memory", "swap", "deletionPolicy", "database", "version", "stopped"];
        for (word, want) in [
            ("memry", Some("memory")),
            ("Memory", Some("memory")),
            ("mem", Some("memory")),
            ("cpu", Some("cpus")),
            ("deletion_policy", Some("deletionPolicy")),
            ("verison", Some("version")),
            ("db", None),
            ("xyzzy", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, fields), want, "{word}");
        }
        assert_eq!(nearest(&"m".repeat(100_000), fields), None);
        assert_eq!(nearest("postgers", ["ImageCatalog", "Postgres"]), Some("Postgres"));
    }
}
