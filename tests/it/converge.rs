//! Properties: whatever was, the plan is a function of what was seen, removes no data without consent,
//! and leads to rest.

use crate::machine::rig::{Rig, engine, object};
use crate::plan_goldens::{Case, facts_of, render};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use seawall::control::api::{Api, Operation};
use seawall::control::operator::Times;
use seawall::core::quantity::{Bytes, NanoCpus};
use seawall::core::resource::{Caps, DeletionPolicy, PortRequest};
use seawall::core::seen::{ContainerState, Slot, Usage};
use seawall::core::will::Gone;
use seawall::kinds::postgres::action::Action;
use seawall::kinds::postgres::plan::Plan;
use seawall::kinds::postgres::world::{DataSeen, Server};
use seawall::workload::Action as Work;
use seawall::workload::image::ImageSeen;
use seawall::workload::image::Unfit;
use std::time::Duration;

/// The same cases in every run.
fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

fn caps() -> impl Strategy<Value = Caps> {
    let memory = prop::option::of(select(vec![64u64, 256, 512, 1024]));
    let cpus = prop::option::of(select(vec![500_000_000u64, 1_500_000_000, 4_000_000_000]));
    (memory, any::<bool>(), cpus).prop_map(|(memory, swap, cpus)| Caps {
        memory: memory.map(|m| Bytes(m << 20)),
        swap: memory.filter(|_| swap).map(|_| Bytes(64 << 20)),
        cpus: cpus.map(NanoCpus),
    })
}

/// Small numbers that each pick one of a few values; enough to reach every branch in any combination.
fn build(n: &[u8], wanted: Caps, seen: Caps) -> Case {
    let mut c = Case::settled();
    c.spec.work.caps = wanted;
    if n[0] == 0 {
        c.spec.work.port = PortRequest::None;
    } else if n[0] == 1 {
        c.spec.work.port = PortRequest::Fixed(6000);
        c.world.work.port_holder = (n[1] == 0).then(|| "postgres/other".to_owned());
    }
    if n[2] == 0 {
        c.memory.work.port = None;
    }
    c.memory.work.ever_ready = n[3] > 2;
    c.memory.work.volume_fresh = n[4] < 2;
    c.memory.work.hardening_level = n[5] % 3;
    c.asked.delete = n[6] == 0;
    c.asked.stopped = n[6] == 1;
    c.asked.restart = (n[6] == 2).then(|| "t".to_owned());
    c.memory.data_major = [None, Some(17), Some(18)][usize::from(n[7] % 3)];
    let container = c.made();
    match n[8] {
        0 => c.world.work.container = Slot::Missing,
        1 => c.world.work.container = Slot::Foreign("no label".to_owned()),
        _ => c.world.work.container = Slot::Ours(container),
    }
    if n[8] == 0 && n[9] == 0 {
        c.world.work.misnamed = vec![("c1".to_owned(), "mine".to_owned())];
    }
    if let Slot::Ours(container) = &mut c.world.work.container {
        use ContainerState::{Created, Dead, Exited, Paused, Removing, Restarting, Running};
        container.state =
            [Running, Running, Created, Exited, Dead, Paused, Restarting, Removing][usize::from(n[10])];
        container.exit_code = [None, Some(0), Some(1), Some(137)][usize::from(n[11] % 4)];
        container.caps = seen;
        match n[12] {
            0 => container.restart_policy = "no".to_owned(),
            1 => container.networks.clear(),
            2 => container.published.clear(),
            3 => container.port_bindings.clear(),
            4 => container.image_id = "sha256:other".to_owned(),
            5 => container.mounts.clear(),
            6 => container.error = "Bind failed: port is already allocated".to_owned(),
            _ => {}
        }
    }
    c.world.work.volume = [Slot::Missing, Slot::Ours(()), Slot::Ours(()), Slot::Foreign("x".to_owned())]
        [usize::from(n[13] % 4)]
    .clone();
    c.world.work.network = match n[14] {
        0 => Slot::Missing,
        1 => Slot::Foreign("x".to_owned()),
        2 => Slot::Ours("n2".to_owned()),
        _ => Slot::Ours("n1".to_owned()),
    };
    c.world.work.image = match n[15] {
        0 => ImageSeen::Missing,
        1 => ImageSeen::Unfit(Unfit("it holds PostgreSQL 9; Seawall needs 13 or newer".into())),
        2 => ImageSeen::Fit(facts_of("cc", 17)),
        3 => ImageSeen::Fit(facts_of("bb", 18)),
        _ => c.world.work.image,
    };
    c.world.data =
        [DataSeen::NotLooked, DataSeen::Empty, DataSeen::Major(17)][usize::from(n[16] % 3)].clone();
    let words = || "words".to_owned();
    match n[17] {
        0 => c.world.server = Server::NotRunning,
        1 => c.world.server = Server::Refused(words()),
        2 => c.world.server = Server::LoginRefused(words()),
        3 => c.world.server = Server::Hung(words()),
        4 => c.world.server = Server::Failed(words()),
        _ => {}
    }
    if let Server::Up(facts) = &mut c.world.server {
        facts.database_exists = n[18] > 1;
        facts.in_recovery = n[18] == 7;
        if n[19] == 0 {
            facts.parameters_sha256 = "0".repeat(64);
        }
        if n[20] < 2 {
            facts.pending_restart = vec!["max_connections".to_owned()];
        }
    }
    if n[21] < 4 {
        let used = Bytes(u64::from(n[21]) * (200 << 20));
        c.world.work.usage = Some(Usage { memory: used, unreclaimable: used, memory_limit: None });
    }
    if n[22] < 2 {
        c.world.work.log_tail = vec!["FATAL:  permission denied".to_owned()];
    }
    c.world.work.free_port = [None, Some(5432), Some(5433)][usize::from(n[23] % 3)];
    c.world.work.password_sealed = n[24] > 0;
    c.present = n[25] > 2;
    c.spec.work.stopped = n[26] == 0;
    c.spec.work.deletion = if n[27] < 4 { DeletionPolicy::Delete } else { DeletionPolicy::Retain };
    c.spec.work.delete_confirmed = n[28] < 4;
    c.asked.gone = (n[28] < 3).then(|| Gone { left_ms: u64::from(n[28] % 2), ..Gone::default() });
    c.spec.username = if n[29] == 0 { "other".to_owned() } else { c.spec.username };
    c.spec.work.restart_automatically = n[30] > 3;
    c.spec.work.force_caps = n[31] == 0;
    c
}

fn removes_data(plan: &Plan) -> bool {
    plan.steps.iter().any(|s| matches!(s.action, Action::Work(Work::RemoveVolume(_) | Work::Forget)))
}

#[test]
fn the_same_values_give_the_same_plan_to_the_byte() {
    let run = |c: Case| {
        let (first, second) = (c.plan(), c.clone().plan());
        prop_assert_eq!(format!("{first:?}"), format!("{second:?}"));
        prop_assert_eq!(render(&first), render(&second));
        Ok(())
    };
    runner(2_000).run(&case(), |c| run(c.0)).unwrap();
}

/// Only the plan is worth showing of a case that fails.
#[derive(Clone)]
struct Shown(Case);

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "memory: {:#?}\nworld: {:#?}\nplan:\n{}",
            self.0.memory,
            self.0.world,
            render(&self.0.plan())
        )
    }
}

fn case() -> impl Strategy<Value = Shown> {
    (vec(0u8..8, 32), caps(), caps()).prop_map(|(n, wanted, seen)| Shown(build(&n, wanted, seen)))
}

#[test]
fn no_plan_removes_data_unless_the_manifest_is_gone_and_deletion_was_confirmed() {
    let seen = std::cell::Cell::new(0);
    runner(5_000)
        .run(&case(), |Shown(c)| {
            let over = c.asked.gone.as_ref().is_some_and(|gone| gone.left_ms == 0);
            let confirmed = c.asked.delete
                || (c.spec.work.deletion == DeletionPolicy::Delete && c.spec.work.delete_confirmed && over);
            let plan = c.plan();
            prop_assert!(!removes_data(&plan) || (confirmed && !c.present));
            // The volume goes after the container, and a foreign one never.
            if removes_data(&plan) {
                seen.set(seen.get() + 1);
                prop_assert!(!matches!(c.world.work.volume, Slot::Foreign(_)));
            }
            Ok(())
        })
        .unwrap();
    assert!(seen.get() > 100, "only {seen:?} cases removed anything: the test sees nothing");
}

#[test]
fn what_is_not_ours_is_in_no_step() {
    runner(2_000)
        .run(&case(), |Shown(c)| {
            let foreign = matches!(c.world.work.container, Slot::Foreign(_))
                || matches!(c.world.work.volume, Slot::Foreign(_))
                || matches!(c.world.work.network, Slot::Foreign(_));
            let plan = c.plan();
            prop_assert!(!foreign || (plan.steps.is_empty() && !plan.blocked.is_empty()));
            Ok(())
        })
        .unwrap();
}

/// What hands, accidents and users do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Kill,
    Remove,
    Crash,
    Oom,
    Pause,
    Rename,
    Disconnect,
    RestartPolicy,
    UpdateCaps,
    EditFile,
    ChangePassword,
    CutEvents,
    LoseEvents,
    RestartEngine,
    RestartOperator,
    KillOperator,
    Hang,
    Spec(u8),
    Gone,
    Stop,
    Start,
    Restart,
    Wait,
}

const SPECS: [&str; 7] = [
    "{version: '18', database: appdb}",
    "{version: '18', database: appdb, resources: {memory: 256Mi}}",
    "{version: '18', database: appdb, resources: {memory: 512Mi, swap: 64Mi, cpus: 1.5}}",
    "{version: '18b', database: appdb, parameters: {work_mem: 8MB}}",
    "{version: '18', database: appdb, parameters: {max_connections: 33}}",
    "{version: '18', database: appdb, port: none}",
    "{version: '18', database: appdb, stopped: true}",
];

fn deed() -> impl Strategy<Value = Deed> {
    use Deed::*;
    let mut all = vec![
        Kill,
        Remove,
        Crash,
        Oom,
        Pause,
        Rename,
        Disconnect,
        RestartPolicy,
        UpdateCaps,
        EditFile,
        ChangePassword,
        CutEvents,
        LoseEvents,
        RestartEngine,
        RestartOperator,
        KillOperator,
        Hang,
        Gone,
        Stop,
        Start,
        Restart,
        Wait,
    ];
    all.extend((0..7).map(Spec));
    select(all)
}

async fn act(rig: &mut Rig, deed: Deed) {
    const C: &str = "postgres-main";
    let fake = rig.fake.clone();
    // On a container that is not there a deed does nothing.
    match deed {
        Deed::Kill => drop(fake.drift_kill(C)),
        Deed::Remove => drop(fake.drift_remove(C)),
        Deed::Crash => drop(fake.crash(C, 2)),
        Deed::Oom => drop(fake.oom(C)),
        Deed::Pause => drop(fake.drift_pause(C)),
        Deed::Rename => drop(fake.drift_rename(C, "mine")),
        Deed::Disconnect => drop(fake.drift_disconnect(C, "seawall")),
        Deed::RestartPolicy => drop(fake.drift_restart_policy(C, "on-failure")),
        Deed::UpdateCaps => {
            let caps = Caps { memory: Some(Bytes(128 << 20)), ..Caps::default() };
            drop(fake.drift_update_caps(C, caps));
        }
        Deed::EditFile => drop(fake.write_file(C, "/etc/seawall/postgresql.conf", b"x = 1\n")),
        Deed::ChangePassword => drop(rig.servers.change_password(C, "by hand")),
        Deed::CutEvents => fake.end_event_streams(),
        Deed::LoseEvents => fake.drop_events(true),
        Deed::RestartEngine => {
            fake.stop_engine();
            rig.let_pass(Duration::from_millis(700)).await;
            fake.start_engine();
        }
        Deed::RestartOperator => {
            rig.leave().await;
            rig.check_and_restart().await;
        }
        Deed::KillOperator => {
            rig.crash().await;
            rig.check_and_restart().await;
        }
        Deed::Hang => fake.hang("inspect", 1),
        Deed::Spec(n) => rig.manifest("main", SPECS[usize::from(n)]),
        Deed::Gone => {
            if rig.path("main.yaml").exists() {
                rig.remove("main");
            }
        }
        Deed::Stop => drop(rig.operator.operate(&object("main"), Operation::Stop).await),
        Deed::Start => drop(rig.operator.operate(&object("main"), Operation::Start).await),
        Deed::Restart => drop(rig.operator.operate(&object("main"), Operation::Restart).await),
        Deed::Wait => rig.let_pass(Duration::from_secs(2)).await,
    }
}

async fn comes_to_rest(deeds: Vec<(Deed, u8)>) -> Result<(), TestCaseError> {
    let times = Times { look: Duration::from_secs(60), ..Times::default() };
    let mut rig = Rig::new(engine(), times);
    rig.manifest("main", SPECS[0]);
    rig.drive();
    rig.ready("main").await;
    let data = rig.servers.system_identifier("postgres-main");
    let password = rig.password("main").await;
    for (deed, pause) in &deeds {
        act(&mut rig, *deed).await;
        rig.let_pass(Duration::from_millis(u64::from(*pause) * 40)).await;
    }
    rig.fake.drop_events(false);
    if deeds.iter().any(|(d, _)| *d == Deed::ChangePassword) {
        rig.drop_session("main");
    }
    let what = format!("after {deeds:?}");
    // As long as the slowest repair may take: what only a whole look shows.
    rig.let_pass(Duration::from_secs(130)).await;
    rig.settled(&what).await;
    rig.manifest("main", SPECS[0]);
    rig.let_pass(Duration::from_secs(40)).await;
    let _ = rig.operator.operate(&object("main"), Operation::Start).await;
    rig.ready("main").await;
    rig.settled(&what).await;
    prop_assert_eq!(rig.servers.system_identifier("postgres-main"), data, "the same data {}", &what);
    prop_assert_eq!(rig.password("main").await, password, "the same password {}", &what);
    let all = ["postgres-main", "postgres-main-data", "seawall"];
    prop_assert_eq!(rig.fake.inventory(), all, "one of each {}", &what);
    rig.fake.reset_calls();
    rig.let_pass(Duration::from_secs(100)).await;
    prop_assert_eq!(rig.fake.writes(), 0, "then nothing is written {}: {:?}", &what, rig.events());
    Ok(())
}

#[test]
fn whatever_hands_and_users_do_it_comes_to_rest_on_the_same_data() {
    runner(300)
        .run(&vec((deed(), 0u8..40), 1..9), |deeds| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .start_paused(true)
                .build()
                .unwrap();
            runtime.block_on(comes_to_rest(deeds))
        })
        .unwrap();
}
