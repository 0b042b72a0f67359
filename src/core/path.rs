//! Field paths, as problems print them: `spec.resources.memory`, `spec.list[0]`,
//! `metadata.labels["a.b/c"]`. The one place that knows how they are written.
//!
//! A path never holds more of a key than [`text::quoted_key`] shows: it goes wherever a problem goes.

use super::text;

/// The path of `key` inside the mapping at `parent` (empty: the document).
#[must_use]
pub fn field(parent: &str, key: &str) -> String {
    let plain = !key.is_empty()
        && !text::cut_key(key).1
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    match (parent.is_empty(), plain) {
        (true, true) => key.to_owned(),
        (false, true) => format!("{parent}.{key}"),
        (_, false) => format!("{parent}[{}]", text::quoted_key(key)),
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

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Field(String),
    /// A key that begins so and is too long for a path.
    Start(String),
    Item(usize),
}

/// The steps of a path, the first one first; ends with `None` where it is no path.
pub fn steps(path: &str) -> impl Iterator<Item = Option<Step>> {
    let mut rest = Some(path);
    std::iter::from_fn(move || {
        let text = rest.filter(|text| !text.is_empty())?;
        let taken = step(text);
        rest = taken.as_ref().map(|(_, rest)| *rest);
        Some(taken.map(|(step, _)| step))
    })
}

fn step(text: &str) -> Option<(Step, &str)> {
    if let Some(inner) = text.strip_prefix("[\"") {
        let mut escaped = false;
        let end = inner.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })?;
        let (key, rest) = (unescaped(&inner[..end])?, &inner[end + 1..]);
        return match rest.strip_prefix("…]") {
            Some(rest) => Some((Step::Start(key), rest)),
            None => Some((Step::Field(key), rest.strip_prefix(']')?)),
        };
    }
    if let Some(inner) = text.strip_prefix('[') {
        let (index, rest) = inner.split_once(']')?;
        return Some((Step::Item(index.parse().ok()?), rest));
    }
    let text = text.strip_prefix('.').unwrap_or(text);
    let end = text.find(['.', '[']).unwrap_or(text.len());
    (end > 0).then(|| (Step::Field(text[..end].to_owned()), &text[end..]))
}

/// Undoes what `{:?}` does to a text.
fn unescaped(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        plain.push(match rest.next()? {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            '0' => '\0',
            'u' => {
                let code: String = rest.by_ref().skip(1).take_while(|&c| c != '}').collect();
                char::from_u32(u32::from_str_radix(&code, 16).ok()?)?
            }
            other => other,
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parent_undoes_field_and_item() {
        for key in ["memory", "18", "a.b/c", "a[\"", "q\"]x", "back\\", "", "ä", "]", "[\"", &"k".repeat(80)]
        {
            let path = field("spec.map", key);
            assert_eq!(parent(&path), Some("spec.map"), "{path}");
            assert_eq!(parent(&item(&path, 3)), Some(path.as_str()), "{path}");
        }
        assert_eq!(field("metadata.labels", "a.b/c"), "metadata.labels[\"a.b/c\"]");
        assert_eq!(parent("spec"), None);
        assert_eq!(parent("[\"a.b\"]"), None);
        assert_eq!(parent(""), None);
    }

    #[test]
    fn a_key_that_is_a_secret_is_not_in_the_path() {
        let key = "0123456789abcdef".repeat(4);
        assert_eq!(field("spec", &key), format!("spec[\"{}\"…]", &key[..24]));
        assert_eq!(field("", &"é".repeat(61)), format!("[\"{}\"…]", "é".repeat(24)));
    }
}
