//! `seawall delete`

use crate::cli::args::DeleteArgs;
use crate::cli::connect::connect;
use crate::cli::out::Failure;
use crate::cli::{Context, Outcome};

pub async fn run(cx: &mut Context, args: DeleteArgs) -> Outcome {
    let object = &args.object;
    let Some(confirm) = args.confirm else {
        return Err(Failure::usage(
            format!("deleting {object} removes its data for good"),
            format!("if that is meant: seawall delete {object} --confirm {}", object.name),
        ));
    };
    let done = connect(cx).await?.api.delete(object, &confirm).await?;
    super::done(cx, &done)?;
    Ok(0)
}
