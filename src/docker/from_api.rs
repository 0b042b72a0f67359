//! API answers to our values. Pure; turns the API's sentinels for "no limit" into `None` and drops
//! what we have no word for. Must never invent a value that was not in the answer.

use crate::core::desired::PortMap;
use crate::core::quantity::{Bytes, NanoCpus};
use crate::core::resource::Caps;
use crate::core::seen::{
    ContainerState, ContainerSummary, EngineEvent, EngineInfo, SeenContainer, SeenEndpoint, SeenImage,
    SeenMount, SeenNetwork, SeenVolume, Usage,
};
use crate::docker::to_api::NO_LIMIT;
use bollard::models;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};

/// From here on a number of bytes means "no limit": 2^62 and the page-aligned maximum are in use.
const UNLIMITED_FROM: i64 = 1 << 62;

/// Prefix of our labels among an event's attributes, where labels are mixed with everything else.
const OUR_LABELS: &str = "seawall.dev/";

/// What must be known of the host to read limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Host {
    pub cpus: u64,
    pub memory: u64,
    pub swap_limit: bool,
}

fn sorted<V>(map: Option<HashMap<String, V>>) -> BTreeMap<String, V> {
    map.unwrap_or_default().into_iter().collect()
}

fn state(word: &str) -> ContainerState {
    match word {
        // Newer engines say so while the stop signal is being worked on.
        "stopping" => ContainerState::Running,
        other => ContainerState::parse(other).unwrap_or(ContainerState::Dead),
    }
}

/// `/name`; `/other/alias` is a link and no name.
fn own_name(names: Option<Vec<String>>) -> String {
    names
        .unwrap_or_default()
        .iter()
        .filter_map(|n| n.strip_prefix('/'))
        .find(|n| !n.contains('/'))
        .unwrap_or_default()
        .to_owned()
}

pub(super) fn summary(c: models::ContainerSummary) -> ContainerSummary {
    let mut host_ports: Vec<u16> = c.ports.unwrap_or_default().iter().filter_map(|p| p.public_port).collect();
    host_ports.sort_unstable();
    host_ports.dedup();
    ContainerSummary {
        id: c.id.unwrap_or_default(),
        name: own_name(c.names),
        image_id: c.image_id.unwrap_or_default(),
        labels: sorted(c.labels),
        state: state(c.state.as_ref().map_or("", AsRef::as_ref)),
        networks: sorted(c.network_settings.and_then(|n| n.networks)).into_keys().collect(),
        host_ports,
    }
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

/// TCP ports of a `"5432/tcp": [{HostIp, HostPort}]` map, ordered.
fn ports(map: Option<models::PortMap>) -> Vec<PortMap> {
    let mut all = Vec::new();
    for (key, bindings) in map.unwrap_or_default() {
        let Some(container) = key.strip_suffix("/tcp").and_then(|p| p.parse().ok()) else { continue };
        for binding in bindings.unwrap_or_default() {
            let host_ip = binding.host_ip.filter(|ip| !ip.is_empty());
            all.push(PortMap {
                container,
                host_ip: host_ip.and_then(|ip| ip.parse().ok()).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
                host: binding.host_port.and_then(|p| p.parse().ok()).unwrap_or(0),
            });
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// The engine's zero time is "never".
fn time(text: Option<String>) -> String {
    text.filter(|t| !t.starts_with("0001-01-01")).unwrap_or_default()
}

pub(super) fn container(c: models::ContainerInspectResponse, engine: Host) -> SeenContainer {
    let host = c.host_config.unwrap_or_default();
    let config = c.config.unwrap_or_default();
    let now = c.state.unwrap_or_default();
    let net = c.network_settings.unwrap_or_default();
    let word = state(now.status.as_ref().map_or("", AsRef::as_ref));
    let exit_code = match word {
        ContainerState::Running | ContainerState::Paused => None,
        // 0 before the first start; 127 or 128 when that start failed.
        ContainerState::Created => now.exit_code.filter(|code| *code != 0),
        _ => now.exit_code,
    };
    let networks = sorted(net.networks)
        .into_iter()
        .map(|(name, e)| {
            let mut aliases = e.aliases.unwrap_or_default();
            aliases.sort();
            let seen = SeenEndpoint {
                network_id: e.network_id.unwrap_or_default(),
                ip: e.ip_address.unwrap_or_default(),
                aliases,
            };
            (name, seen)
        })
        .collect();
    let mut mounts: Vec<SeenMount> = c
        .mounts
        .unwrap_or_default()
        .into_iter()
        .map(|m| {
            let kind = m.typ.map(|t| t.to_string()).unwrap_or_default();
            let volume = if kind == "volume" { m.name.unwrap_or_default() } else { String::new() };
            SeenMount { kind, volume, path: m.destination.unwrap_or_default() }
        })
        .collect();
    mounts.sort_by(|a, b| a.path.cmp(&b.path));
    let no_new_privileges = host.security_opt.as_ref().is_some_and(|all| {
        all.iter().any(|o| o == "no-new-privileges" || o.starts_with("no-new-privileges:true"))
    });
    SeenContainer {
        id: c.id.unwrap_or_default(),
        name: c.name.unwrap_or_default().trim_start_matches('/').to_owned(),
        image_id: c.image.unwrap_or_default(),
        image_ref: config.image.unwrap_or_default(),
        labels: sorted(config.labels),
        env: variables(config.env),
        state: word,
        exit_code,
        oom_killed: now.oom_killed.unwrap_or(false),
        error: now.error.unwrap_or_default(),
        started_at: time(now.started_at),
        finished_at: time(now.finished_at),
        restart_count: c.restart_count.and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
        caps: caps(&host, engine),
        restart_policy: host
            .restart_policy
            .and_then(|p| p.name)
            .map(|n| n.to_string())
            .filter(|n| !n.is_empty())
            .unwrap_or_else(|| "no".to_owned()),
        networks,
        mounts,
        port_bindings: ports(host.port_bindings),
        published: ports(net.ports),
        shm_size: host.shm_size.filter(|n| *n > 0).and_then(|n| u64::try_from(n).ok()).map(Bytes),
        pids_limit: host.pids_limit.filter(|n| *n > 0),
        init: host.init.unwrap_or(false),
        cap_add: capabilities(host.cap_add),
        cap_drop: capabilities(host.cap_drop),
        no_new_privileges,
    }
}

fn variables(list: Option<Vec<String>>) -> BTreeMap<String, String> {
    let list = list.unwrap_or_default();
    let pairs = list.iter().filter_map(|e| e.split_once('='));
    pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

/// Without the `CAP_` that some engines add, ordered.
fn capabilities(list: Option<Vec<String>>) -> Vec<String> {
    let mut all: Vec<String> =
        list.unwrap_or_default().iter().map(|c| c.trim_start_matches("CAP_").to_owned()).collect();
    all.sort();
    all
}

/// `None` when the container does not run: the engine then answers with a zero time.
pub(super) fn usage(s: models::ContainerStatsResponse, engine: Host) -> Option<Usage> {
    if s.read.as_deref().unwrap_or_default().starts_with("0001-01-01") {
        return None;
    }
    let memory = s.memory_stats?;
    let used = memory.usage?;
    let stats = memory.stats.unwrap_or_default();
    // cgroup v1 counts the whole subtree under `total_`.
    let stat =
        |name: &str| stats.get(&format!("total_{name}")).or_else(|| stats.get(name)).copied().unwrap_or(0);
    let inactive = stat("inactive_file");
    // The file lists, not `cache` or `file`: these also count shared memory, which is where
    // PostgreSQL keeps its buffers and which nothing reclaims without swap.
    let reclaimable = inactive.saturating_add(stat("active_file"));
    let limit = stats.get("hierarchical_memory_limit").copied().or(memory.limit);
    Some(Usage {
        memory: Bytes(used.saturating_sub(inactive)),
        unreclaimable: Bytes(used.saturating_sub(reclaimable)),
        memory_limit: limit.filter(|l| *l > 0 && *l < engine.memory).map(Bytes),
    })
}

pub(super) fn image(i: models::ImageInspect) -> SeenImage {
    let config = i.config.unwrap_or_default();
    let listed = |list: Option<Vec<String>>| {
        let mut all = list.unwrap_or_default();
        all.sort();
        all
    };
    SeenImage {
        id: i.id.unwrap_or_default(),
        tags: listed(i.repo_tags),
        digests: listed(i.repo_digests),
        env: variables(config.env),
        labels: sorted(config.labels),
        volumes: listed(config.volumes),
        architecture: architecture(&i.architecture.unwrap_or_default()),
        user: config.user.unwrap_or_default(),
        stop_signal: config.stop_signal.unwrap_or_default(),
    }
}

pub(super) fn volume(v: models::Volume) -> SeenVolume {
    SeenVolume { name: v.name, labels: v.labels.into_iter().collect(), mountpoint: v.mountpoint }
}

pub(super) fn network(n: models::Network) -> SeenNetwork {
    SeenNetwork {
        id: n.id.unwrap_or_default(),
        name: n.name.unwrap_or_default(),
        labels: sorted(n.labels),
        driver: n.driver.unwrap_or_default(),
        internal: n.internal.unwrap_or(false),
    }
}

pub(super) fn event(e: models::EventMessage) -> EngineEvent {
    let actor = e.actor.unwrap_or_default();
    let (labels, attributes) =
        sorted(actor.attributes).into_iter().partition(|(key, _)| key.starts_with(OUR_LABELS));
    EngineEvent {
        kind: e.typ.map(|t| t.to_string()).unwrap_or_default(),
        action: e.action.unwrap_or_default(),
        actor: actor.id.unwrap_or_default(),
        labels,
        attributes,
        time_nano: e.time_nano.unwrap_or(0),
    }
}

/// As images name it.
fn architecture(word: &str) -> String {
    match word {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
    .to_owned()
}

pub(super) fn info(version: models::SystemVersion, info: models::SystemInfo) -> EngineInfo {
    let count = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    EngineInfo {
        version: version.version.unwrap_or_default(),
        api_version: version.api_version.unwrap_or_default(),
        cgroup_version: match info.cgroup_version {
            Some(models::SystemInfoCgroupVersionEnum::_2) => 2,
            _ => 1,
        },
        cpus: count(info.ncpu),
        memory: count(info.mem_total),
        architecture: architecture(&version.arch.or(info.architecture).unwrap_or_default()),
        swap_limit: info.swap_limit.unwrap_or(false),
        root_dir: info.docker_root_dir.unwrap_or_default(),
        id: info.id.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: Host = Host { cpus: 2, memory: 8 << 30, swap_limit: true };

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
    fn only_our_labels_are_labels_of_an_event() {
        let e: models::EventMessage = serde_json::from_str(
            r#"{"Type":"container","Action":"die","Actor":{"ID":"ab","Attributes":{"exitCode":"1","image":"i",
            "seawall.dev/name":"main"}},"time":1,"timeNano":1000000001}"#,
        )
        .unwrap();
        let e = event(e);
        assert_eq!((e.kind.as_str(), e.action.as_str(), e.actor.as_str()), ("container", "die", "ab"));
        assert_eq!(e.labels.into_iter().collect::<Vec<_>>(), [("seawall.dev/name".into(), "main".into())]);
        assert_eq!(e.attributes.keys().collect::<Vec<_>>(), ["exitCode", "image"]);
        assert_eq!(e.time_nano, 1_000_000_001);
    }

    #[test]
    fn links_are_no_names() {
        assert_eq!(own_name(Some(vec!["/other/alias".into(), "/own".into()])), "own");
        assert_eq!(own_name(None), "");
    }

    #[test]
    fn published_ports_are_ordered_and_udp_is_not_ours() {
        let map: models::PortMap = serde_json::from_str(
            r#"{"5432/tcp":[{"HostIp":"::","HostPort":"7"},{"HostIp":"","HostPort":"7"}],"5432/udp":[{"HostPort":"8"}],
            "9/tcp":null}"#,
        )
        .unwrap();
        let got: Vec<String> =
            ports(Some(map)).iter().map(|p| format!("{} {} {}", p.host_ip, p.host, p.container)).collect();
        assert_eq!(got, ["0.0.0.0 7 5432", ":: 7 5432"]);
    }
}
