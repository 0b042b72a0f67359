//! Project: the environments of an application, which links give their databases to, and the containers that run in them. It
//! runs none itself: each is an object that it makes.

pub mod spec;

use super::app_spec::{self, AppSpec};
use super::{About, Act, Child, Context, Reconciler, Scene, Subject, Undone};
use crate::core::condition::{ConditionType as C, Finding, Truth};
use crate::core::event::Note;
use crate::core::failure::Outlook;
use crate::core::names::{Kind, Name, ObjectRef};
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
use serde_json::{Map, Value, json};
use spec::ProjectSpec;
use std::collections::BTreeMap;
use std::fmt;

pub struct Project;

/// A project with no illegal name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    pub environments: BTreeMap<Name, Environment>,
}

/// One of its environments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// The objects that run in it, as they are written.
    pub apps: BTreeMap<ObjectRef, (String, AppSpec)>,
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
    /// The same of what runs in it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub apps: BTreeMap<String, Vec<String>>,
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

/// The applications of an environment, where all of them are legal.
fn apps(
    document: &Document,
    context: &Context<'_>,
    environment: &Name,
    written: &BTreeMap<String, AppSpec>,
    found: &mut Found<'_>,
) -> BTreeMap<ObjectRef, (String, AppSpec)> {
    let mut apps = BTreeMap::new();
    for (name, spec) in written {
        let field = path::field(&format!("environments.{environment}.apps"), name);
        let at = format!("spec.{field}");
        let project = &document.object.name;
        let called = Name::parse(name).map_err(|e| e.to_string()).and_then(|name| {
            let whole = format!("{project}-{environment}-{name}");
            Name::parse(&whole).map_err(|e| format!("its container is called after {whole}, and {e}"))
        });
        match called {
            Ok(called) => {
                let object = ObjectRef { kind: Kind::App, name: called };
                if apps.insert(object.clone(), (name.clone(), spec.clone())).is_some() {
                    found.add(&at, format!("another application is {object} already"));
                }
            }
            Err(why) => found.add(&at, why),
        }
        let mut of_app = Found::below(document, &at);
        let place = (&document.object, field.as_str());
        app_spec::check(spec, place, context.host, context.in_force, &mut of_app);
        found.problems.append(&mut of_app.problems);
    }
    apps
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
        made_by: None,
        gone: "it is forgotten",
        columns: &[],
        client: None,
        images: &[],
        spec: spec_schema::<ProjectSpec>,
    };

    fn check(document: &Document, context: &Context<'_>) -> Result<Checked, Vec<Problem>> {
        let spec: ProjectSpec = serde_json::from_value(document.spec.clone()).map_err(|e| {
            vec![Problem::new(document.place_of("spec"), "spec", shown(&e.to_string(), NAME))]
        })?;
        let mut found = Found::new(document);
        annotated(&mut found);
        let mut environments = BTreeMap::new();
        for (name, environment) in &spec.environments {
            let at = path::field("spec.environments", name);
            match Name::parse(name) {
                Ok(name) => {
                    let apps = apps(document, context, &name, &environment.apps, &mut found);
                    environments.insert(name, Environment { apps });
                }
                Err(e) => found.add(&at, e.to_string()),
            }
        }
        if found.problems.is_empty() { Ok(Checked { environments }) } else { Err(found.problems) }
    }

    fn offer(subject: &Subject<'_, Self>, (): &()) -> Said {
        subject.spec.environments.keys().map(|name| (offers::ENVIRONMENT, name.to_string())).collect()
    }

    fn plan(subject: &Subject<'_, Self>, (): &()) -> Plan<Action> {
        let mut plan = Plan::default();
        if !subject.present {
            plan.step(Sign::Delete, Action(workload::Action::Forget), "manifest removed");
        }
        plan
    }

    fn children(subject: &Subject<'_, Self>, (): &()) -> Option<Vec<Child>> {
        let of_one = |(environment, of): (&Name, &Environment)| -> Vec<Child> {
            let given = links(subject, environment).filter(|(_, offer)| offer.present);
            let links: Vec<String> = given.map(|(link, _)| link).collect();
            let child = |(object, (name, app)): (&ObjectRef, &(String, AppSpec))| Child {
                object: object.clone(),
                labels: BTreeMap::new(),
                annotations: BTreeMap::new(),
                spec: json!({
                    "project": subject.identity.object.name.as_str(),
                    "environment": environment.as_str(),
                    "app": name,
                    "links": links,
                    "container": app,
                }),
            };
            of.apps.iter().map(child).collect()
        };
        Some(subject.spec.environments.iter().flat_map(of_one).collect())
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
        let environments = &subject.spec.environments;
        let all = environments.keys().flat_map(|environment| links(subject, environment));
        let waits = all.into_iter().find(|(_, offer)| !offer.ready).map(|(link, _)| link);
        let up = |app: &&ObjectRef| subject.around.others.get(app).is_some_and(|offer| offer.ready);
        let mut apps = environments.values().flat_map(|environment| environment.apps.keys());
        let has_apps = environments.values().any(|environment| !environment.apps.is_empty());
        let down = apps.find(|app| !up(app));
        let ready = match (plan.blocked.first(), plan.waiting.first(), waits) {
            (Some(block), ..) => no(block.reason, format!("{}: {}", block.why, block.unblock)),
            (_, Some(wait), _) => no(wait.on, wait.why.clone()),
            (.., Some(link)) => no("LinkNotReady", format!("{link} is not Ready")),
            _ if down.is_some() => {
                no("AppNotReady", down.map(|app| format!("{app} is not Ready")).unwrap_or_default())
            }
            _ if has_apps => Finding::new(
                C::Ready,
                Truth::True,
                "AppsReady",
                "all of its links and applications are Ready",
            ),
            _ => Finding::new(C::Ready, Truth::True, "LinksReady", "all of its links are Ready"),
        };
        std::iter::once(ready).chain(broken).collect()
    }

    fn status(subject: &Subject<'_, Self>, (): &(), _: Option<Status>) -> Status {
        let links = |environment| links(subject, environment).map(|(link, _)| link).collect();
        let environments = subject.spec.environments.keys().map(|name| (name.to_string(), links(name)));
        let with_apps = subject.spec.environments.iter().filter(|(_, of)| !of.apps.is_empty());
        let names = |of: &Environment| of.apps.keys().map(ToString::to_string).collect();
        Status {
            environments: environments.collect(),
            apps: with_apps.map(|(name, of)| (name.to_string(), names(of))).collect(),
        }
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
