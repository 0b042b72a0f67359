//! Project: the environments of an application, which links give their databases to, and the containers that run in them. It
//! runs none itself: each is an object that it makes.

pub mod act;
pub mod env_file;
pub mod probe;
pub mod spec;
pub mod tools;

use super::app_spec::{self, AppSpec};
use super::{About, Act, Child, Context, Learnt, Reconciler, Remembered, Scene, Subject, Undone};
use crate::core::condition::{ConditionType as C, Finding, Truth};
use crate::core::event::Note;
use crate::core::failure::Outlook;
use crate::core::names::{Kind, Name, ObjectRef};
use crate::core::neighbours::{Offer, Said, Ties, offers};
use crate::core::path;
use crate::core::plan::{Plan, Sign};
use crate::core::problem::Problem;
use crate::core::resource::Document;
use crate::core::seen::EngineInfo;
use crate::core::text::{NAME, shown};
use crate::manifest::schema::spec_schema;
use crate::workload::check::{Found, annotated};
use crate::workload::observe::{Intent, ObserveError};
use crate::workload::{self, Tools};
use env_file::check::EnvFile;
use serde::{Deserialize, Serialize};
use serde_json::json;
use spec::ProjectSpec;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// How often its env files are looked at: nobody tells when somebody changes one.
const LOOK_MS: u64 = 30_000;

pub struct Project {
    pub tools: Arc<Tools>,
    disks: tools::Disks,
}

impl Project {
    #[must_use]
    pub fn new(tools: &Arc<Tools>) -> Self {
        Self { tools: Arc::clone(tools), disks: tools::Disks::default() }
    }
}

/// A project with no illegal name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    pub environments: BTreeMap<Name, Environment>,
    /// By environment.
    pub env_files: BTreeMap<Name, EnvFile>,
}

/// One of its environments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// The objects that run in it, as they are written.
    pub apps: BTreeMap<ObjectRef, (String, AppSpec)>,
}

/// What must be remembered of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Memory {
    /// That there may be something in, by absolute path.
    pub env_files: BTreeMap<String, env_file::Kept>,
}

impl Remembered for Memory {}

/// What one pass saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct World {
    pub env_files: Vec<env_file::File>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Work(workload::Action),
    EnvFile(env_file::plan::Step),
}

impl From<env_file::plan::Step> for Action {
    fn from(step: env_file::plan::Step) -> Self {
        Action::EnvFile(step)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Work(action) => action.fmt(f),
            Action::EnvFile(step) => step.fmt(f),
        }
    }
}

impl Act for Action {
    fn reason(&self) -> &'static str {
        match self {
            Action::Work(action) => action.reason(),
            Action::EnvFile(step) => step.reason(),
        }
    }
    fn work(&self) -> Option<&workload::Action> {
        if let Action::Work(action) = self { Some(action) } else { None }
    }
    fn stands_alone(&self) -> bool {
        matches!(self, Action::EnvFile(step) if step.stands_alone())
    }
}

/// The body of its status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Status {
    /// Environment → the links that it has.
    pub environments: BTreeMap<String, Vec<String>>,
    /// The same of what runs in it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub apps: BTreeMap<String, Vec<String>>,
    /// By environment.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env_files: BTreeMap<String, env_file::Status>,
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
    type Memory = Memory;
    type World = World;
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
        gone: "its applications stop, its env files are emptied, and it is forgotten",
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
        spec: spec_schema::<ProjectSpec>,
    };

    fn check(document: &Document, context: &Context<'_>) -> Result<Checked, Vec<Problem>> {
        let spec: ProjectSpec = serde_json::from_value(document.spec.clone()).map_err(|e| {
            vec![Problem::new(document.place_of("spec"), "spec", shown(&e.to_string(), NAME))]
        })?;
        let mut found = Found::new(document);
        annotated(&mut found);
        let mut environments = BTreeMap::new();
        let mut env_files = BTreeMap::new();
        for (name, environment) in &spec.environments {
            let at = path::field("spec.environments", name);
            let name = match Name::parse(name) {
                Ok(name) => name,
                Err(e) => {
                    found.add(&at, e.to_string());
                    continue;
                }
            };
            if let Some(file) = &environment.env_file
                && let Some(file) =
                    env_file::check::check(file, &path::field(&at, "envFile"), &env_files, &mut found)
            {
                env_files.insert(name.clone(), file);
            }
            let apps = apps(document, context, &name, &environment.apps, &mut found);
            environments.insert(name, Environment { apps });
        }
        if found.problems.is_empty() { Ok(Checked { environments, env_files }) } else { Err(found.problems) }
    }

    fn ties(checked: &Checked) -> Ties {
        Ties { files: checked.env_files.values().map(|file| file.path.clone()).collect(), ..Ties::default() }
    }

    fn offer(subject: &Subject<'_, Self>, _: &World) -> Said {
        subject.spec.environments.keys().map(|name| (offers::ENVIRONMENT, name.to_string())).collect()
    }

    fn plan(subject: &Subject<'_, Self>, world: &World) -> Plan<Action> {
        let mut plan = Plan::default();
        env_file::plan::plan(&world.env_files, &subject.memory.env_files, subject.around, &mut plan);
        // What a file still has in it, nobody would know of afterwards.
        if !subject.present && plan.blocked.is_empty() {
            plan.step(Sign::Delete, Action::Work(workload::Action::Forget), "manifest removed");
        }
        plan
    }

    fn children(subject: &Subject<'_, Self>, _: &World) -> Option<Vec<Child>> {
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
        // Before a link has said anything, nobody knows to which environment it gives.
        let unseen = |link: &ObjectRef| {
            let offer = subject.around.others.get(link);
            offer.is_some_and(|offer| offer.present && offer.says.is_empty())
        };
        if subject.around.referrers.iter().any(unseen) {
            return None;
        }
        Some(subject.spec.environments.iter().flat_map(of_one).collect())
    }

    /// Nobody tells what is changed in a file.
    fn look_again(world: &World) -> Option<u64> {
        (!world.env_files.is_empty()).then_some(LOOK_MS)
    }

    /// A crash may have come before what was written was remembered.
    fn learn(_: &Subject<'_, Self>, world: &World, memory: &mut Memory, now: &str) -> Learnt {
        env_file::learn(&world.env_files, &mut memory.env_files, now);
        Learnt::default()
    }

    fn findings(
        subject: &Subject<'_, Self>,
        _: &World,
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
        let block = plan.blocked.first().map(|b| (b.reason, format!("{}: {}", b.why, b.unblock)));
        let failure = outlook.failure.as_ref().map(|failure| (failure.reason, failure.message.clone()));
        let stuck = block.or(failure);
        let ready = match (&stuck, plan.waiting.first(), waits, plan.steps.first()) {
            (Some((reason, words)), ..) => no(reason, words.clone()),
            (_, Some(wait), ..) => no(wait.on, wait.why.clone()),
            (.., Some(link), _) => no("LinkNotReady", format!("{link} is not Ready")),
            (.., Some(step)) => no("Reconciling", format!("{}: {}", step.action, step.cause)),
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
        let stuck = stuck.map(|(reason, words)| Finding::new(C::Degraded, Truth::True, reason, words));
        std::iter::once(ready).chain(broken.or(stuck)).collect()
    }

    fn status(subject: &Subject<'_, Self>, world: &World, _: Option<Status>) -> Status {
        let links = |environment| links(subject, environment).map(|(link, _)| link).collect();
        let environments = subject.spec.environments.keys().map(|name| (name.to_string(), links(name)));
        let with_apps = subject.spec.environments.iter().filter(|(_, of)| !of.apps.is_empty());
        let names = |of: &Environment| of.apps.keys().map(ToString::to_string).collect();
        Status {
            environments: environments.collect(),
            apps: with_apps.map(|(name, of)| (name.to_string(), names(of))).collect(),
            env_files: env_file::status(&world.env_files, &subject.memory.env_files),
        }
    }

    async fn observe(
        &self,
        subject: &Subject<'_, Self>,
        _: &EngineInfo,
        _: Intent,
    ) -> Result<World, ObserveError> {
        Ok(World { env_files: probe::env_files(self, subject).await? })
    }

    async fn act(
        &self,
        scene: &Scene<'_, Self>,
        action: &Action,
        memory: &mut Memory,
    ) -> Result<Vec<Note>, Undone> {
        match action {
            // The controller's.
            Action::Work(_) => {}
            Action::EnvFile(step) => act::apply(self, scene, step, memory).await?,
        }
        Ok(Vec::new())
    }
}
