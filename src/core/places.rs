//! Where the fields of a document stand: a tree of the same shape as the document, so that it costs a little for
//! each field, however long the way to it is.

use super::path::{Step, steps};
use std::collections::BTreeMap;
use std::ops::Bound;

/// Where one field stands in its document's file; lines and columns count from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FieldAt {
    /// The value.
    pub line: u32,
    pub column: u32,
    /// The key; for a list item the same as the value.
    pub key_line: u32,
    pub key_column: u32,
}

/// The places of what is directly in a mapping or list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Places {
    #[default]
    Nothing,
    Fields(BTreeMap<Box<str>, Placed>),
    Items(Vec<Placed>),
}

/// The place of one field, and those in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    pub at: FieldAt,
    pub inner: Option<Box<Places>>,
}

impl Places {
    /// The place of the field with this path, built by [`super::path`].
    #[must_use]
    pub fn get(&self, path: &str) -> Option<FieldAt> {
        let mut found = None;
        let mut places = Some(self);
        for step in steps(path) {
            let placed = places?.step(&step?)?;
            (found, places) = (Some(placed.at), placed.inner.as_deref());
        }
        found
    }

    /// The keys of the mapping at `path`.
    pub fn keys(&self, path: &str) -> impl Iterator<Item = &str> {
        let mut places = Some(self);
        for step in steps(path) {
            places = step.and_then(|step| places?.step(&step)?.inner.as_deref());
        }
        let fields = match places {
            Some(Places::Fields(fields)) => Some(fields),
            _ => None,
        };
        fields.into_iter().flatten().map(|(key, _)| key.as_ref())
    }

    /// The same as [`Places::get`], or the place of the nearest field above it.
    #[must_use]
    pub fn nearest(&self, path: &str) -> Option<FieldAt> {
        let mut found = None;
        let mut places = Some(self);
        for step in steps(path) {
            let Some(placed) = step.as_ref().and_then(|step| places?.step(step)) else { break };
            (found, places) = (Some(placed.at), placed.inner.as_deref());
        }
        found
    }

    fn step(&self, step: &Step) -> Option<&Placed> {
        match (self, step) {
            (Places::Fields(fields), Step::Field(key)) => fields.get(key.as_str()),
            // The path has only the start of a long key; several with the same start share a place.
            (Places::Fields(fields), Step::Start(start)) => fields
                .range::<str, _>((Bound::Included(start.as_str()), Bound::Unbounded))
                .take_while(|(key, _)| key.starts_with(start.as_str()))
                .find(|(key, _)| super::text::cut_key(key).1)
                .map(|(_, placed)| placed),
            (Places::Items(items), Step::Item(index)) => items.get(*index),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::path;
    use super::*;

    fn at(line: u32) -> FieldAt {
        FieldAt { line, ..FieldAt::default() }
    }

    #[test]
    fn every_path_leads_to_its_place_and_others_to_the_one_above() {
        let long = "k".repeat(80);
        let keys = [
            "plain",
            "no name at all",
            "a.b/c",
            "q\"]x",
            "back\\",
            "",
            "ä\n\u{202e}\0",
            "18",
            "[0]",
            "…",
            &long,
        ];
        let mut fields = BTreeMap::new();
        for (n, key) in keys.iter().enumerate() {
            let n = u32::try_from(n).unwrap();
            let items = vec![Placed { at: at(100 + n), inner: None }];
            fields.insert((*key).into(), Placed { at: at(n), inner: Some(Box::new(Places::Items(items))) });
        }
        let spec = Placed { at: at(50), inner: Some(Box::new(Places::Fields(fields))) };
        let places = Places::Fields([("spec".into(), spec)].into());
        for (n, key) in keys.iter().enumerate() {
            let n = u32::try_from(n).unwrap();
            let field = path::field("spec", key);
            assert_eq!(places.get(&field), Some(at(n)), "{field}");
            assert_eq!(places.get(&path::item(&field, 0)), Some(at(100 + n)), "{field}");
            assert_eq!(places.get(&path::item(&field, 1)), None, "{field}");
            assert_eq!(places.nearest(&path::item(&field, 1)), Some(at(n)), "{field}");
            assert_eq!(places.nearest(&path::field(&path::item(&field, 0), "x")), Some(at(100 + n)));
        }
        for none in ["", "x", "spec.none", "spec[0]", "spec[\"broken", "spec[x]", "spec[\"j\"…]"] {
            assert_eq!(places.get(none), None, "{none}");
        }
        assert_eq!(places.nearest("spec[\"broken"), Some(at(50)));
        assert_eq!(places.nearest("x"), None);
    }
}
