//! The vault: rotations that are cut at every commit, and writers beside them.

use super::*;
use crate::secrets::{ExposeSecret, Keys, Secret};
use crate::store::MemoryStore;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Takes so many commits, then dies.
struct Dying {
    under: Arc<MemoryStore>,
    left: AtomicUsize,
    /// Whether the last one is written all the same.
    late: bool,
}

#[async_trait::async_trait]
impl Store for Dying {
    async fn commit(&self, changes: Vec<Change>) -> Result<()> {
        let dead = || StoreError::Write { path: "x".into(), detail: "died".to_owned() };
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        match left {
            Ok(1) if !self.late => Err(dead()),
            Ok(1) => {
                self.under.commit(changes).await?;
                Err(dead())
            }
            Ok(_) => self.under.commit(changes).await,
            Err(_) => Err(dead()),
        }
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

const RECORDS: usize = CHUNK * 2 + 10;

fn record(n: usize) -> String {
    format!("secret/x/p{n}")
}

/// As a process that starts does it.
fn vault(store: Arc<dyn Store>, file: &Path) -> Vault {
    let cipher = cipher_of(store.get(CIPHER_KEY).unwrap().as_ref());
    Vault::new(store, Arc::new(Sealer::new(Keys::load(file).unwrap(), cipher)))
}

async fn filled(file: &Path, records: usize) -> Arc<MemoryStore> {
    Keys::load_or_create(file, false).unwrap();
    let store = Arc::new(MemoryStore::new());
    let vault = vault(store.clone(), file);
    let sealed = (0..records).map(|n| put(&vault, &record(n), &format!("secret {n}")));
    vault.commit(sealed.collect()).await.unwrap();
    store
}

fn put(vault: &Vault, record: &str, secret: &str) -> Change {
    let sealed = vault.sealer.seal(record, &Secret::from(secret)).unwrap();
    Change::put(record, serde_json::to_value(sealed).unwrap())
}

fn opened(vault: &Vault, record: &str) -> String {
    let sealed: Sealed = serde_json::from_value(vault.under.get(record).unwrap().unwrap()).unwrap();
    vault.sealer.open(record, &sealed).unwrap().expose_secret().to_owned()
}

#[tokio::test]
async fn every_record_is_sealed_anew_and_the_old_key_goes() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("k");
    let store = filled(&file, RECORDS).await;
    let vault = vault(store.clone(), &file);
    let old = vault.sealer.key_id();
    let late = put(&vault, &record(0), "sealed before, written after");
    let rotated = vault.rotate(None).await.unwrap();
    assert_eq!((&rotated.old, rotated.records), (&old, RECORDS));
    assert_eq!(vault.sealer.key_ids(), std::slice::from_ref(&rotated.new));
    let uses = vault.uses().unwrap();
    assert_eq!(uses, BTreeMap::from([((rotated.new.clone(), Algorithm::Aes256Gcm), RECORDS)]));
    assert_eq!(store.get(CIPHER_KEY).unwrap(), None, "nothing is written of what is as usual");
    // It would be lost: nothing opens it any more.
    let error = vault.commit(vec![late]).await.unwrap_err();
    assert!(matches!(&error, StoreError::Outdated { key } if *key == record(0)), "{error}");
    assert_eq!(opened(&vault, &record(0)), "secret 0");
    assert_eq!(Keys::load(&file).unwrap().current.id(), rotated.new);
}

#[tokio::test]
async fn another_cipher_is_for_all_and_stays_after_a_start() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("k");
    let store = filled(&file, 3).await;
    vault(store.clone(), &file).rotate(Some(Algorithm::XChaCha20Poly1305)).await.unwrap();
    let again = vault(store.clone(), &file);
    assert_eq!(again.sealer.algorithm(), Algorithm::XChaCha20Poly1305);
    assert!(again.uses().unwrap().keys().all(|(_, alg)| *alg == Algorithm::XChaCha20Poly1305));
    let rotated = again.rotate(None).await.unwrap();
    assert_eq!((rotated.cipher, rotated.records), (Algorithm::XChaCha20Poly1305, 3));
}

#[tokio::test]
async fn it_goes_on_after_a_crash_at_any_commit_and_everything_opens_all_the_while() {
    // The cipher's record and three chunks of secrets.
    for (left, late) in (1..=4).flat_map(|left| [(left, false), (left, true)]) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("k");
        let store = filled(&file, RECORDS).await;
        let dying = Dying { under: store.clone(), left: AtomicUsize::new(left), late };
        let first = vault(Arc::new(dying), &file);
        let old = first.sealer.key_id();
        first.rotate(Some(Algorithm::XChaCha20Poly1305)).await.unwrap_err();
        drop(first);
        // The next process.
        let second = vault(store.clone(), &file);
        assert_eq!(second.verify().unwrap(), (RECORDS, vec![]), "{left} {late}");
        assert_eq!(second.sealer.key_ids()[0], old, "{left} {late}: the old key went too early");
        second.rotate(Some(Algorithm::XChaCha20Poly1305)).await.unwrap();
        let third = vault(store, &file);
        assert_eq!(third.verify().unwrap(), (RECORDS, vec![]));
        assert_ne!(third.sealer.key_id(), old);
        assert_eq!(third.uses().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn nothing_that_is_written_meanwhile_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("k");
    let store = filled(&file, RECORDS).await;
    let vault = Arc::new(vault(store, &file));
    let writer = {
        let vault = Arc::clone(&vault);
        tokio::spawn(async move {
            let mut last = 0;
            for n in 0..400 {
                let change = put(&vault, &record(n % 7), &format!("later {n}"));
                // Sealed, and not yet written.
                tokio::task::yield_now().await;
                if vault.commit(vec![change]).await.is_ok() {
                    last = n;
                }
            }
            last
        })
    };
    for _ in 0..5 {
        vault.rotate(None).await.unwrap();
    }
    let last = writer.await.unwrap();
    assert_eq!(vault.verify().unwrap(), (RECORDS, vec![]));
    assert_eq!(opened(&vault, &record(last % 7)), format!("later {last}"));
    assert_eq!(opened(&vault, &record(9)), "secret 9");
}

#[tokio::test]
async fn what_does_not_open_is_named_and_nothing_is_changed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("k");
    let store = filled(&file, 3).await;
    let vault = vault(store.clone(), &file);
    let moved = store.get(&record(0)).unwrap().unwrap();
    store.commit(vec![Change::put(record(1), moved), Change::put(record(2), json!({"x": 1}))]).await.unwrap();
    let (count, broken) = vault.verify().unwrap();
    let said: Vec<String> = broken.iter().map(|b| format!("{}: {}", b.record, b.why)).collect();
    assert_eq!((count, said.len()), (3, 2), "{said:?}");
    assert!(said[0].contains("p1") && said[0].contains("belongs to another record"), "{said:?}");
    assert!(said[1].contains("p2") && said[1].contains("not a sealed secret"), "{said:?}");
    let before = store.scan("").unwrap();
    let error = vault.rotate(None).await.unwrap_err().to_string();
    assert_eq!(error, "does not open: secret/x/p1, secret/x/p2");
    assert_eq!(store.scan("").unwrap(), before);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no next key was made");
}
