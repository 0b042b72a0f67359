//! Tables: whose a file is, how it differs, and what is done about it.

use super::check::EnvFile;
use super::plan::{Step, plan};
use super::*;
use crate::core::plan::Plan;

const OBJECT: &str = "project/shop";

fn header(object: &str, environment: &str, store: &str) -> Header {
    Header::new(&object.parse().unwrap(), environment, "default", store)
}

fn line(name: &str, text: &str) -> Line {
    Line { name: name.to_owned(), text: Zeroizing::new(format!("{name}={text}")) }
}

#[test]
fn the_first_line_tells_whose_a_file_is() {
    let ours = header(OBJECT, "production", "s1");
    let text = ours.to_string();
    assert_eq!(
        text,
        "# Written by Seawall for project/shop, environment production (installation default, store s1). Do not edit.\n"
    );
    let other = header("project/other", "production", "s1").to_string();
    let staging = header(OBJECT, "staging", "s1").to_string();
    let store = header(OBJECT, "production", "s2").to_string();
    for (text, known, want) in [
        (text.clone(), false, Whose::Ours),
        (format!("{text}A=1\n"), false, Whose::Ours),
        (other.clone(), false, Whose::Nobodys),
        (staging.clone(), true, Whose::Nobodys),
        (format!("{other}A=1\n"), true, Whose::Others),
        (format!("{staging}A=1\n"), false, Whose::Others),
        (store, true, Whose::Others),
        (String::new(), true, Whose::Ours),
        (String::new(), false, Whose::Others),
        ("A=1\n".to_owned(), true, Whose::Others),
        (format!("A=1\n{text}"), false, Whose::Others),
        (text.trim_end().to_owned(), false, Whose::Others),
    ] {
        assert_eq!(ours.whose(text.as_bytes(), known), want, "{text:?}");
    }
}

#[test]
fn a_change_names_variables_and_nothing_that_somebody_wrote() {
    let header = header(OBJECT, "production", "s1");
    let lines = [line("A", "1"), line("B", "'x\nC=y'")];
    let wanted = whole(&header, &lines);
    assert_eq!(*wanted, format!("{header}A=1\nB='x\nC=y'\n"));
    for (there, want) in [
        (wanted.to_string(), None),
        (header.to_string(), Some("A, B")),
        (wanted.replace("A=1", "A=hunter2"), Some("A")),
        (wanted.replace("A=1", "A=11"), Some("A")),
        (wanted.replace("C=y", "C=z"), Some("B")),
        (format!("{}HUNTER2=1\n", *wanted), Some("what is in it")),
        (String::new(), Some("A, B")),
    ] {
        let change = Change::between(there.as_bytes(), &header, &lines);
        assert_eq!((!change.is_empty()).then(|| change.to_string()).as_deref(), want, "{there:?}");
    }
    let many: Vec<Line> = "ABCDEFG".chars().map(|name| line(&name.to_string(), "1")).collect();
    let change = Change::between(b"", &header, &many);
    assert_eq!(change.to_string(), "A, B, C, D, E, 2 more");
}

fn ours(change: Option<&str>, mode: u32) -> Found {
    let names = change.iter().map(|name| (*name).to_owned()).collect();
    Found::Ours { mode, change: Change { names, more: change.is_some() }, stamp: "1".to_owned() }
}

fn file(found: Found, gives: Option<Gives>) -> File {
    let wanted = EnvFile { path: "shop.env".to_owned(), mode: 0o600 };
    File {
        path: "/m/shop.env".into(),
        root: "/m".into(),
        environment: "production".to_owned(),
        wanted: gives.map(|gives| Wanted { file: wanted, gives }),
        found,
        leftover: false,
    }
}

fn known(stamp: &str) -> Kept {
    let at = Some("2026-01-01T00:00:00Z".to_owned());
    Kept { root: "/m".into(), environment: "production".to_owned(), at, stamp: stamp.to_owned() }
}

/// All of it on one line each.
fn planned(file: File, kept: Option<Kept>, around: &Around) -> Vec<String> {
    let memory = kept.into_iter().map(|kept| (file.key(), kept)).collect();
    let mut all = Plan::<Step>::default();
    plan(&[file], &memory, around, &mut all);
    let steps = all.steps.iter().map(|s| format!("{} {}: {}", s.sign.as_str(), s.action, s.cause));
    let waits = all.waiting.iter().map(|w| format!("waits for {}: {}", w.on, w.why));
    let blocks = all.blocked.iter().map(|b| format!("{}: {}: {}", b.reason, b.why, b.unblock));
    steps.chain(waits).chain(blocks).collect()
}

const TAKE: &str = "~ take /m/shop.env as the env file of production: not chosen yet";

#[test]
fn a_file_is_written_when_it_differs_and_everything_is_known() {
    let not_yet = || Gives::NotYet("LinkNotReady", "link/a is not Ready".to_owned());
    let all = || Some(Gives::All);
    let nothing = || Some(Gives::Nothing);
    let once = || Kept { at: None, stamp: String::new(), ..known("") };
    for (name, found, gives, kept, want) in [
        ("new", Found::Missing, all(), None, vec![TAKE, "+ write ./shop.env: it was not written yet"]),
        (
            "after a crash",
            Found::Missing,
            all(),
            Some(once()),
            vec!["+ write ./shop.env: it was not written yet"],
        ),
        ("gone", Found::Missing, all(), Some(known("1")), vec!["+ write ./shop.env: it is gone"]),
        ("in sync", ours(None, 0o600), all(), Some(known("1")), vec![]),
        ("touched", ours(None, 0o600), all(), Some(known("2")), vec![]),
        ("rotated", ours(Some("A"), 0o600), all(), Some(known("1")), vec!["~ write ./shop.env: A changed"]),
        (
            "edited",
            ours(Some("A"), 0o600),
            all(),
            Some(known("2")),
            vec!["~ write ./shop.env: somebody changed it: A"],
        ),
        ("mode", ours(None, 0o644), all(), Some(known("1")), vec!["~ write ./shop.env: mode 0644 → 0600"]),
        (
            "of a lost record",
            ours(Some("A"), 0o600),
            all(),
            None,
            vec![TAKE, "~ write ./shop.env: A changed"],
        ),
        ("no link yet", Found::Missing, nothing(), None, vec![]),
        ("no link any more, gone", Found::Missing, nothing(), Some(known("1")), vec![]),
        ("emptied", ours(None, 0o600), nothing(), Some(known("1")), vec![]),
        (
            "unlinked",
            ours(Some("A"), 0o600),
            nothing(),
            Some(known("1")),
            vec!["~ write ./shop.env: no link gives to it any more"],
        ),
        (
            "not ready yet",
            Found::Missing,
            Some(not_yet()),
            None,
            vec![
                "waits for LinkNotReady: ./shop.env is not written until all of its links are Ready: link/a is not Ready",
            ],
        ),
        (
            "not ready any more",
            ours(Some("A"), 0o600),
            Some(not_yet()),
            Some(known("1")),
            vec![
                "waits for LinkNotReady: ./shop.env stays as it is until all of its links are Ready: link/a is not Ready",
            ],
        ),
        (
            "foreign, and not ready",
            Found::Refused(Refusal::Foreign),
            Some(not_yet()),
            None,
            vec![
                "EnvFileRefused: /m/shop.env was not written by Seawall for this environment, and is not written over: give another path, or remove it",
            ],
        ),
        (
            "not wanted",
            ours(Some("A"), 0o600),
            None,
            Some(known("1")),
            vec!["- empty /m/shop.env: nobody wants it any more"],
        ),
        (
            "not wanted, gone",
            Found::Missing,
            None,
            Some(known("1")),
            vec!["- empty /m/shop.env: nobody wants it any more, and nothing is in it"],
        ),
        (
            "not wanted, another's",
            Found::Refused(Refusal::Foreign),
            None,
            Some(known("1")),
            vec!["- empty /m/shop.env: nobody wants it any more, and what is there is not Seawall's"],
        ),
        (
            "not wanted, unreadable",
            Found::Refused(Refusal::Disk("no".to_owned())),
            None,
            Some(known("1")),
            vec![
                "EnvFileFailed: /m/shop.env: no: mend that: it has to be emptied, and is tried again by itself",
            ],
        ),
    ] {
        assert_eq!(planned(file(found, gives), kept, &Around::default()), want, "{name}");
    }
    let cut = File { leftover: true, ..file(ours(None, 0o600), all()) };
    let words = planned(cut.clone(), Some(known("1")), &Around::default());
    assert_eq!(words, ["~ write ./shop.env: a write was cut short"]);
}

#[test]
fn a_file_of_two_is_the_first_ones() {
    let holder: ObjectRef = "project/first".parse().unwrap();
    let lost_claims = BTreeMap::from([("file /m/shop.env".to_owned(), holder)]);
    let around = Around { lost_claims, ..Around::default() };
    assert_eq!(
        planned(file(Found::Missing, Some(Gives::All)), None, &around),
        ["NameConflict: file /m/shop.env is project/first's: give one of the two another envFile.path"]
    );
    let changed = file(ours(Some("A"), 0o600), Some(Gives::All));
    assert_eq!(
        planned(changed, Some(known("1")), &around),
        ["~ write ./shop.env: A changed"],
        "it is there already"
    );
}

/// In one project only the later one is left out: their claims are the project's own.
#[test]
fn a_file_of_two_environments_is_the_first_ones() {
    let one = file(Found::Missing, Some(Gives::All));
    let two = File { environment: "staging".to_owned(), ..one.clone() };
    let mut all = Plan::<Step>::default();
    plan(&[one, two], &BTreeMap::new(), &Around::default(), &mut all);
    let blocked: Vec<&str> = all.blocked.iter().map(|block| block.why.as_str()).collect();
    assert_eq!(blocked, ["file /m/shop.env is that of environment production, too"]);
    assert_eq!(all.steps.len(), 2, "the first one is kept and written");
}

#[test]
fn what_is_refused_says_what_to_do() {
    let at = |step: &str| PathBuf::from(step);
    for (refusal, why, next) in [
        (Refusal::Outside(vec![at("/m"), at("/x")]), "/m/a/b is not below /m or /x", "--env-file-root"),
        (Refusal::NoFolder(at("/m/a")), "/m/a is not there", "mkdir -p /m/a"),
        (Refusal::Link(at("/m/a")), "/m/a is a link", "that it leads to"),
        (Refusal::NotAFolder(at("/m/a")), "/m/a is no directory", "another path"),
        (Refusal::Special("a directory"), "/m/a/b is a directory", "another path"),
    ] {
        let (reason, words, unblock) = refusal.words(Path::new("/m/a/b"));
        assert_eq!(reason, REFUSED);
        assert!(words.starts_with(why) && unblock.contains(next), "{words}: {unblock}");
    }
}

#[test]
fn what_is_as_it_should_be_was_written() {
    let all = [file(ours(None, 0o600), Some(Gives::All))];
    let mut memory = BTreeMap::from([(all[0].key(), Kept { at: None, ..known("0") })]);
    learn(&all, &mut memory, "now");
    assert_eq!(memory[&all[0].key()], Kept { at: Some("now".to_owned()), ..known("1") });
    learn(&all, &mut memory, "later");
    assert_eq!(memory[&all[0].key()].at.as_deref(), Some("now"));
    let other = [file(ours(Some("A"), 0o600), Some(Gives::All))];
    memory.insert(all[0].key(), known("0"));
    learn(&other, &mut memory, "later");
    assert_eq!(memory[&all[0].key()], known("0"));
}
