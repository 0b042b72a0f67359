//! News in, events out.

use super::*;
use std::sync::Arc;

fn marks(team: &str) -> Marks {
    let ready = if team == "shop" { Truth::True } else { Truth::False };
    Marks {
        labels: [("team".to_owned(), team.to_owned())].into(),
        conditions: vec![(ConditionType::Ready, ready)],
    }
}

/// `postgres/a`, whose team was each of these before, and is the last one; `-`: it was not there.
fn change(object: &str, revision: u64, teams: &[&str]) -> Change {
    let one = |team: &&str| (*team != "-").then(|| marks(team));
    let (now, before) = teams.split_last().unwrap();
    let first = revision + 1 - u64::try_from(before.len()).unwrap();
    let steps = (first..).zip(before.iter().map(|team| one(team).map(Arc::new))).collect();
    Change {
        object: object.parse().unwrap(),
        revision,
        steps,
        now: one(now),
        json: Bytes::from_static(b"{}"),
    }
}

fn word(pieces: &[Bytes]) -> String {
    let text = String::from_utf8(pieces.concat()).unwrap();
    text.lines().next().unwrap_or_default().trim_start_matches("event: ").to_owned()
}

#[test]
fn who_selects_is_told_what_comes_and_goes_for_him() {
    let cursor = |labels: &str, fields: &str| Cursor {
        kind: Some("postgres".parse().unwrap()),
        labels: labels.parse().unwrap(),
        fields: fields.parse().unwrap(),
        after: 10,
        wait: 0,
    };
    let all = cursor("", "");
    let (shop, ready, other) =
        (cursor("team=shop", ""), cursor("", "status.conditions.Ready=True"), cursor("", "metadata.name=b"));
    for (change, by_all, by_shop) in [
        (change("postgres/a", 11, &["-", "shop"]), "ADDED", "ADDED"),
        (change("postgres/a", 11, &["-", "x"]), "ADDED", ""),
        (change("postgres/a", 12, &["shop", "shop"]), "MODIFIED", "MODIFIED"),
        (change("postgres/a", 12, &["x", "shop"]), "MODIFIED", "ADDED"),
        (change("postgres/a", 12, &["shop", "x"]), "MODIFIED", "DELETED"),
        (change("postgres/a", 12, &["x", "x"]), "MODIFIED", ""),
        (change("postgres/a", 12, &["shop", "-"]), "DELETED", "DELETED"),
        (change("postgres/a", 12, &["x", "-"]), "DELETED", ""),
        (change("postgres/a", 12, &["-", "x", "-"]), "", ""),
        // Steps that he has heard of: what counts is what was before the first that he has not.
        (change("postgres/a", 12, &["x", "shop", "shop", "x"]), "MODIFIED", "DELETED"),
        (change("postgres/a", 10, &["x", "shop"]), "", ""),
        (change("redis/a", 12, &["-", "shop"]), "", ""),
    ] {
        assert_eq!(word(&all.change(&change)), by_all, "{change:?}");
        assert_eq!(word(&shop.change(&change)), by_shop, "{change:?}");
        assert_eq!(word(&ready.change(&change)), by_shop, "{change:?}");
        assert_eq!(word(&other.change(&change)), "", "{change:?}");
    }
}

#[test]
fn an_event_is_what_it_says_and_an_id_to_go_on_from() {
    let mut cursor = Cursor::default();
    let text = |pieces: Vec<Bytes>| String::from_utf8(pieces.concat()).unwrap();
    let one = Told::Change(Arc::new(change("redis/a", 7, &["-", "x"])));
    assert_eq!(text(cursor.hear(&one)), "event: ADDED\ndata: {\"type\":\"ADDED\",\"object\":{}}\n\n");
    let bookmark = "event: BOOKMARK\nid: 9\ndata: {\"type\":\"BOOKMARK\",\"object\":{\"apiVersion\":\"seawall.dev/v1\",\"kind\":\"\",\"metadata\":{\"resourceVersion\":\"9\"}}}\n\n";
    assert_eq!(text(cursor.hear(&Told::UpTo(9))), bookmark);
    let one = Told::Change(Arc::new(change("redis/a", 10, &["x", "y"])));
    let told = "event: MODIFIED\nid: 10\ndata: {\"type\":\"MODIFIED\",\"object\":{}}\n\n";
    assert_eq!(text(cursor.hear(&one)), told);
    // One in six, and never back.
    let told: Vec<String> = (0..12).map(|_| text(cursor.hear(&Told::UpTo(8)))).collect();
    let at: Vec<usize> = (0..12).filter(|n| !told[*n].is_empty()).collect();
    assert_eq!((at, told[5].as_str()), (vec![5, 11], bookmark));
}
