//! Objects that no manifest holds: made, changed and let go by the API, kept over restarts and scans, and handed over to the
//! files that name them.

use crate::kinds::{Kind, machine_tests};
use crate::machine::of::{Of, memory};
use crate::machine::rig::{CATALOG, Rig, engine, object};
use seawall::control::api::{
    Api, ApiError, Applied, ApplyOptions, ErrorCode, ManagedBy, ObjectList, ObjectView, Operation, Outcome,
};
use seawall::control::operator::Times;
use seawall::control::validate::validate;
use seawall::core::condition::ConditionType as C;
use seawall::store::Store;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

machine_tests!(
    what_is_applied_is_made_changed_and_kept_over_scans_and_restarts,
    a_file_with_the_same_spec_takes_it_over_and_nothing_restarts,
    a_file_with_another_spec_is_told_what_differs_and_changes_nothing,
    what_is_deleted_keeps_its_data_unless_that_was_confirmed,
    what_is_paused_is_changed_and_not_touched,
);

fn plain() -> ApplyOptions {
    ApplyOptions::default()
}

fn dry() -> ApplyOptions {
    ApplyOptions { dry_run: true, ..plain() }
}

async fn apply(rig: &Rig, text: &str) -> Applied {
    rig.operator.apply(text, &plain()).await.unwrap()
}

async fn refused(rig: &Rig, text: &str, options: &ApplyOptions) -> ApiError {
    rig.operator.apply(text, options).await.unwrap_err()
}

fn managed(rig: &Rig, name: &str) -> Option<ManagedBy> {
    rig.view(name).unwrap().metadata.managed_by
}

/// No manifests but the catalog; the operator runs.
fn started(kind: &'static dyn Kind) -> Of {
    Of::start(kind, &[])
}

fn text(rig: &Of, more: &str) -> String {
    rig.document("main", "", &rig.wish(more))
}

/// What is left of it in the store, without what passes and the journal write.
fn record(rig: &Rig, name: &str) -> Option<Value> {
    rig.store.get(&format!("obj/{}", rig.named(name))).unwrap()
}

/// The part of a `resourceVersion` that is its document's.
fn document(resource_version: &str) -> &str {
    resource_version.split_once('.').unwrap().1
}

/// As `seawall export --manifests` writes it.
fn exported(view: &ObjectView) -> String {
    let metadata = serde_json::json!({"name": view.metadata.name});
    let manifest = serde_json::json!({"apiVersion": view.api_version, "kind": view.kind, "metadata": metadata, "spec": view.spec});
    serde_json::to_string_pretty(&manifest).unwrap()
}

async fn what_is_applied_is_made_changed_and_kept_over_scans_and_restarts(kind: &'static dyn Kind) {
    let mut rig = started(kind);
    let done = apply(&rig, &text(&rig, "")).await;
    assert_eq!((done.object.as_str(), done.outcome), (rig.object.as_str(), Outcome::Created));
    rig.ready("main").await;
    let first = rig.seen().unwrap();
    assert_eq!(managed(&rig, "main"), Some(ManagedBy::Api));
    let view = rig.view("main").unwrap();
    assert_eq!(view.metadata.source, "");
    assert_eq!(document(&view.metadata.resource_version), document(&done.resource_version));
    assert_ne!(view.metadata.resource_version, done.resource_version, "its status is another");
    assert!(rig.said("Created", "new, by the API"));

    let same = apply(&rig, &text(&rig, "")).await;
    assert_eq!((same.outcome, &same.resource_version), (Outcome::Unchanged, &view.metadata.resource_version));
    let caps = "resources: {memory: 512Mi}";
    let more = apply(&rig, &text(&rig, caps)).await;
    assert_eq!(more.outcome, Outcome::Configured);
    assert_ne!(document(&more.resource_version), document(&done.resource_version));
    rig.until("capped", || (rig.caps()?.memory == memory(512)).then_some(())).await;
    rig.ready("main").await;
    assert_eq!((rig.id(), rig.view("main").unwrap().metadata.generation), (first.id.clone(), 2));
    let password = rig.password("main").await;

    // Files come, go, and go all at once: none of it is about this one, and it is not counted among what is gone.
    for name in ["a", "b"] {
        rig.manifest(name, &rig.wish("port: none"));
    }
    rig.ready("b").await;
    ["a", "b"].iter().for_each(|name| rig.remove(name));
    let held = |list: ObjectList| list.guard.is_some();
    for _ in 0..100 {
        if held(rig.operator.objects().await.unwrap()) {
            break;
        }
        rig.let_pass(Duration::from_secs(1)).await;
    }
    let guard = rig.operator.prune().await.unwrap();
    assert_eq!(guard.would_remove.len(), 2);
    assert!(guard.guard.unwrap().contains("2 of 3 manifests"), "as many as there are files");
    rig.let_pass(Duration::from_secs(300)).await;
    assert!(rig.is_ready("main") && rig.id() == first.id);

    for crash in [false, true] {
        if crash {
            rig.crash().await
        } else {
            rig.leave().await
        }
        rig.check_and_restart().await;
        rig.ready("main").await;
        rig.let_pass(Duration::from_secs(120)).await;
        assert!(rig.is_ready("main") && rig.id() == first.id, "{crash}");
        assert_eq!(managed(&rig, "main"), Some(ManagedBy::Api));
        let version = rig.view("main").unwrap().metadata.resource_version;
        assert_eq!(document(&version), document(&more.resource_version));
        assert_eq!(rig.password("main").await, password);
    }
    // What is asked for by name works as with any other.
    let done = rig.operator.operate(&rig.named("main"), Operation::Stop).await.unwrap();
    assert_eq!(done.commit, "");
    rig.until("stopped", || (!rig.up()).then_some(())).await;
    rig.operator.operate(&rig.named("main"), Operation::Start).await.unwrap();
    rig.ready("main").await;
    assert_eq!(rig.problems(), []);
}

async fn a_file_with_the_same_spec_takes_it_over_and_nothing_restarts(kind: &'static dyn Kind) {
    let mut rig = started(kind);
    apply(&rig, &text(&rig, "resources: {memory: 512Mi}")).await;
    rig.ready("main").await;
    let before = (rig.seen().unwrap(), rig.view("main").unwrap());
    rig.text("exported.yaml", &exported(&before.1));
    rig.until("the file has it", || (managed(&rig, "main") == Some(ManagedBy::File)).then_some(())).await;
    assert!(rig.said("Returned", "exported.yaml:1:1 has it now, no longer the API"));
    rig.let_pass(Duration::from_secs(120)).await;
    rig.ready("main").await;
    let after = (rig.seen().unwrap(), rig.view("main").unwrap());
    assert_eq!((&after.0.id, &after.0.started_at), (&before.0.id, &before.0.started_at));
    assert_eq!(after.1.metadata.generation, before.1.metadata.generation);
    assert_eq!(after.1.metadata.uid, before.1.metadata.uid);
    let documents = [&after, &before].map(|of| document(&of.1.metadata.resource_version).to_owned());
    assert_ne!(documents[0], documents[1]);
    // From here on it is a file's: it goes with it, and the API only reads it.
    let error = refused(&rig, &text(&rig, "resources: {memory: 1Gi}"), &plain()).await;
    assert!(error.what.contains("has a manifest in exported.yaml:1:1"), "{error:?}");
    rig.leave().await;
    rig.restart();
    rig.ready("main").await;
    std::fs::remove_file(rig.path("exported.yaml")).unwrap();
    rig.until("let go", || rig.said("ManifestRemoved", "").then_some(())).await;
    assert_eq!(managed(&rig, "main"), None);
}

async fn a_file_with_another_spec_is_told_what_differs_and_changes_nothing(kind: &'static dyn Kind) {
    let rig = started(kind);
    apply(&rig, &text(&rig, "resources: {memory: 512Mi}")).await;
    rig.ready("main").await;
    let (id, before) = (rig.id(), record(&rig, "main"));
    rig.put("resources: {memory: 1Gi, cpus: 1}");
    let problem = rig.until("told", || rig.problems().into_iter().next()).await;
    let words = problem.to_string();
    assert!(words.starts_with("main.yaml:3:"), "{words}");
    let what = format!(
        "{} is managed by the API, and stays as it is there: this differs in spec.resources.memory, spec.resources.cpus",
        rig.object
    );
    assert!(words.contains(&what) && !words.contains("1Gi"), "{words}");
    assert!(words.contains("seawall export --manifests") && words.contains("seawall delete"), "{words}");
    // Neither does one that is no good, nor is it a removal when it goes again.
    rig.text("main.yaml", &text(&rig, "resources: {memry: 1Gi}"));
    rig.until("told", || rig.problems().iter().any(|p| p.what.contains("memry")).then_some(())).await;
    rig.let_pass(Duration::from_secs(60)).await;
    assert!(rig.condition("main", C::Degraded).is_none_or(|c| c.reason != "ManifestBroken"));
    rig.remove("main");
    rig.until("no problem", || rig.problems().is_empty().then_some(())).await;
    rig.let_pass(Duration::from_secs(120)).await;
    assert!(rig.is_ready("main"));
    assert_eq!(
        (rig.id(), record(&rig, "main").map(|r| r["spec"].clone())),
        (id, before.map(|r| r["spec"].clone()))
    );
    assert_eq!(managed(&rig, "main"), Some(ManagedBy::Api));
    // Once the API says the same, the file has it.
    rig.put("resources: {memory: 1Gi}");
    rig.until("told", || rig.problems().into_iter().next()).await;
    apply(&rig, &text(&rig, "resources: {memory: 1Gi}")).await;
    rig.until("the file has it", || (managed(&rig, "main") == Some(ManagedBy::File)).then_some(())).await;
    assert_eq!(rig.problems(), []);
}

async fn what_is_deleted_keeps_its_data_unless_that_was_confirmed(kind: &'static dyn Kind) {
    let rig = started(kind);
    let main = rig.named("main");
    apply(&rig, &text(&rig, "")).await;
    rig.ready("main").await;
    let content = rig.marked();
    let wrong = rig.operator.delete(&main, "other").await.unwrap_err();
    assert!(wrong.code == ErrorCode::Conflict && wrong.next.contains("--confirm main"), "{wrong:?}");
    let kept = rig.operator.operate(&main, Operation::ReleasePort).await.unwrap_err();
    assert!(kept.what.contains("is managed by the API, and its port with it"), "{kept:?}");
    let renamed = rig.operator.rename(&main, &rig.named("new")).await.unwrap_err();
    assert!(renamed.what.contains("is managed by the API, and wanted under this name"), "{renamed:?}");
    let done = rig.operator.delete(&main, "").await.unwrap();
    assert!(done.message.contains("its data are kept until seawall delete"), "{done:?}");
    rig.until("no container", || rig.seen().is_none().then_some(())).await;
    rig.let_pass(Duration::from_secs(1_200)).await;
    assert_eq!((managed(&rig, "main"), rig.fake.inventory()), (None, rig.kept()));
    let error = refused(&rig, &text(&rig, ""), &ApplyOptions { create: true, ..plain() }).await;
    assert!(error.what.contains("nobody wants it, and its data are kept"), "{error:?}");
    // Asked for again it has its data again.
    assert_eq!(apply(&rig, &text(&rig, "")).await.outcome, Outcome::Configured);
    rig.ready("main").await;
    assert_eq!(rig.content(), content);
    assert!(rig.said("Returned", "wanted again, by the API"));
    rig.operator.delete(&main, "main").await.unwrap();
    rig.until("forgotten", || rig.view("main").is_none().then_some(())).await;
    assert!(!rig.fake.inventory().contains(&rig.volume));
    // Another one of its name is another version.
    let anew = apply(&rig, &text(&rig, "")).await;
    assert_eq!(anew.outcome, Outcome::Created);
    rig.ready("main").await;
}

async fn what_is_paused_is_changed_and_not_touched(kind: &'static dyn Kind) {
    let rig = started(kind);
    apply(&rig, &text(&rig, "")).await;
    rig.ready("main").await;
    let paused = rig.document("main", "seawall.dev/paused: 'true'", &rig.wish("resources: {memory: 512Mi}"));
    let before = rig.view("main").unwrap();
    let would = rig.operator.apply(&paused, &dry()).await.unwrap();
    assert!(would.outcome == Outcome::Configured && would.plan.unwrap().paused);
    assert_eq!(apply(&rig, &paused).await.outcome, Outcome::Configured);
    rig.let_pass(Duration::from_secs(120)).await;
    assert_eq!(rig.caps().unwrap().memory, None);
    let now = rig.view("main").unwrap();
    assert_eq!((before.metadata.generation, now.metadata.generation), (1, 2));
    apply(&rig, &text(&rig, "resources: {memory: 512Mi}")).await;
    rig.until("capped", || (rig.caps()?.memory == memory(512)).then_some(())).await;
}

const MAIN: &str =
    "apiVersion: seawall.dev/v1\nkind: Postgres\nmetadata: {name: main}\nspec: {version: '18'}\n";

fn with(spec: &str) -> String {
    MAIN.replace("{version: '18'}", spec)
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_answers_the_plan_and_changes_nothing() {
    let rig = Rig::start(&[("other", "{version: '18', port: none}")]);
    rig.ready("other").await;
    let (objects, inventory) = (rig.all().len(), rig.fake.inventory());
    let would = rig.operator.apply(MAIN, &dry()).await.unwrap();
    assert_eq!((would.outcome, would.resource_version.as_str()), (Outcome::Created, ""));
    let steps: Vec<String> = would.plan.unwrap().steps.iter().map(|step| step.action.clone()).collect();
    assert!(steps.iter().any(|step| step.contains("postgres-main-data")), "{steps:?}");
    rig.let_pass(Duration::from_secs(120)).await;
    assert_eq!((rig.all().len(), rig.fake.inventory()), (objects, inventory));
    assert_eq!(rig.store.get("obj/postgres/main").unwrap(), None);
    apply(&rig, MAIN).await;
    rig.ready("main").await;
    let capped = with("{version: '18', resources: {memory: 512Mi}}");
    let would = rig.operator.apply(&capped, &dry()).await.unwrap();
    let plan = would.plan.unwrap();
    assert_eq!(
        (would.outcome, plan.object.as_str(), plan.steps.len()),
        (Outcome::Configured, "postgres/main", 1)
    );
    assert!(plan.steps[0].cause.contains("512Mi"), "{plan:?}");
    assert!(rig.operator.apply(MAIN, &dry()).await.unwrap().plan.unwrap().steps.is_empty());
    assert_eq!(rig.container("main").unwrap().caps.memory, None);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_said_as_validate_says_it() {
    let rig = Rig::start(&[("pinned", "{version: '18', port: 6000}")]);
    rig.ready("pinned").await;
    let dir = tempfile::tempdir().unwrap();
    for text in [
        with("{version: '18', memry: 1}"),
        with("{version: '18', resources: {memory: 1Gb, cpu: 1}}"),
        with("{version: 'nonsense'}"),
        MAIN.replace("Postgres", "Postgress"),
        MAIN.replace("main", "Main!"),
        MAIN.replace("v1", "v2"),
        MAIN.replace("spec", "status"),
        MAIN.replace("{name: main}", "{name: main, resourceVersion: '1'}"),
        MAIN.replace("Postgres", "App"),
        "kind: [".to_owned(),
        "just words".to_owned(),
        r#"{"apiVersion": "seawall.dev/v1", "kind": "Postgres", "metadata": {"name": "main"}, "spec": {"ports": 1}}"#
            .to_owned(),
        "apiVersion: seawall.dev/v1\nkind: Link\nmetadata: {name: l}\nspec: {service: main}\n".to_owned(),
    ] {
        std::fs::write(dir.path().join("request.yaml"), &text).unwrap();
        std::fs::write(dir.path().join("catalog.yaml"), CATALOG).unwrap();
        let problems = validate(dir.path()).unwrap().problems;
        let words: Vec<String> =
            problems.iter().map(|p| p.to_string().replacen("request.yaml", "request", 1)).collect();
        assert!(!words.is_empty(), "{text}");
        let error = refused(&rig, &text, &plain()).await;
        assert_eq!((error.code, error.what), (ErrorCode::Invalid, words.join("\n")), "{text}");
    }
    for (text, what) in [
        (String::new(), "the request has no document"),
        (format!("{MAIN}---\n{MAIN}"), "the request has 2 documents: it is for one object"),
        (format!("{MAIN}# {}", "x".repeat(1 << 20)), "the document is larger than 1 MiB"),
        (
            with("{version: '18', port: 6000}"),
            "request:4:29: spec.port: port 6000 is also pinned by postgres/pinned",
        ),
    ] {
        let error = refused(&rig, &text, &plain()).await;
        assert_eq!((error.code, error.what.as_str()), (ErrorCode::Invalid, what));
    }
    assert!(rig.view("main").is_none());
}

#[tokio::test(start_paused = true)]
async fn what_a_file_holds_is_refused_with_the_lines_to_commit() {
    let rig = Rig::start(&[("main", "{version: '18', resources: {memory: 256Mi}, port: 6000}")]);
    rig.ready("main").await;
    let before = rig.view("main").unwrap().metadata;
    assert_eq!(before.managed_by, Some(ManagedBy::File));
    let wanted = with("{version: '18', resources: {memory: 512Mi, cpus: 0.5}}");
    for options in [plain(), dry()] {
        let error = refused(&rig, &wanted, &options).await;
        assert_eq!(error.code, ErrorCode::Conflict);
        assert_eq!(error.what, "postgres/main has a manifest in main.yaml:1:1; nothing was changed");
        let lines = error.next.split_once('\n').unwrap();
        assert_eq!(lines.0, "commit there:");
        assert_eq!(lines.1, "spec:\n  resources:\n    memory: 512Mi\n    cpus: 0.5\n# and remove spec.port");
    }
    // What it says already is no change.
    let same = with("{version: '18', resources: {memory: 256Mi}, port: 6000}");
    assert_eq!(apply(&rig, &same).await.outcome, Outcome::Unchanged);
    let patched = rig.operator.patch(&object("main"), "spec: {port: null}", &plain()).await.unwrap_err();
    assert!(patched.next.ends_with("# and remove spec.port"), "{patched:?}");
    let deleted = rig.operator.delete(&object("main"), "main").await.unwrap_err();
    assert!(deleted.what.contains("has a manifest in main.yaml"), "{deleted:?}");
    assert_eq!(rig.view("main").unwrap().metadata, before);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_and_a_version_that_is_stale_are_conflicts() {
    let rig = Rig::start(&[]);
    let create = ApplyOptions { create: true, ..plain() };
    let at = |version: &str| ApplyOptions { resource_version: Some(version.to_owned()), ..plain() };
    let error = refused(&rig, MAIN, &at("0.12345678")).await;
    assert!(error.code == ErrorCode::Conflict && error.what.contains("does not exist"), "{error:?}");
    let first = rig.operator.apply(MAIN, &create).await.unwrap();
    let error = refused(&rig, MAIN, &create).await;
    assert_eq!((error.code, error.what.as_str()), (ErrorCode::Conflict, "postgres/main exists already"));
    let labelled = MAIN.replace("{name: main}", "{name: main, labels: {team: shop}}");
    let second = rig.operator.apply(&labelled, &at(&first.resource_version)).await.unwrap();
    assert_eq!((second.outcome, rig.view("main").unwrap().metadata.generation), (Outcome::Configured, 1));
    let error = refused(&rig, MAIN, &at(&first.resource_version)).await;
    assert!(error.code == ErrorCode::Conflict && error.what.contains(&second.resource_version), "{error:?}");
    assert_eq!(rig.view("main").unwrap().metadata.labels["team"], "shop");
    // Of two at once that read the same, one is told that it was too late.
    let texts =
        ["256Mi", "512Mi"].map(|memory| with(&format!("{{version: '18', resources: {{memory: {memory}}}}}")));
    let options = at(&second.resource_version);
    let (a, b) =
        tokio::join!(rig.operator.apply(&texts[0], &options), rig.operator.apply(&texts[1], &options));
    assert_eq!([&a, &b].iter().filter(|done| done.is_ok()).count(), 1, "{a:?} {b:?}");
    let lost = a.err().or(b.err()).unwrap();
    assert_eq!(lost.code, ErrorCode::Conflict);
    rig.ready("main").await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_was_read_before_it_was_applied_takes_nothing_over() {
    let rig = Rig::start(&[("other", "{version: '18', port: none}")]);
    rig.ready("other").await;
    // It is on the disk and not yet known: a scan reads the file as that of a new object, and waits for the record's gate.
    rig.store.slow_answers(Duration::from_secs(1));
    let (operator, capped) = (Arc::clone(&rig.operator), with("{version: '18', resources: {memory: 512Mi}}"));
    let asked = tokio::spawn(async move { operator.apply(&capped, &ApplyOptions::default()).await });
    rig.let_pass(Duration::from_millis(500)).await;
    rig.manifest("main", "{version: '18', resources: {memory: 1Gi}}");
    // It reads the manifests first, and refuses then.
    rig.operator.rename(&object("main"), &object("x")).await.unwrap_err();
    rig.store.slow_answers(Duration::ZERO);
    assert_eq!(asked.await.unwrap().unwrap().outcome, Outcome::Created);
    let problem = rig.until("told", || rig.problems().into_iter().next()).await;
    assert!(problem.what.contains("is managed by the API"), "{problem}");
    rig.ready("main").await;
    assert_eq!(managed(&rig, "main"), Some(ManagedBy::Api));
    assert_eq!(rig.container("main").unwrap().caps.memory, memory(512));
    assert!(!rig.said("Returned", "") && rig.view("main").unwrap().metadata.generation == 1);
}

#[tokio::test(start_paused = true)]
async fn a_patch_changes_what_it_names_and_two_at_once_both_last() {
    let rig = Rig::start(&[]);
    let main = object("main");
    apply(&rig, MAIN).await;
    let (a, b) = ("spec: {resources: {memory: 512Mi}}", "{\"metadata\": {\"labels\": {\"team\": \"shop\"}}}");
    let options = plain();
    // Both read it before either is written.
    rig.store.slow_answers(Duration::from_secs(1));
    let (a, b) = tokio::join!(rig.operator.patch(&main, a, &options), rig.operator.patch(&main, b, &options));
    assert_eq!((a.unwrap().outcome, b.unwrap().outcome), (Outcome::Configured, Outcome::Configured));
    rig.store.slow_answers(Duration::ZERO);
    let view = rig.view("main").unwrap();
    assert_eq!(view.spec, serde_json::json!({"version": "18", "resources": {"memory": "512Mi"}}));
    assert_eq!(view.metadata.labels["team"], "shop");
    rig.operator.patch(&main, "spec: {resources: null}", &options).await.unwrap();
    assert_eq!(rig.view("main").unwrap().spec, serde_json::json!({"version": "18"}));
    for (patch, words) in [
        ("metadata: {name: other}", "neither the kind nor the name"),
        ("kind: Redis", "neither the kind nor the name"),
        ("spec: {memry: 1}", "unknown field"),
        ("[1]", "one mapping"),
        ("a: [", "request:"),
        ("", "one mapping"),
    ] {
        let error = rig.operator.patch(&main, patch, &options).await.unwrap_err();
        assert!(error.code == ErrorCode::Invalid && error.what.contains(words), "{patch}: {error:?}");
    }
    let error = rig.operator.patch(&object("none"), "spec: {}", &options).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);
}

#[tokio::test(start_paused = true)]
async fn what_names_images_is_applied_before_what_uses_them_and_not_gone_with_a_scan() {
    let mut rig = Rig::new(engine(), Times::default());
    rig.remove("catalog");
    rig.drive();
    let local = with("{version: '18b'}");
    assert_eq!(refused(&rig, &local, &plain()).await.code, ErrorCode::Invalid);
    apply(&rig, CATALOG).await;
    apply(&rig, &local).await;
    rig.ready("main").await;
    assert_eq!(managed(&rig, "imagecatalog/local"), Some(ManagedBy::Api));
    rig.reason("imagecatalog/local", C::Ready, "Loaded").await;
    rig.manifest("other", "{version: '18', port: none}");
    rig.ready("other").await;
    rig.leave().await;
    rig.restart();
    rig.ready("main").await;
    rig.let_pass(Duration::from_secs(120)).await;
    assert!(rig.is_ready("main") && rig.view("imagecatalog/local").is_some());
    let done = rig.operator.delete(&"imagecatalog/local".parse().unwrap(), "").await.unwrap();
    assert_eq!(done.message, "imagecatalog/local is deleted: the catalog is forgotten");
    assert!(rig.view("imagecatalog/local").is_none());
    let error = refused(&rig, &local.replace("main", "new"), &plain()).await;
    assert_eq!(error.code, ErrorCode::Invalid);
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_goes_to_another_name_that_is_applied() {
    let rig = Rig::start(&[]);
    apply(&rig, MAIN).await;
    rig.ready("main").await;
    let password = rig.password("main").await;
    rig.operator.delete(&object("main"), "").await.unwrap();
    rig.until("no container", || rig.container("main").is_none().then_some(())).await;
    apply(&rig, &rig.document("new", "seawall.dev/paused: 'true'", "{version: '18'}")).await;
    rig.operator.rename(&object("main"), &object("new")).await.unwrap();
    rig.until("handed over", || rig.view("main").is_none().then_some(())).await;
    apply(&rig, &rig.document("new", "", "{version: '18'}")).await;
    rig.ready("new").await;
    assert_eq!(rig.password("new").await, password);
    assert_eq!(managed(&rig, "new"), Some(ManagedBy::Api));
}

#[tokio::test(start_paused = true)]
async fn with_the_store_lost_it_goes_on_when_it_is_applied_again() {
    let mut rig = Rig::start(&[]);
    apply(&rig, MAIN).await;
    rig.ready("main").await;
    let id = rig.container("main").unwrap().id;
    rig.leave().await;
    rig.recover().await;
    // Only the store knew that it was wanted: without this it goes as one whose manifest is gone.
    assert_eq!(apply(&rig, MAIN).await.outcome, Outcome::Configured);
    rig.ready("main").await;
    assert_eq!(managed(&rig, "main"), Some(ManagedBy::Api));
    rig.let_pass(Duration::from_secs(120)).await;
    assert_eq!(rig.container("main").map(|container| container.id), Some(id));
}

#[tokio::test(start_paused = true)]
async fn what_is_referred_to_is_not_deleted() {
    let rig = Rig::start(&[]);
    apply(&rig, MAIN).await;
    let head = "apiVersion: seawall.dev/v1\nkind:";
    apply(
        &rig,
        &format!("{head} Project\nmetadata: {{name: shop}}\nspec: {{environments: {{production: {{}}}}}}\n"),
    )
    .await;
    apply(&rig, &format!("{head} Link\nmetadata: {{name: l}}\nspec: {{service: postgres/main, project: shop, environment: production}}\n")).await;
    rig.reason("link/l", C::Ready, "LoginSucceeded").await;
    for confirm in ["", "main"] {
        let error = rig.operator.delete(&object("main"), confirm).await.unwrap_err();
        assert_eq!(error.what, "postgres/main is referred to by link/l; nothing was changed");
        assert_eq!(error.next, "remove link/l first");
    }
    let done = rig.operator.delete(&"link/l".parse().unwrap(), "").await.unwrap();
    assert!(done.message.contains("the database stays"), "{done:?}");
    rig.until("the link is forgotten", || rig.view("link/l").is_none().then_some(())).await;
    rig.operator.delete(&object("main"), "").await.unwrap();
    rig.until("no container", || rig.container("main").is_none().then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn whoever_asked_may_leave_and_what_the_disk_refuses_was_not_done() {
    let mut rig = Rig::start(&[("other", "{version: '18', port: none}")]);
    rig.ready("other").await;
    rig.store.fail_writes(true);
    let error = refused(&rig, MAIN, &plain()).await;
    assert_eq!(error.code, ErrorCode::Internal);
    assert!(rig.view("main").is_none() && rig.store.get("obj/postgres/main").unwrap().is_none());
    rig.store.fail_writes(false);
    // It is on the disk, and whoever waits for the answer goes away before it comes.
    rig.store.slow_answers(Duration::from_secs(1));
    let operator = Arc::clone(&rig.operator);
    let asked = tokio::spawn(async move { operator.apply(MAIN, &ApplyOptions::default()).await });
    rig.let_pass(Duration::from_millis(500)).await;
    assert!(rig.view("main").is_none() && rig.store.get("obj/postgres/main").unwrap().is_some());
    asked.abort();
    rig.store.slow_answers(Duration::ZERO);
    rig.ready("main").await;
    assert_eq!(managed(&rig, "main"), Some(ManagedBy::Api));
    // Killed there, the next process knows it too.
    rig.store.slow_answers(Duration::from_secs(1));
    let (operator, capped) = (Arc::clone(&rig.operator), with("{version: '18', resources: {memory: 512Mi}}"));
    let asked = tokio::spawn(async move { operator.apply(&capped, &ApplyOptions::default()).await });
    rig.let_pass(Duration::from_millis(500)).await;
    asked.abort();
    rig.crash().await;
    rig.store.slow_answers(Duration::ZERO);
    rig.check_and_restart().await;
    rig.until("capped", || (rig.container("main")?.caps.memory == memory(512)).then_some(())).await;
    // An offline reader changes nothing.
    assert_eq!(managed(&rig, "main"), Some(ManagedBy::Api));
}
