//! `seawall stop`, `start`, `restart`, `rename`, `release-port` and `reinitialise`

use crate::cli::args::{Goal, ObjectArg, ReinitialiseArgs, RenameArgs, WaitFlags};
use crate::cli::connect::connect;
use crate::cli::named::{Among, Named};
use crate::cli::out::Failure;
use crate::cli::waiting::Wait;
use crate::cli::{Context, Outcome};
use crate::control::api::Operation;
use crate::core::condition::Truth;
use crate::core::names::ObjectRef;
use std::io::Write;

pub async fn run(cx: &mut Context, args: ObjectArg, operation: Operation) -> Outcome {
    one(cx, &args.object, operation).await?;
    Ok(0)
}

async fn one(cx: &mut Context, named: &Named, operation: Operation) -> Result<ObjectRef, Failure> {
    // Also of who is linked to one.
    let rotates = matches!(operation, Operation::Rotate | Operation::RotateNow);
    let api = connect(cx).await?.api;
    let object = named.find(&api, if rotates { Among::All } else { Among::Running }).await?;
    let done = api.operate(&object, operation).await?;
    super::done(cx, &done)?;
    Ok(object)
}

/// And waits, on a terminal or when that is said, until it is done: all is asked for before anything is waited for, and what
/// fails holds up nothing else.
pub async fn and_wait(
    cx: &mut Context,
    objects: Vec<Named>,
    wait: WaitFlags,
    operation: Operation,
) -> Outcome {
    let (mut asked, mut code) = (Vec::new(), 0);
    for named in &objects {
        match one(cx, named, operation).await {
            Ok(object) => asked.push(object),
            Err(failure) => code = cx.out.failure(&failure),
        }
    }
    let goal = match operation {
        Operation::Stop => Goal::Stopped,
        _ => Goal::Condition { kind: "Ready".to_owned(), status: Truth::True },
    };
    let waited = wait_for(cx, &asked, &goal, &wait).await?;
    Ok(code.max(waited))
}

/// Waits for all of them, on a terminal or when that is said.
pub async fn wait_for(cx: &mut Context, objects: &[ObjectRef], goal: &Goal, wait: &WaitFlags) -> Outcome {
    let mut code = 0;
    if !wait.wait && (wait.no_wait || !cx.out.terminal) {
        return Ok(code);
    }
    cx.out.stdout.flush()?;
    for object in objects {
        let wait = Wait { object, goal, timeout: wait.timeout, progress: true };
        if let Err(failure) = wait.run(cx).await {
            code = cx.out.failure(&failure);
        }
    }
    Ok(code)
}

pub async fn rename(cx: &mut Context, args: RenameArgs) -> Outcome {
    let api = connect(cx).await?.api;
    let old = args.old.find(&api, Among::All).await?;
    let new = match args.new {
        Named::Object(new) => new,
        Named::Name(name) => ObjectRef::new(old.kind, name),
    };
    let done = api.rename(&old, &new).await?;
    super::done(cx, &done)?;
    Ok(0)
}

pub async fn reinitialise(cx: &mut Context, args: ReinitialiseArgs) -> Outcome {
    let object = &args.of.object;
    if args.confirm.as_deref() != Some(object.name().as_str()) {
        return Err(Failure::usage(
            format!("this removes the volume of {object} with what its failed initialisation left there"),
            format!("if that is meant: seawall reinitialise {object} --confirm {}", object.name()),
        ));
    }
    run(cx, args.of, Operation::Reinitialise).await
}
