//! `seawall backup` and `seawall restore` over an API that is scripted: which objects they ask for, and what they say.

use super::fake::*;
use seawall::control::api::ObjectView;
use serde_json::{Value, json};

fn of(kind: &str, name: &str, status: &Value) -> ObjectView {
    let mut view = view(name, "True", "BackupCompleted", "");
    view.kind = kind.into();
    if let (Some(all), Some(more)) = (view.status.as_object_mut(), status.as_object()) {
        all.extend(more.clone());
    }
    view
}

fn taken(name: &str, service: &str, stopped: &str) -> ObjectView {
    of("Backup", name, &json!({"service": service, "phase": "Completed", "stoppedAt": stopped}))
}

fn with(more: &[ObjectView]) -> Fake {
    let fake = two();
    fake.change(|w| w.list.items.extend(more.iter().cloned()));
    fake
}

fn applied(fake: &Fake) -> Vec<Value> {
    let documents = fake.calls().into_iter().filter(|call| call.starts_with("apply "));
    documents.map(|call| serde_json::from_str(&call[call.find("{\"").unwrap()..]).unwrap()).collect()
}

#[tokio::test]
async fn a_backup_goes_to_the_only_target_or_to_the_one_that_is_named() {
    let disk = of("BackupTarget", "disk", &json!({}));
    let place = Place::live(&with(&[])).await;
    let ran = place.run("backup now main").await;
    assert!(ran.code == 1 && ran.err.contains("there is no place for backups yet"), "{ran:?}");
    assert!(ran.err.contains("kind: BackupTarget"), "{ran:?}");
    let fake = with(std::slice::from_ref(&disk));
    let place = Place::live(&fake).await;
    let ran = place.run("backup now main --name first").await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "backup/first unchanged\n"), "{ran:?}");
    assert_eq!(applied(&fake)[0]["spec"], json!({"service": "postgres/main", "target": "disk"}));
    let ran = place.run("backup now postgres/main").await;
    let name = ran.out.strip_prefix("backup/main-").unwrap().strip_suffix(" unchanged\n").unwrap();
    assert!(name.len() == 15 && name.as_bytes()[8] == b'-', "{name}");
    let ran = place.run("backup now nobody").await;
    assert!(ran.code == 1 && ran.err.contains("nobody"), "{ran:?}");
    let fake = with(&[disk, of("BackupTarget", "other", &json!({}))]);
    let place = Place::live(&fake).await;
    let ran = place.run("backup now main").await;
    assert!(ran.code == 1 && ran.err.contains("say which: --target NAME"), "{ran:?}");
    assert_eq!(applied(&fake).len(), 0);
    assert_eq!(place.run("backup now main --target other --name x").await.code, 0);
    assert_eq!(applied(&fake)[0]["spec"]["target"], "other");
}

#[tokio::test]
async fn backups_are_listed_the_newest_first_and_by_service() {
    let all = [
        taken("old", "postgres/main", "2026-11-28T03:00:00Z"),
        taken("new", "postgres/main", "2026-11-29T03:00:00Z"),
        taken("another", "postgres/shop-eu", "2026-11-30T03:00:00Z"),
    ];
    let place = Place::live(&with(&all)).await;
    let names = |json: &str| -> Vec<String> {
        let all: Value = serde_json::from_str(json).unwrap();
        all.as_array().unwrap().iter().map(|v| v["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&place.run("backup list -o json").await.out), ["another", "new", "old"]);
    assert_eq!(names(&place.run("restore list-backups main -o json").await.out), ["new", "old"]);
    let empty = Place::live(&with(&[])).await;
    let ran = empty.run("backup list").await;
    assert!(ran.code == 0 && ran.out.is_empty() && ran.err.contains("seawall backup now"), "{ran:?}");
    let ran = empty.run("restore status").await;
    assert!(ran.code == 0 && ran.err.contains("seawall restore start"), "{ran:?}");
    let ran = empty.run("restore capabilities").await;
    assert!(ran.out.contains("pg_dump") && ran.out.contains("Redis"), "{ran:?}");
}

#[tokio::test]
async fn a_restore_makes_a_new_service_like_the_old_one_but_for_what_is_its_alone() {
    let mut backup = taken("first", "postgres/main", "2026-11-29T03:00:00Z");
    backup.metadata.name = "first".into();
    let fake = with(&[backup]);
    fake.change(|w| {
        w.list.items[0].spec = json!({"version": "18", "port": 5432, "stopped": true, "deletionPolicy": "Delete",
            "password": {"valueFrom": {"sealed": "x"}}, "parameters": {"work_mem": "8MB"}});
    });
    let place = Place::live(&fake).await;
    let ran = place.run("restore start first --to copy").await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let documents = applied(&fake);
    assert_eq!(documents[0]["kind"], "Postgres");
    assert_eq!(documents[0]["spec"], json!({"version": "18", "parameters": {"work_mem": "8MB"}}));
    assert_eq!(
        documents[1]["spec"],
        json!({"from": {"backup": "first"}, "to": {"service": "postgres/copy"}})
    );
    // Into one that is there: the operator says whether anything is in it.
    let ran = place.run("restore start first --to shop-eu").await;
    assert_eq!((ran.code, applied(&fake).len()), (0, 3), "{ran:?}");
    fake.change(|w| drop(w.list.items.remove(0)));
    let ran = place.run("restore start first --to copy").await;
    assert!(ran.code == 1 && ran.err.contains("postgres/main is gone"), "{ran:?}");
    let ran = place.run("backup delete first --confirm first").await;
    assert_eq!((ran.code, fake.calls().last().unwrap().as_str()), (0, "delete backup/first first"));
}
