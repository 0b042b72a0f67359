//! What a diagnosis comes to: checks, each with a colour, and what to do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a check came out, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Something does not work, or will soon not.
    Red,
    /// It works, and costs or will cost something.
    Yellow,
    /// It could not be read: that is no good news.
    Unknown,
    Green,
}

impl Level {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Red => "red",
            Level::Yellow => "yellow",
            Level::Unknown => "unknown",
            Level::Green => "green",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// `Connections`
    pub check: String,
    pub level: Level,
    /// What was found, with its figure; of one that is unknown, why.
    pub found: String,
    /// Why it matters; empty where it is green.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// A command, or lines for the manifest; empty where there is nothing to do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub next: String,
    /// What it is about, one a line: tables, sessions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of: Vec<String>,
}

impl Check {
    #[must_use]
    pub fn new(check: &str, level: Level, found: impl Into<String>) -> Self {
        Self {
            check: check.to_owned(),
            level,
            found: found.into(),
            why: String::new(),
            next: String::new(),
            of: Vec::new(),
        }
    }

    /// Why it matters and what to do, of one that is not green.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>, next: impl Into<String>) -> Self {
        if self.level != Level::Green {
            (self.why, self.next) = (why.into(), next.into());
        }
        self
    }

    #[must_use]
    pub fn about(mut self, of: Vec<String>) -> Self {
        if self.level != Level::Green {
            self.of = of;
        }
        self
    }
}
