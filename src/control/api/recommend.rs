//! What is recommended, as it is told over the wire.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RecommendList {
    pub items: Vec<Recommendation>,
}

/// For one object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Recommendation {
    /// `postgres/main`
    pub object: String,
    /// Whose manifest says it, where another object makes this one.
    pub made_by: Option<String>,
    /// Seconds of use that it rests on.
    pub known_seconds: u64,
    /// `None`: nothing is known, or for less than a day.
    pub memory: Option<Advice>,
    pub cpus: Option<Advice>,
    /// To commit; empty where nothing is to be changed.
    pub yaml: String,
}

impl Recommendation {
    /// What is to be another value than now, by name.
    pub fn changes(&self) -> impl Iterator<Item = (&'static str, &Advice)> {
        let all = [("memory", &self.memory), ("cpus", &self.cpus)].into_iter();
        all.filter_map(|(name, advice)| Some((name, advice.as_ref()?)))
            .filter(|(_, advice)| advice.verdict != Verdict::Keep)
    }
}

/// How much of something it should have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Advice {
    pub verdict: Verdict,
    /// As a manifest says it; `null`: there is no limit.
    pub now: Option<String>,
    /// The same. With `keep` it is what the rule gives, which is near enough to what there is.
    pub wanted: String,
    pub why: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    #[default]
    Keep,
    Raise,
    Lower,
    /// There is no limit.
    Set,
}

impl Verdict {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Keep => "keep",
            Verdict::Raise => "raise",
            Verdict::Lower => "lower",
            Verdict::Set => "set",
        }
    }
}
