//! JSON that is kept for long and rarely looked at: as text, which takes far less than its [`Value`]. It must
//! never hold what is not JSON.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::Value;

/// The text of a [`Value`].
#[derive(Clone, Debug, Eq)]
pub struct Json(Box<str>);

impl Json {
    /// # Errors
    /// When it has another shape.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }

    #[must_use]
    pub fn value(&self) -> Value {
        // It was one.
        self.read().unwrap_or_default()
    }
}

impl From<&Value> for Json {
    fn from(value: &Value) -> Self {
        Self(value.to_string().into())
    }
}

impl PartialEq for Json {
    /// In which order the fields stand says nothing.
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.value() == other.value()
    }
}

impl PartialEq<Value> for Json {
    fn eq(&self, other: &Value) -> bool {
        self.value() == *other
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(|value| Self::from(&value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_of_fields_says_nothing() {
        let (one, two) =
            (json!({"a": 1, "b": {"c": "x", "d": [1.5]}}), json!({"b": {"d": [1.5], "c": "x"}, "a": 1}));
        assert_eq!(Json::from(&one), Json::from(&two));
        for other in [json!({"a": 1}), json!({"a": 1.0, "b": {"c": "x", "d": [1.5]}}), json!(null)] {
            assert_ne!(Json::from(&one), Json::from(&other));
        }
        // But it is kept.
        assert_eq!(serde_json::to_string(&Json::from(&two)).unwrap(), two.to_string());
    }

    #[test]
    fn what_is_kept_is_what_was_given() {
        for value in [json!({}), json!([]), json!("ü\u{0}"), json!(0.1), json!(u64::MAX), json!(-0.0)] {
            let json: Json = serde_json::from_value(value.clone()).unwrap();
            assert_eq!((json.value(), serde_json::to_value(&json).unwrap()), (value.clone(), value));
        }
    }
}
