//! One YAML text → JSON values, and where every field of them stands. The only file that names the
//! YAML parser.
//!
//! It must never recurse deeper, keep more nodes or copy more through anchors than its limits say,
//! whatever the text is, never repeat text that is not a name, and never know what a field means.

use crate::core::path;
use crate::core::places::{FieldAt, Placed, Places};
use crate::core::problem::{Place, Problem};
use crate::core::text::quoted;
use crate::manifest::broken;
use crate::manifest::load::{MAX_ALL_NODES, MAX_DOCUMENTS};
use crate::manifest::scalar::{core, plain};
use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

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

/// The way to a node, as long as it is being read: written out only for a problem.
#[derive(Clone, Copy)]
enum At<'p> {
    Top,
    Field(&'p At<'p>, &'p str),
    Item(&'p At<'p>, usize),
}

impl At<'_> {
    fn path(&self) -> String {
        match self {
            At::Top => String::new(),
            At::Field(above, key) => path::field(&above.path(), key),
            At::Item(above, index) => path::item(&above.path(), *index),
        }
    }
}

/// A value, and where its parts stand.
type Node = (Value, Option<Box<Places>>);

struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    parser: Events<'a>,
    /// Anchors that are complete; one inside of itself is not.
    anchors: BTreeMap<usize, Value>,
    problems: Vec<Problem>,
    /// Above zero inside values that are thrown away: their fields have no place.
    muted: usize,
    nodes: usize,
    alias_nodes: usize,
    alias_bytes: usize,
}

impl<'a> Reader<'a> {
    fn new(file: &'a str, text: &'a str, parser: Events<'a>) -> Self {
        Self {
            file,
            text,
            parser,
            anchors: BTreeMap::new(),
            problems: Vec::new(),
            muted: 0,
            nodes: 0,
            alias_nodes: 0,
            alias_bytes: 0,
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Problem> {
        next(self.file, self.text, &mut self.parser)?.ok_or_else(|| {
            let place = Place { file: self.file.to_owned(), line: 0, column: 0 };
            Problem::new(place, "", "broken YAML: the text ends too early")
        })
    }

    fn place(&self, span: Span) -> Place {
        Place { file: self.file.to_owned(), line: span.start.line(), column: span.start.col() + 1 }
    }

    fn wrong(&mut self, span: Span, at: At<'_>, what: impl Into<String>) {
        self.advise(span, at, what, None);
    }

    fn advise(&mut self, span: Span, at: At<'_>, what: impl Into<String>, nearest: Option<&str>) {
        if self.problems.len() < MAX_PROBLEMS {
            let problem = Problem::new(self.place(span), at.path(), what);
            self.problems.push(match nearest {
                Some(hint) => problem.nearest(hint),
                None => problem,
            });
        }
    }

    /// Places of parts, unless the value is thrown away.
    fn kept(&self, places: Places) -> Option<Box<Places>> {
        (self.muted == 0).then(|| Box::new(places))
    }

    /// The node that begins with `event`. An error ends the reading of the whole text.
    fn node(&mut self, event: Event<'a>, span: Span, at: At<'_>, depth: usize) -> Result<Node, Problem> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let what = format!("the document has more than {MAX_NODES} nodes");
            return Err(Problem::new(self.place(span), at.path(), what));
        }
        if depth > MAX_DEPTH {
            let what = format!("nested deeper than {MAX_DEPTH} levels");
            return Err(Problem::new(self.place(span), "", what));
        }
        let ((value, places), anchor) = match event {
            // What `&x` alone comes to.
            Event::Scalar(text, ScalarStyle::Plain, anchor @ 1.., None) if text.is_empty() => {
                let what = "& marks a value for later, and none follows";
                self.advise(span, at, what, Some("put the value in quotes if the & belongs to it"));
                ((Value::String(String::new()), None), anchor)
            }
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(&text, style, tag.as_deref()).unwrap_or_else(|what| {
                    self.advise(span, at, what, Some(QUOTE_TAG));
                    // Not nothing, which would be wrong once more.
                    Value::String(text.to_string())
                });
                ((value, None), anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.collection_tag(span, at, tag.as_deref(), "seq");
                (self.sequence(at, depth)?, anchor)
            }
            Event::MappingStart(anchor, tag) => {
                self.collection_tag(span, at, tag.as_deref(), "map");
                (self.mapping(at, depth)?, anchor)
            }
            Event::Alias(anchor) => ((self.alias(anchor, span, at)?, None), 0),
            _ => return Err(Problem::new(self.place(span), at.path(), "broken YAML: a value is missing")),
        };
        if anchor > 0 {
            self.copied(&value, span, at)?;
            self.anchors.insert(anchor, value.clone());
        }
        Ok((value, places))
    }

    /// Counts a copy of `value`.
    fn copied(&mut self, value: &Value, span: Span, at: At<'_>) -> Result<(), Problem> {
        let (nodes, bytes) = weight(value);
        self.alias_nodes += nodes;
        self.alias_bytes += bytes;
        if self.alias_nodes > MAX_ALIAS_NODES || self.alias_bytes > MAX_ALIAS_BYTES {
            let what = format!(
                "the document expands to more than {MAX_ALIAS_NODES} nodes or {MAX_ALIAS_BYTES} bytes through aliases"
            );
            return Err(Problem::new(self.place(span), at.path(), what));
        }
        Ok(())
    }

    fn collection_tag(&mut self, span: Span, at: At<'_>, tag: Option<&Tag>, own: &str) {
        if let Some(tag) = tag.filter(|tag| !(tag.is_yaml_core_schema() && tag.suffix == own)) {
            let what = format!("the tag {} is not known here", quoted(&tag.to_string()));
            self.advise(span, at, what, Some(QUOTE_TAG));
        }
    }

    fn alias(&mut self, anchor: usize, span: Span, at: At<'_>) -> Result<Value, Problem> {
        let Some(value) = self.anchors.get(&anchor).cloned() else {
            self.wrong(span, at, "the alias refers to an anchor around it or in another document");
            return Ok(Value::Null);
        };
        self.copied(&value, span, at)?;
        Ok(value)
    }

    fn sequence(&mut self, at: At<'_>, depth: usize) -> Result<Node, Problem> {
        let (mut items, mut places) = (Vec::new(), Vec::new());
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                // Grown by doubling; most lists are kept for long.
                items.shrink_to_fit();
                places.shrink_to_fit();
                return Ok((Value::Array(items), self.kept(Places::Items(places))));
            }
            let (value, inner) = self.node(event, span, At::Item(&at, items.len()), depth + 1)?;
            if self.muted == 0 {
                places.push(Placed { at: field_at(span, span), inner });
            }
            items.push(value);
        }
    }

    fn mapping(&mut self, at: At<'_>, depth: usize) -> Result<Node, Problem> {
        let mut map = Map::new();
        let mut places: BTreeMap<Box<str>, Placed> = BTreeMap::new();
        let mut merges = Vec::new();
        loop {
            let (event, key_span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let key = self.key(event, key_span, at, depth)?;
            let (event, span) = self.next()?;
            let Some(key) = key.filter(|_| !merge) else {
                let value = self.discarded(event, span, at, depth)?;
                if merge {
                    merges.push((key_span, value));
                }
                continue;
            };
            let here = At::Field(&at, &key);
            if map.contains_key(&key) {
                let first = places.get(key.as_str()).map_or_else(String::new, |placed| {
                    let (line, column) = (placed.at.key_line as usize, placed.at.key_column as usize);
                    format!(", first at {}", Place { file: self.file.to_owned(), line, column })
                });
                self.wrong(key_span, here, format!("the key is given twice{first}"));
                self.discarded(event, span, here, depth)?;
                continue;
            }
            let (value, inner) = self.node(event, span, here, depth + 1)?;
            if self.muted == 0 {
                places.insert(key.as_str().into(), Placed { at: field_at(key_span, span), inner });
            }
            map.insert(key, value);
        }
        for (span, value) in merges {
            self.merge(&mut map, &mut places, span, at, value);
        }
        Ok((Value::Object(map), self.kept(Places::Fields(places))))
    }

    /// A value whose fields get no places.
    fn discarded(
        &mut self,
        event: Event<'a>,
        span: Span,
        at: At<'_>,
        depth: usize,
    ) -> Result<Value, Problem> {
        self.muted += 1;
        let node = self.node(event, span, at, depth + 1);
        self.muted -= 1;
        Ok(node?.0)
    }

    /// The text of a key; `None` after a problem. Keys are text in JSON, so `18` is "18".
    fn key(
        &mut self,
        event: Event<'a>,
        span: Span,
        at: At<'_>,
        depth: usize,
    ) -> Result<Option<String>, Problem> {
        if let Event::Scalar(text, ..) = &event
            && text.chars().nth(MAX_KEY).is_some()
        {
            let what = format!("a key has more than {MAX_KEY} characters");
            return Err(Problem::new(self.place(span), at.path(), what));
        }
        if let Event::Scalar(text, _, 0, None) = &event {
            self.nodes += 1;
            return Ok(Some(text.to_string()));
        }
        let written = match &event {
            Event::Scalar(text, ..) => Some(text.to_string()),
            _ => None,
        };
        match self.discarded(event, span, at, depth)? {
            Value::String(text) => Ok(Some(text)),
            Value::Array(_) | Value::Object(_) => {
                let hint = "what begins with { or [ needs quotes where text is meant";
                self.advise(span, at, "a key must be text, not a list or mapping", Some(hint));
                Ok(None)
            }
            other => Ok(Some(written.unwrap_or_else(|| other.to_string()))),
        }
    }

    /// `<<`: what the map does not say itself is taken from `value`, a mapping or a list of them.
    fn merge(
        &mut self,
        map: &mut Map<String, Value>,
        places: &mut BTreeMap<Box<str>, Placed>,
        span: Span,
        at: At<'_>,
        value: Value,
    ) {
        let sources = match value {
            Value::Array(items) => items,
            other => vec![other],
        };
        for source in sources {
            let Value::Object(fields) = source else {
                self.wrong(span, at, "<< takes a mapping or a list of mappings");
                return;
            };
            for (key, value) in fields {
                if !map.contains_key(&key) {
                    if self.muted == 0 {
                        places.insert(key.as_str().into(), Placed { at: field_at(span, span), inner: None });
                    }
                    map.insert(key, value);
                }
            }
        }
    }
}

/// Where a field stands, `key` being where its key is.
fn field_at(key: Span, value: Span) -> FieldAt {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    FieldAt {
        line: number(value.start.line()),
        column: number(value.start.col() + 1),
        key_line: number(key.start.line()),
        key_column: number(key.start.col() + 1),
    }
}

/// Nodes and bytes of text in a value.
fn weight(value: &Value) -> (usize, usize) {
    match value {
        Value::String(text) => (1, text.len()),
        Value::Array(items) => items.iter().map(weight).fold((1, 0), |a, b| (a.0 + b.0, a.1 + b.1)),
        Value::Object(fields) => fields.iter().fold((1, 0), |sum, (key, value)| {
            let (nodes, bytes) = weight(value);
            (sum.0 + nodes, sum.1 + bytes + key.len())
        }),
        _ => (1, 0),
    }
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
