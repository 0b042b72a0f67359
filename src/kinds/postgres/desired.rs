//! What the container of a Postgres should be. Pure and infallible: `check` and `facts` have already
//! turned everything into legal values.

use super::check::Checked;
use super::command::command;
use super::facts::ImageFacts;
use super::parameters;
use super::record::Memory;
use crate::core::identity::Identity;
use crate::core::text::shown;
use crate::workload::desired::Process;
use crate::workload::hardening::LogWords;
use crate::workload::server::Server;
use std::collections::BTreeMap;

/// What every PostgreSQL is like.
pub static SERVER: Server = Server {
    port: 5432,
    user: "postgres",
    shutdown: "fast shutdown",
    stop_signal: "SIGINT",
    // A checkpoint of a busy server takes its time.
    stop_timeout: 120,
    log: LogWords {
        serves: "ready to accept connections",
        of_clients: &["ERROR:", "LOG:", "WARNING:", "DETAIL:", "HINT:", "STATEMENT:", "CONTEXT:"],
    },
    // docker-facts §8, §11: KILL is for the init that forwards the stop signal to a process of another user.
    capabilities: &["CHOWN", "FOWNER", "KILL", "SETGID", "SETUID"],
    keeps_data: true,
};

/// The official image's contract: read at start, before initdb.
pub const PASSWORD_FILE: &str = "/etc/seawall/password";

/// How its server runs in the container.
#[must_use]
pub fn process(spec: &Checked, image: &ImageFacts, memory: &Memory) -> Process {
    let database = memory.init_database.as_ref().unwrap_or(&spec.database);
    Process {
        env: BTreeMap::from([
            ("POSTGRES_USER".to_owned(), memory.owner(&spec.username).to_owned()),
            ("POSTGRES_DB".to_owned(), database.clone()),
            ("POSTGRES_PASSWORD_FILE".to_owned(), PASSWORD_FILE.to_owned()),
            ("PGDATA".to_owned(), image.pgdata.clone()),
        ]),
        command: command(&image.work.cmd, &image.pgdata, &spec.parameters).argv,
    }
}

/// What of the image's CMD is not in force, each with its reason, fit to be shown.
#[must_use]
pub fn not_kept(spec: &Checked, image: &ImageFacts) -> Vec<String> {
    let all = command(&image.work.cmd, &image.pgdata, &spec.parameters).not_kept;
    all.iter().map(|text| shown(text, 200)).collect()
}

/// Whether a server of this image is to have statements counted by default: one whose data was made so, or is about to be
/// made. A database that was there before is not restarted for it.
#[must_use]
pub fn counts_statements(memory: &Memory, image: &ImageFacts) -> bool {
    may_count_statements(image) && (memory.counts_statements || !memory.work.ever_ready)
}

fn may_count_statements(image: &ImageFacts) -> bool {
    image.managed && image.statements
}

/// The text of the parameter file for this spec on this image.
#[must_use]
pub fn parameter_file(identity: &Identity, spec: &Checked, memory: &Memory, image: &ImageFacts) -> String {
    file(identity, spec, image, counts_statements(memory, image))
}

/// The same of a server that has statements counted; `None` where the image's servers never have.
#[must_use]
pub fn counting_file(identity: &Identity, spec: &Checked, image: &ImageFacts) -> Option<String> {
    may_count_statements(image).then(|| file(identity, spec, image, true))
}

fn file(identity: &Identity, spec: &Checked, image: &ImageFacts, counts_statements: bool) -> String {
    parameters::file(&parameters::FileInput {
        object: &identity.object.to_string(),
        base: command(&image.work.cmd, &image.pgdata, &spec.parameters)
            .base
            .unwrap_or_else(|| format!("{}/postgresql.conf", image.pgdata)),
        major: image.major,
        managed: image.managed,
        counts_statements,
        parameters: &spec.parameters,
    })
}
