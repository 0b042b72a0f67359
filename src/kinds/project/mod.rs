//! Project: the environments of an application, which links give their databases to.

pub mod spec;

use super::{About, Act, Context, Reconciler, Scene, Subject, Undone};
use crate::core::condition::{ConditionType as C, Finding, Truth};
use crate::core::event::Note;
use crate::core::failure::Outlook;
use crate::core::names::{Kind, Name};
use crate::core::neighbours::{Offer, Said, offers};
use crate::core::path;
use crate::core::plan::{Plan, Sign};
use crate::core::problem::Problem;
use crate::core::resource::Document;
use crate::core::seen::EngineInfo;
use crate::core::text::{NAME, shown};
use crate::manifest::schema::spec_schema;
use crate::workload;
use crate::workload::check::{Found, annotated};
use crate::workload::observe::{Intent, ObserveError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use spec::ProjectSpec;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

pub struct Project;

/// A project with no illegal name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    pub environments: BTreeSet<Name>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
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

/// The body of its status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// Environment → the links that it has.
    pub environments: BTreeMap<String, Vec<String>>,
}

/// The links of an environment.
fn links<'a>(
    subject: &'a Subject<'_, Project>,
    environment: &'a Name,
) -> impl Iterator<Item = (String, &'a Offer)> {
    let referrers = subject.around.referrers.iter();
    referrers.filter_map(move |object| {
        let offer = subject.around.others.get(object)?;
        offer.has(offers::ENVIRONMENT, environment.as_str()).then(|| (object.to_string(), offer))
    })
}

impl Reconciler for Project {
    type Checked = Checked;
    type Memory = Map<String, Value>;
    type World = ();
    type Action = Action;
    type Status = Status;
    const ABOUT: About = About {
        kind: Kind::Project,
        folder: "project",
        description: "The environments of an application. Links give each of them databases of its own.",
        runs: true,
        containers: false,
        rotates: false,
        gone: "it is forgotten",
        columns: &[],
        client: None,
        images: &[],
        spec: spec_schema::<ProjectSpec>,
    };

    fn check(document: &Document, _: &Context<'_>) -> Result<Checked, Vec<Problem>> {
        let spec: ProjectSpec = serde_json::from_value(document.spec.clone()).map_err(|e| {
            vec![Problem::new(document.place_of("spec"), "spec", shown(&e.to_string(), NAME))]
        })?;
        let mut found = Found::new(document);
        annotated(&mut found);
        let mut environments = BTreeSet::new();
        for name in spec.environments.keys() {
            match Name::parse(name) {
                Ok(name) => drop(environments.insert(name)),
                Err(e) => found.add(&path::field("spec.environments", name), e.to_string()),
            }
        }
        if found.problems.is_empty() { Ok(Checked { environments }) } else { Err(found.problems) }
    }

    fn offer(subject: &Subject<'_, Self>, (): &()) -> Said {
        subject.spec.environments.iter().map(|name| (offers::ENVIRONMENT, name.to_string())).collect()
    }

    fn plan(subject: &Subject<'_, Self>, (): &()) -> Plan<Action> {
        let mut plan = Plan::default();
        if !subject.present {
            plan.step(Sign::Delete, Action(workload::Action::Forget), "manifest removed");
        }
        plan
    }

    fn findings(
        subject: &Subject<'_, Self>,
        (): &(),
        plan: &Plan<Action>,
        outlook: &Outlook,
    ) -> Vec<Finding> {
        let broken = outlook.manifest_broken.as_ref();
        let broken = broken.map(|why| Finding::new(C::Degraded, Truth::True, "ManifestBroken", why));
        let no = |reason, words| Finding::new(C::Ready, Truth::False, reason, words);
        let all = subject.spec.environments.iter().flat_map(|environment| links(subject, environment));
        let waits = all.into_iter().find(|(_, offer)| !offer.ready).map(|(link, _)| link);
        let ready = match (plan.blocked.first(), plan.waiting.first(), waits) {
            (Some(block), ..) => no(block.reason, format!("{}: {}", block.why, block.unblock)),
            (_, Some(wait), _) => no(wait.on, wait.why.clone()),
            (.., Some(link)) => no("LinkNotReady", format!("{link} is not Ready")),
            _ => Finding::new(C::Ready, Truth::True, "LinksReady", "all of its links are Ready"),
        };
        std::iter::once(ready).chain(broken).collect()
    }

    fn status(subject: &Subject<'_, Self>, (): &(), _: Option<Status>) -> Status {
        let environments = subject.spec.environments.iter();
        let links = |environment| links(subject, environment).map(|(link, _)| link).collect();
        Status { environments: environments.map(|name| (name.to_string(), links(name))).collect() }
    }

    async fn observe(&self, _: &Subject<'_, Self>, _: &EngineInfo, _: Intent) -> Result<(), ObserveError> {
        Ok(())
    }

    async fn act(
        &self,
        _: &Scene<'_, Self>,
        _: &Action,
        _: &mut Map<String, Value>,
    ) -> Result<Vec<Note>, Undone> {
        Ok(Vec::new())
    }
}
