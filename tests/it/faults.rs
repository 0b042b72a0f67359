//! Every call of the engine that an operation makes fails once, in every way a call can fail; and the
//! operator is killed at every call. It converges: one container, one volume, the same data and
//! password, no orphan.

use crate::machine::rig::{Rig, engine, object};
use seawall::control::api::{Api, Operation};
use seawall::control::operator::Times;
use seawall::core::quantity::Bytes;
use seawall::core::resource::Caps;
use seawall::core::seen::ContainerState;
use seawall::docker::DockerError;
use seawall::docker::fake::{Fault, What, When};
use std::collections::BTreeMap;
use std::time::Duration;

const MAIN: &str = "{version: '18', database: appdb, username: appuser}";
const CONTAINER: &str = "postgres-main";

/// An operation: what is there before, what is done, what is there in the end.
struct Operating {
    name: &'static str,
    /// Ready before it begins.
    settled: bool,
    act: fn(&Rig),
    done: fn(&Rig) -> bool,
    /// Names of what is left.
    left: &'static [&'static str],
}

fn running(rig: &Rig) -> bool {
    rig.is_ready("main") && rig.container("main").is_some_and(|c| c.state == ContainerState::Running)
}

const ALL: &[&str] = &[CONTAINER, "postgres-main-data", "seawall"];

const OPERATIONS: [Operating; 8] = [
    Operating {
        name: "create",
        settled: false,
        act: |rig| rig.manifest("main", MAIN),
        done: running,
        left: ALL,
    },
    Operating {
        name: "re-create",
        settled: true,
        act: |rig| rig.manifest("main", "{version: '18b', database: appdb, username: appuser}"),
        done: |rig| running(rig) && rig.container("main").is_some_and(|c| c.image_id.contains("0202")),
        left: ALL,
    },
    Operating {
        name: "cap change",
        settled: true,
        act: |rig| {
            rig.manifest(
                "main",
                "{version: '18', database: appdb, username: appuser, resources: {memory: 256Mi}}",
            )
        },
        done: |rig| {
            let caps = Caps { memory: Some(Bytes(256 << 20)), ..Caps::default() };
            running(rig) && rig.container("main").is_some_and(|c| c.caps == caps)
        },
        left: ALL,
    },
    Operating {
        name: "parameters with a restart",
        settled: true,
        act: |rig| {
            rig.manifest(
                "main",
                "{version: '18', database: appdb, username: appuser, parameters: {max_connections: 50}}",
            );
        },
        done: |rig| {
            let file = rig.fake.file(CONTAINER, "/etc/seawall/postgresql.conf").ok().flatten();
            running(rig)
                && file.is_some_and(|f| String::from_utf8_lossy(&f.content).contains("max_connections"))
        },
        left: ALL,
    },
    Operating {
        name: "removed by hand",
        settled: true,
        act: |rig| rig.fake.drift_remove(CONTAINER).unwrap(),
        done: running,
        left: ALL,
    },
    Operating {
        name: "stop",
        settled: true,
        act: |rig| {
            rig.manifest("main", "{version: '18', database: appdb, username: appuser, stopped: true}");
        },
        done: |rig| {
            rig.phase("main") == "Stopped"
                && rig.container("main").is_some_and(|c| {
                    c.state == ContainerState::Exited && c.restart_policy == "no" && c.exit_code == Some(0)
                })
        },
        left: ALL,
    },
    Operating {
        name: "retain",
        settled: true,
        act: |rig| rig.remove("main"),
        done: |rig| rig.phase("main") == "Retained" && rig.container("main").is_none(),
        left: &["postgres-main-data", "seawall"],
    },
    Operating {
        name: "delete",
        settled: true,
        act: |rig| rig.remove("main"),
        done: |rig| rig.view("main").is_none(),
        left: &["seawall"],
    },
];

async fn before(operating: &Operating) -> Rig {
    // A catalog of its own keeps a removed manifest from looking like an emptied directory.
    // Graces as short as a fault: what is counted in them is shown elsewhere.
    let (removal, deletion) = (Duration::from_secs(1), Duration::from_secs(2));
    let mut rig = Rig::new(engine(), Times { removal, deletion, ..Times::default() });
    rig.fake.set_hang_limit(Duration::from_secs(10));
    match operating.name {
        "delete" => rig.manifest_with(
            "main",
            "seawall.dev/confirm-delete: main",
            "{version: '18', database: appdb, username: appuser, deletionPolicy: Delete}",
        ),
        _ if operating.settled => rig.manifest("main", MAIN),
        _ => {}
    }
    rig.drive();
    if operating.settled {
        rig.ready("main").await;
    } else {
        rig.until("read", || (!rig.all().is_empty()).then_some(())).await;
    }
    rig.fake.reset_calls();
    rig
}

/// What an operation calls, and how often.
async fn calls(operating: &Operating) -> BTreeMap<&'static str, u64> {
    let rig = before(operating).await;
    (operating.act)(&rig);
    rig.until(operating.name, || (operating.done)(&rig).then_some(())).await;
    let mut calls = rig.fake.call_log();
    // Volumes are listed with the containers, in one look: a fault of either ends it.
    for background in ["info", "events", "volumes"] {
        calls.remove(background);
    }
    calls
}

/// 500, 404, 409 and no answer at all.
fn errors(method: &'static str) -> [What; 4] {
    let refused = DockerError::Refused { doing: method, status: 500, detail: "server error".to_owned() };
    let missing = DockerError::NotFound { what: "it".to_owned() };
    let conflict = match method {
        "create" | "create_network" | "create_volume" | "rename" => {
            DockerError::NameTaken { name: "it".to_owned(), detail: "injected".to_owned() }
        }
        _ => DockerError::WrongState { what: "it".to_owned(), detail: "removal in progress".to_owned() },
    };
    [What::Error(refused), What::Error(missing), What::Error(conflict), What::Hang]
}

async fn converges(rig: &Rig, operating: &Operating, what: &str) {
    // A status of before may say so already: only the plan tells that nothing is left to do.
    rig.fake.clear_faults();
    rig.settled(what).await;
    rig.until(what, || (operating.done)(rig).then_some(())).await;
    rig.until(what, || (rig.fake.inventory() == operating.left).then_some(())).await;
}

/// Whether the call came at all.
async fn with_fault(operating: &Operating, skip: usize, fault: Fault) -> bool {
    let what = format!(
        "{}: call {} of {} {:?} {:?}",
        operating.name,
        skip + 1,
        fault.method,
        fault.when,
        fault.what
    );
    let rig = before(operating).await;
    let data = rig.servers.system_identifier(CONTAINER);
    let password = if operating.settled { Some(rig.password("main").await) } else { None };
    rig.fake.inject_after(skip, fault);
    (operating.act)(&rig);
    rig.until(&what, || (rig.fake.faults_left() == 0 || (operating.done)(&rig)).then_some(())).await;
    rig.settled(&what).await;
    let hit = rig.fake.faults_left() == 0;
    converges(&rig, operating, &what).await;
    if let Some(password) = password.filter(|_| operating.left.len() == 3) {
        assert_eq!(rig.password("main").await, password, "{what}");
        assert_eq!(rig.servers.system_identifier(CONTAINER), data, "{what}");
    }
    hit
}

async fn every_fault_in(operating: &Operating) {
    let calls = calls(operating).await;
    assert!(!calls.is_empty());
    let (mut tried, mut missed) = (0, 0);
    let mut count = |hit: bool| {
        tried += 1;
        missed += u32::from(!hit);
    };
    for (method, times) in calls {
        for what in errors(method) {
            count(with_fault(operating, 0, Fault { method, when: When::Before, what, times: 1 }).await);
        }
        for skip in 0..usize::try_from(times).unwrap() {
            for when in [When::Before, When::After] {
                count(with_fault(operating, skip, Fault::cut(method, when)).await);
            }
        }
    }
    // The number of reads differs a little from run to run; most faults must have come.
    assert!(missed * 5 < tried, "{missed} of {tried} faults never came");
}

/// Killed while a call hangs, before or after its effect, and started again over the same store.
async fn a_kill_at_every_call_of(operating: &Operating) {
    for (method, times) in calls(operating).await {
        for skip in 0..usize::try_from(times).unwrap() {
            for when in [When::Before, When::After] {
                let what = format!("{}: killed at call {} of {method}, {when:?}", operating.name, skip + 1);
                let mut rig = before(operating).await;
                let password = if operating.settled { Some(rig.password("main").await) } else { None };
                rig.fake.set_hang_limit(Duration::from_secs(100_000));
                rig.fake.inject_after(skip, Fault { method, when, what: What::Hang, times: 1 });
                (operating.act)(&rig);
                // Unless the call does not come this time (a sweep more or less).
                rig.until(&what, || (rig.fake.faults_left() == 0 || (operating.done)(&rig)).then_some(()))
                    .await;
                rig.crash().await;
                rig.check_and_restart().await;
                converges(&rig, operating, &what).await;
                if let Some(password) = password.filter(|_| operating.left.len() == 3) {
                    assert_eq!(rig.password("main").await, password, "{what}");
                }
            }
        }
    }
}

macro_rules! each_operation {
    ($($module:ident: $name:literal),* $(,)?) => {
        $(
            mod $module {
                use super::*;

                #[tokio::test(start_paused = true)]
                async fn survives_every_fault() {
                    every_fault_in(OPERATIONS.iter().find(|o| o.name == $name).unwrap()).await;
                }

                #[tokio::test(start_paused = true)]
                async fn survives_a_kill_at_every_call() {
                    a_kill_at_every_call_of(OPERATIONS.iter().find(|o| o.name == $name).unwrap()).await;
                }
            }
        )*
        #[test]
        fn every_operation_has_its_test() {
            assert_eq!(OPERATIONS.map(|o| o.name), [$($name),*]);
        }
    };
}

each_operation! {
    a_create: "create",
    a_re_create: "re-create",
    a_cap_change: "cap change",
    a_parameter_change: "parameters with a restart",
    a_repair: "removed by hand",
    a_stop: "stop",
    a_retain: "retain",
    a_delete: "delete",
}

/// The store refuses every write while an operation begins, then the process is gone.
#[tokio::test(start_paused = true)]
async fn a_store_that_fails_for_a_while_delays_everything_and_loses_nothing() {
    for operating in &OPERATIONS {
        let mut rig = before(operating).await;
        rig.store.fail_writes(true);
        (operating.act)(&rig);
        rig.let_pass(Duration::from_secs(90)).await;
        if rig.view("main").is_some() && operating.left.len() < 3 {
            assert!(rig.fake.seen(CONTAINER).is_some(), "{}: removed before the store knew", operating.name);
        }
        rig.crash().await;
        rig.store.fail_writes(false);
        rig.check_and_restart().await;
        converges(&rig, operating, operating.name).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_operation_survives_a_restart_of_the_operator() {
    let mut rig = Rig::start(&[("main", MAIN)]);
    rig.ready("main").await;
    rig.operator.operate(&object("main"), Operation::Stop).await.unwrap();
    rig.crash().await;
    rig.check_and_restart().await;
    rig.until("stopped", || (rig.phase("main") == "Stopped").then_some(())).await;
}
