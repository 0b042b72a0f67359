//! The house: imports go down only, adapters and engines do not know each other, pure files are pure.

use seawall::control::registry::Kinds;
use seawall::core::names::Kind;
use seawall::kinds::About;
use std::fs;
use std::path::{Path, PathBuf};

/// Module → floor. `program` is the top that wires everything.
const FLOORS: [(&str, u32); 14] = [
    ("core", 0),
    ("manifest", 1),
    ("depot", 2),
    ("docker", 2),
    ("store", 2),
    ("secrets", 2),
    ("telemetry", 2),
    ("workload", 3),
    ("kinds", 4),
    ("control", 5),
    ("http", 6),
    ("web", 6),
    ("cli", 7),
    ("program", 8),
];

/// Modules of a kind and of the workload that may touch adapters, they and the files below them. `mod` is where a kind's
/// effects hang: it hands on.
const EFFECTS: [&str; 10] =
    ["mod", "client", "probe", "observe", "act", "archive", "tenancy", "tools", "ports", "fake_server"];

fn floor(module: &str) -> u32 {
    FLOORS.iter().find(|(m, _)| *m == module).unwrap_or_else(|| panic!("module {module} has no floor")).1
}

fn walk(dir: &Path, extension: &str, list: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, extension, list);
        } else if path.extension().is_some_and(|e| e == extension) {
            list.push(path);
        }
    }
}

/// Modules of the crate that a file names, by `crate::x` or `crate::{x::…, y}` anywhere, tests included.
fn imports(text: &str) -> Vec<String> {
    let code: String = text.lines().filter(|l| !l.trim_start().starts_with("//")).collect();
    let mut found = Vec::new();
    for (at, of) in code.match_indices("crate::") {
        let rest = &code[at + of.len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(group_of(group).iter().map(|part| first_word(part))),
            None => found.push(first_word(rest)),
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

fn first_word(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

/// The parts of a braced list, whose opening brace was read.
fn group_of(text: &str) -> Vec<&str> {
    let (mut depth, mut from, mut parts) = (0, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(&text[from..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts
}

#[test]
fn every_form_of_an_import_is_seen() {
    for (text, want) in [
        ("use crate::core::plan::Plan;", vec!["core"]),
        ("use crate::{\n    core::{plan::Plan, names},\n    docker::Docker,\n};", vec!["core", "docker"]),
        ("use crate::{store, secrets};\nfn f() { crate::docker::x(); }", vec!["store", "secrets", "docker"]),
        ("// use crate::docker::Docker;", vec![]),
    ] {
        assert_eq!(imports(text), want, "{text}");
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn all() -> Vec<(String, String)> {
    let mut list = Vec::new();
    walk(&root(), "rs", &mut list);
    list.sort();
    list.iter()
        .map(|p| (p.strip_prefix(root()).unwrap().display().to_string(), fs::read_to_string(p).unwrap()))
        .collect()
}

#[test]
fn imports_go_down_only() {
    let mut wrong = Vec::new();
    for (file, text) in all() {
        let Some((module, _)) = file.split_once('/') else { continue };
        for import in imports(&text) {
            let (from, to) = (floor(module), floor(&import));
            if to > from || (to == from && import != module) {
                wrong.push(format!("{file} imports {import}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Whether a file belongs to one of [`EFFECTS`]: a file below `act/` counts like `act.rs`, and one below
/// `plan/` like `plan.rs`, whatever its own name.
fn may_touch_adapters(file: &str) -> bool {
    let module =
        file.strip_prefix("workload/").or_else(|| Some(file.strip_prefix("kinds/")?.split_once('/')?.1));
    let module = module.and_then(|inside| inside.split('/').next()).unwrap_or("mod");
    EFFECTS.contains(&module.strip_suffix(".rs").unwrap_or(module))
}

/// Files of kinds and of the workload that should be pure and are not.
fn impure<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<&'a str> {
    const ADAPTERS: [&str; 5] = ["depot", "docker", "store", "secrets", "telemetry"];
    const WORDS: [&str; 8] = [
        "tokio::",
        ".await",
        "std::fs",
        "std::net::Tcp",
        "std::env",
        "SystemTime",
        "Instant",
        "Timestamp::now",
    ];
    let of_it = |file: &str| file.starts_with("kinds/") || file.starts_with("workload/");
    let pure = files.into_iter().filter(|(f, _)| of_it(f) && !may_touch_adapters(f));
    let wrong = pure.filter(|(_, text)| {
        let touched = imports(text).iter().any(|i| ADAPTERS.contains(&i.as_str()));
        let program = text.split("#[cfg(test)]").next().unwrap_or_default();
        touched || WORDS.iter().any(|word| program.contains(word))
    });
    wrong.map(|(file, _)| file).collect()
}

#[test]
fn the_pure_files_of_an_engine_touch_no_adapter() {
    let all = all();
    let wrong = impure(all.iter().map(|(file, text)| (file.as_str(), text.as_str())));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_file_below_a_module_is_held_to_the_same_rule() {
    const DIRTY: &str = "use crate::docker::Docker;";
    for (file, dirty_is_wrong) in [
        ("kinds/postgres/plan.rs", true),
        ("kinds/postgres/plan/port.rs", true),
        // The name of the module counts, not that of the file.
        ("kinds/postgres/plan/probe.rs", true),
        ("kinds/postgres/act.rs", false),
        ("kinds/postgres/act/password.rs", false),
        ("kinds/postgres/probe/plan.rs", false),
        ("kinds/postgres/mod.rs", false),
        ("workload/ports.rs", false),
        ("workload/act/caps.rs", false),
        ("workload/observe.rs", false),
        ("workload/plan/act.rs", true),
        ("control/pass.rs", false),
    ] {
        assert_eq!(impure([(file, DIRTY)]) == [file], dirty_is_wrong, "{file}");
        assert!(impure([(file, "use crate::core::plan::Plan;")]).is_empty(), "{file}");
    }
    assert_eq!(impure([("kinds/x/plan/y.rs", "let seen = look().await;")]).len(), 1);
}

/// What an engine with this name lacks, below `root`.
fn lacks(root: &Path, kind: &str, folder: &str, examples: &str) -> Vec<String> {
    const FILES: [&str; 15] = [
        "mod",
        "spec",
        "check",
        "facts",
        "desired",
        "world",
        "plan",
        "action",
        "record",
        "conditions",
        "status",
        "client",
        "probe",
        "act",
        "fake_server",
    ];
    let sources = FILES.map(|f| format!("src/kinds/{folder}/{f}.rs"));
    let others =
        [format!("tests/goldens/{folder}.txt"), format!("schemas/{}.schema.json", kind.to_lowercase())];
    let mut lacks: Vec<String> =
        sources.into_iter().chain(others).filter(|path| !root.join(path).is_file()).collect();
    if !examples.contains(&format!("kind: {kind}\n")) {
        lacks.push(format!("an example of kind {kind}"));
    }
    lacks
}

/// Its containers are servers; what an application's is, nobody knows.
fn is_engine(about: &&About) -> bool {
    about.containers && about.made_by.is_none()
}

#[test]
fn every_engine_of_the_registry_is_whole() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    walk(&repository.join("examples"), "yaml", &mut files);
    let examples: String = files.iter().map(|f| fs::read_to_string(f).unwrap()).collect();
    let all_kinds: Vec<About> = Kinds::all(None).about().collect();
    let engines = || all_kinds.iter().filter(is_engine).map(|about| (about.kind, about.folder));
    for (kind, folder) in engines() {
        assert_eq!(lacks(repository, kind.as_str(), folder, &examples), Vec::<String>::new());
    }
    assert_eq!(lacks(repository, "Nothing", "nothing", &examples).len(), 18, "what is not there is told");
    // The suites go over all of them, by one list in tests/common/kinds/mod.rs.
    let tested: Vec<&str> = crate::kinds::ALL.iter().map(|kind| kind.kind()).collect();
    assert_eq!(engines().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(), tested);
    // And nothing else is an engine.
    let registered: Vec<&str> = all_kinds.iter().map(|about| about.folder).collect();
    for (file, _) in all() {
        let inside = file.strip_prefix("kinds/").and_then(|f| f.split_once('/'));
        assert!(inside.is_none_or(|(folder, _)| registered.contains(&folder)), "{file} is in no registry");
    }
    let kinds: Vec<Kind> = all_kinds.iter().map(|about| about.kind).collect();
    assert!(Kind::ALL.iter().all(|kind| kinds.contains(kind)));
}

/// Nothing above the kinds names one, but for the registry.
#[test]
fn nothing_above_the_kinds_names_one() {
    const ABOVE: [&str; 6] = ["control/", "http/", "web/", "cli/", "store/", "program/"];
    // What leads to a file is called a link, too.
    let words = Kind::ALL.iter().flat_map(|kind| match kind {
        Kind::Link => vec!["Kind::Link", "\"Link\"", "\"link\"", "link/", "Link "],
        Kind::App => vec!["Kind::App", "\"App\"", "\"app\"", "app/"],
        // So are the commands.
        Kind::Backup => vec!["Kind::Backup", "\"Backup\"", "\"backup\"", "backup/"],
        Kind::Restore => vec!["Kind::Restore", "\"Restore\"", "\"restore\"", "restore/"],
        // Paths of the service API have the word.
        Kind::Project => vec!["Kind::Project", "\"Project\"", "\"project\"", "project/"],
        kind => vec![kind.as_str(), kind.lower()],
    });
    let words: Vec<&str> = words.collect();
    let mut named = Vec::new();
    for (file, text) in all() {
        let above = ABOVE.iter().any(|floor| file.starts_with(floor)) && file != "control/registry.rs";
        if !above || file.ends_with("_tests.rs") || file.ends_with("tests.rs") {
            continue;
        }
        let program = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = program.lines().filter(|l| !l.trim_start().starts_with("//"));
        let lines = lines.filter(|l| words.iter().any(|word| l.contains(word)));
        named.extend(lines.map(|line| format!("{file}: {}", line.trim())));
    }
    assert_eq!(named, Vec::<String>::new());
}

/// What all kinds share knows none of them: what differs comes in as values.
#[test]
fn the_workload_names_no_kind() {
    // Not ImageCatalog: whatever is wanted may be named in one.
    let kinds: Vec<&str> =
        Kinds::all(None).about().filter(|about| is_engine(&about)).map(|about| about.kind.lower()).collect();
    let names = |text: &str| kinds.iter().any(|kind| text.to_lowercase().contains(kind));
    for (file, text) in all().iter().filter(|(file, _)| file.starts_with("workload/")) {
        let program = text.split("#[cfg(test)]").next().unwrap_or_default();
        // The name of a profile is in records: it is what it was.
        let lines = program.lines().filter(|l| names(l) && !l.contains("serde(rename = \"asPostgres\")"));
        assert_eq!(lines.collect::<Vec<_>>(), Vec::<&str>::new(), "{file}");
    }
}

#[test]
fn core_knows_no_io_clock_or_chance() {
    for (file, text) in all().iter().filter(|(f, _)| f.starts_with("core/")) {
        let text: String = text.lines().filter(|l| !l.trim_start().starts_with("//")).collect();
        for word in ["tokio", "std::fs", "std::time::Instant", "SystemTime", "jiff", "rand::", "std::env"] {
            assert!(!text.contains(word), "{file} names {word}");
        }
    }
}

#[test]
fn every_module_says_what_it_is_for() {
    for (file, text) in all() {
        assert!(text.starts_with("//!"), "{file} does not start with //!");
    }
}

#[test]
fn only_one_file_names_the_store_crate_and_one_folder_bollard() {
    for (file, text) in all() {
        let code: String = text.lines().filter(|l| !l.trim_start().starts_with("//")).collect();
        if file != "store/sled.rs" {
            assert!(!code.contains("sled::Config") && !code.contains("sled::open"), "{file} names sled");
        }
        if !file.starts_with("docker/") {
            // A log target is a text, not an import.
            assert!(!code.replace("\"bollard::", "").contains("bollard::"), "{file} names bollard");
        }
    }
}

#[test]
fn the_program_starts_in_a_few_lines() {
    let main = fs::read_to_string(root().join("main.rs")).unwrap();
    assert!(main.lines().count() <= 20);
}

/// A statement is made of the program's own text in one file, and sent by one other. The words are split,
/// so that this file does not find itself.
#[test]
fn statements_are_made_in_one_place_and_sent_from_one() {
    let of = concat!("Sql", "::of(");
    let home = "kinds/postgres/client";
    let mut made = Vec::new();
    let mut sent = Vec::new();
    for (file, text) in all() {
        let program = text.split("#[cfg(test)]").next().unwrap_or_default();
        if program.contains(of) {
            made.push(file.clone());
        }
        // Whoever has no client can send nothing.
        let calls = ["tokio_postgres::{Client", "tokio_postgres::Client", "\"psql\", \"-X\""];
        if calls.iter().any(|c| program.contains(c)) {
            sent.push(file.clone());
        }
        if file.starts_with("kinds/postgres/client/statements") || file.contains("tests") {
            continue;
        }
        for word in ["\"SELECT ", "\"ALTER ROLE ", "\"CREATE DATABASE ", "\"SET ", "\"DROP "] {
            let line = program.lines().find(|l| l.contains(word) && !l.trim_start().starts_with("//"));
            assert!(line.is_none(), "{file}: {line:?} is no statement of {home}/statements.rs");
        }
    }
    // And what is below it.
    made.retain(|file| !file.starts_with(&format!("{home}/statements/")));
    assert_eq!(made, [format!("{home}/statements.rs")]);
    assert_eq!(sent, ["kinds/postgres/act/password.rs".to_owned(), format!("{home}/session.rs")]);
}

/// Advice is followed at night: no text of the program tells anybody to destroy something by hand. What destroys is
/// said to Seawall, by name and with a confirmation.
#[test]
fn no_text_advises_a_command_that_destroys() {
    let commands = ["volume rm", "docker rm", "rm -rf", "volume prune", "system prune", "DROP DATABASE"];
    // What is sent to a server is no advice.
    let all = all().into_iter().filter(|(file, _)| !file.starts_with("kinds/postgres/client/statements"));
    for (file, text) in all {
        for command in commands {
            let lines =
                text.lines().filter(|line| line.contains(command) && !line.trim_start().starts_with("//"));
            assert_eq!(lines.collect::<Vec<_>>(), Vec::<&str>::new(), "{file}");
        }
    }
}
