//! The series of one object, from what everybody is shown of it. Pure. Must never ask which kind it is.

use super::sheet::Sheet;
use crate::control::api::ObjectView;
use crate::core::condition::{Condition, ConditionType, Truth};
use crate::core::metric::{Family, Sort};
use crate::core::quantity::{Bytes, NanoCpus};
use crate::kinds::{About, OF_CONTAINERS, Read, Word};
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
/// Characters of a name of others.
const NAME: usize = 120;
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
        let Some(found) = view.status.pointer(metric.path) else { continue };
        let mut told: Vec<Row<'_>> = Vec::new();
        for row in rows(found, metric.read) {
            // Names that were cut, or that several have, are one series: Prometheus takes no second one.
            match told.iter_mut().find(|other| other.labels == row.labels) {
                Some(other) if metric.family.sort == Sort::Counter => other.value += row.value,
                Some(other) => other.value = other.value.max(row.value),
                None => told.push(row),
            }
        }
        for row in told {
            let labels = [("kind", kind), ("name", name)].into_iter().chain(row.labels);
            sheet.put(&metric.family, &labels.collect::<Vec<_>>(), row.value);
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

/// A series of an object.
struct Row<'a> {
    /// Beside its kind and its name.
    labels: Vec<(&'static str, &'a str)>,
    value: f64,
}

fn rows<'a>(found: &'a Value, read: Read) -> Vec<Row<'a>> {
    let list = || found.as_array().into_iter().flatten().take(ROWS);
    match read {
        Read::ByField(label) => {
            let fields = found.as_object().into_iter().flatten();
            let row = |(field, value): (&'a String, &Value)| {
                Some(Row { labels: vec![(label, cut(field))], value: number(value)? })
            };
            fields.filter_map(row).collect()
        }
        Read::ByRow { label, of, value } => {
            let row = |row: &'a Value| {
                Some(Row { labels: vec![(label, name(row, of)?)], value: number(row.pointer(value)?)? })
            };
            list().filter_map(row).collect()
        }
        Read::WordByRow { label, of, value, word } => {
            let row = |row: &'a Value| {
                let said = one_of(word, row.pointer(value)?)?;
                Some(Row { labels: vec![(label, name(row, of)?), said], value: 1.0 })
            };
            list().filter_map(row).collect()
        }
        Read::Word(word) => {
            one_of(word, found).map(|said| Row { labels: vec![said], value: 1.0 }).into_iter().collect()
        }
        read => figure(found, read).map(|value| Row { labels: Vec::new(), value }).into_iter().collect(),
    }
}

/// True is 1.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| figure(value, Read::Flag))
}

fn one_of(word: Word, said: &Value) -> Option<(&'static str, &'static str)> {
    let said = said.as_str()?;
    let known = word.words.iter().find(|known| **known == said).copied();
    Some((word.label, known.unwrap_or("other")))
}

fn name<'a>(row: &'a Value, of: &str) -> Option<&'a str> {
    Some(cut(row.pointer(of)?.as_str()?))
}

fn cut(name: &str) -> &str {
    name.char_indices().nth(NAME).and_then(|(end, _)| name.get(..end)).unwrap_or(name)
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
        Read::Rows => value.as_array().map(|rows| rows.len() as f64),
        Read::ByField(_) | Read::ByRow { .. } | Read::WordByRow { .. } | Read::Word(_) => None,
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
    fn a_row_is_a_series_once_and_a_word_is_of_its_set() {
        let slot = |name: &str, wal_status: &str, retained: u64| json!({"slot_name": name, "active": true, "wal_status": wal_status, "retained_bytes": retained});
        let statement = |secs| json!({"queryid": "7", "total_secs": secs});
        let long = "x".repeat(NAME);
        let said = told(
            "postgres",
            json!({
                "walHealth": {"slots": [
                    slot(&format!("{long}1"), "reserved", 5), slot(&format!("{long}2"), "reserved", 3),
                    {"slot_name": "old", "active": false, "wal_status": "of others"},
                ]},
                "monitoring": {
                    "collation_mismatches": [{}, {}], "locks": {"blocked": [{"secs": 9}, {"secs": 4}]},
                    "statements": [statement(1), statement(2)],
                },
            }),
        );
        let of = r#"kind="postgres",name="main""#;
        let want = [
            format!("collation_mismatches{{{of}}} 2"),
            format!("longest_lock_wait_seconds{{{of}}} 9"),
            format!(r#"replication_slot_active{{{of},slot="{long}"}} 1"#),
            format!(r#"replication_slot_active{{{of},slot="old"}} 0"#),
            format!(r#"replication_slot_retained_bytes{{{of},slot="{long}"}} 5"#),
            format!(r#"replication_slot_wal_status{{{of},slot="{long}",wal_status="reserved"}} 1"#),
            format!(r#"replication_slot_wal_status{{{of},slot="old",wal_status="other"}} 1"#),
            format!(r#"statement_seconds_total{{{of},queryid="7"}} 3"#),
        ];
        assert_eq!(said, want.map(|line| format!("seawall_postgres_{line}")));
        let policy = |policy: &str| told("redis", json!({"monitoring": {"memory": {"policy": policy}}}));
        let of = r#"seawall_redis_maxmemory_policy{kind="redis",name="main",policy="#;
        assert_eq!(policy("allkeys-lru"), [format!("{of}\"allkeys-lru\"}} 1")]);
        assert_eq!(policy("a\nb"), [format!("{of}\"other\"}} 1")]);
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
