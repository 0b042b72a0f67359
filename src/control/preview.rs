//! What the next passes would do, without doing it: the plans of all objects as they are, or as other
//! manifests would have them. It must write nothing and reserve nothing.

use super::api::{ApiError, ErrorCode, PlanList, Result};
use super::guard::Guard;
use super::objects::Record;
use super::operator::Operator;
use super::rename::{home_of_new, taken};
use super::sources::InForce;
use super::start::{Claim, claimed};
use crate::core::plan::PlanView;
use crate::core::seen::Slot;
use crate::kinds::postgres::action::Action;
use crate::kinds::postgres::check::{Checked, warnings};
use crate::kinds::postgres::plan::{Subject, plan};
use crate::kinds::postgres::probe::observe;
use crate::kinds::runs;
use crate::manifest::load::{FileText, load_dir, load_texts};
use crate::workload::Action as Work;
use crate::workload::observe::Intent;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the plans before one would have made by then: their ports are not free, the network is there.
#[derive(Default)]
struct Planned {
    ports: BTreeSet<u16>,
    network: bool,
    /// Image → object that would go to it.
    images: Vec<(String, String)>,
}

fn unknown_plan(object: String, why: String) -> PlanView {
    PlanView { object, unknown: Some(why), ..PlanView::default() }
}

impl Operator {
    /// `files`: other manifests, by path; without them the ones in force, or, before the first scan, those
    /// in the directory.
    pub(super) async fn preview(&self, files: Option<BTreeMap<String, String>>) -> Result<PlanList> {
        // A store beside the one that the containers belong to would plan to make everything anew.
        if !self.running
            && let Err(Claim::Other(error)) = claimed(self).await
        {
            return Err(error);
        }
        let loaded = match files {
            Some(files) => Some(load_texts(
                files.into_iter().map(|(path, text)| (path, FileText::Bytes(text.into_bytes()))).collect(),
            )),
            None if self.state().scanned => None,
            None => {
                let dir = self.config.manifests.clone();
                let task = tokio::task::spawn_blocking(move || load_dir(&dir)).await;
                Some(task.map_err(|e| ApiError::new(ErrorCode::Internal, e.to_string(), ""))?)
            }
        };
        let mut list = PlanList::default();
        let mut subjects: Vec<(Arc<Record>, Arc<Checked>)> = Vec::new();
        match loaded {
            None => {
                let state = self.state();
                list.problems.clone_from(&state.problems);
                list.guard = state.guard.as_ref().map(Guard::message);
                for record in state.records.values() {
                    if let Some(checked) = state.checked.get(&record.object) {
                        subjects.push((record.clone(), checked.clone()));
                    }
                }
            }
            Some(loaded) => {
                let host = self.engine().await.ok().map(|i| i.host());
                let new = self.read_scan(&loaded, host);
                list.problems.clone_from(&new.problems);
                list.guard = new.guard.as_ref().map(Guard::message);
                subjects = self.hypothetical(&new);
            }
        }
        let mut before = Planned::default();
        for (record, checked) in subjects.iter().filter(|(r, _)| runs(r.object.kind)) {
            if record.source.is_some() {
                list.warnings.extend(warnings(&record.document(), checked));
            }
            list.plans.push(self.plan_one(&subjects, record, checked, &mut before).await);
        }
        Ok(list)
    }

    /// The plan of one object as it would be now, after those before it.
    async fn plan_one(
        &self,
        all: &[(Arc<Record>, Arc<Checked>)],
        record: &Record,
        checked: &Checked,
        before: &mut Planned,
    ) -> PlanView {
        let name = record.object.to_string();
        let engine = match self.engine().await {
            Ok(engine) => engine,
            Err(error) => return unknown_plan(name, error.to_string()),
        };
        let identity = self.identity(record);
        let mut memory = record.memory.clone();
        memory.work.refused_ports.extend(before.ports.iter().copied());
        let subject = Subject { memory: &memory, ..record.subject(&identity, checked) };
        match observe(&self.postgres, &subject, &engine, Intent::View).await {
            Ok(mut world) => {
                before.ports.extend(world.work.free_port);
                if before.network && world.work.network == Slot::Missing {
                    world.work.network = Slot::Ours(String::new());
                }
                world.work.rollout = self.rollout_after(all, record, checked, &world, &before.images);
                let plan = plan(&subject, &world);
                let goes = plan.steps.iter().find_map(|s| match &s.action {
                    Action::Work(Work::PinImage { id, .. }) => Some(id.clone()),
                    _ => None,
                });
                before.images.extend(goes.map(|image| (image, record.object.to_string())));
                before.network |=
                    plan.steps.iter().any(|s| matches!(s.action, Action::Work(Work::CreateNetwork(_))));
                self.tools.masked(&record.object, plan.view(&name, checked.work.paused))
            }
            Err(error) => unknown_plan(name, error.to_string()),
        }
    }

    /// The objects as they would be if these manifests came into force.
    fn hypothetical(&self, new: &InForce) -> Vec<(Arc<Record>, Arc<Checked>)> {
        let state = self.state();
        let taken = taken(&state);
        let mut subjects = Vec::new();
        for (object, checked) in &new.checked {
            let Some(document) = new.documents.get(object) else { continue };
            let mut record = match state.records.get(object) {
                Some(record) => record.as_ref().clone(),
                None => {
                    let mut record = Record::new(document, "new".to_owned(), String::new());
                    record.memory.work.home =
                        home_of_new(&taken, &self.config.installation, object, &record.uid);
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
