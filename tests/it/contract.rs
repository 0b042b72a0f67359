//! The fake engine does what the contract says, and what only the fake can do.

#[path = "../common/contract.rs"]
mod suite;

use futures_util::StreamExt;
use seawall::core::desired::{DesiredContainer, Hardening, PortMap, RestartPolicy};
use seawall::core::pairs::Pairs;
use seawall::core::quantity::Bytes;
use seawall::core::resource::Caps;
use seawall::core::seen::{ContainerState, LiveUpdate, SeenImage, Usage};
use seawall::docker::fake::{FakeDocker, Fault, What, When};
use seawall::docker::{Docker, DockerError};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use suite::World;

const IMAGE: &str = "seawall/contract:test";

fn engine() -> Arc<FakeDocker> {
    let fake = Arc::new(FakeDocker::new());
    for (id, tag, volumes) in [("ab", IMAGE, vec![]), ("cd", "seawall/volume:test", vec!["/data".to_owned()])]
    {
        fake.add_image(contract_image(id, tag, volumes));
    }
    fake
}

fn contract_image(id: &str, tag: &str, volumes: Vec<String>) -> SeenImage {
    SeenImage {
        id: format!("sha256:{}", id.repeat(32)),
        tags: vec![tag.to_owned()],
        digests: Vec::new(),
        env: Pairs::default(),
        labels: Pairs::from([("seawall.dev/managed", "true")]),
        volumes,
        architecture: "amd64".to_owned(),
        user: String::new(),
        stop_signal: String::new(),
        cmd: vec!["sleep".to_owned(), "infinity".to_owned()],
        entrypoint: Vec::new(),
    }
}

macro_rules! on_the_fake {
    ($($case:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $case() {
                let fake = engine();
                let world = World {
                    docker: Arc::clone(&fake) as Arc<dyn Docker>,
                    fake: Some(fake),
                    installation: "contract".to_owned(),
                    image: IMAGE.to_owned(),
                    image_with_volume: "seawall/volume:test".to_owned(),
                };
                suite::$case(&world).await;
            }
        )*
    };
}
suite::cases!(on_the_fake);

fn container(name: &str) -> DesiredContainer {
    DesiredContainer {
        name: name.to_owned(),
        image: IMAGE.to_owned(),
        env: BTreeMap::new(),
        withheld: BTreeMap::new(),
        command: Vec::new(),
        entrypoint: Vec::new(),
        labels: BTreeMap::from([("seawall.dev/name".to_owned(), name.to_owned())]),
        mounts: Vec::new(),
        network: None,
        aliases: Vec::new(),
        ports: Vec::new(),
        caps: Caps::default(),
        restart: RestartPolicy::Always,
        stop_signal: None,
        stop_timeout: None,
        hardening: Hardening {
            no_new_privileges: true,
            only_capabilities: None,
            pids_limit: 0,
            init: true,
            user: None,
        },
        shm_size: None,
    }
}

async fn running(fake: &FakeDocker, d: &DesiredContainer) -> String {
    let id = fake.create(d).await.unwrap();
    fake.start(&id).await.unwrap();
    id
}

#[tokio::test]
async fn a_cut_before_has_no_effect_and_a_cut_after_has() {
    let fake = engine();
    fake.inject(Fault::cut("create", When::Before));
    fake.inject(Fault::cut("create", When::After));
    for there in [false, true] {
        assert!(fake.create(&container("a")).await.unwrap_err().is_unavailable());
        assert_eq!(fake.seen("a").is_some(), there);
    }
    assert!(matches!(fake.create(&container("a")).await, Err(DockerError::NameTaken { .. })), "used up");
    let error = DockerError::MemoryInUse { detail: String::new() };
    fake.inject(Fault { method: "update", when: When::Before, what: What::Error(error.clone()), times: 2 });
    for _ in 0..2 {
        assert_eq!(fake.update("a", &LiveUpdate::default()).await, Err(error.clone()));
    }
    fake.update("a", &LiveUpdate::default()).await.unwrap();
}

#[tokio::test]
async fn a_hang_ends_as_a_timeout() {
    let fake = engine();
    fake.set_hang_limit(Duration::from_millis(20));
    fake.hang("list", 1);
    assert!(matches!(fake.list(&[]).await, Err(DockerError::Timeout { .. })));
    fake.list(&[]).await.unwrap();
}

#[tokio::test]
async fn calls_are_counted_and_reads_are_no_writes() {
    let fake = engine();
    fake.list(&[]).await.unwrap();
    fake.inspect("a").await.unwrap();
    assert_eq!(fake.call_log(), BTreeMap::from([("inspect", 1), ("list", 1)]));
    assert_eq!(fake.writes(), 0);
    fake.create(&container("a")).await.unwrap();
    fake.drift_remove("a").unwrap();
    assert_eq!(fake.writes(), 1, "drift is no call");
    fake.reset_calls();
    assert_eq!(fake.call_log(), BTreeMap::new());
}

#[tokio::test]
async fn a_stopped_engine_answers_nothing_and_brings_back_what_it_should() {
    let fake = engine();
    running(&fake, &container("always")).await;
    running(&fake, &DesiredContainer { restart: RestartPolicy::No, ..container("no") }).await;
    let by_hand = running(&fake, &container("stopped")).await;
    fake.stop(&by_hand, Duration::ZERO).await.unwrap();
    let unless = running(&fake, &container("unless")).await;
    fake.drift_restart_policy("unless", "unless-stopped").unwrap();
    fake.stop(&unless, Duration::ZERO).await.unwrap();
    fake.create(&container("created")).await.unwrap();
    let mut events = fake.events(0);
    fake.stop_engine();
    while let Some(event) = events.next().await {
        let action = event.unwrap().action;
        assert!(["kill", "die"].contains(&action.as_str()), "{action}: then the stream ends");
    }
    assert!(fake.list(&[]).await.unwrap_err().is_unavailable());
    assert!(fake.events(0).next().await.unwrap().unwrap_err().is_unavailable());
    fake.start_engine();
    let states: Vec<(String, ContainerState)> =
        fake.list(&[]).await.unwrap().into_iter().map(|c| (c.name, c.state)).collect();
    let want = [
        ("always", ContainerState::Running),
        ("created", ContainerState::Created),
        ("no", ContainerState::Exited),
        ("stopped", ContainerState::Running),
        ("unless", ContainerState::Exited),
    ];
    assert_eq!(states, want.map(|(n, s)| (n.to_owned(), s)));
}

#[tokio::test]
async fn crashes_follow_the_restart_policy() {
    let fake = engine();
    running(&fake, &container("always")).await;
    running(&fake, &DesiredContainer { restart: RestartPolicy::No, ..container("no") }).await;
    for name in ["always", "no"] {
        fake.crash(name, 1).unwrap();
    }
    let always = fake.seen("always").unwrap();
    assert_eq!((always.state, always.restart_count), (ContainerState::Running, 1));
    let no = fake.seen("no").unwrap();
    assert_eq!((no.state, no.exit_code), (ContainerState::Exited, Some(1)));
    fake.drift_kill("always").unwrap();
    assert_eq!(fake.seen("always").unwrap().state, ContainerState::Exited, "a kill is on purpose");
    assert!(fake.crash("none", 1).is_err());
}

#[tokio::test]
async fn a_port_lost_in_a_crash_is_not_tried_again() {
    let fake = engine();
    fake.create_network("net", &BTreeMap::new()).await.unwrap();
    let ports = vec![PortMap { container: 1, host_ip: "127.0.0.1".parse().unwrap(), host: 9 }];
    let d = DesiredContainer { ports, network: Some("net".to_owned()), ..container("a") };
    let id = running(&fake, &d).await;
    fake.stop(&id, Duration::ZERO).await.unwrap();
    fake.hold_port(9);
    fake.stop_engine();
    fake.start_engine();
    let seen = fake.seen("a").unwrap();
    assert_eq!(seen.state, ContainerState::Exited);
    assert!(seen.error.contains("address already in use"), "{}", seen.error);
}

#[tokio::test]
async fn lowering_below_what_is_in_use() {
    let fake = engine();
    let id = running(&fake, &container("a")).await;
    let usage = Usage { memory: Bytes(90 << 20), unreclaimable: Bytes(80 << 20), memory_limit: None };
    fake.set_usage("a", usage).unwrap();
    let caps = Caps { memory: Some(Bytes(64 << 20)), ..Caps::default() };
    let change = LiveUpdate { caps: Some(caps), restart: None };
    let mut info = fake.info().await.unwrap();
    info.cgroup_version = 1;
    fake.set_info(info.clone());
    assert!(matches!(fake.update(&id, &change).await, Err(DockerError::MemoryInUse { .. })));
    assert_eq!(fake.seen("a").unwrap().caps, Caps::default());
    info.cgroup_version = 2;
    fake.set_info(info);
    fake.update(&id, &change).await.expect("v2 says yes");
    let seen = fake.seen("a").unwrap();
    assert_eq!((seen.state, seen.exit_code, seen.oom_killed), (ContainerState::Exited, Some(137), true));
}

#[tokio::test]
async fn events_can_be_lost_and_streams_can_end() {
    let fake = engine();
    let mut events = fake.events(0);
    fake.drop_events(true);
    fake.create(&container("lost")).await.unwrap();
    fake.drop_events(false);
    fake.create(&container("seen")).await.unwrap();
    assert_eq!(events.next().await.unwrap().unwrap().attributes["name"], "seen");
    fake.end_event_streams();
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn ten_thousand_containers_are_no_burden() {
    let fake = engine();
    let begun = std::time::Instant::now();
    for n in 0..10_000 {
        running(&fake, &container(&format!("c{n:05}"))).await;
    }
    for n in 0..10_000 {
        fake.inspect(&format!("c{n:05}")).await.unwrap().unwrap();
    }
    assert_eq!(fake.list(&[("seawall.dev/name", "c00007")]).await.unwrap().len(), 1);
    assert_eq!(fake.list(&[]).await.unwrap().len(), 10_000);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}
