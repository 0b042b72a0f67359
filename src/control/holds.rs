//! Whether an object that no document names any more counts as removed. Pure.
//!
//! Only a file that is gone is a wish. A file that is still there may be half written, and one that was put
//! away under another name is one that somebody meant to keep. It must never read such a file.

use crate::core::names::ObjectRef;
use crate::manifest::load::Loaded;
use std::collections::BTreeSet;

/// Why a removal waits for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Condition and event reason.
    pub reason: &'static str,
    pub words: String,
}

/// What ends a name under which people put a file away.
const PUT_AWAY: [&str; 8] = ["bak", "disabled", "off", "old", "orig", "save", "txt", "yaml"];

/// Why `object`, which `file` named until now, is not taken for removed. `unread_before`: the files that could
/// not be read when it was last named; none is known after a start.
#[must_use]
pub fn hold(
    object: &ObjectRef,
    file: &str,
    loaded: &Loaded,
    unread_before: Option<&BTreeSet<String>>,
) -> Option<Hold> {
    if loaded.files.contains_key(file) {
        let words = format!("{file} is still there and no longer names {object}");
        return Some(Hold { reason: "ManifestHeld", words });
    }
    if let Some(away) = put_away(file, loaded) {
        let words = format!(
            "{file} is gone, but {away} lies beside it and is not read as a manifest: {object} may be meant to stay. If not, remove {away} as well"
        );
        return Some(Hold { reason: "ManifestBroken", words });
    }
    let unread = |name: &&String| unread_before.is_none_or(|before| !before.contains(*name));
    let moved = loaded.files.iter().filter(|(_, state)| state.broken).map(|(name, _)| name).find(unread)?;
    let why = loaded.problems.iter().find(|p| p.place.file == *moved);
    let why = why.map_or_else(|| moved.clone(), ToString::to_string);
    let words =
        format!("{file} is gone, and {object} may be named in a file that cannot be understood: {why}");
    Some(Hold { reason: "ManifestBroken", words })
}

/// The name under which `file`, or a folder above it, was put away.
fn put_away<'a>(file: &str, loaded: &'a Loaded) -> Option<&'a String> {
    let mut path = file;
    loop {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let beside = |other: &&String| {
            let (there, other) = other.rsplit_once('/').unwrap_or(("", other));
            there == folder && is_put_away(name, other, path == file)
        };
        if let Some(found) = loaded.ignored.iter().find(beside) {
            return Some(found);
        }
        if folder.is_empty() {
            return None;
        }
        path = folder;
    }
}

fn is_put_away(name: &str, other: &str, is_file: bool) -> bool {
    // Locks and autosaves of editors say nothing about the file.
    if other.starts_with(['#']) || other.starts_with(".#") {
        return false;
    }
    let (name, other) = (name.to_lowercase(), other.trim_start_matches(['.', '_']).to_lowercase());
    let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem).to_owned();
    if let Some(rest) = other.strip_prefix(&name) {
        return !rest.starts_with(char::is_alphanumeric) && !rest.starts_with(".sw");
    }
    is_file
        && other
            .strip_prefix(&stem)
            .and_then(|rest| rest.strip_prefix('.'))
            .is_some_and(|end| PUT_AWAY.contains(&end.trim_end_matches('~')) || end == "yml")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::load::{FileText, load_texts};

    const OTHER: &str =
        "apiVersion: seawall.dev/v1\nkind: Postgres\nmetadata: {name: other}\nspec: {version: '18'}\n";

    fn loaded(files: &[(&str, &str)], ignored: &[&str]) -> Loaded {
        let texts = files.iter().map(|(f, t)| ((*f).to_owned(), FileText::Bytes(t.as_bytes().to_vec())));
        let mut loaded = load_texts(texts.collect());
        loaded.ignored = ignored.iter().map(|n| (*n).to_owned()).collect();
        loaded
    }

    /// The file that named it, what is there now, what is ignored, the reason and a word of why.
    type Row = (
        &'static str,
        &'static [(&'static str, &'static str)],
        &'static [&'static str],
        &'static str,
        &'static str,
    );

    const ROWS: [Row; 24] = [
        ("a.yaml", &[("o.yaml", OTHER)], &[], "", ""),
        ("a.yaml", &[("a.yaml", "")], &[], "ManifestHeld", "still there"),
        ("a.yaml", &[("a.yaml", "# nothing\n")], &[], "ManifestHeld", "still there"),
        ("a.yaml", &[("a.yaml", OTHER)], &[], "ManifestHeld", "a.yaml is still there"),
        ("a.yaml", &[("o.yaml", OTHER)], &["A.YAML"], "ManifestBroken", "A.YAML lies beside"),
        ("a.yaml", &[("o.yaml", OTHER)], &["a.yaml.disabled"], "ManifestBroken", "a.yaml.disabled"),
        ("a.yaml", &[("o.yaml", OTHER)], &[".a.yaml"], "ManifestBroken", ".a.yaml lies"),
        ("a.yaml", &[("o.yaml", OTHER)], &["a.yaml~"], "ManifestBroken", "a.yaml~"),
        ("a.yaml", &[("o.yaml", OTHER)], &["a.yaml.bak"], "ManifestBroken", "a.yaml.bak"),
        ("a.yaml", &[("o.yaml", OTHER)], &["a.bak"], "ManifestBroken", "a.bak"),
        // What is read as a manifest was not put away.
        ("a.yaml", &[("a.json", OTHER)], &[], "", ""),
        ("a.yml", &[("o.yaml", OTHER)], &["a.YAML"], "ManifestBroken", "a.YAML"),
        ("a.yaml", &[("o.yaml", OTHER)], &["a.md", "ab.yaml.bak", "b.yaml.bak"], "", ""),
        ("a.yaml", &[("o.yaml", OTHER)], &[".a.yaml.swp", "#a.yaml#", ".#a.yaml"], "", ""),
        ("t/a.yaml", &[("o.yaml", OTHER)], &["t/a.yaml.off"], "ManifestBroken", "t/a.yaml.off"),
        ("t/a.yaml", &[("o.yaml", OTHER)], &["a.yaml.off"], "", ""),
        ("t/a.yaml", &[("o.yaml", OTHER)], &[".t"], "ManifestBroken", ".t lies"),
        ("t/u/a.yaml", &[("o.yaml", OTHER)], &["t/u~"], "ManifestBroken", "t/u~"),
        ("t/a.yaml", &[("o.yaml", OTHER)], &["t.bak"], "ManifestBroken", "t.bak"),
        ("t/a.yaml", &[("o.yaml", OTHER)], &["t.txt", ".git"], "ManifestBroken", "t.txt"),
        ("a.yaml", &[("new.yaml", "a: [")], &[], "ManifestBroken", "new.yaml"),
        ("a.yaml", &[("new.yaml", "kind: Other\n")], &[], "ManifestBroken", "new.yaml"),
        ("a.yaml", &[("known.yaml", "a: [")], &[], "", ""),
        ("a.yaml", &[("known.yaml", "a: ["), ("new.yaml", "a: [")], &[], "ManifestBroken", "new.yaml"),
    ];

    #[test]
    fn a_file_that_may_still_be_meant_is_no_removal() {
        let object = "postgres/a".parse().unwrap();
        let before = BTreeSet::from(["known.yaml".to_owned()]);
        for (file, files, ignored, reason, words) in ROWS {
            let held = hold(&object, file, &loaded(files, ignored), Some(&before));
            let found = held.as_ref().map_or("", |h| h.reason);
            assert_eq!(found, reason, "{file} {ignored:?} {files:?}");
            assert!(held.is_none_or(|h| h.words.contains(words)), "{file} {ignored:?}");
        }
        // After a start nobody knows what was there before: every file that cannot be read may be it.
        assert!(hold(&object, "a.yaml", &loaded(&[("known.yaml", "a: [")], &[]), None).is_some());
    }
}
