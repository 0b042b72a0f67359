//! What happens to files on disk ends in the right state, and a broken one hurts nobody.

use crate::harness::{PATIENCE, Sea, catalog, condition, is_degraded, postgres, text};
use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

#[test]
fn a_broken_file_leaves_its_last_good_version_in_force_and_the_rest_alone() {
    let sea = Sea::start();
    sea.postgres("a", "{version: '18', parameters: {work_mem: 5MB}}");
    sea.postgres("b", "{version: '17'}");
    let before = sea.ready("a");
    sea.ready("b");
    for (broken, needle) in [
        (
            "apiVersion: seawall.dev/v1\nkind: Postgres\nmetadata: {name: a}\nspec: {version: '18', parmeters: {}}\n",
            "parameters",
        ),
        ("\tthis: is no yaml", "a.yaml:1:"),
        (
            "apiVersion: seawall.dev/v1\nkind: Postgres\nmetadata: {name: a}\nspec: {version: '99'}\n",
            "\"99\" is not in the catalog; it has",
        ),
    ] {
        sea.write("a.yaml", broken);
        sea.until("a", needle, |s| {
            let (truth, reason, words) = condition(s, "Degraded");
            truth == "True" && reason == "ManifestBroken" && words.contains(needle)
        });
        let status = sea.status("a");
        assert_eq!(condition(&status, "Ready").0, "True");
        assert_eq!(status["container"]["startedAt"], before["container"]["startedAt"]);
        assert_eq!(sea.sql("a", "SHOW work_mem"), "5MB");
    }
    let get = sea.cli(&["get"]);
    assert!(text(&get).contains("the last good versions stay in force"), "{}", text(&get));
    // Others go on: a change beside the broken file lands.
    sea.postgres("b", "{version: '17', parameters: {work_mem: 7MB}}");
    sea.ready("b");
    assert_eq!(sea.sql("b", "SHOW work_mem"), "7MB");
    // What is in force is still looked after.
    sea.docker(&["kill", &sea.container("a")]);
    sea.until("a", "started again", |s| {
        condition(s, "Ready").0 == "True" && s["container"]["startedAt"] != before["container"]["startedAt"]
    });
    sea.write("a.yaml", &postgres("a", "{version: '18', parameters: {work_mem: 6MB}}"));
    let status = sea.until("a", "in force again", |s| !is_degraded(s));
    assert_eq!(status["container"]["id"], before["container"]["id"]);
    sea.ready("a");
    assert_eq!(sea.sql("a", "SHOW work_mem"), "6MB");
}

#[test]
fn of_two_files_with_one_name_the_one_in_force_stays() {
    let sea = Sea::start();
    sea.write("m.yaml", &postgres("a", "{version: '18', parameters: {work_mem: 5MB}}"));
    sea.ready("a");
    // Both before and after it in the order of names.
    for other in ["aa.yaml", "z/z.yml"] {
        sea.write(other, &postgres("a", "{version: '18', parameters: {work_mem: 9MB}}"));
        // The file in force is good: the object is not degraded, the other file is the problem.
        let deadline = Instant::now() + *PATIENCE;
        let get = loop {
            let get = text(&sea.cli(&["get"]));
            if get.contains("m.yaml") && get.contains(other) {
                break get;
            }
            assert!(Instant::now() < deadline, "both places are named: {get}");
            std::thread::sleep(Duration::from_millis(50));
        };
        assert!(get.contains("postgres/a"), "{get}");
        let validate = sea.cli(&["validate", sea.manifests.to_str().unwrap()]);
        assert_eq!(validate.status.code(), Some(1));
        assert_eq!(sea.sql("a", "SHOW work_mem"), "5MB", "{other}");
        sea.remove(other);
        while text(&sea.cli(&["get"])).contains(other) {
            assert!(Instant::now() < deadline);
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    // Moved to another file: the same object goes on.
    let uid = sea.object("a")["metadata"]["uid"].clone();
    fs::rename(sea.manifests.join("m.yaml"), sea.manifests.join("renamed.yaml")).unwrap();
    sea.until("a", "Ready", |s| condition(s, "Ready").0 == "True");
    sea.postgres("other", "{version: '18', stopped: true}");
    sea.until_condition("other", "Ready", "False", "Stopped");
    assert_eq!(sea.object("a")["metadata"]["uid"], uid);
    assert_eq!(sea.condition("a", "Ready").0, "True");
    assert!(sea.object("a")["metadata"]["source"].as_str().unwrap().contains("renamed.yaml"));
}

#[test]
fn every_way_to_save_a_file_lands() {
    let sea = Sea::start();
    let text_of = |megabytes: u32| {
        postgres("a", &format!("{{version: '18', parameters: {{work_mem: {megabytes}MB}}}}"))
    };
    let lands = |megabytes: u32| {
        let want = format!("{megabytes}MB");
        let generation = sea.object("a")["metadata"]["generation"].as_u64().unwrap_or(0);
        sea.until("a", &want, |s| {
            condition(s, "Ready").0 == "True"
                && condition(s, "Progressing").0 == "False"
                && sea.sql("a", "SHOW work_mem") == want
        });
        generation
    };
    let file = sea.manifests.join("a.yaml");
    fs::write(&file, text_of(11)).unwrap();
    let before = sea.ready("a");
    lands(11);
    // In place, truncated first.
    fs::write(&file, text_of(12)).unwrap();
    lands(12);
    // vim: a backup, then a new file of the old name; swap files around it.
    fs::write(sea.manifests.join(".a.yaml.swp"), [0u8, 159, 146, 150]).unwrap();
    fs::rename(&file, sea.manifests.join("a.yaml~")).unwrap();
    fs::write(&file, text_of(13)).unwrap();
    fs::remove_file(sea.manifests.join("a.yaml~")).unwrap();
    fs::remove_file(sea.manifests.join(".a.yaml.swp")).unwrap();
    lands(13);
    // Others: a temporary file renamed over it.
    sea.write("a.yaml", &text_of(14));
    lands(14);
    // A ConfigMap-like symlink to a versioned directory that is swapped at once.
    let (one, two) = (sea.root().join("one"), sea.root().join("two"));
    for (dir, megabytes) in [(&one, 15), (&two, 16)] {
        fs::create_dir(dir).unwrap();
        fs::write(dir.join("catalog.yaml"), catalog()).unwrap();
        fs::write(dir.join("a.yaml"), text_of(megabytes)).unwrap();
    }
    // The directory is replaced as a whole.
    fs::rename(&sea.manifests, sea.root().join("old")).unwrap();
    symlink(&one, &sea.manifests).unwrap();
    lands(15);
    let next = sea.root().join("next");
    symlink(&two, &next).unwrap();
    fs::rename(&next, &sea.manifests).unwrap();
    lands(16);
    // And back to a real one.
    fs::remove_file(&sea.manifests).unwrap();
    fs::rename(sea.root().join("old"), &sea.manifests).unwrap();
    lands(14);
    let after = sea.status("a");
    assert_eq!(before["container"]["startedAt"], after["container"]["startedAt"]);
    assert!(!sea.ok(&["events"]).contains("ManifestRemoved"));
}

#[test]
fn a_paused_object_is_looked_at_and_not_touched() {
    let sea = Sea::start();
    sea.postgres("a", "{version: '18', parameters: {work_mem: 5MB}}");
    let before = sea.ready("a");
    let paused = "apiVersion: seawall.dev/v1\nkind: Postgres\nmetadata: {name: a, annotations: {seawall.dev/paused: \"true\"}}\nspec: {version: '18', parameters: {work_mem: 6MB}, resources: {memory: 256Mi}}\n";
    sea.write("a.yaml", paused);
    let words = sea.until_condition("a", "Paused", "True", "Annotation");
    assert!(words.contains("nothing is written"), "{words}");
    let status = sea.until("a", "Paused with steps held back", |s| {
        condition(s, "Paused").2.contains("steps are held back")
    });
    assert_eq!(condition(&status, "Ready").0, "True", "it still serves");
    assert_eq!(sea.sql("a", "SHOW work_mem"), "5MB");
    let plan = sea.cli(&["plan"]);
    assert_eq!(plan.status.code(), Some(2));
    let plan = text(&plan);
    assert!(plan.contains("paused") && plan.contains("write parameters") && plan.contains("256Mi"), "{plan}");
    // Not even a repair.
    sea.docker(&["stop", &sea.container("a")]);
    sea.until("a", "not Ready", |s| condition(s, "Ready").0 == "False");
    sea.write("noise.yaml", &postgres("other", "{version: '18', stopped: true}"));
    sea.until_condition("other", "Ready", "False", "Stopped");
    assert_eq!(sea.inspect("a")["State"]["Status"], "exited");
    assert_eq!(sea.inspect("a")["HostConfig"]["Memory"], 0);

    sea.write("a.yaml", &paused.replace("\"true\"", "\"false\""));
    let status = sea.until("a", "going on", |s| {
        condition(s, "Ready").0 == "True"
            && condition(s, "Progressing").0 == "False"
            && condition(s, "Paused").0 != "True"
    });
    assert_eq!(status["container"]["id"], before["container"]["id"]);
    assert_eq!(sea.sql("a", "SHOW work_mem"), "6MB");
    assert_eq!(status["resources"]["applied"]["memory"], "256Mi");
}
