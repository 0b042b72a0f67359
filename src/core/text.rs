//! Text that came from somebody else, made fit to be shown: on a terminal, in a log line, in status.
//!
//! What it gives has no control character and a known length. It never decides whether a text may be
//! shown at all: what may hold a secret is masked or left out before.

/// Characters of a name, or of a short value, that are shown whole.
pub const NAME: usize = 60;
/// What is shown of a longer one: enough to find it again, too little to be worth anything if it was a
/// secret in the wrong place.
const OF_LONGER: usize = 24;
/// What is shown of a key that is no name.
const OF_OTHER: usize = 8;

/// `text` on one line: control characters and those that change the order of what is shown are
/// escaped (`\n`, `\u{1b}`, `\u{202e}`), and after `max` characters of it there is a `…`.
/// The cost is that of `max` characters, however long the text is.
#[must_use]
pub fn shown(text: &str, max: usize) -> String {
    let mut safe = String::with_capacity(text.len().min(max));
    let mut rest = text.chars();
    for c in rest.by_ref().take(max) {
        if is_hidden(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    if rest.next().is_some() {
        safe.push('…');
    }
    safe
}

/// As [`shown`], with the tabs left in: for lines whose own form counts, such as a log's.
#[must_use]
pub fn line(text: &str, max: usize) -> String {
    let mut room = max;
    let mut safe = String::with_capacity(text.len().min(max));
    for (index, part) in text.split('\t').enumerate() {
        if index > 0 {
            if room == 0 {
                safe.push('…');
                break;
            }
            safe.push('\t');
            room -= 1;
        }
        let piece = shown(part, room);
        let cut = part.chars().nth(room).is_some();
        safe.push_str(&piece);
        if cut {
            break;
        }
        room -= part.chars().count();
    }
    safe
}

/// Percent-encoded but for what RFC 3986 never reserves: it is one part of a URL, whatever is in it.
#[must_use]
pub fn url_part(text: &str) -> String {
    let keep = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if keep(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// A name or a short value in quotes; of one with more than [`NAME`] characters only the first few.
#[must_use]
pub fn quoted(text: &str) -> String {
    let (start, cut) = cut(text);
    format!("{start:?}{}", if cut { "…" } else { "" })
}

/// As [`quoted`], for a key of a mapping: of one that does not look like the name of a field, even less is shown.
/// A line of a password file reads as a key.
#[must_use]
pub fn quoted_key(key: &str) -> String {
    let (start, cut) = cut_key(key);
    format!("{start:?}{}", if cut { "…" } else { "" })
}

/// The part of a key that [`quoted_key`] shows, and whether there is more of it.
#[must_use]
pub fn cut_key(key: &str) -> (&str, bool) {
    let like_a_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    if key.chars().take(NAME).all(like_a_name) { cut(key) } else { start(key, OF_OTHER, OF_OTHER) }
}

/// The part of a name or short value that [`quoted`] shows, and whether there is more of it.
fn cut(text: &str) -> (&str, bool) {
    start(text, NAME, OF_LONGER)
}

/// The first `some` characters when there are more than `whole`.
fn start(text: &str, whole: usize, some: usize) -> (&str, bool) {
    match (text.char_indices().nth(whole), text.char_indices().nth(some)) {
        (Some(_), Some((end, _))) => (&text[..end], true),
        _ => (text, false),
    }
}

/// A word for a shell, in quotes where it needs some: a printed command works as it stands.
#[must_use]
pub fn in_shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// For a shell, and for what reads dotenv: in single quotes unless it is plain.
#[must_use]
pub fn shell_quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._/:@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A text on one line as a value in YAML, in quotes.
#[must_use]
pub fn in_yaml(text: &str) -> String {
    if text.contains('\n') || text.contains('\'') && !text.contains(['"', '\\']) {
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        format!("\"{escaped}\"")
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

/// Whether a terminal would act on `c`, or show it nowhere or elsewhere.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_acts_on_is_left() {
        for (text, max, want) in [
            ("plain äöü €", 20, "plain äöü €"),
            ("", 5, ""),
            ("12345", 5, "12345"),
            ("123456", 5, "12345…"),
            ("äöüäöü", 5, "äöüäö…"),
            ("a\nb\r\tc", 20, "a\\nb\\r\\tc"),
            ("\x1b[2J\x07\x7f", 20, "\\u{1b}[2J\\u{7}\\u{7f}"),
            ("\u{9b}31m", 20, "\\u{9b}31m"),
            ("a\u{202e}b\u{2066}c\u{200b}", 20, "a\\u{202e}b\\u{2066}c\\u{200b}"),
            ("a\u{2028}b", 20, "a\\u{2028}b"),
            ("C:\\dir \"x\"", 20, "C:\\dir \"x\""),
        ] {
            assert_eq!(shown(text, max), want);
        }
        assert_eq!(shown(&"x".repeat(1 << 20), 3), "xxx…");
    }

    #[test]
    fn a_line_keeps_its_tabs_and_its_bound() {
        for (text, max, want) in [
            ("a\tb", 20, "a\tb"),
            ("\t\x1b]0;x\x07\n", 20, "\t\\u{1b}]0;x\\u{7}\\n"),
            ("ab\tcd", 2, "ab…"),
            ("ab\tcd", 3, "ab\t…"),
            ("ab\tcd", 4, "ab\tc…"),
            ("ab\tcd", 5, "ab\tcd"),
            ("", 0, ""),
        ] {
            assert_eq!(line(text, max), want, "{text:?} {max}");
        }
    }

    #[test]
    fn a_word_for_a_shell_is_one_word() {
        for (word, want) in [
            ("app", "app"),
            ("-x.y_1", "-x.y_1"),
            ("", "''"),
            ("o'brien", "'o'\\''brien'"),
            ("a b;$(x)", "'a b;$(x)'"),
        ] {
            assert_eq!(in_shell(word), want);
        }
    }

    #[test]
    fn a_long_name_is_not_shown_nearly_whole() {
        assert_eq!(quoted("memory"), "\"memory\"");
        assert_eq!(quoted(&"k".repeat(60)), format!("\"{}\"", "k".repeat(60)));
        // A key of ours has 64 digits: 60 of them would leave nothing to guess.
        assert_eq!(quoted(&"a".repeat(64)), format!("\"{}\"…", "a".repeat(24)));
        assert_eq!(quoted(&"ä".repeat(64)), format!("\"{}\"…", "ä".repeat(24)));
        assert_eq!(quoted("a\x1b\u{202e}\n"), "\"a\\u{1b}\\u{202e}\\n\"");
        assert_eq!(quoted_key("seawall.dev/paused"), "\"seawall.dev/paused\"");
        assert_eq!(quoted_key(&"a".repeat(64)), quoted(&"a".repeat(64)));
        assert_eq!(quoted_key("root:$1$salt$hash:19000::"), "\"root:$1$\"…");
        assert_eq!(quoted_key("a b c"), "\"a b c\"");
    }
}
