//! What the service API is sent.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateBody {
    pub name: String,
    pub service_type: String,
    /// As among the parameters.
    #[serde(default)]
    pub version: Option<String>,
    #[serde(default)]
    pub parameters: Map<String, Value>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateBody {
    #[serde(default)]
    pub parameters: Map<String, Value>,
    /// As among the parameters.
    #[serde(default)]
    pub docker_image: Option<String>,
}

/// One of both.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpgradeBody {
    #[serde(default)]
    pub docker_image: Option<String>,
    #[serde(default)]
    pub version: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkBody {
    pub project_id: u64,
    /// Its only one when absent.
    #[serde(default)]
    pub environment: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteQuery {
    /// The service's name: its data go with it. Without it they are kept.
    #[serde(default)]
    pub confirm: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevealQuery {
    #[serde(default)]
    pub reveal: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VariablesQuery {
    /// The only one when absent.
    #[serde(default)]
    pub environment: Option<String>,
    #[serde(default)]
    pub reveal: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchQuery {
    /// Ids with commas between them; all services when absent.
    #[serde(default)]
    pub ids: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UntieQuery {
    /// The only one when absent.
    #[serde(default)]
    pub environment: Option<String>,
}
