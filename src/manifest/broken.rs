//! Why a text is no YAML, in words of a person who writes manifests: from the parser's complaint and the lines
//! around it. Pure. It is a guess at a mistake, so it must never be asked about a text that is right, and never
//! repeat what stands in one that does not say that it is ours.

use crate::core::names::API_VERSION;
use crate::core::problem::{Place, Problem};
use crate::core::text::{NAME, in_yaml};
use crate::manifest::yaml::MAX_DEPTH;
use std::collections::VecDeque;

/// Lines before the complaint that are searched for a bracket that was left open.
const MAX_BACK: usize = 200;
/// Characters of a line that are looked at.
const MAX_LINE: usize = 4_096;

/// What the parser's words come to where nothing better is found.
const WORDS: [(&str, &str); 15] = [
    ("unknown anchor", "* stands for what &name marks, and nothing is marked so"),
    ("expected ','", "a comma or a closing bracket is missing before this place"),
    ("misplaced bracket", "a closing bracket that nothing opened"),
    ("unexpected character", "a word without quotes cannot begin with this sign"),
    ("trailing content", "the text goes on behind its closing quote"),
    ("anchor or alias", "& or * stands here without a name; in quotes it is text"),
    ("mapping values", "a colon cannot stand here; a text that holds one needs quotes"),
    ("comment intercepting", "a comment stands inside of a text of several lines"),
    ("scanning a block scalar", "| and > begin a text of several lines, below; in quotes they are text"),
    ("indentation in flow", "what is inside of brackets is not indented further than its field"),
    ("escape character", "inside of double quotes \\ begins an escape; single quotes know none"),
    ("end of stream", "a quote is not closed"),
    ("expected key", INDENTED),
    ("invalid indentation", INDENTED),
    ("expected '-'", INDENTED),
];
const INDENTED: &str = "this line is not indented like those beside it";

/// The problem that `info`, the parser's complaint at `place`, comes from.
pub(super) fn explain(text: &str, place: Place, info: &str) -> Problem {
    let at = |line: usize, column: usize| Place { line, column, ..place.clone() };
    if let Some(line) = conflict(text) {
        return Problem::new(at(line, 1), "", "a merge-conflict marker stands here")
            .nearest("finish the merge: keep one side, and remove the lines <<<<<<<, ======= and >>>>>>>");
    }
    if info.contains("recursion limit") {
        return Problem::new(place, "", format!("nested deeper than {MAX_DEPTH} levels"));
    }
    if info.contains("Unicode character escape") {
        return Problem::new(place, "", "an escape that begins with \\u names no character here")
            .nearest("write the character itself");
    }
    let lines = Lines::around(text, place.line);
    if text.trim_start().starts_with(['{', '[']) {
        // JSON, which tabs may indent.
        return Problem::new(place, "", format!("broken JSON or YAML: {}", words(info)));
    }
    if let Some((line, column)) = lines.tab() {
        return Problem::new(at(line, column), "", "a tab cannot indent YAML").nearest("use spaces");
    }
    let Some(mistake) = lines.mistake(info) else {
        return Problem::new(place, "", format!("broken YAML: {}", words(info)));
    };
    let problem = Problem::new(at(mistake.line, mistake.column), "", mistake.what);
    match mistake.right.filter(|right| lines.ours && right.chars().nth(NAME).is_none()) {
        Some(right) => problem.nearest(format!("{}: {right}", mistake.advice)),
        None => problem.nearest(mistake.advice),
    }
}

fn words(info: &str) -> &str {
    WORDS.iter().find(|(needle, _)| info.contains(needle)).map_or(info, |(_, words)| words)
}

/// The first line that a merge left behind.
fn conflict(text: &str) -> Option<usize> {
    let marks = |line: &str| {
        let line = line.trim_end();
        let sign = |sign: &str| line.strip_prefix(sign).is_some_and(|r| r.is_empty() || r.starts_with(' '));
        sign("<<<<<<<") || sign(">>>>>>>") || line == "======="
    };
    text.lines().position(marks).map(|index| index + 1)
}

/// A line and its number.
type Line<'a> = (usize, &'a str);

/// What stands around the parser's complaint.
struct Lines<'a> {
    /// The line itself and the one after it.
    here: Vec<Line<'a>>,
    /// Those with content before it, the nearest first.
    before: VecDeque<Line<'a>>,
    /// The document says that it is for us.
    ours: bool,
}

/// A likely mistake, at its place.
#[derive(Debug, PartialEq, Eq)]
struct Mistake {
    line: usize,
    column: usize,
    what: String,
    advice: &'static str,
    /// The right text, when there is one.
    right: Option<String>,
}

impl<'a> Lines<'a> {
    fn around(text: &'a str, number: usize) -> Self {
        let all = || text.lines().enumerate().map(|(index, line)| (index + 1, cut(line)));
        let (mut before, mut ours) = (VecDeque::new(), false);
        for (n, line) in all().take_while(|(n, _)| *n < number) {
            let version = line.strip_prefix("apiVersion:").map(|rest| rest.trim().trim_matches(['"', '\'']));
            ours = (ours && !line.starts_with("---")) || version == Some(API_VERSION);
            if !matches!(line.trim_start().chars().next(), None | Some('#')) {
                before.push_front((n, line));
                before.truncate(MAX_BACK);
            }
        }
        Self { here: all().skip(number.saturating_sub(1)).take(2).collect(), before, ours }
    }

    /// The parser points at where the scalar or block began; the tab itself may come later.
    fn tab(&self) -> Option<(usize, usize)> {
        let of = |line: &str| line.chars().take_while(|c| c.is_whitespace()).position(|c| c == '\t');
        self.here.iter().find_map(|(n, line)| Some((*n, of(line)? + 1)))
    }

    fn mistake(&self, info: &str) -> Option<Mistake> {
        let here = self.here.first();
        let above = self.before.front();
        if info.contains("simple key expect") {
            // A line that should be a field, and has no colon: noticed where the next one begins.
            return above.and_then(|line| no_colon(*line));
        }
        if let Some(mistake) = here.and_then(|line| value_mistake(*line, info)) {
            return Some(mistake);
        }
        if info.contains("flow")
            || info.contains("expected node content")
            || info.contains("illegal placement")
        {
            return here.into_iter().chain(&self.before).find_map(|line| left_open(*line));
        }
        let indented = info.contains("did not find expected key")
            || info.contains("invalid indentation")
            || info.contains("mapping values are not allowed");
        let (n, line) =
            *here.filter(|(_, line)| indented && indent(line) != above.map_or(0, |a| indent(a.1)))?;
        Some(Mistake {
            line: n,
            column: indent(line) + 1,
            what: INDENTED.to_owned(),
            advice: "fields of one mapping begin in the same column, those of an inner one further right",
            right: None,
        })
    }
}

fn cut(line: &str) -> &str {
    line.char_indices().nth(MAX_LINE).map_or(line, |(end, _)| &line[..end])
}

fn indent(line: &str) -> usize {
    line.chars().take_while(|c| *c == ' ').count()
}

/// The value of a field or list item on one line, and its column.
fn value_of(line: &str) -> Option<(usize, &str)> {
    let mut rest = line.trim_start();
    while let Some(item) = rest.strip_prefix("- ") {
        rest = item.trim_start();
    }
    let is_item = line.trim_start().starts_with("- ");
    let key_end = match rest.chars().next()? {
        quote @ ('"' | '\'') => 1 + rest[1..].find(quote)? + 1,
        _ => 0,
    };
    let colon = rest[key_end..].find(": ").or_else(|| rest[key_end..].find(":\t")).map(|at| key_end + at);
    let value = match colon {
        Some(at) => &rest[at + 1..],
        None if is_item => rest,
        None => return None,
    };
    let value = value.trim();
    let column = line[..line.trim_end().len() - value.len()].chars().count() + 1;
    (!value.is_empty()).then_some((column, value))
}

/// What is wrong with the value that stands on a line.
fn value_mistake((number, line): Line<'_>, info: &str) -> Option<Mistake> {
    let mistake =
        |column, what: String, advice, right| Some(Mistake { line: number, column, what, advice, right });
    if line.starts_with('%') {
        let what = "a line cannot begin with %".to_owned();
        return mistake(1, what, "put the text in quotes, behind the name of its field", None);
    }
    let (column, value) = value_of(line)?;
    let first = value.chars().next()?;
    let whole = value.split(" #").next().unwrap_or(value).trim_end();
    let quote = "put it in quotes";
    match first {
        '"' | '\'' => quoted_mistake(value, first, info)
            .and_then(|(what, advice, right)| mistake(column, what, advice, right)),
        '[' | '{' => {
            if left_open((number, line)).is_some() || whole.ends_with([']', '}']) || info.contains("flow") {
                return None;
            }
            let what = format!("the value goes on behind what {first} opens");
            mistake(column, what, "put all of it in quotes if it is text", Some(in_yaml(whole)))
        }
        '*' if info.contains("unknown anchor") => {
            let what = "* before a name stands for what &name marks, and nothing is marked so".to_owned();
            mistake(column, what, "put it in quotes if it is text", Some(in_yaml(whole)))
        }
        c if begins_nothing(c, whole, info) => {
            let what = format!("a value without quotes cannot begin with {first}");
            mistake(column, what, quote, Some(in_yaml(whole)))
        }
        _ if info.contains("mapping values") && (whole.contains(": ") || whole.ends_with(':')) => {
            let what =
                "a value without quotes cannot hold another colon before a space or at its end".to_owned();
            mistake(column, what, quote, Some(in_yaml(whole)))
        }
        _ if info.contains("valid YAML whitespace") && line.contains(":\t") => {
            mistake(column, "a tab stands behind the colon".to_owned(), "use a space", None)
        }
        _ => None,
    }
}

/// Whether `c`, the first character of `whole`, is what the parser complains of.
fn begins_nothing(c: char, whole: &str, info: &str) -> bool {
    match c {
        '%' | '@' | '`' | ',' | ']' | '}' => true,
        '|' | '>' => info.contains("block scalar"),
        '*' | '&' => info.contains("anchor"),
        '!' => info.contains("tag") || info.contains("TAG"),
        '-' | '?' => {
            (whole.len() == 1 || whole[1..].starts_with(' ')) && info.contains("not allowed in this")
        }
        _ => false,
    }
}

/// What is wrong with a value that begins with `quote`: what, advice, the right text.
fn quoted_mistake(value: &str, quote: char, info: &str) -> Option<(String, &'static str, Option<String>)> {
    let Some(end) = closing(value, quote) else {
        let advice = match quote {
            '"' => "close it; inside, write \\\" for a \"",
            _ => "close it; inside, write '' for a '",
        };
        let what = format!("the {quote} that opens here is not closed");
        return info.contains("quoted").then_some((what, advice, None));
    };
    let (inside, tail) = (&value[1..end], &value[end + 1..]);
    if info.contains("escape") && quote == '"' {
        let what = "inside of double quotes \\ begins an escape".to_owned();
        return Some((what, "use single quotes, or write \\\\ for a \\", Some(in_yaml(inside))));
    }
    let tail = tail.split(" #").next().unwrap_or(tail).trim_end();
    if tail.is_empty() || !info.contains("trailing content") {
        return None;
    }
    let what = format!("the value goes on behind its closing {quote}");
    let all = &value[..end + 1 + tail.len()];
    if quote == '\'' && tail.ends_with('\'') && tail.starts_with(char::is_alphanumeric) {
        let advice = "inside of single quotes write '' for a ', or use double quotes";
        return Some((what, advice, Some(in_yaml(&all[1..all.len() - 1]))));
    }
    Some((what, "put all of it in quotes", Some(in_yaml(all))))
}

/// Where the quote that opens `value` is closed.
fn closing(value: &str, quote: char) -> Option<usize> {
    let mut rest = value.char_indices().skip(1).peekable();
    while let Some((at, c)) = rest.next() {
        match c {
            '\\' if quote == '"' => drop(rest.next()),
            '\'' if quote == '\'' && rest.peek().is_some_and(|(_, next)| *next == '\'') => drop(rest.next()),
            c if c == quote => return Some(at),
            _ => {}
        }
    }
    None
}

/// A bracket that begins a value and is not closed on its line.
fn left_open((number, line): Line<'_>) -> Option<Mistake> {
    let (column, value) = value_of(line)?;
    let first = value.chars().next().filter(|c| matches!(c, '[' | '{'))?;
    let count = |signs: [char; 2]| value.chars().filter(|c| signs.contains(c)).count();
    (count(['[', '{']) > count([']', '}'])).then(|| Mistake {
        line: number,
        column,
        what: format!("the {first} that opens here is not closed"),
        advice: "close it, or put the value in quotes if it is text",
        right: None,
    })
}

/// A line that is neither a field nor an item.
fn no_colon((number, line): Line<'_>) -> Option<Mistake> {
    let words = line.trim();
    let column = indent(line) + 1;
    let legal =
        |key: &str| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    let mistake = |what: &str, advice, right| {
        Some(Mistake { line: number, column, what: what.to_owned(), advice, right })
    };
    for (sign, what) in
        [(':', "a space is missing behind the colon"), ('=', "a field is written with a colon")]
    {
        if let Some((key, value)) = words.split_once(sign).filter(|(key, _)| legal(key.trim_end())) {
            let right = format!("{}: {}", key.trim_end(), value.trim_start());
            return mistake(what, "write NAME: VALUE", Some(right));
        }
    }
    mistake(
        "this line is no field: it has no colon",
        "write NAME: VALUE, or quotes around a text of several lines",
        None,
    )
}

#[cfg(test)]
#[path = "broken_tests.rs"]
mod tests;
