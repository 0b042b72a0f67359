//! What differs between two documents: as the paths of fields, as the YAML that somebody would paste, and as a merge patch
//! (RFC 7396). Pure.

use crate::core::path;
use serde_json::{Map, Value};

/// Paths that are told.
const MAX_PATHS: usize = 20;

/// The fields below `parent` in which two values differ, the deepest that tell it; a list is one field. Never a value:
/// where a document is shown is not where this is.
#[must_use]
pub fn paths(parent: &str, old: &Value, new: &Value) -> Vec<String> {
    let mut found = Vec::new();
    differ(parent, old, new, &mut |path, _| found.push(path.to_owned()));
    if found.len() > MAX_PATHS {
        let more = found.len() - MAX_PATHS;
        found.truncate(MAX_PATHS);
        found.push(format!("{more} more"));
    }
    found
}

/// The YAML that makes `old` what `new` is: the fields that are to be written, below their parents, and what is to be removed.
#[must_use]
pub fn yaml(old: &Value, new: &Value) -> String {
    let mut removed = Vec::new();
    differ("", old, new, &mut |path, there| {
        if !there {
            removed.push(path.to_owned());
        }
    });
    let written = written(old, new);
    let mut text = match &written {
        Some(fields) => serde_yaml::to_string(fields).unwrap_or_default(),
        None => String::new(),
    };
    if !removed.is_empty() {
        text.push_str(&format!("# and remove {}\n", removed.join(", ")));
    }
    text
}

fn differ(path: &str, old: &Value, new: &Value, tell: &mut dyn FnMut(&str, bool)) {
    if old == new {
        return;
    }
    let (Value::Object(before), Value::Object(now)) = (old, new) else { return tell(path, true) };
    for (key, value) in before {
        let path = path::field(path, key);
        match now.get(key) {
            Some(now) => differ(&path, value, now, tell),
            None => tell(&path, false),
        }
    }
    for key in now.keys().filter(|key| !before.contains_key(*key)) {
        tell(&path::field(path, key), true);
    }
}

/// What of `new` is not in `old`; `None`: nothing.
fn written(old: &Value, new: &Value) -> Option<Value> {
    if old == new {
        return None;
    }
    let (Value::Object(before), Value::Object(now)) = (old, new) else { return Some(new.clone()) };
    let mut fields = Map::new();
    for (key, value) in now {
        let changed = match before.get(key) {
            Some(old) => written(old, value),
            None => Some(value.clone()),
        };
        if let Some(changed) = changed {
            fields.insert(key.clone(), changed);
        }
    }
    (!fields.is_empty()).then_some(Value::Object(fields))
}

/// Applies a merge patch, RFC 7396: `null` removes a field, a list is replaced as a whole.
pub fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(fields) = target.as_object_mut() else { return };
    for (key, value) in patch {
        if value.is_null() {
            fields.remove(&key);
        } else {
            merge(fields.entry(key).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_differs_is_told_and_written() {
        let old = json!({"spec": {"version": "18", "port": 5433, "resources": {"memory": "1Gi", "cpus": 1}, "list": [1]}});
        for (new, paths_of, yaml_of) in [
            (old.clone(), vec![], ""),
            (
                json!({"spec": {"version": "18", "port": 5433, "resources": {"memory": "2Gi", "cpus": 1}, "list": [1]}}),
                vec!["spec.resources.memory"],
                "spec:\n  resources:\n    memory: 2Gi\n",
            ),
            (
                json!({"spec": {"version": "18", "resources": {"memory": "1Gi"}, "list": [1, 2], "a.b": {"c": null}}}),
                vec!["spec.port", "spec.resources.cpus", "spec.list", "spec[\"a.b\"]"],
                "spec:\n  list:\n  - 1\n  - 2\n  a.b:\n    c: null\n# and remove spec.port, spec.resources.cpus\n",
            ),
        ] {
            let mut told = paths("", &old, &new);
            let mut wanted: Vec<String> = paths_of.into_iter().map(str::to_owned).collect();
            told.sort();
            wanted.sort();
            assert_eq!(told, wanted);
            let (mut lines, text) = (yaml_of.lines().collect::<Vec<_>>(), yaml(&old, &new));
            let mut got: Vec<&str> = text.lines().collect();
            // In which order fields stand says nothing.
            lines.sort_unstable();
            got.sort_unstable();
            assert_eq!(got, lines, "{text}");
        }
        let many = Value::Object((0..30).map(|n| (format!("f{n}"), json!(n))).collect());
        assert_eq!(paths("spec", &json!({}), &many).last().map(String::as_str), Some("10 more"));
    }

    /// The table of RFC 7396, appendix A.
    #[test]
    fn a_merge_patch_is_that_of_the_rfc() {
        for (target, patch, wanted) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a": "b"}), json!(["c"]), json!(["c"])),
            (json!({"a": "foo"}), json!(null), json!(null)),
            (json!({"a": "foo"}), json!("bar"), json!("bar")),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let mut merged = target.clone();
            merge(&mut merged, patch.clone());
            assert_eq!(merged, wanted, "{target} with {patch}");
        }
    }
}
