//! The snapshot as `seawall wal` prints it: figures, warnings, what to do. From the wire's JSON, so that whoever asks need
//! not know more than the operator told.

use crate::core::duration::human;
use crate::workload::disk::roughly;
use serde_json::Value;
use std::fmt::Write as _;

/// Lines of text; `value`: `status.walHealth`.
#[must_use]
pub fn panel(value: &Value) -> String {
    let mut text = String::new();
    for (name, what) in lines(value) {
        let _ = writeln!(text, "{name:<18} {what}");
    }
    warnings(value, &mut text);
    text
}

/// As names and figures, with why some were not read; without the warnings.
#[must_use]
pub fn figures(value: &Value) -> Vec<(&'static str, String)> {
    let errors = value.get("errors").and_then(Value::as_object).into_iter().flatten();
    let errors =
        errors.map(|(field, why)| ("Not read", format!("{field}: {}", why.as_str().unwrap_or_default())));
    lines(value).into_iter().chain(errors).collect()
}

fn lines(value: &Value) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    let mut line = |name: &'static str, what: String| all.push((name, what));
    let number = |field: &str| value.get(field).and_then(Value::as_u64);
    let word = |field: &str| value.get(field).and_then(Value::as_str);
    let size = |field: &str| number(field).map(roughly);
    let or = |text: Option<String>| text.unwrap_or_else(|| "not read".to_owned());
    let old = number("age_secs").map(human).unwrap_or_default();
    let stale = if value["stale"] == true { ", STALE: it says nothing about now" } else { "" };
    line("Probed", format!("{} ({old} ago{stale})", word("probed_at").unwrap_or("never")));
    let standby = value["in_recovery"] == true;
    if standby {
        line("Server", "standby: it is in recovery and takes no writes".to_owned());
    }
    let times = match (number("pg_wal_bytes"), number("max_wal_size_bytes")) {
        #[expect(clippy::cast_precision_loss, reason = "a ratio has a few figures")]
        (Some(bytes), Some(most)) => {
            format!(" ({:.1} x max_wal_size of {})", bytes as f64 / most.max(1) as f64, roughly(most))
        }
        _ => String::new(),
    };
    line("WAL", format!("{}{times}", or(size("pg_wal_bytes"))));
    let rate = size("wal_rate_bytes_per_s").map(|rate| format!("{rate}/s"));
    let no_rate = if standby { "nothing is received" } else { "known after two probes" };
    line("  written", rate.unwrap_or_else(|| no_rate.to_owned()));
    line("  oldest segment", or(number("oldest_wal_age_secs").map(|secs| format!("{} old", human(secs)))));
    let how = match (word("archive_library"), value.get("archive_command")) {
        (Some(library), _) => format!(", archive_library {library}"),
        (None, Some(Value::String(command))) => format!(", archive_command {command}"),
        (None, Some(_)) => ", no archive_command".to_owned(),
        (None, None) => String::new(),
    };
    line("Archiving", format!("archive_mode {}{how}", word("archive_mode").unwrap_or("not read")));
    let other = number("archive_backlog_other").filter(|other| *other > 0);
    let other = other.map(|other| format!(", {other} other files")).unwrap_or_default();
    line("  waiting", or(number("archive_backlog").map(|backlog| format!("{backlog} segments{other}"))));
    let last = |wal: &str, at: &str| match (word(wal), word(at)) {
        (Some(wal), Some(at)) => format!("{wal} at {at}"),
        _ => "never".to_owned(),
    };
    if number("archiver_failed_count").is_some() {
        line("  last archived", last("archiver_last_archived_wal", "archiver_last_archived_at"));
        let failed = last("archiver_last_failed_wal", "archiver_last_failed_at");
        let count = number("archiver_failed_count").unwrap_or_default();
        let streak = number("archiver_failure_streak").filter(|streak| *streak > 0);
        let streak = streak.map(|n| format!(", failing in {n} probes in a row")).unwrap_or_default();
        line("  last failed", format!("{failed} ({count} failures{streak})"));
    } else {
        line("  archiver", "not read".to_owned());
    }
    match value.get("slots").and_then(Value::as_array) {
        None => line("Slots", "not read".to_owned()),
        Some(slots) if slots.is_empty() => line("Slots", "none".to_owned()),
        Some(slots) => {
            for (i, slot) in slots.iter().enumerate() {
                line(if i == 0 { "Slots" } else { "" }, self::slot(slot));
            }
        }
    }
    let disk = value.get("disk").and_then(|disk| {
        let bytes = |field: &str| disk.get(field).and_then(Value::as_u64).map(roughly);
        Some(format!("{} of {} free", bytes("free_bytes")?, bytes("total_bytes")?))
    });
    let full = number("time_to_full_secs").map(|secs| {
        let sure = word("time_to_full_confidence").unwrap_or("unknown");
        format!("; full in {} at the present rate (confidence {sure})", human(secs))
    });
    line("Disk", format!("{}{}", or(disk), full.unwrap_or_default()));
    all
}

fn slot(slot: &Value) -> String {
    let word = |field: &str| slot.get(field).and_then(Value::as_str).unwrap_or("-");
    let active = if slot["active"] == true { "in use" } else { "not in use" };
    let retained = slot.get("retained_bytes").and_then(Value::as_u64);
    let retained = retained.map(|bytes| format!(", keeps {}", roughly(bytes))).unwrap_or_default();
    let status = slot.get("wal_status").and_then(Value::as_str).map(|status| format!(", {status}"));
    format!("{} ({}): {active}{}{retained}", word("slot_name"), word("slot_type"), status.unwrap_or_default())
}

fn warnings(value: &Value, text: &mut String) {
    let all = value.get("warnings").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if all.is_empty() {
        let _ = writeln!(text, "\nWarnings           none");
    } else {
        let _ = writeln!(text, "\nWarnings:");
    }
    let word = |warning: &Value, field: &str| {
        warning.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    for warning in all {
        let severity = word(warning, "severity").to_uppercase();
        let _ = writeln!(text, "  {severity:<8} {}: {}", word(warning, "kind"), word(warning, "message"));
        let _ = writeln!(text, "           to do: {}", word(warning, "action"));
    }
    let errors = value.get("errors").and_then(Value::as_object);
    for (i, (field, why)) in errors.into_iter().flatten().enumerate() {
        if i == 0 {
            let _ = writeln!(text, "\nNot read:");
        }
        let _ = writeln!(text, "  {field}: {}", why.as_str().unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn figures_warnings_and_what_to_do() {
        let value = json!({
            "probed_at": "2026-01-01T00:00:00Z", "age_secs": 12, "stale": false,
            "pg_wal_bytes": 4_u64 << 30, "max_wal_size_bytes": 1 << 30, "oldest_wal_age_secs": 90_000,
            "wal_rate_bytes_per_s": 2 << 20,
            "archive_mode": "on", "archive_command": "cp %p /a/%f", "archive_library": null,
            "archive_backlog": 120, "archive_backlog_other": 1,
            "archiver_failed_count": 9, "archiver_failure_streak": 3,
            "archiver_last_failed_wal": "00A", "archiver_last_failed_at": "2026-01-01T00:00:00Z",
            "slots": [{"slot_name": "gone", "slot_type": "physical", "active": false, "wal_status": "extended",
                       "retained_bytes": 4_u64 << 30}],
            "disk": {"free_bytes": 1_u64 << 30, "total_bytes": 10_u64 << 30},
            "time_to_full_secs": 3_600, "time_to_full_confidence": "medium",
            "warnings": [{"kind": "wal_bloat", "severity": "warning", "message": "too much", "action": "look"}],
        });
        let want = "\
Probed             2026-01-01T00:00:00Z (12s ago)
WAL                4Gi (4.0 x max_wal_size of 1Gi)
  written          2Mi/s
  oldest segment   25h old
Archiving          archive_mode on, archive_command cp %p /a/%f
  waiting          120 segments, 1 other files
  last archived    never
  last failed      00A at 2026-01-01T00:00:00Z (9 failures, failing in 3 probes in a row)
Slots              gone (physical): not in use, extended, keeps 4Gi
Disk               1Gi of 10Gi free; full in 60m at the present rate (confidence medium)

Warnings:
  WARNING  wal_bloat: too much
           to do: look
";
        assert_eq!(panel(&value), want);
    }

    #[test]
    fn what_was_not_read_is_no_figure() {
        let value = json!({"probed_at": "x", "age_secs": 200, "stale": true, "warnings": [],
                           "errors": {"pg_wal_bytes": "permission denied"}});
        let text = panel(&value);
        assert!(
            text.starts_with("Probed             x (3m20s ago, STALE: it says nothing about now)\n"),
            "{text}"
        );
        assert!(text.contains("WAL                not read\n"), "{text}");
        assert!(text.contains("Disk               not read\n"), "{text}");
        assert!(text.ends_with("Not read:\n  pg_wal_bytes: permission denied\n"), "{text}");
        let figures = figures(&value);
        assert_eq!(figures[1], ("WAL", "not read".to_owned()));
        assert_eq!(figures.last().unwrap(), &("Not read", "pg_wal_bytes: permission denied".to_owned()));
    }
}
