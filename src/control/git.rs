//! Whether git is at work around the manifests: while it is, a file that is missing says nothing.
//!
//! Only names are looked at, and one short file that says where a work tree keeps them. It must never run git,
//! change anything, or wait for a disk for longer than [`PATIENCE`].

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What lies in git's directory while it changes the work tree, or waits for its user to go on.
const UNDER_WAY: [&str; 8] = [
    "index.lock",
    "HEAD.lock",
    "MERGE_HEAD",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "rebase-merge",
    "rebase-apply",
    "BISECT_LOG",
];
/// Folders that are looked at for a repository.
const MAX_FOLDERS: usize = 256;
/// Bytes of a `.git` file: `gitdir: ` and a path.
const MAX_LINK: u64 = 4_352;
/// How long the disk may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks at most once at a time: what does not answer is not asked again.
#[derive(Clone, Debug, Default)]
pub struct Git(Arc<AtomicBool>);

impl Git {
    /// What git is at, in words with what to do about it, for the directory and the folders of `files` in it;
    /// `None` when it rests or there is none.
    pub async fn under_way(&self, dir: &Path, files: &BTreeSet<String>) -> Option<String> {
        let silent = || {
            Some(format!(
                "whether git is at work in {} cannot be told: the disk does not answer",
                dir.display()
            ))
        };
        if self.0.swap(true, Ordering::SeqCst) {
            return silent();
        }
        let (busy, top, files) = (Arc::clone(&self.0), dir.to_owned(), files.clone());
        let asked = tokio::task::spawn_blocking(move || {
            let answer = under_way(&top, &files);
            busy.store(false, Ordering::SeqCst);
            answer
        });
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(answer)) => answer,
            _ => silent(),
        }
    }
}

/// Blocks on the disk.
fn under_way(dir: &Path, files: &BTreeSet<String>) -> Option<String> {
    let real = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let folders = files.iter().filter_map(|file| Path::new(file).parent()).map(|folder| real.join(folder));
    let mut seen = BTreeSet::new();
    for start in folders.chain([real.clone()]) {
        for folder in start.ancestors() {
            if seen.len() >= MAX_FOLDERS || !seen.insert(folder.to_owned()) {
                break;
            }
            let found = git_dir(folder).and_then(|git| at_work(&git));
            if let Some(sign) = found {
                return Some(words(folder, &sign));
            }
        }
    }
    None
}

/// Where the repository whose work tree is `folder` keeps its state.
fn git_dir(folder: &Path) -> Option<PathBuf> {
    let git = folder.join(".git");
    let meta = fs::symlink_metadata(&git).ok()?;
    if meta.is_file() && meta.len() <= MAX_LINK {
        // A linked work tree or a submodule.
        let mut text = String::new();
        File::open(&git).ok()?.take(MAX_LINK).read_to_string(&mut text).ok()?;
        let path = text.strip_prefix("gitdir:")?.trim();
        return Some(folder.join(path));
    }
    (meta.is_dir() || meta.is_symlink()).then_some(git)
}

fn at_work(git: &Path) -> Option<PathBuf> {
    UNDER_WAY.iter().map(|name| git.join(name)).find(|path| fs::symlink_metadata(path).is_ok())
}

fn words(folder: &Path, sign: &Path) -> String {
    let since = fs::symlink_metadata(sign).and_then(|meta| meta.modified()).ok();
    let since = since
        .and_then(|time| jiff::Timestamp::try_from(time).ok())
        .and_then(|time| jiff::Timestamp::from_second(time.as_second()).ok())
        .map(|time| format!(" since {time}"))
        .unwrap_or_default();
    let end = if sign.extension().is_some_and(|end| end == "lock") {
        "if no git runs there any more, remove that file"
    } else {
        "finish or abort it: `git status` there says how"
    };
    format!("git is at work in {} ({} is there{since}); {end}", folder.display(), sign.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(dir: &Path, file: &str) -> Option<String> {
        under_way(dir, &BTreeSet::from([file.to_owned()]))
    }

    #[test]
    fn a_sign_of_git_is_found_above_beside_and_behind_a_link() {
        let root = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(root.path()).unwrap();
        let manifests = root.join("repo/deploy/manifests");
        fs::create_dir_all(manifests.join("team/.git")).unwrap();
        fs::create_dir_all(root.join("repo/.git/worktrees/w")).unwrap();
        assert_eq!(asked(&manifests, "a.yaml"), None);
        for name in UNDER_WAY {
            let sign = root.join("repo/.git").join(name);
            fs::write(&sign, "").unwrap();
            let words = asked(&manifests, "gone/a.yaml").unwrap();
            assert!(words.contains(sign.to_str().unwrap()) && words.contains(" since 2"), "{words}");
            assert_eq!(words.contains("remove that file"), name.ends_with(".lock"), "{words}");
            fs::remove_file(sign).unwrap();
        }
        // A repository of its own inside of the directory.
        fs::write(manifests.join("team/.git/index.lock"), "").unwrap();
        assert!(asked(&manifests, "team/a.yaml").is_some());
        assert_eq!(asked(&manifests, "a.yaml"), None);
        // A linked work tree: the state lies in the main repository.
        let tree = root.join("tree");
        fs::create_dir(&tree).unwrap();
        fs::write(tree.join(".git"), "gitdir: ../repo/.git/worktrees/w\n").unwrap();
        assert_eq!(asked(&tree, "a.yaml"), None);
        fs::write(root.join("repo/.git/worktrees/w/MERGE_HEAD"), "").unwrap();
        assert!(asked(&tree, "a.yaml").unwrap().contains("worktrees/w/MERGE_HEAD"));
        // What is no link of git leads nowhere.
        fs::write(tree.join(".git"), "/etc/passwd\n").unwrap();
        assert_eq!(asked(&tree, "a.yaml"), None);
    }
}
