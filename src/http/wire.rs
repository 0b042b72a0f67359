//! Queries and bodies that the routes take and the client sends. Answers are the types of
//! `control::api`, errors are an [`ErrorBody`].

use crate::control::api::{
    ApiError, Applied, ApplyOptions, Done, ErrorCode, KindView, MetadataView, ObjectView,
};
use crate::core::event::Event;
use crate::core::names::ObjectRef;
use crate::core::problem::Problem;
use crate::secrets::Algorithm;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// The socket's file name in the data directory.
pub const SOCKET: &str = "seawall.sock";

/// Longest path a unix socket can have: `sun_path` is 108 bytes with its final zero.
pub const MAX_SOCKET_PATH: usize = 107;

/// Largest request body: the texts of a plan.
pub const MAX_REQUEST: usize = 16 << 20;

/// A request that takes longer is answered with `Unavailable`.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Planning looks at every object on the engine, so it may take longer than anything else.
pub const PLAN_TIMEOUT: Duration = Duration::from_secs(120);

/// Longest `waitMs` of a watch.
pub const MAX_WAIT_MS: u64 = 30_000;

/// An error, as RFC 9457 has it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// `urn:seawall:error:not-found`; stays as it is.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    /// What went wrong, where, and why.
    pub detail: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub next: String,
    pub code: ErrorCode,
    /// The path that was asked for. As the next one, not in what ends an answer that has begun.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instance: String,
    /// As in the header `x-request-id` and in the operator's log.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request_id: String,
}

/// Where objects are: `KIND/NAME` below it, or `KIND`, or [`ALL`].
pub const OBJECTS: &str = "/apis/seawall.dev/v1";

/// In the place of a kind: of every kind, as on the command line.
pub const ALL: &str = "all";

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListQuery {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_selector: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field_selector: Option<String>,
    /// Objects at most; 0: all.
    #[serde(default)]
    pub limit: usize,
    /// As the page before told it.
    #[serde(default, rename = "continue", skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Not a list, but what becomes of its objects: server-sent events.
    #[serde(default)]
    pub watch: bool,
    /// Where a watch begins: after what this list, object or bookmark told. Without it, with everything there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<String>,
}

/// A list, in the Kubernetes form, with what concerns no single object.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListView {
    pub api_version: String,
    /// That of the objects with `List` behind it.
    pub kind: String,
    pub metadata: ListMeta,
    pub items: Vec<ObjectView>,
    /// As in [`ObjectList`](crate::control::api::ObjectList), as the rest.
    pub problems: Vec<Problem>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_down: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
    #[serde(default)]
    pub kinds: Vec<KindView>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListMeta {
    pub resource_version: String,
    /// Set when there is more.
    #[serde(default, rename = "continue", skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining_item_count: Option<usize>,
}

/// An object without its spec.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusView {
    pub api_version: String,
    pub kind: String,
    pub metadata: MetadataView,
    pub status: Value,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventsQuery {
    /// Only those with a higher `sequence`.
    #[serde(default)]
    pub after: u64,
}

/// Oldest first.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct EventsView {
    pub items: Vec<Event>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TopQuery {
    /// `postgres/main`; all that have containers when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HistoryQuery {
    /// All series when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// Seconds back.
    pub since: u64,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WatchQuery {
    #[serde(default)]
    pub after: u64,
    #[serde(default)]
    pub wait_ms: u64,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WatchAnswer {
    pub revision: u64,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReadAnswer {
    /// What stood in the manifests when that was asked is in force.
    pub read: bool,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanBody {
    /// Path → text; the manifests in force when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<BTreeMap<String, String>>,
    /// Those of other files stay as they are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub beside: bool,
}

/// A body with nothing in it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DryRun {
    All,
}

/// How an object is written. The body is its document, or a patch of it.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WriteQuery {
    /// Answers the plan, and changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<DryRun>,
    /// As in [`ApplyOptions`]; that of the body when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<String>,
}

impl From<&ApplyOptions> for WriteQuery {
    fn from(options: &ApplyOptions) -> Self {
        let dry_run = options.dry_run.then_some(DryRun::All);
        Self { dry_run, resource_version: options.resource_version.clone() }
    }
}

/// What became of an object, and how it is now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Written {
    #[serde(flatten)]
    pub applied: Applied,
    /// Not with `dryRun`.
    #[serde(flatten)]
    pub object: Option<ObjectView>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Deleted {
    Done(Done),
    /// With `dryRun`.
    Planned(Applied),
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeleteQuery {
    /// The object's name: its data go with it. Without it those of one that the API holds are kept.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub confirm: String,
    /// Answers the plan, and changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<DryRun>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RenameBody {
    /// `postgres/new`
    pub to: ObjectRef,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfirmBody {
    pub confirm: String,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RotateKeysBody {
    /// The one in use when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cipher: Option<Algorithm>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuditQuery {
    #[serde(default)]
    pub after: u64,
}

/// One line of the answer to a [`LogOptions`](crate::control::api::LogOptions), which is JSON, one object a line: so an error on the way has its words.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LogLine {
    Text(String),
    Error(ApiError),
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvironmentQuery {
    pub environment: String,
    #[serde(default)]
    pub on_host: bool,
    #[serde(default)]
    pub reveal: bool,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InspectQuery {
    /// The object's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    #[serde(default)]
    pub verbose: bool,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KillBody {
    pub session: u32,
    /// As an answer told it; only a look when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    #[serde(default)]
    pub force: bool,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConnectionQuery {
    #[serde(default)]
    pub reveal: bool,
    /// Which logs in with what is revealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
}
