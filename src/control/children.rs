//! Objects that an object makes: their records, as its passes want them. What becomes of those objects is the work of
//! their own passes; their memory and status are never written here.

mod adopt;
mod decide;

use super::any::Spec;
use super::objects::Record;
use super::operator::{Operator, now};
use super::rename::{home_of_new, taken};
use super::sources::judge;
use super::state::State;
use super::will::Will;
use crate::control::crash_point;
use crate::core::event::Note;
use crate::core::names::{Kind, ObjectRef};
use crate::core::plan::{ChildStep, Plan, Step};
use crate::core::problem::Place;
use crate::core::resource::{Document, Metadata};
use crate::kinds::{Act, Child, Context};
use crate::secrets::random_id;
use crate::store::{Saving, StoreError};
use crate::workload::Action;
use crate::workload::catalog::Catalog;
use decide::{CHILDREN_LEAVING, Family, MAX_DEPTH, Wanted, decide};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use tokio_util::sync::CancellationToken;

/// What is in force, or what would be if other manifests were: the objects with their specs, and the images.
pub struct Supposed {
    pub subjects: Vec<(Arc<Record>, Spec)>,
    pub catalogs: BTreeMap<Kind, Catalog>,
}

/// How the steps on children ended.
pub(super) enum Tended {
    Done,
    /// Something else is wanted by now.
    Replan,
    Stopped,
}

impl State {
    /// Who made this one, if that very object is there.
    pub(super) fn maker_of(&self, record: &Record) -> Option<&Arc<Record>> {
        self.records.get(&record.owner.as_ref()?.object).filter(|owner| record.is_of(owner))
    }

    /// Objects that belong to others, which want them, and to whom: no manifest takes their names.
    pub(super) fn owned(&self) -> BTreeMap<ObjectRef, ObjectRef> {
        let owned = self.graph.owned().filter(|(child, _)| {
            let record = self.records.get(*child).filter(|record| record.is_present());
            record.is_some_and(|record| self.maker_of(record).is_some())
        });
        owned.map(|(child, owner)| (child.clone(), owner.clone())).collect()
    }

    /// Versions of the objects that the API holds: files that name them mean something else with each.
    pub(super) fn by_api(&self) -> BTreeMap<&ObjectRef, u64> {
        let held = self.records.iter().filter(|(_, record)| record.by_api);
        held.map(|(object, record)| (object, record.version)).collect()
    }

    /// Why nobody looks after what was made for another object, if that one is not there.
    pub(super) fn orphaned(&self, record: &Record) -> Option<String> {
        let by = record.owner.as_ref().filter(|by| by.wanted && self.maker_of(record).is_none())?;
        Some(format!(
            "{}, which made it, is not there any more: it goes on as it is. Write a manifest for it, or: seawall delete {} --confirm {}",
            by.object, record.object, record.object.name
        ))
    }

    pub(super) fn made_by(&self, owner: &Record) -> Vec<Arc<Record>> {
        let named = self.graph.children(&owner.object).filter_map(|child| self.records.get(child));
        named.filter(|record| record.is_of(owner)).cloned().collect()
    }

    fn above(&self, record: &Record) -> Vec<ObjectRef> {
        let mut above = Vec::new();
        let mut next = record.owner.as_ref();
        while let Some(by) = next.filter(|_| above.len() < MAX_DEPTH) {
            above.push(by.object.clone());
            next = self.records.get(&by.object).and_then(|record| record.owner.as_ref());
        }
        above
    }
}

/// As a document of a manifest would be.
fn document(owner: &Record, child: Child) -> Document {
    let Child { object, labels, annotations, spec } = child;
    Document {
        metadata: Metadata { name: object.name.clone(), labels, annotations },
        place: Place { file: owner.object.to_string(), ..Place::default() },
        places: Default::default(),
        object,
        spec,
    }
}

impl Operator {
    /// Adds to the plan of `owner` what becomes of its children, `wanted` being what should be there. `supposed`: what
    /// would be in force.
    pub(super) fn plan_children<A: Act>(
        &self,
        owner: &Record,
        wanted: Option<Vec<Child>>,
        supposed: Option<&Supposed>,
        plan: &mut Plan<A>,
    ) {
        let state = self.state();
        let made = state.made_by(owner);
        if made.is_empty() && wanted.as_ref().is_none_or(Vec::is_empty) {
            return;
        }
        let at_rest = |record: &Arc<Record>| {
            let offer = state.offers.get(&record.object)?;
            (offer.at_rest && offer.uid == record.uid).then(|| record.object.clone())
        };
        let mut family = Family {
            owner,
            above: state.above(owner),
            wanted: None,
            at_rest: made.iter().filter_map(at_rest).collect(),
            known: made.into_iter().map(|record| (record.object.clone(), record)).collect(),
        };
        let catalogs = supposed.map_or(&state.catalogs, |supposed| &supposed.catalogs);
        family.wanted = wanted.map(|wanted| {
            let documents = wanted.into_iter().map(|child| document(owner, child));
            let judged = documents.map(|document| {
                let problem = self.judge_child(&state, catalogs, &document, false).err();
                Wanted { document, problem }
            });
            judged.collect()
        });
        for wanted in family.wanted.iter().flatten() {
            let object = &wanted.document.object;
            let would = supposed.and_then(|supposed| {
                supposed.subjects.iter().map(|(record, _)| record).find(|record| record.object == *object)
            });
            if let Some(record) = would.or_else(|| state.records.get(object)) {
                family.known.insert(object.clone(), Arc::clone(record));
            }
        }
        drop(state);
        decide(&family, plan);
        if plan.waiting.iter().any(|wait| wait.on == CHILDREN_LEAVING) {
            plan.steps.retain(|step| !step.action.work().is_some_and(Action::is_final));
        }
    }

    fn judge_child(
        &self,
        state: &State,
        catalogs: &BTreeMap<Kind, Catalog>,
        document: &Document,
        in_force: bool,
    ) -> Result<Spec, String> {
        let object = &document.object;
        let Some(kind) = self.kinds.get(object.kind).filter(|kind| kind.about().runs) else {
            return Err(format!("nothing runs for a {}", object.kind));
        };
        let host = state.engine.info.as_ref().map(|info| info.host());
        let context = Context { catalogs, host, in_force };
        let schema = state.schemas.get(&object.kind);
        let first = |problems: Vec<_>| problems.first().map(ToString::to_string).unwrap_or_default();
        judge(kind.as_ref(), schema, document, &context).map_err(first)
    }

    /// Whether a pass of its owner is about to say anew what is wanted of it.
    pub(super) fn owner_is_due(&self, record: &Record) -> bool {
        let Some(owner) = self.state().maker_of(record).filter(|owner| owner.is_present()).cloned() else {
            return false;
        };
        let now = self.clock();
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).is_due(&owner.object, now)
    }

    /// Does what the plan says of the children: their records are durable before anything is done for them.
    ///
    /// # Errors
    /// When the store does not take it.
    pub(super) async fn tend<A>(
        &self,
        owner: &Record,
        will: &Will,
        plan: &Plan<A>,
        cancel: &CancellationToken,
    ) -> Result<Tended, StoreError>
    where
        A: Sync,
    {
        for step in &plan.children {
            if cancel.is_cancelled() {
                return Ok(Tended::Stopped);
            }
            if !self.still(&owner.object, will) {
                return Ok(Tended::Replan);
            }
            let counted = crash_point::before();
            let done = match &step.action {
                ChildStep::Make(document) => self.make_child(owner, document).await?,
                ChildStep::Change(document) => self.change_child(owner, document).await?,
                ChildStep::LetGo(child) => self.let_child_go(owner, child).await?,
            };
            crash_point::after(counted);
            if !done {
                return Ok(Tended::Replan);
            }
            self.say_of_child(owner, step).await;
            // Whose name it is decides what a manifest means.
            self.rescan.notify_one();
            self.hurry(step.action.object());
        }
        Ok(Tended::Done)
    }

    /// False: somebody else was there first.
    async fn make_child(&self, owner: &Record, document: &Document) -> Result<bool, StoreError> {
        let object = &document.object;
        let mut adopted = None;
        {
            let _gate = self.gates.one(object).await;
            let (mut record, spec) = {
                let state = self.state();
                if state.records.contains_key(object) {
                    return Ok(false);
                }
                let uid = random_id();
                let home = home_of_new(&taken(&state), &self.config.installation, object, &uid);
                let mut record = Record::child(document, owner, uid, now());
                record.memory.edit_work(|work| work.home.clone_from(&home));
                (record, self.judge_child(&state, &state.catalogs, document, false))
            };
            if let Ok(spec) = spec {
                let left = match self.adopt(&record, &spec).await {
                    Ok(left) => left,
                    // Without it, what is there would be in the way for good.
                    Err(error) => {
                        self.engine_fails(&error).await;
                        return Ok(false);
                    }
                };
                if let Some(left) = left {
                    adopted = Some(left.note());
                    record = left.into_record(record);
                }
            }
            self.save(&[Arc::new(record)], Saving::Durable).await?;
        }
        if let Some(note) = adopted {
            self.note(Some(object), &[note]).await;
        }
        self.put_in_force(object);
        Ok(true)
    }

    async fn change_child(&self, owner: &Record, document: &Document) -> Result<bool, StoreError> {
        // A lost change is told again by the owner's next pass.
        let edited = self.edit(&document.object, Saving::MayWait, |record| {
            if record.is_of(owner) && !record.is_asked_away() {
                record.update_child(document, owner);
            }
        });
        let done = edited.await?.is_some_and(|record| record.is_of(owner) && record.is_present());
        self.put_in_force(&document.object);
        Ok(done)
    }

    async fn let_child_go(&self, owner: &Record, child: &ObjectRef) -> Result<bool, StoreError> {
        let gone = self.gone_from_now(0);
        let edited = self.edit(child, Saving::Durable, |record| {
            if record.is_of(owner) && record.is_present() {
                record.let_go(gone);
            }
        });
        let done = edited.await?.is_some_and(|record| !record.is_present());
        self.count_from_now(child);
        self.put_in_force(child);
        Ok(done)
    }

    /// The spec of a child's record is what its passes go by from now on.
    pub(super) fn put_in_force(&self, child: &ObjectRef) {
        let concerned: BTreeSet<ObjectRef> = {
            let mut state = self.state();
            let Some(record) = state.records.get(child).cloned() else { return };
            if let Some(offer) = state.offers.get_mut(child) {
                offer.at_rest = false;
            }
            match self.judge_child(&state, &state.catalogs, &record.document(), true) {
                Ok(spec) => {
                    let concerned = state.tie_one(child, &spec);
                    state.checked.insert(child.clone(), spec);
                    concerned
                }
                Err(_) => BTreeSet::new(),
            }
        };
        self.live(child, |live| live.failures = 0);
        concerned.iter().for_each(|other| self.nudge(other));
    }

    async fn say_of_child(&self, owner: &Record, step: &Step<ChildStep>) {
        let (mine, its, words) = match &step.action {
            ChildStep::Make(_) => ("ChildMade", "Created", format!("made by {}", owner.object)),
            ChildStep::Change(_) => ("ChildChanged", "SpecChanged", format!("changed by {}", owner.object)),
            ChildStep::LetGo(_) => ("ChildLetGo", "LetGo", format!("let go by {}", owner.object)),
        };
        let child = step.action.object();
        let told = [
            (owner.object.clone(), Note::normal(mine, format!("{}: {}", step.action, step.cause))),
            (child.clone(), Note::normal(its, format!("{words}: {}", step.cause))),
        ];
        self.note_all(&told).await;
    }
}
