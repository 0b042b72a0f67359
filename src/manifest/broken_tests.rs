//! Mistakes that people make, and what they are told.

use crate::manifest::load::{FileText, load_texts};
use std::collections::BTreeMap;

const HEAD: &str = "apiVersion: seawall.dev/v1\nkind: Postgres\nmetadata: {name: main}\nspec:\n  version: '18'\n  parameters:\n    work_mem: 4MB\n";

fn said(text: &str) -> String {
    let loaded = load_texts(BTreeMap::from([("a.yaml".to_owned(), FileText::Bytes(text.into()))]));
    let said: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    said.join("\n")
}

/// What follows the head, the place, and what is said. What the last `: ` is followed by is the right value.
const VALUES: [(&str, &str, &str); 19] = [
    ("%m [%p]", "8:8", "a value without quotes cannot begin with %: put it in quotes: '%m [%p]'"),
    ("%m # prefix", "8:8", "a value without quotes cannot begin with %: put it in quotes: '%m'"),
    (
        "\"$user\", public",
        "8:8",
        "the value goes on behind its closing \": put all of it in quotes: '\"$user\", public'",
    ),
    ("\"a\"b # c", "8:8", "the value goes on behind its closing \": put all of it in quotes: '\"a\"b'"),
    (
        "'it's'",
        "8:8",
        "the value goes on behind its closing ': inside of single quotes write '' for a ', or use double quotes: \"it's\"",
    ),
    (
        "' #x'y'",
        "8:8",
        "the value goes on behind its closing ': inside of single quotes write '' for a ', or use double quotes: \" #x'y\"",
    ),
    ("'a', 'b'", "8:8", "the value goes on behind its closing ': put all of it in quotes: \"'a', 'b'\""),
    (
        "\"C:\\dir\"",
        "8:8",
        "inside of double quotes \\ begins an escape: use single quotes, or write \\\\ for a \\: 'C:\\dir'",
    ),
    ("@x", "8:8", "a value without quotes cannot begin with @: put it in quotes: '@x'"),
    ("`x`", "8:8", "a value without quotes cannot begin with `: put it in quotes: '`x`'"),
    (
        "*x",
        "8:8",
        "* before a name stands for what &name marks, and nothing is marked so: put it in quotes if it is text: '*x'",
    ),
    (">= 5", "8:8", "a value without quotes cannot begin with >: put it in quotes: '>= 5'"),
    ("|x", "8:8", "a value without quotes cannot begin with |: put it in quotes: '|x'"),
    (", x", "8:8", "a value without quotes cannot begin with ,: put it in quotes: ', x'"),
    ("]x", "8:8", "a value without quotes cannot begin with ]: put it in quotes: ']x'"),
    ("- x", "8:8", "a value without quotes cannot begin with -: put it in quotes: '- x'"),
    (
        "[%p] %m",
        "8:8",
        "the value goes on behind what [ opens: put all of it in quotes if it is text: '[%p] %m'",
    ),
    ("[a] b", "8:8", "the value goes on behind what [ opens: put all of it in quotes if it is text: '[a] b'"),
    (
        "a: b's",
        "8:8",
        "a value without quotes cannot hold another colon before a space or at its end: put it in quotes: \"a: b's\"",
    ),
];

#[test]
fn a_value_that_needs_quotes_is_told_with_its_quotes() {
    for (value, place, want) in VALUES {
        let text = format!("{HEAD}    x: {value}\n");
        let got = said(&text);
        assert_eq!(got, format!("a.yaml:{place}: {want}"), "{value}");
        // What is told to be right is, and means what was written.
        let (_, right) = got.rsplit_once("quotes: ").or_else(|| got.rsplit_once("\\: ")).unwrap_or(("", ""));
        let right = got.rsplit_once("text: ").map_or(right, |(_, right)| right);
        assert_eq!(said(&format!("{HEAD}    x: {right}\n")), "", "{value}: {right}");
        // Of somebody else's text nothing is repeated.
        let other = said(&text.replace("seawall.dev/v1", "example.org/v1"));
        assert!(other.starts_with("a.yaml:8:8: ") && !other.contains(right), "{other}");
        // Nor of one that is long.
        let long = said(&format!("{HEAD}    x: {value}{}\n", "z".repeat(60)));
        assert!(!long.contains("zz"), "{long}");
    }
}

#[test]
fn other_mistakes_are_told_in_words() {
    let open = |sign: char| format!("the {sign} that opens here is not closed: close it");
    for (lines, want) in [
        ("    x: {\n".to_owned(), format!("8:8: {}, or put the value in quotes if it is text", open('{'))),
        ("    x: [\n".to_owned(), format!("8:8: {}", open('['))),
        ("    x: [a\n    y: 1\n".to_owned(), format!("8:8: {}", open('['))),
        ("    x: {a b\n    y: 1\n".to_owned(), format!("8:8: {}", open('{'))),
        ("    x: \"abc\n    y: 1\n".to_owned(), format!("8:8: {}; inside, write \\\" for a \"", open('"'))),
        ("    x: 'abc\n    y: 1\n".to_owned(), format!("8:8: {}; inside, write '' for a '", open('\''))),
        (
            "    a.b:1\n    y: 2\n".to_owned(),
            "8:5: a space is missing behind the colon: write NAME: VALUE: a.b: 1".to_owned(),
        ),
        (
            "    a.b = 1\n".to_owned(),
            "8:5: a field is written with a colon: write NAME: VALUE: a.b: 1".to_owned(),
        ),
        ("    two words\n".to_owned(), "8:5: this line is no field: it has no colon".to_owned()),
        ("   y: 1\n".to_owned(), "8:4: this line is not indented like those beside it".to_owned()),
        ("      y: 1\n".to_owned(), "8:7: this line is not indented like those beside it".to_owned()),
        ("\ty: 1\n".to_owned(), "8:1: a tab cannot indent YAML: use spaces".to_owned()),
        ("    y: 1\n    \tz: 2\n".to_owned(), "9:5: a tab cannot indent YAML: use spaces".to_owned()),
        ("    y:\t1\n".to_owned(), "8:8: a tab stands behind the colon: use a space".to_owned()),
        ("%m\n".to_owned(), "8:1: a line cannot begin with %".to_owned()),
        (
            "    x: !y z\n".to_owned(),
            "8:8: spec.parameters.x: the tag \"!y\" is not known here: put the value in quotes".to_owned(),
        ),
        (
            "    x: &y\n    z: 1\n".to_owned(),
            "8:8: spec.parameters.x: & marks a value for later, and none follows: put the value".to_owned(),
        ),
    ] {
        let got = said(&format!("{HEAD}{lines}"));
        assert!(got.starts_with(&format!("a.yaml:{want}")), "{lines}: {got}");
        assert_eq!(got.lines().count(), 1, "{lines}: {got}");
    }
}

#[test]
fn a_merge_that_is_not_finished_is_told_as_one() {
    let merge = "<<<<<<< HEAD\n    x: 1\n=======\n    x: 2\n>>>>>>> other\n";
    let words = "a merge-conflict marker stands here: finish the merge";
    for (text, place) in [
        (format!("{HEAD}{merge}"), "8:1"),
        (format!("{}{HEAD}", merge.replace('\n', "\r\n")), "1:1"),
        (format!("{HEAD}    x: 2\n>>>>>>> other\n"), "9:1"),
        (format!("{HEAD}=======\n"), "8:1"),
        (format!("{{\n{merge}}}\n"), "2:1"),
    ] {
        let got = said(&text);
        assert!(got.starts_with(&format!("a.yaml:{place}: {words}")), "{got}");
    }
    // Within a text of several lines they are somebody's words.
    assert_eq!(said(&format!("{HEAD}    x: |-\n      a\n      =======\n")), "");
    assert!(!said(&format!("{HEAD}    x: |\n      =======\n    y: [\n")).contains("merge"));
}

#[test]
fn whatever_is_typed_anywhere_something_is_said_of_it_or_nothing_is_wrong() {
    let text = format!("{HEAD}    x: ['ä', \"b\"] # c\n    y: {{a: b}}\n  - 'it''s'\n");
    let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    for &at in &ends {
        for typed in [
            "", "'", "\"", "[", "]", "{", "}", ":", ": ", "-", "- ", "#", " #", "\\", "*", "&", "!", "|",
            "%", "\t", "\n", "é",
        ] {
            let (before, after) = text.split_at(at);
            for text in [format!("{before}{typed}{after}"), format!("{before}{typed}")] {
                let said = said(&text);
                assert!(
                    said.lines().all(|line| line.starts_with("a.yaml") && line.len() < 600),
                    "{text}: {said}"
                );
            }
        }
    }
}
