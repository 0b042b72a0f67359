//! From what was seen of an application and what is still to do to conditions. Pure, and honest: Ready is said of a container
//! whose check was just passed.

use super::plan::{Node, Plan, Subject, serves};
use super::world::World;
use crate::core::condition::{ConditionType as C, Finding, Truth};
use crate::core::failure::Outlook;
use crate::core::will::Wanted;
use crate::workload::Action as Work;
use crate::workload::action::Step;
use crate::workload::findings::{self as work, Served};

#[must_use]
pub fn findings(subject: &Subject<'_>, world: &World, plan: &Plan, outlook: &Outlook) -> Vec<Finding> {
    let role = serves(subject);
    let node = Node::of(subject, &role);
    let case = node.case(subject);
    let Some(member) = world.members.get(&role) else { return Vec::new() };
    let proven = member.healthy().map(|words| Finding::new(C::Ready, Truth::True, "Healthy", words));
    let proven = proven.filter(|_| case.wanted() == Wanted::Running);
    let served = Served { answers: proven.is_some(), proven, ..Served::default() };
    let mut list = work::findings(&case, &member.work, plan, outlook, &served);
    let known = !outlook.failure.as_ref().is_some_and(|failure| failure.unknown);
    if known && case.wanted() == Wanted::Retained {
        let kept = if subject.memory.work.volumes.is_empty() { "" } else { "; its volumes are kept" };
        let words = format!("it is not wanted any more{kept}");
        let ready = list.iter_mut().filter(|finding| finding.kind == C::Ready);
        ready.for_each(|finding| *finding = Finding::new(C::Ready, Truth::False, "Retained", &words));
    }
    list
}

/// Conditions to write before the steps of `plan` run: `Some` when nothing serves until they are done.
#[must_use]
pub fn before_steps(
    subject: &Subject<'_>,
    world: &World,
    plan: &Plan,
    outlook: &Outlook,
) -> Option<Vec<Finding>> {
    let role = serves(subject);
    // From the moment on that another one serves, this one is nobody's loss.
    let mut steps = plan.steps.iter().filter(|step| step.action.role == role);
    let step = steps.find(|step| Step::work(&step.action).is_some_and(Work::interrupts))?;
    let mut list = findings(subject, world, plan, outlook);
    let words = format!("{}: {}", step.action, step.cause);
    let ready = list.iter_mut().filter(|finding| finding.kind == C::Ready && finding.status == Truth::True);
    ready.for_each(|finding| *finding = Finding::new(C::Ready, Truth::False, "Reconciling", &words));
    Some(list)
}
