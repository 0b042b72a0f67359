//! The rotation of the key against SIGKILL: whenever it comes, everything opens, and it goes on.

use seawall::secrets::{Algorithm, ExposeSecret, Keys, Sealed, Sealer, Secret};
use seawall::store::{Change, SledStore, Store};
use seawall::workload::tools::vault::{CIPHER_KEY, Vault, cipher_of};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// Set in the child: the directory of store and key file.
const ROTATOR: &str = "SEAWALL_TEST_KEY_ROTATOR";
const RECORDS: usize = 300;

fn record(n: usize) -> String {
    format!("secret/postgres/p{n}")
}

/// As a process that starts does it.
fn open(root: &Path) -> (Arc<SledStore>, Arc<Sealer>, Vault) {
    let store = Arc::new(SledStore::open(&root.join("data")).unwrap());
    let sealed = !store.scan("secret/").unwrap().is_empty();
    let keys = Keys::load_or_create(&root.join("key"), sealed).unwrap();
    let cipher = cipher_of(store.get(CIPHER_KEY).unwrap().as_ref());
    let sealer = Arc::new(Sealer::new(keys, cipher));
    let vault = Vault::new(store.clone(), sealer.clone());
    (store, sealer, vault)
}

/// Not a test by itself: what the child processes of this file run.
#[tokio::test]
async fn rotator_child() {
    let Ok(root) = std::env::var(ROTATOR) else { return };
    let (_, _, vault) = open(Path::new(&root));
    println!("\nbegun");
    loop {
        for cipher in [Algorithm::XChaCha20Poly1305, Algorithm::Aes256Gcm] {
            vault.rotate(Some(cipher)).await.unwrap();
            println!("\nrotated");
        }
    }
}

/// Runs the child, kills it `after` it has opened the store, and says how many rotations it was sure of.
fn killed(root: &Path, after: Duration) -> usize {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "key_rotation::rotator_child", "--nocapture", "--test-threads=1"])
        .env(ROTATOR, root)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "begun"), "the child never began");
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    lines.filter(|line| line == "rotated").count()
}

#[tokio::test]
async fn whenever_it_is_killed_everything_opens_and_the_next_start_ends_it() {
    let root = tempfile::tempdir().unwrap();
    {
        let (_, sealer, vault) = open(root.path());
        let put = |n| {
            let sealed = sealer.seal(&record(n), &Secret::from(format!("secret {n}"))).unwrap();
            Change::put(record(n), serde_json::to_value(sealed).unwrap())
        };
        vault.commit((0..RECORDS).map(put).collect()).await.unwrap();
    }
    let (mut rotations, mut halfway, mut keys) = (0, 0, BTreeSet::new());
    for round in 0u64..25 {
        rotations += killed(root.path(), Duration::from_micros(round * round * 2833 % 700_001));
        let (store, sealer, vault) = open(root.path());
        assert_eq!(vault.verify().unwrap(), (RECORDS, vec![]), "round {round}");
        let sealed: Sealed = serde_json::from_value(store.get(&record(7)).unwrap().unwrap()).unwrap();
        assert_eq!(sealer.open(&record(7), &sealed).unwrap().expose_secret(), "secret 7");
        halfway += usize::from(sealer.key_ids().len() > 1);
        if round % 5 == 4 {
            vault.rotate(None).await.unwrap();
            assert_eq!(vault.uses().unwrap().len(), 1, "round {round}");
            assert_eq!(sealer.key_ids().len(), 1);
        }
        keys.insert(sealer.key_id());
    }
    assert!(rotations > 0 && halfway > 0, "{rotations} rotations, {halfway} of them cut: it shows nothing");
    assert!(keys.len() > 5, "{keys:?}");
    let names = std::fs::read_dir(root.path()).unwrap().map(|e| e.unwrap().file_name());
    assert_eq!(names.collect::<BTreeSet<_>>().len(), 2, "something is left beside the key file");
}
