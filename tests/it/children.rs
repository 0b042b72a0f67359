//! Objects that an object makes, on the real machine: the owner is a kind of this folder's own, and what it makes is
//! PostgreSQL on the fake engine, or more of itself.

mod maker;

use crate::machine::rig::{Rig, engine, object};
use maker::Maker;
use seawall::control::api::{Api, ApplyOptions, ErrorCode, Operation};
use seawall::control::operator::Times;
use seawall::core::condition::{ConditionType as C, Truth};
use seawall::core::plan::PlanView;
use seawall::docker::DockerError;
use seawall::docker::fake::{Fault, What, When};
use seawall::store::{Change, Store};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

const MAIN: &str = "{image: 'local/postgres:18', port: none}";

fn rig() -> Rig {
    let rig = Rig::with(engine(), Times::default(), Arc::new(|kinds, _| kinds.with(Maker)));
    rig.remove("catalog");
    rig
}

fn maker(name: &str, spec: &str) -> String {
    format!("apiVersion: seawall.dev/v1\nkind: ImageCatalog\nmetadata: {{name: {name}}}\nspec: {spec}\n")
}

/// Writes `NAME.yaml` with one that makes these.
fn makes(rig: &Rig, name: &str, make: &[(&str, &str)]) {
    let make: Vec<String> = make.iter().map(|(name, spec)| format!("{name}: {spec}")).collect();
    rig.text(&format!("{name}.yaml"), &maker(name, &format!("{{make: {{{}}}}}", make.join(", "))));
}

/// Waits until an owner says this, and gives its words.
async fn says(rig: &Rig, name: &str, reason: &str) -> String {
    rig.reason(name, C::Ready, reason).await
}

fn record(rig: &Rig, name: &str) -> Option<Value> {
    rig.store.get(&format!("obj/{}", object(name))).unwrap()
}

fn volumes_removed(rig: &Rig) -> usize {
    rig.fake.call_log().get("remove_volume").map_or(0, |n| usize::try_from(*n).unwrap())
}

fn refuse_removals(rig: &Rig) {
    let what = DockerError::Refused { doing: "remove", status: 500, detail: "not now".to_owned() };
    rig.fake.inject(Fault { method: "remove", when: When::Before, what: What::Error(what), times: 1_000 });
}

const S: &str = "imagecatalog/s";

#[tokio::test(start_paused = true)]
async fn what_an_object_wants_is_made_changed_let_go_and_brought_back() {
    let mut rig = rig();
    makes(&rig, "s", &[("postgres/a", MAIN), ("postgres/b", MAIN)]);
    rig.drive();
    says(&rig, S, "AllReady").await;
    rig.ready("a").await;
    let (owner, first) = (rig.view(S).unwrap(), rig.view("a").unwrap());
    let by = &first.metadata.owner_references;
    assert_eq!((by.len(), by[0].name.as_str(), &by[0].uid), (1, "s", &owner.metadata.uid));
    assert!(by[0].controller && first.metadata.source.is_empty());
    assert_eq!(first.metadata.labels["by"], "s");
    assert!(record(&rig, S).unwrap().get("owner").is_none(), "what has no owner is written as before");
    assert!(rig.said("ChildMade", "make postgres/a: missing"));
    let password = rig.password("a").await;
    let caps = MAIN.replace('{', "{resources: {memory: 512Mi}, ");
    makes(&rig, "s", &[("postgres/a", &caps)]);
    rig.until("a capped and b without container", || {
        let capped = rig.container("a")?.caps.memory.is_some();
        (capped && rig.container("b").is_none()).then_some(())
    })
    .await;
    assert_eq!(rig.view("a").unwrap().metadata.generation, 2);
    let kept = record(&rig, "b").unwrap();
    assert_eq!(kept["owner"]["wanted"], json!(false));
    assert_eq!(volumes_removed(&rig), 0);
    makes(&rig, "s", &[("postgres/a", &caps), ("postgres/b", MAIN)]);
    rig.ready("b").await;
    says(&rig, S, "AllReady").await;
    assert_eq!(record(&rig, "b").unwrap()["uid"], kept["uid"]);
    assert_eq!(rig.password("a").await, password);
    let made = rig.events().iter().filter(|e| e.reason == "ChildMade").map(|e| e.count).sum::<u64>();
    assert_eq!(made, 2, "nothing is made twice");
    rig.settled("all done").await;
}

#[tokio::test(start_paused = true)]
async fn what_an_object_made_is_no_business_of_the_apis() {
    let mut rig = rig();
    makes(&rig, "s", &[("postgres/a", MAIN)]);
    rig.drive();
    says(&rig, S, "AllReady").await;
    let text = |name: &str| rig.document(name, "", "{image: 'local/postgres:17'}");
    let error = rig.operator.apply(&text("a"), &ApplyOptions::default()).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Conflict);
    assert_eq!(error.what, "postgres/a was made by imagecatalog/s and is its own; it stays as it is");
    assert_eq!(rig.view("a").unwrap().metadata.managed_by, None);
    // Nor is what the API has one of an object's.
    rig.operator.apply(&text("b"), &ApplyOptions::default()).await.unwrap();
    makes(&rig, "s", &[("postgres/a", MAIN), ("postgres/b", MAIN)]);
    let blocked = |plan: PlanView| plan.blocked.first().map(|block| block.why.clone());
    let mut why = None;
    for _ in 0..100 {
        rig.let_pass(Duration::from_secs(1)).await;
        why = blocked(rig.plan(S).await);
        if why.is_some() {
            break;
        }
    }
    assert_eq!(why.as_deref(), Some("imagecatalog/s wants to make postgres/b, which is managed by the API"));
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_goes_is_forgotten_after_what_it_made_and_data_are_kept() {
    let mut rig = rig();
    makes(&rig, "s", &[("postgres/a", MAIN)]);
    ["x", "y"].iter().for_each(|name| rig.manifest(name, MAIN));
    rig.drive();
    says(&rig, S, "AllReady").await;
    // The engine refuses to let the container go: as long as that lasts the owner stays, and says for whom.
    refuse_removals(&rig);
    rig.remove("s");
    let words = says(&rig, S, "ChildrenLeaving").await;
    assert_eq!(words, "waits for postgres/a to go first");
    rig.let_pass(Duration::from_secs(20)).await;
    assert!(rig.view(S).is_some() && rig.container("a").is_some());
    rig.fake.clear_faults();
    rig.until("the owner is forgotten", || {
        let there = rig.view(S).is_some();
        assert!(there || rig.container("a").is_none(), "never before what it made");
        (!there).then_some(())
    })
    .await;
    let kept = record(&rig, "a").unwrap();
    assert_eq!(kept["owner"]["wanted"], json!(false));
    assert_eq!(volumes_removed(&rig), 0);
    assert!(record(&rig, S).is_none());
    // One that comes back under its name is another one: it does not own what is kept.
    makes(&rig, "s", &[("postgres/a", MAIN)]);
    let words = says(&rig, S, "NameConflict").await;
    assert!(words.contains("postgres/a, which is kept") && words.contains("--confirm a"), "{words}");
    rig.let_pass(Duration::from_secs(300)).await;
    assert_eq!(record(&rig, "a").unwrap(), kept);
    assert!(rig.container("a").is_none());
    // What the words say to do helps.
    rig.operator.delete(&object("a"), "a").await.unwrap();
    says(&rig, S, "AllReady").await;
    assert_ne!(record(&rig, "a").unwrap()["uid"], kept["uid"]);
    assert_eq!(volumes_removed(&rig), 1);
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_comes_back_in_time_has_its_children_back() {
    let mut rig = rig();
    makes(&rig, "s", &[("postgres/a", MAIN)]);
    ["x", "y"].iter().for_each(|name| rig.manifest(name, MAIN));
    rig.drive();
    says(&rig, S, "AllReady").await;
    let before = record(&rig, "a").unwrap();
    refuse_removals(&rig);
    rig.remove("s");
    says(&rig, S, "ChildrenLeaving").await;
    makes(&rig, "s", &[("postgres/a", MAIN)]);
    rig.until("wanted again", || (record(&rig, "a")?["owner"] == before["owner"]).then_some(())).await;
    rig.fake.clear_faults();
    rig.ready("a").await;
    says(&rig, S, "AllReady").await;
    let after = record(&rig, "a").unwrap();
    assert_eq!((&after["uid"], &after["asked"]), (&before["uid"], &before["asked"]));
}

#[tokio::test(start_paused = true)]
async fn a_child_is_operated_as_any_object_and_made_anew_when_it_was_deleted_by_name() {
    let mut rig = rig();
    makes(&rig, "s", &[("postgres/a", MAIN)]);
    rig.drive();
    says(&rig, S, "AllReady").await;
    let (a, first) = (object("a"), record(&rig, "a").unwrap());
    let stop = rig.operator.operate(&a, Operation::Stop).await.unwrap();
    assert_eq!(stop.commit, "", "there is no manifest to write it to");
    rig.until("stopped", || (!rig.is_running("a")).then_some(())).await;
    assert!(says(&rig, S, "ChildNotReady").await.contains("postgres/a"));
    // Its owner has another opinion of its caps, and none of that.
    makes(&rig, "s", &[("postgres/a", &MAIN.replace('{', "{resources: {memory: 512Mi}, "))]);
    rig.until("changed", || (rig.view("a")?.metadata.generation == 2).then_some(())).await;
    rig.let_pass(Duration::from_secs(120)).await;
    assert!(!rig.is_running("a"));
    rig.operator.operate(&a, Operation::Start).await.unwrap();
    says(&rig, S, "AllReady").await;
    rig.operator.operate(&a, Operation::Restart).await.unwrap();
    rig.ready("a").await;
    let refused = rig.operator.delete(&a, "").await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Conflict);
    assert!(refused.next.contains("imagecatalog/s makes it anew"), "{}", refused.next);
    let done = rig.operator.delete(&a, "a").await.unwrap();
    assert!(done.message.contains("imagecatalog/s makes it anew, empty"), "{}", done.message);
    rig.until("made anew", || (record(&rig, "a")?["uid"] != first["uid"]).then_some(())).await;
    says(&rig, S, "AllReady").await;
    assert_eq!(volumes_removed(&rig), 1);
    assert_eq!(record(&rig, "a").unwrap()["asked"], json!({}));
}

#[tokio::test(start_paused = true)]
async fn a_name_that_a_manifest_has_is_not_taken_until_it_is_free() {
    let mut rig = rig();
    rig.manifest("a", MAIN);
    ["x", "y"].iter().for_each(|name| rig.manifest(name, MAIN));
    rig.drive();
    rig.ready("a").await;
    let before = record(&rig, "a").unwrap();
    makes(&rig, "s", &[("postgres/a", &MAIN.replace("18'", "17'")), ("postgres/b", MAIN)]);
    let words = says(&rig, S, "NameConflict").await;
    assert!(words.contains("postgres/a, which has a manifest in a.yaml"), "{words}");
    rig.ready("b").await;
    rig.let_pass(Duration::from_secs(120)).await;
    assert_eq!(record(&rig, "a").unwrap(), before, "the other one is as it was");
    let plan = rig.plan(S).await;
    assert_eq!((plan.steps.len(), plan.blocked[0].reason.as_str()), (0, "NameConflict"));
    // Another owner of the same name.
    makes(&rig, "t", &[("postgres/b", MAIN)]);
    let words = says(&rig, "imagecatalog/t", "NameConflict").await;
    assert!(words.contains("postgres/b, which was made by imagecatalog/s"), "{words}");
    rig.remove("a");
    rig.until("kept", || record(&rig, "a")?["source"].is_null().then_some(())).await;
    rig.until("said", || rig.condition(S, C::Ready)?.message.contains("which is kept").then_some(())).await;
    rig.operator.delete(&object("a"), "a").await.unwrap();
    says(&rig, S, "AllReady").await;
    assert!(rig.container("a").unwrap().image_id.starts_with("sha256:0303"));
}

#[tokio::test(start_paused = true)]
async fn a_manifest_that_names_a_child_is_told_whose_it_is_and_waits_for_it_to_be_free() {
    let mut rig = rig();
    makes(&rig, "s", &[("postgres/a", MAIN), ("postgres/b", MAIN)]);
    rig.drive();
    says(&rig, S, "AllReady").await;
    let (before, password) = (record(&rig, "a").unwrap(), rig.password("a").await);
    rig.manifest("a", &MAIN.replace('{', "{stopped: true, "));
    let problem = rig.until("told", || rig.problems().into_iter().next()).await;
    assert_eq!((problem.place.file.as_str(), problem.path.as_str()), ("a.yaml", "metadata.name"));
    assert!(problem.place.line > 1 && problem.what.contains("made by imagecatalog/s"), "{problem}");
    // One that is no good is no news to the child, either.
    rig.manifest("b", "{image: 7}");
    rig.let_pass(Duration::from_secs(120)).await;
    assert_eq!(record(&rig, "a").unwrap(), before);
    assert!(rig.is_running("a") && rig.phase("b") == "Ready", "{}", rig.phase("b"));
    rig.remove("b");
    // Away again: that is no removal.
    rig.remove("a");
    rig.until("no problem", || rig.problems().is_empty().then_some(())).await;
    rig.let_pass(Duration::from_secs(120)).await;
    assert_eq!(record(&rig, "a").unwrap(), before);
    // Free: it goes to the manifest with all it has.
    rig.manifest("a", MAIN);
    rig.until("told", || rig.problems().into_iter().next()).await;
    makes(&rig, "s", &[("postgres/b", MAIN)]);
    rig.until("a manifest's", || (record(&rig, "a")?["source"]["file"] == "a.yaml").then_some(())).await;
    rig.ready("a").await;
    let after = record(&rig, "a").unwrap();
    assert_eq!((&after["uid"], after.get("owner")), (&before["uid"], None));
    assert_eq!(rig.password("a").await, password);
    assert!(rig.problems().is_empty() && rig.view("a").unwrap().metadata.owner_references.is_empty());
}

#[tokio::test(start_paused = true)]
async fn whenever_it_is_killed_it_ends_with_one_of_each() {
    for nth in 0..8 {
        let mut rig = rig();
        makes(&rig, "s", &[("postgres/a", MAIN), ("postgres/b", MAIN)]);
        rig.drive();
        let mut revision = rig.operator.revision();
        for _ in 0..=nth * 4 {
            let _ = tokio::time::timeout(Duration::from_secs(1), revision.changed()).await;
        }
        rig.crash().await;
        let made = ["a", "b"].map(|name| record(&rig, name).map(|record| record["uid"].clone()));
        rig.restart();
        says(&rig, S, "AllReady").await;
        for (name, made) in ["a", "b"].into_iter().zip(made) {
            rig.ready(name).await;
            let uid = record(&rig, name).unwrap()["uid"].clone();
            assert!(made.is_none_or(|made| made == uid), "{name} is what was made before the crash ({nth})");
        }
        let mut there = rig.fake.inventory();
        there.retain(|line| line.contains("postgres-"));
        assert_eq!(there.len(), 4, "{nth}: {there:?}");
        // The same on the way out.
        ["x", "y"].iter().for_each(|name| rig.manifest(name, MAIN));
        rig.ready("x").await;
        rig.remove("s");
        rig.until("it begins to go", || (!record(&rig, "a")?["owner"]["wanted"].as_bool()?).then_some(()))
            .await;
        let mut revision = rig.operator.revision();
        for _ in 0..nth * 2 {
            let _ = tokio::time::timeout(Duration::from_secs(1), revision.changed()).await;
        }
        rig.crash().await;
        rig.restart();
        rig.until("gone", || {
            let there = rig.view(S).is_some();
            let run = ["a", "b"].iter().any(|name| rig.container(name).is_some());
            assert!(there || !run, "never before what it made ({nth})");
            (!there).then_some(())
        })
        .await;
        assert_eq!(volumes_removed(&rig), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_owners_and_children_know_each_other_before_the_first_pass() {
    let mut rig = rig();
    makes(&rig, "s", &[("postgres/a", MAIN)]);
    ["x", "y"].iter().for_each(|name| rig.manifest(name, MAIN));
    rig.drive();
    says(&rig, S, "AllReady").await;
    rig.settled("all").await;
    let (before, writes) = (record(&rig, "a").unwrap(), rig.fake.writes());
    rig.leave().await;
    rig.restart();
    rig.let_pass(Duration::from_secs(120)).await;
    says(&rig, S, "AllReady").await;
    assert_eq!((record(&rig, "a").unwrap(), rig.fake.writes()), (before, writes), "nothing to do");
    rig.leave().await;
    rig.remove("s");
    rig.restart();
    rig.until("gone", || {
        let there = rig.view(S).is_some();
        assert!(there || rig.container("a").is_none());
        (!there).then_some(())
    })
    .await;
    assert!(record(&rig, "a").is_some());
}

#[tokio::test(start_paused = true)]
async fn owners_are_no_circle_and_no_endless_line() {
    let mut rig = rig();
    makes(&rig, "s", &[(S, "{}")]);
    rig.drive();
    let words = says(&rig, S, "OwnsItsOwner").await;
    assert!(words.contains("imagecatalog/s would own imagecatalog/s"), "{words}");
    makes(&rig, "s", &[("imagecatalog/t", "{make: {imagecatalog/s: {}}}")]);
    let words = says(&rig, "imagecatalog/t", "OwnsItsOwner").await;
    let sees = |name: &str| rig.view(name).unwrap().status["sees"].clone();
    assert_eq!((sees("imagecatalog/t"), sees(S)), (json!([S]), json!(["imagecatalog/t"])));
    assert!(words.contains("imagecatalog/t would own imagecatalog/s"), "{words}");
    let line =
        (1..=6).rev().fold("{}".to_owned(), |inner, n| format!("{{make: {{imagecatalog/t{n}: {inner}}}}}"));
    rig.text("s.yaml", &maker("s", &line));
    let words = says(&rig, "imagecatalog/t4", "OwnersTooDeep").await;
    assert!(
        words.contains("imagecatalog/t5 is not made") && words.contains("imagecatalog/s already"),
        "{words}"
    );
    assert!(rig.view("imagecatalog/t5").is_none());
    rig.manifest("x", MAIN);
    rig.manifest("y", MAIN);
    rig.ready("x").await;
    rig.remove("s");
    rig.until("all of the line are gone", || (rig.all().len() == 2).then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn a_child_that_cannot_be_made_so_is_told_to_its_owner_and_half_of_none_is_there() {
    let mut rig = rig();
    makes(&rig, "s", &[("postgres/a", MAIN), ("postgres/b", "{image: 'local/postgres:18', prot: none}")]);
    rig.drive();
    let words = says(&rig, S, "ChildInvalid").await;
    assert!(words.contains("postgres/b") && words.contains("prot"), "{words}");
    rig.ready("a").await;
    assert!(rig.view("b").is_none() && record(&rig, "b").is_none());
    let before = record(&rig, "a").unwrap();
    makes(&rig, "s", &[("postgres/a", "{version: none}"), ("imagecatalog/u", "{make: {}}")]);
    rig.until("said of a", || rig.condition(S, C::Ready)?.message.contains("stays as it is").then_some(()))
        .await;
    rig.let_pass(Duration::from_secs(120)).await;
    assert_eq!(record(&rig, "a").unwrap(), before);
    assert!(rig.is_running("a") && rig.view("imagecatalog/u").is_some());
    // It cannot tell what it wants: nothing changes, and nothing goes.
    rig.text("s.yaml", &maker("s", "{blind: true}"));
    says(&rig, S, "AllReady").await;
    rig.let_pass(Duration::from_secs(120)).await;
    assert_eq!(record(&rig, "a").unwrap(), before);
    makes(&rig, "s", &[("postgres/a", MAIN)]);
    says(&rig, S, "AllReady").await;
    assert_eq!(record(&rig, "a").unwrap(), before);
}

#[tokio::test(start_paused = true)]
async fn a_child_whose_memory_cannot_be_read_is_left_alone_and_its_owner_stays() {
    let mut rig = rig();
    makes(&rig, "s", &[("postgres/a", MAIN)]);
    ["x", "y"].iter().for_each(|name| rig.manifest(name, MAIN));
    rig.drive();
    says(&rig, S, "AllReady").await;
    rig.leave().await;
    rig.edit_record("a", |memory| drop(memory.insert("everReady".into(), json!("newer"))));
    rig.restart();
    rig.reason("a", C::Ready, "MemoryUnreadable").await;
    rig.remove("s");
    says(&rig, S, "ChildrenLeaving").await;
    rig.let_pass(Duration::from_secs(600)).await;
    assert!(rig.view(S).is_some() && rig.is_running("a"));
    assert_eq!(record(&rig, "a").unwrap()["memory"]["everReady"], json!("newer"));
}

#[tokio::test(start_paused = true)]
async fn a_child_whose_owner_is_lost_goes_on_and_says_so() {
    let mut rig = rig();
    makes(&rig, "s", &[("postgres/a", MAIN)]);
    rig.drive();
    says(&rig, S, "AllReady").await;
    rig.leave().await;
    // As after a store that lost the owner: what is there now is another one of that name.
    let mut lost = record(&rig, "a").unwrap();
    lost["owner"]["uid"] = json!("before");
    rig.store.commit(vec![Change::put("obj/postgres/a".to_owned(), lost)]).await.unwrap();
    rig.restart();
    let words = rig.reason("a", C::Degraded, "OwnerMissing").await;
    assert!(words.contains("imagecatalog/s, which made it, is not there any more"), "{words}");
    let words = says(&rig, S, "NameConflict").await;
    assert!(words.contains("an earlier imagecatalog/s"), "{words}");
    rig.let_pass(Duration::from_secs(600)).await;
    assert!(rig.is_running("a"));
    let uid = record(&rig, "a").unwrap()["uid"].clone();
    rig.manifest("a", MAIN);
    rig.until("a manifest's", || (record(&rig, "a")?["source"]["file"] == "a.yaml").then_some(())).await;
    rig.ready("a").await;
    assert_eq!(record(&rig, "a").unwrap()["uid"], uid);
    assert!(rig.condition("a", C::Degraded).is_none_or(|c| c.status == Truth::False));
}

#[tokio::test(start_paused = true)]
async fn a_plan_shows_what_would_be_made_and_let_go() {
    let mut rig = rig();
    rig.drive();
    let file = |text: String| Some(BTreeMap::from([("s.yaml".to_owned(), text)]));
    let one = maker("s", "{make: {postgres/a: {image: 'local/postgres:18', port: none}}}");
    rig.until("scanned", || rig.notices().is_empty().then_some(())).await;
    let plans = rig.operator.plan(file(one.clone())).await.unwrap().plans;
    let steps = |plan: &PlanView| {
        plan.steps
            .iter()
            .map(|s| format!("{} {}: {}", s.sign.as_str(), s.action, s.cause))
            .collect::<Vec<_>>()
    };
    assert_eq!((plans.len(), steps(&plans[0])), (1, vec!["+ make postgres/a: missing".to_owned()]));
    assert!(rig.all().is_empty() && record(&rig, "a").is_none(), "shown, not done");
    // In the same change a manifest takes the name.
    let mut both = file(one.clone()).unwrap();
    both.insert(
        "a.yaml".to_owned(),
        one.replace("ImageCatalog", "Postgres")
            .replace("name: s", "name: a")
            .replace("{make: {postgres/a: {image: 'local/postgres:18', port: none}}}", MAIN),
    );
    let plans = rig.operator.plan(Some(both)).await.unwrap().plans;
    let of_s = plans.iter().find(|plan| plan.object == S).unwrap();
    assert_eq!((of_s.steps.len(), of_s.blocked[0].reason.as_str()), (0, "NameConflict"));
    rig.text("s.yaml", &one);
    says(&rig, S, "AllReady").await;
    let plans = rig.operator.plan(file(maker("s", "{}"))).await.unwrap().plans;
    let of_s = plans.iter().find(|plan| plan.object == S).unwrap();
    assert_eq!(steps(of_s), ["- let postgres/a go: wanted no longer"]);
    // A paused owner makes nothing.
    let paused = one.replace("name: s", "name: s, annotations: {seawall.dev/paused: 'true'}");
    rig.text("s.yaml", &paused.replace("postgres/a", "postgres/b"));
    rig.until("paused", || {
        rig.view(S)?.metadata.annotations.contains_key("seawall.dev/paused").then_some(())
    })
    .await;
    rig.let_pass(Duration::from_secs(120)).await;
    assert!(rig.view("b").is_none() && rig.is_running("a"));
}

#[tokio::test(start_paused = true)]
async fn the_prune_guard_and_renames_know_manifests_only() {
    let mut rig = rig();
    let children: Vec<String> = (0..6).map(|n| format!("postgres/c{n}")).collect();
    let make: Vec<(&str, &str)> = children.iter().map(|name| (name.as_str(), MAIN)).collect();
    makes(&rig, "s", &make);
    ["x", "y"].iter().for_each(|name| rig.manifest(name, MAIN));
    rig.drive();
    says(&rig, S, "AllReady").await;
    ["x", "y"].iter().for_each(|name| rig.remove(name));
    rig.until("held back: two of three", || {
        let guard = rig.condition("x", C::Degraded)?;
        (guard.reason == "PruneGuard").then_some(())
    })
    .await;
    let held = rig.operator.prune().await.unwrap();
    let names: BTreeSet<&str> = held.would_remove.iter().map(|item| item.object.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["postgres/x", "postgres/y"]));
    assert!(held.guard.unwrap().contains("2 of 3 manifests"));
    ["x", "y"].iter().for_each(|name| rig.manifest(name, MAIN));
    rig.until("back", || {
        rig.condition("x", C::Degraded).is_none_or(|c| c.status == Truth::False).then_some(())
    })
    .await;
    // One more of the same spec is no sign that a child was renamed, whatever became of that.
    makes(&rig, "s", &make[1..]);
    rig.until("let go", || rig.container("c0").is_none().then_some(())).await;
    rig.manifest("z", MAIN);
    rig.ready("z").await;
    let refused = rig.operator.rename(&object("c1"), &object("z")).await.unwrap_err();
    assert!(refused.what.contains("was made by imagecatalog/s"), "{}", refused.what);
}

#[tokio::test(start_paused = true)]
async fn data_that_were_given_up_go_before_the_owner_and_not_when_it_comes_back_in_the_last_moment() {
    for comes_back in [true, false] {
        let mut rig = rig();
        let gives_up = MAIN.replace('{', "{deletionPolicy: Delete, ");
        makes(&rig, "s", &[("postgres/a", &gives_up)]);
        ["x", "y"].iter().for_each(|name| rig.manifest(name, MAIN));
        rig.drive();
        says(&rig, S, "AllReady").await;
        let uid = record(&rig, "a").unwrap()["uid"].clone();
        rig.remove("s");
        rig.until("its container is gone", || rig.container("a").is_none().then_some(())).await;
        let left = |rig: &Rig| record(rig, "a")?["asked"]["gone"]["leftMs"].as_u64();
        // It is written every half minute: some seconds are left whenever it is read.
        let left = rig.until("almost over", || left(&rig).filter(|ms| *ms <= 36_000)).await;
        rig.let_pass(Duration::from_millis(left - 2_000)).await;
        if comes_back {
            // The time is over before it has said what it wants.
            rig.text("s.yaml", &maker("s", &format!("{{slow: true, make: {{postgres/a: {gives_up}}}}}")));
            rig.let_pass(Duration::from_secs(300)).await;
            rig.ready("a").await;
            assert_eq!((volumes_removed(&rig), &record(&rig, "a").unwrap()["uid"]), (0, &uid));
        } else {
            rig.until("the owner is forgotten", || {
                let there = rig.view(S).is_some();
                assert!(there || record(&rig, "a").is_none(), "last");
                (!there).then_some(())
            })
            .await;
            assert_eq!(volumes_removed(&rig), 1);
        }
    }
}
