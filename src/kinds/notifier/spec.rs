//! `spec` of a Notifier as people write it. Doc comments are the hover text of the JSON Schema.

use crate::core::condition::ConditionType;
use crate::core::trouble::Severity;
use crate::manifest::scalar::Text;
use crate::manifest::secret::SecretSpec;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Tells a webhook what goes wrong with the objects of this installation, and when it is well again.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NotifierSpec {
    pub webhook: WebhookSpec,
    /// What is told; by default everything that is critical or a warning.
    #[serde(default)]
    pub on: OnSpec,
    /// For how long something is wrong before it is told; by default `30s`. What Seawall is at work on has at least five minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"30s")]
    pub after: Option<Text>,
    /// What is still wrong after this time is told again. By default it is told once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"4h")]
    pub repeat_after: Option<Text>,
}

/// Where messages are sent, each with a POST.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WebhookSpec {
    /// Whoever knows the URL of a chat's webhook can write there: keep it out of git with `valueFrom`.
    pub url: UrlSpec,
    #[serde(default)]
    pub format: Format,
}

/// An `http` or `https` URL, or where it comes from. `user:password@` before the host becomes an Authorization header.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum UrlSpec {
    Plain(Text),
    From(SecretSpec),
}

/// What a message looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For programs: see docs/notifications.md.
    #[default]
    Json,
    /// `{"text": …}`, as Slack, Mattermost and Rocket.Chat take it, and Discord at `/slack`.
    Slack,
    /// Text with a title and a priority, for a topic of ntfy.
    Ntfy,
}

impl Format {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Slack => "slack",
            Format::Ntfy => "ntfy",
        }
    }
}

/// What is told: both have to fit.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OnSpec {
    /// Of these conditions only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &["Ready", "WalHealthy", "DiskPressure"])]
    pub conditions: Option<Vec<ConditionType>>,
    /// Of these severities only; by default `critical` and `warning`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &["critical"])]
    pub severities: Option<Vec<Severity>>,
}
