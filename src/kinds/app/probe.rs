//! Reads what is there of an application: its containers, its variables, and whether it is healthy. Reads only.

mod variables;

pub use variables::variables;

use super::App;
use super::desired::roles;
use super::image::AppImage;
use super::launcher;
use super::plan::{Node, Subject, serves};
use super::world::{ALIVE, Before, Env, Member, World};
use crate::core::member::Role;
use crate::core::resource::{Document, Metadata};
use crate::core::seen::{ContainerState, EngineInfo, Glance, SeenContainer, SeenImage};
use crate::docker::{DockerError, ExecRequest};
use crate::kinds::app_spec::{self, Health, Injection};
use crate::workload::image::{Image, Unfit};
use crate::workload::observe::image::{self, LookInto, Looker};
use crate::workload::observe::{self as work, Intent, LOG_LINES, ObserveError, unless_away};
use async_trait::async_trait;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::Instant;

/// What ends so soon after a signal ends by it: a stop gives ten seconds.
const BY_SIGNAL: Duration = Duration::from_secs(15);

#[async_trait]
impl LookInto for AppImage {
    async fn find(_: &Looker<'_>, image: &SeenImage) -> Result<Result<Self, Unfit>, DockerError> {
        let mut extra_volumes = image.volumes.clone();
        extra_volumes.sort();
        let digest = image.digests.first().cloned();
        let cmd = image.cmd.clone();
        let work = Image { id: image.id.clone(), digest, extra_volumes, cmd, mount_path: String::new() };
        Ok(Ok(Self { work, entrypoint: image.entrypoint.clone() }))
    }
}

/// # Errors
/// When the engine or the store could not be asked.
pub async fn observe(
    kind: &App,
    subject: &Subject<'_>,
    engine: &EngineInfo,
    intent: Intent,
) -> Result<World, ObserveError> {
    let mut world = World { members: BTreeMap::new(), env: Env::default(), before: None };
    for role in roles() {
        let mut node = Node::of(subject, &role);
        // Those are of the application, and of none of its containers.
        node.memory.volumes.clear();
        let case = node.case(subject);
        let mut seen = work::observe(&kind.tools, &case, engine, intent, false).await?;
        let app = made_from(subject, &role).unwrap_or_else(|| subject.spec.app.clone());
        let (mut health, mut age, mut doubted, mut interrupted) = (None, Duration::ZERO, false, false);
        if let Some(c) = seen.container.ours().cloned() {
            age = kind.age(subject, &c);
            if c.state == ContainerState::Running {
                let said = self::health(kind, &app, &c.glance(), age).await;
                let key = (subject.identity.object.clone(), role.clone());
                let (judged, _) = kind.judge(key, &c.glance(), said, intent == Intent::Act);
                (health, doubted) = (Some(judged.health), judged.doubted);
            } else if role != serves(subject) && !c.state.is_up() {
                interrupted = was_interrupted(kind, &c).await?;
            }
            let healthy = matches!(health, Some(Ok(_)));
            work::usage(&kind.tools, &case, &c, &mut seen).await?;
            work::deaths(&kind.tools, &case, &c, &mut seen, healthy, false).await?;
            if !healthy && seen.log_tail.is_empty() && c.state != ContainerState::Created {
                seen.log_tail = unless_away(kind.tools.docker.logs(&c.id, LOG_LINES).await)?;
            }
        }
        let grace = Duration::from_secs(u64::from(app.grace));
        world.members.insert(role, Member { work: seen, health, age, grace, interrupted, doubted });
    }
    let serving = serves(subject);
    if let Some(member) = world.members.get_mut(&serving) {
        let (id, memory, container) = (subject.identity, &subject.memory.work, &member.work.container);
        member.work.extra_volumes = work::extra_volumes(&kind.tools, id, memory, container).await?;
    }
    if subject.present {
        world.env = variables(kind, subject, &subject.spec.app).await?.env;
        if let Some(proven) = &subject.memory.proven {
            let same = proven.written == subject.spec.written;
            let app = if same { Some(subject.spec.app.clone()) } else { again(subject, &proven.written) };
            let fit = world.members.values().find_map(|member| member.work.image.fit());
            let image = match fit.filter(|image| image.work.id == proven.image.id) {
                Some(image) => Some(image.clone()),
                None => image::local(&kind.tools, &proven.image.id, engine).await,
            };
            if let Some((app, image)) = app.zip(image) {
                let env = if same { world.env.clone() } else { variables(kind, subject, &app).await?.env };
                let written = proven.written.clone();
                world.before = Some(Before { app, written, image, env });
            }
        }
    }
    Ok(world)
}

/// What was written when this container was made.
fn made_from(subject: &Subject<'_>, role: &Role) -> Option<app_spec::App> {
    again(subject, &subject.memory.made.get(role)?.written)
}

/// What was written once, as values.
#[must_use]
pub fn again(subject: &Subject<'_>, written: &app_spec::AppSpec) -> Option<app_spec::App> {
    let object = &subject.identity.object;
    let metadata =
        Metadata { name: object.name.clone(), labels: BTreeMap::new(), annotations: BTreeMap::new() };
    let document = Document {
        object: object.clone(),
        metadata,
        spec: serde_json::Value::Null,
        place: Default::default(),
        places: Default::default(),
    };
    subject.spec.again(&document, written)
}

/// Whether a container that ended was ended from outside. Of the engine's own end nothing tells but that it makes its first
/// network anew at each start (measured on Docker 20.10); with what code a program ends when it is stopped is its own affair.
async fn was_interrupted(kind: &App, c: &SeenContainer) -> Result<bool, DockerError> {
    let time = |text: &str| text.parse::<Timestamp>().ok();
    let signal = kind.tools.signalled_at(&c.id).and_then(|at| Timestamp::from_nanosecond(at.into()).ok());
    let patience = |signal: Timestamp, end: Timestamp| Duration::try_from(end.duration_since(signal)).ok();
    if let Some(after) = signal.zip(time(&c.finished_at)).and_then(|(signal, end)| patience(signal, end))
        && after <= BY_SIGNAL
    {
        return Ok(true);
    }
    let networks = unless_away(kind.tools.docker.networks("bridge").await)?;
    let began = networks.first().and_then(|network| time(&network.created_at));
    Ok(began.zip(time(&c.started_at)).is_some_and(|(began, started)| began > started))
}

/// Of a container that runs.
pub async fn health(kind: &App, app: &app_spec::App, c: &Glance, age: Duration) -> Result<String, String> {
    match &app.health {
        Health::Runs if age < ALIVE => Err("it has just been started".to_owned()),
        Health::Runs => Ok("its process runs".to_owned()),
        Health::Exec(argv) => {
            // With the variables that the application itself finds.
            let launched = app.injection == Injection::File;
            let prefix = launcher::prefix().into_iter().filter(|_| launched);
            let argv = prefix.chain(argv.clone()).collect();
            let request = ExecRequest { argv, ..ExecRequest::default() };
            match kind.tools.docker.exec(&c.id, &request, super::client::PATIENCE).await {
                Ok(result) if result.exit_code == 0 => Ok("its check ended with 0".to_owned()),
                Ok(result) => Err(format!("its check ended with {}", result.exit_code)),
                Err(error) => Err(format!("its check did not run: {error}")),
            }
        }
        Health::Http { .. } | Health::Tcp { .. } => match address(kind, c) {
            Some(at) => kind.checks.check(&c.id, at, &app.health).await,
            None => Err("it has no address on the network yet".to_owned()),
        },
    }
}

fn address(kind: &App, c: &Glance) -> Option<IpAddr> {
    let network = kind.tools.installation.network();
    c.networks.iter().find(|(name, _)| *name == network).and_then(|(_, ip)| ip.parse().ok())
}

/// The health of a container that was made from what is remembered of it.
pub async fn prove(kind: &App, subject: &Subject<'_>, role: &Role, c: &Glance) -> Result<String, String> {
    let app = made_from(subject, role).unwrap_or_else(|| subject.spec.app.clone());
    health(kind, &app, c, ALIVE).await
}

impl App {
    /// For how long a container runs: by the engine's word, or by what was seen where clocks differ.
    fn age(&self, subject: &Subject<'_>, c: &SeenContainer) -> Duration {
        let epoch = format!("{} {}", c.id, c.started_at);
        let mut seen = self.starts();
        let known = seen.entry((subject.identity.object.clone(), c.name.clone()));
        let (known, since) = known.or_insert_with(|| (epoch.clone(), Instant::now()));
        if *known != epoch {
            *known = epoch;
            *since = Instant::now();
        }
        let started = c.started_at.parse::<Timestamp>().ok();
        let told = started.and_then(|at| Duration::try_from(Timestamp::now().duration_since(at)).ok());
        since.elapsed().max(told.unwrap_or_default())
    }
}
