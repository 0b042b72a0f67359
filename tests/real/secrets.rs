//! Secrets that manifests name, and the key that seals what the store holds, on real servers.

use super::harness::{Sea, condition, docker, text, version, wait_for};
use crate::kinds::Kind;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

const FIRST: &str = "First pässword, 'quoted' \"twice\" %40";
/// The client of the tests takes no blanks.
const ODD: &str = "Fïrst-%40-pa#ssword>all";
const SECOND: &str = "TheSecondPasswordOfAll";
const THIRD: &str = "TheThirdPasswordOfAll";
const FOURTH: &str = "TheFourthPasswordOfAll";

pub fn sealed(sea: &Sea, place: &str, secret: &str, more: &[&str]) -> String {
    let mut command = sea.command();
    command.args(["seal", "--for", place]).args(more);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{secret}").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn with_sealed(sea: &Sea, letter: &str) {
    sea.postgres(
        "a",
        &format!("{{version: '{}', password: {{valueFrom: {{sealed: '{letter}'}}}}}}", version()),
    );
}

fn put_file(sea: &Sea, secret: &str) {
    let dir = sea.data.join("secrets");
    fs::create_dir_all(&dir).unwrap();
    let (draft, path) = (dir.join("a.new"), dir.join("a"));
    fs::write(&draft, format!("{secret}\n")).unwrap();
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(draft, path).unwrap();
}

fn comes_to_be(sea: &Sea, secret: &str) {
    wait_for("the password of the manifest", || sea.lets_in("a", secret).then_some(()));
    sea.ready("a");
    assert_eq!(sea.password("a"), secret);
}

#[test]
fn a_password_of_a_manifest_is_the_servers_and_another_one_reaches_it_without_a_restart() {
    let mut sea = Sea::start();
    let key = sea.ok(&["keys", "public"]);
    // As on a laptop that has nothing but the key.
    let letter = sealed(&sea, "postgres/a:password", FIRST, &["--to", key.trim()]);
    with_sealed(&sea, &letter);
    let first = sea.ready("a");
    assert!(sea.lets_in("a", FIRST) && !sea.lets_in("a", SECOND));
    assert_eq!(sea.password("a"), FIRST);

    with_sealed(&sea, &sealed(&sea, "postgres/a:password", SECOND, &[]));
    comes_to_be(&sea, SECOND);
    assert!(!sea.lets_in("a", FIRST), "the old one still opens");
    sea.event("PasswordTaken", "spec.password has another value");

    // Of another object: a problem at its line, and everything stays as it is.
    with_sealed(&sea, &sealed(&sea, "postgres/b:password", THIRD, &[]));
    let words = text(&sea.cli(&["validate", sea.manifests.to_str().unwrap()]));
    assert!(
        words.contains("spec.password.valueFrom.sealed") && words.contains("for postgres/b:password"),
        "{words}"
    );
    assert!(sea.lets_in("a", SECOND));

    // A file that others can read is not taken, a private one is; then it changes, and nobody says so.
    put_file(&sea, THIRD);
    fs::set_permissions(sea.data.join("secrets/a"), fs::Permissions::from_mode(0o644)).unwrap();
    sea.postgres("a", &format!("{{version: '{}', password: {{valueFrom: {{file: ./a}}}}}}", version()));
    let words = sea.until_condition("a", "Degraded", "True", "SecretUnreadable");
    assert!(words.contains("chmod 600") && words.contains("stays as it was"), "{words}");
    assert!(sea.lets_in("a", SECOND));
    put_file(&sea, THIRD);
    comes_to_be(&sea, THIRD);
    put_file(&sea, FOURTH);
    comes_to_be(&sea, FOURTH);
    let last = sea.status("a");
    for field in ["id", "startedAt"] {
        assert_eq!(last["container"][field], first["container"][field], "{field}");
    }

    // Changed by hand, it is the manifest's again.
    docker(&[
        "exec",
        "-u",
        "postgres",
        &sea.container("a"),
        "psql",
        "-X",
        "-q",
        "-U",
        "postgres",
        "-d",
        "postgres",
        "-c",
        "ALTER ROLE postgres PASSWORD 'by hand'",
    ]);
    wait_for("the repair", || sea.lets_in("a", FOURTH).then_some(()));

    // Everything is sealed with another key, and the operator dies at once.
    sea.ready("a");
    let before = fs::read(sea.data.join("encryption_key")).unwrap();
    let words = sea.ok(&["keys", "rotate", "--cipher", "xchacha20-poly1305"]);
    assert!(words.contains("2 records sealed with key") && words.contains("XChaCha20-Poly1305"), "{words}");
    sea.kill();
    assert_ne!(fs::read(sea.data.join("encryption_key")).unwrap(), before);
    sea.run();
    sea.ready("a");
    assert_eq!(sea.ok(&["keys", "verify"]), "2 records, all open\n");
    assert!(sea.ok(&["keys", "list"]).contains("XChaCha20-Poly1305"));
    assert!(sea.lets_in("a", FOURTH));

    // A secret is nowhere but sealed, and in the one file of the user's own.
    let places = [
        ("inspect", docker(&["inspect", &sea.container("a")])),
        ("container log", text(&sea.cli(&["logs", "postgres/a"]))),
        ("export", sea.ok(&["export"])),
        ("describe", sea.ok(&["describe", "postgres/a"])),
        ("events", sea.ok(&["events"])),
        ("get", sea.ok(&["get", "postgres/a", "-o", "yaml"])),
        ("plan", text(&sea.cli(&["plan"]))),
        ("log", sea.log()),
        ("status file", fs::read_to_string(sea.data.join("status/postgres/a.yaml")).unwrap()),
    ];
    for (place, words) in places {
        for secret in [FIRST, SECOND, THIRD, FOURTH] {
            assert!(!words.contains(secret), "{secret:?} is in {place}");
        }
    }
    let checks = text(&sea.cli(&["doctor"]));
    assert!(checks.contains("key of sealed values"), "{checks}");
}

#[test]
fn a_redis_has_the_password_of_its_manifest_and_another_one_at_once() {
    let sea = Sea::start_of(&crate::kinds::redis::KIND);
    let with = |source: &str| {
        sea.put("redis/cache", &format!("{{version: '8', password: {{valueFrom: {source}}}}}"))
    };
    with(&format!("{{sealed: '{}'}}", sealed(&sea, "redis/cache:password", ODD, &[])));
    let first = sea.ready("redis/cache");
    assert!(sea.lets_in("redis/cache", ODD) && !sea.lets_in("redis/cache", SECOND));
    assert_eq!(sea.password("redis/cache"), ODD);
    put_file(&sea, SECOND);
    with("{file: ./a}");
    wait_for("the second one", || sea.lets_in("redis/cache", SECOND).then_some(()));
    sea.ready("redis/cache");
    assert!(!sea.lets_in("redis/cache", ODD), "the old one still opens");
    let words = text(&sea.cli(&["rotate", "redis/cache"]));
    assert!(words.contains("the one that its manifest names"), "{words}");
    docker(&["restart", "-t", "5", &sea.container("redis/cache")]);
    wait_for("it to let in again", || sea.lets_in("redis/cache", SECOND).then_some(()));
    let last = sea.ready("redis/cache");
    assert_eq!(last["container"]["id"], first["container"]["id"]);
    for words in [
        sea.ok(&["export"]),
        sea.ok(&["events"]),
        sea.log(),
        docker(&["inspect", &sea.container("redis/cache")]),
    ] {
        assert!(!words.contains(ODD) && !words.contains(SECOND), "{words}");
    }
}

/// What all records are sealed with is another key, and nothing else is another.
#[test]
fn another_key_changes_nothing_of_projects_links_and_applications() {
    let mut sea = Sea::start();
    sea.main();
    sea.write("redis-catalog.yaml", &crate::kinds::redis::KIND.catalog("redis"));
    sea.put("redis/cache", "{version: '8'}");
    let place = "project/shop:environments.production.apps.web.env.STRIPE";
    let letter = sealed(&sea, place, "sk_live_of_the_shop", &[]);
    let app = format!(
        "web: {{image: 'seawall/visits:test', env: {{STRIPE: {{valueFrom: {{sealed: '{letter}'}}}}}}, healthCheck: {{http: {{port: 8000, path: /healthz}}}}}}"
    );
    sea.write("shop.yaml", &crate::apps::project(&app));
    for (name, service) in [("shop-main", "postgres/main"), ("shop-cache", "redis/cache")] {
        let text = format!(
            "apiVersion: seawall.dev/v1\nkind: Link\nmetadata: {{name: {name}}}\nspec: {{service: {service}, project: shop, environment: production}}\n"
        );
        sea.write(&format!("{name}.yaml"), &text);
    }
    let all = [
        "link/shop-main",
        "link/shop-cache",
        "app/shop-production-web",
        "main",
        "redis/cache",
        "project/shop",
    ];
    let ready = |sea: &Sea| {
        for name in all {
            sea.until(name, "Ready", |status| {
                condition(status, "Ready").0 == "True" && condition(status, "Progressing").0 != "True"
            });
        }
    };
    ready(&sea);
    let made = |sea: &Sea| {
        let names = sea.containers();
        let ask = ["inspect", "--format", "{{.Id}} {{.State.StartedAt}} {{.RestartCount}}"];
        docker(&[&ask[..], &names.iter().map(String::as_str).collect::<Vec<_>>()].concat())
    };
    let roles =
        "SELECT string_agg(rolname || rolpassword, ' ' ORDER BY rolname) FROM pg_authid WHERE rolcanlogin";
    let state = |sea: &Sea| {
        (made(sea), sea.sql("main", roles), sea.ok(&["env", "shop/production", "--host", "--reveal"]))
    };
    let before = state(&sea);
    assert_eq!(before.0.lines().count(), 3);
    let works = |sea: &Sea| {
        for link in ["link/shop-main", "link/shop-cache"] {
            let said = sea.ok(&["link", "test", link]);
            assert_eq!(said.lines().filter(|line| line.contains(" OK ")).count(), 5, "{said}");
        }
        let web = docker(&["exec", &format!("{}-app-shop-production-web.a", sea.installation), "env"]);
        assert!(web.contains("STRIPE=sk_live_of_the_shop"));
    };
    works(&sea);
    for (cipher, shown) in [("xchacha20-poly1305", "XChaCha20-Poly1305"), ("aes-256-gcm", "AES-256-GCM")] {
        sea.ok(&["keys", "rotate", "--cipher", cipher]);
        // Over more than one look at each of them.
        for _ in 0..10 {
            for name in all {
                assert_eq!(sea.condition(name, "Ready").0, "True", "{name}: {:#}", sea.status(name));
            }
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
        assert!(sea.ok(&["keys", "verify"]).contains("all open"));
        assert!(sea.ok(&["keys", "list"]).contains(shown));
        sea.kill();
        sea.run();
        ready(&sea);
        works(&sea);
        assert!(state(&sea) == before, "something was made anew: {}", sea.ok(&["events"]));
    }
    // What is sealed from now on is under the new one, and a start opens it.
    sea.ok(&["rotate", "link/shop-main", "--now"]);
    let rotated = |sea: &Sea| sea.ok(&["env", "shop/production", "--host", "--reveal"]) != before.2;
    wait_for("another password", || rotated(&sea).then_some(()));
    sea.until_condition("link/shop-main", "Progressing", "False", "Settled");
    sea.stop();
    sea.run();
    ready(&sea);
    assert!(sea.ok(&["link", "test", "link/shop-main"]).contains("logged in as shop_main_b"));
}
