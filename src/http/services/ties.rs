//! What ties services to environments, and what an environment is given.

use super::offered;
use super::views::{is_retained, status, text};
use crate::control::api::{ObjectView, VariableView};
use crate::control::registry::Kinds;
use crate::core::names::ObjectRef;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// What ties a service to an environment.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LinkView {
    pub id: u64,
    pub environment: String,
    pub status: &'static str,
    /// The database or user that it has there.
    pub database: Option<String>,
    pub project: Named,
    pub service: Named,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Named {
    pub id: u64,
    pub name: String,
    pub slug: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_type: Option<&'static str>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct EnvironmentVariable {
    pub name: String,
    pub value: String,
    pub sensitive: bool,
}

impl From<VariableView> for EnvironmentVariable {
    fn from(VariableView { name, value, secret, .. }: VariableView) -> Self {
        Self { name, value, sensitive: secret }
    }
}

/// All objects by name, for what refers to them.
pub struct Everything(pub BTreeMap<ObjectRef, ObjectView>);

impl Everything {
    #[must_use]
    pub fn of(all: Vec<ObjectView>) -> Self {
        Self(all.into_iter().filter_map(|view| Some((view.object()?, view))).collect())
    }

    /// Those that somebody wants, with the object that each is.
    pub fn links(&self) -> impl Iterator<Item = (&ObjectRef, Ends, LinkView)> {
        let links =
            self.0.iter().filter(|(object, view)| object.kind == Kinds::of_links() && !is_retained(view));
        links.filter_map(|(object, view)| {
            let (service, project, environment) = Kinds::ends_of_link(&view.spec)?;
            let ends = Ends { service, project, environment };
            let told = LinkView {
                id: view.metadata.id,
                environment: ends.environment.clone(),
                status: status(view),
                database: text(view, "/database"),
                project: self.named(&ends.project),
                service: self.named(&ends.service),
            };
            Some((object, ends, told))
        })
    }

    fn named(&self, object: &ObjectRef) -> Named {
        Named {
            id: self.0.get(object).map(|view| view.metadata.id).unwrap_or_default(),
            name: object.name.to_string(),
            slug: object.name.to_string(),
            service_type: offered(object.kind).map(|offered| offered.about.kind.lower()),
        }
    }
}

/// What a link ties together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ends {
    pub service: ObjectRef,
    pub project: ObjectRef,
    pub environment: String,
}

/// The environments that an object of environments has.
#[must_use]
pub fn environments(view: &ObjectView) -> Vec<String> {
    let all = view.spec.get("environments").and_then(Value::as_object);
    all.map(|all| all.keys().cloned().collect()).unwrap_or_default()
}
