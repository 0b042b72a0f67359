//! `seawall version`

use crate::cli::connect::{operator, place};
use crate::cli::out::clean;
use crate::cli::{Context, Outcome};
use std::io::Write;

pub async fn run(cx: &mut Context) -> Outcome {
    writeln!(cx.out.stdout, "seawall   {}", env!("CARGO_PKG_VERSION"))?;
    let Some(api) = operator(cx).await? else {
        writeln!(cx.out.stdout, "operator  none answers {}", place(cx))?;
        return Ok(0);
    };
    let view = api.operator().await?;
    let at = cx.server.as_ref().map(|server| format!(" at {}", server.url)).unwrap_or_default();
    writeln!(
        cx.out.stdout,
        "operator  {}{} (process {}, installation {}, since {})\nengine    {}",
        view.version, at, view.pid, view.installation, view.started_at, view.engine
    )?;
    match (view.metrics, view.metrics_trouble) {
        (Some(url), _) => writeln!(cx.out.stdout, "metrics   {url}")?,
        (None, Some(why)) => writeln!(cx.out.stdout, "metrics   not served: {}", clean(&why))?,
        (None, None) => {}
    }
    Ok(0)
}
