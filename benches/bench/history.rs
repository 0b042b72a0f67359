//! Figures over time: what they cost in the store, in memory and in time. Without Docker.

use crate::fake::fake_engine;
use crate::{Bench, HOUR, IMAGE, cpu, line, manifest, ms, resident_mb, seconds, setting};
use seawall::control::history::{grid, kept};
use seawall::control::operator::Times;
use seawall::kinds::postgres::fake_server::FakeServers;
use seawall::store::{SledStore, Store};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// As many as a PostgreSQL with figures from inside of it has.
const SERIES: usize = 16;
const NOON: i64 = 1_760_000_000;

fn size(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry"));
    entries
        .map(|entry| {
            let meta = entry.metadata().expect("its size");
            if meta.is_dir() { size(&entry.path()) } else { meta.len() }
        })
        .sum()
}

/// Figures that differ from each other in every sample, so that none is left out for repeating.
fn figures(service: usize, round: i64) -> BTreeMap<String, f64> {
    let round = usize::try_from(round).expect("a round");
    let value = |series: usize| {
        let noise = (service * 7919 + series * 104_729 + round * 1_299_709) % 1009;
        (series + 1) as f64 * 1e6 * (1.0 + noise as f64 / 1009.0)
    };
    (0..SERIES).map(|series| (format!("some_series_{series:02}"), value(series))).collect()
}

/// Each in a process of its own, for its memory.
pub fn history() {
    let me = std::env::current_exe().expect("this program");
    let (kept, services) =
        (setting("SEAWALL_BENCH_HISTORY", 20), setting("SEAWALL_BENCH_HISTORY_SERVICES", 200));
    for (what, count) in [("history-of", kept), ("history-rounds-of", services)] {
        let status = Command::new(&me).args([what, &count.to_string()]).status().expect("a run");
        assert!(status.success());
    }
}

/// Seven days of one commit each 30 s, in a store on the disk.
pub async fn history_of(services: usize) {
    let days = setting("SEAWALL_BENCH_DAYS", 7);
    let root = tempfile::tempdir().expect("a directory");
    let data = root.path().join("data");
    let store = SledStore::open(&data).expect("a store");
    let rounds = i64::try_from(days).expect("days") * 86_400 / grid::SAMPLE;
    let begun = Instant::now();
    let mut most = 0;
    for round in 0..rounds {
        let now = NOON + round * grid::SAMPLE;
        let each =
            (0..services).flat_map(|n| kept::with(&store, &format!("uid-{n:032}"), now, &figures(n, round)));
        store.commit(each.collect()).await.expect("written");
        if round % 2880 == 0 {
            most = most.max(size(&data.join("store")));
        }
    }
    let took = begun.elapsed();
    let stored = size(&data.join("store"));
    let records: usize = store
        .records(seawall::store::MEASURED)
        .expect("records")
        .values()
        .map(|r| r.body.to_string().len())
        .sum();
    let head = format!("history, {services} services, {SERIES} series, {days} days");
    let kib = |bytes: u64| format!("{} KiB", bytes / services as u64 / 1024);
    line(&format!("{head}: in the store, each"), kib(stored.max(most)), "≤ 2048 KiB");
    line(&format!("{head}: of that the records themselves, each"), kib(records as u64), "");
    line(&format!("{head}: a round, written and durable"), ms(took / u32::try_from(rounds).unwrap_or(1)), "");
    drop(store);
    let me = std::env::current_exe().expect("this program");
    for data in [&data, &root.path().join("empty")] {
        let status = Command::new(&me).arg("history-open-of").arg(data).status().expect("a run");
        assert!(status.success());
    }
    let store = SledStore::open(&data).expect("a store");
    let begun = Instant::now();
    let end = NOON + rounds * grid::SAMPLE;
    let points = kept::points(&store, &format!("uid-{:032}", 0), end - 7 * 86_400, end);
    let count: usize = points.values().map(Vec::len).sum();
    line(&format!("{head}: one of them read, {count} points"), ms(begun.elapsed()), "");
}

/// What a new process has of such a store in memory.
pub fn history_open_of(data: &Path) {
    let what = if data.join("store").exists() { "that store" } else { "an empty one" };
    let (empty, begun) = (resident_mb(std::process::id()), Instant::now());
    let store = SledStore::open(data).expect("a store");
    line(&format!("history: {what} opened by a new process"), seconds(begun.elapsed()), "");
    let resident = resident_mb(std::process::id());
    let figure = format!("{:.1} MB", resident - empty);
    line(&format!("history: resident for {what}"), figure, "≤ 20 MB more than for an empty one at 200");
    drop(store);
}

/// Rounds of an operator on the simulated engine: two hours of samples and half an hour more.
pub async fn history_rounds_of(services: usize) {
    let fake = fake_engine();
    fake.show_cgroups();
    let servers = Arc::new(FakeServers::new(Arc::clone(&fake)));
    let times = Times { sweep: HOUR, probe: HOUR, look: HOUR, ..Times::default() };
    let mut bench = Bench::new(fake.clone(), servers, times);
    let names: Vec<String> = (0..services).map(|n| format!("p{n:05}")).collect();
    let spec = format!("{{image: '{IMAGE}', resources: {{memory: 256Mi}}}}");
    let documents: Vec<String> = names.iter().map(|name| manifest(name, &spec)).collect();
    bench.write("all.yaml", &documents.join("---\n"));
    bench.drive();
    bench.until_ready(&names, Duration::from_millis(20)).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let empty = resident_mb(std::process::id());
    let commits = || bench.operator.tools.store.commits().took.count();
    let (before, used, rounds) = (commits(), cpu(std::process::id()), 300_u32);
    for round in 0..rounds {
        bench.operator.take_samples(NOON + i64::from(round) * grid::SAMPLE).await;
    }
    let used = cpu(std::process::id()) - used;
    let fsyncs = (commits() - before) as f64 / f64::from(rounds);
    let head = format!("history, rounds of {services} services");
    line(&format!("{head}: fsyncs each"), fsyncs, "≤ 1");
    let each = used / rounds;
    line(&format!("{head}: CPU each, engine included"), ms(each), "≤ 600 ms (2 % of a core)");
    let resident = resident_mb(std::process::id());
    let figure = format!("{resident:.0} MB");
    line(
        &format!("{head}: resident, engine included"),
        figure,
        &format!("≤ 60 MB ({empty:.0} MB before them)"),
    );
    bench.stop().await;
}
