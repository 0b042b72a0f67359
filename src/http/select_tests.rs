//! Tables: a selector and objects in, which are meant out.

use super::*;
use crate::control::api::MetadataView;
use crate::core::names::Kind;
use serde_json::json;

fn view(name: &str, labels: &[(&str, &str)], ready: Option<&str>) -> ObjectView {
    let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let conditions: Vec<Value> =
        ready.iter().map(|status| json!({"type": "Ready", "status": status})).collect();
    ObjectView {
        api_version: String::new(),
        kind: Kind::ALL[0].as_str().to_owned(),
        metadata: MetadataView { name: name.to_owned(), labels, ..MetadataView::default() },
        spec: Value::Null,
        status: json!({"conditions": conditions}),
        not_saved_since: None,
    }
}

fn three() -> Vec<ObjectView> {
    vec![
        view("a", &[("team", "shop"), ("tier", "db")], Some("True")),
        view("b", &[("team", "web")], Some("False")),
        view("c", &[], None),
    ]
}

fn names(items: &[ObjectView]) -> String {
    items.iter().map(|view| view.metadata.name.as_str()).collect()
}

#[test]
fn labels_select_as_kubectl_does() {
    for (selector, want) in [
        ("", "abc"),
        ("team=shop", "a"),
        ("team == shop", "a"),
        ("team!=shop", "bc"),
        ("team", "ab"),
        ("!team", "c"),
        ("team in (shop, web),tier", "a"),
        ("team notin (shop)", "bc"),
        ("team=shop,tier=cache", ""),
        ("team=", ""),
    ] {
        let labels: Labels = selector.parse().unwrap();
        let mut all = three();
        all.retain(|view| labels.select(view));
        assert_eq!(names(&all), want, "{selector}");
    }
    for wrong in ["=a", "team of (a)", "team in (a", "in (a)", "a b", "a=b)(,c d"] {
        assert!(wrong.parse::<Labels>().unwrap_err().contains("team in (a,b)"), "{wrong}");
    }
}

#[test]
fn fields_select_by_name_and_condition_and_others_are_named() {
    for (selector, want) in [
        ("metadata.name=b", "b"),
        ("metadata.name!=b", "ac"),
        ("status.conditions.Ready=True", "a"),
        ("status.conditions.Ready!=True", "bc"),
        ("status.conditions.Ready=Unknown", "c"),
        ("metadata.name=a,status.conditions.Ready==False", ""),
    ] {
        let fields: Fields = selector.parse().unwrap();
        let mut all = three();
        all.retain(|view| fields.select(view));
        assert_eq!(names(&all), want, "{selector}");
    }
    for (wrong, says) in [
        ("spec.version=18", "there are metadata.name and status.conditions.TYPE"),
        ("metadata.name", "write metadata.name=main"),
        ("status.conditions.Happy=True", "`WalHealthy`"),
        ("status.conditions.Ready=true", "`True`"),
    ] {
        let error = wrong.parse::<Fields>().unwrap_err();
        assert!(error.contains(says), "{wrong}: {error}");
    }
}

#[test]
fn pages_are_the_whole_list_once() {
    let (mut seen, mut after) = (String::new(), None);
    for remaining in [Some(2), Some(1), None] {
        let page = page(three(), 1, after.as_ref());
        assert_eq!((page.items.len(), page.remaining), (1, remaining));
        seen += &names(&page.items);
        after = page.next.map(|next| next.parse::<ObjectRef>().unwrap());
    }
    assert_eq!((seen.as_str(), after), ("abc", None));
    assert_eq!(page(three(), 0, None), Page { items: three(), next: None, remaining: None });
    // What is gone meanwhile moves nothing.
    let gone = page(three().split_off(1), 1, Some(&object(&view("a", &[], None)).unwrap()));
    assert_eq!(names(&gone.items), "b");
}
