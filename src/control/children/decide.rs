//! What becomes of the children of one object: made, changed, let go, or left alone because the name is another's. Pure.
//!
//! Nothing is ever taken over: what this object did not make itself stays with whoever has it.

use crate::control::objects::Record;
use crate::core::names::ObjectRef;
use crate::core::plan::{ChildStep, NAME_CONFLICT, Plan, Sign, Step};
use crate::core::resource::Document;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many owners may stand above a child: a kind that makes one of its own kind would never end.
pub const MAX_DEPTH: usize = 4;

/// How many children an object may have.
pub const MAX_CHILDREN: usize = 1_000;

/// A child that should be there.
pub struct Wanted {
    pub document: Document,
    /// Why it cannot come into force; what is in force already goes on.
    pub problem: Option<String>,
}

/// One object with all that concerns its children.
pub struct Family<'a> {
    pub owner: &'a Record,
    /// Its owner, the owner of that, and so on; no more than [`MAX_DEPTH`].
    pub above: Vec<ObjectRef>,
    /// `None`: cannot be told now.
    pub wanted: Option<Vec<Wanted>>,
    /// All that it made, and what else has a name that it wants.
    pub known: BTreeMap<ObjectRef, Arc<Record>>,
    /// Those of its children of which nothing runs any more.
    pub at_rest: BTreeSet<ObjectRef>,
}

/// Adds what becomes of the children to the plan of their owner.
pub fn decide<A>(family: &Family<'_>, plan: &mut Plan<A>) {
    let owner = family.owner;
    if let Some(all) = family.wanted.as_ref().filter(|wanted| wanted.len() > MAX_CHILDREN) {
        let what = format!("{} wants {} objects, and may have {MAX_CHILDREN}", owner.object, all.len());
        plan.block("TooManyChildren", what, "let it make less");
    } else if let Some(wanted) = &family.wanted {
        let mut named = BTreeSet::new();
        for one in wanted {
            if named.insert(&one.document.object) {
                want(family, one, plan);
            } else {
                let what = format!("{} wants {} twice", owner.object, one.document.object);
                plan.block("ChildInvalid", what, "give one of them another name");
            }
        }
        let why = if owner.is_present() { "wanted no longer" } else { "its owner goes" };
        for (object, record) in family.known.iter().filter(|(object, _)| !named.contains(object)) {
            if record.is_of(owner) && record.is_present() {
                let action = ChildStep::LetGo(object.clone());
                plan.children.push(Step { sign: Sign::Delete, action, cause: why.to_owned() });
            }
        }
    }
    if !owner.is_present() {
        wait_for_them(family, plan);
    }
}

fn want<A>(family: &Family<'_>, wanted: &Wanted, plan: &mut Plan<A>) {
    let (owner, document) = (family.owner, &wanted.document);
    let child = &document.object;
    if *child == owner.object || family.above.contains(child) {
        let what = format!("{} would own {child}, which owns it", owner.object);
        return plan.block("OwnsItsOwner", what, "give the one that it makes another name");
    }
    let known = family.known.get(child);
    if let Some(holder) = known.filter(|record| !record.is_of(owner)) {
        let (why, way_on) = held(holder, owner);
        return plan.block(NAME_CONFLICT, why, way_on);
    }
    if known.is_none() && family.above.len() >= MAX_DEPTH {
        let above: Vec<String> = family.above.iter().map(ToString::to_string).collect();
        let what =
            format!("{child} is not made: {} is owned by {} already", owner.object, above.join(", by "));
        return plan.block("OwnersTooDeep", what, "let one of those make less");
    }
    let (sign, action, cause) = match known {
        None => (Sign::Create, ChildStep::Make(document.clone()), "missing"),
        Some(record) if record.is_asked_away() => {
            let words = format!("{child} is on its way out, as was asked for; then it is made anew");
            return plan.wait("ChildLeaving", words, None);
        }
        Some(record) if !record.is_present() => {
            (Sign::Change, ChildStep::Change(document.clone()), "wanted again")
        }
        Some(record) if record.spec == document.spec && record.metadata == document.metadata => return,
        Some(_) => (Sign::Change, ChildStep::Change(document.clone()), "something else is wanted of it"),
    };
    if let Some(problem) = &wanted.problem {
        let rest = if known.is_some() { "; it stays as it is" } else { "" };
        let what = format!("{child} would be of no use: {problem}{rest}");
        return plan.block("ChildInvalid", what, format!("change {}", owner.object));
    }
    plan.children.push(Step { sign, action, cause: cause.to_owned() });
}

/// Who has the name, and what to do about it.
fn held(holder: &Record, owner: &Record) -> (String, String) {
    let child = &holder.object;
    let other = "give the one that it makes another name";
    match (&holder.source, &holder.owner) {
        (Some(place), _) => (
            format!("{} wants to make {child}, which has a manifest in {}", owner.object, place.file),
            format!("{other}, or remove {child} from {}", place.file),
        ),
        (None, Some(by)) if by.wanted => {
            let by_name = if by.object == owner.object {
                format!("an earlier {}", by.object)
            } else {
                by.object.to_string()
            };
            (format!("{} wants to make {child}, which was made by {by_name}", owner.object), other.to_owned())
        }
        (None, _) if holder.by_api => (
            format!("{} wants to make {child}, which is managed by the API", owner.object),
            format!("{other}, or: seawall delete {child}"),
        ),
        (None, _) => (
            format!("{} wants to make {child}, which is kept though nobody wants it any more", owner.object),
            format!("{other}, or delete what is kept: seawall delete {child} --confirm {}", child.name),
        ),
    }
}

/// Nobody wants the owner any more: it goes after all that it made.
fn wait_for_them<A>(family: &Family<'_>, plan: &mut Plan<A>) {
    let of_it = family.known.iter().filter(|(_, record)| record.is_of(family.owner));
    let there: Vec<String> = of_it
        .filter(|(object, record)| record.is_present() || !family.at_rest.contains(*object))
        .map(|(object, _)| object.to_string())
        .collect();
    if !there.is_empty() {
        plan.wait(CHILDREN_LEAVING, format!("waits for {} to go first", there.join(", ")), None);
    }
}

/// What an owner that goes waits for.
pub const CHILDREN_LEAVING: &str = "ChildrenLeaving";

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
