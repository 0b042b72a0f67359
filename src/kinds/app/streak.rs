//! What several checks of one container came to. Pure. One that fails is asked again before it counts; what is down must not
//! be called Ready for longer than [`DOUBT`] and the time of one check.

use std::time::Duration;

/// So long a container that was healthy is believed to be, while its checks fail.
pub const DOUBT: Duration = Duration::from_secs(4);
/// A failed check is asked again after so many milliseconds.
pub const AGAIN_MS: u64 = 2_000;

/// Of one container, since it was started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Streak {
    /// Which start it is about.
    start: String,
    /// What the last check said that passed.
    passed: Option<String>,
    /// Since when all of them failed.
    failing: Option<Duration>,
}

/// Whether a container is healthy by its checks so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    pub health: Result<String, String>,
    /// The last check failed.
    pub doubted: bool,
}

impl Streak {
    /// Takes what a check of this start said at this time, on a clock that begins anywhere.
    pub fn take(&mut self, start: &str, said: Result<String, String>, at: Duration) -> Judged {
        if self.start != start {
            *self = Self { start: start.to_owned(), ..Self::default() };
        }
        let why = match said {
            Ok(words) => {
                (self.passed, self.failing) = (Some(words.clone()), None);
                return Judged { health: Ok(words), doubted: false };
            }
            Err(why) => why,
        };
        let since = *self.failing.get_or_insert(at);
        match &self.passed {
            Some(words) if at.saturating_sub(since) < DOUBT => {
                let words = format!("{words}; the last check failed ({why}) and is asked again");
                Judged { health: Ok(words), doubted: true }
            }
            _ => {
                self.passed = None;
                Judged { health: Err(why), doubted: false }
            }
        }
    }

    /// Whether it was healthy by the last check.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.passed.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Start, seconds, passed; healthy, doubted.
    type Row = (&'static str, u64, bool, bool, bool);

    #[test]
    fn a_failed_check_counts_once_others_failed_after_it() {
        let rows: [&[Row]; 6] = [
            &[("s", 0, false, false, false), ("s", 1, true, true, false)],
            &[("s", 0, true, true, false), ("s", 15, false, true, true), ("s", 17, true, true, false)],
            &[
                ("s", 0, true, true, false),
                ("s", 15, false, true, true),
                ("s", 17, false, true, true),
                ("s", 19, false, false, false),
                ("s", 20, false, false, false),
                ("s", 21, true, true, false),
                // It is another time.
                ("s", 22, false, true, true),
            ],
            // However many are asked in a moment, it is one.
            &[
                ("s", 0, true, true, false),
                ("s", 1, false, true, true),
                ("s", 1, false, true, true),
                ("s", 1, false, true, true),
                ("s", 30, false, false, false),
            ],
            // One that comes and goes is not healthy for good by the time that one failed.
            &[
                ("s", 0, true, true, false),
                ("s", 1, false, true, true),
                ("s", 3, true, true, false),
                ("s", 5, false, true, true),
            ],
            // Started again it has to pass again.
            &[("s", 0, true, true, false), ("t", 1, false, false, false)],
        ];
        for row in rows {
            let mut streak = Streak::default();
            for (start, at, passes, healthy, doubted) in row {
                let said = if *passes { Ok("200".to_owned()) } else { Err("503".to_owned()) };
                let judged = streak.take(start, said, Duration::from_secs(*at));
                assert_eq!((judged.health.is_ok(), judged.doubted), (*healthy, *doubted), "{row:?} {at}");
                assert_eq!(streak.is_healthy(), *healthy);
            }
        }
    }
}
