//! Host ports: chosen once, kept for good, never given twice.

use super::conflicts::Foreign;
use super::harness::{Sea, condition, docker, is_degraded, wait_for};
use crate::kinds::{Kind, tests};
use std::collections::BTreeSet;
use std::net::TcpListener;

tests!(
    six_services_made_at_once_get_six_ports_and_keep_them,
    a_pinned_port_held_by_a_foreign_process_is_said_and_taken_once_it_is_free,
    a_port_pinned_twice_has_one_owner_and_changes_by_the_spec,
    a_port_that_is_taken_costs_the_server_nothing,
);

/// A port of 127.0.0.1 that is held by somebody who is not Docker.
fn held_from(first: u16) -> (TcpListener, u16) {
    let listener = (first..).find_map(|p| TcpListener::bind(("127.0.0.1", p)).ok()).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// A port that nobody holds right now, far from those that `auto` takes.
fn free() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn published(kind: &dyn Kind, sea: &Sea, name: &str) -> String {
    docker(&["port", &sea.container(name), &format!("{}/tcp", kind.port())])
}

fn six_services_made_at_once_get_six_ports_and_keep_them(kind: &dyn Kind) {
    // The first free one belongs to somebody else; it must be skipped.
    let (_somebody, taken) = held_from(kind.port());
    let mut sea = Sea::start_of(kind);
    let names = ["a", "b", "c", "d", "e", "f"].map(|name| kind.object(name));
    let names = names.each_ref().map(String::as_str);
    for name in names {
        sea.put(name, &kind.spec(""));
    }
    for name in names {
        sea.ready(name);
    }
    let ports: Vec<u16> = names.iter().map(|n| sea.host_port(n)).collect();
    assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), 6, "{ports:?}");
    assert!(ports.iter().all(|p| *p >= kind.port() && *p != taken), "{ports:?}, {taken}");
    // Upward from its own, first free: not from the middle of nowhere.
    assert!(ports.iter().all(|p| *p < kind.port() + 500), "{ports:?}");
    for (name, port) in names.iter().zip(&ports) {
        assert_eq!(published(kind, &sea, name), format!("127.0.0.1:{port}"));
        assert!(sea.lets_in(name, &sea.password(name)));
    }
    sea.stop();
    sea.run();
    docker(&["rm", "-f", &sea.container(names[0])]);
    sea.event("ContainerCreated", "container missing: re-create");
    for (name, port) in names.iter().zip(&ports) {
        sea.ready(name);
        assert_eq!(sea.host_port(name), *port);
    }
}

#[test]
fn an_automatic_port_lost_before_the_first_start_is_given_up_for_another() {
    let mut sea = Sea::new();
    sea.postgres("a", "{version: '18'}");
    // Dies with the container made and not started: the port is reserved, and free.
    sea.run_with(&[("SEAWALL_CRASH_AT", "8:before")]);
    wait_for("the crash", || sea.died().then_some(()));
    let bindings = sea.inspect("a")["HostConfig"]["PortBindings"]["5432/tcp"][0]["HostPort"].clone();
    let port: u16 = bindings.as_str().unwrap().parse().unwrap();
    // When it cannot be had, somebody else's container was quicker: a thief as well.
    let _thief = TcpListener::bind(("127.0.0.1", port)).ok();
    sea.run();
    sea.event("PortReserved", &format!("port {port} is taken by somebody else"));
    sea.ready("a");
    assert_ne!(sea.host_port("a"), port);
    assert_eq!(sea.containers().len(), 1);
}

fn a_pinned_port_held_by_a_foreign_process_is_said_and_taken_once_it_is_free(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let a = &kind.object("a");
    let (somebody, port) = held_from(free());
    sea.put(a, &kind.spec(&format!("port: {port}")));
    let why = sea.until_condition(a, "Ready", "False", "PortTaken");
    assert!(why.contains(&port.to_string()), "{why}");
    drop(somebody);
    sea.ready(a);
    assert_eq!(sea.host_port(a), port);
}

fn a_port_pinned_twice_has_one_owner_and_changes_by_the_spec(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let a = &kind.object("a");
    let b = &kind.object("b");
    let (port, other) = (free(), free());
    sea.put(a, &kind.spec(&format!("port: {port}")));
    let first = sea.ready(a);
    sea.put(b, &kind.spec(&format!("port: {port}")));
    let why = sea.until_condition(b, "Degraded", "True", "PortConflict");
    assert!(why.contains(&format!("port {port} belongs to {a}")) && why.contains("port: auto"), "{why}");
    assert_eq!(sea.condition(b, "Ready").0, "False");
    assert_eq!(sea.host_port(a), port);

    sea.keep(a, 1);
    sea.put(a, &kind.spec(&format!("port: {other}")));
    sea.event("PortReserved", &format!("port {port} → {other}: spec changed"));
    let moved = sea.ready(a);
    assert_eq!(published(kind, &sea, a), format!("127.0.0.1:{other}"));
    assert_ne!(moved["container"]["id"], first["container"]["id"], "a port is fixed at create");
    assert_eq!(sea.kept(a), [1]);
    // The other one gets what became free.
    sea.ready(b);
    assert_eq!(sea.host_port(b), port);

    sea.put(b, &kind.spec("port: none"));
    let hidden = sea.ready(b);
    assert!(hidden["endpoint"]["hostPort"].is_null(), "{hidden:#}");
    assert_eq!(
        sea.inspect(b)["NetworkSettings"]["Ports"][format!("{}/tcp", kind.port())],
        serde_json::Value::Null
    );
}

fn a_port_that_is_taken_costs_the_server_nothing(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let a = &kind.object("a");
    let (port, other) = (free(), free());
    sea.put(a, &kind.spec(&format!("port: {port}")));
    let first = sea.ready(a);
    let settled = |why: &str| {
        assert_eq!(published(kind, &sea, a), format!("127.0.0.1:{port}"), "{why}");
        assert!(sea.lets_in(a, &sea.password(a)));
        let status = sea.status(a);
        assert_eq!(condition(&status, "Ready").0, "True", "{why}");
        assert_eq!(status["container"]["startedAt"], first["container"]["startedAt"], "{why}");
    };

    let name = format!("{}-holder", sea.container(a));
    let bound = format!("127.0.0.1:{other}:80");
    let holder = Foreign(&["rm", "-f"], name.clone());
    docker(&[
        "run",
        "-d",
        "--init",
        "--name",
        &name,
        "-p",
        &bound,
        "--entrypoint=sleep",
        &kind.image(kind.versions()[0]),
        "600",
    ]);
    sea.put(a, &kind.spec(&format!("port: {other}")));
    let why = sea.until_condition(a, "Degraded", "True", "PortTaken");
    assert!(
        why.contains(&format!("container {name}")) && why.contains(&format!("keeps port {port}")),
        "{why}"
    );
    settled(&why);
    sea.put(a, &kind.spec(&format!("port: {port}")));
    sea.until(a, "without a complaint", |s| !is_degraded(s));
    settled("back");
    drop(holder);

    let (somebody, held) = held_from(free());
    sea.put(a, &kind.spec(&format!("port: {held}")));
    let why = sea.until_condition(a, "Degraded", "True", "PortTaken");
    assert!(why.contains("a process of this host"), "{why}");
    settled(&why);
    drop(somebody);
    sea.until(a, "on the port that became free", |s| {
        condition(s, "Ready").0 == "True" && s["endpoint"]["hostPort"] == held
    });
}
