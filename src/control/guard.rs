//! The prune guard: a scan that would remove too much removes nothing. Pure.

use crate::core::desired::stable_hash;
use crate::core::names::ObjectRef;
use crate::manifest::load::Directory as Scan;
use std::collections::BTreeSet;

/// Why removals are held back, with the words that let them go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    pub why: String,
    pub objects: BTreeSet<ObjectRef>,
}

impl Guard {
    /// Changes with the set of objects, so that a confirmation fits one set only.
    #[must_use]
    pub fn confirm_words(&self) -> String {
        let names: Vec<String> = self.objects.iter().map(ToString::to_string).collect();
        let hash = stable_hash(&names.join(" "));
        format!("remove-{}-{}", names.len(), hash.get(..6).unwrap_or_default())
    }

    #[must_use]
    pub fn message(&self) -> String {
        let names: Vec<String> = self.objects.iter().take(5).map(ToString::to_string).collect();
        let more = self.objects.len().saturating_sub(names.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!(
            "{}; nothing is removed ({}{more}). See `seawall prune`; bring the manifests back to lift this",
            self.why,
            names.join(", ")
        )
    }
}

/// Whether the removal of `gone` out of `known` objects is held back.
#[must_use]
pub fn judge(
    scan: &Scan,
    known: usize,
    gone: &BTreeSet<ObjectRef>,
    confirmed: Option<&str>,
) -> Option<Guard> {
    if gone.is_empty() {
        return None;
    }
    let why = match scan {
        Scan::Missing => "the manifest directory is missing".to_owned(),
        Scan::Empty => "the manifest directory has no manifests".to_owned(),
        Scan::Unreadable(error) => format!("the manifest directory cannot be read ({error})"),
        Scan::Present if gone.len() > 1 && gone.len() * 2 > known => {
            format!("{} of {known} manifests are gone at once", gone.len())
        }
        Scan::Present => return None,
    };
    let guard = Guard { why, objects: gone.clone() };
    if confirmed == Some(guard.confirm_words().as_str()) { None } else { Some(guard) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refs(n: usize) -> BTreeSet<ObjectRef> {
        (0..n).map(|i| format!("postgres/p{i}").parse().unwrap()).collect()
    }

    #[test]
    fn too_much_at_once_is_held_back() {
        for (scan, known, gone, held) in [
            (Scan::Present, 10, 0, false),
            (Scan::Present, 10, 5, false),
            (Scan::Present, 10, 6, true),
            (Scan::Present, 1, 1, false),
            (Scan::Present, 2, 2, true),
            (Scan::Present, 3, 2, true),
            (Scan::Missing, 1, 1, true),
            (Scan::Empty, 1, 1, true),
            (Scan::Unreadable("no".into()), 5, 1, true),
            (Scan::Missing, 5, 0, false),
        ] {
            assert_eq!(judge(&scan, known, &refs(gone), None).is_some(), held, "{scan:?} {known} {gone}");
        }
    }

    #[test]
    fn a_confirmation_fits_one_set_only() {
        let guard = judge(&Scan::Empty, 3, &refs(3), None).unwrap();
        let words = guard.confirm_words();
        assert_eq!(judge(&Scan::Empty, 3, &refs(3), Some(&words)), None);
        assert!(judge(&Scan::Empty, 3, &refs(2), Some(&words)).is_some());
        assert!(guard.message().contains("seawall prune"), "{}", guard.message());
    }
}
