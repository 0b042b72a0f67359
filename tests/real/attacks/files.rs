//! What whoever can write a manifest, or put something into the data directory, can do with it: files, links and
//! documents never show a secret, and never hold anything up.

use crate::harness::{PATIENCE, Sea, condition, postgres, text, wait_for};
use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Everything that Seawall says or writes down, by where.
fn all_that_is_said(sea: &Sea) -> Vec<(String, String)> {
    let mut said: Vec<(String, String)> = vec![("log".to_owned(), sea.log())];
    let manifests = sea.manifests.to_str().unwrap().to_owned();
    for verb in [
        &["get"][..],
        &["get", "-o", "json"],
        &["get", "-o", "yaml"],
        &["events"],
        &["events", "-o", "json"],
        &["export"],
        &["plan"],
        &["plan", "-o", "json"],
        &["plan", &manifests],
        &["validate", &manifests],
        &["describe", "postgres/a"],
        &["doctor"],
    ] {
        said.push((verb.join(" "), text(&sea.cli(verb))));
    }
    let mut folders = vec![sea.data.join("status")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => said.push((
                    entry.path().display().to_string(),
                    String::from_utf8_lossy(&fs::read(entry.path()).unwrap()).into_owned(),
                )),
            }
        }
    }
    said
}

/// Waits until `get` says `needle` of `file`.
fn told(sea: &Sea, file: &str, needle: &str) {
    let start = Instant::now();
    loop {
        let get = text(&sea.cli(&["get"]));
        if get.lines().any(|line| line.contains(file) && line.contains(needle)) {
            return;
        }
        assert!(start.elapsed() < *PATIENCE, "{file}: {needle:?} is not told:\n{get}\n{}", sea.log());
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

/// `validate` says `needle` of `file`.
fn listed(sea: &Sea, file: &str, needle: &str) {
    let said = text(&sea.cli(&["validate", sea.manifests.to_str().unwrap()]));
    let found = said.lines().any(|line| line.contains(file) && line.contains(needle));
    assert!(found, "{file}: {needle:?} is not told:\n{said}");
}

/// A new object is taken over: manifests are still handled.
fn still_reads(sea: &Sea, name: &str) {
    sea.postgres(name, "{version: '18', stopped: true}");
    wait_for("a new manifest is taken over", || (!sea.object(name).is_null()).then_some(()));
}

#[test]
fn no_file_or_link_shows_a_secret_or_holds_anything_up() {
    let mut sea = Sea::start();
    sea.postgres("a", "{version: '18'}");
    sea.ready("a");
    let key = fs::read_to_string(sea.data.join("encryption_key")).unwrap().trim().to_owned();
    let out = sea.root().join("outside");
    fs::create_dir(&out).unwrap();
    let secret = "correct horse battery staple";
    fs::write(out.join("secret.yaml"), format!("{secret}: [{secret}]\n")).unwrap();
    let leaves = "leads out of the manifest directory";
    let links: Vec<(&str, std::path::PathBuf, &str)> = vec![
        ("k1.yaml", "../data/encryption_key".into(), leaves),
        ("k2.yaml", sea.data.join("encryption_key"), leaves),
        ("k3.yaml", "k2.yaml".into(), leaves),
        ("k4.yaml", format!("/proc/{}/environ", sea.pid()).into(), leaves),
        ("shadow.yaml", "/etc/shadow".into(), leaves),
        ("up.yaml", "../manifests/../outside/secret.yaml".into(), leaves),
        ("root", "/".into(), leaves),
        ("data", "../data".into(), leaves),
        ("parent", "..".into(), leaves),
        ("through.yaml", "data/encryption_key".into(), leaves),
        ("kmsg.yaml", "/proc/kmsg".into(), leaves),
        ("zero.yaml", "/dev/zero".into(), leaves),
        ("fifo.yaml", "pipe".into(), "not a regular file but a pipe"),
        ("tty.yaml", "/dev/tty".into(), leaves),
    ];
    let fifo = Command::new("mkfifo").arg("pipe").arg("own-pipe.yaml").current_dir(&sea.manifests).status();
    assert!(fifo.unwrap().success());
    for (name, target, _) in &links {
        symlink(target, sea.manifests.join(name)).unwrap();
    }
    // `get` shows the first few and how many there are, `validate` all of them.
    told(&sea, "problems in the manifests", &format!(" {} problems", links.len() + 1));
    for (name, _, why) in links.iter().chain([&("own-pipe.yaml", "".into(), "not a regular file but a pipe")])
    {
        listed(&sea, name, why);
    }
    still_reads(&sea, "b");

    // The same as files: a copy, a key of a mapping, a shadow file, something broken behind something good.
    let shadow = fs::read_to_string("/etc/shadow").unwrap_or_default();
    let hash =
        "root:$6$saltsalt$0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.:19000:0:99999:7:::";
    for (name, words) in [
        ("c1.yaml", format!("{key}\n")),
        ("c2.yaml", format!("{key}: {key}\n")),
        ("c3.yaml", format!("- {key}\n- {secret}\n")),
        ("c4.yaml", format!("{hash}\n{shadow}\n")),
        (
            "c5.yaml",
            format!("{}  {key}: {secret}\n", postgres("c5", "").trim_end_matches(" \n").to_owned() + "\n"),
        ),
        ("c6.yaml", format!("{secret}: '{secret}\n")),
        ("c7.yaml", format!("\x1b]0;{secret}\x07\n")),
    ] {
        sea.write(name, &words);
        listed(&sea, name, "");
    }
    // The last version of an object is kept when its file becomes somebody else's text.
    sea.write("a.yaml", &format!("{key}: {secret}\n"));
    sea.until_condition("a", "Degraded", "True", "ManifestBroken");
    std::thread::sleep(std::time::Duration::from_secs(1));
    still_reads(&sea, "d");

    let real_hashes: Vec<&str> =
        shadow.lines().filter_map(|l| l.split(':').nth(1)).filter(|h| h.len() > 12).collect();
    for (place, words) in all_that_is_said(&sea) {
        for part in [&key[24..34], &key[54..], "saltsalt$01", "XYZ", "battery staple"] {
            assert!(!words.contains(part), "{place} shows {part}");
        }
        assert!(!real_hashes.iter().any(|hash| words.contains(hash)), "{place} shows a line of /etc/shadow");
        assert!(!words.contains('\x1b') && !words.contains('\x07'), "{place} has control characters");
    }
    sea.stop();
}

/// A file system that never answers: the program behind it never says a word.
struct Frozen {
    path: std::path::PathBuf,
    holder: std::process::Child,
}

impl Frozen {
    /// `mode` is that of its top, a folder or a file, in octal; `None` where such a one cannot be mounted.
    fn mount(path: &Path, mode: &str) -> Option<Self> {
        use std::io::Read;
        let script = format!(
            "exec 7<>/dev/fuse && mount -i -t fuse -o fd=7,rootmode={mode},user_id=0,group_id=0 frozen '{}' && echo on; read wait",
            path.display()
        );
        let mut holder = Command::new("sh")
            .args(["-c", &script])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .ok()?;
        let mut answer = [0; 2];
        let mounted = holder.stdout.take()?.read_exact(&mut answer).is_ok() && &answer == b"on";
        let frozen = Self { path: path.to_owned(), holder };
        mounted.then_some(frozen)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l", &self.path.display().to_string()]).output();
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

#[test]
fn a_file_system_that_does_not_answer_holds_up_only_what_lies_on_it() {
    let mut sea = Sea::new();
    let (folder, file) = (sea.manifests.join("frozen"), sea.manifests.join("frozen.yaml"));
    fs::create_dir(&folder).unwrap();
    fs::write(&file, "").unwrap();
    let mounted = (Frozen::mount(&folder, "40000"), Frozen::mount(&file, "100644"));
    let (Some(on_folder), Some(on_file)) = mounted else {
        assert!(
            std::env::var_os("SEAWALL_TEST_WITHOUT_FUSE").is_some(),
            "/dev/fuse cannot be mounted here: run as root, or set SEAWALL_TEST_WITHOUT_FUSE=1 to leave this out"
        );
        return;
    };
    sea.run();
    for name in ["frozen/", "frozen.yaml"] {
        told(&sea, name, "its file system does not answer");
    }
    let threads = || {
        let tasks = fs::read_dir(format!("/proc/{}/task", sea.pid())).unwrap();
        let names = tasks.filter_map(|t| fs::read_to_string(t.unwrap().path().join("comm")).ok());
        names.filter(|name| name.starts_with("read-manifests")).count()
    };
    for n in 0..5 {
        still_reads(&sea, &format!("n{n}"));
    }
    assert!(threads() <= 3, "{} threads wait", threads());
    let took = sea.stop();
    assert!(took < std::time::Duration::from_secs(10), "SIGTERM took {took:?}");
    // It comes back: what lies there is read again.
    sea.run();
    told(&sea, "frozen.yaml", "its file system does not answer");
    drop((on_folder, on_file));
    fs::write(&file, postgres("back", "{version: '18', stopped: true}")).unwrap();
    wait_for("it is read again", || (!sea.object("back").is_null()).then_some(()));
    sea.stop();
}

#[test]
fn a_data_directory_that_is_not_ours_alone_is_refused_and_no_link_in_it_is_followed() {
    use std::os::unix::fs::{PermissionsExt, chown};
    let mut sea = Sea::new();
    let mode = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let refused = |sea: &mut Sea, needle: &str| {
        let before = sea.log().len();
        sea.run();
        wait_for("it refuses to start", || sea.died().then_some(()));
        let log = sea.log()[before..].to_owned();
        assert!(log.contains(needle), "{needle}: {log}");
    };
    fs::create_dir(&sea.data).unwrap();
    let data = sea.data.clone();
    mode(&data, 0o777);
    refused(&mut sea, "others can write to it (mode 777)");
    mode(&data, 0o700);
    chown(&data, Some(12_345), None).unwrap();
    refused(&mut sea, "it belongs to user 12345");
    chown(&data, Some(0), None).unwrap();
    let victim = sea.root().join("victim");
    fs::create_dir_all(victim.join("postgres")).unwrap();
    fs::write(victim.join("file"), "keep").unwrap();
    for name in ["lock", "store.id.new", "store.id", "store", "status", "seawall.sock", "encryption_key"] {
        let target = if matches!(name, "store" | "status") { victim.clone() } else { victim.join("file") };
        symlink(target, data.join(name)).unwrap();
        refused(&mut sea, &format!("{name} is a link"));
        fs::remove_file(data.join(name)).unwrap();
    }
    assert_eq!(fs::read_dir(&data).unwrap().count(), 0, "nothing was made");
    // A link that comes later is not followed either, and nothing else suffers.
    sea.run();
    sea.postgres("a", "{version: '18', stopped: true}");
    wait_for("its status file", || data.join("status/postgres/a.yaml").exists().then_some(()));
    fs::remove_dir_all(data.join("status")).unwrap();
    symlink(&victim, data.join("status")).unwrap();
    sea.postgres("b", "{version: '18', stopped: true}");
    sea.until("b", "looked at", |status| condition(status, "Ready").0 == "False");
    assert_eq!(fs::read_dir(victim.join("postgres")).unwrap().count(), 0);
    sea.stop();
    assert_eq!(fs::read_to_string(victim.join("file")).unwrap(), "keep");
    // A key that is kept elsewhere may be a link: a mounted secret is one.
    fs::remove_file(data.join("status")).unwrap();
    let key = sea.root().join("mounted-key");
    fs::rename(data.join("encryption_key"), sea.root().join("real-key")).unwrap();
    symlink(sea.root().join("real-key"), &key).unwrap();
    sea.run_with(&[("SEAWALL_KEY_FILE", key.to_str().unwrap())]);
    assert!(sea.ok(&["get"]).contains("postgres/b"));
    assert!(fs::symlink_metadata(data.join("seawall.sock")).unwrap().file_type().is_socket());
    sea.stop();
}
