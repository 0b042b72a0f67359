//! The arguments of `seawall token` and `seawall audit`.

use crate::control::access::expiry;
use crate::control::api::EXPIRES;
use crate::core::access::{Grant, Permission, Role};
use crate::core::duration::duration;
use crate::core::names::Name;
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub enum TokenVerb {
    /// Make one; it is printed this once, alone on standard output
    Create(CreateArgs),
    /// Which there are, what they allow, and when each was last used
    List {
        #[arg(short, long, value_enum, default_value_t = Form::Text)]
        output: Form,
    },
    /// From now on it opens nothing
    Revoke {
        #[arg(value_parser = Name::parse)]
        name: Name,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "\
  TOKEN=$(seawall token create ci --role operator)
  seawall token create reader --permission ExternalServicesRead --permission SecretsReveal --expires 12h

Roles:
  admin     everything
  operator  the daily work; no deletion, no passwords, no tokens
  viewer    looks")]
pub struct CreateArgs {
    #[arg(value_parser = Name::parse)]
    pub name: Name,
    /// admin, operator or viewer
    #[arg(long, required_unless_present = "permission", conflicts_with = "permission")]
    pub role: Option<Role>,
    /// ExternalServicesRead, SecretsReveal …; repeatable
    #[arg(long)]
    pub permission: Vec<Permission>,
    /// 90d, 12h, never, or a time as 2027-01-31T00:00:00Z
    #[arg(long, value_name = "TIME", default_value = EXPIRES, value_parser = end)]
    pub expires: String,
    #[arg(short, long, value_enum, default_value_t = Once::Text)]
    pub output: Once,
}

impl CreateArgs {
    #[must_use]
    pub fn grant(&self) -> Grant {
        match self.role {
            Some(role) => Grant::Role(role),
            None => Grant::Permissions(self.permission.iter().copied().collect()),
        }
    }
}

/// The operator decides, by its own clock; here only what can never be is refused.
fn end(text: &str) -> Result<String, String> {
    expiry(text, Timestamp::now()).map(|_| text.to_owned())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Once {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    Text,
    /// All that is known
    Wide,
    Json,
}

#[derive(Debug, Args)]
#[command(after_help = "\
  seawall audit --since 1h
  seawall audit -w -o json      a line for each, as it comes")]
pub struct AuditArgs {
    /// Keep printing new ones
    #[arg(short, long)]
    pub watch: bool,
    /// Only what is not older
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub since: Option<Duration>,
    #[arg(short, long, value_enum, default_value_t = Form::Text)]
    pub output: Form,
}
