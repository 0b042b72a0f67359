//! `status` of an object of any kind: when and how it was, around a body that is the kind's own.

use super::condition::Condition;
use serde::de::DeserializeOwned;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// As people and scripts read it: the fields of the body stand beside the two that every kind has.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    pub observed_generation: u64,
    pub conditions: Vec<Condition>,
    /// As text: a tree of values takes several times the room, and there are as many as objects.
    body: Box<str>,
}

const GENERATION: &str = "observedGeneration";
const CONDITIONS: &str = "conditions";

impl Default for Status {
    fn default() -> Self {
        Self { observed_generation: 0, conditions: Vec::new(), body: "{}".into() }
    }
}

impl Status {
    /// With a body that is a structure or a map.
    #[must_use]
    pub fn new(observed_generation: u64, conditions: Vec<Condition>, body: &impl Serialize) -> Self {
        let body = serde_json::to_string(body).unwrap_or_else(|_| "{}".to_owned());
        Self { observed_generation, conditions, body: body.into() }
    }

    /// The kind's own part; what it is made of by default where it cannot be read.
    #[must_use]
    pub fn body<T: DeserializeOwned + Default>(&self) -> T {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(GENERATION, &self.observed_generation)?;
        map.serialize_entry(CONDITIONS, &self.conditions)?;
        for (field, value) in self.body::<Map<String, Value>>() {
            map.serialize_entry(&field, &value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut body = Map::deserialize(deserializer)?;
        let read = |value: Option<Value>| value.unwrap_or_default();
        // An older status may lack one of them.
        let observed_generation = read(body.shift_remove(GENERATION)).as_u64().unwrap_or_default();
        let conditions = match read(body.shift_remove(CONDITIONS)) {
            Value::Null => Vec::new(),
            conditions => serde_json::from_value(conditions).map_err(serde::de::Error::custom)?,
        };
        Ok(Self::new(observed_generation, conditions, &body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_body_stands_beside_what_every_kind_has() {
        let text = r#"{"observedGeneration":3,"conditions":[],"z":{"b":1,"a":null},"a":"x"}"#;
        let status: Status = serde_json::from_str(text).unwrap();
        assert_eq!(status.observed_generation, 3);
        assert_eq!(status.body::<Value>(), json!({"z": {"b": 1, "a": null}, "a": "x"}));
        assert_eq!(serde_json::to_string(&status).unwrap(), text, "in the order of the body");
        assert_eq!(status, Status::new(3, Vec::new(), &json!({"z": {"b": 1, "a": null}, "a": "x"})));
    }

    #[test]
    fn what_is_not_there_is_its_default_and_what_is_wrong_is_an_error() {
        assert_eq!(serde_json::from_str::<Status>("{}").unwrap(), Status::default());
        assert_eq!(Status::default().body::<Map<String, Value>>(), Map::new());
        assert!(serde_json::from_str::<Status>(r#"{"conditions": 7}"#).is_err());
        assert!(serde_json::from_str::<Status>("7").is_err());
    }
}
