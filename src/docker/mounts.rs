//! Room on a file system of this machine, and whether the kernel lets anybody write to it. Must never write.

use crate::core::seen::Space;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// For so long what the kernel said of all mounts is good for everybody.
const FRESH: Duration = Duration::from_secs(5);

/// Which file systems are read-only. The kernel writes its whole table for each reader, with some lines for each container:
/// read anew for each of two hundred volumes it costs more than everything else about them.
pub(super) struct Mounts {
    /// `/proc/self/mountinfo`
    table: PathBuf,
    last: Mutex<Option<(Instant, BTreeSet<String>)>>,
}

impl Default for Mounts {
    fn default() -> Self {
        Self::of(Path::new("/proc/self/mountinfo"))
    }
}

impl Mounts {
    fn of(table: &Path) -> Self {
        Self { table: table.to_owned(), last: Mutex::default() }
    }

    fn is_read_only(&self, device: &str) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_none_or(|(at, _)| at.elapsed() >= FRESH) {
            *last = fs::read_to_string(&self.table).ok().map(|table| (Instant::now(), read_only(&table)));
        }
        last.as_ref().is_some_and(|(_, devices)| devices.contains(device))
    }
}

/// `None`: the directory cannot be seen from here.
pub(super) fn space(directory: &str, mounts: &Mounts) -> Option<Space> {
    let seen = rustix::fs::statvfs(directory).ok()?;
    let device = rustix::fs::stat(directory).ok()?.st_dev;
    let device = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    let bytes = |blocks: u64| blocks.saturating_mul(seen.f_frsize);
    let read_only = mounts.is_read_only(&device);
    Some(Space { free: bytes(seen.f_bavail), total: bytes(seen.f_blocks), read_only })
}

/// By the options of the file system itself, not of one mount of it: a container that sees it read-only says nothing of others
/// (proc_pid_mountinfo(5): device third, the options of the file system last).
fn read_only(table: &str) -> BTreeSet<String> {
    let of_line = |line: &str| {
        let options = line.rsplit(' ').next().unwrap_or_default();
        // The second: ext4 of newer kernels says so after an error, and leaves the first one out.
        let is = options.split(',').any(|option| matches!(option, "ro" | "emergency_ro"));
        line.split(' ').nth(2).filter(|_| is).map(str::to_owned)
    };
    table.lines().filter_map(of_line).collect()
}

/// Of what is mounted at `path`, the last one on top, by the options of that mount (proc_pid_mountinfo(5): mount point fifth, its
/// options sixth). `None`: nothing is.
pub(super) fn lets_nobody_write(mounts: &str, path: &str) -> Option<bool> {
    let on_top = mounts.lines().rfind(|line| line.split(' ').nth(4) == Some(path))?;
    Some(on_top.split(' ').nth(5)?.split(',').any(|option| option == "ro"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_on_top_says_whether_anything_can_be_written() {
        let line =
            |at: &str, options: &str| format!("1 2 8:1 /v {at} {options} master:1 - ext4 /dev/sda1 rw\n");
        for (mounts, want) in [
            (line("/data", "rw,relatime"), Some(false)),
            (line("/data", "ro,relatime"), Some(true)),
            (line("/data", "rw") + &line("/data", "ro"), Some(true)),
            (line("/data", "ro") + &line("/data", "rw"), Some(false)),
            (line("/", "ro") + &line("/data/x", "ro"), None),
            ("garbage\n".to_owned(), None),
        ] {
            assert_eq!(lets_nobody_write(&mounts, "/data"), want, "{mounts}");
        }
    }

    #[test]
    fn a_file_system_is_read_only_and_not_one_mount_of_it() {
        let line = |mount: &str, system: &str| {
            format!(
                "36 35 8:1 / /var/lib/docker {mount},noatime master:1 - ext4 /dev/sda1 {system},errors=remount-ro\n"
            )
        };
        for (mounts, want) in [
            (line("rw", "rw"), false),
            (line("ro", "rw"), false),
            (line("rw", "ro"), true),
            (line("rw", "rw,abort,emergency_ro"), true),
            (line("rw", "rw").replace("8:1", "8:2") + &line("rw", "ro").replace("8:1", "8:3"), false),
            (String::new(), false),
            ("garbage\n".to_owned(), false),
        ] {
            assert_eq!(read_only(&mounts).contains("8:1"), want, "{mounts}");
        }
    }

    #[test]
    fn the_table_is_read_once_for_all_who_ask_at_once() {
        let table = tempfile::NamedTempFile::new().unwrap();
        let line = |device: &str| format!("36 35 {device} / /d rw - ext4 /dev/sda1 ro\n");
        fs::write(table.path(), line("8:1")).unwrap();
        let mounts = Mounts::of(table.path());
        assert!(mounts.is_read_only("8:1") && !mounts.is_read_only("8:2"));
        fs::write(table.path(), line("8:2")).unwrap();
        assert!(mounts.is_read_only("8:1"), "read a moment ago");
        mounts.last.lock().unwrap().as_mut().unwrap().0 -= FRESH;
        assert!(mounts.is_read_only("8:2") && !mounts.is_read_only("8:1"));
    }

    #[test]
    fn what_cannot_be_seen_is_unknown() {
        assert_eq!(space("/nowhere/at/all", &Mounts::default()), None);
        let seen = space("/", &Mounts::default()).unwrap();
        assert!(seen.total > 0 && !seen.read_only);
    }
}
