//! Which lines of a container's log are asked for.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The names are those of kubectl's API, but for `lines`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct LogOptions {
    /// The last ones of what else is asked for; all without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<u32>,
    /// And new ones, as they come.
    pub follow: bool,
    /// Printed so long ago at most, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since_seconds: Option<u64>,
    /// Printed at this time or later, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub since_time: Option<Timestamp>,
    /// Printed before the container's last start. The engine keeps one log for each container: that of one which another one took the
    /// place of is gone with it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub previous: bool,
}
