//! Logs: readable lines for a person, JSON for a machine. Always on standard error, so that standard
//! output stays what a command prints.
//!
//! It formats what it is given; keeping secrets out is the duty of who logs.

use crate::core::text::shown;
use std::fmt;
use std::fmt::Write as _;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// The variable that sets the level: `debug`, or `info,seawall::control=trace`.
pub const LEVEL_VARIABLE: &str = "SEAWALL_LOG";

/// What is logged when nothing is set: our own lines, and of libraries only what is wrong.
const DEFAULT_LEVEL: &str = "warn,seawall=info";

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `12:04:05 INFO  container started object=postgres/main`
    Lines { colour: bool },
    /// One JSON object per line.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error(
        "{LEVEL_VARIABLE}={value:?} is not a log level: {detail}; write error, warn, info, debug or trace"
    )]
    Level { value: String, detail: String },
}

/// Sets up logging for the whole process; on a second call the first one stays. `level` is what [`LEVEL_VARIABLE`] holds, if anything.
///
/// # Errors
/// When `level` is not understood.
pub fn init(form: Form, level: Option<&str>) -> Result<(), TelemetryError> {
    let value = level.filter(|l| !l.trim().is_empty()).unwrap_or(DEFAULT_LEVEL);
    let wrong = |detail: String| TelemetryError::Level { value: value.to_owned(), detail };
    // The parser takes a misspelt level for a part of the program of which everything is logged.
    let is_level = |word: &str| word.parse::<LevelFilter>().is_ok();
    let lone = |part: &&str| !part.is_empty() && !part.contains(['=', '[']) && !is_level(part);
    if let Some(word) = value.split(',').map(str::trim).find(lone) {
        return Err(wrong(format!("{word:?} is none")));
    }
    let filter = EnvFilter::try_new(value).map_err(|e| wrong(e.to_string()))?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    // The only error is that a subscriber is there already, as in tests.
    let _ = match form {
        Form::Json => {
            let json = lines.json().flatten_event(true).with_current_span(true);
            registry.with(json.with_filter(filter_fn(may_be_logged))).try_init()
        }
        Form::Lines { colour } => {
            let lines = lines.with_ansi(false).event_format(Lines { colour });
            registry.with(lines.with_filter(filter_fn(may_be_logged))).try_init()
        }
    };
    Ok(())
}

/// Libraries that speak to the engine and to databases log whole requests when they are talkative, and
/// requests carry secrets: whatever level is set, theirs ends at `info`.
fn may_be_logged(meta: &Metadata<'_>) -> bool {
    *meta.level() <= Level::INFO || meta.target().split("::").next() == Some("seawall")
}

/// Characters of one line that are written.
const LINE: usize = 8_000;

/// Time, level, message, fields; the target only where it helps to find a bug. Words of others are in the
/// fields: what a terminal would obey is escaped, so only the words before them have colours.
struct Lines {
    colour: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let meta = event.metadata();
        let time = jiff::Zoned::now().strftime("%H:%M:%S");
        let (name, colour) = match *meta.level() {
            Level::ERROR => ("ERROR", "\x1b[31m"),
            Level::WARN => ("WARN ", "\x1b[33m"),
            Level::INFO => ("INFO ", "\x1b[32m"),
            Level::DEBUG => ("DEBUG", "\x1b[2m"),
            Level::TRACE => ("TRACE", "\x1b[2m"),
        };
        if self.colour {
            write!(writer, "\x1b[2m{time}\x1b[0m {colour}{name}\x1b[0m ")?;
        } else {
            write!(writer, "{time} {name} ")?;
        }
        if *meta.level() >= Level::DEBUG {
            write!(writer, "{}: ", meta.target())?;
        }
        let mut text = String::new();
        context.format_fields(Writer::new(&mut text), event)?;
        if let Some(scope) = context.event_scope() {
            for span in scope {
                if let Some(fields) = span.extensions().get::<FormattedFields<N>>()
                    && !fields.is_empty()
                {
                    write!(text, " {fields}")?;
                }
            }
        }
        writer.write_str(&shown(&text, LINE))?;
        writeln!(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(colour: bool) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::DEBUG)
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .event_format(Lines { colour })
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let _span = tracing::info_span!("pass", object = "postgres/main").entered();
            tracing::info!(port = 5432, "container started");
            tracing::debug!("looked");
            tracing::warn!("it says \x1b[2J");
            tracing::warn!(error = %"no\n12:00:00 INFO  forged \x1b[31m\u{9b}\u{202e}", "it says");
            tracing::warn!(error = %"x".repeat(1 << 20), "it says much");
        });
        String::from_utf8(sink.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn lines_are_for_people() {
        let text = logged(false);
        let lines: Vec<&str> = text.lines().map(|l| l.get(9..).unwrap()).collect();
        assert_eq!(lines[0], "INFO  container started port=5432 object=\"postgres/main\"");
        assert_eq!(lines[1], "DEBUG seawall::telemetry::tests: looked object=\"postgres/main\"");
        assert!(!text.contains('\x1b'), "what a terminal would obey is escaped: {text:?}");
        let forged = "it says error=no\\n12:00:00 INFO  forged \\u{1b}[31m\\u{9b}\\u{202e}";
        assert_eq!(lines[3], format!("WARN  {forged} object=\"postgres/main\""));
        assert!(lines[4].ends_with("xxx…") && lines[4].chars().count() < LINE + 20 && lines.len() == 5);
        assert!(logged(true).contains("\x1b[32mINFO \x1b[0m"));
    }

    #[test]
    fn no_level_makes_libraries_talk() {
        let sink = Sink::default();
        let writer = sink.clone();
        let layer = tracing_subscriber::fmt::layer().with_writer(move || writer.clone());
        let subscriber = tracing_subscriber::registry()
            .with(EnvFilter::new("trace"))
            .with(layer.with_filter(filter_fn(may_be_logged)));
        tracing::subscriber::with_default(subscriber, || {
            tracing::debug!(target: "hyper::client", "a whole request");
            tracing::trace!(target: "tokio_postgres::query", "a whole request");
            tracing::warn!(target: "hyper::client", "a warning");
            tracing::trace!(target: "seawall::control", "our own");
        });
        let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        assert!(
            !text.contains("a whole request") && text.contains("a warning") && text.contains("our own"),
            "{text}"
        );
    }

    #[test]
    fn a_wrong_level_is_an_error_and_an_empty_one_the_default() {
        let error = init(Form::Json, Some("seawall=loud")).unwrap_err().to_string();
        assert!(error.contains("SEAWALL_LOG") && error.contains("write error, warn"), "{error}");
        for (wrong, word) in
            [("nonsense", "nonsense"), ("info,seawall::control", "seawall::control"), ("debg", "debg")]
        {
            let error = init(Form::Json, Some(wrong)).unwrap_err().to_string();
            assert!(error.contains(&format!("{word:?} is none")), "{error}");
        }
        for good in ["debug", "OFF", "info,seawall::control=trace", "[pass]=debug"] {
            assert!(init(Form::Json, Some(good)).is_ok(), "{good}");
        }
        assert!(init(Form::Lines { colour: false }, Some(" ")).is_ok());
        assert!(init(Form::Json, None).is_ok());
    }
}
