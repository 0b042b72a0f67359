//! Where a command prints, and how its failure is told.

use super::settings::{Environment, SettingsError};
use crate::control::api::{ApiError, ErrorCode};
use std::io::{self, IsTerminal, Write};

/// Standard output and error of one command.
pub struct Out {
    pub stdout: Box<dyn Write + Send>,
    pub stderr: Box<dyn Write + Send>,
    /// Whether `stdout` may have colours.
    pub colour: bool,
}

impl Out {
    /// Colours only on a terminal, and not with `NO_COLOR`.
    #[must_use]
    pub fn of_this_process(environment: &Environment) -> Self {
        Self {
            stdout: Box::new(io::stdout()),
            stderr: Box::new(io::stderr()),
            colour: environment.colour(io::stdout().is_terminal()),
        }
    }

    /// Tells a failure and gives its exit code.
    pub fn failure(&mut self, failure: &Failure) -> u8 {
        let error = match failure {
            // Whoever read us has had enough.
            Failure::Io(e) if e.kind() == io::ErrorKind::BrokenPipe => return 0,
            Failure::Io(e) => &ApiError::new(ErrorCode::Internal, format!("could not print: {e}"), ""),
            Failure::Api(error) => error,
        };
        let _ = writeln!(self.stderr, "error: {}", clean_lines(&error.what));
        if !error.next.is_empty() {
            let _ = writeln!(self.stderr, "  {}", clean_lines(&error.next));
        }
        let _ = self.stderr.flush();
        1
    }
}

/// Why a command has no exit code of its own.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Failure {
    /// What the user asked for cannot be; `next` says what can.
    pub fn usage(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Api(ApiError::new(ErrorCode::Invalid, what, next))
    }
}

impl From<SettingsError> for Failure {
    fn from(e: SettingsError) -> Self {
        Self::usage(e.to_string(), e.next())
    }
}

/// Words of others (servers, images, files) on one line, without what a terminal would obey.
#[must_use]
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// As [`clean`], keeping line breaks and tabs.
#[must_use]
pub fn clean_lines(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { ' ' } else { c }).collect()
}
