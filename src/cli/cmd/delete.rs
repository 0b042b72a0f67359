//! `seawall delete`

use crate::cli::args::DeleteArgs;
use crate::cli::connect::connect;
use crate::cli::out::Failure;
use crate::cli::{Context, Outcome};
use crate::control::api::ManagedBy;

pub async fn run(cx: &mut Context, args: DeleteArgs) -> Outcome {
    let object = &args.object;
    let confirm = match args.confirm {
        Some(confirm) => confirm,
        // Its data are kept, as when a manifest goes.
        None if is_of_api(cx, &args).await => String::new(),
        None => {
            return Err(Failure::usage(
                format!("deleting {object} removes its data for good"),
                format!("if that is meant: seawall delete {object} --confirm {}", object.name),
            ));
        }
    };
    let done = connect(cx).await?.api.delete(object, &confirm).await?;
    super::done(cx, &done)?;
    Ok(0)
}

async fn is_of_api(cx: &Context, args: &DeleteArgs) -> bool {
    let Ok(connected) = connect(cx).await else { return false };
    let view = connected.api.object(&args.object).await;
    view.is_ok_and(|view| view.metadata.managed_by == Some(ManagedBy::Api))
}
