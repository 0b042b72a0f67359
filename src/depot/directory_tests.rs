//! A directory takes and gives back, refuses what others may write, and knows what is not what it was.

use super::*;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;
use tokio::sync::mpsc::channel;

const KEY: &str = "shop/postgres/main/nightly-1a2b";

fn place() -> (TempDir, Directory) {
    let root = TempDir::new().unwrap();
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let directory = Directory::new(root.path());
    (root, directory)
}

async fn put(directory: &Directory, name: &str, text: &[u8]) -> Result<Part> {
    let (to, from) = channel(1);
    let text = text.to_owned();
    let send = async move {
        for piece in text.chunks(1_000) {
            if to.send(Bytes::copy_from_slice(piece)).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(directory.put(KEY, name, from), send).0
}

async fn get(directory: &Directory, part: &Part) -> (Result<()>, Vec<u8>) {
    let (to, mut from) = channel::<Bytes>(1);
    let take = async {
        let mut all = Vec::new();
        while let Some(bytes) = from.recv().await {
            all.extend_from_slice(&bytes);
        }
        all
    };
    tokio::join!(directory.get(KEY, part, to), take)
}

#[tokio::test]
async fn what_is_written_is_read_back_and_goes_whole() {
    let (root, directory) = place();
    let long: Vec<u8> = (0..700_000_u32).map(|n| (n % 251) as u8).collect();
    let part = put(&directory, "0.dump", &long).await.unwrap();
    assert_eq!((part.bytes, part.sha256.len()), (700_000, 64));
    assert_eq!(get(&directory, &part).await, (Ok(()), long));
    assert_eq!(directory.index(KEY).await, Ok(None), "without an index there is no backup");
    directory.put_index(KEY, b"{}").await.unwrap();
    assert_eq!(directory.index(KEY).await, Ok(Some(b"{}".to_vec())));
    let again = put(&directory, "0.dump", b"other").await.unwrap();
    assert_eq!(get(&directory, &again).await, (Ok(()), b"other".to_vec()), "a part is replaced");
    directory.remove(KEY).await.unwrap();
    directory.remove(KEY).await.unwrap();
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "nothing is left of it");
}

#[tokio::test]
async fn what_is_not_what_was_written_is_never_given_whole() {
    let (root, directory) = place();
    let part = put(&directory, "0.dump", b"all of it").await.unwrap();
    let path = root.path().join(KEY).join("0.dump");
    for text in [&b"all of iT"[..], b"all of", b"all of it and more", b""] {
        fs::write(&path, text).unwrap();
        let (result, all) = get(&directory, &part).await;
        assert!(matches!(&result, Err(DepotError::Corrupt(_))), "{result:?}");
        assert!(all.len() < part.bytes as usize, "{} bytes", all.len());
    }
    fs::remove_file(&path).unwrap();
    assert!(matches!(get(&directory, &part).await.0, Err(DepotError::Corrupt(_))));
}

#[tokio::test]
async fn a_place_is_marked_once_and_known_again() {
    let (_root, directory) = place();
    assert_eq!(directory.look().await.unwrap().mark, None);
    assert_eq!(directory.mark("a").await.as_deref(), Ok("a"));
    assert_eq!(directory.mark("b").await.as_deref(), Ok("a"), "it is the same place to all");
    let look = directory.look().await.unwrap();
    assert_eq!(look.mark.as_deref(), Some("a"));
    assert!(look.free > 0 && look.free <= look.total, "{look:?}");
}

#[tokio::test]
async fn nothing_is_written_where_others_write_or_nothing_is() {
    let (root, directory) = place();
    for mode in [0o770, 0o707, 0o777] {
        fs::set_permissions(root.path(), fs::Permissions::from_mode(mode)).unwrap();
        let error = directory.mark("a").await.unwrap_err();
        assert!(matches!(&error, DepotError::Unsafe(words) if words.contains("chmod 0700")), "{error}");
        assert!(matches!(put(&directory, "0.dump", b"x").await, Err(DepotError::Unsafe(_))));
    }
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    let gone = Directory::new(&root.path().join("gone"));
    assert!(matches!(gone.look().await, Err(DepotError::Missing(_))));
    fs::write(root.path().join("file"), "").unwrap();
    assert!(matches!(Directory::new(&root.path().join("file")).look().await, Err(DepotError::Unsafe(_))));
    std::os::unix::fs::symlink("/etc", root.path().join("link")).unwrap();
    assert!(matches!(Directory::new(&root.path().join("link")).look().await, Err(DepotError::Unsafe(_))));
}

#[test]
fn keys_and_names_lead_nowhere_else() {
    let root = Path::new("/srv");
    for backup in ["", "/", "a//b", "../x", "a/..", "a/./b", "A", "a b", "a\0"] {
        assert!(folder(root, backup).is_err(), "{backup:?}");
    }
    for name in ["", ".", "..", "../x", "a/b", ".hidden", "a b", "a\0"] {
        assert!(file(root, "a", name).is_err(), "{name:?}");
    }
    assert_eq!(file(root, "a/b-1", "0.dump").unwrap(), Path::new("/srv/a/b-1/0.dump"));
}
