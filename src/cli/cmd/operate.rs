//! `seawall stop`, `start`, `restart`, `rename`, `release-port` and `reinitialise`

use crate::cli::args::{DeleteArgs, ObjectArg, RenameArgs};
use crate::cli::connect::connect;
use crate::cli::out::Failure;
use crate::cli::{Context, Outcome};
use crate::control::api::Operation;

pub async fn run(cx: &mut Context, args: ObjectArg, operation: Operation) -> Outcome {
    let done = connect(cx).await?.api.operate(&args.object, operation).await?;
    super::done(cx, &done)?;
    Ok(0)
}

pub async fn rename(cx: &mut Context, args: RenameArgs) -> Outcome {
    let done = connect(cx).await?.api.rename(&args.old, &args.new).await?;
    super::done(cx, &done)?;
    Ok(0)
}

pub async fn reinitialise(cx: &mut Context, args: DeleteArgs) -> Outcome {
    let object = args.object;
    if args.confirm.as_deref() != Some(object.name.as_str()) {
        return Err(Failure::usage(
            format!("this removes the volume of {object} with what its failed initialisation left there"),
            format!("if that is meant: seawall reinitialise {object} --confirm {}", object.name),
        ));
    }
    run(cx, ObjectArg { object }, Operation::Reinitialise).await
}
