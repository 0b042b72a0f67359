//! API answers to our values. Pure; drops what we have no word for. Must never invent a value that was
//! not in the answer.

mod limits;

pub(super) use limits::{Host, sample, working_set};

use crate::core::census::READ_ONLY;
use crate::core::desired::PortMap;
use crate::core::pairs::Pairs;
use crate::core::quantity::Bytes;
use crate::core::seen::{
    ContainerState, ContainerSummary, EngineEvent, EngineInfo, Lacks, SeenContainer, SeenEndpoint, SeenImage,
    SeenMount, SeenNetwork, SeenVolume,
};
use bollard::models;
use limits::caps;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};

/// Prefix of our labels among an event's attributes, where labels are mixed with everything else.
const OUR_LABELS: &str = "seawall.dev/";

fn sorted<V>(map: Option<HashMap<String, V>>) -> BTreeMap<String, V> {
    map.unwrap_or_default().into_iter().collect()
}

fn ordered(list: Option<Vec<String>>) -> Vec<String> {
    let mut all = list.unwrap_or_default();
    all.sort();
    all
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
        labels: pairs(c.labels),
        state: state(c.state.as_ref().map_or("", AsRef::as_ref)),
        networks: sorted(c.network_settings.and_then(|n| n.networks))
            .into_iter()
            .map(|(name, place)| (name, place.endpoint_id.unwrap_or_default()))
            .collect(),
        host_ports,
        mounts: mounts(c.mounts.unwrap_or_default()),
    }
}

/// What of the host is mounted. Of two mounts of one source the one that can write counts.
fn mounts(all: Vec<models::MountPoint>) -> Pairs {
    let mut sources: BTreeMap<String, bool> = BTreeMap::new();
    for mount in all {
        let kind = mount.typ.map(|t| t.to_string()).unwrap_or_default();
        let source = if kind == "volume" { mount.name } else { mount.source };
        let Some(source) = source.filter(|s| !s.is_empty()) else { continue };
        *sources.entry(source).or_default() |= mount.rw.unwrap_or(true);
    }
    sources.into_iter().map(|(source, rw)| (source, if rw { "rw" } else { READ_ONLY })).collect()
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
        .map(|(name, e)| SeenEndpoint {
            network: name,
            network_id: e.network_id.unwrap_or_default(),
            ip: e.ip_address.unwrap_or_default(),
            aliases: ordered(e.aliases),
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
        labels: pairs(config.labels),
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
        user: config.user.unwrap_or_default(),
    }
}

fn variables(list: Option<Vec<String>>) -> Pairs {
    list.unwrap_or_default().iter().filter_map(|e| e.split_once('=')).collect()
}

fn pairs(map: Option<HashMap<String, String>>) -> Pairs {
    map.unwrap_or_default().into_iter().collect()
}

/// Without the `CAP_` that some engines add, ordered.
fn capabilities(list: Option<Vec<String>>) -> Vec<String> {
    ordered(list.map(|all| all.iter().map(|c| c.trim_start_matches("CAP_").to_owned()).collect()))
}

pub(super) fn image(i: models::ImageInspect) -> SeenImage {
    let config = i.config.unwrap_or_default();
    SeenImage {
        id: i.id.unwrap_or_default(),
        tags: ordered(i.repo_tags),
        digests: ordered(i.repo_digests),
        env: variables(config.env),
        labels: pairs(config.labels),
        volumes: ordered(config.volumes),
        architecture: architecture(&i.architecture.unwrap_or_default()),
        user: config.user.unwrap_or_default(),
        stop_signal: config.stop_signal.unwrap_or_default(),
        cmd: config.cmd.unwrap_or_default(),
        entrypoint: config.entrypoint.unwrap_or_default(),
    }
}

pub(super) fn volume(v: models::Volume) -> SeenVolume {
    let option = |key: &str| v.options.get(key).map(String::as_str).unwrap_or_default();
    let device = match (option("type"), option("device")) {
        (_, "") => String::new(),
        // A bind mount, whatever its type is called.
        (_, path) if option("o").split(',').any(|o| o == "bind" || o == "rbind") => format!("none {path}"),
        (kind, device) => format!("{kind} {device}"),
    };
    SeenVolume { device, name: v.name, labels: pairs(Some(v.labels)), mountpoint: v.mountpoint }
}

pub(super) fn network(n: models::Network) -> SeenNetwork {
    SeenNetwork {
        id: n.id.unwrap_or_default(),
        name: n.name.unwrap_or_default(),
        labels: pairs(n.labels),
        driver: n.driver.unwrap_or_default(),
        internal: n.internal.unwrap_or(false),
        created_at: time(n.created),
    }
}

pub(super) fn event(e: models::EventMessage) -> EngineEvent {
    let actor = e.actor.unwrap_or_default();
    let (labels, attributes): (BTreeMap<_, _>, _) =
        sorted(actor.attributes).into_iter().partition(|(key, _)| key.starts_with(OUR_LABELS));
    EngineEvent {
        kind: e.typ.map(|t| t.to_string()).unwrap_or_default(),
        action: e.action.unwrap_or_default(),
        actor: actor.id.unwrap_or_default(),
        labels: labels.into_iter().collect(),
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
        // Only what it says: one that says nothing is asked.
        lacks: Lacks {
            memory_limit: info.memory_limit == Some(false),
            cpu_quota: info.cpu_cfs_quota == Some(false) || info.cpu_cfs_period == Some(false),
            pids_limit: info.pids_limit == Some(false),
            // An engine that could not run it has no commit of it.
            init: info.init_binary.as_deref() == Some("")
                || info.init_commit.and_then(|c| c.id).as_deref() == Some("N/A"),
        },
        root_dir: info.docker_root_dir.unwrap_or_default(),
        id: info.id.unwrap_or_default(),
        time_nano: info.system_time.as_deref().and_then(nanoseconds).unwrap_or_default(),
    }
}

/// Since 1970.
fn nanoseconds(rfc3339: &str) -> Option<i64> {
    let time: jiff::Timestamp = rfc3339.parse().ok()?;
    i64::try_from(time.as_nanosecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_clock_is_read_with_any_offset() {
        for (said, nano) in [
            ("1970-01-01T01:00:01.000000002+01:00", Some(1_000_000_002)),
            ("1970-01-01T00:00:01Z", Some(1_000_000_000)),
            ("", None),
            ("yesterday", None),
        ] {
            assert_eq!(nanoseconds(said), nano, "{said}");
        }
    }

    #[test]
    fn what_an_engine_lacks_is_what_it_says() {
        let none = Lacks::default();
        for (said, lacks) in [
            ("{}", none),
            (
                r#"{"MemoryLimit":true,"CpuCfsQuota":true,"PidsLimit":true,"InitBinary":"docker-init","InitCommit":{"ID":""}}"#,
                none,
            ),
            (r#"{"MemoryLimit":false}"#, Lacks { memory_limit: true, ..none }),
            (r#"{"CpuCfsQuota":false}"#, Lacks { cpu_quota: true, ..none }),
            (r#"{"CpuCfsPeriod":false,"CpuCfsQuota":true}"#, Lacks { cpu_quota: true, ..none }),
            (r#"{"PidsLimit":false}"#, Lacks { pids_limit: true, ..none }),
            (r#"{"InitBinary":""}"#, Lacks { init: true, ..none }),
            (r#"{"InitBinary":"docker-init","InitCommit":{"ID":"N/A"}}"#, Lacks { init: true, ..none }),
        ] {
            let said_it = info(models::SystemVersion::default(), serde_json::from_str(said).unwrap());
            assert_eq!(said_it.lacks, lacks, "{said}");
        }
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
        assert_eq!(e.labels, Pairs::from([("seawall.dev/name", "main")]));
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
