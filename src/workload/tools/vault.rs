//! The store as everything writes to it, and the replacing of the key that its secrets are sealed with.
//!
//! A rotation is nowhere written down: a next key beside the key file says that one is under way, and each envelope says
//! which key opens it. So it goes on after a crash by being begun again. It must never lose a secret that a pass writes
//! meanwhile, and never let a key go that a record needs.

use crate::secrets::{self, Algorithm, KeyError, Sealed, Sealer};
use crate::store::{Change, Record, Result, Store, StoreError};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{Mutex, RwLock};

/// Where sealed secrets are in the store.
pub const SECRETS: &str = "secret/";
/// Which cipher new seals have, if it is not the usual one.
pub const CIPHER_KEY: &str = "meta/cipher";
/// Records sealed anew in one commit: passes wait for it.
const CHUNK: usize = 256;
/// A pass that sealed with the old key just before adds at most a few records to the next round.
const ROUNDS: usize = 100;

/// What the store says of the cipher of new seals.
#[must_use]
pub fn cipher_of(body: Option<&Value>) -> Algorithm {
    body.and_then(|body| serde_json::from_value(body["cipher"].clone()).ok()).unwrap_or_default()
}

/// A record that does not open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub record: String,
    pub why: String,
}

/// Why a rotation did not come to its end. What was sealed anew stays so, and everything still opens.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("{}", broken_words(.0))]
    Broken(Vec<Broken>),
    #[error("there is no key file to put another key into")]
    NoFile,
    #[error("the key is being rotated already")]
    Busy,
    #[error("{0}")]
    Failed(String),
}

fn broken_words(broken: &[Broken]) -> String {
    let names: Vec<&str> = broken.iter().take(5).map(|b| b.record.as_str()).collect();
    let more = broken.len().saturating_sub(names.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("does not open: {}{more}", names.join(", "))
}

/// What a rotation did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    pub old: String,
    pub new: String,
    pub cipher: Algorithm,
    /// Sealed anew by this call.
    pub records: usize,
}

/// See the module.
pub struct Vault {
    under: Arc<dyn Store>,
    sealer: Arc<Sealer>,
    /// Commits go beside each other; sealing anew, which reads and writes, goes alone.
    turn: RwLock<()>,
    rotating: Mutex<()>,
}

impl Vault {
    #[must_use]
    pub fn new(under: Arc<dyn Store>, sealer: Arc<Sealer>) -> Self {
        Self { under, sealer, turn: RwLock::default(), rotating: Mutex::default() }
    }

    /// Every sealed record by its key; `Err` where it is none.
    fn sealed(&self) -> Result<BTreeMap<String, Result<Sealed, String>>> {
        let read = |body| serde_json::from_value(body).map_err(|e| format!("it is not a sealed secret: {e}"));
        Ok(self.under.scan(SECRETS)?.into_iter().map(|(key, body)| (key, read(body))).collect())
    }

    /// How many records each key sealed with each cipher.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn uses(&self) -> Result<BTreeMap<(String, Algorithm), usize>> {
        let mut uses = BTreeMap::new();
        for sealed in self.sealed()?.into_values().flatten() {
            *uses.entry((sealed.key_id, sealed.alg)).or_default() += 1;
        }
        Ok(uses)
    }

    /// Opens every record: how many there are, and those that do not open.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn verify(&self) -> Result<(usize, Vec<Broken>)> {
        let all = self.sealed()?;
        let count = all.len();
        let broken = all.into_iter().filter_map(|(record, sealed)| {
            let opened = sealed.and_then(|s| self.sealer.open(&record, &s).map_err(|e| e.to_string()));
            Some(Broken { record, why: opened.err()? })
        });
        Ok((count, broken.collect()))
    }

    /// Seals every record with a new key, or goes on with that where it was begun, and then lets the old one go.
    ///
    /// # Errors
    /// Before anything was changed when a record does not open or the key file cannot be replaced; else it is to be
    /// called again.
    pub async fn rotate(&self, cipher: Option<Algorithm>) -> Result<Rotated, RotateError> {
        let _alone = self.rotating.try_lock().map_err(|_| RotateError::Busy)?;
        let (file, current) = self.sealer.file().ok_or(RotateError::NoFile)?;
        let broken = self.verify()?.1;
        if !broken.is_empty() {
            return Err(RotateError::Broken(broken));
        }
        let alg = cipher.unwrap_or_else(|| self.sealer.algorithm());
        if alg != self.sealer.algorithm() {
            let body = json!({"cipher": alg});
            self.under.commit(vec![Change::put(CIPHER_KEY, body)]).await?;
        }
        let next = if self.sealer.key_ids().len() > 1 {
            None
        } else {
            let (file, current) = (file.clone(), current.clone());
            Some(blocking(move || secrets::make_next(&file, &current)).await?)
        };
        self.sealer.seal_with(next, alg);
        let mut records = 0;
        for _ in 0..ROUNDS {
            records += self.seal_anew().await?;
            let _turn = self.turn.write().await;
            if self.outdated()?.is_empty() {
                blocking(move || secrets::promote_next(&file)).await?;
                self.sealer.let_old_key_go();
                return Ok(Rotated { old: current.id(), new: self.sealer.key_id(), cipher: alg, records });
            }
        }
        Err(RotateError::Failed("records were sealed with the old key again and again".to_owned()))
    }

    /// What is not sealed as new secrets are.
    fn outdated(&self) -> Result<Vec<String>> {
        let (key, alg) = (self.sealer.key_id(), self.sealer.algorithm());
        let current = |sealed: &Sealed| sealed.key_id == key && sealed.alg == alg;
        let all = self.sealed()?.into_iter();
        Ok(all.filter(|(_, sealed)| !sealed.as_ref().is_ok_and(current)).map(|(record, _)| record).collect())
    }

    async fn seal_anew(&self) -> Result<usize, RotateError> {
        let outdated = self.outdated()?;
        for some in outdated.chunks(CHUNK) {
            let _turn = self.turn.write().await;
            let mut changes = Vec::with_capacity(some.len());
            for record in some {
                // Read now: it may be another secret by now, or none.
                let Some(body) = self.under.get(record)? else { continue };
                let anew = serde_json::from_value::<Sealed>(body)
                    .map_err(|e| e.to_string())
                    .and_then(|old| self.sealer.open(record, &old).map_err(|e| e.to_string()))
                    .and_then(|secret| self.sealer.seal(record, &secret).map_err(|e| e.to_string()))
                    .and_then(|sealed| serde_json::to_value(sealed).map_err(|e| e.to_string()));
                let broken = |why| RotateError::Broken(vec![Broken { record: record.clone(), why }]);
                changes.push(Change::put(record.clone(), anew.map_err(broken)?));
            }
            self.under.commit(changes).await?;
        }
        Ok(outdated.len())
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KeyError> + Send + 'static,
) -> Result<T, RotateError> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|e| RotateError::Failed(e.to_string()))??)
}

#[async_trait::async_trait]
impl Store for Vault {
    async fn commit(&self, changes: Vec<Change>) -> Result<()> {
        let _turn = self.turn.read().await;
        for change in &changes {
            if let Change::Put { key, body } = change
                && key.starts_with(SECRETS)
                && let Some(id) = body.get("keyId").and_then(Value::as_str)
                && !self.sealer.key_ids().iter().any(|kept| kept == id)
            {
                return Err(StoreError::Outdated { key: key.clone() });
            }
        }
        self.under.commit(changes).await
    }

    fn get(&self, key: &str) -> Result<Option<Value>> {
        self.under.get(key)
    }

    fn each(&self, prefix: &str, take: &mut dyn FnMut(String, Record)) -> Result<()> {
        self.under.each(prefix, take)
    }

    fn id(&self) -> String {
        self.under.id()
    }
}

#[cfg(test)]
#[path = "vault_tests.rs"]
mod tests;
