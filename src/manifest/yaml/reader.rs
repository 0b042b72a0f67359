//! One document of a text, node by node, within limits of depth, nodes and copies. Must never know what a field means.

use super::{
    Events, MAX_ALIAS_BYTES, MAX_ALIAS_NODES, MAX_DEPTH, MAX_KEY, MAX_NODES, MAX_PROBLEMS, QUOTE_TAG, next,
    scalar,
};
use crate::core::path;
use crate::core::places::{FieldAt, Placed, Places};
use crate::core::problem::{Place, Problem};
use crate::core::text::quoted;
use saphyr_parser::{Event, ScalarStyle, Span, Tag};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The way to a node, as long as it is being read: written out only for a problem.
#[derive(Clone, Copy)]
pub(super) enum At<'p> {
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

pub(super) struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    pub(super) parser: Events<'a>,
    /// Anchors that are complete; one inside of itself is not.
    anchors: BTreeMap<usize, Value>,
    pub(super) problems: Vec<Problem>,
    /// Above zero inside values that are thrown away: their fields have no place.
    muted: usize,
    pub(super) nodes: usize,
    alias_nodes: usize,
    alias_bytes: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a str, text: &'a str, parser: Events<'a>) -> Self {
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

    pub(super) fn next(&mut self) -> Result<(Event<'a>, Span), Problem> {
        next(self.file, self.text, &mut self.parser)?.ok_or_else(|| {
            let place = Place { file: self.file.to_owned(), line: 0, column: 0 };
            Problem::new(place, "", "broken YAML: the text ends too early")
        })
    }

    pub(super) fn place(&self, span: Span) -> Place {
        Place { file: self.file.to_owned(), line: span.start.line(), column: span.start.col() + 1 }
    }

    pub(super) fn wrong(&mut self, span: Span, at: At<'_>, what: impl Into<String>) {
        self.advise(span, at, what, None);
    }

    pub(super) fn advise(&mut self, span: Span, at: At<'_>, what: impl Into<String>, nearest: Option<&str>) {
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
    pub(super) fn node(
        &mut self,
        event: Event<'a>,
        span: Span,
        at: At<'_>,
        depth: usize,
    ) -> Result<Node, Problem> {
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
