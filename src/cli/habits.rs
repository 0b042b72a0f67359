//! What hands are used to type: words of kubectl, of Heroku and of compose, as the command that does it here, or in one line
//! what to type instead. Pure.

use super::args::Flags;
use crate::control::registry::Kinds;
use crate::core::names::{Kind, Name};
use clap::Args as _;

/// Verbs that are about one object: its kind and its name may stand apart.
const ABOUT_ONE: [&str; 19] = [
    "describe",
    "diagnose",
    "events",
    "top",
    "history",
    "recommend",
    "wait",
    "connection",
    "logs",
    "stop",
    "start",
    "restart",
    "rotate",
    "release-port",
    "reinitialise",
    "delete",
    "edit",
    "label",
    "annotate",
];

/// Those that may be about several of one kind.
const ABOUT_SEVERAL: [&str; 5] = ["describe", "stop", "start", "restart", "delete"];

/// The words that are meant by these, without the program's name.
///
/// # Errors
/// What to type instead.
pub fn meant(mut words: Vec<String>) -> Result<Vec<String>, String> {
    let Some(at) = verb(&words) else { return Ok(words) };
    let own: Vec<&str> = words.iter().skip(at).map(String::as_str).collect();
    let instead: Option<Vec<String>> = match own.as_slice() {
        ["rollout", "restart", ..] => Some(vec!["restart".to_owned()]),
        ["diff", "-f" | "--file" | "--filename", ..] => {
            Some(vec!["apply".into(), "--dry-run".into(), "-f".into()])
        }
        ["diff", ..] => Some(vec!["plan".to_owned()]),
        ["ps"] | ["status"] => Some(vec!["get".to_owned()]),
        ["status", ..] => Some(vec!["describe".to_owned()]),
        [word, ..] => colon(word),
        [] => None,
    };
    let taken = match own.as_slice() {
        ["rollout", "restart", ..] | ["diff", "-f" | "--file" | "--filename", ..] => 2,
        _ => 1,
    };
    if instead.is_none()
        && let Some(words) = answer(&own)
    {
        return Err(words);
    }
    if let Some(instead) = instead {
        words.splice(at..at + taken, instead);
    }
    join(&mut words, at);
    Ok(words)
}

/// Where the verb stands: flags that hold for every verb may come before it, each with a value.
fn verb(words: &[String]) -> Option<usize> {
    let flags = Flags::augment_args(clap::Command::new(""));
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let Some(flag) = word.strip_prefix("--") else {
            return (!word.starts_with('-')).then_some(at);
        };
        at += if flags.get_arguments().any(|known| known.get_long() == Some(flag)) { 2 } else { 1 };
    }
    None
}

/// `pg:psql`, as `heroku` has it.
fn colon(word: &str) -> Option<Vec<String>> {
    let (own, verb) = word.split_once(':')?;
    let kind: Kind = own.parse().ok()?;
    Some(match verb {
        "info" => vec!["describe".to_owned(), kind.lower().to_owned()],
        verb if ABOUT_ONE.contains(&verb) => vec![verb.to_owned(), kind.lower().to_owned()],
        verb if Kinds::all(None).client(kind).is_some_and(|client| client.verb == verb) => {
            vec![verb.to_owned()]
        }
        // What goes on inside, which stands under the kind's own word.
        verb => vec![own.to_owned(), verb.to_owned()],
    })
}

fn join(words: &mut Vec<String>, at: usize) {
    if !words.get(at).is_some_and(|verb| ABOUT_ONE.contains(&verb.as_str())) {
        return;
    }
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let is_kind = |word: &String| word.parse::<Kind>().is_ok();
    let Some(kind) = (at + 1..end).find(|n| words.get(*n).is_some_and(is_kind)) else { return };
    let Some(name) = words.get(kind + 1).filter(|_| kind + 1 < end) else { return };
    if Name::parse(name).is_err() {
        return;
    }
    let several = words.get(at).is_some_and(|verb| ABOUT_SEVERAL.contains(&verb.as_str()));
    let names = words[kind + 1..end].iter().take_while(|name| Name::parse(name).is_ok());
    let last = kind + 1 + names.take(if several { usize::MAX } else { 1 }).count();
    let both: Vec<String> =
        words[kind + 1..last].iter().map(|name| format!("{}/{name}", words[kind])).collect();
    words.splice(kind..last, both);
}

fn answer(own: &[&str]) -> Option<String> {
    let words = match own {
        ["up", ..] => "seawall run --manifests DIR makes it so and keeps it so; with --once it does so once",
        ["down", ..] => "a database goes when its manifest goes; seawall stop KIND/NAME only stops it",
        ["create", ..] => "write a manifest and commit it; without a file: seawall apply -f FILE",
        ["delete", rest @ ..] if rest.iter().any(|word| matches!(*word, "-f" | "--filename")) => {
            "remove the file: what it declares goes with it; without a file: seawall delete KIND/NAME"
        }
        ["backups", ..] => "seawall backup now, list, show, delete; seawall restore start",
        ["port-forward", ..] => {
            "its port is published on the machine of the operator already: seawall connection KIND/NAME; from another one: \
             ssh -L PORT:127.0.0.1:PORT HOST"
        }
        ["rollout", ..] => {
            "seawall restart KIND/NAME; how it goes: seawall wait KIND/NAME --for=condition=Ready"
        }
        ["config" | "context", ..] => "seawall login URL says whom commands ask; seawall version shows it",
        ["exec", object, ..] if is_object(object) => {
            "exec runs a program of this machine with the variables of PROJECT/ENVIRONMENT; in the container: docker exec, \
             with the name that seawall connection KIND/NAME tells"
        }
        ["api-resources", ..] => {
            let kinds: Vec<&str> = Kinds::all(None).about().map(|about| about.kind.lower()).collect();
            return Some(format!(
                "kinds are {}; seawall explain KIND shows the fields of one",
                kinds.join(", ")
            ));
        }
        _ => return None,
    };
    Some(words.to_owned())
}

/// Of a kind for which something runs: `pg/main` is no environment of a project.
fn is_object(word: &str) -> bool {
    let kind = word.split_once('/').and_then(|(kind, _)| kind.parse::<Kind>().ok());
    kind.is_some_and(|kind| Kinds::all(None).has_containers(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(ToOwned::to_owned).collect()
    }

    #[test]
    fn a_habit_is_the_command_that_does_it() {
        for (typed, means) in [
            ("describe pg main", "describe pg/main"),
            ("describe postgres/main", "describe postgres/main"),
            ("--data d wait postgres main --for=delete", "--data d wait postgres/main --for=delete"),
            ("--data=d logs -f pg main", "--data=d logs -f pg/main"),
            ("restart pg", "restart pg"),
            ("restart pg -h", "restart pg -h"),
            ("rollout restart pg main", "restart pg/main"),
            ("rollout restart pg/main", "restart pg/main"),
            ("pg:info main", "describe postgres/main"),
            ("pg:psql main -- -c x", "psql main -- -c x"),
            ("redis:restart a", "restart redis/a"),
            ("pg:ps main", "pg ps main"),
            ("nothing:info a", "nothing:info a"),
            ("ps", "get"),
            ("status", "get"),
            ("status pg main", "describe pg/main"),
            ("diff -f a.yaml", "apply --dry-run -f a.yaml"),
            ("diff manifests", "plan manifests"),
            ("get pg main", "get pg main"),
            ("exec shop/production -- pg main", "exec shop/production -- pg main"),
            ("delete pg a --confirm a", "delete pg/a --confirm a"),
            ("delete pg a b", "delete pg/a pg/b"),
            ("delete a b", "delete a b"),
            ("edit pg main", "edit pg/main"),
            ("label pg main team=shop redis-", "label pg/main team=shop redis-"),
            ("", ""),
        ] {
            assert_eq!(meant(words(typed)), Ok(words(means)), "{typed}");
        }
    }

    #[test]
    fn a_habit_that_means_nothing_here_is_answered_in_a_line() {
        for (typed, says) in [
            ("up", "seawall run"),
            ("delete -f a.yaml", "remove the file"),
            ("port-forward pg/main 5432", "seawall connection"),
            ("rollout status pg/main", "seawall wait"),
            ("exec pg/main -- sh", "docker exec"),
            ("backups list", "seawall backup now"),
            ("api-resources", "kinds are "),
        ] {
            let answer = meant(words(typed)).unwrap_err();
            assert!(answer.contains(says) && !answer.contains('\n'), "{typed}: {answer}");
        }
    }
}
