//! Verbs that ask a server what goes on inside it: `pg …` and `diagnose`.

use super::fake::{Fake, Place};
use seawall::control::api::*;
use seawall::core::diagnosis::{Check, Level};
use seawall::core::table::{Field, Table, Unit};
use serde_json::{Value, json};

const FIELDS: [Field; 3] = [
    Field::new("pid", Unit::Count),
    Field::wide("client", Unit::Text),
    Field::new("running_for", Unit::Seconds),
];

fn table(rows: &Value) -> Table {
    let rows = rows.as_array().unwrap().iter().map(|row| row.as_object().cloned().unwrap()).collect();
    Table::of(&FIELDS, rows)
}

fn told(sheet: bool) -> Fake {
    Fake::with(|w| {
        w.inspected = InspectView {
            object: "postgres/main".into(),
            verb: "ps".into(),
            sheet,
            table: Table {
                left_out: 4,
                ..table(&json!([{"pid": 7, "client": "10.0.0.9", "running_for": 75.5}]))
            },
        };
        w.kill = KillView {
            object: "postgres/main".into(),
            session: table(&json!([{"pid": 7}])),
            since: "2026-01-01T00:00:00.000001Z".into(),
            message: None,
        };
    })
}

#[tokio::test]
async fn a_question_goes_out_as_it_was_asked_and_comes_back_as_a_table_or_as_values() {
    let fake = told(false);
    let place = Place::live(&fake).await;
    let ran = place.run("pg ps main").await;
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (0, "PID  RUNNING FOR\n7    75s\n… and 4 more that are not shown\n")
    );
    let ran = place.run("pg ps postgres/main -v -o wide").await;
    assert!(ran.out.starts_with("PID  CLIENT    RUNNING FOR\n7    10.0.0.9  75s\n"), "{}", ran.out);
    let ran =
        place.run_words(&["pg", "indexes", "main", "-d", "we?ird&verbose=true %41", "-o", "json"]).await;
    let value: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&value["rows"][0]["running_for"], &value["leftOut"]), (&json!(75.5), &json!(4)));
    assert_eq!(value["columns"][1], json!({"name": "client", "unit": "text", "wide": true}));
    assert!(place.run("pg ps main -o yaml").await.out.contains("- pid: 7"));
    let asked: Vec<String> = fake.calls().into_iter().filter(|call| call.starts_with("inspect")).collect();
    let want = [
        "inspect postgres/main ps None false",
        "inspect postgres/main ps None true",
        "inspect postgres/main indexes Some(\"we?ird&verbose=true %41\") false",
        "inspect postgres/main ps None false",
    ];
    assert_eq!(asked, want);
    for wrong in [
        "pg",
        "pg nonsense main",
        "pg ps",
        "pg ps redis/main",
        "pg ps main -d x",
        "pg locks main -v",
        "pg kill main x",
    ] {
        assert_ne!(place.run(wrong).await.code, 0, "{wrong}");
    }
    fake.change(|w| w.inspected.table.rows.clear());
    fake.change(|w| w.inspected.table.left_out = 0);
    let ran = place.run("pg ps main").await;
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", "None found.\n"));
    let place = Place::live(&told(true)).await;
    let ran = place.run("pg info main").await;
    assert!(ran.out.starts_with("Pid          7\nClient       10.0.0.9\nRunning for  75s\n"), "{}", ran.out);
}

#[tokio::test]
async fn a_session_is_ended_only_by_who_agrees_and_only_the_one_that_was_shown() {
    let fake = told(false);
    let place = Place::live(&fake).await;
    // Nobody can be asked here.
    let ran = place.run("pg kill main 7").await;
    assert_eq!(ran.code, 1);
    assert!(ran.out.starts_with("Pid          7\n"), "{}", ran.out);
    assert!(
        ran.err.contains("nothing was ended") && ran.err.contains("seawall pg kill postgres/main 7 --yes"),
        "{}",
        ran.err
    );
    assert_eq!(fake.calls().into_iter().filter(|call| call.starts_with("kill")).count(), 1);
    let ran = place.run("pg kill main 7 --force --yes").await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "it was ended\n"));
    let asked: Vec<String> = fake.calls().into_iter().filter(|call| call.starts_with("kill")).collect();
    let want = [
        "kill postgres/main 7 None false",
        "kill postgres/main 7 None true",
        "kill postgres/main 7 Some(\"2026-01-01T00:00:00.000001Z\") true",
    ];
    assert_eq!(asked, want);
}

#[tokio::test]
async fn a_diagnosis_says_why_and_what_to_do_and_fails_on_red() {
    let red =
        Check::new("Connections", Level::Red, "97 of 97\x1b[2J").because("nobody gets in", "raise them");
    let checks = vec![
        red.about(vec!["7 of shop".into()]),
        Check::new("Bloat", Level::Unknown, "not read: no"),
        Check::new("WAL", Level::Green, "32Mi"),
    ];
    let fake = Fake::with(|w| w.diagnosis = DiagnosisView { object: "postgres/main".into(), checks });
    let place = Place::live(&fake).await;
    let ran = place.run("diagnose postgres/main").await;
    let want = "\
RED     Connections: 97 of 97\\u{1b}[2J
          7 of shop
        why: nobody gets in
        to do: raise them
UNKNOWN Bloat: not read: no
GREEN   WAL: 32Mi

postgres/main: 1 red, 0 yellow, 1 unknown, 1 green
";
    assert_eq!((ran.code, ran.out.as_str()), (1, want));
    for form in ["--json", "-o json"] {
        let ran = place.run(&format!("diagnose postgres/main {form}")).await;
        let value: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!((ran.code, &value["checks"][0]["level"]), (1, &json!("red")));
    }
    fake.change(|w| drop(w.diagnosis.checks.remove(0)));
    assert_eq!(place.run("diagnose postgres/main").await.code, 0);
}
