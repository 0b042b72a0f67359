//! The command of a container: the image's own CMD, with ours added. Pure.
//!
//! Images bring settings in their CMD (`postgres -c shared_preload_libraries=timescaledb`). What it says is
//! kept, but for what the manifest or Seawall itself sets: on a command line it would win over a file. What
//! cannot be kept is said, never dropped in silence.

use super::parameters;
use std::collections::BTreeMap;

/// What an image's CMD comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    pub argv: Vec<String>,
    /// The configuration file that the image starts with, where it is not PGDATA/postgresql.conf.
    pub base: Option<String>,
    /// What of the CMD is not kept, with the reason, in its order.
    pub not_kept: Vec<String>,
}

/// What the parameter file sets by itself; a CMD that sets it too would win.
const OURS: [(&str, &str); 7] = [
    ("listen_addresses", "Seawall proves readiness over the network"),
    ("port", "inside the container it is always 5432"),
    ("password_encryption", "managed passwords are scram-sha-256"),
    ("archive_mode", "Seawall manages archiving"),
    ("archive_command", "Seawall manages archiving"),
    ("unix_socket_directories", "repairs rely on the default socket"),
    ("allow_alter_system", "parameters come from the manifest alone"),
];

/// postgres(1): short options that stand for a parameter, and whether a value follows.
const SHORT: [(char, &str, bool); 12] = [
    ('B', "shared_buffers", true),
    ('F', "fsync", false),
    ('N', "max_connections", true),
    ('S', "work_mem", true),
    ('d', "log_min_messages", true),
    ('e', "datestyle", false),
    ('h', "listen_addresses", true),
    ('i', "listen_addresses", false),
    ('k', "unix_socket_directories", true),
    ('l', "ssl", false),
    ('p', "port", true),
    ('W', "post_auth_delay", true),
];

fn plain() -> Vec<String> {
    vec!["postgres".to_owned(), "-c".to_owned(), config_file()]
}

fn config_file() -> String {
    format!("config_file={}", parameters::PATH)
}

/// One argument, or an option with its value.
enum Argument {
    /// `name=value`, by whatever option.
    Setting { name: String, value: String },
    /// `-D DIR`
    Directory(String),
    /// Anything else.
    Other,
}

/// The command for an image with this CMD, when the manifest sets these parameters.
#[must_use]
pub fn command(cmd: &[String], pgdata: &str, set: &BTreeMap<String, String>) -> Command {
    let nothing =
        |why: Option<String>| Command { argv: plain(), base: None, not_kept: why.into_iter().collect() };
    let words = match unwrapped(cmd) {
        Ok(words) => words,
        Err(why) => return nothing(Some(why)),
    };
    let is_server = |word: &String| word.rsplit('/').next() == Some("postgres");
    let (mut argv, rest) = match words.iter().position(is_server) {
        Some(at) => (words[..=at].to_vec(), &words[at + 1..]),
        None if words.first().is_some_and(|w| w.starts_with('-')) => {
            (vec!["postgres".to_owned()], words.as_slice())
        }
        None if words.is_empty() => return nothing(None),
        None => return nothing(Some(format!("{} (it does not start postgres)", words.join(" ")))),
    };
    let (mut base, mut not_kept) = (None, Vec::new());
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        let mut taken = vec![word.clone()];
        let argument = read(word, || {
            let value = rest.next().cloned();
            taken.extend(value.clone());
            value
        });
        match argument {
            Argument::Setting { name, value } if name == "config_file" => base = Some(value),
            Argument::Setting { name, .. } => match dropped(&name, set) {
                Some(why) => not_kept.push(format!("{} ({why})", taken.join(" "))),
                None => argv.extend(taken),
            },
            Argument::Directory(directory) => {
                if directory.trim_end_matches('/') != pgdata.trim_end_matches('/') && base.is_none() {
                    base = Some(format!("{}/postgresql.conf", directory.trim_end_matches('/')));
                }
                argv.extend(taken);
            }
            Argument::Other => argv.extend(taken),
        }
    }
    argv.extend(["-c".to_owned(), config_file()]);
    Command { argv, base, not_kept }
}

fn dropped(name: &str, set: &BTreeMap<String, String>) -> Option<String> {
    if set.contains_key(name) {
        return Some(format!("spec.parameters.{name} is in force"));
    }
    OURS.iter().find(|(ours, _)| *ours == name).map(|(_, why)| (*why).to_owned())
}

fn read(word: &str, mut value: impl FnMut() -> Option<String>) -> Argument {
    let setting = |text: &str| match text.split_once('=') {
        Some((name, value)) => Argument::Setting {
            name: name.trim().replace('-', "_").to_ascii_lowercase(),
            value: value.to_owned(),
        },
        None => Argument::Other,
    };
    if let Some(long) = word.strip_prefix("--") {
        return setting(long);
    }
    let Some(option) = word.strip_prefix('-') else { return Argument::Other };
    let mut letters = option.chars();
    let (letter, glued) = (letters.next(), letters.as_str());
    let mut argument = || if glued.is_empty() { value() } else { Some(glued.to_owned()) };
    match letter {
        Some('c') => argument().map_or(Argument::Other, |text| setting(&text)),
        Some('D') => argument().map_or(Argument::Other, Argument::Directory),
        Some(letter) => match SHORT.iter().find(|(l, ..)| *l == letter) {
            Some((_, name, true)) => {
                let value = argument().unwrap_or_default();
                Argument::Setting { name: (*name).to_owned(), value }
            }
            Some((_, name, false)) if glued.is_empty() => {
                Argument::Setting { name: (*name).to_owned(), value: String::new() }
            }
            _ => {
                // Its value, if it has one, must not be taken for a word of its own.
                if matches!(letter, 'C' | 'f' | 'o' | 'r' | 't' | 'v') && glued.is_empty() {
                    let _ = value();
                }
                Argument::Other
            }
        },
        None => Argument::Other,
    }
}

/// The words of a CMD; those of a shell command where it is nothing but words.
fn unwrapped(cmd: &[String]) -> Result<Vec<String>, String> {
    match cmd {
        [shell, flag, text] if is_shell(shell) && flag == "-c" => {
            let words = words(text).ok_or_else(|| {
                format!("{text:?} (a shell command: Seawall starts the server without a shell)")
            })?;
            Ok(match words.split_first() {
                Some((first, rest)) if first == "exec" => rest.to_vec(),
                _ => words,
            })
        }
        _ => Ok(cmd.to_vec()),
    }
}

fn is_shell(word: &str) -> bool {
    matches!(word.rsplit('/').next(), Some("sh" | "bash" | "ash" | "dash"))
}

/// A shell's words, quotes removed; `None` when the shell would do more than that.
fn words(text: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None::<char>);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (Some('\''), c) => word.get_or_insert_default().push(c),
            (_, '$' | '`') => return None,
            (Some(_), '\\') => word.get_or_insert_default().push(chars.next()?),
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                word.get_or_insert_default();
                quote = Some(c);
            }
            (None, '\\') => word.get_or_insert_default().push(chars.next()?),
            (None, '&' | '|' | ';' | '<' | '>' | '(' | ')' | '*' | '?' | '[' | '~' | '#' | '\n' | '{') => {
                return None;
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    // A variable set for the command alone is more than words.
    let assigns = |w: &String| {
        w.split_once('=').is_some_and(|(n, _)| n.chars().all(|c| c.is_alphanumeric() || c == '_'))
    };
    (quote.is_none() && !words.first().is_some_and(assigns)).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(words: &[&str]) -> Vec<String> {
        words.iter().map(|w| (*w).to_owned()).collect()
    }

    fn of(cmd: &[&str], set: &[&str]) -> (String, Option<String>, Vec<String>) {
        let set = set.iter().map(|n| ((*n).to_owned(), "1".to_owned())).collect();
        let Command { argv, base, not_kept } = command(&list(cmd), "/pg/data", &set);
        let ours = ["-c".to_owned(), "config_file=/etc/seawall/postgresql.conf".to_owned()];
        assert!(argv.ends_with(&ours), "ours is the last that counts: {argv:?}");
        (argv[..argv.len() - 2].join("|"), base, not_kept)
    }

    #[test]
    fn a_plain_cmd_is_what_it_was() {
        for cmd in [&["postgres"][..], &[]] {
            let Command { argv, base, not_kept } = command(&list(cmd), "/pg/data", &BTreeMap::new());
            assert_eq!(argv, ["postgres", "-c", "config_file=/etc/seawall/postgresql.conf"]);
            assert_eq!((base, not_kept.len()), (None, 0));
        }
    }

    #[test]
    fn what_an_image_says_is_kept() {
        for (cmd, want) in [
            (
                &["postgres", "-c", "shared_preload_libraries=timescaledb"][..],
                "postgres|-c|shared_preload_libraries=timescaledb",
            ),
            (&["-c", "jit=off"], "postgres|-c|jit=off"),
            (&["docker-entrypoint.sh", "postgres", "--jit=off"], "docker-entrypoint.sh|postgres|--jit=off"),
            (
                &["/usr/lib/postgresql/17/bin/postgres", "-cjit=off"],
                "/usr/lib/postgresql/17/bin/postgres|-cjit=off",
            ),
            (&["/bin/sh", "-c", "postgres -c 'search_path=a, b'"], "postgres|-c|search_path=a, b"),
            (
                &["/bin/sh", "-c", "exec docker-entrypoint.sh postgres -c jit=off"],
                "docker-entrypoint.sh|postgres|-c|jit=off",
            ),
            (&["postgres", "-D", "/pg/data/"], "postgres|-D|/pg/data/"),
            (&["postgres", "-f", "s", "-j"], "postgres|-f|s|-j"),
        ] {
            assert_eq!(of(cmd, &[]), (want.to_owned(), None, vec![]), "{cmd:?}");
        }
    }

    #[test]
    fn a_configuration_file_of_the_image_becomes_the_base_of_ours() {
        for (cmd, want, base) in [
            (
                &["postgres", "-c", "config_file=/etc/x.conf", "-c", "jit=off"][..],
                "postgres|-c|jit=off",
                "/etc/x.conf",
            ),
            (&["postgres", "--config-file=/etc/x.conf"], "postgres", "/etc/x.conf"),
            (
                &["postgres", "-D", "/etc/postgresql"],
                "postgres|-D|/etc/postgresql",
                "/etc/postgresql/postgresql.conf",
            ),
            (&["postgres", "-c", "config_file=/etc/x.conf", "-D", "/e"], "postgres|-D|/e", "/etc/x.conf"),
        ] {
            assert_eq!(of(cmd, &[]), (want.to_owned(), Some(base.to_owned()), vec![]), "{cmd:?}");
        }
    }

    #[test]
    fn what_cannot_be_kept_is_said() {
        for (cmd, set, want, needle) in [
            (
                &["postgres", "-c", "work_mem=1MB", "-c", "jit=off"][..],
                &["work_mem"][..],
                "postgres|-c|jit=off",
                "-c work_mem=1MB (spec.parameters.work_mem is in force)",
            ),
            (&["postgres", "-c", "Work_Mem=1MB"], &["work_mem"], "postgres", "spec.parameters.work_mem"),
            (
                &["postgres", "-B", "128", "-N5"],
                &["shared_buffers", "max_connections"],
                "postgres",
                "-B 128 (spec.parameters.shared_buffers",
            ),
            (
                &["postgres", "-p", "5433"],
                &[],
                "postgres",
                "-p 5433 (inside the container it is always 5432)",
            ),
            (&["postgres", "--listen-addresses=localhost"], &[], "postgres", "readiness over the network"),
            (&["postgres", "-i"], &[], "postgres", "-i ("),
            (&["/opt/run.sh"], &[], "postgres", "/opt/run.sh (it does not start postgres)"),
            (&["sh", "-c", "postgres -c work_mem=$MEM"], &[], "postgres", "a shell command"),
            (&["sh", "-c", "prepare && postgres"], &[], "postgres", "a shell command"),
            (&["sh", "-c", "A=b postgres"], &[], "postgres", "a shell command"),
        ] {
            let (argv, _, not_kept) = of(cmd, set);
            assert_eq!(argv, want, "{cmd:?}");
            assert!(not_kept.join("; ").contains(needle), "{cmd:?}: {not_kept:?}");
        }
    }
}
