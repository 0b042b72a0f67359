//! Tables: a parameter and a value in, whether a server takes it out. `tests/real/settings.rs` asks real ones.

use super::super::settings::Table;
use super::*;

fn of(name: &str, value: &str) -> Option<String> {
    wrong(Table::of(18).unwrap().get(name).unwrap(), value)
}

#[test]
fn what_a_server_takes_is_taken() {
    for (name, values) in [
        (
            "work_mem",
            &[
                "64",
                "64kB",
                "1 GB",
                " 1GB ",
                "1.5GB",
                "0x1000",
                "0x1000kB",
                "0100MB",
                "1e3kB",
                "1e3",
                "+5MB",
                "65536B",
                ".5MB",
                "5.MB",
                "0.001TB",
                "100.4",
                "63.5",
                "2147483647kB",
            ][..],
        ),
        ("shared_buffers", &["128MB", "16", "128kB", "1073741823"]),
        ("statement_timeout", &["0", "1s", "5min", "1 d", "500us", "0.5ms", "010s", "5000000us"]),
        ("autovacuum_work_mem", &["-1", "- 0", "-0.4"]),
        ("log_temp_files", &["-1", "0", "1MB"]),
        ("max_connections", &["1", "0x10", "010", "1e2", "99.6", " 7 "]),
        ("vacuum_cost_delay", &["0", "2ms", "0.5", "100us", "1e1"]),
        ("random_page_cost", &["1.1", "4", "1e300", ".5", "0x10", "1.79769e+308"]),
        ("jit", &["on", "OFF", "of", "t", "Tru", "yes", "n", "0", "1"]),
        ("synchronous_commit", &["ON", "remote_write", "1", "yes", "False"]),
        ("wal_level", &["Logical", "hot_standby"]),
        ("default_transaction_isolation", &["repeatable read"]),
        ("log_min_messages", &["debug", "DEBUG1"]),
        ("client_min_messages", &["info"]),
        ("ssl_max_protocol_version", &["", "tlsv1.3"]),
        ("log_connections", &["on", "receipt,authorization"]),
        ("search_path", &["", "\"$user\", public"]),
        ("unix_socket_permissions", &["0777"]),
    ] {
        for value in values {
            // strtol knows no space after a sign.
            assert_eq!(of(name, value).is_some(), *value == "- 0", "{name} {value}: {:?}", of(name, value));
        }
    }
}

#[test]
fn what_a_server_refuses_is_refused_with_what_to_write() {
    for (name, value, words) in [
        (
            "work_mem",
            "16Mb",
            "work_mem must be 64kB to 2147483647kB, with a unit such as kB, MB, GB: \"16Mb\" has the unit \"Mb\"; units are case-sensitive: MB",
        ),
        ("work_mem", "16Mi", "has the unit \"Mi\"; write MB"),
        ("work_mem", "16M", "has the unit \"M\"; write MB"),
        ("work_mem", "16 megabytes", "has the unit \"megabytes\""),
        ("work_mem", "16ZB", "has the unit \"ZB\""),
        ("work_mem", "5ms", "has the unit \"ms\""),
        ("work_mem", "lots", "\"lots\" is not a number"),
        ("work_mem", "", "\"\" is not a number"),
        ("work_mem", "16MB 1", "has the unit \"MB 1\""),
        ("work_mem", "16", "\"16\" is out of range; without a unit it counts kB"),
        ("work_mem", "-1", "is out of range"),
        ("work_mem", "0.0001TB", "is out of range"),
        ("work_mem", "3TB", "\"3TB\" is out of range"),
        ("shared_buffers", "8kB", "shared_buffers must be 128kB to 8589934584kB, with"),
        ("statement_timeout", "5S", "units are case-sensitive: s"),
        ("statement_timeout", "5 minutes", "0 to 2147483647ms, with a unit such as ms, s, min, h"),
        ("statement_timeout", "5MB", "has the unit \"MB\""),
        ("max_connections", "10MB", "has \"MB\" after the number, and this parameter has no unit"),
        ("max_connections", "08", "this parameter has no unit"),
        ("max_connections", "0", "max_connections must be 1 to 262143: \"0\" is out of range"),
        ("max_connections", "1e9", "is out of range"),
        ("max_connections", "99999999999999999999", "is out of range"),
        ("autovacuum_work_mem", "-2", "must be -1 to 2147483647kB"),
        ("random_page_cost", "cheap", "a number from 0 upward"),
        ("random_page_cost", "inf", "is not a number"),
        ("random_page_cost", "nan", "is not a number"),
        ("random_page_cost", "1e999", "is out of range"),
        ("geqo_selection_bias", "3", "a number from 1.5 to 2"),
        ("vacuum_cost_delay", "1s", "0 to 100ms"),
        ("jit", "maybe", "jit must be on or off: \"maybe\" is neither"),
        ("jit", "o", "is neither"),
        ("jit", " on", "is neither"),
        ("jit", "", "is neither"),
        ("jit", "trueish", "is neither"),
        ("synchronous_commit", "t", "local, remote_write, remote_apply, on or off: \"t\" is none of them"),
        ("wal_level", "all", "minimal, replica or logical"),
    ] {
        let got = of(name, value).unwrap_or_default();
        assert!(got.contains(words), "{name} {value}: {got}");
    }
}

#[test]
fn what_depends_on_the_c_library_is_left_to_the_server() {
    for (name, value) in
        [("random_page_cost", "0x1.8p1"), ("max_connections", "0x1.8"), ("max_connections", "0b1")]
    {
        assert_eq!(of(name, value), None, "{name} {value}");
    }
}

#[test]
fn a_whole_number_is_read_in_its_own_unit() {
    for (name, value, want) in [
        ("shared_buffers", "1GB", Some(131_072)),
        ("shared_buffers", "16", Some(16)),
        ("wal_buffers", "-1", Some(-1)),
        ("work_mem", "1.5MB", Some(1536)),
        // To the next smaller unit.
        ("work_mem", "1.0004GB", Some(1_048_576)),
        ("max_connections", "0x20", Some(32)),
        ("max_connections", "lots", None),
        ("max_connections", "0", None),
    ] {
        assert_eq!(whole(Table::of(17).unwrap().get(name).unwrap(), value), want, "{name} {value}");
    }
    let each = |name| bytes_each(Table::of(17).unwrap().get(name).unwrap());
    assert_eq!((each("shared_buffers"), each("work_mem"), each("max_wal_size")), (8192, 1024, 1 << 20));
}
