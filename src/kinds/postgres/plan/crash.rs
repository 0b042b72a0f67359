//! Why a server dies, as far as container and log tell. Must never take the words of a life before for those of the last.

use super::Subject;
use crate::core::seen::SeenContainer;
use crate::kinds::postgres::parameters::is_of_session;
use crate::kinds::postgres::world::World;
use crate::workload::plan::stopped_cause;

/// Why a server dies, as far as container and log tell.
#[must_use]
pub(super) fn crash_words(subject: &Subject<'_>, world: &World, c: &SeenContainer) -> String {
    let how = match c.exit_code {
        _ if c.oom_killed => Some(out_of_memory(subject, c)),
        // PostgreSQL's own end: its words say it.
        Some(0 | 1) | None => None,
        Some(_) => Some(stopped_cause(c)),
    };
    let words = telling(&world.work.log_tail);
    // Without such words it ended in silence, and the last line may be of a life before.
    let how = how.or_else(|| words.filter(|line| !grave(line)).map(|_| stopped_cause(c)));
    match (how, words) {
        (Some(how), Some(words)) => format!("{how}; its last words: {words}"),
        (Some(how), None) => how,
        (None, Some(words)) => words.clone(),
        (None, None) => stopped_cause(c),
    }
}

/// The cap, and what was asked for.
fn out_of_memory(subject: &Subject<'_>, c: &SeenContainer) -> String {
    const TAKES: [&str; 4] = ["shared_buffers", "max_connections", "huge_pages", "work_mem"];
    let asked: Vec<String> = TAKES
        .iter()
        .filter_map(|name| Some(format!("{name} = {}", subject.spec.parameters.get(*name)?)))
        .collect();
    let asked =
        if asked.is_empty() { String::new() } else { format!(", the manifest sets {}", asked.join(", ")) };
    match c.caps.memory {
        Some(cap) => format!("killed for want of memory: the cap is {cap}{asked}"),
        None => format!("killed for want of memory, without a cap: the host had none left{asked}"),
    }
}

/// The line of a dead server's log that says most: its last fatal one, else the last.
fn telling(log: &[String]) -> Option<&String> {
    log.iter().rev().find(|line| grave(line)).or_else(|| log.last())
}

fn grave(line: &str) -> bool {
    ["PANIC:", "FATAL:", "ERROR:"].iter().any(|word| line.contains(word)) && !is_of_session(line)
}
