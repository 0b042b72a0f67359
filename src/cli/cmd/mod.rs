//! One verb per file.

mod apply;
mod audit;
mod backup;
mod client;
mod complete;
mod completion;
mod connection;
mod dashboard;
mod delete;
mod describe;
mod diagnose;
mod doctor;
mod edit;
mod env;
mod events;
mod exec;
mod explain;
mod export;
mod get;
mod history;
mod inspect;
mod keys;
mod label;
mod link;
mod login;
mod logs;
mod operate;
mod panel;
mod plan;
mod prune;
mod recommend;
mod recover;
mod run;
mod schema;
mod seal;
mod services;
mod token;
mod top;
mod validate;
mod version;
mod wait;

use super::args::Verb;
use super::connect::here;
use super::{Context, Outcome};
use crate::control::api::{Done, Operation};
use std::io::{self, Write};

/// Whether a verb is for an operator, whichever it is.
pub fn asks(verb: &Verb) -> bool {
    !matches!(
        verb,
        Verb::Run(_)
            | Verb::Validate(_)
            | Verb::Schema(_)
            | Verb::Explain(_)
            | Verb::Complete(_)
            | Verb::Completion(_)
            | Verb::Login(_)
            | Verb::Logout
    )
}

pub async fn dispatch(cx: &mut Context, verb: Verb) -> Outcome {
    match &verb {
        // A login is no reason not to: what runs here runs here.
        Verb::Run(_) if cx.server.as_ref().is_none_or(|server| !server.asked) => {}
        Verb::Run(_) => here(cx, "run")?,
        Verb::Doctor => here(cx, "doctor")?,
        Verb::Recover(_) => here(cx, "recover")?,
        Verb::Exec(_) => here(cx, "exec")?,
        _ => {}
    }
    match verb {
        Verb::Run(args) => run::run(cx, args).await,
        Verb::Validate(args) => validate::run(cx, args),
        Verb::Plan(args) => plan::run(cx, args).await,
        Verb::Get(args) => get::run(cx, args).await,
        Verb::Describe(args) => describe::run(cx, args).await,
        Verb::Diagnose(args) => diagnose::run(cx, args).await,
        Verb::Inspect(args) => inspect::run(cx, args).await,
        Verb::Kill(args) => inspect::kill(cx, args).await,
        Verb::Events(args) => events::run(cx, args).await,
        Verb::Top(args) => top::run(cx, args).await,
        Verb::History(args) => history::run(cx, args).await,
        Verb::Recommend(args) => recommend::run(cx, args).await,
        Verb::Wait(args) => wait::run(cx, args).await,
        Verb::Services { verb } => services::run(cx, *verb).await,
        Verb::Backup { verb } => backup::run(cx, verb).await,
        Verb::Restore { verb } => backup::restore(cx, verb).await,
        Verb::Connection(args) => connection::run(cx, args).await,
        Verb::Link(args) => link::run(cx, *args).await,
        Verb::Unlink(args) => link::unlink(cx, args).await,
        Verb::Env(args) => env::run(cx, args).await,
        Verb::Exec(args) => exec::run(cx, args).await,
        Verb::Panel(args) => panel::run(cx, args).await,
        Verb::Client(args) => client::run(cx, args).await,
        Verb::Logs(args) => logs::run(cx, args).await,
        Verb::Stop(args) => operate::and_wait(cx, args.of.objects, args.wait, Operation::Stop).await,
        Verb::Start(args) => operate::and_wait(cx, args.of.objects, args.wait, Operation::Start).await,
        Verb::Restart(args) => operate::and_wait(cx, args.of.objects, args.wait, Operation::Restart).await,
        Verb::Rotate(args) => {
            let operation = if args.now { Operation::RotateNow } else { Operation::Rotate };
            operate::and_wait(cx, vec![args.of.object], args.wait, operation).await
        }
        Verb::Rename(args) => operate::rename(cx, args).await,
        Verb::ReleasePort(args) => operate::run(cx, args, Operation::ReleasePort).await,
        Verb::Reinitialise(args) => operate::reinitialise(cx, args).await,
        Verb::Apply(args) => apply::run(cx, args).await,
        Verb::Edit(args) => edit::run(cx, args).await,
        Verb::Label(args) => label::run(cx, args, label::Field::Labels).await,
        Verb::Annotate(args) => label::run(cx, args, label::Field::Annotations).await,
        Verb::Delete(args) => delete::run(cx, args).await,
        Verb::Prune(args) => prune::run(cx, args).await,
        Verb::Complete(words) => complete::run(cx, words).await,
        Verb::Explain(args) => explain::run(cx, args),
        Verb::Schema(args) => schema::run(cx, args),
        Verb::Seal(args) => seal::run(cx, args).await,
        Verb::Keys { verb } => keys::run(cx, verb).await,
        Verb::Token { verb } => token::run(cx, verb).await,
        Verb::Dashboard => dashboard::run(cx).await,
        Verb::Login(args) => login::login(cx, args).await,
        Verb::Logout => login::logout(cx),
        Verb::Audit(args) => audit::run(cx, args).await,
        Verb::Export(args) => export::run(cx, args).await,
        Verb::Recover(args) => recover::run(cx, args).await,
        Verb::Doctor => doctor::run(cx).await,
        Verb::Completion(args) => completion::run(cx, args),
        Verb::Version => version::run(cx).await,
    }
}

/// What was done, and the line to commit to keep it so.
fn done(cx: &mut Context, done: &Done) -> io::Result<()> {
    writeln!(cx.out.stdout, "{}", done.message)?;
    if !done.commit.is_empty() {
        writeln!(cx.out.stdout, "To keep it so, commit:")?;
        for line in done.commit.lines() {
            writeln!(cx.out.stdout, "  {line}")?;
        }
    }
    Ok(())
}
