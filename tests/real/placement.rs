//! All of the data lies in volumes that outlive the container, or Seawall says so and lets no container go.

use crate::harness::{Sea, condition, docker, wait_for};
use crate::lifecycle::TestImage;

/// PostgreSQL 17 with its WAL at /wal; `more` are further lines of the Dockerfile.
fn image_with_wal_elsewhere(name: &str, more: &str) -> TestImage {
    TestImage::build(name, &format!("FROM seawall/postgres:17\nENV POSTGRES_INITDB_WALDIR=/wal\n{more}\n"))
}

#[test]
fn a_wal_directory_in_the_container_is_never_ready_and_never_lost() {
    let image = image_with_wal_elsewhere("wal-inside", "");
    let other = image_with_wal_elsewhere("wal-inside-other", "LABEL other=1");
    let sea = Sea::start();
    sea.postgres("a", &format!("{{image: '{}', resources: {{memory: 512Mi}}}}", image.0));
    let why = sea.until_condition("a", "Degraded", "True", "DataOutsideVolume");
    assert!(why.contains("/var/lib/postgresql/data/pg_wal leads to /wal."), "{why}");
    assert_eq!(sea.condition("a", "Ready").0, "False");
    let before = sea.inspect("a");
    assert_eq!(
        sea.sql("a", "CREATE TABLE kept (n int); SELECT 1"),
        "CREATE TABLE\n1",
        "it serves all the same"
    );

    // Another image would take a re-create; caps do not.
    sea.postgres("a", &format!("{{image: '{}', resources: {{memory: 600Mi}}}}", other.0));
    sea.until("a", "capped", |status| status["resources"]["inSync"] == true);
    let after = sea.inspect("a");
    assert_eq!((&after["Id"], &after["State"]["StartedAt"]), (&before["Id"], &before["State"]["StartedAt"]));

    // Killed, it is started again, not made again.
    docker(&["kill", &sea.container("a")]);
    sea.until("a", "running", |status| status["container"]["state"] == "running");
    assert_eq!(sea.inspect("a")["Id"], before["Id"]);

    // Without a manifest it is stopped and kept.
    sea.remove("a.yaml");
    let status = sea.until("a", "stopped", |status| status["container"]["state"] == "exited");
    assert_eq!(condition(&status, "Degraded").1, "DataOutsideVolume");
    assert_eq!(sea.inspect("a")["Id"], before["Id"]);

    // Given up by name, all of it goes.
    sea.ok(&["delete", "postgres/a", "--confirm", "a"]);
    wait_for("the end", || (sea.containers().is_empty() && sea.volumes().is_empty()).then_some(()));
}

#[test]
fn what_an_image_declares_as_volumes_outlives_the_container() {
    let image =
        image_with_wal_elsewhere("wal-volume", "RUN install -d -o postgres -g postgres /wal\nVOLUME /wal");
    let other = image_with_wal_elsewhere("wal-volume-other", "");
    let sea = Sea::start();
    sea.postgres("a", &format!("{{image: '{}'}}", image.0));
    let status = sea.ready("a");
    let extra = format!("{}.wal", sea.container("a"));
    assert_eq!(status["volume"]["extra"], serde_json::json!([{"name": extra, "mountPath": "/wal"}]));
    sea.sql("a", "CREATE TABLE kept AS SELECT 7 AS n");
    docker(&["rm", "-f", &sea.container("a")]);
    sea.until("a", "made again", |s| {
        s["container"]["id"] != status["container"]["id"] && condition(s, "Ready").0 == "True"
    });
    assert_eq!(sea.sql("a", "SELECT n FROM kept"), "7");

    // An image without the declaration still gets the volume.
    sea.postgres("a", &format!("{{image: '{}'}}", other.0));
    sea.ready("a");
    assert_eq!(sea.sql("a", "SELECT n FROM kept"), "7");

    // Removed by consent alone.
    sea.remove("a.yaml");
    sea.until("a", "retained", |s| condition(s, "Ready").1 == "Retained" && s["container"].is_null());
    assert_eq!(sea.volumes(), [sea.volume("a"), extra]);
    sea.ok(&["delete", "postgres/a", "--confirm", "a"]);
    wait_for("the end", || sea.volumes().is_empty().then_some(()));
}

#[test]
fn the_data_directory_behind_a_link_is_not_in_the_volume() {
    // The volume's own directory is a link out of the volume by the time the server starts.
    let entry = "#!/bin/bash\nif [ ! -e /var/lib/postgresql/18 ]; then\n  mkdir /tmp/elsewhere && ln -s /tmp/elsewhere /var/lib/postgresql/18\nfi\nexec docker-entrypoint.sh \"$@\"\n";
    let printed = entry.replace('\n', "\\n").replace('"', "\\\"").replace('$', "\\$");
    let image = TestImage::build(
        "linked",
        &format!(
            "FROM seawall/postgres:18\nRUN printf \"{printed}\" >/entry && chmod 755 /entry\nENTRYPOINT [\"/entry\"]\nCMD [\"postgres\"]\n"
        ),
    );
    let sea = Sea::start();
    sea.postgres("a", &format!("{{image: '{}'}}", image.0));
    let why = sea.until_condition("a", "Degraded", "True", "DataOutsideVolume");
    assert!(why.contains("/var/lib/postgresql/18 leads to /tmp/elsewhere"), "{why}");
}

#[test]
fn a_tablespace_in_the_container_is_said_and_forgotten_when_it_is_gone() {
    let sea = Sea::start();
    sea.postgres("a", "{version: '18'}");
    sea.ready("a");
    let container = sea.container("a");
    let places = ["/tmp/inside", "/var/lib/postgresql/inside"];
    docker(&[&["exec", "-u", "postgres", &container, "mkdir"], &places[..]].concat());
    // A tablespace in the volume is as good as none.
    sea.sql("a", "CREATE TABLESPACE good LOCATION '/var/lib/postgresql/inside'");
    sea.sql("a", "CREATE TABLESPACE bad LOCATION '/tmp/inside'");
    let why = sea.until_condition("a", "Degraded", "True", "DataOutsideVolume");
    assert!(why.contains("leads to /tmp/inside.") && !why.contains("postgresql/inside"), "{why}");
    assert_eq!(sea.condition("a", "Ready").0, "False");
    sea.sql("a", "DROP TABLESPACE bad");
    sea.ready("a");
    assert_ne!(sea.condition("a", "Degraded").0, "True");
}
