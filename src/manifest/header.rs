//! The head of a document: which object it is. It must never look into `spec`.

use crate::core::names::{API_VERSION, Kind, Name, ObjectRef};
use crate::core::path;
use crate::core::places::Places;
use crate::core::problem::{Place, Problem};
use crate::core::resource::{Document, Metadata};
use crate::core::text::{quoted, quoted_key};
use crate::manifest::scalar::Text;
use crate::manifest::suggest::hint;
use crate::manifest::yaml::YamlDocument;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What became of one document.
pub(super) enum Header {
    /// Its head is right.
    Good(Document),
    /// It is known which object is meant, but the document cannot be used.
    Rejected(Document, Vec<Problem>),
    /// Nobody can say which object is meant. The document, when at least its kind is known, has a made-up name.
    Unknown(Option<Document>, Vec<Problem>),
}

/// More problems of one document help nobody.
const MAX_PROBLEMS: usize = 100;
const FIELDS: [&str; 4] = ["apiVersion", "kind", "metadata", "spec"];
const METADATA: [&str; 3] = ["name", "labels", "annotations"];

/// Reads the head of a document and says all that is wrong with it.
pub(super) fn read(yaml: YamlDocument) -> Header {
    let YamlDocument { value, place, places, problems } = yaml;
    // Only to find places until the object is known.
    let mut check = Check { places, place, problems };
    let Value::Object(mut fields) = value else {
        // Not what it says: nobody knows whose text this is.
        let found = super::shape::kind_of(&value);
        check.problem(
            "",
            format!("expected an object with apiVersion, kind, metadata and spec, found {found}"),
            None,
        );
        return Header::Unknown(None, check.problems);
    };
    check.unknown("", &fields, &FIELDS);
    check.api_version(fields.get("apiVersion"));
    let kind = check.kind(fields.get("kind"));
    let metadata = check.metadata(fields.get("metadata"));
    let named = metadata.is_some();
    let metadata = metadata.or_else(|| Some((Name::parse("unnamed").ok()?, Strings::new(), Strings::new())));
    let (Some(kind), Some((name, labels, annotations))) = (kind, metadata) else {
        return Header::Unknown(None, check.problems);
    };
    let spec = match fields.remove("spec") {
        // `spec:` with nothing under it is as good as no fields.
        None | Some(Value::Null) => Value::Object(Map::new()),
        Some(spec) => spec,
    };
    let Check { places, place, problems } = check;
    let object = ObjectRef::new(kind, name.clone());
    let document = Document { object, metadata: Metadata { name, labels, annotations }, spec, place, places };
    match (named, problems.is_empty()) {
        (true, true) => Header::Good(document),
        (true, false) => Header::Rejected(document, problems),
        (false, _) => Header::Unknown(Some(document), problems),
    }
}

struct Check {
    places: Places,
    place: Place,
    problems: Vec<Problem>,
}

type Strings = BTreeMap<String, String>;

impl Check {
    fn problem(&mut self, path: &str, what: impl Into<String>, nearest: Option<String>) {
        let at = self.places.get(path).map(|at| (at.line, at.column));
        self.push(path, at, what.into(), nearest);
    }

    fn is_full(&self) -> bool {
        self.problems.len() >= MAX_PROBLEMS
    }

    fn push(&mut self, path: &str, at: Option<(u32, u32)>, what: String, nearest: Option<String>) {
        if self.is_full() {
            return;
        }
        let mut place = self.place.clone();
        let above = || self.places.get(path::parent(path)?).map(|at| (at.key_line, at.key_column));
        if let Some((line, column)) = at.or_else(above) {
            (place.line, place.column) = (line as usize, column as usize);
        }
        let mut problem = Problem::new(place, path, what);
        problem.nearest = nearest;
        self.problems.push(problem);
    }

    fn unknown(&mut self, parent: &str, fields: &Map<String, Value>, known: &[&str]) {
        for key in fields.keys().filter(|key| !known.contains(&key.as_str())) {
            if self.is_full() {
                return;
            }
            let path = path::field(parent, key);
            let at = self.places.get(&path).map(|at| (at.key_line, at.key_column));
            let (what, nearest) = if path == "status" {
                ("status is written by Seawall".to_owned(), "remove it".to_owned())
            } else {
                (format!("unknown field {}", quoted_key(key)), hint(key, known))
            };
            self.push(&path, at, what, Some(nearest));
        }
    }

    fn api_version(&mut self, value: Option<&Value>) {
        let wanted = Some(format!("write {API_VERSION}"));
        match value {
            Some(Value::String(text)) if text == API_VERSION => {}
            None | Some(Value::Null) => self.problem("apiVersion", "is missing", wanted),
            Some(Value::String(text)) => {
                self.problem("apiVersion", format!("unknown apiVersion {}", quoted(text)), wanted);
            }
            Some(other) => {
                let found = super::shape::found(other);
                self.problem("apiVersion", format!("expected a string, found {found}"), wanted);
            }
        }
    }

    fn kind(&mut self, value: Option<&Value>) -> Option<Kind> {
        let names = Kind::ALL.map(Kind::as_str);
        match value {
            Some(Value::String(text)) => {
                let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == text);
                if kind.is_none() {
                    self.problem("kind", format!("unknown kind {}", quoted(text)), Some(hint(text, &names)));
                }
                kind
            }
            None | Some(Value::Null) => {
                self.problem("kind", "is missing", Some(hint("", &names)));
                None
            }
            Some(other) => {
                let found = super::shape::found(other);
                self.problem("kind", format!("expected a string, found {found}"), Some(hint("", &names)));
                None
            }
        }
    }

    fn metadata(&mut self, value: Option<&Value>) -> Option<(Name, Strings, Strings)> {
        let fields = match value {
            Some(Value::Object(fields)) => fields,
            None | Some(Value::Null) => {
                self.problem("metadata.name", "is missing", None);
                return None;
            }
            Some(other) => {
                let found = super::shape::kind_of(other);
                self.problem("metadata", format!("expected a mapping, found {found}"), None);
                return None;
            }
        };
        self.unknown("metadata", fields, &METADATA);
        let labels = self.strings("metadata.labels", fields.get("labels"));
        let annotations = self.strings("metadata.annotations", fields.get("annotations"));
        let name = self.name(fields.get("name"))?;
        Some((name, labels, annotations))
    }

    fn name(&mut self, value: Option<&Value>) -> Option<Name> {
        let path = "metadata.name";
        match value {
            None | Some(Value::Null) => self.problem(path, "is missing", None),
            Some(value) => match Text::of(value).map(|Text(text)| (Name::parse(&text), text)) {
                Some((Ok(name), _)) => return Some(name),
                Some((Err(error), text)) => self.problem(path, error.to_string(), legal_name(&text)),
                None => self.no_string(path, value),
            },
        }
        None
    }

    fn no_string(&mut self, path: &str, value: &Value) {
        let what = format!("expected a string, found {}", super::shape::found(value));
        self.problem(path, what, super::shape::as_one_text(value, false));
    }

    fn strings(&mut self, parent: &str, value: Option<&Value>) -> Strings {
        let mut strings = Strings::new();
        match value {
            None | Some(Value::Null) => {}
            Some(Value::Object(fields)) => {
                for (key, value) in fields {
                    match Text::of(value) {
                        Some(Text(text)) => drop(strings.insert(key.clone(), text)),
                        None => self.no_string(&path::field(parent, key), value),
                    }
                }
            }
            Some(other) => {
                let found = super::shape::kind_of(other);
                self.problem(parent, format!("expected a mapping of strings, found {found}"), None);
            }
        }
        strings
    }
}

/// The name that was likely meant, where only case and separators are wrong.
fn legal_name(text: &str) -> Option<String> {
    let lower: String =
        text.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = Name::parse(lower.trim_matches('-')).ok()?;
    Some(format!("did you mean {}?", quoted(name.as_str())))
}
