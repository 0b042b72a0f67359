//! The arguments, as clap reads them.

use super::access::{AuditArgs, TokenVerb};
use super::backups::{BackupVerb, RestoreVerb};
use super::complete;
use super::format::Output;
use super::habits;
use super::inspections::{self, InspectArgs, KillArgs};
use super::marks::{Mark, mark};
use super::named::Named;
use super::remote::ServerFlags;
use super::services::ServicesVerb;
use super::settings::{ListenFlags, MetricsAddr};
use crate::control::registry::Kinds;
use crate::core::condition::Truth;
use crate::core::duration::duration;
use crate::core::event::EventType;
use crate::core::names::{Kind, Name, ObjectRef};
use crate::http::dial::ServerUrl;
use crate::http::select::Labels;
use crate::kinds::{About, Client, Panel};
use crate::manifest::secret::SecretPlace;
use crate::secrets::{Algorithm, PublicKey};
use clap::{Args as ClapArgs, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

const AFTER: &str = "\
Examples:
  seawall run --manifests manifests      make it so, and keep it so
  seawall plan                           what the next pass would do, and why
  seawall get -w                         watch it happen
  seawall describe @/main         what is wrong, and how to connect
  seawall psql main -- -c 'select 1'     straight in

Exit codes:
  0  done, and all is well            plan: nothing to do
  1  an error, wrong usage, problems, not found, timed out
  2  plan: something to do           services: something is not said
  3  get: removals are held back

Settings may also be keys of seawall.yaml in the working or the data directory:
data, keyFile, installation, dockerHost, manifests, envFileRoot, removalGrace,
deletionGrace, metricsAddr, listen, tlsCert, tlsKey, behindProxy, socket,
socketGroup.";

/// Databases on plain Docker, as files in git
#[derive(Debug, Parser)]
#[command(name = "seawall", version, after_help = AFTER)]
pub struct Args {
    #[command(flatten)]
    pub flags: Flags,
    #[command(subcommand)]
    pub verb: Verb,
}

/// What can be set for every verb.
#[derive(Clone, Debug, Default, ClapArgs)]
#[command(next_help_heading = "Settings")]
pub struct Flags {
    /// Store, key and socket; ~/.seawall, as root /var/lib/seawall [env: SEAWALL_DATA]
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The key that seals passwords; DATA/encryption_key [env: SEAWALL_KEY_FILE]
    #[arg(long, global = true, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Prefix of everything on the engine; "default" has none [env: SEAWALL_INSTALLATION]
    #[arg(long, global = true, value_name = "NAME")]
    pub installation: Option<String>,
    /// Where commands reach the operator; DATA/seawall.sock [env: SEAWALL_SOCKET]
    #[arg(long, global = true, value_name = "FILE")]
    pub socket: Option<PathBuf>,
    /// The Docker engine [env: SEAWALL_DOCKER_HOST, DOCKER_HOST]
    #[arg(long, global = true, value_name = "URL")]
    pub docker_host: Option<String>,
    /// The manifests; ./manifests when there is one [env: SEAWALL_MANIFESTS]
    #[arg(long, global = true, value_name = "DIR")]
    pub manifests: Option<PathBuf>,
    /// Env files may lie below it; the manifests; repeatable [env: SEAWALL_ENV_FILE_ROOT]
    #[arg(long, global = true, value_name = "DIR")]
    pub env_file_root: Vec<PathBuf>,
    /// A container goes once its manifest was gone for so long; 30s [env: SEAWALL_REMOVAL_GRACE]
    #[arg(long, global = true, value_name = "TIME", value_parser = duration)]
    pub removal_grace: Option<Duration>,
    /// Data that a manifest gave up go once it was gone for so long; 10m [env: SEAWALL_DELETION_GRACE]
    #[arg(long, global = true, value_name = "TIME", value_parser = duration)]
    pub deletion_grace: Option<Duration>,
    /// Where run serves /metrics; 127.0.0.1:9188, or off [env: SEAWALL_METRICS_ADDR]
    #[arg(long, global = true, value_name = "ADDR")]
    pub metrics_addr: Option<MetricsAddr>,
    #[command(flatten)]
    pub server: ServerFlags,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run the operator
    Run(RunArgs),
    /// Check manifests, all problems at once; exit 1 when there are any
    Validate(DirArg),
    /// Show what the next pass would do; exit 0 nothing, 2 something, 1 error
    Plan(PlanArgs),
    /// List objects; exit 3 while removals are held back
    Get(GetArgs),
    /// Everything about one object, the worst first
    Describe(ObjectsArg),
    /// What is wrong with it, and what to do, by some twenty checks; exit 1 when one is red
    Diagnose(DiagnoseArgs),
    /// What happened
    Events(EventsArgs),
    /// What containers use right now: CPU, memory, disk and network I/O
    Top(TopArgs),
    /// What an object used and did over time: its series, or one as a chart
    History(HistoryArgs),
    /// Memory and CPU by up to seven days of use, as the YAML to commit
    Recommend(RecommendArgs),
    /// Wait for a condition; exit 1 when it times out
    Wait(WaitArgs),
    /// Make, link, change and remove services without a file
    #[command(visible_alias = "svc")]
    Services {
        #[command(subcommand)]
        verb: Box<ServicesVerb>,
    },
    /// Take backups, list and remove them
    Backup {
        #[command(subcommand)]
        verb: BackupVerb,
    },
    /// Put a backup into a new service
    Restore {
        #[command(subcommand)]
        verb: RestoreVerb,
    },
    /// How to connect to a database
    Connection(ConnectionArgs),
    /// Print the manifest that gives an environment of a project a database on a service; link test: try one
    Link(Box<LinkArgs>),
    /// Say how to take such a database away again, and what becomes of it
    Unlink(UnlinkArgs),
    /// The variables that an environment of a project gets from its links
    Env(EnvArgs),
    /// Run a program on this machine with these variables
    Exec(ExecArgs),
    /// The client program of a kind, under its own name.
    #[command(skip)]
    Client(ClientArgs),
    #[command(skip)]
    Panel(PanelArgs),
    #[command(skip)]
    Inspect(InspectArgs),
    #[command(skip)]
    Kill(KillArgs),
    /// Of a script: what may come next.
    #[command(skip)]
    Complete(Vec<String>),
    /// The log of an object's container
    Logs(LogsArgs),
    /// Stop a database, keeping container and data
    Stop(OperateArgs),
    /// Start a stopped database
    Start(OperateArgs),
    /// Restart a database
    Restart(OperateArgs),
    /// Give a database, or who is linked to one, a new password
    Rotate(RotateArgs),
    /// Keep a database under another name: its manifest has the new one already
    Rename(RenameArgs),
    /// Give up the port that is kept for an object without a manifest
    ReleasePort(ObjectArg),
    /// Throw away what a failed initialisation left, and start over
    Reinitialise(ReinitialiseArgs),
    /// Create or change objects that no manifest holds, as their documents say
    Apply(ApplyArgs),
    /// Change an object that no manifest holds in $VISUAL or $EDITOR
    Edit(EditArgs),
    /// Set labels of an object that no manifest holds, or with KEY- take them away
    Label(MarkArgs),
    /// Set annotations of one, or with KEY- take them away
    Annotate(MarkArgs),
    /// Remove an object that no manifest holds; with --confirm, its data
    Delete(DeleteArgs),
    /// Show which removals are held back, or let them go
    Prune(ConfirmArg),
    /// Seal a secret from standard input for one field of a manifest
    Seal(SealArgs),
    /// The keys that seal the secrets in the store
    Keys {
        #[command(subcommand)]
        verb: KeysVerb,
    },
    /// Tokens, which open the API to whoever shows one
    Token {
        #[command(subcommand)]
        verb: TokenVerb,
    },
    /// Print a link that signs a browser in to the dashboard, once
    Dashboard,
    /// Ask the operator of another machine from now on, by a token
    Login(LoginArgs),
    /// Forget that token, and ask the operator of this machine again
    Logout,
    /// Who saw a password, made a token, deleted data; and who was not let in
    Audit(AuditArgs),
    /// What a field of a manifest is for, and what is below it
    Explain(ExplainArgs),
    /// Print the JSON Schema of manifests
    Schema(SchemaArgs),
    /// Print the store as JSON lines, secrets sealed; or write what was applied as manifests
    Export(ExportArgs),
    /// Rebuild the store from manifests, labels and volumes
    Recover(ConfirmArg),
    /// Check engine, permissions, store, key file, disk and clock; exit 1 when one fails
    Doctor,
    /// Print completions for a shell
    Completion(CompletionArgs),
    /// Versions of this program and of the running operator
    Version,
}

#[derive(Debug, ClapArgs)]
pub struct RunArgs {
    /// One full convergence, then leave: 0 all Ready, 1 something is not, with a table of why
    #[arg(long)]
    pub once: bool,
    /// How logs look; auto: lines on a terminal, otherwise JSON. SEAWALL_LOG sets the level
    #[arg(long, value_enum, default_value_t = LogForm::Auto, value_name = "FORM")]
    pub log: LogForm,
    /// A group whose members may do everything, as who runs it may; with --socket [env: SEAWALL_SOCKET_GROUP]
    #[arg(long, value_name = "GROUP")]
    pub socket_group: Option<String>,
    #[command(flatten)]
    pub listen: ListenFlags,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogForm {
    Auto,
    Lines,
    Json,
}

#[derive(Debug, ClapArgs)]
pub struct DirArg {
    /// A directory of manifests
    pub dir: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Legend:  + create   ~ change in place   -/+ replace   - delete   ! needs your consent   … waits

  seawall plan                the manifests in force
  seawall plan ./manifests    these files instead, nothing is committed
  seawall plan main.yaml      what it names alone; other manifests stay as they are")]
pub struct PlanArgs {
    /// Plan for the manifests in this directory instead, or for those in this file beside the others
    #[arg(value_name = "DIR|FILE")]
    pub dir: Option<PathBuf>,
    #[arg(short, long, value_enum, default_value_t = PlanForm::Text)]
    pub output: PlanForm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TopForm {
    Text,
    /// And what goes on inside: connections, sizes, cache hits, transactions
    Wide,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlanForm {
    Text,
    Json,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
  seawall get
  seawall get @ -o wide
  seawall get @/main -o jsonpath='{.status.endpoint.hostPort}'")]
pub struct GetArgs {
    /// KIND, KIND/NAME…, KIND NAME… or NAME…; everything when absent, or all
    #[arg(value_name = "KIND[/NAME]")]
    pub what: Vec<String>,
    /// Only those with these labels: team=shop,tier!=test
    #[arg(short = 'l', long, value_name = "LABELS")]
    pub selector: Option<Labels>,
    /// And a column of their labels
    #[arg(long)]
    pub show_labels: bool,
    /// Only rows
    #[arg(long)]
    pub no_headers: bool,
    /// wide, yaml, json, name, jsonpath=TEMPLATE or custom-columns=HEADER:PATH,…
    #[arg(short, long, value_name = "FORM")]
    pub output: Option<Output>,
    /// Keep printing rows that change
    #[arg(short, long)]
    pub watch: bool,
}

#[derive(Debug, ClapArgs)]
pub struct ObjectArg {
    /// For example @/main
    #[arg(value_name = "[KIND/]NAME")]
    pub object: Named,
}

#[derive(Debug, ClapArgs)]
pub struct ObjectsArg {
    /// For example @/main, or main where only one is called so; also several, or KIND NAME…
    #[arg(value_name = "[KIND/]NAME", required = true)]
    pub objects: Vec<Named>,
}

#[derive(Debug, ClapArgs)]
pub struct OperateArgs {
    #[command(flatten)]
    pub of: ObjectsArg,
    #[command(flatten)]
    pub wait: WaitFlags,
}

#[derive(Debug, ClapArgs)]
pub struct WaitFlags {
    /// Say how far it is, and return once it is done; so it is on a terminal
    #[arg(long)]
    pub wait: bool,
    /// Return at once, as where there is no terminal
    #[arg(long, conflicts_with = "wait")]
    pub no_wait: bool,
    /// How long to wait
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5m")]
    pub timeout: Duration,
}

#[derive(Debug, ClapArgs)]
pub struct DiagnoseArgs {
    /// For example @/main
    #[arg(value_name = "[KIND/]NAME")]
    pub object: Named,
    #[arg(short, long, value_enum, default_value_t = PlanForm::Text)]
    pub output: PlanForm,
    /// The same as -o json
    #[arg(long, conflicts_with = "output")]
    pub json: bool,
}

#[derive(Debug, ClapArgs)]
pub struct RenameArgs {
    /// The name that no manifest has any more
    #[arg(value_name = "[KIND/]OLD")]
    pub old: Named,
    /// The one in the manifest now
    #[arg(value_name = "[KIND/]NEW")]
    pub new: Named,
}

#[derive(Debug, ClapArgs)]
pub struct EventsArgs {
    /// Only of this object; --for KIND/NAME says the same
    #[arg(value_name = "[KIND/]NAME")]
    pub object: Option<Named>,
    #[arg(long = "for", value_name = "[KIND/]NAME", conflicts_with = "object", hide = true)]
    pub about: Option<Named>,
    /// Only of these types: Warning, Normal
    #[arg(long, value_name = "TYPE", value_delimiter = ',', value_parser = event_type)]
    pub types: Vec<EventType>,
    /// Only what was last seen so long ago at most
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub since: Option<Duration>,
    /// Only the last ones
    #[arg(long, value_name = "LINES")]
    pub tail: Option<usize>,
    /// json: a list; with -w one a line
    #[arg(short, long, value_enum, default_value_t = PlanForm::Text)]
    pub output: PlanForm,
    /// Keep printing new ones
    #[arg(short, long)]
    pub watch: bool,
}

#[derive(Debug, ClapArgs)]
pub struct TopArgs {
    /// Only this one; everything that has containers when absent
    #[arg(value_name = "[KIND/]NAME")]
    pub object: Option<Named>,
    /// Again every 5 seconds
    #[arg(short, long)]
    pub watch: bool,
    #[arg(short, long, value_enum, default_value_t = TopForm::Text)]
    pub output: TopForm,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
  seawall history @/main
  seawall history @/main --metric memory_bytes --since 24h")]
pub struct HistoryArgs {
    #[arg(value_name = "[KIND/]NAME")]
    pub object: Named,
    /// One series, as a chart; all of them when absent
    #[arg(long, value_name = "NAME", value_parser = metric)]
    pub metric: Option<String>,
    /// How far back, at most 7d; up to 2h a point each 30 s, beyond each 5 min
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "6h")]
    pub since: Duration,
    #[arg(short, long, value_enum, default_value_t = HistoryForm::Text)]
    pub output: HistoryForm,
}

#[derive(Debug, ClapArgs)]
pub struct RecommendArgs {
    /// Only this one; everything that has containers when absent
    #[arg(value_name = "[KIND/]NAME")]
    pub object: Option<Named>,
    #[arg(short, long, value_enum, default_value_t = PlanForm::Text)]
    pub output: PlanForm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HistoryForm {
    Text,
    Json,
    Csv,
}

fn event_type(text: &str) -> Result<EventType, String> {
    let all = [EventType::Warning, EventType::Normal];
    let found = all.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text));
    found.ok_or_else(|| format!("{text:?}: write Warning or Normal"))
}

fn metric(text: &str) -> Result<String, String> {
    let is = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    match text {
        "" => Err("it has no name".to_owned()),
        text if text.chars().all(is) => Ok(text.to_owned()),
        text => Err(format!("{text:?} is no name of a series; seawall history KIND/NAME lists them")),
    }
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "  seawall wait @/main --for=condition=Ready --timeout=60s")]
pub struct WaitArgs {
    #[arg(value_name = "[KIND/]NAME")]
    pub object: Named,
    /// condition=TYPE[=True|False|Unknown] or delete
    #[arg(long = "for", value_name = "WHAT", value_parser = goal)]
    pub goal: Goal,
    /// 60s, 5m, 1h30m
    #[arg(long, value_parser = duration, default_value = "30s")]
    pub timeout: Duration,
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goal {
    Condition {
        kind: String,
        status: Truth,
    },
    /// Ready is False because that is what was asked for; nobody can write it.
    Stopped,
    Delete,
}

fn goal(text: &str) -> Result<Goal, String> {
    if text == "delete" {
        return Ok(Goal::Delete);
    }
    let wrong = || format!("{text:?}: write condition=Ready, condition=Degraded=False or delete");
    let rest = text.strip_prefix("condition=").ok_or_else(wrong)?;
    let (kind, status) = rest.split_once('=').unwrap_or((rest, "True"));
    let status = match status.to_ascii_lowercase().as_str() {
        "true" => Truth::True,
        "false" => Truth::False,
        "unknown" => Truth::Unknown,
        _ => return Err(wrong()),
    };
    if kind.is_empty() { Err(wrong()) } else { Ok(Goal::Condition { kind: kind.to_owned(), status }) }
}

/// `shop/production`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentRef {
    pub object: ObjectRef,
    pub environment: String,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("{text:?}: write NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

fn environment(text: &str) -> Result<EnvironmentRef, String> {
    let kind = Kinds::of_environments();
    let wrong =
        || format!("{text:?}: write {}/ENVIRONMENT, shop/production say", kind.lower().to_uppercase());
    let full = format!("{}/", kind.lower());
    let (name, environment) = text.strip_prefix(&full).unwrap_or(text).split_once('/').ok_or_else(wrong)?;
    let object = format!("{full}{name}").parse::<ObjectRef>().map_err(|e| e.to_string())?;
    if environment.is_empty() {
        return Err(wrong());
    }
    Ok(EnvironmentRef { object, environment: environment.to_owned() })
}

#[derive(Debug, ClapArgs)]
#[command(
    subcommand_negates_reqs = true,
    override_usage = "seawall link <KIND/NAME> <PROJECT/ENVIRONMENT> [OPTIONS]\n       seawall link test <KIND/NAME>"
)]
pub struct LinkArgs {
    #[command(subcommand)]
    pub verb: Option<LinkVerb>,
    #[command(flatten)]
    pub manifest: Option<LinkManifest>,
}

#[derive(Debug, Subcommand)]
pub enum LinkVerb {
    /// Go the way of an application, step by step; exit 1 when a step is not OK
    Test(LinkTestArgs),
}

#[derive(Debug, ClapArgs)]
pub struct LinkTestArgs {
    /// For example link/shop-production-main
    #[arg(value_name = "[KIND/]NAME")]
    pub object: Named,
    #[arg(short, long, value_enum, default_value_t = PlanForm::Text)]
    pub output: PlanForm,
}

#[derive(Debug, ClapArgs)]
pub struct LinkManifest {
    /// The service, @/main say
    #[arg(value_name = "[KIND/]NAME", index = 1)]
    pub service: Named,
    /// For example shop/production
    #[arg(value_name = "PROJECT/ENVIRONMENT", index = 2, value_parser = environment)]
    pub of: EnvironmentRef,
    /// The name of the manifest's object
    #[arg(long, value_parser = Name::parse)]
    pub name: Option<Name>,
    /// The database, if not PROJECT_ENVIRONMENT
    #[arg(long)]
    pub database: Option<String>,
    /// How the names of the variables begin
    #[arg(long)]
    pub prefix: Option<String>,
    /// As whom applications log in: by a login of their own, or as the user of the service itself
    #[arg(long, value_parser = ["tenant", "instance"])]
    pub credentials: Option<String>,
    /// At which keys they get, where it is about keys
    #[arg(long, value_parser = ["prefix", "all"])]
    pub keys: Option<String>,
    /// Extensions that the database has, with commas between
    #[arg(long, value_delimiter = ',')]
    pub extensions: Vec<String>,
    /// How many connections to the database there may be at once
    #[arg(long)]
    pub connection_limit: Option<u32>,
    /// What happens to the database once the manifest is gone
    #[arg(long, value_parser = ["Retain", "Delete"])]
    pub deletion_policy: Option<String>,
    /// When the password is rotated by itself: every=90d,window=02:00-04:00,timeZone=Europe/Berlin,grace=1h
    #[arg(long, value_name = "every=TIME,…", value_delimiter = ',', value_parser = pair)]
    pub rotation: Vec<(String, String)>,
    /// Only print it: it is made once it is committed
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, ClapArgs)]
pub struct UnlinkArgs {
    #[command(flatten)]
    pub of: ObjectArg,
    /// Only say it: it is done once the manifest is gone
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, ClapArgs)]
pub struct RotateArgs {
    #[command(flatten)]
    pub of: ObjectArg,
    /// Of a link: end the sessions of the old one at once
    #[arg(long)]
    pub now: bool,
    #[command(flatten)]
    pub wait: WaitFlags,
}

#[derive(Debug, ClapArgs)]
pub struct EnvArgs {
    /// For example shop/production
    #[arg(value_name = "PROJECT/ENVIRONMENT", value_parser = environment)]
    pub of: EnvironmentRef,
    /// With the passwords; leaves an event
    #[arg(long)]
    pub reveal: bool,
    /// For programs on this machine instead of containers on the network
    #[arg(long)]
    pub host: bool,
    #[arg(short, long, value_enum, default_value_t = EnvForm::Dotenv)]
    pub output: EnvForm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EnvForm {
    /// NAME='value', as dotenv reads it
    Dotenv,
    /// export NAME='value'
    Shell,
    Json,
    /// NAME=value, for docker run --env-file
    Docker,
}

#[derive(Debug, ClapArgs)]
pub struct ExecArgs {
    /// For example shop/production
    #[arg(value_name = "PROJECT/ENVIRONMENT", value_parser = environment)]
    pub of: EnvironmentRef,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    pub command: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub struct ConnectionArgs {
    #[arg(value_name = "[KIND/]NAME")]
    pub object: Named,
    /// With the password; leaves an event
    #[arg(long)]
    pub reveal: bool,
    /// url and env: for containers on the network instead of programs on this machine
    #[arg(long)]
    pub network: bool,
    #[arg(short, long, value_enum, default_value_t = ConnectionForm::Text)]
    pub output: ConnectionForm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ConnectionForm {
    Text,
    Url,
    /// NAME='value', as a shell reads it
    Env,
    /// NAME=value, for docker run --env-file: for containers on the network
    Docker,
    Json,
}

/// `seawall psql main -- -c 'select 1'`, and the same of every kind that has a client.
#[derive(Clone, Debug)]
pub struct ClientArgs {
    pub client: &'static Client,
    pub object: ObjectRef,
    /// For the program.
    pub args: Vec<String>,
}

/// `seawall wal main`, and the same of every part of a status that a kind has a verb for.
#[derive(Clone, Debug)]
pub struct PanelArgs {
    pub panel: &'static Panel,
    pub object: ObjectRef,
    pub output: PanelForm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PanelForm {
    Text,
    Json,
    Yaml,
}

/// Parts of a status with a verb, by kind.
fn panels() -> impl Iterator<Item = (Kind, &'static Panel)> {
    let of = |about: About| about.panels.iter().map(move |panel| (about.kind, panel));
    let all: Vec<_> = Kinds::all(None).about().flat_map(of).collect();
    all.into_iter()
}

/// Kinds with a client program.
fn clients() -> impl Iterator<Item = (Kind, &'static Client)> {
    let clients: Vec<_> =
        Kinds::all(None).about().filter_map(|about| Some((about.kind, about.client?))).collect();
    clients.into_iter()
}

/// The kind that a verb is of.
pub(super) fn kind_of(verb: &str) -> Option<Kind> {
    let of_panel = panels().find(|(_, panel)| panel.verb == verb).map(|(kind, _)| kind);
    of_panel.or_else(|| clients().find(|(_, client)| client.verb == verb).map(|(kind, _)| kind))
}

/// The whole command line, with a verb for each client.
#[must_use]
pub fn command() -> clap::Command {
    let mut command = with_examples(Args::command());
    let mut order = 0;
    let verbs: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    for verb in verbs {
        command = command.mut_subcommand(&verb, |c| c.display_order(order));
        order += 1;
        if verb == "describe" {
            for (kind, panel) in panels() {
                command = command.subcommand(panel_verb(kind, panel).display_order(order));
                order += 1;
            }
        }
        if verb == "diagnose" {
            for group in inspections::groups() {
                command = command.subcommand(group.display_order(order));
                order += 1;
            }
        }
        if verb == "connection" {
            for (kind, client) in clients() {
                command = command.subcommand(client_verb(kind, client).display_order(order));
                order += 1;
            }
        }
    }
    command
}

/// Examples are of the first kind for which something runs: `@` stands for it.
fn with_examples(mut command: clap::Command) -> clap::Command {
    let of = Kinds::all(None)
        .about()
        .find(|about| about.client.is_some())
        .map_or("KIND", |about| about.kind.lower());
    if let Some(text) = command.get_after_help().map(|text| text.to_string().replace('@', of)) {
        command = command.after_help(text);
    }
    let arguments: Vec<(clap::Id, String)> = command
        .get_arguments()
        .filter_map(|argument| Some((argument.get_id().clone(), argument.get_help()?.to_string())))
        .filter(|(_, help)| help.contains('@'))
        .collect();
    for (id, help) in arguments {
        command = command.mut_arg(id, |argument| argument.help(help.replace('@', of)));
    }
    let verbs: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    for verb in verbs {
        command = command.mut_subcommand(&verb, with_examples);
    }
    command
}

/// An object of this kind, which need not be said.
pub(super) fn name_of(kind: Kind) -> clap::Arg {
    let object = move |text: &str| -> Result<ObjectRef, String> {
        let full = if text.contains('/') { text.to_owned() } else { format!("{}/{text}", kind.lower()) };
        match full.parse::<ObjectRef>() {
            Ok(object) if object.kind != kind => Err(format!("{object} is no {kind}")),
            object => object.map_err(|e| e.to_string()),
        }
    };
    let name = clap::Arg::new("name").required(true).value_name("NAME").value_parser(object);
    name.help(format!("NAME or {}/NAME", kind.lower()))
}

fn panel_verb(kind: Kind, panel: &'static Panel) -> clap::Command {
    let form = clap::Arg::new("output").short('o').long("output").default_value("text");
    let form = form.value_parser(clap::value_parser!(PanelForm)).help("How to print it");
    clap::Command::new(panel.verb).about(panel.about).arg(name_of(kind)).arg(form)
}

fn client_verb(kind: Kind, client: &'static Client) -> clap::Command {
    let rest = clap::Arg::new("args").num_args(0..).last(true);
    clap::Command::new(client.verb)
        .about(format!("Open {} on a database", client.program))
        .arg(name_of(kind))
        .arg(rest.help(format!("Arguments for {}", client.program)))
}

impl Args {
    /// # Errors
    /// Help and version, too.
    pub fn read(argv: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let argv: Vec<OsString> = argv.into_iter().collect();
        if let [_, verb, words @ ..] = &argv[..]
            && verb == complete::VERB
        {
            return Ok(complete::read(words));
        }
        // What is no text is nothing that hands are used to.
        let words = argv.iter().skip(1).map(|word| word.to_str().map(str::to_owned)).collect::<Option<_>>();
        let argv = match (words.map(habits::meant), argv.first()) {
            (Some(Ok(words)), Some(program)) => {
                std::iter::once(program.clone()).chain(words.into_iter().map(OsString::from)).collect()
            }
            (Some(Err(instead)), _) => {
                let kind = clap::error::ErrorKind::InvalidSubcommand;
                return Err(clap::Error::raw(kind, format!("{instead}\n")));
            }
            _ => argv,
        };
        let matches = command().try_get_matches_from(argv)?;
        let missing = || clap::Error::new(clap::error::ErrorKind::MissingRequiredArgument);
        let panel = matches.subcommand().and_then(|(verb, own)| {
            let (_, panel) = panels().find(|(_, panel)| panel.verb == verb)?;
            Some((panel, own.clone()))
        });
        if let Some((panel, mut own)) = panel {
            let flags = Flags::from_arg_matches(&matches)?;
            let object = own.remove_one("name").ok_or_else(missing)?;
            let output = own.remove_one("output").unwrap_or(PanelForm::Text);
            return Ok(Self { flags, verb: Verb::Panel(PanelArgs { panel, object, output }) });
        }
        let asked = matches.subcommand().and_then(|(verb, own)| inspections::read(verb, own));
        if let Some(verb) = asked {
            return Ok(Self { flags: Flags::from_arg_matches(&matches)?, verb });
        }
        let client = matches.subcommand().and_then(|(verb, own)| {
            let (_, client) = clients().find(|(_, client)| client.verb == verb)?;
            Some((client, own.clone()))
        });
        let Some((client, mut own)) = client else { return Self::from_arg_matches(&matches) };
        let flags = Flags::from_arg_matches(&matches)?;
        let object = own.remove_one("name").ok_or_else(missing)?;
        let args = own.remove_many("args").into_iter().flatten().collect();
        Ok(Self { flags, verb: Verb::Client(ClientArgs { client, object, args }) })
    }
}

#[derive(Debug, ClapArgs)]
pub struct LogsArgs {
    #[arg(value_name = "[KIND/]NAME")]
    pub object: Named,
    /// Keep printing
    #[arg(short, long)]
    pub follow: bool,
    /// Only the last lines
    #[arg(short = 'n', long, value_name = "LINES")]
    pub tail: Option<u32>,
    /// Only what was printed so long ago at most
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub since: Option<Duration>,
    /// Only what was printed then or later: 2026-11-30T10:00:00Z
    #[arg(long, value_name = "RFC3339", conflicts_with = "since")]
    pub since_time: Option<Timestamp>,
    /// What was printed before the container's last start; a container that is made anew has a log of its own
    #[arg(short, long, conflicts_with = "follow")]
    pub previous: bool,
}

#[derive(Debug, ClapArgs)]
pub struct ApplyArgs {
    /// The documents, YAML or JSON; - reads standard input
    #[arg(short, long, value_name = "FILE")]
    pub file: String,
    /// Show what would be done, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
  seawall login https://db.example.com:7443
  pass show seawall | seawall login https://db.example.com:7443 --token-file -

The token is kept in ~/.seawall/login.json, mode 600. Without one: SEAWALL_SERVER and SEAWALL_TOKEN.")]
pub struct LoginArgs {
    /// https://HOST:PORT; http:// on this machine only
    pub url: ServerUrl,
    /// Where the token stands; - reads standard input. Otherwise the terminal asks for it
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub struct ExportArgs {
    /// Write each object that was applied to a file there, which takes it over once it is committed
    #[arg(long, value_name = "DIR")]
    pub manifests: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub struct DeleteArgs {
    #[command(flatten)]
    pub of: ObjectsArg,
    /// The object's name, as consent to remove what is there; of one object alone
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
    /// Show what would be done, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, ClapArgs)]
pub struct ReinitialiseArgs {
    #[command(flatten)]
    pub of: ObjectArg,
    /// The object's name, as consent to remove what is there
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "  EDITOR=nano seawall edit @/main")]
pub struct EditArgs {
    #[arg(value_name = "[KIND/]NAME")]
    pub object: Named,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
  seawall label @/main team=shop
  seawall label @/main team=web --overwrite
  seawall label @/main team-                   it has none any more")]
pub struct MarkArgs {
    #[arg(value_name = "[KIND/]NAME")]
    pub object: Named,
    /// KEY=VALUE, or KEY- to take it away
    #[arg(value_name = "KEY=VALUE", required = true, value_parser = mark)]
    pub changes: Vec<Mark>,
    /// Also where it has another value
    #[arg(long)]
    pub overwrite: bool,
    /// Change nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
  seawall explain @.spec.resources
  seawall explain @ --recursive                every field, without its words")]
pub struct ExplainArgs {
    /// A kind, or a field of it with dots between
    #[arg(value_name = "KIND[.FIELD]")]
    pub field: String,
    /// Every field below it
    #[arg(long)]
    pub recursive: bool,
}

#[derive(Debug, ClapArgs)]
pub struct ConfirmArg {
    /// The words that the command without it prints
    #[arg(long, value_name = "WORDS")]
    pub confirm: Option<String>,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "  printf %s \"$SECRET\" | seawall seal --for @/main:password")]
pub struct SealArgs {
    /// The field, below spec: @/main:password
    #[arg(long = "for", value_name = "KIND/NAME:FIELD")]
    pub place: SecretPlace,
    /// What `seawall keys public` printed; asked of the operator when absent
    #[arg(long, value_name = "KEY")]
    pub to: Option<PublicKey>,
}

#[derive(Debug, Subcommand)]
pub enum KeysVerb {
    /// Which keys there are, and how many records each one seals
    List,
    /// Open every sealed record; exit 1 when one does not open
    Verify,
    /// The key that anybody can seal a secret to, for a manifest
    Public,
    /// Seal every record with a new key, then let the old one go
    Rotate {
        /// Use this cipher from now on
        #[arg(long, value_enum)]
        cipher: Option<Cipher>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Cipher {
    #[value(name = "aes-256-gcm")]
    Aes,
    #[value(name = "xchacha20-poly1305")]
    XChaCha,
}

impl From<Cipher> for Algorithm {
    fn from(cipher: Cipher) -> Self {
        match cipher {
            Cipher::Aes => Self::Aes256Gcm,
            Cipher::XChaCha => Self::XChaCha20Poly1305,
        }
    }
}

#[derive(Debug, ClapArgs)]
pub struct SchemaArgs {
    /// All kinds in one when absent
    pub kind: Option<Kind>,
    /// Write every schema file into this directory instead
    #[arg(long, value_name = "DIR", conflicts_with = "kind")]
    pub write: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub struct CompletionArgs {
    pub shell: clap_complete::Shell,
}
