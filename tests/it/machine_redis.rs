//! A Redis as a machine: what the operator does about its drifts, changes and failures, over the fake engine.

use crate::machine::rig::{Rig, engine};
use seawall::control::api::{Api, Operation};
use seawall::control::operator::Times;
use seawall::core::condition::{ConditionType as C, Truth};
use seawall::core::quantity::Bytes;
use seawall::core::seen::ContainerState;
use seawall::docker::Docker;
use seawall::kinds::redis::client::RedisError;
use seawall::kinds::redis::fake_server::BAD_VALUE;
use seawall::store::Store;
use std::time::Duration;

const CACHE: &str = "redis/cache";
const CONTAINER: &str = "redis-cache";
const VOLUME: &str = "redis-cache-data";

async fn settled(spec: &str) -> Rig {
    let mut rig = Rig::new(engine(), Times::default());
    rig.redis("cache", "", spec);
    rig.drive();
    rig.ready(CACHE).await;
    rig
}

fn told(rig: &Rig, name: &str) -> String {
    rig.redis.change(CONTAINER, |run| run.config[name].clone()).unwrap_or_default()
}

fn memory(mib: u64) -> Option<Bytes> {
    Some(Bytes(mib << 20))
}

fn file(rig: &Rig, path: &str) -> String {
    let file = rig.fake.file(CONTAINER, path).unwrap().unwrap();
    String::from_utf8_lossy(&file.content).into_owned()
}

#[tokio::test(start_paused = true)]
async fn a_manifest_becomes_a_ready_server_and_no_secret_is_anywhere() {
    let rig = settled("{version: '8', resources: {memory: 100Mi}, parameters: {hz: 20}}").await;
    let c = rig.container(CACHE).unwrap();
    assert_eq!((c.state, c.user.as_str(), c.cap_add.len()), (ContainerState::Running, "redis", 0));
    assert_eq!(rig.fake.inventory(), [CONTAINER, VOLUME, "seawall"]);
    assert_eq!((told(&rig, "hz").as_str(), told(&rig, "maxmemory").as_str()), ("20", "62914560"));
    let ready = rig.condition(CACHE, C::Ready).unwrap();
    assert!(ready.message.contains("logged in as app over the network to Redis 8.0.6"), "{ready:?}");
    let plan = rig.plan(CACHE).await;
    assert!(plan.steps.is_empty() && plan.waiting.is_empty() && plan.blocked.is_empty(), "{plan:?}");
    let status = rig.view(CACHE).unwrap().status;
    assert_eq!(status["server"]["maxmemory"], "60Mi");
    assert_eq!(status["image"]["version"], "8.0.6");
    let password = rig.password(CACHE).await;
    assert!(password.len() >= 28);
    let lines = rig.operator.export().await.unwrap();
    assert!(
        lines.iter().any(|line| line.contains("secret/redis/cache/admin")),
        "the administrator has another"
    );
    assert!(!lines.iter().any(|line| line.contains(&password)));
    assert!(!file(&rig, "/etc/seawall/users.acl").contains(&password));
    let login = rig.operator.connection(&CACHE.parse().unwrap(), false).await.unwrap();
    assert_eq!(login.username, "app");
    // Nothing to do means no write at all.
    rig.fake.reset_calls();
    rig.let_pass(Duration::from_secs(300)).await;
    assert_eq!(rig.fake.writes(), 0);
}

#[tokio::test(start_paused = true)]
async fn drifts_are_put_right() {
    let rig = settled("{version: '8', parameters: {hz: 20}}").await;
    // A password, a right, a user too many.
    for (user, rules) in
        [("app", "on #00 +@all ~* &*"), ("intruder", "on nopass +@all ~* &*"), ("default", "on nopass")]
    {
        rig.redis.change(CONTAINER, |run| run.users.insert(user.to_owned(), rules.to_owned()));
        rig.until(user, || {
            let fits = rig.redis.change(CONTAINER, |run| run.users.get(user).is_none_or(|now| now != rules));
            (fits == Some(true) && rig.is_ready(CACHE)).then_some(())
        })
        .await;
    }
    // A server that goes on telling others is not told again and again.
    assert!(rig.events().iter().filter(|e| e.reason == "PasswordReset").map(|e| e.count).sum::<u64>() <= 3);
    // A parameter by hand.
    rig.redis.change(CONTAINER, |run| run.config.insert("hz".into(), "99".into()));
    rig.until("hz", || (told(&rig, "hz") == "20").then_some(())).await;
    rig.ready(CACHE).await;
    // Seawall's own password: only a start reads another.
    rig.redis.change(CONTAINER, |run| run.users.insert("seawall".into(), "on #00 +@all ~* &*".into()));
    rig.until("restarted", || rig.said("ServerRestarted", "own login was refused").then_some(())).await;
    rig.ready(CACHE).await;
}

#[tokio::test(start_paused = true)]
async fn the_cap_and_maxmemory_change_in_the_order_in_which_the_server_never_may_hold_more() {
    let spec = |memory: &str, more: &str| format!("{{version: '8', resources: {{memory: {memory}{more}}}}}");
    let rig = settled(&spec("200Mi", "")).await;
    let both =
        || (rig.container(CACHE).unwrap().caps.memory, told(&rig, "maxmemory").parse::<u64>().unwrap() >> 20);
    for (cap, maxmemory) in [(400, 240), (100, 60)] {
        rig.redis("cache", "", &spec(&format!("{cap}Mi"), ""));
        rig.until("both", || {
            let (now, limit) = both();
            assert!(limit << 20 <= now.unwrap().0 * 60 / 100, "{now:?} {limit}");
            ((now, limit) == (memory(cap), maxmemory)).then_some(())
        })
        .await;
        rig.ready(CACHE).await;
    }
    // What the data takes is more than the new limit: nothing is lost without the user's word.
    rig.redis.change(CONTAINER, |run| run.info.insert("used_memory", (50 << 20).to_string()));
    rig.redis("cache", "", &spec("64Mi", ""));
    let why = rig.reason(CACHE, C::Degraded, "LimitBelowUse").await;
    assert!(
        why.contains("the data takes 50Mi") && why.contains("maxmemory would be 38Mi: writes would fail"),
        "{why}"
    );
    rig.let_pass(Duration::from_secs(60)).await;
    assert_eq!((both(), rig.condition(CACHE, C::Ready).unwrap().status), ((memory(100), 60), Truth::True));
    let synced = rig.condition(CACHE, C::ResourcesInSync).unwrap();
    assert_eq!((synced.status, synced.reason.as_str()), (Truth::False, "LimitBelowUse"));
    rig.redis("cache", "", &spec("64Mi", ", force: true"));
    rig.until("forced", || (both() == (memory(64), 38)).then_some(())).await;
    rig.ready(CACHE).await;
}

#[tokio::test(start_paused = true)]
async fn parameters_reach_the_running_server_or_restart_it_and_a_refused_one_gives_way() {
    let spec = |parameters: &str, policy: &str| {
        format!("{{version: '8', restartPolicy: {policy}, parameters: {{{parameters}}}}}")
    };
    let rig = settled(&spec("hz: 20", "Auto")).await;
    let started = || rig.container(CACHE).unwrap().started_at;
    let first = started();
    rig.redis("cache", "", &spec("hz: 30, timeout: 60", "Auto"));
    rig.until("live", || (told(&rig, "timeout") == "60" && told(&rig, "hz") == "30").then_some(())).await;
    rig.ready(CACHE).await;
    assert!(file(&rig, "/etc/seawall/redis.conf").contains("timeout \"60\""));
    // One that is taken out goes back.
    rig.redis("cache", "", &spec("hz: 30", "Auto"));
    rig.until("back", || (told(&rig, "timeout") == "0").then_some(())).await;
    rig.ready(CACHE).await;
    assert_eq!(started(), first, "all of it without a restart");
    rig.redis("cache", "", &spec("hz: 30, io-threads: 2", "Manual"));
    let why = rig.reason(CACHE, C::PendingRestart, "ParametersChanged").await;
    assert!(why.contains("io-threads wait for a restart; restartPolicy is Manual"), "{why}");
    rig.let_pass(Duration::from_secs(60)).await;
    assert_eq!(started(), first);
    rig.redis("cache", "", &spec("hz: 30, io-threads: 2", "Auto"));
    rig.until("restarted", || (told(&rig, "io-threads") == "2").then_some(())).await;
    rig.reason(CACHE, C::PendingRestart, "NoneWaiting").await;
    rig.ready(CACHE).await;
    // CONFIG SET takes it, and no start does: back to what worked, and not tried again.
    rig.redis("cache", "", &spec(&format!("hz: 30, io-threads: 2, locale-collate: {BAD_VALUE}"), "Auto"));
    rig.until("taken", || (told(&rig, "locale-collate") == BAD_VALUE).then_some(())).await;
    rig.operator.operate(&CACHE.parse().unwrap(), Operation::Restart).await.unwrap();
    let why = rig.reason(CACHE, C::Degraded, "ParameterRejected").await;
    assert!(why.contains("Redis refused: ") && why.contains("locale-collate"), "{why}");
    rig.until("ready with the old ones", || {
        rig.condition(CACHE, C::Ready).filter(|c| c.status == Truth::True)
    })
    .await;
    assert!(!file(&rig, "/etc/seawall/redis.conf").contains(BAD_VALUE));
    rig.redis("cache", "", &spec("hz: 40, io-threads: 2", "Auto"));
    rig.until("corrected", || (told(&rig, "hz") == "40").then_some(())).await;
    rig.ready(CACHE).await;
}

#[tokio::test(start_paused = true)]
async fn persistence_changes_in_the_running_server_before_any_file_says_so() {
    let spec = |mode: &str| format!("{{version: '8', persistence: {mode}}}");
    let rig = settled(&spec("rdb")).await;
    let said = |mode: &str| file(&rig, "/etc/seawall/redis.conf").contains(mode);
    rig.redis.change(CONTAINER, |run| run.info.insert("aof_rewrite_in_progress", "1".into()));
    rig.redis("cache", "", &spec("aof"));
    let why = rig.reason(CACHE, C::Progressing, "ChangingPersistence").await;
    assert!(why.contains("rdb → aof"), "{why}");
    rig.let_pass(Duration::from_secs(30)).await;
    assert!(said("appendonly \"no\"") && told(&rig, "appendonly") == "yes", "the file is not there yet");
    rig.redis.change(CONTAINER, |run| run.info.clear());
    rig.ready(CACHE).await;
    assert!(said("appendonly \"yes\""));
    for (mode, appendonly, save) in
        [("rdb", "no", "3600 1 300 100 60 10000"), ("none", "no", ""), ("aof", "yes", "")]
    {
        rig.redis("cache", "", &spec(mode));
        rig.until(mode, || {
            let now = (told(&rig, "appendonly"), told(&rig, "save"));
            (rig.is_ready(CACHE) && now == (appendonly.into(), save.into())).then_some(())
        })
        .await;
        assert!(said(&format!("appendonly \"{appendonly}\"")), "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_server_says_becomes_conditions() {
    let rig = settled("{version: '8'}").await;
    rig.redis.change(CONTAINER, |run| run.ping = Some("MISCONF Errors writing to the AOF file".into()));
    let why = rig.reason(CACHE, C::Degraded, "PersistenceBroken").await;
    assert!(why.contains("MISCONF"), "{why}");
    let ready = rig.condition(CACHE, C::Ready).unwrap();
    assert_eq!((ready.status, ready.reason.as_str()), (Truth::False, "PersistenceBroken"));
    rig.redis.change(CONTAINER, |run| {
        run.ping = Some("LOADING Redis is loading the dataset in memory".into());
        run.info.extend([("loading", "1".to_owned()), ("loading_loaded_perc", "12.5".to_owned())]);
        run.info.insert("loading_eta_seconds", "15".to_owned());
    });
    let why = rig.reason(CACHE, C::Progressing, "Loading").await;
    assert_eq!(why, "the server reads its data: 12 % so far, about 15 s to go");
    assert_eq!(rig.condition(CACHE, C::Ready).unwrap().reason, "Loading");
    rig.redis.change(CONTAINER, |run| {
        run.ping = None;
        run.info.clear();
    });
    rig.ready(CACHE).await;
    rig.redis.change(CONTAINER, |run| {
        let told = [("used_memory", "99"), ("maxmemory", "100"), ("maxmemory_policy", "noeviction")];
        run.info.extend(told.map(|(name, value)| (name, value.to_owned())));
    });
    rig.reason(CACHE, C::Degraded, "MaxmemoryReached").await;
    assert!(rig.is_ready(CACHE), "what is there can be read, and deleted");
    rig.redis.change(CONTAINER, |run| run.info.clear());
    rig.until("room", || rig.condition(CACHE, C::Degraded).is_none().then_some(())).await;
    rig.redis.set_answer(CONTAINER, Some(RedisError::Hung));
    rig.until("hung", || rig.condition(CACHE, C::Ready).filter(|c| c.reason == "ServerHung")).await;
    rig.redis.set_answer(CONTAINER, None);
    rig.ready(CACHE).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_start_would_not_find_is_written_anew() {
    const FILE: &str = "/data/appendonlydir/appendonly.aof.manifest";
    let rig = settled("{version: '8'}").await;
    let id = rig.container(CACHE).unwrap().id;
    rig.fake.remove_file(CONTAINER, FILE).unwrap();
    rig.until("told", || rig.said("PersistenceRepaired", "is gone from the volume").then_some(())).await;
    rig.ready(CACHE).await;
    assert!(rig.fake.exists(&id, FILE).await.unwrap());
    // Not where it cannot be.
    rig.redis.change(CONTAINER, |run| run.info.insert("aof_last_bgrewrite_status", "err".to_owned()));
    rig.fake.remove_file(CONTAINER, FILE).unwrap();
    let why = rig.reason(CACHE, C::Degraded, "PersistenceBroken").await;
    assert!(why.contains("could not be written anew"), "{why}");
    assert_eq!(rig.condition(CACHE, C::Ready).unwrap().reason, "PersistenceBroken");
    rig.redis.change(CONTAINER, |run| run.info.clear());
    rig.ready(CACHE).await;
}

#[tokio::test(start_paused = true)]
async fn data_outlives_stops_manifests_and_images_and_goes_only_by_consent() {
    let rig = settled("{version: '8'}").await;
    let object = CACHE.parse().unwrap();
    rig.operator.operate(&object, Operation::Stop).await.unwrap();
    let why = rig.reason(CACHE, C::Ready, "Stopped").await;
    assert!(why.contains("clean shutdown (exit code 0)"), "{why}");
    rig.operator.operate(&object, Operation::Start).await.unwrap();
    rig.ready(CACHE).await;
    let password = rig.password(CACHE).await;
    rig.redis("cache", "", "{version: '8b'}");
    rig.until("another image", || {
        rig.container(CACHE).filter(|c| c.image_ref.contains("8b") || c.image_id.contains("0909"))
    })
    .await;
    rig.ready(CACHE).await;
    rig.redis("cache", "", "{version: '7'}");
    let why = rig.reason(CACHE, C::Degraded, "MajorVersionChange").await;
    assert!(why.contains("holds data of Redis 8") && why.contains("set version back to 8"), "{why}");
    assert_eq!(rig.condition(CACHE, C::Ready).unwrap().status, Truth::True);
    rig.redis("cache", "", "{version: '8b'}");
    rig.ready(CACHE).await;
    rig.remove("cache");
    rig.reason(CACHE, C::Ready, "Retained").await;
    rig.until("no container", || (rig.fake.inventory() == [VOLUME, "seawall"]).then_some(())).await;
    rig.redis("cache", "", "{version: '8b'}");
    rig.ready(CACHE).await;
    assert_eq!(rig.password(CACHE).await, password);
    // The volume of a server that was Ready is emptied, and then gone.
    rig.fake.drift_remove(CONTAINER).unwrap();
    rig.fake.drift_remove_volume(VOLUME).unwrap();
    rig.reason(CACHE, C::Degraded, "VolumeMissing").await;
    let labels = rig.view(CACHE).unwrap().metadata.uid;
    let labels = [
        ("seawall.dev/installation", "default".to_owned()),
        ("seawall.dev/store", rig.store.id()),
        ("seawall.dev/kind", "Redis".to_owned()),
        ("seawall.dev/name", "cache".to_owned()),
        ("seawall.dev/uid", labels),
    ];
    let labels = labels.map(|(key, value)| (key.to_owned(), value)).into();
    rig.fake.create_volume(VOLUME, &labels).await.unwrap();
    let why = rig.reason(CACHE, C::Degraded, "VolumeEmpty").await;
    assert!(why.contains("its append-only file is missing") && why.contains("docker run --rm"), "{why}");
    rig.let_pass(Duration::from_secs(120)).await;
    assert!(!rig.is_running(CACHE));
    rig.redis("cache", "'seawall.dev/confirm-delete': cache", "{version: '8b', deletionPolicy: Delete}");
    rig.let_pass(Duration::from_secs(60)).await;
    rig.remove("cache");
    rig.until("gone", || rig.view(CACHE).is_none().then_some(())).await;
    assert_eq!(rig.fake.inventory(), ["seawall"]);
    let left = rig.operator.export().await.unwrap();
    assert!(!left.iter().any(|line| line.contains("secret/redis/cache")), "no secret is left");
}

#[tokio::test(start_paused = true)]
async fn a_rename_takes_data_and_passwords_along() {
    let rig = settled("{version: '8'}").await;
    let password = rig.password(CACHE).await;
    rig.remove("cache");
    rig.redis("sessions", "", "{version: '8'}");
    rig.until("seen", || rig.view("redis/sessions")).await;
    rig.operator.rename(&CACHE.parse().unwrap(), &"redis/sessions".parse().unwrap()).await.unwrap();
    rig.ready("redis/sessions").await;
    assert_eq!(rig.password("redis/sessions").await, password);
    assert_eq!(rig.container("redis/sessions").unwrap().mounts[0].volume, VOLUME);
    let left = rig.operator.export().await.unwrap();
    assert!(!left.iter().any(|line| line.contains("secret/redis/cache")), "sealed for its new name alone");
}

#[tokio::test(start_paused = true)]
async fn a_published_port_with_nothing_behind_it_takes_one_restart_and_is_said_when_that_does_not_help() {
    let rig = settled("{version: '8'}").await;
    rig.redis.silence_port(CONTAINER, true);
    rig.until("restarted", || rig.said("ServerRestarted", "not at its published port").then_some(())).await;
    let why = rig.reason(CACHE, C::Ready, "PortSilent").await;
    assert!(why.contains("a restart did not help: see the log of the Docker engine"), "{why}");
    rig.let_pass(Duration::from_secs(300)).await;
    let restarts: u64 = rig.events().iter().filter(|e| e.reason == "ServerRestarted").map(|e| e.count).sum();
    assert_eq!(restarts, 1, "{:#?}", rig.events());
    rig.redis.silence_port(CONTAINER, false);
    rig.ready(CACHE).await;
}

#[tokio::test(start_paused = true)]
async fn what_goes_on_inside_is_shown_and_never_written() {
    let rig = settled("{version: '8'}").await;
    rig.let_pass(Duration::from_secs(60)).await;
    let inside = |rig: &Rig| rig.view(CACHE).unwrap().status["monitoring"].clone();
    let told = inside(&rig);
    assert_eq!((&told["connections"]["used"], &told["max_connections"]), (&1.into(), &10_000.into()));
    assert_eq!((&told["cache_hit_ratio"], &told["stale"]), (&0.9.into(), &false.into()));
    assert_eq!(told["errors"]["totals.evicted_keys"], "INFO has no evicted_keys");
    let before = rig.store.scan("").unwrap();
    rig.redis.change(CONTAINER, |run| run.info.insert("evicted_keys", "20012".to_owned()));
    rig.let_pass(Duration::from_secs(60)).await;
    let told = inside(&rig);
    assert_eq!(
        (&told["totals"]["evicted_keys"], &told["errors"]["totals.evicted_keys"]),
        (&20_012.into(), &serde_json::Value::Null)
    );
    assert_eq!(rig.store.scan("").unwrap(), before);
    let top = rig.operator.top(None).await.unwrap().items[0].inside.clone();
    assert_eq!((top.connections_used, top.max_connections, top.size_bytes), (Some(1), Some(10_000), None));
}
