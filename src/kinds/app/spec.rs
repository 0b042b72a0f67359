//! `spec` of an App as its project makes it.

use crate::kinds::app_spec::AppSpec;
use crate::manifest::scalar::Text;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An application in one environment of a project, which makes it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlacedSpec {
    pub project: Text,
    pub environment: Text,
    /// What it is called there.
    pub app: Text,
    /// Those that give it variables, as KIND/NAME.
    #[serde(default)]
    pub links: Vec<Text>,
    pub container: AppSpec,
}
