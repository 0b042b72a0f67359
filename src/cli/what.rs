//! Which objects `get` is about: all, of some kinds, by name, by their labels. Pure.

use super::format::object_name;
use crate::control::api::{ObjectList, ObjectView};
use crate::core::names::{Kind, Name, ObjectRef};
use crate::http::select::Labels;

#[derive(Debug, Default)]
pub struct What {
    /// None of both: everything.
    kinds: Vec<Kind>,
    objects: Vec<ObjectRef>,
    /// Of whichever kinds.
    names: Vec<Name>,
    labels: Labels,
}

impl What {
    /// `KIND/NAME…`, `KIND NAME…`, `KIND,KIND`, `all`.
    ///
    /// # Errors
    /// What of it is nothing of that.
    pub fn parse(words: &[String], labels: Option<Labels>) -> Result<Self, String> {
        let by_labels = labels.is_some();
        let mut what = Self { labels: labels.unwrap_or_default(), ..Self::default() };
        match words {
            [] => {}
            [all] if all == "all" => {}
            [first, ..] if first.contains('/') => {
                let objects = words.iter().map(|word| word.parse::<ObjectRef>().map_err(|e| e.to_string()));
                what.objects = objects.collect::<Result<_, String>>()?;
            }
            // No kind is called so: names alone.
            words if words.iter().all(|word| is_name(word)) && !is_kind(&words[0]) => {
                let names = words.iter().map(|word| Name::parse(word).map_err(|e| e.to_string()));
                what.names = names.collect::<Result<_, String>>()?;
            }
            [kinds, names @ ..] => {
                let all = kinds.split(',').map(|word| word.parse::<Kind>().map_err(|e| e.to_string()));
                let all: Vec<Kind> = all.collect::<Result<_, String>>()?;
                match (all.as_slice(), names) {
                    (_, []) => what.kinds = all,
                    ([kind], names) => {
                        let object = |name: &String| {
                            Name::parse(name)
                                .map(|name| ObjectRef::new(*kind, name))
                                .map_err(|e| e.to_string())
                        };
                        what.objects = names.iter().map(object).collect::<Result<_, String>>()?;
                    }
                    _ => return Err(format!("{kinds} are several kinds: write KIND/NAME for each object")),
                }
            }
        }
        if by_labels && !(what.objects.is_empty() && what.names.is_empty()) {
            return Err("labels select among what is not named".to_owned());
        }
        Ok(what)
    }

    #[must_use]
    pub fn select(&self, list: &ObjectList) -> Vec<ObjectView> {
        let all = self.kinds.is_empty() && self.objects.is_empty() && self.names.is_empty();
        let is_meant = |view: &&ObjectView| {
            all || self.kinds.iter().any(|kind| view.kind == kind.as_str())
                || self.objects.iter().any(|object| object_name(view) == object.to_string())
                || self.names.iter().any(|name| view.metadata.name == name.as_str())
        };
        list.items.iter().filter(is_meant).filter(|view| self.labels.select(*view)).cloned().collect()
    }

    /// Named, and not there.
    #[must_use]
    pub fn missing(&self, found: &[ObjectView]) -> Vec<String> {
        let named = self.objects.iter().map(ToString::to_string);
        let objects = named.filter(|name| !found.iter().any(|view| object_name(view) == *name));
        let names =
            self.names.iter().filter(|name| !found.iter().any(|view| view.metadata.name == name.as_str()));
        objects.chain(names.map(ToString::to_string)).collect()
    }

    /// One object, by its name: it is printed as itself rather than as a list.
    #[must_use]
    pub fn is_single(&self, found: &[ObjectView]) -> bool {
        self.objects.len() + self.names.len() == 1 && found.len() == 1
    }
}

fn is_name(word: &str) -> bool {
    Name::parse(word).is_ok()
}

fn is_kind(word: &str) -> bool {
    word.parse::<Kind>().is_ok()
}
