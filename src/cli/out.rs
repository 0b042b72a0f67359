//! Where a command prints, and how its failure is told.

use super::settings::{Environment, SettingsError};
use crate::control::api::{ApiError, ErrorCode};
use crate::core::text::{line, shown};
use std::io::{self, IsTerminal, Write};

/// Standard output and error of one command.
pub struct Out {
    pub stdout: Box<dyn Write + Send>,
    pub stderr: Box<dyn Write + Send>,
    /// Whether `stdout` may have colours.
    pub colour: bool,
    /// Whether somebody looks at `stdout` as it comes.
    pub terminal: bool,
}

impl Out {
    /// Colours only on a terminal, and not with `NO_COLOR`.
    #[must_use]
    pub fn of_this_process(environment: &Environment) -> Self {
        Self {
            stdout: Box::new(io::stdout()),
            stderr: Box::new(io::stderr()),
            colour: environment.colour(io::stdout().is_terminal()),
            terminal: io::stdout().is_terminal(),
        }
    }

    /// Tells a failure and gives its exit code.
    pub fn failure(&mut self, failure: &Failure) -> u8 {
        let error = match failure {
            // Whoever read us has had enough.
            Failure::Io(e) if e.kind() == io::ErrorKind::BrokenPipe => return 0,
            Failure::Io(e) => &ApiError::new(ErrorCode::Internal, format!("could not print: {e}"), ""),
            Failure::Api(error) | Failure::Missing(error) => error,
        };
        let _ = writeln!(self.stderr, "error: {}", clean_lines(&error.what));
        if !error.next.is_empty() {
            let _ = writeln!(self.stderr, "  {}", clean_lines(&error.next));
        }
        let _ = self.stderr.flush();
        if matches!(failure, Failure::Missing(_)) { 2 } else { 1 }
    }
}

/// Why a command has no exit code of its own.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Something was not said that nobody is there to be asked for.
    #[error("{0}")]
    Missing(ApiError),
}

impl Failure {
    /// What the user asked for cannot be; `next` says what can.
    pub fn usage(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Api(ApiError::new(ErrorCode::Invalid, what, next))
    }

    /// What is missing; `next` says how to say it.
    pub fn missing(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Missing(ApiError::new(ErrorCode::Invalid, what, next))
    }
}

impl From<SettingsError> for Failure {
    fn from(e: SettingsError) -> Self {
        Self::usage(e.to_string(), e.next())
    }
}

/// Characters that are shown of one text of others; a terminal takes no more of it, and neither does the
/// layout of a table.
const SHOWN: usize = 4_000;
/// Lines that are shown of one.
const LINES: usize = 200;

/// Words of others (servers, images, files) on one line, without what a terminal would obey.
#[must_use]
pub fn clean(text: &str) -> String {
    shown(text, SHOWN)
}

/// As [`clean`], keeping line breaks and tabs.
#[must_use]
pub fn clean_lines(text: &str) -> String {
    let mut lines: Vec<String> = text.split('\n').take(LINES).map(|l| line(l, SHOWN)).collect();
    if text.split('\n').nth(LINES).is_some() {
        lines.push("…".to_owned());
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_others_are_cut_and_do_nothing_to_a_terminal() {
        assert_eq!(clean("a\x1b[31m\nb\u{202e}"), "a\\u{1b}[31m\\nb\\u{202e}");
        assert_eq!(clean(&"x".repeat(20 << 20)).chars().count(), SHOWN + 1);
        assert_eq!(clean_lines("a\tb\n\x1b[2Jc\r"), "a\tb\n\\u{1b}[2Jc\\r");
        assert_eq!(clean_lines(&"x\n".repeat(1 << 20)).lines().count(), LINES + 1);
    }
}
