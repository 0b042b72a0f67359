//! The prune guard: a scan that would remove too much removes nothing, nor one in which a file that may still
//! be meant is the only sign of a removal. Pure.

use super::holds::Hold;
use crate::core::desired::stable_hash;
use crate::core::names::ObjectRef;
use crate::manifest::load::Directory as Scan;
use std::collections::{BTreeMap, BTreeSet};

/// Why removals are held back, with the words that let them go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// Why so many at once are held back; empty when only single ones are.
    pub why: String,
    /// All that are held back.
    pub objects: BTreeSet<ObjectRef>,
    /// Those with a reason of their own.
    pub held: BTreeMap<ObjectRef, Hold>,
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
        if let (true, Some(hold)) = (self.why.is_empty(), self.held.values().next()) {
            let others = match self.held.len() {
                1 => String::new(),
                n => format!(" (and {} more: see `seawall prune`)", n - 1),
            };
            return format!("{}{others}; nothing is removed. {}", hold.words, self.way_on());
        }
        format!(
            "{}; nothing is removed ({}{more}). See `seawall prune`; bring the manifests back to lift this",
            self.why,
            names.join(", ")
        )
    }

    /// What is said of one object: (condition reason, words); `None` when it is not held back.
    #[must_use]
    pub fn about(&self, object: &ObjectRef) -> Option<(&'static str, String)> {
        if let Some(hold) = self.held.get(object) {
            return Some((hold.reason, format!("{}; nothing is removed. {}", hold.words, self.way_on())));
        }
        self.objects.contains(object).then(|| ("PruneGuard", self.message()))
    }

    /// Why anything is held back, without what to do about it.
    #[must_use]
    pub fn headline(&self) -> String {
        let many = Some(&self.why).filter(|why| !why.is_empty());
        let mut all: Vec<&str> = many.into_iter().map(String::as_str).collect();
        all.extend(self.held.values().take(5).map(|hold| hold.words.as_str()));
        let more = self.held.len().saturating_sub(5);
        all.join("; ") + &if more > 0 { format!("; and {more} more") } else { String::new() }
    }

    fn way_on(&self) -> String {
        let all = match self.objects.len() {
            1 => String::new(),
            n => format!(" (for all {n} that are held back)"),
        };
        format!(
            "Bring its document back, or if the removal is meant{all}: seawall prune --confirm {}",
            self.confirm_words()
        )
    }
}

/// Whether the removal of `gone` out of `known` objects is held back, and of those that are `held` by themselves.
/// `Err`: all of these may go, as `confirmed` says.
///
/// # Errors
/// With what a confirmation lets go.
pub fn judge(
    scan: &Scan,
    known: usize,
    gone: &BTreeSet<ObjectRef>,
    held: BTreeMap<ObjectRef, Hold>,
    confirmed: Option<&str>,
) -> Result<Option<Guard>, BTreeSet<ObjectRef>> {
    let many = too_many(scan, known, gone);
    if many.is_none() && held.is_empty() {
        return Ok(None);
    }
    let mut objects: BTreeSet<ObjectRef> = held.keys().cloned().collect();
    if many.is_some() {
        objects.extend(gone.iter().cloned());
    }
    let guard = Guard { why: many.unwrap_or_default(), objects, held };
    if confirmed == Some(guard.confirm_words().as_str()) { Err(guard.objects) } else { Ok(Some(guard)) }
}

fn too_many(scan: &Scan, known: usize, gone: &BTreeSet<ObjectRef>) -> Option<String> {
    if gone.is_empty() {
        return None;
    }
    Some(match scan {
        Scan::Missing => "the manifest directory is missing".to_owned(),
        Scan::Empty => "the manifest directory has no manifests".to_owned(),
        Scan::Unreadable(error) => format!("the manifest directory cannot be read ({error})"),
        Scan::Present if gone.len() > 1 && gone.len() * 2 > known => {
            format!("{} of {known} manifests are gone at once", gone.len())
        }
        Scan::Present => return None,
    })
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
            let guard = judge(&scan, known, &refs(gone), BTreeMap::new(), None).unwrap();
            assert_eq!(guard.is_some(), held, "{scan:?} {known} {gone}");
        }
    }

    #[test]
    fn a_confirmation_fits_one_set_only() {
        let none = BTreeMap::new;
        let guard = judge(&Scan::Empty, 3, &refs(3), none(), None).unwrap().unwrap();
        let words = guard.confirm_words();
        assert_eq!(judge(&Scan::Empty, 3, &refs(3), none(), Some(&words)), Err(refs(3)));
        assert!(judge(&Scan::Empty, 3, &refs(2), none(), Some(&words)).unwrap().is_some());
        assert!(guard.message().contains("seawall prune"), "{}", guard.message());
    }

    #[test]
    fn what_is_held_by_itself_says_the_command_that_lets_it_go() {
        let hold = |n: usize| {
            let words = format!("f{n}.yaml is still there");
            (format!("postgres/h{n}").parse().unwrap(), Hold { reason: "ManifestHeld", words })
        };
        let held: BTreeMap<ObjectRef, Hold> = [hold(1)].into();
        // The one that is simply gone goes; a confirmation is about the other.
        let guard = judge(&Scan::Present, 9, &refs(1), held.clone(), None).unwrap().unwrap();
        assert_eq!(guard.objects.len(), 1);
        let command = format!("seawall prune --confirm {}", guard.confirm_words());
        let (reason, words) = guard.about(&hold(1).0).unwrap();
        assert_eq!(reason, "ManifestHeld");
        assert!(words.contains("f1.yaml is still there") && words.ends_with(&command), "{words}");
        assert_eq!(guard.about(&"postgres/p0".parse().unwrap()), None);
        assert!(guard.message().contains(&command), "{}", guard.message());
        let words = guard.confirm_words();
        let let_go = judge(&Scan::Present, 9, &refs(1), held.clone(), Some(&words)).unwrap_err();
        assert_eq!(let_go, held.keys().cloned().collect());
        // Too many at once, and one by itself: one confirmation for what is shown.
        let guard = judge(&Scan::Present, 3, &refs(2), held, None).unwrap().unwrap();
        assert_eq!(guard.objects.len(), 3);
        assert_eq!(guard.about(&"postgres/p0".parse().unwrap()).unwrap().0, "PruneGuard");
    }
}
