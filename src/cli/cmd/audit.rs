//! `seawall audit`

use crate::cli::access::{AuditArgs, Form};
use crate::cli::connect::{connect, live};
use crate::cli::format::json_text;
use crate::cli::print::Grid;
use crate::cli::{Context, Outcome};
use crate::control::api::AuditEntry;
use jiff::Timestamp;
use std::io::Write;

/// Also without a change of revision new entries show after this.
const WATCH_MS: u64 = 5_000;

const HEADER: [&str; 7] = ["TIME", "WHO", "FROM", "WHAT", "OBJECT", "COUNT", "DETAIL"];

fn row(entry: &AuditEntry) -> Vec<String> {
    let AuditEntry { last_at, who, from, what, object, detail, count, .. } = entry.clone();
    vec![last_at, who, from, what, object, count.to_string(), detail]
}

pub async fn run(cx: &mut Context, args: AuditArgs) -> Outcome {
    let api = if args.watch { live(cx, "watching").await? } else { connect(cx).await?.api };
    let mut revision = if args.watch { api.watch(0, 0).await? } else { 0 };
    let mut entries = api.audit(0).await?;
    let mut last = newest(&entries).unwrap_or(0);
    if let Some(since) = args.since {
        let from = Timestamp::now() - since;
        entries.retain(|entry| entry.last_at.parse::<Timestamp>().is_ok_and(|at| at >= from));
    }
    let columns = if args.output == Form::Wide { HEADER.len() } else { HEADER.len() - 1 };
    let rows = |entries: &[AuditEntry]| -> Vec<Vec<String>> {
        entries.iter().map(|entry| row(entry).into_iter().take(columns).collect()).collect()
    };
    let mut grid = Grid::new(&HEADER[..columns], cx.out.colour);
    match args.output {
        Form::Json if !args.watch => write!(cx.out.stdout, "{}", json_text(&entries))?,
        Form::Json => lines(cx, &entries)?,
        _ if entries.is_empty() && !args.watch => writeln!(cx.out.stderr, "Nothing was written down.")?,
        _ => write!(cx.out.stdout, "{}", grid.full(&rows(&entries)))?,
    }
    if !args.watch {
        return Ok(0);
    }
    loop {
        cx.out.stdout.flush()?;
        revision = api.watch(revision, WATCH_MS).await?;
        let entries = api.audit(last).await?;
        match args.output {
            Form::Json => lines(cx, &entries)?,
            _ => write!(cx.out.stdout, "{}", grid.more(&rows(&entries)))?,
        }
        last = newest(&entries).unwrap_or(last);
    }
}

fn newest(entries: &[AuditEntry]) -> Option<u64> {
    entries.iter().map(|entry| entry.sequence).max()
}

fn lines(cx: &mut Context, entries: &[AuditEntry]) -> std::io::Result<()> {
    for entry in entries {
        let line = serde_json::to_string(entry).map_err(std::io::Error::other)?;
        writeln!(cx.out.stdout, "{line}")?;
    }
    Ok(())
}
