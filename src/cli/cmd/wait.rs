//! `seawall wait`, as kubectl's.

use crate::cli::args::WaitArgs;
use crate::cli::waiting::Wait;
use crate::cli::{Context, Outcome};

pub async fn run(cx: &mut Context, args: WaitArgs) -> Outcome {
    let WaitArgs { object, goal, timeout } = args;
    Wait { object: &object, goal: &goal, timeout, progress: false }.run(cx).await
}
