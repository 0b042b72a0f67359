//! What one round learns of each object: what its kind's probes found last, what its containers use, what room its volumes have.

use super::super::operator::Operator;
use super::grid::SAMPLES;
use crate::control::metrics::figure;
use crate::core::identity::Home;
use crate::core::measure::Unit;
use crate::core::member::{Member, Role};
use crate::core::names::ObjectRef;
use crate::core::seen::Sample;
use futures_util::stream::{self, StreamExt};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// Containers that are looked at together, and the pause after them: a round is no burst.
const AT_ONCE: usize = 8;
const REST: Duration = Duration::from_millis(20);
/// Seconds after which what a probe found is no sample of now: two looks.
const FRESH: u64 = 60;

/// Of each container, with its role behind a dot where there are several.
pub(in crate::control) const CPU: &str = "cpu_cores";
pub(in crate::control) const MEMORY: &str = "memory_bytes";
const VOLUME: &str = "volume_free_bytes";

/// An object with containers.
pub(super) struct Target {
    pub object: ObjectRef,
    pub uid: String,
    /// Those that run, with their volumes.
    members: Vec<(Role, String, String)>,
}

pub(super) struct Gathered {
    pub uid: String,
    pub figures: BTreeMap<String, f64>,
    /// What its probes found last.
    pub sampled: Map<String, Value>,
}

fn named(base: &str, role: &Role) -> String {
    if role.is_only() { base.to_owned() } else { format!("{base}.{role}") }
}

/// The part of it that says something about now.
fn fresh(sampled: &Map<String, Value>) -> Value {
    let fresh = sampled.iter().filter(|(_, field)| {
        field["stale"] != true && field["age_secs"].as_u64().is_none_or(|age| age <= FRESH)
    });
    fresh.map(|(name, field)| (name.clone(), field.clone())).collect::<Map<_, _>>().into()
}

/// CPUs in use between two counts of one start.
#[expect(clippy::cast_precision_loss, reason = "below 2^53")]
fn cores(before: (i64, u64), now: (i64, u64)) -> Option<f64> {
    let time = now.0.checked_sub(before.0).filter(|time| *time > 0)?;
    Some(now.1.checked_sub(before.1)? as f64 / time as f64)
}

impl Operator {
    pub(super) fn targets(&self) -> Vec<Target> {
        let kinds: Vec<_> =
            self.kinds.about().filter(|about| about.containers).map(|about| about.kind).collect();
        let state = self.state();
        let records = state.records.values().filter(|record| kinds.contains(&record.object.kind));
        let target = |record: &std::sync::Arc<super::super::objects::Record>| {
            let home = record.memory.work().home.as_ref();
            // Of an engine that is away nobody knows what runs, and it is not asked.
            let live = state.live.get(&record.object).filter(|_| state.engine.info.is_some());
            let running = live.into_iter().flat_map(|live| live.running());
            let member = |(role, seen): (&Role, &crate::core::seen::Glance)| {
                let volume = Home::data_volume(home, &self.config.installation, &record.object, role);
                (role.clone(), seen.id.clone(), volume)
            };
            let members = running.map(member).collect();
            Target { object: record.object.clone(), uid: record.uid.clone(), members }
        };
        records.map(target).collect()
    }

    /// In order of the targets, a few at a time. `at`: the place of this sample in its average.
    pub(super) async fn gather(&self, targets: Vec<Target>, at: usize) -> Vec<Gathered> {
        let running: Vec<String> =
            targets.iter().flat_map(|target| &target.members).map(|(_, id, _)| id.clone()).collect();
        let mut all = Vec::with_capacity(targets.len());
        let mut left = targets.into_iter().enumerate();
        loop {
            let some: Vec<(usize, Target)> = left.by_ref().take(AT_ONCE).collect();
            if some.is_empty() {
                break;
            }
            // The engine is asked once for each average, and each container at another time.
            let asked =
                stream::iter(some).map(async |(i, target)| self.look_at(target, i % SAMPLES == at).await);
            all.extend(asked.buffered(AT_ONCE).collect::<Vec<_>>().await);
            tokio::time::sleep(REST).await;
        }
        self.rounds.between(|between| between.cpu.retain(|id, _| running.contains(id)));
        all
    }

    async fn look_at(&self, target: Target, may_ask: bool) -> Gathered {
        let kind = self.kinds.get(target.object.kind);
        let sampled = kind.map(|kind| kind.sampled(&target.object)).unwrap_or_default();
        let sampled = self.tools.masked(&target.object, sampled);
        let mut figures = BTreeMap::new();
        let now = fresh(&sampled);
        for series in kind.map(|kind| kind.about().history).unwrap_or_default() {
            if let Some(value) = now.pointer(series.path).and_then(|now| figure(now, series.read)) {
                figures.insert(series.name.to_owned(), value);
            }
        }
        let census = self.tools.census();
        for (role, id, volume) in &target.members {
            if let Some(sample) = self.use_now(id, may_ask).await {
                #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
                figures.insert(named(MEMORY, role), sample.usage.unreclaimable.0 as f64);
                let count = (sample.at_nano, sample.cpu_nano);
                let before = self.rounds.between(|between| between.cpu.insert(id.clone(), count));
                if let Some(cores) = before.and_then(|before| cores(before, count)) {
                    figures.insert(named(CPU, role), cores);
                }
            }
            let member = Member { object: target.object.clone(), role: role.clone() };
            let mut space = self.tools.space_lately(&member);
            if space.is_none()
                && let Some(directory) = census.as_ref().and_then(|census| census.directory(volume))
            {
                space = self.tools.docker.space(&directory).await.ok().flatten();
            }
            if let Some(space) = space {
                #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
                figures.insert(named(VOLUME, role), space.free as f64);
            }
        }
        Gathered { uid: target.uid, figures, sampled }
    }

    /// From the kernel; from the engine, which takes long to tell, where that does not show it to us.
    async fn use_now(&self, id: &str, may_ask: bool) -> Option<Sample> {
        match self.tools.docker.cgroup(id).await {
            None if may_ask => self.tools.docker.sample(id).await.ok().flatten(),
            seen => seen,
        }
    }

    /// What a series of an object is measured in.
    pub(super) fn unit_of(&self, object: &ObjectRef, name: &str) -> Unit {
        match name.split('.').next().unwrap_or_default() {
            CPU => Unit::Cores,
            MEMORY | VOLUME => Unit::Bytes,
            base => {
                let series = self.kinds.get(object.kind).map(|kind| kind.about().history).unwrap_or_default();
                series.iter().find(|series| series.name == base).map_or(Unit::Count, |series| series.unit)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_says_nothing_about_now_is_no_sample() {
        let sampled = json!({
            "a": {"stale": false, "age_secs": 60}, "b": {"stale": true, "age_secs": 1}, "c": {"age_secs": 61}, "d": {"x": 1}, "e": 3,
        });
        let left = fresh(sampled.as_object().unwrap());
        assert_eq!(left.as_object().unwrap().keys().collect::<Vec<_>>(), ["a", "d", "e"]);
    }

    #[test]
    fn a_count_that_began_anew_and_a_clock_that_stood_make_no_rate() {
        assert_eq!(cores((0, 0), (2_000, 500)), Some(0.25));
        for (before, now) in [((0, 900), (10, 5)), ((10, 0), (10, 5)), ((20, 0), (10, 5))] {
            assert_eq!(cores(before, now), None);
        }
    }
}
