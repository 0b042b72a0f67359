//! Objects that no manifest holds: made, changed and let go by the API, and judged as the documents of files are. It must
//! never change what a manifest or another object holds, nor answer before what it did is durable.

use super::answers::store_failed;
use super::any::Spec;
use super::api::{ApiError, Applied, ApplyOptions, Done, ErrorCode, Outcome, Result};
use super::children::Supposed;
use super::difference::{merge, yaml};
use super::objects::Record;
use super::operator::{Operator, now};
use super::preview::Planned;
use super::recover::NO_FILE;
use super::rename::{home_of_new, taken};
use super::sources::read_request;
use super::state::State;
use crate::core::event::Note;
use crate::core::names::{API_VERSION, Kind, ObjectRef};
use crate::core::problem::Problem;
use crate::core::resource::{Document, PortRequest};
use crate::manifest::load::{FileText, Loaded, MAX_ALL_NODES, MAX_FILE, load_texts};
use crate::manifest::yaml::{Room, parse};
use crate::secrets::random_id;
use crate::store::Saving;
use crate::workload::catalog::Catalog;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What stands for the file where a problem says where it is.
pub const REQUEST: &str = "request";
/// How often a patch is made anew because the object changed meanwhile.
const TRIES: usize = 3;

/// A document that may come into force.
struct Judged {
    document: Document,
    spec: Spec,
    catalogs: BTreeMap<Kind, Catalog>,
    warnings: Vec<Problem>,
}

/// What is to become of an object, decided on what is known of it.
struct Change {
    outcome: Outcome,
    record: Arc<Record>,
    note: Option<Note>,
}

fn refused<T>(what: impl Into<String>, next: impl Into<String>) -> Result<T> {
    Err(ApiError::new(ErrorCode::Conflict, what, next))
}

fn invalid<T>(what: impl Into<String>) -> Result<T> {
    Err(ApiError::new(ErrorCode::Invalid, what, ""))
}

/// What stands in a manifest of it.
fn manifest(document: &Document) -> Value {
    json!({
        "apiVersion": API_VERSION,
        "kind": document.object.kind.as_str(),
        "metadata": document.metadata,
        "spec": document.spec,
    })
}

/// As two manifests that ask for one port.
fn pinned_elsewhere(state: &State, judged: &Judged) -> Option<Problem> {
    let object = &judged.document.object;
    let pins = |spec: &Spec| -> Vec<u16> {
        let each = spec.each().into_iter().map(|(_, work)| work.port);
        each.filter_map(|port| if let PortRequest::Fixed(port) = port { Some(port) } else { None }).collect()
    };
    let mine = pins(&judged.spec);
    let others = state.checked.iter().filter(|(other, _)| {
        *other != object && state.records.get(*other).is_some_and(|record| record.is_present())
    });
    let (other, port) = others
        .flat_map(|(other, spec)| pins(spec).into_iter().map(move |port| (other, port)))
        .find(|(_, port)| mine.contains(port))?;
    let what = format!("port {port} is also pinned by {other}");
    Some(Problem::new(judged.document.place_of("spec.port"), "spec.port", what))
}

impl Operator {
    pub(super) async fn do_apply(&self, text: &str, options: &ApplyOptions) -> Result<Applied> {
        self.must_run("apply")?;
        self.manifests_are_read().await?;
        let judged = self.judge_text(text)?;
        if options.dry_run {
            return self.would_apply(judged, options).await;
        }
        let object = judged.document.object.clone();
        let Change { outcome, record, note } = {
            let _gate = self.gates.one(&object).await;
            let change = {
                let state = self.state();
                self.change(&state, &judged, options)?
            };
            if change.outcome != Outcome::Unchanged {
                let saved = self.save(std::slice::from_ref(&change.record), Saving::Durable).await;
                saved.map_err(|e| store_failed(&e))?;
                self.come_into_force(&object, judged.spec);
            }
            change
        };
        if let Some(note) = note {
            self.answered_for(Some(&object), note).await;
        }
        if outcome != Outcome::Unchanged {
            self.is_said_to_files(&object).await;
        }
        let resource_version = self.state().resource_version(&record);
        Ok(Applied {
            object: object.to_string(),
            outcome,
            resource_version,
            warnings: judged.warnings,
            plan: None,
        })
    }

    /// What would become of it, without doing it.
    async fn would_apply(&self, judged: Judged, options: &ApplyOptions) -> Result<Applied> {
        let Judged { document, .. } = &judged;
        let object = document.object.clone();
        let (change, resource_version, subjects) = {
            let state = self.state();
            let change = self.change(&state, &judged, options)?;
            let version = state.records.get(&object).map(|known| state.resource_version(known));
            let others = state.records.values().filter(|record| record.object != object);
            let mut subjects: Vec<_> = others
                .filter_map(|record| Some((Arc::clone(record), state.checked.get(&record.object)?.clone())))
                .collect();
            subjects.push((Arc::clone(&change.record), judged.spec.clone()));
            (change, version.unwrap_or_default(), subjects)
        };
        let supposed = Supposed { subjects, catalogs: judged.catalogs };
        let plan = match self.kinds.get(object.kind).filter(|kind| kind.about().runs) {
            Some(kind) => {
                let mut before = Planned::default();
                Some(kind.preview(self, &supposed, &change.record, &judged.spec, &mut before).await)
            }
            None => None,
        };
        let (object, outcome) = (object.to_string(), change.outcome);
        Ok(Applied { object, outcome, resource_version, warnings: judged.warnings, plan })
    }

    pub(super) async fn do_patch(
        &self,
        object: &ObjectRef,
        text: &str,
        options: &ApplyOptions,
    ) -> Result<Applied> {
        self.must_run("patch")?;
        let patch = patch_of(text)?;
        let mut tries = 0;
        loop {
            tries += 1;
            let record = self.record(object)?;
            if !record.is_present() {
                return refused(format!("{object} is retained: nobody wants it"), "apply its whole document");
            }
            let mut whole = record.manifest();
            merge(&mut whole, patch.clone());
            if whole["kind"] != object.kind.as_str() || whole["metadata"]["name"] != object.name.as_str() {
                return invalid("a patch changes neither the kind nor the name of an object");
            }
            let version = self.state().resource_version(&record);
            let ask = ApplyOptions {
                resource_version: options.resource_version.clone().or_else(|| Some(version.clone())),
                create: false,
                dry_run: options.dry_run,
            };
            let done = self.do_apply(&whole.to_string(), &ask).await;
            let again = options.resource_version.is_none()
                && tries < TRIES
                && matches!(&done, Err(error) if error.code == ErrorCode::Conflict)
                && !self.record(object)?.is_still(&version);
            if !again {
                return done;
            }
        }
    }

    /// Before that nobody knows which names are those of files, nor what they call images.
    async fn manifests_are_read(&self) -> Result<()> {
        if !self.state().scanned {
            self.read_manifests_now().await.map_err(|e| store_failed(&e))?;
        }
        if self.state().scanned {
            return Ok(());
        }
        let what = "the manifests are being changed right now, and were never read before";
        Err(ApiError::new(ErrorCode::Unavailable, what, "say it again when they are whole"))
    }

    /// As `seawall validate` judges a file of one document.
    fn judge_text(&self, text: &str) -> Result<Judged> {
        if text.len() as u64 > MAX_FILE {
            return invalid(format!("the document is larger than {} MiB", MAX_FILE >> 20));
        }
        let bytes = FileText::Bytes(text.as_bytes().to_vec());
        let loaded = load_texts(BTreeMap::from([(REQUEST.to_owned(), bytes)]));
        let Loaded { documents, rejected, nameless, problems, .. } = &loaded;
        let objects = documents.len() + rejected.len() + nameless.len();
        if objects > 1 {
            return invalid(format!("the request has {objects} documents: it is for one object"));
        }
        if objects == 0 && problems.is_empty() {
            return invalid("the request has no document");
        }
        let host = self.state().engine.info.as_ref().map(|info| info.host());
        let mut read = self.read_against(host, |before| read_request(&loaded, before));
        let good = read
            .documents
            .pop_first()
            .and_then(|(object, document)| Some((document, read.checked.remove(&object)?)));
        let Some((document, spec)) = good.filter(|_| read.problems.is_empty()) else {
            let problems: Vec<String> = read.problems.iter().map(ToString::to_string).collect();
            return invalid(problems.join("\n"));
        };
        let kind = self.kinds.get(document.object.kind);
        let warnings = kind.map(|kind| kind.warnings(&document, &spec)).unwrap_or_default();
        Ok(Judged { document, spec, catalogs: read.catalogs, warnings })
    }

    fn change(&self, state: &State, judged: &Judged, options: &ApplyOptions) -> Result<Change> {
        let document = &judged.document;
        let object = &document.object;
        if let Some(problem) = pinned_elsewhere(state, judged) {
            return invalid(problem.to_string());
        }
        let Some(known) = state.records.get(object) else {
            if options.resource_version.is_some() {
                let what = format!("{object} does not exist, or not any more; nothing was changed");
                return refused(what, "leave resourceVersion out to create it");
            }
            let uid = random_id();
            let home = home_of_new(&taken(state), &self.config.installation, object, &uid);
            let mut record = Record::of_api(document, uid, now());
            record.memory.edit_work(|work| work.home.clone_from(&home));
            let note = Some(Note::normal("Created", "new, by the API"));
            return Ok(Change { outcome: Outcome::Created, record: Arc::new(record), note });
        };
        if options.create {
            let kept = if known.is_present() { "" } else { ": nobody wants it, and its data are kept" };
            let what = format!("{object} exists already{kept}");
            return refused(what, "choose another name, or change this one");
        }
        if options.resource_version.as_ref().is_some_and(|asked| !known.is_still(asked)) {
            let version = state.resource_version(known);
            let what = format!("{object} is another version by now, {version}; nothing was changed");
            return refused(what, format!("look again: seawall get {object} -o yaml"));
        }
        if let Some(owner) = state.maker_of(known).filter(|_| known.is_present()) {
            let what = format!("{object} was made by {} and is its own; it stays as it is", owner.object);
            return refused(what, format!("change {}", owner.object));
        }
        let unchanged = Change { outcome: Outcome::Unchanged, record: Arc::clone(known), note: None };
        if let Some(place) = known.source.as_ref().filter(|place| place.file != NO_FILE) {
            let (is, wanted) = (known.manifest(), manifest(document));
            if is == wanted {
                return Ok(unchanged);
            }
            let what = format!("{object} has a manifest in {place}; nothing was changed");
            return refused(what, format!("commit there:\n{}", yaml(&is, &wanted).trim_end()));
        }
        let mut record = known.as_ref().clone();
        if !record.update_by_api(document) {
            return Ok(unchanged);
        }
        let note = if !known.by_api {
            Some(Note::normal("Returned", "wanted again, by the API"))
        } else if record.generation != known.generation {
            Some(Note::normal("SpecChanged", format!("generation {} by the API", record.generation)))
        } else {
            None
        };
        Ok(Change { outcome: Outcome::Configured, record: Arc::new(record), note })
    }

    /// The caller holds the gate of its record, which is in the store.
    fn come_into_force(&self, object: &ObjectRef, spec: Spec) {
        // What names images comes into force, and is said to be, with the next reading of the manifests.
        if !self.kinds.runs(object.kind) {
            return;
        }
        let concerned = {
            let mut state = self.state();
            if let Some(offer) = state.offers.get_mut(object) {
                offer.at_rest = false;
            }
            state.kept.remove(object);
            let concerned = state.tie_one(object, &spec);
            state.checked.insert(object.clone(), spec);
            concerned
        };
        concerned.iter().for_each(|other| self.nudge(other));
        self.live(object, |live| (live.failures, live.absence) = (0, None));
        self.hurry(object);
    }

    /// Whose an object is decides what a file means that names it. What names images is in force once everything was judged
    /// by it, which is before it is answered.
    async fn is_said_to_files(&self, object: &ObjectRef) {
        self.rescan.notify_one();
        if !self.kinds.runs(object.kind)
            && let Err(error) = self.read_manifests_now().await
        {
            tracing::error!(%error, "changes of manifests could not be taken over");
        }
    }

    /// An object of the API's goes as one whose manifest goes. The caller saw that nobody refers to it.
    pub(super) async fn let_go_by_api(&self, object: &ObjectRef) -> Result<Done> {
        let gone = self.kinds.gone(object.kind);
        if !self.kinds.runs(object.kind) {
            self.forget(object, None).await.map_err(|e| store_failed(&e))?;
            self.is_said_to_files(object).await;
            return Ok(Done { message: format!("{object} is deleted: {gone}"), commit: String::new() });
        }
        let grace = self.gone_from_now(0);
        let edited = self.edit(object, Saving::Durable, |record| {
            if record.by_api {
                record.let_go(grace);
            }
        });
        if edited.await.map_err(|e| store_failed(&e))?.is_none_or(|record| record.is_present()) {
            return refused(format!("{object} was changed meanwhile"), format!("seawall describe {object}"));
        }
        self.count_from_now(object);
        self.put_in_force(object);
        self.answered_for(Some(object), Note::normal("LetGo", "deleted by the API; its data are kept")).await;
        self.is_said_to_files(object).await;
        self.hurry(object);
        let given_up = self.state().checked.get(object).is_some_and(Spec::given_up);
        let kept = match (given_up, self.kinds.has_containers(object.kind)) {
            (true, _) => ", and its data go after the deletion grace".to_owned(),
            (false, true) => {
                format!("; its data are kept until seawall delete {object} --confirm {}", object.name)
            }
            (false, false) => String::new(),
        };
        Ok(Done { message: format!("{object} is being deleted: {gone}{kept}"), commit: String::new() })
    }
}

fn patch_of(text: &str) -> Result<Value> {
    if text.len() as u64 > MAX_FILE {
        return invalid(format!("the patch is larger than {} MiB", MAX_FILE >> 20));
    }
    let mut parsed = parse(REQUEST, text.as_bytes(), &mut Room { documents: 2, nodes: MAX_ALL_NODES });
    if let Some(problem) = parsed.broken {
        return invalid(problem.to_string());
    }
    match (parsed.documents.pop(), parsed.documents.is_empty()) {
        (Some(patch), true) if patch.value.is_object() && patch.problems.is_empty() => Ok(patch.value),
        (Some(patch), true) if !patch.problems.is_empty() => {
            let problems: Vec<String> = patch.problems.iter().map(ToString::to_string).collect();
            invalid(problems.join("\n"))
        }
        _ => invalid("a patch is one mapping of the fields that change, and of null for those that go"),
    }
}
