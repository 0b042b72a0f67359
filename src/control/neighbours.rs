//! Objects that refer to each other: each sees what the others let see, is woken when that differs, and is not deleted
//! while somebody refers to it. Must never wake anybody for a status alone: two would wake each other for ever.

use super::any::Spec;
use super::objects::Record;
use super::operator::Operator;
use super::state::State;
use crate::core::names::ObjectRef;
use crate::core::neighbours::{Around, Graph, Offer, Ties};
use crate::core::plan::{Plan, REFERRED_TO};
use crate::kinds::Act;
use crate::workload::Action;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

impl State {
    /// What is around `object` now.
    pub(super) fn around(&self, object: &ObjectRef) -> Around {
        let me = self.records.get(object);
        let owner = me.and_then(|me| self.maker_of(me)).map(|owner| &owner.object);
        let made = me.map(|me| self.made_by(me)).unwrap_or_default();
        let family = made.iter().map(|child| &child.object).chain(owner);
        let others = self.graph.tied(object).chain(family).filter_map(|other| {
            let record = self.records.get(other)?;
            let offer = self.offers.get(other).cloned().unwrap_or_default();
            Some((other.clone(), Offer { uid: record.uid.clone(), present: record.is_present(), ..offer }))
        });
        Around {
            others: others.collect(),
            referrers: self.graph.referrers(object).cloned().collect(),
            lost_claims: self.graph.lost_claims(object),
            beside: self.graph.beside(object),
            troubles: Vec::new(),
        }
    }

    /// Takes over what every spec in force says of others. Who may have to look anew for that.
    pub(super) fn tie(&mut self) -> BTreeSet<ObjectRef> {
        let mut concerned = BTreeSet::new();
        for (object, spec) in &self.checked {
            let record = self.records.get(object);
            concerned.extend(tie(&mut self.graph, &self.manifests, record, object, spec));
        }
        concerned
    }

    /// The same of one spec that comes into force.
    pub(super) fn tie_one(&mut self, object: &ObjectRef, spec: &Spec) -> BTreeSet<ObjectRef> {
        tie(&mut self.graph, &self.manifests, self.records.get(object), object, spec)
    }
}

fn tie(
    graph: &mut Graph,
    manifests: &Path,
    record: Option<&Arc<Record>>,
    object: &ObjectRef,
    spec: &Spec,
) -> BTreeSet<ObjectRef> {
    // What nobody wants any more still has to do with what it refers to until it has gone, and keeps nothing from others.
    let ties = match record {
        Some(record) if record.is_present() => spec.ties().at(manifests),
        Some(_) => Ties { gone: true, ..spec.ties().at(manifests) },
        None => Ties::default(),
    };
    graph.set(object, record.map_or("", |record| record.created_at.as_str()), ties)
}

/// While somebody refers to an object without a manifest, what it has is not deleted.
pub(super) fn keep_what_is_referred_to<A: Act>(record: &Record, around: &Around, plan: &mut Plan<A>) {
    let is_final = |action: &A| action.work().is_some_and(Action::is_final);
    if record.is_present() || !plan.steps.iter().any(|step| is_final(&step.action)) {
        return;
    }
    let wanted = |object: &&ObjectRef| around.others.get(*object).is_some_and(|offer| offer.present);
    let referrers: Vec<String> = around.referrers.iter().filter(wanted).map(ToString::to_string).collect();
    if referrers.is_empty() {
        return;
    }
    plan.steps.retain(|step| !is_final(&step.action));
    plan.block(
        REFERRED_TO,
        format!("{} refers to it: its data, credentials and record are kept", referrers.join(", ")),
        format!(
            "remove {} from the manifests first, or bring this one's manifest back",
            referrers.join(", ")
        ),
    );
}

impl Operator {
    /// Who refers to it and is wanted.
    pub(super) fn wanted_referrers(&self, object: &ObjectRef) -> Vec<String> {
        let state = self.state();
        let wanted = |other: &&ObjectRef| state.records.get(*other).is_some_and(|record| record.is_present());
        state.graph.referrers(object).filter(wanted).map(ToString::to_string).collect()
    }

    /// Lets the neighbours see what this object is now; they are woken when it is something else than before.
    pub(super) fn publish(&self, object: &ObjectRef, offer: Offer) {
        let woken: Vec<ObjectRef> = {
            let mut state = self.state();
            if state.offers.get(object) == Some(&offer) {
                return;
            }
            state.offers.insert(object.clone(), offer);
            state.graph.neighbours(object).cloned().collect()
        };
        woken.iter().for_each(|other| self.nudge(other));
    }

    /// It is no more: those around it look anew.
    pub(super) fn untie(&self, object: &ObjectRef) {
        let woken: BTreeSet<ObjectRef> = {
            let mut state = self.state();
            let around: BTreeSet<ObjectRef> = state.graph.neighbours(object).cloned().collect();
            around.into_iter().chain(state.graph.set(object, "", Ties::default())).collect()
        };
        woken.iter().for_each(|other| self.nudge(other));
    }
}
