//! What an image is, is found out; another build of it keeps everything; what cannot run says why.

use crate::harness::{Sea, condition, docker, image as of_suite, is_degraded, text};
use crate::kinds::{Kind, tests};
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};

tests!(an_image_that_cannot_run_says_why_and_a_better_one_heals_it, another_build_keeps_everything,);

/// An image made for one test, removed with it. Declare it before the `Sea` that uses it.
pub struct TestImage(pub String);

impl TestImage {
    pub fn build(name: &str, dockerfile: &str) -> Self {
        let tag = format!("seawall-test/{name}:{}", std::process::id());
        let mut child = Command::new("docker")
            .args(["build", "-q", "-t", &tag, "-"])
            .env("DOCKER_BUILDKIT", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // On top of the images that the suite runs over.
        let dockerfile = dockerfile.replace("FROM seawall/postgres:", &format!("FROM {}", of_suite("")));
        child.stdin.take().unwrap().write_all(dockerfile.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{dockerfile}");
        Self(tag)
    }

    /// An image that says it is for another processor: an empty one, with its description changed.
    pub fn for_another_architecture(name: &str) -> Self {
        let tag = format!("seawall-test/{name}:{}", std::process::id());
        let host = docker(&["version", "--format", "{{.Server.Arch}}"]);
        let other = if host == "arm64" { "amd64" } else { "arm64" };
        // An archive that every engine loads: what `docker save` writes differs from version to version.
        let script = format!(
            r#"set -e; cd "$1"; mkdir x; tar cf x/layer.tar --files-from /dev/null
            layer=$(sha256sum x/layer.tar | cut -d' ' -f1)
            echo '{{"architecture":"{other}","os":"linux","config":{{}},"rootfs":{{"type":"layers",' \
                "\"diff_ids\":[\"sha256:$layer\"]}}}}" > x/config.json
            echo '[{{"Config":"config.json","RepoTags":["{tag}"],"Layers":["layer.tar"]}}]' > x/manifest.json
            tar cf n.tar -C x .; docker load -i n.tar"#
        );
        let dir = tempfile::tempdir().unwrap();
        let made = Command::new("sh").args(["-c", &script, "sh"]).arg(dir.path()).output().unwrap();
        assert!(made.status.success(), "{}", text(&made));
        Self(tag)
    }
}

impl Drop for TestImage {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rmi", "-f", &self.0]).stdout(Stdio::null()).status();
    }
}

fn identity(status: &Value) -> (Value, Value) {
    (status["container"]["id"].clone(), status["container"]["startedAt"].clone())
}

fn mount_of(sea: &Sea, name: &str) -> (String, String) {
    let mounts = sea.inspect(name)["Mounts"].as_array().unwrap().clone();
    assert_eq!(mounts.len(), 1, "{mounts:?}");
    (mounts[0]["Name"].as_str().unwrap().to_owned(), mounts[0]["Destination"].as_str().unwrap().to_owned())
}

#[test]
fn what_an_image_is_comes_from_the_image_and_not_from_its_name() {
    // Nothing in the environment tells the version: the binary does. Its tag lies.
    let quiet = TestImage::build("says-18", "FROM seawall/postgres:17\nENV PG_MAJOR= PG_VERSION=\n");
    let sea = Sea::start();
    sea.postgres("managed", "{version: '18'}");
    sea.postgres("custom", "{version: '17'}");
    sea.postgres("quiet", &format!("{{image: '{}'}}", quiet.0));

    let status = sea.ready("managed");
    let image = &status["image"];
    assert_eq!((&image["major"], &image["managed"]), (&18.into(), &true.into()));
    assert_eq!(image["capabilities"], serde_json::json!(["pg_auto_failover", "pgbackrest"]));
    assert_eq!(image["reference"], of_suite("18"));
    assert_eq!(image["id"], docker(&["image", "inspect", "--format", "{{.Id}}", &of_suite("18")]).as_str());
    assert_eq!(image["digest"], Value::Null);
    assert_eq!(mount_of(&sea, "managed"), (sea.volume("managed"), "/var/lib/postgresql".to_owned()));
    assert_eq!(status["volume"]["mountPath"], "/var/lib/postgresql");
    assert_eq!(sea.sql("managed", "SHOW archive_mode"), "on");
    assert_eq!(sea.sql("managed", "SHOW archive_command"), "/bin/true");
    let (truth, reason, words) = condition(&status, "ContinuousArchiving");
    assert_eq!((truth.as_str(), reason.as_str()), ("False", "NotConfigured"));
    assert!(words.contains("nothing is archived"), "{words}");

    for (name, tag) in [("custom", of_suite("17").as_str()), ("quiet", quiet.0.as_str())] {
        let status = sea.ready(name);
        let image = &status["image"];
        assert_eq!((&image["major"], &image["managed"]), (&17.into(), &false.into()), "{name}");
        assert_eq!(image["capabilities"], serde_json::json!([]), "{name}");
        assert_eq!(image["reference"], tag);
        assert!(status["server"]["version"].as_str().unwrap().starts_with("17."), "{status}");
        assert_eq!(mount_of(&sea, name), (sea.volume(name), "/var/lib/postgresql/data".to_owned()));
        assert_eq!(sea.sql(name, "SHOW archive_mode"), "off");
        let (truth, reason, words) = condition(&status, "ContinuousArchiving");
        assert_eq!((truth.as_str(), reason.as_str()), ("False", "NotConfigured"));
        assert!(words.contains("custom"), "{words}");
    }
    // The containers that looked into the images are gone.
    let ours: Vec<String> = ["custom", "managed", "quiet"].iter().map(|n| sea.container(n)).collect();
    assert_eq!(sea.containers(), ours);
    // Once initdb is done nothing in the container tells the password.
    for name in ["managed", "custom", "quiet"] {
        assert_eq!(sea.docker(&["exec", &sea.container(name), "cat", "/etc/seawall/password"]), "");
    }
}

fn an_image_that_cannot_run_says_why_and_a_better_one_heals_it(kind: &dyn Kind) {
    let another = kind.another_version();
    let image = kind.image(another);
    let dies = TestImage::build(
        &kind.object("dies"),
        &format!("FROM {image}\nENTRYPOINT [\"sh\", \"-c\", \"echo first words; echo boom >&2; exit 3\"]\n"),
    );
    let foreign = TestImage::for_another_architecture(&kind.object("elsewhere"));
    let sea = Sea::start_of(kind);
    let elsewhere = &kind.object("elsewhere");
    let empty = &kind.object("empty");
    let nowhere = &kind.object("nowhere");
    let mortal = &kind.object("mortal");
    sea.put(elsewhere, &kind.spec_with_image(&foreign.0, ""));
    sea.put(empty, &kind.spec_with_image("seawall/not-postgres:test", ""));
    sea.put(nowhere, &kind.spec_with_image("seawall-test/does-not-exist:1", ""));
    sea.put(mortal, &kind.spec_with_image(&dies.0, ""));

    let words = sea.until_condition(empty, "Ready", "False", "Blocked");
    assert!(words.contains(kind.not_in_image()), "{words}");
    assert!(words.contains("spec.image"), "{words}");
    assert_eq!(sea.condition(empty, "Degraded").1, "ImageUnfit");

    let words = sea.until_condition(elsewhere, "Ready", "False", "Blocked");
    assert!(words.contains("use an image for"), "{words}");

    let words = sea.until_condition(nowhere, "Ready", "False", "ImagePullFailed");
    assert!(words.contains("pull image seawall-test/does-not-exist:1: "), "{words}");
    let words = sea.condition(nowhere, "ContinuousArchiving").2;
    assert!(!words.contains("custom"), "nobody knows yet what the image is: {words}");

    let status = sea.until(mortal, "in a crash loop that tells the last lines", |s| {
        let (_, reason, words) = condition(s, "Ready");
        reason == "CrashLoop" && words.contains("boom") && words.contains("first words")
    });
    assert_eq!(status["container"]["exitCode"], 3);
    assert_eq!(sea.containers(), [sea.container(mortal)]);

    sea.put(mortal, &kind.spec_of(another, ""));
    sea.put(empty, &kind.spec(""));
    sea.ready(mortal);
    sea.ready(empty);
}

fn another_build_keeps_everything(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let a = &kind.object("a");
    sea.put(a, &kind.spec(""));
    let before = sea.ready(a);
    let (password, port) = (sea.password(a), sea.host_port(a));
    sea.keep(a, 42);

    let another = kind.versions()[1];
    sea.put(a, &kind.spec_of(another, ""));
    let after = sea.ready(a);
    assert_ne!(before["container"]["id"], after["container"]["id"]);
    assert_ne!(before["image"]["id"], after["image"]["id"]);
    assert_eq!(after["image"]["reference"], kind.image(another).as_str());
    assert_eq!(kind.identifier(&before), kind.identifier(&after));
    assert_eq!((sea.password(a), sea.host_port(a)), (password, port));
    assert_eq!(sea.kept(a), [42]);
    sea.event("ContainerCreated", "image");
}

#[test]
fn another_major_touches_nothing() {
    let sea = Sea::start();
    sea.postgres("new", "{version: '18b'}");
    sea.postgres("old", "{version: '17'}");
    let after = sea.ready("new");
    let old = sea.ready("old");
    for name in ["new", "old"] {
        sea.sql(name, "CREATE TABLE kept AS SELECT 42 AS answer");
    }

    for (name, version, was, major) in [("new", "17", &after, "18"), ("old", "18", &old, "17")] {
        sea.postgres(name, &format!("{{version: '{version}'}}"));
        let words = sea.until_condition(name, "Degraded", "True", "MajorVersionChange");
        assert!(words.contains("not compatible") && words.contains(&format!("back to {major}")), "{words}");
        let status = sea.status(name);
        assert_eq!(condition(&status, "Ready").0, "True", "{status}");
        assert_eq!(identity(&status), identity(was));
        // What runs, not what is wished for.
        assert_eq!(status["image"], was["image"]);
        let plan = sea.cli(&["plan"]);
        assert_eq!(plan.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&plan.stdout).contains("MajorVersionChange"), "{plan:?}");
    }
    // What serves goes on being looked after while the change is blocked.
    sea.docker(&["kill", &sea.container("new")]);
    sea.until("new", "running again while blocked", |s| {
        condition(s, "Ready").0 == "True"
            && s["container"]["id"] == after["container"]["id"]
            && s["container"]["startedAt"] != after["container"]["startedAt"]
    });
    assert_eq!(sea.condition("new", "Degraded").1, "MajorVersionChange");

    for (name, version, was) in [("new", "18b", &after), ("old", "17", &old)] {
        sea.postgres(name, &format!("{{version: '{version}'}}"));
        let status = sea.until(name, "lifted", |s| !is_degraded(s));
        assert_eq!(condition(&status, "Ready").0, "True");
        assert_eq!(status["container"]["id"], was["container"]["id"]);
        assert_eq!(sea.sql(name, "SELECT answer FROM kept"), "42");
    }
}

/// A volume of ours that no record knows: labels are right, the data is another major's.
#[test]
fn a_volume_from_another_major_is_seen_before_a_server_starts_on_it() {
    let sea = Sea::start();
    sea.postgres("source", "{version: '17'}");
    sea.ready("source");
    sea.sql("source", "CREATE TABLE kept AS SELECT 7 AS answer");
    sea.postgres("source", "{version: '17', stopped: true}");
    sea.until_condition("source", "Ready", "False", "Stopped");

    let volume = sea.volume("found");
    let store = sea.docker(&[
        "volume",
        "inspect",
        "--format",
        "{{index .Labels \"seawall.dev/store\"}}",
        &sea.volume("source"),
    ]);
    let label = |key: &str, value: &str| format!("--label=seawall.dev/{key}={value}");
    sea.docker(&[
        "volume",
        "create",
        &label("installation", &sea.installation),
        &label("store", &store),
        &label("kind", "Postgres"),
        &label("name", "found"),
        &volume,
    ]);
    let from = format!("{}:/from", sea.volume("source"));
    let to = format!("{volume}:/to");
    sea.docker(&[
        "run",
        "--rm",
        "-v",
        &from,
        "-v",
        &to,
        "--entrypoint",
        "cp",
        &of_suite("17"),
        "-a",
        "/from/.",
        "/to/",
    ]);

    sea.postgres("found", "{version: '18'}");
    let words = sea.until_condition("found", "Ready", "False", "Blocked");
    assert!(words.contains("holds data of PostgreSQL 17"), "{words}");
    assert_eq!(sea.inspect("found")["State"]["Status"], "created", "no server ran on it");
    sea.postgres("found", "{version: '17'}");
    sea.ready("found");
    assert_eq!(sea.sql("found", "SELECT 1"), "1");
    assert_eq!(
        sea.docker(&[
            "exec",
            &sea.container("found"),
            "psql",
            "-XAt",
            "-U",
            "postgres",
            "-d",
            "app",
            "-c",
            "SELECT answer FROM kept"
        ]),
        "7"
    );
}
