//! The arguments of `seawall services`, as the product brief has them.

use super::backups::{CapabilitiesArgs, ListArgs, RestoreVerb, StatusArgs};
use crate::core::duration::duration;
use crate::core::names::{Name, ObjectRef};
use crate::core::quantity::{Bytes, NanoCpus};
use crate::secrets::Secret;
use clap::{Args, Subcommand};
use std::convert::Infallible;
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub enum ServicesVerb {
    /// All services: their numbers, types and versions, and how they are
    #[command(visible_alias = "ls")]
    List(Shown),
    /// Make one; what is missing is asked for on a terminal
    #[command(visible_alias = "add")]
    Create(CreateArgs),
    /// Everything about one, with its connection string
    Show(ShowArgs),
    /// Remove one, and its data for good
    #[command(visible_alias = "rm")]
    Remove(RemoveArgs),
    /// Start a stopped one
    Start(ActArgs),
    /// Stop one; it keeps container and data
    Stop(ActArgs),
    /// Give one a new password; what is linked to it gets it too
    Rotate(ActArgs),
    /// Change parameters, or the image
    Update(UpdateArgs),
    /// To another image or version
    Upgrade(UpgradeArgs),
    /// Give an environment of a project a database on it, and the variables to reach that
    Link(LinkArgs),
    /// Take them away again; what is in the database stays
    Unlink(UnlinkArgs),
    /// What it is linked to
    Projects(OneArgs),
    /// The variables that an environment gets by a link
    Env(EnvArgs),
    /// The value of one of them
    EnvVar(EnvVarArgs),
    /// Its connection string, alone on standard output
    Connect(ConnectArgs),
    /// Its limits; or other ones, in force at once
    #[command(visible_alias = "limits")]
    Resources(ResourcesArgs),
    /// Its containers: limits in force, restarts, what ended them
    Runtime(OneArgs),
    /// What its containers use right now
    Stats(OneArgs),
    /// How it is, in conditions
    Health(OneArgs),
    /// What its write-ahead log takes, and what is wrong with it
    WalHealth(OneArgs),
    /// What can be made
    Types(Shown),
    /// The parameters of a type
    Info(InfoArgs),
    /// Put a backup into a new service
    Restore {
        #[command(subcommand)]
        verb: RestoreVerb,
    },
    /// List the backups that can be restored, the newest first
    #[command(hide = true)]
    ListBackups(ListArgs),
    /// How restores are
    #[command(hide = true, alias = "restore-run")]
    RestoreRuns(StatusArgs),
    /// What can be restored
    #[command(hide = true)]
    RestoreCapabilities(CapabilitiesArgs),
    /// No container of others is taken over yet
    #[command(hide = true)]
    Import(Rest),
}

#[derive(Clone, Copy, Debug, Args)]
pub struct Shown {
    /// As the API answers
    #[arg(long)]
    pub json: bool,
}

/// Which service; `None`: that is to be asked.
#[derive(Clone, Debug, Args)]
pub struct Of {
    /// Its number, as list shows it
    #[arg(long, value_name = "ID", conflicts_with = "service", value_parser = which)]
    pub id: Option<Which>,
    /// Or its name
    #[arg(value_name = "SERVICE", value_parser = which)]
    pub service: Option<Which>,
}

impl Of {
    #[must_use]
    pub fn which(&self) -> Option<&Which> {
        self.id.as_ref().or(self.service.as_ref())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    Id(u64),
    Slug(Name),
    /// With its type, where services of several have the name.
    Object(ObjectRef),
}

/// # Errors
/// When it is no number, and no name.
pub fn which(text: &str) -> Result<Which, String> {
    if let Ok(id) = text.parse() {
        return Ok(Which::Id(id));
    }
    match text.contains('/') {
        true => {
            text.parse().map(Which::Object).map_err(|e: <ObjectRef as std::str::FromStr>::Err| e.to_string())
        }
        false => Name::parse(text).map(Which::Slug).map_err(|e| e.to_string()),
    }
}

/// Which environment.
#[derive(Clone, Debug, Args)]
pub struct Project {
    /// The project, by its number
    #[arg(long, value_name = "ID")]
    pub project_id: Option<u64>,
    /// The project, by its name
    #[arg(short, long, value_name = "SLUG", conflicts_with = "project_id", value_parser = Name::parse)]
    pub project: Option<Name>,
    /// Its environment; the only one when absent
    #[arg(short, long, value_name = "NAME")]
    pub environment: Option<String>,
}

impl Project {
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.project_id.is_none() && self.project.is_none()
    }
}

/// What happens after the answer.
#[derive(Clone, Copy, Debug, Args)]
pub struct After {
    /// Return at once, and not when it is done
    #[arg(long)]
    pub no_wait: bool,
    /// How long to wait until it is done
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5m")]
    pub timeout: Duration,
    /// As the API answers
    #[arg(long)]
    pub json: bool,
}

/// `-s KEY=VALUE`. Any text is one, as the parser of the command line would tell what it refuses, and this may be a secret.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Not said.
    pub name: Option<String>,
    pub value: Secret,
}

#[expect(clippy::unnecessary_wraps, reason = "that is what a parser of arguments is")]
fn setting(text: &str) -> Result<Setting, Infallible> {
    Ok(match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => {
            Setting { name: Some(name.to_owned()), value: Secret::from(value) }
        }
        _ => Setting { name: None, value: Secret::from(text) },
    })
}

#[derive(Debug, Args)]
#[command(after_help = "\
  seawall services create -t @ -n my-database -s version=18-alpine \\
    -s database=appdb -s username=appuser -s password=\"$(openssl rand -hex 20)\" -y
  seawall services create                on a terminal: it asks, and shows no password

  seawall services info @         all parameters")]
pub struct CreateArgs {
    /// What to make; seawall services types lists what there is
    #[arg(short = 't', long = "type", value_name = "TYPE")]
    pub service_type: Option<String>,
    /// Its name
    #[arg(short, long)]
    pub name: Option<String>,
    /// A parameter; repeatable
    #[arg(short, long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    pub set: Vec<Setting>,
    /// Ask nothing
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    pub after: After,
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    #[command(flatten)]
    pub of: Of,
    /// With the password; it is written down who asked
    #[arg(long)]
    pub reveal: bool,
    /// As the API answers
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct RemoveArgs {
    #[command(flatten)]
    pub of: Of,
    /// Without being asked: its data are destroyed for good
    #[arg(short, long, conflicts_with = "keep_data")]
    pub force: bool,
    /// The same as --force
    #[arg(short, long, conflicts_with = "keep_data")]
    pub yes: bool,
    /// Only the container goes; the volume stays, for a service of the same name
    #[arg(long)]
    pub keep_data: bool,
    #[command(flatten)]
    pub after: After,
}

#[derive(Debug, Args)]
pub struct ActArgs {
    #[command(flatten)]
    pub of: Of,
    #[command(flatten)]
    pub after: After,
}

#[derive(Debug, Args)]
pub struct OneArgs {
    #[command(flatten)]
    pub of: Of,
    /// As the API answers
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct UpdateArgs {
    #[command(flatten)]
    pub of: Of,
    /// Another image
    #[arg(short = 'n', long = "image", alias = "name", value_name = "IMAGE")]
    pub image: Option<String>,
    /// A parameter; repeatable
    #[arg(short, long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    pub set: Vec<Setting>,
    #[command(flatten)]
    pub after: After,
}

#[derive(Debug, Args)]
pub struct UpgradeArgs {
    #[command(flatten)]
    pub of: Of,
    /// An image, @:18-alpine say, or a version of the catalog, 18 say
    #[arg(short = 'v', long = "version", value_name = "IMAGE")]
    pub to: Option<String>,
    #[command(flatten)]
    pub after: After,
}

#[derive(Debug, Args)]
#[command(after_help = "\
  seawall services link --id 10 --project-id 5
  seawall services link my-database -p shop -e production")]
pub struct LinkArgs {
    #[command(flatten)]
    pub of: Of,
    #[command(flatten)]
    pub to: Project,
    #[command(flatten)]
    pub after: After,
}

#[derive(Debug, Args)]
pub struct UnlinkArgs {
    #[command(flatten)]
    pub of: Of,
    #[command(flatten)]
    pub from: Project,
    /// Nothing is asked: nothing is destroyed
    #[arg(short, long, hide = true)]
    pub force: bool,
    #[arg(short, long, hide = true)]
    pub yes: bool,
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct EnvArgs {
    #[command(flatten)]
    pub of: Of,
    #[command(flatten)]
    pub project: Project,
    /// With the passwords; it is written down who asked
    #[arg(long)]
    pub reveal: bool,
    /// As the API answers
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct EnvVarArgs {
    #[command(flatten)]
    pub env: EnvArgs,
    /// Its name
    #[arg(long, value_name = "NAME")]
    pub var: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "  psql \"$(seawall services connect my-database --reveal)\"     on its network")]
pub struct ConnectArgs {
    #[command(flatten)]
    pub env: EnvArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
  seawall services resources --id 10                              what they are
  seawall services resources --id 10 --memory 512 --swap 256 --cpus 1.5
  seawall services resources --id 10 --cpus none                  the others stay
  seawall services resources --id 10 --unlimited")]
pub struct ResourcesArgs {
    #[command(flatten)]
    pub of: Of,
    /// MiB, or with a unit, 1Gi say; none: no limit
    #[arg(long, value_name = "MIB", value_parser = mib)]
    pub memory: Option<Limit>,
    /// MiB above the memory; none: no swap
    #[arg(long, value_name = "MIB", value_parser = mib)]
    pub swap: Option<Limit>,
    /// Cores, 1.5 say; none: no limit
    #[arg(long, value_name = "CORES", value_parser = cores)]
    pub cpus: Option<Limit>,
    /// No limits at all
    #[arg(long, conflicts_with_all = ["memory", "swap", "cpus"])]
    pub unlimited: bool,
    /// As the API answers
    #[arg(long)]
    pub json: bool,
}

/// In the API's unit: MiB, or billionths of a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(pub Option<u64>);

fn mib(text: &str) -> Result<Limit, String> {
    if matches!(text, "none" | "unlimited") {
        return Ok(Limit(None));
    }
    if let Ok(mib) = text.parse() {
        return Ok(Limit(Some(mib)));
    }
    match Bytes::parse(text) {
        Ok(Bytes(bytes)) if bytes % Bytes::MI == 0 => Ok(Limit(Some(bytes / Bytes::MI))),
        Ok(_) => Err("whole MiB only".to_owned()),
        Err(_) => Err("write MiB (512), 512Mi, 1Gi or none".to_owned()),
    }
}

fn cores(text: &str) -> Result<Limit, String> {
    match text {
        "none" | "unlimited" => Ok(Limit(None)),
        _ => NanoCpus::parse(text).map(|cpus| Limit(Some(cpus.0))).map_err(|e| e.to_string()),
    }
}

#[derive(Debug, Args)]
pub struct InfoArgs {
    #[arg(value_name = "TYPE")]
    pub service_type: Option<String>,
    /// As the API answers
    #[arg(long)]
    pub json: bool,
}

/// Of what is not there yet.
#[derive(Debug, Args)]
pub struct Rest {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    pub rest: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_a_number_or_a_name_or_that_with_its_type() {
        let object = "redis/cache".parse().unwrap();
        for (text, want) in [
            ("10", Some(Which::Id(10))),
            ("my-database", Some(Which::Slug(Name::parse("my-database").unwrap()))),
            ("redis/cache", Some(Which::Object(object))),
            ("My_Database", None),
            ("nothing/x", None),
            ("", None),
        ] {
            assert_eq!(which(text).ok(), want, "{text}");
        }
    }

    #[test]
    fn limits_are_read_in_units_of_the_brief() {
        for (text, want) in [
            ("512", Some(Some(512))),
            ("512Mi", Some(Some(512))),
            ("2Gi", Some(Some(2048))),
            ("none", Some(None)),
            ("unlimited", Some(None)),
            ("1Ki", None),
            ("lots", None),
            ("-1", None),
        ] {
            assert_eq!(mib(text).ok(), want.map(Limit), "{text}");
        }
        for (text, want) in [("1.5", Some(Some(1_500_000_000))), ("none", Some(None)), ("x", None)] {
            assert_eq!(cores(text).ok(), want.map(Limit), "{text}");
        }
    }

    #[test]
    fn a_setting_is_never_told() {
        let of = |text| setting(text).unwrap();
        assert_eq!(of("database=a=b").name.as_deref(), Some("database"));
        for text in ["password=hunter2", "hunter2", "=hunter2"] {
            assert!(!format!("{:?}", of(text)).contains("hunter2"), "{text}");
        }
        assert_eq!(of("=hunter2").name, None);
    }
}
