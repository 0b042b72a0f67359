//! Links beside one another and beside what they refer to: who has a database, what keeps a service, and what goes when.

use crate::harness::{Frozen, Sea, condition, manifest, text, version, wait_for};
use crate::links::{forgotten, link, linked, ok, project, variable};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use seawall::kinds::postgres::client::Sql;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

const SHOP: &str = "link/shop-main";
const LATE: &str = "link/late";
const HERE: &str = "SELECT count(*) FROM pg_database WHERE datname = 'shop_production'";

/// A link whose database may go with it, as its manifest says.
fn given_up(sea: &Sea) {
    let text = "apiVersion: seawall.dev/v1\nkind: Link\nmetadata: {name: shop-main, annotations: {seawall.dev/confirm-delete: shop-main}}\nspec: {service: postgres/main, project: shop, environment: production, deletionPolicy: Delete}\n";
    sea.write("shop-main.yaml", text);
}

#[test]
fn a_database_is_the_first_links_and_what_is_linked_is_not_deleted() {
    let sea = Sea::start();
    let confirm = "seawall.dev/confirm-delete: main";
    let spec = format!("{{version: '{}', deletionPolicy: Delete}}", version());
    sea.write("main.yaml", &manifest("main", confirm, &spec));
    project(&sea, "shop");
    link(&sea, "shop-main", "shop", "");
    linked(&sea, SHOP);
    ok(&sea, "shop/production", "CREATE TABLE visits (n int); INSERT INTO visits VALUES (7)");
    // Two want one database: the first has it, and the other one nothing, until the first is gone.
    let before = sea.ok(&["env", "shop/production", "--reveal"]);
    link(&sea, "late", "shop", ", prefix: LATE");
    let words = sea.until_condition(LATE, "Ready", "False", "NameConflict");
    assert!(words.contains("database postgres/main shop_production is link/shop-main's"), "{words}");
    assert!(words.contains("spec.database"), "{words}");
    let roles = "SELECT string_agg(rolname, ',' ORDER BY rolname) FROM pg_roles WHERE rolcanlogin";
    assert_eq!(sea.sql("main", roles), "postgres,seawall-monitor,shop_main_a");
    assert_eq!(sea.ok(&["env", "shop/production", "--reveal"]), before);
    linked(&sea, SHOP);
    let old = variable(&sea, "shop/production", "POSTGRES_URL");
    sea.remove("shop-main.yaml");
    forgotten(&sea, SHOP);
    linked(&sea, LATE);
    assert_eq!(sea.sql("main", roles), "late_a,postgres,seawall-monitor");
    let url = variable(&sea, "shop/production", "LATE_URL");
    let asks = |url: &str| {
        let output =
            std::process::Command::new("psql").args(["-XAtq", url, "-c", "SELECT n FROM visits"]).output();
        text(&output.unwrap())
    };
    assert!(asks(&url).contains('7'), "the database of the environment has its data: {}", asks(&url));
    assert!(asks(&old).contains("not permitted to log in"), "{}", asks(&old));

    // With its manifest and by the command: the data stay, and who keeps them is named.
    let refused = || text(&sea.cli(&["delete", "postgres/main", "--confirm", "main"]));
    let volume = sea.volume("main");
    sea.remove("main.yaml");
    let words = sea.until_condition("main", "Degraded", "True", "ReferredTo");
    assert!(words.contains("link/late refers to it") && words.contains("remove link/late"), "{words}");
    let said = refused();
    assert!(said.contains("referred to by link/late; nothing was changed"), "{said}");
    assert_eq!(sea.volumes(), [volume]);
    // What comes back is as it was; what goes for good goes after its links.
    sea.write("main.yaml", &manifest("main", confirm, &spec));
    linked(&sea, LATE);
    assert!(asks(&url).contains('7'), "{}", asks(&url));
    sea.remove("main.yaml");
    sea.until_condition("main", "Degraded", "True", "ReferredTo");
    sea.remove("late.yaml");
    forgotten(&sea, "postgres/main");
    forgotten(&sea, LATE);
    assert!(sea.volumes().is_empty() && sea.containers().is_empty());
}

#[test]
fn a_server_that_hangs_takes_ready_from_its_own_links_alone() {
    let sea = Sea::start();
    sea.main();
    sea.postgres("well", &format!("{{version: '{}'}}", version()));
    project(&sea, "shop");
    let well = |name: &str, prefix: &str| {
        let text = format!(
            "apiVersion: seawall.dev/v1\nkind: Link\nmetadata: {{name: {name}}}\nspec: {{service: postgres/well, project: shop, environment: production, prefix: {prefix}, database: {name}}}\n"
        );
        sea.write(&format!("{name}.yaml"), &text);
    };
    link(&sea, "shop-main", "shop", "");
    link(&sea, "second", "shop", ", database: second, prefix: SECOND");
    well("one", "ONE");
    let hang = [SHOP, "link/second"];
    hang.iter().chain(&["link/one"]).for_each(|name| linked(&sea, name));
    let first = sea.status("main");
    let before = sea.ok(&["env", "shop/production", "--reveal"]);

    let frozen = Frozen::container(&sea.container("main"));
    let since = Instant::now();
    sea.until_condition("main", "Ready", "False", "ServerHung");
    for name in hang {
        let words = sea.until_condition(name, "Ready", "False", "ServiceNotReady");
        assert!(words.contains("postgres/main is not Ready"), "{words}");
    }
    let lost = since.elapsed();
    // A new one beside them is made as ever.
    let since = Instant::now();
    well("two", "TWO");
    linked(&sea, "link/two");
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}; it was lost after {lost:?}", since.elapsed());
    let said = text(&sea.cli(&["rotate", SHOP]));
    assert!(said.contains("is not Ready; nothing was changed"), "{said}");
    // Long enough for whoever is looked at in turn.
    let until = Instant::now() + Duration::from_secs(8);
    while Instant::now() < until {
        for name in ["link/one", "link/two"] {
            assert_eq!(sea.condition(name, "Ready").0, "True", "{name}: {:?}", sea.status(name));
        }
    }
    drop(frozen);
    hang.iter().for_each(|name| linked(&sea, name));
    assert_eq!(sea.status("main")["container"]["startedAt"], first["container"]["startedAt"]);
    let after = sea.ok(&["env", "shop/production", "--reveal"]);
    assert!(before.lines().all(|line| after.contains(line)), "no password was changed for it");
    assert_eq!(ok(&sea, "shop/production", "SELECT current_database()"), "shop_production");
}

#[test]
fn a_database_that_its_manifest_gave_up_goes_after_the_grace_and_not_before() {
    let mut sea = Sea::new();
    sea.main();
    project(&sea, "shop");
    given_up(&sea);
    sea.run_with(&[("SEAWALL_DELETION_GRACE", "6s")]);
    linked(&sea, SHOP);
    ok(&sea, "shop/production", "CREATE TABLE visits (n int); INSERT INTO visits VALUES (7)");
    let before = sea.ok(&["env", "shop/production", "--reveal"]);
    sea.remove("shop-main.yaml");
    let words = sea.until_condition(SHOP, "Ready", "False", "DeletionPending");
    assert!(
        words.contains("\"shop_production\" is deleted") && words.contains("bring the manifest back"),
        "{words}"
    );
    let closed = "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'shop_main%' AND rolcanlogin";
    assert_eq!((sea.sql("main", closed).as_str(), sea.sql("main", HERE).as_str()), ("0", "1"));
    // Back within it: the same database, login and password.
    given_up(&sea);
    linked(&sea, SHOP);
    assert_eq!(sea.ok(&["env", "shop/production", "--reveal"]), before);
    std::thread::sleep(Duration::from_secs(8));
    assert_eq!(ok(&sea, "shop/production", "SELECT n FROM visits"), "7");
    // Gone again, it goes, and takes its roles along: a crash in between is no consent lost, and no time that nobody watched.
    let gone = Instant::now();
    sea.remove("shop-main.yaml");
    sea.until_condition(SHOP, "Ready", "False", "DeletionPending");
    sea.kill();
    sea.run_with(&[("SEAWALL_DELETION_GRACE", "6s")]);
    wait_for("the database to go", || (sea.sql("main", HERE) == "0").then_some(()));
    assert!(gone.elapsed() >= Duration::from_secs(6), "{:?}", gone.elapsed());
    forgotten(&sea, SHOP);
    assert_eq!(sea.sql("main", "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'shop%'"), "0");
    // The same manifest begins anew.
    given_up(&sea);
    linked(&sea, SHOP);
    let empty = "SELECT count(*) FROM pg_tables WHERE tablename = 'visits'";
    assert_eq!(ok(&sea, "shop/production", empty), "0");
    assert_eq!(condition(&sea.status("main"), "Ready").0, "True");
}

/// Whatever is in it, also for a server that reads backslashes as it once did.
#[test]
fn any_text_is_one_value_and_one_name_to_a_server() {
    let sea = Sea::start();
    sea.main();
    sea.ready("main");
    let hostile = "'\"\\\\E;-/*${}()%: \n\t\u{1b}\u{1}a_é𝄞".chars().collect::<Vec<_>>();
    let c = prop_oneof![8 => select(hostile), 1 => any::<char>()];
    // A name has 63 bytes at most.
    let texts = vec(c.prop_filter("PostgreSQL has no such text", |c| *c != '\0'), 1..15);
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let (mut script, mut want) = ("SET escape_string_warning = off;\n".to_owned(), Vec::new());
    for conforming in ["on", "off"] {
        writeln!(script, "SET standard_conforming_strings = {conforming};").unwrap();
        for _ in 0..200 {
            let text: String = texts.new_tree(&mut runner).unwrap().current().into_iter().collect();
            let sql = Sql::of("SELECT encode(convert_to(")
                .literal(&text)
                .then(", 'UTF8'), 'hex'), (SELECT encode(convert_to(k, 'UTF8'), 'hex') FROM json_object_keys(row_to_json(t)) AS k) FROM (SELECT 1 AS ")
                .identifier(&text)
                .then(") AS t;\n");
            script += sql.as_str();
            let hex = text.bytes().fold(String::new(), |all, byte| format!("{all}{byte:02x}"));
            want.push(format!("{hex}|{hex}"));
        }
    }
    let path = sea.root().join("names.sql");
    std::fs::write(&path, script).unwrap();
    let url = sea.ok(&["connection", "postgres/main", "--reveal", "-o", "url"]);
    let psql =
        sea.program("psql").args([url.trim(), "-XAtq", "-v", "ON_ERROR_STOP=1", "-f"]).arg(&path).output();
    let psql = psql.unwrap();
    assert!(psql.status.success(), "{}", text(&psql));
    let got = String::from_utf8(psql.stdout).unwrap();
    assert_eq!(got.lines().collect::<Vec<_>>(), want);
}
