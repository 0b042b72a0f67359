//! `seawall services`: every command of the brief, over the service API of an operator of a script.

use super::fake::*;
use crate::http::listen::with_services;
use seawall::control::api::{ApiError, ErrorCode, ManagedBy};
use serde_json::Value;
use std::time::Duration;

async fn place() -> (Fake, Place) {
    let fake = with_services();
    let place = Place::live(&fake).await;
    (fake, place)
}

/// What was done to it, in the order of that.
fn doings(fake: &Fake) -> Vec<String> {
    let is = |call: &String| {
        ["apply", "patch", "delete", "Stop", "Start", "Rotate"].iter().any(|doing| call.starts_with(doing))
    };
    fake.calls().into_iter().filter(is).collect()
}

#[tokio::test]
async fn services_are_listed_and_shown_as_the_brief_says() {
    let (_fake, place) = place().await;
    let list = "\
ID  NAME  TYPE      VERSION  STATUS   HEALTH       MANAGED BY  AGE
1   main  postgres  18.6     running  operational  api         40d
";
    for words in ["services list", "svc ls", "services ls", "svc list"] {
        let ran = place.run(words).await;
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, list, ""), "{words}");
    }
    let json: Value = serde_json::from_str(&place.run("services list --json").await.out).unwrap();
    assert_eq!((&json[0]["id"], &json[0]["slug"]), (&1.into(), &"main".into()));
    for of in ["--id 1", "main", "--id main", "postgres/main", "1"] {
        let ran = place.run(&format!("services show {of}")).await;
        assert_eq!(ran.code, 0, "{of}: {ran:?}");
        for line in [
            "ID:         1\n",
            "Type:       postgres 18.6 (seawall/postgres:18)\n",
            "Status:     running, operational\n",
            "Limits:     memory 512Mi, swap none, cpus unlimited\n",
            "Connection: postgresql://appuser:****@postgres-main:5432/appdb\n",
            "Projects:   shop/production (id 2, running)\n",
        ] {
            assert!(ran.out.contains(line), "{of}: {}", ran.out);
        }
        assert!(!ran.out.contains(PASSWORD));
    }
    assert!(place.run("services show 1 --reveal").await.out.contains(PASSWORD));
    let json: Value = serde_json::from_str(&place.run("services show --id 1 --json").await.out).unwrap();
    assert_eq!(json["parameters"]["password"], "****");
    let ran = place.run("services connect main --reveal").await;
    assert_eq!(ran.out, format!("postgresql://appuser:{PASSWORD}@postgres-main:5432/appdb\n"));
    for (words, says) in [
        ("services show 7", "no service has the id 7"),
        ("services show nobody", "no service has the slug \"nobody\""),
        ("services show My_Database", ""),
    ] {
        let ran = place.run(words).await;
        assert!(ran.code == 1 && ran.out.is_empty() && ran.err.contains(says), "{words}: {ran:?}");
    }
}

#[tokio::test]
async fn parts_of_a_service_are_told_in_tables() {
    let (fake, place) = place().await;
    fake.change(|w| w.top = used());
    for (words, says) in [
        ("services projects 1", "2           shop     production   running  shop_production"),
        ("services runtime 1", "postgres-main  running  2         false"),
        ("services stats 1", "CONTAINER  CPU%   MEMORY"),
        ("services health 1", "operational: logged in as appuser"),
        ("services wal-health 1", "pg_wal_bytes: 1"),
        ("services resources 1", "MEMORY  SWAP  CPUS\n512Mi   none  unlimited"),
        ("services limits 1", "512Mi   none  unlimited"),
        ("services types", "postgres\nredis\n"),
        ("services info postgres", "database         yes     stays"),
        ("services env 1 -p shop", "POSTGRES_PASSWORD=****\n"),
        ("services env --id 1 --project-id 2 -e production", "POSTGRES_HOST=postgres-main\n"),
        ("services env-var --id 1 -p shop --var POSTGRES_HOST", "postgres-main\n"),
        ("services connect main -p shop", "POSTGRES_HOST=postgres-main\n"),
    ] {
        fake.change(|w| w.list.items[2].metadata.name = "shop-production-main".into());
        let ran = place.run(words).await;
        assert!(ran.code == 0 && ran.out.contains(says), "{words}: {ran:?}");
        if words != "services connect main -p shop" {
            let ran = place.run(&format!("{words} --json")).await;
            assert!(ran.code == 0 && serde_json::from_str::<Value>(&ran.out).is_ok(), "{words}: {ran:?}");
        }
    }
    assert!(place.run("services env 1 -p shop --reveal").await.out.contains(PASSWORD));
}

#[tokio::test]
async fn a_service_is_made_by_the_line_of_the_brief() {
    let (fake, place) = place().await;
    let words = "services create -t postgres -n main -s version=18-alpine -s database=appdb -s username=appuser -s password=hunter2hunter2 -y";
    let ran = place.run(words).await;
    let says = "postgres/main is being made: its id is 1\npostgres/main is Ready\n";
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, says, ""));
    let sent = doings(&fake).pop().unwrap();
    for part in
        ["\"version\":\"18-alpine\"", "\"database\":\"appdb\"", "\"username\":\"appuser\"", "\"sealed\""]
    {
        assert!(sent.contains(part), "{sent}");
    }
    assert!(!sent.contains("hunter2") && sent.contains("create: true"), "{sent}");
    let ran = place.run(&format!("{words} --no-wait")).await;
    assert_eq!(ran.out, "postgres/main is being made: its id is 1\n");
    let json: Value = serde_json::from_str(&place.run(&format!("{words} --json")).await.out).unwrap();
    assert_eq!((&json["id"], &json["status"]), (&1.into(), &"running".into()));
    // What does not become Ready is not said to be.
    fake.change(|w| w.list.items[0].status["conditions"][0]["status"] = "False".into());
    let ran = place.run(&format!("{words} --timeout 200ms")).await;
    assert!(
        ran.code == 1 && ran.err.contains("timed out waiting for the condition on postgres/main"),
        "{ran:?}"
    );
}

#[tokio::test]
async fn what_is_missing_is_told_at_once_and_nothing_is_asked_where_nobody_sits() {
    let (fake, place) = place().await;
    for (words, says) in [
        ("services create", "this is missing: -t TYPE -n NAME\n"),
        ("services create -y", "this is missing: -t TYPE -n NAME\n"),
        (
            "services create -t postgres -s username=a",
            "this is missing: -n NAME -s database=… -s password=…\n",
        ),
        ("services show", "it is not said which service\n  --id ID, or its name"),
        ("services link", "it is not said which service, and which project\n"),
        ("services link main", "it is not said which project\n  --project-id ID, or -p SLUG"),
        ("services env -p shop", "it is not said which service\n"),
        ("services env-var 1 -p shop", "it is not said which variable\n"),
        ("services upgrade main", "it is not said to what\n"),
        ("services update main", "there is nothing to change\n"),
        ("services info", "it is not said which type\n"),
        (
            "services remove main",
            "this destroys postgres/main with all its data, for good; nothing was done\n",
        ),
    ] {
        let ran = place.run(words).await;
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{words}: {ran:?}");
        assert!(ran.err.contains(says), "{words}: {}", ran.err);
    }
    for (words, says) in [
        ("services create -t nothing -n a", "there is no service type \"nothing\""),
        ("services create -t postgres -n a -s hunter2", "one of the parameters has no name"),
        ("services create -t postgres -n a -s password=x -s password=y", "password is given twice"),
        (
            "services create -t postgres -n a -s databse=x -s database=a -s username=b -s password=c",
            "did you mean database?",
        ),
        ("services create -t postgres -n A_ -s database=a -s username=b -s password=c", "name: "),
    ] {
        let ran = place.run(words).await;
        assert!(ran.code == 1 && ran.err.contains(says) && !ran.err.contains("hunter2"), "{words}: {ran:?}");
    }
    assert_eq!(doings(&fake), Vec::<String>::new());
}

#[tokio::test]
async fn a_service_is_stopped_changed_and_removed() {
    let (fake, place) = place().await;
    for (words, does, says) in [
        ("services start --id 1", "Start postgres/main", "postgres/main is Ready\n"),
        ("svc rotate main", "Rotate postgres/main", "postgres/main is Ready\n"),
        ("services stop main --no-wait", "Stop postgres/main", "postgres/main stops\n"),
        (
            "services upgrade --id 1 -v postgres:18-alpine",
            "{\"spec\":{\"version\":null,\"image\":\"postgres:18-alpine\"}}",
            "postgres/main goes to postgres:18-alpine\n",
        ),
        (
            "services upgrade --id 1 -v 18",
            "{\"spec\":{\"image\":null,\"version\":\"18\"}}",
            "postgres/main is Ready\n",
        ),
        (
            "services update --id 1 -n a/b:1 -s max_connections=50",
            "\"max_connections\":50",
            "postgres/main is being changed\n",
        ),
        (
            "services resources 1 --cpus 1.5",
            "\"memory\":\"512Mi\",\"swap\":null,\"cpus\":\"1.5\"",
            "postgres-main  applied",
        ),
        ("services resources 1 --unlimited", "\"resources\":null", "unlimited  unlimited"),
    ] {
        fake.change(|w| w.calls.clear());
        let ran = place.run(words).await;
        assert!(ran.out.contains(says), "{words}: {ran:?}");
        let done = doings(&fake);
        assert!(done.len() == 1 && done[0].contains(does), "{words}: {done:?}");
    }
    // Its data go only where that was said; then it is gone when the command ends.
    fake.change(|w| w.calls.clear());
    let ran = place.run("services remove main --keep-data").await;
    assert_eq!((ran.code, doings(&fake)), (0, vec!["delete postgres/main ".to_owned()]), "{ran:?}");
    let gone = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        fake.change(|w| {
            w.list.items.remove(0);
            w.list.revision += 1;
        });
    };
    let (ran, ()) = tokio::join!(place.run("services remove --id 1 -f"), gone);
    assert!(ran.code == 0 && ran.out.ends_with("postgres/main deleted\n"), "{ran:?}");
    assert_eq!(doings(&fake).last().unwrap(), "delete postgres/main main");
}

#[tokio::test]
async fn a_service_is_linked_and_unlinked() {
    let (fake, place) = place().await;
    for words in ["services link --id 1 --project-id 2", "services link main -p shop -e production"] {
        let ran = place.run(words).await;
        let says = "postgres/main is being linked to shop/production\nlink/shop-production-main is Ready\nshop/production finds POSTGRES_HOST, POSTGRES_PASSWORD\n";
        assert_eq!((ran.code, ran.out.as_str()), (0, says), "{ran:?}");
    }
    assert!(doings(&fake)[0].contains("\"service\":\"postgres/main\""), "{:?}", doings(&fake));
    let json: Value = serde_json::from_str(&place.run("services link 1 -p shop --json").await.out).unwrap();
    assert_eq!((&json["id"], &json["environment"]), (&3.into(), &"production".into()));
    let ran = place.run("services unlink --id 1 --project-id 2").await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "link/shop-production-main deleted\n"));
    assert_eq!(doings(&fake).last().unwrap(), "delete link/shop-production-main ");
    let ran = place.run("services link 1 -p nobody").await;
    assert!(ran.code == 1 && ran.err.contains("nobody"), "{ran:?}");
    let ran = place.run("services link 1 -p shop -e staging").await;
    assert!(ran.code == 1 && ran.err.contains("has no environment \"staging\""), "{ran:?}");
}

#[tokio::test]
async fn what_a_file_holds_is_refused_in_the_words_of_the_api() {
    let (fake, place) = place().await;
    fake.change(|w| {
        w.list.items[0].metadata.managed_by = Some(ManagedBy::File);
        let what = "postgres/main has a manifest in shop.yaml";
        w.deletes_refused = Some(ApiError::new(ErrorCode::Conflict, what, "remove it from shop.yaml first"));
    });
    let ran = place.run("services remove main -f").await;
    let says = "error: postgres/main has a manifest in shop.yaml\n  remove it from shop.yaml first\n";
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (1, "", says));
    assert!(place.run("services list").await.out.contains("shop.yaml:3"));
    fake.change(|w| w.error = Some(ApiError::new(ErrorCode::Conflict, "no\u{1b}[2J", "next")));
    let ran = place.run("services list").await;
    assert_eq!((ran.code, ran.err.as_str()), (1, "error: no\\u{1b}[2J\n  next\n"));
}

#[tokio::test]
async fn restores_are_the_same_commands_and_no_operator_is_said_at_once() {
    let (_fake, live) = place().await;
    for (words, same) in [
        ("services restore capabilities", "restore capabilities"),
        ("services restore-capabilities", "restore capabilities"),
        ("services restore list-backups", "backup list"),
        ("services list-backups", "backup list"),
        ("services restore status", "restore status"),
        ("services restore-runs", "restore status"),
    ] {
        let (ran, same) = (live.run(words).await, live.run(same).await);
        assert_eq!((ran.code, &ran.out, &ran.err), (0, &same.out, &same.err), "{words}");
    }
    let offline = Place::offline(FakeBackend { offline: Some(two()), ..FakeBackend::default() });
    let ran = offline.run("services list").await;
    assert!(ran.code == 1 && ran.err.contains("services needs a running operator"), "{ran:?}");
}
