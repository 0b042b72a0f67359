//! What wakes objects of every kind with a container, how often, and who waits for whom: what fails or hangs must hurry and hold
//! up nobody, itself neither.

use crate::kinds::{Kind, machine_tests};
use crate::machine::of::{Of, memory};
use crate::machine::rig::{Rig, engine};
use seawall::control::api::{Api, Operation};
use seawall::core::condition::ConditionType as C;
use seawall::core::event::EventType;
use seawall::core::resource::Caps;
use seawall::docker::DockerError;
use seawall::docker::fake::{Fault, What, When};
use std::time::Duration;

machine_tests!(
    what_a_failing_step_does_itself_does_not_hurry_it_past_its_pause,
    what_a_client_asked_for_is_done_to_its_end_when_it_goes_away,
    looking_at_plans_takes_nothing_from_a_pass,
    servers_that_hang_hold_up_no_probe_of_another_and_none_stays_ready,
    removals_at_once_are_one_commit_and_one_that_fails_is_tried_soon,
    services_that_wait_for_one_image_pull_it_at_one_pace_and_wake_nobody_else,
    an_engine_that_gives_no_answer_is_shown_as_away_and_one_container_that_gives_none_is_not,
    steps_that_take_long_hold_up_no_change_to_another_object,
    what_a_stream_that_died_in_silence_did_not_tell_is_asked_for_with_the_next_sweep,
);

/// Many enough to be for ever, few enough that a loop without a pause ends.
const OFTEN: usize = 500;

async fn settled(kind: &'static dyn Kind) -> Of {
    let rig = Of::settled(kind).await;
    rig.let_pass(Duration::from_secs(1)).await;
    rig
}

fn refused(method: &'static str) -> Fault {
    let error =
        DockerError::Refused { doing: method, status: 500, detail: "no exit event (injected)".to_owned() };
    Fault { method, when: When::Before, what: What::Error(error), times: OFTEN }
}

async fn what_a_failing_step_does_itself_does_not_hurry_it_past_its_pause(kind: &'static dyn Kind) {
    let rig = settled(kind).await;
    rig.fake.reset_calls();
    rig.fake.inject(refused("stop"));
    rig.operator.operate(&rig.named("main"), Operation::Stop).await.unwrap();
    rig.let_pass(Duration::from_secs(60)).await;
    let tries = rig.calls("stop");
    assert!((4..=9).contains(&tries), "{tries} tries in a minute, each with an update of its own");
    let failed: Vec<_> = rig.events().into_iter().filter(|e| e.message.contains("no exit event")).collect();
    assert_eq!(failed.iter().map(|e| e.count).collect::<Vec<_>>(), [tries], "{failed:#?}");
    // A user waits for no pause.
    rig.operator.operate(&rig.named("main"), Operation::Start).await.unwrap();
    rig.until("wanted again", || (rig.phase("main") == "Ready").then_some(())).await;
}

async fn what_a_client_asked_for_is_done_to_its_end_when_it_goes_away(kind: &'static dyn Kind) {
    let rig = settled(kind).await;
    rig.store.slow_answers(Duration::from_secs(1));
    {
        let name = rig.named("main");
        let asked = rig.operator.operate(&name, Operation::Stop);
        assert!(
            tokio::time::timeout(Duration::from_millis(100), asked).await.is_err(),
            "gone before the answer"
        );
    }
    rig.until("stopped", || (!rig.is_running("main")).then_some(())).await;
    assert_eq!(rig.asked("main")["stopped"], true);
    assert!(rig.said("StopRequested", "asked for by seawall"));
    rig.reason("main", C::Ready, "Stopped").await;
}

async fn looking_at_plans_takes_nothing_from_a_pass(kind: &'static dyn Kind) {
    let rig = settled(kind).await;
    kind.fake_slow(&rig.fakes(), &rig.container, Duration::from_millis(30));
    let operator = rig.operator.clone();
    let looks = tokio::spawn(async move {
        loop {
            operator.plan(None).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    for n in 1..31_usize {
        // Whatever the look is at.
        rig.let_pass(Duration::from_millis(3 * n as u64)).await;
        rig.put(&rig.live(n % 2));
        rig.until("written", || rig.has_live(n % 2).then_some(())).await;
        rig.ready("main").await;
    }
    let failed: Vec<_> = rig.events().into_iter().filter(|e| e.kind == EventType::Warning).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    looks.abort();
}

async fn servers_that_hang_hold_up_no_probe_of_another_and_none_stays_ready(kind: &'static dyn Kind) {
    let hung: Vec<String> = (0..200).map(|n| format!("h{n:03}")).collect();
    let names: Vec<_> = hung.iter().map(String::as_str).chain(["main"]).collect();
    let rig = Of::started(kind, &names).await;
    rig.let_pass(Duration::from_secs(20)).await;
    for name in &hung {
        kind.fake_slow(&rig.fakes(), &rig.called(name), Duration::from_secs(5));
    }
    let before = kind.fake_probes(&rig.fakes(), &rig.container);
    rig.let_pass(Duration::from_secs(30)).await;
    let still: Vec<&String> = hung.iter().filter(|name| rig.is_ready(name)).collect();
    assert_eq!(still, Vec::<&String>::new(), "not Ready within 30 s");
    rig.let_pass(Duration::from_secs(15)).await;
    let probes = kind.fake_probes(&rig.fakes(), &rig.container) - before;
    assert!((2..=4).contains(&probes), "{probes} probes in 45 s, one each 15 s");
    rig.reason("h000", C::Ready, "ServerHung").await;
    assert!(rig.is_ready("main"));
    // A change to the healthy one waits for none of them.
    rig.put("resources: {memory: 256Mi}");
    let capped = || rig.container("main").is_some_and(|c| c.caps.memory == memory(256));
    rig.until("capped", || capped().then_some(())).await;
}

async fn removals_at_once_are_one_commit_and_one_that_fails_is_tried_soon(kind: &'static dyn Kind) {
    let names: Vec<String> = (0..9).map(|n| format!("p{n}")).collect();
    let rig = Of::started(kind, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    // From before: the real clock brings the files' news, and the one that jumps may be past a grace by then.
    rig.store.fail_writes(true);
    for name in &names[..4] {
        rig.remove(name);
    }
    let said = |name: &String| rig.said("ManifestGone", &format!("{name}.yaml is gone"));
    rig.until("said of all", || names[..4].iter().all(said).then_some(())).await;
    rig.let_pass(Duration::from_secs(40)).await;
    let is_gone = |name: &String| rig.asked(name)["gone"].is_object();
    assert!(!names.iter().any(is_gone));
    rig.store.fail_writes(false);
    rig.let_pass(Duration::from_secs(10)).await;
    assert!(names[..4].iter().all(is_gone), "{:#?}", rig.events());
    assert!(!names[4..].iter().any(is_gone));
}

async fn services_that_wait_for_one_image_pull_it_at_one_pace_and_wake_nobody_else(kind: &'static dyn Kind) {
    let mut rig = Of::new(kind, engine());
    for name in ["a", "b"] {
        rig.manifest(name, &kind.spec_of("remote", ""));
    }
    rig.drive();
    rig.let_pass(Duration::from_secs(60)).await;
    let pulls = rig.calls("pull");
    assert!((5..=7).contains(&pulls), "{pulls} pulls in a minute");
}

async fn an_engine_that_gives_no_answer_is_shown_as_away_and_one_container_that_gives_none_is_not(
    kind: &'static dyn Kind,
) {
    let rig = settled(kind).await;
    let down = |rig: &Rig| rig.engine_down().is_some().then_some(());
    // It lists, and nothing else.
    for method in ["inspect", "info"] {
        rig.fake.hang(method, OFTEN);
    }
    rig.fake.drift_kill(&rig.container).unwrap();
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
    rig.fake.drift_kill(&rig.container).unwrap();
    rig.until("unknown", || (!rig.is_ready("main")).then_some(())).await;
    rig.let_pass(Duration::from_secs(60)).await;
    assert!(rig.engine_down().is_none());
    rig.fake.clear_faults();
    rig.ready("main").await;
}

/// As a change of the catalog does: every server of it is stopped and made anew.
async fn steps_that_take_long_hold_up_no_change_to_another_object(kind: &'static dyn Kind) {
    let slow: Vec<String> = (0..40).map(|n| format!("s{n:02}")).collect();
    let names: Vec<_> = slow.iter().map(String::as_str).chain(["main"]).collect();
    let rig = Of::started(kind, &names).await;
    rig.let_pass(Duration::from_secs(60)).await;
    rig.fake.reset_calls();
    let what = What::Slow(Duration::from_secs(120));
    rig.fake.inject(Fault { method: "stop", when: When::After, what, times: slow.len() });
    for name in &slow {
        rig.operator.operate(&rig.named(name), Operation::Stop).await.unwrap();
    }
    rig.let_pass(Duration::from_secs(1)).await;
    assert_eq!(rig.calls("stop"), 40, "all of them stop at once");
    let begun = tokio::time::Instant::now();
    let by_hand = Caps { memory: memory(64), ..Caps::default() };
    rig.fake.drift_update_caps(&rig.container, by_hand).unwrap();
    let lifted = || rig.container("main").is_some_and(|c| c.caps.memory.is_none());
    rig.until("lifted again", || lifted().then_some(())).await;
    assert!(begun.elapsed() <= Duration::from_secs(1), "{:?}", begun.elapsed());
    for name in &slow {
        rig.reason(name, C::Ready, "Stopped").await;
    }
}

async fn what_a_stream_that_died_in_silence_did_not_tell_is_asked_for_with_the_next_sweep(
    kind: &'static dyn Kind,
) {
    let rig = settled(kind).await;
    rig.let_pass(Duration::from_secs(60)).await;
    rig.fake.mute_event_streams();
    let begun = tokio::time::Instant::now();
    let lowered = Caps { memory: memory(256), ..Caps::default() };
    // Nothing of this shows in a list.
    rig.fake.drift_update_caps(&rig.container, lowered).unwrap();
    let caps = |rig: &Rig| rig.container("main").unwrap().caps;
    rig.until("the caps back", || (caps(&rig) == Caps::default()).then_some(())).await;
    assert!(begun.elapsed() <= Duration::from_secs(35), "{:?} on the clock that jumps", begun.elapsed());
}
