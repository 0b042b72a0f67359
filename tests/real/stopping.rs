//! Stopped by manifest or by hand: a fast, clean shutdown that nothing but the user undoes.

use crate::harness::{Sea, condition};
use crate::kinds::postgres::KIND as POSTGRES;
use crate::kinds::{Ask, Kind, tests};
use crate::lifecycle::TestImage;
use std::process::Stdio;

tests!(
    stopped_in_the_manifest_is_a_clean_shutdown_and_the_same_container_starts_again,
    stop_start_and_restart_by_hand_say_what_to_commit,
);

/// Stopped cleanly, by exit code, by the server's own log, and for the engine too.
fn cleanly_stopped(kind: &dyn Kind, sea: &Sea, name: &str) {
    let words = sea.until_condition(name, "Ready", "False", "Stopped");
    assert!(words.contains("clean shutdown (exit code 0)") && !words.contains("NOT"), "{words}");
    let inspect = sea.inspect(name);
    assert_eq!(inspect["State"]["Status"], "exited");
    assert_eq!(inspect["State"]["ExitCode"], 0);
    assert_eq!(
        inspect["HostConfig"]["RestartPolicy"]["Name"], "no",
        "a restart of the engine would start it"
    );
    let [asked, last] = kind.last_words();
    let log = sea.ok(&["logs", name, "--tail", "5"]);
    assert!(log.contains(last), "{log}");
    let all = sea.ok(&["logs", name]);
    assert!(all.contains(asked), "{all}");
}

fn stopped_in_the_manifest_is_a_clean_shutdown_and_the_same_container_starts_again(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let a = &kind.object("a");
    let unborn = &kind.object("unborn");
    sea.put(a, &kind.spec(""));
    sea.put(unborn, &kind.spec_of(kind.another_version(), "stopped: true"));
    let before = sea.ready(a);
    sea.keep(a, 1);
    // An open session must not hold the shutdown up.
    let mut session = sea.client(&sea.login(a), a, Ask::Wait);
    session.stdout(Stdio::null()).stderr(Stdio::null());
    let mut session = session.spawn().unwrap();
    sea.put(a, &kind.spec("stopped: true"));
    cleanly_stopped(kind, &sea, a);
    session.wait().unwrap();
    // Nothing is left to do.
    sea.until(a, "settled", |s| condition(s, "Progressing").0 == "False");
    let stopped = sea.status(a);
    assert_eq!(stopped["container"]["id"], before["container"]["id"]);
    assert_eq!(stopped["container"]["exitCode"], 0);
    assert!(!sea.ok(&["events"]).contains("UncleanShutdown"));
    let row = sea.ok(&["get", a]);
    assert!(row.contains("Stopped"), "{row}");
    // Somebody starts it by hand: it is stopped again.
    sea.docker(&["start", &sea.container(a)]);
    sea.until(a, "stopped again", |s| {
        condition(s, "Ready").1 == "Stopped"
            && s["container"]["startedAt"] != stopped["container"]["startedAt"]
    });
    sea.until(a, "settled", |s| condition(s, "Progressing").0 == "False");
    let inspect = sea.inspect(a);
    assert_eq!(
        (&inspect["State"]["Status"], &inspect["HostConfig"]["RestartPolicy"]["Name"]),
        (&"exited".into(), &"no".into())
    );

    sea.put(a, &kind.spec("stopped: false"));
    let after = sea.ready(a);
    assert_eq!(after["container"]["id"], before["container"]["id"]);
    assert_eq!(sea.inspect(a)["HostConfig"]["RestartPolicy"]["Name"], "always");
    assert_eq!(sea.kept(a), [1]);

    // Stopped from the beginning: nothing was made for it.
    let words = sea.until_condition(unborn, "Ready", "False", "Stopped");
    assert!(words.contains("there is no container"), "{words}");
    assert_eq!(sea.containers(), [sea.container(a)]);
    sea.put(unborn, &kind.spec_of(kind.another_version(), ""));
    sea.ready(unborn);
}

fn stop_start_and_restart_by_hand_say_what_to_commit(kind: &dyn Kind) {
    let mut sea = Sea::start_of(kind);
    let a = &kind.object("a");
    sea.put(a, &kind.spec(""));
    let first = sea.ready(a);
    let said = sea.ok(&["stop", a]);
    assert!(said.contains("stopped: true") && said.contains("a.yaml"), "{said}");
    cleanly_stopped(kind, &sea, a);
    let refused = sea.cli(&["restart", a]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains(&format!("seawall start {a}")), "{refused:?}");
    // It holds over a restart of the operator.
    sea.stop();
    sea.run();
    sea.until_condition(a, "Ready", "False", "Stopped");
    assert_eq!(sea.inspect(a)["State"]["Status"], "exited");
    sea.ok(&["start", a]);
    let second = sea.ready(a);
    assert_eq!(first["container"]["id"], second["container"]["id"]);
    sea.ok(&["restart", a]);
    let third = sea.until(a, "restarted", |s| {
        condition(s, "Ready").0 == "True" && s["container"]["startedAt"] != second["container"]["startedAt"]
    });
    assert_eq!(first["container"]["id"], third["container"]["id"]);
    sea.event("ServerRestarted", "asked for by `seawall restart`");

    sea.put(a, &kind.spec("stopped: true"));
    cleanly_stopped(kind, &sea, a);
    let refused = sea.cli(&["start", a]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("stopped: false"), "{refused:?}");
}

/// Stopped as soon as somebody starts it by hand: the signal comes before the server does. The entrypoint finds
/// `/by-hand` then.
fn stopped_in_the_middle_of_a_start(name: &str, dockerfile: &str) -> String {
    let image = TestImage::build(name, dockerfile);
    let sea = Sea::start();
    sea.postgres("a", &format!("{{image: '{}'}}", image.0));
    sea.ready("a");
    sea.postgres("a", &format!("{{image: '{}', stopped: true}}", image.0));
    cleanly_stopped(&POSTGRES, &sea, "postgres/a");
    let stopped = sea.status("a");
    let flag = tempfile::NamedTempFile::new().unwrap();
    sea.docker(&["cp", flag.path().to_str().unwrap(), &format!("{}:/by-hand", sea.container("a"))]);
    sea.docker(&["start", &sea.container("a")]);
    sea.until("a", "stopped again", |s| {
        condition(s, "Ready").1 == "Stopped"
            && s["container"]["startedAt"] != stopped["container"]["startedAt"]
    });
    let words = sea.until_condition("a", "Ready", "False", "Stopped");
    assert!(words.contains("clean shutdown") && !words.contains("NOT"), "{words}");
    assert!(!sea.ok(&["events"]).contains("UncleanShutdown"));
    let log = sea.ok(&["logs", "postgres/a", "--tail", "5"]);
    assert!(log.contains("database system is shut down"), "{log}");
    words
}

/// The stop signal meets an entrypoint that does not hear it, as any shell does while a child runs.
#[test]
fn a_stop_in_the_middle_of_a_start_is_a_clean_shutdown_too() {
    stopped_in_the_middle_of_a_start(
        "deaf",
        "FROM seawall/postgres:17\nENTRYPOINT [\"bash\", \"-c\", \"trap '' INT; sleep 3; trap - INT; exec docker-entrypoint.sh \\\"$@\\\"\", \"deaf\"]\nCMD [\"postgres\"]\n",
    );
}

/// The stop signal ends what prepares the start, here with the code of the engine's own runtime (a Go program) when the
/// signal meets that one: no server ran, so nothing needs recovery.
#[test]
fn a_start_that_the_stop_signal_ended_before_there_was_a_server_left_the_data_clean() {
    let words = stopped_in_the_middle_of_a_start(
        "early",
        "FROM seawall/postgres:17\nENTRYPOINT [\"bash\", \"-c\", \"if [ -e /by-hand ]; then trap 'exit 2' INT; for i in {1..50}; do sleep 0.1; done; exit 2; fi; exec docker-entrypoint.sh \\\"$@\\\"\", \"early\"]\nCMD [\"postgres\"]\n",
    );
    // 130 when the signal was faster than the trap.
    let ended = |code| words.contains(&format!("by pg_control; the container ended with exit code {code}"));
    assert!(ended(2) || ended(130), "{words}");
}
