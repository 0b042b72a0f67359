//! From what the manifests say to what is in force. Pure: values in, values out.
//!
//! A broken file never stops the rest: an object whose newest text cannot be used keeps its last good
//! version. An object counts as gone only when every file that could name it was read, and none that named it
//! is still there.

use super::any::{AnyKind, Spec};
use super::difference;
use super::guard::{self, Guard};
use super::holds::{Hold, hold};
use super::objects::Record;
use super::registry::Kinds;
use super::renames::{renames, words};
use crate::core::names::{Kind, ObjectRef};
use crate::core::problem::Problem;
use crate::core::resource::{Document, PortRequest};
use crate::core::seen::Host;
use crate::core::will::Rename;
use crate::kinds::Context;
use crate::manifest::load::{Directory, Loaded};
use crate::manifest::shape;
use crate::workload::catalog::Catalog;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// With as many problems only the first one of each further document is kept.
const MAX_PROBLEMS: usize = 10_000;

/// What the manifests are compared with.
pub struct Before<'a> {
    pub kinds: &'a Kinds,
    pub records: &'a BTreeMap<ObjectRef, Arc<Record>>,
    pub schemas: &'a BTreeMap<Kind, Value>,
    pub host: Option<Host>,
    /// Words given to `seawall prune --confirm`.
    pub prune_confirmed: Option<&'a str>,
    /// The files that could not be read when an object was last named.
    pub unread: &'a BTreeMap<ObjectRef, Arc<BTreeSet<String>>>,
    /// Objects that others made, and who: a manifest takes none of them over.
    pub owned: &'a BTreeMap<ObjectRef, ObjectRef>,
}

/// What follows from a scan.
#[derive(Clone, Debug, Default)]
pub struct InForce {
    /// Good documents, one an object.
    pub documents: BTreeMap<ObjectRef, Document>,
    pub checked: BTreeMap<ObjectRef, Spec>,
    /// The images of each kind; empty before anything was read.
    pub catalogs: BTreeMap<Kind, Catalog>,
    /// Objects whose last good version stays in force, with the first problem of the newest one.
    pub kept: BTreeMap<ObjectRef, String>,
    /// Objects whose manifest is gone; not those that are held back.
    pub gone: BTreeSet<ObjectRef>,
    /// Removals that are held back.
    pub guard: Option<Guard>,
    /// New objects that are probably others under another name.
    pub renamed: BTreeMap<ObjectRef, Rename>,
    /// Removals that were held back and that the user let go.
    pub let_go: BTreeSet<ObjectRef>,
    /// The files that could not be read this time.
    pub unread: Arc<BTreeSet<String>>,
    /// Of files that look like manifests and are not read.
    pub passed_over: Option<String>,
    /// By place.
    pub problems: Vec<Problem>,
}

impl InForce {
    /// What the store did not take: these go by what was in force before, if anything was.
    pub fn leave_out(&mut self, objects: &BTreeSet<ObjectRef>) {
        self.documents.retain(|object, _| !objects.contains(object));
        self.checked.retain(|object, _| !objects.contains(object));
    }

    /// Takes up what is wrong with one document: all of it, or the first when there is much already.
    fn say(&mut self, problems: Vec<Problem>) {
        let room = if self.problems.len() < MAX_PROBLEMS { problems.len() } else { 1 };
        self.problems.extend(problems.into_iter().take(room));
    }
}

/// Reads a scan against what was in force before.
#[must_use]
pub fn read(loaded: &Loaded, before: &Before<'_>) -> InForce {
    let mut result = InForce {
        problems: loaded.problems.clone(),
        passed_over: loaded.passed_over(),
        ..InForce::default()
    };
    let by_api = |object: &ObjectRef| before.records.get(object).is_some_and(|record| record.by_api);
    let own = |object: &ObjectRef| !before.owned.contains_key(object) && !by_api(object);
    for rejected in loaded.rejected.iter().filter(|rejected| own(&rejected.document.object)) {
        let why = rejected.problems.first().map(ToString::to_string).unwrap_or_default();
        result.kept.insert(rejected.document.object.clone(), why);
    }
    let mut chosen = choose(loaded, before);
    chosen.retain(|object, document| {
        let problem = match before.owned.get(object) {
            Some(owner) => Some(made_by(owner, document)),
            None => before.records.get(object).and_then(|record| claimed(record, document)),
        };
        let own = problem.is_none();
        result.problems.extend(problem);
        own
    });
    judge_all(loaded, &chosen, before, &mut result);
    removals(loaded, before, &mut result);
    result.problems.sort();
    result.problems.dedup();
    result
}

/// The same of one that comes by the API: no file is gone because it is not there, and whose the object is, is for whoever
/// asks to decide.
#[must_use]
pub fn read_request(loaded: &Loaded, before: &Before<'_>) -> InForce {
    let mut result = InForce { problems: loaded.problems.clone(), ..InForce::default() };
    judge_all(loaded, &choose(loaded, before), before, &mut result);
    result.problems.sort();
    result.problems.dedup();
    result
}

fn judge_all(
    loaded: &Loaded,
    chosen: &BTreeMap<ObjectRef, &Document>,
    before: &Before<'_>,
    result: &mut InForce,
) {
    // What names images first: the others are judged by it.
    let catalogs = catalogs(chosen, before, result);
    let context = Context { catalogs: &catalogs, host: before.host, in_force: false };
    for (object, document) in chosen.iter().filter(|(object, _)| before.kinds.runs(object.kind)) {
        take(object, document, before, &context, result);
    }
    pinned_twice(result);
    for document in loaded.rejected.iter().map(|r| &r.document).chain(&loaded.nameless) {
        result.say(judged(document, before, &context).err().unwrap_or_default());
    }
    result.catalogs = catalogs;
}

/// A file that names an object of the API's takes it over when it wants the very same of it.
fn claimed(record: &Record, document: &Document) -> Option<Problem> {
    if !record.by_api || record.spec == document.spec {
        return None;
    }
    let object = &document.object;
    let fields = difference::paths("spec", &record.spec.value(), &document.spec);
    let what = format!(
        "{object} is managed by the API, and stays as it is there: this differs in {}",
        fields.join(", ")
    );
    let next = format!(
        "`seawall export --manifests DIR` writes what it is now, or after seawall delete {object} this file has it"
    );
    Some(Problem::new(document.place_of("metadata.name"), "metadata.name", what).nearest(next))
}

fn made_by(owner: &ObjectRef, document: &Document) -> Problem {
    let object = &document.object;
    let what = format!("{object} was made by {owner} and is its own; it stays as it is");
    Problem::new(document.place_of("metadata.name"), "metadata.name", what)
        .nearest(format!("choose another name, or change what {owner} makes"))
}

/// One document an object: the one already in force stays, else the first. Those in rejected places
/// count as contenders too, so that a good copy elsewhere does not win by accident.
fn choose<'a>(loaded: &'a Loaded, before: &Before<'_>) -> BTreeMap<ObjectRef, &'a Document> {
    let mut chosen: BTreeMap<ObjectRef, &Document> = BTreeMap::new();
    for document in &loaded.documents {
        let in_force = before.records.get(&document.object).and_then(|r| r.source.as_ref());
        let stays = in_force.is_some_and(|place| place.file == document.place.file);
        let slot = chosen.entry(document.object.clone()).or_insert(document);
        let slot_stays = in_force.is_some_and(|place| place.file == slot.place.file);
        if stays && !slot_stays {
            *slot = document;
        }
    }
    chosen
}

/// What a document means, or everything that is wrong with it: what its shape leaves in doubt is left out
/// when the rest is judged.
fn judged(document: &Document, before: &Before<'_>, context: &Context<'_>) -> Result<Spec, Vec<Problem>> {
    let Some(kind) = before.kinds.get(document.object.kind) else { return Err(Vec::new()) };
    if let Some(maker) = kind.about().made_by {
        let what = format!("{} is made by a {maker}: no manifest is one", an(document.object.kind));
        let problem = Problem::new(document.place_of("kind"), "kind", what);
        return Err(vec![problem.nearest(format!("write it in the spec of a {maker}"))]);
    }
    judge(kind.as_ref(), before.schemas.get(&document.object.kind), document, context)
}

fn an(kind: Kind) -> String {
    let vowel = kind.as_str().starts_with(['A', 'E', 'I', 'O', 'U']);
    format!("{} {kind}", if vowel { "an" } else { "a" })
}

/// The same of any document, whoever wants it.
pub(super) fn judge(
    kind: &dyn AnyKind,
    schema: Option<&Value>,
    document: &Document,
    context: &Context<'_>,
) -> Result<Spec, Vec<Problem>> {
    let mut problems = schema.map(|schema| shape::check(schema, document)).unwrap_or_default();
    if problems.is_empty() {
        return kind.check(document, context);
    }
    if let Some(spec) = shape::without(&document.spec, &problems) {
        let rest = kind.check(&Document { spec, ..document.clone() }, context).err().unwrap_or_default();
        // What is said of the spec as a whole may come from what was left out.
        problems.extend(rest.into_iter().filter(|p| p.path != "spec"));
    }
    Err(problems)
}

/// A document comes into force, or what is wrong with it is said.
fn take(
    object: &ObjectRef,
    document: &Document,
    before: &Before<'_>,
    context: &Context<'_>,
    result: &mut InForce,
) -> Option<Spec> {
    match judged(document, before, context) {
        Ok(spec) => {
            result.documents.insert(object.clone(), document.clone());
            result.checked.insert(object.clone(), spec.clone());
            Some(spec)
        }
        Err(problems) => {
            reject(object, problems, result);
            None
        }
    }
}

fn reject(object: &ObjectRef, problems: Vec<Problem>, result: &mut InForce) {
    let why = problems.first().map(ToString::to_string).unwrap_or_default();
    result.kept.insert(object.clone(), why);
    result.say(problems);
}

/// The catalogs that the kinds bring, then those in force in the order of their names.
fn catalogs(
    chosen: &BTreeMap<ObjectRef, &Document>,
    before: &Before<'_>,
    result: &mut InForce,
) -> BTreeMap<Kind, Catalog> {
    let mut catalogs = before.kinds.catalogs();
    let names_images = |object: &ObjectRef| !before.kinds.runs(object.kind);
    let none = BTreeMap::new();
    let context = Context { catalogs: &none, host: None, in_force: false };
    let mut specs = BTreeMap::new();
    for (object, record) in before.records.iter().filter(|(object, _)| names_images(object)) {
        // Last good versions first; what the scan says replaces them below.
        let kind = before.kinds.get(object.kind);
        if let Some(Ok(spec)) = kind.map(|kind| kind.check(&record.document(), &context)) {
            if record.by_api {
                result.checked.insert(object.clone(), spec.clone());
            }
            specs.insert(object.clone(), spec);
        }
    }
    for (object, document) in chosen.iter().filter(|(object, _)| names_images(object)) {
        if let Some(spec) = take(object, document, before, &context, result) {
            specs.insert(object.clone(), spec);
        }
    }
    specs.values().for_each(|spec| spec.extend(&mut catalogs));
    catalogs
}

/// Two that ask for one port: both stay in force, as their containers keep what they have; the plan says why.
fn pinned_twice(result: &mut InForce) {
    let mut pinned: BTreeMap<u16, &ObjectRef> = BTreeMap::new();
    for (object, spec) in &result.checked {
        let Some(document) = result.documents.get(object) else { continue };
        for (_, spec) in spec.each() {
            let PortRequest::Fixed(port) = spec.port else { continue };
            match pinned.get(&port) {
                Some(other) => result.problems.push(Problem::new(
                    document.place_of("spec.port"),
                    "spec.port",
                    format!("port {port} is also pinned by {other}"),
                )),
                None => drop(pinned.insert(port, object)),
            }
        }
    }
}

fn removals(loaded: &Loaded, before: &Before<'_>, result: &mut InForce) {
    let with_manifest: Vec<(&ObjectRef, &str)> = before
        .records
        .iter()
        .filter_map(|(object, record)| Some((object, record.source.as_ref()?.file.as_str())))
        .collect();
    let present = loaded.directory == Directory::Present;
    let mut held = BTreeMap::new();
    for (object, file) in &with_manifest {
        let named = result.documents.contains_key(*object) || result.kept.contains_key(*object);
        if named {
            continue;
        }
        if loaded.is_unknown(file) && present {
            let why = loaded
                .problems
                .iter()
                .find(|p| p.place.file == *file)
                .map_or_else(|| format!("{file} could not be read"), ToString::to_string);
            result.kept.insert((*object).clone(), why);
            continue;
        }
        let unread = before.unread.get(*object).map(AsRef::as_ref);
        // An object for which nothing was made has nothing to lose.
        let empty =
            |record: &Arc<Record>| before.kinds.has_containers(object.kind) && record.memory.is_untouched();
        let at_stake = present && !before.records.get(*object).is_some_and(empty);
        match hold(object, file, loaded, unread).filter(|_| at_stake) {
            Some(hold) => drop(held.insert((*object).clone(), hold)),
            None => drop(result.gone.insert((*object).clone())),
        }
    }
    let has_data = |object: &&ObjectRef| before.kinds.has_containers(object.kind);
    let vanished = result.gone.iter().chain(held.keys()).filter(has_data);
    result.renamed = renames(vanished, &result.documents, before.records);
    for (new, rename) in result.renamed.iter().filter(|(_, rename)| !rename.said) {
        result.gone.remove(&rename.from);
        let words = words(&rename.from, new);
        held.insert(rename.from.clone(), Hold { reason: "ProbablyRenamed", words });
    }
    match guard::judge(&loaded.directory, with_manifest.len(), &result.gone, held, before.prune_confirmed) {
        Ok(guard) => result.guard = guard,
        Err(let_go) => result.let_go = let_go,
    }
    result.renamed.retain(|_, rename| rename.said || !result.let_go.contains(&rename.from));
    // Until the user says more: neither wanted nor gone.
    let back = |object: &ObjectRef| result.guard.as_ref().is_some_and(|g| g.objects.contains(object));
    result.gone.retain(|object| !back(object) && !result.let_go.contains(object));
    let unread = loaded.files.iter().filter(|(_, state)| state.broken).map(|(name, _)| name.clone());
    result.unread = Arc::new(unread.collect());
}

#[cfg(test)]
#[path = "sources_tests.rs"]
mod tests;
