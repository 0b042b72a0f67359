//! Field paths, as problems print them: `spec.resources.memory`, `spec.list[0]`,
//! `metadata.labels["a.b/c"]`. The one place that knows how they are written.

/// The path of `key` inside the mapping at `parent` (empty: the document).
#[must_use]
pub fn field(parent: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    match (parent.is_empty(), plain) {
        (true, true) => key.to_owned(),
        (false, true) => format!("{parent}.{key}"),
        (_, false) => format!("{parent}[{key:?}]"),
    }
}

/// The path of item `index` (from 0) of the list at `parent`.
#[must_use]
pub fn item(parent: &str, index: usize) -> String {
    format!("{parent}[{index}]")
}

/// The path one step up; `None` at the top.
#[must_use]
pub fn parent(path: &str) -> Option<&str> {
    let (mut last, mut quoted, mut escaped) = (None, false, false);
    for (at, c) in path.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '.' | '[' if !quoted => last = Some(at),
            _ => {}
        }
    }
    last.filter(|&at| at > 0).map(|at| &path[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parent_undoes_field_and_item() {
        for key in ["memory", "18", "a.b/c", "a[\"", "q\"]x", "back\\", "", "ä", "]", "[\""] {
            let path = field("spec.map", key);
            assert_eq!(parent(&path), Some("spec.map"), "{path}");
            assert_eq!(parent(&item(&path, 3)), Some(path.as_str()), "{path}");
        }
        assert_eq!(field("metadata.labels", "a.b/c"), "metadata.labels[\"a.b/c\"]");
        assert_eq!(parent("spec"), None);
        assert_eq!(parent("[\"a.b\"]"), None);
        assert_eq!(parent(""), None);
    }
}
