//! Objects that refer to each other, on the real machine with a kind of this file's own: it has no container, and makes
//! an entry in a list once the PostgreSQL that it follows is Ready. It stands in the place of ImageCatalog.

use crate::machine::rig::{Rig, engine, object};
use schemars::JsonSchema;
use seawall::control::operator::Times;
use seawall::core::condition::{ConditionType as C, Finding, Truth};
use seawall::core::event::Note;
use seawall::core::failure::Outlook;
use seawall::core::names::{Kind, ObjectRef};
use seawall::core::neighbours::Ties;
use seawall::core::plan::{Plan, Sign};
use seawall::core::problem::Problem;
use seawall::core::resource::Document;
use seawall::core::seen::EngineInfo;
use seawall::kinds::{About, Act, Context, Reconciler, Scene, Subject, Undone};
use seawall::manifest::schema::spec_schema;
use seawall::workload;
use seawall::workload::observe::{Intent, ObserveError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const MAIN: &str = "{image: 'local/postgres:18', port: none}";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Follows {
    /// A Postgres.
    service: String,
    /// What nobody else may have.
    #[serde(default)]
    file: Option<String>,
}

/// What was made, by name: the service's host at that time.
type Made = Arc<Mutex<BTreeMap<String, String>>>;

#[derive(Clone, Default)]
struct Follower {
    made: Made,
    looks: Arc<Mutex<u32>>,
}

#[derive(Clone, PartialEq)]
enum Action {
    Make(String),
    Work(workload::Action),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Make(host) => write!(f, "make an entry for {host}"),
            Action::Work(action) => action.fmt(f),
        }
    }
}

impl Act for Action {
    fn reason(&self) -> &'static str {
        match self {
            Action::Make(_) => "EntryMade",
            Action::Work(action) => action.reason(),
        }
    }
    fn work(&self) -> Option<&workload::Action> {
        match self {
            Action::Make(_) => None,
            Action::Work(action) => Some(action),
        }
    }
}

impl Reconciler for Follower {
    type Checked = Follows;
    type Memory = Map<String, Value>;
    type World = Option<String>;
    type Action = Action;
    type Status = Map<String, Value>;
    const ABOUT: About = About {
        kind: Kind::ImageCatalog,
        folder: "tests",
        description: "Follows a PostgreSQL.",
        runs: true,
        containers: false,
        rotates: false,
        made_by: None,
        gone: "its entry is removed",
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
        spec: spec_schema::<Follows>,
    };

    fn check(document: &Document, _: &Context<'_>) -> Result<Follows, Vec<Problem>> {
        Ok(serde_json::from_value(document.spec.clone()).unwrap())
    }

    fn ties(spec: &Follows) -> Ties {
        let claims = spec.file.iter().map(|file| format!("file {file}"));
        Ties { refs: BTreeSet::from([object(&spec.service)]), claims: claims.collect(), ..Ties::default() }
    }

    fn plan(subject: &Subject<'_, Self>, made: &Option<String>) -> Plan<Action> {
        let mut plan = Plan::default();
        if !subject.present {
            plan.step(Sign::Delete, Action::Work(workload::Action::Forget), "manifest removed");
            return plan;
        }
        if let Some((claim, by)) = subject.around.lost_claims.iter().next() {
            plan.block("Claimed", format!("{claim} belongs to {by}"), "choose another one");
            return plan;
        }
        match subject.around.others.get(&object(&subject.spec.service)) {
            Some(offer) if offer.ready && made.is_none() => {
                let host = offer.says.iter().find(|(name, _)| *name == "host").map(|(_, host)| host.clone());
                plan.step(Sign::Create, Action::Make(host.unwrap()), "missing");
            }
            Some(offer) if offer.ready => {}
            // Nothing but the neighbour wakes it.
            Some(_) => plan.wait("ServiceNotReady", "the service is not Ready", None),
            None => plan.wait("ServiceMissing", "there is no such service", None),
        }
        plan
    }

    fn findings(
        _: &Subject<'_, Self>,
        made: &Option<String>,
        plan: &Plan<Action>,
        _: &Outlook,
    ) -> Vec<Finding> {
        let wait = plan.waiting.first().map(|w| (w.on, w.why.clone()));
        let block = plan.blocked.first().map(|b| (b.reason, b.why.clone()));
        let (truth, (reason, words)) = match (wait.or(block), made) {
            (Some(why), _) => (Truth::False, why),
            (None, Some(host)) => (Truth::True, ("Made", host.clone())),
            (None, None) => (Truth::False, ("Reconciling", String::new())),
        };
        vec![Finding::new(C::Ready, truth, reason, words)]
    }

    fn status(_: &Subject<'_, Self>, _: &Option<String>, _: Option<Self::Status>) -> Self::Status {
        Map::new()
    }

    async fn observe(
        &self,
        subject: &Subject<'_, Self>,
        _: &EngineInfo,
        _: Intent,
    ) -> Result<Option<String>, ObserveError> {
        *self.looks.lock().unwrap() += 1;
        Ok(self.made.lock().unwrap().get(subject.identity.object.name.as_str()).cloned())
    }

    async fn act(
        &self,
        scene: &Scene<'_, Self>,
        action: &Action,
        _: &mut Self::Memory,
    ) -> Result<Vec<Note>, Undone> {
        if let Action::Make(host) = action {
            self.made.lock().unwrap().insert(scene.subject.identity.object.name.to_string(), host.clone());
        }
        Ok(Vec::new())
    }
}

fn follower(name: &str) -> ObjectRef {
    format!("imagecatalog/{name}").parse().unwrap()
}

fn rig(kind: &Follower) -> Rig {
    let kind = kind.clone();
    let rig = Rig::with(engine(), Times::default(), Arc::new(move |kinds, _| kinds.with(kind.clone())));
    rig.remove("catalog");
    rig
}

fn follow(rig: &Rig, name: &str, spec: &str) {
    rig.text(
        &format!("follow-{name}.yaml"),
        &format!(
            "apiVersion: seawall.dev/v1\nkind: ImageCatalog\nmetadata: {{name: {name}}}\nspec: {spec}\n"
        ),
    );
}

fn reason(rig: &Rig, object: &ObjectRef) -> Option<String> {
    let view = rig
        .all()
        .into_iter()
        .find(|view| view.kind == object.kind.as_str() && view.metadata.name == object.name.as_str())?;
    let conditions = view.status.get("conditions")?.as_array()?.clone();
    let ready = conditions.into_iter().find(|c| c["type"] == "Ready")?;
    Some(ready["reason"].as_str()?.to_owned())
}

#[tokio::test(start_paused = true)]
async fn one_that_refers_is_woken_by_what_it_refers_to_and_by_nothing_else() {
    let kind = Follower::default();
    let mut rig = rig(&kind);
    follow(&rig, "app", "{service: main}");
    rig.drive();
    let app = follower("app");
    let is = |wanted: &str| reason(&rig, &app).is_some_and(|reason| reason == wanted).then_some(());
    rig.until("waits for what is not there", || is("ServiceMissing")).await;
    rig.manifest("main", MAIN);
    rig.until("made once it is Ready", || is("Made")).await;
    assert_eq!(kind.made.lock().unwrap()["app"], "postgres-main");
    rig.let_pass(Duration::from_secs(5)).await;
    // Nobody wakes the other for a status: an hour of probes is no news to it.
    let looks = *kind.looks.lock().unwrap();
    rig.let_pass(Duration::from_secs(300)).await;
    assert_eq!(*kind.looks.lock().unwrap(), looks);
    // What matters to it is: the service is stopped, and runs again.
    rig.manifest("main", &MAIN.replace('{', "{stopped: true, "));
    rig.until("told that it is stopped", || is("ServiceNotReady")).await;
    rig.manifest("main", MAIN);
    rig.until("told that it is Ready again", || is("Made")).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_referred_to_is_not_deleted_also_after_a_restart() {
    let kind = Follower::default();
    let mut rig = rig(&kind);
    let gives_up = "{image: 'local/postgres:18', port: none, deletionPolicy: Delete}";
    rig.manifest_with("main", "seawall.dev/confirm-delete: main", gives_up);
    follow(&rig, "app", "{service: main}");
    // Enough others that a removal is no more than half of them.
    ["x", "y", "z"].iter().for_each(|name| rig.manifest(name, MAIN));
    rig.drive();
    rig.ready("main").await;
    rig.until("made", || (reason(&rig, &follower("app"))? == "Made").then_some(())).await;
    rig.remove("main");
    let blocked = |rig: &Rig| {
        let words = rig.condition("main", C::Degraded)?;
        // Not that it is being deleted.
        let ready = rig.condition("main", C::Ready)?;
        let said = words.reason == "ReferredTo" && words.message.contains("imagecatalog/app refers to it");
        (said && ready.reason == "Blocked").then_some(())
    };
    rig.until("kept for the one that refers to it", || blocked(&rig)).await;
    let there = |rig: &Rig| !rig.fake.call_log().contains_key("remove_volume");
    assert!(there(&rig));
    rig.leave().await;
    rig.restart();
    rig.let_pass(Duration::from_secs(1200)).await;
    assert!(there(&rig), "the graph is whole before the first pass");
    rig.until("still said", || blocked(&rig)).await;
    rig.remove("follow-app");
    rig.until("then it goes", || (!there(&rig)).then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn what_two_claim_belongs_to_the_first_until_it_lets_go() {
    let kind = Follower::default();
    let mut rig = rig(&kind);
    rig.manifest("main", MAIN);
    follow(&rig, "z", "{service: main, file: a.env}");
    rig.drive();
    rig.until("made", || (reason(&rig, &follower("z"))? == "Made").then_some(())).await;
    // Times of records are whole seconds of the real clock.
    std::thread::sleep(Duration::from_millis(1_100));
    follow(&rig, "a", "{service: main, file: a.env}");
    rig.until("refused", || (reason(&rig, &follower("a"))? == "Claimed").then_some(())).await;
    assert_eq!(reason(&rig, &follower("z")).unwrap(), "Made");
    follow(&rig, "z", "{service: main, file: z.env}");
    rig.until("it is free now", || (reason(&rig, &follower("a"))? == "Made").then_some(())).await;
}
