//! Opens what lies below a directory, and nothing else: the links on the way are walked here, step by step
//! on opened folders, so that none leaves the directory, however fast somebody swaps them.
//!
//! It must never open what is not a regular file or a folder: to open a pipe is to wait for its writer, and
//! to open a device may do something.

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Links that lead to links, as the kernel counts them.
const MAX_LINKS: usize = 40;

/// An opened folder and those above it, the top first.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    above: Vec<Arc<OwnedFd>>,
    own: Arc<OwnedFd>,
    top: Arc<Top>,
}

#[derive(Debug)]
struct Top {
    /// The absolute paths of the top: what a link may begin with.
    names: Vec<PathBuf>,
}

/// What a name in a folder leads to.
#[derive(Debug)]
pub(super) enum Found {
    File(File),
    Folder(Folder),
}

/// Why nothing was opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// The name itself is not there.
    #[error("it is not there")]
    Gone,
    #[error("cannot be read: the link leads nowhere")]
    Nowhere,
    #[error(
        "not read: the link leads out of the manifest directory, and such links are not followed: put the file itself there"
    )]
    Leaves,
    #[error("cannot be read: too many links that lead to links")]
    Links,
    #[error("not read: not a regular file but {0}")]
    Special(&'static str),
    #[error("cannot be read: {0}")]
    Disk(io::Error),
}

impl From<Errno> for Refused {
    fn from(errno: Errno) -> Self {
        Refused::Disk(errno.into())
    }
}

impl Folder {
    /// Opens the top, which may itself be a link.
    ///
    /// # Errors
    /// Of the disk; `NotADirectory` when it is something else.
    pub(super) fn top(dir: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let own = Arc::new(rustix::fs::open(dir, flags, Mode::empty())?);
        let names = [std::path::absolute(dir).ok(), std::fs::canonicalize(dir).ok()];
        let top = Arc::new(Top { names: names.into_iter().flatten().collect() });
        Ok(Self { above: Vec::new(), own, top })
    }

    /// The same for the same folder, whatever leads to it.
    pub(super) fn id(&self) -> io::Result<(u64, u64)> {
        let stat = rustix::fs::fstat(&*self.own)?;
        Ok((stat.st_dev, stat.st_ino))
    }

    /// Hands over the names in it, in no order, until `take` says that it has enough.
    pub(super) fn names(&self, mut take: impl FnMut(&OsStr) -> bool) -> io::Result<()> {
        for entry in Dir::read_from(&*self.own)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." && !take(name) {
                break;
            }
        }
        Ok(())
    }

    /// What `name`, one step without `/`, leads to.
    pub(super) fn find(&self, name: &OsStr) -> Result<Found, Refused> {
        let mut here = self.clone();
        let mut steps: Vec<OsString> = vec![name.to_owned()];
        let mut links = 0;
        while let Some(step) = steps.pop() {
            if step == ".." {
                here.own = here.above.pop().ok_or(Refused::Leaves)?;
                continue;
            }
            let missing = if links == 0 { Refused::Gone } else { Refused::Nowhere };
            let stat = match rustix::fs::statat(&*here.own, &step, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => return Err(missing),
                other => other?,
            };
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Symlink => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Refused::Links);
                    }
                    let target = rustix::fs::readlinkat(&*here.own, &step, Vec::new())?;
                    here.follow(Path::new(OsStr::from_bytes(target.to_bytes())), &mut steps)?;
                }
                FileType::Directory => {
                    let inner = Arc::new(here.open(&step, OFlags::DIRECTORY)?);
                    here.above.push(std::mem::replace(&mut here.own, inner));
                }
                FileType::RegularFile if steps.is_empty() => return here.file(&step).map(Found::File),
                FileType::RegularFile => return Err(Refused::Nowhere),
                other => return Err(Refused::Special(named(other))),
            }
        }
        Ok(Found::Folder(here))
    }

    /// Puts the steps of a link's target before those that remain.
    fn follow(&mut self, target: &Path, steps: &mut Vec<OsString>) -> Result<(), Refused> {
        let relative = if target.is_absolute() {
            let inside = self.top.names.iter().find_map(|name| target.strip_prefix(name).ok());
            if let Some(top) = self.above.first() {
                self.own = Arc::clone(top);
            }
            self.above.clear();
            inside.ok_or(Refused::Leaves)?
        } else {
            target
        };
        for step in relative.components().rev() {
            match step {
                Component::Normal(_) | Component::ParentDir => steps.push(step.as_os_str().to_owned()),
                Component::CurDir => {}
                Component::RootDir | Component::Prefix(_) => return Err(Refused::Leaves),
            }
        }
        Ok(())
    }

    fn file(&self, name: &OsStr) -> Result<File, Refused> {
        let opened = self.open(name, OFlags::NOCTTY)?;
        // What counts is what was opened, not what stood there a moment before.
        match FileType::from_raw_mode(rustix::fs::fstat(&opened)?.st_mode) {
            FileType::RegularFile => Ok(File::from(opened)),
            other => Err(Refused::Special(named(other))),
        }
    }

    fn open(&self, name: &OsStr, more: OFlags) -> Result<OwnedFd, Refused> {
        // NONBLOCK: neither a pipe nor a lease that stands there now can make it wait.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | more;
        match rustix::fs::openat(&*self.own, name, flags, Mode::empty()) {
            Err(Errno::NOENT) => Err(Refused::Gone),
            other => Ok(other?),
        }
    }
}

fn named(kind: FileType) -> &'static str {
    match kind {
        FileType::Fifo => "a pipe",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Directory => "a folder",
        FileType::Symlink => "a link",
        _ => "something else",
    }
}
