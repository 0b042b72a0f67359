//! Server parameters: which ones a manifest may set (`parameters/`), and the file they are written to.
//!
//! Pure. The file holds no secret: it is readable by everybody in the container.

pub mod judge;
pub mod limits;
mod refused;
pub mod settings;
pub mod value;

use super::wal::PLACEHOLDER;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Where the file lies inside the container.
pub const PATH: &str = "/etc/seawall/postgresql.conf";

/// The library, and extension, that counts statements and their time.
pub const STATEMENTS: &str = "pg_stat_statements";

/// What the file depends on.
pub struct FileInput<'a> {
    pub object: &'a str,
    /// The configuration file that comes first.
    pub base: String,
    pub major: u32,
    pub managed: bool,
    /// Whether statements are counted where nobody says otherwise.
    pub counts_statements: bool,
    pub parameters: &'a BTreeMap<String, String>,
}

/// The text of the parameter file. The same input gives the same bytes.
///
/// `archive_mode=on` with a command that does nothing keeps the door open for archiving by a reload
/// alone, where a change of `archive_mode` needs a restart (PostgreSQL docs, "archive_mode").
///
/// What is preloaded by default comes before the image's own file: a later line wins, so that neither the image's list nor
/// the manifest's loses anything to it.
#[must_use]
pub fn file(input: &FileInput<'_>) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "# Written by Seawall from the manifest of {}. Changes made here are undone.",
        input.object
    );
    if input.counts_statements {
        let _ = writeln!(text, "shared_preload_libraries = {}", quoted(STATEMENTS));
    }
    let _ = writeln!(text, "include_if_exists {}", quoted(&input.base));
    let _ = writeln!(text, "listen_addresses = '*'");
    let _ = writeln!(text, "port = 5432");
    let _ = writeln!(text, "password_encryption = 'scram-sha-256'");
    if input.managed {
        let _ = writeln!(text, "archive_mode = on");
        let _ = writeln!(text, "archive_command = {}", quoted(PLACEHOLDER));
    }
    if input.major >= 17 {
        let _ = writeln!(text, "allow_alter_system = off");
    }
    for (name, value) in input.parameters {
        let _ = writeln!(text, "{name} = {}", quoted(value));
    }
    text
}

/// FATAL is also what ends a session or keeps one out, mostly in the server's life before. In English, as the logs of
/// servers are unless somebody wants them otherwise.
const OF_SESSIONS: [&str; 7] = [
    "terminating connection",
    "the database system is",
    "sorry, too many clients",
    "remaining connection slots",
    "authentication failed",
    "no pg_hba.conf entry",
    "pg_hba.conf rejects",
];

/// Whether a line of a log is about one session: why a server ended, it does not tell.
#[must_use]
pub fn is_of_session(line: &str) -> bool {
    line.contains("FATAL:") && OF_SESSIONS.iter().any(|words| line.contains(words))
}

/// The last thing a server said before it gave up, with its hint.
#[must_use]
pub fn fatal_words(log: &[String]) -> Option<String> {
    let after = |line: &String, mark: &str| line.split_once(mark).map(|(_, words)| words.trim().to_owned());
    let grave = |line: &String| after(line, "FATAL:").or_else(|| after(line, "PANIC:"));
    let at = log.iter().rposition(|line| grave(line).is_some())?;
    let message = grave(log.get(at)?)?;
    match log.iter().skip(at + 1).find_map(|line| after(line, "HINT:")) {
        Some(hint) => Some(format!("{message} ({hint})")),
        None => Some(message),
    }
}

/// A line of a log file as it is on the standard error; one of a `jsonlog` is put together from its fields.
#[must_use]
pub fn log_line(line: &str) -> String {
    let Ok(serde_json::Value::Object(fields)) = serde_json::from_str(line) else { return line.to_owned() };
    let field = |name: &str| fields.get(name).and_then(|v| v.as_str());
    match (field("error_severity"), field("message")) {
        (Some(severity), Some(message)) => format!("{severity}:  {message}"),
        _ => line.to_owned(),
    }
}

/// A value as postgresql.conf wants it: single quotes doubled, backslashes doubled.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_a_session_is_no_word_of_the_server() {
        for (line, of_session) in [
            ("FATAL:  terminating connection due to administrator command", true),
            ("FATAL:  the database system is shutting down", true),
            ("FATAL:  no pg_hba.conf entry for host", true),
            ("FATAL:  could not load /var/lib/postgresql/data/pg_hba.conf", false),
            ("FATAL:  could not access file \"x\"", false),
            ("PANIC:  could not write: the database system is gone", false),
            ("LOG:  the database system is shut down", false),
        ] {
            assert_eq!(is_of_session(line), of_session, "{line}");
        }
    }

    #[test]
    fn the_servers_last_words() {
        let log: Vec<String> = [
            "x [1] FATAL:  an older one",
            "x [1] FATAL:  could not map anonymous shared memory",
            "x [1] HINT:  This error usually means",
            "x [1] LOG:  database system is shut down",
        ]
        .map(str::to_owned)
        .to_vec();
        assert_eq!(
            fatal_words(&log).unwrap(),
            "could not map anonymous shared memory (This error usually means)"
        );
        assert_eq!(fatal_words(&log[3..]), None);
    }

    #[test]
    fn a_line_of_a_json_log_is_shown_as_any_other() {
        let json = r#"{"timestamp":"x","error_severity":"FATAL","message":"no pg_hba.conf"}"#;
        for (line, want) in
            [(json, "FATAL:  no pg_hba.conf"), ("FATAL:  x", "FATAL:  x"), ("{\"a\":1}", "{\"a\":1}")]
        {
            assert_eq!(log_line(line), want);
        }
    }

    #[test]
    fn the_file_quotes_values_and_is_stable() {
        let parameters = BTreeMap::from([
            ("work_mem".to_owned(), "16MB".to_owned()),
            ("log_line_prefix".to_owned(), "it's \\n".to_owned()),
        ]);
        let text = file(&FileInput {
            object: "postgres/main",
            base: "/var/lib/postgresql/18/docker/postgresql.conf".to_owned(),
            major: 18,
            managed: true,
            counts_statements: false,
            parameters: &parameters,
        });
        assert_eq!(
            text,
            "# Written by Seawall from the manifest of postgres/main. Changes made here are undone.\n\
             include_if_exists '/var/lib/postgresql/18/docker/postgresql.conf'\n\
             listen_addresses = '*'\n\
             port = 5432\n\
             password_encryption = 'scram-sha-256'\n\
             archive_mode = on\n\
             archive_command = '/bin/true'\n\
             allow_alter_system = off\n\
             log_line_prefix = 'it''s \\\\n'\n\
             work_mem = '16MB'\n"
        );
        let custom = file(&FileInput {
            object: "x",
            base: "/d/postgresql.conf".to_owned(),
            major: 16,
            managed: false,
            counts_statements: false,
            parameters: &BTreeMap::new(),
        });
        assert!(!custom.contains("archive") && !custom.contains("alter_system"), "{custom}");
    }

    #[test]
    fn what_is_preloaded_by_default_comes_before_whatever_else_names_a_list() {
        let own = BTreeMap::from([("shared_preload_libraries".to_owned(), "auto_explain".to_owned())]);
        let text = file(&FileInput {
            object: "x",
            base: "/d/postgresql.conf".to_owned(),
            major: 18,
            managed: true,
            counts_statements: true,
            parameters: &own,
        });
        let at = |line: &str| text.lines().position(|other| other == line);
        let ours = at("shared_preload_libraries = 'pg_stat_statements'");
        assert!(ours.is_some() && ours < at("include_if_exists '/d/postgresql.conf'"), "{text}");
        assert!(ours < at("shared_preload_libraries = 'auto_explain'"), "{text}");
    }
}
