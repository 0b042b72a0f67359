//! Objects in the words of the service API (product brief): snake_case, numbers for names.

use super::limits::Limits;
use super::{Offered, offered};
use crate::control::api::{ManagedBy, MemberUse, ObjectView};
use crate::core::condition::{Condition, ConditionType, Truth, find, phase};
use crate::core::diagnosis::Check;
use crate::workload::runtime::{MemberRuntime, STANDALONE};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A service, as lists have it. `null` is what is not known yet.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ServiceView {
    pub id: u64,
    pub name: String,
    pub slug: String,
    pub service_type: &'static str,
    pub topology: &'static str,
    pub version: Option<String>,
    pub docker_image: Option<String>,
    pub status: &'static str,
    pub health_status: &'static str,
    pub container_name: Option<String>,
    pub managed_by: Option<ManagedBy>,
    /// `shop.yaml:3`, of one that a file holds.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// RFC 3339
    pub created_at: String,
}

/// The same with what it is made of.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ServiceDetails {
    #[serde(flatten)]
    pub service: ServiceView,
    /// Secrets are masked.
    pub parameters: Map<String, Value>,
    pub limits: Limits,
    /// On the network; the password is masked, unless it was asked for.
    pub connection_string: Option<String>,
}

/// A service after something was done with it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Acted {
    #[serde(flatten)]
    pub service: ServiceView,
    pub message: String,
    /// What to commit to keep it so.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub commit: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct HealthView {
    pub service_id: u64,
    pub health_status: &'static str,
    pub message: String,
    /// RFC 3339: since when its Ready is what it is.
    pub since: Option<String>,
    pub conditions: Vec<Condition>,
}

/// The same in a few words, as a page of many asks for it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HealthStatusView {
    pub service_id: u64,
    pub health_status: &'static str,
    /// RFC 3339: when its write-ahead log was looked at last; `null` where that is not kept: it is looked at all the time.
    pub last_health_check_at: Option<String>,
    /// Of one that is not well.
    pub last_health_error: Option<String>,
    /// RFC 3339: since when it is so.
    pub since: Option<String>,
}

/// The same after a look just now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CheckView {
    #[serde(flatten)]
    pub health: HealthView,
    /// The worst first.
    pub checks: Vec<Check>,
}

/// A type of services.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProviderView {
    pub service_type: &'static str,
    pub name: &'static str,
    pub description: &'static str,
    /// The newest first; one of a catalog of the installation's own may say otherwise.
    pub versions: Vec<VersionView>,
    pub required_parameters: Vec<&'static str>,
    /// What a link gives.
    pub environment_names: &'static [&'static str],
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct VersionView {
    pub version: &'static str,
    pub docker_image: &'static str,
}

impl From<Offered> for ProviderView {
    fn from(Offered { about, service }: Offered) -> Self {
        let version =
            |(version, docker_image): &(&'static str, &'static str)| VersionView { version, docker_image };
        let required = service.parameters.iter().filter(|parameter| parameter.required);
        Self {
            service_type: about.kind.lower(),
            name: about.kind.as_str(),
            description: about.description,
            versions: about.images.iter().map(version).collect(),
            required_parameters: required.map(|parameter| parameter.name).collect(),
            environment_names: service.variables,
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct RuntimeView {
    pub service_id: u64,
    pub topology: &'static str,
    pub members: Vec<MemberView>,
}

/// A container that is there.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MemberView {
    pub role: String,
    pub container_name: String,
    pub container_id: String,
    pub status: String,
    pub restart_count: u64,
    pub oom_killed: bool,
    pub oom_kills: Option<u64>,
    pub exit_code: Option<i64>,
    pub started_at: Option<String>,
    pub finished_at: Option<String>,
    pub image: String,
    pub image_id: String,
    /// In force, as the engine tells.
    pub resource_limits: Limits,
    /// As they are asked for.
    pub configured_limits: Limits,
    /// They are not the same, as far as the engine can do it.
    pub drift: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct StatsView {
    pub service_id: u64,
    pub topology: &'static str,
    pub members: Vec<UseView>,
}

/// `null`: it does not run.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UseView {
    pub role: String,
    pub container_name: String,
    /// Of one CPU: 150 is one and a half.
    pub cpu_percent: Option<f64>,
    pub memory_usage_bytes: Option<u64>,
    /// That of the host where the container has none.
    pub memory_limit_bytes: Option<u64>,
    pub memory_percent: Option<f64>,
    pub online_cpus: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Resources {
    pub limits: Limits,
    pub applied: Vec<Applied>,
}

/// What came of limits in one container.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AppliedLimits")]
pub struct Applied {
    pub role: String,
    pub container_name: Option<String>,
    pub outcome: Outcome,
    pub error: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "LimitsOutcome")]
pub enum Outcome {
    /// The engine told so after the change.
    Applied,
    /// They are in force when it is started.
    Stopped,
    Missing,
    /// Not yet, within the time that a request has.
    Pending,
    Failed,
}

fn field<T: DeserializeOwned + Default>(view: &ObjectView, name: &str) -> T {
    view.status.get(name).and_then(|value| serde_json::from_value(value.clone()).ok()).unwrap_or_default()
}

pub(super) fn text(view: &ObjectView, path: &str) -> Option<String> {
    view.status.pointer(path)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

pub fn conditions(view: &ObjectView) -> Vec<Condition> {
    field(view, "conditions")
}

pub fn members(view: &ObjectView) -> Vec<MemberRuntime> {
    field(view, "runtime")
}

fn topology(view: &ObjectView) -> &'static str {
    if members(view).iter().all(|member| member.role == STANDALONE) { STANDALONE } else { "cluster" }
}

/// Nobody wants it, and its data are kept.
pub(super) fn is_retained(view: &ObjectView) -> bool {
    view.metadata.managed_by.is_none() && view.metadata.owner_references.is_empty()
}

/// The brief's word for how it is.
pub(super) fn status(view: &ObjectView) -> &'static str {
    if is_retained(view) {
        return "retained";
    }
    let conditions = conditions(view);
    let ready = find(&conditions, ConditionType::Ready);
    match phase(&conditions).as_str() {
        "Stopped" => "stopped",
        "Deleting" => "deleting",
        "Pending" => "pending",
        // Nothing was begun of what was asked for a moment ago.
        _ if ready.is_some_and(|ready| ready.reason == "Requested") => "pending",
        "Unknown" => "unknown",
        _ if ready.is_some_and(|ready| ready.status == Truth::True) => "running",
        "Paused" => "paused",
        "Progressing" if text(view, "/container/name").is_none() => "creating",
        "Progressing" => "starting",
        _ => "failed",
    }
}

fn health_status(conditions: &[Condition]) -> &'static str {
    let Some(ready) = find(conditions, ConditionType::Ready) else { return "unknown" };
    let troubled = || conditions.iter().any(|one| one.kind.is_wrong(one.status, &one.reason));
    match (ready.status, ready.reason.as_str()) {
        (_, "Stopped") => "stopped",
        (Truth::Unknown, _) => "unknown",
        (Truth::False, _) => "down",
        (Truth::True, _) if troubled() => "degraded",
        (Truth::True, _) => "operational",
    }
}

impl ServiceView {
    /// `None`: it is no service.
    #[must_use]
    pub fn of(view: &ObjectView) -> Option<Self> {
        let offered = offered(view.object()?.kind)?;
        let name = view.metadata.name.clone();
        let own = |field: &str| view.spec.pointer(field).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            id: view.metadata.id,
            slug: name.clone(),
            name,
            service_type: offered.about.kind.lower(),
            topology: topology(view),
            version: text(view, "/server/version").or_else(|| own("/version")),
            docker_image: text(view, "/image/reference").or_else(|| own("/image")),
            status: status(view),
            health_status: health_status(&conditions(view)),
            container_name: text(view, "/container/name"),
            managed_by: view.metadata.managed_by,
            source: view.metadata.source.clone(),
            created_at: view.metadata.creation_timestamp.clone(),
        })
    }

    #[must_use]
    pub fn with_details(
        self,
        of: Offered,
        view: &ObjectView,
        connection_string: Option<String>,
    ) -> ServiceDetails {
        ServiceDetails {
            service: self,
            parameters: of.shown(&view.spec),
            limits: limits(view),
            connection_string,
        }
    }
}

/// Those that are asked for.
#[must_use]
pub fn limits(view: &ObjectView) -> Limits {
    crate::workload::check::caps_of(&view.spec).into()
}

impl HealthView {
    #[must_use]
    pub fn of(view: &ObjectView) -> Self {
        let conditions = conditions(view);
        let ready = find(&conditions, ConditionType::Ready);
        Self {
            service_id: view.metadata.id,
            health_status: health_status(&conditions),
            message: ready.map(|ready| ready.message.clone()).unwrap_or_default(),
            since: ready.map(|ready| ready.last_transition_time.clone()),
            conditions,
        }
    }
}

impl HealthStatusView {
    #[must_use]
    pub fn of(view: &ObjectView) -> Self {
        let HealthView { service_id, health_status, message, since, conditions } = HealthView::of(view);
        // What is Ready and not well says so elsewhere.
        let wrong = conditions.iter().filter(|one| one.kind.is_wrong(one.status, &one.reason));
        let wrong = wrong.map(|one| one.message.clone()).find(|message| !message.is_empty());
        let error =
            wrong.or(Some(message)).filter(|_| matches!(health_status, "down" | "degraded" | "unknown"));
        Self {
            service_id,
            health_status,
            last_health_check_at: text(view, "/walHealth/probed_at"),
            last_health_error: error.filter(|error| !error.is_empty()),
            since,
        }
    }
}

impl From<MemberRuntime> for MemberView {
    fn from(member: MemberRuntime) -> Self {
        Self {
            resource_limits: (&member.limits.applied).into(),
            configured_limits: (&member.limits.configured).into(),
            drift: member.limits.drift,
            role: member.role,
            container_name: member.container_name,
            container_id: member.container_id,
            status: member.status,
            restart_count: member.restart_count,
            oom_killed: member.oom_killed,
            oom_kills: member.oom_kills,
            exit_code: member.exit_code,
            started_at: member.started_at,
            finished_at: member.finished_at,
            image: member.image,
            image_id: member.image_id,
        }
    }
}

impl RuntimeView {
    #[must_use]
    pub fn of(view: &ObjectView) -> Self {
        let members = members(view).into_iter().map(MemberView::from).collect();
        Self { service_id: view.metadata.id, topology: topology(view), members }
    }
}

impl StatsView {
    #[must_use]
    pub fn of(view: &ObjectView, members: Vec<MemberUse>, online_cpus: u64) -> Self {
        let member = |one: MemberUse| UseView {
            role: one.role,
            container_name: one.container_name,
            cpu_percent: one.cpu_cores.map(|cores| (cores * 10_000.0).round() / 100.0),
            memory_usage_bytes: one.memory_usage_bytes,
            memory_limit_bytes: one.memory_limit_bytes,
            memory_percent: one.memory_percent,
            online_cpus,
        };
        let members = members.into_iter().map(member).collect();
        Self { service_id: view.metadata.id, topology: topology(view), members }
    }
}

/// What has become of the limits of its containers, by what was seen of them last, and whether that is the end of it.
#[must_use]
pub fn applied(view: &ObjectView) -> (Vec<Applied>, bool) {
    let conditions = conditions(view);
    let phase = phase(&conditions);
    let observed = view.status.get("observedGeneration").and_then(Value::as_u64).unwrap_or_default();
    let seen = observed >= view.metadata.generation;
    // Nothing more comes by itself.
    let rests =
        matches!(phase.as_str(), "Stopped" | "Paused" | "Retained" | "Blocked" | "NameConflict" | "Stalled");
    let all = [ConditionType::Stalled, ConditionType::Degraded, ConditionType::Paused];
    let trouble = all.iter().find_map(|kind| find(&conditions, *kind).filter(|c| c.status == Truth::True));
    let blocked = || find(&conditions, ConditionType::Ready).filter(|_| rests);
    let why = || trouble.or_else(blocked).map(|condition| condition.message.clone());
    let members = members(view);
    let done = seen && (rests || (!members.is_empty() && members.iter().all(|member| !member.limits.drift)));
    let outcome = |member: MemberRuntime| {
        let runs = member.status == "running";
        let (outcome, error) = match (seen && !member.limits.drift, runs) {
            (true, true) => (Outcome::Applied, None),
            (_, false) => (Outcome::Stopped, None),
            (false, true) if phase == "Stalled" => (Outcome::Failed, why()),
            (false, true) => (Outcome::Pending, why()),
        };
        Applied { role: member.role, container_name: Some(member.container_name), outcome, error }
    };
    if members.is_empty() {
        let missing = Applied {
            role: STANDALONE.to_owned(),
            container_name: text(view, "/endpoint/host"),
            outcome: Outcome::Missing,
            error: why(),
        };
        return (vec![missing], done);
    }
    (members.into_iter().map(outcome).collect(), done)
}
