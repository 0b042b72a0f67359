//! Whatever is the matter with the image that a manifest names, of every kind with a container: what runs is looked after with
//! the one in use, and nothing is removed for the sake of a successor that is not there.

use crate::kinds::postgres::KIND as POSTGRES;
use crate::kinds::{Kind, machine_tests};
use crate::machine::of::{Of, memory};
use crate::machine::rig::{PASSWD, Rig, image};
use futures_util::StreamExt;
use seawall::control::api::{Api, LogOptions, Operation};
use seawall::core::condition::ConditionType as C;
use seawall::core::seen::SeenImage;
use seawall::docker::DockerError;
use seawall::docker::fake::{Fault, What, When};
use seawall::store::Store;
use std::time::Duration;

machine_tests!(
    a_server_is_kept_whatever_the_engine_says_of_the_image_that_is_wanted,
    a_container_is_not_removed_before_its_successor_is_seen_to_be_local,
    an_image_that_cannot_be_pulled_holds_nothing_else_up,
    a_version_that_the_catalog_lost_leaves_its_server_looked_after,
    parameters_are_not_blamed_for_an_image_that_does_not_start,
    a_server_that_tells_its_password_is_not_repeated,
);

async fn settled(kind: &'static dyn Kind) -> Of {
    let rig = Of::settled(kind).await;
    rig.fake.reset_calls();
    rig
}

/// From now on the engine answers every question about an image so.
fn images_fail(rig: &Rig, error: DockerError) {
    let what = What::Error(error);
    rig.fake.inject(Fault { method: "image", when: When::Before, what, times: usize::MAX });
}

async fn a_server_is_kept_whatever_the_engine_says_of_the_image_that_is_wanted(kind: &'static dyn Kind) {
    let detail = "invalid reference format".to_owned();
    let refused = DockerError::Refused { doing: "inspect an image", status: 400, detail: detail.clone() };
    let broken = DockerError::Refused { doing: "inspect an image", status: 500, detail };
    let slow = DockerError::Timeout { doing: "inspect an image", after: Duration::from_secs(30) };
    for error in [refused, broken, slow] {
        let rig = settled(kind).await;
        let id = rig.container("main").unwrap().id;
        images_fail(&rig, error.clone());
        rig.put_version("main", "", rig.another(), "resources: {memory: 512Mi}");
        let why = rig.reason("main", C::Degraded, "ImageUnknown").await;
        assert!(why.contains(&kind.fake_image(rig.another())) && why.contains(&error.to_string()), "{why}");
        rig.until("Ready with its new cap", || {
            let caps = rig.container("main").unwrap().caps;
            (caps.memory == memory(512) && rig.serves()).then_some(())
        })
        .await;
        rig.fake.drift_kill(&rig.container).unwrap();
        rig.until("started", || (rig.up() && rig.serves()).then_some(())).await;
        rig.fake.drift_pause(&rig.container).unwrap();
        rig.until("not paused", || (rig.up() && rig.serves()).then_some(())).await;
        rig.fake.drift_rename(&rig.container, "mine").unwrap();
        rig.until("renamed", || (rig.up() && rig.serves()).then_some(())).await;
        rig.operator.operate(&rig.named("main"), Operation::Stop).await.unwrap();
        rig.until("stopped", || (rig.phase("main") == "Stopped" && !rig.up()).then_some(())).await;
        rig.operator.operate(&rig.named("main"), Operation::Start).await.unwrap();
        rig.until("up again", || (rig.up() && rig.serves()).then_some(())).await;
        assert_eq!(rig.container("main").unwrap().id, id, "{error}: the same container all along");
        rig.fake.clear_faults();
        rig.until("changed", || rig.container("main").filter(|c| c.id != id).map(|_| ())).await;
        rig.ready("main").await;
    }
}

async fn a_container_is_not_removed_before_its_successor_is_seen_to_be_local(kind: &'static dyn Kind) {
    let rig = settled(kind).await;
    let before = rig.container("main").unwrap();
    // Pinned, known, and the old one could not be stopped: then the new image goes away.
    let refused = DockerError::Refused { doing: "stop", status: 500, detail: "not now".to_owned() };
    rig.fake.inject(Fault {
        method: "stop",
        when: When::Before,
        what: What::Error(refused),
        times: usize::MAX,
    });
    rig.put_version("main", "", rig.another(), "");
    rig.until("pinned, and the stop failed", || rig.said("EngineRefused", "not now").then_some(())).await;
    rig.fake.remove_image(&kind.fake_image(rig.another()));
    // What was planned before cannot be done; then nothing stands in the way any more.
    let why = rig.reason("main", C::Degraded, "ImagePullFailed").await;
    rig.let_pass(Duration::from_secs(60)).await;
    rig.fake.clear_faults();
    rig.fake.reset_calls();
    assert!(why.contains(&kind.fake_image(rig.another())), "{why}");
    rig.let_pass(Duration::from_secs(300)).await;
    let after = rig.container("main").unwrap();
    assert_eq!((&after.id, &after.started_at), (&before.id, &before.started_at));
    assert!(rig.serves());
    let calls = rig.fake.call_log();
    assert!(!calls.contains_key("stop") && !calls.contains_key("remove"), "{calls:?}");
}

async fn an_image_that_cannot_be_pulled_holds_nothing_else_up(kind: &'static dyn Kind) {
    let rig = settled(kind).await;
    let data = rig.marked();
    rig.put_version("main", "", "remote", "");
    rig.reason("main", C::Degraded, "ImagePullFailed").await;
    rig.fake.drift_remove(&rig.container).unwrap();
    rig.until("made again from the image in use", || (rig.up() && rig.serves()).then_some(())).await;
    assert_eq!(rig.content(), data);
    rig.reason("main", C::Degraded, "ImagePullFailed").await;
    rig.put_version("main", "", "remote", &rig.live(1));
    rig.until("a parameter arrives", || rig.has_live(1).then_some(())).await;
    // Not one pull a look: with the back-off.
    rig.let_pass(Duration::from_secs(600)).await;
    rig.fake.reset_calls();
    rig.let_pass(Duration::from_secs(3_000)).await;
    let pulls = rig.fake.call_log()["pull"];
    assert!(pulls <= 25, "{pulls} pulls in 50 minutes");
}

async fn a_version_that_the_catalog_lost_leaves_its_server_looked_after(kind: &'static dyn Kind) {
    let mut rig = settled(kind).await;
    let id = rig.container("main").unwrap().id;
    let lost = kind.fake_catalog("local").replace(&format!("'{}':", kind.versions()[0]), "'99':");
    rig.text("catalog.yaml", &lost.replace(rig.another(), "98b"));
    rig.put_version("main", "", "gone", "resources: {memory: 512Mi}");
    let why = rig.reason("main", C::Degraded, "ManifestBroken").await;
    assert!(why.contains("is not in the catalog"), "{why}");
    rig.leave().await;
    rig.restart();
    rig.fake.drift_kill(&rig.container).unwrap();
    rig.until("started", || (rig.up() && rig.serves()).then_some(())).await;
    assert_eq!(rig.container("main").unwrap().id, id);
    assert_eq!(rig.container("main").unwrap().caps.memory, None, "the broken text is not in force");
}

async fn parameters_are_not_blamed_for_an_image_that_does_not_start(kind: &'static dyn Kind) {
    let rig = settled(kind).await;
    let broken = rig.add_image_like("mine/image:1", 32).await;
    // Nobody logs in before it dies.
    kind.fake_refusals()[0](&rig.fakes(), &rig.container, "Connection refused".to_owned());
    let by_image = kind.owned_by("appuser", "appdb") + ", " + &rig.live(1);
    rig.manifest("main", &kind.spec_with_image("mine/image:1", &by_image));
    rig.until("made", || rig.seen().filter(|c| c.image_id == broken).map(|_| ())).await;
    rig.until("started", || rig.up().then_some(())).await;
    rig.fake.set_logs(&rig.container, vec!["FATAL:  could not find my library".to_owned()]).unwrap();
    rig.fake.crash_loop(&rig.container, 1).unwrap();
    let why = rig.reason("main", C::Ready, "CrashLoop").await;
    assert!(why.contains("could not find my library"), "{why}");
    rig.let_pass(Duration::from_secs(60)).await;
    assert!(!rig.said("ParameterRejected", ""), "{:?}", rig.events());
    kind.fake_answer(&rig.fakes(), &rig.container);
    // Back to the image that works: the parameters arrive with it.
    rig.put(&rig.live(1));
    rig.ready("main").await;
    assert!(rig.has_live(1));
}

async fn a_server_that_tells_its_password_is_not_repeated(kind: &'static dyn Kind) {
    let rig = settled(kind).await;
    let password = rig.password("main").await;
    rig.fake.set_logs(&rig.container, vec![format!("LOG: it is {password}")]).unwrap();
    for (n, refuse) in kind.fake_refusals().into_iter().enumerate() {
        let words = format!("answer {n}: it is {password}");
        refuse(&rig.fakes(), &rig.container, words);
        rig.fake.drift_kill(&rig.container).unwrap();
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
        let file = std::fs::read_to_string(rig.data(&format!("status/{}.yaml", rig.object))).unwrap();
        assert!(!file.contains(&password), "{n}: {file}");
    }
    let log = rig.operator.logs(&rig.named("main"), &LogOptions::default()).await.unwrap();
    let log: Vec<String> = log.map(Result::unwrap).collect().await;
    assert_eq!(log, ["LOG: it is ********"]);
}

// What of a PostgreSQL's image has to fit its data.

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
        let rig = settled(&POSTGRES).await;
        let before = rig.container("main").unwrap();
        another(&rig, "mine/postgres:18", 8, |i| change.into_iter().for_each(|c| c(i)), catalog);
        rig.manifest("main", &by_image("mine/postgres:18", ", parameters: {work_mem: 9MB}"));
        let why = rig.reason("main", C::Degraded, reason).await;
        assert!(why.contains(words) && why.contains("Nothing was touched"), "{why}");
        rig.until("the parameter arrives", || rig.has_live(1).then_some(())).await;
        rig.fake.drift_kill(&rig.container).unwrap();
        rig.until("started", || (rig.up() && rig.serves()).then_some(())).await;
        assert_eq!(rig.container("main").unwrap().id, before.id, "{reason}");
        let calls = rig.fake.call_log();
        assert!(!calls.contains_key("stop") && calls.get("remove").is_none_or(|n| *n == 1), "{calls:?}");
        rig.put_version("main", "", rig.another(), "");
        rig.until("an image that fits", || rig.container("main").filter(|c| c.id != before.id).map(|_| ()))
            .await;
        rig.ready("main").await;
    }
}
