//! What is known of images, by id: what they hold and how they start. Must never let two
//! passes look into one image at once.

use super::{Tools, lock};
use crate::core::member::Member;
use crate::core::names::ObjectRef;
use crate::store::{Change, Saving, Store};
use crate::workload::hardening::Profile;
use crate::workload::image::{Facts, ImageStarts, Unfit};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// How long others wait for the one that proves an image; then the next one tries.
const PROVING: Duration = Duration::from_secs(60);

#[derive(Default)]
pub struct Images {
    /// Store key → what its kind found in it, as JSON.
    facts: Mutex<BTreeMap<String, Result<Box<str>, Unfit>>>,
    gates: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// Image id → how it starts, as far as it was asked for.
    starts: Mutex<BTreeMap<String, KnownStarts>>,
    /// Who proves an image and profile by a restart, and since when.
    provers: Mutex<BTreeMap<(String, Profile), (Member, Instant)>>,
    /// Names of the containers that look into images right now.
    probing: Mutex<BTreeSet<String>>,
}

impl Images {
    pub fn forget(&self, object: &ObjectRef) {
        lock(&self.provers).retain(|_, (by, _)| by.object != *object);
    }
}

fn image_key<F: Facts>(id: &str) -> String {
    format!("{}/{id}", F::KEY)
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
    pub fn set_probing(&self, container: &str, now: bool) {
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

    pub fn image_facts<F: Facts>(&self, id: &str) -> Option<Result<F, Unfit>> {
        match lock(&self.images.facts).get(&image_key::<F>(id))? {
            Ok(text) => serde_json::from_str(text).ok().map(Ok),
            Err(unfit) => Some(Err(unfit.clone())),
        }
    }

    /// What an earlier process found in this image. Ids stand for contents: it cannot have changed.
    pub fn stored_image_facts<F: Facts>(&self, id: &str) -> Option<F> {
        let body = self.store.get(&image_key::<F>(id)).ok().flatten()?;
        serde_json::from_value(body).ok()
    }

    /// Also for the next process, so that it need not make a container to look again. Losing it costs
    /// that look and nothing else; a store opened only to look does not take it.
    pub async fn remember_image<F: Facts>(&self, id: &str, facts: &Result<F, Unfit>) {
        self.know_image(id, facts);
        if let Ok(facts) = facts
            && let Ok(body) = serde_json::to_value(facts)
            && let Err(error) =
                self.store.save(vec![Change::put(image_key::<F>(id), body)], Saving::MayWait).await
        {
            tracing::debug!(image = id, %error, "what the image holds was not kept");
        }
    }

    /// For this process.
    pub fn know_image<F: Facts>(&self, id: &str, facts: &Result<F, Unfit>) {
        let text = match facts {
            Ok(facts) => serde_json::to_string(facts).map(|text| Ok(text.into_boxed_str())),
            Err(unfit) => Ok(Err(unfit.clone())),
        };
        if let Ok(text) = text {
            lock(&self.images.facts).insert(image_key::<F>(id), text);
        }
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
    pub fn image_starts(&self, image: &str, profile: Profile, member: &Member) -> ImageStarts {
        let KnownStarts { proven, refused } = self.known_starts(image);
        let provers = lock(&self.images.provers);
        let prover = provers
            .get(&(image.to_owned(), profile))
            .filter(|(by, since)| by != member && since.elapsed() < PROVING);
        ImageStarts { proven, refused, prover: prover.map(|(by, _)| by.to_string()) }
    }

    /// From now on others wait for this one's restart, for a while.
    pub fn claim_proof(&self, image: &str, profile: Profile, member: &Member) {
        let mut provers = lock(&self.images.provers);
        let claim = (member.clone(), Instant::now());
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
    pub async fn image_refuses(&self, image: &str, profile: Profile) {
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
    pub fn forget_image(&self, id: &str) {
        lock(&self.images.facts).retain(|key, _| key.rsplit('/').next() != Some(id));
    }

    /// Held while one pass looks into an image or tries it; the others then know what it found.
    pub fn image_gate(&self, id: &str) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(lock(&self.images.gates).entry(id.to_owned()).or_default())
    }
}
