//! Room on a file system of this machine, and whether the kernel lets anybody write to it. Must never write.

use crate::core::seen::Space;
use std::fs;
use std::path::Path;

/// `mounts`: `/proc/self/mountinfo`. `None`: the directory cannot be seen from here.
pub(super) fn space(directory: &str, mounts: &Path) -> Option<Space> {
    let seen = rustix::fs::statvfs(directory).ok()?;
    let device = rustix::fs::stat(directory).ok()?.st_dev;
    let device = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    let bytes = |blocks: u64| blocks.saturating_mul(seen.f_frsize);
    let read_only = fs::read_to_string(mounts).is_ok_and(|mounts| is_read_only(&mounts, &device));
    Some(Space { free: bytes(seen.f_bavail), total: bytes(seen.f_blocks), read_only })
}

/// By the options of the file system itself, not of one mount of it: a container that sees it read-only says nothing of others
/// (proc_pid_mountinfo(5): device third, the options of the file system last).
fn is_read_only(mounts: &str, device: &str) -> bool {
    let mut of_device = mounts.lines().filter(|line| line.split(' ').nth(2) == Some(device));
    of_device.any(|line| {
        let options = line.rsplit(' ').next().unwrap_or_default();
        // The second: ext4 of newer kernels says so after an error, and leaves the first one out.
        options.split(',').any(|option| matches!(option, "ro" | "emergency_ro"))
    })
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
            assert_eq!(is_read_only(&mounts, "8:1"), want, "{mounts}");
        }
    }

    #[test]
    fn what_cannot_be_seen_is_unknown() {
        assert_eq!(space("/nowhere/at/all", Path::new("/proc/self/mountinfo")), None);
        let seen = space("/", Path::new("/proc/self/mountinfo")).unwrap();
        assert!(seen.total > 0 && !seen.read_only);
    }
}
