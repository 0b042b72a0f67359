//! Objects, and what is planned for them, as they are told over the wire.

use crate::control::registry::Kinds;
use crate::core::names::ObjectRef;
use crate::core::plan::PlanView;
use crate::core::problem::Problem;
use crate::kinds::{About, Column};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// One object with its status, in the Kubernetes form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectView {
    pub api_version: String,
    pub kind: String,
    pub metadata: MetadataView,
    /// As committed (last good version).
    pub spec: Value,
    /// Engine specific; always has `observedGeneration` and `conditions`.
    #[serde(default)]
    pub status: Value,
    /// RFC 3339. Set while what is shown here is held in memory, because the disk does not take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_saved_since: Option<String>,
}

impl ObjectView {
    /// Whose it is.
    #[must_use]
    pub fn object(&self) -> Option<ObjectRef> {
        format!("{}/{}", self.kind.to_lowercase(), self.metadata.name).parse().ok()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetadataView {
    pub name: String,
    pub uid: String,
    /// Its number among all objects, for the service API: it has it for good, and nobody else ever gets it. 0: none yet.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub id: u64,
    /// Grows with each change of the spec.
    pub generation: u64,
    /// Another one after each change of what is shown, but of what is only sampled. It can be sent with a change: that is refused
    /// when spec, labels, annotations or who holds it are others by then. Nothing else follows from it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub resource_version: String,
    /// Who holds it; nobody does what an owner made, and what is retained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<ManagedBy>,
    /// RFC 3339
    pub creation_timestamp: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The object that made it, if no manifest did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owner_references: Vec<OwnerReference>,
    /// `shop.yaml:3`, empty when no manifest holds it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Where an object is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ManagedBy {
    File,
    Api,
}

/// An owner, in the Kubernetes form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnerReference {
    pub api_version: String,
    pub kind: String,
    pub name: String,
    pub uid: String,
    /// It looks after it; false: it wants it no longer.
    pub controller: bool,
}

/// Everything at once, with what concerns no single object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectList {
    pub items: Vec<ObjectView>,
    /// Problems of the manifests in force; their objects keep their last good version.
    pub problems: Vec<Problem>,
    /// Set while the prune guard holds removals back: what was seen and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<String>,
    /// Set while the Docker engine does not answer: since when and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_down: Option<String>,
    /// Grows with every change that `watch` would tell.
    pub revision: u64,
    /// What goes on its own if nobody does anything (manifests that are gone, data that are deleted later), and
    /// which files are not read though they look like manifests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
    /// How objects are shown, in the order of the lists: a client need not know the kinds.
    #[serde(default)]
    pub kinds: Vec<KindView>,
}

/// How a list shows the objects of a kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KindView {
    pub kind: String,
    /// Something runs for each of them.
    pub runs: bool,
    pub columns: Vec<ColumnView>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ColumnView {
    pub header: String,
    /// JSON pointers into `status`; the first that leads to something counts.
    pub paths: Vec<String>,
    /// Only with `-o wide`, behind the age.
    pub wide: bool,
}

impl From<&About> for KindView {
    fn from(about: &About) -> Self {
        let column = |c: &Column| ColumnView {
            header: c.header.to_owned(),
            paths: c.paths.iter().map(|path| (*path).to_owned()).collect(),
            wide: c.wide,
        };
        Self {
            kind: about.kind.as_str().to_owned(),
            runs: about.runs,
            columns: about.columns.iter().map(column).collect(),
        }
    }
}

/// All of them: what runs comes before what only serves it.
#[must_use]
pub fn kind_views(kinds: &Kinds) -> Vec<KindView> {
    let mut all: Vec<KindView> = kinds.about().map(|about| KindView::from(&about)).collect();
    all.sort_by_key(|view| !view.runs);
    all
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanList {
    /// Ordered by object; objects with nothing to do have empty lists.
    pub plans: Vec<PlanView>,
    pub problems: Vec<Problem>,
    /// What is likely to end badly, though it is legal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Problem>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<String>,
}
