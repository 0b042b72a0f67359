//! `seawall doctor`

use crate::cli::out::clean;
use crate::cli::print::paint;
use crate::cli::{Context, Outcome};
use crate::core::condition::Truth;
use std::io::Write;

pub async fn run(cx: &mut Context) -> Outcome {
    let checks = cx.backend.doctor(&cx.settings).await;
    let width = checks.iter().map(|c| c.name.chars().count()).max().unwrap_or(0);
    let mut failed = 0;
    for check in &checks {
        let word = match check.ok {
            Truth::True => "ok",
            Truth::False => "FAIL",
            Truth::Unknown => "unknown",
        };
        failed += usize::from(check.ok == Truth::False);
        let gap = " ".repeat(9 - word.len());
        let word = paint(word, cx.out.colour);
        writeln!(cx.out.stdout, "{word}{gap}{:width$}  {}", check.name, clean(&check.message))?;
        if !check.next.is_empty() {
            writeln!(cx.out.stdout, "         {:width$}  → {}", "", clean(&check.next))?;
        }
    }
    if failed > 0 {
        writeln!(cx.out.stdout, "\n{failed} of {} checks failed", checks.len())?;
    }
    Ok(u8::from(failed > 0))
}
