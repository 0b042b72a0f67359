//! `seawall describe`: everything about one object, in the order a person needs at night.

use super::connection::url;
use super::events;
use crate::cli::age::age;
use crate::cli::args::ObjectsArg;
use crate::cli::connect::look;
use crate::cli::format::{object_name, yaml_text};
use crate::cli::named::Among;
use crate::cli::out::{Failure, clean};
use crate::cli::print::{Grid, conditions, paint};
use crate::cli::{Context, Outcome};
use crate::control::api::{Api, ManagedBy, ObjectView};
use crate::control::registry::Kinds;
use crate::core::condition::{self, Condition};
use crate::core::names::ObjectRef;
use jiff::Timestamp;
use serde_json::Value;
use std::io::{self, Write};
use std::sync::Arc;

const EVENTS: usize = 10;

/// Sections of a status, in this order; what is new in a status comes behind them.
const SECTIONS: [&str; 8] =
    ["container", "runtime", "image", "server", "resources", "volume", "endpoint", "credentials"];

/// What a line of the containers shows, and where it is in `status.runtime`.
const RUNTIME: [(&str, &str); 8] = [
    ("CONTAINER", "/container_name"),
    ("IS", "/status"),
    ("RESTARTS", "/restart_count"),
    ("EXIT", "/exit_code"),
    ("OOM KILLED", "/oom_killed"),
    ("OOM KILLS", "/oom_kills"),
    ("LAST END", "/finished_at"),
    ("LIMITS DRIFT", "/limits/drift"),
];

pub async fn run(cx: &mut Context, args: ObjectsArg) -> Outcome {
    let api = look(cx).await?;
    let mut code = 0;
    for (number, named) in args.objects.iter().enumerate() {
        if number > 0 {
            writeln!(cx.out.stdout, "\n")?;
        }
        let shown = match named.find(&api, Among::All).await {
            Ok(object) => one(cx, &api, &object).await,
            Err(error) => Err(error.into()),
        };
        if let Err(failure) = shown {
            code = cx.out.failure(&failure);
        }
    }
    Ok(code)
}

async fn one(cx: &mut Context, api: &Arc<dyn Api>, object: &ObjectRef) -> Result<(), Failure> {
    let view = api.object(object).await?;
    let now = Timestamp::now();
    head(cx, &view, now)?;
    let conditions = conditions(&view);
    let (wrong, fine): (Vec<_>, Vec<_>) =
        conditions.iter().partition(|c| c.kind.is_wrong(c.status, &c.reason));
    section(cx, "Wrong now", &wrong, now)?;
    // An object without credentials has nothing to connect to.
    if let Some(client) = Kinds::all(None).client(object.kind)
        && let Ok(connection) = api.connection(object, false).await
    {
        let out = &mut cx.out.stdout;
        writeln!(out, "\nConnect:")?;
        if let Some(host) = &connection.host {
            writeln!(out, "  from this machine   {}", url(client, &connection, host, Some("****")))?;
        }
        let network = url(client, &connection, &connection.network, Some("****"));
        writeln!(out, "  from {:<14} {network}", connection.network_name)?;
        writeln!(out, "  password            seawall connection {} --reveal", object)?;
    }
    status(cx, &view)?;
    section(cx, "Conditions", &fine, now)?;
    writeln!(cx.out.stdout, "\nSpec:")?;
    indented(cx, &yaml_text(&view.spec))?;
    let events = api.events(Some(object), 0).await?;
    writeln!(cx.out.stdout, "\nEvents:{}", if events.is_empty() { "  none" } else { "" })?;
    let last = events.get(events.len().saturating_sub(EVENTS)..).unwrap_or_default();
    if !last.is_empty() {
        let rows: Vec<_> = last.iter().map(|e| events::row(e, now)).collect();
        let table = Grid::new(&events::HEADER, cx.out.colour).full(&rows);
        indented(cx, &table)?;
    }
    Ok(())
}

fn head(cx: &mut Context, view: &ObjectView, now: Timestamp) -> io::Result<()> {
    let conditions = conditions(view);
    let (phase, source) = condition::phase_and_source(&conditions);
    let phase = paint(&phase, cx.out.colour);
    let out = &mut cx.out.stdout;
    writeln!(out, "Name:      {}", object_name(view))?;
    match source {
        Some(c) => {
            let since = age(&c.last_transition_time, now);
            writeln!(out, "Status:    {phase} for {since}: {}", clean(&c.message))?;
        }
        None => writeln!(out, "Status:    {phase}: nothing is known yet")?,
    }
    let meta = &view.metadata;
    for owner in &meta.owner_references {
        let object = format!("{}/{}", owner.kind.to_lowercase(), owner.name);
        let holds = if owner.controller { "" } else { " (wants it no longer)" };
        writeln!(out, "Owner:     {}{holds}", clean(&object))?;
    }
    let of_api = meta.managed_by == Some(ManagedBy::Api);
    let source = match (meta.source.is_empty(), meta.owner_references.iter().any(|owner| owner.controller)) {
        (true, true) => "none: its owner made it",
        (true, false) if of_api => "none: it was applied",
        (true, false) => "no manifest holds it",
        (false, _) => &meta.source,
    };
    let observed = view.status.get("observedGeneration").and_then(Value::as_u64).unwrap_or(0);
    let behind = if observed < meta.generation { format!(", seen up to {observed}") } else { String::new() };
    writeln!(out, "Manifest:  {source} (generation {}{behind})", meta.generation)?;
    if let Some(since) = &view.not_saved_since {
        writeln!(out, "Saved:     not since {since}: this is held in memory; `seawall get` says why")?;
    }
    writeln!(out, "Created:   {} ({} ago)", meta.creation_timestamp, age(&meta.creation_timestamp, now))?;
    for (title, pairs) in [("Labels:", &meta.labels), ("Notes:", &meta.annotations)] {
        if !pairs.is_empty() {
            let pairs: Vec<String> = pairs.iter().map(|(k, v)| format!("{k}={}", clean(v))).collect();
            writeln!(out, "{title:<10} {}", pairs.join(" "))?;
        }
    }
    Ok(())
}

fn section(cx: &mut Context, title: &str, conditions: &[&Condition], now: Timestamp) -> io::Result<()> {
    if conditions.is_empty() {
        return Ok(());
    }
    let out = &mut cx.out.stdout;
    writeln!(out, "\n{title}:")?;
    for c in conditions {
        let since = age(&c.last_transition_time, now);
        writeln!(out, "  {}={} {} for {since}", c.kind, c.status, c.reason)?;
        if !c.message.is_empty() {
            writeln!(out, "    {}", clean(&c.message))?;
        }
    }
    Ok(())
}

fn status(cx: &mut Context, view: &ObjectView) -> io::Result<()> {
    let Some(status) = view.status.as_object() else { return Ok(()) };
    let rest = status
        .keys()
        .map(String::as_str)
        .filter(|k| !SECTIONS.contains(k) && !matches!(*k, "conditions" | "observedGeneration"));
    for key in SECTIONS.into_iter().chain(rest) {
        let Some(value) = status.get(key).filter(|v| !v.is_null()) else { continue };
        let mut letters = key.chars();
        let title: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
        match value.as_object() {
            _ if key == "runtime" => {
                writeln!(cx.out.stdout, "\n{title}:")?;
                let header = RUNTIME.map(|(header, _)| header);
                let rows: Vec<_> = value.as_array().into_iter().flatten().map(runtime).collect();
                indented(cx, &Grid::new(&header, cx.out.colour).full(&rows))?;
            }
            Some(fields) => {
                writeln!(cx.out.stdout, "\n{title}:")?;
                let width = fields.keys().map(|k| k.chars().count()).max().unwrap_or(0);
                for (name, value) in fields {
                    writeln!(cx.out.stdout, "  {name:width$}  {}", clean(&compact(value)))?;
                }
            }
            None => writeln!(cx.out.stdout, "\n{title}: {}", clean(&compact(value)))?,
        }
    }
    Ok(())
}

/// The line of one container.
fn runtime(member: &Value) -> Vec<String> {
    RUNTIME.iter().map(|(_, path)| member.pointer(path).map_or_else(String::new, compact)).collect()
}

/// A value on one line: `memory 512Mi, cpus 1.5`.
fn compact(value: &Value) -> String {
    let list = |parts: Vec<String>| if parts.is_empty() { "none".to_owned() } else { parts.join(", ") };
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => list(items.iter().map(compact).collect()),
        Value::Object(fields) => list(fields.iter().map(|(k, v)| format!("{k} {}", compact(v))).collect()),
        other => other.to_string(),
    }
}

fn indented(cx: &mut Context, text: &str) -> io::Result<()> {
    text.lines().try_for_each(|line| writeln!(cx.out.stdout, "  {line}"))
}
