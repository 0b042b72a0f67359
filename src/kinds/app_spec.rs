//! An application container as people write it among the `apps` of an environment, and the legal values of that. A Project
//! takes it from its manifest and hands it on, an App runs it: both read it here.

use crate::core::desired::PortMap;
use crate::core::image_ref::ImageReference;
use crate::core::names::ObjectRef;
use crate::core::path;
use crate::core::resource::Caps;
use crate::core::text::quoted;
use crate::manifest::scalar::{Text, truth};
use crate::manifest::secret::{SecretPlace, SecretSource, SecretSpec, ValueFromSpec};
use crate::workload;
use crate::workload::catalog::Catalog;
use crate::workload::check::{Against, Found, Rules, Written};
use crate::workload::spec::{DeletionPolicySpec, PortSpec, PortWord, ResourcesSpec, RestartPolicySpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

/// Docker takes no smaller limit.
const RULES: Rules = Rules { server: "an application", min_memory: 6 << 20, example: "shop:1.4" };
/// What begins so is for what Seawall says to an application itself.
const RESERVED: &str = "SEAWALL_";
/// Seconds.
const MAX_GRACE: u32 = 3_600;
/// Variables, ports and volumes of one application.
const MAX_EACH: usize = 500;

/// A container that runs an application. It finds the variables of the environment's links.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AppSpec {
    #[schemars(example = &"shop:1.4")]
    pub image: Text,
    /// In the place of the image's CMD.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(example = example_command())]
    pub command: Vec<Text>,
    /// Variables beside those of the links.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(example = example_env())]
    pub env: BTreeMap<String, VariableSpec>,
    /// Published ports, as `[HOST_IP:]HOST_PORT:PORT`; without an address on 127.0.0.1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(example = example_ports())]
    pub ports: Vec<Text>,
    /// Volumes of this application's own, as `NAME:PATH`. They outlive its containers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(example = example_volumes())]
    pub volumes: Vec<Text>,
    /// Caps of the container. An absent field is no limit.
    #[serde(default)]
    pub resources: ResourcesSpec,
    /// When it is Ready; absent: when its process runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheckSpec>,
    /// How it gets the variables that have a secret in them.
    #[serde(default, skip_serializing_if = "Injection::is_env")]
    pub injection: Injection,
}

impl AppSpec {
    /// Whether a container of the one is a container of the other: its caps are set while it runs, and by what it is
    /// judged is nothing of the container's.
    #[must_use]
    pub fn has_the_container_of(&self, other: &Self) -> bool {
        let (resources, health_check) = (other.resources.clone(), other.health_check.clone());
        Self { resources, health_check, ..self.clone() } == *other
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Injection {
    /// In the container's environment, which `docker inspect` shows.
    #[default]
    Env,
    /// In a file in the container, from which a launcher puts them into the environment of its process alone.
    File,
}

impl Injection {
    #[must_use]
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
    fn is_env(&self) -> bool {
        *self == Injection::Env
    }
}

/// Its value, or more than that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum VariableSpec {
    Value(Text),
    More(MoreSpec),
}

/// One of `value` and `valueFrom`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MoreSpec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Text>,
    /// A secret, by where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_from: Option<ValueFromSpec>,
    /// It is meant to be found in the place of a link's variable of this name.
    #[serde(default, rename = "override", deserialize_with = "truth")]
    pub overrides: bool,
}

/// Exactly one of `http`, `tcp` and `exec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HealthCheckSpec {
    /// A GET that is answered with a status from 200 to 399.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpSpec>,
    /// A port that takes connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<TcpSpec>,
    /// A command in the container that ends with 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec: Option<ExecSpec>,
    /// How long a new container may take to become healthy before it is given up.
    #[serde(default = "default_grace")]
    pub grace_seconds: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpSpec {
    pub port: u16,
    #[serde(default = "default_path")]
    pub path: Text,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TcpSpec {
    pub port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExecSpec {
    pub command: Vec<Text>,
}

fn default_grace() -> u32 {
    30
}
fn default_path() -> Text {
    Text("/".to_owned())
}
fn example_command() -> serde_json::Value {
    serde_json::json!(["npm", "start"])
}
fn example_env() -> serde_json::Value {
    serde_json::json!({"LOG_LEVEL": "info"})
}
fn example_ports() -> serde_json::Value {
    serde_json::json!(["127.0.0.1:8080:3000"])
}
fn example_volumes() -> serde_json::Value {
    serde_json::json!(["uploads:/var/lib/uploads"])
}

/// An application whose every field is legal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    pub image: ImageReference,
    pub caps: Caps,
    pub force_caps: bool,
    pub command: Vec<String>,
    pub env: BTreeMap<String, Variable>,
    pub ports: Vec<PortMap>,
    /// By path: what they are called among the volumes of the application.
    pub volumes: BTreeMap<String, String>,
    pub health: Health,
    /// Seconds.
    pub grace: u32,
    pub injection: Injection,
}

/// A variable of the application's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub value: Value,
    /// It may be found in the place of a link's.
    pub overrides: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Plain(String),
    Secret(SecretSource, SecretPlace),
}

/// By what it is Ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Its process runs.
    Runs,
    Http {
        port: u16,
        path: String,
    },
    Tcp {
        port: u16,
    },
    Exec(Vec<String>),
}

/// The application at `root` of `found`'s document, which a manifest of `written_in` has at `field` below its spec: there the
/// sealed values in it belong. `None` when a problem was added.
pub fn check(
    spec: &AppSpec,
    (written_in, field): (&ObjectRef, &str),
    host: Option<crate::core::seen::Host>,
    in_force: bool,
    found: &mut Found<'_>,
) -> Option<App> {
    let before = found.problems.len();
    let written = Written {
        version: None,
        image: Some(&spec.image),
        size: None,
        resources: &spec.resources,
        port: &PortSpec::Word(PortWord::None),
        stopped: false,
        deletion_policy: DeletionPolicySpec::Retain,
        restart_policy: RestartPolicySpec::Auto,
    };
    let catalog = Catalog::of(&[]);
    let work =
        workload::check::check(&written, &RULES, &Against { catalog: &catalog, host, in_force }, found);
    let (env, ports) = (env(spec, written_in, field, found), ports(spec, found));
    let (volumes, health) = (volumes(spec, found), health(spec, found));
    let command = words(&spec.command, "spec.command", found);
    let work = work.filter(|_| found.problems.len() == before)?;
    let grace = spec.health_check.as_ref().map_or_else(default_grace, |check| check.grace_seconds);
    Some(App {
        image: work.image,
        caps: work.caps,
        force_caps: work.force_caps,
        command,
        env,
        ports,
        volumes,
        health,
        grace,
        injection: spec.injection,
    })
}

fn words(all: &[Text], at: &str, found: &mut Found<'_>) -> Vec<String> {
    if all.iter().any(|word| word.0.contains('\0')) {
        found.add(at, "a word has a NUL in it, which no command can have");
    }
    all.iter().map(|word| word.0.clone()).collect()
}

fn env(
    spec: &AppSpec,
    written_in: &ObjectRef,
    field: &str,
    found: &mut Found<'_>,
) -> BTreeMap<String, Variable> {
    let mut env = BTreeMap::new();
    if spec.env.len() > MAX_EACH {
        found.add("spec.env", format!("has {} variables; at most {MAX_EACH}", spec.env.len()));
    }
    for (name, written) in spec.env.iter().take(MAX_EACH) {
        let at = path::field("spec.env", name);
        if let Some(why) = no_name(name) {
            found.add(&at, why);
            continue;
        }
        let (value, overrides) = match written {
            VariableSpec::Value(Text(value)) => (Some(Value::Plain(value.clone())), false),
            VariableSpec::More(more) => match (&more.value, &more.value_from) {
                (Some(Text(value)), None) => (Some(Value::Plain(value.clone())), more.overrides),
                (None, Some(from)) => {
                    let place = SecretPlace::new(written_in, &path::field(&format!("{field}.env"), name));
                    let value = match (SecretSpec { value_from: from.clone() }).source(&place) {
                        Ok(source) => Some(Value::Secret(source, place)),
                        Err((below, why)) => {
                            found.add(&format!("{at}.{below}"), why);
                            None
                        }
                    };
                    (value, more.overrides)
                }
                _ => {
                    found.add(&at, "needs one of value and valueFrom");
                    (None, false)
                }
            },
        };
        if matches!(&value, Some(Value::Plain(text)) if text.contains('\0')) {
            found.add(&at, "has a NUL in it, which no variable can have");
        }
        env.extend(value.map(|value| (name.clone(), Variable { value, overrides })));
    }
    env
}

/// As a shell writes them, so that every program can read them.
fn no_name(name: &str) -> Option<String> {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    let legal = name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit());
    if !legal || name.len() > 256 {
        return Some("a variable is called by letters, digits and underscores, no digit first".to_owned());
    }
    name.starts_with(RESERVED).then(|| format!("names that begin with {RESERVED} are reserved"))
}

fn ports(spec: &AppSpec, found: &mut Found<'_>) -> Vec<PortMap> {
    let (mut ports, mut taken) = (Vec::new(), BTreeSet::new());
    for (n, Text(text)) in spec.ports.iter().enumerate().take(MAX_EACH) {
        let at = path::item("spec.ports", n);
        match port(text) {
            Ok(map) if !taken.insert((map.host_ip, map.host)) => {
                found.add(&at, format!("port {}:{} is published twice", map.host_ip, map.host));
            }
            Ok(map) => ports.push(map),
            Err(why) => found.add(&at, why),
        }
    }
    // As the engine tells them.
    ports.sort();
    ports
}

fn port(text: &str) -> Result<PortMap, String> {
    let write = || format!("write [HOST_IP:]HOST_PORT:PORT, as in 127.0.0.1:8080:3000, not {}", quoted(text));
    if text.contains('/') {
        return Err(format!("only TCP is published; {}", write()));
    }
    let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(write);
    let (rest, container) = text.rsplit_once(':').ok_or_else(write)?;
    let (host_ip, host) = match rest.rsplit_once(':') {
        None => (IpAddr::V4(Ipv4Addr::LOCALHOST), rest),
        Some((ip, host)) => {
            let ip = ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')).unwrap_or(ip);
            (ip.parse().map_err(|_| write())?, host)
        }
    };
    Ok(PortMap { container: number(container)?, host_ip, host: number(host)? })
}

fn volumes(spec: &AppSpec, found: &mut Found<'_>) -> BTreeMap<String, String> {
    let (mut volumes, mut names) = (BTreeMap::new(), BTreeSet::new());
    for (n, Text(text)) in spec.volumes.iter().enumerate().take(MAX_EACH) {
        let at = path::item("spec.volumes", n);
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let parts = text.split_once(':').map(|(name, path)| (name, path.trim_end_matches('/')));
        let (name, inside) = match parts {
            Some((name, path)) if !name.is_empty() && path.starts_with('/') => (name, path),
            _ => {
                let why = format!("write NAME:/PATH, as in uploads:/var/lib/uploads, not {}", quoted(text));
                found.add(&at, why);
                continue;
            }
        };
        if name.contains(['/', '.', '~']) {
            found.add(&at, "directories of this machine are not mounted: give the name of a volume");
        } else if !name.chars().all(legal) || name.len() > 40 {
            found.add(&at, "a volume is called by lower-case letters, digits and dashes, 40 at most");
        } else if inside.contains(':') || inside.split('/').any(|step| step == ".." || step == ".") {
            found.add(&at, format!("{} is no path in a container", quoted(inside)));
        } else if !names.insert(name) {
            found.add(&at, format!("volume {name} is mounted twice"));
        } else if volumes.insert(inside.to_owned(), name.to_owned()).is_some() {
            found.add(&at, format!("two volumes are mounted at {inside}"));
        }
    }
    volumes
}

fn health(spec: &AppSpec, found: &mut Found<'_>) -> Health {
    let Some(check) = &spec.health_check else { return Health::Runs };
    if !(1..=MAX_GRACE).contains(&check.grace_seconds) {
        let why = format!("{} is not from 1 to {MAX_GRACE}", check.grace_seconds);
        found.add("spec.healthCheck.graceSeconds", why);
    }
    let mut port = |port: u16, at: &str| {
        if port == 0 {
            found.add(at, "0 is no port");
        }
    };
    match (&check.http, &check.tcp, &check.exec) {
        (Some(http), None, None) => {
            port(http.port, "spec.healthCheck.http.port");
            let path = &http.path.0;
            if !path.starts_with('/') || path.chars().any(|c| c.is_whitespace() || c.is_control()) {
                found.add("spec.healthCheck.http.path", "a path begins with / and has no blanks");
            }
            Health::Http { port: http.port, path: path.clone() }
        }
        (None, Some(tcp), None) => {
            port(tcp.port, "spec.healthCheck.tcp.port");
            Health::Tcp { port: tcp.port }
        }
        (None, None, Some(exec)) => {
            if exec.command.is_empty() {
                found.add("spec.healthCheck.exec.command", "is empty");
            }
            Health::Exec(words(&exec.command, "spec.healthCheck.exec.command", found))
        }
        _ => {
            found.add("spec.healthCheck", "needs one of http, tcp and exec");
            Health::Runs
        }
    }
}

#[cfg(test)]
#[path = "app_spec_tests.rs"]
mod tests;
