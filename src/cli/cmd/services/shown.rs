//! Answers of the service API, for people. Pure.

use crate::cli::age::age;
use crate::cli::format::yaml_text;
use crate::cli::out::{clean, clean_lines};
use crate::cli::print::Grid;
use crate::core::quantity::{Bytes, NanoCpus};
use crate::workload::disk::roughly;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// What ties a service to an environment.
#[derive(Deserialize)]
pub struct Tie {
    pub id: u64,
    pub environment: String,
    pub status: String,
    #[serde(default)]
    pub database: Option<String>,
    pub project: Named,
    pub service: Named,
}

#[derive(Deserialize)]
pub struct Named {
    pub id: u64,
    pub slug: String,
    #[serde(default)]
    pub service_type: Option<String>,
}

impl Tie {
    /// As links are written elsewhere: `shop/production`.
    pub fn whose(&self) -> String {
        format!("{}/{}", self.project.slug, self.environment)
    }
}

/// Those that are told so.
fn ties(answer: &Value) -> Vec<Tie> {
    all(answer).filter_map(|one| serde_json::from_value(one.clone()).ok()).collect()
}

/// A value deep in an answer, as a text; "" for none.
pub fn text(of: &Value, path: &str) -> String {
    match of.pointer(path) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn all(of: &Value) -> impl Iterator<Item = &Value> {
    of.as_array().into_iter().flatten()
}

fn rows(of: &Value, paths: &[&str]) -> Vec<Vec<String>> {
    all(of).map(|one| paths.iter().map(|path| text(one, path)).collect()).collect()
}

/// All that was told.
pub fn plain(answer: &Value, _: bool) -> String {
    clean_lines(&yaml_text(answer))
}

/// `api`, or where its manifest is.
fn owner(service: &Value) -> String {
    match text(service, "/managed_by").as_str() {
        "file" => text(service, "/source"),
        other => other.to_owned(),
    }
}

pub fn list(services: &Value, colour: bool) -> String {
    let now = Timestamp::now();
    let row = |one: &Value| {
        let mut row: Vec<String> = ["/id", "/slug", "/service_type", "/version", "/status", "/health_status"]
            .map(|path| text(one, path))
            .into();
        row.extend([owner(one), age(&text(one, "/created_at"), now)]);
        row
    };
    let rows: Vec<_> = all(services).map(row).collect();
    if rows.is_empty() {
        return "There are no services: seawall services create\n".to_owned();
    }
    let header = ["ID", "NAME", "TYPE", "VERSION", "STATUS", "HEALTH", "MANAGED BY", "AGE"];
    Grid::new(&header, colour).full(&rows)
}

pub fn details(service: &Value, _: bool) -> String {
    let at = |path: &str| text(service, path);
    let image = at("/docker_image");
    let version =
        [at("/service_type"), at("/version"), if image.is_empty() { image } else { format!("({image})") }];
    let version: Vec<String> = version.into_iter().filter(|word| !word.is_empty()).collect();
    let made = format!("{}, {} ago", at("/created_at"), age(&at("/created_at"), Timestamp::now()));
    let caps = caps(&service["limits"]);
    let projects = ties(&service["projects"]);
    let projects =
        projects.iter().map(|tie| format!("{} (id {}, {})", tie.whose(), tie.project.id, tie.status));
    let projects: Vec<String> = projects.collect();
    let mut lines = vec![
        ("Name", at("/slug")),
        ("ID", at("/id")),
        ("Type", version.join(" ")),
        ("Status", format!("{}, {}", at("/status"), at("/health_status"))),
        ("Container", at("/container_name")),
        ("Managed by", owner(service)),
        ("Created", made),
        ("Limits", caps.iter().map(|(name, cap)| format!("{name} {cap}")).collect::<Vec<_>>().join(", ")),
        ("Connection", at("/connection_string")),
        ("Projects", projects.join(", ")),
    ];
    let parameters = service["parameters"].as_object().into_iter().flatten();
    let parameters: Vec<String> =
        parameters.map(|(name, value)| format!("{name}={}", text(value, ""))).collect();
    lines.push(("Parameters", parameters.join(" ")));
    let lines = lines.into_iter().map(|(name, value)| {
        let value = if value.is_empty() { "-".to_owned() } else { clean(&value) };
        format!("{:<12}{value}\n", format!("{name}:"))
    });
    lines.collect()
}

pub fn projects(links: &Value, colour: bool) -> String {
    let row = |tie: Tie| {
        vec![
            tie.project.id.to_string(),
            tie.project.slug,
            tie.environment,
            tie.status,
            tie.database.unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = ties(links).into_iter().map(row).collect();
    if rows.is_empty() {
        return "It is linked to nothing: seawall services link\n".to_owned();
    }
    Grid::new(&["PROJECT ID", "PROJECT", "ENVIRONMENT", "STATUS", "DATABASE"], colour).full(&rows)
}

/// `NAME=value`, a line each.
pub fn variables(variables: &Value, _: bool) -> String {
    let line = |one: &Value| format!("{}={}\n", text(one, "/name"), clean(&text(one, "/value")));
    all(variables).map(line).collect()
}

fn mib(mib: u64) -> String {
    Bytes(mib.saturating_mul(Bytes::MI)).to_string()
}

/// Swap as much as it is above the memory.
fn caps(limits: &Value) -> [(&'static str, String); 3] {
    let of = |name: &str| limits[name].as_u64();
    let memory = of("memory_mb");
    let swap = of("memory_swap_mb").and_then(|all| all.checked_sub(memory?)).filter(|swap| *swap > 0);
    let none = || "unlimited".to_owned();
    [
        ("memory", memory.map_or_else(none, mib)),
        ("swap", swap.map_or_else(|| if memory.is_some() { "none".to_owned() } else { none() }, mib)),
        ("cpus", of("nano_cpus").map_or_else(none, |cpus| NanoCpus(cpus).to_string())),
    ]
}

/// And what came of them, where they were changed.
pub fn limits(answer: &Value, colour: bool) -> String {
    let caps = caps(&answer["limits"]);
    let row = caps.iter().map(|(_, cap)| cap.clone()).collect();
    let mut words = Grid::new(&["MEMORY", "SWAP", "CPUS"], colour).full(&[row]);
    let applied = rows(&answer["applied"], &["/container_name", "/outcome", "/error"]);
    if !applied.is_empty() {
        words += "\n";
        words += &Grid::new(&["CONTAINER", "OUTCOME", "ERROR"], colour).full(&applied);
    }
    words
}

pub fn runtime(answer: &Value, colour: bool) -> String {
    let row = |one: &Value| {
        let caps = |of: &str| caps(&one[of]).map(|(name, cap)| format!("{name} {cap}")).join(", ");
        let mut row: Vec<String> =
            ["/container_name", "/status", "/restart_count", "/oom_killed", "/exit_code"]
                .map(|path| text(one, path))
                .into();
        let drift = one["drift"] == true;
        let configured =
            if drift { format!(" (configured: {})", caps("configured_limits")) } else { String::new() };
        row.push(caps("resource_limits") + &configured);
        row
    };
    let rows: Vec<_> = all(&answer["members"]).map(row).collect();
    Grid::new(&["CONTAINER", "STATUS", "RESTARTS", "OOM KILLED", "EXIT CODE", "LIMITS IN FORCE"], colour)
        .full(&rows)
}

pub fn stats(answer: &Value, colour: bool) -> String {
    let percent = |of: &Value| of.as_f64().map(|number| format!("{number:.1}%")).unwrap_or_default();
    let row = |one: &Value| {
        let size = |bytes: u64| {
            // A limit as it was written.
            if bytes.is_multiple_of(Bytes::MI) { Bytes(bytes).to_string() } else { roughly(bytes) }
        };
        let bytes = |name: &str| one[name].as_u64().map(size).unwrap_or_default();
        vec![
            text(one, "/container_name"),
            percent(&one["cpu_percent"]),
            bytes("memory_usage_bytes"),
            bytes("memory_limit_bytes"),
            percent(&one["memory_percent"]),
        ]
    };
    let rows: Vec<_> = all(&answer["members"]).map(row).collect();
    Grid::new(&["CONTAINER", "CPU%", "MEMORY", "OF", "MEMORY%"], colour).full(&rows)
}

pub fn health(answer: &Value, colour: bool) -> String {
    let head = format!("{}: {}\n\n", text(answer, "/health_status"), clean(&text(answer, "/message")));
    let rows = rows(&answer["conditions"], &["/type", "/status", "/reason", "/message"]);
    head + &Grid::new(&["CONDITION", "STATUS", "REASON", "MESSAGE"], colour).full(&rows)
}

/// What is not as it should be.
pub fn troubles(health: &Value) -> String {
    let wrong = all(&health["conditions"]).filter(|one| {
        let is = |kind: &str, status: &str| one["type"] == kind && one["status"] == status;
        is("Degraded", "True") || is("Stalled", "True") || is("Paused", "True")
    });
    let line = |one: &Value| format!("  {}: {}\n", text(one, "/reason"), clean(&text(one, "/message")));
    wrong.map(line).collect()
}

pub fn types(types: &Value, _: bool) -> String {
    all(types).map(|word| text(word, "") + "\n").collect()
}

/// Of a type; a star stands where a new service needs one.
pub fn parameters(schema: &Value, colour: bool) -> String {
    let required = |name: &str| all(&schema["required"]).any(|one| one == name);
    let row = |(name, about): (&String, &Value)| {
        let stays = if about["x-editable"] == false { "stays" } else { "can be changed" };
        let description = text(about, "/description");
        // The rest is in its schema.
        let sentence = description.split_inclusive(". ").next().unwrap_or_default().trim_end().to_owned();
        vec![name.clone(), if required(name) { "yes" } else { "no" }.to_owned(), stays.to_owned(), sentence]
    };
    let rows: Vec<_> = schema["properties"].as_object().into_iter().flatten().map(row).collect();
    Grid::new(&["PARAMETER", "NEEDED", "LATER", "WHAT IT IS"], colour).full(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn swap_is_told_as_what_it_is_above_the_memory() {
        for (memory, all, cpus, want) in [
            (json!(512), json!(768), json!(1_500_000_000), ["512Mi", "256Mi", "1.5"]),
            (json!(1024), json!(1024), Value::Null, ["1Gi", "none", "unlimited"]),
            (Value::Null, Value::Null, Value::Null, ["unlimited"; 3]),
        ] {
            let limits = json!({"memory_mb": memory, "memory_swap_mb": all, "nano_cpus": cpus});
            assert_eq!(caps(&limits).map(|(_, cap)| cap), want, "{limits}");
        }
    }

    #[test]
    fn nothing_of_an_answer_is_obeyed_by_a_terminal() {
        let odd = json!([{"name": "A", "value": "\x1b[2J"}]);
        assert_eq!(variables(&odd, false), "A=\\u{1b}[2J\n");
        assert!(!list(&json!([{"id": 1, "slug": "\x1b[2J"}]), false).contains('\x1b'));
        assert!(!details(&json!({"slug": "\x1b[2J"}), false).contains('\x1b'));
        assert!(!plain(&json!({"a": "\x1b[2J"}), false).contains('\x1b'));
    }

    #[test]
    fn a_drift_is_told_with_what_is_configured() {
        let member = |drift| json!({"container_name": "c", "drift": drift, "resource_limits": {"memory_mb": 256}, "configured_limits": {"memory_mb": 512}});
        let words = runtime(&json!({"members": [member(true)]}), false);
        assert!(words.contains("memory 256Mi") && words.contains("(configured: memory 512Mi"), "{words}");
        assert!(!runtime(&json!({"members": [member(false)]}), false).contains("configured"));
    }
}
