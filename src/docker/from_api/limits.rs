//! Limits and use. The API says "no limit" in many numbers, by engine, cgroup version and call; here each
//! of them becomes `None`. Must never take such a number for a size.

use crate::core::quantity::{Bytes, NanoCpus};
use crate::core::resource::Caps;
use crate::core::seen::{Io, Lacks, Sample, Usage};
use crate::docker::to_api::NO_LIMIT;
use bollard::models;
use jiff::Timestamp;
use std::collections::HashMap;

/// From here on a number of bytes means "no limit": 2^62 and the page-aligned maximum are in use.
const UNLIMITED_FROM: i64 = 1 << 62;

/// What must be known of the host to read limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::docker) struct Host {
    pub cpus: u64,
    pub memory: u64,
    pub swap_limit: bool,
    pub lacks: Lacks,
}

/// Caps as inspect tells them.
pub(super) fn caps(host: &models::HostConfig, engine: Host) -> Caps {
    let memory = host.memory.filter(|m| *m > 0 && *m < UNLIMITED_FROM);
    let swap = memory.and_then(|memory| match host.memory_swap.unwrap_or(0) {
        0 => None,
        // A kernel that cannot cap swap: the engine stores -1 whatever was asked for.
        s if s < 0 && !engine.swap_limit => None,
        s if s < 0 => Some(NO_LIMIT - memory),
        s => Some(s - memory).filter(|extra| *extra > 0),
    });
    let quota = host.cpu_quota.filter(|q| *q > 0).map(|quota| {
        let period = host.cpu_period.filter(|p| *p > 0).unwrap_or(100_000);
        i64::try_from(i128::from(quota) * 1_000_000_000 / i128::from(period)).unwrap_or(i64::MAX)
    });
    let cpus = host.nano_cpus.filter(|n| *n > 0).or(quota).and_then(|n| u64::try_from(n).ok());
    let size = |n: i64| u64::try_from(n).ok().map(Bytes);
    Caps {
        memory: memory.and_then(size),
        swap: swap.and_then(size),
        cpus: cpus.filter(|n| *n < engine.cpus.saturating_mul(1_000_000_000)).map(NanoCpus),
    }
}

/// `None` when the container does not run: the engine then answers with a zero time.
pub(in crate::docker) fn sample(s: models::ContainerStatsResponse, engine: Host) -> Option<Sample> {
    let read = s.read.unwrap_or_default();
    if read.starts_with("0001-01-01") {
        return None;
    }
    let memory = s.memory_stats?;
    let stats = memory.stats.unwrap_or_default();
    let limit = stats.get("hierarchical_memory_limit").copied().or(memory.limit);
    let at = read.parse::<Timestamp>().map(Timestamp::as_nanosecond).unwrap_or_default();
    let cpu = s.cpu_stats.and_then(|cpu| cpu.cpu_usage).and_then(|cpu| cpu.total_usage);
    let block = s.blkio_stats.and_then(|block| block.io_service_bytes_recursive).map(|all| {
        let sum = |operation: &str| {
            let of = |entry: &models::ContainerBlkioStatEntry| {
                let matches = entry.op.as_ref().is_some_and(|op| op.eq_ignore_ascii_case(operation));
                entry.value.filter(|_| matches)
            };
            all.iter().filter_map(of).fold(0, u64::saturating_add)
        };
        Io { inward: sum("read"), outward: sum("write") }
    });
    let network = s.networks.map(|all| {
        let sum = |of: fn(&models::ContainerNetworkStats) -> Option<u64>| {
            all.values().filter_map(of).fold(0, u64::saturating_add)
        };
        Io { inward: sum(|one| one.rx_bytes), outward: sum(|one| one.tx_bytes) }
    });
    Some(Sample {
        usage: working_set(memory.usage?, &stats, limit, engine),
        at_nano: i64::try_from(at).unwrap_or(i64::MAX),
        cpu_nano: cpu.unwrap_or_default(),
        block,
        network,
        // Its `failcnt` is another figure on each cgroup version, and on none of them this one.
        oom_kills: None,
    })
}

/// What is in use of `used` bytes, by what the kernel's `memory.stat` says of them.
pub(in crate::docker) fn working_set(
    used: u64,
    stats: &HashMap<String, u64>,
    limit: Option<u64>,
    engine: Host,
) -> Usage {
    // cgroup v1 counts the whole subtree under `total_`.
    let stat =
        |name: &str| stats.get(&format!("total_{name}")).or_else(|| stats.get(name)).copied().unwrap_or(0);
    let inactive = stat("inactive_file");
    // The file lists, not `cache` or `file`: these also count shared memory, which is where
    // PostgreSQL keeps its buffers and which nothing reclaims without swap.
    let reclaimable = inactive.saturating_add(stat("active_file"));
    Usage {
        memory: Bytes(used.saturating_sub(inactive)),
        unreclaimable: Bytes(used.saturating_sub(reclaimable)),
        memory_limit: limit.filter(|l| *l > 0 && *l < engine.memory).map(Bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: Host = Host { cpus: 2, memory: 8 << 30, swap_limit: true, lacks: Lacks::NONE };

    #[test]
    fn sentinels_are_no_limit() {
        let mi = |n: i64| n << 20;
        for (memory, swap, nano, want) in [
            (None, None, None, (None, None, None)),
            (Some(0), Some(0), Some(0), (None, None, None)),
            (Some(-1), Some(-1), None, (None, None, None)),
            (Some(NO_LIMIT), Some(NO_LIMIT), Some(2_000_000_000), (None, None, None)),
            (Some(1 << 62), Some(NO_LIMIT), Some(9_000_000_000), (None, None, None)),
            (Some(mi(256)), Some(mi(256)), Some(500_000_000), (Some(256), None, Some(500_000_000))),
            (Some(mi(256)), Some(mi(384)), None, (Some(256), Some(128), None)),
            // Created with memory alone: the engine stores twice as much, and that is true.
            (Some(mi(256)), Some(mi(512)), None, (Some(256), Some(256), None)),
            (Some(mi(256)), Some(0), None, (Some(256), None, None)),
        ] {
            let host =
                models::HostConfig { memory, memory_swap: swap, nano_cpus: nano, ..Default::default() };
            let got = caps(&host, HOST);
            let size = |n: Option<u64>| n.map(|n| Bytes(n << 20));
            let want = Caps { memory: size(want.0), swap: size(want.1), cpus: want.2.map(NanoCpus) };
            assert_eq!(got, want, "{memory:?} {swap:?} {nano:?}");
        }
    }

    #[test]
    fn endless_swap_shows_only_where_swap_can_be_capped() {
        let host = models::HostConfig { memory: Some(1 << 28), memory_swap: Some(-1), ..Default::default() };
        assert!(caps(&host, HOST).swap.is_some_and(|s| s.0 > 1 << 60));
        assert_eq!(caps(&host, Host { swap_limit: false, ..HOST }).swap, None);
    }

    #[test]
    fn a_quota_set_by_hand_is_a_cap() {
        let host = models::HostConfig { cpu_quota: Some(50_000), nano_cpus: Some(0), ..Default::default() };
        assert_eq!(caps(&host, HOST).cpus, Some(NanoCpus(500_000_000)));
        let lifted = models::HostConfig { cpu_quota: Some(-1), ..Default::default() };
        assert_eq!(caps(&lifted, HOST).cpus, None);
    }

    #[test]
    fn memory_in_use_on_both_cgroup_versions() {
        let stats = |json: &str| -> models::ContainerStatsResponse { serde_json::from_str(json).unwrap() };
        let usage = |stats, host| sample(stats, host).map(|sample| sample.usage);
        let v1 = stats(
            r#"{"read":"2026-01-01T00:00:00Z","memory_stats":{"usage":1000,"limit":8589934592,"stats":{
            "cache":700,"total_cache":700,"inactive_file":1,"total_inactive_file":300,"total_active_file":100,
            "hierarchical_memory_limit":5000}}}"#,
        );
        let want = Usage { memory: Bytes(700), unreclaimable: Bytes(600), memory_limit: Some(Bytes(5000)) };
        assert_eq!(usage(v1, HOST), Some(want));
        let v2 = stats(
            r#"{"read":"2026-01-01T00:00:00Z","memory_stats":{"usage":1000,"limit":8589934592,"stats":{
            "file":700,"shmem":300,"inactive_file":300,"active_file":100}}}"#,
        );
        assert_eq!(usage(v2, HOST), Some(Usage { memory_limit: None, ..want }));
        assert_eq!(usage(stats(r#"{"read":"0001-01-01T00:00:00Z","memory_stats":{}}"#), HOST), None);
        assert_eq!(usage(stats(r#"{"read":"2026-01-01T00:00:00Z","memory_stats":{}}"#), HOST), None);
    }

    #[test]
    fn what_the_engine_counts_is_the_whole_containers() {
        let told = r#"{"read":"2026-01-01T00:00:01.5Z","cpu_stats":{"cpu_usage":{"total_usage":77}},
            "memory_stats":{"usage":1000,"failcnt":9,"stats":{}},
            "blkio_stats":{"io_service_bytes_recursive":[{"major":8,"minor":0,"op":"Read","value":10},
            {"major":8,"minor":0,"op":"write","value":4},{"major":8,"minor":16,"op":"Read","value":20},
            {"major":8,"minor":0,"op":"Total","value":14}]},
            "networks":{"eth0":{"rx_bytes":200,"tx_bytes":50},"eth1":{"rx_bytes":1,"tx_bytes":2}}}"#;
        let seen = sample(serde_json::from_str(told).unwrap(), HOST).unwrap();
        assert_eq!((seen.at_nano, seen.cpu_nano), (1_767_225_601_500_000_000, 77));
        assert_eq!(seen.block, Some(Io { inward: 30, outward: 4 }));
        assert_eq!(seen.network, Some(Io { inward: 201, outward: 52 }));
        assert_eq!(seen.oom_kills, None);
    }
}
