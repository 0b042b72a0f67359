//! What the adapters' side of the engine works with: the engine, the store, the key, and what is
//! worth keeping between passes.

pub mod masked;

use super::client::{Servers, Session, TIMEOUT};
use super::disk::{Room, told};
use super::facts::{ImageFacts, Unfit};
use super::hardening::Profile;
use super::trial::Verdict;
use super::world::{Deaths, ImageStarts, Placement};
use crate::core::census::{Census, Volumes};
use crate::core::names::{Installation, ObjectRef};
use crate::core::seen::{ContainerState, ContainerSummary, SeenContainer, Space};
use crate::docker::{Docker, DockerError, ExecRequest};
use crate::engines::ports::PortBook;
use crate::secrets::{SealError, Sealed, Sealer, Secret};
use crate::store::{Change, Overlay, Saving, Store, StoreError};
use jiff::Timestamp;
use masked::Masked;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// How long a look at the ports of others is taken for the present.
const FRESH: Duration = Duration::from_secs(1);
/// How long others wait for the one that proves an image; then the next one tries.
const PROVING: Duration = Duration::from_secs(60);

/// How long a login proves that there can be others.
const PROOF: Duration = Duration::from_secs(45);
/// Trial starts that run at once.
const TRIALS_AT_ONCE: usize = 2;
/// A process in a container is dear: the room on a disk that only it can see is asked so often at most.
const SPACE: Duration = Duration::from_secs(60);

/// Ends of trials that are remembered; one that was forgotten costs a second.
const TRIALS: usize = 1_000;

/// Host ports of containers that are not of this installation.
#[derive(Clone, Debug, Default)]
pub(super) struct PortsOfOthers {
    /// Port → the container that publishes it right now.
    pub published: BTreeMap<u16, String>,
    /// Kept by another Seawall for one that is stopped or being restarted.
    pub kept: BTreeSet<u16>,
}

/// How the operator reaches a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// From the host: the published port, or the container's address when none is published.
    Host,
    /// From a container on the installation's network: by name.
    Network,
}

pub struct Tools {
    pub docker: Arc<dyn Docker>,
    pub servers: Arc<dyn Servers>,
    pub store: Overlay,
    pub sealer: Arc<Sealer>,
    pub installation: Installation,
    pub ports: PortBook,
    pub reach: Reach,
    sessions: Mutex<BTreeMap<ObjectRef, Arc<dyn Session>>>,
    images: Mutex<BTreeMap<String, Result<ImageFacts, Unfit>>>,
    image_gates: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
    network: Mutex<Option<String>>,
    /// Held while the shared network is looked for and made: Docker makes a second one of the same
    /// name when two objects ask at once, and then no container can join either by name.
    pub(super) network_gate: tokio::sync::Mutex<()>,
    /// Opened passwords, so that a probe does not read and open the record each time.
    passwords: Arc<Mutex<BTreeMap<ObjectRef, Secret>>>,
    /// Host ports of containers that are not ours, and when they were looked at.
    ports_of_others: Mutex<Option<(Instant, PortsOfOthers)>>,
    /// Image id → how it starts, as far as it was asked for.
    image_starts: Mutex<BTreeMap<String, KnownStarts>>,
    /// Who proves an image and profile by a restart, and since when.
    provers: Mutex<BTreeMap<(String, Profile), (ObjectRef, Instant)>>,
    /// Where data lay when it was last looked at, and at which start of which container.
    placements: Mutex<BTreeMap<ObjectRef, (String, Placement)>>,
    /// Names of the containers that look into images right now.
    probing: Mutex<BTreeSet<String>>,
    /// Container, its restart count when a server last answered in it, and since when it dies.
    deaths: Mutex<BTreeMap<ObjectRef, (String, u64, String)>>,
    /// How applications last got in.
    proofs: Mutex<BTreeMap<ObjectRef, Proof>>,
    /// Where the volume lies, and how much room there was, so that a figure on the edge says one thing.
    rooms: Mutex<BTreeMap<ObjectRef, (String, Room)>>,
    /// What was told from inside containers, and when, where the directory itself cannot be seen.
    spaces: Mutex<BTreeMap<ObjectRef, (Option<Space>, Instant)>>,
    /// By key, how trial starts ended.
    trials: Mutex<BTreeMap<String, Verdict>>,
    /// Each takes a core for a second.
    pub(super) trials_at_once: Semaphore,
    /// Everything on the engine, as last listed.
    census: Mutex<Option<Arc<Census>>>,
    /// Held while the first look is under way; the others then know what it saw.
    census_gate: tokio::sync::Mutex<()>,
}

/// A new login that worked.
struct Proof {
    /// Of which start of which container.
    epoch: String,
    at: Instant,
    /// What of the manifest the managed user has otherwise.
    overridden: Vec<String>,
}

/// Why a password is not there.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    #[error("the sealed password could not be read")]
    Store(#[from] StoreError),
    #[error("the sealed password could not be opened")]
    Seal(#[from] SealError),
    #[error("the sealed password is not in a known form: {0}")]
    Form(String),
}

/// The store key of an object's password.
#[must_use]
pub fn secret_key(object: &ObjectRef) -> String {
    format!("secret/{object}")
}

/// The version grows when more is looked for in an image.
fn image_key(id: &str) -> String {
    format!("image/3/{id}")
}

fn starts_key(image: &str) -> String {
    format!("image/starts-1/{image}")
}

/// What is kept of [`ImageStarts`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct KnownStarts {
    proven: BTreeSet<Profile>,
    refused: BTreeSet<Profile>,
}

impl Tools {
    pub fn new(
        docker: Arc<dyn Docker>,
        servers: Arc<dyn Servers>,
        store: Arc<dyn Store>,
        sealer: Arc<Sealer>,
        installation: Installation,
        reach: Reach,
    ) -> Self {
        let passwords: Arc<Mutex<BTreeMap<ObjectRef, Secret>>> = Arc::default();
        let known = Arc::clone(&passwords);
        let docker = Masked::new(docker, Arc::new(move || lock(&known).values().cloned().collect()));
        Self {
            docker: Arc::new(docker),
            servers,
            store: Overlay::new(store),
            sealer,
            installation,
            ports: PortBook::default(),
            reach,
            sessions: Mutex::default(),
            images: Mutex::default(),
            image_gates: Mutex::default(),
            network: Mutex::default(),
            network_gate: tokio::sync::Mutex::default(),
            passwords,
            ports_of_others: Mutex::default(),
            image_starts: Mutex::default(),
            provers: Mutex::default(),
            placements: Mutex::default(),
            probing: Mutex::default(),
            deaths: Mutex::default(),
            proofs: Mutex::default(),
            rooms: Mutex::default(),
            spaces: Mutex::default(),
            trials: Mutex::default(),
            trials_at_once: Semaphore::new(TRIALS_AT_ONCE),
            census: Mutex::default(),
            census_gate: tokio::sync::Mutex::default(),
        }
    }

    /// The managed password; `None` when there is none yet.
    ///
    /// # Errors
    /// When the record is there and cannot be opened.
    pub fn password(&self, object: &ObjectRef) -> Result<Option<Secret>, PasswordError> {
        if let Some(known) = lock(&self.passwords).get(object) {
            return Ok(Some(known.clone()));
        }
        let key = secret_key(object);
        let Some(body) = self.store.get(&key)? else { return Ok(None) };
        let sealed: Sealed = serde_json::from_value(body).map_err(|e| PasswordError::Form(e.to_string()))?;
        let secret = self.sealer.open(&key, &sealed)?;
        lock(&self.passwords).insert(object.clone(), secret.clone());
        Ok(Some(secret))
    }

    /// `value` without the object's password, which whoever runs in its container knows and can put into anything that
    /// we read from there: an answer to a query, a setting, an error.
    #[must_use]
    pub fn masked<T: Serialize + DeserializeOwned + Default>(&self, object: &ObjectRef, value: T) -> T {
        let Ok(Some(password)) = self.password(object) else { return value };
        let Ok(text) = serde_json::to_string(&value) else { return T::default() };
        let masked = masked::mask(&text, std::slice::from_ref(&password));
        if masked == text { value } else { serde_json::from_str(&masked).unwrap_or_default() }
    }

    /// What makes the password of `from` that of `to`: it is sealed for one object.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn password_moves(&self, from: &ObjectRef, to: &ObjectRef) -> Result<Vec<Change>, PasswordError> {
        let Some(password) = self.password(from)? else { return Ok(Vec::new()) };
        let key = secret_key(to);
        let sealed = self.sealer.seal(&key, &password)?;
        let body = serde_json::to_value(&sealed).map_err(|e| PasswordError::Form(e.to_string()))?;
        Ok(vec![Change::put(key, body), Change::delete(secret_key(from))])
    }

    /// Nothing is kept of `from` any more; its port is that of `to`.
    pub fn hand_over(&self, from: &ObjectRef, to: &ObjectRef, port: Option<u16>) {
        self.forget(from);
        self.forget(to);
        if let Some(port) = port {
            self.ports.reserve(port, to);
        }
        self.ports.set_retained(from, false);
    }

    /// The kept session, which others use at the same time: a pass, a probe and a look at plans ask one statement
    /// each, and none may find it missing because another one has it.
    pub(super) fn session(&self, object: &ObjectRef) -> Option<Arc<dyn Session>> {
        lock(&self.sessions).get(object).cloned()
    }

    pub(super) fn keep_session(&self, object: &ObjectRef, session: Arc<dyn Session>) {
        lock(&self.sessions).insert(object.clone(), session);
    }

    /// This one is of no use; another that took its place meanwhile stays.
    pub(super) fn give_up_session(&self, object: &ObjectRef, session: &Arc<dyn Session>) {
        let mut sessions = lock(&self.sessions);
        if sessions.get(object).is_some_and(|kept| Arc::ptr_eq(kept, session)) {
            sessions.remove(object);
        }
    }

    /// Ends the kept session: before a stop, so that it does not look like a user's.
    pub fn drop_session(&self, object: &ObjectRef) {
        lock(&self.sessions).remove(object);
        self.forget_proof(object);
    }

    /// Nothing of a deleted object stays in memory.
    pub fn forget(&self, object: &ObjectRef) {
        self.drop_session(object);
        lock(&self.passwords).remove(object);
        lock(&self.provers).retain(|_, (by, _)| by != object);
        lock(&self.placements).remove(object);
        lock(&self.deaths).remove(object);
        lock(&self.rooms).remove(object);
        lock(&self.spaces).remove(object);
        self.forget_proof(object);
        self.ports.release(object);
    }

    pub(super) fn known_placement(&self, object: &ObjectRef, epoch: &str) -> Option<Placement> {
        lock(&self.placements).get(object).filter(|(at, _)| at == epoch).map(|(_, seen)| seen.clone())
    }

    pub(super) fn remember_placement(&self, object: &ObjectRef, epoch: String, seen: Placement) {
        lock(&self.placements).insert(object.clone(), (epoch, seen));
    }

    pub(super) fn set_probing(&self, container: &str, now: bool) {
        let mut probing = lock(&self.probing);
        if now {
            probing.insert(container.to_owned());
        } else {
            probing.remove(container);
        }
    }

    /// Whether a container that looks into an image is in use; others are left-overs.
    #[must_use]
    pub fn is_probing(&self, container: &str) -> bool {
        lock(&self.probing).contains(container)
    }

    pub(super) fn image_facts(&self, id: &str) -> Option<Result<ImageFacts, Unfit>> {
        lock(&self.images).get(id).cloned()
    }

    /// What an earlier process found in this image. Ids stand for contents: it cannot have changed.
    pub(super) fn stored_image_facts(&self, id: &str) -> Option<ImageFacts> {
        let body = self.store.get(&image_key(id)).ok().flatten()?;
        serde_json::from_value(body).ok()
    }

    /// Also for the next process, so that it need not make a container to look again. Losing it costs
    /// that look and nothing else; a store opened only to look does not take it.
    pub(super) async fn remember_image(&self, id: &str, facts: Result<ImageFacts, Unfit>) {
        let body = facts.as_ref().ok().and_then(|f| serde_json::to_value(f).ok());
        lock(&self.images).insert(id.to_owned(), facts);
        if let Some(body) = body
            && let Err(error) = self.store.save(vec![Change::put(image_key(id), body)], Saving::MayWait).await
        {
            tracing::debug!(image = id, %error, "what the image holds was not kept");
        }
    }

    pub(super) fn known_image(&self, id: &str, facts: ImageFacts) -> ImageFacts {
        lock(&self.images).insert(id.to_owned(), Ok(facts.clone()));
        facts
    }

    fn known_starts(&self, image: &str) -> KnownStarts {
        if let Some(known) = lock(&self.image_starts).get(image) {
            return known.clone();
        }
        let body = self.store.get(&starts_key(image)).ok().flatten();
        let known: KnownStarts = body.and_then(|body| serde_json::from_value(body).ok()).unwrap_or_default();
        lock(&self.image_starts).entry(image.to_owned()).or_insert(known).clone()
    }

    /// How this image starts, and who else proves it with this profile right now.
    pub(super) fn image_starts(&self, image: &str, profile: Profile, object: &ObjectRef) -> ImageStarts {
        let KnownStarts { proven, refused } = self.known_starts(image);
        let provers = lock(&self.provers);
        let prover = provers
            .get(&(image.to_owned(), profile))
            .filter(|(by, since)| by != object && since.elapsed() < PROVING);
        ImageStarts { proven, refused, prover: prover.map(|(by, _)| by.to_string()) }
    }

    /// From now on others wait for this object's restart, for a while.
    pub(super) fn claim_proof(&self, image: &str, profile: Profile, object: &ObjectRef) {
        let mut provers = lock(&self.provers);
        let claim = (object.clone(), Instant::now());
        let old = provers.entry((image.to_owned(), profile)).or_insert_with(|| claim.clone());
        if old.1.elapsed() >= PROVING {
            *old = claim;
        }
    }

    /// A server of this image started again with this profile.
    pub async fn image_restarts(&self, image: &str, profile: Profile) {
        lock(&self.provers).remove(&(image.to_owned(), profile));
        self.learn_starts(image, |known| known.proven.insert(profile)).await;
    }

    /// This image does not start on data of its own with this profile.
    pub(super) async fn image_refuses(&self, image: &str, profile: Profile) {
        lock(&self.provers).remove(&(image.to_owned(), profile));
        self.learn_starts(image, |known| known.proven.remove(&profile) | known.refused.insert(profile)).await;
    }

    /// Losing it costs a restart before the next Ready, and nothing else.
    async fn learn_starts(&self, image: &str, change: impl FnOnce(&mut KnownStarts) -> bool) {
        let mut known = self.known_starts(image);
        if !change(&mut known) {
            return;
        }
        lock(&self.image_starts).insert(image.to_owned(), known.clone());
        let Ok(body) = serde_json::to_value(&known) else { return };
        if let Err(error) = self.store.save(vec![Change::put(starts_key(image), body)], Saving::MayWait).await
        {
            tracing::debug!(image, %error, "how the image starts was not kept");
        }
    }

    /// The engine says that it does not have the image any more.
    pub(super) fn forget_image(&self, id: &str) {
        lock(&self.images).remove(id);
    }

    /// How often the engine restarted this container since a server answered in it, as far as this process saw.
    pub(super) fn count_deaths(&self, object: &ObjectRef, c: &SeenContainer, answers: bool) -> Deaths {
        let mut deaths = lock(&self.deaths);
        let base = u64::from(c.state == ContainerState::Restarting).min(c.restart_count);
        let seen = || (c.id.clone(), c.restart_count - base, String::new());
        let (id, base, since) = deaths.entry(object.clone()).or_insert_with(seen);
        if answers || *id != c.id || c.restart_count < *base {
            c.id.clone_into(id);
            *base = if answers { c.restart_count } else { 0 };
            since.clear();
        }
        let count = c.restart_count - *base;
        if count > 0 && since.is_empty() {
            *since = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        }
        Deaths { count, since: since.clone() }
    }

    /// What a new login that worked a moment ago told. With a probe every 15 s none is older than a minute.
    pub(super) fn proof(&self, object: &ObjectRef, epoch: &str) -> Option<Vec<String>> {
        let proofs = lock(&self.proofs);
        let proof = proofs.get(object).filter(|p| p.epoch == epoch && p.at.elapsed() < PROOF)?;
        Some(proof.overridden.clone())
    }

    pub(super) fn remember_proof(&self, object: &ObjectRef, epoch: String, overridden: Vec<String>) {
        lock(&self.proofs).insert(object.clone(), Proof { epoch, at: Instant::now(), overridden });
    }

    /// Something changed: who got in before says nothing about who gets in now.
    pub(super) fn forget_proof(&self, object: &ObjectRef) {
        lock(&self.proofs).remove(object);
    }

    /// Room on the disk under a volume, and whether that is another word than last time. `inside`: a container that
    /// runs, and where it has the volume: asked where the directory cannot be seen from here, and not often.
    pub(super) async fn room(
        &self,
        object: &ObjectRef,
        volume: &str,
        inside: Option<(&str, &str)>,
    ) -> Option<(Space, Room, bool)> {
        let known = lock(&self.rooms).get(object).cloned();
        let last = known.as_ref().map(|(_, room)| *room);
        let looked = self.census().and_then(|census| census.directory(volume));
        let directory = looked.or(known.map(|(directory, _)| directory))?;
        let space = match self.docker.space(&directory).await.ok().flatten() {
            Some(space) => space,
            None => self.space_inside(object, inside).await?,
        };
        let room = last.unwrap_or_default().next(space);
        lock(&self.rooms).insert(object.clone(), (directory, room));
        Some((space, room, last.is_some_and(|last| last != room)))
    }

    async fn space_inside(&self, object: &ObjectRef, inside: Option<(&str, &str)>) -> Option<Space> {
        let known = lock(&self.spaces).get(object).copied();
        let fresh = known.filter(|(_, at)| at.elapsed() < SPACE);
        let (container, path) = match (fresh, inside) {
            (Some((space, _)), _) => return space,
            (None, None) => return known.and_then(|(space, _)| space),
            (None, Some(inside)) => inside,
        };
        let argv = ["df", "-kP", path].map(str::to_owned).to_vec();
        let request = ExecRequest { argv, ..ExecRequest::default() };
        let answer = self.docker.exec(container, &request, TIMEOUT).await.ok();
        let space = answer.and_then(|answer| told(&answer.stdout));
        lock(&self.spaces).insert(object.clone(), (space, Instant::now()));
        space
    }

    /// How this trial ended, if it was held.
    #[must_use]
    pub fn trial(&self, key: &str) -> Option<Verdict> {
        lock(&self.trials).get(key).cloned()
    }

    pub(super) fn remember_trial(&self, key: &str, verdict: Verdict) {
        let mut trials = lock(&self.trials);
        if trials.len() >= TRIALS {
            trials.clear();
        }
        trials.insert(key.to_owned(), verdict);
    }

    /// Held while one pass looks into an image or tries it; the others then know what it found.
    pub(super) fn image_gate(&self, id: &str) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(lock(&self.image_gates).entry(id.to_owned()).or_default())
    }

    /// What was seen a moment ago: many services that are made at once need one look. What is missed in
    /// that moment the start tells, and then another port is tried.
    pub(super) fn ports_of_others(&self) -> Option<PortsOfOthers> {
        let known = lock(&self.ports_of_others);
        known.as_ref().filter(|(at, _)| at.elapsed() < FRESH).map(|(_, ports)| ports.clone())
    }

    pub(super) fn remember_ports_of_others(&self, ports: PortsOfOthers) -> PortsOfOthers {
        *lock(&self.ports_of_others) = Some((Instant::now(), ports.clone()));
        ports
    }

    /// What the last look at the whole engine saw; `None` when there was none, or something changed since.
    #[must_use]
    pub fn census(&self) -> Option<Arc<Census>> {
        lock(&self.census).clone()
    }

    pub(super) fn forget_census(&self) {
        *lock(&self.census) = None;
    }

    /// Takes over a look at all containers and volumes.
    pub fn take_census(&self, containers: &[ContainerSummary], volumes: Volumes) -> Arc<Census> {
        let census = Arc::new(Census::new(containers, volumes, &self.installation, &self.store.id()));
        *lock(&self.census) = Some(Arc::clone(&census));
        census
    }

    /// Lists everything now.
    ///
    /// # Errors
    /// When the engine does not answer: then nothing is known.
    pub async fn look_around(&self) -> Result<Arc<Census>, DockerError> {
        let (containers, volumes) = tokio::join!(self.docker.list(&[]), self.docker.volumes(&[]));
        Ok(self.take_census(&containers?, volumes?.into_iter().collect()))
    }

    /// The last look, or a new one where there is none; many that ask at once take one look together.
    pub(super) async fn known_census(&self) -> Result<Arc<Census>, DockerError> {
        if let Some(census) = self.census() {
            return Ok(census);
        }
        let _held = self.census_gate.lock().await;
        match self.census() {
            Some(census) => Ok(census),
            None => self.look_around().await,
        }
    }

    /// The id of our network, when it was seen and nothing said since that it changed.
    pub(super) fn known_network(&self) -> Option<String> {
        lock(&self.network).clone()
    }

    pub fn remember_network(&self, id: Option<String>) {
        *lock(&self.network) = id;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
