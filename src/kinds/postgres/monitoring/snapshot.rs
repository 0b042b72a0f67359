//! `status.monitoring`: one look as people and programs read it. Names as in `status.walHealth`; a field that could not be
//! read is absent, and `errors` says why.

use super::contents::Contents;
use super::rates::{Rates, ratio};
use super::reading::Figures;
use crate::core::text::shown;
use crate::kinds::postgres::wal::{STALE_AFTER, Told};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Characters of a server's words that are kept.
const WORDS: usize = 500;

/// What was found, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    pub at: Timestamp,
    /// The same by a clock that only goes forward, in seconds.
    pub secs: i64,
    pub figures: Figures,
    pub rates: Rates,
    /// What was looked at last of what is looked at seldom.
    pub contents: Option<Arc<Contents>>,
}

/// What is shown, and what is absent of it.
#[derive(Default)]
struct Page {
    fields: Map<String, Value>,
    errors: Map<String, Value>,
}

impl Page {
    fn put(&mut self, field: &str, value: impl Serialize) {
        let value = serde_json::to_value(value).unwrap_or_default();
        if !value.is_null() {
            self.fields.insert(field.to_owned(), value);
        }
    }

    fn part<T: Serialize>(&mut self, field: &str, told: &Told<T>) {
        match told {
            Ok(value) => self.put(field, value),
            Err(why) => self.lacks(&[field], why),
        }
    }

    fn lacks(&mut self, fields: &[&str], why: &str) {
        for field in fields {
            self.errors.insert((*field).to_owned(), shown(why, WORDS).into());
        }
    }
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl Snapshot {
    /// `before`: the last one of the same start of the server.
    #[must_use]
    pub fn after(before: Option<&Self>, figures: Figures, at: Timestamp, secs: i64) -> Self {
        let counted = before.and_then(|before| Some((before.secs, before.figures.totals.as_ref().ok()?)));
        let rates = counted.zip(figures.totals.as_ref().ok());
        let rates = rates.map(|((then, before), now)| Rates::between(before, now, secs - then));
        let contents = before.and_then(|before| before.contents.clone());
        Self { at, secs, figures, rates: rates.unwrap_or_default(), contents }
    }

    /// As it is shown; `failing`: why the looks since then failed.
    #[must_use]
    pub fn shown(&self, now: Timestamp, failing: Option<&str>) -> Value {
        let mut page = Page::default();
        let age = u64::try_from(now.duration_since(self.at).as_secs()).unwrap_or(0);
        let until = self.at + SignedDuration::from_secs(i64::try_from(STALE_AFTER).unwrap_or_default());
        page.put("probed_at", time(self.at));
        page.put("stale_after", time(until));
        page.put("age_secs", age);
        page.put("stale", age > STALE_AFTER);
        self.every(&mut page);
        if let Some(contents) = &self.contents {
            seldom(contents, &mut page);
        }
        if let Some(why) = failing {
            page.lacks(&["probe"], why);
        }
        if !page.errors.is_empty() {
            page.fields.insert("errors".to_owned(), Value::Object(page.errors));
        }
        Value::Object(page.fields)
    }

    fn every(&self, page: &mut Page) {
        let Figures { server, connections, transactions, locks, replication, totals, checkpoints } =
            &self.figures;
        match server {
            Ok(server) => {
                let started = SignedDuration::try_from_secs_f64(server.started_at).ok();
                let started = started.and_then(|since| Timestamp::from_duration(since).ok());
                page.put("started_at", started.map(time));
                page.put("uptime_secs", server.uptime_secs);
                page.put("max_connections", server.max_connections);
                page.put("reserved_connections", server.reserved_connections);
            }
            Err(why) => {
                let fields = ["started_at", "uptime_secs", "max_connections", "reserved_connections"];
                page.lacks(&fields, why);
            }
        }
        page.part("connections", connections);
        page.part("transactions", transactions);
        page.part("locks", locks);
        page.part("replication", replication);
        match totals {
            Ok(totals) => {
                page.put("totals", totals);
                page.put("cache_hit_ratio", ratio(totals.blocks_hit, totals.blocks_read));
                if self.rates != Rates::default() {
                    page.put("rates", self.rates);
                }
            }
            Err(why) => page.lacks(&["totals", "cache_hit_ratio", "rates"], why),
        }
        page.part("checkpoints", checkpoints);
    }
}

fn seldom(contents: &Contents, page: &mut Page) {
    page.put("contents_probed_at", time(contents.at));
    match &contents.databases {
        Ok(databases) => {
            page.put("size_bytes", databases.size_bytes);
            page.put("databases", &databases.databases);
        }
        Err(why) => page.lacks(&["size_bytes", "databases"], why),
    }
    page.part("tables", &contents.tables);
    page.part("collation_mismatches", &contents.mismatches);
    page.part("statements", &contents.statements);
}

#[cfg(test)]
mod tests {
    use super::super::reading::{Checkpoints, Connections, Locks, Replication, Server, Totals, Transactions};
    use super::*;
    use serde_json::json;

    fn read() -> Figures {
        Figures {
            server: Ok(Server {
                started_at: 1_700_000_000.0,
                uptime_secs: 60,
                max_connections: 100,
                reserved_connections: 3,
            }),
            connections: Ok(Connections::default()),
            transactions: Ok(Transactions::default()),
            locks: Ok(Locks::default()),
            replication: Ok(Replication::default()),
            totals: Ok(Totals { blocks_hit: 3, blocks_read: 1, ..Totals::default() }),
            checkpoints: Ok(Checkpoints::default()),
        }
    }

    fn shown(figures: Figures) -> Value {
        let at: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        Snapshot::after(None, figures, at, 0).shown(at + SignedDuration::from_secs(91), None)
    }

    #[test]
    fn each_part_fails_alone_and_its_fields_are_absent() {
        let whole = shown(read());
        assert_eq!(whole.get("errors"), None, "{whole}");
        assert_eq!(
            (&whole["started_at"], &whole["cache_hit_ratio"]),
            (&json!("2023-11-14T22:13:20Z"), &json!(0.75))
        );
        assert_eq!((&whole["stale"], &whole["age_secs"]), (&json!(true), &json!(91)));
        let why = || "no\nway".to_owned();
        let rows: [(Figures, &[&str]); 7] = [
            (
                Figures { server: Err(why()), ..read() },
                &["started_at", "uptime_secs", "max_connections", "reserved_connections"],
            ),
            (Figures { connections: Err(why()), ..read() }, &["connections"]),
            (Figures { transactions: Err(why()), ..read() }, &["transactions"]),
            (Figures { locks: Err(why()), ..read() }, &["locks"]),
            (Figures { replication: Err(why()), ..read() }, &["replication"]),
            (Figures { totals: Err(why()), ..read() }, &["totals", "cache_hit_ratio", "rates"]),
            (Figures { checkpoints: Err(why()), ..read() }, &["checkpoints"]),
        ];
        for (figures, fields) in rows {
            let part = shown(figures);
            let mut want = whole.clone();
            for field in fields {
                want.as_object_mut().unwrap().remove(*field);
                want["errors"][*field] = json!("no\\nway");
            }
            assert_eq!(part, want);
        }
    }
}
