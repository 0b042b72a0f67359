//! What wakes objects, how often, and who waits for whom: what fails or hangs must hurry and hold up nobody,
//! itself neither.

use crate::machine::rig::{Rig, engine, object};
use seawall::control::api::{Api, Operation};
use seawall::control::operator::Times;
use seawall::core::condition::ConditionType as C;
use seawall::core::event::EventType;
use seawall::core::quantity::Bytes;
use seawall::core::resource::Caps;
use seawall::docker::DockerError;
use seawall::docker::fake::{Fault, What, When};
use std::time::Duration;

const MAIN: &str = "{version: '18', database: appdb, username: appuser}";

/// Many enough to be for ever, few enough that a loop without a pause ends.
const OFTEN: usize = 500;

async fn settled() -> Rig {
    let rig = Rig::start(&[("main", MAIN)]);
    rig.ready("main").await;
    rig.let_pass(Duration::from_secs(1)).await;
    rig
}

fn refused(method: &'static str) -> Fault {
    let error =
        DockerError::Refused { doing: method, status: 500, detail: "no exit event (injected)".to_owned() };
    Fault { method, when: When::Before, what: What::Error(error), times: OFTEN }
}

fn calls(rig: &Rig, method: &str) -> u64 {
    rig.fake.call_log().get(method).copied().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn what_a_failing_step_does_itself_does_not_hurry_it_past_its_pause() {
    let rig = settled().await;
    rig.fake.reset_calls();
    rig.fake.inject(refused("stop"));
    rig.operator.operate(&object("main"), Operation::Stop).await.unwrap();
    rig.let_pass(Duration::from_secs(60)).await;
    let tries = calls(&rig, "stop");
    assert!((4..=9).contains(&tries), "{tries} tries in a minute, each with an update of its own");
    let failed: Vec<_> = rig.events().into_iter().filter(|e| e.message.contains("no exit event")).collect();
    assert_eq!(failed.iter().map(|e| e.count).collect::<Vec<_>>(), [tries], "{failed:#?}");
    // A user waits for no pause.
    rig.operator.operate(&object("main"), Operation::Start).await.unwrap();
    rig.until("wanted again", || (rig.phase("main") == "Ready").then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_client_asked_for_is_done_to_its_end_when_it_goes_away() {
    let rig = settled().await;
    rig.store.slow_answers(Duration::from_secs(1));
    {
        let name = object("main");
        let asked = rig.operator.operate(&name, Operation::Stop);
        assert!(
            tokio::time::timeout(Duration::from_millis(100), asked).await.is_err(),
            "gone before the answer"
        );
    }
    rig.until("stopped", || (!rig.is_running("main")).then_some(())).await;
    assert_eq!(rig.asked("main")["stopped"], true);
    assert!(rig.said("StopRequested", "command line"));
    rig.reason("main", C::Ready, "Stopped").await;
}

#[tokio::test(start_paused = true)]
async fn looking_at_plans_takes_nothing_from_a_pass() {
    let rig = settled().await;
    rig.servers.set_slow("postgres-main", Duration::from_millis(30));
    let operator = rig.operator.clone();
    let looks = tokio::spawn(async move {
        loop {
            operator.plan(None).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    for n in 1..31 {
        // Whatever the look is at.
        rig.let_pass(Duration::from_millis(3 * n)).await;
        let parameters = format!("parameters: {{work_mem: {n}MB}}");
        rig.manifest("main", &format!("{{version: '18', database: appdb, username: appuser, {parameters}}}"));
        rig.until("written", || {
            let file = rig.fake.file("postgres-main", "/etc/seawall/postgresql.conf").unwrap().unwrap();
            String::from_utf8_lossy(&file.content).contains(&format!("work_mem = '{n}MB'")).then_some(())
        })
        .await;
        rig.ready("main").await;
    }
    let failed: Vec<_> = rig.events().into_iter().filter(|e| e.kind == EventType::Warning).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    looks.abort();
}

#[tokio::test(start_paused = true)]
async fn servers_that_hang_hold_up_no_probe_of_another_and_none_stays_ready() {
    let hung: Vec<String> = (0..200).map(|n| format!("h{n:03}")).collect();
    let manifests: Vec<_> = hung.iter().map(String::as_str).chain(["main"]).map(|n| (n, MAIN)).collect();
    let rig = Rig::start(&manifests);
    for (name, _) in &manifests {
        rig.ready(name).await;
    }
    rig.let_pass(Duration::from_secs(20)).await;
    for name in &hung {
        rig.servers.set_slow(&format!("postgres-{name}"), Duration::from_secs(5));
    }
    let before = rig.servers.probes("postgres-main");
    rig.let_pass(Duration::from_secs(30)).await;
    let still: Vec<&String> = hung.iter().filter(|name| rig.is_ready(name)).collect();
    assert_eq!(still, Vec::<&String>::new(), "not Ready within 30 s");
    rig.let_pass(Duration::from_secs(15)).await;
    let probes = rig.servers.probes("postgres-main") - before;
    assert!((2..=4).contains(&probes), "{probes} probes in 45 s, one each 15 s");
    rig.reason("h000", C::Ready, "ServerHung").await;
    assert!(rig.is_ready("main"));
    // A change to the healthy one waits for none of them.
    rig.manifest("main", &MAIN.replace("{", "{resources: {memory: 256Mi}, "));
    let capped = || rig.container("main").is_some_and(|c| c.caps.memory == Some(Bytes(256 << 20)));
    rig.until("capped", || capped().then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn removals_at_once_are_one_commit_and_one_that_fails_is_tried_soon() {
    let names: Vec<String> = (0..9).map(|n| format!("p{n}")).collect();
    let manifests: Vec<_> = names.iter().map(|n| (n.as_str(), MAIN)).collect();
    let rig = Rig::start(&manifests);
    for name in &names {
        rig.ready(name).await;
    }
    for name in &names[..4] {
        rig.remove(name);
    }
    let said = |name: &String| rig.said("ManifestGone", &format!("{name}.yaml is gone"));
    rig.until("said of all", || names[..4].iter().all(said).then_some(())).await;
    rig.store.fail_writes(true);
    rig.let_pass(Duration::from_secs(40)).await;
    let is_gone = |name: &String| rig.asked(name)["gone"].is_object();
    assert!(!names.iter().any(is_gone));
    rig.store.fail_writes(false);
    rig.let_pass(Duration::from_secs(10)).await;
    assert!(names[..4].iter().all(is_gone), "{:#?}", rig.events());
    assert!(!names[4..].iter().any(is_gone));
}

#[tokio::test(start_paused = true)]
async fn services_that_wait_for_one_image_pull_it_at_one_pace_and_wake_nobody_else() {
    let fake = engine();
    let mut rig = Rig::new(fake, Times::default());
    rig.manifest("a", "{version: remote}");
    rig.manifest("b", "{version: remote}");
    rig.drive();
    rig.let_pass(Duration::from_secs(60)).await;
    let pulls = calls(&rig, "pull");
    assert!((5..=7).contains(&pulls), "{pulls} pulls in a minute");
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_gives_no_answer_is_shown_as_away_and_one_container_that_gives_none_is_not() {
    let rig = settled().await;
    let down = |rig: &Rig| rig.engine_down().is_some().then_some(());
    // It lists, and nothing else.
    for method in ["inspect", "info"] {
        rig.fake.hang(method, OFTEN);
    }
    rig.fake.drift_kill("postgres-main").unwrap();
    rig.until("away", || down(&rig)).await;
    rig.reason("main", C::Ready, "EngineUnavailable").await;
    rig.fake.clear_faults();
    rig.ready("main").await;
    assert!(rig.engine_down().is_none());

    // It takes the connection, and no more; nobody has a reason to ask.
    rig.let_pass(Duration::from_secs(60)).await;
    for method in ["list", "volumes", "info", "inspect"] {
        rig.fake.hang(method, OFTEN);
    }
    let begun = tokio::time::Instant::now();
    rig.until("away again", || down(&rig)).await;
    assert!(begun.elapsed() <= Duration::from_secs(60), "a sweep and its limits, on the clock that jumps");
    rig.reason("main", C::Ready, "EngineUnavailable").await;
    rig.fake.clear_faults();
    rig.ready("main").await;
    assert!(rig.engine_down().is_none());

    // One container that hangs is that object's trouble.
    rig.fake.hang("inspect", OFTEN);
    rig.fake.drift_kill("postgres-main").unwrap();
    rig.until("unknown", || (!rig.is_ready("main")).then_some(())).await;
    rig.let_pass(Duration::from_secs(60)).await;
    assert!(rig.engine_down().is_none());
    rig.fake.clear_faults();
    rig.ready("main").await;
}

/// As a change of the catalog does: every server of it is stopped and made anew.
#[tokio::test(start_paused = true)]
async fn steps_that_take_long_hold_up_no_change_to_another_object() {
    let slow: Vec<String> = (0..40).map(|n| format!("s{n:02}")).collect();
    let manifests: Vec<_> = slow.iter().map(String::as_str).chain(["main"]).map(|n| (n, MAIN)).collect();
    let rig = Rig::start(&manifests);
    for (name, _) in &manifests {
        rig.ready(name).await;
    }
    rig.let_pass(Duration::from_secs(60)).await;
    rig.fake.reset_calls();
    let what = What::Slow(Duration::from_secs(120));
    rig.fake.inject(Fault { method: "stop", when: When::After, what, times: slow.len() });
    for name in &slow {
        rig.operator.operate(&object(name), Operation::Stop).await.unwrap();
    }
    rig.let_pass(Duration::from_secs(1)).await;
    assert_eq!(calls(&rig, "stop"), 40, "all of them stop at once");
    let begun = tokio::time::Instant::now();
    let by_hand = Caps { memory: Some(Bytes(64 << 20)), ..Caps::default() };
    rig.fake.drift_update_caps("postgres-main", by_hand).unwrap();
    let lifted = || rig.container("main").is_some_and(|c| c.caps.memory.is_none());
    rig.until("lifted again", || lifted().then_some(())).await;
    assert!(begun.elapsed() <= Duration::from_secs(1), "{:?}", begun.elapsed());
    for name in &slow {
        rig.reason(name, C::Ready, "Stopped").await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_stream_that_died_in_silence_did_not_tell_is_asked_for_with_the_next_sweep() {
    let rig = settled().await;
    rig.let_pass(Duration::from_secs(60)).await;
    rig.fake.mute_event_streams();
    let begun = tokio::time::Instant::now();
    let lowered = Caps { memory: Some(Bytes(256 << 20)), ..Caps::default() };
    // Nothing of this shows in a list.
    rig.fake.drift_update_caps("postgres-main", lowered).unwrap();
    let caps = |rig: &Rig| rig.container("main").unwrap().caps;
    rig.until("the caps back", || (caps(&rig) == Caps::default()).then_some(())).await;
    assert!(begun.elapsed() <= Duration::from_secs(35), "{:?} on the clock that jumps", begun.elapsed());
}
