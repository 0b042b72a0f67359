//! An application that should run: its container made, kept, or let go for another version. Must never stop what serves.

use super::state::by_state;
use super::{Node, OfMember, Plan, Subject, add, as_written, reads_file, replace_cause, serves, version};
use crate::core::member::Role;
use crate::core::plan::Sign;
use crate::core::seen::{SeenContainer, Slot};
use crate::kinds::app::action::{Action, Deed};
use crate::kinds::app::desired::{Version, other};
use crate::kinds::app::launcher;
use crate::kinds::app::world::{Member, World};
use crate::kinds::app_spec::Injection;
use crate::workload::action::Action as Work;
use crate::workload::image::ImageSeen;
use crate::workload::memory::PinnedImage;
use crate::workload::plan::{self as work, not_local, remove_container};
use std::collections::BTreeSet;

/// One that should run.
pub(super) struct Running<'a> {
    pub subject: &'a Subject<'a>,
    pub world: &'a World,
}

impl Running<'_> {
    pub(super) fn member(&self, role: &Role) -> Option<&Member> {
        self.world.members.get(role)
    }

    pub(super) fn plan(&self, plan: &mut Plan) {
        let (subject, role) = (self.subject, serves(self.subject));
        let Some(member) = self.member(&role) else { return };
        self.judge_image(member, plan);
        self.judge_refusal(member, plan);
        if let Some(version) = version(subject, self.world) {
            self.with(&version, &role, member, plan);
        } else {
            self.keep_alone(&role, member, plan);
        }
        if matches!(member.work.image, ImageSeen::Missing) {
            let image = &subject.spec.app.image;
            plan.step(Sign::Create, Work::PullImage(image.to_string()), not_local(image));
        }
    }

    fn judge_image(&self, member: &Member, plan: &mut Plan) {
        let image = &self.subject.spec.app.image;
        match &member.work.image {
            ImageSeen::Unfit(why) => {
                plan.block("ImageUnfit", format!("image {image}: {why}"), "change its image");
            }
            ImageSeen::Unknown { words, .. } => {
                plan.stuck("ImageUnknown", format!("image {image}: {words}"), 5_000);
            }
            ImageSeen::Fit(_) | ImageSeen::Missing => {}
        }
    }

    /// What is written was given up: somebody is told, and may want it tried again.
    fn judge_refusal(&self, member: &Member, plan: &mut Plan) {
        let (subject, world) = (self.subject, self.world);
        let Some(image) = member.work.image.fit() else { return };
        let wanted = as_written(subject, world, image);
        let Some(refused) = subject.memory.refuses(&wanted.key(subject.identity)) else { return };
        if Node::whole(subject).case(subject).restart_due() {
            let again = Action { role: Role::default(), deed: Deed::TryAgain };
            plan.step(Sign::Change, again, "asked for by `seawall restart`");
            return;
        }
        let object = &subject.identity.object;
        plan.block(
            "RolloutFailed",
            format!("{}. What ran before goes on", refused.words),
            format!(
                "correct it in {}, or have it tried again: seawall restart {object}",
                subject.spec.project()
            ),
        );
    }

    /// Without a version that containers could be made from: what there is goes on.
    pub(super) fn keep_alone(&self, role: &Role, member: &Member, plan: &mut Plan) {
        let trial = other(role);
        if let Some(old) = self.member(&trial).and_then(|member| member.work.container.ours())
            && member.work.container.ours().is_some()
        {
            self.remove(&trial, old, "it is not tried any more", plan);
        }
        self.keep(role, member, plan);
    }

    /// What serves is looked after.
    pub(super) fn keep(&self, role: &Role, member: &Member, plan: &mut Plan) {
        let node = Node::of(self.subject, role);
        if let Slot::Ours(c) = &member.work.container {
            let mut own = OfMember::default();
            by_state(&node.case(self.subject), member, c, reads_file(self.subject, role), &mut own);
            add(plan, role, own);
        }
    }

    fn with(&self, version: &Version<'_>, role: &Role, member: &Member, plan: &mut Plan) {
        let subject = self.subject;
        let desired = version.container(subject.identity, role, false);
        let trial = other(role);
        let beside = self.member(&trial);
        let left = beside.and_then(|member| Some((member, member.work.container.ours()?)));
        match &member.work.container {
            Slot::Ours(c) => match replace_cause(subject, role, c, &desired, &member.work) {
                None => {
                    if let Some((_, old)) = left {
                        self.remove(&trial, old, "another one serves", plan);
                    }
                    self.keep(role, member, plan);
                }
                Some(why) => {
                    let why = self.cause(role, version, why);
                    // One that is being tried was made when it could be.
                    let of_trial = version.container(subject.identity, &trial, true);
                    let fits = |(member, c): (&Member, &SeenContainer)| {
                        replace_cause(subject, &trial, c, &of_trial, &member.work).is_none()
                    };
                    if !left.is_some_and(fits) && !self.may_make(version, plan) {
                        self.keep_alone(role, member, plan);
                    } else if subject.memory.proven.is_none() {
                        // It was never Ready: there is nothing to lose.
                        self.remove(role, c, &why, plan);
                        self.make(version, role, false, Sign::Replace, &why, plan);
                    } else {
                        self.roll_out(version, (role, member, c), &trial, &why, plan);
                    }
                }
            },
            Slot::Missing => {
                if let Some((member, c)) = left {
                    self.take_over(version, &trial, member, c, plan);
                } else if self.may_make(version, plan) {
                    self.make(version, role, false, Sign::Create, "container missing", plan);
                }
            }
            Slot::Foreign(_) => {}
        }
    }

    /// The one that served is gone, and one that was tried beside it is there.
    fn take_over(
        &self,
        version: &Version<'_>,
        role: &Role,
        member: &Member,
        c: &SeenContainer,
        plan: &mut Plan,
    ) {
        let desired = version.container(self.subject.identity, role, true);
        match replace_cause(self.subject, role, c, &desired, &member.work) {
            None => {
                let serve = Action { role: role.clone(), deed: Deed::Serve };
                plan.step(Sign::Change, serve, "the container that served is gone");
            }
            Some(why) => self.remove(role, c, &why, plan),
        }
    }

    /// What changed, by name where it is in the variables.
    fn cause(&self, role: &Role, version: &Version<'_>, why: String) -> String {
        let Some(made) = self.subject.memory.made.get(role) else { return why };
        if made.written.image != self.subject.spec.written.image {
            return why;
        }
        let names: BTreeSet<&String> = made.env.keys().chain(version.env.shown.keys()).collect();
        let changed: Vec<&str> = names
            .into_iter()
            .filter(|name| made.env.get(*name) != version.env.shown.get(*name))
            .map(String::as_str)
            .collect();
        if changed.is_empty() { why } else { format!("{} changed", changed.join(", ")) }
    }

    /// Whether a container can be made with these variables; else why not is said.
    pub(super) fn may_make(&self, version: &Version<'_>, plan: &mut Plan) -> bool {
        let env = version.env;
        let (whole, mut lost) = (Node::whole(self.subject), OfMember::default());
        if let Some(serving) = self.member(&serves(self.subject)) {
            work::lost_volumes(&whole.case(self.subject), &serving.work, &mut lost);
        }
        let launched = version.app.injection == Injection::File;
        let architecture = self.member(&serves(self.subject)).map(|member| &member.work.engine.architecture);
        let unfit = architecture.filter(|_| launched).and_then(|on| launcher::runs_on(on).err());
        if let Some(why) = unfit {
            let unblock = "write injection: env, or use a Seawall of the engine's architecture";
            plan.block("LauncherUnfit", format!("injection: file: {why}"), unblock);
        } else if !lost.blocked.is_empty() {
            add(plan, &Role::default(), lost);
        } else if let Some((name, from)) = env.clashes.first() {
            plan.block(
                "VariableConflict",
                format!("{from} gives {name}, and the application has a variable of that name"),
                format!("take {name} out of its env, or write {name}: {{value: …, override: true}} to have it in the place of the link's"),
            );
        } else if let Some((name, why)) = env.unread.first() {
            plan.stuck("SecretUnreadable", format!("{name}: {why}"), 5_000);
        } else if let Some(link) = env.not_ready.first() {
            // Its offer wakes us.
            plan.wait("LinkNotReady", format!("waits for {link}"), None);
        } else if let Some(link) = env.unreachable.first() {
            plan.wait(
                "LinkUnreachable",
                format!("{link} gives no variables that are reached from a container"),
                None,
            );
        } else if let Some((claim, holder)) = self.subject.around.lost_claims.first_key_value() {
            plan.block("PortTaken", format!("{claim} belongs to {holder}"), "choose another host port");
        } else {
            return true;
        }
        false
    }

    pub(super) fn remove(&self, role: &Role, c: &SeenContainer, why: &str, plan: &mut Plan) {
        let (node, mut own) = (Node::of(self.subject, role), OfMember::default());
        remove_container(&node.case(self.subject), c, why, &mut own);
        add(plan, role, own);
    }

    /// Made, and started.
    pub(super) fn make(
        &self,
        version: &Version<'_>,
        role: &Role,
        tried: bool,
        sign: Sign,
        why: &str,
        plan: &mut Plan,
    ) {
        let (subject, mut own) = (self.subject, OfMember::default());
        let Some(member) = self.member(role) else { return };
        if self.pins(version) {
            let (reference, id) = (subject.spec.app.image.to_string(), version.image.work.id.clone());
            let profile = subject.memory.work.profile();
            own.step(Sign::Change, Work::PinImage { reference, id, profile }, "first use");
        }
        self.volumes(version, plan);
        if member.work.network == Slot::Missing {
            own.step(Sign::Create, Work::CreateNetwork(subject.identity.network()), "network missing");
        }
        let desired = version.container(subject.identity, role, tried);
        let name = desired.name.clone();
        own.step(sign, Work::CreateContainer(Box::new(desired)), why);
        if version.app.injection == Injection::File {
            own.step(Sign::Change, Deed::Upload, "before the first start");
        }
        own.step(Sign::Change, Work::StartContainer(name), "created");
        add(plan, role, own);
    }

    /// Its volumes are there before a container is.
    fn volumes(&self, version: &Version<'_>, plan: &mut Plan) {
        let subject = self.subject;
        let known = &subject.memory.work.volumes;
        for (path, volume) in version.volumes(subject.identity) {
            if known.get(&path) != Some(&volume) {
                plan.step(Sign::Create, Work::CreateExtraVolume { volume, path }, "missing");
            }
        }
    }

    /// Whether the image of this version is what the manifest's reference stands for from now on.
    fn pins(&self, version: &Version<'_>) -> bool {
        let subject = self.subject;
        let wanted =
            PinnedImage { reference: subject.spec.app.image.to_string(), id: version.image.work.id.clone() };
        version.app == &subject.spec.app && subject.memory.work.image.as_ref() != Some(&wanted)
    }
}
