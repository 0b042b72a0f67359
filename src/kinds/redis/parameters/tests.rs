//! Tables: a name and a value in; its normal form or the reason out.

use super::Persistence::{Aof, None as Nothing, Rdb};
use super::*;

#[test]
fn every_line_of_the_table_is_read() {
    for line in TABLE.lines() {
        let [kind, takes, when, _] = row(line.split('\t').next().unwrap()).unwrap();
        assert!(["bool", "integer", "memory", "percent", "enum", "text"].contains(&kind), "{line}");
        assert!(["live", "restart"].contains(&when) && (kind == "integer") == takes.contains(".."), "{line}");
    }
    let names: Vec<&str> = REFUSED
        .lines()
        .filter_map(|line| line.split_once(": "))
        .flat_map(|(names, _)| names.split(' '))
        .collect();
    let once: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!((once.len(), REFUSED.lines().count()), (names.len(), 18), "no name is refused twice");
}

#[test]
fn values_are_brought_into_one_form() {
    for (name, value, want) in [
        ("hz", "20", "20"),
        ("activerehashing", "true", "yes"),
        ("activerehashing", "OFF", "no"),
        ("client-query-buffer-limit", "100mb", "104857600"),
        ("client-query-buffer-limit", "100MB", "104857600"),
        ("client-query-buffer-limit", "1k", "1000"),
        ("maxmemory-clients", "5%", "5%"),
        ("maxmemory-clients", "1gb", "1073741824"),
        ("loglevel", "Debug", "debug"),
        ("list-max-listpack-size", "-2", "-2"),
        ("slowlog-log-slower-than", "-1", "-1"),
        ("notify-keyspace-events", "KEA", "KEA"),
        ("io-threads", "4", "4"),
        ("foo.bar", "any thing", "any thing"),
    ] {
        assert_eq!(judge(name, value, false, Aof).as_deref(), Ok(want), "{name} {value}");
    }
    assert_eq!(judge("save", " 60  1 ", false, Rdb).as_deref(), Ok("60 1"));
    assert_eq!(judge("search-timeout", "5", true, Rdb).as_deref(), Ok("5"));
}

#[test]
fn what_is_refused_is_refused_with_the_reason() {
    for (name, value, persistence, needle) in [
        ("dir", "/tmp", Aof, "dir cannot be set: the data lies in the volume"),
        ("requirepass", "x", Aof, "Seawall manages the users"),
        ("tls-port", "1", Aof, "certificates"),
        ("repl-backlog-size", "1mb", Aof, "without replicas"),
        ("rename-command", "x", Aof, "by their names"),
        ("enable-debug-command", "yes", Aof, "power over"),
        ("appendonly", "no", Aof, "spec.persistence"),
        ("maxmemory-policy", "noeviction", Aof, "spec.evictionPolicy"),
        ("save", "60 1", Aof, "where spec.persistence is rdb"),
        ("save", "60 1", Nothing, "where spec.persistence is rdb"),
        ("save", "", Rdb, "persistence: none"),
        ("save", "60", Rdb, "pairs of seconds"),
        ("appendfsync", "always", Rdb, "only where spec.persistence is aof"),
        ("hz", "0", Aof, "hz must be a whole number from 1 to 500: \"0\" is not"),
        ("hz", "1000", Aof, "from 1 to 500"),
        ("hz", "ten", Aof, "from 1 to 500"),
        ("io-threads", "129", Aof, "from 1 to 128"),
        ("client-query-buffer-limit", "1.5gb", Aof, "an amount of memory such as"),
        ("client-query-buffer-limit", "100Mi", Aof, "an amount of memory such as"),
        ("client-query-buffer-limit", "", Aof, "an amount of memory such as"),
        ("client-query-buffer-limit", "99999999999gb", Aof, "an amount of memory such as"),
        ("activerehashing", "maybe", Aof, "yes or no"),
        ("loglevel", "loud", Aof, "one of debug, verbose, notice, warning, nothing"),
        ("maxmemory", "100mb", Aof, "it follows spec.resources.memory"),
        ("timeuot", "1", Aof, "did you mean timeout?"),
        ("list_max_listpack_size", "1", Aof, "did you mean list-max-listpack-size?"),
        ("zzzzqqqq", "1", Aof, "name the image in spec.image instead"),
        ("a b", "1", Aof, "not a parameter name"),
        ("maxmem*", "1", Aof, "not a parameter name"),
        ("proc-title-template", "x\nrequirepass y", Aof, "one line"),
    ] {
        let why = judge(name, value, false, persistence).unwrap_err();
        assert!(why.contains(needle), "{name} {value}: {why}");
    }
    // An image of one's own has no other rules about what is ours.
    assert!(judge("dir", "/tmp", true, Aof).is_err() && judge("hz", "0", true, Aof).is_err());
}

#[test]
fn what_is_spelt_otherwise_is_not_compared() {
    for (name, asked, told, want) in [
        ("hz", "20", "20", true),
        ("hz", "20", "10", false),
        ("notify-keyspace-events", "KEA", "AKE", true),
        ("save", "3600 1", "3600 1 300 100", false),
        ("foo.bar", "1", "2", true),
    ] {
        assert_eq!(same(name, asked, told), want, "{name} {asked} {told}");
    }
}

#[test]
fn only_what_config_set_refuses_needs_a_restart() {
    for (name, want) in
        [("hz", false), ("databases", true), ("io-threads", true), ("appendonly", false), ("foo.bar", true)]
    {
        assert_eq!(needs_restart(name), want, "{name}");
    }
    for (name, want) in [("hz", Some("10")), ("notify-keyspace-events", Some("")), ("foo.bar", None)] {
        assert_eq!(default(name), want, "{name}");
    }
}
