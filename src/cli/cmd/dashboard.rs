//! `seawall dashboard`: the way in, for whoever may open the operator's socket.

use crate::cli::connect::live;
use crate::cli::{Context, Outcome};
use std::io::Write;

pub async fn run(cx: &mut Context) -> Outcome {
    let link = live(cx, "dashboard").await?.sign_in_link().await?;
    writeln!(cx.out.stderr, "It signs in once, until {}; whoever has it may do everything.", link.expires)?;
    writeln!(cx.out.stdout, "{}", link.url)?;
    Ok(0)
}
