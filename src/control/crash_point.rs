//! For the crash tests alone: `SEAWALL_CRASH_AT=<n>:before|after` makes the process abort just before
//! or just after its n-th applied step, counted from 1 over all objects. "After" means: the world has
//! changed and the record does not know it yet, which is the worst moment.
//!
//! The variable is read once; without it a step costs one comparison.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the tests set.
pub const VARIABLE: &str = "SEAWALL_CRASH_AT";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    Before,
    After,
}

static AT: LazyLock<Option<(u64, Moment)>> = LazyLock::new(|| parse(&std::env::var(VARIABLE).ok()?));
static STEPS: AtomicU64 = AtomicU64::new(0);

fn parse(text: &str) -> Option<(u64, Moment)> {
    let (number, moment) = text.split_once(':')?;
    let moment = match moment {
        "before" => Moment::Before,
        "after" => Moment::After,
        _ => return None,
    };
    Some((number.parse().ok()?, moment))
}

/// A step that begins; give it to [`after`] when it is done.
#[must_use]
pub(super) fn before() -> u64 {
    let Some(at) = *AT else { return 0 };
    let step = STEPS.fetch_add(1, Ordering::Relaxed) + 1;
    if at == (step, Moment::Before) {
        std::process::abort();
    }
    step
}

pub(super) fn after(step: u64) {
    if *AT == Some((step, Moment::After)) {
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_and_a_moment_are_a_crash_point() {
        assert_eq!(parse("3:before"), Some((3, Moment::Before)));
        assert_eq!(parse("12:after"), Some((12, Moment::After)));
        for text in ["", "3", "x:after", "3:during", ":after"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
