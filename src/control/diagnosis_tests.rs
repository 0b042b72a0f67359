//! Conditions in, checks out.

use super::*;
use crate::control::api::{Advice, MetadataView};
use serde_json::json;

fn view(conditions: Value) -> ObjectView {
    let mut conditions = conditions;
    for condition in conditions.as_array_mut().unwrap() {
        condition["lastTransitionTime"] = "2026-01-01T00:00:00Z".into();
        condition["observedGeneration"] = 1.into();
    }
    ObjectView {
        api_version: String::new(),
        kind: "Thing".to_owned(),
        metadata: MetadataView {
            name: "a".to_owned(),
            uid: String::new(),
            generation: 1,
            resource_version: String::new(),
            creation_timestamp: String::new(),
            labels: std::collections::BTreeMap::default(),
            annotations: std::collections::BTreeMap::default(),
            owner_references: Vec::new(),
            source: String::new(),
        },
        spec: Value::Null,
        status: json!({"conditions": conditions}),
        not_saved_since: None,
    }
}

fn condition(kind: &str, status: &str, reason: &str) -> Value {
    json!({"type": kind, "status": status, "reason": reason, "message": "words"})
}

fn said(conditions: Value, plan: &[String]) -> Vec<(String, Level)> {
    let view = view(conditions);
    let events = [EventType::Normal, EventType::Warning].map(|kind| Event {
        object: "thing/a".to_owned(),
        kind,
        reason: "Why".to_owned(),
        message: "it is so".to_owned(),
        count: 2,
        first_seen: String::new(),
        last_seen: "now".to_owned(),
        sequence: 1,
    });
    let checks = of_object(&Known { view: &view, events: &events, problems: &[], plan });
    for check in &checks {
        assert!(check.level == Level::Green || !check.next.is_empty(), "{check:?}");
        assert!(check.level != Level::Green || check.why.is_empty(), "{check:?}");
    }
    checks.into_iter().map(|check| (check.check, check.level)).collect()
}

#[test]
fn each_condition_has_its_colour_and_what_is_not_known_is_no_good_news() {
    use Level::{Green, Red, Unknown, Yellow};
    let ready = || condition("Ready", "True", "LoginSucceeded");
    let rows: [(Value, &[(&str, Level)]); 10] = [
        (json!([]), &[("Ready", Unknown), ("Events", Yellow)]),
        (json!([ready()]), &[("Ready", Green)]),
        (json!([condition("Ready", "False", "X")]), &[("Ready", Red), ("Events", Yellow)]),
        // Somebody wanted it so.
        (json!([condition("Ready", "False", "Stopped")]), &[("Ready", Green), ("Events", Yellow)]),
        (json!([condition("Ready", "Unknown", "X")]), &[("Ready", Unknown), ("Events", Yellow)]),
        // What a server's own check says in figures is not said twice.
        (json!([ready(), condition("WalHealthy", "False", "WalBloat")]), &[("Ready", Green)]),
        (
            json!([
                ready(),
                condition("Degraded", "True", "WalBloat"),
                condition("WalHealthy", "False", "WalBloat")
            ]),
            &[("Ready", Green)],
        ),
        (
            json!([
                ready(),
                condition("Degraded", "True", "Other"),
                condition("WalHealthy", "False", "WalBloat")
            ]),
            &[("Ready", Green), ("Degraded", Yellow)],
        ),
        (
            json!([
                condition("Ready", "False", "X"),
                condition("Stalled", "True", "X"),
                condition("WalHealthy", "Unknown", "X")
            ]),
            &[("Ready", Red), ("Stalled", Red), ("WalHealthy", Unknown), ("Events", Yellow)],
        ),
        (
            json!([ready(), condition("PendingRestart", "True", "X"), condition("Progressing", "True", "X")]),
            &[("Ready", Green), ("PendingRestart", Yellow)],
        ),
    ];
    for (conditions, want) in rows {
        let want: Vec<_> = want.iter().map(|(check, level)| ((*check).to_owned(), *level)).collect();
        assert_eq!(said(conditions.clone(), &[]), want, "{conditions}");
    }
}

#[test]
fn what_does_not_go_on_is_red_where_nobody_gets_in() {
    let plan = ["waits for Image: it is pulled".to_owned()];
    let of = |ready: &str| {
        let all = said(json!([condition("Ready", ready, "X")]), &plan);
        all.into_iter().find(|(check, _)| check == "Plan").unwrap().1
    };
    assert_eq!((of("True"), of("False")), (Level::Yellow, Level::Red));
}

#[test]
fn the_log_is_shown_where_there_is_one() {
    let object = "postgres/a".parse().unwrap();
    assert_eq!(of_log(&object, &[]), None);
    let check = of_log(&object, &["FATAL".to_owned()]).unwrap();
    assert_eq!((check.of, check.next), (vec!["FATAL".to_owned()], "seawall logs postgres/a".to_owned()));
}

#[test]
fn limits_are_yellow_where_they_are_too_low_and_nothing_where_nobody_knows_yet() {
    let advice = |verdict, now: Option<&str>, wanted: &str| {
        Some(Advice {
            verdict,
            now: now.map(str::to_owned),
            wanted: wanted.to_owned(),
            why: "peak 1Mi x 1.25".to_owned(),
        })
    };
    let of = |memory, cpus| {
        let object = "postgres/a".to_owned();
        of_limits(&Recommendation { object, memory, cpus, ..Recommendation::default() })
    };
    assert_eq!(of(None, None), None);
    let kept = || advice(Verdict::Keep, Some("1"), "1");
    let rows = [
        (kept(), Level::Green, "memory 1, near enough to 1; cpus 1, near enough to 1"),
        (
            advice(Verdict::Raise, Some("1Mi"), "2Mi"),
            Level::Yellow,
            "memory 1Mi, by use 2Mi; cpus 1, near enough to 1",
        ),
        (
            advice(Verdict::Lower, Some("3Mi"), "2Mi"),
            Level::Green,
            "memory 3Mi, by use 2Mi; cpus 1, near enough to 1 (seawall recommend postgres/a)",
        ),
        (
            advice(Verdict::Set, None, "2Mi"),
            Level::Green,
            "memory without a limit, by use 2Mi; cpus 1, near enough to 1 (seawall recommend postgres/a)",
        ),
    ];
    for (memory, level, found) in rows {
        let check = of(memory, kept()).unwrap();
        assert_eq!((check.level, check.found.as_str()), (level, found));
        assert_eq!(check.next.is_empty(), level == Level::Green);
    }
}
