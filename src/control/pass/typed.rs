//! One moment of an object, with the types of its kind: what a pass decides on. Reads only.

use crate::control::any::Spec;
use crate::control::children::Supposed;
use crate::control::neighbours::keep_what_is_referred_to;
use crate::control::objects::Record;
use crate::control::operator::Operator;
use crate::core::identity::Identity;
use crate::core::names::ObjectRef;
use crate::core::neighbours::Around;
use crate::core::plan::Plan;
use crate::kinds::{Reconciler, Subject};
use std::sync::Arc;

/// One moment of an object, with types: the one place where what is kept of it gets them.
pub struct Typed<R: Reconciler> {
    pub record: Arc<Record>,
    pub spec: Spec,
    pub identity: Identity,
    pub checked: R::Checked,
    pub memory: R::Memory,
    pub around: Around,
}

impl<R: Reconciler> Typed<R> {
    /// # Errors
    /// Why what is remembered of it cannot be read.
    pub fn new(operator: &Operator, record: Arc<Record>, spec: Spec) -> Result<Self, String> {
        let memory = record.memory.read()?;
        let identity = operator.identity(&record);
        let checked = spec.typed::<R>().cloned().ok_or("its spec is one of another kind")?;
        let around = operator.state().around(&record.object);
        let around = Around { troubles: operator.troubles_for(&record.object), ..around };
        Ok(Self { record, spec, identity, checked, memory, around })
    }

    pub fn subject(&self) -> Subject<'_, R> {
        Subject {
            identity: &self.identity,
            spec: &self.checked,
            asked: &self.record.asked,
            memory: &self.memory,
            present: self.record.is_present(),
            around: &self.around,
        }
    }

    /// The plan of the kind, held to what holds for all of them.
    pub fn plan(
        &self,
        operator: &Operator,
        world: &R::World,
        supposed: Option<&Supposed>,
    ) -> Plan<R::Action> {
        let subject = self.subject();
        let mut plan = R::plan(&subject, world);
        keep_what_is_referred_to(&self.record, &self.around, &mut plan);
        // What nobody wants wants nothing.
        let children = if subject.present { R::children(&subject, world) } else { Some(Vec::new()) };
        operator.plan_children(&self.record, children, supposed, &mut plan);
        plan
    }
}

/// Why an object is not worked on.
pub enum NotNow {
    Forgotten,
    /// The last good version cannot be used any more (the catalog lost its version, say).
    NoSpec(Arc<Record>),
    /// A newer version wrote what is remembered of it, or something destroyed it.
    Unreadable(Arc<Record>, String),
}

/// # Errors
/// When it is not worked on now.
pub fn typed<R: Reconciler>(operator: &Operator, object: &ObjectRef) -> Result<Typed<R>, NotNow> {
    let (record, spec) = {
        let state = operator.state();
        (state.records.get(object).cloned(), state.checked.get(object).cloned())
    };
    let record = record.ok_or(NotNow::Forgotten)?;
    let Some(spec) = spec else { return Err(NotNow::NoSpec(record)) };
    Typed::new(operator, Arc::clone(&record), spec).map_err(|why| NotNow::Unreadable(record, why))
}
