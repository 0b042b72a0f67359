//! The number of each object, by which the service API names it (`metadata.id`): given once, in the commit that makes its record,
//! and to nobody else ever, also after it is gone.
//!
//! All objects count together: one number is one object, whatever its kind.

use super::objects::Record;
use super::operator::Operator;
use crate::store::{Change, Saving, Store, StoreError};
use serde_json::json;
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard};

/// Where the store remembers the highest number that was given.
pub const IDS_KEY: &str = "meta/ids";
/// Records in one commit.
const AT_ONCE: usize = 500;

/// The highest number that was given. It is held until what it was given for is written: so that a later commit never says less
/// than an earlier one.
pub(super) struct Ids(Mutex<u64>);

/// Records that have their numbers, and what the store has to remember of that.
pub(super) struct Numbered<'a> {
    pub records: Vec<Arc<Record>>,
    pub change: Option<Change>,
    _turn: Option<MutexGuard<'a, u64>>,
}

impl Ids {
    /// # Errors
    /// When the store cannot be read.
    pub fn load<'a>(
        store: &dyn Store,
        records: impl Iterator<Item = &'a Arc<Record>>,
    ) -> Result<Self, StoreError> {
        let kept = store.get(IDS_KEY)?;
        let kept = kept.and_then(|body| body["highest"].as_u64()).unwrap_or_default();
        Ok(Self(Mutex::new(records.map(|record| record.id).fold(kept, u64::max))))
    }

    /// What may wait is not numbered: its number could be given to another one after a crash.
    pub async fn number(&self, records: &[Arc<Record>], saving: Saving) -> Numbered<'_> {
        if saving != Saving::Durable || records.iter().all(|record| record.id > 0) {
            return Numbered { records: records.to_vec(), change: None, _turn: None };
        }
        let mut last = self.0.lock().await;
        let mut number = |record: &Arc<Record>| {
            if record.id > 0 {
                return Arc::clone(record);
            }
            // Also when the commit fails: it may turn up after a crash.
            *last += 1;
            Arc::new(Record { id: *last, ..record.as_ref().clone() })
        };
        let records = records.iter().map(&mut number).collect();
        let change = Change::put(IDS_KEY, json!({"highest": *last}));
        Numbered { records, change: Some(change), _turn: Some(last) }
    }
}

impl Operator {
    /// Those of a store of before there were numbers, in the order in which they were made.
    pub(super) async fn number_what_has_none(&self) -> Result<(), StoreError> {
        let _gates = self.gates.all().await;
        let mut records: Vec<_> =
            self.state().records.values().filter(|record| record.id == 0).cloned().collect();
        records.sort_by(|a, b| (&a.created_at, &a.object).cmp(&(&b.created_at, &b.object)));
        for some in records.chunks(AT_ONCE) {
            self.save(some, Saving::Durable).await?;
        }
        Ok(())
    }
}
