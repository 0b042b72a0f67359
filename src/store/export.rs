//! The store as JSON lines, for people, backups and `seawall recover`; pure.
//!
//! It opens no secret: sealed envelopes are written as they are kept.

use super::{Record, Result, Store};
use serde_json::Value;

/// Every record but what was measured and what opens the API, in key order, one JSON object a line, without the newline:
/// `{"key":"status/postgres/a","v":3,"at":"2026-01-02T03:04:05Z","body":…}`.
///
/// # Errors
/// `Read` when a record cannot be read.
pub fn export(store: &dyn Store) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    store.each("", &mut |key, record| {
        if ![super::MEASURED, super::TOKENS].iter().any(|prefix| key.starts_with(prefix)) {
            lines.push(line(&key, &record));
        }
    })?;
    Ok(lines)
}

fn line(key: &str, record: &Record) -> String {
    let (key, at) = (Value::from(key), Value::from(record.at.as_str()));
    format!(r#"{{"key":{key},"v":{},"at":{at},"body":{}}}"#, record.v, record.body)
}

#[cfg(test)]
mod tests {
    use super::super::{Change, MemoryStore};
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn one_line_a_record_in_key_order() {
        let store = MemoryStore::new();
        let changes = vec![
            Change::put("z", json!({"a":"line\nbreak"})),
            Change::put("a/\"é", json!(null)),
            Change::put("token/ci", json!({"hash":"x"})),
        ];
        store.commit(changes).await.unwrap();
        let lines = export(&store).unwrap();
        let keys: Vec<Value> = lines.iter().map(|l| json_of(l)["key"].clone()).collect();
        assert_eq!(keys, ["a/\"é", "meta/store", "z"]);
        assert!(lines.iter().all(|l| !l.contains('\n')));
        let last = json_of(&lines[2]);
        assert_eq!((&last["v"], &last["body"]["a"]), (&json!(3), &json!("line\nbreak")));
        assert_eq!(last.as_object().unwrap().keys().collect::<Vec<_>>(), ["key", "v", "at", "body"]);
    }

    fn json_of(line: &str) -> Value {
        serde_json::from_str(line).unwrap()
    }
}
