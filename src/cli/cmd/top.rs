//! `seawall top`: what containers use right now.

use crate::cli::args::{TopArgs, TopForm};
use crate::cli::connect::live;
use crate::cli::format::json_text;
use crate::cli::named::{Among, maybe};
use crate::cli::print::Grid;
use crate::cli::{Context, Outcome};
use crate::control::api::{Inside, MemberUse, RecommendList, Recommendation, TopItem, TopList};
use crate::core::duration::human;
use crate::core::quantity::Bytes;
use crate::workload::disk::roughly;
use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

/// As the product brief's page polls.
const EVERY: Duration = Duration::from_secs(5);
const HEADER: [&str; 7] = ["NAME", "CPU", "CPU%", "MEMORY", "MEMORY%", "BLOCK R/W", "NETWORK IN/OUT"];
/// What goes on inside of a server.
const WIDE: [&str; 7] = ["CONNECTIONS", "SIZE", "WAL", "CACHE HIT", "TX/S", "OLDEST TX", "RECOMMENDED"];
/// Home, and nothing below.
const CLEAR: &str = "\x1b[H\x1b[J";

pub async fn run(cx: &mut Context, args: TopArgs) -> Outcome {
    let api = live(cx, "top").await?;
    let object = maybe(&api, args.object.as_ref(), Among::Running).await?;
    let wide = args.output == TopForm::Wide;
    let header: Vec<&str> = HEADER.into_iter().chain(WIDE.into_iter().filter(|_| wide)).collect();
    let mut grid = Grid::new(&header, cx.out.colour);
    let mut first = true;
    // By object. It rests on days, so that it is asked once.
    let mut recommended: Option<BTreeMap<String, String>> = None;
    loop {
        let list = api.top(object.as_ref()).await?;
        if wide && recommended.is_none() && !list.items.is_empty() {
            recommended = Some(changes(&api.recommend(object.as_ref()).await?));
        }
        match args.output {
            // A document a line, for who reads them as they come.
            TopForm::Json if args.watch => {
                let line = serde_json::to_string(&list).map_err(std::io::Error::from)?;
                writeln!(cx.out.stdout, "{line}")?;
            }
            TopForm::Json => write!(cx.out.stdout, "{}", json_text(&list))?,
            TopForm::Text | TopForm::Wide => {
                let rows = rows(&list, recommended.as_ref());
                if rows.is_empty() && !args.watch {
                    writeln!(cx.out.stderr, "No containers found.")?;
                }
                let clear = if args.watch && cx.out.colour { CLEAR } else { "" };
                let gap = if first || !clear.is_empty() { "" } else { "\n" };
                write!(cx.out.stdout, "{clear}{gap}{}", grid.full(&rows))?;
            }
        }
        cx.out.stdout.flush()?;
        if !args.watch {
            return Ok(0);
        }
        first = false;
        tokio::time::sleep(EVERY).await;
    }
}

/// `recommended`: of a wide one.
fn rows(list: &TopList, recommended: Option<&BTreeMap<String, String>>) -> Vec<Vec<String>> {
    let all = list.items.iter().flat_map(|item| item.members.iter().map(move |member| (item, member)));
    let wide = |item: &TopItem| {
        let Some(recommended) = recommended else { return Vec::new() };
        let mut cells = of_inside(&item.inside);
        cells.push(recommended.get(&item.object).cloned().unwrap_or_default());
        cells
    };
    all.map(|(item, member)| [row(item.name_of(member), member), wide(item)].concat()).collect()
}

/// Of those that should have other limits: `memory 1Gi, cpus 0.5`.
fn changes(list: &RecommendList) -> BTreeMap<String, String> {
    let words = |item: &Recommendation| {
        let all = item.changes().map(|(name, advice)| format!("{name} {}", advice.wanted));
        all.collect::<Vec<_>>().join(", ")
    };
    list.items.iter().map(|item| (item.object.clone(), words(item))).collect()
}

fn of_inside(inside: &Inside) -> Vec<String> {
    let connections = match (inside.connections_used, inside.max_connections) {
        (Some(used), Some(max)) => Some(format!("{used} / {max}")),
        _ => None,
    };
    let cells = [
        connections,
        inside.size_bytes.map(size),
        inside.wal_bytes.map(size),
        inside.cache_hit_ratio.map(|ratio| format!("{:.1}%", ratio * 100.0)),
        inside.transactions_per_second.map(|rate| format!("{rate:.1}")),
        inside.longest_transaction_secs.map(human),
    ];
    cells.map(Option::unwrap_or_default).into()
}

fn row(name: String, used: &MemberUse) -> Vec<String> {
    let percent =
        |number: Option<f64>, of: &str| number.map_or_else(String::new, |n| format!("{n:.1}% of {of}"));
    let pair = |one: Option<u64>, other: Option<u64>| match (one, other) {
        (Some(one), Some(other)) => format!("{}/s {}/s", size(one), size(other)),
        _ => String::new(),
    };
    let cpu = match (used.cpu_cores, used.cpu_limit_cores) {
        (Some(cores), Some(of)) => format!("{cores:.3} / {of}"),
        _ => String::new(),
    };
    let memory = match (used.memory_usage_bytes, used.memory_limit_bytes) {
        (Some(bytes), Some(of)) => format!("{} / {}", size(bytes), limit(of)),
        _ => String::new(),
    };
    vec![
        name,
        cpu,
        percent(used.cpu_percent, used.cpu_of.as_str()),
        memory,
        percent(used.memory_percent, used.memory_of.as_str()),
        pair(used.block_read_bytes_per_second, used.block_write_bytes_per_second),
        pair(used.network_receive_bytes_per_second, used.network_transmit_bytes_per_second),
    ]
}

/// As a manifest says it.
fn limit(bytes: u64) -> String {
    if bytes.is_multiple_of(Bytes::MI) { Bytes(bytes).to_string() } else { roughly(bytes) }
}

fn size(bytes: u64) -> String {
    if bytes == 0 { "0".to_owned() } else { roughly(bytes) }
}
