//! What is wanted of one object at one moment: its document, whether a manifest holds it, what the user
//! asked for and agreed to. A pass plans for one will and goes on only while that very will is in force.
//!
//! It must be compared whole. What a pass itself remembers is no part of it, and no pass writes any of it.

use super::any::Spec;
use super::objects::Record;
use super::operator::Operator;
use crate::core::names::ObjectRef;
use std::sync::Arc;

/// One will, as it was when somebody looked.
#[derive(Clone, Debug)]
pub struct Will {
    record: Arc<Record>,
    spec: Spec,
}

impl Will {
    #[must_use]
    pub fn new(record: &Arc<Record>, spec: &Spec) -> Self {
        Self { record: Arc::clone(record), spec: spec.clone() }
    }

    /// Whether what is in force now is still this will.
    #[must_use]
    pub fn is(&self, now: &Record, spec: &Spec) -> bool {
        let then = self.record.as_ref();
        // Where the manifest lies may change; that somebody wants it may not.
        then.uid == now.uid
            && then.generation == now.generation
            && then.is_present() == now.is_present()
            && then.metadata == now.metadata
            && then.spec == now.spec
            && then.asked.is_same_wish(&now.asked)
            && self.spec == *spec
    }
}

impl Operator {
    /// Whether `will` is still in force, as far as the manifests were read.
    pub(super) fn still(&self, object: &ObjectRef, will: &Will) -> bool {
        let state = self.state();
        match (state.records.get(object), state.checked.get(object)) {
            (Some(record), Some(spec)) => will.is(record, spec),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::registry::Kinds;
    use crate::core::problem::Place;
    use crate::core::resource::{DeletionPolicy, Document, Metadata};
    use crate::core::will::Gone;
    use crate::kinds::postgres::Postgres;
    use crate::kinds::postgres::check::Checked;
    use crate::kinds::{Context, Reconciler};
    use std::collections::BTreeMap;

    fn record() -> Record {
        let object: ObjectRef = "postgres/main".parse().unwrap();
        let document = Document {
            metadata: Metadata {
                name: object.name.clone(),
                labels: BTreeMap::new(),
                annotations: BTreeMap::new(),
            },
            object,
            spec: serde_json::json!({"version": "18"}),
            place: Place { file: "a.yaml".into(), line: 1, column: 1 },
            places: Default::default(),
        };
        Record::new(&document, "u".into(), "t".into())
    }

    /// What the manifests or the user change, and whether it is another will.
    type Change = (&'static str, bool, fn(&mut Record, &mut Checked));
    const CHANGES: [Change; 17] = [
        ("nothing", true, |_, _| {}),
        ("gone", false, |r, _| r.source = None),
        ("moved", true, |r, _| r.source = Some(Place { file: "b.yaml".into(), line: 9, column: 1 })),
        ("let go by its owner", false, |r, _| r.let_go(Gone::default())),
        ("generation", false, |r, _| r.generation += 1),
        ("made anew", false, |r, _| r.uid = "v".into()),
        ("spec", false, |r, _| r.spec = (&serde_json::json!({"version": "17"})).into()),
        ("annotation", false, |r, _| drop(r.metadata.annotations.insert("a".into(), "b".into()))),
        ("deleted by command", false, |r, _| r.asked.delete = true),
        ("stopped", false, |r, _| r.asked.stopped = true),
        ("restart", false, |r, _| r.asked.restart = Some("t".into())),
        ("grace begun", false, |r, _| r.asked.gone = Some(Gone { left_ms: 9, ..Gone::default() })),
        ("grace over", false, |r, _| r.asked.gone = Some(Gone::default())),
        ("policy", false, |_, c| c.work.deletion = DeletionPolicy::Delete),
        ("catalog", false, |_, c| c.work.image = "another:1".parse().unwrap()),
        ("restarted by a pass", true, |r, _| r.memory.edit_work(|w| w.restarted_for = Some("t".into()))),
        ("learnt by a pass", true, |r, _| r.memory.edit_work(|w| w.ever_ready = true)),
    ];

    #[test]
    fn every_wish_counts_and_nothing_that_a_pass_remembers() {
        let record = record();
        let catalogs = Kinds::all(None).catalogs();
        let context = Context { catalogs: &catalogs, host: None, in_force: true };
        let checked = Postgres::check(&record.document(), &context).unwrap();
        let spec = Spec::of::<Postgres>;
        let will = Will::new(&Arc::new(record.clone()), &spec(checked.clone()));
        for (what, same, change) in CHANGES {
            let (mut record, mut checked) = (record.clone(), checked.clone());
            change(&mut record, &mut checked);
            assert_eq!(will.is(&record, &spec(checked)), same, "{what}");
        }
    }
}
