//! What everybody above knows of a kind without knowing the kind: what a list shows, how people get in. Values only.

use super::service::Service;
use crate::core::measure::Unit;
use crate::core::metric::Family;
use crate::core::names::Kind;
use schemars::Schema;
use serde_json::Value;

/// A column of a list of objects beside the name, how it is, and its age.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub header: &'static str,
    /// JSON pointers into `status`; the first that leads to something counts.
    pub paths: &'static [&'static str],
    /// Only with `-o wide`, behind the age.
    pub wide: bool,
}

/// A part of a status that a verb of its own prints.
#[derive(Clone, Copy, Debug)]
pub struct Panel {
    /// `seawall VERB NAME`
    pub verb: &'static str,
    /// What the verb does, for `help`.
    pub about: &'static str,
    /// Of `status`.
    pub field: &'static str,
    /// Its lines, from what the operator told.
    pub print: fn(&Value) -> String,
    /// The same as names and figures, without what threatens: a name that is empty goes on with the one before, one that begins
    /// with spaces is a part of it.
    pub figures: fn(&Value) -> Vec<(&'static str, String)>,
}

/// A figure of an object that monitoring sees, with the labels `kind` and `name`.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    pub family: Family,
    /// A JSON pointer into `status`. Where it leads to nothing there is no series: what is not known is not 0.
    pub path: &'static str,
    pub read: Read,
}

/// A figure that is kept over time, beside what its containers use.
#[derive(Clone, Copy, Debug)]
pub struct Series {
    /// What people ask for it by: `wal_bytes`.
    pub name: &'static str,
    pub unit: Unit,
    /// A JSON pointer into what [`Reconciler::sampled`](super::Reconciler::sampled) tells. Where it leads to nothing, or to what is
    /// stale, there is a gap.
    pub path: &'static str,
    pub read: Read,
}

/// How a figure stands in `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    Number,
    /// True is 1.
    Flag,
    /// `512Mi`, as bytes.
    Memory,
    /// `1.5`, as a number of CPUs.
    Cpus,
    /// Milliseconds, as seconds.
    Millis,
    /// RFC 3339, as seconds since 1970.
    Time,
    /// A number for each field of what is there: a series for each, with the field's name as this label.
    ByField(&'static str),
    /// A series for each row of a list. JSON pointers into the row: what this label says, and the number; true is 1.
    ByRow {
        label: &'static str,
        of: &'static str,
        value: &'static str,
    },
    /// The same, where a word stands in the place of the number: 1, with that word as a second label.
    WordByRow {
        label: &'static str,
        of: &'static str,
        value: &'static str,
        word: Word,
    },
    /// 1, with the word that stands there as a label.
    Word(Word),
    /// How many rows a list has.
    Rows,
}

/// A label that says one of these words, or `other`: what a server says is none before it was looked for here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    pub label: &'static str,
    pub words: &'static [&'static str],
}

/// What the status of every container says.
pub const OF_CONTAINERS: [Metric; 7] = [
    Metric {
        family: Family::counter(
            "seawall_container_restarts_total",
            "Restarts by the engine, of the container that is there.",
        ),
        path: "/container/restartCount",
        read: Read::Number,
    },
    Metric {
        family: Family::gauge(
            "seawall_container_oom_killed",
            "Whether the kernel ended the container for want of memory when it ended last.",
        ),
        path: "/container/oomKilled",
        read: Read::Flag,
    },
    Metric {
        family: Family::gauge(
            "seawall_container_start_timestamp_seconds",
            "When the container started, in seconds since 1970.",
        ),
        path: "/container/startedAt",
        read: Read::Time,
    },
    Metric {
        family: Family::gauge(
            "seawall_container_memory_limit_bytes",
            "The memory limit in force; none: no series.",
        ),
        path: "/resources/applied/memory",
        read: Read::Memory,
    },
    Metric {
        family: Family::gauge(
            "seawall_container_cpu_limit_cores",
            "The CPU limit in force, in CPUs; none: no series.",
        ),
        path: "/resources/applied/cpus",
        read: Read::Cpus,
    },
    Metric {
        family: Family::gauge(
            "seawall_volume_disk_free_bytes",
            "Free space of the disk under the volume, to two figures.",
        ),
        path: "/volume/free",
        read: Read::Memory,
    },
    Metric {
        family: Family::gauge(
            "seawall_credentials_rotated_timestamp_seconds",
            "When the password in force was made, in seconds since 1970.",
        ),
        path: "/credentials/rotatedAt",
        read: Read::Time,
    },
];

/// A part of how to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Host,
    Port,
    Username,
    Database,
    Password,
    Text(&'static str),
}

/// How a client program is called.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub environment: &'static [(&'static str, Part)],
    pub arguments: &'static [Part],
}

impl Part {
    /// How the variable of a link is named that holds it, behind the prefix: the names of the product brief, "Linking to
    /// Projects".
    #[must_use]
    pub fn variable(self) -> Option<&'static str> {
        match self {
            Part::Host => Some("HOST"),
            Part::Port => Some("PORT"),
            Part::Username => Some("USER"),
            Part::Database => Some("DATABASE"),
            Part::Password => Some("PASSWORD"),
            Part::Text(_) => None,
        }
    }
}

/// What a program in the container of a server asks it over the network, as an application would.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    pub program: &'static str,
    pub call: Call,
    /// It prints one of these if all is well.
    pub fine: &'static [&'static str],
}

/// How people and programs get into the servers of a kind. A password is never in an argument.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// Of the URL.
    pub scheme: &'static str,
    /// Its name on the PATH, and what it is in words, to install it.
    pub program: &'static str,
    pub package: &'static str,
    /// `seawall VERB NAME` becomes the program.
    pub verb: &'static str,
    /// From this machine; `None`: the one in the container is used.
    pub local: Option<Call>,
    /// Where the status tells the version of the server: an older program of this machine may not get along with it.
    pub version: Option<&'static str>,
    /// In the container.
    pub inside: Call,
    /// Whether it needs the password there.
    pub inside_needs_password: bool,
    /// Whether something takes connections under a name; nobody logs in.
    pub reach: Question,
    /// A login, and a round trip that changes nothing.
    pub login: Question,
    /// Names of the variables that programs read.
    pub variables: &'static [(&'static str, Part)],
    /// The one for the URL.
    pub url_variable: &'static str,
}

/// What everybody else has to know of a kind.
#[derive(Clone, Copy)]
pub struct About {
    pub kind: Kind,
    /// Its folder here.
    pub folder: &'static str,
    /// What a user reads about the kind, without markup.
    pub description: &'static str,
    /// Something runs for its objects: they are looked at, and converge.
    pub runs: bool,
    /// What runs are containers with data of their own.
    pub containers: bool,
    /// Its objects can be given new passwords.
    pub rotates: bool,
    /// Only objects of this kind make them: no manifest is one.
    pub made_by: Option<Kind>,
    /// What becomes of an object without a manifest, in words.
    pub gone: &'static str,
    pub columns: &'static [Column],
    pub panels: &'static [Panel],
    /// Beside those of its container.
    pub metrics: &'static [Metric],
    /// What is kept over time beside the use of its containers.
    pub history: &'static [Series],
    /// Bytes with which its server starts at least; 0 where none does.
    pub least_memory: u64,
    /// A JSON pointer into `status`, to a list of `{kind, severity, …}` of what threatens it.
    pub warnings: Option<&'static str>,
    /// `None`: there is nothing to connect to.
    pub client: Option<&'static Client>,
    /// How the service API offers its objects; `None`: they are no services.
    /// How backups of it are taken and what cannot be had of them, in words; `None`: there are none.
    pub backups: Option<&'static str>,
    pub service: Option<&'static Service>,
    /// Version and image of the catalog that it brings.
    pub images: &'static [(&'static str, &'static str)],
    pub spec: fn() -> Schema,
}
