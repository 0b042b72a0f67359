//! The mark by which an initialisation that ran to its end is known, and the words of one that did not.
//! Pure.

/// Where images look for scripts to run at the end of their initialisation (the official image's contract).
pub const SCRIPTS: &str = "/docker-entrypoint-initdb.d";
/// Ours is the last of them, by its name: it runs when all others did.
pub const SCRIPT: &str = "/docker-entrypoint-initdb.d/zzzzzzzzzzzz-seawall.sh";
/// Lines told when none says that something went wrong: an engine writes down what comes from the two outputs of a
/// process in any order.
const LINES: usize = 3;
/// What it makes in the data directory.
pub const MARK: &str = "seawall.initialised";

/// The script, taken in with `.` by entry points as it is not executable: it must neither fail nor set
/// anything.
#[must_use]
pub fn script() -> String {
    format!(
        "# Laid by Seawall: the initialisation ran to its end.\nif [ -n \"${{PGDATA:-}}\" ]; then : > \"$PGDATA/{MARK}\" || :; fi\n"
    )
}

/// What a first start said last before it ended; of later starts on what it left nothing counts.
#[must_use]
pub fn words_of(log: &[String], exit_code: Option<i64>) -> String {
    let again = ["Skipping initialization", "was interrupted", "was not properly shut down"];
    let end = log.iter().position(|line| again.iter().any(|words| line.contains(words)));
    let first = log.get(..end.unwrap_or(log.len())).unwrap_or(log);
    let grave = |line: &&String| ["PANIC:", "FATAL:", "ERROR:"].iter().any(|word| line.contains(word));
    let said: Vec<&str> = first.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
    let last = said.get(said.len().saturating_sub(LINES)..).unwrap_or_default().join(" | ");
    match (first.iter().rev().find(grave), exit_code) {
        (Some(line), _) => format!("its last words were: {}", line.trim()),
        (None, _) if !last.is_empty() => format!("its last words were: {last}"),
        (None, Some(code)) => format!("it ended with exit code {code} and said nothing"),
        (None, None) => "it said nothing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_start_is_the_one_that_tells() {
        let words =
            |log: &[&str]| words_of(&log.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>(), Some(1));
        for (log, want) in [
            (
                &["a", "psql:/x.sql:1: ERROR:  boom", "b"][..],
                "its last words were: psql:/x.sql:1: ERROR:  boom",
            ),
            (
                &[
                    "sourcing /x.sh",
                    "",
                    "PostgreSQL Database directory appears to contain a database; Skipping initialization",
                    "FATAL: later",
                ],
                "its last words were: sourcing /x.sh",
            ),
            (
                &["a", "gone wrong", "", "running /b.sh", "c"],
                "its last words were: gone wrong | running /b.sh | c",
            ),
            (&[], "it ended with exit code 1 and said nothing"),
        ] {
            assert_eq!(words(log), want);
        }
    }
}
