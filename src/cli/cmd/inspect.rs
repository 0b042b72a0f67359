//! `seawall pg …` and the like: what goes on inside a server, and the end of a session of it.

use crate::cli::connect::live;
use crate::cli::format::{json_text, yaml_text};
use crate::cli::inspections::{InspectArgs, KILL, KillArgs, TableForm};
use crate::cli::out::{Failure, clean};
use crate::cli::table::{grid, sheet};
use crate::cli::{Context, Outcome};
use crate::kinds::End;
use std::io::{self, BufRead, IsTerminal, Write};

pub async fn run(cx: &mut Context, args: InspectArgs) -> Outcome {
    let InspectArgs { object, ask, output } = args;
    let view = live(cx, &ask.verb).await?.inspect(&object, &ask).await?;
    let text = match output {
        TableForm::Json => json_text(&view),
        TableForm::Yaml => yaml_text(&view),
        TableForm::Text | TableForm::Wide if view.sheet => sheet(&view.table),
        TableForm::Text | TableForm::Wide => {
            if view.table.rows.is_empty() {
                writeln!(cx.out.stderr, "None found.")?;
            }
            grid(&view.table, output == TableForm::Wide, cx.out.colour)
        }
    };
    write!(cx.out.stdout, "{text}")?;
    Ok(0)
}

/// Shows the session, asks, and ends that very one.
pub async fn kill(cx: &mut Context, args: KillArgs) -> Outcome {
    let KillArgs { group, object, session, force, yes } = args;
    let api = live(cx, "kill").await?;
    let look = End { session, since: None, force };
    let view = api.kill(&object, &look).await?;
    if !yes {
        write!(cx.out.stdout, "{}", sheet(&view.session))?;
        let what = if force { "End this session" } else { "Cancel what this session does" };
        if !agreed(cx, what)? {
            let more = if force { " --force" } else { "" };
            let again = format!("seawall {group} {KILL} {object} {session}{more} --yes");
            return Err(Failure::usage("nothing was ended", again));
        }
    }
    let view = api.kill(&object, &End { since: Some(view.since), ..look }).await?;
    writeln!(cx.out.stdout, "{}", clean(&view.message.unwrap_or_default()))?;
    Ok(0)
}

/// Asks on a terminal; elsewhere nobody agrees.
fn agreed(cx: &mut Context, what: &str) -> io::Result<bool> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Ok(false);
    }
    write!(cx.out.stdout, "{what}? [y/N] ")?;
    cx.out.stdout.flush()?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
