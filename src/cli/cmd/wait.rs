//! `seawall wait`, as kubectl's.

use crate::cli::args::WaitArgs;
use crate::cli::connect::live;
use crate::cli::named::{Among, Named};
use crate::cli::waiting::Wait;
use crate::cli::{Context, Outcome};

pub async fn run(cx: &mut Context, args: WaitArgs) -> Outcome {
    let WaitArgs { object, goal, timeout } = args;
    let object = match object {
        // It may not be there yet, nor anybody who answers.
        Named::Object(object) => object,
        named => named.find(&live(cx, "waiting").await?, Among::All).await?,
    };
    Wait { object: &object, goal: &goal, timeout, progress: false }.run(cx).await
}
