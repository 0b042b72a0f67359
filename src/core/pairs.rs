//! Labels and environments as an engine tells them: few pairs of short texts each, but of thousands of
//! containers at once. As a map of strings they would be most of the memory that a list of containers takes.

use std::collections::BTreeMap;
use std::fmt;

/// Sorted by key, each key once; two allocations, whatever the number of pairs.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Pairs {
    /// Keys and values alternately, without anything between them.
    text: Box<str>,
    /// Where each of them ends, in bytes.
    ends: Box<[u32]>,
}

impl Pairs {
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// By key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let start = |i: usize| i.checked_sub(1).and_then(|i| self.ends.get(i)).map_or(0, |end| *end as usize);
        let part = move |i: usize| {
            let end = self.ends.get(i).map_or(0, |end| *end as usize);
            self.text.get(start(i)..end).unwrap_or_default()
        };
        (0..self.ends.len() / 2).map(move |i| (part(2 * i), part(2 * i + 1)))
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len() / 2
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

/// Of two values of one key the last stays.
impl<K: AsRef<str>, V: AsRef<str>> FromIterator<(K, V)> for Pairs {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let pairs: Vec<(K, V)> = pairs.into_iter().collect();
        let sorted: BTreeMap<&str, &str> = pairs.iter().map(|(k, v)| (k.as_ref(), v.as_ref())).collect();
        let (mut text, mut ends) = (String::new(), Vec::with_capacity(2 * sorted.len()));
        for part in sorted.into_iter().flat_map(|(key, value)| [key, value]) {
            text.push_str(part);
            // An engine's answer of 4 GiB never gets this far.
            ends.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
        }
        Self { text: text.into(), ends: ends.into() }
    }
}

impl From<&BTreeMap<String, String>> for Pairs {
    fn from(map: &BTreeMap<String, String>) -> Self {
        map.iter().collect()
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Pairs {
    fn from(pairs: [(&str, &str); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl PartialEq<BTreeMap<String, String>> for Pairs {
    fn eq(&self, map: &BTreeMap<String, String>) -> bool {
        self.iter().eq(map.iter().map(|(k, v)| (k.as_str(), v.as_str())))
    }
}

impl fmt::Debug for Pairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_in_comes_out_sorted_and_once() {
        let pairs = Pairs::from([("b", "2"), ("a", ""), ("é", "ü=1"), ("", "x"), ("b", "3")]);
        assert_eq!(pairs.iter().collect::<Vec<_>>(), [("", "x"), ("a", ""), ("b", "3"), ("é", "ü=1")]);
        assert_eq!((pairs.get("b"), pairs.get("a"), pairs.get("ab")), (Some("3"), Some(""), None));
        assert_eq!((pairs.len(), pairs.is_empty(), Pairs::default().len()), (4, false, 0));
        assert!(Pairs::default().is_empty() && pairs.contains_key(""));
        assert_eq!(format!("{pairs:?}"), r#"{"": "x", "a": "", "b": "3", "é": "ü=1"}"#);
    }

    #[test]
    fn alike_only_when_every_pair_is() {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        // The same text, cut elsewhere.
        let (one, other) = (Pairs::from([("ab", "c")]), Pairs::from([("a", "bc")]));
        assert_ne!(one, other);
        assert!(one == map(&[("ab", "c")]) && one != map(&[("a", "bc")]));
        assert!(one != map(&[]) && one != map(&[("ab", "c"), ("d", "")]));
        assert_eq!(Pairs::from(&map(&[("ab", "c")])), one);
    }
}
