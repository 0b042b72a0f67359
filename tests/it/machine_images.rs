//! Whatever is the matter with the image that a manifest names: what runs is looked after with the one in
//! use, and nothing is removed for the sake of a successor that is not there.

use crate::machine::rig::{CATALOG, PASSWD, Rig, image, object};
use futures_util::StreamExt;
use seawall::control::api::{Api, Operation};
use seawall::core::condition::{ConditionType as C, Truth};
use seawall::core::quantity::Bytes;
use seawall::core::seen::{ContainerState, SeenImage};
use seawall::docker::DockerError;
use seawall::docker::fake::{Fault, What, When};
use seawall::kinds::postgres::client::SqlError;
use seawall::store::Store;
use std::time::Duration;

const MAIN: &str = "{version: '18', database: appdb, username: appuser}";
const CONTAINER: &str = "postgres-main";

fn spec(version: &str, more: &str) -> String {
    format!("{{version: '{version}', database: appdb, username: appuser{more}}}")
}

fn up(rig: &Rig) -> bool {
    rig.container("main").is_some_and(|c| c.state == ContainerState::Running)
}

async fn settled() -> Rig {
    let rig = Rig::start(&[("main", MAIN)]);
    rig.ready("main").await;
    rig.fake.reset_calls();
    rig
}

/// From now on the engine answers every question about an image so.
fn images_fail(rig: &Rig, error: DockerError) {
    let what = What::Error(error);
    rig.fake.inject(Fault { method: "image", when: When::Before, what, times: usize::MAX });
}

fn is(rig: &Rig, kind: C, truth: Truth) -> bool {
    rig.condition("main", kind).is_some_and(|c| c.status == truth)
}

#[tokio::test(start_paused = true)]
async fn a_server_is_kept_whatever_the_engine_says_of_the_image_that_is_wanted() {
    let detail = "invalid reference format".to_owned();
    let refused = DockerError::Refused { doing: "inspect an image", status: 400, detail: detail.clone() };
    let broken = DockerError::Refused { doing: "inspect an image", status: 500, detail };
    let slow = DockerError::Timeout { doing: "inspect an image", after: Duration::from_secs(30) };
    for error in [refused, broken, slow] {
        let rig = settled().await;
        let id = rig.container("main").unwrap().id;
        images_fail(&rig, error.clone());
        rig.manifest("main", &spec("18b", ", resources: {memory: 512Mi}"));
        let why = rig.reason("main", C::Degraded, "ImageUnknown").await;
        assert!(why.contains("local/postgres:18b") && why.contains(&error.to_string()), "{why}");
        rig.until("Ready with its new cap", || {
            let caps = rig.container("main").unwrap().caps;
            (caps.memory == Some(Bytes(512 << 20)) && is(&rig, C::Ready, Truth::True)).then_some(())
        })
        .await;
        rig.fake.drift_kill(CONTAINER).unwrap();
        rig.until("started", || (up(&rig) && is(&rig, C::Ready, Truth::True)).then_some(())).await;
        rig.fake.drift_pause(CONTAINER).unwrap();
        rig.until("not paused", || (up(&rig) && is(&rig, C::Ready, Truth::True)).then_some(())).await;
        rig.fake.drift_rename(CONTAINER, "mine").unwrap();
        rig.until("renamed", || (up(&rig) && is(&rig, C::Ready, Truth::True)).then_some(())).await;
        rig.operator.operate(&object("main"), Operation::Stop).await.unwrap();
        rig.until("stopped", || (rig.phase("main") == "Stopped" && !up(&rig)).then_some(())).await;
        rig.operator.operate(&object("main"), Operation::Start).await.unwrap();
        rig.until("up again", || (up(&rig) && is(&rig, C::Ready, Truth::True)).then_some(())).await;
        assert_eq!(rig.container("main").unwrap().id, id, "{error}: the same container all along");
        rig.fake.clear_faults();
        rig.until("changed", || rig.container("main").filter(|c| c.id != id).map(|_| ())).await;
        rig.ready("main").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_container_is_not_removed_before_its_successor_is_seen_to_be_local() {
    let rig = settled().await;
    let before = rig.container("main").unwrap();
    // Pinned, known, and the old one could not be stopped: then the new image goes away.
    let refused = DockerError::Refused { doing: "stop", status: 500, detail: "not now".to_owned() };
    rig.fake.inject(Fault {
        method: "stop",
        when: When::Before,
        what: What::Error(refused),
        times: usize::MAX,
    });
    rig.manifest("main", &spec("18b", ""));
    rig.until("pinned, and the stop failed", || rig.said("EngineRefused", "not now").then_some(())).await;
    rig.fake.remove_image("local/postgres:18b");
    // What was planned before cannot be done; then nothing stands in the way any more.
    let why = rig.reason("main", C::Degraded, "ImagePullFailed").await;
    rig.let_pass(Duration::from_secs(60)).await;
    rig.fake.clear_faults();
    rig.fake.reset_calls();
    assert!(why.contains("local/postgres:18b"), "{why}");
    rig.let_pass(Duration::from_secs(300)).await;
    let after = rig.container("main").unwrap();
    assert_eq!((&after.id, &after.started_at), (&before.id, &before.started_at));
    assert!(is(&rig, C::Ready, Truth::True));
    let calls = rig.fake.call_log();
    assert!(!calls.contains_key("stop") && !calls.contains_key("remove"), "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn an_image_that_cannot_be_pulled_holds_nothing_else_up() {
    let rig = settled().await;
    let data = rig.servers.system_identifier(CONTAINER);
    rig.manifest("main", &spec("remote", ""));
    rig.reason("main", C::Degraded, "ImagePullFailed").await;
    rig.fake.drift_remove(CONTAINER).unwrap();
    rig.until("made again from the image in use", || {
        (up(&rig) && is(&rig, C::Ready, Truth::True)).then_some(())
    })
    .await;
    assert_eq!(rig.servers.system_identifier(CONTAINER), data);
    rig.reason("main", C::Degraded, "ImagePullFailed").await;
    rig.manifest("main", &spec("remote", ", parameters: {work_mem: 16MB}"));
    rig.until("a parameter arrives", || {
        let file = rig.fake.file(CONTAINER, "/etc/seawall/postgresql.conf").unwrap().unwrap();
        String::from_utf8_lossy(&file.content).contains("16MB").then_some(())
    })
    .await;
    // Not one pull a look: with the back-off.
    rig.let_pass(Duration::from_secs(600)).await;
    rig.fake.reset_calls();
    rig.let_pass(Duration::from_secs(3_000)).await;
    let pulls = rig.fake.call_log()["pull"];
    assert!(pulls <= 25, "{pulls} pulls in 50 minutes");
}

#[tokio::test(start_paused = true)]
async fn a_version_that_the_catalog_lost_leaves_its_server_looked_after() {
    let mut rig = settled().await;
    let id = rig.container("main").unwrap().id;
    std::fs::write(rig.path("catalog.yaml"), CATALOG.replace("'18':", "'99':").replace("18b", "98b"))
        .unwrap();
    rig.manifest("main", &spec("gone", ", resources: {memory: 512Mi}"));
    let why = rig.reason("main", C::Degraded, "ManifestBroken").await;
    assert!(why.contains("is not in the catalog"), "{why}");
    rig.leave().await;
    rig.restart();
    rig.fake.drift_kill(CONTAINER).unwrap();
    rig.until("started", || (up(&rig) && is(&rig, C::Ready, Truth::True)).then_some(())).await;
    assert_eq!(rig.container("main").unwrap().id, id);
    assert_eq!(rig.container("main").unwrap().caps.memory, None, "the broken text is not in force");
}

/// An image of the same major, local, with what tells it from the one in use.
fn another(rig: &Rig, tag: &str, n: u8, change: impl FnOnce(&mut SeenImage), catalog: u32) {
    let mut image = image(tag, 18, n);
    change(&mut image);
    rig.fake.add_image(image);
    rig.fake.add_image_file(tag, "/etc/passwd", PASSWD);
    let program = format!("\0PG_18_{catalog}\0");
    rig.fake.add_image_file(tag, "/usr/lib/postgresql/18/bin/postgres", program.as_bytes());
}

const CATALOG_OF_18: u32 = 202_506_291;

fn by_image(image: &str, more: &str) -> String {
    format!("{{image: '{image}', database: appdb, username: appuser{more}}}")
}

#[tokio::test(start_paused = true)]
async fn an_image_that_does_not_fit_the_data_is_blocked_before_the_stop_and_everything_else_goes_on() {
    let elsewhere = |i: &mut SeenImage| {
        i.env = [("PG_MAJOR", "18"), ("PGDATA", "/var/lib/postgresql/data")].into_iter().collect();
    };
    for (reason, words, change, catalog) in [
        ("DataElsewhere", "18/docker", Some(elsewhere), CATALOG_OF_18),
        ("CatalogVersionChange", "catalog version 202506291", None, 202_505_071),
    ] {
        let rig = settled().await;
        let before = rig.container("main").unwrap();
        another(&rig, "mine/postgres:18", 8, |i| change.into_iter().for_each(|c| c(i)), catalog);
        rig.manifest("main", &by_image("mine/postgres:18", ", parameters: {work_mem: 16MB}"));
        let why = rig.reason("main", C::Degraded, reason).await;
        assert!(why.contains(words) && why.contains("Nothing was touched"), "{why}");
        rig.until("the parameter arrives", || {
            let file = rig.fake.file(CONTAINER, "/etc/seawall/postgresql.conf").unwrap().unwrap();
            String::from_utf8_lossy(&file.content).contains("16MB").then_some(())
        })
        .await;
        rig.fake.drift_kill(CONTAINER).unwrap();
        rig.until("started", || (up(&rig) && is(&rig, C::Ready, Truth::True)).then_some(())).await;
        assert_eq!(rig.container("main").unwrap().id, before.id, "{reason}");
        let calls = rig.fake.call_log();
        assert!(!calls.contains_key("stop") && calls.get("remove").is_none_or(|n| *n == 1), "{calls:?}");
        rig.manifest("main", &spec("18b", ""));
        rig.until("an image that fits", || rig.container("main").filter(|c| c.id != before.id).map(|_| ()))
            .await;
        rig.ready("main").await;
    }
}

#[tokio::test(start_paused = true)]
async fn parameters_are_not_blamed_for_an_image_that_does_not_start() {
    let rig = settled().await;
    another(&rig, "mine/postgres:18", 8, |_| {}, CATALOG_OF_18);
    let broken = image("mine/postgres:18", 18, 8).id;
    // Nobody logs in before it dies.
    rig.servers.set_answer(CONTAINER, Some(SqlError::Refused("Connection refused".to_owned())));
    let both = ", parameters: {work_mem: 16MB}";
    rig.manifest("main", &by_image("mine/postgres:18", both));
    rig.until("made", || rig.container("main").filter(|c| c.image_id == broken).map(|_| ())).await;
    rig.until("started", || up(&rig).then_some(())).await;
    rig.fake.set_logs(CONTAINER, vec!["FATAL:  could not find my library".to_owned()]).unwrap();
    rig.fake.crash_loop(CONTAINER, 1).unwrap();
    let why = rig.reason("main", C::Ready, "CrashLoop").await;
    assert!(why.contains("could not find my library"), "{why}");
    rig.let_pass(Duration::from_secs(60)).await;
    assert!(!rig.said("ParameterRejected", ""), "{:?}", rig.events());
    rig.servers.set_answer(CONTAINER, None);
    // Back to the image that works: the parameters arrive with it.
    rig.manifest("main", &spec("18", both));
    rig.ready("main").await;
    let file = rig.fake.file(CONTAINER, "/etc/seawall/postgresql.conf").unwrap().unwrap();
    assert!(String::from_utf8_lossy(&file.content).contains("16MB"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_tells_its_password_is_not_repeated() {
    let rig = Rig::start(&[("main", "{version: '18'}")]);
    rig.ready("main").await;
    let password = rig.password("main").await;
    rig.fake.set_logs(CONTAINER, vec![format!("LOG: it is {password}")]).unwrap();
    let answers: [fn(String) -> SqlError; 4] =
        [SqlError::Refused, SqlError::LoginRefused, SqlError::Failed, SqlError::Starting];
    for (n, answer) in answers.into_iter().enumerate() {
        let words = format!("answer {n}: it is {password}");
        rig.servers.set_answer(CONTAINER, Some(answer(words)));
        rig.fake.drift_kill(CONTAINER).unwrap();
        let told = || {
            let shown = format!("{:?} {:?}", rig.view("main"), rig.events());
            shown.contains(&format!("answer {n}: it is ********")).then_some(shown)
        };
        let shown = rig.until("told", told).await;
        assert!(!shown.contains(&password), "{n}: {shown}");
        let plans = format!("{:?}", rig.plans().await);
        assert!(!plans.contains(&password), "{n}: {plans}");
        let stored = format!("{:?} {:?}", rig.store.scan("status/"), rig.store.scan("event/"));
        assert!(stored.contains("********") && !stored.contains(&password), "{n}: {stored}");
        let file = std::fs::read_to_string(rig.data("status/postgres/main.yaml")).unwrap();
        assert!(!file.contains(&password), "{n}: {file}");
    }
    let log = rig.operator.logs(&object("main"), None, false).await.unwrap();
    let log: Vec<String> = log.map(Result::unwrap).collect().await;
    assert_eq!(log, ["LOG: it is ********"]);
}
