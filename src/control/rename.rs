//! `seawall rename`: the data, port and password of an object whose manifest took another name go to that name.
//!
//! First the old container goes, as that of any object without a manifest; then, in one commit, everything that
//! the store knows changes hands. At no time do two objects have the volume: there are never two servers on it.

use super::answers::store_failed;
use super::api::{ApiError, Done, ErrorCode, Result};
use super::history;
use super::objects::{self, status_key};
use super::operator::Operator;
use super::state::State;
use super::will::Will;
use crate::core::event::Note;
use crate::core::identity::Home;
use crate::core::names::{Installation, ObjectRef, annotation};
use crate::core::will::{Asked, Rename};
use crate::store::{Change, Saving, StoreError};
use crate::workload::tools::PasswordError;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How handing over ended.
pub(super) enum HandedOver {
    Done,
    /// Something else is wanted by now.
    Changed,
    /// The new one cannot take it: everything stays with the old one.
    Refused(String),
}

/// Why nothing was handed over.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandOverError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Password(#[from] PasswordError),
    #[error("what is remembered of it cannot be read: {0}")]
    Memory(String),
}

/// How the names of volumes begin that are not under the name of the object they belong to.
#[must_use]
pub(super) fn taken(state: &State) -> BTreeSet<String> {
    state
        .records
        .values()
        .filter_map(|record| Some(record.memory.work().home.as_ref()?.base.clone()))
        .collect()
}

/// Where the volumes of a new object are when its name is one of those: one that had it was renamed.
#[must_use]
pub(super) fn home_of_new(
    taken: &BTreeSet<String>,
    installation: &Installation,
    object: &ObjectRef,
    uid: &str,
) -> Option<Home> {
    let base = installation.container(object);
    let tag: String = uid.chars().take(8).collect();
    taken.contains(&base).then(|| Home { base: format!("{base}.{tag}"), name: object.name.clone() })
}

/// Why `old` cannot be renamed to `new`, as what is known of both is now.
fn refusal(state: &State, old: &ObjectRef, new: &ObjectRef) -> Option<(String, String)> {
    let Some(from) = state.records.get(old) else {
        return Some((format!("{old} does not exist"), "seawall get lists what does".to_owned()));
    };
    let held = state.guard.as_ref().is_some_and(|guard| guard.held.contains_key(old));
    let absent = state.live.get(old).is_some_and(|live| live.absence.is_some());
    if let Some(source) = from.source.as_ref().filter(|_| !held && !absent) {
        let what = format!("{old} has a manifest in {}", source.file);
        return Some((what, format!("write `name: {}` there, then say it again", new.name)));
    }
    if let Some(owner) = from.owner.as_ref().filter(|owner| owner.wanted) {
        let what = format!("{old} was made by {}, which gives it its name", owner.object);
        return Some((what, format!("change what {} makes", owner.object)));
    }
    if from.by_api {
        let what = format!("{old} is managed by the API, and wanted under this name");
        return Some((what, format!("seawall delete {old} keeps its data; rename it then")));
    }
    if let Some(child) = state.made_by(from).first() {
        let what = format!("{} was made by {old} and would not go with it", child.object);
        return Some((what, "give the manifest its old name back".to_owned()));
    }
    if from.memory.is_untouched() {
        let what = format!("nothing was made for {old} that could go to another name");
        return Some((what, format!("seawall describe {old}")));
    }
    let checked = state.checked.get(old);
    if checked.is_some_and(|checked| from.source.is_none() && from.asked.deletes_now(checked.given_up())) {
        return Some((format!("{old} is being deleted, as was confirmed"), format!("seawall events {old}")));
    }
    if from.is_paused() {
        let next = format!(
            "give its manifest the old name back, without {}, and rename it then",
            annotation::PAUSED
        );
        return Some((format!("{old} is paused: nothing is done with it"), next));
    }
    let Some(to) = state.records.get(new).filter(|record| record.is_held()) else {
        let what = format!("no manifest names {new}");
        let next =
            format!("put one in the place of that of {old}, with `name: {}`, then say it again", new.name);
        return Some((what, next));
    };
    (!to.memory.is_untouched()).then(|| {
        let what = format!("{new} has a database of its own; both are kept as they are");
        let next = format!(
            "rename {old} to a name that is not in use; with {}: \"true\" in its manifest nothing is made for it before",
            annotation::PAUSED
        );
        (what, next)
    })
}

impl Operator {
    pub(super) async fn rename_object(&self, old: &ObjectRef, new: &ObjectRef) -> Result<Done> {
        let refused = |(what, next): (String, String)| ApiError::new(ErrorCode::Conflict, what, next);
        if ![old, new].into_iter().any(|object| self.kinds.has_containers(object.kind)) {
            let what = format!("{old} has no data of its own to keep under another name");
            return Err(ApiError::new(ErrorCode::Invalid, what, "change the name in its manifest"));
        }
        if !self.kinds.has_containers(old.kind) || new.kind != old.kind || old == new {
            let what = format!("{old} cannot become {new}: a database takes another name");
            let kind = if self.kinds.has_containers(old.kind) { old.kind } else { new.kind };
            let next = format!("seawall rename {0}/OLD {0}/NEW", kind.lower());
            return Err(ApiError::new(ErrorCode::Invalid, what, next));
        }
        // The manifest that was just changed may not have been looked at.
        if !self.read_manifests_now().await.map_err(|e| store_failed(&e))? {
            let what = "the manifests are being changed right now".to_owned();
            return Err(refused((what, "say it again when they are whole".to_owned())));
        }
        self.record(old)?;
        {
            let _gates = self.gates.all().await;
            let (mut from, mut to) = {
                let state = self.state();
                if let Some(why) = refusal(&state, old, new) {
                    return Err(refused(why));
                }
                let (Some(from), Some(to)) = (state.records.get(old), state.records.get(new)) else {
                    return Err(refused((
                        format!("{old} and {new} changed meanwhile"),
                        "say it again".to_owned(),
                    )));
                };
                (from.as_ref().clone(), to.as_ref().clone())
            };
            from.source = None;
            from.asked = Asked { stopped: false, gone: None, renamed_to: Some(new.clone()), ..from.asked };
            to.asked.renamed_from = Some(Rename { from: old.clone(), said: true });
            let both = [Arc::new(from), Arc::new(to)];
            self.save(&both, Saving::Durable).await.map_err(|e| store_failed(&e))?;
        }
        self.live(old, |live| live.absence = None);
        let note =
            Note::normal("RenameRequested", format!("{old} becomes {new}: asked for on the command line"));
        self.note(Some(old), std::slice::from_ref(&note)).await;
        self.note(Some(new), &[note]).await;
        // What was held back for it is not any more.
        self.state().scan_hash.clear();
        self.rescan.notify_one();
        self.hurry(old);
        self.hurry(new);
        let message = format!(
            "{old} is being renamed to {new}: its container goes, then volume, port and password are those of {new}; on the network it is called {} from then on",
            self.config.installation.container(new)
        );
        Ok(Done { message, commit: String::new() })
    }

    /// The container of `old` is gone: all that is known of it becomes that of `new`, in one commit.
    pub(super) async fn hand_over(
        &self,
        old: &ObjectRef,
        new: &ObjectRef,
        will: &Will,
    ) -> Result<HandedOver, HandOverError> {
        let _gates = self.gates.all().await;
        if !self.still(old, will) {
            return Ok(HandedOver::Changed);
        }
        let (from, to) = {
            let state = self.state();
            (state.records.get(old).cloned(), state.records.get(new).cloned())
        };
        let Some(from) = from else { return Ok(HandedOver::Changed) };
        let taker = to.filter(|to| to.is_held() && to.memory.is_untouched());
        let Some(taker) = taker else {
            let mut kept = from.as_ref().clone();
            kept.asked.renamed_to = None;
            self.save(&[Arc::new(kept)], Saving::Durable).await?;
            let why = "has no manifest, or a database of its own, by now";
            return Ok(HandedOver::Refused(format!("{old} keeps its data: {new} {why}")));
        };
        let Some(kind) = self.kinds.get(old.kind) else { return Ok(HandedOver::Changed) };
        let mut taken = taker.as_ref().clone();
        let own = Home { base: self.config.installation.container(old), name: old.name.clone() };
        taken.asked = Asked::default();
        // Whoever knows the data by its number finds them under it.
        if from.id > 0 {
            taken.id = from.id;
        }
        taken.memory = kind.handed_over(&from.memory, own).map_err(HandOverError::Memory)?;
        let taken = Arc::new(taken);
        let mut changes = vec![
            Change::put(taken.key(), super::writes::json(taken.as_ref())?),
            Change::delete(objects::key(old)),
            Change::delete(status_key(old)),
        ];
        changes.extend(self.tools.password_moves(old, new)?);
        changes.extend(history::kept::moved(&self.tools.store, &from.uid, &taken.uid)?);
        changes.extend(self.state().journal.forget(&old.to_string()));
        self.tools.store.save(changes, Saving::Durable).await?;
        [old, new]
            .iter()
            .filter_map(|o| self.kinds.get(o.kind).map(|k| (k, o)))
            .for_each(|(k, o)| k.forget(o));
        self.tools.hand_over(old, new, &taken.memory.ports());
        self.untie(old);
        {
            let mut state = self.state();
            state.forget(old);
            state.put(taken);
            state.scan_hash.clear();
        }
        super::mirror::remove(&self.config.data, old).await;
        self.changed();
        Ok(HandedOver::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::objects::Record;
    use crate::control::removals::Absence;
    use crate::control::state::Live;
    use crate::core::problem::Place;

    fn record(name: &str, used: bool, source: Option<&str>) -> (ObjectRef, Arc<Record>) {
        let object: ObjectRef = format!("postgres/{name}").parse().unwrap();
        let metadata = serde_json::json!({"name": name});
        let mut record: Record = serde_json::from_value(serde_json::json!({
            "object": object, "uid": "0123456789abcdef", "createdAt": "", "generation": 1,
            "metadata": metadata, "spec": {}, "source": null,
        }))
        .unwrap();
        record.source = source.map(|file| Place { file: file.to_owned(), ..Place::default() });
        record.memory.edit_work(|work| work.ever_ready = used);
        (object, Arc::new(record))
    }

    #[test]
    fn only_what_no_manifest_holds_becomes_what_nothing_was_made_for() {
        let (old, new): (ObjectRef, ObjectRef) =
            ("postgres/old".parse().unwrap(), "postgres/new".parse().unwrap());
        let kept = || record("old", true, None);
        let wanted = || record("new", false, Some("n.yaml"));
        let rows = [
            ("all well", vec![kept(), wanted()], None),
            ("no such", vec![wanted()], Some("does not exist")),
            ("its manifest is there", vec![record("old", true, Some("o.yaml")), wanted()], Some("in o.yaml")),
            ("nothing made", vec![record("old", false, None), wanted()], Some("nothing was made")),
            ("no manifest of the new", vec![kept()], Some("no manifest names")),
            ("the new is kept, too", vec![kept(), record("new", false, None)], Some("no manifest names")),
            ("in use", vec![kept(), record("new", true, Some("n.yaml"))], Some("of its own")),
        ];
        for (what, records, wanted) in rows {
            let state = State { records: records.into_iter().collect(), ..State::default() };
            let why = refusal(&state, &old, &new).map(|(what, _)| what);
            assert_eq!(why.is_some(), wanted.is_some(), "{what}: {why:?}");
            assert!(why.unwrap_or_default().contains(wanted.unwrap_or_default()), "{what}");
        }
        // Within the grace after its manifest went it counts as without one.
        let records = [record("old", true, Some("o.yaml")), wanted()].into_iter().collect();
        let mut state = State { records, ..State::default() };
        let live = Live { absence: Some(Absence::begin(0)), ..Live::default() };
        state.live.insert(old.clone(), Box::new(live));
        assert_eq!(refusal(&state, &old, &new), None);
    }

    #[test]
    fn a_new_object_gets_volumes_of_its_own_where_others_bear_its_name() {
        let installation = Installation::default();
        let (object, mut renamed) = record("new", true, Some("n.yaml"));
        let old: ObjectRef = "postgres/old".parse().unwrap();
        let home = Home { base: "postgres-old".into(), name: old.name.clone() };
        Arc::make_mut(&mut renamed).memory.edit_work(|work| work.home = Some(home.clone()));
        let state = State { records: [(object.clone(), renamed)].into_iter().collect(), ..State::default() };
        let home = home_of_new(&taken(&state), &installation, &old, "0123456789abcdef").unwrap();
        assert_eq!(home, Home { base: "postgres-old.01234567".into(), name: old.name.clone() });
        assert_eq!(home_of_new(&taken(&state), &installation, &object, "0123456789abcdef"), None);
    }
}
