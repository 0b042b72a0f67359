//! The text of a query without what its user put into it. PostgreSQL takes the constants out of what it plans, but not out of
//! every other command (`ALTER ROLE … PASSWORD '…'`), and leaves comments in. Must never leave a literal standing: what is not
//! understood goes with what follows it.

use crate::core::text::shown;

/// Characters that are kept.
const TEXT: usize = 500;
/// Characters that are read.
const READ: usize = 4_000;

/// On one line, with `?` for each literal, and without comments.
#[must_use]
pub fn without_literals(query: &str) -> String {
    let text: Vec<char> = query.chars().take(READ).collect();
    let mut out = String::new();
    let mut at = 0;
    while let Some(&c) = text.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        let in_word = out.ends_with(|last: char| last.is_alphanumeric() || last == '_' || last == '$');
        let (shown, length) = match c {
            '\'' => ("?".to_owned(), string(rest, is_e(&out))),
            '"' => {
                let length = 1 + end_of(rest.get(1..).unwrap_or_default(), &['"']);
                (rest.iter().take(length).collect(), length)
            }
            '-' if rest.starts_with(&['-', '-']) => (" ".to_owned(), end_of(rest, &['\n'])),
            '/' if rest.starts_with(&['/', '*']) => (" ".to_owned(), comment(rest)),
            '$' if !in_word && tag(rest).is_some() => {
                let tag = tag(rest).unwrap_or_default();
                let length = tag.len() + end_of(rest.get(tag.len()..).unwrap_or_default(), tag);
                ("?".to_owned(), length)
            }
            c if c.is_ascii_digit() && !in_word => {
                let number =
                    rest.iter().take_while(|c| c.is_alphanumeric() || matches!(c, '.' | '_')).count();
                ("?".to_owned(), number)
            }
            c if c.is_whitespace() => (" ".to_owned(), 1),
            c => (c.to_string(), 1),
        };
        if !(shown == " " && (out.ends_with(' ') || out.is_empty())) {
            out.push_str(&shown);
        }
        at += length.max(1);
    }
    self::shown(out.trim_end(), TEXT)
}

/// Up to the end of the first `end`; all of it where there is none.
fn end_of(text: &[char], end: &[char]) -> usize {
    text.windows(end.len()).position(|window| window == end).map_or(text.len(), |at| at + end.len())
}

/// Whether a word `E` stands before a literal.
fn is_e(out: &str) -> bool {
    let mut before = out.chars().rev();
    before.next().is_some_and(|c| c.eq_ignore_ascii_case(&'e'))
        && !before.next().is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$')
}

/// Length of a literal in quotes. Two quotes stand for one. `escapes`: a backslash takes the meaning of what follows. Where it does not
/// say so a session may still have it so (`standard_conforming_strings`): then nobody can tell where it ends.
fn string(text: &[char], escapes: bool) -> usize {
    let mut at = 1;
    while let Some(c) = text.get(at) {
        match c {
            '\\' if escapes => at += 2,
            '\\' if text.get(at + 1) == Some(&'\'') => return text.len(),
            '\'' if text.get(at + 1) == Some(&'\'') => at += 2,
            '\'' => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

/// Comments are nested.
fn comment(text: &[char]) -> usize {
    let (mut at, mut depth) = (0, 0_u32);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(&['/', '*']) {
            depth += 1;
            at += 2;
        } else if rest.starts_with(&['*', '/']) {
            depth = depth.saturating_sub(1);
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// `$tag$` that a literal begins with; `$1` is a parameter.
fn tag(text: &[char]) -> Option<&[char]> {
    let name = text.get(1..)?.iter().take_while(|c| c.is_alphanumeric() || **c == '_').count();
    let is_tag = text.get(name + 1) == Some(&'$') && !text.get(1).is_some_and(char::is_ascii_digit);
    is_tag.then(|| text.get(..name + 2)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_literal_is_left_standing() {
        for (query, want) in [
            ("SELECT * FROM t WHERE a = $1", "SELECT * FROM t WHERE a = $1"),
            ("SELECT a1, \"t 2\".b3 FROM t\n  WHERE x=$12", "SELECT a1, \"t 2\".b3 FROM t WHERE x=$12"),
            ("ALTER ROLE app PASSWORD 'geheim'", "ALTER ROLE app PASSWORD ?"),
            ("ALTER ROLE app PASSWORD 'it''s', x", "ALTER ROLE app PASSWORD ?, x"),
            ("SELECT E'a\\'secret', 1", "SELECT E?, ?"),
            ("SELECT e'a\\\\', b", "SELECT e?, b"),
            // It ends at the first quote, or not: that depends on a setting of the session.
            ("SELECT 'a\\', 'secret'", "SELECT ?"),
            ("SELECT date'a\\', 'secret'", "SELECT date?"),
            ("SELECT 'a\\b', c", "SELECT ?, c"),
            ("SELECT $$secret$$, $x$ a $$ b $x$, c", "SELECT ?, ?, c"),
            ("DO $_1$ secret", "DO ?"),
            ("SELECT 'not ended secret", "SELECT ?"),
            ("SELECT 1.5e10, -3, 0xff, 1_000, a+2", "SELECT ?, -?, ?, ?, a+?"),
            ("SELECT x -- secret 'a\n FROM t", "SELECT x FROM t"),
            ("/* se /* nested */ cret */ SELECT 1", "SELECT ?"),
            ("SELECT a /* not ended", "SELECT a"),
            ("SELECT B'101', X'ff', U&'x'", "SELECT B?, X?, U&?"),
            ("SELECT \"a'b\", \"not ended 'x", "SELECT \"a'b\", \"not ended 'x"),
            ("", ""),
        ] {
            assert_eq!(without_literals(query), want, "{query}");
        }
    }

    #[test]
    fn it_is_short_and_harmless_whatever_it_is() {
        let long = without_literals(&"x".repeat(100_000));
        assert!(long.chars().count() < 510, "{long}");
        assert_eq!(without_literals("a\u{202e}b\u{0}"), "a\\u{202e}b\\u{0}");
        // A cut in the middle of a literal leaves nothing of it.
        let cut = format!("SELECT {}'secret'", " ".repeat(READ - 10));
        assert_eq!(without_literals(&cut), "SELECT ?");
    }
}
