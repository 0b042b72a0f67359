//! The series of one object, from what everybody is shown of it. Pure. Must never ask which kind it is.

use super::sheet::Sheet;
use crate::control::api::ObjectView;
use crate::core::condition::{Condition, ConditionType, Truth};
use crate::core::metric::Family;
use crate::core::quantity::{Bytes, NanoCpus};
use crate::kinds::{About, OF_CONTAINERS, Read};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

pub const READY: Family = Family::gauge(
    "seawall_object_ready",
    "Whether the object is Ready, by its last proof; what is not known has no series.",
);
pub const CONDITION: Family = Family::gauge(
    "seawall_object_condition",
    "1 for the status and the reason that each condition of an object has now.",
);
pub const WARNING: Family =
    Family::gauge("seawall_warning", "How many warnings of this sort an object has now.");

/// Those beside what kinds declare.
pub const FAMILIES: [&Family; 3] = [&READY, &CONDITION, &WARNING];

/// Series of one family that one object has.
const ROWS: usize = 50;
/// Characters of a word of a closed set.
const WORD: usize = 60;

pub fn put(sheet: &mut Sheet, about: &About, view: &ObjectView) {
    let (kind, name) = (about.kind.lower(), view.metadata.name.as_str());
    let conditions = view.status.get("conditions").cloned().unwrap_or_default();
    // In the form in which everybody is told: an older store may have some that are not known any more.
    let conditions: Vec<Condition> = match conditions {
        Value::Array(all) => all.into_iter().filter_map(|c| serde_json::from_value(c).ok()).collect(),
        _ => Vec::new(),
    };
    for Condition { kind: condition, status, reason, .. } in &conditions {
        if *condition == ConditionType::Ready && *status != Truth::Unknown {
            sheet.count(&READY, &[("kind", kind), ("name", name)], u64::from(*status == Truth::True));
        }
        let reason = if is_word(reason) { reason } else { "Other" };
        let labels = [
            ("kind", kind),
            ("name", name),
            ("condition", condition.as_str()),
            ("status", status.as_str()),
            ("reason", reason),
        ];
        sheet.count(&CONDITION, &labels, 1);
    }
    let of_containers = if about.containers { OF_CONTAINERS.as_slice() } else { &[] };
    for metric in of_containers.iter().chain(about.metrics) {
        let Some(told) = view.status.pointer(metric.path) else { continue };
        let of = [("kind", kind), ("name", name)];
        match metric.read {
            Read::ByField(label) => {
                for (field, value) in told.as_object().into_iter().flatten() {
                    if let Some(value) = value.as_f64() {
                        sheet.put(&metric.family, &[of[0], of[1], (label, field)], value);
                    }
                }
            }
            Read::ByRow { label, of: which, value } => {
                for row in told.as_array().into_iter().flatten().take(ROWS) {
                    let word = row.pointer(which).and_then(Value::as_str);
                    if let (Some(word), Some(value)) = (word, row.pointer(value).and_then(Value::as_f64)) {
                        sheet.put(&metric.family, &[of[0], of[1], (label, word)], value);
                    }
                }
            }
            read => {
                if let Some(value) = figure(told, read) {
                    sheet.put(&metric.family, &of, value);
                }
            }
        }
    }
    let mut warnings: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let listed = about.warnings.and_then(|path| view.status.pointer(path)?.as_array());
    for warning in listed.into_iter().flatten() {
        let word = |field: &str| warning.get(field)?.as_str().filter(|word| is_word(word));
        if let (Some(what), Some(severity)) = (word("kind"), word("severity")) {
            *warnings.entry((what, severity)).or_default() += 1;
        }
    }
    for ((warning, severity), count) in warnings {
        let labels = [("kind", kind), ("name", name), ("warning", warning), ("severity", severity)];
        sheet.count(&WARNING, &labels, count);
    }
}

/// Whether it can be of a closed set: what others wrote is no label.
fn is_word(text: &str) -> bool {
    (1..=WORD).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus knows no other numbers")]
pub fn figure(value: &Value, read: Read) -> Option<f64> {
    match read {
        Read::Number => value.as_f64(),
        Read::Flag => value.as_bool().map(|is| f64::from(u8::from(is))),
        Read::Memory => Bytes::parse(value.as_str()?).ok().map(|bytes| bytes.0 as f64),
        Read::Cpus => NanoCpus::parse(value.as_str()?).ok().map(|cpus| cpus.0 as f64 / 1e9),
        Read::Millis => value.as_f64().map(|ms| ms / 1e3),
        Read::Time => Some(value.as_str()?.parse::<Timestamp>().ok()?.as_millisecond() as f64 / 1e3),
        Read::ByField(_) | Read::ByRow { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::registry::Kinds;
    use serde_json::json;

    fn told(kind: &str, status: Value) -> Vec<String> {
        let about = Kinds::all(None).about().find(|about| about.kind.lower() == kind).unwrap();
        let view = json!({
            "apiVersion": "", "kind": "", "spec": {}, "status": status,
            "metadata": {"name": "main", "uid": "", "generation": 1, "creationTimestamp": ""},
        });
        let view: ObjectView = serde_json::from_value(view).unwrap();
        let mut sheet = Sheet::default();
        put(&mut sheet, &about, &view);
        let text = sheet.text().unwrap();
        text.lines().filter(|l| !l.starts_with('#')).map(ToOwned::to_owned).collect()
    }

    fn condition(kind: &str, status: &str, reason: &str) -> Value {
        json!({"type": kind, "status": status, "reason": reason, "message": "", "lastTransitionTime": "", "observedGeneration": 1})
    }

    #[test]
    fn what_is_not_known_has_no_series() {
        assert_eq!(told("postgres", json!({})), Vec::<String>::new());
        let unknown = json!({"conditions": [condition("Ready", "Unknown", "NotLookedAt")], "walHealth": {"pg_wal_bytes": null, "probed_at": "soon"}});
        let only = r#"seawall_object_condition{kind="postgres",name="main",condition="Ready",status="Unknown",reason="NotLookedAt"} 1"#;
        assert_eq!(told("postgres", unknown), [only]);
        for (status, value) in [("True", 1), ("False", 0)] {
            let said = told("redis", json!({"conditions": [condition("Ready", status, "x y")]}));
            assert!(
                said.contains(&format!(r#"seawall_object_ready{{kind="redis",name="main"}} {value}"#)),
                "{said:?}"
            );
            assert!(said.iter().any(|l| l.contains(r#"reason="Other""#)), "{said:?}");
        }
    }

    #[test]
    fn figures_are_told_in_base_units() {
        let said = told(
            "postgres",
            json!({
                "container": {"restartCount": 2, "oomKilled": true, "startedAt": "1970-01-01T00:01:00.5Z"},
                "resources": {"applied": {"memory": "512Mi", "cpus": "1.5"}},
                "walHealth": {
                    "pg_wal_bytes": 0, "probe_duration_ms": 4, "disk": {"free_bytes": 5, "total_bytes": 50},
                    "warnings": [
                        {"kind": "stale_slot", "severity": "critical", "message": "a"},
                        {"kind": "stale_slot", "severity": "critical", "message": "b"},
                        {"kind": "wal_bloat", "severity": "warning"},
                        {"kind": "of others\n", "severity": "warning"},
                        {"severity": "warning"},
                    ],
                },
            }),
        );
        let of = r#"{kind="postgres",name="main"}"#;
        let mut want: Vec<String> = [
            ("seawall_container_cpu_limit_cores", "1.5"),
            ("seawall_container_memory_limit_bytes", "536870912"),
            ("seawall_container_oom_killed", "1"),
            ("seawall_container_restarts_total", "2"),
            ("seawall_container_start_timestamp_seconds", "60.5"),
            ("seawall_postgres_disk_free_bytes", "5"),
            ("seawall_postgres_disk_size_bytes", "50"),
            ("seawall_postgres_wal_bytes", "0"),
            ("seawall_postgres_wal_probe_duration_seconds", "0.004"),
        ]
        .map(|(name, value)| format!("{name}{of} {value}"))
        .into();
        let warning = |warning: &str, severity: &str, n: u32| {
            format!(
                r#"seawall_warning{{kind="postgres",name="main",warning="{warning}",severity="{severity}"}} {n}"#
            )
        };
        want.extend([warning("stale_slot", "critical", 2), warning("wal_bloat", "warning", 1)]);
        assert_eq!(said, want);
    }

    #[test]
    fn a_list_is_a_series_a_row_and_no_name_of_others_breaks_out() {
        let said = told(
            "postgres",
            json!({"monitoring": {
                "connections": {"used": 3, "by_state": {"active": 1, "idle": 2, "other": null}},
                "databases": [
                    {"name": "app", "size_bytes": 7},
                    {"name": "a\"} 1\nseawall_forged 1", "size_bytes": 8},
                    {"name": "not read"},
                    {"size_bytes": 9},
                ],
            }}),
        );
        let of = r#"kind="postgres",name="main""#;
        assert_eq!(
            said,
            [
                format!(r#"seawall_postgres_connections{{{of},state="active"}} 1"#),
                format!(r#"seawall_postgres_connections{{{of},state="idle"}} 2"#),
                format!(r#"seawall_postgres_database_size_bytes{{{of},database="app"}} 7"#),
                format!(
                    r#"seawall_postgres_database_size_bytes{{{of},database="a\"}} 1\nseawall_forged 1"}} 8"#
                ),
            ]
        );
    }

    #[test]
    fn nothing_is_told_of_a_container_where_none_is_declared() {
        let status = json!({"container": {"restartCount": 2}, "walHealth": {"pg_wal_bytes": 1}});
        assert_eq!(told("project", status.clone()), Vec::<String>::new());
        assert_eq!(
            told("redis", status),
            [r#"seawall_container_restarts_total{kind="redis",name="main"} 2"#]
        );
    }
}
