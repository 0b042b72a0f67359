//! The command lines of what kinds can be asked: `seawall GROUP VERB NAME`, made of what the registry has.

use super::args::{Verb, name_of};
use crate::control::registry::Kinds;
use crate::core::names::{Kind, ObjectRef};
use crate::kinds::{Ask, Inspection, Inspections, Kill};
use clap::{Arg, ArgAction, ArgMatches, Command, ValueEnum};

/// One question, as it is asked on the command line.
#[derive(Clone, Debug)]
pub struct InspectArgs {
    pub object: ObjectRef,
    pub ask: Ask,
    pub output: TableForm,
}

/// Which session is to be ended.
#[derive(Clone, Debug)]
pub struct KillArgs {
    /// Of the verb.
    pub group: &'static str,
    pub object: ObjectRef,
    pub session: u32,
    pub force: bool,
    /// Without being asked.
    pub yes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TableForm {
    Text,
    /// With every column, and texts as long as they are told
    Wide,
    Json,
    Yaml,
}

/// The verb that ends a session.
pub const KILL: &str = "kill";

fn all() -> Vec<(Kind, &'static Inspections)> {
    Kinds::all(None).inspections().collect()
}

/// The groups, as verbs of the command line.
pub fn groups() -> impl Iterator<Item = Command> {
    all().into_iter().map(|(kind, all)| {
        let verbs = all.verbs.iter().map(move |one| inspection(kind, one));
        let kill = all.kill.map(|kill| self::kill(kind, &kill));
        Command::new(all.group)
            .about(all.about)
            .subcommand_required(true)
            .arg_required_else_help(true)
            .subcommands(verbs.chain(kill))
    })
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

fn inspection(kind: Kind, one: &'static Inspection) -> Command {
    let form = Arg::new("output").short('o').long("output").default_value("text");
    let form = form.value_parser(clap::value_parser!(TableForm)).help("How to print it");
    let mut command = Command::new(one.verb).about(one.about).arg(name_of(kind));
    if one.database {
        let database = Arg::new("database").long("database").short('d').value_name("DATABASE");
        command = command.arg(database.help("In this one; in its own when absent"));
    }
    if let Some(more) = one.verbose {
        command = command.arg(flag("verbose", more).short('v'));
    }
    command.arg(form)
}

fn kill(kind: Kind, kill: &Kill) -> Command {
    let session = Arg::new("session").required(true).value_name(kill.session);
    let session = session.value_parser(clap::value_parser!(u32)).help("As the list of sessions has it");
    let command = Command::new(KILL).about(kill.about).arg(name_of(kind)).arg(session);
    command.arg(flag("force", kill.force)).arg(flag("yes", "Without being asked").short('y'))
}

/// The kind that a group is of.
pub fn kind_of(group: &str) -> Option<Kind> {
    all().into_iter().find(|(_, all)| all.group == group).map(|(kind, _)| kind)
}

/// What was typed, if it is of a group.
pub fn read(verb: &str, matches: &ArgMatches) -> Option<Verb> {
    let (_, group) = all().into_iter().find(|(_, all)| all.group == verb)?;
    let (verb, matches) = matches.subcommand()?;
    let object = matches.get_one::<ObjectRef>("name")?.clone();
    if verb == KILL {
        let session = *matches.get_one::<u32>("session")?;
        let (force, yes) = (matches.get_flag("force"), matches.get_flag("yes"));
        return Some(Verb::Kill(KillArgs { group: group.group, object, session, force, yes }));
    }
    let one = group.verb(verb)?;
    let database = one.database.then(|| matches.get_one::<String>("database").cloned()).flatten();
    let ask = Ask {
        verb: verb.to_owned(),
        database,
        verbose: one.verbose.is_some() && matches.get_flag("verbose"),
    };
    let output = matches.get_one::<TableForm>("output").copied().unwrap_or(TableForm::Text);
    Some(Verb::Inspect(InspectArgs { object, ask, output }))
}
