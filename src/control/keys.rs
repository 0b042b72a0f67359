//! `seawall keys`: which keys seal the secrets of the store, whether they open them, and the change to another key.
//!
//! It must never tell anything of a key but its id.

use super::answers::store_failed;
use super::api::{
    ApiError, BrokenSecret, Done, ErrorCode, KeyCheck, KeyList, KeyUse, KeyView, PublicKeyView, Result,
};
use super::operator::Operator;
use crate::core::event::Note;
use crate::secrets::{Algorithm, KeyError, beside};
use crate::workload::tools::sources::SourceError;
use crate::workload::tools::vault::{RotateError, Rotated};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const FIXED: &str =
    "whoever put it there keeps it: let the key be a file of Seawall's own, in a directory that stays";

/// A key that is kept: its id, and since when.
struct Kept {
    id: String,
    created: Option<String>,
}

/// The keys that are kept, in their order, and those that only records name.
fn views(kept: Vec<Kept>, alg: Algorithm, uses: &BTreeMap<(String, Algorithm), usize>) -> Vec<KeyView> {
    let sealing = kept.last().map(|key| key.id.clone());
    let mut missing: BTreeSet<&str> = uses.keys().map(|(id, _)| id.as_str()).collect();
    for key in &kept {
        missing.remove(key.id.as_str());
    }
    let missing = missing.into_iter().map(|id| Kept { id: id.to_owned(), created: None });
    let known = kept.len();
    let all: Vec<Kept> = kept.into_iter().chain(missing).collect();
    let view = |(n, key): (usize, Kept)| {
        let seals = sealing.as_ref() == Some(&key.id);
        let used = || uses.iter().filter(|((id, _), _)| *id == key.id);
        let mut ciphers: BTreeSet<Algorithm> = used().map(|((_, alg), _)| *alg).collect();
        if seals {
            ciphers.insert(alg);
        }
        KeyView {
            ciphers: ciphers.iter().map(ToString::to_string).collect(),
            records: used().map(|(_, count)| count).sum(),
            state: match (seals, n < known) {
                (true, _) => KeyUse::Seals,
                (_, true) => KeyUse::Opens,
                _ => KeyUse::Missing,
            },
            id: key.id,
            created: key.created,
        }
    };
    all.into_iter().enumerate().map(view).collect()
}

/// A key file is written once, so its time is that of the key.
fn created(file: &Path) -> Option<String> {
    let written = std::fs::metadata(file).and_then(|meta| meta.modified()).ok()?;
    let at = jiff::Timestamp::try_from(written).ok()?;
    Some(jiff::Timestamp::from_second(at.as_second()).ok()?.to_string())
}

fn failed(error: &RotateError) -> ApiError {
    let (code, next) = match error {
        RotateError::Store(error) => return store_failed(error),
        RotateError::Broken(_) => {
            (ErrorCode::Conflict, "seawall keys verify says why; nothing was changed by this")
        }
        RotateError::Key(KeyError::Fixed { .. }) => (ErrorCode::Conflict, FIXED),
        RotateError::Key(_) => (ErrorCode::Internal, "put that right, then say it again: it goes on"),
        RotateError::NoFile => (ErrorCode::Conflict, ""),
        RotateError::Busy => (ErrorCode::Conflict, "seawall keys list shows how far it is"),
        RotateError::Failed(_) => (ErrorCode::Internal, "say it again: it goes on"),
    };
    ApiError::new(code, format!("the key was not rotated: {error}"), next)
}

fn words(rotated: &Rotated, file: &Path) -> String {
    let Rotated { old, new, cipher, records } = rotated;
    let s = if *records == 1 { "" } else { "s" };
    format!(
        "{records} record{s} sealed with key {new} ({cipher}); key {old} is used no more and is gone from {}. A backup of the data directory from before needs your copy of {old}",
        file.display()
    )
}

impl Operator {
    pub(super) fn key_list(&self) -> Result<KeyList> {
        let vault = &self.tools.vault;
        let uses = vault.uses().map_err(|e| store_failed(&e))?;
        let file = self.tools.sealer.file().map(|(file, _)| file);
        let files = file.iter().flat_map(|file| [file.clone(), beside(file, "next")]);
        let files: Vec<_> = files.collect();
        let kept = self.tools.sealer.key_ids().into_iter().enumerate();
        let kept = kept.map(|(n, id)| Kept { id, created: files.get(n).and_then(|file| created(file)) });
        let keys = views(kept.collect(), self.tools.sealer.algorithm(), &uses);
        Ok(KeyList { keys, file: file.map(|file| file.display().to_string()).unwrap_or_default() })
    }

    pub(super) fn key_check(&self) -> Result<KeyCheck> {
        let (records, broken) = self.tools.vault.verify().map_err(|e| store_failed(&e))?;
        let broken = broken.into_iter().map(|b| BrokenSecret { record: b.record, why: b.why });
        Ok(KeyCheck { records, broken: broken.collect() })
    }

    pub(super) async fn do_rotate_keys(&self, cipher: Option<Algorithm>) -> Result<Done> {
        self.must_run("keys rotate")?;
        let rotated = self.tools.vault.rotate(cipher).await.map_err(|e| failed(&e))?;
        let file = self.tools.sealer.file().map(|(file, _)| file).unwrap_or_default();
        let message = words(&rotated, &file);
        self.answered_for(None, Note::normal("KeyRotated", message.clone())).await;
        Ok(Done { message: format!("{message}. Copy the key file again"), commit: String::new() })
    }

    pub(super) async fn do_public_key(&self) -> Result<PublicKeyView> {
        let key = self.tools.public_key(self.running).await.map_err(|error| {
            let (code, next) = match &error {
                SourceError::NoKey => (ErrorCode::Unavailable, "start `seawall run`, then say it again"),
                SourceError::Key(KeyError::Fixed { .. }) => (ErrorCode::Conflict, FIXED),
                _ => (ErrorCode::Internal, "seawall doctor"),
            };
            ApiError::new(code, error.to_string(), next)
        })?;
        Ok(PublicKeyView { key: key.to_string() })
    }

    /// An earlier process ended in the middle of it. What is left of it can wait: everything opens as it is.
    pub async fn finish_key_rotation(&self) {
        if self.tools.sealer.key_ids().len() > 1
            && let Err(error) = self.do_rotate_keys(None).await
        {
            tracing::warn!(%error, "the key is still being rotated; `seawall keys rotate` goes on with it");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_shown_with_what_it_is_for() {
        use Algorithm::{Aes256Gcm as Aes, XChaCha20Poly1305 as X};
        type Row<'a> = (&'a [&'a str], Algorithm, &'a [(&'a str, Algorithm, usize)], &'a [&'a str]);
        let rows: [Row<'_>; 4] = [
            (&["a"], Aes, &[], &["a AES-256-GCM 0 Seals"]),
            (&["a"], X, &[("a", X, 3)], &["a XChaCha20-Poly1305 3 Seals"]),
            // In the middle of a rotation.
            (
                &["a", "b"],
                X,
                &[("a", Aes, 2), ("b", X, 1)],
                &["a AES-256-GCM 2 Opens", "b XChaCha20-Poly1305 1 Seals"],
            ),
            (
                &["a"],
                Aes,
                &[("z", Aes, 1), ("a", X, 2)],
                &["a AES-256-GCM+XChaCha20-Poly1305 2 Seals", "z AES-256-GCM 1 Missing"],
            ),
        ];
        for (kept, alg, uses, wanted) in rows {
            let kept = kept.iter().map(|id| Kept { id: (*id).to_owned(), created: None }).collect();
            let uses = uses.iter().map(|(id, alg, n)| (((*id).to_owned(), *alg), *n)).collect();
            let all = views(kept, alg, &uses);
            let all =
                all.iter().map(|k| format!("{} {} {} {:?}", k.id, k.ciphers.join("+"), k.records, k.state));
            assert_eq!(all.collect::<Vec<_>>(), wanted);
        }
    }
}
