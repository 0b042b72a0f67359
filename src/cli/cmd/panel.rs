//! `seawall wal` and the like: a part of a status, as its kind prints it.

use crate::cli::args::{PanelArgs, PanelForm};
use crate::cli::connect::connect;
use crate::cli::format::{json_text, yaml_text};
use crate::cli::out::{Failure, clean_lines};
use crate::cli::{Context, Outcome};
use std::io::Write;

pub async fn run(cx: &mut Context, args: PanelArgs) -> Outcome {
    let PanelArgs { panel, object, output } = args;
    let view = connect(cx).await?.api.object(&object).await?;
    let Some(value) = view.status.get(panel.field).filter(|value| !value.is_null()) else {
        let what = format!("nothing is known of the {} of {object} yet", panel.verb);
        let next = format!("it is looked at once the server lets somebody in: seawall describe {object}");
        return Err(Failure::usage(what, next));
    };
    let text = match output {
        PanelForm::Text => clean_lines(&(panel.print)(value)),
        PanelForm::Json => json_text(value),
        PanelForm::Yaml => yaml_text(value),
    };
    write!(cx.out.stdout, "{text}")?;
    Ok(0)
}
