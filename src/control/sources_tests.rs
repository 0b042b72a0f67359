//! Tables: manifests in, what is in force out.

use super::*;
use crate::kinds::postgres::Postgres;
use crate::manifest::load::{FileText, load_texts};

const MAIN: &str =
    "apiVersion: seawall.dev/v1\nkind: Postgres\nmetadata: {name: main}\nspec: {version: '18'}\n";

fn named(name: &str) -> String {
    MAIN.replace("main", name)
}

fn loaded(files: &[(&str, &str)]) -> Loaded {
    load_texts(files.iter().map(|(f, t)| ((*f).to_owned(), FileText::Bytes(t.as_bytes().to_vec()))).collect())
}

struct World {
    records: BTreeMap<ObjectRef, Arc<Record>>,
    schemas: BTreeMap<Kind, Value>,
    kinds: Kinds,
    owned: BTreeMap<ObjectRef, ObjectRef>,
}

impl World {
    fn empty() -> Self {
        let kinds = Kinds::all(None);
        Self { records: BTreeMap::new(), schemas: kinds.spec_schemas(), kinds, owned: BTreeMap::new() }
    }
    fn new(files: &[(&str, &str)]) -> Self {
        let mut world = Self::empty();
        let first = world.read(files);
        assert_eq!(first.problems, vec![]);
        for (object, document) in first.documents {
            let mut record = Record::new(&document, "u".into(), "t".into());
            record.memory.edit_work(|work| work.password_generation = 1);
            world.records.insert(object, record.into());
        }
        world
    }
    fn read(&self, files: &[(&str, &str)]) -> InForce {
        read(
            &loaded(files),
            &Before {
                kinds: &self.kinds,
                records: &self.records,
                schemas: &self.schemas,
                host: Some(Host { cpus: 2, memory: 3 << 30 }),
                prune_confirmed: None,
                unread: &BTreeMap::new(),
                owned: &self.owned,
            },
        )
    }
}

fn names(set: &BTreeSet<ObjectRef>) -> Vec<String> {
    set.iter().map(ToString::to_string).collect()
}

#[test]
fn a_broken_file_keeps_what_it_named_and_stops_nothing_else() {
    let world = World::new(&[("a.yaml", MAIN), ("b.yaml", &named("other"))]);
    let now = world.read(&[("a.yaml", "kind: [broken"), ("b.yaml", &named("other"))]);
    assert_eq!(names(&now.gone), Vec::<String>::new());
    assert!(now.kept.contains_key(&"postgres/main".parse().unwrap()));
    assert!(now.checked.contains_key(&"postgres/other".parse().unwrap()));
    assert!(!now.problems.is_empty());
    let now = world.read(&[("a.yaml", &MAIN.replace("version", "verzion")), ("b.yaml", &named("other"))]);
    let why = &now.kept[&"postgres/main".parse().unwrap()];
    assert!(why.contains("version"), "{why}");
    assert!(!now.checked.contains_key(&"postgres/main".parse().unwrap()));
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let world = World::new(&[]);
    let spec = "{version: '9', prot: 1, resources: {memory: 512MB, swap: []}, port: 70000}";
    let in_doubt = ["spec.prot", "spec.resources.swap"];
    let judged = ["spec.port", "spec.resources.memory", "spec.version"];
    let heads = [
        (MAIN.to_owned(), vec![]),
        (named("Bad_Name"), vec!["metadata.name"]),
        (MAIN.replace("{name: main}", "{}"), vec!["metadata.name"]),
        (MAIN.replace("seawall.dev/v1", "v2"), vec!["apiVersion"]),
    ];
    for (head, of_head) in heads {
        let now = world.read(&[("a.yaml", &head.replace("{version: '18'}", spec))]);
        let mut paths: Vec<&str> = now.problems.iter().map(|p| p.path.as_str()).collect();
        paths.sort_unstable();
        let mut wanted: Vec<&str> = of_head.iter().chain(&in_doubt).chain(&judged).copied().collect();
        wanted.sort_unstable();
        assert_eq!(paths, wanted, "{head}");
        assert!(now.documents.is_empty() && now.checked.is_empty());
    }
    // A version that is misspelt or wrong is not missing as well; one beside another mistake is.
    for (spec, wanted) in [
        ("{verzion: '18'}", vec!["spec.verzion"]),
        ("{version: [18]}", vec!["spec.version"]),
        ("{image: {a: b}}", vec!["spec.image"]),
        ("{prot: 1}", vec!["spec.prot", "spec.version"]),
        ("{version: ~, port: [1]}", vec!["spec.port", "spec.version"]),
        (
            "{version: '18', foo: 1, port: '5432', stopped: [], parameters: {port: 1, a.b: [], c d: 1}}",
            vec![
                "spec.foo",
                "spec.parameters.port",
                "spec.parameters[\"a.b\"]",
                "spec.parameters[\"c d\"]",
                "spec.port",
                "spec.stopped",
            ],
        ),
    ] {
        let now = world.read(&[("a.yaml", &MAIN.replace("{version: '18'}", spec))]);
        let mut paths: Vec<&str> = now.problems.iter().map(|p| p.path.as_str()).collect();
        paths.sort_unstable();
        assert_eq!(paths, wanted, "{:?}", now.problems);
    }
    let catalog = MAIN.replace("Postgres", "ImageCatalog");
    let catalog = catalog.replace("{version: '18'}", "{egnine: postgres, images: {'18': {image: 'a:b:c'}}}");
    let now = world.read(&[("a.yaml", &catalog)]);
    let paths: Vec<&str> = now.problems.iter().map(|p| p.path.as_str()).collect();
    assert_eq!(paths, ["spec.engine", "spec.egnine", "spec.images.18.image"]);
}

#[test]
fn what_was_written_is_what_is_in_force() {
    let world = World::new(&[]);
    let catalog = "apiVersion: seawall.dev/v1\nkind: ImageCatalog\nmetadata: {name: own}\nspec: {engine: postgres, images: {17.1: {image: 'a:1'}, 17.10: {image: 'a:10'}}}\n";
    let spec = "{version: 17.10, database: 007, username: On, stopped: FALSE, resources: {memory: 512Mi, cpus: .5}, parameters: {log_file_mode: 0444, app.code: 007, app.v: 1.10, app.n: 12345678901234567890, app.t: True, jit: off, x.y: 1e3}}";
    let now = world.read(&[("a.yaml", &MAIN.replace("{version: '18'}", spec)), ("b.yaml", catalog)]);
    assert_eq!(now.problems, vec![]);
    let checked = now.checked[&"postgres/main".parse().unwrap()].typed::<Postgres>().unwrap();
    assert_eq!((checked.work.image.as_str(), checked.work.stopped), ("a:10", false));
    assert_eq!((checked.database.as_str(), checked.username.as_str()), ("007", "On"));
    assert_eq!(checked.work.caps.cpus.map(|cpus| cpus.0), Some(500_000_000));
    let parameters: Vec<(&str, &str)> =
        checked.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        parameters,
        [
            ("app.code", "007"),
            ("app.n", "12345678901234567890"),
            ("app.t", "True"),
            ("app.v", "1.10"),
            ("jit", "off"),
            ("log_file_mode", "0444"),
            ("x.y", "1e3"),
        ]
    );
}

#[test]
fn a_file_that_is_gone_removes_its_objects_unless_too_many() {
    let other = named("other");
    let third = named("third");
    let world = World::new(&[("a.yaml", MAIN), ("b.yaml", &other), ("c.yaml", &third)]);
    let one = world.read(&[("a.yaml", MAIN), ("b.yaml", &other)]);
    assert_eq!((names(&one.gone), one.guard.is_some()), (vec!["postgres/third".to_owned()], false));
    let two = world.read(&[("a.yaml", MAIN)]);
    assert_eq!((two.gone.len(), two.guard.unwrap().objects.len()), (0, 2));
    let all = world.read(&[]);
    assert_eq!((all.gone.len(), all.guard.unwrap().objects.len()), (0, 3));
}

#[test]
fn moving_an_object_to_another_file_is_no_removal() {
    let world = World::new(&[("a.yaml", MAIN)]);
    let now = world.read(&[("sub/z.yml", MAIN)]);
    assert!(now.gone.is_empty() && now.documents.len() == 1 && now.guard.is_none());
}

#[test]
fn of_two_documents_the_one_in_force_stays() {
    let world = World::new(&[("b.yaml", MAIN)]);
    let twin = MAIN.replace("'18'", "'17'");
    let now = world.read(&[("a.yaml", &twin), ("b.yaml", MAIN)]);
    let document = &now.documents[&"postgres/main".parse().unwrap()];
    assert_eq!(document.place.file, "b.yaml");
    let text: Vec<String> = now.problems.iter().map(ToString::to_string).collect();
    assert!(text.iter().any(|p| p.contains("a.yaml") && p.contains("b.yaml")), "{text:?}");
}

#[test]
fn a_catalog_in_the_directory_is_used_and_a_pinned_port_has_one_owner() {
    let catalog = "apiVersion: seawall.dev/v1\nkind: ImageCatalog\nmetadata: {name: local}\nspec: {engine: postgres, images: {'99': {image: 'x/y:1'}}}\n";
    let a = MAIN.replace("{version: '18'}", "{version: '99', port: 6000}");
    let b = named("other").replace("{version: '18'}", "{version: '99', port: 6000}");
    let world = World::empty();
    let now = world.read(&[("c.yaml", catalog), ("a.yaml", &a), ("b.yaml", &b)]);
    assert_eq!(now.checked[&"postgres/main".parse().unwrap()].work().unwrap().image.as_str(), "x/y:1");
    let text: Vec<String> = now.problems.iter().map(ToString::to_string).collect();
    assert!(
        text.len() == 1 && text[0].contains("b.yaml") && text[0].contains("also pinned by postgres/main"),
        "{text:?}"
    );
}

#[test]
fn a_file_that_is_still_there_removes_nothing_that_it_named() {
    let (a, b, c) = (MAIN, named("b"), named("c"));
    let five = format!("{a}---\n{b}---\n{c}---\n{}---\n{}", named("d"), named("e"));
    let world = World::new(&[("all.yaml", &five), ("o.yaml", &named("other"))]);
    let rows: [(&str, Vec<&str>); 6] = [
        // Cut between two documents: a legal file, and the same bytes as a clean edit.
        (&five[..five.find("---\n").unwrap()], vec!["postgres/b", "postgres/c", "postgres/d", "postgres/e"]),
        (&five[..five.rfind("---\n").unwrap()], vec!["postgres/e"]),
        ("", vec!["postgres/b", "postgres/c", "postgres/d", "postgres/e", "postgres/main"]),
        ("# only words\n", vec!["postgres/b", "postgres/c", "postgres/d", "postgres/e", "postgres/main"]),
        ("---\n---\n", vec!["postgres/b", "postgres/c", "postgres/d", "postgres/e", "postgres/main"]),
        // Half a document: nobody knows what it names.
        (&five[..five.len() - 60], vec![]),
    ];
    for (text, held) in rows {
        let now = world.read(&[("all.yaml", text), ("o.yaml", &named("other"))]);
        let guard = now.guard.unwrap_or_default();
        assert_eq!(names(&guard.held.keys().cloned().collect()), held, "{text}");
        assert_eq!((names(&now.gone), guard.why.as_str()), (vec![], ""), "{text}");
    }
    // Named elsewhere is moved, not held; gone with its file is gone.
    let now = world.read(&[
        ("all.yaml", &format!("{a}---\n{b}---\n{c}---\n{}", named("d"))),
        ("e.yaml", &named("e")),
        ("o.yaml", &named("other")),
    ]);
    assert!(now.guard.is_none() && now.gone.is_empty());
    let now = world.read(&[("all.yaml", &five)]);
    assert_eq!((names(&now.gone), now.guard), (vec!["postgres/other".to_owned()], None));
    // What one file holds back does not keep another file's object.
    let now = world.read(&[("all.yaml", &five[..five.rfind("---\n").unwrap()])]);
    assert_eq!(names(&now.gone), ["postgres/other"]);
    assert_eq!(names(&now.guard.unwrap().objects), ["postgres/e"]);
}

#[test]
fn an_object_for_which_nothing_was_made_is_not_held() {
    let mut world =
        World::new(&[("a.yaml", &format!("{MAIN}---\n{}", named("b"))), ("o.yaml", &named("other"))]);
    let b: ObjectRef = "postgres/b".parse().unwrap();
    Arc::make_mut(world.records.get_mut(&b).unwrap()).memory = Default::default();
    let now = world.read(&[("a.yaml", MAIN), ("o.yaml", &named("other"))]);
    assert_eq!((names(&now.gone), now.guard), (vec!["postgres/b".to_owned()], None));
}
