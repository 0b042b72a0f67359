//! Redis for its tenants: a user that gets at the keys and channels which begin with its name. The users' file is written by
//! the service's own passes alone, as a start reads nothing else; a link grants what it wants in it, and waits until the
//! server tells just that.

use super::Redis;
use super::check::no_username;
use super::client::{RedisError, Servers, Target, command};
use super::desired::ADMIN;
use super::plan::Subject;
use super::world::{Server, World};
use crate::core::digest::sha256;
use crate::core::names::ObjectRef;
use crate::core::neighbours::offers;
use crate::core::text::url_part;
use crate::core::variable::{Parts, Variable};
use crate::kinds::tenancy::{
    Data, Known, Look, Passwords, Refusal, Step, Tenancy, TenancyError, Tenant, Turn,
};
use crate::secrets::{ExposeSecret, Secret};
use crate::workload::observe::address;
use crate::workload::tools::Reach;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// What a tenant may do with its own keys. `INFO` is what client libraries look at before they work. What tells names of
/// others' keys, works on all keys, or stops what others do, is taken away, also where a category has it: [`NAMES`] of one
/// that shares the server, [`NEVER`] of all.
const MAY: &str = "-@all +@read +@write +@connection +@transaction +@pubsub +@scripting -@dangerous +info +time +wait \
                   +acl|whoami +command";
const NAMES: &str = "-scan -randomkey -dbsize";
/// What one may do whose keys are all keys.
const ALL_KEYS: &str = "+keys";
const NEVER: &str =
    "-swapdb -move -select -script|flush -script|kill -function -pubsub|channels -client|list";

/// The users of a service's links are put in force by these words of theirs. Kept in the service's record, too: a link that
/// says nothing yet after a start of Seawall keeps what it had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub user: String,
    /// SHA-256 of each password that lets in. They tell nothing: passwords are long and random.
    pub hashes: Vec<String>,
    /// It gets at all keys.
    #[serde(default)]
    pub all: bool,
}

impl Grant {
    /// What ACL GETUSER says of it.
    #[must_use]
    pub fn rules(&self) -> String {
        let hashes: String = self.hashes.iter().map(|hash| format!("#{hash} ")).collect();
        if self.all {
            return format!("on {hashes}{MAY} {ALL_KEYS} {NEVER} ~* &*");
        }
        format!("on {hashes}{MAY} {NAMES} {NEVER} ~{user}:* &{user}:*", user = self.user)
    }
}

/// What the links of a service want in its users' file: link → grant. A name that is the service's own, or another link's,
/// is left out, and so is one with all keys that is not alone, and whoever comes when that one is there.
#[must_use]
pub fn grants(subject: &Subject<'_>) -> BTreeMap<ObjectRef, Grant> {
    let mut names = BTreeSet::from(["default", ADMIN, &subject.spec.username].map(str::to_owned));
    let mut all = BTreeMap::new();
    for link in &subject.around.referrers {
        let says = subject.around.others.get(link).and_then(|offer| offer.say(offers::GRANT));
        let grant = match says {
            Some(text) => serde_json::from_str::<Grant>(text).ok(),
            None => subject.memory.tenants.get(&link.to_string()).cloned(),
        };
        if let Some(grant) = grant.filter(|grant| names.insert(grant.user.clone())) {
            all.insert(link.clone(), grant);
        }
    }
    let had = |link: &ObjectRef| subject.memory.tenants.get(&link.to_string());
    with_all_keys(all, had, &wanted(subject).cloned().collect())
}

/// `had`: what it has already; `links`: those that are wanted.
fn with_all_keys<'a>(
    mut all: BTreeMap<ObjectRef, Grant>,
    had: impl Fn(&ObjectRef) -> Option<&'a Grant>,
    links: &BTreeSet<ObjectRef>,
) -> BTreeMap<ObjectRef, Grant> {
    let had_all = |link: &ObjectRef| had(link).is_some_and(|had| had.all);
    let first = all.iter().find(|(link, grant)| grant.all && had_all(link)).map(|(link, _)| link.clone());
    if let Some(first) = first {
        all.retain(|link, _| *link == first);
        return all;
    }
    let several = links.iter().chain(all.keys()).collect::<BTreeSet<_>>().len() > 1;
    if several {
        // What it is refused takes nothing away of what it had.
        for (link, grant) in all.iter_mut().filter(|(_, grant)| grant.all) {
            if let Some(before) = had(link).filter(|had| had.user == grant.user) {
                grant.clone_from(before);
            }
        }
        all.retain(|_, grant| !grant.all);
    }
    all
}

/// The links that are wanted, also those that grant nothing.
fn wanted<'a>(subject: &'a Subject<'_>) -> impl Iterator<Item = &'a ObjectRef> {
    let around = &subject.around;
    around.referrers.iter().filter(|link| around.others.get(*link).is_some_and(|offer| offer.present))
}

/// The users that its links have, or had when they were last heard of.
#[must_use]
pub fn names(subject: &Subject<'_>) -> BTreeSet<String> {
    let had = subject.memory.tenants.values().cloned();
    grants(subject).into_values().chain(had).map(|grant| grant.user).collect()
}

/// User → rules, of those in force.
#[must_use]
pub fn rules(subject: &Subject<'_>) -> BTreeMap<String, String> {
    grants(subject).into_values().map(|grant| (grant.user.clone(), grant.rules())).collect()
}

/// Users whose sessions may be by a password that lets in no more. Redis keeps them, and does not tell by which one they
/// came.
#[must_use]
pub fn revoked(told: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> Vec<String> {
    let hashes = |rules: &str| -> BTreeSet<String> {
        rules.split(' ').filter(|word| word.starts_with('#')).map(str::to_owned).collect()
    };
    let changed = wanted
        .iter()
        .filter(|(user, rules)| told.get(*user).is_some_and(|told| !hashes(told).is_subset(&hashes(rules))));
    changed.map(|(user, _)| user.clone()).collect()
}

/// What Redis' tenants have in common.
pub struct Tenants {
    servers: Arc<dyn Servers>,
    seen: Mutex<BTreeMap<ObjectRef, Told>>,
}

/// What the last look at a service saw of it.
struct Told {
    at: (IpAddr, u16),
    container: String,
    /// The user of the service itself.
    owner: String,
    /// User → rules, of those that were made for links.
    tenants: BTreeMap<String, String>,
    /// The links that are wanted, and the one of them that has all keys.
    links: BTreeSet<ObjectRef>,
    alone: Option<ObjectRef>,
}

impl Tenants {
    #[must_use]
    pub fn new(servers: &Arc<dyn Servers>) -> Self {
        Self { servers: Arc::clone(servers), seen: Mutex::default() }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, BTreeMap<ObjectRef, Told>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a pass saw.
    pub fn saw(&self, subject: &Subject<'_>, world: &World, reach: Reach) {
        let object = &subject.identity.object;
        let (Server::Up(facts), Some(c)) = (&world.server, world.work.container.ours()) else {
            self.forget(object);
            return;
        };
        let Some(at) = address(&subject.work(), &c.glance(), reach) else { return };
        let (container, owner) = (c.id.clone(), subject.spec.username.clone());
        let links = wanted(subject).cloned().collect();
        let alone = grants(subject).into_iter().find(|(_, grant)| grant.all).map(|(link, _)| link);
        let told = Told { at, container, owner, tenants: facts.tenants.clone(), links, alone };
        self.seen().insert(object.clone(), told);
    }

    pub fn forget(&self, object: &ObjectRef) {
        self.seen().remove(object);
    }

    fn told<T>(&self, service: &ObjectRef, what: impl FnOnce(&Told) -> T) -> Result<T, TenancyError> {
        let seen = self.seen();
        let told = seen.get(service);
        let away = || TenancyError::Away(format!("{service} is not logged into now"));
        told.map(what).ok_or_else(away)
    }

    /// Who is in the way of all keys for this one, or has them.
    fn not_alone(&self, tenant: &Tenant) -> Option<Refusal> {
        let gets_in = !tenant.open.is_empty() || tenant.own.is_some();
        let seen = self.seen();
        let told = seen.get(&tenant.service).filter(|_| gets_in)?;
        let is_other = |link: &&ObjectRef| link.name != tenant.link;
        let service = &tenant.service;
        if let Some(first) = told.alone.as_ref().filter(is_other) {
            let why = format!("{first} has all keys of {service} (its spec.keys)");
            return Some(Refusal { why, unblock: "link another Redis, or take spec.keys out of that link" });
        }
        let other = told.links.iter().find(is_other).filter(|_| tenant.all_keys && told.alone.is_none())?;
        let why =
            format!("spec.keys is all, which is for the only link of {service}, and {other} is one, too");
        Some(Refusal { why, unblock: "take spec.keys out, or remove the other link" })
    }
}

fn granted(tenant: &Tenant, passwords: &Passwords) -> Option<Grant> {
    let open = tenant.open.iter().filter_map(|turn| passwords.get(turn));
    let hashes: Vec<String> = open.map(|password| sha256(password.expose_secret().as_bytes())).collect();
    (!hashes.is_empty()).then(|| Grant { user: tenant.name.clone(), hashes, all: tenant.all_keys })
}

#[async_trait]
impl Tenancy for Tenants {
    fn refuses(&self, tenant: &Tenant) -> Option<Refusal> {
        if let Some(refusal) = self.not_alone(tenant) {
            return Some(refusal);
        }
        if tenant.own.is_some() {
            return None;
        }
        if let Some(why) = no_username(&tenant.name) {
            return Some(Refusal { why, unblock: "set spec.database to another name" });
        }
        let refusal = |why: &str, unblock| Some(Refusal { why: why.to_owned(), unblock });
        if let Some(first) = &tenant.first {
            let why = format!("user {} is {first}'s, and one user is for one link", tenant.name);
            return refusal(&why, "set spec.database to another name");
        }
        if !tenant.extensions.is_empty() {
            return refusal("Redis has no extensions", "take spec.extensions out");
        }
        if tenant.connection_limit.is_some() {
            return refusal(
                "Redis has no limit of connections for one user",
                "take spec.connectionLimit out",
            );
        }
        if tenant.data == Data::GoLater {
            return refusal(
                "Seawall deletes no keys of a Redis that goes on",
                "take spec.deletionPolicy out",
            );
        }
        None
    }

    fn grant(&self, tenant: &Tenant, passwords: &Passwords) -> Option<String> {
        serde_json::to_string(&granted(tenant, passwords)?).ok()
    }

    fn leaves(&self, tenant: &Tenant) -> String {
        if tenant.all_keys {
            return format!("the keys of {} stay", tenant.service);
        }
        format!("keys that begin with {}: stay", tenant.name)
    }

    async fn look(&self, tenant: &Tenant, passwords: &Passwords, _: &Known) -> Result<Look, TenancyError> {
        let wanted = granted(tenant, passwords).map(|grant| grant.rules());
        let (owner, there) = self.told(&tenant.service, |told| {
            (told.owner == tenant.name, told.tenants.get(&tenant.name).cloned())
        })?;
        let mut look = Look::default();
        if owner {
            look.taken = Some(format!("user {} is the service's own", tenant.name));
        } else if there != wanted {
            let what = if wanted.is_some() { "is given" } else { "loses" };
            look.waits = Some(format!("user {} {what} its rights", tenant.name));
        }
        Ok(look)
    }

    /// There are no steps of its own.
    async fn apply(&self, _: &Tenant, step: &Step, _: &Passwords, _: &mut Known) -> Result<(), TenancyError> {
        Err(TenancyError::Failed(format!("the step is not understood: {}", step.words)))
    }

    /// The names of the product brief, "Linking to Projects".
    fn variables(&self, tenant: &Tenant, turn: Turn, (host, port): (&str, u16)) -> Vec<Variable> {
        let user = self.username(tenant, turn);
        let url = Parts::Url(format!("redis://{}:", url_part(&user)), format!("@{host}:{port}"));
        // The user of the service itself gets at all keys.
        let all = tenant.own.is_some() || tenant.all_keys;
        let prefix = if all { String::new() } else { format!("{user}:") };
        vec![
            Variable { name: "URL".to_owned(), parts: url },
            Variable::plain("HOST", host),
            Variable::plain("PORT", port.to_string()),
            Variable::plain("USER", user),
            Variable { name: "PASSWORD".to_owned(), parts: Parts::Secret },
            Variable::plain("PREFIX", prefix),
        ]
    }

    fn alias(&self) -> Option<&'static str> {
        None
    }

    /// One user with two passwords: Redis knows no other way to have two at a time.
    fn username(&self, tenant: &Tenant, _: Turn) -> String {
        tenant.own.clone().unwrap_or_else(|| tenant.name.clone())
    }

    async fn prove(&self, tenant: &Tenant, turn: Turn, password: &Secret) -> Result<(), TenancyError> {
        let (username, password) = (self.username(tenant, turn), password.clone());
        let target = self.told(&tenant.service, |told| {
            let (host, port) = told.at;
            Target { host, port, container: told.container.clone(), username, password }
        })?;
        for reply in self.servers.ask(&target, &[command("PING")]).await? {
            reply.fine()?;
        }
        Ok(())
    }
}

impl From<RedisError> for TenancyError {
    fn from(error: RedisError) -> Self {
        match error {
            RedisError::LoginRefused(words) | RedisError::Failed(words) => TenancyError::Failed(words),
            error => TenancyError::Away(error.to_string()),
        }
    }
}

impl Redis {
    /// What it does for links.
    #[must_use]
    pub fn tenancy(&self) -> Arc<dyn Tenancy> {
        Arc::clone(&self.tenants) as Arc<dyn Tenancy>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_let_see_their_names_and_nothing_of_the_server() {
        let grant = |all| Grant { user: "a".to_owned(), hashes: vec!["1".to_owned()], all }.rules();
        let (prefix, all) = (grant(false), grant(true));
        assert!(prefix.ends_with(" ~a:* &a:*") && all.ends_with(" ~* &*"), "{prefix}; {all}");
        let has = |rules: &str, word: &str| rules.split(' ').any(|one| one == word);
        for word in ["-scan", "-randomkey", "-dbsize"] {
            assert!(has(&prefix, word) && !has(&all, word), "{word}");
        }
        assert!(has(&all, "+keys") && !has(&prefix, "+keys"));
        for word in ["-@all", "-@dangerous", "-swapdb", "-move", "-select", "-function", "-client|list"] {
            assert!(has(&prefix, word) && has(&all, word), "{word}");
        }
        for word in all.split(' ').filter(|word| word.starts_with('+') && *word != "+keys") {
            assert!(has(&prefix, word), "{word} is given to all or to nobody");
        }
        // One that was kept before there was such a choice.
        let old: Grant = serde_json::from_str(r#"{"user":"a","hashes":["1"]}"#).unwrap();
        assert_eq!(old.rules(), prefix);
    }

    #[test]
    fn who_has_all_keys_is_alone_and_stays_so() {
        let link = |name: &str| -> ObjectRef { format!("link/{name}").parse().unwrap() };
        // Wanted links that grant nothing; name → with all keys, of those that grant; who had something, and all keys; who
        // gets something, with a star if that is all keys.
        type Row<'a> = (&'a [&'a str], &'a [(&'a str, bool)], (&'a str, bool), &'a [&'a str]);
        let rows: [Row<'_>; 11] = [
            (&[], &[("a", true)], ("", true), &["a*"]),
            (&[], &[("a", false), ("b", false)], ("", true), &["a", "b"]),
            (&[], &[("a", true), ("b", false)], ("", true), &["b"]),
            (&[], &[("a", false), ("b", true)], ("", true), &["a"]),
            (&[], &[("a", true), ("b", true)], ("", true), &[]),
            // One with the service's own user.
            (&["i"], &[("a", true)], ("", true), &[]),
            (&["i"], &[("a", true), ("b", false)], ("a", true), &["a*"]),
            (&[], &[("a", false), ("b", true)], ("b", true), &["b*"]),
            // It has given them up.
            (&[], &[("a", false), ("b", false)], ("b", true), &["a", "b"]),
            // It wants more than it had, and keeps that.
            (&[], &[("a", true), ("b", false)], ("a", false), &["a", "b"]),
            (&["i"], &[("a", true)], ("a", false), &["a"]),
        ];
        for (links, grants, (who, had), want) in rows {
            let grant = |user: &str, all| Grant { user: user.to_owned(), hashes: Vec::new(), all };
            let all = grants.iter().map(|(name, all)| (link(name), grant(name, *all))).collect();
            let links = links.iter().map(|name| link(name)).collect();
            let before = grant(who, had);
            let got = with_all_keys(all, |one| (one.name.as_str() == who).then_some(&before), &links);
            let name = |(link, grant): (&ObjectRef, &Grant)| {
                format!("{}{}", link.name, if grant.all { "*" } else { "" })
            };
            assert_eq!(got.iter().map(name).collect::<Vec<_>>(), want, "{grants:?} {who}");
        }
    }

    #[test]
    fn sessions_are_ended_where_a_password_is_taken_away_and_only_there() {
        let rules = |hashes: &[&str]| {
            let hashes = hashes.iter().map(|hash| (*hash).to_owned()).collect();
            BTreeMap::from([("a".to_owned(), Grant { user: "a".to_owned(), hashes, all: false }.rules())])
        };
        for (told, wanted, want) in [
            (rules(&["1"]), rules(&["1"]), false),
            (rules(&["1"]), rules(&["1", "2"]), false),
            (rules(&["1", "2"]), rules(&["2"]), true),
            (rules(&["1"]), rules(&["2"]), true),
            // Redis itself ends those of a user that is gone.
            (rules(&["1"]), BTreeMap::new(), false),
            (BTreeMap::new(), rules(&["1"]), false),
        ] {
            assert_eq!(!revoked(&told, &wanted).is_empty(), want, "{told:?} {wanted:?}");
        }
    }
}
