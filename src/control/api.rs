//! What the operator can be asked, as one trait in wire types. The HTTP server and the CLI stand on
//! it; the running operator and the offline reader of a store implement it.

mod access;
mod apply;
mod audit;
mod changes;
mod history;
mod inside;
mod inspect;
mod jobs;
mod logs;
mod objects;
mod recommend;
mod replies;
mod top;

pub use access::Gatekeeper;
pub use apply::{Applied, ApplyOptions, Outcome};
pub use audit::{AuditEntry, EXPIRES, IssuedToken, NewToken, SignInUrl, TokenView};
pub use changes::{Change, Changes, Marks, Told};
pub use history::{HistoryView, Point, SeriesView};
pub use inspect::{DiagnosisView, InspectView, KillView};
pub use jobs::{JobList, JobState, JobStep, JobView, StepState};
pub use logs::LogOptions;
pub use objects::{
    ColumnView, KindView, ManagedBy, MetadataView, ObjectList, ObjectView, OwnerReference, PlanList,
    kind_views,
};
pub use recommend::{Advice, RecommendList, Recommendation, Verdict};
pub use replies::{
    BrokenSecret, ConnectionView, Done, EnvironmentView, HostPort, KeyCheck, KeyList, KeyUse, KeyView,
    Operation, OperatorView, PruneItem, PruneView, PublicKeyView, TestResult, TestStep, TestView, TestedView,
    VariableView,
};

pub use inside::Inside;
pub use top::{Against, MemberUse, RATE_FROM, TopItem, TopList};

use crate::core::event::Event;
use crate::core::names::{Name, ObjectRef};
use crate::core::plan::PlanView;
use crate::kinds::{Ask, End};
use crate::secrets::Algorithm;
use async_trait::async_trait;
use futures_util::stream::BoxStream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An answer that says what, where, why and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, JsonSchema)]
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ErrorCode {
    /// 404
    NotFound,
    /// 400
    Invalid,
    /// 401: no token, or one that opens nothing.
    Unauthenticated,
    /// 403: the token does not allow this.
    Forbidden,
    /// 429
    TooManyRequests,
    /// 410: what it begins from is not known any more.
    Expired,
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

pub(super) fn no_object(id: u64) -> ApiError {
    ApiError::new(
        ErrorCode::NotFound,
        format!("no object has the number {id}"),
        "seawall get lists what there is",
    )
}

pub type Result<T, E = ApiError> = std::result::Result<T, E>;

/// Lines as they come, without their ends; the first error is the last of them.
pub type Lines = BoxStream<'static, Result<String>>;

/// The operator, as surfaces see it.
#[async_trait]
pub trait Api: Send + Sync + 'static {
    async fn operator(&self) -> Result<OperatorView>;
    async fn objects(&self) -> Result<ObjectList>;
    /// The same with those objects alone that have to do with this one: who refers to it, what it made, and what ties services to
    /// environments.
    async fn objects_around(&self, _: &ObjectRef) -> Result<ObjectList> {
        self.objects().await
    }
    async fn object(&self, object: &ObjectRef) -> Result<ObjectView>;
    /// The object that has this number, `metadata.id`.
    async fn numbered(&self, id: u64) -> Result<ObjectRef> {
        let all = self.objects().await?.items;
        all.iter()
            .find(|view| view.metadata.id == id && id > 0)
            .and_then(ObjectView::object)
            .ok_or_else(|| no_object(id))
    }
    /// Events with a sequence above `after`, oldest first, of one object or of all.
    async fn events(&self, object: Option<&ObjectRef>, after: u64) -> Result<Vec<Event>>;
    /// What the containers of one object, or of all, use right now.
    async fn top(&self, object: Option<&ObjectRef>) -> Result<TopList>;
    /// Figures over time of one object, `since` seconds back (at most seven days): of one series, or of all that there are.
    async fn history(&self, object: &ObjectRef, metric: Option<&str>, since: u64) -> Result<HistoryView>;
    /// How much memory and CPU one object, or each that has containers, should have by what it used.
    async fn recommend(&self, object: Option<&ObjectRef>) -> Result<RecommendList>;
    /// Returns when the revision is above `after`, or after `wait_ms` (at most 30 000), with the
    /// revision then.
    async fn watch(&self, after: u64, wait_ms: u64) -> Result<u64>;
    /// What became of each object after this revision (`None`: all there is), then what becomes of them. `Expired` when too much has
    /// changed since; `Unavailable` from whoever only hands questions on.
    async fn changes(&self, _after: Option<u64>) -> Result<Changes> {
        let what = "only the operator itself tells what changes";
        Err(ApiError::new(ErrorCode::Unavailable, what, "watch=true of its HTTP API"))
    }
    /// Reads the manifests as they are in this moment; false: somebody writes there, and they are not in force yet.
    async fn read_manifests(&self) -> Result<bool>;
    /// The plan for the manifests in force, or for these files (path → text) instead.
    async fn plan(&self, files: Option<BTreeMap<String, String>>) -> Result<PlanList>;
    /// The same of one object alone, by what is in force.
    async fn plan_of(&self, object: &ObjectRef) -> Result<PlanView> {
        self.object(object).await?;
        let name = object.to_string();
        let planned = self.plan(None).await?.plans.into_iter().find(|plan| plan.object == name);
        Ok(planned.unwrap_or_else(|| PlanView { object: name, ..PlanView::default() }))
    }
    /// The plans of what these files name, beside the manifests of everything else.
    async fn plan_beside(&self, files: BTreeMap<String, String>) -> Result<PlanList>;
    /// What there is to do, since when, and how far it is.
    async fn jobs(&self) -> Result<JobList>;
    async fn operate(&self, object: &ObjectRef, operation: Operation) -> Result<Done>;
    /// Data, port and password of an object whose manifest took the name of `new` go to that one.
    async fn rename(&self, old: &ObjectRef, new: &ObjectRef) -> Result<Done>;
    /// Creates an object that no manifest holds, or makes it what this document says: JSON or YAML, as a manifest.
    async fn apply(&self, document: &str, options: &ApplyOptions) -> Result<Applied>;
    /// The same with what it is now and a merge patch of that (RFC 7396), as JSON or YAML.
    async fn patch(&self, object: &ObjectRef, patch: &str, options: &ApplyOptions) -> Result<Applied>;
    /// Removes a retained or file-less object with its data. `confirm` must be the object's name; one that the API holds is
    /// let go without it, as when its manifest goes, and its data are kept.
    async fn delete(&self, object: &ObjectRef, confirm: &str) -> Result<Done>;
    /// What that would do, without it.
    async fn would_delete(&self, object: &ObjectRef, confirm: &str) -> Result<Applied>;
    /// `reveal` gives the password and leaves an event.
    async fn connection(&self, object: &ObjectRef, reveal: bool) -> Result<ConnectionView>;
    /// The same with the password, for this program, which logs in with it and shows it to nobody. Over TCP it is shown, to who asks.
    async fn login(&self, object: &ObjectRef, program: &str) -> Result<ConnectionView>;
    /// The variables that applications find in one environment; `on_host`: those outside of the network. `reveal` gives the
    /// secrets in them and leaves an event.
    async fn environment(
        &self,
        object: &ObjectRef,
        environment: &str,
        on_host: bool,
        reveal: bool,
    ) -> Result<EnvironmentView>;
    /// The same inside of the network, with the secret of this one variable and no other: that alone is written down.
    /// `Unavailable` from whoever only hands questions on.
    async fn reveal_variable(&self, _: &ObjectRef, _: &str, _: &str) -> Result<EnvironmentView> {
        let what = "only the operator itself shows one variable alone";
        Err(ApiError::new(ErrorCode::Unavailable, what, "environment with reveal=true of its HTTP API"))
    }
    /// Goes the way of an application of this link: a login from the network with the variables that it finds.
    async fn test(&self, object: &ObjectRef) -> Result<TestView>;
    /// What its container printed, as far as it is asked for; no known secret is in it.
    async fn logs(&self, object: &ObjectRef, options: &LogOptions) -> Result<Lines>;
    /// What goes on inside its server, by one of the questions of its kind; no known secret is in it.
    async fn inspect(&self, object: &ObjectRef, ask: &Ask) -> Result<InspectView>;
    /// Shows a session of its server, or ends the very one that was shown.
    async fn kill(&self, object: &ObjectRef, end: &End) -> Result<KillView>;
    /// Everything that is worth a word, the worst first.
    async fn diagnose(&self, object: &ObjectRef) -> Result<DiagnosisView>;
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
    /// Shown this once; nobody can tell it again.
    async fn create_token(&self, new: &NewToken) -> Result<IssuedToken>;
    /// In the order of their names.
    async fn tokens(&self) -> Result<Vec<TokenView>>;
    async fn revoke_token(&self, name: &Name) -> Result<Done>;
    /// A way into the dashboard, for who asks over the socket: whoever uses it first may do everything.
    async fn sign_in_link(&self) -> Result<SignInUrl>;
    /// What was written down with a sequence above `after`, oldest first.
    async fn audit(&self, after: u64) -> Result<Vec<AuditEntry>>;
    /// The store as JSON lines, secrets sealed.
    async fn export(&self) -> Result<Vec<String>>;
}
