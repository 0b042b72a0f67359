//! What is asked of a server while somebody waits, on the fake engine and its servers: as whom and where, what is told of it,
//! and what is not.

use crate::machine::rig::{Rig, object};
use seawall::control::api::{Api, ErrorCode};
use seawall::core::diagnosis::{Check, Level};
use seawall::kinds::postgres::client::SqlError;
use seawall::kinds::{Ask, End};
use serde_json::{Value, json};

const CONTAINER: &str = "postgres-main";

async fn settled() -> Rig {
    let rig = Rig::start(&[("main", "{version: '18'}")]);
    rig.ready("main").await;
    rig.settled("main").await;
    rig
}

fn ask(verb: &str) -> Ask {
    Ask { verb: verb.to_owned(), ..Ask::default() }
}

/// What and what next.
async fn refused(rig: &Rig, ask: &Ask) -> (String, String) {
    let error = rig.operator.inspect(&object("main"), ask).await.unwrap_err();
    (error.what, error.next)
}

fn session(pid: u32, since: &str) -> Value {
    json!([{"all_rows": 1, "pid": pid, "state": "active", "source": "shop", "username": "shop", "database": "app",
        "backend_type": "client backend", "since": since, "ours": false, "query": "SELECT 'sesame'"}])
}

#[tokio::test(start_paused = true)]
async fn it_is_asked_as_who_may_only_read_and_told_without_secrets() {
    let rig = settled().await;
    let secret = rig.operator.connection(&object("main"), true).await.unwrap().password.unwrap();
    let query = format!("ALTER ROLE x\n  PASSWORD '{secret}' \u{1b}[2J{}", "y".repeat(900));
    let row =
        json!({"all_rows": 250, "pid": 7, "state": "active", "username": "shop", "query": query, "more": 1});
    rig.servers.tell(CONTAINER, "ps", Ok(json!([row])));
    let view = rig.operator.inspect(&object("main"), &ask("ps")).await.unwrap();
    assert_eq!((view.table.rows.len(), view.table.left_out), (1, 249));
    let row = &view.table.rows[0];
    let said = row["query"].as_str().unwrap();
    assert!(said.starts_with("ALTER ROLE x PASSWORD '********' \\u{1b}[2J"), "{said}");
    assert!(said.chars().count() < 520 && said.ends_with('…'), "{said}");
    assert_eq!(
        (row.get("more"), &row["source"]),
        (None, &Value::Null),
        "only what columns have, and all of those"
    );
    for verb in ["info", "locks", "blocking", "bloat", "indexes", "vacuum-stats"] {
        rig.operator.inspect(&object("main"), &ask(verb)).await.unwrap();
    }
    let other = Ask { database: Some("other".to_owned()), ..ask("indexes") };
    rig.operator.inspect(&object("main"), &other).await.unwrap();
    let want = [
        "Monitor postgres ps",
        "Monitor app info",
        "Monitor app locks",
        "Monitor postgres blocking",
        "Owner app relations",
        "Monitor app indexes",
        "Monitor app vacuum",
        "Monitor other indexes",
    ];
    assert_eq!(rig.servers.asked(), want);
    assert!(!format!("{:?}", rig.events()).contains("ALTER ROLE"));
}

#[tokio::test(start_paused = true)]
async fn whoever_gets_no_answer_is_told_why_and_what_to_do() {
    let rig = settled().await;
    let of = |verb: &str, database: &str| Ask { database: Some(database.to_owned()), ..ask(verb) };
    assert!(refused(&rig, &ask("nonsense")).await.0.contains("cannot be asked for \"nonsense\""));
    assert!(refused(&rig, &of("ps", "app")).await.1.contains("leave --database out"));
    rig.servers.tell(CONTAINER, "statements extension", Ok(json!([{"schema": "public", "newer": true}])));
    let words = "pg_stat_statements must be loaded via \"shared_preload_libraries\"";
    rig.servers.tell(CONTAINER, "outliers", Err(SqlError::Failed(words.to_owned())));
    assert!(refused(&rig, &ask("outliers")).await.0.contains("are not told"));
    rig.servers.tell(
        CONTAINER,
        "locks",
        Err(SqlError::Failed("canceling statement due to statement timeout".to_owned())),
    );
    assert!(refused(&rig, &ask("locks")).await.0.contains("did not answer: canceling statement"));
    assert!(rig.servers.drop_monitor(CONTAINER));
    let (what, next) = refused(&rig, &ask("ps")).await;
    assert!(
        what.contains("seawall-monitor is not let in") && next.contains("within a minute"),
        "{what} {next}"
    );
    rig.ready("main").await;
    rig.manifest("main", "{version: '18', stopped: true}");
    rig.until("it is stopped", || {
        let state = rig.fake.seen(CONTAINER)?.state;
        (state != seawall::core::seen::ContainerState::Running).then_some(())
    })
    .await;
    rig.settled("main").await;
    let (what, next) = refused(&rig, &ask("ps")).await;
    assert!(
        what.contains("no server of postgres/main runs") && next.contains("seawall diagnose"),
        "{what} {next}"
    );
    let redis = rig.operator.inspect(&object("redis/none"), &ask("ps")).await.unwrap_err();
    assert_eq!(redis.code, ErrorCode::Invalid);
}

#[tokio::test(start_paused = true)]
async fn only_the_very_session_that_was_shown_is_ended() {
    let rig = settled().await;
    let main = object("main");
    let look = End { session: 7, since: None, force: true };
    rig.servers.tell(CONTAINER, "session", Ok(session(7, "t1")));
    rig.servers.tell(CONTAINER, "end", Ok(json!([{"sent": true}])));
    let view = rig.operator.kill(&main, &look).await.unwrap();
    assert_eq!((view.since.as_str(), &view.message), ("t1", &None));
    assert_eq!(rig.servers.asked(), ["OwnerWrites postgres Session { pid: 7 }"]);
    // Its number is another one's meanwhile.
    rig.servers.tell(CONTAINER, "session", Ok(session(7, "t2")));
    let meant = End { since: Some("t1".to_owned()), ..look.clone() };
    let error = rig.operator.kill(&main, &meant).await.unwrap_err();
    assert!(error.what.contains("is not the one any more"), "{error:?}");
    // Or between the look and the signal.
    rig.servers.tell(CONTAINER, "session", Ok(session(7, "t1")));
    rig.servers.tell(CONTAINER, "end", Ok(json!([])));
    assert!(rig.operator.kill(&main, &meant).await.unwrap_err().what.contains("is not the one any more"));
    assert!(!rig.events().iter().any(|e| e.reason.starts_with("Session")));
    rig.servers.tell(CONTAINER, "end", Ok(json!([{"sent": true}])));
    let view = rig.operator.kill(&main, &meant).await.unwrap();
    assert!(view.message.unwrap().contains("session 7 of shop in app was ended"));
    assert!(rig.said("SessionTerminated", "session 7 of shop in app was ended"));
    rig.operator.kill(&main, &End { force: false, ..meant.clone() }).await.unwrap();
    assert!(rig.said("SessionCancelled", "was cancelled"));
    let written = rig.operator.audit(0).await.unwrap();
    let written: Vec<_> = written.iter().map(|e| (e.what.as_str(), e.object.as_str())).collect();
    assert_eq!(written, [("SessionTerminated", "postgres/main"), ("SessionCancelled", "postgres/main")]);
    assert!(!format!("{:?}", rig.events()).contains("sesame"));
    for (field, value, want) in [
        ("ours", json!(true), "is Seawall's own"),
        ("backend_type", json!("checkpointer"), "PostgreSQL's own: checkpointer"),
    ] {
        let mut row = session(7, "t1");
        row[0][field] = value;
        rig.servers.tell(CONTAINER, "session", Ok(row));
        let before = rig.servers.asked().len();
        let error = rig.operator.kill(&main, &meant).await.unwrap_err();
        assert!(error.what.contains(want), "{error:?}");
        assert_eq!(rig.servers.asked().len(), before + 1, "nothing but the look");
    }
}

async fn checks(rig: &Rig) -> Vec<Check> {
    rig.operator.diagnose(&object("main")).await.unwrap().checks
}

#[tokio::test(start_paused = true)]
async fn a_diagnosis_begins_with_the_worst_and_says_what_it_could_not_read() {
    let rig = settled().await;
    let blocked = json!([{"blocked_pid": 8, "blocking_pid": 7, "blocking_state": "active", "blocked_duration": 90.0,
        "blocked_statement": "SELECT 'sesame'"}]);
    rig.servers.tell(CONTAINER, "blocking", Ok(blocked));
    rig.servers.tell(CONTAINER, "relations", Err(SqlError::Failed("permission denied".to_owned())));
    let all = checks(&rig).await;
    let levels: Vec<Level> = all.iter().map(|check| check.level).collect();
    assert!(levels.is_sorted(), "{levels:?}");
    let red = &all[0];
    assert_eq!((red.check.as_str(), red.level), ("Blocking queries", Level::Red));
    assert_eq!(red.of, ["8 waits for 7 (active) for 90s"]);
    assert!(red.next.contains("seawall pg kill main PID"), "{red:?}");
    assert!(!format!("{all:?}").contains("sesame"));
    let of = |name: &str| all.iter().find(|check| check.check == name).unwrap();
    assert_eq!(
        (of("Bloat").level, of("Bloat").found.as_str()),
        (Level::Unknown, "not read: permission denied")
    );
    // A server that does not tell is no good news.
    assert_eq!(of("Connections").level, Level::Unknown);
    assert_eq!((of("Ready").level, of("WAL").level), (Level::Green, Level::Green));
}

#[tokio::test(start_paused = true)]
async fn a_diagnosis_of_what_is_not_ready_goes_by_what_is_known() {
    let rig = Rig::start(&[("main", "{version: remote}")]);
    rig.until("it is said", || rig.condition("main", seawall::core::condition::ConditionType::Ready)).await;
    let all = checks(&rig).await;
    let ready = all.iter().find(|check| check.check == "Ready").unwrap();
    assert!(matches!(ready.level, Level::Red | Level::Unknown), "{all:?}");
    assert!(ready.next.contains("seawall describe postgres/main"), "{ready:?}");
    assert!(!all.iter().any(|check| check.check == "Connections"), "nobody is there to be asked");
}
