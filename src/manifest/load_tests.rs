//! What a directory of manifests comes to, right or wrong.

use super::*;
use crate::core::names::Kind;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::Instant;

const HEAD: &str = "apiVersion: seawall.dev/v1\nkind: Postgres\n";

fn good(name: &str) -> String {
    format!("{HEAD}metadata: {{name: {name}}}\n")
}

fn texts(files: &[(&str, &str)]) -> Loaded {
    load_texts(files.iter().map(|(n, t)| ((*n).to_owned(), FileText::Bytes(t.as_bytes().to_vec()))).collect())
}

fn names(loaded: &Loaded) -> Vec<String> {
    loaded.documents.iter().map(|d| format!("{} {}", d.object, d.place.file)).collect()
}

fn said(loaded: &Loaded) -> Vec<String> {
    loaded.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn right_documents_are_found_with_their_words_and_places() {
    let text = format!(
        "# yaml-language-server: $schema=x\n{HEAD}metadata:\n  name: main\n  labels: {{team: shop}}\n  annotations: {{seawall.dev/paused: \"true\"}}\nspec:\n  version: \"18\"\n---\n{}---\n# nothing\n",
        good("other")
    );
    let loaded = texts(&[("a.yaml", &text)]);
    assert_eq!(said(&loaded), Vec::<String>::new());
    assert_eq!(names(&loaded), ["postgres/main a.yaml", "postgres/other a.yaml"]);
    let main = &loaded.documents[0];
    assert_eq!(main.metadata.labels["team"], "shop");
    assert_eq!(main.metadata.annotations["seawall.dev/paused"], "true");
    assert_eq!(main.place.to_string(), "a.yaml:2:1");
    assert_eq!(main.place_of("spec.version").to_string(), "a.yaml:9:12");
    assert_eq!(main.key_place_of("spec.version").to_string(), "a.yaml:9:3");
    assert_eq!(main.place_of("spec.version[0].x").to_string(), "a.yaml:9:12");
    assert_eq!(main.place_of("metadata.annotations[\"seawall.dev/paused\"]").to_string(), "a.yaml:7:37");
    assert_eq!(loaded.documents[1].spec, serde_json::json!({}));
    assert_eq!(loaded.directory, Directory::Present);
    assert!(!loaded.files["a.yaml"].broken);
}

#[test]
fn words_without_quotes_arrive_as_they_were_written() {
    let written = [
        "007",
        "0444",
        "1.10",
        "1e3",
        "7",
        "1.5",
        "on",
        "No",
        "True",
        "true",
        "0x1F",
        ".5",
        "+5",
        "1_000",
        "12345678901234567890123",
        "2026-01-01",
        "12:30:45",
    ];
    let fields: String = written.iter().enumerate().map(|(n, word)| format!("    k{n}: {word}\n")).collect();
    let text =
        format!("{HEAD}metadata:\n  name: 0815\n  labels:\n{fields}  annotations:\n{fields}spec: {{}}\n");
    let loaded = texts(&[("a.yaml", &text)]);
    assert_eq!(said(&loaded), Vec::<String>::new());
    let metadata = &loaded.documents[0].metadata;
    assert_eq!(metadata.name.as_str(), "0815");
    for (n, word) in written.iter().enumerate() {
        let key = format!("k{n}");
        assert_eq!((metadata.labels[&key].as_str(), metadata.annotations[&key].as_str()), (*word, *word));
    }
}

#[test]
fn json_is_read_like_yaml() {
    let text = "{\n\t\"apiVersion\": \"seawall.dev/v1\",\n\t\"kind\": \"Postgres\",\n\t\"metadata\": {\"name\": \"main\"},\n\t\"spec\": {\"a\": \"\\u00e4\\/\", \"b\": 1.50}\n}\n";
    let loaded = texts(&[("a.json", text)]);
    assert_eq!(said(&loaded), Vec::<String>::new());
    assert_eq!(loaded.documents[0].spec, serde_json::json!({"a": "ä/", "b": "1.50"}));
    assert_eq!(loaded.documents[0].place_of("spec.b").to_string(), "a.json:5:33");
    for (text, want) in [
        (text.replace("\"b\"", "\"a\""), "a.json:5:28: spec.a: the key is given twice, first at a.json:5:11"),
        (
            text.replace("\"Postgres\",", "\"Postgres\""),
            "a.json:4:2: broken JSON or YAML: a comma or a closing bracket is missing before this place",
        ),
        (
            text.replace("\\u00e4", "\\ud83d\\ude00"),
            "a.json:5:16: an escape that begins with \\u names no character here: write the character itself",
        ),
    ] {
        assert_eq!(said(&texts(&[("a.json", &text)])), [want]);
    }
}

#[test]
fn what_looks_like_a_manifest_and_is_not_read_is_said_once() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let said = || load_dir(root).passed_over();
    let silent = [
        "a.yaml",
        "b.yml",
        "c.json",
        ".a.yaml",
        ".a.yaml.bak",
        "#a.yaml#",
        ".#a.yaml",
        "a.yaml.swp",
        "a.yaml.tmp",
        "README.md",
        "notes.txt",
        "yaml",
        "a.bak",
        "run.sh",
    ];
    for name in silent {
        fs::write(root.join(name), good("main")).unwrap();
    }
    assert_eq!(said(), None);
    fs::create_dir(root.join("sub")).unwrap();
    fs::write(root.join("sub/A.YAML"), "").unwrap();
    let why = "not read: the name of a manifest ends in .yaml, .yml or .json (in lower case)";
    assert_eq!(said(), Some(format!("sub/A.YAML is {why}")));
    for name in ["a.yml.bak", "a.yaml~", "a.yaml.disabled", "a.Json", "a.json.orig~"] {
        fs::write(root.join(name), "").unwrap();
    }
    let all = "a.Json, a.json.orig~, a.yaml.disabled, a.yaml~, a.yml.bak, sub/A.YAML";
    assert_eq!(said(), Some(format!("{all} are {why}")));
    for n in 0..30 {
        fs::write(root.join(format!("a{n:02}.yaml.old")), "").unwrap();
    }
    assert!(said().unwrap().contains(", 26 more are not read"), "{:?}", said());
}

#[test]
fn the_digest_tells_any_change_of_names_texts_or_directory() {
    let of = |directory: Directory, files: &[(&str, FileText)]| {
        let files = files.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect();
        Texts { directory, files, limit: None, ignored: Vec::new(), stamps: BTreeMap::new() }.digest()
    };
    let bytes = |text: &str| FileText::Bytes(text.as_bytes().to_vec());
    let here = Directory::Present;
    let all = [
        of(here.clone(), &[]),
        of(Directory::Empty, &[]),
        of(Directory::Missing, &[]),
        of(here.clone(), &[("a", bytes("x"))]),
        of(here.clone(), &[("a", bytes("y"))]),
        of(here.clone(), &[("b", bytes("x"))]),
        of(here.clone(), &[("a", bytes("xb"))]),
        of(here.clone(), &[("a", bytes("x")), ("b", bytes(""))]),
        of(here.clone(), &[("a", bytes("")), ("b", bytes("x"))]),
        of(here.clone(), &[("a", FileText::NotRead("x".to_owned()))]),
    ];
    let different: std::collections::BTreeSet<&String> = all.iter().collect();
    assert_eq!(different.len(), all.len(), "{all:?}");
    assert_eq!(of(here, &[("a", bytes("x"))]), all[3]);
}

/// (text, problems, whether the file is then unknown, objects rejected)
#[test]
fn wrong_heads_are_told_and_never_look_like_a_removal() {
    let long = "x".repeat(41);
    for (text, want, broken, rejected) in [
        (
            "[]",
            vec!["a.yaml:1:1: expected an object with apiVersion, kind, metadata and spec, found a list"],
            true,
            0,
        ),
        (
            "{}",
            vec![
                "a.yaml:1:1: apiVersion: is missing: write seawall.dev/v1",
                "a.yaml:1:1: kind: is missing: valid: KINDS",
                "a.yaml:1:1: metadata.name: is missing",
            ],
            true,
            0,
        ),
        (
            &good("main").replace("Postgres", "Postgers"),
            vec!["a.yaml:2:7: kind: unknown kind \"Postgers\": did you mean \"Postgres\"? valid: KINDS"],
            true,
            0,
        ),
        (
            &good("main").replace("Postgres", "postgres"),
            vec!["a.yaml:2:7: kind: unknown kind \"postgres\": did you mean \"Postgres\"? valid: KINDS"],
            true,
            0,
        ),
        (
            &good("main").replace("dev/v1", "dev/v2"),
            vec!["a.yaml:1:13: apiVersion: unknown apiVersion \"seawall.dev/v2\": write seawall.dev/v1"],
            false,
            1,
        ),
        (
            &good("Main_DB"),
            vec![
                "a.yaml:3:18: metadata.name: \"Main_DB\" is not a DNS label: only lower-case letters, digits and '-' are allowed, and it starts and ends with a letter or digit: did you mean \"main-db\"?",
            ],
            true,
            0,
        ),
        (
            &good(&long),
            vec![
                "a.yaml:3:18: metadata.name: \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\" has 41 characters; at most 40 are allowed",
            ],
            true,
            0,
        ),
        (
            &good("[18]"),
            vec!["a.yaml:3:18: metadata.name: expected a string, found a list: write it as one text"],
            true,
            0,
        ),
        (
            &format!("{HEAD}metadata:\n  labels: {{}}\n"),
            vec!["a.yaml:3:1: metadata.name: is missing"],
            true,
            0,
        ),
        (
            &format!("{HEAD}metadata: main\n"),
            vec!["a.yaml:3:11: metadata: expected a mapping, found a string"],
            true,
            0,
        ),
        (
            &format!("{}status:\n  ready: true\n", good("main")),
            vec!["a.yaml:4:1: status: status is written by Seawall: remove it"],
            false,
            1,
        ),
        (
            &format!("{}specs:\n  a: 1\n", good("main")),
            vec![
                "a.yaml:4:1: specs: unknown field \"specs\": did you mean \"spec\"? valid: apiVersion, kind, metadata, spec",
            ],
            false,
            1,
        ),
        (
            &format!(
                "{HEAD}metadata: {{name: main, label: {{}}, labels: {{ a: ~, b: 7, c: [], d: x}}, annotations: []}}\n"
            ),
            vec![
                "a.yaml:3:24: metadata.label: unknown field \"label\": did you mean \"labels\"? valid: name, labels, annotations",
                "a.yaml:3:48: metadata.labels.a: expected a string, found nothing: write \"\" for an empty text, and a word such as null or ~ in quotes",
                "a.yaml:3:60: metadata.labels.c: expected a string, found a list: write it as one text",
                "a.yaml:3:84: metadata.annotations: expected a mapping of strings, found a list",
            ],
            false,
            1,
        ),
        (
            &format!("{}spec:\n  a: 1\n  a: 2\n", good("main")),
            vec!["a.yaml:6:3: spec.a: the key is given twice, first at a.yaml:5:3"],
            false,
            1,
        ),
        ("a: 1\n\tb: 2\n", vec!["a.yaml:2:1: a tab cannot indent YAML: use spaces"], true, 0),
    ] {
        let loaded = texts(&[("a.yaml", text), ("b.yaml", &good("fine"))]);
        let kinds = Kind::ALL.map(Kind::as_str).join(", ");
        let want: Vec<String> = want.iter().map(|line| line.replace("KINDS", &kinds)).collect();
        assert_eq!(said(&loaded), want, "{text}");
        assert_eq!(loaded.is_unknown("a.yaml"), broken, "{text}");
        assert_eq!(loaded.rejected.len(), rejected, "{text}");
        // Nothing hurts the file beside it.
        assert_eq!(names(&loaded), ["postgres/fine b.yaml"], "{text}");
        assert!(!loaded.is_unknown("b.yaml"));
    }
}

#[test]
fn a_broken_end_makes_the_whole_file_unknown_but_a_bad_head_does_not_take_the_others() {
    let loaded = texts(&[("a.yaml", &format!("{}---\na: [\n", good("main")))]);
    assert!(loaded.documents.is_empty() && loaded.is_unknown("a.yaml"));
    let loaded = texts(&[("a.yaml", &format!("{}---\nkind: X\n", good("main")))]);
    assert_eq!(names(&loaded), ["postgres/main a.yaml"]);
    assert!(loaded.is_unknown("a.yaml"));
}

#[test]
fn the_same_object_twice_names_both_places() {
    let twice = format!("{}---\n{}", good("main"), good("main"));
    let bad = good("main").replace("v1", "v0");
    let loaded = texts(&[("b.yaml", &twice), ("a.yml", &good("main")), ("c.yaml", &bad)]);
    let places: Vec<String> = loaded.duplicates.values().flatten().map(ToString::to_string).collect();
    assert_eq!(places, ["a.yml:1:1", "b.yaml:1:1", "b.yaml:5:1", "c.yaml:1:1"]);
    assert_eq!(loaded.documents.len(), 3, "all contenders stay");
    let said = said(&loaded);
    assert_eq!(said.len(), 4, "{said:?}");
    assert_eq!(
        said[0],
        "b.yaml:1:1: metadata.name: postgres/main is already defined at a.yml:1:1: give one of them another name or remove it"
    );
    // Another kind of the same name is another object.
    let catalog = good("main").replace("Postgres", "ImageCatalog");
    assert!(texts(&[("a.yaml", &good("main")), ("b.yaml", &catalog)]).duplicates.is_empty());
}

#[test]
fn ten_thousand_documents_are_read_and_too_many_are_refused_whole() {
    let start = Instant::now();
    let many: String = (0..10_000).map(|n| format!("---\n{}", good(&format!("n{n}")))).collect();
    assert!(many.len() < MAX_FILE as usize);
    let loaded = texts(&[("a.yaml", &many)]);
    assert_eq!((loaded.documents.len(), loaded.problems.len()), (10_000, 0));
    let other = many.replace("name: n", "name: m");
    let third = good("late");
    let loaded = texts(&[("a.yaml", &many), ("b.yaml", &other), ("c.yaml", &third)]);
    assert_eq!(loaded.documents.len(), 20_000);
    assert_eq!(said(&loaded), ["c.yaml: not read: there are more than 20000 documents in all files"]);
    assert!(loaded.is_unknown("c.yaml"));
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    let wrong = "---\n[]\n".repeat(10_000);
    let loaded = texts(&[("a.yaml", &wrong)]);
    assert_eq!(loaded.problems.len(), MAX_PROBLEMS + 1);
}

#[test]
fn folders_links_and_editor_files() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    fs::create_dir_all(root.join("sub/deep")).unwrap();
    fs::create_dir_all(root.join(".git")).unwrap();
    fs::create_dir_all(root.join("..2026_01")).unwrap();
    fs::create_dir_all(root.join("folder.yaml")).unwrap();
    symlink("..2026_01", root.join("..data")).unwrap();
    symlink("..data/k8s.yaml", root.join("k8s.yaml")).unwrap();
    symlink(root, root.join("sub/loop")).unwrap();
    symlink("deep", root.join("sub/zz-same-again")).unwrap();
    for (path, name) in [
        ("b.yaml", "b"),
        ("sub/a.yml", "a"),
        ("sub/deep/c.yaml", "c"),
        ("folder.yaml/d.yaml", "d"),
        ("..2026_01/k8s.yaml", "k8s"),
        (".git/x.yaml", "x"),
        (".hidden.yaml", "x"),
        (".#b.yaml", "x"),
        ("#b.yaml#", "x"),
        ("b.yaml~", "x"),
        (".b.yaml.swp", "x"),
        ("b.yaml.tmp", "x"),
        ("4913", "x"),
        ("README.md", "x"),
        ("b.json", "j"),
    ] {
        fs::write(root.join(path), good(name)).unwrap();
    }
    let loaded = load_dir(root);
    assert_eq!(said(&loaded), Vec::<String>::new());
    assert_eq!(
        names(&loaded),
        [
            "postgres/j b.json",
            "postgres/b b.yaml",
            "postgres/d folder.yaml/d.yaml",
            "postgres/k8s k8s.yaml",
            "postgres/a sub/a.yml",
            "postgres/c sub/deep/c.yaml"
        ]
    );
    assert_eq!(loaded, load_dir(root), "the same files give the same answer");
}

#[test]
fn what_cannot_be_read_is_unknown_and_never_gone() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    assert_eq!(load_dir(root).directory, Directory::Empty);
    assert_eq!(load_dir(&root.join("none")).directory, Directory::Missing);
    assert!(load_dir(&root.join("none")).is_unknown("a.yaml"));
    fs::write(root.join("file"), "").unwrap();
    assert!(matches!(load_dir(&root.join("file")).directory, Directory::Unreadable(_)));

    fs::write(root.join("good.yaml"), good("good")).unwrap();
    fs::write(root.join("binary.yaml"), b"\x7fELF\0\0").unwrap();
    fs::write(root.join("latin1.yaml"), b"a: \xe4\n").unwrap();
    symlink("nowhere", root.join("link.yaml")).unwrap();
    symlink("nowhere", root.join("folder")).unwrap();
    symlink("self.yaml", root.join("self.yaml")).unwrap();
    let huge = fs::File::create(root.join("huge.yaml")).unwrap();
    huge.set_len(100 << 20).unwrap();
    assert!(
        std::process::Command::new("mkfifo").arg(root.join("pipe.yaml")).status().unwrap().success(),
        "mkfifo"
    );
    let start = Instant::now();
    let loaded = load_dir(root);
    assert!(start.elapsed().as_millis() < 1000, "{:?}", start.elapsed());
    assert_eq!(names(&loaded), ["postgres/good good.yaml"]);
    let said = said(&loaded);
    for (file, want) in [
        ("binary.yaml", "binary file, not YAML text"),
        ("latin1.yaml", "not UTF-8 text: byte 0xe4"),
        ("link.yaml", "cannot be read: the link leads nowhere"),
        ("self.yaml", "cannot be read: "),
        ("huge.yaml", "104857600 bytes; at most 1048576 are read of one file"),
        ("pipe.yaml", "not a regular file but a pipe"),
        ("folder/", "cannot be read: the link leads nowhere"),
    ] {
        assert!(said.iter().any(|line| line.starts_with(file) && line.contains(want)), "{file}: {said:#?}");
        assert!(loaded.is_unknown(file), "{file}");
    }
    assert_eq!(said.len(), 7, "{said:#?}");
    assert!(loaded.is_unknown("folder/inside.yaml"));
    assert!(!loaded.is_unknown("good.yaml") && !loaded.is_unknown("was-removed.yaml"));
}

/// A file that came here by mistake may hold a secret.
#[test]
fn nothing_of_a_text_that_is_not_ours_is_repeated() {
    let secret = "3f9c1e7a5b2d8046c1d7e9f3a2b4860591ce7d3f6a8b024e5c9d1f7a3b6e8042";
    let shadow =
        "root:$6$saltsalt$0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.:19000:0:99999:7:::";
    let words = "correct horse battery staple";
    for text in [
        format!("{secret}\n"),
        format!("{shadow}\ndaemon:*:19000:0:99999:7:::\n"),
        format!("{shadow}\n"),
        format!("{secret}: 1\n"),
        format!("? {secret}\n: {{{secret}: [{secret}]}}\n"),
        format!("password: {words}\n"),
        format!("- {words}\n- {secret}\n"),
        format!("'{words}'"),
        format!("a: !!int '{words}'\n"),
        format!("a: [{words}\n"),
        format!("a: {words}: x\n"),
        format!("a: *{secret}\n"),
        format!("a: &{secret} *{secret}\n"),
        format!("!{secret} {words}\n"),
        format!("%TAG ! {secret}\n--- {words}\n"),
        format!("{words}\n--- {words}\n...\n%{words}\n"),
        format!("{HEAD}metadata: {{name: {secret}}}\n"),
        format!("{HEAD}metadata: {{name: a, {secret}: {words}}}\n{secret}: {words}\n"),
        format!(
            "{HEAD}metadata: {{name: a, labels: {{{secret}: 5}}, annotations: {{{secret}: [{words}]}}}}\n"
        ),
        format!("{HEAD}metadata: {words}\n"),
        format!("apiVersion: {secret}\nkind: {secret}\nmetadata: {{name: a}}\n"),
        format!("kind: [{words}]\napiVersion: {{{words}: 1}}\nmetadata: [{words}]\n"),
    ] {
        let loaded = texts(&[("a.yaml", &text)]);
        let said = format!("{:?}", loaded.problems);
        assert!(!loaded.problems.is_empty(), "{text}");
        // What is left of a cut name must be worth nothing: 40 of 64 digits stay unknown.
        for part in [&secret[24..34], &secret[54..], "saltsalt$01", "XYZ", "battery"] {
            assert!(!said.contains(part), "{text}: {said}");
        }
    }
    // A short name is what helps to find the mistake.
    let loaded = texts(&[("a.yaml", &format!("{}spce: 1\n", good("a")))]);
    let hint = "did you mean \"spec\"? valid: apiVersion, kind, metadata, spec";
    assert_eq!(said(&loaded), [format!("a.yaml:4:1: spce: unknown field \"spce\": {hint}")]);
}

#[test]
fn problems_are_few_and_control_characters_are_shown_escaped() {
    let wrong = format!("---\n{HEAD}metadata: {{name: a, x: 1, y: 2}}\n").repeat(200);
    let files: Vec<(String, String)> =
        (0..40).map(|n| (format!("{n:02}\u{1b}[2J.yaml"), wrong.clone())).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
    let loaded = texts(&files);
    let own = |file: &str| {
        let of_file = |p: &&Problem| p.place.file.starts_with(file) && !p.what.contains("already defined");
        loaded.problems.iter().filter(of_file).count()
    };
    assert_eq!((own("00"), own("39")), (MAX_PROBLEMS + 1, 2), "later ones have one each, and how many more");
    assert!(loaded.rejected.iter().all(|rejected| rejected.problems.len() == 1));
    assert!(!said(&loaded).iter().any(|line| line.contains('\u{1b}')));
    assert!(said(&loaded)[0].starts_with("00\\u{1b}[2J.yaml"), "{}", said(&loaded)[0]);
}

/// Each secret as a file, a link to which must not be read.
#[test]
fn no_link_leads_out_of_the_directory() {
    let base = tempfile::tempdir().unwrap();
    let (root, out) = (base.path().join("m"), base.path().join("out"));
    for folder in [root.join("sub"), root.join("..2026_11/deep"), out.join("folder")] {
        fs::create_dir_all(folder).unwrap();
    }
    for (path, name) in [
        (out.join("secret.yaml"), "secret"),
        (out.join("folder/b.yaml"), "secret"),
        (root.join("..2026_11/k8s.yaml"), "k8s"),
        (root.join("..2026_11/deep/far.yaml"), "far"),
        (root.join("sub/a.yaml"), "a"),
    ] {
        fs::write(path, good(name)).unwrap();
    }
    let real = fs::canonicalize(&root).unwrap();
    let leaves = "not read: the link leads out of the manifest directory";
    let table: Vec<(&str, PathBuf, Result<&str, &str>)> = vec![
        // Within: as Kubernetes lays out a config map, relative, absolute, up and down again.
        ("..data", "..2026_11".into(), Ok("")),
        ("k8s.yaml", "..data/k8s.yaml".into(), Ok("postgres/k8s k8s.yaml")),
        ("far.yaml", "..data/deep/../deep/far.yaml".into(), Ok("postgres/far far.yaml")),
        ("sub/up.yaml", "../..data/k8s.yaml".into(), Ok("postgres/k8s sub/up.yaml")),
        ("absolute.yaml", real.join("sub/a.yaml"), Ok("postgres/a absolute.yaml")),
        ("chain.yaml", "sub/up.yaml".into(), Ok("postgres/k8s chain.yaml")),
        ("deep", "..data/deep".into(), Ok("postgres/far deep/far.yaml")),
        // Out of it: relative, absolute, by chains, by folders, by names that only look like it.
        ("x1.yaml", "../out/secret.yaml".into(), Err(leaves)),
        ("x2.yaml", out.join("secret.yaml"), Err(leaves)),
        ("x3.yaml", "x2.yaml".into(), Err(leaves)),
        ("sub/x4.yaml", "../../out/secret.yaml".into(), Err(leaves)),
        ("x5.yaml", "../m/../out/secret.yaml".into(), Err(leaves)),
        ("x6.yaml", "x7/b.yaml".into(), Err(leaves)),
        ("x7", out.join("folder"), Err(leaves)),
        ("x8", "/".into(), Err(leaves)),
        ("x9", "..".into(), Err(leaves)),
        ("x10.yaml", "/etc/shadow".into(), Err(leaves)),
        ("x11.yaml", "/proc/kmsg".into(), Err(leaves)),
        ("x12.yaml", "/dev/zero".into(), Err(leaves)),
        ("x13.yaml", "/proc/self/root/etc/shadow".into(), Err(leaves)),
        ("x14.yaml", real.join("../out/secret.yaml"), Err(leaves)),
        ("x15.yaml", format!("{}/../out/secret.yaml", real.display()).into(), Err(leaves)),
        // The way back does not count: what is out there is not looked at.
        ("x16.yaml", "../m/sub/a.yaml".into(), Err(leaves)),
        ("nowhere.yaml", "sub/none.yaml".into(), Err("cannot be read: the link leads nowhere")),
        ("through.yaml", "sub/a.yaml/b".into(), Err("cannot be read: the link leads nowhere")),
        ("round.yaml", "round.yaml".into(), Err("cannot be read: too many links that lead to links")),
    ];
    for (name, target, _) in &table {
        symlink(target, root.join(name)).unwrap();
    }
    // The directory itself may be a link.
    symlink(&root, base.path().join("link")).unwrap();
    for dir in [&root, &base.path().join("link")] {
        let loaded = load_dir(dir);
        let (said, names) = (said(&loaded), names(&loaded));
        for (name, _, want) in &table {
            match want {
                Ok(object) => {
                    assert!(object.is_empty() || names.iter().any(|n| n == object), "{name}: {names:#?}")
                }
                Err(why) => {
                    let file = if name.ends_with(".yaml") { (*name).to_owned() } else { format!("{name}/") };
                    assert!(
                        said.iter().any(|line| line.starts_with(&format!("{file}: {why}"))),
                        "{name}: {said:#?}"
                    );
                    assert!(
                        loaded.is_unknown(&file)
                            && loaded.is_unknown(&format!("{file}x.yaml")) | file.ends_with("yaml")
                    );
                }
            }
        }
        assert!(!names.iter().any(|n| n.contains("secret")), "{names:#?}");
    }
}

#[test]
fn what_is_no_regular_file_is_never_opened() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let program = |program: &str, arguments: &[&str]| {
        std::process::Command::new(program).args(arguments).current_dir(root).status().unwrap().success()
    };
    assert!(program("mkfifo", &["pipe.yaml", "pipe"]));
    symlink("pipe", root.join("link-to-pipe.yaml")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket.yaml")).unwrap();
    // Root only.
    let device = program("mknod", &["zero.yaml", "c", "1", "5"]);
    let said = said(&load_dir(root));
    let mut want = vec![
        "link-to-pipe.yaml: not read: not a regular file but a pipe",
        "pipe.yaml: not read: not a regular file but a pipe",
        "socket.yaml: not read: not a regular file but a socket",
    ];
    if device {
        want.push("zero.yaml: not read: not a regular file but a device");
    }
    assert_eq!(said, want);
}

#[test]
fn a_file_or_folder_without_permission_is_unknown() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    fs::create_dir(root.join("closed")).unwrap();
    fs::write(root.join("a.yaml"), good("a")).unwrap();
    let lock = |mode: u32| {
        for name in ["closed", "a.yaml"] {
            fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    lock(0o000);
    // Root may read everything: then there is nothing to see.
    let held = fs::read(root.join("a.yaml")).is_err();
    let loaded = load_dir(root);
    lock(0o700);
    if held {
        assert!(loaded.is_unknown("a.yaml") && loaded.is_unknown("closed/b.yaml"));
        assert_eq!(loaded.problems.len(), 2);
    }
}

#[test]
fn a_scan_that_hits_a_limit_knows_that_it_is_not_complete() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..33 {
        fs::write(dir.path().join(format!("{n:02}.yaml")), "#".repeat(MAX_FILE as usize)).unwrap();
    }
    let loaded = load_dir(dir.path());
    assert!(!loaded.complete && loaded.files.len() == 32);
    assert!(
        said(&loaded)[0].starts_with("32.yaml: not read, nor what comes after it"),
        "{:?}",
        said(&loaded)
    );
    assert!(loaded.is_unknown("32.yaml") && !loaded.is_unknown("31.yaml"));
}
