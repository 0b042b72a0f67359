//! BackupTarget: a place where backups lie. It proves that the place is there, is ours to write to, and is the one that it was:
//! an empty mount point is not the disk that was mounted there. It puts nothing there but its mark.

pub mod check;
pub mod spec;

use super::plain;
use super::{
    About, Act, Column, Context, Metric, Read, Reconciler, Remembered, Scene, Subject, Then, Undone,
};
use crate::core::condition::{ConditionType as C, Finding, Truth};
use crate::core::event::Note;
use crate::core::failure::Outlook;
use crate::core::measure::Unit;
use crate::core::metric::Family;
use crate::core::names::Kind;
use crate::core::neighbours::{Said, offers};
use crate::core::plan::{Plan, Sign};
use crate::core::problem::Problem;
use crate::core::resource::Document;
use crate::core::seen::EngineInfo;
use crate::core::storage::Place;
use crate::depot::{self, DepotError, Look};
use crate::manifest::schema::spec_schema;
use crate::workload;
use crate::workload::observe::{Intent, ObserveError};
use check::{Checked, check};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Nobody tells when a disk is gone, or back.
const LOOK_MS: u64 = 30_000;

pub struct BackupTarget;

/// What must be remembered of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Memory {
    /// What the place is marked with: another one that is found there is not this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
    /// Where that was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

impl Remembered for Memory {}

impl Memory {
    /// What was seen at this place.
    fn mark_of(&self, place: &Place) -> Option<&str> {
        self.mark.as_deref().filter(|_| self.place.as_ref() == Some(place))
    }
}

/// What one pass saw.
pub struct World {
    look: Result<Look, DepotError>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Work(workload::Action),
    /// What is written into the place, where nothing is.
    Mark(String),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Work(action) => action.fmt(f),
            Action::Mark(_) => f.write_str("mark the place, so that it is known again"),
        }
    }
}

impl Act for Action {
    fn reason(&self) -> &'static str {
        match self {
            Action::Work(action) => action.reason(),
            Action::Mark(_) => "TargetMarked",
        }
    }
    fn work(&self) -> Option<&workload::Action> {
        if let Action::Work(action) = self { Some(action) } else { None }
    }
}

/// The body of its status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Status {
    /// Where it is, in words.
    pub place: String,
    /// Bytes that are free there, in steps: a figure that moves all the time would be a new status each time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_bytes: Option<u64>,
    /// What is free, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free: Option<String>,
}

/// Two figures of it: what is told changes seldom.
fn rounded(bytes: u64) -> u64 {
    let digits = bytes.checked_ilog10().unwrap_or_default().saturating_sub(1);
    let step = 10_u64.saturating_pow(digits);
    bytes / step * step
}

/// What stands there is not what was there.
fn is_another(subject: &Subject<'_, BackupTarget>, world: &World) -> Option<String> {
    let known = subject.memory.mark_of(&subject.spec.place)?;
    let look = world.look.as_ref().ok()?;
    (look.mark.as_deref() != Some(known)).then(|| match &look.mark {
        None => {
            "it is there without its mark: the disk that was mounted there is not, or somebody emptied it"
                .to_owned()
        }
        Some(_) => "what is there bears the mark of another target: another disk is mounted there".to_owned(),
    })
}

impl Reconciler for BackupTarget {
    type Checked = Checked;
    type Memory = Memory;
    type World = World;
    type Action = Action;
    type Status = Status;
    const NEEDS_ENGINE: bool = false;
    const ABOUT: About = About {
        kind: Kind::BackupTarget,
        folder: "backup_target",
        description: "A place where backups are put.",
        runs: true,
        containers: false,
        rotates: false,
        made_by: None,
        gone: "it is forgotten; what lies there stays",
        columns: &[
            Column { header: "PLACE", paths: &["/place"], wide: false },
            Column { header: "FREE", paths: &["/free"], wide: false },
        ],
        panels: &[],
        metrics: &[Metric {
            family: Family::gauge(
                "seawall_backup_target_free_bytes",
                "Bytes that are free at a backup target, to two figures.",
            ),
            path: "/freeBytes",
            read: Read::Number,
        }],
        history: &[],
        least_memory: 0,
        warnings: None,
        client: None,
        backups: None,
        service: None,
        images: &[],
        spec: spec_schema::<spec::BackupTargetSpec>,
    };

    fn check(document: &Document, _: &Context<'_>) -> Result<Checked, Vec<Problem>> {
        check(document)
    }

    fn offer(subject: &Subject<'_, Self>, world: &World) -> Said {
        let usable = world.look.is_ok() && is_another(subject, world).is_none();
        usable.then(|| (offers::PLACE, subject.spec.place.said())).into_iter().collect()
    }

    fn plan(subject: &Subject<'_, Self>, world: &World) -> Plan<Action> {
        let mut plan = Plan::default();
        if !subject.present {
            let cause = "manifest removed; what lies there stays";
            plan.step(Sign::Delete, Action::Work(workload::Action::Forget), cause);
            return plan;
        }
        let look = match &world.look {
            Ok(look) => look,
            Err(error) => {
                let next = match error {
                    DepotError::Missing(_) => {
                        "make it (mode 0700, of the user that Seawall runs as), or mount its disk; it is looked at again every 30 s"
                    }
                    _ => "mend that; it is looked at again every 30 s",
                };
                plan.block(error.reason(), error.to_string(), next);
                return plan;
            }
        };
        if let Some(why) = is_another(subject, world) {
            let next = "mount it; if another place is meant to be used from now on, make a BackupTarget of another name for it";
            plan.block("TargetChanged", why, next);
            return plan;
        }
        if subject.memory.mark_of(&subject.spec.place).is_none() {
            let (mark, cause) = match &look.mark {
                Some(there) => (there.clone(), "it was marked before"),
                None => (
                    format!("{}-{}", subject.identity.installation, subject.identity.uid),
                    "nothing is known of it yet",
                ),
            };
            plan.step(Sign::Change, Action::Mark(mark), cause);
        }
        plan
    }

    fn look_again(_: &World) -> Option<u64> {
        Some(LOOK_MS)
    }

    fn findings(
        subject: &Subject<'_, Self>,
        _: &World,
        plan: &Plan<Action>,
        outlook: &Outlook,
    ) -> Vec<Finding> {
        let words = format!("{} is there, and is the one that it was", subject.spec.place.in_words());
        let ready = Finding::new(C::Ready, Truth::True, "TargetWritable", words);
        plain::findings(plan, outlook, subject.spec.paused, ready)
    }

    fn status(subject: &Subject<'_, Self>, world: &World, _: Option<Status>) -> Status {
        let look = world.look.as_ref().ok();
        Status {
            place: subject.spec.place.in_words(),
            free_bytes: look.map(|look| rounded(look.free)),
            total_bytes: look.map(|look| look.total),
            #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
            free: look.map(|look| Unit::Bytes.text(rounded(look.free) as f64)),
        }
    }

    async fn observe(
        &self,
        subject: &Subject<'_, Self>,
        _: &EngineInfo,
        _: Intent,
    ) -> Result<World, ObserveError> {
        Ok(World { look: depot::open(&subject.spec.place).look().await })
    }

    async fn act(
        &self,
        scene: &Scene<'_, Self>,
        action: &Action,
        memory: &mut Memory,
    ) -> Result<Vec<Note>, Undone> {
        let Action::Mark(mark) = action else {
            // The controller's.
            return Ok(Vec::new());
        };
        let place = &scene.subject.spec.place;
        match depot::open(place).mark(mark).await {
            Ok(mark) => {
                memory.mark = Some(mark);
                memory.place = Some(place.clone());
                Ok(Vec::new())
            }
            Err(error) => {
                Err(Undone { reason: error.reason(), message: error.to_string(), then: Then::Fail })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_told_in_two_digits() {
        for (bytes, want) in [(0, 0), (9, 9), (99, 99), (123, 120), (4_567_890, 4_500_000)] {
            assert_eq!(rounded(bytes), want);
        }
    }
}
