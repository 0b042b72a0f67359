//! Another version takes the place of the one that serves: it is tried in the other container first. Must never let go what
//! serves before that.

use super::running::Running;
use super::state::with_log;
use super::{Node, Plan, reads_file, replace_cause};
use crate::core::member::Role;
use crate::core::plan::Sign;
use crate::core::seen::{ContainerState, SeenContainer, Slot};
use crate::kinds::app::action::{Action, Deed};
use crate::kinds::app::desired::Version;
use crate::kinds::app::world::Member;
use crate::workload::action::Action as Work;
use crate::workload::plan::{self as work, stopped_cause};

impl Running<'_> {
    /// Another version takes the place of the one that serves: first it is tried in the other container.
    pub(super) fn roll_out(
        &self,
        version: &Version<'_>,
        (role, member, c): (&Role, &Member, &SeenContainer),
        trial: &Role,
        why: &str,
        plan: &mut Plan,
    ) {
        let subject = self.subject;
        let Some(tried) = self.member(trial) else { return };
        let desired = version.container(subject.identity, trial, true);
        let alone = version.is_alone() || !c.port_bindings.is_empty();
        // What serves is looked after, unless it has to give way.
        if !alone && !c.state.is_up() {
            self.keep(role, member, plan);
        }
        let Slot::Ours(new) = &tried.work.container else {
            if tried.work.container == Slot::Missing {
                self.give_way(alone, role, c, why, plan);
                self.make(version, trial, true, Sign::Create, why, plan);
            }
            return;
        };
        if let Some(outdated) = replace_cause(new, &desired, &tried.work) {
            self.remove(trial, new, &outdated, plan);
            return;
        }
        let give_up = |words: String, plan: &mut Plan| {
            let version = version.key(subject.identity);
            let deed = Deed::GiveUp { version, words: words.clone() };
            plan.step(Sign::Change, Action { role: trial.clone(), deed }, words);
            self.remove(trial, new, "it is given up", plan);
        };
        match new.state {
            ContainerState::Created if new.error.is_empty() => {
                self.give_way(alone, role, c, why, plan);
                let start =
                    Deed::Work(Work::StartContainer(subject.identity.member(trial.clone()).container()));
                if reads_file(subject, trial) {
                    let upload = Action { role: trial.clone(), deed: Deed::Upload };
                    plan.step(Sign::Change, upload, "before the first start");
                }
                plan.step(Sign::Change, Action { role: trial.clone(), deed: start }, "never started");
            }
            ContainerState::Running => match (tried.healthy(), &tried.health) {
                (Some(words), _) => {
                    let serve = Action { role: trial.clone(), deed: Deed::Serve };
                    plan.step(Sign::Change, serve, format!("it is healthy: {words}"));
                }
                (None, Some(Err(words))) if tried.age >= tried.grace => {
                    let grace = tried.grace.as_secs();
                    give_up(with_log(format!("not healthy within {grace} s: {words}"), tried), plan);
                }
                (None, health) => {
                    let words = match health {
                        Some(Err(words)) => words.as_str(),
                        _ => "it has just been started",
                    };
                    plan.wait(
                        "RollingOut",
                        format!("{why}; the new container is not healthy yet: {words}"),
                        Some(300),
                    );
                }
            },
            ContainerState::Removing | ContainerState::Paused | ContainerState::Restarting => {
                plan.wait("RollingOut", format!("the new container is {}", new.state.as_str()), Some(500));
            }
            ContainerState::Created | ContainerState::Exited | ContainerState::Dead => {
                give_up(with_log(format!("the new {}", stopped_cause(new)), tried), plan);
            }
        }
    }

    /// Both cannot run at once: the one that serves is stopped, and kept.
    fn give_way(&self, alone: bool, role: &Role, c: &SeenContainer, why: &str, plan: &mut Plan) {
        if alone && (c.state.is_up() || c.restart_policy != "no") {
            let node = Node::of(self.subject, role);
            let deed: Deed = work::stop(&node.case(self.subject));
            plan.step(Sign::Change, Action { role: role.clone(), deed }, why);
        }
    }
}
