//! `seawall recommend`: limits by up to seven days of use, as the YAML to commit. Nothing applies it.

use super::advice::{ENOUGH, cpus, memory};
use super::answers::not_found;
use super::api::{Advice, ApiError, ErrorCode, RecommendList, Recommendation, Result, Verdict};
use super::history::{CPU, LONGEST, MEMORY, grid};
use super::objects::Record;
use super::operator::{Operator, this_second};
use super::top::Told;
use crate::core::names::ObjectRef;
use crate::core::quantity::{Bytes, NanoCpus};
use crate::workload::status::CapsStatus;
use std::fmt::Write as _;
use std::sync::Arc;

impl Operator {
    /// Of one object, or of all that have containers.
    pub(super) async fn recommendations(&self, object: Option<&ObjectRef>) -> Result<RecommendList> {
        let records: Vec<Arc<Record>> = {
            let state = self.state();
            if let Some(object) = object.filter(|object| !state.records.contains_key(object)) {
                return Err(not_found(object));
            }
            let wanted = |record: &&Arc<Record>| {
                object.is_none_or(|object| *object == record.object)
                    && self.kinds.has_containers(record.object.kind)
            };
            state.records.values().filter(wanted).cloned().collect()
        };
        if let Some(object) = object.filter(|_| records.is_empty()) {
            let what = format!("{object} has no container");
            return Err(ApiError::new(ErrorCode::Invalid, what, "seawall recommend shows what has"));
        }
        let mut items = Vec::with_capacity(records.len());
        for record in records {
            items.push(self.recommendation(&record).await?);
        }
        Ok(RecommendList { items })
    }

    async fn recommendation(&self, record: &Record) -> Result<Recommendation> {
        let object = &record.object;
        let to = this_second().as_second();
        let (mut peaks, mut means, mut known) = (Vec::new(), Vec::new(), 0);
        // Of several containers each has the same limits: what the busiest one takes is what counts.
        for (name, points) in self.points_of(&record.uid, to - LONGEST, to).await? {
            match name.split('.').next().unwrap_or_default() {
                MEMORY => {
                    known = known.max(points.len());
                    peaks.extend(points.iter().map(|point| point.max));
                }
                CPU => means.extend(points.iter().map(|point| point.mean)),
                _ => {}
            }
        }
        let status = self.state().statuses.get(object).cloned();
        let members = status.map(|status| status.body::<Told>()).unwrap_or_default().runtime;
        let killed = members.iter().any(|m| m.oom_killed || m.oom_kills.is_some_and(|kills| kills > 0));
        let caps = members.into_iter().next().map(|member| member.limits.configured).unwrap_or_default();
        let limit = caps.memory.as_deref().and_then(|text| Bytes::parse(text).ok()).map(|bytes| bytes.0);
        #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
        let cores =
            caps.cpus.as_deref().and_then(|text| NanoCpus::parse(text).ok()).map(|n| n.0 as f64 / 1e9);
        let least = self.kinds.get(object.kind).map_or(0, |kind| kind.about().least_memory);
        let enough = known >= ENOUGH;
        let memory = if enough { memory(&peaks, limit, least, killed) } else { None };
        let cpus = if enough { cpus(&means, cores) } else { None };
        Ok(Recommendation {
            object: object.to_string(),
            made_by: record.owner.as_ref().map(|owner| owner.object.to_string()),
            known_seconds: (known as u64).saturating_mul(grid::MEAN.unsigned_abs()),
            yaml: yaml(&caps, memory.as_ref(), cpus.as_ref()),
            memory,
            cpus,
        })
    }
}

/// The whole of `resources`, as it stands in the place of what is there; empty where all is kept.
fn yaml(caps: &CapsStatus, memory: Option<&Advice>, cpus: Option<&Advice>) -> String {
    if [memory, cpus].into_iter().flatten().all(|advice| advice.verdict == Verdict::Keep) {
        return String::new();
    }
    let mut text = "resources:\n".to_owned();
    let mut line = |name: &str, now: Option<&String>, advice: Option<&Advice>| {
        let value = advice.filter(|advice| advice.verdict != Verdict::Keep).map(|advice| &advice.wanted);
        let Some(value) = value.or(now) else { return };
        let why = advice.map(|advice| match advice.verdict {
            Verdict::Keep => format!("  # keep; {}", advice.why),
            _ => format!("  # {}; now {}", advice.why, now.map_or("no limit", String::as_str)),
        });
        let _ = writeln!(text, "  {name}: {value}{}", why.unwrap_or_default());
    };
    line("memory", caps.memory.as_ref(), memory);
    line("swap", caps.swap.as_ref(), None);
    line("cpus", caps.cpus.as_ref(), cpus);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_yaml_is_all_of_the_resources_or_nothing() {
        let caps = CapsStatus { memory: Some("512Mi".into()), swap: Some("64Mi".into()), cpus: None };
        let advice = |verdict, wanted: &str| Advice {
            verdict,
            now: None,
            wanted: wanted.to_owned(),
            why: "as it was used".to_owned(),
        };
        let (keep, raise, set) =
            (advice(Verdict::Keep, "448Mi"), advice(Verdict::Raise, "1Gi"), advice(Verdict::Set, "0.5"));
        assert_eq!(yaml(&caps, Some(&keep), None), "");
        assert_eq!(yaml(&caps, None, None), "");
        let want = "resources:\n  memory: 512Mi  # keep; as it was used\n  swap: 64Mi\n  cpus: 0.5  # as it was used; now no limit\n";
        assert_eq!(yaml(&caps, Some(&keep), Some(&set)), want);
        let want = "resources:\n  memory: 1Gi  # as it was used; now 512Mi\n  swap: 64Mi\n";
        assert_eq!(yaml(&caps, Some(&raise), None), want);
    }
}
