//! The document of an object as a client sends it: a manifest, or what was told of the object, changed. Pure.

use crate::core::names::ObjectRef;
use crate::manifest::load::{FileText, load_texts};
use serde_json::Value;
use std::collections::BTreeMap;

/// What is told of an object and stands in no manifest.
const TOLD: [&str; 2] = ["status", "notSavedSince"];
/// The same of its metadata.
const TOLD_OF_IT: [&str; 8] = [
    "uid",
    "id",
    "generation",
    "resourceVersion",
    "managedBy",
    "creationTimestamp",
    "ownerReferences",
    "source",
];

/// The manifest (or patch) in it, as it was written where it is nothing else, and the `resourceVersion` that it was made of. Only JSON
/// is told, so only JSON is sent back.
#[must_use]
pub fn manifest(text: String) -> (String, Option<String>) {
    let Ok(Value::Object(mut document)) = serde_json::from_str(&text) else { return (text, None) };
    let before = document.clone();
    document.retain(|field, _| !TOLD.contains(&field.as_str()));
    let mut version = None;
    if let Some(metadata) = document.get_mut("metadata").and_then(Value::as_object_mut) {
        version = metadata.get("resourceVersion").and_then(Value::as_str).map(str::to_owned);
        metadata.retain(|field, _| !TOLD_OF_IT.contains(&field.as_str()));
    }
    if document == before { (text, None) } else { (Value::Object(document).to_string(), version) }
}

/// Whose document it is, where that can be told.
#[must_use]
pub fn named(text: &str) -> Option<ObjectRef> {
    let file = FileText::Bytes(text.as_bytes().to_vec());
    let documents = load_texts(BTreeMap::from([(String::new(), file)])).documents;
    let [document] = &documents[..] else { return None };
    Some(document.object.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_only_told_is_left_out_and_says_which_version_it_is_of() {
        let told = r#"{"apiVersion":"seawall.dev/v1","kind":"Redis","metadata":{"name":"a","uid":"u","id":3,"generation":1,"resourceVersion":"7.1.u","managedBy":"api","creationTimestamp":"t","labels":{"id":"x"}},"spec":{"status":1},"status":{},"notSavedSince":"t"}"#;
        let kept = r#"{"apiVersion":"seawall.dev/v1","kind":"Redis","metadata":{"name":"a","labels":{"id":"x"}},"spec":{"status":1}}"#;
        assert_eq!(manifest(told.to_owned()), (kept.to_owned(), Some("7.1.u".to_owned())));
        assert_eq!(named(kept).unwrap().to_string(), "redis/a");
        for as_it_is in ["{ \"spec\": 1 }", "metadata: {uid: u}", "[1]", "", "{"] {
            assert_eq!(manifest(as_it_is.to_owned()), (as_it_is.to_owned(), None));
            assert_eq!(named(as_it_is), None);
        }
    }
}
