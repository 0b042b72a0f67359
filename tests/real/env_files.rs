//! An env file as an application reads it that something else runs, with the real database behind it.

use crate::harness::{Sea, text, wait_for};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PROJECT: &str = "project/shop";
const LINK: &str = "link/shop-main";

fn shop(sea: &Sea, path: &str) {
    let text = format!(
        "apiVersion: seawall.dev/v1\nkind: Project\nmetadata: {{name: shop}}\nspec: {{environments: {{production: {{envFile: {{path: {path}}}}}}}}}\n---\napiVersion: seawall.dev/v1\nkind: Link\nmetadata: {{name: shop-main}}\nspec: {{service: postgres/main, project: shop, environment: production}}\n"
    );
    sea.write("shop.yaml", &text);
}

/// As compose and systemd do: the file is read, and the application finds its variables.
fn application(file: &Path) -> Output {
    let script = "set -a; . \"$0\"; exec psql -XAtq \"$POSTGRES_URL\" -c 'SELECT session_user'";
    Command::new("sh")
        .args(["-c", script])
        .arg(file)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap()
}

fn lets_in(file: &Path) -> String {
    let output = application(file);
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn password(file: &Path) -> String {
    let all = fs::read_to_string(file).unwrap();
    let line = all.lines().find_map(|line| line.strip_prefix("POSTGRES_PASSWORD=")).unwrap();
    line.trim_matches('\'').to_owned()
}

#[test]
fn an_application_reads_the_file_and_gets_in_before_and_after_a_rotation() {
    let sea = Sea::start();
    let file = sea.manifests.join("shop.env");
    sea.main();
    shop(&sea, "./shop.env");
    sea.until_condition(PROJECT, "Ready", "True", "LinksReady");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(lets_in(&file), "shop_main_a");
    // In dotenv form as it is printed.
    let printed = sea.ok(&["env", "shop/production", "--host", "--reveal"]);
    let written = fs::read_to_string(&file).unwrap();
    assert_eq!(written.split_once('\n').unwrap().1, printed);
    let (first, old) = (password(&file), sea.root().join("old.env"));
    fs::copy(&file, &old).unwrap();
    sea.ok(&["rotate", LINK]);
    wait_for("the new login is in it", || {
        fs::read_to_string(&file).unwrap().contains("POSTGRES_USER=shop_main_b\n").then_some(())
    });
    assert_eq!((lets_in(&file).as_str(), lets_in(&old).as_str()), ("shop_main_b", "shop_main_a"));

    // It is the one place where the passwords are.
    let second = password(&file);
    for (place, words) in [
        ("events", sea.ok(&["events"])),
        ("describe", sea.ok(&["describe", PROJECT])),
        ("get", sea.ok(&["get", PROJECT, "-o", "yaml"])),
        ("plan", text(&sea.cli(&["plan"]))),
        ("export", sea.ok(&["export"])),
        ("status file", fs::read_to_string(sea.data.join("status/project/shop.yaml")).unwrap()),
        ("log", sea.log()),
    ] {
        assert!(!words.contains(&first) && !words.contains(&second), "in {place}");
    }
    sea.remove("shop.yaml");
    wait_for("it is emptied", || (fs::read_to_string(&file).unwrap().lines().count() == 1).then_some(()));
    wait_for("it is forgotten", || sea.object(PROJECT).is_null().then_some(()));
    assert!(!application(&old).status.success(), "the login is closed");
}

/// A disk of four pages, gone with the value.
struct Small(PathBuf);

impl Small {
    fn new(at: PathBuf) -> Self {
        fs::create_dir(&at).unwrap();
        let options = ["-t", "tmpfs", "-o", "size=16k,mode=0755", "seawall-test"];
        assert!(Command::new("mount").args(options).arg(&at).status().unwrap().success());
        Self(at)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn on_a_full_disk_the_old_file_stays_whole_until_there_is_room() {
    let mut sea = Sea::new();
    let small = Small::new(sea.root().join("small"));
    let file = small.0.join("shop.env");
    sea.run_with(&[("SEAWALL_ENV_FILE_ROOT", small.0.to_str().unwrap())]);
    sea.main();
    shop(&sea, file.to_str().unwrap());
    sea.until_condition(PROJECT, "Ready", "True", "LinksReady");
    let before = fs::read(&file).unwrap();
    let _ = fs::write(small.0.join("filler"), vec![b'x'; 1 << 16]);
    sea.ok(&["rotate", LINK]);
    let words = sea.until_condition(PROJECT, "Degraded", "True", "EnvFileFailed");
    assert!(words.contains("No space left on device"), "{words}");
    assert_eq!(fs::read(&file).unwrap(), before);
    assert_eq!(lets_in(&file), "shop_main_a", "it has its time");
    fs::remove_file(small.0.join("filler")).unwrap();
    sea.until_condition(PROJECT, "Ready", "True", "LinksReady");
    assert_eq!(lets_in(&file), "shop_main_b");
    let left: Vec<_> = fs::read_dir(&small.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["shop.env"]);
}
