//! A kind that makes what its spec lists, and has no container of its own. It stands in the place of ImageCatalog.

use crate::machine::rig::object;
use schemars::JsonSchema;
use seawall::core::condition::{ConditionType as C, Finding, Truth};
use seawall::core::event::Note;
use seawall::core::failure::Outlook;
use seawall::core::names::{Kind, annotation};
use seawall::core::plan::{Plan, Sign};
use seawall::core::problem::Problem;
use seawall::core::resource::Document;
use seawall::core::seen::EngineInfo;
use seawall::kinds::{About, Act, Child, Context, Reconciler, Scene, Subject, Undone};
use seawall::manifest::schema::spec_schema;
use seawall::workload;
use seawall::workload::observe::{Intent, ObserveError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Makes {
    /// `postgres/a` → its spec.
    #[serde(default)]
    make: BTreeMap<String, Value>,
    /// It cannot tell what it wants.
    #[serde(default)]
    blind: bool,
    /// Its looks take five seconds.
    #[serde(default)]
    slow: bool,
}

pub struct Maker;

#[derive(Clone, PartialEq)]
pub struct Action(workload::Action);

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Act for Action {
    fn reason(&self) -> &'static str {
        self.0.reason()
    }
    fn work(&self) -> Option<&workload::Action> {
        Some(&self.0)
    }
}

impl Reconciler for Maker {
    type Checked = Makes;
    type Memory = Map<String, Value>;
    type World = ();
    type Action = Action;
    type Status = Map<String, Value>;
    const ABOUT: About = About {
        kind: Kind::ImageCatalog,
        folder: "tests",
        description: "Makes others.",
        runs: true,
        containers: false,
        rotates: false,
        made_by: None,
        gone: "what it made goes",
        columns: &[],
        panels: &[],
        metrics: &[],
        history: &[],
        least_memory: 0,
        warnings: None,
        client: None,
        backups: None,
        service: None,
        images: &[],
        spec: spec_schema::<Makes>,
    };

    fn check(document: &Document, _: &Context<'_>) -> Result<Makes, Vec<Problem>> {
        Ok(serde_json::from_value(document.spec.clone()).unwrap())
    }

    fn plan(subject: &Subject<'_, Self>, (): &()) -> Plan<Action> {
        let mut plan = Plan::default();
        if !subject.present {
            plan.step(Sign::Delete, Action(workload::Action::Forget), "nobody wants it");
        }
        plan
    }

    fn children(subject: &Subject<'_, Self>, (): &()) -> Option<Vec<Child>> {
        let child = |(name, spec): (&String, &Value)| Child {
            object: object(name),
            labels: BTreeMap::from([("by".to_owned(), subject.identity.object.name.to_string())]),
            // As a user would say it there.
            annotations: BTreeMap::from([(
                annotation::CONFIRM_DELETE.to_owned(),
                object(name).name.to_string(),
            )]),
            spec: spec.clone(),
        };
        (!subject.spec.blind).then(|| subject.spec.make.iter().map(child).collect())
    }

    fn findings(subject: &Subject<'_, Self>, (): &(), plan: &Plan<Action>, _: &Outlook) -> Vec<Finding> {
        let wait = plan.waiting.first().map(|w| (w.on, w.why.clone()));
        let block = plan.blocked.first().map(|b| (b.reason, format!("{}: {}", b.why, b.unblock)));
        let ready = |name: &String| subject.around.others.get(&object(name)).is_some_and(|offer| offer.ready);
        let missing = subject.spec.make.keys().find(|name| !ready(name));
        let (truth, (reason, words)) = match (wait.or(block), missing) {
            (Some(why), _) => (Truth::False, why),
            (None, Some(name)) => (Truth::False, ("ChildNotReady", name.clone())),
            (None, None) => (Truth::True, ("AllReady", String::new())),
        };
        vec![Finding::new(C::Ready, truth, reason, words)]
    }

    fn status(subject: &Subject<'_, Self>, (): &(), _: Option<Self::Status>) -> Self::Status {
        let sees: Vec<String> = subject.around.others.keys().map(ToString::to_string).collect();
        Map::from_iter([("sees".to_owned(), json!(sees))])
    }

    async fn observe(
        &self,
        subject: &Subject<'_, Self>,
        _: &EngineInfo,
        _: Intent,
    ) -> Result<(), ObserveError> {
        if subject.spec.slow {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        Ok(())
    }

    async fn act(&self, _: &Scene<'_, Self>, _: &Action, _: &mut Self::Memory) -> Result<Vec<Note>, Undone> {
        Ok(Vec::new())
    }
}
