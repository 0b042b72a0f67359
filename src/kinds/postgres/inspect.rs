//! What can be asked of a PostgreSQL (`seawall pg …`): the verbs with their columns, which are those of Heroku's `pg` commands,
//! and what is made of the server's answers. Pure.

pub mod bloat;
pub mod diagnose;
pub mod table;

use crate::core::table::{Field, Unit};
use crate::kinds::{Inspection, Inspections, Kill};

/// What a server is asked. By its name the answer of a fake one is scripted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    Info,
    Ps {
        idle: bool,
    },
    Locks,
    Blocking,
    StatementsExtension,
    Outliers {
        schema: String,
        newer: bool,
        database: String,
    },
    Indexes,
    Vacuum,
    Rest,
    Collations,
    Relations,
    Sequences,
    Session {
        pid: u32,
    },
    End {
        pid: u32,
        since: String,
        force: bool,
    },
    Roles,
    Databases,
    Contents,
    /// Ends the tools of ours that gave this name.
    EndTool {
        name: String,
    },
}

impl Question {
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Question::Info => "info",
            Question::Ps { .. } => "ps",
            Question::Locks => "locks",
            Question::Blocking => "blocking",
            Question::StatementsExtension => "statements extension",
            Question::Outliers { .. } => "outliers",
            Question::Indexes => "indexes",
            Question::Vacuum => "vacuum",
            Question::Rest => "rest",
            Question::Collations => "collations",
            Question::Relations => "relations",
            Question::Sequences => "sequences",
            Question::Session { .. } => "session",
            Question::End { .. } => "end",
            Question::Roles => "roles",
            Question::Databases => "databases",
            Question::Contents => "contents",
            Question::EndTool { .. } => "end tool",
        }
    }
}

/// As whom it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// The role that may only read.
    Monitor,
    /// The owner of the cluster: what only a superuser may see, read only.
    Owner,
    /// The same, to end a session.
    OwnerWrites,
}

const INFO: [Field; 20] = [
    Field::new("version", Unit::Text),
    Field::new("status", Unit::Text),
    Field::new("database", Unit::Text),
    Field::new("data_size", Unit::Bytes),
    Field::new("tables", Unit::Count),
    Field::new("connections", Unit::Count),
    Field::new("connections_max", Unit::Count),
    Field::new("connections_percent", Unit::Percent),
    Field::new("cache_hit", Unit::Percent),
    Field::new("rollback", Unit::Percent),
    Field::new("deadlocks", Unit::Count),
    Field::new("temp_files", Unit::Bytes),
    Field::new("counted_since", Unit::Time),
    Field::new("up_since", Unit::Time),
    Field::new("wal", Unit::Bytes),
    Field::new("archiving", Unit::Text),
    Field::new("wraparound_age", Unit::Count),
    Field::new("wraparound_percent", Unit::Percent),
    Field::new("shared_buffers", Unit::Bytes),
    Field::new("pending_restart", Unit::Text),
];

const PS: [Field; 10] = [
    Field::new("pid", Unit::Count),
    Field::new("state", Unit::Text),
    Field::new("source", Unit::Text),
    Field::new("username", Unit::Text),
    Field::new("database", Unit::Text),
    Field::new("running_for", Unit::Seconds),
    Field::new("transaction_start", Unit::Time),
    Field::new("waiting", Unit::Text),
    Field::wide("client", Unit::Text),
    Field::new("query", Unit::Text),
];

const LOCKS: [Field; 10] = [
    Field::new("pid", Unit::Count),
    Field::new("relname", Unit::Text),
    Field::new("mode", Unit::Text),
    Field::new("transactionid", Unit::Text),
    Field::new("granted", Unit::Flag),
    Field::new("age", Unit::Seconds),
    Field::new("username", Unit::Text),
    Field::wide("locktype", Unit::Text),
    Field::wide("database", Unit::Text),
    Field::new("query_snippet", Unit::Text),
];

const BLOCKING: [Field; 9] = [
    Field::new("blocked_pid", Unit::Count),
    Field::new("blocked_user", Unit::Text),
    Field::new("blocked_statement", Unit::Text),
    Field::new("blocked_duration", Unit::Seconds),
    Field::new("blocking_pid", Unit::Count),
    Field::new("blocking_user", Unit::Text),
    Field::new("blocking_state", Unit::Text),
    Field::new("blocking_statement", Unit::Text),
    Field::new("blocking_duration", Unit::Seconds),
];

const OUTLIERS: [Field; 6] = [
    Field::new("total_exec_time", Unit::Seconds),
    Field::new("prop_exec_time", Unit::Percent),
    Field::new("ncalls", Unit::Count),
    Field::new("sync_io_time", Unit::Seconds),
    Field::wide("username", Unit::Text),
    Field::new("query", Unit::Text),
];

const BLOAT: [Field; 6] = [
    Field::new("type", Unit::Text),
    Field::new("schemaname", Unit::Text),
    Field::new("object_name", Unit::Text),
    Field::new("bloat", Unit::Percent),
    Field::new("waste", Unit::Bytes),
    Field::new("size", Unit::Bytes),
];

const INDEXES: [Field; 6] = [
    Field::new("schema", Unit::Text),
    Field::new("table", Unit::Text),
    Field::new("index", Unit::Text),
    Field::new("index_size", Unit::Bytes),
    Field::new("index_scans", Unit::Count),
    Field::new("verdict", Unit::Text),
];

const VACUUM: [Field; 8] = [
    Field::new("schema", Unit::Text),
    Field::new("table", Unit::Text),
    Field::new("last_vacuum", Unit::Time),
    Field::new("last_autovacuum", Unit::Time),
    Field::new("rowcount", Unit::Count),
    Field::new("dead_rowcount", Unit::Count),
    Field::new("autovacuum_threshold", Unit::Count),
    Field::new("expect_autovacuum", Unit::Flag),
];

const SESSION: [Field; 8] = [
    Field::new("pid", Unit::Count),
    Field::new("state", Unit::Text),
    Field::new("source", Unit::Text),
    Field::new("username", Unit::Text),
    Field::new("database", Unit::Text),
    Field::new("running_for", Unit::Seconds),
    Field::new("client", Unit::Text),
    Field::new("query", Unit::Text),
];

const fn verb(verb: &'static str, about: &'static str, fields: &'static [Field]) -> Inspection {
    Inspection { verb, about, database: true, verbose: None, sheet: false, fields }
}

pub const INSPECTIONS: Inspections = Inspections {
    group: "pg",
    about: "What goes on inside a PostgreSQL right now",
    verbs: &[
        Inspection { sheet: true, ..verb("info", "The server and a database in a few figures", &INFO) },
        Inspection {
            database: false,
            verbose: Some("Idle sessions, too"),
            ..verb("ps", "What sessions do; those of Seawall are left out", &PS)
        },
        verb("locks", "Locks that keep others out, and who waits for one", &LOCKS),
        Inspection { database: false, ..verb("blocking", "Who waits for whom", &BLOCKING) },
        verb("outliers", "Statements by the time that they took in all", &OUTLIERS),
        verb("bloat", "Space in tables and indexes that holds nothing: an estimate", &BLOAT),
        verb("indexes", "Size and use of indexes: invalid, duplicate and unused ones first", &INDEXES),
        verb("vacuum-stats", "When tables were vacuumed, and whether they are about to be", &VACUUM),
    ],
    kill: Some(Kill {
        about: "Cancel what a session does, or end it; asks first",
        session: "PID",
        force: "End the session, not only what it does now",
        fields: &SESSION,
    }),
};
