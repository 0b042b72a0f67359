//! A new object with the very spec of one that no manifest names any more is probably the same database under
//! another name. Pure; it says so and decides nothing: an empty database in the place of a full one is a loss.

use super::objects::Record;
use crate::core::names::{ObjectRef, annotation};
use crate::core::resource::Document;
use crate::core::will::Rename;
use std::collections::BTreeMap;
use std::sync::Arc;

/// New name → the one it probably had, out of those in `vanished`, for which something ran. An object is new as long as nothing was made
/// for it; `seawall.dev/new: "true"` says that it really is.
#[must_use]
pub fn renames<'a>(
    vanished: impl Iterator<Item = &'a ObjectRef>,
    documents: &BTreeMap<ObjectRef, Document>,
    records: &BTreeMap<ObjectRef, Arc<Record>>,
) -> BTreeMap<ObjectRef, Rename> {
    let mut found = BTreeMap::new();
    for (old, record) in records {
        if let Some(new) = record.asked.renamed_to.clone().filter(|new| documents.contains_key(new)) {
            found.entry(new).or_insert_with(|| Rename { from: old.clone(), said: true });
        }
    }
    for old in vanished {
        let Some(record) = records.get(old).filter(|r| !r.memory.is_untouched()) else { continue };
        for (new, document) in documents.iter().filter(|(new, _)| new.kind == old.kind) {
            let is_new = records.get(new).is_none_or(|r| r.memory.is_untouched());
            let said = document.metadata.annotations.get(annotation::NEW).is_some_and(|v| v == "true");
            if is_new && !said && record.spec == document.spec {
                found.entry(new.clone()).or_insert_with(|| Rename { from: old.clone(), said: false });
            }
        }
    }
    found
}

/// What is said of the old one.
#[must_use]
pub fn words(old: &ObjectRef, new: &ObjectRef) -> String {
    format!(
        "no manifest names {old} any more, and {new} is new with the very same spec: probably the same database under another name (seawall rename {old} {new})"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::load::{FileText, load_texts};

    fn documents(list: &[(&str, &str, &str)]) -> BTreeMap<ObjectRef, Document> {
        let text: Vec<String> = list
            .iter()
            .map(|(name, annotations, spec)| {
                format!("apiVersion: seawall.dev/v1\nkind: Postgres\nmetadata: {{name: {name}, annotations: {{{annotations}}}}}\nspec: {spec}\n")
            })
            .collect();
        let files = BTreeMap::from([("a.yaml".to_owned(), FileText::Bytes(text.join("---\n").into_bytes()))]);
        load_texts(files).documents.into_iter().map(|d| (d.object.clone(), d)).collect()
    }

    #[test]
    fn the_same_spec_under_a_new_name_is_probably_the_same_database() {
        let spec = "{version: '18', database: shop}";
        let old: ObjectRef = "postgres/old".parse().unwrap();
        let made = |name: &str, spec: &str, used: bool| {
            let document = documents(&[(name, "", spec)]).into_values().next().unwrap();
            let mut record = Record::new(&document, "u".into(), "t".into());
            record.memory.edit_work(|work| work.password_generation = u64::from(used));
            (record.object.clone(), Arc::new(record))
        };
        let new = ["postgres/new"];
        type Row<'a> =
            (&'a str, Vec<(&'a str, &'a str, &'a str)>, Vec<(&'a str, &'a str, bool)>, &'a [&'a str]);
        let rows: [Row<'_>; 7] = [
            ("the same", vec![("new", "", spec)], vec![("old", spec, true)], &new),
            (
                "seen before, nothing made",
                vec![("new", "", spec)],
                vec![("old", spec, true), ("new", spec, false)],
                &new,
            ),
            ("another spec", vec![("new", "", "{version: '18'}")], vec![("old", spec, true)], &[]),
            ("in use", vec![("new", "", spec)], vec![("old", spec, true), ("new", spec, true)], &[]),
            (
                "said to be new",
                vec![("new", "seawall.dev/new: 'true'", spec)],
                vec![("old", spec, true)],
                &[],
            ),
            ("nothing to lose", vec![("new", "", spec)], vec![("old", spec, false)], &[]),
            (
                "either of two",
                vec![("a", "", spec), ("b", "", spec)],
                vec![("old", spec, true)],
                &["postgres/a", "postgres/b"],
            ),
        ];
        for (what, now, before, wanted) in rows {
            let records = before.into_iter().map(|(name, spec, used)| made(name, spec, used)).collect();
            let found = renames([&old].into_iter(), &documents(&now), &records);
            let names: Vec<String> = found.keys().map(ToString::to_string).collect();
            assert_eq!(names, wanted, "{what}");
            assert!(found.values().all(|r| r.from == old && !r.said), "{what}");
        }
    }
}
