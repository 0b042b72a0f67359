//! The envelope around every record: `{"v":3,"at":"2026-01-02T03:04:05Z","body":…}`; pure.
//!
//! It must read every layout ever written and refuse a newer one in words, never guess.

use super::STORE_VERSION;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// One record as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Layout version of `body`.
    pub v: u32,
    /// When it was written, RFC 3339, whole seconds, UTC.
    pub at: String,
    pub body: Value,
}

/// Why bytes are not a record.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RecordError {
    #[error("record {key} is not readable: {detail}")]
    Unreadable { key: String, detail: String },
    #[error("record {key} has layout {found}, this Seawall knows {STORE_VERSION}")]
    Newer { key: String, found: u32 },
}

/// Gives the time for `at`.
pub type Clock = fn() -> String;

/// The wall clock, RFC 3339 in whole seconds.
#[must_use]
pub fn now() -> String {
    jiff::Timestamp::from_second(jiff::Timestamp::now().as_second()).unwrap_or_default().to_string()
}

impl Record {
    /// A record of the current layout.
    #[must_use]
    pub fn new(body: Value, clock: Clock) -> Record {
        Record { v: STORE_VERSION, at: clock(), body }
    }

    #[must_use]
    pub fn encode(&self) -> Box<[u8]> {
        // Display of a Value cannot fail, unlike serialising into a writer.
        let at = Value::from(self.at.as_str());
        format!(r#"{{"v":{},"at":{at},"body":{}}}"#, self.v, self.body).into_bytes().into_boxed_slice()
    }

    /// Reads `bytes` and brings an older layout up to [`STORE_VERSION`].
    ///
    /// # Errors
    /// `Newer` for a layout this version does not know, `Unreadable` for anything else.
    pub fn decode(key: &str, bytes: &[u8]) -> Result<Record, RecordError> {
        let unreadable = |detail: String| RecordError::Unreadable { key: key.into(), detail };
        // The version first: a newer layout may have another envelope.
        #[derive(Deserialize)]
        struct Version {
            v: u32,
        }
        let found = serde_json::from_slice::<Version>(bytes).map_err(|e| unreadable(e.to_string()))?.v;
        if found > STORE_VERSION {
            return Err(RecordError::Newer { key: key.into(), found });
        }
        let record: Record = serde_json::from_slice(bytes).map_err(|e| unreadable(e.to_string()))?;
        let body = migrate(record.v, key, record.body).map_err(unreadable)?;
        Ok(Record { v: STORE_VERSION, body, ..record })
    }
}

/// Brings a body of layout `version` to the current one, step by step. Layout 1 is the first. A record is written in
/// the current one with its next change, and an older Seawall refuses it from then on.
///
/// # Errors
/// A text when there is no way from `version`.
pub fn migrate(version: u32, key: &str, body: Value) -> Result<Value, String> {
    match version {
        STORE_VERSION => Ok(body),
        1 if key.starts_with("obj/") => Ok(asked_for_apart(body)),
        // Layout 3 has objects that no manifest holds and the API does: an older Seawall would let them go.
        1 | 2 => Ok(body),
        other => Err(format!("no way from layout {other} to {STORE_VERSION}")),
    }
}

/// Layout 2 keeps what the user asked for beside what the passes remember, no longer among it.
fn asked_for_apart(mut body: Value) -> Value {
    const MOVED: [(&str, &str); 6] = [
        ("stoppedByOperation", "stopped"),
        ("restartRequested", "restart"),
        ("reinitialiseRequested", "reinitialise"),
        ("deleteConfirmed", "delete"),
        ("gone", "gone"),
        ("renamedTo", "renamedTo"),
    ];
    let Some(memory) = body.get_mut("memory").and_then(Value::as_object_mut) else { return body };
    let mut asked: Map<String, Value> =
        MOVED.iter().filter_map(|(old, new)| Some(((*new).to_owned(), memory.remove(*old)?))).collect();
    let said = memory.remove("renameSaid").unwrap_or_default();
    if let Some(Value::String(from)) = memory.remove("renamedFrom") {
        asked.insert("renamedFrom".to_owned(), json!({"from": from, "said": said == true}));
    }
    // The first records knew their container by what was done in it alone.
    if memory.get("container").is_none_or(Value::is_null)
        && let Some(id) = memory.get("passwordEmptiedIn").filter(|id| id.is_string()).cloned()
    {
        memory.insert("container".to_owned(), id);
    }
    body["asked"] = asked.into();
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> String {
        "2026-01-02T12:00:00Z".into()
    }

    #[test]
    fn written_and_read_again() {
        for body in [json!({"b":1,"a":[null,"é\n\"\u{1}"]}), json!(null), json!(1.5), json!("x")] {
            let record = Record::new(body, noon);
            let bytes = record.encode();
            assert_eq!(bytes.as_ref(), serde_json::to_string(&record).unwrap().as_bytes());
            assert_eq!(Record::decode("k", &bytes).unwrap(), record);
        }
        assert_eq!(
            Record::new(json!({}), noon).encode().as_ref(),
            br#"{"v":3,"at":"2026-01-02T12:00:00Z","body":{}}"#
        );
    }

    #[test]
    fn the_layout_before_is_read_as_it_is_and_written_in_this_one() {
        let before = br#"{"v":2,"at":"2026-01-02T12:00:00Z","body":{"source":null}}"#;
        let record = Record::decode("obj/postgres/a", before).unwrap();
        assert_eq!((record.v, record.body), (3, json!({"source": null})));
    }

    #[test]
    fn what_is_not_a_record_is_refused_in_words() {
        let table: [(&[u8], &str); 8] = [
            (b"", "status/x is not readable"),
            (b"\xff\x00", "status/x is not readable"),
            (b"[]", "status/x is not readable"),
            (br#"{"v":1,"at":"x"}"#, "missing field `body`"),
            (br#"{"v":1,"at":"x","body":{}"#, "EOF"),
            (br#"{"v":0,"at":"x","body":{}}"#, "no way from layout 0"),
            (br#"{"v":-1,"at":"x","body":{}}"#, "status/x is not readable"),
            (br#"{"v":4,"other":true}"#, "has layout 4, this Seawall knows 3"),
        ];
        for (bytes, says) in table {
            let error = Record::decode("status/x", bytes).unwrap_err().to_string();
            assert!(error.contains(says), "{error} / {says}");
        }
    }

    #[test]
    fn the_clock_gives_whole_seconds() {
        let at = now();
        assert!(at.len() == 20 && at.ends_with('Z') && at.parse::<jiff::Timestamp>().is_ok(), "{at}");
    }
}
