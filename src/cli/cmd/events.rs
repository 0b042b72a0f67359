//! `seawall events`

use crate::cli::age::age;
use crate::cli::args::EventsArgs;
use crate::cli::connect::{again, connect, live};
use crate::cli::print::Grid;
use crate::cli::{Context, Outcome};
use crate::core::event::Event;
use jiff::Timestamp;
use std::io::Write;

/// Also without a change of revision new events show after this.
const WATCH_MS: u64 = 5_000;

pub const HEADER: [&str; 7] = ["FIRST SEEN", "LAST SEEN", "COUNT", "TYPE", "REASON", "OBJECT", "MESSAGE"];

/// One event's row, in the order of [`HEADER`].
pub fn row(event: &Event, now: Timestamp) -> Vec<String> {
    vec![
        age(&event.first_seen, now),
        age(&event.last_seen, now),
        event.count.to_string(),
        event.kind.as_str().to_owned(),
        event.reason.clone(),
        event.object.clone(),
        event.message.clone(),
    ]
}

pub async fn run(cx: &mut Context, args: EventsArgs) -> Outcome {
    let mut api = if args.watch { live(cx, "watching").await? } else { connect(cx).await?.api };
    let object = args.object.or(args.about);
    let mut revision = if args.watch { api.watch(0, 0).await? } else { 0 };
    let events = api.events(object.as_ref(), 0).await?;
    let rows = |events: &[Event]| -> Vec<_> { events.iter().map(|e| row(e, Timestamp::now())).collect() };
    let mut grid = Grid::new(&HEADER, cx.out.colour);
    if events.is_empty() && !args.watch {
        writeln!(cx.out.stderr, "No events found.")?;
        return Ok(0);
    }
    write!(cx.out.stdout, "{}", grid.full(&rows(&events)))?;
    if !args.watch {
        return Ok(0);
    }
    let mut last = events.iter().map(|e| e.sequence).max().unwrap_or(0);
    loop {
        cx.out.stdout.flush()?;
        let next = async {
            let now = api.watch(revision, WATCH_MS).await?;
            Ok((now, api.events(object.as_ref(), last).await?))
        };
        let events = match next.await {
            Ok((now, events)) => {
                revision = now;
                events
            }
            Err(error) => {
                // Its numbers go on where the ones before ended.
                api = again(cx, error).await?;
                revision = 0;
                continue;
            }
        };
        write!(cx.out.stdout, "{}", grid.more(&rows(&events)))?;
        last = events.iter().map(|e| e.sequence).max().unwrap_or(last);
    }
}
