//! Statements are counted by default, where the image can and the database was made so; nothing changes for one that is older.

use crate::machine::rig::{Rig, engine, object};
use crate::plan_goldens::{Case, facts_of};
use seawall::control::api::Api;
use seawall::control::operator::Times;
use seawall::core::diagnosis::Level;
use seawall::docker::Docker;
use seawall::kinds::Ask;
use seawall::kinds::postgres::facts::ImageFacts;
use seawall::kinds::postgres::monitoring::absent;
use seawall::kinds::postgres::world::Statements;
use seawall::store::{Change, Store};
use serde_json::{Value, json};
use std::time::Duration;

const CONTAINER: &str = "postgres-main";
const LIBRARY: &str = "/usr/lib/postgresql/18/lib/pg_stat_statements.so";
const LINE: &str = "shared_preload_libraries = 'pg_stat_statements'";
/// A probe that looks at what is looked at seldom.
const LOOK: Duration = Duration::from_secs(331);

async fn settled(rig: &Rig) {
    rig.ready("main").await;
    rig.settled("main").await;
}

async fn started(spec: &str) -> Rig {
    let rig = Rig::start(&[("main", spec)]);
    settled(&rig).await;
    rig
}

/// Made by a Seawall that preloaded nothing, and looked after by this one.
async fn older() -> Rig {
    let engine = engine();
    for tag in ["local/postgres:18", "local/postgres:18b"] {
        engine.remove_image_file(tag, LIBRARY);
    }
    let mut rig = Rig::new(engine, Times::default());
    rig.manifest("main", "{version: '18'}");
    rig.drive();
    settled(&rig).await;
    rig.leave().await;
    for tag in ["local/postgres:18", "local/postgres:18b"] {
        rig.fake.add_image_file(tag, LIBRARY, b"x");
    }
    // It knows nothing of that library: it is not asked for again under the same key.
    let keys = rig.store.scan("image/").unwrap().into_keys().map(Change::delete);
    rig.store.commit(keys.collect()).await.unwrap();
    rig.restart();
    rig
}

fn file(rig: &Rig) -> String {
    let file = rig.fake.file(CONTAINER, "/etc/seawall/postgresql.conf").unwrap().unwrap();
    String::from_utf8_lossy(&file.content).into_owned()
}

fn counts(rig: &Rig) -> bool {
    rig.memory("main")["countsStatements"] == json!(true)
}

fn inside(rig: &Rig) -> Value {
    rig.view("main").map(|view| view.status["monitoring"].clone()).unwrap_or_default()
}

/// Why they are absent, in the words of the status.
async fn why(rig: &Rig) -> String {
    rig.let_pass(LOOK).await;
    let inside = inside(rig);
    assert_eq!(inside.get("statements"), None, "{inside}");
    inside["errors"]["statements"].as_str().unwrap_or_else(|| panic!("{inside}")).to_owned()
}

fn times(rig: &Rig, reason: &str) -> u64 {
    rig.events().iter().filter(|event| event.reason == reason).map(|event| event.count).sum()
}

#[tokio::test(start_paused = true)]
async fn a_new_database_counts_them_and_a_restart_of_the_operator_changes_nothing() {
    let mut rig = started("{version: '18'}").await;
    let text = file(&rig);
    assert!(
        text.lines().nth(1) == Some(LINE) && text.lines().nth(2).unwrap().starts_with("include"),
        "{text}"
    );
    assert!(counts(&rig) && times(&rig, "ExtensionCreated") == 1, "{:?}", rig.events());
    assert_eq!(times(&rig, "ParametersReloaded"), 0, "the file is right from the first start on");
    rig.let_pass(LOOK).await;
    assert_eq!(inside(&rig)["statements"], json!([]));
    rig.leave().await;
    let before = (rig.fake.writes(), rig.container("main").unwrap());
    rig.restart();
    settled(&rig).await;
    rig.let_pass(LOOK).await;
    assert_eq!((rig.fake.writes(), rig.container("main").unwrap()), before);
    assert_eq!(times(&rig, "ExtensionCreated"), 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_older_is_taken_over_as_it_is_and_says_what_to_do() {
    let rig = older().await;
    let before = rig.container("main").unwrap();
    settled(&rig).await;
    let plan = rig.plan("main").await;
    assert!(plan.steps.is_empty() && !file(&rig).contains("shared_preload_libraries"), "{plan:#?}");
    let why_not = why(&rig).await;
    assert!(why_not.contains("this database was made without it"), "{why_not}");
    assert!(why_not.contains("shared_preload_libraries: pg_stat_statements (restarts"), "{why_not}");
    assert_eq!(rig.container("main").unwrap(), before, "neither made anew nor restarted");
    assert!(!counts(&rig) && times(&rig, "ExtensionCreated") == 0 && times(&rig, "ServerRestarted") == 0);
    // As with any other parameter: one restart, and the extension is for whoever asked for the library.
    rig.manifest("main", "{version: '18', parameters: {shared_preload_libraries: pg_stat_statements}}");
    rig.until("restarted", || (rig.container("main")?.started_at != before.started_at).then_some(())).await;
    settled(&rig).await;
    assert!(why(&rig).await.contains("CREATE EXTENSION pg_stat_statements"));
    assert!(!file(&rig).starts_with(LINE) && times(&rig, "ExtensionCreated") == 0);
    // And away again: it is as it was.
    rig.manifest("main", "{version: '18'}");
    rig.until("as it was", || (!file(&rig).contains("shared_preload_libraries")).then_some(())).await;
    settled(&rig).await;
    assert_eq!(rig.container("main").unwrap().id, before.id);
}

#[tokio::test(start_paused = true)]
async fn a_list_of_the_users_own_wins_whole() {
    let rig = started("{version: '18', parameters: {shared_preload_libraries: auto_explain}}").await;
    assert!(file(&rig).ends_with("shared_preload_libraries = 'auto_explain'\n"), "{}", file(&rig));
    let why_not = why(&rig).await;
    assert!(why_not.starts_with("shared_preload_libraries in spec.parameters has no"), "{why_not}");
    assert_eq!(times(&rig, "ExtensionCreated"), 0);
    let both = "{version: '18', parameters: {shared_preload_libraries: 'auto_explain,pg_stat_statements'}}";
    rig.manifest("main", both);
    rig.until("made", || (times(&rig, "ExtensionCreated") == 1).then_some(())).await;
    settled(&rig).await;
    rig.let_pass(LOOK).await;
    assert_eq!(inside(&rig)["statements"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn an_image_without_the_library_is_started_without_it() {
    let engine = engine();
    engine.remove_image_file("local/postgres:18", LIBRARY);
    let mut rig = Rig::new(engine, Times::default());
    rig.manifest("main", "{version: '18'}");
    rig.drive();
    settled(&rig).await;
    assert!(!file(&rig).contains("shared_preload_libraries") && !counts(&rig));
    assert!(why(&rig).await.starts_with("the image has no library pg_stat_statements"));
    // Nor does one that did preload it, on such an image.
    rig.manifest("main", "{version: '18b'}");
    rig.until("other image", || (rig.container("main")?.image_id.ends_with('2')).then_some(())).await;
    settled(&rig).await;
    assert!(!file(&rig).contains("shared_preload_libraries"), "it is older than its preloading");
}

#[tokio::test(start_paused = true)]
async fn on_an_image_that_lost_the_library_it_starts_without_and_takes_it_up_again() {
    let engine = engine();
    engine.remove_image_file("local/postgres:18b", LIBRARY);
    let mut rig = Rig::new(engine, Times::default());
    rig.manifest("main", "{version: '18'}");
    rig.drive();
    settled(&rig).await;
    rig.manifest("main", "{version: '18b'}");
    rig.until("without", || (!file(&rig).contains(LINE)).then_some(())).await;
    settled(&rig).await;
    assert!(why(&rig).await.starts_with("the image has no library"));
    rig.manifest("main", "{version: '18'}");
    rig.until("with", || file(&rig).contains(LINE).then_some(())).await;
    settled(&rig).await;
    rig.let_pass(LOOK).await;
    assert_eq!((inside(&rig)["statements"].clone(), times(&rig, "ExtensionCreated")), (json!([]), 1));
}

#[tokio::test(start_paused = true)]
async fn on_a_custom_image_nothing_is_preloaded() {
    let rig = started("{version: '17'}").await;
    assert!(!file(&rig).contains("shared_preload_libraries") && !counts(&rig));
    let why_not = why(&rig).await;
    assert!(
        why_not.starts_with("the image is custom") && why_not.contains("; then docker exec"),
        "{why_not}"
    );
    // Whoever asks is told the same.
    let ask = Ask { verb: "outliers".to_owned(), ..Ask::default() };
    let error = rig.operator.inspect(&object("main"), &ask).await.unwrap_err();
    let said = format!("{}: {}", error.what, error.next);
    assert_eq!(said, format!("the statements of postgres/main are not told: {why_not}"));
    let checks = rig.operator.diagnose(&object("main")).await.unwrap().checks;
    let check = checks.into_iter().find(|check| check.check == "Statements").unwrap();
    assert_eq!((check.level, check.found), (Level::Unknown, format!("not read: {why_not}")));
}

#[tokio::test(start_paused = true)]
async fn it_is_counted_on_whatever_becomes_of_container_and_record() {
    let mut rig = started("{version: '18'}").await;
    let first = rig.container("main").unwrap();
    let same = |rig: &Rig| counts(rig) && file(rig).lines().nth(1) == Some(LINE);
    // The record is lost; the server goes on as it is.
    rig.crash().await;
    assert!(rig.recover().await.is_empty());
    rig.until("password set", || rig.said("PasswordReset", "").then_some(())).await;
    settled(&rig).await;
    assert!(same(&rig) && !rig.said("ParametersReloaded", "spec.parameters changed"), "{:?}", rig.events());
    let now = rig.container("main").unwrap();
    assert_eq!((now.id, now.started_at), (first.id.clone(), first.started_at.clone()));
    // Container gone.
    rig.fake.remove(&first.id).await.unwrap();
    rig.until("made anew", || rig.container("main").map(drop)).await;
    settled(&rig).await;
    assert!(same(&rig));
    // Manifest gone, data kept; and back.
    rig.remove("main");
    rig.until("let go", || rig.container("main").is_none().then_some(())).await;
    rig.manifest("main", "{version: '18'}");
    settled(&rig).await;
    assert!(same(&rig) && times(&rig, "ExtensionCreated") == 0, "it was in the data all along");
    // Somebody drops the extension.
    assert!(rig.servers.drop_statements(CONTAINER));
    rig.until("again", || (times(&rig, "ExtensionCreated") == 1).then_some(())).await;
    settled(&rig).await;
}

#[test]
fn why_they_are_absent_is_said_once_for_all() {
    let managed = facts_of("aa", 18);
    let custom = ImageFacts { managed: false, ..managed.clone() };
    let bare = ImageFacts { statements: false, ..managed.clone() };
    let (yes, no) = (true, false);
    use Statements::{Missing, NotLoaded, NotMade, Told, Unknown};
    for (told, counts, own, image, what, next) in [
        (NotLoaded, yes, Some("x"), Some(&managed), "in spec.parameters has no", "add it to the list"),
        (NotLoaded, no, Some("pg_stat_statements"), Some(&custom), "waits for a restart", "seawall restart"),
        (NotLoaded, no, None, Some(&custom), "image is custom", "under spec.parameters"),
        (NotLoaded, yes, None, Some(&bare), "image has no library", "contrib"),
        (NotLoaded, yes, None, Some(&managed), "another shared_preload_libraries", "ALTER SYSTEM"),
        (NotLoaded, no, None, Some(&managed), "made without it", "under spec.parameters"),
        (NotLoaded, no, None, None, "made without it", "under spec.parameters"),
        (Missing, yes, None, None, "not made yet", "next pass"),
        (Missing, no, None, None, "has no extension", "-d postgres -c 'CREATE EXTENSION pg_stat_statements'"),
        (NotMade, yes, None, None, "has no extension", "CREATE EXTENSION"),
    ] {
        let mut case = Case::settled();
        case.memory.counts_statements = counts;
        if let Some(own) = own {
            case.spec.parameters.insert("shared_preload_libraries".to_owned(), own.to_owned());
        }
        let of = |told| absent(&case.subject(), image, told);
        let found = of(told).unwrap();
        let words = found.in_words();
        assert!(found.what.contains(what) && words.contains(next), "{told:?} {words}");
        let then = told == NotLoaded && !counts;
        assert_eq!(words.contains("; then docker exec"), then, "{words}");
        assert!(words.len() < 450, "{words}");
        assert_eq!((of(Told), of(Unknown)), (None, None));
    }
}
