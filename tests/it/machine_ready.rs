//! Ready is what a newcomer finds, and there is always a way back: logins, trials and crash loops on the fake
//! engine and its servers.

use crate::machine::rig::Rig;
use seawall::core::condition::{ConditionType as C, Truth};
use seawall::core::seen::{ContainerState, Space};
use seawall::engines::postgres::client::SqlError;
use seawall::engines::postgres::fake_server::BAD_AT_START;
use std::time::Duration;

const CONTAINER: &str = "postgres-main";

fn with(rig: &Rig, annotations: &str, parameters: &str) {
    rig.manifest_with("main", annotations, &format!("{{version: '18', parameters: {{{parameters}}}}}"));
}

async fn settled() -> Rig {
    let rig = Rig::start(&[("main", "{version: '18', parameters: {work_mem: 8MB}}")]);
    rig.ready("main").await;
    rig
}

fn is_ready(rig: &Rig) -> bool {
    rig.condition("main", C::Ready).is_some_and(|c| c.status == Truth::True)
}

#[tokio::test(start_paused = true)]
async fn a_kept_session_says_nothing_about_who_else_gets_in() {
    let rig = settled().await;
    let words = "sorry, too many clients already".to_owned();
    rig.servers.lock_out(CONTAINER, Some(SqlError::TurnedAway { reason: "TooManyConnections", words }));
    rig.let_pass(Duration::from_secs(61)).await;
    let ready = rig.condition("main", C::Ready).unwrap();
    assert_eq!((ready.status, ready.reason.as_str()), (Truth::False, "TooManyConnections"));
    assert_eq!(rig.condition("main", C::Progressing).unwrap().status, Truth::False);
    rig.servers.lock_out(CONTAINER, None);
    rig.let_pass(Duration::from_secs(16)).await;
    assert!(is_ready(&rig));
    assert!(!rig.said("ServerRestarted", "") && !rig.said("PasswordReset", ""), "{:?}", rig.events());
}

#[tokio::test(start_paused = true)]
async fn what_fails_in_the_trial_never_reaches_the_server() {
    let rig = settled().await;
    let before = rig.container("main").unwrap();
    with(&rig, "", &format!("work_mem: 9MB, shared_preload_libraries: {BAD_AT_START}"));
    let why = rig.reason("main", C::Degraded, "ParameterRejected").await;
    assert!(why.contains(BAD_AT_START) && why.contains("skip-trial"), "{why}");
    // Said once, and not tried again.
    rig.let_pass(Duration::from_secs(1_300)).await;
    assert!(is_ready(&rig));
    let after = rig.container("main").unwrap();
    assert_eq!((&after.id, &after.started_at), (&before.id, &before.started_at));
    let refused: Vec<_> = rig.events().into_iter().filter(|e| e.reason == "TrialRefused").collect();
    assert_eq!((refused.len(), refused[0].count), (1, 1));
    with(&rig, "", "work_mem: 10MB");
    rig.until("corrected", || {
        let degraded = rig.condition("main", C::Degraded).is_some_and(|c| c.status == Truth::True);
        let file = rig.fake.file(CONTAINER, "/etc/seawall/postgresql.conf").unwrap().unwrap();
        (!degraded && String::from_utf8_lossy(&file.content).contains("10MB")).then_some(())
    })
    .await;
    assert_eq!(rig.fake.inventory().iter().filter(|name| name.contains("probe")).count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_second_death_without_a_word_is_enough_to_go_back() {
    let rig = settled().await;
    let id = rig.container("main").unwrap().id;
    let untried = "seawall.dev/skip-trial: 'true'";
    // It comes up and dies, and says nothing.
    rig.servers.set_answer(CONTAINER, Some(SqlError::Failed("nobody gets in".to_owned())));
    with(&rig, untried, "work_mem: 9MB, max_connections: 50");
    rig.until("written", || {
        let file = rig.fake.file(CONTAINER, "/etc/seawall/postgresql.conf").unwrap().unwrap();
        String::from_utf8_lossy(&file.content).contains("9MB").then_some(())
    })
    .await;
    rig.servers.set_answer(CONTAINER, Some(SqlError::Refused("Connection refused".to_owned())));
    rig.fake.set_logs(CONTAINER, Vec::new()).unwrap();
    let mut deaths = 0;
    while !rig.said("ParametersRestored", "") {
        deaths += 1;
        assert!(deaths < 5, "{:?}", rig.events());
        rig.fake.crash_loop(CONTAINER, 137).unwrap();
        rig.let_pass(Duration::from_secs(6)).await;
    }
    assert_eq!(deaths, 2);
    rig.servers.set_answer(CONTAINER, None);
    let why = rig.reason("main", C::Degraded, "ParameterRejected").await;
    assert!(why.contains("137"), "{why}");
    rig.until("Ready with the last file", || is_ready(&rig).then_some(())).await;
    assert!(rig.said("ParametersRestored", ""), "{:?}", rig.events());
    assert_eq!(rig.container("main").unwrap().id, id);
}

#[tokio::test(start_paused = true)]
async fn a_crash_loop_is_counted_and_no_progress() {
    let rig = settled().await;
    rig.servers.set_answer(CONTAINER, Some(SqlError::Refused("Connection refused".to_owned())));
    rig.fake
        .set_logs(CONTAINER, vec!["PANIC:  could not locate a valid checkpoint record".to_owned()])
        .unwrap();
    for _ in 0..4 {
        rig.fake.crash_loop(CONTAINER, 134).unwrap();
        rig.let_pass(Duration::from_secs(20)).await;
    }
    let why = rig.reason("main", C::Degraded, "CrashLoop").await;
    assert!(why.contains("4 times since ") && why.contains("valid checkpoint record"), "{why}");
    assert_eq!(rig.condition("main", C::Progressing).unwrap().status, Truth::False);
    assert_eq!(rig.events().iter().filter(|e| e.reason == "ContainerDied").count(), 1, "{:?}", rig.events());
    assert_eq!(rig.container("main").unwrap().state, ContainerState::Restarting);
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_is_not_ready_and_a_figure_on_the_edge_says_one_thing() {
    let rig = settled().await;
    let space = |free: u64| rig.fake.set_space(Some(Space { free: free << 20, total: 400 << 20 }));
    space(39);
    rig.reason("main", C::Degraded, "DiskLow").await;
    assert!(is_ready(&rig));
    space(10);
    let why = rig.reason("main", C::Ready, "DiskFull").await;
    assert!(why.contains("10Mi of 400Mi are free"), "{why}");
    space(41);
    rig.let_pass(Duration::from_secs(60)).await;
    assert!(!is_ready(&rig), "a little more is not enough");
    space(200);
    rig.until("room again", || is_ready(&rig).then_some(())).await;
    rig.let_pass(Duration::from_secs(60)).await;
    assert!(rig.condition("main", C::Degraded).is_none_or(|c| c.status != Truth::True));
}
