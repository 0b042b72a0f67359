//! Tables: what is wanted and what is there, and what becomes of it.

use super::*;
use crate::core::problem::Place;

fn object(name: &str) -> ObjectRef {
    let name = if name.contains('/') { name.to_owned() } else { format!("postgres/{name}") };
    name.parse().unwrap()
}

fn document(name: &str, spec: &str) -> Document {
    let object = object(name);
    serde_json::from_value(serde_json::json!({"name": object.name}))
        .map(|metadata| Document {
            object,
            metadata,
            spec: spec.into(),
            place: Place { file: "imagecatalog/s".into(), ..Place::default() },
            places: Default::default(),
        })
        .unwrap()
}

fn owner(uid: &str) -> Record {
    Record::new(&document("imagecatalog/s", "s"), uid.into(), String::new())
}

/// As the owner made it, with the spec `is`.
fn child(name: &str) -> Record {
    Record::child(&document(name, "is"), &owner("u"), format!("uid of {name}"), String::new())
}

fn gone(name: &str) -> Record {
    let mut child = child(name);
    child.let_go(Default::default());
    child
}

fn by_manifest(name: &str) -> Record {
    let mut document = document(name, "is");
    document.place.file = "a.yaml".into();
    Record::new(&document, "of a manifest".into(), String::new())
}

fn edited(mut record: Record, edit: impl FnOnce(&mut Record)) -> Record {
    edit(&mut record);
    record
}

/// `name spec`, and `name spec why it is illegal`.
fn wanted(text: &str) -> Wanted {
    let mut words = text.splitn(3, ' ');
    let (name, spec) = (words.next().unwrap(), words.next().unwrap());
    Wanted { document: document(name, spec), problem: words.next().map(str::to_owned) }
}

fn decided(
    owner: &Record,
    above: &[&str],
    want: Option<&[&str]>,
    known: Vec<Record>,
    at_rest: &[&str],
) -> Vec<String> {
    let family = Family {
        owner,
        above: above.iter().map(|name| object(name)).collect(),
        wanted: want.map(|all| all.iter().map(|text| wanted(text)).collect()),
        known: known.into_iter().map(|record| (record.object.clone(), Arc::new(record))).collect(),
        at_rest: at_rest.iter().map(|name| object(name)).collect(),
    };
    let mut plan: Plan<ChildStep> = Plan::default();
    decide(&family, &mut plan);
    let steps = plan.children.iter().map(|s| format!("{} {}: {}", s.sign.as_str(), s.action, s.cause));
    let waits = plan.waiting.iter().map(|w| format!("wait {}: {}", w.on, w.why));
    let blocks = plan.blocked.iter().map(|b| format!("block {}: {}: {}", b.reason, b.why, b.unblock));
    steps.chain(waits).chain(blocks).collect()
}

/// What it is about, what is wanted, what is there, what is to be done.
type Row = (&'static str, &'static [&'static str], Vec<Record>, &'static [&'static str]);
/// What it is about, what is there, what is at rest, what is to be done.
type Leaving = (&'static str, Vec<Record>, &'static [&'static str], &'static [&'static str]);

#[test]
fn what_is_wanted_and_what_is_there_give_what_is_to_be_done() {
    let rows: [Row; 16] = [
        ("nothing", &[], vec![], &[]),
        ("missing", &["a is"], vec![], &["+ make postgres/a: missing"]),
        ("as it should be", &["a is"], vec![child("a")], &[]),
        (
            "another spec",
            &["a new"],
            vec![child("a")],
            &["~ change postgres/a: something else is wanted of it"],
        ),
        (
            "another label",
            &["a is"],
            vec![edited(child("a"), |r| drop(r.metadata.labels.insert("k".into(), "v".into())))],
            &["~ change postgres/a: something else"],
        ),
        ("one too many", &["a is"], vec![child("a"), child("b")], &["- let postgres/b go: wanted no longer"]),
        ("let go already", &[], vec![gone("a")], &[]),
        ("wanted again", &["a is"], vec![gone("a")], &["~ change postgres/a: wanted again"]),
        (
            "deleted by name",
            &["a is"],
            vec![edited(gone("a"), |r| r.asked.delete = true)],
            &["wait ChildLeaving: postgres/a is on its way out"],
        ),
        (
            "renamed",
            &["a is"],
            vec![edited(gone("a"), |r| r.asked.renamed_to = Some(object("b")))],
            &["wait ChildLeaving"],
        ),
        (
            "illegal",
            &["a is no such version"],
            vec![],
            &["block ChildInvalid: postgres/a would be of no use: no such version: change imagecatalog/s"],
        ),
        ("illegal, and in force", &["a is host is smaller"], vec![child("a")], &[]),
        (
            "changed to something illegal",
            &["a new no such version", "b is"],
            vec![child("a")],
            &[
                "+ make postgres/b",
                "block ChildInvalid: postgres/a would be of no use: no such version; it stays as it is",
            ],
        ),
        (
            "twice",
            &["a is", "a new"],
            vec![],
            &["+ make postgres/a", "block ChildInvalid: imagecatalog/s wants postgres/a twice"],
        ),
        (
            "itself",
            &["imagecatalog/s is"],
            vec![owner("u")],
            &["block OwnsItsOwner: imagecatalog/s would own imagecatalog/s"],
        ),
        // Whatever is in the way of one holds up no other.
        (
            "one of three",
            &["a is", "b is", "c is"],
            vec![by_manifest("b"), child("c")],
            &["+ make postgres/a", "block NameConflict"],
        ),
    ];
    for (what, want, known, expected) in rows {
        let got = decided(&owner("u"), &[], Some(want), known, &[]);
        assert_eq!(got.len(), expected.len(), "{what}: {got:#?}");
        for (got, expected) in got.iter().zip(expected) {
            assert!(got.starts_with(expected), "{what}: {got}");
        }
    }
}

#[test]
fn what_it_did_not_make_is_never_taken_over_and_the_holder_is_named() {
    let other = Record::new(&document("imagecatalog/t", "t"), "other".into(), String::new());
    let of_other = Record::child(&document("a", "is"), &other, "x".into(), String::new());
    let rows = [
        ("a manifest's", by_manifest("a"), "which has a manifest in a.yaml"),
        ("kept", edited(by_manifest("a"), |r| r.source = None), "seawall delete postgres/a --confirm a"),
        (
            "the API's",
            edited(by_manifest("a"), |r| (r.source, r.by_api) = (None, true)),
            "managed by the API",
        ),
        ("another owner's", of_other, "which was made by imagecatalog/t"),
        (
            "of an owner of that name before",
            edited(child("a"), |r| r.owner.as_mut().unwrap().uid = "before".into()),
            "which was made by an earlier imagecatalog/s",
        ),
        (
            "kept from an owner of that name before",
            edited(gone("a"), |r| r.owner.as_mut().unwrap().uid = "before".into()),
            "which is kept",
        ),
    ];
    for (what, record, words) in rows {
        for want in [&["a is"], &["a new"]] {
            let got = decided(&owner("u"), &[], Some(want), vec![record.clone()], &[]);
            assert!(
                got.len() == 1 && got[0].starts_with("block NameConflict") && got[0].contains(words),
                "{what}: {got:?}"
            );
        }
        // Nor is it let go.
        let got = decided(&owner("u"), &[], Some(&[]), vec![record.clone()], &[]);
        assert!(got.is_empty(), "{what}: {got:?}");
    }
}

#[test]
fn what_cannot_be_told_changes_nothing() {
    let known = vec![child("a"), edited(gone("b"), |_| {})];
    assert_eq!(decided(&owner("u"), &[], None, known, &[]), Vec::<String>::new());
}

#[test]
fn owners_are_no_circle_and_no_endless_line() {
    let line = ["imagecatalog/t", "imagecatalog/u", "imagecatalog/v", "imagecatalog/w"];
    let got = decided(&owner("u"), &line[..2], Some(&["imagecatalog/u is"]), vec![], &[]);
    assert!(got.len() == 1 && got[0].starts_with("block OwnsItsOwner"), "{got:?}");
    let got = decided(&owner("u"), &line[..3], Some(&["a is"]), vec![], &[]);
    assert_eq!(got, ["+ make postgres/a: missing"]);
    let got = decided(&owner("u"), &line, Some(&["a is", "b new"]), vec![child("b")], &[]);
    assert!(got[0].contains("change postgres/b") && got[1].starts_with("block OwnersTooDeep"), "{got:?}");
}

#[test]
fn an_owner_that_goes_lets_all_go_and_waits_for_them() {
    let mut leaving = owner("u");
    leaving.let_go(Default::default());
    let stranger = by_manifest("x");
    let rows: [Leaving; 4] = [
        ("none", vec![stranger.clone()], &[], &[]),
        (
            "all there",
            vec![child("a"), child("b"), stranger.clone()],
            // Said before it was wanted last.
            &["a"],
            &[
                "- let postgres/a go: its owner goes",
                "- let postgres/b go: its owner goes",
                "wait ChildrenLeaving: waits for postgres/a, postgres/b to go first",
            ],
        ),
        (
            "one still runs",
            vec![gone("a"), gone("b")],
            &["b"],
            &["wait ChildrenLeaving: waits for postgres/a to go first"],
        ),
        ("only data left", vec![gone("a"), gone("b")], &["a", "b"], &[]),
    ];
    for (what, known, at_rest, expected) in rows {
        assert_eq!(decided(&leaving, &[], Some(&[]), known, at_rest), expected, "{what}");
    }
}

#[test]
fn nobody_has_more_children_than_can_be_looked_after() {
    let names: Vec<String> = (0..=MAX_CHILDREN).map(|n| format!("n{n} is")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let all = decided(&owner("u"), &[], Some(&names), vec![child("z")], &[]);
    assert_eq!(
        all,
        ["block TooManyChildren: imagecatalog/s wants 1001 objects, and may have 1000: let it make less"]
    );
    assert_eq!(decided(&owner("u"), &[], Some(&names[1..]), vec![], &[]).len(), MAX_CHILDREN);
}
