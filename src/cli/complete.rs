//! What may come next on a command line: names of objects, kinds, forms of output. The scripts of `seawall completion` ask
//! `seawall __complete`, which clap does not know, as none of it is for people. Pure: what there is comes in as a list.

use super::args::{self, Args, Flags, Verb, command};
use super::inspections;
use crate::control::api::ObjectList;
use crate::control::registry::Kinds;
use crate::core::names::{Kind, ObjectRef};
use clap::{Arg, ArgMatches, Command, FromArgMatches};
use std::ffi::OsString;

/// The word that the scripts say.
pub const VERB: &str = "__complete";

/// What stands at a place of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    Nothing,
    Words(Vec<String>),
    Kinds,
    /// `KIND/NAME`.
    Objects,
    /// Of a list: kinds, and what is in them.
    KindsAndObjects,
    /// Names alone, of a kind or of all for which something runs.
    Names(Option<Kind>),
    /// `PROJECT/ENVIRONMENT`.
    Environments,
}

/// The command of a script, with the settings that stand among what was typed, so that the same operator is asked.
#[must_use]
pub fn read(words: &[OsString]) -> Args {
    let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let command = <Flags as clap::Args>::augment_args(Command::new("")).no_binary_name(true);
    let known = |word: &str| {
        let name = word.strip_prefix("--")?;
        let name = name.split('=').next().unwrap_or(name);
        command.get_arguments().find(|flag| flag.get_long() == Some(name))
    };
    let (mut own, mut at) = (Vec::new(), 0);
    while let Some(word) = words.get(at).filter(|word| *word != "--") {
        if known(word).is_some() {
            own.push(word.clone());
            if !word.contains('=') {
                own.extend(words.get(at + 1).cloned());
                at += 1;
            }
        }
        at += 1;
    }
    let matches: Option<ArgMatches> = command.clone().try_get_matches_from(own).ok();
    let flags = matches.and_then(|matches| Flags::from_arg_matches(&matches).ok()).unwrap_or_default();
    Args { flags, verb: Verb::Complete(words) }
}

/// What the last of these words may be; it may be empty, and is not typed to its end.
#[must_use]
pub fn wanted(words: &[String]) -> Wanted {
    let Some((_, before)) = words.split_last() else { return Wanted::Nothing };
    let root = command();
    let (mut at, mut path) = (&root, Vec::new());
    let mut given: Vec<&str> = Vec::new();
    let mut value: Option<&Arg> = None;
    for word in before {
        if value.take().is_some() {
            continue;
        }
        if word == "--" {
            return Wanted::Nothing;
        }
        if word.starts_with('-') {
            value = flag(at, &root, word).filter(|flag| takes_value(flag) && !word.contains('='));
            continue;
        }
        match at.find_subcommand(word).filter(|_| given.is_empty()) {
            Some(inner) => {
                at = inner;
                path.push(inner.get_name().to_owned());
            }
            None => given.push(word),
        }
    }
    if let Some(flag) = value {
        return of_flag(flag);
    }
    if words.last().is_some_and(|word| word.starts_with('-')) {
        return Wanted::Nothing;
    }
    // `KIND NAME`, spelled apart.
    let kind = given.first().and_then(|word| word.parse::<Kind>().ok());
    // Where the definition says it, as help that is filled in later moves an argument to the end.
    let mut positionals: Vec<&Arg> = at.get_positionals().collect();
    positionals.sort_by_key(|arg| arg.get_index());
    let place = given.len() - usize::from(kind.is_some() && given.len() > 1);
    let Some(arg) = positionals.get(place).or(positionals.last().filter(|arg| many(arg))).or(
        // The name after a kind.
        positionals.first().filter(|_| kind.is_some() && given.len() == 1),
    ) else {
        return Wanted::Nothing;
    };
    of_value(arg, &path, kind)
}

fn flag<'a>(at: &'a Command, root: &'a Command, word: &str) -> Option<&'a Arg> {
    let is = |arg: &&Arg| match word.strip_prefix("--") {
        Some(long) => arg.get_long() == Some(long.split('=').next().unwrap_or(long)),
        None => word.len() == 2 && arg.get_short() == word.chars().nth(1),
    };
    at.get_arguments().find(is).or_else(|| root.get_arguments().find(is))
}

fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values()
}

fn many(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|count| count.max_values() > 1)
        || matches!(arg.get_action(), clap::ArgAction::Append)
}

fn value_name(arg: &Arg) -> &str {
    arg.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str())
}

fn of_flag(arg: &Arg) -> Wanted {
    let values = arg.get_possible_values();
    if !values.is_empty() {
        return Wanted::Words(values.iter().map(|value| value.get_name().to_owned()).collect());
    }
    match (arg.get_id().as_str(), value_name(arg)) {
        ("output", _) => {
            let forms = ["wide", "yaml", "json", "name", "jsonpath=", "custom-columns="];
            Wanted::Words(forms.map(str::to_owned).into())
        }
        ("about", _) => Wanted::Objects,
        (_, "SLUG") => Wanted::Names(Some(Kinds::of_environments())),
        _ => Wanted::Nothing,
    }
}

fn of_value(arg: &Arg, path: &[String], kind: Option<Kind>) -> Wanted {
    let verb = path.first().map_or("", String::as_str);
    match value_name(arg) {
        "KIND[/NAME]" | "[KIND/]NAME" | "[KIND/]OLD" if kind.is_some() => Wanted::Names(kind),
        "KIND[/NAME]" => Wanted::KindsAndObjects,
        "[KIND/]NAME" | "[KIND/]OLD" => Wanted::Objects,
        "KIND" | "KIND[.FIELD]" => Wanted::Kinds,
        "PROJECT/ENVIRONMENT" => Wanted::Environments,
        "SERVICE" => Wanted::Names(None),
        // Verbs that are of a kind.
        "NAME" => match args::kind_of(verb).or_else(|| inspections::kind_of(verb)) {
            Some(kind) => Wanted::Names(Some(kind)),
            None => Wanted::Nothing,
        },
        _ => {
            let values = arg.get_possible_values();
            if values.is_empty() {
                return Wanted::Nothing;
            }
            Wanted::Words(values.iter().map(|value| value.get_name().to_owned()).collect())
        }
    }
}

/// What there is of that and begins so. Names, and nothing else of any object.
#[must_use]
pub fn candidates(wanted: &Wanted, begun: &str, list: Option<&ObjectList>) -> Vec<String> {
    let objects: Vec<ObjectRef> =
        list.iter().flat_map(|list| &list.items).filter_map(|view| view.object()).collect();
    let kinds: Vec<String> = Kinds::all(None).about().map(|about| about.kind.lower().to_owned()).collect();
    let names = objects.iter().map(ToString::to_string);
    let mut all: Vec<String> = match wanted {
        Wanted::Nothing => Vec::new(),
        Wanted::Words(words) => words.clone(),
        Wanted::Kinds => kinds,
        Wanted::Objects => names.collect(),
        Wanted::KindsAndObjects => kinds.into_iter().chain(names).collect(),
        Wanted::Names(kind) => {
            let runs = |object: &&ObjectRef| match kind {
                Some(kind) => object.kind == *kind,
                None => Kinds::all(None).client(object.kind).is_some(),
            };
            objects.iter().filter(runs).map(|object| object.name.to_string()).collect()
        }
        Wanted::Environments => list.iter().flat_map(|list| &list.items).flat_map(environments).collect(),
    };
    all.retain(|word| word.starts_with(begun));
    all.dedup();
    all
}

fn environments(view: &crate::control::api::ObjectView) -> Vec<String> {
    let of = view.object().filter(|object| object.kind == Kinds::of_environments());
    let all = view.spec.get("environments").and_then(serde_json::Value::as_object).filter(|_| of.is_some());
    all.into_iter().flat_map(|all| all.keys()).map(|name| format!("{}/{name}", view.metadata.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn what_comes_next_is_known_by_what_was_typed() {
        let pg: Kind = "pg".parse().unwrap();
        let project: Kind = "project".parse().unwrap();
        for (typed, want) in [
            ("describe ", Wanted::Objects),
            ("describe po", Wanted::Objects),
            ("describe postgres/a ", Wanted::Objects),
            ("describe pg ", Wanted::Names(Some(pg))),
            ("describe pg a ", Wanted::Names(Some(pg))),
            ("logs -f ", Wanted::Objects),
            ("logs --tail 5 ", Wanted::Objects),
            ("logs --tail ", Wanted::Nothing),
            ("--data d stop ", Wanted::Objects),
            ("get ", Wanted::KindsAndObjects),
            ("get pg ", Wanted::Names(Some(pg))),
            ("psql ", Wanted::Names(Some(pg))),
            ("pg ps ", Wanted::Names(Some(pg))),
            ("wal ", Wanted::Names(Some(pg))),
            ("psql a -- ", Wanted::Nothing),
            ("events --for ", Wanted::Objects),
            ("schema ", Wanted::Kinds),
            ("explain ", Wanted::Kinds),
            ("env ", Wanted::Environments),
            ("link postgres/a ", Wanted::Environments),
            ("services show ", Wanted::Names(None)),
            ("svc link a -p ", Wanted::Names(Some(project))),
            ("history postgres/a ", Wanted::Nothing),
            ("describe -", Wanted::Nothing),
            ("", Wanted::Nothing),
            ("nonsense ", Wanted::Nothing),
        ] {
            assert_eq!(wanted(&words(typed)), want, "{typed:?}");
        }
        let Wanted::Words(forms) = wanted(&words("get -o ")) else { panic!() };
        assert!(forms.contains(&"custom-columns=".to_owned()), "{forms:?}");
        assert_eq!(wanted(&words("plan -o ")), Wanted::Words(vec!["text".into(), "json".into()]));
        assert_eq!(wanted(&[]), Wanted::Nothing);
    }

    #[test]
    fn settings_that_were_typed_hold() {
        let typed: Vec<OsString> =
            ["describe", "--data", "d", "--nothing", "--installation=x", ""].map(Into::into).into();
        let args = read(&typed);
        assert_eq!(args.flags.data.as_deref(), Some(std::path::Path::new("d")));
        // What is wrong among them is no reason to say anything.
        let wrong: Vec<OsString> =
            ["get", "--removal-grace", "soon", "--data", "d", ""].map(Into::into).into();
        assert_eq!(read(&wrong).flags.data, None);
    }
}
