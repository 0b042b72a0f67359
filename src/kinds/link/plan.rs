//! From what a link wants and what its service has to the steps that can run now. Pure. What was made for others is never
//! touched, and the database of a link that is gone stays with its owner.

use super::action::Action;
use super::record::{Password, Phase};
use super::world::{Proof, Server, World};
use crate::core::names::ObjectRef;
use crate::core::neighbours::{Offer, offers};
use crate::core::plan::{NAME_CONFLICT, Plan as CorePlan, Sign};
use crate::core::text::quoted;
use crate::core::will::Rotate;
use crate::kinds::tenancy::{Data, Look, Tenant};
use crate::workload;
use crate::workload::plan::removal::pending;
use std::collections::BTreeSet;
use std::time::Duration;

pub type Plan = CorePlan<Action>;

/// What `plan` is about.
pub type Subject<'a> = crate::kinds::Subject<'a, super::Link>;

/// How soon to look again at what nobody wakes us for.
const AGAIN_MS: u64 = 5_000;
/// For how long an old password lets in when nobody uses it: applications that read their variables again do so within a minute.
const QUIET: Duration = Duration::from_secs(60);

impl Subject<'_> {
    /// What is wanted of the service now.
    #[must_use]
    pub fn tenant(&self) -> Tenant {
        let offered = |what| self.service().and_then(|offer| offer.say(what)).unwrap_or_default().to_owned();
        let own = self.is_instance().then(|| offered(offers::USERNAME));
        let had = || self.memory.database.clone().filter(|_| !self.has_logins());
        let name = if own.is_some() { Some(offered(offers::DATABASE)) } else { had() };
        Tenant {
            service: self.spec.service.clone(),
            installation: self.identity.installation.clone(),
            link: self.identity.object.name.clone(),
            name: name.unwrap_or_else(|| self.spec.database.clone()),
            first: self.beside().first().filter(|first| self.present && !self.is_me(first)).cloned(),
            all_keys: self.spec.all_keys,
            connection_limit: self.spec.connection_limit,
            extensions: self.spec.extensions.clone(),
            data: self.data(),
            open: if self.has_logins() { self.memory.open() } else { BTreeSet::new() },
            own,
        }
    }

    /// It is to have logins of its own.
    #[must_use]
    pub fn has_logins(&self) -> bool {
        self.present && !self.spec.instance
    }

    /// Its applications log in as the user of the service itself, and nothing is left of what it had before.
    #[must_use]
    pub fn is_instance(&self) -> bool {
        self.present && self.spec.instance && self.memory.database.is_none()
    }

    /// That its applications log in with.
    #[must_use]
    pub fn password(&self) -> Password {
        let Some(offer) = self.service().filter(|_| self.is_instance()) else {
            return self.memory.password.clone();
        };
        let say = |what| offer.say(what).unwrap_or_default();
        Password {
            generation: say(offers::GENERATION).parse().unwrap_or_default(),
            rotated_at: say(offers::ROTATED_AT).to_owned(),
        }
    }

    /// Consent is to what the manifest named when it went: a database that was made under another name before, or that is
    /// another link's, stays.
    fn data(&self) -> Data {
        if self.kept_for().is_some() { Data::Stay } else { self.agreed() }
    }

    /// Another link that has the database which would go with this one.
    fn kept_for(&self) -> Option<&ObjectRef> {
        let goes = !self.present && self.agreed() != Data::Stay;
        self.beside().iter().find(|other| goes && !self.is_me(other))
    }

    /// All links that have its database, if others do: the oldest first.
    fn beside(&self) -> &[ObjectRef] {
        let claim = database(self.spec);
        claim.and_then(|claim| self.around.beside.get(&claim)).map_or(&[], Vec::as_slice)
    }

    fn is_me(&self, other: &ObjectRef) -> bool {
        *other == self.identity.object
    }

    fn agreed(&self) -> Data {
        let named = self.present || self.memory.database.as_ref() == Some(&self.spec.database);
        if !named || !self.around.lost_claims.is_empty() {
            return Data::Stay;
        }
        match (self.spec.deletes, self.present) {
            (true, false) if self.asked.deletes_now(self.spec.given_up()) => Data::Go,
            (true, _) => Data::GoLater,
            (false, false) if self.asked.delete => Data::Go,
            (false, _) => Data::Stay,
        }
    }

    /// What the service lets see; `None`: it is not there.
    #[must_use]
    pub fn service(&self) -> Option<&Offer> {
        self.around.others.get(&self.spec.service)
    }

    /// By which nobody else may have its database on this service, nor its variables in this environment.
    #[must_use]
    pub fn claims(spec: &super::check::Checked) -> BTreeSet<String> {
        let variables = format!("variables {}/{} {}", spec.project, spec.environment, spec.prefix);
        std::iter::once(variables).chain(database(spec)).collect()
    }

    /// What its project says of the environment; `None`: it can be linked.
    fn no_environment(&self) -> Option<(&'static str, String)> {
        let (project, environment) = (&self.spec.project, &self.spec.environment);
        let Some(offer) = self.around.others.get(project).filter(|offer| offer.present) else {
            return Some(("ProjectMissing", format!("there is no {project} yet")));
        };
        let has = offer.has(offers::ENVIRONMENT, environment.as_str());
        (!has).then(|| ("EnvironmentMissing", format!("{project} has no environment {environment} yet")))
    }
}

/// The claim by which the database is its; `None`: it has none of its own.
#[must_use]
pub fn database(spec: &super::check::Checked) -> Option<String> {
    (!spec.instance).then(|| format!("database {} {}", spec.service, spec.database))
}

/// Everything that can be done now.
#[must_use]
pub fn plan(subject: &Subject<'_>, world: &World) -> Plan {
    let mut plan = Plan::default();
    if !subject.present {
        unlink(subject, world, &mut plan);
        return plan;
    }
    let service = &subject.spec.service;
    if let Some((claim, holder)) = subject.around.lost_claims.first_key_value() {
        let why = format!("{claim} is {holder}'s");
        let unblock = "give one of the two another spec.database, or another spec.prefix; to share the database, name it by spec.database in both";
        plan.block(NAME_CONFLICT, why, unblock);
        return plan;
    }
    match (&world.server, subject.service()) {
        (Server::NoTenancy, _) => {
            let unblock = "link a postgres instead";
            plan.block("NotLinkable", format!("nothing can be linked to {service}"), unblock);
            return plan;
        }
        (Server::Refused(refusal), _) => {
            plan.block("TenantRefused", refusal.why.clone(), refusal.unblock);
            return plan;
        }
        (_, None) => {
            plan.wait("ServiceMissing", format!("there is no {service} yet"), None);
            return plan;
        }
        (_, Some(offer)) if !offer.ready => {
            plan.wait("ServiceNotReady", format!("{service} is not Ready"), None);
            return plan;
        }
        _ => {}
    }
    if let Some((on, why)) = subject.no_environment() {
        plan.wait(on, why, None);
        return plan;
    }
    match &world.server {
        Server::Seen { look, .. } if subject.spec.instance => leave(subject, look, &mut plan),
        Server::Seen { look, proof, next } => {
            if let Some(why) = &look.taken {
                plan.block(
                    NAME_CONFLICT,
                    format!("on {service}: {why}"),
                    "set spec.database to another name",
                );
                return plan;
            }
            let database = &subject.spec.database;
            let old = subject.memory.database.as_ref();
            if old != Some(database) {
                let stays = |old: &String| format!("in the place of {}, which stays", quoted(old));
                let cause = old.map_or("not chosen yet".to_owned(), stays);
                plan.step(Sign::Change, Action::Keep(database.clone()), cause);
            }
            for turn in subject.memory.open() {
                if !world.sealed.contains(&turn) {
                    plan.step(Sign::Create, Action::MakePassword(turn), "missing");
                }
            }
            for step in &look.steps {
                plan.step(step.sign, Action::Tend(step.clone()), step.cause.clone());
            }
            if let Some(why) = look.waits.as_ref().filter(|_| plan.steps.is_empty()) {
                plan.wait("ServiceUpdating", format!("{service}: {why}"), Some(AGAIN_MS));
            }
            if plan.steps.is_empty() && plan.waiting.is_empty() {
                rotate(subject, world, (proof, next), &mut plan);
            }
        }
        Server::Away(why) => plan.wait("ServiceNotReady", format!("{service}: {why}"), Some(AGAIN_MS)),
        Server::Failed(why) => plan.stuck("ServiceFailed", format!("{service}: {why}"), AGAIN_MS),
        Server::NotAsked | Server::NoTenancy | Server::Refused(_) => {}
    }
    plan
}

/// Its applications are given the service's own user: what was made for it before is closed, and stays.
fn leave(subject: &Subject<'_>, look: &Look, plan: &mut Plan) {
    let Some(database) = &subject.memory.database else { return };
    let cause = "spec.credentials is instance";
    // What has its names and was not made for it is nothing of its.
    let steps = look.steps.iter().filter(|_| look.taken.is_none());
    for step in steps {
        plan.step(step.sign, Action::Tend(step.clone()), cause);
    }
    if !plan.steps.is_empty() {
        return;
    }
    match &look.waits {
        Some(why) => {
            plan.wait("ServiceUpdating", format!("{}: {why}", subject.spec.service), Some(AGAIN_MS));
        }
        None => plan.step(Sign::Change, Action::Leave(database.clone()), cause),
    }
}

/// The login that is not in use gets a new password and is proven; then applications get it, and the old one is closed when
/// nobody uses it any more, or its time is over. At each border a crash finds all it needs in the memory.
fn rotate(subject: &Subject<'_>, world: &World, (proof, next): (&Proof, &Proof), plan: &mut Plan) {
    let memory = subject.memory;
    let other = memory.turn.other();
    let Some(rotation) = &memory.rotation else {
        if let Some(Rotate { at, now }) = subject.asked.rotate_due(memory.rotated_for.as_ref())
            && *proof == Proof::LetIn
        {
            let begin = Action::Rotate { asked: Some(at.clone()), now: *now };
            plan.step(Sign::Change, begin, "asked for by `seawall rotate`");
        } else if world.due.now && *proof == Proof::LetIn {
            let begin = Action::Rotate { asked: None, now: false };
            plan.step(Sign::Change, begin, "due by spec.rotation");
        }
        return;
    };
    match rotation.phase {
        Phase::Preparing => {
            plan.step(Sign::Change, Action::MakePassword(other), "the password is rotated");
        }
        Phase::Proving => {
            if *next == Proof::LetIn {
                plan.step(Sign::Change, Action::Switch(other), "it lets in");
            }
        }
        Phase::Draining => {
            let lasted = world.rotating_for.unwrap_or_default();
            let over = if rotation.now {
                "the old one gets no time"
            } else if lasted >= subject.spec.grace {
                "the old one's time is over"
            } else if world.quiet_for >= QUIET {
                "nobody uses the old one"
            } else {
                return;
            };
            plan.step(Sign::Change, Action::EndRotation, over);
        }
    }
}

/// What was not agreed to is asked for, and what was takes its time.
fn not_yet(subject: &Subject<'_>, plan: &mut Plan) {
    let object = &subject.identity.object;
    let database = quoted(subject.memory.database.as_deref().unwrap_or_default());
    if !subject.asked.deletes_later(subject.spec.given_up()) {
        plan.block(
            "DeletionNotConfirmed",
            format!("deletionPolicy is Delete, but the deletion of database {database} was not confirmed; it is kept, and nobody is let in"),
            format!("seawall delete {object} --confirm {}", object.name),
        );
        return;
    }
    let when = pending(subject.asked);
    let why = format!(
        "database {database} is deleted{when} (deletionPolicy is Delete, confirmed in the manifest). To keep it, bring the manifest back"
    );
    plan.due("DeletionPending", why);
}

/// What would go with it is another link's, too.
fn shared(subject: &Subject<'_>, other: &ObjectRef, plan: &mut Plan) {
    let database = quoted(subject.memory.database.as_deref().unwrap_or_default());
    plan.block(
        "DatabaseShared",
        format!("deletionPolicy is Delete, and {other} has database {database}, too: it is kept, and goes when that link has gone; nobody is let in for this one"),
        format!("remove {other}, or bring the manifest back with `deletionPolicy: Retain`"),
    );
}

/// Its logins are closed, then it is forgotten.
fn unlink(subject: &Subject<'_>, world: &World, plan: &mut Plan) {
    let (service, forget) = (&subject.spec.service, workload::Action::Forget);
    let untouched = subject.memory.database.is_none();
    match (&world.server, subject.service()) {
        _ if untouched && subject.spec.instance => {
            let why = format!(
                "manifest removed; it had no login of its own, and who knows the password of {service} still gets in: seawall rotate {service}"
            );
            plan.step(Sign::Delete, forget, why);
        }
        _ if untouched => plan.step(Sign::Delete, forget, "manifest removed, and nothing was made for it"),
        (Server::NoTenancy | Server::Refused(_), _) => {
            plan.step(Sign::Delete, forget, "manifest removed, and nothing was made for it");
        }
        (_, None) => plan.step(Sign::Delete, forget, format!("manifest removed, and {service} is gone")),
        (Server::Seen { look, .. }, _) if look.taken.is_some() => {
            plan.step(Sign::Delete, forget, "manifest removed; what has its names was not made for it");
        }
        (Server::Seen { look, .. }, _) => {
            for step in &look.steps {
                plan.step(step.sign, Action::Tend(step.clone()), "manifest removed");
            }
            match &look.waits {
                _ if !look.steps.is_empty() => {}
                Some(why) => plan.wait("ServiceUpdating", format!("{service}: {why}"), Some(AGAIN_MS)),
                None => match (subject.kept_for(), subject.data()) {
                    (Some(other), _) => shared(subject, other, plan),
                    (None, Data::GoLater) => not_yet(subject, plan),
                    (None, _) => {
                        plan.step(Sign::Delete, forget, format!("manifest removed; {}", world.leaves));
                    }
                },
            }
        }
        _ => {
            let why = format!("its logins are closed once {service} is Ready");
            plan.wait("ServiceNotReady", why, Some(AGAIN_MS));
        }
    }
}
