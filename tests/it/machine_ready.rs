//! Ready is what a newcomer finds, and there is always a way back: logins, trials and crash loops on the fake
//! engine and its servers.

use crate::machine::rig::{CATALOG, Rig, object};
use seawall::control::api::{Api, Operation};
use seawall::core::condition::{ConditionType as C, Truth};
use seawall::core::seen::{ContainerState, Space};
use seawall::docker::fake::{Fault, What, When};
use seawall::kinds::postgres::client::SqlError;
use seawall::kinds::postgres::fake_server::BAD_AT_START;
use seawall::kinds::postgres::world::Crowd;
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
async fn a_server_that_only_superusers_get_into_is_not_ready_and_a_database_is_degraded() {
    let rig = settled().await;
    rig.servers.set_crowd(CONTAINER, Some(Crowd::Server { max: 100, reserved: 3 }));
    rig.let_pass(Duration::from_secs(16)).await;
    let ready = rig.condition("main", C::Ready).unwrap();
    assert_eq!((ready.status, ready.reason.as_str()), (Truth::False, "ConnectionsExhausted"));
    assert!(ready.message.starts_with("all 97 connections"), "{}", ready.message);
    assert_eq!(rig.condition("main", C::Progressing).unwrap().status, Truth::False);
    assert_eq!(rig.condition("main", C::Degraded).unwrap().reason, "ConnectionsExhausted");
    rig.servers.set_crowd(CONTAINER, Some(Crowd::Database { limit: 2 }));
    rig.let_pass(Duration::from_secs(16)).await;
    assert!(is_ready(&rig));
    assert_eq!(rig.condition("main", C::Degraded).unwrap().reason, "ConnectionLimitReached");
    rig.servers.set_crowd(CONTAINER, None);
    rig.let_pass(Duration::from_secs(16)).await;
    assert_eq!(rig.phase("main"), "Ready");
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

/// Neither takes the server away, however long it takes.
#[tokio::test(start_paused = true)]
async fn ready_stays_true_during_a_trial_start() {
    let rig = settled().await;
    rig.fake.inject(Fault {
        method: "wait",
        when: When::After,
        what: What::Slow(Duration::from_secs(40)),
        times: 1,
    });
    let before = rig.container("main").unwrap().id;
    // Whether or not the container has to be made anew for it.
    let spec = format!("{{image: '{}', parameters: {{work_mem: 9MB}}}}", "local/postgres:18b");
    rig.manifest("main", &spec);
    rig.until("the trial", || rig.fake.inventory().iter().any(|name| name.contains("probe")).then_some(()))
        .await;
    rig.let_pass(Duration::from_secs(20)).await;
    assert!(is_ready(&rig), "{:?}", rig.condition("main", C::Ready));
    rig.until("another container", || {
        (rig.container("main").is_some_and(|c| c.id != before) && is_ready(&rig)).then_some(())
    })
    .await;
    assert!(rig.said("TrialPassed", ""));
}

#[tokio::test(start_paused = true)]
async fn a_reload_proves_no_start() {
    let untried = "seawall.dev/skip-trial: 'true'";
    for (annotations, restarted, goes_back) in
        [(untried, false, true), (untried, true, false), ("", false, false)]
    {
        let rig = settled().await;
        with(&rig, annotations, "work_mem: 9MB");
        rig.until("taken over", || rig.said("ParametersReloaded", "").then_some(())).await;
        rig.let_pass(Duration::from_secs(20)).await;
        assert!(is_ready(&rig));
        if restarted {
            rig.operator.operate(&object("main"), Operation::Restart).await.unwrap();
            rig.until("restarted", || rig.said("ServerRestarted", "").then_some(())).await;
            rig.let_pass(Duration::from_secs(20)).await;
        }
        rig.servers.set_answer(CONTAINER, Some(SqlError::Refused("Connection refused".to_owned())));
        for _ in 0..3 {
            if !rig.said("ParametersRestored", "") {
                rig.fake.crash_loop(CONTAINER, 1).unwrap();
            }
            rig.let_pass(Duration::from_secs(6)).await;
        }
        let back = rig.said("ParametersRestored", "");
        assert_eq!(back, goes_back, "{annotations} {restarted}: {:?}", rig.events());
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_only_reloaded_stays_until_a_start_fails() {
    let rig = settled().await;
    let file = || {
        let file = rig.fake.file(CONTAINER, "/etc/seawall/postgresql.conf").unwrap().unwrap();
        String::from_utf8_lossy(&file.content).into_owned()
    };
    with(&rig, "seawall.dev/skip-trial: 'true'", "work_mem: 9MB");
    rig.until("taken over", || rig.said("ParametersReloaded", "").then_some(())).await;
    rig.let_pass(Duration::from_secs(20)).await;
    with(&rig, "", &format!("work_mem: 10MB, shared_preload_libraries: {BAD_AT_START}"));
    rig.reason("main", C::Degraded, "ParameterRejected").await;
    rig.let_pass(Duration::from_secs(20)).await;
    assert!(is_ready(&rig) && file().contains("9MB"), "{}", file());
    rig.servers.set_answer(CONTAINER, Some(SqlError::Refused("Connection refused".to_owned())));
    for _ in 0..2 {
        rig.fake.crash_loop(CONTAINER, 1).unwrap();
        rig.let_pass(Duration::from_secs(6)).await;
    }
    rig.servers.set_answer(CONTAINER, None);
    rig.until("Ready again", || is_ready(&rig).then_some(())).await;
    rig.let_pass(Duration::from_secs(60)).await;
    assert!(file().contains("8MB"), "{}", file());
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
    let space =
        |free: u64| rig.fake.set_space(Some(Space { free: free << 20, total: 400 << 20, read_only: false }));
    space(39);
    rig.reason("main", C::Degraded, "DiskLow").await;
    assert!(is_ready(&rig));
    // What is wrong already is not hidden by it.
    rig.manifest("main", "{version: 'nineteen'}");
    rig.reason("main", C::Degraded, "ManifestBroken").await;
    rig.manifest("main", "{version: '18'}");
    rig.reason("main", C::Degraded, "DiskLow").await;
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

#[tokio::test(start_paused = true)]
async fn a_disk_that_nobody_can_write_to_is_not_ready() {
    let rig = settled().await;
    let space = |read_only| rig.fake.set_space(Some(Space { free: 300 << 20, total: 400 << 20, read_only }));
    space(true);
    let why = rig.reason("main", C::Ready, "DiskReadOnly").await;
    assert!(why.contains("is read-only"), "{why}");
    assert_eq!(rig.condition("main", C::Degraded).unwrap().reason, "DiskReadOnly");
    space(false);
    rig.ready("main").await;
    assert!(rig.condition("main", C::Degraded).is_none_or(|c| c.status != Truth::True));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_somebody_stopped_is_named_until_it_goes_on() {
    let rig = settled().await;
    let id = rig.container("main").unwrap().id;
    rig.fake.stop_processes(&id, &["postgres: checkpointer"]);
    let why = rig.reason("main", C::Degraded, "ProcessStopped").await;
    assert!(why.contains("postgres: checkpointer") && is_ready(&rig), "{why}");
    rig.fake.stop_processes(&id, &[]);
    rig.until("it goes on", || rig.condition("main", C::Degraded).is_none().then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn a_configuration_that_no_start_would_survive_is_said_while_the_server_still_runs() {
    let rig = settled().await;
    rig.servers.break_configuration(CONTAINER, &["/d/postgresql.auto.conf:3  syntax error"]);
    let why = rig.reason("main", C::Degraded, "ConfigurationBroken").await;
    assert!(why.contains("postgresql.auto.conf:3  syntax error") && is_ready(&rig), "{why}");
    rig.servers.break_configuration(CONTAINER, &[]);
    rig.until("mended", || rig.condition("main", C::Degraded).is_none().then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_cannot_be_seen_from_here_is_asked_about_in_the_container() {
    let rig = settled().await;
    rig.fake.set_space(None);
    let free = || rig.view("main").unwrap().status["volume"]["free"].clone();
    rig.manifest("main", "{version: '18', parameters: {work_mem: 9MB}}");
    rig.until("nobody tells", || free().is_null().then_some(())).await;
    rig.servers.set_df("/dev/a 409600 372736 36864 91% /var/lib/postgresql");
    rig.let_pass(Duration::from_secs(61)).await;
    rig.manifest("main", "{version: '18', parameters: {work_mem: 10MB}}");
    rig.reason("main", C::Degraded, "DiskLow").await;
    assert_eq!(free(), "36Mi");
}

#[tokio::test(start_paused = true)]
async fn an_image_in_which_nobody_ever_listens_is_given_up() {
    let rig = settled().await;
    let first = rig.container("main").unwrap().image_id;
    let silent = SqlError::Refused("Connection refused".to_owned());
    rig.servers.set_answer(CONTAINER, Some(silent));
    // Without another image there is nothing to go back to.
    rig.let_pass(Duration::from_secs(1_300)).await;
    assert!(!rig.said("ImageRefused", "") && rig.container("main").unwrap().state == ContainerState::Running);
    rig.servers.set_answer(CONTAINER, None);
    rig.ready("main").await;

    // So that it has not answered before it is silent.
    rig.servers.set_slow(CONTAINER, Duration::from_secs(3));
    rig.manifest("main", "{version: '18b', parameters: {work_mem: 8MB}}");
    rig.until("the other image", || rig.container("main").filter(|c| c.image_id != first)).await;
    rig.servers.set_answer(CONTAINER, Some(SqlError::Refused("Connection refused".to_owned())));
    rig.let_pass(Duration::from_secs(500)).await;
    assert!(!rig.said("ImageRefused", ""), "{:?}", rig.events());
    rig.let_pass(Duration::from_secs(200)).await;
    rig.servers.set_answer(CONTAINER, None);
    let why = rig.reason("main", C::Degraded, "ImageRefused").await;
    assert!(why.contains("nobody has listened in it for ten minutes"), "{why}");
    rig.until("Ready with the last image", || is_ready(&rig).then_some(())).await;
    assert_eq!(rig.container("main").unwrap().image_id, first);
}

/// Names of the containers of these databases that are made from the image.
fn made_from(rig: &Rig, names: &[&str], tag: u8) -> Vec<String> {
    let id = format!("sha256:{}", format!("{tag:02x}").repeat(32));
    let made = |name: &&&str| rig.container(name).is_some_and(|c| c.image_id == id);
    names.iter().filter(made).map(|name| (*name).to_owned()).collect()
}

/// One line moves them all; each stays away for a while.
fn moved_by_catalog(rig: &Rig, names: &[&str]) {
    for name in names {
        rig.servers.set_slow(&format!("postgres-{name}"), Duration::from_secs(3));
    }
    let text = CATALOG.replace("'18': {image: 'local/postgres:18'}", "'18': {image: 'local/postgres:18b'}");
    std::fs::write(rig.path("catalog.yaml"), text).unwrap();
}

fn serves(rig: &Rig, name: &str) -> bool {
    rig.condition(name, C::Ready).is_some_and(|c| c.status == Truth::True)
}

#[tokio::test(start_paused = true)]
async fn one_line_of_the_catalog_moves_one_database_after_another() {
    let names = ["a", "b", "c", "d"];
    let rig = Rig::start(&names.map(|name| (name, "{version: '18'}")));
    for name in names {
        rig.ready(name).await;
    }
    moved_by_catalog(&rig, &names);
    let mut most_down = 0;
    rig.until("all moved", || {
        let down = names.iter().filter(|name| !serves(&rig, name)).count();
        most_down = most_down.max(down);
        (down == 0 && made_from(&rig, &names, 2).len() == names.len()).then_some(())
    })
    .await;
    assert_eq!(most_down, 1, "{:?}", rig.events());
    assert!(rig.said("ImageChosen", "3 more to go after it, 1 at a time"), "{:?}", rig.events());
}

#[tokio::test(start_paused = true)]
async fn nobody_follows_a_database_that_did_not_come_back() {
    let names = ["a", "b", "c"];
    let rig = Rig::start(&names.map(|name| (name, "{version: '18'}")));
    for name in names {
        rig.ready(name).await;
    }
    moved_by_catalog(&rig, &names);
    let goes = rig.until("one goes", || made_from(&rig, &names, 2).first().cloned()).await;
    let container = format!("postgres-{goes}");
    rig.servers.set_answer(&container, Some(SqlError::Refused("Connection refused".to_owned())));
    rig.let_pass(Duration::from_secs(60)).await;
    let waits = names.into_iter().filter(|name| *name != goes);
    for name in waits.clone() {
        let why = rig.reason(name, C::Progressing, "RollingOut").await;
        assert!(why.contains(&format!("postgres/{goes} goes first")), "{why}");
        assert!(serves(&rig, name));
    }
    for _ in 0..2 {
        rig.fake.crash_loop(&container, 3).unwrap();
        rig.let_pass(Duration::from_secs(6)).await;
    }
    rig.servers.set_answer(&container, None);
    rig.ready(&goes).await;
    for name in waits {
        let why = rig.reason(name, C::Degraded, "RolloutStopped").await;
        assert!(why.contains(&format!("postgres/{goes} did not come back")), "{why}");
        assert!(serves(&rig, name));
    }
    rig.let_pass(Duration::from_secs(1_300)).await;
    assert_eq!(made_from(&rig, &names, 2), Vec::<String>::new(), "{:?}", rig.events());
}
