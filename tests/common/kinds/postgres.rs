//! PostgreSQL as the suites have it.

use super::{Ask, ByHand, Deadly, FakeDrift, FakeRefusal, Fakes, Kind, Login, Parameter, words};
use seawall::kinds::postgres::client::SqlError;
use serde_json::Value;
use std::time::Duration;

pub struct Postgres;
pub static KIND: Postgres = Postgres;

/// An image by its tag. SEAWALL_TEST_IMAGES=official runs the same tests over images that keep the official image's
/// contract, =alpine over its other variant where there is one.
pub fn image(tag: &str) -> String {
    match std::env::var("SEAWALL_TEST_IMAGES").as_deref() {
        Ok("official") => format!("seawall/official:{tag}"),
        Ok("alpine") if tag == "17" => "seawall/official-alpine:17".to_owned(),
        Ok("alpine") => format!("seawall/official:{tag}"),
        Ok(other) if !other.is_empty() => panic!("SEAWALL_TEST_IMAGES={other}: official or alpine"),
        _ => format!("seawall/postgres:{tag}"),
    }
}

/// SQL as the superuser over the container's local socket, where no password is asked for.
pub fn inside(container: &str, database: &str, sql: &str) -> Vec<String> {
    words(&[
        "exec",
        "-u",
        "postgres",
        container,
        "psql",
        "-X",
        "-q",
        "-U",
        "postgres",
        "-d",
        database,
        "-v",
        "ON_ERROR_STOP=1",
        "-c",
        sql,
    ])
}

impl Kind for Postgres {
    fn kind(&self) -> &'static str {
        "Postgres"
    }

    fn versions(&self) -> [&'static str; 2] {
        ["18", "18b"]
    }

    fn catalogued(&self) -> &'static [&'static str] {
        &["18", "18b", "17"]
    }

    fn image(&self, version: &str) -> String {
        image(version)
    }

    fn official(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("debian18", "seawall/official:18"),
            ("debian17", "seawall/official:17"),
            ("alpine17", "seawall/official-alpine:17"),
        ]
    }

    fn user(&self) -> &'static str {
        "postgres"
    }

    fn not_in_image(&self) -> &'static str {
        "contains no PostgreSQL server"
    }

    fn port(&self) -> u16 {
        5432
    }

    fn data(&self) -> (&'static str, &'static str) {
        ("/var/lib/postgresql", "18")
    }

    fn is_server(&self, arguments: &str) -> bool {
        arguments.contains("config_file=") && !arguments.contains("init")
    }

    fn client(&self, at: &Login, ask: Ask<'_>) -> (Vec<(&'static str, String)>, Vec<String>) {
        let Login { port, username, database, .. } = at;
        let url = format!("postgresql://{username}@127.0.0.1:{port}/{database}");
        let sql = match ask {
            Ask::Login => "SELECT 1".to_owned(),
            Ask::Keep(n) => {
                format!("CREATE TABLE IF NOT EXISTS kept (n int); INSERT INTO kept VALUES ({n})")
            }
            Ask::Kept => "SELECT n FROM kept".to_owned(),
            Ask::Flush => "CHECKPOINT".to_owned(),
            Ask::Wait => "SELECT pg_sleep(600)".to_owned(),
            Ask::Parameter(name) => format!("SHOW {name}"),
        };
        let mut client = words(&["psql", &url, "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", &sql]);
        if matches!(ask, Ask::Login) {
            client.splice(0..0, words(&["timeout", "5"]));
        }
        (vec![("PGPASSWORD", at.password.clone())], client)
    }

    fn live(&self) -> Parameter {
        Parameter { name: "work_mem", values: ["8MB", "9MB"] }
    }

    fn at_start(&self) -> Vec<Parameter> {
        vec![
            Parameter { name: "max_connections", values: ["100", "50"] },
            Parameter { name: "max_wal_senders", values: ["10", "7"] },
        ]
    }

    fn refused(&self) -> (&'static str, &'static str) {
        (
            "timezone: Nowhere/City, maintenance_work_mem: 32MB",
            "invalid value for parameter \"TimeZone\": \"Nowhere/City\"",
        )
    }

    fn deadly(&self) -> Deadly {
        let (annotations, of) = ("seawall.dev/skip-trial: 'true'", "version: '18'".to_owned());
        // It says nothing at all: neither FATAL nor anything else.
        let parameters = "log_min_messages: panic, shared_preload_libraries: nosuch";
        Deadly { annotations, of, parameters, words: "" }
    }

    fn lock_outs(&self, container: &str) -> Vec<ByHand> {
        vec![ByHand {
            commands: vec![inside(container, "postgres", "ALTER ROLE postgres PASSWORD 'by hand'")],
            reason: "PasswordReset",
            cause: "the managed credentials were refused: password authentication failed",
        }]
    }

    fn parameter_file(&self) -> &'static str {
        "/etc/seawall/postgresql.conf"
    }

    fn edit_file(&self, container: &str, value: &str) -> ByHand {
        let edit = format!("echo {}={value} >> {}", self.live().name, self.parameter_file());
        ByHand {
            commands: vec![
                words(&["exec", "-u", "root", container, "sh", "-c", &edit]),
                inside(container, "postgres", "SELECT pg_reload_conf()"),
            ],
            reason: "ParametersReloaded",
            cause: "parameter file edited in the container",
        }
    }

    fn last_words(&self) -> [&'static str; 2] {
        ["received fast shutdown request", "database system is shut down"]
    }

    fn spent_secret(&self) -> Option<&'static str> {
        Some("/etc/seawall/password")
    }

    fn reset_by_recovery(&self) -> &'static str {
        "PasswordReset"
    }

    fn owned_by(&self, user: &str, database: &str) -> String {
        format!("username: {user}, database: {database}")
    }

    fn older(&self) -> (&'static str, &'static str) {
        ("17", "data of PostgreSQL 18")
    }

    fn fake_drifts(&self) -> Vec<FakeDrift> {
        const FILE: &str = "/etc/seawall/postgresql.conf";
        vec![
            FakeDrift {
                name: "password changed",
                drift: |fakes, container| assert!(fakes.postgres.change_password(container, "other")),
                back: |_, _| true,
                reason: "PasswordReset",
                words: "the managed credentials were refused",
            },
            FakeDrift {
                name: "parameter file edited",
                drift: |fakes, container| {
                    fakes.docker.write_file(container, FILE, b"work_mem = '1kB'\n").unwrap();
                },
                back: |fakes, container| {
                    let file = fakes.docker.file(container, FILE).unwrap().unwrap();
                    String::from_utf8_lossy(&file.content).contains("listen_addresses")
                },
                reason: "ParametersReloaded",
                words: "parameter file edited in the container",
            },
        ]
    }

    fn fake_data(&self, fakes: &Fakes, container: &str) -> String {
        fakes.postgres.system_identifier(container).unwrap()
    }

    fn fake_files(&self) -> &'static [&'static str] {
        &[
            "/var/lib/postgresql/fake-cluster.json",
            "/var/lib/postgresql/18/docker/PG_VERSION",
            "/var/lib/postgresql/18/docker/global/pg_control",
        ]
    }

    fn fake_hang(&self, fakes: &Fakes, container: &str) {
        fakes.postgres.set_answer(container, Some(SqlError::Hung(Duration::from_secs(5))));
    }

    fn fake_refusals(&self) -> Vec<FakeRefusal> {
        vec![
            |fakes, c, words| fakes.postgres.set_answer(c, Some(SqlError::Refused(words))),
            |fakes, c, words| fakes.postgres.set_answer(c, Some(SqlError::LoginRefused(words))),
            |fakes, c, words| fakes.postgres.set_answer(c, Some(SqlError::Failed(words))),
            |fakes, c, words| fakes.postgres.set_answer(c, Some(SqlError::Starting(words))),
        ]
    }

    fn fake_slow(&self, fakes: &Fakes, container: &str, pause: Duration) {
        fakes.postgres.set_slow(container, pause);
    }

    fn fake_probes(&self, fakes: &Fakes, container: &str) -> u64 {
        fakes.postgres.probes(container)
    }

    fn fake_begin(&self, fakes: &Fakes, container: &str) -> (&'static str, &'static str) {
        let words = "the database system is starting up";
        fakes.postgres.set_answer(container, Some(SqlError::Starting(words.to_owned())));
        ("ServerStarting", words)
    }

    fn fake_answer(&self, fakes: &Fakes, container: &str) {
        fakes.postgres.set_answer(container, None);
    }

    fn identifier(&self, status: &Value) -> Value {
        status["server"]["systemIdentifier"].clone()
    }
}
