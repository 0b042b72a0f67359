//! What the adapters' side of every kind works with: the engine, the store, the key, and what is worth keeping between
//! passes. Must never know what runs in a container.

pub mod declared;
mod health;
mod images;
pub mod masked;
pub mod silences;
pub mod sources;
pub mod vault;

use super::ports::PortBook;
use crate::core::census::{Census, Volumes, strangers};
use crate::core::member::{Member, Role};
use crate::core::names::{Installation, ObjectRef};
use crate::core::neighbours::{Offer, offers};
use crate::core::seen::ContainerSummary;
use crate::docker::{Docker, DockerError};
use crate::secrets::{SealError, Sealed, Sealer, Secret};
use crate::store::{Change, Overlay, Store, StoreError};
use health::Health;
use images::Images;
use masked::Masked;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sources::Places;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use vault::{SECRETS, Vault};

/// How long a look at the ports of others is taken for the present.
const FRESH: Duration = Duration::from_secs(1);
/// Host ports of containers that are not of this installation.
#[derive(Clone, Debug, Default)]
pub struct PortsOfOthers {
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
    pub store: Overlay,
    /// What `store` writes to.
    pub vault: Arc<Vault>,
    pub sealer: Arc<Sealer>,
    pub installation: Installation,
    pub ports: PortBook,
    pub reach: Reach,
    places: Places,
    /// Held while the key that values are sealed to is looked for and made.
    key_gate: tokio::sync::Mutex<()>,
    images: Images,
    health: Health,
    network: Mutex<Option<String>>,
    /// Containers that the engine sent a signal to, and when (nanoseconds since 1970, its clock); the last ones.
    signals: Mutex<VecDeque<(String, i64)>>,
    /// Held while the shared network is looked for and made: Docker makes a second one of the same
    /// name when two objects ask at once, and then no container can join either by name.
    pub network_gate: tokio::sync::Mutex<()>,
    /// Opened secrets by role, so that a probe does not read and open the records each time.
    passwords: Arc<Mutex<BTreeMap<ObjectRef, Secrets>>>,
    /// Host ports of containers that are not ours, and when they were looked at.
    ports_of_others: Mutex<Option<(Instant, PortsOfOthers)>>,
    /// Everything on the engine, as last listed.
    census: Mutex<Option<Arc<Census>>>,
    /// Held while the first look is under way; the others then know what it saw.
    census_gate: tokio::sync::Mutex<()>,
    /// By the id of a stranger's place on our network: its names there, which are the same as long as it has that place.
    names: Mutex<BTreeMap<String, Vec<String>>>,
}

/// Containers that are remembered to have got a signal.
const MOST_SIGNALS: usize = 256;

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

/// What secrets are for: the managed password, and what Seawall itself logs in with where that is somebody else's.
pub const ROLES: [&str; 6] = ["", ADMIN, PENDING, MONITOR, "a", "b"];
pub const ADMIN: &str = "admin";
/// Reads how a server is, and nothing else.
pub const MONITOR: &str = "monitor";
/// The next managed password, from before it is set until it is proven.
pub const PENDING: &str = "pending";

/// The secrets of one object by their roles.
pub type Secrets = BTreeMap<&'static str, Secret>;

/// The store key of an object's secret of this role.
#[must_use]
pub fn secret_key(object: &ObjectRef, role: &str) -> String {
    let slash = if role.is_empty() { "" } else { "/" };
    format!("{SECRETS}{object}{slash}{role}")
}

impl Tools {
    pub fn new(
        docker: Arc<dyn Docker>,
        store: Arc<dyn Store>,
        sealer: Arc<Sealer>,
        installation: Installation,
        reach: Reach,
    ) -> Self {
        let passwords: Arc<Mutex<BTreeMap<ObjectRef, Secrets>>> = Arc::default();
        let known = Arc::clone(&passwords);
        let all = move || lock(&known).values().flat_map(BTreeMap::values).cloned().collect();
        let docker = Masked::new(docker, Arc::new(all));
        let vault = Arc::new(Vault::new(store, Arc::clone(&sealer)));
        Self {
            docker: Arc::new(docker),
            store: Overlay::new(vault.clone()),
            vault,
            sealer,
            installation,
            ports: PortBook::default(),
            reach,
            places: Places::default(),
            key_gate: tokio::sync::Mutex::default(),
            images: Images::default(),
            health: Health::default(),
            network: Mutex::default(),
            signals: Mutex::default(),
            network_gate: tokio::sync::Mutex::default(),
            passwords,
            ports_of_others: Mutex::default(),
            census: Mutex::default(),
            census_gate: tokio::sync::Mutex::default(),
            names: Mutex::default(),
        }
    }

    /// The same, where secrets of manifests are looked for.
    #[must_use]
    pub fn at(mut self, places: Places) -> Self {
        self.places = places;
        self
    }

    #[must_use]
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// The managed password; `None` when there is none yet.
    ///
    /// # Errors
    /// When the record is there and cannot be opened.
    pub fn password(&self, object: &ObjectRef) -> Result<Option<Secret>, PasswordError> {
        Ok(self.secrets(object)?.remove(""))
    }

    /// All secrets of an object.
    ///
    /// # Errors
    /// When a record is there and cannot be opened.
    pub fn secrets(&self, object: &ObjectRef) -> Result<Secrets, PasswordError> {
        // Held meanwhile: what was read before others came to be in the store must not be kept after it.
        let mut all = lock(&self.passwords);
        if let Some(known) = all.get(object) {
            return Ok(known.clone());
        }
        let mut opened = Secrets::new();
        for role in ROLES {
            let key = secret_key(object, role);
            let Some(body) = self.store.get(&key)? else { continue };
            let sealed: Sealed =
                serde_json::from_value(body).map_err(|e| PasswordError::Form(e.to_string()))?;
            opened.insert(role, self.sealer.open(&key, &sealed)?);
        }
        if !opened.is_empty() {
            all.insert(object.clone(), opened.clone());
        }
        Ok(opened)
    }

    /// The secret that belongs into the variables that `from` gives, as its offer says.
    ///
    /// # Errors
    /// When the record is there and cannot be opened.
    pub fn given_secret(&self, from: &ObjectRef, offer: &Offer) -> Result<Option<Secret>, PasswordError> {
        let Some(role) = offer.say(offers::SECRET) else { return Ok(None) };
        let of = offer.say(offers::SECRET_OF).and_then(|of| of.parse().ok());
        Ok(self.secrets(of.as_ref().unwrap_or(from))?.remove(role))
    }

    /// What puts these secrets into the store, each sealed for its place. Once it is there: [`Tools::reopen`].
    ///
    /// # Errors
    /// When one cannot be sealed.
    pub fn sealed(&self, object: &ObjectRef, secrets: &Secrets) -> Result<Vec<Change>, PasswordError> {
        let put = |(role, secret): (&&str, &Secret)| {
            let key = secret_key(object, role);
            let sealed = self.sealer.seal(&key, secret)?;
            let body = serde_json::to_value(&sealed).map_err(|e| PasswordError::Form(e.to_string()))?;
            Ok(Change::put(key, body))
        };
        secrets.iter().map(put).collect()
    }

    /// Others are in the store than were opened.
    pub fn reopen(&self, object: &ObjectRef) {
        lock(&self.passwords).remove(object);
    }

    /// What takes all secrets of an object out of the store.
    #[must_use]
    pub fn without_secrets(&self, object: &ObjectRef) -> Vec<Change> {
        ROLES.map(|role| Change::delete(secret_key(object, role))).into()
    }

    /// `value` without the object's secrets, which whoever runs in its container knows and can put into anything that
    /// we read from there: an answer to a query, a setting, an error.
    #[must_use]
    pub fn masked<T: Serialize + DeserializeOwned + Default>(&self, object: &ObjectRef, value: T) -> T {
        without(self.secrets(object).unwrap_or_default().into_values().collect(), value)
    }

    /// The same without any secret that is known of any object: what somebody said to a server may be another one's.
    #[must_use]
    pub fn masked_of_all<T: Serialize + DeserializeOwned + Default>(&self, value: T) -> T {
        without(lock(&self.passwords).values().flat_map(BTreeMap::values).cloned().collect(), value)
    }

    /// What makes the secrets of `from` those of `to`: each is sealed for one object.
    ///
    /// # Errors
    /// When one cannot be opened.
    pub fn password_moves(&self, from: &ObjectRef, to: &ObjectRef) -> Result<Vec<Change>, PasswordError> {
        let mut changes = self.sealed(to, &self.secrets(from)?)?;
        changes.extend(self.without_secrets(from));
        Ok(changes)
    }

    /// Nothing is kept of `from` any more; its ports are those of `to`.
    pub fn hand_over(&self, from: &ObjectRef, to: &ObjectRef, ports: &[(Role, u16)]) {
        self.forget(from);
        self.forget(to);
        for (role, port) in ports {
            self.ports.reserve(*port, &Member { object: to.clone(), role: role.clone() });
        }
        self.ports.set_retained(from, false);
    }

    /// Nothing of a deleted object stays in memory.
    pub fn forget(&self, object: &ObjectRef) {
        lock(&self.passwords).remove(object);
        self.images.forget(object);
        self.health.forget(object);
        self.ports.release(object);
    }

    /// What was seen a moment ago: many services that are made at once need one look. What is missed in
    /// that moment the start tells, and then another port is tried.
    pub fn ports_of_others(&self) -> Option<PortsOfOthers> {
        let known = lock(&self.ports_of_others);
        known.as_ref().filter(|(at, _)| at.elapsed() < FRESH).map(|(_, ports)| ports.clone())
    }

    pub fn remember_ports_of_others(&self, ports: PortsOfOthers) -> PortsOfOthers {
        *lock(&self.ports_of_others) = Some((Instant::now(), ports.clone()));
        ports
    }

    /// What the last look at the whole engine saw; `None` when there was none, or something changed since.
    #[must_use]
    pub fn census(&self) -> Option<Arc<Census>> {
        lock(&self.census).clone()
    }

    pub fn forget_census(&self) {
        *lock(&self.census) = None;
    }

    /// Takes over a look at all containers and volumes.
    pub async fn take_census(&self, containers: &[ContainerSummary], volumes: Volumes) -> Arc<Census> {
        let store = self.store.id();
        let names = self.names(strangers(containers, &self.installation, &store).collect()).await;
        let census = Census::new(containers, volumes, &self.installation, &store).with_names(names);
        let census = Arc::new(census);
        *lock(&self.census) = Some(Arc::clone(&census));
        census
    }

    /// What strangers are called on our network. The list does not tell, so each is inspected once for each place that it
    /// has there; of one that cannot be, nothing is said until the next look.
    async fn names<'a>(
        &self,
        strangers: Vec<(&'a ContainerSummary, &str)>,
    ) -> Vec<(&'a ContainerSummary, Vec<String>)> {
        let mut known = std::mem::take(&mut *lock(&self.names));
        known.retain(|place, _| strangers.iter().any(|(_, other)| place == other));
        let mut found = Vec::new();
        for (c, place) in strangers {
            if !known.contains_key(place) {
                let Ok(Some(seen)) = self.docker.inspect(&c.id).await else { continue };
                let Some(endpoint) = seen.endpoint(&self.installation.network()) else { continue };
                known.insert(place.to_owned(), endpoint.aliases.clone());
            }
            found.extend(known.get(place).map(|names| (c, names.clone())));
        }
        lock(&self.names).append(&mut known);
        found
    }

    /// Lists everything now.
    ///
    /// # Errors
    /// When the engine does not answer: then nothing is known.
    pub async fn look_around(&self) -> Result<Arc<Census>, DockerError> {
        let (containers, volumes) = tokio::join!(self.docker.list(&[]), self.docker.volumes(&[]));
        Ok(self.take_census(&containers?, volumes?.into_iter().collect()).await)
    }

    /// The last look, or a new one where there is none; many that ask at once take one look together.
    pub async fn known_census(&self) -> Result<Arc<Census>, DockerError> {
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
    pub fn known_network(&self) -> Option<String> {
        lock(&self.network).clone()
    }

    pub fn remember_network(&self, id: Option<String>) {
        *lock(&self.network) = id;
    }

    /// The engine sent a signal to this container, as somebody asked for or because it ends itself.
    pub fn remember_signal(&self, container: &str, time_nano: i64) {
        let mut signals = lock(&self.signals);
        signals.retain(|(other, _)| other != container);
        if signals.len() == MOST_SIGNALS {
            signals.pop_front();
        }
        signals.push_back((container.to_owned(), time_nano));
    }

    /// When the engine last sent one to it, as far as was heard of.
    pub fn signalled_at(&self, container: &str) -> Option<i64> {
        lock(&self.signals).iter().find(|(id, _)| id == container).map(|(_, at)| *at)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `value` without these.
fn without<T: Serialize + DeserializeOwned + Default>(secrets: Vec<Secret>, value: T) -> T {
    let Ok(text) = serde_json::to_string(&value) else { return T::default() };
    let masked = masked::mask(&text, &secrets);
    if masked == text { value } else { serde_json::from_str(&masked).unwrap_or_default() }
}
