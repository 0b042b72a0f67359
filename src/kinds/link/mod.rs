//! Link: a database of its own for one environment of a project, on a service of whatever engine. It knows its service by what
//! that lets see, and the engine by [`Tenancy`] alone.

pub mod act;
pub mod action;
pub mod check;
pub mod conditions;
pub mod plan;
pub mod probe;
pub mod record;
pub mod spec;
pub mod status;
pub mod world;

use super::tenancy::{Passwords, Tenancy, Tenant, Turn};
use super::{About, Column, Context, Learnt, Reconciler, Scene, Subject, Undone};
use crate::core::condition::Finding;
use crate::core::desired::stable_hash;
use crate::core::digest::sha256;
use crate::core::event::Note;
use crate::core::failure::Outlook;
use crate::core::names::{API_VERSION, Kind, Name, ObjectRef};
use crate::core::neighbours::{Said, Ties, offers};
use crate::core::places::Places;
use crate::core::plan::Plan;
use crate::core::problem::{Place, Problem};
use crate::core::resource::{Document, Metadata};
use crate::core::seen::EngineInfo;
use crate::core::variable::Variable;
use crate::manifest::schema::spec_schema;
use crate::secrets::{ExposeSecret, Secret};
use crate::workload::Tools;
use crate::workload::observe::{Intent, ObserveError};
use crate::workload::tools::PasswordError;
use action::Action;
use check::Checked;
use record::Memory;
use serde_json::{Map, Value, json};
use status::Status;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use world::{Proof, Server, World};

/// What a list shows of it.
const COLUMNS: [Column; 4] = [
    Column { header: "SERVICE", paths: &["/service"], wide: false },
    Column { header: "ENVIRONMENT", paths: &["/environment"], wide: false },
    Column { header: "DATABASE", paths: &["/database"], wide: false },
    Column { header: "USERNAME", paths: &["/username"], wide: true },
];

/// How long a login proves that there can be others: whatever changes the role is seen without one.
const PROOF: Duration = Duration::from_secs(600);
/// Seconds by which that is less for some links than for others.
const SPREAD: u64 = 300;
/// How often a server is compared with what is wanted.
const LOOK: Duration = Duration::from_secs(30);
/// The same while something is to happen.
const ROTATES: Duration = Duration::from_secs(5);
/// How long one that was turned away is not tried again.
const TURNED_AWAY: Duration = Duration::from_secs(15);

/// A tenant of a service.
pub struct Link {
    pub tools: Arc<Tools>,
    /// By the kind of the service.
    pub tenancies: BTreeMap<Kind, Arc<dyn Tenancy>>,
    /// By login.
    proofs: Mutex<BTreeMap<(ObjectRef, Turn), Proven>>,
    /// Since when nobody is seen to use an old login.
    quiet: Mutex<BTreeMap<ObjectRef, Instant>>,
}

/// A login that was tried.
struct Proven {
    at: Instant,
    /// Which password, into what, and of which service.
    of: String,
    proof: Proof,
}

impl Link {
    #[must_use]
    pub fn new(tools: &Arc<Tools>, tenancies: BTreeMap<Kind, Arc<dyn Tenancy>>) -> Self {
        Self { tools: Arc::clone(tools), tenancies, proofs: Mutex::default(), quiet: Mutex::default() }
    }

    fn proofs(&self) -> std::sync::MutexGuard<'_, BTreeMap<(ObjectRef, Turn), Proven>> {
        self.proofs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For how long it has been quiet; counted anew after a restart.
    fn quiet_for(&self, object: &ObjectRef, quiet: bool) -> Duration {
        let mut all = self.quiet.lock().unwrap_or_else(PoisonError::into_inner);
        if quiet {
            return all.entry(object.clone()).or_insert_with(Instant::now).elapsed();
        }
        all.remove(object);
        Duration::ZERO
    }

    /// Those that are in the store.
    fn passwords(&self, object: &ObjectRef) -> Result<Passwords, PasswordError> {
        let mut secrets = self.tools.secrets(object)?;
        Ok(Turn::ALL.into_iter().filter_map(|turn| Some((turn, secrets.remove(turn.as_str())?))).collect())
    }

    /// `identifier`: of the database that is there now.
    async fn proof(
        &self,
        subject: &Subject<'_, Self>,
        tenancy: &Arc<dyn Tenancy>,
        (tenant, identifier): (&Tenant, Option<&str>),
        turn: Turn,
        password: &Secret,
    ) -> Proof {
        let key = (subject.identity.object.clone(), turn);
        let known = &subject.memory.known;
        let uid = subject.service().map(|offer| offer.uid.as_str()).unwrap_or_default();
        let fingerprint = known.fingerprints.get(&turn).map(String::as_str).unwrap_or_default();
        let identifier = identifier.unwrap_or_default();
        let own = sha256(password.expose_secret().as_bytes());
        let (user, database) = (tenancy.username(tenant, turn), &tenant.name);
        let of = format!("{uid} {identifier} {turn} {own} {fingerprint} {user} {database}");
        if let Some(last) = self.proofs().get(&key).filter(|last| last.of == of) {
            let lasts = if last.proof == Proof::LetIn { lasts(&key.0) } else { TURNED_AWAY };
            if last.at.elapsed() < lasts {
                return last.proof.clone();
            }
        }
        let proof = match tenancy.prove(tenant, turn, password).await {
            Ok(()) => Proof::LetIn,
            Err(error) => Proof::from(&error),
        };
        self.proofs().insert(key, Proven { at: Instant::now(), of, proof: proof.clone() });
        proof
    }
}

/// How long this link is proven by a login. All are proven at a start, and must not be all at once ever after.
fn lasts(object: &ObjectRef) -> Duration {
    let less = u64::from_str_radix(&stable_hash(object.name.as_str()), 16).unwrap_or_default() % SPREAD;
    PROOF.saturating_sub(Duration::from_secs(less))
}

/// What a link ties together, by its spec: the service, the project, the environment.
#[must_use]
pub fn ends(spec: &Value) -> Option<(ObjectRef, ObjectRef, String)> {
    let spec: spec::LinkSpec = serde_json::from_value(spec.clone()).ok()?;
    let project = ObjectRef::new(Kind::Project, Name::parse(&spec.project.0).ok()?);
    Some((spec.service.0.parse().ok()?, project, spec.environment.0))
}

/// A manifest as a user would write it; the name is made of what it ties together, unless it is given. `fields`: others of its
/// spec; of them those are left out that say what is so in any case.
///
/// # Errors
/// When that is too long for a name, or is no legal link: why, and what to do.
pub fn manifest(
    service: &ObjectRef,
    (project, environment): (&Name, &str),
    name: Option<&Name>,
    mut fields: Map<String, Value>,
) -> Result<Value, (String, &'static str)> {
    let made = || Name::parse(&format!("{project}-{environment}-{}", service.name));
    let name = name.cloned().map_or_else(made, Ok);
    let name = name.map_err(|e| (e.to_string(), "give it a name: --name NAME"))?;
    for (field, value) in
        [("service", &*service.to_string()), ("project", project.as_str()), ("environment", environment)]
    {
        fields.insert(field.to_owned(), value.into());
    }
    const HOW: &str = "seawall link --help";
    let spec: spec::LinkSpec = serde_json::from_value(fields.into()).map_err(|e| (e.to_string(), HOW))?;
    let spec = serde_json::to_value(spec).map_err(|e| (e.to_string(), HOW))?;
    let document = Document {
        object: ObjectRef::new(Kind::Link, name.clone()),
        metadata: Metadata { name: name.clone(), labels: BTreeMap::new(), annotations: BTreeMap::new() },
        spec,
        place: Place { file: String::new(), line: 1, column: 1 },
        places: Places::default(),
    };
    check::check(&document).map_err(|problems| {
        let words: Vec<String> = problems.iter().map(|p| format!("{}: {}", p.path, p.what)).collect();
        (words.join("; "), HOW)
    })?;
    let (metadata, spec) = (json!({"name": name.as_str()}), document.spec);
    Ok(json!({"apiVersion": API_VERSION, "kind": Kind::Link.as_str(), "metadata": metadata, "spec": spec}))
}

impl Reconciler for Link {
    type Checked = Checked;
    type Memory = Memory;
    type World = World;
    type Action = Action;
    type Status = Status;
    const ABOUT: About = About {
        kind: Kind::Link,
        folder: "link",
        description: "A database of its own for one environment of a project: a login, and the variables to find it by.",
        runs: true,
        containers: false,
        rotates: true,
        made_by: None,
        gone: "the logins made for it are closed, and the database stays",
        columns: &COLUMNS,
        panels: &[],
        metrics: &[],
        history: &[],
        least_memory: 0,
        warnings: None,
        client: None,
        backups: None,
        service: None,
        images: &[],
        spec: spec_schema::<spec::LinkSpec>,
    };

    fn check(document: &Document, _: &Context<'_>) -> Result<Checked, Vec<Problem>> {
        check::check(document)
    }

    fn ties(checked: &Checked) -> Ties {
        Ties {
            refs: BTreeSet::from([checked.service.clone(), checked.project.clone()]),
            claims: plan::Subject::claims(checked),
            shared: plan::database(checked).filter(|_| checked.shares).into_iter().collect(),
            ..Ties::default()
        }
    }

    fn password_is_elsewhere(checked: &Checked) -> Option<(String, String)> {
        let service = &checked.service;
        checked.instance.then(|| (format!("that of {service}"), format!("seawall rotate {service}")))
    }

    fn given_up(checked: &Checked) -> bool {
        checked.given_up()
    }

    fn outlived_by(checked: &Checked) -> Option<String> {
        // Of one server that goes on, no keys are deleted; and what is the service's own is not the link's.
        let service = &checked.service;
        let stays = checked.instance || service.kind == Kind::Redis;
        stays.then(|| format!("the data that it gets at on {service} stay"))
    }

    fn offer(subject: &Subject<'_, Self>, world: &World) -> Said {
        let json = |variables: &[Variable]| serde_json::to_string(variables).unwrap_or_default();
        let alias = world.alias.map(|alias| (offers::ALIAS, alias.to_owned()));
        // What is another one's is not given twice.
        let mine = subject.around.lost_claims.is_empty();
        // An edit that the service refuses takes nothing away of what was granted before under the same name.
        let (spec, memory) = (subject.spec, subject.memory);
        let refused =
            matches!(world.server, Server::Refused(_)) && memory.database.as_ref() == Some(&spec.database);
        let grant = world.grant.clone().filter(|_| mine).unwrap_or_default();
        let grant = (!refused).then_some((offers::GRANT, grant));
        let (inside, outside) =
            if mine { (&world.inside[..], &world.outside[..]) } else { (&[][..], &[][..]) };
        let (secret, of) = if subject.is_instance() {
            (String::new(), Some((offers::SECRET_OF, subject.spec.service.to_string())))
        } else {
            (subject.memory.turn.to_string(), None)
        };
        let all = [
            (offers::ENVIRONMENT, subject.spec.environment.to_string()),
            (offers::VARIABLES, json(inside)),
            (offers::HOST_VARIABLES, json(outside)),
            (offers::SECRET, secret),
            (offers::GENERATION, subject.password().generation.to_string()),
        ];
        all.into_iter().chain(of).chain(alias).chain(grant).collect()
    }

    fn plan(subject: &Subject<'_, Self>, world: &World) -> Plan<Action> {
        plan::plan(subject, world)
    }

    /// Nobody tells what is changed in a server.
    fn look_again(world: &World) -> Option<u64> {
        let again = match &world.server {
            _ if world.rotating_for.is_some() => ROTATES,
            Server::Seen { proof: Proof::TurnedAway(_), .. } => TURNED_AWAY,
            _ => LOOK,
        };
        u64::try_from(again.as_millis()).ok()
    }

    fn findings(
        subject: &Subject<'_, Self>,
        world: &World,
        plan: &Plan<Action>,
        outlook: &Outlook,
    ) -> Vec<Finding> {
        conditions::findings(subject, world, plan, outlook)
    }

    fn status(subject: &Subject<'_, Self>, world: &World, _: Option<Status>) -> Status {
        status::status(subject, world)
    }

    fn learn(_: &Subject<'_, Self>, world: &World, memory: &mut Memory, _: &str) -> Learnt {
        if let Server::Seen { look, .. } = &world.server
            && look.taken.is_none()
            && look.identifier.is_some()
        {
            memory.known.identifier.clone_from(&look.identifier);
        }
        Learnt::default()
    }

    async fn observe(
        &self,
        subject: &Subject<'_, Self>,
        _: &EngineInfo,
        _: Intent,
    ) -> Result<World, ObserveError> {
        probe::observe(self, subject).await
    }

    async fn act(
        &self,
        scene: &Scene<'_, Self>,
        action: &Action,
        memory: &mut Memory,
    ) -> Result<Vec<Note>, Undone> {
        act::apply(self, scene, action, memory).await
    }

    fn forget(&self, object: &ObjectRef) {
        self.proofs().retain(|(of, _), _| of != object);
        self.quiet_for(object, false);
    }
}
