//! What people do to containers by hand is undone, with the cause in an event, and costs no data.

use super::harness::{Sea, condition, docker, is_degraded, pause, processes, signal, text, wait_for};
use crate::kinds::postgres::inside as sql_inside;
use crate::kinds::{Ask, Kind, Parameter, tests};
use serde_json::Value;
use std::process::Command;

tests!(
    a_container_stopped_killed_removed_paused_or_renamed_by_hand_comes_back_with_its_data,
    caps_restart_policy_and_network_changed_by_hand_are_set_right_on_the_running_server,
    a_server_killed_from_outside_is_restarted_by_the_engine_and_that_is_said,
    a_container_made_by_hand_with_our_labels_is_ours_only_when_all_of_it_is,
    password_and_parameter_file_changed_inside_are_set_right,
    a_volume_removed_by_hand_is_never_replaced_by_an_empty_one,
    a_network_removed_while_the_server_was_stopped_is_made_again,
    a_port_that_lost_its_proxy_is_said_and_gets_a_new_one,
);

/// Numbers are counted after each repair: nothing written before it may be missing.
struct Rows<'a> {
    sea: &'a Sea,
    name: &'a str,
    written: u32,
}

impl<'a> Rows<'a> {
    fn new(sea: &'a Sea, name: &'a str) -> Self {
        Self { sea, name, written: 0 }
    }
    fn write(&mut self) {
        self.written += 1;
        self.sea.keep(self.name, self.written);
    }
    fn are_there(&self) {
        assert_eq!(self.sea.kept(self.name), (1..=self.written).collect::<Vec<_>>());
    }
    fn login(&self) {
        wait_for("a login", || {
            let at = self.sea.login(self.name);
            self.sea.try_ask(&at, self.name, Ask::Login).status.success().then_some(())
        });
    }
    /// Does something by hand, waits for the event that says why it was undone, and counts.
    fn survive(&mut self, by_hand: &dyn Fn(), reason: &str, cause: &str) -> Value {
        self.write();
        by_hand();
        self.sea.event(reason, cause);
        // The status of before may still stand while the repair goes on.
        self.login();
        let status = self.sea.ready(self.name);
        self.are_there();
        status
    }
}

fn inside(sea: &Sea, name: &str, database: &str, sql: &str) {
    let words = sql_inside(&sea.container(name), database, sql);
    sea.docker(&words.iter().map(String::as_str).collect::<Vec<_>>());
}

fn a_container_stopped_killed_removed_paused_or_renamed_by_hand_comes_back_with_its_data(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let a = &kind.object("a");
    sea.put(a, &kind.spec("resources: {memory: 256Mi}"));
    let first = sea.ready(a);
    let name = sea.container(a);
    let mut rows = Rows::new(&sea, a);

    rows.survive(&|| drop(docker(&["stop", &name])), "ContainerStarted", "exited with code 0");
    rows.survive(&|| drop(docker(&["kill", &name])), "ContainerStarted", "killed (exit code 137)");
    let status = rows.survive(&|| pause(&name), "ContainerUnpaused", "paused by hand");
    assert_eq!(status["container"]["id"], first["container"]["id"], "none of these needs a new container");

    let other = format!("{name}-renamed");
    let status = rows.survive(
        &|| drop(docker(&["rename", &name, &other])),
        "ContainerRenamed",
        &format!("our container is called {other}"),
    );
    assert_eq!(status["container"]["id"], first["container"]["id"]);
    assert_eq!(status["container"]["name"], name.as_str());

    let status = rows.survive(
        &|| drop(docker(&["rm", "-f", &name])),
        "ContainerCreated",
        &format!("container missing: re-create on volume {}", sea.volume(a)),
    );
    assert_ne!(status["container"]["id"], first["container"]["id"]);
    assert_eq!(status["endpoint"]["hostPort"], first["endpoint"]["hostPort"]);
    assert_eq!(kind.identifier(&status), kind.identifier(&first));
    assert_eq!(sea.containers(), [name]);
}

fn caps_restart_policy_and_network_changed_by_hand_are_set_right_on_the_running_server(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let a = &kind.object("a");
    sea.put(a, &kind.spec("resources: {memory: 256Mi, cpus: 0.5}"));
    let first = sea.ready(a);
    let name = sea.container(a);
    let mut rows = Rows::new(&sea, a);

    rows.survive(
        &|| drop(docker(&["update", "--memory=400m", "--memory-swap=400m", &name])),
        "ResourcesUpdated",
        "memory 400Mi, cpus 0.5 → memory 256Mi, cpus 0.5",
    );
    assert_eq!(sea.inspect(a)["HostConfig"]["Memory"], 256 << 20);
    rows.survive(&|| drop(docker(&["update", "--cpus=1.5", &name])), "ResourcesUpdated", "cpus 1.5 → memory");
    assert_eq!(sea.inspect(a)["HostConfig"]["NanoCpus"], 500_000_000);
    rows.survive(
        &|| drop(docker(&["update", "--restart=no", &name])),
        "RestartPolicyUpdated",
        "restart policy is \"no\"",
    );
    assert_eq!(sea.inspect(a)["HostConfig"]["RestartPolicy"]["Name"], "always");
    let network = format!("{}-seawall", sea.installation);
    let last = rows.survive(
        &|| drop(docker(&["network", "disconnect", &network, &name])),
        "NetworkConnected",
        &format!("not connected to network {network}"),
    );
    assert_eq!(last["container"]["id"], first["container"]["id"]);
    for what in ["server", "container"] {
        assert_eq!(last[what]["startedAt"], first[what]["startedAt"], "nothing here needs a restart");
    }
    assert_eq!(last["resources"]["inSync"], true);
}

fn a_server_killed_from_outside_is_restarted_by_the_engine_and_that_is_said(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let a = &kind.object("a");
    sea.put(a, &kind.spec(""));
    let first = sea.ready(a);
    let mut rows = Rows::new(&sea, a);
    let status =
        rows.survive(&|| signal("-9", &[sea.server(a)]), "ContainerDied", "and the engine restarts it");
    assert_eq!(status["container"]["id"], first["container"]["id"]);
    assert_ne!(status["container"]["startedAt"], first["container"]["startedAt"]);
}

#[test]
fn a_backend_killed_from_outside_is_recovered_from_by_the_server_itself() {
    let sea = Sea::start();
    sea.postgres("a", "{version: '18'}");
    sea.ready("a");
    let mut rows = Rows::new(&sea, "a");
    // PostgreSQL recovers by itself, in the same process; Seawall logs in anew.
    rows.write();
    let before = sea.ready("a");
    let (pid, _) = processes(&sea.container("a"))
        .into_iter()
        .find(|(_, args)| args.starts_with("postgres: postgres"))
        .unwrap();
    signal("-9", &[pid]);
    wait_for("the crash recovery", || {
        let output = Command::new("docker").args(["logs", &sea.container("a")]).output().unwrap();
        let log =
            String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        let (_, after) = log.split_once("all server processes terminated; reinitializing")?;
        after.contains("ready to accept connections").then_some(())
    });
    rows.login();
    let after = sea.ready("a");
    assert_eq!(after["container"]["startedAt"], before["container"]["startedAt"]);
    rows.are_there();
}

fn a_container_made_by_hand_with_our_labels_is_ours_only_when_all_of_it_is(kind: &dyn Kind) {
    let mut sea = Sea::start_of(kind);
    let a = &kind.object("a");
    sea.put(a, &kind.spec(""));
    let first = sea.ready(a);
    sea.keep(a, 1);
    let (name, volume) = (sea.container(a), sea.volume(a));
    let seen = sea.inspect(a);
    let labels: Vec<String> = seen["Config"]["Labels"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(k, v)| format!("--label={k}={}", v.as_str().unwrap()))
        .collect();
    let port = first["endpoint"]["hostPort"].as_u64().unwrap();
    let network = format!("--network={}-seawall", sea.installation);
    let mount = format!("--volume={volume}:{}", kind.data().0);
    let publish = |host: u64| format!("--publish=127.0.0.1:{host}:{}", kind.port());
    // A port nobody listens on, for the wrong port map.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let image = seen["Image"].as_str().unwrap();
    for (image, host, cause) in [
        (image, u64::from(free), "port map changed by hand"),
        (kind.image(kind.versions()[1]).as_str(), port, "its image is another one than this object's"),
        (image, 0, "it does not mount"),
    ] {
        // Down, so that it does not re-create the container before the hand does.
        sea.kill();
        docker(&["rm", "-fv", &name]);
        let publish = publish(if host == 0 { port } else { host });
        let mut arguments = vec!["run", "-d", "--init", "--name", &name, &network, &publish];
        if host != 0 {
            arguments.push(&mount);
        }
        arguments.extend(labels.iter().map(String::as_str));
        arguments.extend(["--entrypoint=sleep", image, "3600"]);
        let by_hand = docker(&arguments);
        sea.run();
        if cause == "port map changed by hand" {
            // What a crash between making a container and remembering it leaves behind looks like this.
            sea.event("ContainerCreated", cause);
        } else {
            let why = sea.until_condition(a, "Degraded", "True", "NameConflict");
            assert!(why.contains(cause), "{why}");
            assert_eq!(sea.inspect(a)["Id"], by_hand.as_str(), "untouched");
            assert_eq!(sea.inspect(a)["State"]["Running"], true);
            docker(&["rm", "-fv", &name]);
        }
        let status = sea.ready(a);
        assert_ne!(status["container"]["id"], by_hand.as_str());
        assert_eq!(status["image"]["id"], first["image"]["id"]);
        assert_eq!(sea.host_port(a), u16::try_from(port).unwrap());
        assert_eq!(sea.kept(a), [1]);
        assert_eq!(sea.containers(), std::slice::from_ref(&name));
    }
}

/// Every way in which the managed password can become another one, and the file that the server read.
fn password_and_parameter_file_changed_inside_are_set_right(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let a = &kind.object("a");
    let Parameter { name, values: [value, other] } = kind.live();
    sea.put(a, &kind.spec(&format!("parameters: {{{name}: {value}}}")));
    let first = sea.ready(a);
    let (password, container) = (sea.password(a), sea.container(a));
    let mut rows = Rows::new(&sea, a);

    let mut restarts = 0;
    for hand in kind.lock_outs(&container).iter().chain([&kind.edit_file(&container, other)]) {
        rows.survive(&|| sea.by_hand(hand), hand.reason, hand.cause);
        restarts += hand.commands.iter().filter(|words| words[0] == "restart").count();
    }
    assert_eq!(sea.password(a), password, "the managed password itself stays");
    assert_eq!(sea.parameter(a, name), value);
    let last = sea.ready(a);
    assert_eq!(last["container"]["id"], first["container"]["id"]);
    if restarts == 0 {
        assert_eq!(last["container"]["startedAt"], first["container"]["startedAt"]);
    }
}

#[test]
fn no_alter_system_is_let_through_and_a_dropped_database_is_loud() {
    let sea = Sea::start();
    sea.postgres("a", "{version: '18', parameters: {work_mem: 7MB}}");
    let first = sea.ready("a");
    let refused = sea.cli(&["psql", "a", "--", "-X", "-c", "ALTER SYSTEM SET work_mem = '9MB'"]);
    assert!(!refused.status.success());
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(words.contains("ALTER SYSTEM is not allowed in this environment"), "{words}");
    assert_eq!(sea.ready("a")["container"]["startedAt"], first["container"]["startedAt"]);

    inside(&sea, "a", "postgres", "DROP DATABASE app WITH (FORCE)");
    let why = sea.until_condition("a", "Degraded", "True", "DatabaseMissing");
    assert!(
        why.contains("an empty one was not made in its place") && why.contains("seawall psql a"),
        "{why}"
    );
    let (ready, reason, _) = sea.condition("a", "Ready");
    assert_eq!((ready.as_str(), reason.as_str()), ("False", "Blocked"));
    let databases = sea.docker(&[
        "exec",
        "-u",
        "postgres",
        &sea.container("a"),
        "psql",
        "-XAtU",
        "postgres",
        "-c",
        "SELECT datname FROM pg_database WHERE NOT datistemplate",
    ]);
    assert_eq!(databases, "postgres");
    inside(&sea, "a", "postgres", "CREATE DATABASE app");
    sea.ready("a");
}

#[test]
fn a_database_dropped_before_it_was_ever_ready_is_made_again() {
    let mut sea = Sea::new();
    sea.postgres("a", "{version: '18', port: none}");
    // The operator dies when it has started the container, before it ever logged in.
    sea.run_with(&[("SEAWALL_CRASH_AT", "7:after")]);
    wait_for("the crash", || sea.died().then_some(()));
    let name = sea.container("a");
    assert_eq!(sea.inspect("a")["State"]["Running"], true);
    wait_for("PostgreSQL over the network", || {
        let check = Command::new("docker").args(["exec", &name, "pg_isready", "-h", "127.0.0.1"]).output();
        check.unwrap().status.success().then_some(())
    });
    inside(&sea, "a", "postgres", "DROP DATABASE app");
    sea.run();
    sea.event("DatabaseCreated", "database missing, never seen before");
    sea.ready("a");
    inside(&sea, "a", "app", "SELECT 1");
}

fn a_volume_removed_by_hand_is_never_replaced_by_an_empty_one(kind: &dyn Kind) {
    let mut sea = Sea::start_of(kind);
    let a = &kind.object("a");
    sea.put(a, &kind.spec(""));
    sea.ready(a);
    sea.kill();
    docker(&["rm", "-f", &sea.container(a)]);
    docker(&["volume", "rm", &sea.volume(a)]);
    sea.run();
    let why = sea.until_condition(a, "Degraded", "True", "VolumeMissing");
    assert!(why.contains(&sea.volume(a)) && why.contains("An empty one was not made"), "{why}");
    // The next step brings it back; none gives it up.
    assert!(why.contains("docker volume create") && !why.contains("delete"), "{why}");
    assert_eq!(sea.condition(a, "Ready").0, "False");
    // Also not by a further pass, and not by the next start.
    sea.stop();
    sea.run();
    sea.until(a, "looked at again", |s| condition(s, "Degraded").1 == "VolumeMissing");
    assert!(sea.volumes().is_empty());
    // Looking into the image takes a container for a moment.
    wait_for("no container", || sea.containers().is_empty().then_some(()));
}

fn a_network_removed_while_the_server_was_stopped_is_made_again(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let a = &kind.object("a");
    sea.put(a, &kind.spec(""));
    let first = sea.ready(a);
    sea.keep(a, 1);
    sea.put(a, &kind.spec("stopped: true"));
    let words = sea.until_condition(a, "Ready", "False", "Stopped");
    assert!(words.contains("clean shutdown (exit code 0)"), "{words}");
    docker(&["network", "rm", &format!("{}-seawall", sea.installation)]);
    sea.put(a, &kind.spec(""));
    sea.event("NetworkCreated", "network missing");
    let status = sea.ready(a);
    assert_eq!(sea.kept(a), [1]);
    assert_eq!(status["endpoint"]["hostPort"], first["endpoint"]["hostPort"]);
    assert_eq!(sea.containers().len(), 1);
    // The way there is planned, not stumbled upon.
    let events = sea.ok(&["events", a]);
    assert!(!events.contains("EngineRefused"), "{events}");
}

fn a_port_that_lost_its_proxy_is_said_and_gets_a_new_one(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let a = &kind.object("a");
    sea.put(a, &kind.spec(""));
    let first = sea.ready(a);
    let proxy = format!("docker-proxy .*-host-port {} ", sea.host_port(a));
    let killed = Command::new("pkill").args(["-f", &proxy]).status().unwrap();
    assert!(killed.success(), "no {proxy}");
    sea.event("ServerRestarted", "not at its published port");
    let status = sea.until(a, "Ready again", |s| {
        condition(s, "Ready").0 == "True" && s["container"]["startedAt"] != first["container"]["startedAt"]
    });
    assert_eq!(status["container"]["id"], first["container"]["id"]);
    assert!(sea.lets_in(a, &sea.password(a)));
}

/// The role whose name the manifest gives can be locked, databases that clients like to begin with can be gone.
#[test]
fn a_locked_role_is_let_in_again_by_whoever_still_gets_in() {
    let sea = Sea::start();
    sea.postgres("a", "{version: '18', username: app}");
    sea.ready("a");
    let inside = |statements: &[&str]| {
        let container = sea.container("a");
        let mut command = vec!["exec", "-u", "postgres", &container, "psql", "-X", "-U", "app", "-d", "app"];
        command.extend(statements.iter().flat_map(|sql| ["-c", sql]));
        docker(&command);
    };
    let unlocked = |what: &str| {
        sea.event("PasswordReset", what);
        sea.until("a", "Ready again", |s| condition(s, "Ready").0 == "True" && !is_degraded(s));
        assert_eq!(sea.sql("a", "SELECT 1"), "1");
    };
    let end_sessions =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'seawall'";

    inside(&[
        "ALTER DATABASE template1 WITH ALLOW_CONNECTIONS false",
        "DROP DATABASE postgres WITH (FORCE)",
        "ALTER ROLE app PASSWORD 'another' VALID UNTIL '2001-01-01'",
        end_sessions,
    ]);
    unlocked("were refused");
    inside(&["CREATE ROLE postgres SUPERUSER LOGIN", "ALTER ROLE app NOLOGIN", end_sessions]);
    unlocked("not permitted to log in");

    let back = "ALTER DATABASE template1 WITH ALLOW_CONNECTIONS true";
    inside(&["DROP ROLE postgres", back, "ALTER ROLE app NOLOGIN", end_sessions]);
    let why = sea.until_condition("a", "Ready", "False", "NoWayIn");
    let advice = why.split("can unlock it: ").nth(1).unwrap();
    let output = sea.shell(advice);
    assert!(output.status.success(), "{advice}: {}", text(&output));
    sea.until("a", "Ready again", |s| condition(s, "Ready").0 == "True");
    assert_eq!(sea.sql("a", "SELECT 1"), "1");
}
