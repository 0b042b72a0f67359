//! A secret in a manifest: never its value, but where that is. One type for every field of every kind that takes one.
//!
//! Pure: what is named here is opened in `workload/tools/sources.rs` alone, by whoever needs it.

use super::letter::Letter;
use super::scalar::Text;
use crate::core::names::{ObjectRef, RefError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A secret, by where its value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretSpec {
    pub value_from: ValueFromSpec,
}

/// Exactly one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValueFromSpec {
    /// What `seawall seal --for KIND/NAME:FIELD` printed: only this installation opens it, and only in that field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"sws1-…")]
    pub sealed: Option<Text>,
    /// A file in `DATA/secrets` on the operator's machine, mode 600; a newline at its end does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"./main-password")]
    pub file: Option<Text>,
}

/// Where the value of a secret comes from, as far as that can be told without looking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    Sealed(String),
    /// Relative, of plain names only.
    File(PathBuf),
}

impl SecretSpec {
    /// The source, where it can be that of `place`.
    ///
    /// # Errors
    /// What is wrong with it, and the field below this one that it is wrong in.
    pub fn source(&self, place: &SecretPlace) -> Result<SecretSource, (&'static str, String)> {
        let from = &self.value_from;
        match (&from.sealed, &from.file) {
            (Some(Text(sealed)), None) => {
                let letter = Letter::read(sealed);
                match letter.and_then(|letter| letter.is_for(&place.to_string())) {
                    Ok(()) => Ok(SecretSource::Sealed(sealed.trim().to_owned())),
                    Err(error) => Err(("valueFrom.sealed", error.to_string())),
                }
            }
            (None, Some(Text(file))) => path(file).map_err(|why| ("valueFrom.file", why)),
            (Some(_), Some(_)) => Err(("valueFrom", "has both sealed and file: give one".to_owned())),
            (None, None) => Err(("valueFrom", "needs sealed or file".to_owned())),
        }
    }
}

fn path(text: &str) -> Result<SecretSource, String> {
    let names: Vec<&str> = text.split('/').filter(|name| !matches!(*name, "" | ".")).collect();
    if text.starts_with('/') {
        return Err("must be relative: it is looked for in DATA/secrets and nowhere else".to_owned());
    }
    if names.contains(&"..") {
        return Err("must not lead out of DATA/secrets".to_owned());
    }
    if names.is_empty() || text.chars().any(char::is_control) {
        return Err("is no name of a file".to_owned());
    }
    Ok(SecretSource::File(names.iter().collect()))
}

/// The one field of one object that a sealed value is for: `project/shop:environments.production.apps.web.env.KEY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretPlace {
    pub object: ObjectRef,
    /// Below `spec`.
    pub field: String,
}

/// Why a text names no field.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    #[error("write KIND/NAME:FIELD, with the field's path below spec")]
    NoField,
    #[error(transparent)]
    Object(#[from] RefError),
}

impl SecretPlace {
    #[must_use]
    pub fn new(object: &ObjectRef, field: &str) -> Self {
        let field = field.strip_prefix("spec.").unwrap_or(field);
        Self { object: object.clone(), field: field.to_owned() }
    }
}

impl fmt::Display for SecretPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.object, self.field)
    }
}

impl FromStr for SecretPlace {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let (object, field) = text.split_once(':').ok_or(PlaceError::NoField)?;
        let place = Self::new(&object.parse()?, field.trim());
        if place.field.is_empty() || place.field.chars().any(char::is_control) {
            return Err(PlaceError::NoField);
        }
        Ok(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const PLACE: &str = "postgres/main:password";

    fn letter(place: &str) -> String {
        Letter { to: "0a0b0c0d".to_owned(), place: place.to_owned(), body: vec![7; 50] }.write()
    }

    #[test]
    fn one_source_and_no_way_out() {
        let place: SecretPlace = PLACE.parse().unwrap();
        let file = |path: &str| json!({"valueFrom": {"file": path}});
        let sealed = |text: &str| json!({"valueFrom": {"sealed": text}});
        let rows = [
            (sealed(&format!(" {}\n", letter(PLACE))), Ok(SecretSource::Sealed(letter(PLACE)))),
            (sealed(&letter("postgres/b:password")), Err("stands in postgres/main:password")),
            (sealed(&letter(PLACE)[..40]), Err("cut short")),
            (sealed("hunter2"), Err("not a sealed value")),
            (file("./main"), Ok(SecretSource::File("main".into()))),
            (file("shop//web/key.pem"), Ok(SecretSource::File("shop/web/key.pem".into()))),
            (file("/etc/shadow"), Err("must be relative")),
            (file("a/../../encryption_key"), Err("must not lead out")),
            (file("./"), Err("no name of a file")),
            (file("a\u{0}b"), Err("no name of a file")),
            (sealed(""), Err("not a sealed value")),
            (json!({"valueFrom": {}}), Err("needs sealed or file")),
            (json!({"valueFrom": {"sealed": "x", "file": "y"}}), Err("give one")),
        ];
        for (written, wanted) in rows {
            let got = serde_json::from_value::<SecretSpec>(written.clone()).unwrap().source(&place);
            match (&got, wanted) {
                (Ok(got), Ok(wanted)) => assert_eq!(*got, wanted, "{written}"),
                (Err((_, why)), Err(says)) => assert!(why.contains(says), "{written}: {why}"),
                _ => panic!("{written}: {got:?}"),
            }
        }
    }

    #[test]
    fn a_place_is_written_in_one_way() {
        for (text, shown) in [
            ("postgres/main:password", Some("postgres/main:password")),
            ("pg/main:spec.password", Some("postgres/main:password")),
            ("project/shop:a.b.env.KEY", Some("project/shop:a.b.env.KEY")),
            ("postgres/main", None),
            ("postgres/main:", None),
            ("postgres:password", None),
            ("postgres/Main:password", None),
            ("postgres/main:a\nb", None),
        ] {
            assert_eq!(text.parse::<SecretPlace>().ok().map(|p| p.to_string()).as_deref(), shown, "{text}");
        }
    }
}
