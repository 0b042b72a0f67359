//! What containers use, as it is told over the wire: the names of the product brief ("Resource Limits → Endpoints"), snake_case.

use super::Inside;
use crate::core::names::ObjectRef;
use crate::core::seen::{Host, Io, Sample};
use crate::workload::runtime::MemberRuntime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Nanoseconds between two samples below which they make no rate.
pub const RATE_FROM: i64 = 50_000_000;
const SECOND: f64 = 1e9;

/// One sample of each that was asked for, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TopList {
    pub items: Vec<TopItem>,
    /// Of the engine's host.
    pub online_cpus: u64,
    /// Bytes, of the same.
    pub host_memory_bytes: u64,
}

/// An object, and each of its containers that is there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TopItem {
    /// `postgres/main`
    pub object: String,
    pub members: Vec<MemberUse>,
    pub inside: Inside,
}

/// What a figure is measured against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Against {
    /// The container's own cap.
    Cap,
    #[default]
    Host,
}

impl Against {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Against::Cap => "cap",
            Against::Host => "host",
        }
    }
}

/// `null` is what could not be told: all of it, of one that does not run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct MemberUse {
    pub role: String,
    pub container_name: String,
    pub container_id: String,
    /// CPUs in use, and of how many.
    pub cpu_cores: Option<f64>,
    pub cpu_limit_cores: Option<f64>,
    pub cpu_percent: Option<f64>,
    pub cpu_of: Against,
    /// Without page cache that the kernel can take back.
    pub memory_usage_bytes: Option<u64>,
    pub memory_limit_bytes: Option<u64>,
    pub memory_percent: Option<f64>,
    pub memory_of: Against,
    /// Since the container was started.
    pub block_read_bytes: Option<u64>,
    pub block_write_bytes: Option<u64>,
    pub network_receive_bytes: Option<u64>,
    pub network_transmit_bytes: Option<u64>,
    /// Now, a second.
    pub block_read_bytes_per_second: Option<u64>,
    pub block_write_bytes_per_second: Option<u64>,
    pub network_receive_bytes_per_second: Option<u64>,
    pub network_transmit_bytes_per_second: Option<u64>,
}

impl TopItem {
    /// `postgres/main`; of one of several `app/shop-production-web.a`.
    #[must_use]
    pub fn name_of(&self, member: &MemberUse) -> String {
        match member.role.as_str() {
            crate::workload::runtime::STANDALONE => self.object.clone(),
            role => format!("{}.{role}", self.object),
        }
    }

    #[must_use]
    pub fn of(object: &ObjectRef, members: Vec<MemberUse>, inside: Inside) -> Self {
        Self { object: object.to_string(), members, inside }
    }
}

/// Hundredths, as more is not meant.
fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

/// As far as figures go here: below 2⁵³.
#[allow(clippy::cast_precision_loss)]
fn float(number: u64) -> f64 {
    number as f64
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(number: f64) -> u64 {
    number.round() as u64
}

/// Between two samples of the same start, in nanoseconds; `None`: they make no rate.
fn between(before: &Sample, now: &Sample) -> Option<f64> {
    let time = now.at_nano.checked_sub(before.at_nano).filter(|time| *time >= RATE_FROM)?;
    (now.cpu_nano >= before.cpu_nano).then_some(float(u64::try_from(time).ok()?))
}

impl MemberUse {
    /// `before`: the sample that a rate is from.
    #[must_use]
    pub fn of(member: &MemberRuntime, before: Option<&Sample>, now: Option<&Sample>, host: Host) -> Self {
        let known = Self {
            role: member.role.clone(),
            container_name: member.container_name.clone(),
            container_id: member.container_id.clone(),
            ..Self::default()
        };
        let Some(now) = now else { return known };
        let pair = before.and_then(|before| Some((before, between(before, now)?)));
        let cap = member.limits.applied.cpus.as_ref().and_then(|cpus| cpus.parse::<f64>().ok());
        let cores = pair.map(|(before, time)| float(now.cpu_nano - before.cpu_nano) / time);
        let of = cap.unwrap_or(float(host.cpus));
        let used = now.usage.memory.0;
        let limit = now.usage.memory_limit.map_or(host.memory, |limit| limit.0);
        let rate = |of: fn(&Sample) -> Option<u64>| {
            let (before, time) = pair?;
            Some(whole(float(of(now)?.saturating_sub(of(before)?)) * SECOND / time))
        };
        let against = |capped: bool| if capped { Against::Cap } else { Against::Host };
        let (block, network) = (now.block, now.network);
        Self {
            cpu_cores: cores.map(|cores| (cores * 1000.0).round() / 1000.0),
            cpu_limit_cores: Some(of).filter(|of| *of > 0.0),
            cpu_percent: cores.filter(|_| of > 0.0).map(|cores| rounded(cores / of * 100.0)),
            cpu_of: against(cap.is_some()),
            memory_usage_bytes: Some(used),
            memory_limit_bytes: Some(limit).filter(|limit| *limit > 0),
            memory_percent: (limit > 0).then(|| rounded(float(used) / float(limit) * 100.0)),
            memory_of: against(now.usage.memory_limit.is_some()),
            block_read_bytes: block.map(|Io { inward, .. }| inward),
            block_write_bytes: block.map(|Io { outward, .. }| outward),
            network_receive_bytes: network.map(|Io { inward, .. }| inward),
            network_transmit_bytes: network.map(|Io { outward, .. }| outward),
            block_read_bytes_per_second: rate(|s| Some(s.block?.inward)),
            block_write_bytes_per_second: rate(|s| Some(s.block?.outward)),
            network_receive_bytes_per_second: rate(|s| Some(s.network?.inward)),
            network_transmit_bytes_per_second: rate(|s| Some(s.network?.outward)),
            ..known
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::quantity::Bytes;
    use crate::core::seen::Usage;

    const HOST: Host = Host { cpus: 4, memory: 8 << 30 };

    fn sample(ms: i64, cpu_ms: u64, limit: Option<u64>, io: u64) -> Sample {
        let memory_limit = limit.map(|mi| Bytes(mi << 20));
        let usage = Usage { memory: Bytes(64 << 20), unreclaimable: Bytes(32 << 20), memory_limit };
        Sample {
            usage,
            at_nano: ms * 1_000_000,
            cpu_nano: cpu_ms * 1_000_000,
            block: Some(Io { inward: io, outward: 2 * io }),
            network: Some(Io { inward: 3 * io, outward: 4 * io }),
            oom_kills: None,
        }
    }

    fn member(cpus: Option<&str>) -> MemberRuntime {
        let mut member = MemberRuntime { container_id: "c1".to_owned(), ..MemberRuntime::default() };
        member.limits.applied.cpus = cpus.map(str::to_owned);
        member
    }

    #[test]
    fn of_the_cap_where_there_is_one_and_of_the_host_where_not() {
        let (before, now) = (sample(0, 0, Some(256), 0), sample(200, 50, Some(256), 100));
        let capped = MemberUse::of(&member(Some("0.5")), Some(&before), Some(&now), HOST);
        assert_eq!((capped.cpu_cores, capped.cpu_limit_cores), (Some(0.25), Some(0.5)));
        assert_eq!((capped.cpu_percent, capped.cpu_of), (Some(50.0), Against::Cap));
        assert_eq!((capped.memory_percent, capped.memory_of), (Some(25.0), Against::Cap));
        assert_eq!(capped.memory_limit_bytes, Some(256 << 20));
        let rates = [
            capped.block_read_bytes_per_second,
            capped.block_write_bytes_per_second,
            capped.network_receive_bytes_per_second,
            capped.network_transmit_bytes_per_second,
        ];
        assert_eq!(rates, [Some(500), Some(1000), Some(1500), Some(2000)]);
        assert_eq!((capped.block_read_bytes, capped.network_transmit_bytes), (Some(100), Some(400)));

        let free = |s: Sample| Sample { usage: Usage { memory_limit: None, ..s.usage }, ..s };
        let of_host = MemberUse::of(&member(None), Some(&free(before)), Some(&free(now)), HOST);
        assert_eq!((of_host.cpu_percent, of_host.cpu_of), (Some(6.25), Against::Host));
        assert_eq!((of_host.memory_percent, of_host.memory_of), (Some(0.78), Against::Host));
        assert_eq!(of_host.memory_limit_bytes, Some(8 << 30));
    }

    #[test]
    fn what_makes_no_rate_is_not_told() {
        let now = sample(1000, 50, None, 9);
        for (why, before) in [
            ("none", None),
            ("too near", Some(sample(951, 0, None, 0))),
            ("later", Some(sample(2000, 0, None, 0))),
            ("of an earlier start", Some(sample(0, 900, None, 0))),
        ] {
            let seen = MemberUse::of(&member(None), before.as_ref(), Some(&now), HOST);
            let rates = (seen.cpu_cores, seen.cpu_percent, seen.block_read_bytes_per_second);
            assert_eq!(rates, (None, None, None), "{why}");
            assert_eq!(seen.memory_usage_bytes, Some(64 << 20), "{why}");
        }
        let gone = MemberUse::of(&member(Some("1")), Some(&now), None, HOST);
        assert_eq!(
            (gone.container_id.as_str(), gone.memory_usage_bytes, gone.cpu_limit_cores),
            ("c1", None, None)
        );
    }
}
