//! What the YAML reader makes of right and of hostile texts.

use super::*;
use serde_json::json;

fn read(bytes: &[u8]) -> Parsed {
    parse("a.yaml", bytes, &mut Room { documents: MAX_DOCUMENTS, nodes: MAX_ALL_NODES })
}

fn one(text: &str) -> YamlDocument {
    let mut parsed = read(text.as_bytes());
    assert_eq!(parsed.broken, None, "{text}");
    assert_eq!(parsed.documents.len(), 1, "{text}");
    parsed.documents.remove(0)
}

fn broken(bytes: &[u8]) -> String {
    read(bytes).broken.map_or_else(|| "fine".to_owned(), |problem| problem.to_string())
}

#[test]
fn what_is_not_written_as_a_number_is_printed_stays_text() {
    for (text, want) in [
        ("", json!(null)),
        ("~", json!(null)),
        ("null", json!(null)),
        ("true", json!(true)),
        ("False", json!("False")),
        ("TRUE", json!("TRUE")),
        ("false", json!(false)),
        ("yes", json!("yes")),
        ("off", json!("off")),
        ("18", json!(18)),
        ("+5", json!("+5")),
        ("-0", json!("-0")),
        ("007", json!("007")),
        ("0444", json!("0444")),
        ("-5.5", json!(-5.5)),
        ("-5", json!(-5)),
        ("0x1F", json!("0x1F")),
        ("0o17", json!("0o17")),
        ("0x+1", json!("0x+1")),
        ("18446744073709551615", json!(u64::MAX)),
        ("18446744073709551616", json!("18446744073709551616")),
        ("0.1234567890123456789", json!("0.1234567890123456789")),
        ("1.5", json!(1.5)),
        ("1.50", json!("1.50")),
        ("0.1", json!(0.1)),
        ("0.30000000000000004", json!("0.30000000000000004")),
        ("17.10", json!("17.10")),
        ("1e3", json!("1e3")),
        ("1.", json!("1.")),
        (".5", json!(".5")),
        (".", json!(".")),
        ("1e999", json!("1e999")),
        (".inf", json!(".inf")),
        ("nan", json!("nan")),
        ("e5", json!("e5")),
        ("1_000", json!("1_000")),
        ("5432:5432", json!("5432:5432")),
        ("2026-01-01", json!("2026-01-01")),
        ("512Mi", json!("512Mi")),
        ("\"18\"", json!("18")),
        ("'true'", json!("true")),
        ("\"\"", json!("")),
        ("!!str 18", json!("18")),
        ("! 18", json!("18")),
        ("!!float 3", json!(3)),
        ("!!int 007", json!(7)),
        ("!!bool True", json!(true)),
        ("\"\\u00e4\\n\"", json!("ä\n")),
        ("|\n  x\n  y\n", json!("x\ny\n")),
    ] {
        let document = one(&format!("a: {text}\nz: 1\n"));
        assert_eq!(document.value["a"], want, "{text}");
        assert_eq!(document.problems, vec![], "{text}");
        assert_eq!(document.value["z"], json!(1), "{text}");
    }
}

#[test]
fn every_field_has_its_place() {
    let text = "# comment\r\n---\r\nspec:\r\n  resources: {memory: 5,  ä: 1}\r\n  list:\r\n  - x\r\n  - {b.c: 1}\r\n  18: y\r\n";
    for text in [text.to_owned(), format!("\u{feff}{text}"), text.replace('\r', "")] {
        let document = one(&text);
        assert_eq!(document.value["spec"]["18"], json!("y"));
        assert_eq!((document.place.line, document.place.column), (3, 1));
        let at = |path: &str| {
            let at = document.places.get(path).unwrap_or_default();
            (at.key_line, at.key_column, at.line, at.column)
        };
        for (path, want) in [
            ("spec", (3, 1, 4, 3)),
            ("spec.resources", (4, 3, 4, 14)),
            ("spec.resources.memory", (4, 15, 4, 23)),
            ("spec.resources[\"ä\"]", (4, 27, 4, 30)),
            ("spec.list[0]", (6, 5, 6, 5)),
            ("spec.list[1][\"b.c\"]", (7, 6, 7, 11)),
            ("spec.18", (8, 3, 8, 7)),
        ] {
            assert_eq!(at(path), want, "{path} in {:?}", document.places);
        }
    }
}

#[test]
fn documents_without_content_are_left_out() {
    let parsed = read(b"# a\n---\n---\na: 1\n---\n# b\n...\n---\nb: 2\n");
    assert_eq!(parsed.broken, None);
    let lines: Vec<usize> = parsed.documents.iter().map(|document| document.place.line).collect();
    assert_eq!(lines, [4, 9]);
    assert!(read(b"").documents.is_empty());
    assert!(read(b"# only\n").documents.is_empty());
}

#[test]
fn aliases_and_merges_work_within_a_document() {
    let document =
        one("a: &a {x: 1, y: 2}\nb: *a\nc: {<<: *a, y: 3}\nd: {<<: [*a, {z: 4}]}\n&k k: *k\n\"<<\": 5\n");
    assert_eq!(document.problems, vec![]);
    assert_eq!(document.value["b"], json!({"x": 1, "y": 2}));
    assert_eq!(document.value["c"], json!({"x": 1, "y": 3}));
    assert_eq!(document.value["d"], json!({"x": 1, "y": 2, "z": 4}));
    assert_eq!(document.value["k"], json!("k"));
    assert_eq!(document.value["<<"], json!(5));
    // What was written goes the same ways.
    let document = one("a: &a {x: 0444}\nb: *a\nc: {<<: *a}\nd: [&d 1.10, *d]\n");
    assert_eq!((&document.value["b"]["x"], &document.value["c"]["x"]), (&json!("0444"), &json!("0444")));
    assert_eq!(document.value["d"], json!(["1.10", "1.10"]));
    let parsed = read(b"a: &a 1\n---\nb: *a\n");
    assert_eq!(parsed.documents[1].problems.len(), 1, "no aliases across documents");
}

#[test]
fn what_json_cannot_say_is_a_problem_of_its_document() {
    for (text, want) in [
        ("a:\n  b: 1\n  b: {c: 1}\n", "a.yaml:3:3: a.b: the key is given twice, first at a.yaml:2:3"),
        ("{a: 1, \"a\": 2}", "a.yaml:1:8: a: the key is given twice, first at a.yaml:1:2"),
        ("18: 1\n\"18\": 2\n", "a.yaml:2:1: 18: the key is given twice, first at a.yaml:1:1"),
        (
            "a:\n  ? [x]\n  : 1\n",
            "a.yaml:2:5: a: a key must be text, not a list or mapping: what begins with { or [ needs quotes where text is meant",
        ),
        ("a: &a [*a]\n", "a.yaml:1:8: a[0]: the alias refers to an anchor around it or in another document"),
        ("a: {<<: 5}\n", "a.yaml:1:5: a: << takes a mapping or a list of mappings"),
        (
            "a: !env HOME\n",
            "a.yaml:1:4: a: the tag \"!env\" is not known here: put the value in quotes if the ! belongs to it",
        ),
        (
            "a: !!int x\n",
            "a.yaml:1:4: a: this is no value of the tag \"tag:yaml.org,2002:!int\": put the value in quotes if the ! belongs to it",
        ),
        (
            "a: !x [1]\n",
            "a.yaml:1:4: a: the tag \"!x\" is not known here: put the value in quotes if the ! belongs to it",
        ),
    ] {
        let document = one(text);
        let problems: Vec<String> = document.problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems, [want], "{text}");
    }
    // The first one stays, and the place of a twin does not hide it.
    let document = one("a: {b: 1}\na: {b: 2}\n");
    assert_eq!(document.value, json!({"a": {"b": 1}}));
    assert_eq!(document.places.get("a.b").unwrap().line, 1);
}

#[test]
fn broken_texts_say_where_and_why() {
    for (bytes, want) in [
        (&b"a:\n\tb: 1\n"[..], "a.yaml:2:1: a tab cannot indent YAML: use spaces"),
        (b"a:\n  b: 1\n \tc: 1\n", "a.yaml:3:2: a tab cannot"),
        (b"a: [1\n", "a.yaml:"),
        (b"a: \"x\n", "a.yaml:"),
        (b"a: b: c\n", "a.yaml:1:"),
        (b"a: 1\n b: 2\n", "a.yaml:2:"),
        (b"a: *nope\n", "a.yaml:1:4: * before a name"),
        (b"a: 1\nb: \xff\xfe\n", "a.yaml:2:4: not UTF-8 text: byte 0xff cannot stand here: save it as UTF-8"),
        (b"a: \xc3", "a.yaml:1:4: not UTF-8 text"),
        (b"\xff\xfea\0", "a.yaml:1:1: not UTF-8 text: it is UTF-16"),
        (b"\x7fELF\x02\x01\0\0", "a.yaml:1:7: binary"),
        (b"a: \x1b[31mred\n", "a.yaml:1:4: control character U+001B"),
    ] {
        let got = broken(bytes);
        assert!(got.starts_with(want) && got != "fine", "{:?}: {got}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn no_more_is_kept_than_there_is_room_for() {
    let many = format!("--- [{}]\n", "1,".repeat(1_000)).repeat(10);
    let mut room = Room { documents: 15, nodes: 15_000 };
    assert!(parse("a.yaml", many.as_bytes(), &mut room).broken.is_none());
    assert_eq!((room.documents, room.nodes), (5, 4_990));
    let full = parse("b.yaml", many.as_bytes(), &mut room);
    assert!(full.documents.is_empty() && full.broken.unwrap().to_string().contains("nodes in all files"));
    assert_eq!((room.documents, room.nodes), (5, 4_990), "what is not kept takes no room");
    let full = parse("b.yaml", "--- 1\n".repeat(6).as_bytes(), &mut room);
    assert!(full.broken.unwrap().to_string().contains("documents in all files"));
    let twins = "a: 1\n".repeat(9_000);
    let parsed = parse("c.yaml", twins.as_bytes(), &mut Room { documents: 1, nodes: 20_000 });
    assert_eq!(parsed.documents[0].problems.len(), MAX_PROBLEMS);
}

#[test]
fn hostile_texts_end_quickly() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let inner = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb += &format!("a{level}: &a{level} [{inner}]\n");
    }
    let big = format!("a: &a \"{}\"\nb: [{}]\n", "x".repeat(500_000), "*a, ".repeat(1000));
    let merges = format!("a: &a {{x: 1}}\nb: [{}]\n", "{<<: *a}, ".repeat(6000));
    let through = "the document expands to more than";
    for (text, want) in [
        (bomb, through),
        (big, through),
        (merges, through),
        ("[".repeat(33) + &"]".repeat(33), "fine"),
        ("[".repeat(34) + &"]".repeat(34), "nested deeper than 32 levels"),
        ("[".repeat(1_000_000), "nested deeper than 32 levels"),
        ("{a: ".repeat(200_000), "nested deeper than 32 levels"),
        ("- ".repeat(200_000), "nested deeper than 32 levels"),
        ("? ".repeat(200_000), "nested deeper than 32 levels"),
        (format!("[{}]", "1,".repeat(19_999)), "fine"),
        (format!("[{}]", "1,".repeat(20_000)), "more than 20000 nodes"),
        ("- a\n".repeat(250_000), "more than 20000 nodes"),
        (format!("? {}\n: [{}]\n", "k".repeat(1024), "1,".repeat(9_000)), "fine"),
        (
            format!("? {}\n: [{}]\n", "k".repeat(1025), "1,".repeat(9_000)),
            "a key has more than 1024 characters",
        ),
        (format!("? {}\n: [{}]\n", "k".repeat(250_000), "1,".repeat(60_000)), "a key has more than 1024"),
        (format!("? &a {}\n: 1\n", "k".repeat(250_000)), "a key has more than 1024 characters"),
        // Each anchor keeps a copy of what it names.
        (format!("{}[{}]{}", "&a [".repeat(30), "1,".repeat(15_000), "]".repeat(30)), through),
        (format!("[{}]", "&a 1,".repeat(15_000)), through),
        ("--- 1\n".repeat(30_000), "there are more than 20000 documents in all files"),
        (format!("--- [{}]\n", "1,".repeat(19_000)).repeat(27), "fine"),
        ("--- \n".repeat(200_000), "fine"),
        ("a".repeat(1 << 20), "fine"),
        (format!("{}: 1", "a".repeat(1 << 20)), "broken YAML"),
        ("\n".repeat(1 << 20), "fine"),
        ("&a ".repeat(300_000), "broken YAML"),
    ] {
        let start = std::time::Instant::now();
        let got = broken(text.as_bytes());
        assert!(got.contains(want), "{}: {got}", &text[..20]);
        assert!(start.elapsed().as_secs() < 10, "{}: {:?}", &text[..20], start.elapsed());
    }
}
