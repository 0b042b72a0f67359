//! What the next passes would do, without doing it: the plans of all objects as they are, or as other
//! manifests would have them. It must write nothing and reserve nothing.

use super::any::Spec;
use super::api::{ApiError, ErrorCode, PlanList, Result};
use super::children::Supposed;
use super::guard::Guard;
use super::objects::Record;
use super::operator::Operator;
use super::pass::Typed;
use super::rename::{home_of_new, taken};
use super::rollout::hold_back_after;
use super::sources::InForce;
use super::start::{Claim, claimed};
use crate::core::plan::PlanView;
use crate::kinds::{Act, Reconciler};
use crate::manifest::load::{FileText, Loaded, load_dir, load_texts};
use crate::workload::Action;
use crate::workload::observe::Intent;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the plans before one would have made by then: their ports are not free, the network is there.
#[derive(Default)]
pub struct Planned {
    ports: BTreeSet<u16>,
    network: bool,
    /// Image → object that would go to it.
    images: Vec<(String, String)>,
}

fn unknown_plan(object: String, why: String) -> PlanView {
    PlanView { object, unknown: Some(why), ..PlanView::default() }
}

fn loaded(files: BTreeMap<String, String>) -> Loaded {
    load_texts(files.into_iter().map(|(path, text)| (path, FileText::Bytes(text.into_bytes()))).collect())
}

impl Operator {
    /// `files`: other manifests, by path; without them the ones in force, or, before the first scan, those
    /// in the directory.
    pub(super) async fn preview(&self, files: Option<BTreeMap<String, String>>) -> Result<PlanList> {
        let loaded = match files {
            Some(files) => Some(loaded(files)),
            None if self.state().scanned => None,
            None => Some(self.in_its_directory().await?),
        };
        self.plans_of(loaded).await
    }

    /// The plans of what these files name, as if they held it and not whatever does now.
    pub(super) async fn preview_beside(&self, files: BTreeMap<String, String>) -> Result<PlanList> {
        let names: BTreeSet<String> = files.keys().cloned().collect();
        let new = loaded(files);
        let named: BTreeSet<String> = new.objects().map(ToString::to_string).collect();
        let mut list = self.plans_of(Some(new.over(self.in_its_directory().await?))).await?;
        list.plans.retain(|plan| named.contains(&plan.object));
        list.problems.retain(|problem| names.contains(&problem.place.file));
        list.warnings.retain(|warning| names.contains(&warning.place.file));
        list.guard = None;
        Ok(list)
    }

    async fn in_its_directory(&self) -> Result<Loaded> {
        let dir = self.config.manifests.clone();
        let task = tokio::task::spawn_blocking(move || load_dir(&dir)).await;
        task.map_err(|e| ApiError::new(ErrorCode::Internal, e.to_string(), ""))
    }

    /// `None`: of those in force.
    async fn plans_of(&self, loaded: Option<Loaded>) -> Result<PlanList> {
        // A store beside the one that the containers belong to would plan to make everything anew.
        if !self.running
            && let Err(Claim::Other(error)) = claimed(self).await
        {
            return Err(error);
        }
        let mut list = PlanList::default();
        let mut supposed = Supposed { subjects: Vec::new(), catalogs: BTreeMap::new() };
        match loaded {
            None => {
                let state = self.state();
                list.problems.clone_from(&state.problems);
                list.guard = state.guard.as_ref().map(Guard::message);
                for record in state.records.values() {
                    if let Some(checked) = state.checked.get(&record.object) {
                        supposed.subjects.push((record.clone(), checked.clone()));
                    }
                }
                supposed.catalogs.clone_from(&state.catalogs);
            }
            Some(loaded) => {
                let host = self.engine().await.ok().map(|i| i.host());
                let new = self.read_scan(&loaded, host);
                list.problems.clone_from(&new.problems);
                list.guard = new.guard.as_ref().map(Guard::message);
                supposed.subjects = self.hypothetical(&new);
                supposed.catalogs = new.catalogs;
            }
        }
        let mut before = Planned::default();
        for (record, spec) in &supposed.subjects {
            let Some(kind) = self.kinds.get(record.object.kind).filter(|kind| kind.about().runs) else {
                continue;
            };
            if record.is_present() {
                list.warnings.extend(kind.warnings(&record.document(), spec));
            }
            list.plans.push(kind.preview(self, &supposed, record, spec, &mut before).await);
        }
        Ok(list)
    }

    /// The objects as they would be if these manifests came into force.
    fn hypothetical(&self, new: &InForce) -> Vec<(Arc<Record>, Spec)> {
        let state = self.state();
        let taken = taken(&state);
        let mut subjects = Vec::new();
        for (object, checked) in &new.checked {
            let Some(document) = new.documents.get(object) else { continue };
            let mut record = match state.records.get(object) {
                Some(record) => record.as_ref().clone(),
                None => {
                    let mut record = Record::new(document, "new".to_owned(), String::new());
                    let home = home_of_new(&taken, &self.config.installation, object, &record.uid);
                    record.memory.edit_work(|work| work.home.clone_from(&home));
                    record
                }
            };
            record.update(document);
            record.take_rename(new.renamed.get(object));
            subjects.push((Arc::new(record), checked.clone()));
        }
        for (object, record) in &state.records {
            let Some(checked) = state.checked.get(object) else { continue };
            if new.checked.contains_key(object) {
                continue;
            }
            let mut record = record.clone();
            if new.gone.contains(object) {
                Arc::make_mut(&mut record).source = None;
            }
            subjects.push((record, checked.clone()));
        }
        subjects.sort_by(|a, b| a.0.object.cmp(&b.0.object));
        subjects
    }
}

/// The plan of one object as it would be now, after those before it.
pub(super) async fn preview<R: Reconciler>(
    kind: &R,
    operator: &Operator,
    supposed: &Supposed,
    record: &Record,
    spec: &Spec,
    before: &mut Planned,
) -> PlanView {
    let name = record.object.to_string();
    let engine = match operator.engine().await {
        Ok(engine) => engine,
        Err(error) => return unknown_plan(name, error.to_string()),
    };
    let mut record = record.clone();
    record.memory.edit_each(|work| work.refused_ports.extend(before.ports.iter().copied()));
    let moment = match Typed::<R>::new(operator, Arc::new(record), spec.clone()) {
        Ok(moment) => moment,
        Err(why) => return unknown_plan(name, format!("what is remembered of it cannot be read: {why}")),
    };
    let (record, subject) = (moment.record.as_ref(), moment.subject());
    let mut world = match kind.observe(&subject, &engine, Intent::View).await {
        Ok(world) => world,
        Err(error) => return unknown_plan(name, error.to_string()),
    };
    let specs = moment.spec.each();
    for (role, seen) in R::seen_mut(&mut world) {
        before.ports.extend(seen.free_port());
        if before.network {
            seen.assume_network();
        }
        if let Some((_, spec)) = specs.iter().find(|(of, _)| *of == role) {
            hold_back_after(&supposed.subjects, record, (&role, spec), seen, &before.images);
        }
    }
    let plan = moment.plan(operator, &world, Some(supposed));
    for action in plan.steps.iter().filter_map(|step| step.action.work()) {
        match action {
            Action::PinImage { id, .. } => before.images.push((id.clone(), name.clone())),
            Action::CreateNetwork(_) => before.network = true,
            _ => {}
        }
    }
    operator.tools.masked(&record.object, plan.view(&name, record.is_paused()))
}
