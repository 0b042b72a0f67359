//! Parameters that are wrong, and what has to catch each. A verdict is what a user should get, not what happened to be
//! seen.

use super::{Server, UNTRIED, condition, degraded, drive};

/// What becomes of it when nothing tries it before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Past {
    /// The server does not take it over, or does not come up and goes back to the last file.
    Back,
    /// The server takes it and lets nobody in, with this reason, until it is corrected.
    Closed(&'static str),
}
use Past::{Back, Closed};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Gate {
    /// `seawall validate` says it, at its place.
    Validate,
    /// A trial start says it.
    Trial(Past),
    /// Only the real server can say it.
    Server,
    /// None is right: it harms nobody, or only whoever wants it.
    Nobody,
}
use Gate::{Nobody, Trial, Validate};

struct Row {
    /// The culprit first.
    parameters: &'static str,
    gate: Gate,
    /// One of these, divided by `|`, is in the words that the user gets.
    words: &'static str,
    /// SQL before and after.
    around: (&'static str, &'static str),
    /// Of this major only.
    major: Option<u32>,
}

const fn row(gate: Gate, parameters: &'static str, words: &'static str) -> Row {
    Row { parameters, gate, words, around: ("", ""), major: None }
}

impl Row {
    const fn around(self, before: &'static str, after: &'static str) -> Self {
        Self { around: (before, after), ..self }
    }
    const fn on(self, major: u32) -> Self {
        Self { major: Some(major), ..self }
    }
}

/// Values are YAML.
const ROWS: &[Row] = &[
    // What a reload takes and a start refuses.
    row(Trial(Back), "ssl: 'on'", "certificate"),
    row(Trial(Back), "ssl_cert_file: /nowhere/a.crt, ssl: 'on'", "/nowhere/a.crt"),
    row(
        Trial(Back),
        "ssl_key_file: /nowhere/a.key, ssl: 'on', ssl_cert_file: /etc/hostname",
        "/etc/hostname",
    ),
    row(Trial(Back), "ssl_ca_file: /nowhere/ca.crt, ssl: 'on'", "certificate|/nowhere/ca.crt"),
    row(Trial(Back), "ssl_ciphers: nonsense, ssl: 'on'", "certificate|cipher"),
    row(Trial(Back), "shared_preload_libraries: nosuch", "nosuch"),
    row(
        Trial(Back),
        "shared_preload_libraries: nosuch, log_min_messages: panic",
        "nosuch|exited with code 1|died",
    ),
    row(
        Trial(Back),
        "shared_preload_libraries: nosuch, logging_collector: 'on', log_destination: jsonlog",
        "nosuch",
    ),
    row(Trial(Back), "shared_preload_libraries: nosuch, lc_messages: POSIX", "nosuch"),
    row(
        Trial(Back),
        "log_directory: /proc/nowhere, logging_collector: 'on'",
        "log file|log_directory|/proc/nowhere",
    ),
    row(Trial(Back), "huge_pages: 'on'", "huge pages|shared memory"),
    row(Trial(Back), "shared_buffers: 4TB", "shared memory|memory cap"),
    row(Trial(Back), "min_dynamic_shared_memory: 4TB", "shared memory|/dev/shm|No space left"),
    row(Trial(Back), "krb_server_keyfile: /nowhere/krb5.keytab, log_timezone: Nowhere/City", "log_timezone"),
    // What the server's own check refuses, also without a trial.
    row(Trial(Back), "timezone: Nowhere/City", "TimeZone"),
    row(Trial(Back), "log_timezone: Nowhere/City", "log_timezone"),
    row(Trial(Back), "timezone_abbreviations: nowhere", "timezone_abbreviations|nowhere"),
    row(Trial(Back), "lc_messages: tlh_KX", "lc_messages"),
    row(Trial(Back), "lc_monetary: tlh_KX", "lc_monetary"),
    row(Trial(Back), "lc_time: tlh_KX", "lc_time"),
    row(Trial(Back), "log_destination: nowhere", "log_destination"),
    row(Trial(Back), "datestyle: nonsense", "DateStyle"),
    row(Trial(Back), "client_encoding: klingon", "client_encoding"),
    row(Trial(Back), "wal_consistency_checking: nosuch", "wal_consistency_checking"),
    row(Trial(Back), "restrict_nonsystem_relation_kind: nonsense", "restrict_nonsystem_relation_kind"),
    row(Trial(Back), "bonjour: 'on'", "onjour"),
    row(Trial(Back), "debug_io_direct: nonsense", "debug_io_direct"),
    row(Trial(Back), "synchronized_standby_slots: '?'", "synchronized_standby_slots"),
    row(Trial(Back), "max_stack_depth: 1TB", "max_stack_depth"),
    // It starts, and lets nobody in.
    row(Trial(Closed("LibraryMissing")), "session_preload_libraries: nosuch", "nosuch"),
    row(Trial(Closed("LibraryMissing")), "local_preload_libraries: nosuch", "nosuch"),
    row(
        Trial(Closed("LibraryMissing")),
        "dynamic_library_path: /nowhere, session_preload_libraries: auto_explain",
        "auto_explain",
    ),
    // What lies in the data decides.
    row(Gate::Server, "max_replication_slots: 0", "max_replication_slots").around(
        "SELECT pg_catalog.pg_create_physical_replication_slot('kept')",
        "SELECT pg_catalog.pg_drop_replication_slot('kept')",
    ),
    // By the text alone.
    row(Validate, "wrok_mem: 1MB", "work_mem"),
    row(Validate, "zzzzqqqq: 1", "not a parameter"),
    row(Validate, "include: /etc/passwd", "checked by nobody"),
    row(Validate, "include_dir: /etc", "checked by nobody"),
    row(Validate, "include_if_exists: /etc/passwd", "checked by nobody"),
    row(Validate, "maintenance_work_mem: 16Mb", "maintenance_work_mem"),
    row(Validate, "max_connections: 100000", "max_connections"),
    row(Validate, "max_connections: 2", "superuser_reserved_connections"),
    row(Validate, "checkpoint_timeout: 5 minutes", "checkpoint_timeout"),
    row(Validate, "checkpoint_completion_target: 1.5", "checkpoint_completion_target"),
    row(Validate, "wal_compression: maybe", "wal_compression"),
    row(Validate, "jit: perhaps", "jit"),
    row(Validate, "shared_memory_type: floppy", "shared_memory_type"),
    row(Validate, "transaction_timeout: 1", "every login"),
    row(Validate, "post_auth_delay: 30", "every login"),
    row(Validate, "pre_auth_delay: 30", "every login"),
    row(Validate, "role: nobody", "one session"),
    row(Validate, "session_authorization: nobody", "one session"),
    row(Validate, "unix_socket_directories: /nowhere", "default socket"),
    row(Validate, "listen_addresses: ''", "spec|reachability"),
    row(Validate, "port: 1234", "spec.port"),
    row(Validate, "data_directory: /nowhere", "volume"),
    row(Validate, "hba_file: /nowhere", "login"),
    row(Validate, "ident_file: /nowhere", "login"),
    row(Validate, "config_file: /nowhere", "this file"),
    row(Validate, "external_pid_file: /nowhere/pid", "outside the volume"),
    row(Validate, "archive_command: 'false'", "archiving"),
    row(Validate, "archive_library: nosuch", "archiving"),
    row(Validate, "restore_command: 'false'", "restores"),
    row(Validate, "recovery_target_time: '2020-01-01', recovery_target_xid: '7'", "restores"),
    row(Validate, "wal_level: minimal, max_wal_senders: 3", "archive"),
    row(Validate, "wal_segment_size: 32MB", "cannot be set"),
    row(Validate, "debug_assertions: 'on'", "cannot be set"),
    row(Validate, "password_encryption: md5", "scram"),
    row(Validate, "allow_alter_system: 'on'", "manifest"),
    row(Validate, "fsync: 'off'", "crash"),
    row(Validate, "io_method: nonsense", "io_method").on(18),
    row(Validate, "io_method: worker", "18 has it").on(17),
    row(Validate, "log_destination: syslog", "stderr"),
    // Whoever wants it shall have it, and is let in.
    row(Nobody, "statement_timeout: 1", ""),
    row(Nobody, "lock_timeout: 1", ""),
    row(Nobody, "idle_session_timeout: 100ms", ""),
    row(Nobody, "idle_in_transaction_session_timeout: 1", ""),
    row(Nobody, "search_path: evil", ""),
    row(Nobody, "default_transaction_read_only: 'on'", ""),
    row(Nobody, "default_tablespace: nosuch", ""),
    row(Nobody, "temp_tablespaces: nosuch", ""),
    row(Nobody, "default_text_search_config: no.such.thing", ""),
    row(Nobody, "authentication_timeout: 1", ""),
    row(Nobody, "min_wal_size: 2GB, max_wal_size: 1GB", ""),
    row(Nobody, "jit_provider: nosuch", ""),
    row(Nobody, "dynamic_library_path: /nowhere", ""),
    row(Nobody, "dynamic_shared_memory_type: mmap", ""),
    row(Nobody, "dynamic_shared_memory_type: sysv", ""),
    row(Nobody, "shared_memory_type: sysv", ""),
    row(Nobody, "event_source: nonsense", ""),
    row(Nobody, "krb_server_keyfile: /nowhere/krb5.keytab", ""),
    row(Nobody, "no_such_extension.parameter: nonsense", ""),
    row(Nobody, "lc_messages: POSIX", ""),
    row(Nobody, "log_min_messages: panic, log_error_verbosity: terse", ""),
    row(Nobody, "logging_collector: 'on', log_directory: elsewhere", ""),
    row(Nobody, "role_that_is_none.x: 1, client_connection_check_interval: 1s", ""),
];

/// Who may be named while parameters are at fault: neither password nor network, image or disk.
fn may_be_said(row: &Row, said: &str) -> bool {
    let Some((what, reason)) = said.split_once(' ') else { return false };
    let closed = matches!(row.gate, Trial(Closed(closed)) if closed == reason);
    match what {
        "Ready=True" => reason == "LoginSucceeded",
        "Ready=False" => closed || ["Reconciling", "ServerStarting", "CrashLoop"].contains(&reason),
        "Ready=Unknown" => false,
        "Degraded=True" => {
            ["ParameterRejected", "ManifestBroken", "CrashLoop", "MemoryOvercommitted"].contains(&reason)
        }
        _ => true,
    }
}

/// The words name the culprit.
fn named(row: &Row, stage: &str, words: &str) {
    assert!(
        row.words.split('|').any(|word| words.contains(word)),
        "{stage}: {words:?} names no {}",
        row.words
    );
}

fn through(server: &Server<'_>, row: &Row) {
    if !row.around.0.is_empty() {
        server.sql(row.around.0);
    }
    let bad = format!("{}, ", row.parameters);
    let good = server.in_force.get();

    let (passes, said) = server.validate("", &bad);
    assert_eq!(passes, row.gate != Validate, "validate: {said}");
    if !passes {
        named(row, "validate", &said);
        let culprit = row.parameters.split(':').next().unwrap();
        let line = said.lines().find(|line| line.contains(&format!("spec.parameters.{culprit}")));
        assert!(line.is_some_and(|line| line.contains("bad.yaml:4:")), "validate: {said}");
    }

    // With a trial, and a restart by the user: what the gate stops has no other way in.
    let before = server.starts();
    server.apply("", "", &bad);
    let reason = if row.gate == Validate { "ManifestBroken" } else { "ParameterRejected" };
    match row.gate {
        Validate | Trial(_) => {
            let words = server.sea.until_condition(&server.name, "Degraded", "True", reason);
            named(row, "trial", &words);
            server.is_ready("trial", &server.settled());
            assert_eq!(server.starts(), before, "trial: the server was restarted");
            server.serves("trial", good);
            server.is_ready("restart after the trial", &server.restart());
            assert_eq!(server.starts(), before + 1, "restart after the trial");
            server.serves("restart after the trial", good);
        }
        Gate::Server => came_back(server, row, before, good),
        Nobody => {
            let status = server.settled();
            server.is_ready("in force", &status);
            assert_ne!(condition(&status, "Degraded").1, reason, "{}", degraded(&status));
            server.serves("in force", server.step.get());
            let before = server.starts();
            server.is_ready("restart", &server.restart());
            assert_eq!(server.starts(), before + 1, "restart");
            server.serves("restart", server.step.get());
        }
    }

    if let Trial(past) = row.gate {
        let before = server.starts();
        server.apply("", UNTRIED, &bad);
        match past {
            Back => came_back(server, row, before, good),
            Closed(reason) => {
                let words = server.sea.until_condition(&server.name, "Ready", "False", reason);
                named(row, "reload", &words);
                server.restart();
                let words = server.sea.until_condition(&server.name, "Ready", "False", reason);
                named(row, "restart", &words);
                assert_eq!(server.starts(), before + 1, "restart");
            }
        }
    }
    server.correct();
    if !row.around.1.is_empty() {
        server.sql(row.around.1);
    }
}

/// A file that the real server got, after a reload and a restart by the user: it is back with the last one.
fn came_back(server: &Server<'_>, row: &Row, before: usize, good: u32) {
    server.is_ready("reload", &server.settled());
    let status = server.restart();
    server.is_ready("forced restart", &status);
    assert_eq!(condition(&status, "Degraded").1, "ParameterRejected", "{}", degraded(&status));
    named(row, "forced restart", &degraded(&status));
    server.serves("forced restart", good);
    let starts = server.starts() - before;
    assert!(starts <= super::MOST_STARTS, "forced restart: {starts} starts");
}

fn table(major: u32) {
    let rows: Vec<&Row> = ROWS.iter().filter(|row| row.major.is_none_or(|only| only == major)).collect();
    drive(
        major,
        2,
        &rows,
        |row| row.parameters.to_owned(),
        |server, row| server.row(|| through(server, row), |said| may_be_said(row, said)),
    );
}

#[test]
#[ignore = "slow: make test-faults"]
fn parameters_on_17() {
    table(17);
}

#[test]
#[ignore = "slow: make test-faults"]
fn parameters_on_18() {
    table(18);
}
