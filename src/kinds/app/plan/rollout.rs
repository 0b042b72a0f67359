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

/// How often a new version that ended is started once more.
const MOST_AGAIN: u32 = 2;

/// Whether its end says nothing of the version: somebody else ended it. `interrupted`: as far as the engine told.
fn ended_by_others(c: &SeenContainer, interrupted: bool) -> bool {
    let ran = !c.started_at.is_empty() && c.error.is_empty() && !c.oom_killed;
    ran && interrupted
}

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
        if let Some(outdated) = replace_cause(subject, trial, new, &desired, &tried.work) {
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
                let again = subject.memory.made.get(trial).map(|made| made.again);
                let words = format!("the new {}", stopped_cause(new));
                match again {
                    None => self.remove(trial, new, "it is not known what it was made from", plan),
                    Some(again) if again < MOST_AGAIN && ended_by_others(new, tried.interrupted) => {
                        if self.may_make(version, plan) {
                            self.give_way(alone, role, c, why, plan);
                            let action = Action { role: trial.clone(), deed: Deed::StartAgain };
                            plan.step(Sign::Change, action, format!("{words}, and not by itself"));
                        } else {
                            // Without what it needs it would end by itself; until that is there, what served does.
                            self.keep_alone(role, member, plan);
                        }
                    }
                    Some(0) => give_up(with_log(words, tried), plan),
                    Some(again) => {
                        give_up(with_log(format!("{words}, started {} times", again + 1), tried), plan);
                    }
                }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_version_does_itself_gives_it_up() {
        let ended = |code, oom_killed, error: &str| SeenContainer {
            state: ContainerState::Exited,
            exit_code: Some(code),
            started_at: "2026-01-01T00:00:00Z".into(),
            oom_killed,
            error: error.into(),
            ..SeenContainer::default()
        };
        for (what, c, interrupted, by_others) in [
            ("stopped", ended(143, false, ""), true, true),
            ("stopped, and it fails then", ended(1, false, ""), true, true),
            ("stopped, and ends well", ended(0, false, ""), true, true),
            ("it ends by itself", ended(0, false, ""), false, false),
            ("it fails", ended(1, false, ""), false, false),
            ("it kills itself", ended(137, false, ""), false, false),
            ("out of memory", ended(137, true, ""), true, false),
            ("not to be started", ended(127, false, "no such program"), true, false),
            (
                "never started",
                SeenContainer { started_at: String::new(), ..ended(0, false, "") },
                true,
                false,
            ),
        ] {
            assert_eq!(ended_by_others(&c, interrupted), by_others, "{what}: {c:?}");
        }
    }
}
