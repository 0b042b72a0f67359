//! Files as the engine's archive calls carry them: tar, built and read in memory.
//!
//! Must never hold a directory entry: one for an existing directory would change its owner and mode.

use crate::docker::FileToPut;
use std::io::{self, Read};
use zeroize::Zeroizing;

/// A tar of the files, paths relative to `/`.
///
/// # Errors
/// When a path is not absolute or holds `..`.
pub(super) fn pack(files: &[FileToPut]) -> io::Result<Zeroizing<Vec<u8>>> {
    // Enough room from the start, so that growing leaves no copy of a secret behind.
    let room: usize = files.iter().map(|f| f.content.len() + f.path.len() + 4096).sum();
    let mut tar = tar::Builder::new(Zeroized(Zeroizing::new(Vec::with_capacity(room + 4096))));
    for file in files {
        let path = file
            .path
            .strip_prefix('/')
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path is not absolute"))?;
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(file.content.len() as u64);
        header.set_mode(file.mode);
        header.set_uid(file.uid);
        header.set_gid(file.gid);
        header.set_mtime(now());
        tar.append_data(&mut header, path, file.content.as_slice())?;
    }
    Ok(tar.into_inner()?.0)
}

/// Wiped memory that can be written to.
struct Zeroized(Zeroizing<Vec<u8>>);

impl io::Write for Zeroized {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(buf);
        Ok(buf.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// The first entry of a downloaded tar.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    File(Vec<u8>),
    /// Where a symbolic link points, as written in it.
    Link(String),
    /// A directory, device, …
    Other,
}

/// The names of the links that lie directly in the directory that the tar is of, sorted.
///
/// # Errors
/// When it is no tar.
pub(super) fn links(tar: &[u8]) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in tar::Archive::new(tar).entries()? {
        let entry = entry?;
        if entry.header().entry_type() != tar::EntryType::Symlink {
            continue;
        }
        // `pg_tblspc/16385`: the directory's own name, then the link's.
        let path = entry.path()?;
        let mut parts = path.components().skip(1);
        if let (Some(name), None) = (parts.next(), parts.next()) {
            names.push(name.as_os_str().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Reads the first entry, at most `max` bytes of it. The tar may be cut after that.
///
/// # Errors
/// When it is no tar.
pub(super) fn first(tar: &[u8], max: usize) -> io::Result<Entry> {
    let mut archive = tar::Archive::new(tar);
    let Some(entry) = archive.entries()?.next() else {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "an empty archive"));
    };
    let entry = entry?;
    match entry.header().entry_type() {
        tar::EntryType::Regular | tar::EntryType::Continuous => {
            let mut content = Vec::new();
            entry.take(max as u64).read_to_end(&mut content)?;
            Ok(Entry::File(content))
        }
        tar::EntryType::Symlink => Ok(match entry.link_name()? {
            Some(to) => Entry::Link(to.to_string_lossy().into_owned()),
            None => Entry::Other,
        }),
        _ => Ok(Entry::Other),
    }
}

/// Where a link at `path` leads.
pub(super) fn resolve(path: &str, link: &str) -> String {
    if link.starts_with('/') {
        return link.to_owned();
    }
    let directory = path.trim_end_matches('/').rsplit_once('/').map_or("", |(dir, _)| dir);
    format!("{directory}/{link}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, content: &[u8]) -> FileToPut {
        FileToPut {
            path: path.into(),
            mode: 0o640,
            uid: 999,
            gid: 998,
            content: Zeroizing::new(content.to_vec()),
        }
    }

    #[test]
    fn packs_files_only() {
        let tar = pack(&[file("/run/a/b", b"one"), file("/etc/c", b"two")]).unwrap();
        let mut archive = tar::Archive::new(tar.as_slice());
        let got: Vec<String> = archive
            .entries()
            .unwrap()
            .map(|e| {
                let e = e.unwrap();
                let h = e.header();
                format!(
                    "{} {:o} {} {}",
                    e.path().unwrap().display(),
                    h.mode().unwrap(),
                    h.uid().unwrap(),
                    h.gid().unwrap()
                )
            })
            .collect();
        assert_eq!(got, ["run/a/b 640 999 998", "etc/c 640 999 998"]);
        assert_eq!(first(&tar, 2).unwrap(), Entry::File(b"on".to_vec()));
    }

    #[test]
    fn refuses_paths_that_leave() {
        assert!(pack(&[file("relative", b"")]).is_err());
        assert!(pack(&[file("/a/../../b", b"")]).is_err());
    }

    #[test]
    fn links_lead_where_the_kernel_would_go() {
        for (path, link, want) in [
            ("/usr/lib/os-release", "../x", "/usr/lib/../x"),
            ("/etc/os-release", "/usr/lib/os-release", "/usr/lib/os-release"),
            ("/a", "b", "/b"),
        ] {
            assert_eq!(resolve(path, link), want);
        }
    }

    #[test]
    fn garbage_is_an_error() {
        assert!(first(&[], 10).is_err());
        assert!(first(&[7; 1024], 10).is_err());
    }
}
