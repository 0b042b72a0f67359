//! Parameters that a manifest must not set, each with the reason people are told.
//!
//! Pure. A parameter is here because it breaks what Seawall itself does, destroys data, or ends every session; what is
//! merely unwise is the user's own. What PostgreSQL refuses anyway is here only where its words would not help.

const ARCHIVING: &str = "Seawall manages archiving";
const RESTORES: &str = "Seawall manages restores";
const REPLICATION: &str = "Seawall manages replication";
const SOCKET: &str = "the image and repairs rely on the default socket";
const LOGIN: &str = "the image's pg_hba.conf keeps the login that Seawall proves";
const CRASH: &str = "off means that a crash can destroy the database";
const DAMAGE: &str = "it hides damage, or makes it worse; it is for repairs by hand";
const SESSION: &str = "it is of one session or transaction; no configuration file can set it";
const INCLUDE: &str = "what another file says would be checked by nobody; write its parameters here";
const DELAY: &str = "every login would wait, Seawall's too; it is for debugging PostgreSQL";

/// By name, whatever the value.
const REFUSED: [(&str, &str); 49] = [
    (
        "listen_addresses",
        "Seawall proves readiness over the network; reachability is set by `port` and the network",
    ),
    ("port", "inside the container it is always 5432; the host port is `spec.port`"),
    ("data_directory", "the data lies in the volume that Seawall manages"),
    ("config_file", "Seawall writes this file"),
    ("include", INCLUDE),
    ("include_dir", INCLUDE),
    ("include_if_exists", INCLUDE),
    ("hba_file", LOGIN),
    ("ident_file", LOGIN),
    ("db_user_namespace", "users would have other names than those that Seawall logs in with"),
    ("external_pid_file", "it would write outside the volume"),
    ("unix_socket_directories", SOCKET),
    ("unix_socket_permissions", SOCKET),
    ("archive_mode", ARCHIVING),
    ("archive_command", ARCHIVING),
    ("archive_library", ARCHIVING),
    ("allow_alter_system", "parameters come from the manifest alone"),
    ("fsync", CRASH),
    ("full_page_writes", CRASH),
    ("data_sync_retry", "on means that data which never reached the disk can be taken for written"),
    ("zero_damaged_pages", "it destroys data that could be repaired"),
    ("ignore_checksum_failure", DAMAGE),
    ("ignore_invalid_pages", DAMAGE),
    ("ignore_system_indexes", "it is for repairs by hand"),
    (
        "allow_system_table_mods",
        "a mistake in a system table destroys the database; it is for repairs by hand",
    ),
    (
        "allow_in_place_tablespaces",
        "it is for tests of PostgreSQL itself; its tablespaces cannot be backed up",
    ),
    ("jit_dump_bitcode", "it fills the data's volume with files that nobody removes"),
    ("pre_auth_delay", DELAY),
    ("post_auth_delay", DELAY),
    ("restore_command", RESTORES),
    ("archive_cleanup_command", RESTORES),
    ("recovery_end_command", RESTORES),
    ("hot_standby", REPLICATION),
    ("primary_conninfo", REPLICATION),
    ("primary_slot_name", REPLICATION),
    ("promote_trigger_file", REPLICATION),
    (
        "synchronous_standby_names",
        "Seawall manages replication; without that standby every commit would wait for ever",
    ),
    ("sync_replication_slots", REPLICATION),
    ("password_encryption", "managed passwords are scram-sha-256"),
    ("role", SESSION),
    ("session_authorization", SESSION),
    ("transaction_isolation", "it is of one transaction; set default_transaction_isolation"),
    ("transaction_read_only", "it is of one transaction; set default_transaction_read_only"),
    ("transaction_deferrable", "it is of one transaction; set default_transaction_deferrable"),
    ("seed", SESSION),
    ("is_superuser", SESSION),
    ("stats_temp_directory", "it would write outside the volume"),
    ("default_with_oids", "PostgreSQL has it no more"),
    ("ssl_renegotiation_limit", "PostgreSQL has it no more"),
];

/// Why a parameter can never be set, or not to this value. `name` in lower case.
#[must_use]
pub fn refused(name: &str, value: &str) -> Option<String> {
    let cannot = |why: &str| Some(format!("{name} cannot be set: {why}"));
    if let Some((_, why)) = REFUSED.iter().find(|(n, _)| *n == name) {
        return cannot(why);
    }
    if name.starts_with("recovery_target") {
        return cannot(RESTORES);
    }
    let word = value.to_ascii_lowercase();
    match name {
        "wal_level" if word == "minimal" => Some(
            "wal_level cannot be minimal: nothing could be archived or restored from, and a server with archive_mode on, as managed images have it, does not start with it; write replica or logical".to_owned(),
        ),
        "session_replication_role" if word == "replica" => Some(
            "session_replication_role cannot be replica for the whole server: foreign keys and triggers would be off in every session; set it in the session that needs it".to_owned(),
        ),
        // With csvlog or jsonlog and no collector the server writes to its standard error as well.
        "log_destination" if word.split(',').all(|part| matches!(part.trim().trim_matches('"'), "syslog" | "eventlog" | "")) => Some(
            "log_destination must have stderr in it: Seawall and `seawall logs` read what the container prints; a container has no syslog; write stderr".to_owned(),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_hurt_is_refused_with_the_reason() {
        for (name, value, needle) in [
            ("listen_addresses", "*", "over the network"),
            ("data_directory", "/x", "volume"),
            ("port", "1", "spec.port"),
            ("fsync", "off", "destroy"),
            ("recovery_target_time", "x", "restores"),
            ("include", "/etc/shadow", "write its parameters here"),
            ("include_if_exists", "/etc/shadow", "write its parameters here"),
            ("include_dir", "/etc", "write its parameters here"),
            ("wal_level", "Minimal", "archive_mode"),
            ("session_replication_role", "replica", "foreign keys"),
            ("log_destination", "syslog", "stderr"),
            ("log_destination", "", "stderr"),
            ("role", "x", "one session"),
        ] {
            let why = refused(name, value).unwrap_or_default();
            assert!(why.contains(needle), "{name}: {why}");
        }
        for (name, value) in [
            ("work_mem", "16MB"),
            ("wal_level", "logical"),
            ("session_replication_role", "origin"),
            ("log_destination", "stderr, syslog"),
            ("log_destination", "jsonlog"),
            ("log_destination", "nowhere"),
            ("ssl_cert_file", "/x"),
            ("session_preload_libraries", "auto_explain"),
            ("logging_collector", "on"),
            ("search_path", "\"$user\", public"),
            ("recovery_prefetch", "off"),
        ] {
            assert_eq!(refused(name, value), None, "{name}");
        }
    }

    #[test]
    fn no_name_is_in_the_list_twice() {
        let names: std::collections::BTreeSet<_> = REFUSED.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), REFUSED.len());
    }
}
