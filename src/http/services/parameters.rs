//! Parameters of the service API, and the fields of a spec that they are.

use super::Offered;
use crate::core::names::ObjectRef;
use crate::core::text::quoted;
use crate::kinds::{Form, Parameter};
use crate::manifest::secret::SecretPlace;
use crate::manifest::suggest::nearest;
use crate::secrets::{PublicKey, Secret, seal_to};
use serde_json::{Map, Value, json};

/// In the place of what nobody is told.
const MASK: &str = "****";

/// What is asked for, by the names of parameters.
pub type Asked = Map<String, Value>;

impl Offered {
    fn parameter(&self, name: &str) -> Option<&'static Parameter> {
        self.service.parameters.iter().find(|parameter| parameter.name == name)
    }

    fn unknown(&self, name: &str) -> String {
        let all = || self.service.parameters.iter().map(|parameter| parameter.name);
        let what = format!("a {} has no parameter {}", self.about.kind.lower(), quoted(name));
        match nearest(name, all()) {
            Some(near) => format!("{what}: did you mean {near}?"),
            None => format!("{what}; it has {}", all().collect::<Vec<_>>().join(", ")),
        }
    }

    /// What is wrong with the parameters of a new service, all at once.
    #[must_use]
    pub fn wrong(&self, asked: &Asked) -> Vec<String> {
        let given = |name: &str| asked.get(name).is_some_and(|value| !value.is_null());
        let missing: Vec<&str> = self
            .service
            .parameters
            .iter()
            .filter(|parameter| parameter.required && !given(parameter.name))
            .map(|parameter| parameter.name)
            .collect();
        let mut wrong = Vec::new();
        if !missing.is_empty() {
            let these = if missing.len() == 1 { "the parameter" } else { "the parameters" };
            wrong.push(format!("a {} needs {these} {}", self.about.kind.lower(), missing.join(", ")));
        }
        wrong.extend(self.values_wrong(asked));
        wrong
    }

    /// The same of a change.
    #[must_use]
    pub fn change_wrong(&self, asked: &Asked) -> Vec<String> {
        let fixed = self.service.parameters.iter().filter(|p| p.fixed && asked.contains_key(p.name));
        let fixed = fixed.map(|p| format!("{} stays what it was when the service was made", p.name));
        fixed.chain(self.values_wrong(asked)).collect()
    }

    fn values_wrong(&self, asked: &Asked) -> impl Iterator<Item = String> {
        let each = asked.iter().filter_map(|(name, value)| {
            let Some(parameter) = self.parameter(name) else { return Some(self.unknown(name)) };
            // Told once, of the first of the two.
            let other = parameter.instead_of.filter(|other| *other > name.as_str() && !value.is_null());
            if let Some(other) = other.filter(|other| asked.get(*other).is_some_and(|value| !value.is_null()))
            {
                return Some(format!("give {name} or {other}, not both"));
            }
            let shape = match parameter.form {
                Form::Secret if !value.is_string() && !value.is_null() => "a text",
                Form::Text | Form::Number if value.is_object() || value.is_array() => "a text or a number",
                _ => return None,
            };
            Some(format!("{name} is {shape}"))
        });
        each.collect::<Vec<_>>().into_iter()
    }

    /// Whether something has to be sealed first.
    #[must_use]
    pub fn has_secret(&self, asked: &Asked) -> bool {
        let secrets = self.service.parameters.iter().filter(|parameter| parameter.form == Form::Secret);
        secrets.into_iter().any(|parameter| asked.get(parameter.name).is_some_and(Value::is_string))
    }

    /// The fields of `spec` that these are; of a change, also what they take the place of. `to`: whom secrets are sealed to.
    ///
    /// # Errors
    /// What cannot be sealed, in words without it.
    pub fn fields(
        &self,
        object: &ObjectRef,
        asked: Asked,
        to: Option<&PublicKey>,
        changes: bool,
    ) -> Result<Value, String> {
        let mut spec = json!({});
        for (name, value) in asked {
            let Some(parameter) = self.parameter(&name) else { return Err(self.unknown(&name)) };
            if let Some(other) = parameter.instead_of.and_then(|other| self.parameter(other))
                && changes
                && !value.is_null()
            {
                put(&mut spec, other.field, Value::Null);
            }
            let value = match (parameter.form, value) {
                (Form::Number, Value::String(text)) => number(text),
                (Form::Secret, Value::String(text)) => sealed(object, parameter, text, to)?,
                (_, value) => value,
            };
            if changes || !value.is_null() {
                put(&mut spec, parameter.field, value);
            }
        }
        Ok(spec)
    }

    /// As they are, without secrets.
    #[must_use]
    pub fn shown(&self, spec: &Value) -> Map<String, Value> {
        let shown = self.service.parameters.iter().filter_map(|parameter| {
            let value = match parameter.form {
                Form::Secret => MASK.into(),
                _ => spec.pointer(parameter.field)?.clone(),
            };
            Some((parameter.name.to_owned(), value))
        });
        shown.collect()
    }

    /// JSON Schema of all that a new service can be given; `x-editable`: whether it can be changed.
    #[must_use]
    pub fn schema(&self) -> Value {
        let spec = (self.about.spec)().to_value();
        let properties = self.service.parameters.iter().map(|parameter| {
            let pointer = parameter.field.strip_prefix('/').unwrap_or(parameter.field);
            let field = spec.pointer(&format!("/properties/{pointer}"));
            let mut about = json!({"type": "string", "x-editable": !parameter.fixed});
            for word in ["description", "examples", "default"] {
                if let Some(value) =
                    field.and_then(|field| field.get(word)).filter(|value| !value.is_object())
                {
                    about[word] = value.clone();
                }
            }
            match parameter.form {
                Form::Text => {}
                Form::Number => about["type"] = json!(["integer", "string"]),
                Form::Secret => about["writeOnly"] = true.into(),
            }
            if let Some(other) = parameter.instead_of {
                about["x-instead-of"] = other.into();
            }
            (parameter.name.to_owned(), about)
        });
        let properties: Map<String, Value> = properties.collect();
        let required = self.service.parameters.iter().filter(|p| p.required).map(|p| p.name);
        json!({
            "type": "object",
            "description": self.about.description,
            "properties": properties,
            "required": required.collect::<Vec<_>>(),
            "additionalProperties": false,
        })
    }
}

/// Digits are a number, also in a text.
fn number(text: String) -> Value {
    text.parse::<u64>().map_or(Value::String(text), Value::from)
}

fn sealed(
    object: &ObjectRef,
    parameter: &Parameter,
    text: String,
    to: Option<&PublicKey>,
) -> Result<Value, String> {
    let Some(to) = to else { return Err(format!("there is no key to seal {} to", parameter.name)) };
    let field = parameter.field.trim_start_matches('/').replace('/', ".");
    let place = SecretPlace::new(object, &field);
    let sealed = seal_to(to, &place.to_string(), &Secret::from(text));
    let sealed = sealed.map_err(|error| format!("{}: {error}", parameter.name))?;
    Ok(json!({"valueFrom": {"sealed": sealed}}))
}

/// Sets a field, and makes what it is in.
fn put(to: &mut Value, field: &str, value: Value) {
    let mut at = to;
    for name in field.split('/').skip(1) {
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[name];
    }
    *at = value;
}
