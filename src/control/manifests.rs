//! Takes a scan of the manifest directory into force: records, checked specs, removals.

use super::guard::Guard;
use super::objects::Record;
use super::operator::{Operator, now};
use super::rename::{home_of_new, taken};
use super::settling::{Now, Rest};
use super::sources::{Before, InForce, read};
use super::state::State;
use crate::core::event::Note;
use crate::core::names::ObjectRef;
use crate::core::seen::Host;
use crate::kinds::Context;
use crate::manifest::load::{FileText, Loaded, load, read_dir};
use crate::secrets::random_id;
use crate::store::{Saving, StoreError};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Objects in one commit.
pub(super) const COMMIT: usize = 500;

/// What came of a look at the directory.
struct Looked {
    /// Milliseconds after which to look again.
    again: Option<u64>,
    /// What it says is in force now.
    whole: bool,
}

impl Operator {
    /// Scans the directory and takes over what it says. `Some(ms)`: look again after that long.
    ///
    /// # Errors
    /// When the store could not be written: what had to be durable for that stays as it was.
    pub(super) async fn rescan_manifests(&self) -> Result<Option<u64>, StoreError> {
        Ok(self.look_at_manifests().await?.again)
    }

    /// Somebody says that they may have changed.
    pub fn read_again(&self) {
        self.rescan.notify_one();
    }

    async fn look_at_manifests(&self) -> Result<Looked, StoreError> {
        let mut settling = self.looking.lock().await;
        let not_yet = |ms| Ok(Looked { again: Some(ms), whole: false });
        let dir = self.config.manifests.clone();
        let Some(mut texts) = on_the_side(move || read_dir(&dir)).await else { return not_yet(5_000) };
        let first = !self.state().scanned;
        match settling.look(
            &texts.stamps,
            |s| self.arrivals.has(s),
            self.rest_ms(),
            first,
            self.both_clocks(),
        ) {
            Rest::Wait(ms) => return not_yet(ms),
            Rest::Whole(moving) => {
                for name in moving {
                    let why =
                        "not read: it is being written again and again; it is read once it is left alone";
                    texts.files.insert(name, FileText::NotRead(why.to_owned()));
                }
            }
        }
        let moving = settling.is_waiting().then_some(1_000);
        let host = self.state().engine.info.as_ref().map(|i| i.host());
        // What the texts mean depends on these too.
        let hash = {
            let state = self.state();
            let (owned, by_api) = (state.owned(), state.by_api());
            format!("{} {host:?} {:?} {owned:?} {by_api:?}", texts.digest(), state.prune_confirmed)
        };
        let pending = self.state().live.values().any(|l| l.absence.is_some());
        if self.state().scan_hash == hash && !pending {
            let leaving = self.deletions(&texts.directory).await?;
            return Ok(Looked { again: leaving.into_iter().chain(moving).min(), whole: true });
        }
        let directory = texts.directory.clone();
        let Some(loaded) = on_the_side(move || load(texts)).await else { return not_yet(5_000) };
        let in_force = self.read_scan(&loaded, host);
        let again = self.take_over(in_force).await?;
        self.state().scan_hash = hash;
        let leaving = self.deletions(&directory).await?;
        Ok(Looked { again: again.into_iter().chain(moving).chain(leaving).min(), whole: true })
    }

    fn rest_ms(&self) -> u64 {
        u64::try_from(self.config.times.rest.as_millis()).unwrap_or(u64::MAX)
    }

    fn both_clocks(&self) -> Now {
        Now { wall: jiff::Timestamp::now().as_millisecond().into(), clock: self.clock() }
    }

    /// As the directory is in this moment, not as it was when somebody last had a reason to look. False while
    /// nobody can say what it means.
    ///
    /// # Errors
    /// As [`Operator::rescan_manifests`].
    pub(super) async fn read_manifests_now(&self) -> Result<bool, StoreError> {
        let looked = self.look_at_manifests().await?;
        if looked.again.is_some() {
            // When to look again is the watcher's to know.
            self.rescan.notify_one();
        }
        Ok(looked.whole)
    }

    /// What a scan means against what is in force; writes nothing.
    pub(super) fn read_scan(&self, loaded: &Loaded, host: Option<Host>) -> InForce {
        self.read_against(host, |before| read(loaded, before))
    }

    /// Reads against what is in force.
    pub(super) fn read_against(
        &self,
        host: Option<Host>,
        read: impl FnOnce(&Before<'_>) -> InForce,
    ) -> InForce {
        let (records, schemas, confirmed, unread, owned) = {
            let state = self.state();
            let unread = state.unread.clone();
            (
                state.records.clone(),
                state.schemas.clone(),
                state.prune_confirmed.clone(),
                unread,
                state.owned(),
            )
        };
        let before = Before {
            kinds: &self.kinds,
            records: &records,
            schemas: &schemas,
            host,
            prune_confirmed: confirmed.as_deref(),
            unread: &unread,
            owned: &owned,
        };
        read(&before)
    }

    /// What the store refuses stays as it was, and holds up nothing else.
    async fn take_over(&self, mut new: InForce) -> Result<Option<u64>, StoreError> {
        let mut moved: BTreeSet<ObjectRef> = BTreeSet::new();
        let mut refused = None;
        let notes = {
            let _gates = self.gates.all().await;
            // What another object made meanwhile, or the API has otherwise, is no manifest's.
            let others = {
                let state = self.state();
                let otherwise = new.documents.iter().filter(|(object, document)| {
                    let known = state.records.get(*object);
                    known.is_some_and(|record| record.by_api && record.spec != document.spec)
                });
                state.owned().into_keys().chain(otherwise.map(|(object, _)| object.clone())).collect()
            };
            new.leave_out(&others);
            let (records, mut notes) = self.changed_records(&new);
            let known = |record: &Arc<Record>| self.state().records.contains_key(&record.object);
            let (changed, fresh): (Vec<_>, Vec<_>) = records.into_iter().partition(known);
            // A lost change is read from the manifest again; a lost name and uid of something new are not.
            for (records, saving) in [(changed, Saving::MayWait), (fresh, Saving::Durable)] {
                // Few commits for many objects: each one waits for the disk.
                for some in records.chunks(COMMIT) {
                    let objects = some.iter().map(|record| record.object.clone());
                    match self.save(some, saving).await {
                        Ok(()) => moved.extend(objects),
                        Err(error) => {
                            let objects: BTreeSet<ObjectRef> = objects.collect();
                            notes.retain(|(object, _)| !objects.contains(object));
                            new.leave_out(&objects);
                            refused.get_or_insert_with(|| {
                                let names: Vec<String> = objects.iter().map(ToString::to_string).collect();
                                StoreError::NotTakenOver { objects: names.join(", "), source: error.into() }
                            });
                        }
                    }
                }
            }
            notes
        };
        for some in notes.chunks(COMMIT) {
            self.note_all(some).await;
        }
        let again = match self.removals(&new, &mut moved).await {
            Ok(again) => again,
            Err(error) => {
                refused.get_or_insert(error);
                None
            }
        };
        let (scan_notes, kept_notes) = self.install(new, &mut moved);
        self.note(None, &scan_notes).await;
        for some in kept_notes.chunks(COMMIT) {
            self.note_all(some).await;
        }
        for object in moved.iter().filter(|o| self.kinds.runs(o.kind)) {
            self.live(object, |l| l.failures = 0);
            self.hurry(object);
        }
        self.say_what_is_in_force(&moved).await;
        self.changed();
        refused.map_or(Ok(again), Err)
    }

    /// Records that the documents change, and what there is to say about it.
    fn changed_records(&self, new: &InForce) -> (Vec<Arc<Record>>, Vec<(ObjectRef, Note)>) {
        let (mut records, mut notes) = (Vec::new(), Vec::new());
        let state = self.state();
        let taken = taken(&state);
        for (object, document) in &new.documents {
            let Some(known) = state.records.get(object) else {
                let note = Note::normal("Created", format!("new in {}", document.place));
                let uid = random_id();
                let home = home_of_new(&taken, &self.config.installation, object, &uid);
                let mut record = Record::new(document, uid, now());
                record.memory.edit_work(|work| work.home.clone_from(&home));
                record.take_rename(new.renamed.get(object));
                records.push(Arc::new(record));
                notes.push((object.clone(), note));
                continue;
            };
            let mut record = known.as_ref().clone();
            record.take_rename(new.renamed.get(object));
            if !record.update(document) && record.memory == known.memory {
                continue;
            }
            if let Some(owner) = &known.owner {
                let words = format!("{} has it now, no longer {}", document.place, owner.object);
                notes.push((object.clone(), Note::normal("Returned", words)));
            } else if known.by_api {
                let words = format!("{} has it now, no longer the API", document.place);
                notes.push((object.clone(), Note::normal("Returned", words)));
            } else if known.source.is_none() {
                let words = format!("the manifest is back in {}", document.place);
                notes.push((object.clone(), Note::normal("Returned", words)));
            } else if record.generation != known.generation {
                let words = format!("generation {} from {}", record.generation, document.place);
                notes.push((object.clone(), Note::normal("SpecChanged", words)));
            }
            records.push(Arc::new(record));
        }
        (records, notes)
    }

    /// Objects without a good new document go by their last good version, if it still can be used.
    fn check_last_good(&self, state: &State, new: &mut InForce) {
        let host = state.engine.info.as_ref().map(|i| i.host());
        for (object, record) in state.records.iter().filter(|(o, _)| self.kinds.runs(o.kind)) {
            if new.checked.contains_key(object) {
                continue;
            }
            let Some(kind) = self.kinds.get(object.kind) else { continue };
            let context = Context { catalogs: &new.catalogs, host, in_force: true };
            let pinned = || kind.check(&record.document_with_pinned_image()?, &context).ok();
            let last_good = kind.check(&record.document(), &context);
            // What runs is looked after also when nobody knows any more which image was meant.
            if let Err(problems) = &last_good
                && record.is_present()
                && let Some(checked) = pinned()
            {
                let why = problems.first().map(ToString::to_string).unwrap_or_default();
                new.kept.entry(object.clone()).or_insert(why);
                new.checked.insert(object.clone(), checked);
                continue;
            }
            match last_good {
                Ok(checked) => {
                    new.checked.insert(object.clone(), checked);
                }
                Err(problems) if !record.is_present() => {
                    // A retained object needs no image: only its identity counts.
                    if let Some(old) = state.checked.get(object) {
                        new.checked.insert(object.clone(), old.clone());
                    } else if let Some(first) = problems.first() {
                        new.kept.entry(object.clone()).or_insert_with(|| first.to_string());
                    }
                }
                Err(problems) => {
                    if let Some(first) = problems.first() {
                        new.kept.entry(object.clone()).or_insert_with(|| first.to_string());
                    }
                }
            }
        }
    }

    fn install(
        &self,
        mut new: InForce,
        moved: &mut BTreeSet<ObjectRef>,
    ) -> (Vec<Note>, Vec<(ObjectRef, Note)>) {
        let mut state = self.state();
        // Not before: what an object changes of its children meanwhile would be taken back.
        self.check_last_good(&state, &mut new);
        let mut scan_notes = Vec::new();
        match (&state.guard, &new.guard) {
            (old, Some(guard)) if old.as_ref() != Some(guard) => {
                if !guard.why.is_empty() {
                    scan_notes.push(Note::warning("PruneGuard", guard.message()));
                }
                moved.extend(guard.objects.iter().cloned());
            }
            _ => {}
        }
        let many = |guard: &Option<Guard>| guard.as_ref().is_some_and(|g| !g.why.is_empty());
        if many(&state.guard) && !many(&new.guard) {
            let words = "manifests are back or their removal was confirmed";
            scan_notes.push(Note::normal("PruneGuardLifted", words));
        }
        if let Some(old) = &state.guard {
            let still = |object: &&ObjectRef| new.guard.as_ref().is_some_and(|g| g.objects.contains(*object));
            moved.extend(old.objects.iter().filter(|object| !still(object)).cloned());
        }
        if let Some(words) = new.passed_over.as_ref().filter(|_| state.passed_over != new.passed_over) {
            scan_notes.push(Note::normal("ManifestNotRead", words.clone()));
        }
        let mut kept_notes = Vec::new();
        for (object, hold) in new.guard.iter().flat_map(|g| &g.held) {
            let before = state.guard.as_ref().and_then(|g| g.held.get(object));
            if before != Some(hold) {
                let words = format!("{}; nothing is removed", hold.words);
                kept_notes.push((object.clone(), Note::warning(hold.reason, words)));
            }
        }
        for (object, why) in &new.kept {
            if state.kept.get(object) != Some(why) && state.records.contains_key(object) {
                let words = format!("the last good version stays in force: {why}");
                kept_notes.push((object.clone(), Note::warning("ManifestBroken", words)));
            }
        }
        let relevant = state.kept.keys().chain(new.kept.keys()).cloned().collect::<BTreeSet<_>>();
        for object in relevant {
            if state.kept.get(&object) != new.kept.get(&object) && state.records.contains_key(&object) {
                moved.insert(object);
            }
        }
        for (object, checked) in &new.checked {
            if state.checked.get(object) != Some(checked) {
                moved.insert(object.clone());
            }
        }
        state.prune_confirmed = None;
        for object in new.documents.keys() {
            state.unread.insert(object.clone(), Arc::clone(&new.unread));
        }
        state.guard = new.guard;
        state.put_kept(new.kept);
        state.checked = new.checked;
        state.catalogs = new.catalogs;
        state.problems = new.problems;
        state.passed_over = new.passed_over;
        moved.extend(state.tie());
        state.scanned = true;
        (scan_notes, kept_notes)
    }

    /// What nothing runs for is in force, or it is not: that is said at once.
    async fn say_what_is_in_force(&self, moved: &BTreeSet<ObjectRef>) {
        let Some(me) = self.me() else { return };
        for object in moved {
            if let Some(kind) = self.kinds.get(object.kind).filter(|kind| !kind.about().runs) {
                kind.pass(&me, object, &CancellationToken::new()).await;
            }
        }
    }
}

/// For what blocks or takes long; `None` when it ended abnormally.
async fn on_the_side<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Some(done),
        Err(error) => {
            tracing::error!(%error, "the manifest scan ended abnormally");
            None
        }
    }
}

impl Operator {
    /// Specs of the records alone, for answers without a running operator.
    pub fn load_offline(&self) {
        let mut state = self.state();
        let records: Vec<Arc<Record>> = state.records.values().cloned().collect();
        let mut catalogs = self.kinds.catalogs();
        // What names images first: the others are judged by it.
        for runs in [false, true] {
            for record in records.iter().filter(|r| self.kinds.runs(r.object.kind) == runs) {
                let context = Context { catalogs: &catalogs, host: None, in_force: true };
                let Some(kind) = self.kinds.get(record.object.kind) else { continue };
                if let Ok(spec) = kind.check(&record.document(), &context) {
                    spec.extend(&mut catalogs);
                    state.checked.insert(record.object.clone(), spec);
                }
            }
        }
        state.catalogs = catalogs;
    }
}
