//! `seawall events`

use crate::cli::age::age;
use crate::cli::args::{EventsArgs, PlanForm};
use crate::cli::connect::{again, connect, live};
use crate::cli::format::json_text;
use crate::cli::named::{Among, maybe};
use crate::cli::print::Grid;
use crate::cli::{Context, Outcome};
use crate::core::event::Event;
use jiff::Timestamp;
use std::io::{self, Write};

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

/// Those that were asked for.
fn keep(events: &mut Vec<Event>, args: &EventsArgs, now: Timestamp) {
    let from = args.since.and_then(|since| now.checked_sub(since).ok());
    // A time that is not understood is no reason to keep silent.
    let is_new = |event: &Event| {
        from.is_none_or(|from| event.last_seen.parse::<Timestamp>().map_or(true, |seen| seen >= from))
    };
    events.retain(|event| (args.types.is_empty() || args.types.contains(&event.kind)) && is_new(event));
}

fn lines(cx: &mut Context, events: &[Event]) -> io::Result<()> {
    for event in events {
        writeln!(cx.out.stdout, "{}", serde_json::to_string(event).map_err(io::Error::other)?)?;
    }
    Ok(())
}

pub async fn run(cx: &mut Context, args: EventsArgs) -> Outcome {
    let mut api = if args.watch { live(cx, "watching").await? } else { connect(cx).await?.api };
    let object = maybe(&api, args.object.as_ref().or(args.about.as_ref()), Among::All).await?;
    let mut revision = if args.watch { api.watch(0, 0).await? } else { 0 };
    let mut events = api.events(object.as_ref(), 0).await?;
    let mut last = events.iter().map(|e| e.sequence).max().unwrap_or(0);
    keep(&mut events, &args, Timestamp::now());
    events.drain(..events.len().saturating_sub(args.tail.unwrap_or(usize::MAX)));
    if args.output == PlanForm::Json && !args.watch {
        write!(cx.out.stdout, "{}", json_text(&events))?;
        return Ok(0);
    }
    let rows = |events: &[Event]| -> Vec<_> { events.iter().map(|e| row(e, Timestamp::now())).collect() };
    let mut grid = Grid::new(&HEADER, cx.out.colour);
    if events.is_empty() && !args.watch {
        writeln!(cx.out.stderr, "No events found.")?;
        return Ok(0);
    }
    let json = args.output == PlanForm::Json;
    if json {
        lines(cx, &events)?;
    } else {
        write!(cx.out.stdout, "{}", grid.full(&rows(&events)))?;
    }
    if !args.watch {
        return Ok(0);
    }
    loop {
        cx.out.stdout.flush()?;
        let next = async {
            let now = api.watch(revision, WATCH_MS).await?;
            Ok((now, api.events(object.as_ref(), last).await?))
        };
        let mut events = match next.await {
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
        last = events.iter().map(|e| e.sequence).max().unwrap_or(last);
        keep(&mut events, &args, Timestamp::now());
        if json {
            lines(cx, &events)?;
        } else {
            write!(cx.out.stdout, "{}", grid.more(&rows(&events)))?;
        }
    }
}
