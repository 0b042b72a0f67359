//! A trial start: a server of an image with a parameter file, on an empty cluster in a throw-away
//! container, before the real server gets either. What a reload takes and the next start refuses shows
//! there. Pure; must never judge by the words that a server says, only repeat them.

use super::check::Checked;
use super::client::statements::{NEWER_SINCE, options};
use super::desired::{SERVER, parameter_file};
use super::facts::{ImageFacts, below};
use super::parameters;
use super::record::Memory;
use crate::core::desired::DesiredContainer;
use crate::core::digest::sha256;
use crate::core::identity::Identity;
use crate::core::resource::Caps;
use crate::core::seen::SeenContainer;
use crate::core::text::shown;
use crate::workload::desired::{looker, shm_size};
use crate::workload::hardening::Profile;
use std::collections::BTreeMap;

/// Characters of a server's words that are kept.
const WORDS: usize = 500;
/// Where files of the data directory lie in the throw-away container until the cluster is made.
pub const FILES: &str = "/etc/seawall/trial";
/// Lines of its log that are read.
pub const LINES: usize = 60;

/// Makes a cluster, starts the server, logs in, stops. Its exit codes are [`verdict`]'s to read. A cluster is
/// made in a second, so that keeping one would save less than it costs; what it writes need not be durable.
const SCRIPT: &str = r#"
data=$1; shift
for program in initdb psql; do
  command -v "$program" >/dev/null && continue
  for dir in "$(dirname "$1")" /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/libexec/postgresql*; do
    [ -x "$dir/$program" ] && PATH="$PATH:$dir"
  done
done
command -v psql >/dev/null || { echo "there is no psql" >&2; exit 91; }
initdb --no-sync -A trust -U seawall -D "$data" >/tmp/seawall-initdb 2>&1 || { tail -n 3 /tmp/seawall-initdb >&2; exit 91; }
if [ -d /etc/seawall/trial ]; then (umask 077; cp -R /etc/seawall/trial/* "$data"/) || exit 91; fi
end() {
  # The server may have its own place for what it says.
  dir=$("$@" -C log_directory 2>/dev/null) && [ -n "$dir" ] || dir=log
  case $dir in /*) ;; *) dir=$data/$dir ;; esac
  tail -n 20 "$dir"/* >&2 2>/dev/null
  [ ! -s /tmp/seawall-psql ] || cat /tmp/seawall-psql >&2
}
"$@" >&2 &
server=$!
tries=0
until LC_ALL=C PGCONNECT_TIMEOUT=5 psql -X -w -q -h /tmp -p 5432 -U seawall -d postgres -c '' 2>/tmp/seawall-psql; do
  if ! kill -0 "$server" 2>/dev/null; then
    wait "$server"; code=$?
    rm -f /tmp/seawall-psql; end "$@"; echo "seawall: exit code $code" >&2; exit 92
  fi
  tries=$((tries + 1))
  case $(cat /tmp/seawall-psql) in
    *"No such file"*"running locally"*|*"Connection refused"*|*"starting up"*) most=300 ;;
    *) most=3 ;;
  esac
  if [ "$tries" -ge "$most" ]; then
    end "$@"
    # A slow start is none that fails.
    [ "$most" = 3 ] || exit 95
    exit 93
  fi
  sleep 0.1
done
kill -INT "$server"
wait "$server" || { code=$?; end "$@"; echo "seawall: exit code $code" >&2; exit 94; }
"#;

/// What a trial start showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    /// In the server's words.
    Refused(String),
    /// It could not be held; the real start will tell.
    Unknown(String),
}

/// One trial start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The same for whatever starts in the same way: SHA-256, hex.
    pub key: String,
    /// As it is shown.
    pub image: String,
    pub text: String,
    /// Without a name and labels of its own.
    command: Vec<String>,
    pub image_id: String,
    caps: Caps,
    /// As PGOPTIONS: what it logs in with is what the operator logs in with.
    session: String,
    /// Files that the server reads below its data directory, and that lie there now.
    pub files: Vec<String>,
}

/// The image in use by its own name, also while the manifest names another one.
fn named(spec: &Checked, memory: &Memory, image: &ImageFacts) -> String {
    let in_use = memory.work.image.as_ref().filter(|pinned| pinned.id == image.work.id);
    in_use.map_or_else(|| spec.work.image.to_string(), |pinned| pinned.reference.clone())
}

/// What counts of a parameter file: all but the line that says whose it is.
fn body(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
}

impl Trial {
    /// The trial that has to be passed before the object runs from `image` with the manifest's parameters;
    /// `None` when nothing about it is new. What Seawall sets by itself is no reason for one.
    #[must_use]
    pub fn due(
        identity: &Identity,
        spec: &Checked,
        memory: &Memory,
        image: &ImageFacts,
        container: Option<&SeenContainer>,
    ) -> Option<Self> {
        let text = parameter_file(identity, spec, memory, image);
        let proven = memory.proven_parameters.as_deref().map(body);
        if spec.skip_trial || (proven.is_none() && spec.parameters.is_empty()) {
            return None;
        }
        if proven.as_deref() == Some(&body(&text)) && memory.work.proven_with(&image.work.id) {
            return None;
        }
        let sha = sha256(text.as_bytes());
        let refused = memory.refused_parameters.as_ref().filter(|r| r.sha256 == sha);
        if refused.is_some_and(|refused| refused.counts_for(&image.work.id)) {
            return None;
        }
        let is_there =
            memory.written_parameters == Some(sha) && container.is_some_and(|c| c.image_id == image.work.id);
        if is_there {
            return None;
        }
        let caps = Caps { cpus: None, ..spec.work.caps };
        let command = server_command(spec, image);
        let about = format!("{} {command:?} {:?} {}", image.work.id, caps, body(&text));
        Some(Self {
            key: sha256(about.as_bytes()),
            image: named(spec, memory, image),
            text,
            command,
            image_id: image.work.id.clone(),
            caps,
            session: options(image.major >= NEWER_SINCE),
            files: files(spec, image),
        })
    }

    /// The throw-away container. Without a limit of CPU time: a slow start is none that fails.
    #[must_use]
    pub fn container(&self, identity: &Identity, name: &str, pgdata: &str) -> DesiredContainer {
        let entrypoint = ["/bin/sh", "-c", SCRIPT, "trial"].map(str::to_owned).to_vec();
        let command = std::iter::once(pgdata.to_owned()).chain(self.command.iter().cloned()).collect();
        DesiredContainer {
            entrypoint,
            command,
            env: BTreeMap::from([("PGOPTIONS".to_owned(), self.session.clone())]),
            caps: self.caps,
            hardening: Profile::AsUser.hardening(SERVER.user, SERVER.capabilities),
            shm_size: Some(shm_size(&self.caps)),
            ..looker(&identity.installation, &identity.store, name, &self.image_id)
        }
    }
}

/// The real server's command from the server on, with what the trial needs for itself: on a command line it
/// wins over the file, whose own value is judged all the same.
fn server_command(spec: &Checked, image: &ImageFacts) -> Vec<String> {
    let argv = super::command::command(&image.work.cmd, &image.pgdata, &spec.parameters).argv;
    let server = argv.iter().position(|word| word.rsplit('/').next() == Some("postgres")).unwrap_or(0);
    let own = ["-D", &image.pgdata, "-k", "/tmp", "-c", "lc_messages=C", "-c", "log_min_messages=warning"];
    let own = own.map(str::to_owned);
    argv.into_iter().skip(server).chain(own).collect()
}

/// Files below the data directory that parameters name: certificates and their keys. PostgreSQL reads
/// them at start, and looks for two by default (PostgreSQL docs, "ssl").
fn files(spec: &Checked, image: &ImageFacts) -> Vec<String> {
    let names = ["ssl_cert_file", "ssl_key_file", "ssl_ca_file", "ssl_crl_file", "ssl_dh_params_file"];
    if !spec.parameters.contains_key("ssl") && !names.iter().any(|n| spec.parameters.contains_key(*n)) {
        return Vec::new();
    }
    let named = names.iter().filter_map(|name| spec.parameters.get(*name)).map(String::as_str);
    let mut files: Vec<String> = named
        .chain(["server.crt", "server.key"])
        .filter_map(
            |path| if path.starts_with('/') { below(path, &image.pgdata) } else { Some(path.to_owned()) },
        )
        .filter(|path| !path.is_empty() && !path.split('/').any(|part| part == ".."))
        .collect();
    files.sort();
    files.dedup();
    files
}

/// From how the throw-away container ended, and what it said.
#[must_use]
pub fn verdict(exit_code: i64, oom_killed: bool, log: &[String]) -> Verdict {
    let words = shown(&in_words(log), WORDS);
    let code = log.iter().rev().find_map(|line| line.strip_prefix("seawall: exit code "));
    let code = code.map(|code| format!(" (exit code {code})")).unwrap_or_default();
    match exit_code {
        0 => Verdict::Passed,
        92 if oom_killed => Verdict::Refused(format!(
            "the server does not start: the memory cap is too small for it{code}: {words}"
        )),
        92 => Verdict::Refused(format!("the server does not start{code}: {words}")),
        93 => Verdict::Refused(format!("the server starts, but lets nobody in: {words}")),
        94 => Verdict::Refused(format!("the server does not shut down cleanly{code}: {words}")),
        95 => Verdict::Unknown(format!("the server was not up in time: {words}")),
        91 => Verdict::Unknown(format!("no cluster could be made for it: {words}")),
        other => Verdict::Unknown(format!("the trial ended with exit code {other}: {words}")),
    }
}

/// What a server said before it gave up. The line that names a file with errors tells less than the one
/// before it.
fn in_words(log: &[String]) -> String {
    let said: Vec<String> = log.iter().filter(|line| !line.starts_with("seawall: ")).cloned().collect();
    let Some(words) = parameters::fatal_words(&said) else {
        return said.last().map(|line| line.trim().to_owned()).unwrap_or_default();
    };
    let before = || said.iter().rev().find_map(|line| line.split_once("LOG:"));
    match before().filter(|_| words.contains("contains errors")) {
        Some((_, cause)) => cause.trim().to_owned(),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(log: &[&str]) -> Vec<String> {
        log.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn how_a_trial_ended_decides_and_its_words_are_repeated() {
        let config = [
            "x [9] LOG:  invalid value for parameter \"TimeZone\": \"Nowhere\"",
            "x [9] FATAL:  configuration file \"/etc/seawall/postgresql.conf\" contains errors",
            "seawall: exit code 1",
        ];
        let hint = [
            "x [9] FATAL:  could not map anonymous shared memory: Cannot allocate memory",
            "x [9] HINT:  This error usually means that",
            "x [9] LOG:  database system is shut down",
            "seawall: exit code 1",
        ];
        let login = [
            "x [9] LOG:  database system is ready to accept connections",
            "psql: error: connection to server on socket \"/tmp/.s.PGSQL.5432\" failed: FATAL:  could not access file \"nope\"",
        ];
        for (code, oom, log, want) in [
            (92, false, &config[..], "(exit code 1): invalid value for parameter \"TimeZone\": \"Nowhere\""),
            (92, false, &hint, "Cannot allocate memory (This error usually means that)"),
            (92, true, &["seawall: exit code 137"], "the memory cap is too small for it (exit code 137)"),
            (92, false, &[], "the server does not start: "),
            (93, false, &login, "lets nobody in: could not access file \"nope\""),
            (94, false, &["PANIC:  x", "seawall: exit code 134"], "not shut down cleanly (exit code 134): x"),
        ] {
            let got = verdict(code, oom, &lines(log));
            let Verdict::Refused(words) = &got else { panic!("{got:?}") };
            assert!(words.contains(want), "{words}");
        }
        assert_eq!(verdict(0, false, &lines(&hint)), Verdict::Passed, "words decide nothing");
        for code in [91, 95, 126, 127, 137] {
            assert!(matches!(verdict(code, false, &[]), Verdict::Unknown(_)), "{code}");
        }
    }

    #[test]
    fn whose_a_file_is_does_not_count() {
        let text = "# of postgres/a\nwork_mem = '1MB'\n";
        assert_eq!(body(text), body(&text.replace("postgres/a", "postgres/b")));
        assert_ne!(body(text), body(&text.replace("1MB", "2MB")));
    }
}
