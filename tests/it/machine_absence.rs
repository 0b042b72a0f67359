//! A manifest that is gone, of an object of every kind with a container: one that is there in any form removes nothing, and a new
//! name makes nothing before the user says so.

use crate::kinds::{Kind, machine_tests};
use crate::machine::of::Of;
use crate::machine::rig::engine;
use seawall::control::api::{Api, Operation};
use seawall::control::settle;
use seawall::core::condition::{ConditionType as C, Truth};
use std::time::Duration;

machine_tests!(
    a_file_that_is_away_for_a_while_changes_nothing,
    a_look_that_began_before_a_manifest_was_gone_settles_nothing,
    a_file_that_is_still_there_removes_nothing_until_it_is_confirmed_or_gone,
    a_file_that_was_put_away_under_another_name_is_held_and_said,
    a_new_name_with_the_same_spec_gets_no_empty_database_before_the_user_says_so,
    a_port_that_is_kept_for_a_retained_object_is_named_so_and_can_be_released,
);

async fn a_file_that_is_away_for_a_while_changes_nothing(kind: &'static dyn Kind) {
    let rig = Of::settled(kind).await;
    rig.fake.reset_calls();
    let before = rig.container("main");
    for _ in 0..3 {
        rig.remove("main");
        let why = rig.reason("main", C::Degraded, "ManifestGone").await;
        assert!(why.contains("main.yaml is gone; the container is stopped and removed at 2"), "{why}");
        let notices = rig.operator.objects().await.unwrap().notices;
        assert!(
            notices.iter().any(|n| n.starts_with(&format!("{}: main.yaml is gone", rig.object))),
            "{notices:?}"
        );
        rig.let_pass(Duration::from_secs(20)).await;
        rig.put("");
        rig.until("back", || {
            rig.condition("main", C::Degraded).is_none_or(|c| c.status != Truth::True).then_some(())
        })
        .await;
    }
    assert_eq!((rig.container("main"), rig.calls("stop")), (before, 0));
    rig.remove("main");
    rig.until("retained", || (rig.phase("main") == "Retained").then_some(())).await;
}

/// A document as all of them are here.
fn document(rig: &Of, name: &str) -> String {
    rig.document(name, "", &rig.wish(""))
}

async fn a_look_that_began_before_a_manifest_was_gone_settles_nothing(kind: &'static dyn Kind) {
    let rig = Of::settled(kind).await;
    let container = rig.container("main").unwrap().name;
    rig.remove("main");
    rig.reason("main", C::Degraded, "ManifestGone").await;
    rig.let_pass(Duration::from_secs(27)).await;
    // One is under way when the grace is over, and sees a server that is well.
    kind.fake_slow(&rig.fakes(), &container, Duration::from_secs(4));
    rig.operator.enqueue_all();
    settle::settled(&rig.operator, Duration::from_secs(600)).await;
    assert_eq!(rig.container("main").map(|c| c.name), None);
}

async fn a_file_that_is_still_there_removes_nothing_until_it_is_confirmed_or_gone(kind: &'static dyn Kind) {
    let rig = Of::start(kind, &["stays", "stays-too"]);
    let all = format!("{}---\n{}", document(&rig, "a"), document(&rig, "b"));
    rig.text("all.yaml", &all);
    for name in ["a", "b"] {
        rig.ready(name).await;
    }
    let before = (rig.container("a"), rig.container("b"));
    for (text, held) in [("", ["a", "b"]), ("# later\n", ["a", "b"]), (&document(&rig, "a"), ["b", "b"])] {
        rig.text("all.yaml", text);
        for name in held {
            let why = rig.reason(name, C::Degraded, "ManifestHeld").await;
            assert!(
                why.contains(&format!("all.yaml is still there and no longer names {}", rig.named(name))),
                "{why}"
            );
            assert!(why.contains("seawall prune --confirm remove-"), "{why}");
        }
        rig.let_pass(Duration::from_secs(300)).await;
        assert_eq!((rig.container("a"), rig.container("b")), before, "{text}");
        assert!(rig.operator.objects().await.unwrap().guard.is_some_and(|g| g.contains("still there")));
        rig.text("all.yaml", &all);
        for name in ["a", "b"] {
            rig.until("let go of", || {
                rig.condition(name, C::Degraded).is_none_or(|c| c.status != Truth::True).then_some(())
            })
            .await;
        }
    }
    // A clean edit is confirmed by its command.
    rig.text("all.yaml", &document(&rig, "a"));
    let why = rig.reason("b", C::Degraded, "ManifestHeld").await;
    let words = why.rsplit_once("--confirm ").unwrap().1.to_owned();
    assert!(rig.operator.confirm_prune("remove-1-000000").await.is_err());
    rig.operator.confirm_prune(&words).await.unwrap();
    rig.until("b retained", || (rig.phase("b") == "Retained" && rig.container("b").is_none()).then_some(()))
        .await;
    assert!(rig.fake.inventory().contains(&format!("{}-data", rig.called("b"))));
    assert!(rig.operator.prune().await.unwrap().guard.is_none());
    assert_eq!(rig.container("a"), before.0);
    // Or the file goes.
    rig.text("all.yaml", "");
    rig.reason("a", C::Degraded, "ManifestHeld").await;
    std::fs::remove_file(rig.path("all.yaml")).unwrap();
    rig.until("a retained", || (rig.phase("a") == "Retained").then_some(())).await;
}

async fn a_file_that_was_put_away_under_another_name_is_held_and_said(kind: &'static dyn Kind) {
    let rig = Of::start(kind, &["main", "stays", "stays-too"]);
    rig.ready("main").await;
    let before = rig.container("main");
    for away in ["main.YAML", "main.yaml.disabled", ".main.yaml", "main.yaml~", "main.yaml.bak"] {
        std::fs::rename(rig.path("main.yaml"), rig.path(away)).unwrap();
        let why = rig.reason("main", C::Degraded, "ManifestBroken").await;
        assert!(why.contains(&format!("{away} lies beside it")), "{why}");
        rig.let_pass(Duration::from_secs(300)).await;
        assert_eq!(rig.container("main"), before, "{away}");
        std::fs::rename(rig.path(away), rig.path("main.yaml")).unwrap();
        rig.until("back", || {
            rig.condition("main", C::Degraded).is_none_or(|c| c.status != Truth::True).then_some(())
        })
        .await;
    }
    // Moved, and broken on the way.
    std::fs::write(rig.path("moved.yaml"), "kind: [").unwrap();
    std::fs::remove_file(rig.path("main.yaml")).unwrap();
    let why = rig.reason("main", C::Degraded, "ManifestBroken").await;
    assert!(why.contains("moved.yaml"), "{why}");
    rig.let_pass(Duration::from_secs(300)).await;
    assert_eq!(rig.container("main"), before);
    // A file that was broken all along hides nobody.
    rig.put("");
    rig.until("back", || {
        rig.condition("main", C::Degraded).is_none_or(|c| c.status != Truth::True).then_some(())
    })
    .await;
    rig.remove("main");
    rig.until("retained", || (rig.phase("main") == "Retained").then_some(())).await;
}

async fn a_new_name_with_the_same_spec_gets_no_empty_database_before_the_user_says_so(
    kind: &'static dyn Kind,
) {
    let mut rig = Of::new(kind, engine());
    rig.manifest("old", &rig.wish(""));
    rig.manifest("stays", &kind.spec_of(kind.older().0, ""));
    rig.drive();
    rig.ready("old").await;
    let before = rig.container("old");
    for same_file in [false, true] {
        // `git mv` with an edit, and an edit of the name alone.
        if same_file {
            rig.text("old.yaml", &document(&rig, "new"));
        } else {
            // In this order: a look in between must not find two objects.
            rig.remove("old");
            rig.manifest("new", &rig.wish(""));
        }
        let why = rig.reason("new", C::Degraded, "ProbablyRenamed").await;
        assert!(
            why.contains(&format!("the very spec of {}", rig.named("old")))
                && why.contains("seawall.dev/new"),
            "{why}"
        );
        let why = rig.reason("old", C::Degraded, "ProbablyRenamed").await;
        assert!(
            why.contains(&format!("{} is new", rig.named("new"))) && why.contains("seawall prune --confirm"),
            "{why}"
        );
        let plan = rig.plan("new").await;
        assert!(plan.steps.is_empty() && plan.blocked[0].reason == "ProbablyRenamed", "{plan:?}");
        rig.let_pass(Duration::from_secs(300)).await;
        assert_eq!((rig.container("old"), rig.container("new")), (before.clone(), None), "{same_file}");
        assert!(!rig.fake.inventory().contains(&format!("{}-data", rig.called("new"))));
        // It was the same one: named as before it goes on.
        if !same_file {
            std::fs::remove_file(rig.path("new.yaml")).unwrap();
            rig.manifest("old", &rig.wish(""));
            rig.until("old is back", || {
                rig.condition("old", C::Degraded).is_none_or(|c| c.status != Truth::True).then_some(())
            })
            .await;
        }
    }
    // It is another one: both are, one of them without a manifest.
    let new = rig.document("new", "seawall.dev/new: 'true'", &rig.wish(""));
    rig.text("old.yaml", &new);
    rig.ready("new").await;
    rig.reason("old", C::Degraded, "ManifestHeld").await;
    assert_eq!(rig.container("old"), before);
}

async fn a_port_that_is_kept_for_a_retained_object_is_named_so_and_can_be_released(kind: &'static dyn Kind) {
    let mut rig = Of::new(kind, engine());
    rig.manifest("b", &kind.spec("port: 7777"));
    rig.manifest("any", &kind.spec("stopped: true"));
    rig.drive();
    rig.ready("b").await;
    assert!(
        rig.operator.operate(&rig.named("b"), Operation::ReleasePort).await.is_err(),
        "it has a manifest"
    );
    rig.remove("b");
    rig.until("retained", || (rig.phase("b") == "Retained" && rig.container("b").is_none()).then_some(()))
        .await;
    rig.manifest("c", &rig.wish("port: 7777"));
    let why = rig.reason("c", C::Degraded, "PortConflict").await;
    assert!(why.contains(&format!("port 7777 is kept for {}, which is Retained", rig.named("b"))), "{why}");
    assert!(why.contains(&format!("seawall release-port {}", rig.named("b"))), "{why}");
    rig.operator.operate(&rig.named("b"), Operation::ReleasePort).await.unwrap();
    rig.ready("c").await;
    assert_eq!(rig.container("c").unwrap().published[0].host, 7777);
    assert!(rig.operator.operate(&rig.named("b"), Operation::ReleasePort).await.is_err(), "none is kept");
    // It comes back with all but the port.
    rig.manifest("b", &kind.spec(""));
    rig.ready("b").await;
    assert_ne!(rig.container("b").unwrap().published[0].host, 7777);
}
