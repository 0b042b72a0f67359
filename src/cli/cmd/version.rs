//! `seawall version`

use crate::cli::connect::operator;
use crate::cli::out::clean;
use crate::cli::{Context, Outcome};
use std::io::Write;

pub async fn run(cx: &mut Context) -> Outcome {
    writeln!(cx.out.stdout, "seawall   {}", env!("CARGO_PKG_VERSION"))?;
    let Some(api) = operator(cx).await else {
        writeln!(cx.out.stdout, "operator  none answers in {}", cx.settings.data.display())?;
        return Ok(0);
    };
    let view = api.operator().await?;
    writeln!(
        cx.out.stdout,
        "operator  {} (process {}, installation {}, since {})\nengine    {}",
        view.version, view.pid, view.installation, view.started_at, view.engine
    )?;
    match (view.metrics, view.metrics_trouble) {
        (Some(url), _) => writeln!(cx.out.stdout, "metrics   {url}")?,
        (None, Some(why)) => writeln!(cx.out.stdout, "metrics   not served: {}", clean(&why))?,
        (None, None) => {}
    }
    Ok(0)
}
