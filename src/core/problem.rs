//! Problems: what is wrong with a manifest, where, and what would be right.

use super::text::shown;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Characters of each part of a problem.
const MAX_WORDS: usize = 1000;

/// A place in a file; `line` and `column` count from 1, 0 is "not known".
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// Path as shown to people, relative to the watched directory.
    pub file: String,
    pub line: usize,
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The name of a file is somebody's text too.
        f.write_str(&shown(&self.file, MAX_WORDS))?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column.max(1))?;
        }
        Ok(())
    }
}

/// One thing wrong with a manifest. Prints as `file:line:col: path: what: nearest valid`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    pub place: Place,
    /// Field path: `spec.resources.memory`; empty when the whole document is meant.
    pub path: String,
    pub what: String,
    /// What to write instead, where there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
}

impl Problem {
    #[must_use]
    pub fn new(place: Place, path: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place, path: path.into(), what: bounded(what.into()), nearest: None }
    }

    #[must_use]
    pub fn nearest(mut self, hint: impl Into<String>) -> Self {
        self.nearest = Some(bounded(hint.into()));
        self
    }
}

/// What is said must never become a way to say all that stands in a file, nor grow with it.
fn bounded(words: String) -> String {
    if words.len() <= MAX_WORDS && !words.contains(char::is_control) {
        words
    } else {
        shown(&words, MAX_WORDS)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.what)?;
        if let Some(hint) = &self.nearest {
            write!(f, ": {hint}")?;
        }
        Ok(())
    }
}
