//! A Redis as its user has it: `seawall` over a real engine and real servers, looked at by Redis' own client.

use crate::harness::{Sea, condition, docker, text, wait_for};
use crate::recover::recovered;
use serde_json::Value;
use std::process::Command;

const CACHE: &str = "redis/cache";

/// An installation with this Redis; it is Ready.
pub fn ready(spec: &str) -> Sea {
    let mut sea = Sea::new();
    sea.write(
        "catalog.yaml",
        "apiVersion: seawall.dev/v1\nkind: ImageCatalog\nmetadata: {name: redis}\nspec:\n  engine: redis\n  images: {'8': {image: 'seawall/redis:8'}, '8b': {image: 'seawall/redis:8b'}}\n",
    );
    manifest(&sea, spec);
    sea.run();
    sea.ready(CACHE);
    sea
}

fn manifest(sea: &Sea, spec: &str) {
    let text = format!("apiVersion: seawall.dev/v1\nkind: Redis\nmetadata: {{name: cache}}\nspec: {spec}\n");
    sea.write("cache.yaml", &text);
}

/// Changes the manifest, and waits until that was read.
fn change(sea: &Sea, spec: &str) {
    let before = sea.object(CACHE)["metadata"]["generation"].clone();
    manifest(sea, spec);
    wait_for("the new generation", || (sea.object(CACHE)["metadata"]["generation"] != before).then_some(()));
}

/// What an application gets, by Redis' own client in the image. Its password is in the environment of that client.
fn cli(sea: &Sea, words: &str) -> String {
    let auth = format!("REDISCLI_AUTH={}", sea.password(CACHE));
    let container = sea.container(CACHE);
    let head = ["exec", "-e", &auth, &container, "redis-cli", "--user", "app"];
    let words: Vec<&str> = head.into_iter().chain(words.split(' ')).collect();
    let output = Command::new("docker").args(words).output().unwrap();
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&text).trim().to_owned()
}

/// A line of the file that the next start reads.
fn line(sea: &Sea, name: &str) -> String {
    let file = sea.docker(&["exec", "-u", "0", &sea.container(CACHE), "cat", "/etc/seawall/redis.conf"]);
    file.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap_or_default().to_owned()
}

fn id(sea: &Sea) -> Value {
    sea.inspect(CACHE)["Id"].clone()
}

fn started(sea: &Sea) -> Value {
    sea.inspect(CACHE)["State"]["StartedAt"].clone()
}

#[test]
fn a_manifest_becomes_a_server_whose_secrets_are_nowhere() {
    let sea = ready("{version: '8', resources: {memory: 128Mi}, parameters: {hz: 20}}");
    let status = sea.status(CACHE);
    let why = condition(&status, "Ready").2;
    assert!(why.contains("logged in as app over the network to Redis 8."), "{why}");
    assert_eq!(status["server"]["persistence"], "aof");
    assert_eq!(status["server"]["maxmemory"], "76Mi");
    assert_eq!(cli(&sea, "set k v"), "OK");
    assert_eq!(cli(&sea, "get k"), "v");
    assert!(cli(&sea, "config get dir").contains("NOPERM"), "the owner is no administrator");
    let container = sea.container(CACHE);
    let anonymous =
        Command::new("docker").args(["exec", &container, "redis-cli", "get", "k"]).output().unwrap();
    assert!(text(&anonymous).contains("NOAUTH"), "{}", text(&anonymous));
    let host = sea.inspect(CACHE)["HostConfig"].clone();
    assert_eq!((host["CapDrop"].to_string(), host["CapAdd"].to_string()), ("[\"ALL\"]".into(), "[]".into()));
    // An application by the host's port.
    let json: Value = serde_json::from_str(&sea.ok(&["connection", CACHE, "-o", "json"])).unwrap();
    assert_eq!(
        (json["username"].as_str(), json["host"]["port"].as_u64()),
        (Some("app"), status["endpoint"]["hostPort"].as_u64())
    );
    let listed = sea.ok(&["get", "redis"]);
    assert!(listed.contains("cache") && listed.contains("8.0.") && listed.contains("128Mi"), "{listed}");

    let password = sea.password(CACHE);
    let seen = [
        docker(&["inspect", &container]),
        text(&sea.cli(&["logs", CACHE])),
        sea.docker(&["logs", &container]),
        text(&sea.cli(&["events"])),
        sea.ok(&["export"]),
        sea.status(CACHE).to_string(),
        sea.log(),
        sea.docker(&["exec", "-u", "0", &container, "sh", "-c", "cat /etc/seawall/*; for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline; tr '\\0' ' ' <$p/environ; done 2>/dev/null; true"]),
    ];
    assert!(seen[4].contains("secret/redis/cache/admin"), "two secrets, both sealed");
    for text in seen {
        assert!(!text.contains(&password), "{text}");
    }
    let plan = sea.cli(&["plan"]);
    assert!(plan.status.success(), "nothing to do: {}", text(&plan));
}

#[test]
fn caps_and_maxmemory_change_in_place_and_not_below_the_data() {
    let spec = |memory: &str, more: &str| format!("{{version: '8', resources: {{memory: {memory}{more}}}}}");
    let sea = ready(&spec("192Mi", ""));
    let (first, container) = (started(&sea), id(&sea));
    let both = || {
        let status = sea.status(CACHE);
        (status["resources"]["applied"]["memory"].clone(), status["server"]["maxmemory"].clone())
    };
    for (memory, maxmemory) in [("256Mi", "150Mi"), ("128Mi", "76Mi")] {
        change(&sea, &spec(memory, ""));
        sea.until(CACHE, memory, |_| both() == (memory.into(), maxmemory.into()));
        sea.ready(CACHE);
    }
    assert_eq!((started(&sea), id(&sea)), (first, container), "without a restart");
    // Not all at once: the append-only file's buffer holds what one command writes.
    let fill = "for i=1,5 do redis.call('set', 'k'..ARGV[1]..i, string.rep('x', 1000000)) end";
    let auth = format!("REDISCLI_AUTH={}", sea.password(CACHE));
    let name = sea.container(CACHE);
    for batch in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
        docker(&["exec", "-e", &auth, &name, "redis-cli", "--user", "app", "eval", fill, "0", batch]);
    }
    change(&sea, &spec("64Mi", ""));
    let why = sea.until_condition(CACHE, "Degraded", "True", "LimitBelowUse");
    assert!(why.contains("the data takes") && why.contains("maxmemory would be 38"), "{why}");
    assert_eq!(both(), ("128Mi".into(), "76Mi".into()));
    assert_eq!(cli(&sea, "dbsize"), "50", "nothing was lost");
}

#[test]
fn parameters_change_live_by_a_restart_and_back_when_they_do_not_work() {
    let spec = |parameters: &str| format!("{{version: '8', parameters: {{{parameters}}}}}");
    let sea = ready(&spec("hz: 20"));
    let first = started(&sea);
    change(&sea, &spec("hz: 30, timeout: 600, notify-keyspace-events: KEA"));
    sea.ready(CACHE);
    assert_eq!((line(&sea, "hz"), line(&sea, "timeout")), ("hz \"30\"".into(), "timeout \"600\"".into()));
    change(&sea, &spec("hz: 30"));
    sea.ready(CACHE);
    assert_eq!(
        (line(&sea, "timeout"), started(&sea)),
        (String::new(), first.clone()),
        "no restart for any of it"
    );
    change(&sea, &spec("hz: 30, io-threads: 2"));
    sea.event("ServerRestarted", "io-threads changed and need a restart");
    sea.ready(CACHE);
    assert_ne!(started(&sea), first);
    // Redis says it to CONFIG SET, and to a start.
    change(&sea, &spec("hz: 30, io-threads: 2, activedefrag: 'yes', locale-collate: nowhere"));
    let why = sea.until_condition(CACHE, "Degraded", "True", "ParameterRejected");
    assert!(why.contains("Redis refused: "), "{why}");
    assert_eq!(sea.condition(CACHE, "Ready").0, "True", "it keeps running with the old ones");
    change(&sea, &spec("hz: 30, io-threads: 2, bio-cpulist: nonsense"));
    std::thread::sleep(std::time::Duration::from_secs(2));
    change(&sea, &spec("hz: 40, io-threads: 2"));
    sea.ready(CACHE);
    assert_eq!(line(&sea, "hz"), "hz \"40\"");
}

#[test]
fn persistence_changes_and_no_restart_loses_anything() {
    let spec = |mode: &str, version: &str| format!("{{version: '{version}', persistence: {mode}}}");
    let sea = ready(&spec("rdb", "8"));
    for (round, (mode, version)) in
        [("aof", "8"), ("rdb", "8b"), ("aof", "8b"), ("none", "8b")].into_iter().enumerate()
    {
        assert_eq!(cli(&sea, "incr k"), (round + 1).to_string());
        change(&sea, &spec(mode, version));
        let status = sea.ready(CACHE);
        assert_eq!(status["server"]["persistence"], mode);
        let yes = if mode == "aof" { "yes" } else { "no" };
        assert_eq!(line(&sea, "appendonly"), format!("appendonly \"{yes}\""));
        if mode != "none" {
            sea.docker(&["rm", "-f", &sea.container(CACHE)]);
            sea.until(CACHE, "another container", |s| condition(s, "Ready").0 != "True");
            sea.ready(CACHE);
            assert_eq!(cli(&sea, "get k"), (round + 1).to_string(), "{mode}");
        }
    }
}

#[test]
fn a_stop_is_clean_and_data_survives_another_image() {
    let sea = ready("{version: '8', persistence: rdb}");
    assert_eq!(cli(&sea, "set k v"), "OK");
    sea.ok(&["stop", CACHE]);
    let why = sea.until_condition(CACHE, "Ready", "False", "Stopped");
    assert!(why.contains("clean shutdown (exit code 0)"), "{why}");
    sea.ok(&["start", CACHE]);
    sea.ready(CACHE);
    assert_eq!(cli(&sea, "get k"), "v", "a clean stop saves");
    let before = id(&sea);
    change(&sea, "{version: '8b', persistence: rdb}");
    sea.until(CACHE, "another container", |s| {
        s["container"]["id"].is_string() && s["container"]["id"] != before
    });
    sea.ready(CACHE);
    assert_eq!(cli(&sea, "get k"), "v");
}

#[test]
fn a_lost_volume_is_never_replaced_by_an_empty_one() {
    let mut sea = ready("{version: '8'}");
    assert_eq!(cli(&sea, "set k v"), "OK");
    let (container, volume) = (sea.container(CACHE), sea.volume(CACHE));
    sea.kill();
    sea.docker(&["rm", "-f", &container]);
    sea.docker(&["volume", "rm", &volume]);
    sea.run();
    let why = sea.until_condition(CACHE, "Degraded", "True", "VolumeMissing");
    assert!(why.contains("An empty one was not made in its place"), "{why}");
    assert!(sea.volumes().is_empty() && sea.containers().is_empty());
    // It comes back empty.
    sea.docker(&[
        "volume",
        "create",
        "--label",
        &format!("seawall.dev/installation={}", sea.installation),
        "--label",
        &format!("seawall.dev/store={}", store(&sea)),
        "--label",
        "seawall.dev/kind=Redis",
        "--label",
        "seawall.dev/name=cache",
        &volume,
    ]);
    let why = sea.until_condition(CACHE, "Degraded", "True", "VolumeEmpty");
    assert!(why.contains("its append-only file is missing"), "{why}");
}

/// By what the condition says about it.
fn store(sea: &Sea) -> String {
    let (_, _, why) = sea.condition(CACHE, "Degraded");
    let store = why.split_once("seawall.dev/store=").expect(&why).1;
    store.split(' ').next().unwrap().to_owned()
}

#[test]
fn a_lost_store_is_rebuilt_with_the_data_and_new_passwords() {
    let mut sea = ready("{version: '8', persistence: rdb}");
    assert_eq!(cli(&sea, "set k v"), "OK");
    let (old, container) = (sea.password(CACHE), id(&sea));
    sea.stop();
    std::fs::remove_dir_all(sea.data.join("store")).unwrap();
    recovered(&sea);
    sea.run();
    sea.ready(CACHE);
    assert_ne!(sea.password(CACHE), old);
    assert_eq!((cli(&sea, "get k"), id(&sea)), ("v".into(), container));
}
