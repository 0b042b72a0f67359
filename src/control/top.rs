//! What containers use, sampled when somebody asks and never else. Two samples make a rate: the one of the last question, if that was
//! a moment ago, or another one after a pause.

use super::answers::not_found;
use super::api::{ApiError, ErrorCode, Inside, MemberUse, RATE_FROM, Result, TopItem, TopList};
use super::operator::Operator;
use crate::core::names::ObjectRef;
use crate::core::seen::Sample;
use crate::docker::DockerError;
use crate::workload::runtime::MemberRuntime;
use futures_util::stream::{self, StreamExt};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Between two samples, when there was none a moment ago.
const PAUSE: Duration = Duration::from_millis(200);
/// Nanoseconds for which a sample is good enough to begin a rate with.
const KEPT: i64 = 30_000_000_000;
/// Containers that are asked about at once.
const AT_ONCE: usize = 8;

/// The last sample of each container that somebody asked about, by its id.
#[derive(Default)]
pub(super) struct Samples(Mutex<BTreeMap<String, Sample>>);

impl Samples {
    /// Takes over `now`, and gives what rates begin with. What is too old for that is dropped, so that nothing piles up.
    fn swap(&self, now: &BTreeMap<String, Sample>) -> BTreeMap<String, Sample> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(latest) = now.values().map(|sample| sample.at_nano).max() else { return BTreeMap::new() };
        kept.retain(|_, sample| (0..=KEPT).contains(&latest.saturating_sub(sample.at_nano)));
        let before: BTreeMap<String, Sample> = kept.clone();
        for (id, sample) in now {
            // One that was taken just now goes on being the beginning, for who asks many times a second.
            let near = before.get(id).is_some_and(|old| {
                sample.at_nano.saturating_sub(old.at_nano) < RATE_FROM && old.cpu_nano <= sample.cpu_nano
            });
            if !near {
                kept.insert(id.clone(), *sample);
            }
        }
        before
    }
}

/// What a status says of an object's containers.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Told {
    pub runtime: Vec<MemberRuntime>,
}

impl Operator {
    /// Of one object, or of all that have containers.
    pub(super) async fn use_of(&self, object: Option<&ObjectRef>) -> Result<TopList> {
        self.must_run("top")?;
        let engine = self.engine().await.map_err(|error| away(&error))?;
        let all = self.members_of(object)?;
        let ids: Vec<&str> =
            all.iter().flat_map(|(_, members)| members).map(|member| member.container_id.as_str()).collect();
        let mut now = self.samples_of(&ids).await?;
        let mut before = self.samples.swap(&now);
        let rateless = |id: &&&str| {
            let pair = now.get(**id).map(|now| (now, before.get(**id)));
            pair.is_some_and(|(now, before)| {
                before.is_none_or(|old| {
                    now.at_nano.saturating_sub(old.at_nano) < RATE_FROM || now.cpu_nano < old.cpu_nano
                })
            })
        };
        let again: Vec<&str> = ids.iter().filter(rateless).copied().collect();
        if !again.is_empty() {
            tokio::time::sleep(PAUSE).await;
            let later = self.samples_of(&again).await?;
            for (id, sample) in later {
                before.extend(now.insert(id.clone(), sample).map(|first| (id, first)));
            }
            self.samples.swap(&now);
        }
        let figures = |member: &MemberRuntime| {
            let id = &member.container_id;
            MemberUse::of(member, before.get(id), now.get(id), engine.host())
        };
        let item = |(object, members): &(ObjectRef, Vec<MemberRuntime>)| {
            let sampled = self.kinds.get(object.kind).map(|kind| kind.sampled(object)).unwrap_or_default();
            TopItem::of(object, members.iter().map(figures).collect(), Inside::of(&sampled))
        };
        Ok(TopList {
            items: all.iter().map(item).collect(),
            online_cpus: engine.cpus,
            host_memory_bytes: engine.memory,
        })
    }

    /// As their status has them, which every pass writes.
    fn members_of(&self, object: Option<&ObjectRef>) -> Result<Vec<(ObjectRef, Vec<MemberRuntime>)>> {
        let have: Vec<_> =
            self.kinds.about().filter(|about| about.containers).map(|about| about.kind).collect();
        if let Some(object) = object.filter(|object| !have.contains(&object.kind)) {
            let what = format!("{object} has no container");
            return Err(ApiError::new(ErrorCode::Invalid, what, "seawall top shows what has"));
        }
        // Read once the state is let go: there may be many.
        let statuses: Vec<_> = {
            let state = self.state();
            if let Some(object) = object.filter(|object| !state.records.contains_key(object)) {
                return Err(not_found(object));
            }
            let wanted =
                |one: &&ObjectRef| object.is_none_or(|object| object == *one) && have.contains(&one.kind);
            let objects = state.records.keys().filter(wanted);
            objects.map(|object| (object.clone(), state.statuses.get(object).cloned())).collect()
        };
        let told = |status: Option<std::sync::Arc<crate::core::status::Status>>| {
            status.map(|status| status.body::<Told>()).unwrap_or_default().runtime
        };
        Ok(statuses.into_iter().map(|(object, status)| (object, told(status))).collect())
    }

    /// Of those that run. One that cannot be asked about has none; an engine that is away, or a proxy that refuses, ends it.
    async fn samples_of(&self, ids: &[&str]) -> Result<BTreeMap<String, Sample>> {
        let docker = &self.tools.docker;
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        let asked = stream::iter(ids).map(|id| async move { (docker.sample(&id).await, id) });
        let answers: Vec<_> = asked.buffer_unordered(AT_ONCE).collect().await;
        let mut samples = BTreeMap::new();
        for (answer, id) in answers {
            match answer {
                Ok(Some(sample)) => drop(samples.insert(id, sample)),
                Err(error @ (DockerError::Unavailable { .. } | DockerError::Forbidden { .. })) => {
                    return Err(away(&error));
                }
                Ok(None) | Err(_) => {}
            }
        }
        Ok(samples)
    }
}

fn away(error: &DockerError) -> ApiError {
    ApiError::new(ErrorCode::Unavailable, error.to_string(), "seawall doctor looks at the engine")
}
