//! The rules of `deploy/prometheus/`: each alert has a page, a test that fires it, and asks for nothing that is not told.
//! Whether Prometheus understands them is told by `make test-alerts`.

use super::{Sort, families};
use seawall::cli::args::{Args, Verb};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

fn yaml(file: &str) -> Value {
    serde_yaml::from_str(&fs::read_to_string(path(file)).unwrap()).unwrap()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field}: {value}"))
}

/// Rules with this field: alerts, or what is recorded.
fn rules(field: &str) -> Vec<Value> {
    let file = yaml("deploy/prometheus/seawall.rules.yml");
    let groups = file["groups"].as_array().unwrap().iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
    rules.filter(|rule| rule.get(field).is_some()).cloned().collect()
}

/// Names of metrics in a query: words with our prefix that are no label.
fn metrics_in(query: &str) -> BTreeSet<String> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let words = query.split(|c| !is_of_name(c));
    let of_job = |word: &&str| word.starts_with("seawall_") || word.starts_with("seawall:");
    words.filter(of_job).map(ToOwned::to_owned).collect()
}

/// Every name that a query may ask for.
fn told() -> BTreeSet<String> {
    let mut names: BTreeSet<String> =
        rules("record").iter().map(|rule| text(rule, "record").to_owned()).collect();
    for family in families() {
        match family.sort {
            Sort::Histogram => {
                names.extend(["_bucket", "_sum", "_count"].map(|end| format!("{}{end}", family.name)))
            }
            _ => drop(names.insert(family.name.to_owned())),
        }
    }
    names
}

#[test]
fn every_query_asks_for_what_is_told_and_the_dashboard_for_all_of_a_server() {
    let told = told();
    for rule in rules("expr") {
        let unknown: Vec<_> =
            metrics_in(text(&rule, "expr")).into_iter().filter(|name| !told.contains(name)).collect();
        assert!(unknown.is_empty(), "{unknown:?} in {rule}");
    }
    let dashboard: Value =
        serde_json::from_str(&fs::read_to_string(path("deploy/grafana/seawall.json")).unwrap()).unwrap();
    let (mut queries, mut shown) = (0, BTreeSet::new());
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            queries += 1;
            let asks_for = metrics_in(text(target, "expr"));
            shown.extend(asks_for.clone());
            let unknown: Vec<_> = asks_for.into_iter().filter(|name| !told.contains(name)).collect();
            assert!(unknown.is_empty(), "{unknown:?} in {target}");
        }
    }
    assert!(queries > 10, "{queries}");
    let of_inside = ["seawall_postgres_", "seawall_redis_"];
    let hidden: Vec<_> = told
        .into_iter()
        .filter(|name| of_inside.iter().any(|kind| name.starts_with(kind)) && !shown.contains(name))
        .collect();
    assert!(hidden.is_empty(), "no panel shows {hidden:?}");
}

#[test]
fn every_alert_has_a_page_and_a_test_that_fires_it() {
    let tests = yaml("deploy/prometheus/seawall.test.yml");
    let tests = tests["tests"].as_array().unwrap().iter();
    let rows: Vec<&Value> = tests.flat_map(|test| test["alert_rule_test"].as_array().unwrap()).collect();
    let mut pages = BTreeSet::new();
    for alert in rules("alert") {
        let name = text(&alert, "alert");
        let fires = |row: &&&Value| row["alertname"] == name && row["exp_alerts"].as_array().is_some();
        let quiet = |row: &&&Value| row["alertname"] == name && row["exp_alerts"].is_null();
        assert!(rows.iter().any(|row| fires(&row)), "no test fires {name}");
        assert!(rows.iter().any(|row| quiet(&row)), "no test leaves {name} quiet");
        let page = text(&alert["annotations"], "runbook");
        assert_eq!(page, format!("docs/runbooks/{name}.md"));
        assert!(!text(&alert["annotations"], "summary").is_empty());
        let severity = alert["labels"]["severity"].as_str();
        let of_warning = severity.is_none() && text(&alert, "expr").contains("seawall_warning{");
        assert!(
            of_warning || severity.is_some_and(|s| ["info", "warning", "critical"].contains(&s)),
            "{name}"
        );
        pages.insert(format!("{name}.md"));
    }
    let there = fs::read_dir(path("docs/runbooks")).unwrap();
    let there: BTreeSet<String> =
        there.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(there, pages, "a page an alert, and no other");
}

/// The lines of a page's blocks of commands.
fn commands(page: &str) -> Vec<&str> {
    let blocks = page.split("```sh\n").skip(1);
    blocks.flat_map(|block| block.split("```").next().unwrap().lines()).collect()
}

#[test]
fn every_page_says_what_to_look_at_and_its_commands_destroy_nothing() {
    for alert in rules("alert") {
        let file = format!("docs/runbooks/{}.md", text(&alert, "alert"));
        let page = fs::read_to_string(path(&file)).unwrap();
        for part in ["# ", "## What it means", "## How to look", "## What to do"] {
            assert!(page.contains(part), "{file} has no {part:?}");
        }
        let lines = commands(&page);
        assert!(!lines.is_empty(), "{file}");
        for line in lines {
            let line = line.split('#').next().unwrap().trim();
            // Only what reads. `restart`, `start` and `validate` are for a person who has read the page.
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.first().copied() {
                Some("seawall") => {
                    let args = words.iter().map(|word| word.trim_matches('\'').into());
                    let verb = Args::read(args).unwrap_or_else(|e| panic!("{file}: {line}: {e}")).verb;
                    let destroys = matches!(
                        verb,
                        Verb::Delete(_) | Verb::Reinitialise(_) | Verb::Recover(_) | Verb::ReleasePort(_)
                    );
                    assert!(!destroys, "{file}: {line}");
                }
                Some("docker") => {
                    let reads = ["ps", "inspect", "stats", "info", "logs", "events", "version", "system"];
                    assert!(reads.contains(&words[1]) && !line.contains("prune"), "{file}: {line}");
                }
                Some(first) => {
                    let known = ["curl", "df", "systemctl", "journalctl", "promtool", "git"];
                    assert!(known.contains(&first), "{file}: {line}");
                    let systemctl =
                        first != "systemctl" || ["status", "start", "restart"].contains(&words[1]);
                    assert!(systemctl && !line.contains(" rm "), "{file}: {line}");
                }
                None => {}
            }
        }
    }
}
