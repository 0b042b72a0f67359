//! What becomes of finished segments, by the settings that decide it.

use super::reading::Settings;

/// What Seawall sets where nothing is to be archived yet: nothing waits, and a target can be added by a reload.
pub const PLACEHOLDER: &str = "/bin/true";

/// Where a finished segment goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// archive_mode is off.
    Off,
    /// To nobody: neither a command nor a library is set, and all of it is kept.
    Nobody,
    /// Into nothing: the command says that it did it, and does nothing.
    Discarded,
    Library,
    Command,
}

impl Settings {
    /// The command, where there is one.
    #[must_use]
    pub fn command(&self) -> Option<&str> {
        Some(self.archive_command.trim()).filter(|command| !command.is_empty() && *command != "(disabled)")
    }

    #[must_use]
    pub fn library(&self) -> Option<&str> {
        self.archive_library.as_deref().map(str::trim).filter(|library| !library.is_empty())
    }

    #[must_use]
    pub fn target(&self) -> Target {
        match (self.archive_mode.as_str(), self.library(), self.command()) {
            ("off", ..) => Target::Off,
            (_, Some(_), _) => Target::Library,
            (_, None, None) => Target::Nobody,
            (_, None, Some(command)) if does_nothing(command) => Target::Discarded,
            (_, None, Some(_)) => Target::Command,
        }
    }
}

/// Known ways to say yes and do nothing. Any other may do nothing as well: only a restore proves one.
fn does_nothing(command: &str) -> bool {
    let mut words = command.split_whitespace();
    let first = words.next().unwrap_or_default().trim_end_matches(';');
    // `true`, `/bin/true`, `/usr/bin/true`, with whatever arguments; `:` and `exit 0` of a shell; `echo` of a name.
    match first.rsplit('/').next().unwrap_or_default() {
        "true" | ":" => !command.contains(['&', '|']),
        "exit" => words.next() == Some("0"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_segments_go() {
        for (mode, library, command, want) in [
            ("off", None, "(disabled)", Target::Off),
            ("off", Some(""), "cp %p /a/%f", Target::Off),
            ("on", None, "", Target::Nobody),
            ("always", Some(""), "  ", Target::Nobody),
            ("on", Some("basic_archive"), "", Target::Library),
            ("on", Some(""), PLACEHOLDER, Target::Discarded),
            ("on", None, "true", Target::Discarded),
            ("on", None, "/usr/bin/true %p", Target::Discarded),
            ("on", None, ":", Target::Discarded),
            ("on", None, "exit 0", Target::Discarded),
            ("on", None, "exit 1", Target::Command),
            ("on", None, "true && cp %p /a/%f", Target::Command),
            ("on", None, "cp %p /a/%f", Target::Command),
            ("on", None, "/opt/trueblue %p", Target::Command),
        ] {
            let settings = Settings {
                max_wal_size_bytes: 1,
                archive_mode: mode.to_owned(),
                archive_command: command.to_owned(),
                archive_library: library.map(str::to_owned),
            };
            assert_eq!(settings.target(), want, "{mode} {library:?} {command}");
        }
    }
}
