//! The verbs that plan, wait and do: what they print and the codes they end with.

use super::fake::*;
use seawall::cli::backend::{Check, Validated};
use seawall::control::api::*;
use seawall::core::access::{Grant, Permission, Role};
use seawall::core::condition::Truth;
use seawall::core::plan::{BlockView, PlanView, Sign, StepView, Until, WaitView};
use std::time::{Duration, Instant};

fn plan(fake: &Fake, plans: Vec<PlanView>) {
    fake.change(|w| w.plan.plans = plans);
}

#[tokio::test]
async fn plan_says_what_and_why_and_ends_with_a_code() {
    let fake = Fake::default();
    let place = Place::live(&fake).await;
    let settled = PlanView { object: "postgres/calm".into(), ..PlanView::default() };
    plan(&fake, vec![settled.clone()]);
    let ran = place.run("plan").await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "Nothing to do: 1 object as planned.\n"));
    let step =
        |sign, action: &str, cause: &str| StepView { sign, action: action.into(), cause: cause.into() };
    let busy = PlanView {
        object: "postgres/main".into(),
        steps: vec![
            step(Sign::Create, "volume postgres-main-data", "missing"),
            step(Sign::Replace, "container", "image changed"),
            step(Sign::Change, "memory", "256Mi → 512Mi: spec changed"),
        ],
        waiting: vec![WaitView { on: "ServerStarting".into(), why: "recovery".into(), until: Until::Soon }],
        ..PlanView::default()
    };
    let block = BlockView {
        reason: "MajorVersionChange".into(),
        why: "17 → 18".into(),
        unblock: "seawall upgrade".into(),
    };
    let blocked = PlanView { object: "postgres/old".into(), blocked: vec![block], ..PlanView::default() };
    plan(&fake, vec![settled, busy, blocked]);
    let ran = place.run("plan").await;
    assert_eq!(ran.code, 2);
    assert_eq!(
        ran.out,
        "\
postgres/main
    + volume postgres-main-data  missing
  -/+ container                  image changed
    ~ memory                     256Mi → 512Mi: spec changed
    … ServerStarting:  recovery

postgres/old
    ! MajorVersionChange:  17 → 18
      to allow it:  seawall upgrade

Plan: 1 to create, 1 to change, 1 to replace, 0 to delete; 1 blocked, 1 waiting.
"
    );
    let json: PlanList = serde_json::from_str(&place.run("plan -o json").await.out).unwrap();
    assert_eq!(json.plans.len(), 3);
    let unknown =
        PlanView { object: "postgres/x".into(), unknown: Some("engine down".into()), ..PlanView::default() };
    plan(&fake, vec![unknown]);
    let ran = place.run("plan").await;
    assert!(ran.code == 1 && ran.out.contains("no plan:  engine down"), "{ran:?}");
    plan(&fake, vec![]);
    fake.change(|w| w.plan.problems = vec![problem()]);
    let ran = place.run("plan").await;
    assert!(ran.code == 1 && ran.err.contains("problem: shop.yaml:7:3"), "{ran:?}");
}

#[tokio::test]
async fn plan_for_a_directory_sends_its_texts() {
    let fake = Fake::default();
    let place = Place::live(&fake).await;
    let dir = place.dir.path().join("m");
    std::fs::create_dir_all(dir.join("a/.git")).unwrap();
    for (name, text) in
        [("x.yaml", "1"), ("a/y.yml", "2"), ("a/.git/z.yaml", "no"), ("a/readme.md", "no"), (".h.yaml", "no")]
    {
        std::fs::write(dir.join(name), text).unwrap();
    }
    assert_eq!(place.run("plan m").await.code, 0);
    let sent = r#"plan Some({"a/y.yml": "2", "x.yaml": "1"})"#;
    assert_eq!(fake.calls().last().unwrap(), sent);
    place.run("plan").await;
    assert_eq!(fake.calls().last().unwrap(), "plan None", "the operator knows its own");
    // As the operator reads it: a circle of links is gone round once, and no link leads out.
    std::os::unix::fs::symlink(&dir, dir.join("loop")).unwrap();
    place.run("plan m").await;
    assert_eq!(fake.calls().last().unwrap(), sent);
    std::os::unix::fs::symlink("../other", dir.join("out.yaml")).unwrap();
    let ran = place.run("plan m").await;
    assert!(ran.code == 1 && ran.err.contains("out.yaml: not read: the link leads out"), "{}", ran.err);
    std::fs::remove_file(dir.join("out.yaml")).unwrap();
    std::fs::write(dir.join("b.yaml"), [0xff, 0xfe]).unwrap();
    let ran = place.run("plan m").await;
    assert!(ran.code == 1 && ran.err.contains("b.yaml") && ran.err.contains("UTF-8"), "{}", ran.err);
    assert!(place.run("plan nowhere").await.err.contains("there is no directory"));
}

#[tokio::test]
async fn wait_is_kubectls() {
    let fake = two();
    let place = Place::live(&fake).await;
    let ran = place.run("wait postgres/main --for=condition=Ready --timeout=5s").await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "postgres/main condition met\n"));
    assert_eq!(place.run("wait pg/main --for=condition=degraded=false").await.code, 0);
    let begin = Instant::now();
    let ran = place.run("wait pg/shop-eu --for=condition=Ready --timeout=300ms").await;
    assert_eq!(ran.code, 1);
    assert!(
        ran.err.starts_with("error: timed out waiting for the condition on postgres/shop-eu\n"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("Ready is False: LoginFailed: no"), "{}", ran.err);
    assert!(begin.elapsed() < Duration::from_secs(2));
    let soon = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        fake.change(|w| {
            w.list.items[1] = main_view();
            w.list.items[1].metadata.name = "new".into();
            w.list.revision += 1;
        });
    };
    let (ran, ()) = tokio::join!(place.run("wait pg/new --for=condition=Ready --timeout=20s"), soon);
    assert_eq!(ran.out, "postgres/new condition met\n", "a manifest that was just saved");
    assert_eq!(place.run("wait pg/gone --for=delete").await.out, "postgres/gone deleted\n");
    let ran = place.run("wait pg/main --for=delete --timeout=100ms").await;
    assert!(ran.code == 1 && ran.err.contains("still there"), "{ran:?}");
    fake.change(|w| w.list.items[0].metadata.generation = 4);
    let ran = place.run("wait pg/main --for=condition=Ready --timeout=100ms").await;
    assert_eq!(ran.code, 1, "a status of the generation before proves nothing");
    for bad in ["Ready", "condition=", "condition=Ready=Maybe", "jsonpath=x"] {
        assert_eq!(place.run(&format!("wait pg/main --for={bad}")).await.code, 1, "{bad}");
    }
}

#[tokio::test]
async fn wait_also_waits_for_the_operator() {
    let place = Place::offline(FakeBackend { locked: true, ..FakeBackend::default() });
    let ran = place.run("wait pg/main --for=condition=Ready --timeout=200ms").await;
    assert!(ran.code == 1 && ran.err.contains("no operator answers in"), "{ran:?}");
    let begin = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        place.start(&two()).await;
    };
    let (ran, ()) = tokio::join!(place.run("wait pg/main --for=condition=Ready --timeout=20s"), begin);
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[tokio::test]
async fn wait_says_at_once_what_will_not_come_by_itself() {
    let begin = Instant::now();
    let ran =
        Place::offline(FakeBackend::default()).run("wait pg/main --for=condition=Ready --timeout=60s").await;
    assert!(ran.code == 1 && ran.err.contains("waiting needs a running operator"), "{ran:?}");
    assert!(begin.elapsed() < Duration::from_secs(5));
    let fake = two();
    let place = Place::live(&fake).await;
    fake.change(|w| {
        let degraded = &mut w.list.items[0].status["conditions"][1];
        degraded["status"] = "True".into();
        degraded["reason"] = "ManifestBroken".into();
        degraded["message"] = "shop.yaml:7:3: spec.verson: unknown field".into();
    });
    let ran = place.run("wait pg/main --for=condition=Ready --timeout=60s").await;
    assert!(ran.code == 1 && ran.err.contains("postgres/main: shop.yaml:7:3"), "{ran:?}");
    assert_eq!(place.run("wait pg/main --for=condition=Degraded --timeout=60s").await.code, 0);
    let refused =
        ApiError::new(ErrorCode::Conflict, "postgres/new is not made: its manifest has problems", "");
    fake.change(|w| w.error = Some(refused));
    let ran = place.run("wait pg/new --for=condition=Ready --timeout=60s").await;
    assert!(ran.code == 1 && ran.err.contains("its manifest has problems"), "{ran:?}");
    assert!(begin.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn wait_believes_nothing_before_the_manifests_are_read() {
    let fake = two();
    let place = Place::live(&fake).await;
    fake.change(|w| w.unread = true);
    let ran = place.run("wait pg/main --for=condition=Ready --timeout=300ms").await;
    assert!(ran.code == 1 && ran.err.contains("the manifests were changed a moment ago"), "{ran:?}");
    assert!(!fake.calls().iter().any(|call| call.starts_with("object")), "{:?}", fake.calls());
    let saved = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        fake.change(|w| w.unread = false);
    };
    let (ran, ()) = tokio::join!(place.run("wait pg/main --for=condition=Ready --timeout=20s"), saved);
    assert_eq!(ran.out, "postgres/main condition met\n", "{ran:?}");
}

#[tokio::test]
async fn operations_wait_on_a_terminal_and_when_they_are_told_to() {
    let fake = two();
    let mut place = Place::live(&fake).await;
    let ran = place.run("restart pg/shop-eu").await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    let ran = place.run("restart pg/shop-eu --wait --timeout 200ms").await;
    assert!(ran.code == 1 && ran.err.starts_with("Ready is False: LoginFailed: "), "{ran:?}");
    assert!(ran.err.contains("timed out waiting"), "{ran:?}");
    // Of several each is asked for, and one that fails holds up none.
    fake.change(|w| w.calls.clear());
    let ran = place.run("restart pg main shop-eu").await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let asked: Vec<String> = fake.calls().into_iter().filter(|call| call.starts_with("Restart")).collect();
    assert_eq!(asked, ["Restart postgres/main", "Restart postgres/shop-eu"]);
    let ran = place.run("restart pg/shop-eu pg/main --wait --timeout 200ms").await;
    assert!(ran.code == 1 && ran.out.ends_with("postgres/main is Ready\n"), "{ran:?}");
    let ran = place.run("describe pg gone main").await;
    assert!(ran.code == 1 && ran.err.contains("gone not found") && ran.out.contains("main"), "{ran:?}");
    place.colour = true;
    let ran = place.run("restart pg/main").await;
    assert!(ran.code == 0 && ran.out.ends_with("postgres/main is Ready\n"), "{ran:?}");
    assert_eq!(place.run("stop pg/main --timeout 200ms").await.code, 1, "it is Ready still");
    assert_eq!(place.run("stop pg/main --no-wait").await.code, 0);
    assert_eq!(place.run("stop pg/main --no-wait --wait").await.code, 1, "one of the two");
    fake.change(|w| {
        w.list.items[0] = view("main", "False", "Stopped", "stopped");
        w.list.revision += 1;
    });
    let ran = place.run("stop pg/main").await;
    assert!(ran.code == 0 && ran.out.ends_with("postgres/main is stopped\n"), "{ran:?}");
}

#[tokio::test]
async fn who_watches_goes_on_after_a_restart_of_the_operator() {
    let place = Place::offline(FakeBackend::default());
    let over = || ApiError::new(ErrorCode::Internal, "over", "");
    for (words, shows) in [("get postgres -w", "new"), ("events -w", "message 2")] {
        let (first, second) = (two(), two());
        first.change(|w| w.events = vec![event(1, "postgres/main")]);
        second.change(|w| {
            w.events = vec![event(1, "postgres/main"), event(2, "postgres/main")];
            w.list.items.push(view("new", "True", "LoginSucceeded", ""));
        });
        let cancel = place.start_until(&first).await;
        let restart = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            cancel.cancel();
            while place.socket().exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let cancel = place.start_until(&second).await;
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            second.change(|w| (w.error, w.list.revision) = (Some(over()), 9));
            cancel
        };
        let (ran, cancel) = tokio::join!(place.run(words), restart);
        assert!(
            ran.err.contains("the operator is away") && ran.err.contains("the operator is back"),
            "{words}: {ran:?}"
        );
        assert!(ran.err.ends_with("error: over\n"), "{words}: {ran:?}");
        let lines = ran.out.lines().filter(|line| line.contains(shows)).count();
        assert_eq!(lines, 1, "{words}: {ran:?}");
        cancel.cancel();
        while place.socket().exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn a_log_is_followed_over_a_restart_of_the_operator() {
    let fake = two();
    let place = Place::live(&fake).await;
    let ran = place.run("logs pg/main -f --tail 3").await;
    assert!(ran.code == 1 && ran.err.contains("the log ended early"), "of the same process: {}", ran.err);
    fake.change(|w| w.log_ends = true);
    assert_eq!(place.run("logs pg/main -f --tail 3").await.code, 0, "of a container that ended");
    for log_ends in [false, true] {
        fake.change(|w| (w.restarts, w.log_ends, w.error) = (true, log_ends, None));
        let over = async {
            tokio::time::sleep(Duration::from_millis(2_400)).await;
            fake.change(|w| w.error = Some(ApiError::new(ErrorCode::Internal, "over", "")));
        };
        let (ran, ()) = tokio::join!(place.run("logs pg/main -f --tail 3"), over);
        assert!(ran.out.contains("Some(3) line\n") && ran.out.contains("Some(0) line\n"), "{}", ran.err);
        assert!(ran.err.contains("what was printed meanwhile is not shown"), "{}", ran.err);
    }
}

const MANY: &str = "\
apiVersion: seawall.dev/v1
kind: Postgres
metadata: {name: main}
spec: {version: '18'}
---
apiVersion: seawall.dev/v1
kind: ImageCatalog
metadata: {name: local}
spec: {engine: postgres, images: {'18': {image: 'a:1'}}}
";

#[tokio::test]
async fn apply_sends_each_document_and_says_what_became_of_it() {
    let fake = two();
    fake.change(|w| w.applied.outcome = seawall::control::api::Outcome::Created);
    let place = Place::live(&fake).await;
    std::fs::write(place.dir.path().join("f.yaml"), MANY).unwrap();
    let ran = place.run("apply -f f.yaml").await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "imagecatalog/local created\npostgres/main created\n"));
    let plan = PlanView { object: "postgres/main".into(), ..PlanView::default() };
    fake.change(|w| {
        w.applied.plan = Some(plan);
        let place = seawall::core::problem::Place { file: "request".into(), line: 4, column: 8 };
        w.applied.warnings = vec![seawall::core::problem::Problem::new(place, "spec.x", "is small")];
    });
    let ran = place.run("apply --dry-run --file f.yaml").await;
    assert!(ran.out.starts_with("imagecatalog/local created (dry run)\n"), "{ran:?}");
    assert!(ran.out.ends_with("Nothing to do: 2 objects as planned.\n"), "{ran:?}");
    assert!(ran.err.contains("warning: f.yaml:4:8: spec.x: is small"), "{ran:?}");
    let calls: Vec<String> = fake.calls().into_iter().filter(|call| call.starts_with("apply")).collect();
    assert_eq!(calls.len(), 4);
    assert!(calls[0].contains("dry_run: false") && calls[2].contains("dry_run: true"), "{calls:?}");
    // One that is refused holds up no other, and its problems have the lines of the file.
    let what = "request:4:8: spec.x: unknown field\nrequest:4:9: spec.y: unknown field";
    fake.change(|w| w.error = Some(ApiError::new(ErrorCode::Invalid, what, "look")));
    let ran = place.run("apply -f f.yaml").await;
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    let once = "error: f.yaml:4:8: spec.x: unknown field\nf.yaml:4:9: spec.y: unknown field\n  look\n";
    assert_eq!(ran.err, once.repeat(2));
    // Of a text that is no good nothing is sent.
    let sent = fake.calls().len();
    std::fs::write(place.dir.path().join("f.yaml"), MANY.replace("Postgres", "Postgress")).unwrap();
    let ran = place.run("apply -f f.yaml").await;
    assert!(ran.code == 1 && ran.err.contains("f.yaml:2:7: kind: unknown kind"), "{ran:?}");
    assert!(place.run("apply -f none.yaml").await.err.contains("none.yaml"));
    assert_eq!(fake.calls().len(), sent);
    let place = Place::offline(FakeBackend { offline: Some(two()), ..FakeBackend::default() });
    std::fs::write(place.dir.path().join("f.yaml"), MANY).unwrap();
    let ran = place.run("apply -f f.yaml").await;
    assert!(ran.code == 1 && ran.err.contains("apply needs a running operator"), "{ran:?}");
}

#[tokio::test]
async fn what_was_applied_is_deleted_and_exported_by_itself() {
    let fake = two();
    fake.change(|w| {
        for item in &mut w.list.items {
            item.metadata.managed_by = Some(ManagedBy::Api);
            item.metadata.source = String::new();
        }
        w.list.items[1].metadata.managed_by = Some(ManagedBy::File);
    });
    let place = Place::live(&fake).await;
    let (first, second) = {
        let items = fake.objects().await.unwrap().items;
        (items[0].metadata.name.clone(), items[1].metadata.name.clone())
    };
    assert_eq!(place.run(&format!("delete pg/{first}")).await.code, 0);
    assert!(fake.calls().contains(&format!("delete postgres/{first} ")));
    assert_eq!(place.run(&format!("delete pg/{second}")).await.code, 1);
    assert!(place.run(&format!("describe pg/{first}")).await.out.contains("none: it was applied"));
    let ran = place.run("export --manifests out/m").await;
    assert_eq!((ran.code, ran.out), (0, format!("out/m/postgres-{first}.yaml: postgres/{first}\n")));
    let file = place.dir.path().join(format!("out/m/postgres-{first}.yaml"));
    let text = std::fs::read_to_string(&file).unwrap();
    let documents = seawall::manifest::load::load_dir(&place.dir.path().join("out/m"));
    assert_eq!((documents.documents.len(), documents.problems.len()), (1, 0), "{text}");
    assert_eq!(documents.documents[0].spec, fake.objects().await.unwrap().items[0].spec);
    assert_eq!(documents.documents[0].metadata.labels["team"], "shop");
    assert!(!text.contains("status") && !text.contains("uid"), "{text}");
    assert_eq!(std::fs::read_dir(place.dir.path().join("out/m")).unwrap().count(), 1);
    // A file that is there is somebody's.
    std::fs::write(&file, "mine").unwrap();
    let ran = place.run("export --manifests out/m").await;
    assert!(ran.code == 1 && ran.err.contains("no file is overwritten"), "{ran:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    assert_eq!(place.run("export").await.out, "{\"key\":\"a\"}\n{\"key\":\"b\"}\n");
}

#[tokio::test]
async fn doings_say_what_they_did() {
    let fake = two();
    let place = Place::live(&fake).await;
    let out = place.run("stop pg/main").await.out;
    assert_eq!(out, "postgres/main stops\nTo keep it so, commit:\n  spec:\n    stopped: true\n");
    for (words, call) in
        [("start pg/main", "Start postgres/main"), ("restart pg/main", "Restart postgres/main")]
    {
        place.run(words).await;
        assert_eq!(fake.calls().last().unwrap(), call);
    }
    let ran = place.run("delete pg/main").await;
    assert!(ran.code == 1 && ran.err.contains("seawall delete postgres/main --confirm main"), "{}", ran.err);
    assert!(!fake.calls().iter().any(|c| c.starts_with("delete")), "nothing was asked of the operator");
    assert_eq!(place.run("delete pg/main --confirm main").await.out, "postgres/main deleted\n");
    assert_eq!(place.run("prune").await.out, "Nothing is held back.\n");
    fake.change(|w| {
        let item = PruneItem { object: "postgres/main".into(), what: "remove the container".into() };
        w.prune = PruneView {
            would_remove: vec![item],
            guard: Some("3 of 4 are gone".into()),
            confirm: "go-1a2b".into(),
        };
    });
    let out = place.run("prune").await.out;
    assert!(out.contains("3 of 4 are gone") && out.contains("postgres/main  remove the container"), "{out}");
    assert!(out.ends_with("seawall prune --confirm go-1a2b\n"), "{out}");
    place.run("prune --confirm go-1a2b").await;
    assert_eq!(fake.calls().last().unwrap(), "confirm go-1a2b");
    assert_eq!(place.run("export").await.out, "{\"key\":\"a\"}\n{\"key\":\"b\"}\n");
    let version = place.run("version").await.out;
    assert!(version.contains("operator  9.9.9 (process 42") && version.contains("20.10.24"), "{version}");
}

#[tokio::test]
async fn logs_are_printed_up_to_where_they_end_early() {
    let place = Place::live(&Fake::default()).await;
    let ran = place.run("logs pg/main --tail 5").await;
    assert_eq!((ran.code, ran.err.as_str()), (1, "error: the log ended early\n"));
    assert!(ran.out.starts_with("Some(5) line\n\u{1f40b}") && ran.out.ends_with('\n'), "{}", ran.out.len());
}

#[tokio::test]
async fn verbs_that_need_no_operator() {
    let check = |name: &str, ok, next: &str| Check {
        name: name.into(),
        ok,
        message: "found".into(),
        next: next.into(),
    };
    let mut backend = FakeBackend {
        validated: Validated { objects: 1, files: 2, ..Validated::default() },
        checks: vec![check("docker engine", Truth::True, ""), check("clock", Truth::Unknown, "")],
        ..FakeBackend::default()
    };
    let place = Place::offline(backend.clone());
    let ran = place.run("validate").await;
    assert!(ran.code == 1 && ran.err.contains("no directory of manifests is given"), "{}", ran.err);
    let ran = place.run("validate .").await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "ok: 1 object in 2 files\n"));
    let ran = place.run("doctor").await;
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (0, "ok       docker engine  found\nunknown  clock          found\n")
    );
    assert_eq!(place.run("schema").await.out, "schema None\n");
    assert_eq!(place.run("schema pg").await.out, "schema Some(Postgres)\n");
    assert_eq!(place.run("schema --write s").await.code, 0);
    assert_eq!(std::fs::read_to_string(place.dir.path().join("s/all.schema.json")).unwrap(), "{}");
    assert_eq!(place.run("recover --confirm it").await.out, "Some(\"it\")\n");
    backend.checks.push(check("key file", Truth::False, "chmod 600 it"));
    backend.validated.problems = vec![problem(), problem()];
    backend.validated.passed_over = Some("a.YAML is not read".to_owned());
    let place = Place::offline(backend);
    let ran = place.run("doctor").await;
    assert_eq!(ran.code, 1);
    assert!(
        ran.out.contains("FAIL     key file       found\n                        → chmod 600 it\n"),
        "{}",
        ran.out
    );
    let ran = place.run("validate .").await;
    assert_eq!(ran.err, "note: a.YAML is not read\n");
    let line = "shop.yaml:7:3: spec.verson: unknown field: version\n";
    assert_eq!((ran.code, ran.out), (1, format!("{line}{line}2 problems in 1 file\n")));
}

#[tokio::test]
async fn one_convergence_ends_with_a_table_of_why() {
    let fake = two();
    let place = Place::offline(FakeBackend { offline: Some(fake.clone()), ..FakeBackend::default() });
    assert!(place.run("run --once").await.err.contains("no directory of manifests is given"));
    std::fs::create_dir(place.dir.path().join("manifests")).unwrap();
    let ran = place.run("run --once").await;
    assert_eq!(ran.code, 1);
    let last = ran.out.lines().last().unwrap();
    assert_eq!(last, "postgres/shop-eu is not Ready: LoginFailed: no\\u{1b}[2J route\\nto host");
    fake.change(|w| w.list.items[1] = view("off", "False", "Stopped", "as asked"));
    let ran = place.run("run --once").await;
    assert_eq!((ran.code, ran.out.lines().count()), (0, 3), "stopped on purpose is well: {ran:?}");
    fake.change(|w| w.list.problems = vec![problem()]);
    let ran = place.run("run --once").await;
    assert!(ran.code == 1 && ran.err.contains("1 problem in the manifests"), "{ran:?}");
    assert_eq!(place.run("run").await.code, 0);
}

#[tokio::test]
async fn keys_are_listed_verified_and_rotated() {
    let key = |id: &str, cipher: &str, records, state| KeyView {
        id: id.into(),
        ciphers: vec![cipher.into()],
        created: Some("2026-01-01T00:00:00Z".into()),
        records,
        state,
    };
    let fake = Fake::with(|w| {
        w.keys.keys =
            vec![key("0a", "AES-256-GCM", 2, KeyUse::Opens), key("0b", "AES-256-GCM", 1, KeyUse::Seals)];
        w.check.records = 3;
    });
    let place = Place::live(&fake).await;
    let ran = place.run("keys list").await;
    assert_eq!(
        ran.out,
        "\
KEY  CIPHER       CREATED               RECORDS  USE
0a   AES-256-GCM  2026-01-01T00:00:00Z  2        opens, until every record is sealed anew
0b   AES-256-GCM  2026-01-01T00:00:00Z  1        seals and opens
"
    );
    let ran = place.run("keys verify").await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "3 records, all open\n"));
    let broken = BrokenSecret { record: "secret/postgres/a".into(), why: "changed\u{1b}[2J".into() };
    fake.change(|w| w.check.broken = vec![broken]);
    let ran = place.run("keys verify").await;
    assert_eq!(ran.code, 1);
    assert!(ran.out.starts_with("secret/postgres/a: changed") && !ran.out.contains('\u{1b}'), "{ran:?}");
    assert!(ran.out.ends_with("1 of 3 records cannot be opened\n"), "{ran:?}");
    for (words, call) in [
        ("keys rotate", "rotate keys None"),
        ("keys rotate --cipher xchacha20-poly1305", "rotate keys Some(XChaCha20Poly1305)"),
        ("keys rotate --cipher aes-256-gcm", "rotate keys Some(Aes256Gcm)"),
    ] {
        let ran = place.run(words).await;
        assert_eq!((ran.code, ran.out.as_str()), (0, "rotated\n"));
        assert!(fake.calls().contains(&call.to_owned()), "{:?}", fake.calls());
    }
    // Without an operator they can be looked at, and no more.
    let place = Place::offline(FakeBackend { offline: Some(fake), ..FakeBackend::default() });
    assert_eq!(place.run("keys list").await.code, 0);
    let ran = place.run("keys rotate").await;
    assert!(ran.code == 1 && ran.err.contains("needs a running operator"), "{ran:?}");
}

#[tokio::test]
async fn tokens_are_made_listed_and_revoked() {
    let fake = Fake::with(|w| {
        let ended = TokenView {
            expired: true,
            expires: Some("2020-01-01T00:00:00Z".into()),
            ..token_view("old", Grant::Role(Role::Admin))
        };
        let some = Grant::Permissions([Permission::BackupsRead, Permission::SecretsReveal].into());
        let never =
            TokenView { expires: None, last_used: None, last_from: None, ..token_view("reader", some) };
        w.tokens = vec![token_view("ci", Grant::Role(Role::Viewer)), ended, never];
    });
    let place = Place::live(&fake).await;
    for (words, call) in [
        ("token create ci --role viewer", "create token ci viewer 90d"),
        ("token create ci --role admin --expires never", "create token ci admin never"),
        (
            "token create ci --permission SecretsReveal --permission BackupsRead --expires 12h",
            "create token ci BackupsRead, SecretsReveal 12h",
        ),
    ] {
        let ran = place.run(words).await;
        // What a script takes, and nothing else; what a person reads is beside it, without the token.
        assert_eq!((ran.code, ran.out), (0, format!("{TOKEN}\n")), "{words}");
        assert!(ran.err.starts_with("token ci: ") && !ran.err.contains(TOKEN), "{}", ran.err);
        assert_eq!(fake.calls().last().unwrap(), call);
    }
    let made = place.run("token create ci --role viewer -o json").await.out;
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    assert_eq!(
        (&made["token"], &made["name"], &made["role"]),
        (&TOKEN.into(), &"ci".into(), &"viewer".into())
    );
    let before = fake.calls().len();
    for bad in [
        "token create ci",
        "token create ci --role root",
        "token create ci --role admin --permission SecretsReveal",
        "token create ci --permission Everything",
        "token create Not_A_Name --role admin",
        "token create ci --role admin --expires soon",
        "token create ci --role admin --expires 2020-01-01T00:00:00Z",
        "token revoke",
    ] {
        assert_eq!(place.run(bad).await.code, 1, "{bad}");
    }
    assert_eq!(fake.calls().len(), before);
    let table = "\
NAME    ALLOWS                      AGE  EXPIRES                          LAST USED
ci      viewer                      40d  2999-01-01T00:00:00Z             60m
old     admin                       40d  over since 2020-01-01T00:00:00Z  60m
reader  BackupsRead, SecretsReveal  40d  never                            never
";
    assert_eq!(place.run("token list").await.out, table);
    let wide = place.run("token list -o wide").await.out;
    assert!(
        wide.lines().next().unwrap().ends_with("LAST USED  CREATED                         LAST FROM"),
        "{wide}"
    );
    assert!(wide.lines().nth(1).unwrap().ends_with("10.0.0.1"), "{wide}");
    let json: Vec<TokenView> = serde_json::from_str(&place.run("token list -o json").await.out).unwrap();
    assert_eq!(json.len(), 3);
    let ran = place.run("token revoke ci").await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "token ci is revoked\n"));
    assert_eq!(fake.calls().last().unwrap(), "revoke token ci");
    // Without an operator they can be looked at, and no more.
    let place = Place::offline(FakeBackend { offline: Some(fake), ..FakeBackend::default() });
    assert_eq!(place.run("token list").await.out, table);
    for words in ["token create ci --role viewer", "token revoke ci"] {
        let ran = place.run(words).await;
        assert!(ran.code == 1 && ran.err.contains("needs a running operator"), "{ran:?}");
    }
}

#[tokio::test]
async fn the_audit_log_is_a_table_of_who_did_what() {
    let entry = |sequence, at: &str, who: &str, what: &str| AuditEntry {
        sequence,
        at: at.into(),
        last_at: at.into(),
        who: who.into(),
        from: "socket".into(),
        what: what.into(),
        object: "postgres/main".into(),
        detail: "in words\u{1b}[2J".into(),
        count: 1,
    };
    let now = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second()).unwrap().to_string();
    let fake = Fake::default();
    let place = Place::live(&fake).await;
    assert_eq!(place.run("audit").await.err, "Nothing was written down.\n");
    fake.change(|w| {
        w.audit = vec![
            entry(1, "2026-01-01T00:00:00Z", "uid 0 (root)", "PasswordRevealed"),
            entry(2, &now, "ci", "TokenRevoked"),
        ];
    });
    let table = format!(
        "\
TIME                  WHO           FROM    WHAT              OBJECT         COUNT
2026-01-01T00:00:00Z  uid 0 (root)  socket  PasswordRevealed  postgres/main  1
{now}  ci            socket  TokenRevoked      postgres/main  1
"
    );
    let ran = place.run("audit").await;
    assert_eq!((ran.code, ran.out), (0, table));
    let recent = place.run("audit --since 1h").await.out;
    assert!(recent.lines().count() == 2 && recent.contains("TokenRevoked"), "{recent}");
    let wide = place.run("audit -o wide").await.out;
    assert!(wide.contains("DETAIL") && wide.contains("in words\\u{1b}[2J"), "{wide}");
    let json: Vec<AuditEntry> = serde_json::from_str(&place.run("audit -o json").await.out).unwrap();
    assert_eq!(json.len(), 2);
    // It goes on until the operator leaves; each new one is a line of its own.
    let later = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        fake.change(|w| {
            w.audit.push(entry(3, &now, "late", "KeyRotated"));
            w.list.revision += 1;
        });
        tokio::time::sleep(Duration::from_millis(200)).await;
        let gone = ApiError::new(ErrorCode::Unavailable, "gone", "");
        fake.change(|w| {
            w.error = Some(gone);
            w.list.revision += 1;
        });
    };
    let (ran, ()) = tokio::join!(place.run("audit -w --since 1h -o json"), later);
    let who: Vec<String> =
        ran.out.lines().map(|line| serde_json::from_str::<AuditEntry>(line).unwrap().who).collect();
    assert_eq!((ran.code, who), (1, vec!["ci".to_owned(), "late".to_owned()]));
}

#[tokio::test]
async fn link_test_prints_each_step_and_ends_with_a_code() {
    let fake = Fake::default();
    let place = Place::live(&fake).await;
    let step = |step, result, message: &str| TestedView { step, result, message: message.into() };
    let (ok, failed) = (TestResult::Ok, TestResult::Failed);
    let mut steps = vec![
        step(TestStep::Ready, ok, "logged in"),
        step(TestStep::Variables, ok, "POSTGRES_HOST, POSTGRES_PASSWORD"),
    ];
    fake.change(|w| w.test = TestView { steps: steps.clone(), passed: true, ..TestView::default() });
    let ran = place.run("link test link/shop-main").await;
    let want = "\
STEP       RESULT  MESSAGE
Ready      OK      logged in
Variables  OK      POSTGRES_HOST, POSTGRES_PASSWORD
";
    assert_eq!((ran.code, ran.out.as_str(), fake.calls()), (0, want, vec!["test link/shop-main".to_owned()]));
    steps.push(step(TestStep::Reachable, failed, "the name postgres-main is not found"));
    steps.push(step(TestStep::Login, TestResult::NotTried, "Reachable is not OK"));
    fake.change(|w| w.test = TestView { steps, passed: false, ..TestView::default() });
    let ran = place.run("link test link/shop-main").await;
    let want = "\
STEP       RESULT  MESSAGE
Ready      OK      logged in
Variables  OK      POSTGRES_HOST, POSTGRES_PASSWORD
Reachable  FAILED  the name postgres-main is not found
Login      -       not tried: Reachable is not OK
";
    assert_eq!((ran.code, ran.out.as_str()), (1, want));
    let ran = place.run("link test link/shop-main -o json").await;
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &json["object"], &json["passed"]), (1, &"link/shop-main".into(), &false.into()));
    assert_eq!((&json["steps"][0]["result"], &json["steps"][2]["result"]), (&"OK".into(), &"FAILED".into()));
    // Beside the other form of the verb, which asks nobody.
    let ran = place.run("link postgres/main shop/production --dry-run").await;
    assert!(ran.code == 0 && ran.out.contains("service: postgres/main"), "{ran:?}");
    // Each of its fields, as the manifest calls it, and none that says what is so in any case.
    let ran = place.run("link postgres/main shop/production --dry-run --prefix DB --extensions pgcrypto,citext --connection-limit 5 --deletion-policy Delete --keys prefix --credentials tenant --rotation every=90d,window=02:00-04:00 --rotation timeZone=Europe/Berlin").await;
    let spec = ran.out.split_once("spec:\n").unwrap().1;
    let want = "  service: postgres/main\n  project: shop\n  environment: production\n  prefix: DB\n  extensions:\n  - pgcrypto\n  - citext\n  connectionLimit: 5\n  deletionPolicy: Delete\n  rotation:\n    every: 90d\n    window: 02:00-04:00\n    timeZone: Europe/Berlin\n";
    assert_eq!((ran.code, spec), (0, want));
    let ran = place.run("link postgres/main shop/production --dry-run --credentials instance").await;
    assert!(ran.code == 0 && ran.out.contains("credentials: instance"), "{ran:?}");
    for (more, want) in [
        (
            "--credentials instance --database shop",
            "spec.database: with `credentials: instance` nothing is made",
        ),
        // What is no argument at all is told elsewhere.
        ("--credentials nobody", ""),
        ("--connection-limit 0", "spec.connectionLimit: with 0 nobody gets in"),
        ("--rotation every=5m", "spec.rotation.every: every hour is the most often"),
        ("--rotation often=5m", "unknown field `often`"),
        ("--rotation 90d", ""),
        ("--keys all", "spec.keys: only a Redis has keys"),
        ("--extensions a;b", "spec.extensions[0]"),
        ("--prefix db", "spec.prefix"),
    ] {
        let ran = place.run(&format!("link postgres/main shop/production --dry-run {more}")).await;
        assert!(ran.code != 0 && ran.out.is_empty() && ran.err.contains(want), "{more}: {ran:?}");
    }
    let missing = ApiError::new(ErrorCode::NotFound, "link/x does not exist", "seawall get lists what does");
    fake.change(|w| w.error = Some(missing));
    let ran = place.run("link test link/x").await;
    assert!(ran.code == 1 && ran.err.contains("link/x does not exist"), "{ran:?}");
    let offline = Place::offline(FakeBackend { offline: Some(two()), ..FakeBackend::default() });
    let ran = offline.run("link test link/shop-main").await;
    assert!(ran.code == 1 && ran.err.contains("link test needs a running operator"), "{ran:?}");
}
