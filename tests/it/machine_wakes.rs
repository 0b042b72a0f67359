//! What wakes objects, how often, and who waits for whom: what fails or hangs must hurry and hold up nobody,
//! itself neither.

use crate::machine::rig::Rig;
use seawall::control::api::Api;
use std::time::Duration;

const MAIN: &str = "{version: '18', database: appdb, username: appuser}";

async fn settled() -> Rig {
    let rig = Rig::start(&[("main", MAIN)]);
    rig.ready("main").await;
    rig.let_pass(Duration::from_secs(1)).await;
    rig
}

#[tokio::test(start_paused = true)]
async fn looking_at_plans_takes_nothing_from_a_pass() {
    let rig = settled().await;
    rig.servers.set_slow("postgres-main", Duration::from_millis(30));
    let looks: Vec<_> = (0..5)
        .map(|n| {
            let operator = rig.operator.clone();
            tokio::spawn(async move {
                loop {
                    operator.plan(None).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(7 * n)).await;
                }
            })
        })
        .collect();
    for n in 0..30 {
        rig.manifest("main", &format!("{{version: '18', database: db{n}, username: appuser}}"));
        rig.until("made", || rig.said("DatabaseCreated", &format!("db{n}")).then_some(())).await;
    }
    let failed: Vec<_> = rig.events().into_iter().filter(|e| e.reason.ends_with("Failed")).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    looks.iter().for_each(tokio::task::JoinHandle::abort);
}
