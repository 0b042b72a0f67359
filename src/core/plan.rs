//! A plan: the steps that can run now, what has to wait, and what needs the user's consent.
//!
//! A plan is a value. It is made by pure functions, shown by `seawall plan` and run by `apply`;
//! the same values give the same bytes.

use super::names::ObjectRef;
use super::resource::Document;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a step does to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Sign {
    #[serde(rename = "+")]
    Create,
    #[serde(rename = "~")]
    Change,
    #[serde(rename = "-/+")]
    Replace,
    #[serde(rename = "-")]
    Delete,
    #[serde(rename = "!")]
    Data,
}

impl Sign {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Sign::Create => "+",
            Sign::Change => "~",
            Sign::Replace => "-/+",
            Sign::Delete => "-",
            Sign::Data => "!",
        }
    }
}

/// One step: what to do, and why in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<A> {
    pub sign: Sign,
    pub action: A,
    pub cause: String,
}

/// What is done to the record of an object that another one owns. The rest is that object's own passes'.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChildStep {
    Make(Document),
    Change(Document),
    /// Nobody wants it any more: it goes by its own rules.
    LetGo(ObjectRef),
}

impl ChildStep {
    #[must_use]
    pub fn object(&self) -> &ObjectRef {
        match self {
            ChildStep::Make(document) | ChildStep::Change(document) => &document.object,
            ChildStep::LetGo(object) => object,
        }
    }
}

impl fmt::Display for ChildStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChildStep::Make(_) => write!(f, "make {}", self.object()),
            ChildStep::Change(_) => write!(f, "change {}", self.object()),
            ChildStep::LetGo(_) => write!(f, "let {} go", self.object()),
        }
    }
}

/// When a wait is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Until {
    /// It comes by itself.
    #[default]
    Soon,
    /// Somebody has to mend something: a pass that ends so got nowhere, and the next ones come more and more seldom.
    Mended,
    /// At a time that is said: there is no need for anybody to stand by.
    Due,
}

/// What cannot go on yet, and is not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// What is waited for, one CamelCase word: `ServerStarting`.
    pub on: &'static str,
    pub why: String,
    /// Look again after this many milliseconds; `None`: something will wake us.
    pub retry_ms: Option<u64>,
    pub until: Until,
}

/// What must not be done without the user: the reason and the words to type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// One CamelCase word: `MajorVersionChange`, `NameConflict`.
    pub reason: &'static str,
    pub why: String,
    pub unblock: String,
    /// Data is at risk: worth an event.
    pub danger: bool,
}

/// The reason of a block: somebody refers to an object that would be deleted.
pub const REFERRED_TO: &str = "ReferredTo";
/// The same: what an object needs has a name that is another's.
pub const NAME_CONFLICT: &str = "NameConflict";

/// What one pass would do for one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan<A> {
    /// What becomes of its children; before its own steps.
    pub children: Vec<Step<ChildStep>>,
    pub steps: Vec<Step<A>>,
    pub waiting: Vec<Waiting>,
    pub blocked: Vec<Blocked>,
}

impl<A> Default for Plan<A> {
    fn default() -> Self {
        Self { children: Vec::new(), steps: Vec::new(), waiting: Vec::new(), blocked: Vec::new() }
    }
}

impl<A> Plan<A> {
    pub fn step(&mut self, sign: Sign, action: impl Into<A>, cause: impl Into<String>) {
        self.steps.push(Step { sign, action: action.into(), cause: cause.into() });
    }
    pub fn wait(&mut self, on: &'static str, why: impl Into<String>, retry_ms: Option<u64>) {
        self.waiting.push(Waiting { on, why: why.into(), retry_ms, until: Until::Soon });
    }
    /// Waits for somebody to mend it.
    pub fn stuck(&mut self, on: &'static str, why: impl Into<String>, retry_ms: u64) {
        self.waiting.push(Waiting { on, why: why.into(), retry_ms: Some(retry_ms), until: Until::Mended });
    }
    /// Waits for a time that `why` says.
    pub fn due(&mut self, on: &'static str, why: impl Into<String>) {
        self.waiting.push(Waiting { on, why: why.into(), retry_ms: None, until: Until::Due });
    }
    pub fn block(&mut self, reason: &'static str, why: impl Into<String>, unblock: impl Into<String>) {
        self.blocked.push(Blocked { reason, why: why.into(), unblock: unblock.into(), danger: false });
    }
    /// The same where data is at risk.
    pub fn danger(&mut self, reason: &'static str, why: impl Into<String>, unblock: impl Into<String>) {
        self.blocked.push(Blocked { reason, why: why.into(), unblock: unblock.into(), danger: true });
    }
    /// Takes over what is planned for a part of it.
    pub fn add<B>(&mut self, part: Plan<B>, whose: impl Fn(B) -> A) {
        let step = |step: Step<B>| Step { sign: step.sign, action: whose(step.action), cause: step.cause };
        self.steps.extend(part.steps.into_iter().map(step));
        self.waiting.extend(part.waiting);
        self.blocked.extend(part.blocked);
        self.children.extend(part.children);
    }
    /// Nothing can be done now.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.children.is_empty() && self.steps.is_empty()
    }
    /// Nothing to do, nothing to wait for, nothing blocked.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.is_idle() && self.waiting.is_empty() && self.blocked.is_empty()
    }
}

/// A plan in words, as `seawall plan -o json` and the API give it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanView {
    /// `postgres/main`
    pub object: String,
    pub steps: Vec<StepView>,
    pub waiting: Vec<WaitView>,
    pub blocked: Vec<BlockView>,
    /// True while `seawall.dev/paused` holds the steps back.
    #[serde(default)]
    pub paused: bool,
    /// Why there is no plan (engine down, image not readable); then the lists are empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepView {
    pub sign: Sign,
    pub action: String,
    pub cause: String,
}
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WaitView {
    pub on: String,
    pub why: String,
    /// For the operator alone.
    #[serde(skip)]
    pub until: Until,
}
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BlockView {
    pub reason: String,
    pub why: String,
    pub unblock: String,
}

impl<A: fmt::Display> Step<A> {
    fn view(&self) -> StepView {
        StepView { sign: self.sign, action: self.action.to_string(), cause: self.cause.clone() }
    }
}

impl<A: fmt::Display> Plan<A> {
    #[must_use]
    pub fn view(&self, object: &str, paused: bool) -> PlanView {
        PlanView {
            object: object.to_owned(),
            steps: self.children.iter().map(Step::view).chain(self.steps.iter().map(Step::view)).collect(),
            waiting: self
                .waiting
                .iter()
                .map(|w| WaitView { on: w.on.to_owned(), why: w.why.clone(), until: w.until })
                .collect(),
            blocked: self
                .blocked
                .iter()
                .map(|b| BlockView {
                    reason: b.reason.to_owned(),
                    why: b.why.clone(),
                    unblock: b.unblock.clone(),
                })
                .collect(),
            paused,
            unknown: None,
        }
    }
}
