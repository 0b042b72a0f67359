//! Without Docker: many services on the fake engine, hostile manifests, the size of the binary.

use crate::engine::Engine;
use crate::{
    Bench, HOUR, IMAGE, cpu, hostile_shapes, installation, line, manifest, median, ms, object, resident_mb,
    seconds, setting, until,
};
use seawall::control::operator::Times;
use seawall::core::names::label;
use seawall::core::pairs::Pairs;
use seawall::core::seen::SeenImage;
use seawall::docker::fake::FakeDocker;
use seawall::kinds::postgres::fake_server::FakeServers;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::sleep;

pub fn fake_engine() -> Arc<FakeDocker> {
    let fake = Arc::new(FakeDocker::new());
    fake.add_image(SeenImage {
        id: format!("sha256:{}", "01".repeat(32)),
        tags: vec![IMAGE.to_owned()],
        digests: Vec::new(),
        env: Pairs::from([("PG_MAJOR", "18"), ("PGDATA", "/var/lib/postgresql/18/docker")]),
        labels: Pairs::from([(label::MANAGED, "true")]),
        volumes: vec!["/var/lib/postgresql".to_owned()],
        architecture: "amd64".to_owned(),
        user: String::new(),
        stop_signal: "SIGINT".to_owned(),
        cmd: vec!["postgres".to_owned()],
        entrypoint: vec!["docker-entrypoint.sh".to_owned()],
    });
    fake.add_image_file(IMAGE, "/etc/passwd", b"postgres:x:999:999::/:/bin/sh\n");
    fake.add_image_file(IMAGE, "/usr/bin/postgres", b"postgres");
    fake
}

/// The simulated engine alone with as many containers, in a process of its own: what of the memory is not
/// the operator's.
pub async fn fake_engine_of(services: usize) {
    let empty = resident_mb(std::process::id());
    let engine = Engine { docker: fake_engine(), services };
    engine.raw(&installation(), &engine.names(), false).await;
    let resident = resident_mb(std::process::id()) - empty;
    line(&format!("fake, {services} services: the engine alone"), format!("{resident:.0} MB"), "");
}

/// In a process of its own, so that memory is that of one size only.
pub async fn fake_of(services: usize) {
    let fake = fake_engine();
    let servers = Arc::new(FakeServers::new(Arc::clone(&fake)));
    let times = Times { sweep: Duration::from_secs(5), probe: HOUR, look: HOUR, ..Times::default() };
    let empty = resident_mb(std::process::id());
    let mut bench = Bench::new(fake.clone(), servers, times);
    let names: Vec<String> = (0..services).map(|n| format!("p{n:05}")).collect();
    for (file, names) in names.chunks(100).enumerate() {
        let spec = format!("{{image: '{IMAGE}', resources: {{memory: 256Mi}}}}");
        let documents: Vec<String> = names.iter().map(|name| manifest(name, &spec)).collect();
        bench.write(&format!("f{file:03}.yaml"), &documents.join("---\n"));
    }
    let begun = Instant::now();
    bench.drive();
    until("a first plan", Duration::from_millis(1), async || fake.writes() > 0).await;
    let first = begun.elapsed();
    bench.until_ready(&names, Duration::from_millis(20)).await;
    let all = begun.elapsed();
    sleep(Duration::from_secs(2)).await;
    fake.reset_calls();
    let before = cpu(std::process::id());
    sleep(Duration::from_secs(20)).await;
    let used = cpu(std::process::id()) - before;
    let calls = fake.call_log();
    let lists = calls.get("list").copied().unwrap_or(0).max(1);
    line(&format!("fake, {services} services: cold start to first plan"), seconds(first), "< 2 s at 10,000");
    line(&format!("fake, {services} services: cold start to all ready"), seconds(all), "");
    line(
        &format!("fake, {services} services: CPU of a sweep"),
        ms(used / u32::try_from(lists).unwrap_or(1)),
        "linear",
    );
    line(
        &format!("fake, {services} services: calls of {lists} sweeps"),
        format!("{calls:?}"),
        "one list each",
    );
    let resident = resident_mb(std::process::id());
    line(
        &format!("fake, {services} services: resident, engine and store included"),
        format!("{resident:.0} MB"),
        &format!("< 250 MB at 10,000 ({empty:.0} MB empty)"),
    );
    bench.stop().await;
}

pub fn fake() {
    let most = setting("SEAWALL_BENCH_FAKE", 10_000);
    for services in [most / 4, most / 2, most] {
        let me = std::env::current_exe().expect("this program");
        for what in ["fake-engine-of", "fake-of"] {
            let status = Command::new(&me).args([what, &services.to_string()]).status().expect("a run");
            assert!(status.success());
        }
    }
}

/// How long a healthy server waits for its next probe, while none of the others hangs and while all do.
pub async fn hung() {
    let (fake, hung) = (fake_engine(), setting("SEAWALL_BENCH_HUNG", 200));
    let servers = Arc::new(FakeServers::new(Arc::clone(&fake)));
    let mut bench = Bench::new(fake, Arc::clone(&servers) as _, Times::default());
    let names: Vec<String> = (0..hung).map(|n| format!("h{n:03}")).chain(["healthy".to_owned()]).collect();
    let documents: Vec<String> =
        names.iter().map(|name| manifest(name, &format!("{{image: '{IMAGE}'}}"))).collect();
    bench.write("all.yaml", &documents.join("---\n"));
    bench.drive();
    bench.until_ready(&names, Duration::from_millis(20)).await;
    let container = |name: &String| bench.installation.container(&object(name));
    let healthy = container(&"healthy".to_owned());
    for (what, pause) in [("none", Duration::ZERO), ("each", Duration::from_secs(5))] {
        for name in names.iter().take(hung) {
            servers.set_slow(&container(name), pause);
        }
        sleep(Duration::from_secs(20)).await;
        let mut gaps = Vec::new();
        let (mut seen, mut at) = (servers.probes(&healthy), None::<Instant>);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(100) {
            sleep(Duration::from_millis(5)).await;
            let now = servers.probes(&healthy);
            if now > seen {
                gaps.extend(at.map(|at| at.elapsed()));
                (seen, at) = (now, Some(Instant::now()));
            }
        }
        let most = gaps.iter().max().copied().unwrap_or_default();
        let figure = format!("{}; {}", seconds(median(gaps)), seconds(most));
        line(
            &format!("{what} of {hung} others hangs: a healthy one's probes, median and most"),
            figure,
            "15 s",
        );
    }
    bench.stop().await;
}

/// Most that reading and checking manifests takes, for each byte of them, above what an empty one takes.
pub fn hostile() {
    let me = std::env::current_exe().expect("this program");
    let peak = |files: &[String]| -> (f64, Duration) {
        let dir = tempfile::tempdir().expect("a directory");
        for (n, text) in files.iter().enumerate() {
            fs::write(dir.path().join(format!("{n:02}.yaml")), text).expect("a file");
        }
        let begun = Instant::now();
        let output = Command::new(&me).arg("hostile-of").arg(dir.path()).output().expect("a run");
        let took = begun.elapsed();
        let kib: f64 = String::from_utf8_lossy(&output.stdout).trim().parse().expect("a figure");
        (kib * 1024.0, took)
    };
    let (empty, _) = peak(&[String::new()]);
    let mut shapes: Vec<(String, Vec<String>)> =
        hostile_shapes::shapes().into_iter().map(|(what, text)| (what.to_owned(), vec![text])).collect();
    let words = shapes.iter().find(|(what, _)| what == "lists of words").map(|(_, files)| files[0].clone());
    shapes.push(("32 files of such lists".to_owned(), vec![words.unwrap_or_default(); 32]));
    for (what, files) in shapes {
        let size: usize = files.iter().map(String::len).sum();
        let (most, took) = peak(&files);
        let figure = format!("{:.1} ×", (most - empty).max(0.0) / size as f64);
        let detail =
            format!("{:.1} MB of {:.2} MB of text, {}", (most - empty) / 1e6, size as f64 / 1e6, ms(took));
        line(&format!("hostile: {what}"), figure, &detail);
    }
}

/// In a process of its own, so that its peak is that of one directory.
pub fn hostile_of(dir: &Path) {
    let report = seawall::control::validate::validate(dir).expect("a directory");
    std::hint::black_box(&report);
    let status = fs::read_to_string("/proc/self/status").expect("its own status");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    println!("{}", peak.trim().trim_end_matches(" kB"));
}

pub fn binary() {
    let size = fs::metadata(env!("CARGO_BIN_EXE_seawall")).map(|m| m.len()).unwrap_or(0);
    line("release binary", format!("{:.1} MB", size as f64 / 1e6), "< 25 MB");
}
