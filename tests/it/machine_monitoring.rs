//! What goes on inside of fake servers: what is shown of a look, what is not written, and what cannot be read.

use crate::machine::rig::Rig;
use seawall::control::api::Api;
use seawall::core::condition::ConditionType as C;
use seawall::kinds::postgres::client::SqlError;
use seawall::kinds::postgres::fake_server::{calm_figures, few_contents};
use seawall::kinds::postgres::monitoring::{
    Blocked, Blocker, Contents, Database, Databases, Figures, Locks, Mismatched, Statement, Table, Totals,
    Transaction, Transactions,
};
use seawall::store::Store;
use serde_json::{Value, json};
use std::time::Duration;

const CONTAINER: &str = "postgres-main";
/// Two probes: every second one looks.
const LOOK: Duration = Duration::from_secs(46);

async fn settled() -> Rig {
    let rig = Rig::start(&[("main", "{version: '18'}")]);
    rig.ready("main").await;
    rig.settled("main").await;
    rig
}

fn inside(rig: &Rig) -> Value {
    rig.view("main").map(|view| view.status["monitoring"].clone()).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_ready_server_was_looked_into() {
    let rig = settled().await;
    let inside = inside(&rig);
    assert_eq!(
        inside["connections"],
        json!({"used": 2, "by_state": {"active": 1, "idle": 1, "idle_in_transaction": 0, "other": 0}})
    );
    assert_eq!(
        (&inside["max_connections"], &inside["started_at"]),
        (&json!(100), &json!("2023-11-14T22:13:20Z"))
    );
    assert_eq!((&inside["cache_hit_ratio"], &inside["stale"]), (&json!(0.9), &json!(false)));
    assert_eq!(inside.get("rates"), None, "one look makes none");
    assert_eq!(inside.get("errors"), None);
}

#[tokio::test(start_paused = true)]
async fn figures_are_shown_with_their_rates_and_never_written() {
    let rig = settled().await;
    rig.let_pass(LOOK).await;
    let commits = || rig.store.get("meta/store").unwrap().unwrap_or_default()["commits"].clone();
    let (before, at) = (rig.store.scan("").unwrap(), commits());
    for n in 1..=3_u64 {
        let totals =
            Totals { commits: 50 + n * 30_000, blocks_hit: 900 + n, blocks_read: 100, ..Totals::default() };
        rig.servers.set_figures(CONTAINER, Figures { totals: Ok(totals), ..calm_figures() });
        rig.let_pass(LOOK).await;
        let inside = inside(&rig);
        assert_eq!(inside["totals"]["commits"], 50 + n * 30_000);
        assert_eq!(inside["rates"]["rollbacks_per_s"], 0.0);
    }
    // One look more, without anything new.
    rig.let_pass(LOOK).await;
    assert_eq!(
        inside(&rig)["rates"],
        json!({"commits_per_s": 0.0, "rollbacks_per_s": 0.0, "temp_bytes_per_s": 0.0})
    );
    rig.servers.set_figures(CONTAINER, Figures { totals: Ok(Totals::default()), ..calm_figures() });
    rig.let_pass(Duration::from_secs(31)).await;
    assert_eq!((rig.store.scan("").unwrap(), commits()), (before, at));
}

#[tokio::test(start_paused = true)]
async fn counters_that_began_again_make_no_rate() {
    let rig = settled().await;
    let told = |commits| Figures { totals: Ok(Totals { commits, ..Totals::default() }), ..calm_figures() };
    rig.servers.set_figures(CONTAINER, told(900));
    rig.let_pass(LOOK).await;
    assert!(inside(&rig)["rates"]["commits_per_s"].is_f64());
    rig.servers.set_figures(CONTAINER, told(3));
    let mut saw_none = false;
    for _ in 0..50 {
        rig.let_pass(Duration::from_secs(1)).await;
        saw_none |= inside(&rig)["totals"]["commits"] == 3 && inside(&rig).get("rates").is_none();
    }
    assert!(saw_none);
}

#[tokio::test(start_paused = true)]
async fn who_blocks_whom_is_told() {
    let rig = settled().await;
    let locks = Locks {
        waiting: 1,
        blocked: vec![Blocked { pid: 7, blocked_by: vec![5], secs: Some(12), ..Blocked::default() }],
        blockers: vec![Blocker {
            pid: 5,
            state: Some("idle in transaction".to_owned()),
            ..Blocker::default()
        }],
    };
    let longest = Transaction { pid: 5, secs: 40, ..Transaction::default() };
    let transactions = Transactions { longest: Some(longest), ..Transactions::default() };
    rig.servers.set_figures(
        CONTAINER,
        Figures { locks: Ok(locks), transactions: Ok(transactions), ..calm_figures() },
    );
    rig.let_pass(LOOK).await;
    let inside = inside(&rig);
    assert_eq!(inside["locks"]["blocked"], json!([{"pid": 7, "blocked_by": [5], "secs": 12}]));
    assert_eq!(inside["locks"]["blockers"], json!([{"pid": 5, "state": "idle in transaction"}]));
    assert_eq!(inside["transactions"], json!({"longest": {"pid": 5, "secs": 40}}));
    assert!(rig.is_ready("main") && rig.phase("main") == "Ready", "it is told, and judged by nobody here");
}

#[tokio::test(start_paused = true)]
async fn each_part_fails_alone_and_never_takes_the_wal_with_it() {
    let rig = settled().await;
    let why = || "permission denied".to_owned();
    let rows: [(&str, Figures); 7] = [
        ("max_connections", Figures { server: Err(why()), ..calm_figures() }),
        ("connections", Figures { connections: Err(why()), ..calm_figures() }),
        ("transactions", Figures { transactions: Err(why()), ..calm_figures() }),
        ("locks", Figures { locks: Err(why()), ..calm_figures() }),
        ("replication", Figures { replication: Err(why()), ..calm_figures() }),
        ("totals", Figures { totals: Err(why()), ..calm_figures() }),
        ("checkpoints", Figures { checkpoints: Err(why()), ..calm_figures() }),
    ];
    let fields: Vec<&str> = rows.iter().map(|(field, _)| *field).collect();
    for (lacks, figures) in rows {
        rig.servers.set_figures(CONTAINER, figures);
        rig.let_pass(LOOK).await;
        let inside = inside(&rig);
        assert_eq!(inside["errors"][lacks], "permission denied", "{lacks}");
        for field in &fields {
            assert_eq!(inside.get(*field).is_some(), *field != lacks, "{field} without {lacks}");
        }
        let health = rig.view("main").unwrap().status["walHealth"].clone();
        assert!(health.get("errors").is_none(), "{lacks}: {health}");
        assert!(rig.is_ready("main"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_keeps_its_last_look_and_its_age() {
    let rig = settled().await;
    let taken = inside(&rig)["probed_at"].clone();
    rig.servers.set_answer(CONTAINER, Some(SqlError::Hung(Duration::from_secs(5))));
    rig.let_pass(LOOK * 3).await;
    assert_eq!(inside(&rig)["probed_at"], taken);
    rig.servers.set_answer(CONTAINER, None);
    rig.ready("main").await;
    rig.let_pass(LOOK).await;
    assert_eq!(inside(&rig).get("errors"), None);
    rig.servers.drop_monitor(CONTAINER);
    rig.remove("main");
    rig.until("let go", || rig.container("main").is_none().then_some(())).await;
    assert!(rig.condition("main", C::Ready).is_none_or(|c| c.reason != "Ready"));
}

#[tokio::test(start_paused = true)]
async fn what_takes_long_to_tell_is_asked_every_five_minutes_and_after_it_is_ready() {
    let rig = Rig::start(&[("main", "{version: '18'}")]);
    rig.ready("main").await;
    assert_eq!(inside(&rig).get("databases"), None, "being Ready does not wait for it");
    rig.let_pass(LOOK).await;
    let first = inside(&rig);
    assert_eq!(first["databases"][0], json!({"name": "app", "size_bytes": 8 << 20}));
    assert_eq!(first["size_bytes"], 22 << 20);
    assert_eq!(first.get("errors"), None, "{first}");
    let top = rig.operator.top(None).await.unwrap().items[0].inside.clone();
    assert_eq!((top.connections_used, top.max_connections), (Some(2), Some(100)));
    assert_eq!(
        (top.size_bytes, top.wal_bytes, top.longest_transaction_secs),
        (Some(22 << 20), Some(32 << 20), None)
    );
    assert_eq!(top.transactions_per_second, Some(0.0));
    let table =
        Table { name: Some("public.orders".to_owned()), size_bytes: 9, dead_rows: 4, ..Table::default() };
    let statement = Statement { queryid: Some("7".to_owned()), total_secs: 1.5, ..Statement::default() };
    let database = Database { name: Some("a\"} 1\nforged 1".to_owned()), size_bytes: 5 };
    let more = Contents {
        databases: Ok(Databases { size_bytes: 5, databases: vec![database] }),
        tables: Ok(vec![table]),
        statements: Ok(vec![statement]),
        mismatches: Ok(vec![
            Mismatched { now: Some("2.41".to_owned()), ..Mismatched::default() }.with_repair(),
        ]),
        ..few_contents()
    };
    rig.servers.set_contents(CONTAINER, more);
    rig.let_pass(Duration::from_secs(200)).await;
    assert_eq!(inside(&rig)["databases"], first["databases"], "not before its time");
    rig.let_pass(Duration::from_secs(120)).await;
    let told = inside(&rig);
    assert_eq!((&told["tables"][0]["dead_rows"], &told["size_bytes"]), (&json!(4), &json!(5)));
    assert_eq!(told["collation_mismatches"][0]["repair"].as_array().unwrap().len(), 2);
    // What somebody called a database is no way out of its label.
    let text = rig.operator.metrics().await.unwrap();
    for line in [
        r#"seawall_postgres_database_size_bytes{kind="postgres",name="main",database="a\"} 1\nforged 1"} 5"#,
        r#"seawall_postgres_table_dead_rows{kind="postgres",name="main",table="public.orders"} 4"#,
        r#"seawall_postgres_statement_seconds_total{kind="postgres",name="main",queryid="7"} 1.5"#,
    ] {
        assert!(text.lines().any(|told| told == line), "{line}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_of_that_fails_alone_too() {
    let why = || "canceling statement".to_owned();
    let rows: [(&str, Contents); 4] = [
        ("databases", Contents { databases: Err(why()), ..few_contents() }),
        ("tables", Contents { tables: Err(why()), ..few_contents() }),
        ("collation_mismatches", Contents { mismatches: Err(why()), ..few_contents() }),
        ("statements", Contents { statements: Err(why()), ..few_contents() }),
    ];
    let fields: Vec<&str> = rows.iter().map(|(field, _)| *field).collect();
    let rig = settled().await;
    for (lacks, contents) in rows {
        rig.servers.set_contents(CONTAINER, contents);
        rig.let_pass(Duration::from_secs(330)).await;
        let inside = inside(&rig);
        assert_eq!(inside["errors"][lacks], "canceling statement", "{lacks}");
        for field in &fields {
            assert_eq!(inside.get(*field).is_some(), *field != lacks, "{field} without {lacks}");
        }
        assert!(rig.is_ready("main") && inside["connections"]["used"] == 2);
    }
}
