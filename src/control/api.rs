//! What the operator can be asked, as one trait in wire types. The HTTP server and the CLI stand on
//! it; the running operator and the offline reader of a store implement it.

use super::registry::Kinds;
use crate::core::condition::Condition;
use crate::core::event::Event;
use crate::core::names::ObjectRef;
use crate::core::plan::PlanView;
use crate::core::problem::Problem;
use crate::kinds::{About, Column};
use crate::secrets::Algorithm;
use async_trait::async_trait;
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// An answer that says what, where, why and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{what}")]
#[serde(rename_all = "camelCase")]
pub struct ApiError {
    pub code: ErrorCode,
    /// What went wrong, where, and why.
    pub what: String,
    /// What to do next; empty when there is nothing to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub next: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ErrorCode {
    /// 404
    NotFound,
    /// 400
    Invalid,
    /// 409: not in a state for this, or consent is missing.
    Conflict,
    /// 503: needs a running operator or a Docker engine.
    Unavailable,
    /// 500
    Internal,
}

impl ApiError {
    #[must_use]
    pub fn new(code: ErrorCode, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { code, what: what.into(), next: next.into() }
    }
}

pub type Result<T, E = ApiError> = std::result::Result<T, E>;

/// Lines as they come, without their ends; the first error is the last of them.
pub type Lines = BoxStream<'static, Result<String>>;

/// One object with its status, in the Kubernetes form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MetadataView {
    pub name: String,
    pub uid: String,
    pub generation: u64,
    /// RFC 3339
    pub creation_timestamp: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The object that made it, if no manifest did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owner_references: Vec<OwnerReference>,
    /// `shop.yaml:3`, empty when no manifest holds it (Retained).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
}

/// An owner, in the Kubernetes form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KindView {
    pub kind: String,
    /// Something runs for each of them.
    pub runs: bool,
    pub columns: Vec<ColumnView>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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

/// How to connect. `password` only when it was asked for.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionView {
    pub object: String,
    pub username: String,
    pub database: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// From this machine; `None` when the port is not published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostPort>,
    /// From containers on the installation's network.
    pub network: HostPort,
    pub network_name: String,
    pub container: String,
    /// Whether it accepted the last login.
    pub ready: bool,
    /// What is known of that, and since when; `None` before the first look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
}

impl std::fmt::Debug for ConnectionView {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectionView").field("object", &self.object).finish_non_exhaustive()
    }
}

/// The variables of one environment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentView {
    pub object: String,
    /// By who gives them, in the order of their kind.
    pub variables: Vec<VariableView>,
    /// Those that give to it and are not Ready.
    pub not_ready: Vec<String>,
    /// Those that cannot be reached from there: no port is published, say.
    pub unreachable: Vec<String>,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct VariableView {
    pub name: String,
    /// With stars in place of a secret that was not asked for.
    pub value: String,
    /// Who gives it: `link/shop-production-main`.
    pub from: String,
    /// There is a secret in it.
    pub secret: bool,
    /// It is not told.
    pub withheld: bool,
}

impl std::fmt::Debug for VariableView {
    /// Without the value.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VariableView").field("name", &self.name).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPort {
    pub host: String,
    pub port: u16,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperatorView {
    pub version: String,
    pub installation: String,
    pub store: String,
    /// 0 when no operator runs and the store was opened directly.
    pub pid: u32,
    pub started_at: String,
    pub manifests: String,
    /// Engine version, or why it is not known.
    pub engine: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    Stop,
    Start,
    Restart,
    /// An object without a manifest gives up the port that is kept for it.
    ReleasePort,
    /// A new password, in force beside the old one until nobody uses that any more.
    Rotate,
    /// The same without waiting for those who use it.
    RotateNow,
    /// Throws half-made data away, never that of a database that was Ready once.
    Reinitialise,
}

/// What an operation did or set in motion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    pub message: String,
    /// The line to commit to keep it so; empty when there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub commit: String,
}

/// What the prune guard holds back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PruneView {
    /// Objects whose manifests are gone, `postgres/main`, with what would happen to each.
    pub would_remove: Vec<PruneItem>,
    /// Why they are held back; `None` when nothing is.
    pub guard: Option<String>,
    /// The words to confirm with; change with the set of objects.
    pub confirm: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PruneItem {
    pub object: String,
    pub what: String,
}

/// The keys that seal the secrets of the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyList {
    /// The one in the key file first.
    pub keys: Vec<KeyView>,
    /// The key file.
    pub file: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyView {
    /// Names the key without telling it.
    pub id: String,
    pub ciphers: Vec<String>,
    /// RFC 3339, when it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Sealed with it.
    pub records: usize,
    pub state: KeyUse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyUse {
    /// New secrets are sealed with it.
    Seals,
    /// It only opens, until nothing is sealed with it any more.
    Opens,
    /// Records name it, and it is not there.
    Missing,
}

/// What values of manifests are sealed to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKeyView {
    pub key: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyCheck {
    /// Sealed records, all of which were tried.
    pub records: usize,
    pub broken: Vec<BrokenSecret>,
}

/// A sealed record that does not open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenSecret {
    pub record: String,
    pub why: String,
}

/// What an application of a link meets, step by step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TestView {
    pub object: String,
    /// In their order; all of them, also those that were not tried.
    pub steps: Vec<TestedView>,
    /// Every step is OK.
    pub passed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestedView {
    pub step: TestStep,
    pub result: TestResult,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TestStep {
    /// The link is wanted, and Ready.
    Ready,
    ServiceReady,
    /// They are given; their names are told, never their values.
    Variables,
    /// The name in them is found on the network, and connections are taken at the port.
    Reachable,
    /// With these variables, from the network, and a round trip.
    Login,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TestResult {
    #[serde(rename = "OK")]
    Ok,
    #[serde(rename = "FAILED")]
    Failed,
    /// A step before it failed without which it says nothing.
    NotTried,
}

/// The operator, as surfaces see it.
#[async_trait]
pub trait Api: Send + Sync + 'static {
    async fn operator(&self) -> Result<OperatorView>;
    async fn objects(&self) -> Result<ObjectList>;
    async fn object(&self, object: &ObjectRef) -> Result<ObjectView>;
    /// Events with a sequence above `after`, oldest first, of one object or of all.
    async fn events(&self, object: Option<&ObjectRef>, after: u64) -> Result<Vec<Event>>;
    /// Returns when the revision is above `after`, or after `wait_ms` (at most 30 000), with the
    /// revision then.
    async fn watch(&self, after: u64, wait_ms: u64) -> Result<u64>;
    /// The plan for the manifests in force, or for these files (path → text) instead.
    async fn plan(&self, files: Option<BTreeMap<String, String>>) -> Result<PlanList>;
    async fn operate(&self, object: &ObjectRef, operation: Operation) -> Result<Done>;
    /// Data, port and password of an object whose manifest took the name of `new` go to that one.
    async fn rename(&self, old: &ObjectRef, new: &ObjectRef) -> Result<Done>;
    /// Removes a retained or file-less object with its data. `confirm` must be the object's name.
    async fn delete(&self, object: &ObjectRef, confirm: &str) -> Result<Done>;
    /// `reveal` gives the password and leaves an event.
    async fn connection(&self, object: &ObjectRef, reveal: bool) -> Result<ConnectionView>;
    /// The variables that applications find in one environment; `on_host`: those outside of the network. `reveal` gives the
    /// secrets in them and leaves an event.
    async fn environment(
        &self,
        object: &ObjectRef,
        environment: &str,
        on_host: bool,
        reveal: bool,
    ) -> Result<EnvironmentView>;
    /// Goes the way of an application of this link: a login from the network with the variables that it finds.
    async fn test(&self, object: &ObjectRef) -> Result<TestView>;
    /// What its container printed, the last `lines` lines (all with `None`), then new ones with `follow`; no known
    /// secret is in it.
    async fn logs(&self, object: &ObjectRef, lines: Option<u32>, follow: bool) -> Result<Lines>;
    async fn prune(&self) -> Result<PruneView>;
    /// Lets the held-back removals go, once; `confirm` as [`PruneView::confirm`] gave it.
    async fn confirm_prune(&self, confirm: &str) -> Result<Done>;
    async fn keys(&self) -> Result<KeyList>;
    /// Opens every sealed record.
    async fn verify_keys(&self) -> Result<KeyCheck>;
    /// Seals every record with a new key; new ones, too. `cipher`: another one from now on.
    async fn rotate_keys(&self, cipher: Option<Algorithm>) -> Result<Done>;
    /// What anybody can seal a value to, for a manifest; a running operator makes it when it is asked first.
    async fn public_key(&self) -> Result<PublicKeyView>;
    /// The store as JSON lines, secrets sealed.
    async fn export(&self) -> Result<Vec<String>>;
}
