//! Which changes are told since a revision, with what was before them.

use super::*;

fn object(name: &str) -> ObjectRef {
    format!("postgres/{name}").parse().unwrap()
}

fn marks(team: &str) -> Option<Marks> {
    Some(Marks { labels: [("team".to_owned(), team.to_owned())].into(), ..Marks::default() })
}

fn last(name: &str) -> Last {
    let record = serde_json::json!({
        "object": format!("postgres/{name}"), "uid": "u", "createdAt": "", "generation": 1,
        "metadata": {"name": name}, "spec": {}, "source": null,
    });
    Last { record: Arc::new(serde_json::from_value(record).unwrap()), status: None, seen: true }
}

/// `a@11 x>y`: at this revision, with these teams before each change, `-` for none; `!`: it is no more.
fn told(versions: &Versions, since: u64) -> Option<Vec<String>> {
    let team =
        |marks: &Option<Arc<Marks>>| marks.as_ref().map_or("-".to_owned(), |m| m.labels["team"].clone());
    let words = |c: Changed| {
        let steps: Vec<String> = c.steps.iter().map(|(_, before)| team(before)).collect();
        let gone = if c.last.is_some() { "!" } else { "" };
        format!("{}@{} {}{gone}", c.object.name, c.revision, steps.join(">"))
    };
    Some(versions.since(since)?.into_iter().map(words).collect())
}

#[test]
fn each_change_has_a_revision_and_what_was_before_it() {
    let (a, b) = (object("a"), object("b"));
    let mut versions = Versions::from(10);
    versions.touch(&b, None);
    // Not told yet: what was before is what was before the first of them.
    versions.touch(&a, marks("x"));
    versions.touch(&a, marks("lost"));
    assert_eq!((versions.stamp(10), versions.of(&b), versions.of(&a)), (12, 11, 12));
    assert_eq!(versions.stamp(12), 13, "another one in any case");
    versions.touch(&a, marks("y"));
    assert_eq!(versions.stamp(13), 14);
    for (since, want) in [
        (10, vec!["b@11 -", "a@14 x>y"]),
        (11, vec!["a@14 x>y"]),
        (12, vec!["a@14 y"]),
        (13, vec!["a@14 y"]),
        (14, vec![]),
    ] {
        assert_eq!(told(&versions, since).unwrap(), want, "{since}");
    }
    // Of another process, or of none.
    assert_eq!((told(&versions, 9), told(&versions, 15)), (None, None));
    assert_eq!(versions.of(&object("never")), 10);
}

#[test]
fn what_is_gone_is_told_and_is_not_what_has_its_name_then() {
    let a = object("a");
    let mut versions = Versions::from(10);
    versions.touch(&a, marks("x"));
    versions.forget(&a, marks("y"), last("a"));
    versions.touch(&a, None);
    assert_eq!(versions.stamp(10), 13);
    assert_eq!(told(&versions, 10).unwrap(), ["a@12 x>y!", "a@13 -"]);
    assert_eq!(told(&versions, 11).unwrap(), ["a@12 y!", "a@13 -"]);
    assert_eq!(versions.of(&a), 13);
    versions.forget(&a, marks("z"), last("a"));
    versions.stamp(13);
    assert_eq!(told(&versions, 12).unwrap(), ["a@14 ->z!"]);
    assert_eq!(versions.of(&a), 10);
}

#[test]
fn so_much_is_kept_and_no_more() {
    let mut versions = Versions::from(0);
    let many = u64::try_from(KEPT).unwrap() + 10;
    for n in 0..many {
        versions.touch(&object("a"), None);
        versions.stamp(n);
    }
    assert_eq!((versions.log.len(), versions.of.len()), (KEPT, 1));
    assert_eq!((versions.since(9).is_none(), versions.since(10).unwrap().len()), (true, 1));
    // What objects were is larger than that they changed.
    for n in 0..300 {
        versions.forget(&object(&format!("o{n}")), None, last("o"));
    }
    let newest = versions.stamp(many);
    assert_eq!((versions.log.len(), versions.lasts), (KEPT_LAST, KEPT_LAST));
    assert_eq!(versions.since(newest - 256).unwrap().len(), 256);
    assert!(versions.since(newest - 257).is_none());
}
