//! What the store has of one object over time: `history/UID/fine/…` (samples), `history/UID/mean/…` (averages) and `history/UID/last`
//! (what probes found last). Under the object's uid, so that another object of the same name finds nothing of it. What cannot be read is
//! taken for not known: no figure is worth a failure.

use super::grid::{KEPT_MEANS, KEPT_SAMPLES, MEAN, MEANS, Means, SAMPLE, Samples, chunk, place, surplus};
use crate::control::api::Point;
use crate::store::{Change, Store, StoreError};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

fn prefix(uid: &str) -> String {
    format!("{}{uid}/", crate::store::MEASURED)
}

fn fine(uid: &str, slot: i64) -> String {
    format!("{}fine/{slot}", prefix(uid))
}

fn mean(uid: &str, chunk: i64) -> String {
    format!("{}mean/{chunk}", prefix(uid))
}

fn last(uid: &str) -> String {
    format!("{}last", prefix(uid))
}

/// All records below a prefix by their number.
fn numbered<T>(store: &dyn Store, below: &str, read: impl Fn(&Value) -> T) -> BTreeMap<i64, T> {
    let mut all = BTreeMap::new();
    let found = store.each(below, &mut |key, record| {
        if let Some(number) = key.strip_prefix(below).and_then(|number| number.parse().ok()) {
            all.insert(number, read(&record.body));
        }
    });
    if let Err(error) = found {
        tracing::debug!(%error, "figures over time could not be read");
    }
    all
}

fn samples(store: &dyn Store, uid: &str) -> BTreeMap<i64, Samples> {
    numbered(store, &format!("{}fine/", prefix(uid)), Samples::read)
}

fn means(store: &dyn Store, uid: &str) -> BTreeMap<i64, Means> {
    numbered(store, &format!("{}mean/", prefix(uid)), Means::read)
}

/// What one sample changes. Nothing but the record that it goes into is read for it, but for the first of an average: then those
/// before it are rolled up, and what is too much goes. `now`: seconds since 1970.
#[must_use]
pub fn with(store: &dyn Store, uid: &str, now: i64, figures: &BTreeMap<String, f64>) -> Vec<Change> {
    let (slot, at) = place(now);
    let key = fine(uid, slot);
    let body = store.get(&key).ok().flatten();
    let mut changes = if body.is_none() { rolled_up(store, uid, slot) } else { Vec::new() };
    let mut record = body.as_ref().map(Samples::read).unwrap_or_default();
    record.put(at, figures);
    changes.push(Change::put(key, record.json()));
    changes
}

fn rolled_up(store: &dyn Store, uid: &str, here: i64) -> Vec<Change> {
    let all = samples(store, uid);
    let mut changes = Vec::new();
    let mut touched: BTreeMap<i64, (Means, bool)> = BTreeMap::new();
    let mut is_new = false;
    for (slot, samples) in &all {
        let (number, at) = chunk(*slot);
        let (means, changed) = touched.entry(number).or_insert_with(|| {
            let body = store.get(&mean(uid, number)).ok().flatten();
            is_new |= body.is_none();
            (body.as_ref().map(Means::read).unwrap_or_default(), false)
        });
        *changed |= means.put(at, &samples.rolled_up());
    }
    if is_new {
        let there = means(store, uid).into_keys().chain(touched.keys().copied());
        let there: BTreeSet<i64> = there.collect();
        let gone = surplus(there.into_iter().collect(), chunk(here).0, KEPT_MEANS);
        touched.retain(|number, _| !gone.contains(number));
        changes.extend(gone.into_iter().map(|number| Change::delete(mean(uid, number))));
    }
    let changed = touched.into_iter().filter(|(_, (_, changed))| *changed);
    changes.extend(changed.map(|(number, (means, _))| Change::put(mean(uid, number), means.json())));
    // One more comes with this very sample.
    let gone = surplus(all.into_keys().collect(), here, KEPT_SAMPLES - 1);
    changes.extend(gone.into_iter().map(|slot| Change::delete(fine(uid, slot))));
    changes
}

/// Figures that are shown of all that is kept, by series, oldest first: samples where they reach back to `from`, averages otherwise. Both
/// ends belong to it; seconds since 1970.
#[must_use]
pub fn points(store: &dyn Store, uid: &str, from: i64, to: i64) -> BTreeMap<String, Vec<Point>> {
    let fine = to.saturating_sub(from) <= FINE;
    let mut all: BTreeMap<String, BTreeMap<i64, Point>> = BTreeMap::new();
    let mut add = |name: &str, at: i64, mean: Option<f64>, most: Option<f64>| {
        if let (Some(mean), Some(max), true) = (mean, most, (from..=to).contains(&at)) {
            all.entry(name.to_owned()).or_default().entry(at).or_insert(Point { at, mean, max });
        }
    };
    let samples = samples(store, uid);
    if fine {
        for (slot, samples) in &samples {
            for (name, row) in &samples.0 {
                for (at, value) in row.iter().enumerate() {
                    add(name, slot * MEAN + number(at) * SAMPLE, *value, *value);
                }
            }
        }
    } else {
        for (chunk, means) in means(store, uid) {
            for (name, (means, most)) in &means.0 {
                for (at, (mean, most)) in means.iter().zip(most).enumerate() {
                    add(name, (chunk * number(MEANS) + number(at)) * MEAN, *mean, *most);
                }
            }
        }
        // Those that no later sample has rolled up.
        for (slot, samples) in &samples {
            for (name, (mean, most)) in samples.rolled_up() {
                add(&name, slot * MEAN, Some(mean), Some(most));
            }
        }
    }
    all.into_iter().map(|(name, points)| (name, points.into_values().collect())).collect()
}

/// Seconds back to which there are samples.
pub const FINE: i64 = 2 * 3600;

fn number(at: usize) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX)
}

/// What probes found last, for the time after a start.
#[must_use]
pub fn with_last(uid: &str, now: i64, sampled: &Map<String, Value>) -> Change {
    Change::put(last(uid), json!({"at": now, "fields": sampled}))
}

/// The same as it is shown, with its age.
#[must_use]
pub fn last_of(store: &dyn Store, uid: &str, now: i64) -> Map<String, Value> {
    let body = store.get(&last(uid)).ok().flatten().unwrap_or_default();
    let Some(fields) = body["fields"].as_object() else { return Map::new() };
    // A clock that went back makes nothing younger than it was.
    let since = now.saturating_sub(body["at"].as_i64().unwrap_or(now)).max(0);
    let mut fields = fields.clone();
    for field in fields.values_mut().filter_map(Value::as_object_mut) {
        let old = field.get("age_secs").and_then(Value::as_i64).unwrap_or(0);
        field.insert("age_secs".to_owned(), json!(old.saturating_add(since)));
        field.insert("stale".to_owned(), json!(true));
    }
    fields
}

/// Everything of an object: its body, by key.
fn whole(store: &dyn Store, uid: &str) -> Result<BTreeMap<String, Value>, StoreError> {
    store.scan(&prefix(uid))
}

/// What deletes it.
///
/// # Errors
/// When the store cannot be read.
pub fn without(store: &dyn Store, uid: &str) -> Result<Vec<Change>, StoreError> {
    Ok(whole(store, uid)?.into_keys().map(Change::delete).collect())
}

/// What makes it another object's.
///
/// # Errors
/// When the store cannot be read.
pub fn moved(store: &dyn Store, from: &str, to: &str) -> Result<Vec<Change>, StoreError> {
    let mut changes = without(store, to)?;
    for (key, body) in whole(store, from)? {
        let rest = key.strip_prefix(&prefix(from)).unwrap_or_default();
        changes.push(Change::put(format!("{}{rest}", prefix(to)), body));
        changes.push(Change::delete(key));
    }
    Ok(changes)
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
