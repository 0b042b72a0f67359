//! Objects by their name alone, several at once, and which lines of a log are asked for.

use super::fake::*;
use seawall::control::api::{ApiError, ErrorCode, ManagedBy};
use seawall::core::plan::{PlanView, Sign, StepView};

/// Two of one name, of which only one runs, and one alone.
fn alike() -> Fake {
    let fake = two();
    fake.change(|w| {
        let mut project = view("main", "True", "LinksReady", "");
        project.kind = "Project".into();
        w.list.items.push(project);
        w.log_ends = true;
    });
    fake
}

#[tokio::test]
async fn a_name_is_enough_where_one_object_has_it() {
    let fake = alike();
    let place = Place::live(&fake).await;
    for (words, asks) in [
        ("describe shop-eu", "object postgres/shop-eu"),
        ("diagnose shop-eu", "diagnose postgres/shop-eu"),
        ("events shop-eu", "events Some(\"postgres/shop-eu\") 0"),
        ("events --for shop-eu", "events Some(\"postgres/shop-eu\") 0"),
        ("top shop-eu", "top postgres/shop-eu"),
        ("history shop-eu", "history postgres/shop-eu all 21600"),
        ("recommend shop-eu", "recommend postgres/shop-eu"),
        ("wait shop-eu --for=condition=Ready=False", "object postgres/shop-eu"),
        ("connection shop-eu", "connection postgres/shop-eu false"),
        ("link test shop-eu", "test postgres/shop-eu"),
        ("logs shop-eu", "logs postgres/shop-eu false"),
        ("stop shop-eu", "Stop postgres/shop-eu"),
        ("start shop-eu", "Start postgres/shop-eu"),
        ("restart shop-eu", "Restart postgres/shop-eu"),
        ("rotate shop-eu", "Rotate postgres/shop-eu"),
        ("rename shop-eu new", "rename postgres/shop-eu postgres/new"),
        ("release-port shop-eu", "ReleasePort postgres/shop-eu"),
        ("reinitialise shop-eu --confirm shop-eu", "Reinitialise postgres/shop-eu"),
        ("delete shop-eu --confirm shop-eu", "delete postgres/shop-eu shop-eu"),
        ("unlink shop-eu --dry-run", "object postgres/shop-eu"),
        ("wal shop-eu", "object postgres/shop-eu"),
        ("pg ps shop-eu", "inspect postgres/shop-eu ps None false"),
    ] {
        fake.change(|w| w.calls.clear());
        place.run(words).await;
        assert!(fake.calls().contains(&asks.to_owned()), "{words}: {:?}", fake.calls());
    }
    let ran = place.run("link shop-eu shop/production --dry-run").await;
    assert!(ran.out.contains("service: postgres/shop-eu"), "{ran:?}");
    let ran = place.run("get shop-eu -o name").await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "postgres/shop-eu\n"));
    assert!(place.run("get shop-eu -o json").await.out.starts_with("{\n  \"apiVersion\""));
    // A list is of all that have the name.
    assert_eq!(place.run("get main -o name").await.out, "postgres/main\nproject/main\n");
    let ran = place.run("get nobody").await;
    let says = "error: nobody not found\n  unknown kind \"nobody\"; kinds are ";
    assert!(ran.code == 1 && ran.err.starts_with(says), "{ran:?}");
}

#[tokio::test]
async fn a_name_of_several_is_answered_with_all_of_them() {
    let fake = alike();
    let place = Place::live(&fake).await;
    let says = "error: main is the name of postgres/main, project/main\n  write KIND/NAME of the one that is meant\n";
    for words in ["describe main", "events main", "delete main", "delete main --confirm main", "rotate main"]
    {
        let ran = place.run(words).await;
        assert_eq!((ran.code, ran.err.as_str()), (1, says), "{words}");
    }
    // Where only one of them runs, that is meant by what is about what runs.
    place.run("logs main").await;
    assert_eq!(fake.calls().last().unwrap(), "logs postgres/main false");
    for (words, says) in [
        ("describe nobody", "error: no object is called nobody\n"),
        ("stop nobody", "error: nothing that runs is called nobody\n"),
    ] {
        let ran = place.run(words).await;
        assert!(ran.code == 1 && ran.err.starts_with(says), "{words}: {ran:?}");
    }
    assert!(!fake.calls().iter().any(|call| call.starts_with("delete")), "{:?}", fake.calls());
}

#[tokio::test]
async fn several_are_deleted_at_once_and_a_dry_run_deletes_none() {
    let fake = two();
    fake.change(|w| w.list.items.iter_mut().for_each(|v| v.metadata.managed_by = Some(ManagedBy::Api)));
    let place = Place::live(&fake).await;
    let deleted =
        || -> Vec<String> { fake.calls().into_iter().filter(|call| call.starts_with("delete")).collect() };
    let step = StepView { sign: Sign::Delete, action: "container".into(), cause: "gone".into() };
    fake.change(|w| {
        let plan = PlanView { object: "postgres/main".into(), steps: vec![step], ..PlanView::default() };
        w.applied.plan = Some(plan);
    });
    let ran = place.run("delete pg main shop-eu --dry-run").await;
    assert!(
        ran.code == 0
            && ran.out.starts_with("postgres/main deleted (dry run)\npostgres/shop-eu deleted (dry run)\n"),
        "{ran:?}"
    );
    assert!(ran.out.contains("- container") && ran.out.contains("2 to delete"), "{ran:?}");
    assert_eq!(deleted(), Vec::<String>::new());
    let ran = place.run("delete pg/main nobody shop-eu").await;
    assert_eq!(ran.out, "postgres/main deleted\npostgres/shop-eu deleted\n");
    assert!(ran.code == 1 && ran.err.contains("no object is called nobody"), "{ran:?}");
    assert_eq!(deleted(), ["delete postgres/main ", "delete postgres/shop-eu "]);
    // Consent is for one.
    let ran = place.run("delete main shop-eu --confirm main").await;
    assert!(ran.code == 1 && ran.err.contains("--confirm is consent for one object"), "{ran:?}");
    // What has a manifest needs it, each.
    fake.change(|w| w.list.items[0].metadata.managed_by = Some(ManagedBy::File));
    let ran = place.run("delete main shop-eu").await;
    assert!(ran.code == 1 && ran.err.contains("seawall delete postgres/main --confirm main"), "{ran:?}");
    assert_eq!(deleted().len(), 3);
    // What the operator refuses, a dry run is refused as well.
    fake.change(|w| w.error = Some(ApiError::new(ErrorCode::Conflict, "it is linked", "")));
    let ran = place.run("delete postgres/main --confirm main --dry-run").await;
    assert!(ran.code == 1 && ran.err.contains("it is linked"), "{ran:?}");
}

#[tokio::test]
async fn which_lines_of_a_log_are_asked_for() {
    let fake = two();
    fake.change(|w| w.log_ends = true);
    let place = Place::live(&fake).await;
    for (words, asks) in [
        ("logs pg/main --since 10m", "logs postgres/main false Some(600) None false"),
        (
            "logs pg/main --since-time 2026-11-30T10:00:00.5Z -n 3",
            "logs postgres/main false None Some(2026-11-30T10:00:00.5Z) false",
        ),
        ("logs pg/main --previous", "logs postgres/main false None None true"),
        ("logs pg main -p", "logs postgres/main false None None true"),
    ] {
        let ran = place.run(words).await;
        assert_eq!(ran.code, 0, "{words}: {ran:?}");
        assert_eq!(fake.calls().last().unwrap(), asks, "{words}");
        assert!(ran.out.starts_with(if words.contains("-n 3") { "Some(3)" } else { "None" }), "{ran:?}");
    }
    for wrong in [
        "logs pg/main -p -f",
        "logs pg/main --since soon",
        "logs pg/main --since 1h --since-time 2026-11-30T10:00:00Z",
    ] {
        assert_eq!(place.run(wrong).await.code, 1, "{wrong}");
    }
}
