//! A directory of manifests → the objects it names, and everything wrong with their text.
//!
//! What could not be read is *unknown*, never absent: nothing in here may let an unreadable file or
//! folder look like a deleted one. It must not judge specs.

mod beneath;
mod patience;
mod scan;

use crate::core::names::ObjectRef;
use crate::core::problem::{Place, Problem};
use crate::core::resource::Document;
use crate::core::text::{NAME, shown};
use crate::manifest::header::{self, Header};
use crate::manifest::yaml::{self, Room};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

pub use scan::{is_skipped, looks_like_a_manifest};

/// Bytes of one file.
pub const MAX_FILE: u64 = 1 << 20;
/// Bytes of all files.
pub const MAX_TOTAL: u64 = 32 << 20;
/// Files in one directory, at any depth.
pub const MAX_FILES: usize = 10_000;
/// Documents in all files.
pub const MAX_DOCUMENTS: usize = 20_000;
/// Keys and values in all files: what bounds the memory they take.
pub const MAX_ALL_NODES: usize = 1_000_000;
/// Names of passed over files that are told.
const MAX_PASSED_OVER: usize = 10;
/// Problems that are kept of one file.
const MAX_PROBLEMS: usize = 200;
/// Places that are told where one object is defined again.
const MAX_TWINS: usize = 20;
/// Problems that are kept of all files: of those that come after it, one each.
const MAX_ALL_PROBLEMS: usize = 5_000;

/// The state of the watched directory as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Directory {
    #[default]
    Present,
    /// It is there, and there is no manifest file in it.
    Empty,
    Missing,
    Unreadable(String),
}

/// One file, or one folder that could not be read (its name then ends in `/`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileState {
    /// The file may name objects that are not in [`Loaded`]: it must not count as having lost any.
    pub broken: bool,
}

/// An object that is named by a document which cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    pub document: Document,
    /// The first one; all of them are in [`Loaded::problems`].
    pub problems: Vec<Problem>,
}

/// What a directory of manifests says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    pub directory: Directory,
    /// By path relative to the directory.
    pub files: BTreeMap<String, FileState>,
    /// All documents whose head is right, in the order of files and lines; also all of those that
    /// name the same object.
    pub documents: Vec<Document>,
    /// Documents that name their object but cannot be used: the object is wanted, its words are not known.
    pub rejected: Vec<Rejected>,
    /// Documents of a known kind without a good name, under a made-up one: only to say what else is wrong
    /// with them.
    pub nameless: Vec<Document>,
    /// Objects that more than one document names, and where. The caller says which one is in force.
    pub duplicates: BTreeMap<ObjectRef, Vec<Place>>,
    /// By place.
    pub problems: Vec<Problem>,
    /// False when a limit ended the scan early: then files that are not listed are unknown, not gone.
    pub complete: bool,
    /// Names that were passed over, relative to the directory; see [`Texts::ignored`].
    pub ignored: Vec<String>,
}

impl Loaded {
    /// What is said of files that are no manifests by their name, and that somebody may take for some.
    #[must_use]
    pub fn passed_over(&self) -> Option<String> {
        let names: Vec<&String> = self.ignored.iter().filter(|name| looks_like_a_manifest(name)).collect();
        let mut list: Vec<String> =
            names.iter().take(MAX_PASSED_OVER).map(|name| shown(name, NAME)).collect();
        if names.len() > list.len() {
            list.push(format!("{} more", names.len() - list.len()));
        }
        let verb = if names.len() == 1 { "is" } else { "are" };
        let why = "the name of a manifest ends in .yaml, .yml or .json (in lower case)";
        (!list.is_empty()).then(|| format!("{} {verb} not read: {why}", list.join(", ")))
    }

    /// What its documents name, those too that cannot be used.
    pub fn objects(&self) -> impl Iterator<Item = &ObjectRef> {
        let rejected = self.rejected.iter().map(|rejected| &rejected.document);
        self.documents.iter().chain(rejected).map(|document| &document.object)
    }

    /// The same with the other objects of `base`.
    #[must_use]
    pub fn over(mut self, base: Self) -> Self {
        let mine: BTreeSet<ObjectRef> = self.objects().cloned().collect();
        let other = |object: &ObjectRef| !mine.contains(object);
        self.documents.extend(base.documents.into_iter().filter(|document| other(&document.object)));
        self.rejected.extend(base.rejected.into_iter().filter(|one| other(&one.document.object)));
        self.duplicates.extend(base.duplicates.into_iter().filter(|(object, _)| other(object)));
        self.problems.extend(base.problems);
        self.files.extend(base.files);
        self.complete &= base.complete;
        self.directory = base.directory;
        self
    }

    /// Whether nothing can be said about what `file` names now: an object that was last seen there
    /// must not count as removed.
    #[must_use]
    pub fn is_unknown(&self, file: &str) -> bool {
        if matches!(self.directory, Directory::Missing | Directory::Unreadable(_)) {
            return true;
        }
        match self.files.get(file) {
            Some(state) => state.broken,
            None => {
                let inside = |folder: &str| folder.ends_with('/') && file.starts_with(folder);
                !self.complete || self.files.iter().any(|(name, state)| state.broken && inside(name))
            }
        }
    }
}

/// What was found under the name of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileText {
    Bytes(Vec<u8>),
    /// It was not read: why, and what to do about it.
    NotRead(String),
}

/// The texts of a directory, not looked into yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    pub directory: Directory,
    /// By path relative to the directory.
    pub files: BTreeMap<String, FileText>,
    /// The limit that ended the scan.
    pub limit: Option<Problem>,
    /// Names of files and folders that are no manifests or hidden, relative to the directory, in order; not
    /// more than [`MAX_FILES`].
    pub ignored: Vec<String>,
    /// By name, of the files that were read: when each was last written.
    pub stamps: BTreeMap<String, Stamp>,
}

/// Which text of a file was read, as the file system tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    pub device: u64,
    pub inode: u64,
    pub size: u64,
    /// Nanoseconds since 1970: the last write.
    pub written: i128,
    /// The same: the last change of the inode. Writing moves both; a rename, or whoever sets the time of the
    /// last write, only this.
    pub changed: i128,
    /// The last line has an end.
    pub ended: bool,
}

impl Texts {
    /// The same for the same texts under the same names, and for nothing else: 64 hex digits.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut all = Sha256::new();
        let mut part = |bytes: &[u8]| {
            all.update((bytes.len() as u64).to_be_bytes());
            all.update(bytes);
        };
        part(format!("{:?} {:?}", self.directory, self.limit).as_bytes());
        for name in &self.ignored {
            part(name.as_bytes());
        }
        for (name, text) in &self.files {
            part(name.as_bytes());
            match text {
                FileText::Bytes(bytes) => part(bytes),
                FileText::NotRead(why) => part(format!("not read: {why}").as_bytes()),
            }
        }
        hex(&all.finalize())
    }
}

/// Reads every manifest under `dir` and does not look into it. Blocks on the disk, for a minute at most:
/// what does not answer is a file that was not read.
#[must_use]
pub fn read_dir(dir: &Path) -> Texts {
    patience::patiently(dir, scan::scan)
}

/// Reads and understands every manifest under `dir`. Blocks on the disk.
#[must_use]
pub fn load_dir(dir: &Path) -> Loaded {
    load(read_dir(dir))
}

#[must_use]
pub fn load(texts: Texts) -> Loaded {
    let Texts { directory, files, limit, ignored, stamps: _ } = texts;
    let mut loaded = load_texts(files);
    loaded.ignored = ignored;
    if directory != Directory::Present {
        loaded.directory = directory;
    }
    if let Some(limit) = limit {
        loaded.complete = false;
        loaded.problems.push(limit);
        loaded.problems.sort();
    }
    loaded
}

/// The same for texts by relative path.
#[must_use]
pub fn load_texts(files: BTreeMap<String, FileText>) -> Loaded {
    let directory = if files.is_empty() { Directory::Empty } else { Directory::Present };
    let mut loaded = Loaded {
        directory,
        files: BTreeMap::new(),
        documents: Vec::new(),
        rejected: Vec::new(),
        nameless: Vec::new(),
        duplicates: BTreeMap::new(),
        problems: Vec::new(),
        complete: true,
        ignored: Vec::new(),
    };
    let mut room = Room { documents: MAX_DOCUMENTS, nodes: MAX_ALL_NODES };
    for (name, text) in files {
        let state = load_file(&name, text, &mut room, &mut loaded);
        loaded.files.insert(name, state);
    }
    find_duplicates(&mut loaded);
    loaded.problems.sort();
    loaded
}

fn load_file(name: &str, text: FileText, room: &mut Room, loaded: &mut Loaded) -> FileState {
    let whole = Place { file: name.to_owned(), line: 0, column: 0 };
    let bytes = match text {
        FileText::Bytes(bytes) => bytes,
        FileText::NotRead(why) => {
            loaded.problems.push(Problem::new(whole, "", why));
            return FileState { broken: true };
        }
    };
    let mut state = FileState { broken: false };
    let parsed = yaml::parse(name, &bytes, room);
    drop(bytes);
    if let Some(problem) = parsed.broken {
        // What stood before the error may be half of what was meant.
        loaded.problems.push(problem);
        state.broken = true;
        return state;
    }
    let limit = if loaded.problems.len() < MAX_ALL_PROBLEMS { MAX_PROBLEMS } else { 1 };
    let (mut problems, mut more) = (Vec::new(), 0);
    let mut keep = |mut own: Vec<Problem>| {
        more += own.len().saturating_sub(limit.saturating_sub(problems.len()));
        own.truncate(limit.saturating_sub(problems.len()));
        problems.append(&mut own);
    };
    for document in parsed.documents {
        match header::read(document) {
            Header::Good(document) => loaded.documents.push(document),
            Header::Rejected(document, own) => {
                let first = own.iter().take(1).cloned().collect();
                keep(own);
                loaded.rejected.push(Rejected { document, problems: first });
            }
            Header::Unknown(document, own) => {
                keep(own);
                loaded.nameless.extend(document);
                state.broken = true;
            }
        }
    }
    if more > 0 {
        problems.push(Problem::new(whole, "", format!("{more} more problems in this file")));
    }
    loaded.problems.append(&mut problems);
    state
}

fn find_duplicates(loaded: &mut Loaded) {
    let mut places: BTreeMap<&ObjectRef, Vec<&Place>> = BTreeMap::new();
    for document in loaded.documents.iter().chain(loaded.rejected.iter().map(|r| &r.document)) {
        places.entry(&document.object).or_default().push(&document.place);
    }
    let mut duplicates = BTreeMap::new();
    for (object, mut places) in places {
        places.sort();
        let [first, others @ ..] = places.as_slice() else { continue };
        for place in others.iter().take(MAX_TWINS) {
            let what = format!("{object} is already defined at {first}");
            let problem = Problem::new((*place).clone(), "metadata.name", what);
            loaded.problems.push(problem.nearest("give one of them another name or remove it"));
        }
        if others.len() > MAX_TWINS {
            let what = format!("{object} is already defined in {} more places", others.len() - MAX_TWINS);
            loaded.problems.push(Problem::new((*first).clone(), "metadata.name", what));
        }
        if !others.is_empty() {
            duplicates.insert(object.clone(), places.into_iter().cloned().collect());
        }
    }
    loaded.duplicates = duplicates;
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
