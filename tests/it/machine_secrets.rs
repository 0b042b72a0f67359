//! The secrets of manifests over the fake engine: when they are taken, and what happens while they are not to be had.

use crate::machine::rig::{Rig, engine, object};
use seawall::control::api::{Api, Operation};
use seawall::control::operator::Times;
use seawall::core::condition::ConditionType as C;
use seawall::core::names::ObjectRef;
use seawall::secrets::{ExposeSecret, PublicKey, Secret, seal_to};
use std::fs;
use std::os::unix::fs::PermissionsExt;

const FILE: &str = "{version: '18', password: {valueFrom: {file: ./web/main}}}";

fn rig() -> Rig {
    let mut rig = Rig::new(engine(), Times::default());
    fs::create_dir_all(rig.data("secrets/web")).unwrap();
    rig.drive();
    rig
}

/// By rename: a look in between would see half of it.
fn put(rig: &Rig, secret: &str, mode: u32) {
    let (draft, path) = (rig.data("secrets/web/draft"), rig.data("secrets/web/main"));
    fs::write(&draft, secret).unwrap();
    fs::set_permissions(&draft, fs::Permissions::from_mode(mode)).unwrap();
    fs::rename(draft, path).unwrap();
}

fn password(rig: &Rig, name: &str) -> Option<String> {
    let password = rig.operator.tools.password(&object(name)).unwrap();
    password.map(|secret| secret.expose_secret().to_owned())
}

#[tokio::test(start_paused = true)]
async fn nothing_is_made_with_another_password_than_the_manifests() {
    let rig = rig();
    rig.manifest("main", FILE);
    let words = rig.reason("main", C::Degraded, "SecretUnreadable").await;
    assert!(words.contains("spec.password: ") && words.contains("secrets/web/main"), "{words}");
    assert_eq!((password(&rig, "main"), rig.container("main").is_none()), (None, true));
    put(&rig, "hunter2\n", 0o600);
    rig.ready("main").await;
    assert_eq!(password(&rig, "main").as_deref(), Some("hunter2"));
    assert!(rig.said("PasswordTaken", "no password yet"), "{:?}", rig.events());
}

#[tokio::test(start_paused = true)]
async fn another_value_reaches_the_server_and_one_that_is_not_to_be_had_changes_nothing() {
    let rig = rig();
    rig.manifest("main", "{version: '18'}");
    rig.ready("main").await;
    let (made, first) = (rig.container("main").unwrap(), password(&rig, "main"));
    // From a generated one to the manifest's.
    put(&rig, "first", 0o600);
    rig.manifest("main", FILE);
    rig.until("taken", || (password(&rig, "main").as_deref() == Some("first")).then_some(())).await;
    rig.ready("main").await;
    assert!(rig.said("PasswordReset", "spec.password has another value"), "{:?}", rig.events());
    // The file changes, and nobody says so.
    put(&rig, "second", 0o600);
    rig.until("taken", || (password(&rig, "main").as_deref() == Some("second")).then_some(())).await;
    rig.ready("main").await;
    // It is open to others: the old one stays, the server serves on.
    put(&rig, "third", 0o644);
    rig.manifest("main", "{version: '18', password: {valueFrom: {file: web/main}}}");
    let words = rig.reason("main", C::Degraded, "SecretUnreadable").await;
    assert!(words.contains("chmod 600") && words.contains("stays as it was"), "{words}");
    assert!(rig.is_ready("main"));
    assert_eq!(password(&rig, "main").as_deref(), Some("second"));
    // Without the field it stays what it was.
    rig.manifest("main", "{version: '18'}");
    rig.settled("main").await;
    assert_eq!(password(&rig, "main").as_deref(), Some("second"));
    assert_ne!(first.as_deref(), Some("second"));
    assert_eq!(rig.container("main").unwrap().id, made.id);
}

#[tokio::test(start_paused = true)]
async fn a_sealed_value_opens_here_and_one_of_another_installation_says_so() {
    let rig = rig();
    let ours: PublicKey = rig.operator.public_key().await.unwrap().key.parse().unwrap();
    let theirs = PublicKey::of(&seawall::secrets::Key::throwaway().unwrap()).unwrap();
    let spec = |key: &PublicKey, place: &str, secret: &str| {
        let letter = seal_to(key, place, &Secret::from(secret)).unwrap();
        format!("{{version: '18', password: {{valueFrom: {{sealed: {letter}}}}}}}")
    };
    rig.manifest("main", &spec(&ours, "postgres/main:password", "hunter2"));
    rig.ready("main").await;
    assert_eq!(password(&rig, "main").as_deref(), Some("hunter2"));
    rig.manifest("main", &spec(&theirs, "postgres/main:password", "hunter3"));
    let words = rig.reason("main", C::Degraded, "SecretUnreadable").await;
    assert!(words.contains("of another installation") && words.contains(&ours.id()), "{words}");
    rig.manifest("main", &spec(&ours, "postgres/other:password", "hunter4"));
    rig.until("a problem", || rig.problems().into_iter().find(|p| p.to_string().contains("stands in"))).await;
    assert!(rig.is_ready("main") || rig.phase("main") == "Degraded");
    assert_eq!(password(&rig, "main").as_deref(), Some("hunter2"));
}

#[tokio::test(start_paused = true)]
async fn the_key_is_replaced_while_everything_serves() {
    let mut rig = Rig::start(&[("main", "{version: '18'}")]);
    rig.ready("main").await;
    let before = password(&rig, "main");
    let first = rig.operator.keys().await.unwrap();
    let done = rig.operator.rotate_keys(None).await.unwrap().message;
    // The managed password, and that of the role which looks.
    assert!(done.contains("2 records sealed with key"), "{done}");
    assert!(rig.said("KeyRotated", "is used no more"), "{:?}", rig.events());
    let second = rig.operator.keys().await.unwrap();
    assert_eq!((second.keys.len(), second.keys[0].records), (1, 2));
    assert_ne!(second.keys[0].id, first.keys[0].id);
    assert_eq!(rig.operator.verify_keys().await.unwrap().broken, vec![]);
    rig.crash().await;
    rig.restart();
    rig.ready("main").await;
    assert_eq!(password(&rig, "main"), before);
}

#[tokio::test(start_paused = true)]
async fn a_redis_takes_it_at_once_and_keeps_the_last_one_while_there_is_none() {
    let rig = rig();
    let of_file = "{version: '8', password: {valueFrom: {file: ./web/main}}}";
    let cache: ObjectRef = "redis/cache".parse().unwrap();
    let now = || {
        let password = rig.operator.tools.password(&cache).unwrap();
        password.map(|secret| secret.expose_secret().to_owned())
    };
    rig.redis("cache", "", of_file);
    let words = rig.reason("redis/cache", C::Degraded, "SecretUnreadable").await;
    assert!(words.contains("spec.password: ") && words.contains("nothing is made before"), "{words}");
    assert_eq!((now(), rig.container("redis/cache").is_none()), (None, true));
    put(&rig, "first", 0o600);
    rig.ready("redis/cache").await;
    assert_eq!(now().as_deref(), Some("first"));
    let made = rig.container("redis/cache").unwrap();
    put(&rig, "second", 0o600);
    rig.until("taken", || (now().as_deref() == Some("second")).then_some(())).await;
    rig.ready("redis/cache").await;
    put(&rig, "third", 0o644);
    let words = rig.reason("redis/cache", C::Degraded, "SecretUnreadable").await;
    assert!(words.contains("chmod 600") && words.contains("stays as it was"), "{words}");
    let error = rig.operator.operate(&cache, Operation::Rotate).await.unwrap_err();
    assert!(error.what.contains("the one that its manifest names"), "{error:?}");
    // Without it in the manifest it stays, and is Seawall's to rotate.
    rig.redis("cache", "", "{version: '8'}");
    rig.until("not said any more", || rig.condition("redis/cache", C::Degraded).is_none().then_some(()))
        .await;
    rig.ready("redis/cache").await;
    assert_eq!(now().as_deref(), Some("second"));
    rig.operator.operate(&cache, Operation::Rotate).await.unwrap();
    rig.until("rotated", || now().filter(|now| now != "second")).await;
    rig.ready("redis/cache").await;
    assert_eq!(rig.container("redis/cache").unwrap().id, made.id);
    let told = format!("{:?}{:?}", rig.all(), rig.events());
    assert!(!told.contains("first\"") && !told.contains("second\"") && !told.contains("third"), "{told}");
}
