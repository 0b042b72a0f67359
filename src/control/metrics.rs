//! Figures of the operator and of its objects, for Prometheus: counted while things happen, told when somebody asks.
//! Labels are of closed sets or names of objects. Must never take a secret, a path or words of others into one.

mod objects;
mod sheet;

pub(super) use objects::figure;

use super::api::Api as _;
use super::operator::Operator;
use super::registry::Kinds;
use super::state::Away;
use crate::core::condition::Truth;
use crate::core::metric::{Family, Histogram};
use crate::core::names::Kind;
use crate::kinds::OF_CONTAINERS;
use crate::store::Commits;
use jiff::Timestamp;
use sheet::Sheet;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const BUILD: Family = Family::gauge("seawall_build_info", "1, with the version of this Seawall.");
const STARTED: Family =
    Family::gauge("process_start_time_seconds", "When the operator started, in seconds since 1970.");
const PASSES: Family = Family::counter("seawall_passes_total", "Passes by how they ended.");
const PASS: Family = Family::histogram("seawall_pass_duration_seconds", "How long passes took.");
const STEP: Family =
    Family::histogram("seawall_step_duration_seconds", "How long steps took, by what they do.");
const STEP_FAILURES: Family = Family::counter("seawall_step_failures_total", "Steps that failed.");
const PROBE: Family = Family::histogram("seawall_probe_duration_seconds", "How long proofs of servers took.");
const RUNNING: Family = Family::gauge(
    "seawall_passes_running",
    "Passes under way: of what goes well, of what failed, or waiting.",
);
const QUEUE: Family = Family::gauge("seawall_queue_depth", "Objects that are due to be looked at and wait.");
const QUEUE_AGE: Family =
    Family::gauge("seawall_queue_oldest_age_seconds", "How long the first of them waits; none: 0.");
const PULLS: Family = Family::gauge("seawall_pulls_running", "Images that are being pulled.");
const PULLS_FAILING: Family =
    Family::gauge("seawall_pulls_failing", "Images whose last pull failed and that are wanted.");
const FAILURES: Family =
    Family::gauge("seawall_object_failed_passes", "Passes of an object in a row that failed or got nowhere.");
const ENGINE: Family = Family::gauge("seawall_engine_up", "Whether the Docker engine answers.");
const EVENTS: Family =
    Family::gauge("seawall_engine_events_followed", "Whether the engine's events are being read.");
const CALLS: Family =
    Family::counter("seawall_docker_calls_total", "Calls of the Docker engine by how they ended.");
const CALL: Family =
    Family::histogram("seawall_docker_call_duration_seconds", "How long calls of the engine took.");
const WRITABLE: Family =
    Family::gauge("seawall_store_writable", "Whether everything that is known is written to the disk.");
const UNSAVED: Family =
    Family::gauge("seawall_store_unsaved_changes", "Changes that wait until the disk takes them.");
const COMMIT: Family = Family::histogram("seawall_store_commit_duration_seconds", "How long commits took.");
const COMMIT_FAILURES: Family =
    Family::counter("seawall_store_commit_failures_total", "Commits that the disk refused.");
const STORE: Family = Family::gauge("seawall_store_size_bytes", "Size of the files of the store.");
const SCANNED: Family =
    Family::gauge("seawall_manifests_scanned", "Whether the manifests were read since the operator started.");
const PROBLEMS: Family = Family::gauge("seawall_manifest_problems", "What is wrong in the manifests.");
const HELD: Family =
    Family::gauge("seawall_removals_held", "Whether removals are held back until they are confirmed.");

/// What the operator tells of itself.
const FAMILIES: [&Family; 25] = [
    &BUILD,
    &STARTED,
    &PASSES,
    &PASS,
    &STEP,
    &STEP_FAILURES,
    &PROBE,
    &RUNNING,
    &QUEUE,
    &QUEUE_AGE,
    &PULLS,
    &PULLS_FAILING,
    &FAILURES,
    &ENGINE,
    &EVENTS,
    &CALLS,
    &CALL,
    &WRITABLE,
    &UNSAVED,
    &COMMIT,
    &COMMIT_FAILURES,
    &STORE,
    &SCANNED,
    &PROBLEMS,
    &HELD,
];

/// Looking at the store's files may take so long, on a disk that hangs.
const LOOK: Duration = Duration::from_secs(2);

/// Every family that can be told.
#[must_use]
pub fn families() -> Vec<Family> {
    let kinds = Kinds::all(None);
    let of_kinds = kinds.about().flat_map(|about| about.metrics.iter().map(|metric| metric.family));
    let of_all = FAMILIES.into_iter().chain(objects::FAMILIES).copied();
    of_all.chain(OF_CONTAINERS.iter().map(|metric| metric.family)).chain(of_kinds).collect()
}

/// What happened since the start.
#[derive(Default)]
pub(super) struct Tallies(Mutex<Counts>);

#[derive(Clone, Default)]
struct Counts {
    passes: BTreeMap<(Kind, &'static str), u64>,
    pass: BTreeMap<Kind, Histogram>,
    step: BTreeMap<&'static str, Histogram>,
    step_failures: BTreeMap<&'static str, u64>,
    probe: BTreeMap<Kind, Histogram>,
}

impl Tallies {
    fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn pass(&self, kind: Kind, result: &'static str, took: Duration) {
        self.count(|counts| {
            *counts.passes.entry((kind, result)).or_default() += 1;
            counts.pass.entry(kind).or_default().observe(took);
        });
    }

    /// `reason`: the event's word for what it does.
    pub(super) fn step(&self, reason: &'static str, done: bool, took: Duration) {
        self.count(|counts| {
            counts.step.entry(reason).or_default().observe(took);
            *counts.step_failures.entry(reason).or_default() += u64::from(!done);
        });
    }

    pub(super) fn probe(&self, kind: Kind, took: Duration) {
        self.count(|counts| counts.probe.entry(kind).or_default().observe(took));
    }

    fn put(&self, sheet: &mut Sheet) {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for ((kind, result), count) in &counts.passes {
            sheet.count(&PASSES, &[("kind", kind.lower()), ("result", result)], *count);
        }
        for (kind, took) in &counts.pass {
            sheet.durations(&PASS, &[("kind", kind.lower())], took);
        }
        for (reason, took) in &counts.step {
            sheet.durations(&STEP, &[("reason", reason)], took);
        }
        for (reason, count) in &counts.step_failures {
            sheet.count(&STEP_FAILURES, &[("reason", reason)], *count);
        }
        for (kind, took) in &counts.probe {
            sheet.durations(&PROBE, &[("kind", kind.lower())], took);
        }
    }
}

/// What has to be so for the operator to do its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub name: &'static str,
    pub state: Truth,
    /// Why it is not so, or not known.
    pub why: String,
}

impl Operator {
    /// Manifests read, store writable, engine reachable.
    #[must_use]
    pub fn readiness(&self) -> [Part; 3] {
        let part = |name, ready: bool, trouble: Option<String>| match trouble {
            Some(why) => Part { name, state: Truth::False, why },
            None if ready => Part { name, state: Truth::True, why: String::new() },
            None => Part { name, state: Truth::Unknown, why: "not looked at yet".to_owned() },
        };
        let unsaved = self.not_saved();
        let state = self.state();
        let engine = &state.engine;
        [
            part("manifests", state.scanned, state.not_taken_over.clone()),
            part("store", true, unsaved),
            part("engine", engine.info.is_some(), engine.down.as_ref().map(Away::headline)),
        ]
    }

    /// Says where the figures are served, or why they are not.
    pub fn metrics_are(&self, at: Result<std::net::SocketAddr, String>) {
        self.state().metrics = Some(at);
        self.changed();
    }

    /// Everything, in the text format 0.0.4.
    ///
    /// # Errors
    /// When it cannot be written down, which would be a mistake of ours.
    pub async fn metrics(&self) -> prometheus::Result<String> {
        let mut sheet = Sheet::default();
        self.put_own(&mut sheet);
        let store = self.config.data.join("store");
        let size = tokio::task::spawn_blocking(move || size_of(&store));
        if let Ok(Ok(Some(size))) = tokio::time::timeout(LOOK, size).await {
            sheet.count(&STORE, &[], size);
        }
        if let Ok(list) = self.objects().await {
            sheet.count(&PROBLEMS, &[], list.problems.len() as u64);
            sheet.count(&HELD, &[], u64::from(list.guard.is_some()));
            for view in &list.items {
                let about =
                    view.kind.parse().ok().and_then(|kind| self.kinds.get(kind)).map(|kind| kind.about());
                if let Some(about) = about {
                    objects::put(&mut sheet, &about, view);
                }
            }
        }
        sheet.text()
    }

    fn put_own(&self, sheet: &mut Sheet) {
        sheet.count(&BUILD, &[("version", env!("CARGO_PKG_VERSION"))], 1);
        if let Ok(started) = self.started_at.parse::<Timestamp>() {
            sheet.count(&STARTED, &[], started.as_second().unsigned_abs());
        }
        self.tallies.put(sheet);
        let clock = self.clock();
        let (running, (depth, oldest)) = {
            let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            (queue.running(), queue.overdue(clock))
        };
        for (place, count) in ["front", "back", "aside"].into_iter().zip(running) {
            sheet.count(&RUNNING, &[("place", place)], count as u64);
        }
        sheet.count(&QUEUE, &[], depth as u64);
        let age = Duration::from_millis(oldest.map_or(0, |at| clock.saturating_sub(at)));
        sheet.put(&QUEUE_AGE, &[], age.as_secs_f64());
        let (pulls, failing) = self.pulls.count();
        sheet.count(&PULLS, &[], pulls as u64);
        sheet.count(&PULLS_FAILING, &[], failing as u64);
        for (call, ends) in self.tools.docker.calls() {
            for (outcome, count) in ends.outcomes {
                sheet.count(&CALLS, &[("call", call), ("outcome", outcome)], count);
            }
            sheet.durations(&CALL, &[("call", call)], &ends.took);
        }
        let Commits { took, failed } = self.tools.store.commits();
        sheet.durations(&COMMIT, &[], &took);
        sheet.count(&COMMIT_FAILURES, &[], failed);
        let unsaved = self.tools.store.unsaved().map_or(0, |unsaved| unsaved.changes);
        sheet.count(&UNSAVED, &[], unsaved as u64);
        sheet.count(&WRITABLE, &[], u64::from(unsaved == 0));
        let state = self.state();
        sheet.count(&SCANNED, &[], u64::from(state.scanned));
        if state.engine.down.is_some() || state.engine.info.is_some() {
            sheet.count(&ENGINE, &[], u64::from(state.engine.down.is_none()));
        }
        sheet.count(&EVENTS, &[], u64::from(state.engine.followed));
        for (object, live) in state.live.iter().filter(|(object, _)| state.records.contains_key(object)) {
            let labels = [("kind", object.kind.lower()), ("name", object.name.as_str())];
            sheet.count(&FAILURES, &labels, live.failures.into());
        }
    }
}

/// Of the files directly in a directory; `None` where there is none.
fn size_of(directory: &Path) -> Option<u64> {
    let files = std::fs::read_dir(directory).ok()?;
    let sizes = files.filter_map(|file| file.ok()?.metadata().ok()).filter(std::fs::Metadata::is_file);
    Some(sizes.map(|meta| meta.len()).sum())
}
