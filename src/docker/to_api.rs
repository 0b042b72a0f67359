//! Our values to API requests. Pure; knows the traps of docker-facts §1 and §4: memory and swap go as
//! a pair, zero means "leave as it is", a port needs to be exposed to be published.

use crate::core::desired::{DesiredContainer, RestartPolicy as Restart};
use crate::core::quantity::{Bytes, NanoCpus};
use crate::core::resource::Caps;
use crate::core::seen::{Lacks, LiveUpdate};
use bollard::models::{
    ContainerCreateBody, ContainerUpdateBody, EndpointSettings, HostConfig, HostConfigLogConfig, Mount,
    MountType, NetworkingConfig, PortBinding, PortMap, RestartPolicy, RestartPolicyNameEnum,
};
use std::collections::HashMap;

/// The page-aligned maximum: what lifts a memory limit on cgroup v1 and v2.
pub(super) const NO_LIMIT: i64 = 9_223_372_036_854_771_712;

/// CPUs in billionths as the API wants them.
fn nano(cpus: NanoCpus) -> i64 {
    i64::try_from(cpus.0).unwrap_or(i64::MAX)
}

fn bytes(b: Bytes) -> i64 {
    i64::try_from(b.0).unwrap_or(NO_LIMIT)
}

/// `(Memory, MemorySwap)`: swap in the API is the sum of both.
fn memory_pair(caps: &Caps) -> Option<(i64, i64)> {
    let memory = bytes(caps.memory?);
    let swap = caps.swap.map_or(0, bytes);
    Some((memory, memory.saturating_add(swap).min(NO_LIMIT)))
}

fn restart(policy: Restart) -> RestartPolicy {
    let name = match policy {
        Restart::No => RestartPolicyNameEnum::NO,
        Restart::Always => RestartPolicyNameEnum::ALWAYS,
    };
    RestartPolicy { name: Some(name), maximum_retry_count: None }
}

/// The body of a create call, without what the engine lacks: it would refuse all of it for a CPU cap, and start none with
/// a program that it does not have.
pub(super) fn create(d: &DesiredContainer, lacks: Lacks) -> ContainerCreateBody {
    let mut exposed = Vec::new();
    let mut bindings = PortMap::new();
    for port in &d.ports {
        let key = format!("{}/tcp", port.container);
        if !exposed.contains(&key) {
            exposed.push(key.clone());
        }
        let binding =
            PortBinding { host_ip: Some(port.host_ip.to_string()), host_port: Some(port.host.to_string()) };
        bindings.entry(key).or_default().get_or_insert_default().push(binding);
    }
    let pair = memory_pair(&d.caps).filter(|_| !lacks.memory_limit);
    let hard = &d.hardening;
    let filled = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    let host = HostConfig {
        memory: pair.map(|p| p.0),
        memory_swap: pair.map(|p| p.1),
        nano_cpus: d.caps.cpus.filter(|_| !lacks.cpu_quota).map(nano),
        restart_policy: Some(restart(d.restart)),
        port_bindings: Some(bindings),
        mounts: Some(
            d.mounts
                .iter()
                .map(|m| Mount {
                    typ: Some(MountType::VOLUME),
                    source: Some(m.volume.clone()),
                    target: Some(m.path.clone()),
                    ..Default::default()
                })
                .collect(),
        ),
        init: Some(hard.init && !lacks.init),
        cap_drop: hard.only_capabilities.as_ref().map(|_| vec!["ALL".to_owned()]),
        cap_add: hard.only_capabilities.clone(),
        security_opt: hard.no_new_privileges.then(|| vec!["no-new-privileges".to_owned()]),
        pids_limit: (hard.pids_limit > 0 && !lacks.pids_limit).then_some(hard.pids_limit),
        shm_size: d.shm_size.map(bytes),
        network_mode: Some(d.network.clone().unwrap_or_else(|| "none".to_owned())),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: Some(HashMap::from([
                ("max-size".to_owned(), "10m".to_owned()),
                ("max-file".to_owned(), "3".to_owned()),
            ])),
        }),
        ..Default::default()
    };
    ContainerCreateBody {
        image: Some(d.image.clone()),
        env: Some(d.variables().map(|(k, v)| format!("{k}={v}")).collect()),
        cmd: filled(&d.command),
        entrypoint: filled(&d.entrypoint),
        user: hard.user.clone(),
        labels: Some(d.all_labels().into_iter().collect()),
        exposed_ports: Some(exposed),
        stop_signal: d.stop_signal.clone(),
        stop_timeout: d.stop_timeout.map(i64::from),
        networking_config: d.network.as_ref().map(|network| NetworkingConfig {
            endpoints_config: Some(HashMap::from([(network.clone(), endpoint(&d.aliases))])),
        }),
        host_config: Some(host),
        ..Default::default()
    }
}

/// One network attachment with extra names.
pub(super) fn endpoint(aliases: &[String]) -> EndpointSettings {
    EndpointSettings { aliases: (!aliases.is_empty()).then(|| aliases.to_vec()), ..Default::default() }
}

/// The body of an update call; `all_cpus` is what "no CPU cap" is expressed as.
pub(super) fn update(change: &LiveUpdate, all_cpus: NanoCpus, lacks: Lacks) -> ContainerUpdateBody {
    let mut body = ContainerUpdateBody { restart_policy: change.restart.map(restart), ..Default::default() };
    if let Some(caps) = &change.caps {
        let (memory, swap) = memory_pair(caps).unwrap_or((NO_LIMIT, NO_LIMIT));
        body.memory = Some(memory).filter(|_| !lacks.memory_limit);
        body.memory_swap = Some(swap).filter(|_| !lacks.memory_limit);
        body.nano_cpus = Some(nano(caps.cpus.unwrap_or(all_cpus))).filter(|_| !lacks.cpu_quota);
    }
    body
}

/// `sec.nnnnnnnnn`: the only form of a time with fractions that every engine reads.
pub(super) fn since(time_nano: i64) -> Option<String> {
    (time_nano > 0).then(|| format!("{}.{:09}", time_nano / 1_000_000_000, time_nano % 1_000_000_000))
}

/// Whether a reference can stand in a URL path as it is: others name no image that could exist.
pub(super) fn is_reference(reference: &str) -> bool {
    !reference.is_empty()
        && reference.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:/@-".contains(&b))
        && !reference.split('/').any(|part| part.is_empty() || part.chars().all(|c| c == '.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::desired::Hardening;

    #[test]
    fn caps_go_as_a_pair_and_none_lifts() {
        let all = NanoCpus(2_000_000_000);
        let mi = |n: u64| Some(Bytes(n << 20));
        for (caps, memory, swap, cpus) in [
            (Caps::default(), NO_LIMIT, NO_LIMIT, 2_000_000_000),
            (Caps { memory: mi(256), swap: None, cpus: None }, 256 << 20, 256 << 20, 2_000_000_000),
            (Caps { memory: mi(256), swap: mi(128), cpus: None }, 256 << 20, 384 << 20, 2_000_000_000),
            (Caps { memory: None, swap: mi(128), cpus: Some(NanoCpus(5)) }, NO_LIMIT, NO_LIMIT, 5),
        ] {
            let body = update(&LiveUpdate { caps: Some(caps), restart: None }, all, Lacks::default());
            assert_eq!(
                (body.memory, body.memory_swap, body.nano_cpus),
                (Some(memory), Some(swap), Some(cpus))
            );
            assert_eq!(body.restart_policy, None);
        }
        let body = update(&LiveUpdate { caps: None, restart: Some(Restart::No) }, all, Lacks::default());
        let json = serde_json::to_value(&body).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"RestartPolicy": {"Name": "no"}}),
            "nothing that was not asked for"
        );
    }

    #[test]
    fn nothing_is_asked_of_an_engine_that_it_lacks() {
        let all = NanoCpus(2_000_000_000);
        let caps = Caps { memory: Some(Bytes(1 << 28)), swap: None, cpus: Some(NanoCpus(500_000_000)) };
        let none = Lacks::default();
        for (lacks, caps) in [
            (Lacks { cpu_quota: true, ..none }, caps),
            (Lacks { cpu_quota: true, ..none }, Caps::default()),
            (Lacks { memory_limit: true, ..none }, caps),
            (Lacks { memory_limit: true, cpu_quota: true, ..none }, Caps::default()),
        ] {
            let body = update(&LiveUpdate { caps: Some(caps), restart: Some(Restart::Always) }, all, lacks);
            assert_eq!(body.nano_cpus.is_none(), lacks.cpu_quota, "{lacks:?}");
            assert_eq!(body.memory.is_none(), lacks.memory_limit, "{lacks:?}");
            assert_eq!(body.memory_swap.is_none(), lacks.memory_limit, "{lacks:?}");
            assert!(body.restart_policy.is_some());
        }
        let desired = DesiredContainer {
            name: "x".to_owned(),
            image: "i".to_owned(),
            env: Default::default(),
            withheld: Default::default(),
            command: Vec::new(),
            entrypoint: Vec::new(),
            labels: Default::default(),
            mounts: Vec::new(),
            network: None,
            aliases: Vec::new(),
            ports: Vec::new(),
            caps,
            restart: Restart::Always,
            stop_signal: None,
            stop_timeout: None,
            hardening: Hardening {
                no_new_privileges: true,
                only_capabilities: None,
                pids_limit: 9,
                init: true,
                user: None,
            },
            shm_size: None,
        };
        let asked = |lacks: Lacks| {
            let body = create(&desired, lacks);
            // What it was made for is not changed by that: it need not be made again on a better engine.
            assert_eq!(body.labels, create(&desired, none).labels);
            let host = body.host_config.unwrap();
            (
                host.memory.is_some(),
                host.nano_cpus.is_some(),
                host.pids_limit.is_some(),
                host.init == Some(true),
            )
        };
        assert_eq!(asked(none), (true, true, true, true));
        assert_eq!(asked(Lacks { memory_limit: true, ..none }), (false, true, true, true));
        assert_eq!(asked(Lacks { cpu_quota: true, ..none }), (true, false, true, true));
        assert_eq!(asked(Lacks { pids_limit: true, ..none }), (true, true, false, true));
        assert_eq!(asked(Lacks { init: true, ..none }), (true, true, true, false));
    }

    #[test]
    fn times_keep_their_nanoseconds() {
        assert_eq!(since(0), None);
        assert_eq!(since(1_700_000_000_000_000_001).as_deref(), Some("1700000000.000000001"));
    }

    #[test]
    fn references_cannot_leave_their_path() {
        for good in ["a", "seawall/postgres:18", "localhost:5000/a/b@sha256:00", "sha256:ab"] {
            assert!(is_reference(good), "{good}");
        }
        for bad in ["", "../containers/x", "a/../b", "a?b", "a b", "a#b", "/a", "a//b", "ä"] {
            assert!(!is_reference(bad), "{bad}");
        }
    }
}
