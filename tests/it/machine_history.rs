//! Figures over time on the fake engine: what a round samples and writes, over restarts, deletions and renames, and when the disk
//! refuses.

use crate::machine::rig::{Rig, engine, object};
use seawall::control::api::{Api, HistoryView, SeriesView, Verdict};
use seawall::control::operator::Times;
use seawall::core::diagnosis::Level;
use seawall::core::measure::Unit;
use seawall::core::quantity::Bytes;
use seawall::core::seen::Usage;
use seawall::store::Store;
use serde_json::Value;
use std::time::Duration;

const CONTAINER: &str = "postgres-main";

async fn settled() -> Rig {
    let rig = Rig::start(&[("main", "{version: '18', resources: {memory: 256Mi, cpus: 1}}")]);
    rig.fake.show_cgroups();
    let usage = Usage { memory: Bytes(90 << 20), unreclaimable: Bytes(64 << 20), memory_limit: None };
    rig.ready("main").await;
    rig.settled("main").await;
    rig.fake.set_usage(CONTAINER, usage).unwrap();
    rig
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

async fn history(rig: &Rig) -> HistoryView {
    rig.operator.history(&object("main"), None, 7200).await.unwrap()
}

fn series(view: &HistoryView, name: &str) -> Option<SeriesView> {
    view.series.iter().find(|series| series.name == name).cloned()
}

fn commits(rig: &Rig) -> u64 {
    rig.operator.tools.store.commits().took.count()
}

fn kept(rig: &Rig) -> Vec<String> {
    rig.store.scan("history/").unwrap().into_keys().collect()
}

#[tokio::test(start_paused = true)]
async fn a_round_is_one_commit_for_all_and_has_what_is_known_of_each() {
    let rig = settled().await;
    rig.redis("cache", "", "{version: '8'}");
    rig.ready("redis/cache").await;
    rig.settled("all").await;
    let (before, now) = (commits(&rig), now() - 600);
    for n in 0..20 {
        rig.fake.set_cpu(CONTAINER, n * 250_000_000).unwrap();
        rig.operator.take_samples(now + i64::try_from(n).unwrap() * 30).await;
    }
    assert_eq!(commits(&rig) - before, 20);
    let view = history(&rig).await;
    assert_eq!((view.object.as_str(), view.step), ("postgres/main", 30));
    let names: Vec<&str> = view.series.iter().map(|series| series.name.as_str()).collect();
    for name in ["cpu_cores", "memory_bytes", "wal_bytes", "archive_backlog"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    let memory = series(&view, "memory_bytes").unwrap();
    assert_eq!((memory.unit, memory.points.len()), (Unit::Bytes, 20));
    let fine = |value: f64, want: f64| (value - want).abs() < want * 0.002;
    assert!(fine(memory.last, 67_108_864.0), "page cache is not counted: {memory:?}");
    assert!(fine(series(&view, "wal_bytes").unwrap().last, 33_554_432.0));
    // The first count makes no rate.
    let cpu = series(&view, "cpu_cores").unwrap();
    assert_eq!((cpu.unit, cpu.points.len()), (Unit::Cores, 19));
    assert!(
        fine(cpu.last, 0.125),
        "two seconds pass in a round, one with each sample of this engine: {cpu:?}"
    );
    // Each object has its own, and only what it has.
    let cache = rig.operator.history(&object("redis/cache"), Some("memory_bytes"), 7200).await.unwrap();
    assert_eq!(cache.series.len(), 1);
    let longer = rig.operator.history(&object("main"), Some("cpu_cores"), 86_400).await.unwrap();
    assert_eq!(longer.step, 300);
    assert!((2..=3).contains(&longer.series[0].points.len()), "{longer:?}");
    for (wrong, says) in [("postgres/none", "does not exist"), ("imagecatalog/local", "no container")] {
        let error = rig.operator.history(&object(wrong), None, 60).await.unwrap_err();
        assert!(error.what.contains(says), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn rounds_come_by_themselves_where_they_are_asked_for() {
    // The real clock stands still, so that each pause is as long as the first: between a quarter and five quarters of what is asked.
    for (every, rounds) in [(None, 0..=0), (Some(Duration::from_secs(30)), 3..=20)] {
        let mut rig = Rig::new(engine(), Times { history: every, ..Times::default() });
        rig.manifest("main", "{version: '18'}");
        rig.drive();
        rig.ready("main").await;
        rig.settled("main").await;
        let before = commits(&rig);
        rig.let_pass(Duration::from_secs(150)).await;
        let seen = commits(&rig) - before;
        assert!(rounds.contains(&seen), "{every:?}: {seen}");
        assert_eq!(kept(&rig).is_empty(), every.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_run_or_was_not_looked_at_has_no_figures() {
    let rig = settled().await;
    rig.operator.operate(&object("main"), seawall::control::api::Operation::Stop).await.unwrap();
    rig.until("stopped", || (!rig.is_running("main")).then_some(())).await;
    rig.settled("stopped").await;
    rig.operator.take_samples(now()).await;
    let names: Vec<String> = history(&rig).await.series.into_iter().map(|series| series.name).collect();
    assert!(!names.contains(&"memory_bytes".to_owned()), "{names:?}");
}

#[tokio::test(start_paused = true)]
async fn where_the_kernel_does_not_show_it_the_engine_is_asked_once_for_each_average() {
    let rig = Rig::start(&[("main", "{version: '18'}")]);
    rig.ready("main").await;
    rig.settled("main").await;
    let before = rig.calls("sample");
    let now = (now() - 1200).div_euclid(300) * 300;
    for n in 0..20 {
        rig.operator.take_samples(now + n * 30).await;
    }
    assert_eq!(rig.calls("sample") - before, 2);
    let view = history(&rig).await;
    assert_eq!(series(&view, "memory_bytes").unwrap().points.len(), 2);
    assert_eq!(series(&view, "cpu_cores").unwrap().points.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_restart_loses_nothing_and_shows_what_was_found_before_as_old() {
    let mut rig = settled().await;
    // Both in one average, of which the first saves what was found.
    let now = now();
    let first = (now - 60).div_euclid(300) * 300;
    rig.operator.take_samples(first).await;
    rig.operator.take_samples(first + 30).await;
    let before = history(&rig).await;
    rig.leave().await;
    rig.servers.set_answer(
        CONTAINER,
        Some(seawall::kinds::postgres::client::SqlError::Hung(Duration::from_secs(5))),
    );
    rig.restart();
    let health =
        |rig: &Rig| rig.view("main").map(|view| view.status["walHealth"].clone()).unwrap_or_default();
    let old = health(&rig);
    assert_eq!((&old["stale"], old["pg_wal_bytes"].as_u64()), (&Value::Bool(true), Some(32 << 20)));
    assert!(old["age_secs"].as_u64().is_some_and(|age| age >= 60), "{old}");
    let after = history(&rig).await;
    assert_eq!(series(&after, "wal_bytes"), series(&before, "wal_bytes"));
    // What is old is no sample.
    rig.operator.take_samples(now).await;
    assert_eq!(series(&history(&rig).await, "wal_bytes").unwrap().points.len(), 2);
    rig.servers.set_answer(CONTAINER, None);
    rig.ready("main").await;
    rig.until("looked at", || (health(&rig)["stale"] == false).then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn a_deleted_object_leaves_nothing_not_even_by_a_round_that_was_under_way() {
    let rig = settled().await;
    rig.operator.take_samples(now()).await;
    let keys = kept(&rig);
    assert!(!keys.is_empty());
    rig.remove("main");
    rig.until("retained", || (rig.phase("main") == "Retained").then_some(())).await;
    assert_eq!(kept(&rig), keys, "its data are kept, and so is this");
    rig.operator.delete(&object("main"), "main").await.unwrap();
    rig.until("gone", || rig.view("main").is_none().then_some(())).await;
    assert_eq!(kept(&rig), Vec::<String>::new());
    // As by a round that had begun before.
    let late = seawall::store::Change::put(keys[0].clone(), Value::Null);
    rig.store.commit(vec![late]).await.unwrap();
    rig.operator.take_samples(now()).await;
    assert_eq!(kept(&rig), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_renamed_object_keeps_its_figures() {
    let rig = settled().await;
    let now = now();
    rig.operator.take_samples(now - 30).await;
    rig.operator.take_samples(now).await;
    let before = series(&history(&rig).await, "memory_bytes");
    rig.remove("main");
    rig.manifest("other", "{version: '18', resources: {memory: 256Mi, cpus: 1}}");
    rig.until("there", || rig.view("other")).await;
    let renamed = rig.operator.rename(&object("main"), &object("other")).await;
    renamed.unwrap();
    rig.ready("other").await;
    rig.until("handed over", || rig.view("main").is_none().then_some(())).await;
    let after = rig.operator.history(&object("other"), Some("memory_bytes"), 7200).await.unwrap();
    assert_eq!(series(&after, "memory_bytes").map(|s| s.points), before.map(|s| s.points));
}

#[tokio::test(start_paused = true)]
async fn what_the_disk_refuses_is_gone_and_no_change_of_the_users_waits_for_it() {
    let rig = settled().await;
    let now = now() - 300;
    rig.operator.take_samples(now).await;
    rig.store.fail_writes(true);
    for n in 1..5 {
        rig.operator.take_samples(now + n * 30).await;
    }
    assert_eq!(rig.operator.tools.store.unsaved(), None, "nothing waits");
    assert!(!rig.notices().iter().any(|notice| notice.contains("not saved")), "{:?}", rig.notices());
    assert!(rig.operator.readiness().iter().all(|part| part.why.is_empty()));
    rig.store.fail_writes(false);
    rig.operator.take_samples(now + 150).await;
    assert_eq!(series(&history(&rig).await, "memory_bytes").unwrap().points.len(), 2);
    assert!(!rig.said("StoreUnwritable", ""));
}

#[tokio::test(start_paused = true)]
async fn what_is_recommended_rests_on_a_day_at_least_and_is_done_by_nobody() {
    let rig = settled().await;
    let recommended = async || rig.operator.recommend(Some(&object("main"))).await.unwrap().items.remove(0);
    // A sample for each average is enough.
    let from = now() - 90_000;
    let fill = async |averages: std::ops::Range<i64>| {
        for n in averages {
            rig.fake.set_cpu(CONTAINER, u64::try_from(n).unwrap() * 100_000_000).unwrap();
            rig.operator.take_samples(from + n * 300).await;
        }
    };
    fill(0..280).await;
    let early = recommended().await;
    assert_eq!((&early.memory, &early.cpus, early.known_seconds), (&None, &None, 280 * 300));
    assert_eq!(early.yaml, "");
    fill(280..299).await;
    let after = recommended().await;
    let memory = after.memory.clone().unwrap();
    // 64Mi, and a quarter.
    assert_eq!(
        (memory.verdict, memory.wanted.as_str(), memory.now.as_deref()),
        (Verdict::Lower, "128Mi", Some("256Mi"))
    );
    let cpus = after.cpus.clone().unwrap();
    assert_eq!(
        (cpus.verdict, cpus.wanted.as_str(), cpus.now.as_deref()),
        (Verdict::Lower, "0.25", Some("1"))
    );
    assert!(
        after.yaml.starts_with("resources:\n  memory: 128Mi  # peak 64Mi x 1.25; now 256Mi\n"),
        "{}",
        after.yaml
    );
    let limits = async || {
        let checks = rig.operator.diagnose(&object("main")).await.unwrap().checks;
        let limits = checks.into_iter().find(|check| check.check == "Limits").unwrap();
        (limits.level, limits.found)
    };
    let (level, found) = limits().await;
    assert_eq!(level, Level::Green);
    assert!(found.starts_with("memory 256Mi, by use 128Mi; cpus 1, by use 0.25"), "{found}");
    // What the kernel killed is to have more, whatever it used.
    rig.fake.oom_inside(CONTAINER).unwrap();
    let raised = || rig.view("main").filter(|view| view.status["runtime"][0]["oom_kills"] == 1).map(drop);
    rig.until("seen", raised).await;
    let memory = recommended().await.memory.unwrap();
    assert_eq!((memory.verdict, memory.wanted.as_str()), (Verdict::Raise, "384Mi"), "{memory:?}");
    assert_eq!(limits().await.0, Level::Yellow);
    rig.settled("nothing is done").await;
    assert_eq!(rig.view("main").unwrap().status["resources"]["applied"]["memory"], "256Mi");
    assert!(rig.operator.recommend(Some(&object("imagecatalog/local"))).await.is_err());
    assert_eq!(rig.operator.recommend(None).await.unwrap().items.len(), 1);
}
