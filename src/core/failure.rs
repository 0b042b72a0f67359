//! What ends a pass before its time, when it is worth another try, and what the controller knows beside the world.

/// When to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// After 1 s, then twice as long each time, up to 5 min.
    Backoff,
    /// The same, but never later than after so many milliseconds: nobody tells when it would work again.
    Within(u64),
    /// After so many milliseconds: something wakes the object when it is over, and asking often helps nobody.
    After(u64),
}

/// What made a pass end early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// One CamelCase word from a closed set.
    pub reason: &'static str,
    pub message: String,
    /// The engine itself could not be asked: nothing is known.
    pub unknown: bool,
    pub retry: Retry,
}

impl Failure {
    /// Something that was tried and did not work.
    #[must_use]
    pub fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), unknown: false, retry: Retry::Backoff }
    }

    /// It could not be found out how things are.
    #[must_use]
    pub fn unknown(reason: &'static str, message: impl Into<String>) -> Self {
        Self { unknown: true, ..Self::new(reason, message) }
    }

    #[must_use]
    pub fn again(self, retry: Retry) -> Self {
        Self { retry, ..self }
    }
}

/// Beside world and plan: what the controller knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    pub failure: Option<Failure>,
    /// Passes in a row that failed or got nowhere.
    pub stalled: bool,
    /// The manifest's newest text is broken; its last good version is in force.
    pub manifest_broken: Option<String>,
    /// Why its removal is held back: reason and words.
    pub guard: Option<(&'static str, String)>,
    /// The manifest is gone: when the container goes, and what stops that.
    pub leaving: Option<String>,
}
