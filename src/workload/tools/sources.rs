//! Opens the secrets that manifests name, and keeps the key that they are sealed to.
//!
//! It must never read a file that lies elsewhere than in `DATA/secrets`: whoever may write a manifest could read any file
//! of this machine through it.

use super::Tools;
use crate::manifest::secret::{SecretPlace, SecretSource};
use crate::secrets::{
    Key, KeyError, LetterError, MAX_SECRET, PublicKey, Secret, beside, make_beside, open_sealed,
    without_newline,
};
use crate::store::{Change, Store, StoreError, data_dir};
use serde_json::json;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

/// The folder of the data directory that secrets of manifests may lie in.
pub const FOLDER: &str = "secrets";
/// Added to the name of the key file: the key that values are sealed to.
pub const PRIVATE: &str = "x25519";
/// Where the store keeps the public key, so that a lost private one is not silently made anew.
pub const PUBLIC_KEY: &str = "meta/public-key";
/// A disk that does not answer must not hold up a pass.
const READ: Duration = Duration::from_secs(5);

/// Where an installation keeps its things and reads its manifests.
#[derive(Clone, Debug, Default)]
pub struct Places {
    pub data: PathBuf,
    pub manifests: PathBuf,
    /// Below these env files may be written; none: below that of the manifests.
    pub env_file_roots: Vec<PathBuf>,
}

/// Why a secret that a manifest names is not there. Never with a part of it.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error(transparent)]
    Letter(#[from] LetterError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "nothing was sealed to this installation yet: it has no key for that (seawall keys public makes it)"
    )]
    NoKey,
    #[error(
        "the key in {} is not the one that values were sealed to ({known}, not {found}): bring that back from your copy",
        path.display()
    )]
    OtherKey { path: PathBuf, known: String, found: String },
    #[error("{}: {why}", path.display())]
    File { path: PathBuf, why: String },
    #[error("the disk gave no answer within {} s", READ.as_secs())]
    Slow,
}

impl Tools {
    /// The value of a secret that stands in `place`.
    ///
    /// # Errors
    /// Why it is not to be had, for a person.
    pub async fn reveal(&self, place: &SecretPlace, source: &SecretSource) -> Result<Secret, SourceError> {
        match source {
            SecretSource::Sealed(text) => {
                let (place, text) = (place.to_string(), text.clone());
                let key = self.private_key().await?;
                // Only then is it known whether a key that is not there ever was.
                let Some(key) = key else { return Err(self.no_key()) };
                Ok(open_sealed(&key, &place, &text)?)
            }
            SecretSource::File(file) => {
                let (places, file) = (self.places.clone(), file.clone());
                in_time(move || read(&places, &file)).await
            }
        }
    }

    fn private_file(&self) -> Option<PathBuf> {
        Some(beside(&self.sealer.file()?.0, PRIVATE))
    }

    async fn private_key(&self) -> Result<Option<Key>, SourceError> {
        let Some(file) = self.private_file() else { return Ok(None) };
        in_time(move || match Key::load(&file) {
            Err(KeyError::Missing { .. }) => Ok(None),
            other => Ok(Some(other?)),
        })
        .await
    }

    /// What values were sealed to, as the store knows it.
    fn known_key(&self) -> Result<Option<PublicKey>, StoreError> {
        let body = self.store.get(PUBLIC_KEY)?;
        Ok(body.and_then(|body| body["key"].as_str()?.parse().ok()))
    }

    fn no_key(&self) -> SourceError {
        match (self.known_key(), self.private_file()) {
            (Err(error), _) => error.into(),
            (Ok(Some(_)), Some(path)) => KeyError::Missing { path }.into(),
            _ => SourceError::NoKey,
        }
    }

    /// What others seal values to. `make`: where there is none yet, it is made.
    ///
    /// # Errors
    /// When there is none, when it is not the one that values were sealed to, or when it cannot be made.
    pub async fn public_key(&self, make: bool) -> Result<PublicKey, SourceError> {
        let _alone = self.key_gate.lock().await;
        let (known, found) = (self.known_key()?, self.private_key().await?);
        let key = match found {
            Some(key) => key,
            None if known.is_some() || !make => return Err(self.no_key()),
            None => {
                let (file, _) = self.sealer.file().ok_or(SourceError::NoKey)?;
                in_time(move || Ok(make_beside(&file, PRIVATE)?)).await?
            }
        };
        let public = PublicKey::of(&key).ok_or(SourceError::NoKey)?;
        match known {
            Some(known) if known != public => {
                let path = self.private_file().unwrap_or_default();
                Err(SourceError::OtherKey { path, known: known.id(), found: public.id() })
            }
            None if make => {
                let body = json!({"key": public.to_string()});
                self.store.commit(vec![Change::put(PUBLIC_KEY, body)]).await?;
                Ok(public)
            }
            _ => Ok(public),
        }
    }
}

async fn in_time<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SourceError> + Send + 'static,
) -> Result<T, SourceError> {
    match tokio::time::timeout(READ, tokio::task::spawn_blocking(work)).await {
        Ok(Ok(done)) => done,
        _ => Err(SourceError::Slow),
    }
}

fn read(places: &Places, file: &Path) -> Result<Secret, SourceError> {
    let path = places.data.join(FOLDER).join(file);
    let wrong = |why: String| SourceError::File { path: path.clone(), why };
    if let Some(repository) = repository(&places.manifests)
        && std::fs::canonicalize(places.data.join(FOLDER)).is_ok_and(|dir| dir.starts_with(&repository))
    {
        return Err(wrong(format!(
            "it lies in the repository of the manifests, {}: keep the data directory out of it",
            repository.display()
        )));
    }
    let opened = data_dir::open(&places.data, FOLDER, file).map_err(|e| wrong(e.to_string()))?;
    let meta = opened.metadata().map_err(|e| wrong(e.to_string()))?;
    if !meta.is_file() {
        return Err(wrong("it is not a regular file".to_owned()));
    }
    let (us, mode) = (rustix::process::geteuid().as_raw(), meta.mode() & 0o777);
    if meta.uid() != us && meta.uid() != 0 {
        return Err(wrong(format!("it belongs to user {}, and this is user {us}", meta.uid())));
    }
    if mode & 0o077 != 0 {
        return Err(wrong(format!("others can read it (mode {mode:03o}): chmod 600 {}", path.display())));
    }
    let most = MAX_SECRET as u64 + 2;
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SECRET + 2));
    opened.take(most).read_to_end(&mut bytes).map_err(|e| wrong(e.to_string()))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong("it is not text in UTF-8".to_owned()))?;
    let text = without_newline(text);
    match text.len() {
        0 => Err(wrong("it is empty".to_owned())),
        long if long > MAX_SECRET => Err(wrong(format!("it is longer than {MAX_SECRET} bytes"))),
        _ => Ok(Secret::from(text.to_owned())),
    }
}

/// The git repository around a directory.
fn repository(dir: &Path) -> Option<PathBuf> {
    let dir = std::fs::canonicalize(dir).ok()?;
    dir.ancestors().find(|above| above.join(".git").exists()).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::names::Installation;
    use crate::docker::fake::FakeDocker;
    use crate::secrets::{Algorithm, ExposeSecret, Keys, Sealer, seal_to};
    use crate::store::MemoryStore;
    use crate::workload::tools::Reach;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::sync::Arc;

    fn tools(root: &Path, store: &Arc<MemoryStore>) -> Tools {
        let keys = Keys::load_or_create(&root.join("data/encryption_key"), false).unwrap();
        let sealer = Arc::new(Sealer::new(keys, Algorithm::default()));
        let docker = Arc::new(FakeDocker::new());
        let (data, manifests) = (root.join("data"), root.join("repo/manifests"));
        let places = Places { data, manifests, ..Places::default() };
        Tools::new(docker, store.clone(), sealer, Installation::default(), Reach::Host).at(places)
    }

    fn place() -> SecretPlace {
        "postgres/main:password".parse().unwrap()
    }

    fn root() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("data/secrets/web")).unwrap();
        fs::create_dir_all(root.path().join("repo/manifests")).unwrap();
        root
    }

    fn put(root: &Path, name: &str, text: &[u8], mode: u32) {
        let path = root.join("data/secrets").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[tokio::test]
    async fn a_file_counts_only_where_it_may_lie_and_when_it_is_private() {
        let root = root();
        let root = root.path();
        let tools = tools(root, &Arc::new(MemoryStore::new()));
        put(root, "good", b"hunter2\n", 0o600);
        put(root, "web/lines", b"a\nb\r\n", 0o400);
        put(root, "open", b"hunter2", 0o640);
        put(root, "empty", b"\n", 0o600);
        put(root, "binary", &[0xff, 0xfe], 0o600);
        put(root, "long", &vec![b'x'; MAX_SECRET + 1], 0o600);
        symlink(root.join("data/encryption_key"), root.join("data/secrets/link")).unwrap();
        symlink(root, root.join("data/secrets/folder")).unwrap();
        for (file, wanted) in [
            ("good", Ok("hunter2")),
            ("web/lines", Ok("a\nb")),
            ("open", Err("chmod 600")),
            ("empty", Err("it is empty")),
            ("binary", Err("not text")),
            ("long", Err("longer than")),
            ("web", Err("not a regular file")),
            ("no/such", Err("No such file")),
            ("link", Err("secrets/link: ")),
            ("folder/data/encryption_key", Err("folder/data/encryption_key: ")),
        ] {
            let got = tools.reveal(&place(), &SecretSource::File(file.into())).await;
            match (got, wanted) {
                (Ok(got), Ok(wanted)) => assert_eq!(got.expose_secret(), wanted, "{file}"),
                (Err(error), Err(says)) => {
                    let error = error.to_string();
                    assert!(error.contains(says) && !error.contains("hunter2"), "{file}: {error}");
                }
                (got, _) => panic!("{file}: {:?}", got.map(|_| ())),
            }
        }
        // The same file, with everything in one repository.
        fs::create_dir(root.join(".git")).unwrap();
        let error = tools.reveal(&place(), &SecretSource::File("good".into())).await.unwrap_err().to_string();
        assert!(error.contains("lies in the repository"), "{error}");
        fs::remove_dir(root.join(".git")).unwrap();
        fs::create_dir(root.join("repo/.git")).unwrap();
        tools.reveal(&place(), &SecretSource::File("good".into())).await.unwrap();
    }

    #[tokio::test]
    async fn the_key_that_values_are_sealed_to_is_made_once_and_never_in_the_place_of_a_lost_one() {
        let root = root();
        let (root, store) = (root.path(), Arc::new(MemoryStore::new()));
        let tools = tools(root, &store);
        let reveal = async |text: &str| tools.reveal(&place(), &SecretSource::Sealed(text.to_owned())).await;
        assert!(matches!(reveal("sws1-x").await, Err(SourceError::NoKey)));
        assert!(matches!(tools.public_key(false).await, Err(SourceError::NoKey)));
        let public = tools.public_key(true).await.unwrap();
        let file = root.join("data/encryption_key.x25519");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(tools.public_key(false).await.unwrap(), public);
        let text = seal_to(&public, "postgres/main:password", &Secret::from("hunter2")).unwrap();
        assert_eq!(reveal(&text).await.unwrap().expose_secret(), "hunter2");
        assert!(matches!(reveal("sws1-x").await, Err(SourceError::Letter(_))));

        let kept = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        for error in [reveal(&text).await.map(|_| ()), tools.public_key(true).await.map(|_| ())] {
            let error = error.unwrap_err().to_string();
            assert!(error.contains("x25519 is missing; put it back"), "{error}");
        }
        assert!(!file.exists(), "another one was made");
        fs::write(&file, "ab".repeat(32)).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let error = tools.public_key(true).await.unwrap_err().to_string();
        assert!(error.contains("not the one that values were sealed to"), "{error}");
        fs::write(&file, kept).unwrap();
        // The store was lost, the key was not.
        let other = self::tools(root, &Arc::new(MemoryStore::new()));
        assert_eq!(other.public_key(true).await.unwrap(), public);
    }
}
