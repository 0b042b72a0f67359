//! kubectl's jsonpath templates (`{.status.endpoint.hostPort}{"\n"}`) over RFC 9535 queries.
//!
//! Text outside of braces is printed as it is; `range` is not supported and says so.

use serde_json::Value;
use serde_json_path::JsonPath;
use std::str::FromStr;

/// Why a template is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("jsonpath: {{{0}}} is not supported; use [*], or -o json with jq")]
    Unsupported(String),
    #[error("jsonpath: {{{0}}} is not closed")]
    Open(String),
    #[error("jsonpath: the template is empty; write for example {{.status.endpoint.hostPort}}")]
    Empty,
    #[error("jsonpath: {{{path}}}: {detail}")]
    Path { path: String, detail: String },
}

/// A template that was understood.
#[derive(Clone, Debug)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Query(JsonPath),
}

impl Template {
    /// What it prints for a value: texts bare, everything else as JSON, several matches with a space
    /// between; what is not there prints nothing.
    #[must_use]
    pub fn render(&self, root: &Value) -> String {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Query(path) => {
                    let words: Vec<String> = path.query(root).iter().map(|v| bare(v)).collect();
                    out.push_str(&words.join(" "));
                }
            }
        }
        out
    }
}

fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl FromStr for Template {
    type Err = TemplateError;
    fn from_str(text: &str) -> Result<Self, TemplateError> {
        if text.is_empty() {
            return Err(TemplateError::Empty);
        }
        // A bare path is what people type first; kubectl would print it as text.
        if !text.contains('{') && text.starts_with(['.', '$', '[']) {
            return Ok(Self(vec![query(text)?]));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let (before, from) = rest.split_at(open);
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let inside = from.get(1..).unwrap_or_default();
            let close = closing(inside).ok_or_else(|| TemplateError::Open(inside.to_owned()))?;
            let (expression, after) = inside.split_at(close);
            parts.push(part(expression.trim())?);
            rest = after.get(1..).unwrap_or_default();
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }
}

/// Where the `}` is that is not inside quotes.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(q), c) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '}') => return Some(at),
            (None, _) => {}
        }
    }
    None
}

fn part(expression: &str) -> Result<Part, TemplateError> {
    if expression.starts_with('"') {
        let text = serde_json::from_str(expression)
            .map_err(|e| TemplateError::Path { path: expression.to_owned(), detail: e.to_string() })?;
        return Ok(Part::Text(text));
    }
    let first = expression.split_whitespace().next().unwrap_or_default();
    if matches!(first, "range" | "end") {
        return Err(TemplateError::Unsupported(first.to_owned()));
    }
    query(expression)
}

fn query(expression: &str) -> Result<Part, TemplateError> {
    let path = standard(expression);
    JsonPath::parse(&path)
        .map(Part::Query)
        .map_err(|e| TemplateError::Path { path: expression.to_owned(), detail: e.message().to_owned() })
}

/// kubectl's form as RFC 9535: starts with `$`, names with other characters than letters, digits and
/// `_` in brackets (`metadata.annotations.seawall\.dev/paused`).
fn standard(expression: &str) -> String {
    let mut out = String::from("$");
    let rest = expression.strip_prefix('$').or_else(|| expression.strip_prefix('@')).unwrap_or(expression);
    let start = if rest.starts_with(['.', '[']) || rest.is_empty() { "" } else { "." };
    let text = format!("{start}{rest}");
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '[' => {
                out.push('[');
                bracket(&mut chars, &mut out);
            }
            '.' if chars.next_if_eq(&'.').is_some() => {
                out.push_str("..");
                name(&mut chars, &mut out, true);
            }
            '.' => name(&mut chars, &mut out, false),
            other => out.push(other),
        }
    }
    // kubectl: `{.}` and `{$}` are the whole value.
    out
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Up to the `]` that closes it, as it is.
fn bracket(chars: &mut Chars<'_>, out: &mut String) {
    let mut depth = 1;
    let mut quote = None;
    while let Some(c) = chars.next() {
        out.push(c);
        match (quote, c) {
            (Some(_), '\\') => out.extend(chars.next()),
            (Some(q), c) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') => depth -= 1,
            (None, _) => {}
        }
        if depth == 0 {
            return;
        }
    }
}

/// One name after a dot; `descend` when the two dots are written already.
fn name(chars: &mut Chars<'_>, out: &mut String, descend: bool) {
    let mut word = String::new();
    while let Some(c) = chars.next_if(|c| !matches!(c, '.' | '[')) {
        // `\.` is a dot inside a name.
        word.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    if word.is_empty() {
        return;
    }
    let plain = word == "*" || word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let digit = word.starts_with(|c: char| c.is_ascii_digit());
    if plain && !digit {
        if !descend {
            out.push('.');
        }
        out.push_str(&word);
    } else {
        out.push_str(&format!("[{}]", Value::String(word)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn render(template: &str) -> String {
        let root = json!({
            "kind": "Postgres",
            "metadata": {"name": "main", "annotations": {"seawall.dev/paused": "true"}, "uid": null},
            "spec": {"my-key": 1},
            "status": {
                "endpoint": {"hostPort": 5432},
                "conditions": [{"type": "Ready", "status": "True"}, {"type": "Degraded", "status": "False"}],
            },
        });
        template.parse::<Template>().unwrap().render(&root)
    }

    #[test]
    fn kubectls_templates() {
        for (template, want) in [
            ("{.status.endpoint.hostPort}", "5432"),
            (".status.endpoint.hostPort", "5432"),
            ("$.kind", "Postgres"),
            ("{$.kind}", "Postgres"),
            ("{kind}", "Postgres"),
            ("{.metadata.name}{\"\\n\"}", "main\n"),
            ("port={.status.endpoint.hostPort}!", "port=5432!"),
            ("{.metadata.annotations.seawall\\.dev/paused}", "true"),
            ("{.metadata.annotations['seawall.dev/paused']}", "true"),
            ("{.spec.my-key}", "1"),
            ("{.status.conditions[*].type}", "Ready Degraded"),
            ("{.status.conditions[?(@.type==\"Ready\")].status}", "True"),
            ("{.status.conditions[?(@.type=='}')].status}", ""),
            ("{.status.conditions[-1].type}", "Degraded"),
            ("{..hostPort}", "5432"),
            ("{.status.endpoint}", "{\"hostPort\":5432}"),
            ("{.nothing.here}", ""),
            ("no braces", "no braces"),
        ] {
            assert_eq!(render(template), want, "{template}");
        }
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for (template, needle) in [
            ("", "is empty"),
            ("{range .items[*]}{.x}{end}", "range} is not supported"),
            ("{.a", "not closed"),
            ("{.a[}", "jsonpath: {.a[}"),
            ("{.a[?]}", "jsonpath: {.a[?]}"),
        ] {
            let error = template.parse::<Template>().unwrap_err().to_string();
            assert!(error.contains(needle), "{template}: {error}");
        }
    }
}
