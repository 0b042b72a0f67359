//! Tables: what is known, a name and a value in; what is refused out.

use super::*;
use crate::core::image_ref::ImageReference;

fn version(version: &str) -> Known {
    Known::of(Some(version), None)
}

fn image(image: &str) -> Known {
    Known::of(None, Some(&ImageReference::parse(image).unwrap()))
}

#[test]
fn what_no_file_may_hold() {
    for (name, value, needle) in [
        ("a b", "1", "not a parameter name"),
        ("a.b.c", "1", "not a parameter name"),
        ("work_mem", "1\n2", "control character"),
        ("work_mem", &"1".repeat(1001), "1001 characters"),
    ] {
        for why in [unwritable(name, value), refusal(image("x/y"), name, value)] {
            assert!(why.as_ref().is_some_and(|why| why.contains(needle)), "{name}: {why:?}");
        }
    }
    assert_eq!(unwritable("fsync", "off"), None);
}

#[test]
fn names_are_those_of_the_major() {
    for (known, name, want) in [
        (
            version("18"),
            "wrok_mem",
            Some("\"wrok_mem\" is not a parameter of PostgreSQL 18: did you mean work_mem?"),
        ),
        (version("17"), "io_method", Some("\"io_method\" is not a parameter of PostgreSQL 17; 18 has it")),
        (version("18"), "io_method", None),
        (version("18"), "max_conections", Some("did you mean max_connections?")),
        (version("18"), "maxconnections", Some("did you mean max_connections?")),
        (version("18"), "time_zone", Some("did you mean TimeZone?")),
        (version("18"), "zzzzqqqq", Some("name the image in spec.image instead")),
        (version("18"), "work_mem.", Some("not a parameter name")),
        (version("18"), "timezone", None),
        (version("18"), "datestyle", None),
        (version("18"), "pg_stat_statements.max", None),
        (version("18"), "anything.at_all", None),
        // A major without a table, a fork: only a slip of the finger.
        (
            version("16"),
            "wrok_mem",
            Some("\"wrok_mem\" is not a parameter of PostgreSQL: did you mean work_mem?"),
        ),
        (version("16"), "io_method", None),
        (image("x/y"), "wrok_mem", Some("did you mean work_mem?")),
        (image("x/y:17"), "wrok_mem", Some("did you mean work_mem?")),
        (image("x/y:17"), "io_method", None),
        (image("x/y:17"), "zzzzqqqq", None),
        (image("x/y"), "yb_enable_something", None),
        (version("18"), "server_version", Some("server_version cannot be set: it tells what the server is")),
        (image("x/y"), "block_size", Some("block_size cannot be set")),
    ] {
        // A value that all of them take.
        let got = refusal(known, name, "on");
        match want {
            None => {
                let wrong = got.as_ref().is_some_and(|why| why.contains("is not a parameter"));
                assert!(!wrong, "{name}: {got:?}");
            }
            Some(needle) => assert!(got.as_ref().is_some_and(|why| why.contains(needle)), "{name}: {got:?}"),
        }
    }
}

/// What servers of other majors know: with those, a name of theirs is no slip.
#[test]
fn names_of_other_majors_pass_where_the_major_has_no_table() {
    for name in [
        "vacuum_defer_cleanup_age",
        "old_snapshot_threshold",
        "force_parallel_mode",
        "lc_collate",
        "lc_ctype",
        "ssl_ecdh_curve",
        "wal_keep_segments",
        "operator_precedence_warning",
        "vacuum_cleanup_index_scale_factor",
        "trace_recovery_messages",
        "enable_eager_aggregate",
        "log_autoanalyze_min_duration",
        "io_min_workers",
        "io_max_workers",
        "autovacuum_max_parallel_workers",
        "debug_print_raw_parse",
        "wal_sender_shutdown_timeout",
        "effective_wal_level",
        "max_repack_replication_slots",
        "enable_groupagg",
        "file_extend_method",
        "replacement_sort_tuples",
        "min_parallel_relation_size",
        "checkpoint_segments",
        "sql_inheritance",
    ] {
        assert_eq!(refusal(image("x/y"), name, "on").filter(|w| w.contains("did you mean")), None, "{name}");
    }
}

#[test]
fn a_value_is_refused_where_every_server_that_is_meant_refuses_it() {
    for (known, name, value, refused) in [
        (version("17"), "work_mem", "lots", true),
        (image("x/y:17.2"), "work_mem", "lots", true),
        (image("x/y"), "work_mem", "lots", true),
        (version("16"), "work_mem", "lots", true),
        // 17 has it up to 32, 18 up to 128.
        (version("17"), "io_combine_limit", "64", true),
        (version("18"), "io_combine_limit", "64", false),
        (image("x/y"), "io_combine_limit", "64", false),
        (image("x/y"), "io_combine_limit", "256", true),
        // A boolean of 17, a list of 18.
        (version("17"), "log_connections", "receipt", true),
        (version("18"), "log_connections", "receipt", false),
        (image("x/y"), "log_connections", "receipt", false),
        (version("18"), "transaction_timeout", "1", true),
        (image("x/y"), "transaction_timeout", "999ms", true),
        (version("18"), "transaction_timeout", "1s", false),
        (version("18"), "transaction_timeout", "0", false),
        // Only 18 has it.
        (version("18"), "io_workers", "0", true),
        (image("x/y"), "io_workers", "0", false),
        (version("18"), "shared_preload_libraries", "nope", false),
        (version("18"), "timezone", "Nowhere/City", false),
    ] {
        assert_eq!(refusal(known, name, value).is_some(), refused, "{name}={value}");
    }
}

#[test]
fn a_name_of_a_table_is_known_whatever_its_case() {
    for table in Table::all() {
        let known = version(&table.major.to_string());
        for name in table.names().map(str::to_ascii_lowercase) {
            let why = refusal(known, &name, "").unwrap_or_default();
            assert!(!why.contains("is not a parameter"), "{why}");
        }
    }
}
