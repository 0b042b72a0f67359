//! Notifier: tells a webhook what goes wrong with the other objects, and when it is well again. Each is told once, however often it
//! is looked at and whatever is restarted meanwhile; what could not be sent waits. Must never hold up anybody else.

pub mod check;
pub mod client;
pub mod conditions;
pub mod incident;
pub mod message;
pub mod spec;
pub mod target;

use super::{
    About, Act, Column, Context, Learnt, Metric, Read, Reconciler, Remembered, Scene, Subject, Then, Undone,
};
use crate::core::condition::Finding;
use crate::core::event::Note;
use crate::core::failure::Outlook;
use crate::core::metric::Family;
use crate::core::names::Kind;
use crate::core::neighbours::Ties;
use crate::core::plan::{Plan, Sign};
use crate::core::problem::Problem;
use crate::core::resource::Document;
use crate::core::seen::EngineInfo;
use crate::manifest::schema::spec_schema;
use crate::manifest::secret::SecretPlace;
use crate::secrets::ExposeSecret;
use crate::workload::observe::{Intent, ObserveError};
use crate::workload::{self, Tools};
use check::{Checked, URL, Url, check};
use client::{Http, Post};
use incident::{Incident, Incidents, advance, due, next, told};
use jiff::Timestamp;
use message::{News, message, summary};
use serde::{Deserialize, Serialize};
use spec::NotifierSpec;
use std::fmt;
use std::sync::Arc;
use target::Target;

/// How often a URL that could not be read is looked for.
const LOOK_MS: u64 = 30_000;

pub struct Notifier {
    tools: Arc<Tools>,
    post: Arc<dyn Post>,
}

impl Notifier {
    #[must_use]
    pub fn real(tools: &Arc<Tools>) -> Self {
        Self::new(tools, Arc::new(Http::default()))
    }

    #[must_use]
    pub fn new(tools: &Arc<Tools>, post: Arc<dyn Post>) -> Self {
        Self { tools: Arc::clone(tools), post }
    }
}

/// What must be remembered of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Memory {
    pub incidents: Incidents,
    /// Messages that were taken.
    pub sent: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sent_at: Option<Timestamp>,
    /// The webhook that took one: [`Checked::webhook`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proven: Option<String>,
}

impl Remembered for Memory {}

/// What one pass saw.
pub struct World {
    now: Timestamp,
    /// As they are with what is wrong now.
    incidents: Incidents,
    /// Why the URL is not to be had.
    target: Result<Target, String>,
    /// Milliseconds until something is to be told.
    next: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Work(workload::Action),
    /// `number`: of the message; `what`: in words.
    Notify {
        number: u64,
        endpoint: String,
        what: String,
    },
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Work(action) => action.fmt(f),
            Action::Notify { endpoint, what, .. } => write!(f, "tell {endpoint}: {what}"),
        }
    }
}

impl Act for Action {
    fn reason(&self) -> &'static str {
        match self {
            Action::Work(action) => action.reason(),
            Action::Notify { .. } => "Notified",
        }
    }
    fn work(&self) -> Option<&workload::Action> {
        if let Action::Work(action) = self { Some(action) } else { None }
    }
    fn takes_long(&self) -> bool {
        matches!(self, Action::Notify { .. })
    }
}

/// The body of its status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Status {
    /// Scheme and host of the webhook.
    pub endpoint: String,
    /// What is wrong now, of what it tells.
    pub wrong: usize,
    /// Messages that were taken.
    pub sent: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sent_at: Option<Timestamp>,
}

/// What is to be sent now; `None`: nothing.
fn news<'a>(subject: &Subject<'_, Notifier>, world: &'a World) -> Option<Vec<&'a Incident>> {
    let is_new = subject.memory.proven.as_deref() != Some(&subject.spec.webhook());
    let incidents = due(&world.incidents, subject.spec, world.now);
    (is_new || !incidents.is_empty()).then_some(incidents)
}

impl Reconciler for Notifier {
    type Checked = Checked;
    type Memory = Memory;
    type World = World;
    type Action = Action;
    type Status = Status;
    const NEEDS_ENGINE: bool = false;
    const ABOUT: About = About {
        kind: Kind::Notifier,
        folder: "notifier",
        description: "Tells a webhook what goes wrong with the objects of this installation, and when it is well again.",
        runs: true,
        containers: false,
        rotates: false,
        made_by: None,
        gone: "nothing is told any more, and it is forgotten",
        columns: &[
            Column { header: "ENDPOINT", paths: &["/endpoint"], wide: false },
            Column { header: "WRONG", paths: &["/wrong"], wide: false },
            Column { header: "SENT", paths: &["/sent"], wide: true },
        ],
        panels: &[],
        metrics: &[
            Metric {
                family: Family::counter("seawall_notifier_messages_total", "Messages that the webhook took."),
                path: "/sent",
                read: Read::Number,
            },
            Metric {
                family: Family::gauge(
                    "seawall_notifier_wrong",
                    "What is wrong now, of what the notifier tells.",
                ),
                path: "/wrong",
                read: Read::Number,
            },
        ],
        history: &[],
        least_memory: 0,
        warnings: None,
        client: None,
        backups: None,
        service: None,
        images: &[],
        spec: spec_schema::<NotifierSpec>,
    };

    fn check(document: &Document, _: &Context<'_>) -> Result<Checked, Vec<Problem>> {
        check(document)
    }

    fn ties(_: &Checked) -> Ties {
        Ties { listens: true, ..Ties::default() }
    }

    fn plan(subject: &Subject<'_, Self>, world: &World) -> Plan<Action> {
        let mut plan = Plan::default();
        if !subject.present {
            plan.step(Sign::Delete, Action::Work(workload::Action::Forget), "manifest removed");
            return plan;
        }
        let target = match &world.target {
            Ok(target) => target,
            Err(why) => {
                let next = "put the URL there; it is looked at again every 30 s";
                plan.block("SecretUnreadable", format!("spec.{URL}: {why}"), next);
                return plan;
            }
        };
        if let Some(incidents) = news(subject, world) {
            let what = summary(&incidents);
            let cause = match incidents.first() {
                Some(Incident { object, condition, over: None, status, reason, .. }) => {
                    format!("{object}: {condition} is {status}, {reason}")
                }
                Some(Incident { object, condition, .. }) => format!("{object}: {condition} is well again"),
                None => "nobody was told anything there yet".to_owned(),
            };
            let (number, endpoint) = (subject.memory.sent.saturating_add(1), target.endpoint());
            plan.step(Sign::Change, Action::Notify { number, endpoint, what }, cause);
        }
        plan
    }

    fn look_again(world: &World) -> Option<u64> {
        // Nobody tells when the URL can be read.
        let unread = world.target.is_err().then_some(LOOK_MS);
        world.next.into_iter().chain(unread).min()
    }

    fn learn(_: &Subject<'_, Self>, world: &World, memory: &mut Memory, _: &str) -> Learnt {
        memory.incidents.clone_from(&world.incidents);
        Learnt::default()
    }

    fn findings(
        subject: &Subject<'_, Self>,
        _: &World,
        plan: &Plan<Action>,
        outlook: &Outlook,
    ) -> Vec<Finding> {
        conditions::findings(subject, plan, outlook)
    }

    fn status(subject: &Subject<'_, Self>, world: &World, last: Option<Status>) -> Status {
        Status {
            endpoint: match &world.target {
                Ok(target) => target.endpoint(),
                Err(_) => last.unwrap_or_default().endpoint,
            },
            wrong: world.incidents.values().filter(|incident| incident.over.is_none()).count(),
            sent: subject.memory.sent,
            last_sent_at: subject.memory.last_sent_at,
        }
    }

    async fn observe(
        &self,
        subject: &Subject<'_, Self>,
        _: &EngineInfo,
        _: Intent,
    ) -> Result<World, ObserveError> {
        let now = Timestamp::now();
        let incidents = advance(&subject.memory.incidents, &subject.around.troubles, subject.spec, now);
        let target = match &subject.spec.url {
            Url::Plain(target) => Ok(target.clone()),
            Url::Secret(source) => {
                let place = SecretPlace::new(&subject.identity.object, URL);
                match self.tools.reveal(&place, source).await {
                    Ok(url) => {
                        Target::parse(url.expose_secret()).map_err(|why| format!("what stands there {why}"))
                    }
                    Err(error) => Err(error.to_string()),
                }
            }
        };
        let next = next(&incidents, subject.spec, now);
        Ok(World { now, incidents, target, next })
    }

    async fn act(
        &self,
        scene: &Scene<'_, Self>,
        action: &Action,
        memory: &mut Memory,
    ) -> Result<Vec<Note>, Undone> {
        let Action::Notify { number, .. } = action else {
            // The controller's.
            return Ok(Vec::new());
        };
        let (subject, world) = (scene.subject, scene.world);
        let Ok(target) = &world.target else { return Ok(Vec::new()) };
        let incidents = due(&world.incidents, subject.spec, world.now);
        let news = News {
            installation: &subject.identity.installation,
            notifier: subject.identity.object.name.as_str(),
            id: format!("{}-{number}", subject.identity.uid),
            incidents: &incidents,
            now: world.now,
        };
        if let Err(error) = self.post.post(target, &message(&news, subject.spec.format)).await {
            return Err(Undone { reason: "WebhookFailed", message: error.to_string(), then: Then::Fail });
        }
        memory.incidents = told(&world.incidents, subject.spec, world.now);
        memory.sent = *number;
        memory.last_sent_at = Some(world.now);
        memory.proven = Some(subject.spec.webhook());
        Ok(Vec::new())
    }
}
