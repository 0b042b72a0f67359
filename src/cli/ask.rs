//! Questions to whoever sits at the terminal; where nobody does, nothing is asked.

use super::Context;
use super::out::Failure;
use crate::secrets::Secret;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use std::io::{self, BufRead, IsTerminal, Read, Write, stdin};
use zeroize::Zeroizing;

/// Bytes of an answer.
pub const MAX_ANSWER: usize = 4096;

/// Whether somebody is there to answer.
#[must_use]
pub fn can(cx: &Context) -> bool {
    cx.out.terminal && stdin().is_terminal()
}

/// A line, without the blanks around it.
///
/// # Errors
/// When nothing comes, or the terminal is gone.
pub async fn line(cx: &mut Context, question: &str) -> Result<String, Failure> {
    let answer = read(cx, question).await?;
    let answer = std::str::from_utf8(&answer).map_err(|e| failed(&e))?;
    if answer.is_empty() {
        return Err(Failure::usage("nothing was typed", ""));
    }
    Ok(answer.trim().to_owned())
}

/// A line that the terminal does not show. Whoever gives up there has the terminal back as it was.
///
/// # Errors
/// As [`line`].
pub async fn unseen(cx: &mut Context, question: &str) -> Result<Secret, Failure> {
    let shown = tcgetattr(stdin()).map_err(|e| failed(&e))?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    tcsetattr(stdin(), OptionalActions::Flush, &hidden).map_err(|e| failed(&e))?;
    let answer = read(cx, question).await;
    let back = tcsetattr(stdin(), OptionalActions::Flush, &shown);
    writeln!(cx.out.stderr)?;
    back.map_err(|e| failed(&e))?;
    let answer = answer?;
    let answer = std::str::from_utf8(&answer).map_err(|_| failed(&"that is no text"))?;
    match answer.trim_end_matches(['\r', '\n']) {
        "" => Err(Failure::usage("nothing was typed", "")),
        answer => Ok(Secret::from(answer)),
    }
}

fn failed(why: &dyn std::fmt::Display) -> Failure {
    Failure::usage(format!("the terminal: {why}"), "")
}

async fn read(cx: &mut Context, question: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    write!(cx.out.stderr, "{question}")?;
    cx.out.stderr.flush()?;
    let line = tokio::task::spawn_blocking(|| {
        let mut line = Zeroizing::new(Vec::with_capacity(MAX_ANSWER + 2));
        stdin().lock().take(MAX_ANSWER as u64 + 2).read_until(b'\n', &mut line).map(|_| line)
    });
    let line = tokio::select! {
        line = line => line.map_err(io::Error::other).flatten(),
        _ = tokio::signal::ctrl_c() => Err(io::ErrorKind::Interrupted.into()),
    };
    line.map_err(|e| failed(&e))
}
