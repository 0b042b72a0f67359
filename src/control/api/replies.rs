//! What else is asked of an operator and what it replies, as it is told over the wire. No `Debug` of them tells a secret.

use crate::core::condition::Condition;
use crate::core::text::url_part;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How to connect. `password` only when it was asked for.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
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

impl ConnectionView {
    /// A URL; without a password it has `mask` in its place, or no such part at all.
    #[must_use]
    pub fn url(&self, scheme: &str, to: &HostPort, mask: Option<&str>) -> String {
        let password = match (&self.password, mask) {
            (Some(password), _) => format!(":{}", url_part(password)),
            (None, Some(mask)) => format!(":{mask}"),
            (None, None) => String::new(),
        };
        let host = if to.host.contains(':') { format!("[{}]", to.host) } else { to.host.clone() };
        let database =
            if self.database.is_empty() { String::new() } else { format!("/{}", url_part(&self.database)) };
        format!("{scheme}://{}{password}@{host}:{}{database}", url_part(&self.username), to.port)
    }
}

impl std::fmt::Debug for ConnectionView {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectionView").field("object", &self.object).finish_non_exhaustive()
    }
}

/// The variables of one environment.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
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

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
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

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostPort {
    pub host: String,
    pub port: u16,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// Where its figures are served: `http://127.0.0.1:9188/metrics`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<String>,
    /// Why they are not, though they are to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_trouble: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

impl Operation {
    pub const ALL: [Self; 7] = [
        Self::Stop,
        Self::Start,
        Self::Restart,
        Self::ReleasePort,
        Self::Rotate,
        Self::RotateNow,
        Self::Reinitialise,
    ];

    /// Its word, in lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Restart => "restart",
            Self::ReleasePort => "releaseport",
            Self::Rotate => "rotate",
            Self::RotateNow => "rotatenow",
            Self::Reinitialise => "reinitialise",
        }
    }
}

/// What an operation did or set in motion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Done {
    pub message: String,
    /// The line to commit to keep it so; empty when there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub commit: String,
}

/// What the prune guard holds back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PruneView {
    /// Objects whose manifests are gone, `postgres/main`, with what would happen to each.
    pub would_remove: Vec<PruneItem>,
    /// Why they are held back; `None` when nothing is.
    pub guard: Option<String>,
    /// The words to confirm with; change with the set of objects.
    pub confirm: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PruneItem {
    pub object: String,
    pub what: String,
}

/// The keys that seal the secrets of the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyList {
    /// The one in the key file first.
    pub keys: Vec<KeyView>,
    /// The key file.
    pub file: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum KeyUse {
    /// New secrets are sealed with it.
    Seals,
    /// It only opens, until nothing is sealed with it any more.
    Opens,
    /// Records name it, and it is not there.
    Missing,
}

/// What values of manifests are sealed to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PublicKeyView {
    pub key: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyCheck {
    /// Sealed records, all of which were tried.
    pub records: usize,
    pub broken: Vec<BrokenSecret>,
}

/// A sealed record that does not open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BrokenSecret {
    pub record: String,
    pub why: String,
}

/// What an application of a link meets, step by step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TestView {
    pub object: String,
    /// In their order; all of them, also those that were not tried.
    pub steps: Vec<TestedView>,
    /// Every step is OK.
    pub passed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TestedView {
    pub step: TestStep,
    pub result: TestResult,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TestResult {
    #[serde(rename = "OK")]
    Ok,
    #[serde(rename = "FAILED")]
    Failed,
    /// A step before it failed without which it says nothing.
    NotTried,
}
