//! A manifest that goes away never costs data: it is kept, or deleted only with consent.

use crate::harness::{Frozen, Sea, condition, is_degraded, manifest, postgres, text};
use crate::kinds::{Kind, tests};
use std::fs;
use std::io::Write;

tests!(
    retain_keeps_everything_but_the_container_and_the_manifest_brings_it_back,
    data_are_deleted_only_with_consent_by_command_or_by_annotation,
    a_manifest_that_is_back_while_the_server_still_stops_keeps_everything,
    a_new_name_for_the_same_spec_is_said_and_a_kept_port_can_be_released,
);

/// The object, by its full name.
fn gone(sea: &Sea, name: &str) {
    let output = sea.cli(&["wait", name, "--for=delete", "--timeout=60s"]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(!sea.volumes().contains(&sea.volume(name)));
    assert!(!sea.containers().contains(&sea.container(name)));
    assert!(!sea.data.join(format!("status/{name}.yaml")).exists());
    let export = sea.ok(&["export"]);
    let left: Vec<&str> =
        export.lines().filter(|l| l.split_once("\"v\"").is_some_and(|(key, _)| key.contains(name))).collect();
    assert!(export.contains("catalog") && left.is_empty(), "left in the store: {left:?}");
}

fn retain_keeps_everything_but_the_container_and_the_manifest_brings_it_back(kind: &dyn Kind) {
    let mut sea = Sea::start_of(kind);
    let a = &kind.object("a");
    let b = &kind.object("b");
    let c = &kind.object("c");
    sea.put(a, &kind.spec(""));
    sea.put(b, &kind.spec("stopped: true"));
    sea.put(c, &kind.spec("stopped: true"));
    sea.ready(a);
    sea.keep(a, 42);
    let (password, port) = (sea.password(a), sea.host_port(a));
    let uid = sea.object(a)["metadata"]["uid"].clone();

    // Its data are there, but it must not be deleted while a manifest holds it.
    let refused = sea.cli(&["delete", a, "--confirm", "a"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused).contains("a.yaml"), "{}", text(&refused));

    sea.remove("a.yaml");
    let words = sea.until_condition(a, "Ready", "False", "Retained");
    assert!(words.contains("are kept") || words.contains("is being removed"), "{words}");
    sea.until(a, "without its container", |s| {
        s["container"].is_null() && condition(s, "Ready").1 == "Retained"
    });
    assert!(!sea.containers().contains(&sea.container(a)));
    assert!(sea.volumes().contains(&sea.volume(a)));
    assert!(sea.ok(&["get", a]).contains("Retained"));
    assert_eq!(sea.password(a), password);
    assert!(!sea.ok(&["events"]).contains("UncleanShutdown"), "a fast shutdown came first");
    // The kept port is nobody else's, also after the operator was away.
    sea.stop();
    sea.run();
    sea.put(c, &kind.spec(""));
    sea.ready(c);
    assert_ne!(sea.host_port(c), port);

    sea.write("a.yaml", &manifest(a, "", &kind.spec("")));
    sea.event("Returned", "a.yaml");
    sea.ready(a);
    assert_eq!(sea.kept(a), [42]);
    assert_eq!((sea.password(a), sea.host_port(a)), (password, port));
    assert_eq!(sea.object(a)["metadata"]["uid"], uid);
}

fn data_are_deleted_only_with_consent_by_command_or_by_annotation(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let x = &kind.object("x");
    let noted = &kind.object("noted");
    let stays = &kind.object("stays");
    let stays_too = &kind.object("stays-too");
    let annotated =
        manifest(noted, "seawall.dev/confirm-delete: noted", &kind.spec("deletionPolicy: Delete"));
    sea.put(x, &kind.spec("deletionPolicy: Delete"));
    sea.write("noted.yaml", &annotated);
    sea.put(stays, &kind.spec("stopped: true"));
    sea.put(stays_too, &kind.spec("stopped: true"));
    sea.ready(x);
    sea.ready(noted);
    let password = sea.password(x);

    sea.remove("x.yaml");
    sea.until(x, "without its container", |s| {
        s["container"].is_null() && condition(s, "Ready").1 == "Retained"
    });
    let words = sea.until_condition(x, "Degraded", "True", "DeletionNotConfirmed");
    assert!(words.contains(&format!("seawall delete {x} --confirm x")), "{words}");
    assert!(sea.volumes().contains(&sea.volume(x)), "the policy alone deletes nothing");
    assert_eq!(sea.password(x), password);

    for arguments in [&["delete", x][..], &["delete", x, "--confirm", "y"]] {
        let refused = sea.cli(arguments);
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}");
        assert!(text(&refused).contains(&format!("seawall delete {x} --confirm x")), "{}", text(&refused));
    }
    assert!(sea.volumes().contains(&sea.volume(x)));
    sea.ok(&["delete", x, "--confirm", "x"]);
    gone(&sea, x);
    sea.event("Deleted", &format!("{x} and its data were deleted"));

    sea.remove("noted.yaml");
    gone(&sea, noted);

    // Nothing of the old one comes back under the same name.
    sea.put(x, &kind.spec(""));
    sea.ready(x);
    assert_ne!(sea.password(x), password);
}

#[test]
fn a_scan_that_would_remove_too_much_removes_nothing_until_it_is_confirmed() {
    let sea = Sea::start();
    sea.postgres("a", "{version: '18'}");
    sea.postgres("b", "{version: '18', stopped: true}");
    let before = sea.ready("a");
    sea.until_condition("b", "Ready", "False", "Stopped");
    let held = |why: &str| {
        sea.until("a", why, |s| {
            let (truth, reason, words) = condition(s, "Degraded");
            truth == "True" && reason == "PruneGuard" && words.contains(why)
        });
        let get = sea.cli(&["get"]);
        assert_eq!(get.status.code(), Some(3), "{}", text(&get));
        assert!(text(&get).contains("removals are held back"), "{}", text(&get));
        let prune = sea.ok(&["prune"]);
        assert!(prune.contains("postgres/a") && prune.contains("postgres/b"), "{prune}");
        // Longer than the grace that a removed manifest has.
        std::thread::sleep(std::time::Duration::from_millis(1500));
        let status = sea.status("a");
        assert_eq!(condition(&status, "Ready").0, "True");
        assert_eq!(status["container"]["startedAt"], before["container"]["startedAt"]);
        prune
    };
    let lifted = || {
        sea.until("a", "free of the guard", |s| !is_degraded(s));
        assert_eq!(sea.cli(&["get"]).status.code(), Some(0));
        assert!(sea.ok(&["prune"]).contains("Nothing is held back"));
    };

    let away = sea.root().join("away");
    std::fs::rename(&sea.manifests, &away).unwrap();
    held("is missing");
    std::fs::rename(&away, &sea.manifests).unwrap();
    lifted();

    std::fs::rename(&sea.manifests, &away).unwrap();
    std::fs::create_dir(&sea.manifests).unwrap();
    held("has no manifests");
    std::fs::remove_dir(&sea.manifests).unwrap();
    // Something else where the directory was: nothing can be read.
    std::fs::write(&sea.manifests, "not a directory").unwrap();
    held("cannot be read");
    std::fs::remove_file(&sea.manifests).unwrap();
    std::fs::rename(&away, &sea.manifests).unwrap();
    lifted();

    for file in ["a.yaml", "b.yaml"] {
        sea.remove(file);
    }
    let prune = held("manifests are gone at once");
    let (_, words) = prune.split_once("seawall prune --confirm ").unwrap();
    let wrong = sea.cli(&["prune", "--confirm", "remove-2-000000"]);
    assert_eq!(wrong.status.code(), Some(1), "{}", text(&wrong));
    sea.ok(&["prune", "--confirm", words.trim()]);
    sea.until("a", "without its container", |s| {
        s["container"].is_null() && condition(s, "Ready").1 == "Retained"
    });
    assert!(sea.volumes().contains(&sea.volume("a")), "a confirmed prune still retains");
    assert_eq!(sea.containers(), Vec::<String>::new());
    // The next look would remove too much again; it was let go once, and is done.
    assert_eq!(sea.cli(&["get"]).status.code(), Some(0));
}

fn a_manifest_that_is_back_while_the_server_still_stops_keeps_everything(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let noted = &kind.object("noted");
    let x = &kind.object("x");
    let stays = &kind.object("stays");
    let annotated =
        manifest(noted, "seawall.dev/confirm-delete: noted", &kind.spec("deletionPolicy: Delete"));
    sea.write("noted.yaml", &annotated);
    sea.put(x, &kind.spec(""));
    sea.put(stays, &kind.spec("stopped: true"));
    for name in [noted, x] {
        sea.ready(name);
        sea.keep(name, 42);
        sea.flush(name);
    }
    let uid = |name: &str| sea.object(name)["metadata"]["uid"].clone();
    let before = (uid(noted), sea.password(noted), sea.host_port(noted));

    // By file and annotation.
    let frozen = Frozen::new(vec![sea.server(noted)]);
    sea.remove("noted.yaml");
    sea.until(noted, "on its way out", |s| {
        matches!(condition(s, "Ready").1.as_str(), "Retained" | "Deleting")
    });
    // Longer than the graces of the data: the stop is all that stands between them and their end.
    std::thread::sleep(std::time::Duration::from_secs(4));
    sea.write("noted.yaml", &annotated);
    sea.event("Returned", "noted.yaml");
    drop(frozen);
    sea.ready(noted);
    assert_eq!(sea.kept(noted), [42]);
    assert_eq!((uid(noted), sea.password(noted), sea.host_port(noted)), before);

    // By command.
    let frozen = Frozen::new(vec![sea.server(x)]);
    sea.remove("x.yaml");
    sea.until_condition(x, "Ready", "False", "Retained");
    sea.ok(&["delete", x, "--confirm", "x"]);
    sea.write("x.yaml", &manifest(x, "", &kind.spec("")));
    sea.event("Returned", "x.yaml");
    drop(frozen);
    sea.ready(x);
    assert_eq!(sea.kept(x), [42]);
    let events = sea.ok(&["events"]);
    assert!(!events.contains("VolumeRemoved") && !events.contains("UncleanShutdown"), "{events}");
}

#[test]
fn a_file_that_is_empty_cut_or_half_written_removes_and_changes_nothing() {
    let sea = Sea::start();
    let names = ["a", "b", "c"];
    let spec = "{version: '18', parameters: {max_connections: 200}}";
    let all = names.map(|name| postgres(name, spec)).join("---\n");
    sea.write("all.yaml", &all);
    sea.postgres("stays", "{version: '18', stopped: true}");
    let started = |name: &str| sea.ready(name)["container"]["startedAt"].clone();
    let before = names.map(started);
    let unchanged = || {
        for (name, before) in names.iter().zip(&before) {
            let status = sea.ready(name);
            assert_eq!(status["container"]["startedAt"], *before, "{name}");
            assert_eq!(status["observedGeneration"], 1, "{name}");
            assert_ne!(condition(&status, "Degraded").0, "True", "{name}");
        }
    };
    let file = sea.manifests.join("all.yaml");

    // Emptied, as by a full disk.
    fs::write(&file, "").unwrap();
    let words = sea.until_condition("a", "Degraded", "True", "ManifestHeld");
    assert!(words.contains("all.yaml is still there and no longer names postgres/a"), "{words}");
    let get = sea.cli(&["get"]);
    assert_eq!(get.status.code(), Some(3), "{}", text(&get));
    assert!(text(&get).contains("seawall prune --confirm remove-3-"), "{}", text(&get));
    assert!(sea.ok(&["prune"]).contains("all.yaml is still there"));
    sea.write("all.yaml", &all);
    sea.until("a", "let go of", |s| !is_degraded(s));
    assert_eq!(sea.cli(&["get"]).status.code(), Some(0));
    unchanged();

    // In two pieces, cut between two documents and inside of a value, with a pause that a person can see.
    let value = all.find("200").unwrap() + 2;
    for cut in [all.find("---\n").unwrap(), value] {
        let (one, two) = all.split_at(cut);
        fs::write(&file, one).unwrap();
        std::thread::sleep(std::time::Duration::from_secs(3));
        let mut rest = fs::OpenOptions::new().append(true).open(&file).unwrap();
        rest.write_all(two.as_bytes()).unwrap();
        drop(rest);
        // Something after it, to know that it was read.
        let next = format!("next{cut}");
        sea.postgres(&next, "{version: '18', stopped: true}");
        sea.until_condition(&next, "Ready", "False", "Stopped");
        sea.until("b", "let go of", |s| !is_degraded(s));
        unchanged();
    }
    assert_eq!(sea.sql("a", "SHOW max_connections"), "200");

    // A clean edit is confirmed once.
    sea.write("all.yaml", &["a", "b"].map(|name| postgres(name, spec)).join("---\n"));
    let words = sea.until_condition("c", "Degraded", "True", "ManifestHeld");
    let command = words.rsplit_once("seawall prune --confirm ").unwrap().1.to_owned();
    sea.ok(&["prune", "--confirm", &command]);
    sea.until("c", "without its container", |s| {
        s["container"].is_null() && condition(s, "Ready").1 == "Retained"
    });
    assert!(sea.volumes().contains(&sea.volume("c")));
    assert_eq!(sea.cli(&["get"]).status.code(), Some(0));
}

#[test]
fn a_file_that_was_put_away_under_another_name_keeps_its_database() {
    let sea = Sea::start();
    sea.postgres("a", "{version: '18'}");
    sea.postgres("stays", "{version: '18', stopped: true}");
    sea.postgres("stays-too", "{version: '18', stopped: true}");
    let before = sea.ready("a")["container"]["startedAt"].clone();
    let file = sea.manifests.join("a.yaml");
    for away in ["A.YAML", "a.yaml.disabled", ".a.yaml", "a.yaml~"] {
        let away_file = sea.manifests.join(away);
        fs::rename(&file, &away_file).unwrap();
        let words = sea.until_condition("a", "Degraded", "True", "ManifestBroken");
        assert!(words.contains(&format!("a.yaml is gone, but {away} lies beside it")), "{words}");
        fs::rename(&away_file, &file).unwrap();
        sea.until("a", "let go of", |s| !is_degraded(s));
    }
    // Moved to another file, and broken on the way.
    fs::rename(&file, sea.manifests.join("other.yaml")).unwrap();
    sea.write("other.yaml", "kind: Postgres\nmetadata: {name: a\n");
    let words = sea.until_condition("a", "Degraded", "True", "ManifestBroken");
    assert!(words.contains("other.yaml"), "{words}");
    assert_eq!(sea.status("a")["container"]["startedAt"], before);
}

#[test]
fn a_file_that_is_away_for_a_while_costs_neither_container_nor_data() {
    let mut sea = Sea::new();
    let annotated = "apiVersion: seawall.dev/v1\nkind: Postgres\nmetadata: {name: noted, annotations: {seawall.dev/confirm-delete: noted}}\nspec: {version: '18', deletionPolicy: Delete}\n";
    sea.write("noted.yaml", annotated);
    sea.write("stays.yaml", &postgres("stays", "{version: '18', stopped: true}"));
    sea.run_with(&[("SEAWALL_REMOVAL_GRACE", "20s"), ("SEAWALL_DELETION_GRACE", "40s")]);
    let before = sea.ready("noted");
    sea.sql("noted", "CREATE TABLE kept AS SELECT 42 AS answer");
    let (file, away) = (sea.manifests.join("noted.yaml"), sea.root().join("away.yaml"));

    // As `git checkout other; git checkout main` does it.
    fs::rename(&file, &away).unwrap();
    let words = sea.until_condition("noted", "Degraded", "True", "ManifestGone");
    assert!(words.contains("noted.yaml is gone; the container is stopped and removed at 2"), "{words}");
    let get = sea.cli(&["get"]);
    assert!(
        get.status.success() && text(&get).contains("warning: postgres/noted: noted.yaml is gone"),
        "{}",
        text(&get)
    );
    fs::rename(&away, &file).unwrap();
    let after = sea.until("noted", "as before", |s| !is_degraded(s));
    assert_eq!(after["container"]["startedAt"], before["container"]["startedAt"]);

    // Git at work, or a lock that it left behind: said, and nothing goes.
    let lock = sea.root().join(".git/index.lock");
    fs::create_dir(lock.parent().unwrap()).unwrap();
    fs::write(&lock, "").unwrap();
    fs::rename(&file, &away).unwrap();
    sea.until("noted", "held by git", |s| condition(s, "Degraded").2.contains("index.lock is there since"));
    std::thread::sleep(std::time::Duration::from_secs(25));
    assert_eq!(condition(&sea.status("noted"), "Ready").0, "True");
    fs::remove_file(&lock).unwrap();

    // The container goes; the data say when, and stay when the file is back before.
    let status = sea.until("noted", "without its container", |s| {
        s["container"].is_null()
            && condition(s, "Degraded").1 == "DeletionPending"
            && s["deletionAt"].is_string()
    });
    let due = status["deletionAt"].as_str().unwrap().to_owned();
    let describe = sea.ok(&["describe", "postgres/noted"]);
    assert!(describe.contains(&due) && describe.contains("bring the manifest back"), "{describe}");
    // A new process does not forget that it counts.
    sea.kill();
    sea.run_with(&[("SEAWALL_REMOVAL_GRACE", "20s"), ("SEAWALL_DELETION_GRACE", "40s")]);
    sea.until_condition("noted", "Degraded", "True", "DeletionPending");
    fs::rename(&away, &file).unwrap();
    sea.ready("noted");
    assert_eq!(sea.sql("noted", "SELECT answer FROM kept"), "42");
    assert!(sea.status("noted")["deletionAt"].is_null());

    fs::rename(&file, &away).unwrap();
    gone(&sea, "postgres/noted");
}

fn a_new_name_for_the_same_spec_is_said_and_a_kept_port_can_be_released(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let old = &kind.object("old");
    let new = &kind.object("new");
    let stays = &kind.object("stays");
    let other = &kind.object("other");
    let spec = &kind.spec(&kind.owned_by("owner", "shop"));
    sea.write("shop.yaml", &manifest(old, "", spec));
    sea.put(stays, &kind.spec("stopped: true"));
    let before = sea.ready(old);
    let port = sea.host_port(old);
    sea.keep(old, 42);

    sea.write("shop.yaml", &manifest(new, "", spec));
    let words = sea.until_condition(new, "Degraded", "True", "ProbablyRenamed");
    assert!(
        words.contains(&format!("the very spec of {old}")) && words.contains("seawall.dev/new"),
        "{words}"
    );
    sea.until_condition(old, "Degraded", "True", "ProbablyRenamed");
    assert!(sea.ok(&["events"]).contains("ProbablyRenamed"));
    assert!(text(&sea.cli(&["plan"])).contains("ProbablyRenamed"));
    assert!(!sea.volumes().contains(&sea.volume(new)));
    assert_eq!(sea.status(old)["container"]["startedAt"], before["container"]["startedAt"]);
    sea.write("shop.yaml", &manifest(old, "", spec));
    sea.until(old, "as before", |s| !is_degraded(s));
    assert_eq!(sea.kept(old), [42]);

    // Retained, and somebody else wants its port.
    sea.remove("shop.yaml");
    sea.until(old, "without its container", |s| {
        s["container"].is_null() && condition(s, "Ready").1 == "Retained"
    });
    sea.put(other, &kind.spec(&format!("port: {port}")));
    let words = sea.until_condition(other, "Degraded", "True", "PortConflict");
    assert!(words.contains(&format!("port {port} is kept for {old}, which is Retained")), "{words}");
    sea.ok(&["release-port", old]);
    sea.ready(other);
    assert_eq!(sea.host_port(other), port);
    sea.write("shop.yaml", &manifest(old, "", spec));
    sea.ready(old);
    assert_eq!(sea.kept(old), [42]);
}
