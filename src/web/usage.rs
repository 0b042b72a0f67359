//! The Resources card: what containers are, and what they use right now.

use super::gate::need;
use super::layout::{Answer, Page};
use super::object::At;
use super::parts::{State as How, bar, field, or_dash, pill, seen, size};
use super::session::Visitor;
use crate::control::api::{Api, MemberUse, ObjectView, TopItem};
use crate::core::access::Permission;
use crate::core::duration::human;
use axum::Extension;
use axum::extract::State;
use jiff::Timestamp;
use maud::{Markup, html};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long a page waits for a sample.
const SAMPLE: Duration = Duration::from_secs(2);

/// The card's second half alone: what is polled every five seconds.
pub async fn part(State(api): State<Arc<dyn Api>>, Extension(visitor): Extension<Visitor>, at: At) -> Answer {
    need(&visitor.caller, Permission::ExternalServicesRead)?;
    Ok(Page(usage(api.as_ref(), &at).await))
}

/// What it uses, which comes anew by itself.
pub async fn usage(api: &dyn Api, at: &At) -> Markup {
    let list = timeout(SAMPLE, api.top(Some(&at.0))).await.ok().and_then(Result::ok).unwrap_or_default();
    let name = at.0.to_string();
    let item = list.items.iter().find(|item| item.object == name);
    html! {
        div #usage hx-get={ (at.address()) "/usage" } hx-trigger="every 5s" hx-swap="outerHTML" {
            @match item.filter(|item| !item.members.is_empty()) {
                None => { p.quiet { "What it uses is not known: no container of it answers." } },
                Some(item) => {
                    @for member in &item.members { (used(item, member)) }
                    (inside(item))
                },
            }
            (seen(Timestamp::now()))
        }
    }
}

fn used(item: &TopItem, member: &MemberUse) -> Markup {
    let cpu = member.cpu_cores.zip(member.cpu_limit_cores);
    let memory = member.memory_usage_bytes.zip(member.memory_limit_bytes);
    let rates = |one: Option<u64>, other: Option<u64>, [to, from]: [&str; 2]| {
        one.zip(other).map(|(one, other)| format!("{}/s {to}, {}/s {from}", size(one), size(other)))
    };
    html! {
        @if item.members.len() > 1 { h3 { (member.role) } }
        dl.figures {
            div {
                dt { "Memory" }
                dd {
                    @match memory {
                        Some((bytes, most)) => { (size(bytes)) span.quiet { " of " (size(most)) " (" (member.memory_of.as_str()) ")" } },
                        None => { (or_dash(None)) },
                    }
                    @if let Some(percent) = member.memory_percent { (bar(percent)) }
                }
            }
            div {
                dt { "CPU" }
                dd {
                    @match cpu {
                        Some((cores, of)) => { (format!("{cores:.2}")) span.quiet { " of " (of) (if (of - 1.0).abs() < 1e-9 { " core (" } else { " cores (" }) (member.cpu_of.as_str()) ")" } },
                        None => { (or_dash(None)) },
                    }
                    @if let Some(percent) = member.cpu_percent { (bar(percent)) }
                }
            }
            div { dt { "Disk" } dd { (or_dash(rates(member.block_read_bytes_per_second, member.block_write_bytes_per_second, ["read", "written"]))) } }
            div { dt { "Network" } dd { (or_dash(rates(member.network_receive_bytes_per_second, member.network_transmit_bytes_per_second, ["in", "out"]))) } }
        }
    }
}

fn inside(item: &TopItem) -> Markup {
    let inside = &item.inside;
    let connections = inside.connections_used.zip(inside.max_connections);
    let all = [
        ("Connections", connections.map(|(used, most)| format!("{used} of {most}"))),
        ("Data", inside.size_bytes.map(size)),
        ("WAL", inside.wal_bytes.map(size)),
        ("Cache hits", inside.cache_hit_ratio.map(|ratio| format!("{:.1}%", ratio * 100.0))),
        ("Transactions", inside.transactions_per_second.map(|rate| format!("{rate:.1}/s"))),
        ("Oldest transaction", inside.longest_transaction_secs.map(human)),
    ];
    html! {
        @if all.iter().any(|(_, text)| text.is_some()) {
            dl.figures { @for (name, text) in all { div { dt { (name) } dd { (or_dash(text)) } } } }
        }
    }
}

/// What the engine says of each container, and which limits it keeps.
pub fn runtime(view: &ObjectView) -> Markup {
    let members = view.status.get("runtime").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    html! {
        @if members.is_empty() { p.quiet { "There is no container of it." } } @else {
            table.list.small {
                thead { tr {
                    th scope="col" { "Container" } th scope="col" { "Is" } th.number scope="col" { "Restarts" }
                    th scope="col" { "Out of memory" } th scope="col" { "Limits" }
                } }
                tbody { @for member in members { (container(member, How::of(view).class)) } }
            }
        }
    }
}

/// `whole`: how the object is; what was stopped on purpose is no failure.
fn container(member: &Value, whole: &'static str) -> Markup {
    let running = member["status"] == "running";
    let drift = member.pointer("/limits/drift") == Some(&Value::Bool(true));
    let kills = field(member, "/oom_kills").filter(|kills| kills != "0");
    let limit = |of: &str, what: &str| field(member, &format!("/limits/{of}/{what}"));
    let words = |of: &str| {
        let all = [("memory", limit(of, "memory")), ("swap", limit(of, "swap")), ("CPUs", limit(of, "cpus"))];
        let all: Vec<_> =
            all.into_iter().filter_map(|(name, text)| Some(format!("{name} {}", text?))).collect();
        if all.is_empty() { "none".to_owned() } else { all.join(", ") }
    };
    html! {
        tr {
            th scope="row" { code { (or_dash(field(member, "/container_name"))) } }
            td data-label="Is" {
                (pill(if running { "good" } else if whole == "idle" { whole } else { "bad" }, &super::parts::sentence(&field(member, "/status").unwrap_or_default())))
                @if let Some(code) = field(member, "/exit_code").filter(|_| !running) { span.quiet { " exit code " (code) } }
            }
            td.number data-label="Restarts" { (or_dash(field(member, "/restart_count"))) }
            td data-label="Out of memory" {
                @if member["oom_killed"] == true || kills.is_some() {
                    (pill("bad", &kills.map_or_else(|| "Killed".to_owned(), |kills| format!("{kills} killed"))))
                } @else { "No" }
            }
            td data-label="Limits" {
                (words("applied"))
                @if drift { " " (pill("warn", &format!("Wanted: {}", words("configured")))) }
            }
        }
    }
}
