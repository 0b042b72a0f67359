//! Images whose entry point keeps the official image's contract, as Debian and as alpine have it: they
//! come up with the least privilege, and come up again after every restart and re-create.

use crate::harness::{Sea, condition, docker, text, wait_for};
use crate::kinds::{Kind, tests};
use crate::lifecycle::TestImage;
use serde_json::Value;

tests!(what_is_ready_once_comes_up_again_after_every_restart_and_recreate);

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
            && status["container"]["startedAt"] != before["container"]["startedAt"]
            && (status["server"]["startedAt"].is_null()
                || status["server"]["startedAt"] != before["server"]["startedAt"])
    })
}

fn what_is_ready_once_comes_up_again_after_every_restart_and_recreate(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let images: Vec<_> = kind.official().iter().map(|(name, image)| (kind.object(name), *image)).collect();
    for (name, image) in &images {
        sea.put(name, &kind.spec_with_image(image, "resources: {memory: 256Mi}"));
    }
    let least = (kind.user().to_owned(), vec![]);
    for (name, _) in &images {
        let mut status = sea.ready(name);
        assert_eq!(capabilities(&sea, name), least, "{name}");
        assert!(status["hardening"].as_str().unwrap().starts_with("full: "), "{status}");
        assert_eq!(condition(&status, "Degraded").0, "", "{status}");
        sea.keep(name, 1);
        let container = sea.container(name);
        docker(&["restart", &container]);
        status = ready_again(&sea, name, &status);
        docker(&["kill", &container]);
        status = ready_again(&sea, name, &status);
        docker(&["rm", "-f", &container]);
        status = ready_again(&sea, name, &status);
        // A re-create by a changed port map, and a stop on purpose.
        sea.ok(&["stop", name]);
        sea.until_condition(name, "Ready", "False", "Stopped");
        sea.ok(&["start", name]);
        ready_again(&sea, name, &status);
        assert_eq!(sea.kept(name), [1], "{name}");
        assert_eq!(capabilities(&sea, name), least, "{name}");
    }
    assert_eq!(proofs(&sea), images.len(), "once for each image: {}", sea.ok(&["events"]));
    // Known by now, also to the next process.
    let more = &kind.object("more");
    sea.put(more, &kind.spec_with_image(images.last().unwrap().1, ""));
    sea.ready(more);
    assert_eq!(proofs(&sea), images.len(), "{}", sea.ok(&["events"]));
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

#[test]
fn the_cmd_of_an_image_is_kept_and_what_is_not_is_said() {
    let list = TestImage::build(
        "cmd-list",
        "FROM seawall/official:17\nCMD [\"postgres\", \"-c\", \"shared_preload_libraries=pg_stat_statements\", \"-c\", \"work_mem=9MB\"]\n",
    );
    let shell = TestImage::build("cmd-shell", "FROM seawall/official:17\nCMD postgres -c 'work_mem=9MB'\n");
    let file = TestImage::build(
        "cmd-file",
        "FROM seawall/official-alpine:17\nRUN printf \"jit=off\\nhba_file='/var/lib/postgresql/data/pg_hba.conf'\\nwork_mem=9MB\\n\" > /etc/own.conf\nCMD [\"postgres\", \"-c\", \"config_file=/etc/own.conf\"]\n",
    );
    let script =
        TestImage::build("cmd-script", "FROM seawall/official:17\nCMD [\"/usr/local/bin/run-it\"]\n");
    let sea = Sea::start();
    sea.postgres("list", &format!("{{image: '{}', parameters: {{work_mem: 7MB}}}}", list.0));
    sea.postgres("shell", &format!("{{image: '{}'}}", shell.0));
    sea.postgres("file", &format!("{{image: '{}'}}", file.0));
    sea.postgres("script", &format!("{{image: '{}'}}", script.0));
    for (name, settings, not_kept) in [
        ("list", "pg_stat_statements|7MB|on", vec!["-c work_mem=9MB (spec.parameters.work_mem is in force)"]),
        ("shell", "|9MB|on", vec![]),
        ("file", "|9MB|off", vec![]),
        ("script", "|4MB|on", vec!["/usr/local/bin/run-it (it does not start postgres)"]),
    ] {
        let status = sea.ready(name);
        let all = "SELECT current_setting('shared_preload_libraries'), current_setting('work_mem'), current_setting('jit')";
        assert_eq!(sea.sql(name, all), settings, "{name}");
        let said: Vec<&str> = status["image"]["commandNotKept"]
            .as_array()
            .map(|all| all.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        assert_eq!(said, not_kept, "{name}");
    }
    sea.event("ContainerCreated", "of the image's CMD is not kept: -c work_mem=9MB");
}

#[test]
fn a_password_that_a_container_prints_is_shown_nowhere() {
    let prints = TestImage::build(
        "prints",
        "FROM seawall/official:17\nENTRYPOINT [\"sh\", \"-c\", \"p=$(cat $POSTGRES_PASSWORD_FILE); echo \\\"FATAL: ALTER USER x PASSWORD E'$p'\\\"; echo $p | base64; sleep 1; exit 3\"]\n",
    );
    let mut sea = Sea::start();
    sea.postgres("a", &format!("{{image: '{}'}}", prints.0));
    sea.until("a", "said why", |status| condition(status, "Ready").2.contains("ALTER USER"));
    let password = sea.password("a");
    let coded = {
        let output = docker(&["logs", &sea.container("a")]);
        assert!(output.contains(&password), "the container does print it: {output}");
        output.lines().find(|l| !l.contains("FATAL")).unwrap()[..32].to_owned()
    };
    for shown in [
        sea.ok(&["get", "postgres/a", "-o", "yaml"]),
        sea.ok(&["describe", "postgres/a"]),
        sea.ok(&["events"]),
        text(&sea.cli(&["plan"])),
        sea.log(),
        sea.ok(&["export"]),
    ] {
        assert!(!shown.contains(&password) && !shown.contains(&coded), "{shown}");
    }
    let logs = |sea: &Sea, more: &[&str]| {
        let shown = sea.ok(&[&["logs", "postgres/a"], more].concat());
        assert!(shown.contains("FATAL: ALTER USER x PASSWORD E'********'"), "{shown}");
        assert!(!shown.contains(&password) && !shown.contains(&coded), "{shown}");
    };
    logs(&sea, &[]);
    // To its end when the container stops, or is removed.
    sea.ok(&["stop", "postgres/a"]);
    sea.until_condition("a", "Ready", "False", "Stopped");
    logs(&sea, &["--follow"]);
    // Also without an operator, whose store has the password.
    sea.stop();
    logs(&sea, &[]);
}

/// An image whose initialisation runs a statement and then this script.
fn with_script(name: &str, script: &str, mode: &str) -> TestImage {
    TestImage::build(
        name,
        &format!(
            "FROM seawall/official:17\nRUN printf '{script}' > /docker-entrypoint-initdb.d/b.sh && chmod {mode} /docker-entrypoint-initdb.d/b.sh && echo 'create table first (n int);' > /docker-entrypoint-initdb.d/a.sql\n"
        ),
    )
}

#[test]
fn an_initialisation_that_did_not_run_to_its_end_is_never_ready_and_is_made_anew_by_consent() {
    let fails = with_script("init-fails", "echo gone wrong >&2\\nexit 1\\n", "755");
    let leaves = with_script("init-leaves", "echo leaving early\\nexit 0\\n", "644");
    let killed = with_script("init-killed", "echo on my way\\nkill -9 $PPID $$\\n", "755");
    let works = with_script("init-works", "echo all is well\\n", "755");
    let sea = Sea::start();
    let images = [
        ("fails", &fails, "gone wrong"),
        ("leaves", &leaves, "leaving early"),
        ("killed", &killed, "on my way"),
    ];
    for (name, image, _) in images {
        sea.postgres(name, &format!("{{image: '{}'}}", image.0));
    }
    sea.postgres("works", &format!("{{image: '{}'}}", works.0));
    sea.ready("works");
    assert_eq!(sea.sql("works", "SELECT count(*) FROM first"), "0");
    for (name, _, words) in images {
        let why = sea.until_condition(name, "Ready", "False", "InitialisationFailed");
        assert!(why.contains("half-made") && why.contains(words), "{name}: {why}");
        assert!(why.contains(&format!("seawall reinitialise postgres/{name} --confirm {name}")), "{why}");
        wait_for("it is stopped", || {
            (sea.inspect(name)["State"]["Running"] == Value::Bool(false)).then_some(())
        });
        // Also a start by hand does not make it Ready.
        docker(&["start", &sea.container(name)]);
        sea.event("InitialisationFailed", name);
        let (truth, _, _) = sea.condition(name, "Ready");
        assert_eq!(truth, "False", "{name}");
        // A corrected image alone does not touch what is there.
        sea.postgres(name, &format!("{{image: '{}'}}", works.0));
        sea.until_condition(name, "Ready", "False", "InitialisationFailed");
        assert!(!sea.cli(&["reinitialise", &format!("postgres/{name}")]).status.success());
        sea.ok(&["reinitialise", &format!("postgres/{name}"), "--confirm", name]);
        sea.ready(name);
        assert_eq!(sea.sql(name, "SELECT count(*) FROM first"), "0", "{name}");
    }
    // What was Ready once is kept.
    let refused = text(&sea.cli(&["reinitialise", "postgres/works", "--confirm", "works"]));
    assert!(refused.contains("is kept"), "{refused}");
}
