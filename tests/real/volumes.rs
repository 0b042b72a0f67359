//! The volume of an object: nobody else writes to it while ours starts, and what is lost is said.

use super::harness::{Sea, condition, docker, manifest, pause, wait_for};
use crate::kinds::{Kind, tests};
use std::process::Command;

tests!(
    no_server_is_started_beside_another_container_on_its_volume,
    a_second_server_by_hand_is_told_whether_ours_runs_or_not,
    a_volume_that_is_lost_while_stopped_is_told_and_comes_back_as_the_advice_says,
);

/// Somebody's containers and volumes; gone with the test.
struct Theirs(Vec<String>, Vec<String>);

impl Drop for Theirs {
    fn drop(&mut self) {
        for name in &self.0 {
            let _ = Command::new("docker").args(["rm", "-fv", name]).output();
        }
        for name in &self.1 {
            let _ = Command::new("docker").args(["volume", "rm", name]).output();
        }
    }
}

/// A container by hand that has `mount`, running or paused.
fn by_hand(kind: &dyn Kind, name: &str, mount: &str) {
    docker(&[
        "run",
        "-d",
        "--init",
        "--name",
        name,
        "-v",
        mount,
        "--entrypoint=sleep",
        &kind.image(kind.versions()[0]),
        "3600",
    ]);
}

fn no_server_is_started_beside_another_container_on_its_volume(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let a = &kind.object("a");
    sea.put(a, &kind.spec(""));
    sea.ready(a);
    sea.keep(a, 1);
    let (volume, theirs, alias) =
        (sea.volume(a), format!("{}-theirs", sea.installation), format!("{}-alias", sea.installation));
    let _gone = Theirs(vec![theirs.clone()], vec![alias.clone()]);
    let point = docker(&["volume", "inspect", "-f", "{{.Mountpoint}}", &volume]).trim().to_owned();
    docker(&[
        "volume",
        "create",
        "--driver",
        "local",
        "--opt",
        "type=none",
        "--opt",
        "o=bind",
        "--opt",
        &format!("device={point}"),
        &alias,
    ]);
    let parent = point.strip_suffix("/_data").unwrap();
    let (path, directory) = kind.data();
    for (mount, shares) in [
        (format!("{volume}:{path}"), true),
        (format!("{point}:/data"), true),
        (format!("{point}/{directory}:/data"), true),
        (format!("{parent}:/data"), true),
        (format!("{alias}:/data"), true),
        (format!("{volume}:/backup:ro"), false),
    ] {
        sea.ok(&["stop", a]);
        sea.until(a, "stopped", |s| condition(s, "Ready").1 == "Stopped");
        by_hand(kind, &theirs, &mount);
        if mount.starts_with(&point) {
            pause(&theirs);
        }
        let before = sea.inspect(a)["State"]["StartedAt"].clone();
        sea.ok(&["start", a]);
        if shares {
            let why = sea.until_condition(a, "Degraded", "True", "VolumeShared");
            assert!(why.contains(&theirs), "{mount}: {why}");
            assert_eq!(sea.condition(a, "Ready").1, "VolumeShared");
            assert_eq!(sea.inspect(a)["State"]["StartedAt"], before, "{mount}");
        } else {
            sea.ready(a);
        }
        docker(&["rm", "-fv", &theirs]);
        sea.ready(a);
        assert_eq!(sea.kept(a), [1]);
    }
}

/// The case that destroyed a database: the same image on the same volume, by hand.
fn a_second_server_by_hand_is_told_whether_ours_runs_or_not(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let a = &kind.object("a");
    sea.put(a, &kind.spec(""));
    sea.ready(a);
    let theirs = format!("{}-theirs", sea.installation);
    let _gone = Theirs(vec![theirs.clone()], Vec::new());
    sea.ok(&["stop", a]);
    sea.until(a, "stopped", |s| condition(s, "Ready").1 == "Stopped");
    let mount = format!("{}:{}", sea.volume(a), kind.data().0);
    let image = kind.image(kind.versions()[0]);
    docker(&["run", "-d", "--name", &theirs, "-v", &mount, "-e", "POSTGRES_PASSWORD=x", &image]);
    sea.ok(&["start", a]);
    let why = sea.until_condition(a, "Degraded", "True", "VolumeShared");
    assert!(why.contains(&format!("docker stop {theirs}")), "{why}");
    assert_eq!(sea.inspect(a)["State"]["Running"], false);
    docker(&["stop", &theirs]);
    sea.ready(a);
    // And later, while ours runs.
    by_hand(kind, &format!("{theirs}2"), &mount);
    let _too = Theirs(vec![format!("{theirs}2")], Vec::new());
    sea.until_condition(a, "Degraded", "True", "VolumeShared");
    sea.event("VolumeShared", &format!("{theirs}2"));
    assert_eq!(sea.condition(a, "Ready").0, "False");
    wait_for("not started by the engine", || {
        (sea.inspect(a)["HostConfig"]["RestartPolicy"]["Name"] == "no").then_some(())
    });
    docker(&["kill", &sea.container(a)]);
    wait_for("down", || (sea.inspect(a)["State"]["Running"] == false).then_some(()));
    docker(&["rm", "-f", &format!("{theirs}2")]);
    sea.ready(a);
    assert_eq!(sea.inspect(a)["HostConfig"]["RestartPolicy"]["Name"], "always");
}

/// As `docker system prune --volumes` does to the one of a stopped database.
fn a_volume_that_is_lost_while_stopped_is_told_and_comes_back_as_the_advice_says(kind: &dyn Kind) {
    // Before the Sea, so that it goes after the container that uses the volume.
    let mut theirs = Theirs(Vec::new(), Vec::new());
    let mut sea = Sea::start_of(kind);
    let a = &kind.object("a");
    sea.put(a, &kind.spec(""));
    let before = sea.ready(a);
    sea.keep(a, 42);
    let (volume, copy) = (sea.volume(a), format!("{}-copy", sea.installation));
    theirs.1 = vec![copy.clone(), volume.clone()];
    docker(&["volume", "create", &copy]);
    sea.ok(&["stop", a]);
    sea.until(a, "stopped", |s| condition(s, "Ready").1 == "Stopped");
    let fill = |from: &str, to: &str| {
        let (from, to) = (format!("{from}:/from:ro"), format!("{to}:/to"));
        let image = &kind.image(kind.versions()[0]);
        docker(&[
            "run",
            "--rm",
            "--user",
            "0",
            "--entrypoint",
            "cp",
            "-v",
            &from,
            "-v",
            &to,
            image,
            "-a",
            "/from/.",
            "/to/",
        ]);
    };
    fill(&volume, &copy);
    docker(&["rm", &sea.container(a)]);
    docker(&["volume", "rm", &volume]);
    let why = sea.until_condition(a, "Degraded", "True", "VolumeMissing");
    sea.event("VolumeMissing", &volume);
    // The command as it is printed.
    let command = why.split("bring the volume back: ").nth(1).unwrap().split(" — ").next().unwrap();
    assert!(command.starts_with("docker volume create --label "), "{why}");
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    docker(&words);
    sea.ok(&["start", a]);
    sea.until_condition(a, "Degraded", "True", "VolumeEmpty");
    assert_eq!(sea.inspect(a)["State"]["StartedAt"], "0001-01-01T00:00:00Z", "never started");
    fill(&copy, &volume);
    sea.ready(a);
    assert_eq!(sea.kept(a), [42]);
    // Restored without labels: by its identifier, when the user says so.
    // Down, so that it does not make the container again before the volume is gone.
    sea.kill();
    docker(&["rm", "-f", &sea.container(a)]);
    docker(&["volume", "rm", &volume]);
    docker(&["volume", "create", &volume]);
    sea.run();
    let why = sea.until_condition(a, "Degraded", "True", "NameConflict");
    let Some(accept) = why.split("accept-cluster: \"").nth(1) else {
        // Where nothing tells this data from other, there is no word that makes a volume without labels ours.
        assert!(kind.identifier(&before).is_null() && sea.containers().is_empty(), "{why}");
        return;
    };
    let id = accept.split('"').next().unwrap();
    fill(&copy, &volume);
    let annotation = format!("seawall.dev/accept-cluster: '{id}'");
    sea.write("a.yaml", &manifest(a, &annotation, &kind.spec("")));
    sea.ready(a);
    assert_eq!(sea.kept(a), [42]);
}
