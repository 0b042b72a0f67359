//! What the container of a Redis should be, and the two files that its server starts with. Pure. Passwords are in them as
//! hashes alone, and a value of the manifest can never become a directive.

use super::check::Checked;
use super::facts::RedisImage;
use super::spec::{Persistence, word};
use crate::core::digest::sha256;
use crate::core::identity::Identity;
use crate::core::quantity::Bytes;
use crate::workload::desired::Process;
use crate::workload::hardening::LogWords;
use crate::workload::server::Server;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What every Redis is like.
pub static SERVER: Server = Server {
    port: 6379,
    user: "redis",
    shutdown: "clean shutdown",
    stop_signal: "SIGTERM",
    // A snapshot of much data takes its time.
    stop_timeout: 120,
    log: LogWords { serves: "Ready to accept connections", of_clients: &[] },
    // As root the entry point gives up the bounding set.
    capabilities: &["CHOWN", "FOWNER", "KILL", "SETGID", "SETPCAP", "SETUID"],
    keeps_data: true,
};

/// Where the files lie. They are root's, mode 0440, of the group that the server runs as, in a directory of root's: the
/// server reads them, and neither CONFIG REWRITE nor ACL SAVE can make them say something else.
pub const CONFIG: &str = "/etc/seawall/redis.conf";
pub const USERS: &str = "/etc/seawall/users.acl";
/// Where the data lies.
pub const DATA: &str = "/data";
/// The secrets of one: the owner's, and Seawall's own.
pub const PASSWORDS: [&str; 2] = ["", crate::workload::tools::ADMIN];
/// The user that Seawall logs in as.
pub const ADMIN: &str = "seawall";
/// How often snapshots are taken, unless the manifest says.
pub const SAVE: &str = "3600 1 300 100 60 10000";
/// Of the memory cap; while it saves, a forked process keeps old pages.
const PERCENT: u128 = 60;

/// What the owner of a whole server may do: everything but what reaches beyond its data. `INFO` is what client libraries
/// look at before they work.
const OWNER: &str = "+@all -@admin -@dangerous +info +keys +flushdb +flushall +sort +sort_ro ~* &*";

/// How much a server may hold of what its container may use: it sees the host's memory only, and the kernel ends it when
/// the container is full. 0: no limit.
#[must_use]
pub fn maxmemory(cap: Option<Bytes>) -> u64 {
    cap.map_or(0, |cap| u64::try_from(u128::from(cap.0) * PERCENT / 100).unwrap_or(cap.0))
}

/// How its server runs in the container.
#[must_use]
pub fn process() -> Process {
    Process { env: BTreeMap::new(), command: vec!["redis-server".to_owned(), CONFIG.to_owned()] }
}

/// What of the image's CMD is not in force.
#[must_use]
pub fn not_kept(image: &RedisImage) -> Vec<String> {
    let own = |word: &String| word.rsplit('/').next() == Some("redis-server");
    let rest = image.work.cmd.iter().skip_while(|word| own(word));
    rest.map(|word| crate::core::text::shown(word, 200)).collect()
}

/// What redis.conf depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    pub object: String,
    pub persistence: Persistence,
    pub eviction: String,
    pub maxmemory: u64,
    /// Of the manifest, in their normal form.
    pub parameters: BTreeMap<String, String>,
}

impl Files {
    #[must_use]
    pub fn new(
        identity: &Identity,
        spec: &Checked,
        parameters: BTreeMap<String, String>,
        persistence: Persistence,
        maxmemory: u64,
    ) -> Self {
        let (object, eviction) = (identity.object.to_string(), word(spec.eviction));
        Self { object, persistence, eviction, maxmemory, parameters }
    }

    /// Every directive with its value: what is in the file, and what CONFIG GET should say.
    #[must_use]
    pub fn settings(&self) -> BTreeMap<String, String> {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let (appendonly, save) = match self.persistence {
            Persistence::Aof => ("yes", ""),
            Persistence::Rdb => ("no", SAVE),
            Persistence::None => ("no", ""),
        };
        let mut all = BTreeMap::from([pair("appendfsync", "everysec"), pair("save", save)]);
        all.extend(self.parameters.clone());
        if self.persistence != Persistence::Rdb {
            all.insert("save".to_owned(), String::new());
        }
        all.extend([
            pair("aclfile", USERS),
            pair("appendonly", appendonly),
            pair("bind", "* -::*"),
            pair("dir", DATA),
            pair("maxmemory", &self.maxmemory.to_string()),
            pair("maxmemory-policy", &self.eviction),
            pair("port", &SERVER.port.to_string()),
            // Who gets in is decided by the users' file.
            pair("protected-mode", "no"),
        ]);
        all
    }

    /// The text of redis.conf. The same input gives the same bytes.
    #[must_use]
    pub fn text(&self) -> String {
        let object = &self.object;
        let mut text =
            format!("# Written by Seawall from the manifest of {object}. Changes made here are undone.\n");
        for (name, value) in self.settings() {
            let _ = writeln!(text, "{name} {}", quoted(&value));
        }
        text
    }
}

/// Each user that is not a link's, and what ACL GETUSER says of it. Hashes of ours tell nothing: passwords are long and
/// random.
#[must_use]
pub fn users(admin: &str, owner: &str, password: &str) -> [(String, String); 3] {
    let on = |secret: &str, rules: &str| format!("on #{} {rules}", sha256(secret.as_bytes()));
    [
        ("default".to_owned(), "off -@all".to_owned()),
        (ADMIN.to_owned(), on(admin, "+@all ~* &*")),
        (owner.to_owned(), on(password, OWNER)),
    ]
}

/// The text of users.acl.
#[must_use]
pub fn users_file<T: AsRef<str>>(users: impl IntoIterator<Item = (T, T)>) -> String {
    let line = |(name, rules): (T, T)| {
        format!("user {} resetpass resetchannels {}\n", name.as_ref(), rules.as_ref())
    };
    users.into_iter().map(line).collect()
}

/// One word of redis.conf whatever is in it: as `sdssplitargs` of Redis reads it.
fn quoted(value: &str) -> String {
    let mut out = String::from("\"");
    for byte in value.bytes() {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            b' '..=b'~' => out.push(char::from(byte)),
            byte => {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
#[path = "desired_tests.rs"]
mod tests;
