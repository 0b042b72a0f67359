//! PostgreSQL as the suites have it.

use super::{Ask, ByHand, Kind, Login, Parameter, words};
use serde_json::Value;

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
        let client = ["psql", &url, "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", &sql];
        (vec![("PGPASSWORD", at.password.clone())], words(&client))
    }

    fn live(&self) -> Parameter {
        Parameter { name: "work_mem", values: ["8MB", "9MB"] }
    }

    fn at_start(&self) -> Parameter {
        Parameter { name: "max_connections", values: ["40", "50"] }
    }

    fn refused(&self) -> (&'static str, &'static str) {
        ("timezone: Nowhere/City", "invalid value for parameter")
    }

    fn deadly(&self) -> (&'static str, String, &'static str) {
        ("seawall.dev/skip-trial: 'true'", "version: '18'".to_owned(), "shared_preload_libraries: nosuch")
    }

    fn lock_outs(&self, container: &str) -> Vec<ByHand> {
        vec![ByHand {
            commands: vec![inside(container, "postgres", "ALTER ROLE postgres PASSWORD 'by hand'")],
            reason: "PasswordReset",
            cause: "the managed credentials were refused: password authentication failed",
        }]
    }

    fn edit_file(&self, container: &str, value: &str) -> ByHand {
        let edit = format!("echo {}={value} >> /etc/seawall/postgresql.conf", self.live().name);
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

    fn identifier(&self, status: &Value) -> Value {
        status["server"]["systemIdentifier"].clone()
    }
}
