//! Everything that goes into the store, and who may act on it when: records, status, events.
//!
//! What cannot be written waits in memory only where losing it costs a look or a word; see [`Saving`].

use super::journal::OPERATOR;
use super::memory::Memory;
use super::objects::{self, Record, status_key};
use super::operator::{Operator, now, this_second};
use super::will::Will;
use crate::core::condition::{Finding, find, merge};
use crate::core::event::{EventType, Note};
use crate::core::failure::Failure;
use crate::core::names::ObjectRef;
use crate::core::status::Status;
use crate::core::trouble;
use crate::kinds::Remembered;
use crate::store::{Change, Saving, Store, StoreError, Unsaved};
use serde::Serialize;
use std::sync::Arc;

impl Operator {
    /// The state follows the store, never the other way. One commit. The caller holds the gates of these
    /// records, and is run to its end: what a client waits for goes through [`Operator::to_the_end`].
    ///
    /// # Errors
    /// When it could neither be written nor, if it may, wait: nothing may act on it then.
    pub(super) async fn save(&self, records: &[Arc<Record>], saving: Saving) -> Result<(), StoreError> {
        self.save_with(records, saving, Vec::new()).await
    }

    /// The same with other changes.
    async fn save_with(
        &self,
        records: &[Arc<Record>],
        saving: Saving,
        with: Vec<Change>,
    ) -> Result<(), StoreError> {
        let numbered = self.ids.number(records, saving).await;
        let records = &numbered.records;
        let changes = records.iter().map(|r| Ok(Change::put(r.key(), json(r.as_ref())?)));
        let changes = changes.chain(with.into_iter().chain(numbered.change).map(Ok));
        self.tools.store.save(changes.collect::<Result<_, StoreError>>()?, saving).await?;
        {
            let mut state = self.state();
            for record in records {
                self.tools.ports.set_retained(&record.object, !record.is_present());
                state.put(Arc::clone(record));
            }
        }
        self.changed();
        Ok(())
    }

    /// Changes one part of a record; changes made at once all last.
    pub(super) async fn edit(
        &self,
        object: &ObjectRef,
        saving: Saving,
        change: impl FnOnce(&mut Record) + Send,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        self.edit_with(object, saving, Vec::new(), change).await
    }

    async fn edit_with(
        &self,
        object: &ObjectRef,
        saving: Saving,
        with: Vec<Change>,
        change: impl FnOnce(&mut Record) + Send,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        let _gate = self.gates.one(object).await;
        let edited = {
            let state = self.state();
            let Some(record) = state.records.get(object) else { return Ok(None) };
            let mut edited = record.as_ref().clone();
            change(&mut edited);
            if edited == **record && with.is_empty() {
                return Ok(Some(Arc::clone(record)));
            }
            Arc::new(edited)
        };
        self.save_with(std::slice::from_ref(&edited), saving, with).await?;
        Ok(Some(edited))
    }

    /// What a pass remembers; `with`: secrets of the object that change in the same commit. `None` when the object is no
    /// more, or, with `known`, remembers something else than that by now.
    pub(super) async fn remember<M: Remembered>(
        &self,
        object: &ObjectRef,
        saving: Saving,
        known: Option<&Memory>,
        memory: &M,
        with: Vec<Change>,
    ) -> Result<Option<Arc<Record>>, Failure> {
        let failed = |words: String| Failure::new("StoreFailed", words);
        let memory = Memory::of(memory).map_err(failed)?;
        let secrets = !with.is_empty();
        let edited = self.edit_with(object, saving, with, |record| {
            if known.is_none_or(|known| record.memory == *known) {
                record.memory = memory.clone();
            }
        });
        let edited = edited.await.map_err(|error| failed(error.to_string()))?;
        if secrets {
            self.tools.reopen(object);
        }
        Ok(edited.filter(|record| record.memory == memory))
    }

    /// Records what happened.
    pub async fn note(&self, object: Option<&ObjectRef>, notes: &[Note]) {
        let name = object.map_or_else(|| OPERATOR.to_owned(), ToString::to_string);
        self.write_events(notes.iter().map(|note| (name.as_str(), note))).await;
    }

    /// The same for many objects, in one commit.
    pub(super) async fn note_all(&self, notes: &[(ObjectRef, Note)]) {
        let names: Vec<String> = notes.iter().map(|(object, _)| object.to_string()).collect();
        self.write_events(names.iter().map(String::as_str).zip(notes.iter().map(|(_, note)| note))).await;
    }

    async fn write_events<'a>(&self, notes: impl Iterator<Item = (&'a str, &'a Note)> + Send) {
        let now = this_second();
        let mut changes = Vec::new();
        for (object, note) in notes {
            let note = &match object.parse() {
                Ok(named) => Note { message: self.tools.masked(&named, note.message.clone()), ..*note },
                // What concerns no single object.
                Err(_) => note.clone(),
            };
            let added = self.state().journal.add(object, note, now);
            let times = if added.count > 1 { format!(" ({} times)", added.count) } else { String::new() };
            match note.kind {
                EventType::Warning if !added.says => {}
                EventType::Normal => {
                    tracing::info!(%object, reason = %note.reason, "{}", note.message);
                }
                EventType::Warning => {
                    tracing::warn!(%object, reason = %note.reason, "{}{times}", note.message);
                }
            }
            changes.extend(added.changes);
        }
        if changes.is_empty() {
            return;
        }
        if let Err(error) = self.tools.store.save(changes, Saving::MayWait).await {
            tracing::error!(%error, "events will not be written");
        }
        self.changed();
    }

    /// Writes the status when something other than time differs, and mirrors it to a file.
    pub(super) async fn write_status<B: Serialize>(
        &self,
        object: &ObjectRef,
        generation: u64,
        findings: &[Finding],
        body: impl FnOnce(Option<&Status>) -> B + Send,
    ) {
        self.write_other_status(object, generation, findings, body).await;
        self.is_told(object);
    }

    async fn write_other_status<B: Serialize>(
        &self,
        object: &ObjectRef,
        generation: u64,
        findings: &[Finding],
        body: impl FnOnce(Option<&Status>) -> B + Send,
    ) {
        let (old, new) = {
            let state = self.state();
            let old = state.statuses.get(object).cloned();
            let before = old.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
            let conditions = merge(before, findings, &now(), generation);
            let new = Status::new(generation, conditions, &body(old.as_deref()));
            (old, new)
        };
        if old.as_deref() == Some(&new) {
            return;
        }
        let new = self.tools.masked(object, new);
        if old.as_deref() == Some(&new) {
            return;
        }
        let new = Arc::new(new);
        let put = Change::put(status_key(object), new.json());
        // What was seen is shown whatever the disk says: an old status would be a wrong one.
        if let Err(error) = self.tools.store.save(vec![put], Saving::MayWait).await {
            tracing::error!(object = %object, %error, "status will not be written");
        }
        log_transition(object, old.as_deref(), &new);
        self.state().put_status(object, Arc::clone(&new));
        let before = old.as_deref().map(|old| old.conditions.as_slice()).unwrap_or_default();
        if trouble::differ(before, &new.conditions) {
            self.wake_listeners();
        }
        self.changed();
        self.mirror(object, &new).await;
    }

    /// Writes the status file. One that could not be written is written again by [`Operator::write_what_waits`].
    async fn mirror(&self, object: &ObjectRef, status: &Status) -> bool {
        let written = super::mirror::write(&self.config.data, object, status).await;
        let mut state = self.state();
        match written {
            Ok(()) => {
                state.unmirrored.remove(object);
                true
            }
            Err(error) => {
                if state.unmirrored.insert(object.clone()) {
                    tracing::warn!(object = %object, %error, "status file could not be written");
                }
                false
            }
        }
    }

    /// What the disk refused, once more. False while something still waits.
    pub(super) async fn write_what_waits(&self) -> bool {
        if self.tools.store.unsaved().is_some() && !self.tools.store.flush().await {
            return false;
        }
        let late: Vec<ObjectRef> = self.state().unmirrored.iter().cloned().collect();
        for object in late {
            let status = self.state().statuses.get(&object).cloned();
            let Some(status) = status else {
                self.state().unmirrored.remove(&object);
                continue;
            };
            if !self.mirror(&object, &status).await {
                return false;
            }
        }
        true
    }

    /// What to say of what is not on the disk; `None` when everything is.
    pub(super) fn not_saved(&self) -> Option<String> {
        let Unsaved { since, why, changes } = self.tools.store.unsaved()?;
        let s = if changes == 1 { "" } else { "s" };
        Some(format!(
            "not saved since {since}: {changes} change{s} wait in memory until they can be written, and are lost if the operator ends before: {why}"
        ))
    }

    /// Since when something waits (RFC 3339), if what is known of this object does.
    pub(super) fn not_saved_since(&self, object: &ObjectRef) -> Option<String> {
        let store = &self.tools.store;
        let since = store.unsaved()?.since;
        let waits = store.is_unsaved(&objects::key(object)) || store.is_unsaved(&status_key(object));
        waits.then_some(since)
    }

    /// The last of an object: its record, status and password leave the store in one commit. False, and
    /// nothing is done, when `will` is no longer what is wanted.
    pub(super) async fn forget(&self, object: &ObjectRef, will: Option<&Will>) -> Result<bool, StoreError> {
        let mut changes = vec![Change::delete(objects::key(object)), Change::delete(status_key(object))];
        changes.extend(self.tools.without_secrets(object));
        let _gate = self.gates.one(object).await;
        if will.is_some_and(|will| !self.still(object, will)) {
            return Ok(false);
        }
        changes.extend(self.state().journal.forget(&object.to_string()));
        changes.extend(self.without_history(object)?);
        self.tools.store.commit(changes).await?;
        self.tools.forget(object);
        if let Some(kind) = self.kinds.get(object.kind) {
            kind.forget(object);
        }
        self.untie(object);
        self.state().forget(object);
        self.wake_listeners();
        super::mirror::remove(&self.config.data, object).await;
        self.changed();
        Ok(true)
    }
}

pub(super) fn json<T: Serialize>(value: &T) -> Result<serde_json::Value, StoreError> {
    serde_json::to_value(value)
        .map_err(|e| StoreError::Read { key: "a record".to_owned(), detail: e.to_string() })
}

fn log_transition(object: &ObjectRef, old: Option<&Status>, new: &Status) {
    use crate::core::condition::{ConditionType, phase};
    let before = old.map(|s| phase(&s.conditions));
    let after = phase(&new.conditions);
    if before.as_ref() != Some(&after) {
        let message =
            find(&new.conditions, ConditionType::Ready).map(|c| c.message.clone()).unwrap_or_default();
        tracing::info!(object = %object, status = %after, "{after}: {message}");
    }
}
