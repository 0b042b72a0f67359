//! What is known of images, by id: what they hold, how they start, how trial starts on them ended. Must never let two
//! passes look into one image at once.

use super::{Tools, lock};
use crate::core::names::ObjectRef;
use crate::engines::postgres::facts::{ImageFacts, Unfit};
use crate::engines::postgres::hardening::Profile;
use crate::engines::postgres::trial::Verdict;
use crate::engines::postgres::world::ImageStarts;
use crate::store::{Change, Saving, Store};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// How long others wait for the one that proves an image; then the next one tries.
const PROVING: Duration = Duration::from_secs(60);
/// Ends of trials that are remembered; one that was forgotten costs a second.
const TRIALS: usize = 1_000;

#[derive(Default)]
pub(super) struct Images {
    facts: Mutex<BTreeMap<String, Result<ImageFacts, Unfit>>>,
    gates: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// Image id → how it starts, as far as it was asked for.
    starts: Mutex<BTreeMap<String, KnownStarts>>,
    /// Who proves an image and profile by a restart, and since when.
    provers: Mutex<BTreeMap<(String, Profile), (ObjectRef, Instant)>>,
    /// Names of the containers that look into images right now.
    probing: Mutex<BTreeSet<String>>,
    /// By key, how trial starts ended.
    trials: Mutex<BTreeMap<String, Verdict>>,
}

impl Images {
    pub fn forget(&self, object: &ObjectRef) {
        lock(&self.provers).retain(|_, (by, _)| by != object);
    }
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
    pub(in crate::engines::postgres) fn set_probing(&self, container: &str, now: bool) {
        let mut probing = lock(&self.images.probing);
        if now {
            probing.insert(container.to_owned());
        } else {
            probing.remove(container);
        }
    }

    /// Whether a container that looks into an image is in use; others are left-overs.
    #[must_use]
    pub fn is_probing(&self, container: &str) -> bool {
        lock(&self.images.probing).contains(container)
    }

    pub(in crate::engines::postgres) fn image_facts(&self, id: &str) -> Option<Result<ImageFacts, Unfit>> {
        lock(&self.images.facts).get(id).cloned()
    }

    /// What an earlier process found in this image. Ids stand for contents: it cannot have changed.
    pub(in crate::engines::postgres) fn stored_image_facts(&self, id: &str) -> Option<ImageFacts> {
        let body = self.store.get(&image_key(id)).ok().flatten()?;
        serde_json::from_value(body).ok()
    }

    /// Also for the next process, so that it need not make a container to look again. Losing it costs
    /// that look and nothing else; a store opened only to look does not take it.
    pub(in crate::engines::postgres) async fn remember_image(
        &self,
        id: &str,
        facts: Result<ImageFacts, Unfit>,
    ) {
        let body = facts.as_ref().ok().and_then(|f| serde_json::to_value(f).ok());
        lock(&self.images.facts).insert(id.to_owned(), facts);
        if let Some(body) = body
            && let Err(error) = self.store.save(vec![Change::put(image_key(id), body)], Saving::MayWait).await
        {
            tracing::debug!(image = id, %error, "what the image holds was not kept");
        }
    }

    pub(in crate::engines::postgres) fn known_image(&self, id: &str, facts: ImageFacts) -> ImageFacts {
        lock(&self.images.facts).insert(id.to_owned(), Ok(facts.clone()));
        facts
    }

    fn known_starts(&self, image: &str) -> KnownStarts {
        if let Some(known) = lock(&self.images.starts).get(image) {
            return known.clone();
        }
        let body = self.store.get(&starts_key(image)).ok().flatten();
        let known: KnownStarts = body.and_then(|body| serde_json::from_value(body).ok()).unwrap_or_default();
        lock(&self.images.starts).entry(image.to_owned()).or_insert(known).clone()
    }

    /// How this image starts, and who else proves it with this profile right now.
    pub(in crate::engines::postgres) fn image_starts(
        &self,
        image: &str,
        profile: Profile,
        object: &ObjectRef,
    ) -> ImageStarts {
        let KnownStarts { proven, refused } = self.known_starts(image);
        let provers = lock(&self.images.provers);
        let prover = provers
            .get(&(image.to_owned(), profile))
            .filter(|(by, since)| by != object && since.elapsed() < PROVING);
        ImageStarts { proven, refused, prover: prover.map(|(by, _)| by.to_string()) }
    }

    /// From now on others wait for this object's restart, for a while.
    pub(in crate::engines::postgres) fn claim_proof(
        &self,
        image: &str,
        profile: Profile,
        object: &ObjectRef,
    ) {
        let mut provers = lock(&self.images.provers);
        let claim = (object.clone(), Instant::now());
        let old = provers.entry((image.to_owned(), profile)).or_insert_with(|| claim.clone());
        if old.1.elapsed() >= PROVING {
            *old = claim;
        }
    }

    /// A server of this image started again with this profile.
    pub async fn image_restarts(&self, image: &str, profile: Profile) {
        lock(&self.images.provers).remove(&(image.to_owned(), profile));
        self.learn_starts(image, |known| known.proven.insert(profile)).await;
    }

    /// This image does not start on data of its own with this profile.
    pub(in crate::engines::postgres) async fn image_refuses(&self, image: &str, profile: Profile) {
        lock(&self.images.provers).remove(&(image.to_owned(), profile));
        self.learn_starts(image, |known| known.proven.remove(&profile) | known.refused.insert(profile)).await;
    }

    /// Losing it costs a restart before the next Ready, and nothing else.
    async fn learn_starts(&self, image: &str, change: impl FnOnce(&mut KnownStarts) -> bool) {
        let mut known = self.known_starts(image);
        if !change(&mut known) {
            return;
        }
        lock(&self.images.starts).insert(image.to_owned(), known.clone());
        let Ok(body) = serde_json::to_value(&known) else { return };
        if let Err(error) = self.store.save(vec![Change::put(starts_key(image), body)], Saving::MayWait).await
        {
            tracing::debug!(image, %error, "how the image starts was not kept");
        }
    }

    /// The engine says that it does not have the image any more.
    pub(in crate::engines::postgres) fn forget_image(&self, id: &str) {
        lock(&self.images.facts).remove(id);
    }

    /// How this trial ended, if it was held.
    #[must_use]
    pub fn trial(&self, key: &str) -> Option<Verdict> {
        lock(&self.images.trials).get(key).cloned()
    }

    pub(in crate::engines::postgres) fn remember_trial(&self, key: &str, verdict: Verdict) {
        let mut trials = lock(&self.images.trials);
        if trials.len() >= TRIALS {
            trials.clear();
        }
        trials.insert(key.to_owned(), verdict);
    }

    /// Held while one pass looks into an image or tries it; the others then know what it found.
    pub(in crate::engines::postgres) fn image_gate(&self, id: &str) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(lock(&self.images.gates).entry(id.to_owned()).or_default())
    }
}
