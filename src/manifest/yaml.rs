//! One YAML text → JSON values, and where every field of them stands. The only file that names the
//! YAML parser.
//!
//! It must never recurse deeper, keep more nodes or copy more through anchors than its limits say,
//! whatever the text is, never repeat text that is not a name, and never know what a field means.

mod reader;

use crate::core::places::Places;
use crate::core::problem::{Place, Problem};
use crate::core::text::quoted;
use crate::manifest::broken;
use crate::manifest::load::{MAX_ALL_NODES, MAX_DOCUMENTS};
use crate::manifest::scalar::{core, plain};
use reader::{At, Reader};
use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::Value;

/// Mappings and lists inside each other.
pub const MAX_DEPTH: usize = 32;
/// Nodes written out in one document: a node takes up to 100 times the room of its text.
pub const MAX_NODES: usize = 20_000;
/// Nodes of one document that are kept for aliases or copied in through them.
pub const MAX_ALIAS_NODES: usize = 10_000;
/// Bytes of text of one document that are kept for aliases or copied in through them.
const MAX_ALIAS_BYTES: usize = 1 << 20;
/// Characters of a key. YAML allows no more where no `?` stands before it.
const MAX_KEY: usize = 1024;
/// Problems that are kept of one document.
const MAX_PROBLEMS: usize = 100;

/// A tag is rarely what was meant.
const QUOTE_TAG: &str = "put the value in quotes if the ! belongs to it";

/// One document of a text.
#[derive(Debug)]
pub struct YamlDocument {
    pub value: Value,
    pub place: Place,
    pub places: Places,
    /// What is wrong in this document alone; `value` then lacks what could not be said in JSON.
    pub problems: Vec<Problem>,
}

/// What a text holds; documents without content are left out.
#[derive(Debug, Default)]
pub struct Parsed {
    pub documents: Vec<YamlDocument>,
    /// Why the text could not be read to its end.
    pub broken: Option<Problem>,
}

/// What may still be kept, of this text and others.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    pub documents: usize,
    pub nodes: usize,
}

/// Reads one text; `file` is the name for the problems. What the documents take is taken from `room`.
#[must_use]
pub fn parse(file: &str, bytes: &[u8], room: &mut Room) -> Parsed {
    let mut parsed = Parsed::default();
    let mut left = *room;
    match text(file, bytes).and_then(|text| documents(file, text, &mut left, &mut parsed.documents)) {
        Ok(()) => *room = left,
        Err(problem) => parsed = Parsed { documents: Vec::new(), broken: Some(problem) },
    }
    parsed
}

/// The bytes as text, if they are one that YAML allows.
fn text<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str, Problem> {
    let at = |offset: usize| {
        let before = &bytes[..offset];
        let start = before.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
        let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
        Place { file: file.to_owned(), line, column }
    };
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Problem::new(at(0), "", "not UTF-8 text: it is UTF-16").nearest("save it as UTF-8"));
    }
    if let Some(offset) = bytes.iter().position(|&b| b == 0) {
        return Err(Problem::new(at(offset), "", "binary file, not YAML text: it has a zero byte"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let offset = error.valid_up_to();
        let what = format!("not UTF-8 text: byte 0x{:02x} cannot stand here", bytes[offset]);
        Problem::new(at(offset), "", what).nearest("save it as UTF-8")
    })?;
    let control = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    if let Some((offset, c)) = text.char_indices().find(|&(_, c)| control(c)) {
        let what = format!("control character U+{:04X} cannot stand in YAML text", u32::from(c));
        return Err(Problem::new(at(offset), "", what));
    }
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

fn documents(file: &str, text: &str, room: &mut Room, into: &mut Vec<YamlDocument>) -> Result<(), Problem> {
    let full = |what: &str| {
        let place = Place { file: file.to_owned(), line: 0, column: 0 };
        Problem::new(place, "", format!("not read: there are more than {what} in all files"))
    };
    let mut parser = Parser::new_from_str(text);
    while let Some((event, _)) = next(file, text, &mut parser)? {
        if !matches!(event, Event::DocumentStart(_)) {
            continue;
        }
        let mut reader = Reader::new(file, text, parser);
        let (event, span) = reader.next()?;
        let place = reader.place(span);
        let (value, places) = reader.node(event, span, At::Top, 0)?;
        room.nodes =
            room.nodes.checked_sub(reader.nodes).ok_or_else(|| full(&format!("{MAX_ALL_NODES} nodes")))?;
        if !value.is_null() || !reader.problems.is_empty() {
            room.documents =
                room.documents.checked_sub(1).ok_or_else(|| full(&format!("{MAX_DOCUMENTS} documents")))?;
            let places = places.map(|places| *places).unwrap_or_default();
            into.push(YamlDocument { value, place, places, problems: reader.problems });
        }
        parser = reader.parser;
    }
    Ok(())
}

type Events<'a> = Parser<'a, StrInput<'a>>;

fn next<'a>(file: &str, text: &str, parser: &mut Events<'a>) -> Result<Option<(Event<'a>, Span)>, Problem> {
    parser.next_event().transpose().map_err(|error| {
        let (line, column) = (error.marker().line(), error.marker().col() + 1);
        broken::explain(text, Place { file: file.to_owned(), line, column }, error.info())
    })
}

/// A scalar; only a tag makes a number or truth value of what is not written as one.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    let as_text = || Value::String(text.to_owned());
    let wrong = |tag: &Tag| format!("this is no value of the tag {}", quoted(&tag.to_string()));
    match tag {
        None if style == ScalarStyle::Plain => Ok(plain(text)),
        None => Ok(as_text()),
        Some(tag) if tag.is_yaml_core_schema() => {
            let value = core(text);
            match tag.suffix.as_str() {
                "str" => Ok(as_text()),
                "int" if value.is_i64() || value.is_u64() => Ok(value),
                "float" if value.is_number() => Ok(value),
                "bool" if value.is_boolean() => Ok(value),
                "null" if value.is_null() => Ok(value),
                _ => Err(wrong(tag)),
            }
        }
        Some(tag) if tag.handle.is_empty() && tag.suffix == "!" => Ok(as_text()),
        Some(tag) => Err(format!("the tag {} is not known here", quoted(&tag.to_string()))),
    }
}

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;
