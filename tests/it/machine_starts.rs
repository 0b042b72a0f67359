//! With which privilege containers are made, and the proof that they start again before Ready is said:
//! over the fake engine, with images whose entry points want this or that.

use crate::machine::rig::{Rig, engine};
use seawall::control::operator::Times;
use seawall::core::condition::ConditionType as C;
use seawall::core::seen::SeenContainer;
use seawall::docker::fake::FakeDocker;
use seawall::workload::hardening::Profile;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

const MAIN: &str = "{version: '18'}";

/// Containers of this engine start only where `starts` says so of them and of how often their data was
/// there before; others die and say that they want a permission.
fn picky(fake: &Arc<FakeDocker>, starts: impl Fn(Profile, u32) -> bool + Send + Sync + 'static) {
    let (seen, engine) = (Mutex::new(BTreeMap::<String, u32>::new()), Arc::clone(fake));
    fake.on_start(move |c: &SeenContainer| {
        let volume = c.mounts.first().map(|m| m.volume.clone())?;
        let mut seen = seen.lock().unwrap();
        let before = seen.entry(volume).or_default();
        if starts(Profile::of_container(c), *before) {
            *before += 1;
            return None;
        }
        let words = "find: '/var/lib/postgresql/18/docker': Permission denied".to_owned();
        engine.set_logs(&c.id, vec![words]).unwrap();
        Some(1)
    });
}

fn rig(starts: impl Fn(Profile, u32) -> bool + Send + Sync + 'static) -> Rig {
    let fake = engine();
    picky(&fake, starts);
    Rig::new(fake, Times::default())
}

fn profile(rig: &Rig, name: &str) -> Profile {
    Profile::of_container(&rig.container(name).unwrap())
}

fn proofs(rig: &Rig) -> u64 {
    rig.events().iter().filter(|e| e.reason == "RestartProven").map(|e| e.count).sum()
}

#[tokio::test(start_paused = true)]
async fn ready_is_said_after_one_restart_of_the_first_of_many_and_known_from_then_on() {
    let mut rig = rig(|_, _| true);
    for name in ["a", "b", "c"] {
        rig.manifest(name, MAIN);
    }
    rig.drive();
    for name in ["a", "b", "c"] {
        rig.ready(name).await;
        assert_eq!(profile(&rig, name), Profile::AsUser);
        assert_eq!(rig.container(name).unwrap().user, "postgres");
    }
    assert_eq!(proofs(&rig), 1, "{:?}", rig.events());
    let first = rig.events().iter().find(|e| e.reason == "RestartProven").unwrap().message.clone();
    assert!(first.contains("before it counts as ready"), "{first}");
    // Another process, and another object of this image.
    rig.leave().await;
    rig.restart();
    rig.manifest("d", MAIN);
    rig.ready("d").await;
    assert_eq!(proofs(&rig), 1, "{:?}", rig.events());
    // Another image has to prove itself.
    rig.manifest("e", "{version: '18b'}");
    rig.ready("e").await;
    assert_eq!(proofs(&rig), 2);
    // Another image on data that is there: its first login is the proof.
    rig.manifest("a", "{version: '18b'}");
    rig.ready("a").await;
    assert_eq!(proofs(&rig), 2);
}

#[tokio::test(start_paused = true)]
async fn an_image_that_does_not_start_again_gets_the_least_privilege_with_which_it_does() {
    // As the official entry point, for somebody who must be root: it walks over the data at each start.
    let mut rig = rig(|profile, before| match profile {
        Profile::AsUser => false,
        Profile::Root => before == 0,
        _ => true,
    });
    rig.manifest("a", MAIN);
    rig.manifest("b", MAIN);
    rig.drive();
    for name in ["a", "b"] {
        rig.ready(name).await;
        assert_eq!(profile(&rig, name), Profile::RootReads, "{name}");
        let words = rig.condition(name, C::Degraded).unwrap();
        assert_eq!(words.reason, "HardeningReduced");
        assert!(words.message.contains("DAC_READ_SEARCH"), "{}", words.message);
        let status = rig.view(name).unwrap().status["hardening"].clone();
        assert!(status.as_str().unwrap().contains("DAC_READ_SEARCH"), "{status}");
    }
    let relaxed = |rig: &Rig| {
        rig.events().iter().filter(|e| e.reason == "HardeningRelaxed").map(|e| e.count).sum::<u64>()
    };
    // What one found out the other need not: it never restarted a server that it had not made itself.
    let before = relaxed(&rig);
    rig.manifest("c", MAIN);
    rig.ready("c").await;
    assert_eq!((profile(&rig, "c"), relaxed(&rig)), (Profile::RootReads, before));
    assert!(rig.said("HardeningRelaxed", "Permission denied"), "{:?}", rig.events());
}

#[tokio::test(start_paused = true)]
async fn a_database_that_was_ready_and_does_not_start_again_is_healed() {
    let broken = Arc::new(Mutex::new(false));
    let now = Arc::clone(&broken);
    let mut rig = rig(move |profile, _| profile != Profile::AsUser || !*now.lock().unwrap());
    rig.manifest("a", MAIN);
    rig.drive();
    rig.ready("a").await;
    let password = rig.password("a").await;
    *broken.lock().unwrap() = true;
    rig.fake.drift_kill("postgres-a").unwrap();
    rig.until("another container", || (profile(&rig, "a") == Profile::Root).then_some(())).await;
    rig.ready("a").await;
    assert_eq!(rig.password("a").await, password);
    // It was the data of this object that was not let in: the image is as it was for others.
    *broken.lock().unwrap() = false;
    rig.manifest("b", MAIN);
    rig.ready("b").await;
    assert_eq!(profile(&rig, "b"), Profile::AsUser);
}

#[tokio::test(start_paused = true)]
async fn a_password_that_a_container_prints_is_shown_nowhere() {
    let rig = Rig::start(&[("a", MAIN)]);
    rig.ready("a").await;
    let password = rig.password("a").await;
    let line = format!("FATAL:  ALTER USER x PASSWORD E'{password}'");
    rig.fake.set_logs("postgres-a", vec![line]).unwrap();
    rig.fake.crash_loop("postgres-a", 3).unwrap();
    let words = rig.reason("a", C::Ready, "CrashLoop").await;
    assert!(words.contains("PASSWORD E'********'"), "{words}");
    let all = format!("{:?} {:?} {:?}", rig.all(), rig.events(), rig.plans().await);
    assert!(!all.contains(&password), "{all}");
}
