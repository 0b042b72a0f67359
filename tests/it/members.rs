//! Objects with several containers, on the real machine with a kind of the tests' own: any of its members drifts, goes and
//! comes back by itself, and nothing of anybody else is touched.

mod fleet;

use crate::machine::rig::{Rig, engine};
use fleet::{FILE, Fleet, role};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use seawall::control::api::Api;
use seawall::control::operator::Times;
use seawall::control::recover::{Remains, add_member, look, record, survey};
use seawall::core::condition::{ConditionType, Truth};
use seawall::core::member::Role;
use seawall::core::names::{Installation, label};
use seawall::core::quantity::Bytes;
use seawall::core::resource::Caps;
use seawall::core::seen::ContainerState;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const ROLES: [&str; 3] = ["monitor", "node-1", "node-2"];
const TWO: &str = "{nodes: 2, image: 'local/redis:8', memory: 256, published: true}";

type Proofs = Arc<Mutex<BTreeMap<Role, u32>>>;

fn rig(times: Times) -> (Rig, Proofs) {
    let proofs = Proofs::default();
    let known = Arc::clone(&proofs);
    let kind = move |kinds: seawall::control::registry::Kinds, tools: &Arc<seawall::workload::Tools>| {
        kinds.with(Fleet { tools: Arc::clone(tools), proofs: Arc::clone(&known) })
    };
    (Rig::with(engine(), times, Arc::new(kind)), proofs)
}

fn fleet(rig: &Rig, name: &str, annotations: &str, spec: &str) {
    let text = format!(
        "apiVersion: seawall.dev/v1\nkind: Redis\nmetadata: {{name: {name}, annotations: {{{annotations}}}}}\nspec: {spec}\n"
    );
    rig.text(&format!("{name}.yaml"), &text);
}

/// One of two nodes that serves.
async fn serving() -> (Rig, Proofs) {
    let (mut rig, proofs) = rig(Times::default());
    fleet(&rig, "main", "", TWO);
    rig.drive();
    rig.ready("redis/main").await;
    rig.settled("made").await;
    (rig, proofs)
}

fn container(role: &str) -> String {
    format!("redis-main.{role}")
}

fn volume(role: &str) -> String {
    format!("redis-main..{role}-data")
}

/// What is wrong with a member, if anything is.
fn trouble(rig: &Rig, role: &str) -> Option<String> {
    let name = container(role);
    let Some(c) = rig.fake.seen(&name) else { return Some(format!("{name} is not there")) };
    let memory = if role == "monitor" { 64 } else { 256 };
    let remembered = rig.memory("redis/main")["members"][role]["container"].clone();
    let file = rig.fake.file(&name, FILE).ok().flatten().map(|file| file.content.to_vec());
    let right = [
        ("runs", c.state == ContainerState::Running),
        ("is remembered", remembered == c.id.as_str()),
        ("caps", c.caps.memory == Some(Bytes(memory << 20))),
        ("restart policy", c.restart_policy == "always"),
        ("network", c.endpoint("seawall").is_some()),
        ("volume", c.mounts.iter().any(|m| m.volume == volume(role) && m.path == "/data")),
        ("label", c.labels.get(label::ROLE) == Some(role)),
        ("file", file.as_deref() == Some(role.as_bytes())),
        ("port", c.published.is_empty() == (role == "monitor")),
    ];
    let wrong: Vec<&str> = right.iter().filter(|(_, right)| !right).map(|(what, _)| *what).collect();
    (!wrong.is_empty()).then(|| format!("{name}: {wrong:?}: {c:?}"))
}

fn all_well(rig: &Rig, what: &str) {
    for role in ROLES {
        assert_eq!(trouble(rig, role), None, "{what}: {:#?}", rig.events());
    }
}

#[tokio::test(start_paused = true)]
async fn members_are_made_one_after_another_each_with_its_own_things() {
    let (mut rig, proofs) = rig(Times::default());
    fleet(&rig, "main", "", TWO);
    // A mere plan tells the first, and takes nothing.
    let plan = rig.plan("redis/main").await;
    let steps: Vec<&str> = plan.steps.iter().map(|s| s.action.as_str()).collect();
    assert!(steps.contains(&"monitor: create container redis-main.monitor"), "{steps:?}");
    assert!(!steps.iter().any(|step| step.contains("node-")), "{steps:?}");
    rig.drive();
    rig.ready("redis/main").await;
    rig.settled("made").await;
    all_well(&rig, "made");
    let wanted: Vec<String> = ROLES.map(container).into_iter().chain(ROLES.map(volume)).collect();
    let wanted: BTreeSet<String> = wanted.into_iter().chain(["seawall".to_owned()]).collect();
    assert_eq!(rig.fake.inventory().into_iter().collect::<BTreeSet<_>>(), wanted);
    let ports = |rig: &Rig| {
        ["node-1", "node-2"].map(|role| rig.fake.seen(&container(role)).unwrap().published[0].host)
    };
    let made = ports(&rig);
    assert!(made[0] < made[1], "each keeps the port that it was promised while it waited: {made:?}");
    // Each is proven, and that they are is no news.
    let writes = rig.fake.writes();
    rig.let_pass(Duration::from_secs(300)).await;
    let known: Vec<String> = proofs.lock().unwrap().keys().map(ToString::to_string).collect();
    assert_eq!((known, rig.fake.writes()), (ROLES.map(str::to_owned).to_vec(), writes));
    rig.leave().await;
    rig.check_and_restart().await;
    rig.let_pass(Duration::from_secs(100)).await;
    assert_eq!(rig.fake.writes(), writes, "a new process finds all of them as they are");
    assert_eq!(ports(&rig), made);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_is_not_wanted_goes_and_finds_its_data_when_it_is_again() {
    let (rig, _) = serving().await;
    let before = rig.memory("redis/main")["members"]["node-2"]["port"].clone();
    fleet(&rig, "main", "", &TWO.replace("nodes: 2", "nodes: 1"));
    rig.until("it goes", || rig.fake.seen(&container("node-2")).is_none().then_some(())).await;
    rig.settled("one less").await;
    assert!(rig.fake.inventory().contains(&volume("node-2")), "nobody agreed to lose its data");
    assert_eq!(trouble(&rig, "monitor").or(trouble(&rig, "node-1")), None);
    fleet(&rig, "main", "", TWO);
    rig.until("it is back", || trouble(&rig, "node-2").is_none().then_some(())).await;
    assert_eq!(rig.memory("redis/main")["members"]["node-2"]["port"], before);
    assert!(!rig.fake.call_log().contains_key("remove_volume"));
}

#[tokio::test(start_paused = true)]
async fn without_a_manifest_all_members_go_and_their_data_only_with_consent() {
    let (mut rig, _) = rig(Times::default());
    // Enough others that a removal is no more than half of them.
    ["x", "y"].iter().for_each(|name| rig.manifest(name, "{image: 'local/postgres:18', port: none}"));
    fleet(&rig, "main", "", &TWO.replace("nodes: 2", "nodes: 3"));
    rig.drive();
    rig.ready("redis/main").await;
    // One that is not wanted any more goes with the rest.
    fleet(&rig, "main", "", TWO);
    rig.until("one less", || rig.fake.seen(&container("node-3")).is_none().then_some(())).await;
    let ours = |rig: &Rig| -> Vec<String> {
        rig.fake.inventory().into_iter().filter(|name| name.starts_with("redis-")).collect()
    };
    rig.remove("main");
    let containers = |rig: &Rig| ours(rig).iter().any(|name| !name.ends_with("-data"));
    rig.until("all containers go", || (!containers(&rig)).then_some(())).await;
    rig.settled("kept").await;
    let volumes: Vec<String> = ["monitor", "node-1", "node-2", "node-3"].map(volume).into();
    assert_eq!(ours(&rig), volumes);
    fleet(&rig, "main", "seawall.dev/confirm-delete: main", &TWO.replace('{', "{delete: true, "));
    rig.until("back", || ROLES.iter().all(|role| trouble(&rig, role).is_none()).then_some(())).await;
    rig.remove("main");
    rig.until("all of it goes", || rig.view("redis/main").is_none().then_some(())).await;
    assert_eq!(ours(&rig), Vec::<String>::new());
    assert!(rig.is_ready("x") && rig.is_ready("y"));
}

#[tokio::test(start_paused = true)]
async fn what_is_in_the_way_of_one_is_kept_and_so_is_the_record() {
    let (mut rig, _) = rig(Times::default());
    rig.fake.add_foreign_volume(&volume("node-2"));
    fleet(&rig, "main", "seawall.dev/confirm-delete: main", &TWO.replace('{', "{delete: true, "));
    ["x", "y"].iter().for_each(|name| rig.manifest(name, "{image: 'local/postgres:18', port: none}"));
    rig.drive();
    let words = rig.reason("redis/main", ConditionType::Ready, "NameConflict").await;
    assert!(words.contains(&volume("node-2")), "{words}");
    assert_eq!(trouble(&rig, "monitor").or(trouble(&rig, "node-1")), None);
    rig.remove("main");
    let gone = |rig: &Rig| !rig.fake.inventory().contains(&volume("node-1"));
    rig.until("what is ours goes", || gone(&rig).then_some(())).await;
    rig.let_pass(Duration::from_secs(1_200)).await;
    assert!(rig.fake.inventory().contains(&volume("node-2")), "it is not ours");
    assert!(rig.view("redis/main").is_some(), "whoever is in the way is still told");
}

#[tokio::test(start_paused = true)]
async fn a_renamed_object_takes_the_data_of_all_its_members_along() {
    let (rig, _) = serving().await;
    let ports = |rig: &Rig, object: &str| -> Vec<serde_json::Value> {
        ["node-1", "node-2"].map(|role| rig.memory(object)["members"][role]["port"].clone()).into()
    };
    let before = ports(&rig, "redis/main");
    rig.remove("main");
    fleet(&rig, "new", "", TWO);
    let names = ["redis/main", "redis/new"].map(|name| name.parse().unwrap());
    rig.let_pass(Duration::from_secs(2)).await;
    rig.operator.rename(&names[0], &names[1]).await.unwrap();
    rig.ready("redis/new").await;
    rig.settled("renamed").await;
    let volumes: Vec<String> = rig.fake.inventory().into_iter().filter(|n| n.ends_with("-data")).collect();
    assert_eq!(volumes, ROLES.map(volume));
    for role in ROLES {
        let c = rig.fake.seen(&format!("redis-new.{role}")).unwrap();
        assert!(c.mounts.iter().any(|m| m.volume == volume(role)), "{c:?}");
    }
    assert_eq!(ports(&rig, "redis/new"), before);
    assert!(rig.view("redis/main").is_none());
    // What has the old name from now on has volumes of its own.
    fleet(&rig, "main", "seawall.dev/new: 'true'", TWO);
    rig.ready("redis/main").await;
    assert_eq!(rig.fake.inventory().into_iter().filter(|n| n.ends_with("-data")).count(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_copy_of_one_is_said_and_the_others_go_on() {
    let (rig, _) = serving().await;
    let image = rig.fake.seen(&container("node-1")).unwrap().image_id;
    rig.fake.add_copy("copy", &container("node-1"), &image);
    let words = |rig: &Rig| {
        let progressing = rig.condition("redis/main", ConditionType::Progressing)?;
        (progressing.reason == "DuplicateContainer").then_some(progressing.message)
    };
    let said = rig.until("said", || words(&rig)).await;
    assert!(said.contains("copy") && said.contains(&container("node-1")), "{said}");
    rig.fake.drift_kill(&container("node-2")).unwrap();
    rig.until("another member is repaired", || trouble(&rig, "node-2").is_none().then_some(())).await;
    assert!(rig.fake.seen("copy").is_some());
    assert_eq!(rig.condition("redis/main", ConditionType::Ready).unwrap().status, Truth::True);
    rig.fake.drift_remove("copy").unwrap();
    rig.settled("it is gone").await;
}

#[tokio::test(start_paused = true)]
async fn the_lost_volume_of_one_is_not_replaced_by_an_empty_one() {
    let (rig, _) = serving().await;
    rig.fake.drift_remove(&container("node-1")).unwrap();
    rig.fake.drift_remove_volume(&volume("node-1")).unwrap();
    let lost = |rig: &Rig| {
        let progressing = rig.condition("redis/main", ConditionType::Progressing)?;
        (progressing.reason == "VolumeMissing").then_some(progressing.message)
    };
    let said = rig.until("said", || lost(&rig)).await;
    assert!(said.contains(&volume("node-1")), "{said}");
    rig.let_pass(Duration::from_secs(100)).await;
    assert!(!rig.fake.inventory().contains(&volume("node-1")));
    assert_eq!(trouble(&rig, "monitor").or(trouble(&rig, "node-2")), None);
}

#[tokio::test(start_paused = true)]
async fn the_record_of_all_members_is_made_anew_from_what_is_left() {
    let (mut rig, _) = serving().await;
    rig.leave().await;
    let (docker, installation) = (rig.operator.tools.docker.as_ref(), Installation::default());
    let (remains, unproven) = survey(&rig.operator.kinds, docker, &installation).await.unwrap();
    assert!(unproven.is_empty(), "{unproven:?}");
    let roles: Vec<String> = remains.iter().map(|r: &Remains| r.role.to_string()).collect();
    assert_eq!(roles, ROLES);
    let kinds = &rig.operator.kinds;
    let mut found = None;
    for one in &remains {
        let looked = look(kinds, docker, &installation, one, None, &BTreeSet::new()).await.unwrap();
        match &mut found {
            None => found = Some(record(kinds, one, &looked, None)),
            Some(record) => add_member(record, one, &looked, None),
        }
    }
    let found = found.unwrap();
    assert!(found.source.is_some() && !found.asked.stopped);
    for name in ROLES {
        let (memory, c) =
            (found.memory.member(&role(name)).unwrap(), rig.fake.seen(&container(name)).unwrap());
        assert_eq!(memory.container.as_ref(), Some(&c.id));
        assert_eq!(memory.port, c.published.first().map(|p| p.host));
        assert!(memory.ever_ready, "{name}: it may hold data");
    }
    assert_eq!(found.memory.work().container, None);
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Deed {
    Kill,
    Remove,
    Crash,
    Pause,
    Rename,
    Disconnect,
    RestartPolicy,
    UpdateCaps,
    RemoveNetwork,
    LoseEvents,
    KillOperator,
    RestartOperator,
    Fewer,
    As,
    Wait,
}

fn deed() -> impl Strategy<Value = Deed> {
    use Deed::*;
    select(vec![
        Kill,
        Remove,
        Crash,
        Pause,
        Rename,
        Disconnect,
        RestartPolicy,
        UpdateCaps,
        RemoveNetwork,
        LoseEvents,
        KillOperator,
        RestartOperator,
        Fewer,
        As,
        Wait,
    ])
}

async fn act(rig: &mut Rig, deed: Deed, role: &str) {
    let (fake, c) = (rig.fake.clone(), container(role));
    // On a container that is not there a deed does nothing.
    match deed {
        Deed::Kill => drop(fake.drift_kill(&c)),
        Deed::Remove => drop(fake.drift_remove(&c)),
        Deed::Crash => drop(fake.crash(&c, 2)),
        Deed::Pause => drop(fake.drift_pause(&c)),
        Deed::Rename => drop(fake.drift_rename(&c, &format!("mine-{role}"))),
        Deed::Disconnect => drop(fake.drift_disconnect(&c, "seawall")),
        Deed::RestartPolicy => drop(fake.drift_restart_policy(&c, "on-failure")),
        Deed::UpdateCaps => {
            let caps = Caps { memory: Some(Bytes(128 << 20)), ..Caps::default() };
            drop(fake.drift_update_caps(&c, caps));
        }
        Deed::RemoveNetwork => {
            ROLES.iter().for_each(|role| drop(fake.drift_disconnect(&container(role), "seawall")));
            fake.network_ids("seawall").iter().for_each(|id| drop(fake.drift_remove_network(id)));
        }
        Deed::LoseEvents => fake.drop_events(true),
        Deed::KillOperator => {
            rig.crash().await;
            rig.check_and_restart().await;
        }
        Deed::RestartOperator => {
            rig.leave().await;
            rig.check_and_restart().await;
        }
        Deed::Fewer => fleet(rig, "main", "", &TWO.replace("nodes: 2", "nodes: 1")),
        Deed::As => fleet(rig, "main", "", TWO),
        Deed::Wait => rig.let_pass(Duration::from_secs(2)).await,
    }
}

/// Things of others whose names or labels are close to ours.
fn strangers(rig: &Rig) -> Vec<String> {
    let fake = &rig.fake;
    // By name alone: of a member that there may be, of one that cannot be, of an object with a dash.
    for name in
        ["redis-main.node-7", "redis-main", "redis-main.node-1.x", "redis-main-node-1", "redis-main..node-1"]
    {
        fake.add_foreign_container(name);
    }
    let labels = fake.seen(&container("node-1")).unwrap().labels;
    let other = |key: &'static str, value: &'static str| {
        let rest = labels.iter().filter(move |(name, _)| *name != key);
        rest.chain((!value.is_empty()).then_some((key, value))).collect::<Vec<_>>()
    };
    // With all of our labels but one.
    for (name, key, value) in [
        ("redis-main.node-8", label::INSTALLATION, "blue"),
        ("unknown-role", label::ROLE, "node-8"),
        ("no-role", label::ROLE, ""),
        ("bad-role", label::ROLE, "a.b"),
    ] {
        fake.add_copy(name, &container("node-1"), "sha256:theirs");
        fake.relabel(name, other(key, value).into_iter()).unwrap();
    }
    for name in
        ["redis-main..node-7-data", "redis-main.node-1-data", "redis-main-data", "redis-main-node-1-data"]
    {
        fake.add_foreign_volume(name);
    }
    let ours: BTreeSet<String> =
        ROLES.iter().flat_map(|role| [container(role), volume(role), format!("mine-{role}")]).collect();
    fake.inventory().into_iter().filter(|name| !ours.contains(name) && name != "seawall").collect()
}

/// What they are, to the byte.
fn as_they_are(rig: &Rig, names: &[String]) -> Vec<String> {
    names.iter().map(|name| format!("{name} {:?}", rig.fake.seen(name))).collect()
}

async fn comes_to_rest(deeds: Vec<(Deed, u8, u8)>, goes: bool) -> Result<(), TestCaseError> {
    let times = Times { look: Duration::from_secs(60), ..Times::default() };
    let (mut rig, _) = rig(times);
    fleet(&rig, "main", "", TWO);
    rig.drive();
    rig.ready("redis/main").await;
    let strangers = strangers(&rig);
    let before = as_they_are(&rig, &strangers);
    rig.let_pass(Duration::from_secs(40)).await;
    for (deed, member, pause) in &deeds {
        act(&mut rig, *deed, ROLES[usize::from(*member)]).await;
        rig.let_pass(Duration::from_millis(u64::from(*pause) * 40)).await;
    }
    rig.fake.drop_events(false);
    let what = format!("after {deeds:?}");
    fleet(&rig, "main", "", TWO);
    // As long as the slowest repair may take: what only a whole look shows.
    rig.let_pass(Duration::from_secs(130)).await;
    rig.ready("redis/main").await;
    rig.settled(&what).await;
    for role in ROLES {
        prop_assert_eq!(trouble(&rig, role), None, "{}: {:#?}", &what, rig.events());
    }
    prop_assert!(!rig.fake.call_log().contains_key("remove_volume"), "{}", &what);
    prop_assert_eq!(as_they_are(&rig, &strangers), before.clone(), "{}", &what);
    rig.fake.reset_calls();
    rig.let_pass(Duration::from_secs(100)).await;
    prop_assert_eq!(rig.fake.writes(), 0, "then nothing is written {}: {:?}", &what, rig.events());
    if goes {
        let object = "redis/main".parse().unwrap();
        rig.remove("main");
        rig.let_pass(Duration::from_secs(60)).await;
        rig.operator.confirm_prune(&rig.operator.prune().await.unwrap().confirm).await.ok();
        rig.let_pass(Duration::from_secs(60)).await;
        rig.operator.delete(&object, "main").await.unwrap();
        rig.until("all of it goes", || rig.view("redis/main").is_none().then_some(())).await;
        let left: BTreeSet<String> =
            rig.fake.inventory().into_iter().filter(|name| name != "seawall").collect();
        prop_assert_eq!(left, strangers.iter().cloned().collect(), "{}", &what);
        prop_assert_eq!(as_they_are(&rig, &strangers), before, "{}", &what);
    }
    Ok(())
}

#[test]
fn whatever_happens_to_any_member_all_come_to_rest_and_nobody_else_is_touched() {
    let config = Config { cases: 100, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    runner
        .run(&(vec((deed(), 0u8..3, 0u8..40), 1..9), any::<bool>()), |(deeds, goes)| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .start_paused(true)
                .build()
                .unwrap();
            runtime.block_on(comes_to_rest(deeds, goes))
        })
        .unwrap();
}
