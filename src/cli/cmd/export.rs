//! `seawall export`

use crate::cli::connect::connect;
use crate::cli::{Context, Outcome};
use std::io::Write;

pub async fn run(cx: &mut Context) -> Outcome {
    for line in connect(cx).await?.api.export().await? {
        writeln!(cx.out.stdout, "{line}")?;
    }
    Ok(0)
}
