//! What a kind remembers of an object, as text that only the kind gives a type. What lies in it about the container is
//! known to everybody.

use crate::workload;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// As it is in the store, without the fields that are as in the default.
#[derive(Clone, Debug)]
pub struct Memory {
    text: Box<str>,
    work: workload::Memory,
}

impl Default for Memory {
    fn default() -> Self {
        Self { text: "{}".into(), work: workload::Memory::default() }
    }
}

impl PartialEq for Memory {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Memory {
    /// # Errors
    /// When it could not be written as JSON.
    pub fn of<M: Serialize + Default>(memory: &M) -> Result<Self, String> {
        let json = |memory: &M| serde_json::to_value(memory).map_err(|e| e.to_string());
        let (mut set, unset) = (json(memory)?, json(&M::default())?);
        // Most fields are as in the default, in most records.
        if let Some(fields) = set.as_object_mut() {
            fields.retain(|name, field| unset.get(name) != Some(field));
        }
        Ok(Self::from_value(&set))
    }

    fn from_value(value: &Value) -> Self {
        // What is in it of a container must not keep anybody from seeing the rest.
        let work = workload::Memory::deserialize(value).unwrap_or_default();
        Self { text: value.to_string().into(), work }
    }

    /// # Errors
    /// When it is not what this kind remembers: a newer version may have written it.
    pub fn read<M: DeserializeOwned>(&self) -> Result<M, String> {
        serde_json::from_str(&self.text).map_err(|e| e.to_string())
    }

    /// What is remembered of the container.
    #[must_use]
    pub fn work(&self) -> &workload::Memory {
        &self.work
    }

    /// Changes what is remembered of the container, and leaves the rest as it is.
    pub fn edit_work(&mut self, change: impl FnOnce(&mut workload::Memory)) {
        let mut work = self.work.clone();
        change(&mut work);
        let json = |work: &workload::Memory| serde_json::to_value(work).unwrap_or_default();
        let (new, unset) = (json(&work), json(&workload::Memory::default()));
        let mut fields: Map<String, Value> = serde_json::from_str(&self.text).unwrap_or_default();
        for (name, value) in new.as_object().into_iter().flatten() {
            if unset.get(name) == Some(value) {
                fields.remove(name);
            } else {
                fields.insert(name.clone(), value.clone());
            }
        }
        *self = Self::from_value(&Value::Object(fields));
    }
}

impl Serialize for Memory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value: Value = serde_json::from_str(&self.text).map_err(serde::ser::Error::custom)?;
        value.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Memory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(|value| Self::from_value(&value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    struct Kind {
        #[serde(flatten)]
        work: workload::Memory,
        own: Option<String>,
    }

    #[test]
    fn what_is_left_out_is_what_it_is_without_it() {
        assert_eq!(serde_json::to_value(Memory::of(&Kind::default()).unwrap()).unwrap(), json!({}));
        // An empty text that was learnt is not one that is not known.
        let learnt = Kind { own: Some(String::new()), ..Kind::default() };
        let memory = Memory::of(&learnt).unwrap();
        assert_eq!(serde_json::to_value(&memory).unwrap(), json!({"own": ""}));
        assert_eq!(memory.read::<Kind>().unwrap(), learnt);
    }

    #[test]
    fn what_is_changed_of_the_container_leaves_the_rest() {
        let mut memory: Memory = serde_json::from_value(json!({"own": "a", "port": 1, "new": 2})).unwrap();
        assert_eq!(memory.work().port, Some(1));
        memory.edit_work(|work| {
            work.port = None;
            work.ever_ready = true;
        });
        assert_eq!(serde_json::to_value(&memory).unwrap(), json!({"own": "a", "new": 2, "everReady": true}));
        assert!(memory.work().ever_ready && memory.work().port.is_none());
    }

    #[test]
    fn what_cannot_be_read_is_kept_as_it_is() {
        let memory: Memory = serde_json::from_value(json!({"own": 7, "port": 1})).unwrap();
        assert!(memory.read::<Kind>().is_err());
        assert_eq!(serde_json::to_value(&memory).unwrap(), json!({"own": 7, "port": 1}));
    }
}
