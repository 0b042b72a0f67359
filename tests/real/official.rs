//! Images whose entry point keeps the official image's contract, as Debian and as alpine have it: they
//! come up with the least privilege, and come up again after every restart and re-create.

use crate::harness::{Sea, condition, docker, wait_for};
use crate::lifecycle::TestImage;
use serde_json::Value;

const IMAGES: [(&str, &str); 3] = [
    ("debian18", "seawall/official:18"),
    ("debian17", "seawall/official:17"),
    ("alpine17", "seawall/official-alpine:17"),
];

fn capabilities(sea: &Sea, name: &str) -> (String, Vec<String>) {
    let seen = sea.inspect(name);
    let add = seen["HostConfig"]["CapAdd"].as_array().cloned().unwrap_or_default();
    let add = add.iter().map(|c| c.as_str().unwrap().trim_start_matches("CAP_").to_owned()).collect();
    (seen["Config"]["User"].as_str().unwrap_or_default().to_owned(), add)
}

fn proofs(sea: &Sea) -> usize {
    sea.ok(&["events"]).lines().filter(|l| l.contains("RestartProven")).count()
}

/// Waits until another start of the server (or another container) is Ready.
fn ready_again(sea: &Sea, name: &str, before: &Value) -> Value {
    sea.until(name, "Ready again", |status| {
        condition(status, "Ready").0 == "True"
            && condition(status, "Progressing").0 == "False"
            && status["server"]["startedAt"] != before["server"]["startedAt"]
    })
}

#[test]
fn what_is_ready_once_comes_up_again_after_every_restart_and_recreate() {
    let sea = Sea::start();
    for (name, image) in IMAGES {
        sea.postgres(name, &format!("{{image: '{image}', resources: {{memory: 256Mi}}}}"));
    }
    for (name, _) in IMAGES {
        let mut status = sea.ready(name);
        assert_eq!(capabilities(&sea, name), ("postgres".to_owned(), vec![]), "{name}");
        assert!(status["hardening"].as_str().unwrap().starts_with("full: "), "{status}");
        assert_eq!(condition(&status, "Degraded").0, "", "{status}");
        sea.sql(name, "CREATE TABLE kept AS SELECT 1 AS n");
        let container = sea.container(name);
        docker(&["restart", &container]);
        status = ready_again(&sea, name, &status);
        docker(&["kill", &container]);
        status = ready_again(&sea, name, &status);
        docker(&["rm", "-f", &container]);
        status = ready_again(&sea, name, &status);
        // A re-create by a changed port map, and a stop on purpose.
        sea.ok(&["stop", &format!("postgres/{name}")]);
        sea.until_condition(name, "Ready", "False", "Stopped");
        sea.ok(&["start", &format!("postgres/{name}")]);
        ready_again(&sea, name, &status);
        assert_eq!(sea.sql(name, "SELECT n FROM kept"), "1", "{name}");
        assert_eq!(capabilities(&sea, name), ("postgres".to_owned(), vec![]), "{name}");
    }
    assert_eq!(proofs(&sea), IMAGES.len(), "once for each image: {}", sea.ok(&["events"]));
    // Known by now, also to the next process.
    sea.postgres("more", "{image: 'seawall/official:17'}");
    sea.ready("more");
    assert_eq!(proofs(&sea), IMAGES.len(), "{}", sea.ok(&["events"]));
}

#[test]
fn an_entry_point_that_must_be_root_gets_what_it_needs_to_start_again_and_no_more() {
    // Nobody but root may start it, and then it walks over all of the data.
    let rooted = TestImage::build(
        "rooted",
        "FROM seawall/official:17\nRUN printf '#!/bin/sh\\nif [ -z \"$ROOTED\" ]; then touch /root/x || exit 1; export ROOTED=1; fi\\nexec docker-entrypoint.sh \"$@\"\\n' > /rooted && chmod 755 /rooted\nENTRYPOINT [\"/rooted\"]\n",
    );
    let sea = Sea::start();
    sea.postgres("a", &format!("{{image: '{}'}}", rooted.0));
    let status = sea.ready("a");
    let least = ["CHOWN", "DAC_READ_SEARCH", "FOWNER", "KILL", "SETGID", "SETUID"];
    let given = || {
        let mut given = capabilities(&sea, "a").1;
        given.sort();
        given
    };
    assert_eq!(given(), least);
    assert!(status["hardening"].as_str().unwrap().contains("DAC_READ_SEARCH"), "{status}");
    assert_eq!(condition(&status, "Degraded").1, "HardeningReduced");
    docker(&["restart", &sea.container("a")]);
    let status = ready_again(&sea, "a", &status);
    docker(&["rm", "-f", &sea.container("a")]);
    ready_again(&sea, "a", &status);
    assert_eq!(given(), least);
}

#[test]
fn data_of_another_user_is_taken_over_by_an_image_that_does_that() {
    let sea = Sea::start();
    sea.postgres("a", "{image: 'seawall/official:17'}");
    let first = sea.ready("a");
    sea.sql("a", "CREATE TABLE kept AS SELECT 1 AS n");
    sea.postgres("a", "{image: 'seawall/official-alpine:17'}");
    let status = ready_again(&sea, "a", &first);
    assert_eq!(sea.sql("a", "SELECT n FROM kept"), "1");
    assert!(status["hardening"].as_str().unwrap().contains("DAC_READ_SEARCH"), "{status}");
    // It says nothing about the image: another object of it needs no more than it did.
    sea.postgres("b", "{image: 'seawall/official-alpine:17'}");
    sea.ready("b");
    assert_eq!(capabilities(&sea, "b"), ("postgres".to_owned(), vec![]));
    let owner = wait_for("an owner", || {
        Some(docker(&[
            "exec",
            &sea.container("a"),
            "stat",
            "-c",
            "%u",
            "/var/lib/postgresql/data/PG_VERSION",
        ]))
    });
    assert_eq!(owner, "70");
}
