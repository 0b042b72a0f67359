//! How far the work for each object is: since when there is some, what was done of it, which step is under way.
//!
//! The plan is that of the last pass; what is kept beside it is in memory alone, bounded, and gone when nothing is left to do.

use super::api::{JobList, JobState, JobStep, JobView, StepState};
use super::operator::{Operator, now};
use super::state::Live;
use crate::core::names::ObjectRef;
use crate::core::plan::{PlanView, StepView};
use std::collections::{BTreeMap, VecDeque};

/// Steps that were done and are still told.
const DONE: usize = 20;

#[derive(Clone, Debug, Default)]
pub struct Job {
    /// RFC 3339; `None`: there is nothing to do.
    since: Option<String>,
    /// The last ones, with when each was done.
    done: VecDeque<(StepView, String)>,
    /// Steps by what they do, with since when. A pull is beside the passes, and outlives the plan that it was begun by.
    running: BTreeMap<String, String>,
}

fn is_settled(plan: &PlanView) -> bool {
    plan.steps.is_empty() && plan.waiting.is_empty() && plan.blocked.is_empty()
}

impl Job {
    /// There is another plan by now.
    pub fn planned(&mut self, plan: &PlanView, now: &str) {
        if is_settled(plan) {
            *self = Self::default();
            return;
        }
        self.since.get_or_insert_with(|| now.to_owned());
        self.running.retain(|action, _| plan.steps.iter().any(|step| step.action == *action));
    }

    fn begins(&mut self, action: &str, now: &str) {
        self.running.entry(action.to_owned()).or_insert_with(|| now.to_owned());
    }

    /// `done`: with what it was, when it worked.
    fn ends(&mut self, action: &str, done: Option<StepView>, now: &str) {
        self.running.remove(action);
        let Some(step) = done else { return };
        if self.done.len() >= DONE {
            self.done.pop_front();
        }
        self.done.push_back((step, now.to_owned()));
    }

    fn steps(&self, plan: &PlanView) -> Vec<JobStep> {
        let told = |step: &StepView, state, at: Option<&String>| JobStep {
            sign: step.sign,
            action: step.action.clone(),
            cause: step.cause.clone(),
            state,
            at: at.cloned(),
        };
        let done = self.done.iter().map(|(step, at)| told(step, StepState::Done, Some(at)));
        // Of a plan whose steps are under way some are done.
        let left = plan.steps.iter().filter(|step| !self.done.iter().any(|(done, _)| done == *step));
        let left = left.map(|step| match self.running.get(&step.action) {
            Some(since) => told(step, StepState::Running, Some(since)),
            None => told(step, StepState::Next, None),
        });
        done.chain(left).collect()
    }

    /// `None`: there is nothing to do.
    fn view(&self, object: &ObjectRef, plan: &PlanView, failures: u32) -> Option<JobView> {
        let since = self.since.clone()?;
        let state = if !self.running.is_empty() {
            JobState::Running
        } else if !plan.blocked.is_empty() {
            JobState::Blocked
        } else if failures > 0 {
            JobState::Failing
        } else if plan.paused && !plan.steps.is_empty() {
            JobState::Paused
        } else {
            JobState::Waiting
        };
        Some(JobView {
            object: object.to_string(),
            state,
            since,
            failures,
            steps: self.steps(plan),
            waiting: plan.waiting.clone(),
            blocked: plan.blocked.clone(),
        })
    }
}

impl Live {
    /// The plan of a pass, in words.
    pub fn planned(&mut self, plan: PlanView) {
        self.job.planned(&plan, &now());
        self.plan = Some(plan);
    }

    pub fn step_begins(&mut self, action: &str) {
        self.job.begins(action, &now());
    }

    pub fn step_ends(&mut self, action: &str, worked: bool) {
        let steps = self.plan.iter().flat_map(|plan| &plan.steps);
        let done = steps.filter(|_| worked).find(|step| step.action == action).cloned();
        self.job.ends(action, done, &now());
    }
}

impl Operator {
    pub(super) fn job_list(&self) -> JobList {
        let mut items: Vec<JobView> = {
            let state = self.state();
            let known = state.live.iter().filter(|(object, _)| state.records.contains_key(object));
            known
                .filter_map(|(object, live)| live.job.view(object, live.plan.as_ref()?, live.failures))
                .collect()
        };
        items.sort_by(|a, b| {
            let key = |job: &JobView| job.state != JobState::Running;
            (key(a), &a.since, &a.object).cmp(&(key(b), &b.since, &b.object))
        });
        JobList { items }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::names::{Kind, Name};
    use crate::core::plan::{BlockView, Sign, WaitView};

    fn step(action: &str) -> StepView {
        StepView { sign: Sign::Change, action: action.to_owned(), cause: "spec changed".to_owned() }
    }

    fn plan(actions: &[&str]) -> PlanView {
        PlanView { steps: actions.iter().map(|action| step(action)).collect(), ..PlanView::default() }
    }

    /// State, since when, steps.
    type Told = (JobState, String, Vec<(String, StepState)>);

    fn told(live: &Live) -> Option<Told> {
        let object = ObjectRef::new("postgres".parse::<Kind>().unwrap(), Name::parse("main").unwrap());
        let view = live.job.view(&object, live.plan.as_ref()?, live.failures)?;
        let steps = view.steps.into_iter().map(|step| (step.action, step.state)).collect();
        Some((view.state, view.since, steps))
    }

    #[test]
    fn steps_are_done_running_or_next_until_nothing_is_left() {
        use StepState::{Done, Next, Running};
        let of = |all: &[(&str, StepState)]| -> Vec<(String, StepState)> {
            all.iter().map(|(action, state)| ((*action).to_owned(), *state)).collect()
        };
        let mut live = Live::default();
        assert!(told(&live).is_none());
        live.planned(plan(&[]));
        assert!(told(&live).is_none(), "nothing to do");
        live.planned(plan(&["a", "b"]));
        let (state, since, steps) = told(&live).unwrap();
        assert_eq!((state, steps), (JobState::Waiting, of(&[("a", Next), ("b", Next)])));
        live.step_begins("a");
        assert_eq!(told(&live).unwrap().2, of(&[("a", Running), ("b", Next)]));
        assert_eq!(told(&live).unwrap().0, JobState::Running);
        live.step_ends("a", true);
        live.step_begins("b");
        assert_eq!(told(&live).unwrap().2, of(&[("a", Done), ("b", Running)]));
        // What failed is planned anew, and what was done before is still told.
        live.step_ends("b", false);
        live.failures = 1;
        live.planned(plan(&["b", "c"]));
        let again = told(&live).unwrap();
        assert_eq!(again, (JobState::Failing, since, of(&[("a", Done), ("b", Next), ("c", Next)])));
        live.planned(plan(&[]));
        assert!(told(&live).is_none());
        live.planned(plan(&["a"]));
        assert_eq!(told(&live).unwrap().2, of(&[("a", Next)]), "the next time begins anew");
    }

    #[test]
    fn a_pull_goes_on_over_plans_as_long_as_one_wants_it() {
        let mut live = Live::default();
        live.planned(plan(&["pull"]));
        live.step_begins("pull");
        live.planned(plan(&["pull", "b"]));
        live.step_begins("pull");
        assert_eq!(told(&live).unwrap().0, JobState::Running);
        live.planned(plan(&["b"]));
        assert_eq!(told(&live).unwrap().0, JobState::Waiting);
    }

    #[test]
    fn what_waits_is_blocked_or_paused_is_told_as_that_and_what_was_done_is_bounded() {
        let mut live = Live::default();
        let wait = WaitView { on: "ServerStarting".into(), why: "it starts".into(), ..wait_view() };
        live.planned(PlanView { waiting: vec![wait], ..plan(&[]) });
        assert_eq!(told(&live).unwrap().0, JobState::Waiting);
        live.planned(PlanView { paused: true, ..plan(&["a"]) });
        assert_eq!(told(&live).unwrap().0, JobState::Paused);
        let block = BlockView { reason: "NameConflict".into(), why: String::new(), unblock: String::new() };
        live.planned(PlanView { blocked: vec![block], ..plan(&["a"]) });
        assert_eq!(told(&live).unwrap().0, JobState::Blocked);
        for n in 0..100 {
            let action = n.to_string();
            live.planned(plan(&[&action]));
            live.step_begins(&action);
            live.step_ends(&action, true);
        }
        assert_eq!(told(&live).unwrap().2.len(), DONE);
    }

    fn wait_view() -> WaitView {
        let (on, why) = (String::new(), String::new());
        WaitView { on, why, until: crate::core::plan::Until::Soon }
    }
}
