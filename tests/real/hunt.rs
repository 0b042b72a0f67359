//! That secrets are nowhere but where they may be: a search through all that anybody can read.

use crate::harness::{Sea, condition, docker, postgres, text, version, wait_for};
use crate::kinds::Kind;
use crate::secrets::sealed;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// Every file below a directory, as bytes.
fn files(dir: &Path, into: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, into);
        } else if path.is_file() {
            into.push((path.display().to_string(), std::fs::read(&path).unwrap_or_default()));
        }
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// Everything that anybody but `connection --reveal` can read.
fn everything(sea: &Sea) -> Vec<(String, Vec<u8>)> {
    let filter = format!("label=seawall.dev/installation={}", sea.installation);
    let mut all = Vec::new();
    let lists: [&[&str]; 3] = [&["ps", "-aq"], &["volume", "ls", "-q"], &["network", "ls", "-q"]];
    for list in lists {
        let ids = sea.docker(&[list, &["--filter", &filter]].concat());
        for id in ids.split_whitespace() {
            all.push((format!("inspect {id}"), sea.docker(&["inspect", id]).into_bytes()));
            if list[0] == "ps" {
                let logs = Command::new("docker").args(["logs", id]).output().unwrap();
                all.push((format!("logs of {id}"), [logs.stdout, logs.stderr].concat()));
                // A container between two deaths answers neither; there is nothing to read in it then.
                let output = |arguments: &[&str]| {
                    let output = Command::new("docker").args(arguments).output().unwrap();
                    [output.stdout, output.stderr].concat()
                };
                all.push((format!("top of {id}"), output(&["top", id, "-eo", "pid,args"])));
                // Layer and files beside the data volume.
                let files = "cat /etc/seawall/* /proc/1/environ /proc/*/cmdline 2>/dev/null; true";
                all.push((format!("files in {id}"), output(&["exec", id, "sh", "-c", files])));
                let image = sea.docker(&["inspect", "--format", "{{.Image}}", id]);
                all.push((format!("image of {id}"), sea.docker(&["image", "inspect", &image]).into_bytes()));
            }
        }
    }
    assert!(all.len() > 8, "found too little to search: {}", all.len());
    for verb in [
        &["get", "-o", "yaml"][..],
        &["get", "-o", "wide"],
        &["events"],
        &["export"],
        &["plan", "-o", "json"],
        &["doctor"],
    ] {
        all.push((format!("{verb:?}"), text(&sea.cli(verb)).into_bytes()));
    }
    for object in sea.ok(&["get", "-o", "name"]).lines() {
        for verb in [
            &["describe", object][..],
            &["connection", object],
            &["connection", object, "-o", "env"],
            &["logs", object],
            &["wait", object, "--for=condition=Stalled", "--timeout=10ms"],
        ] {
            all.push((format!("{verb:?}"), text(&sea.cli(verb)).into_bytes()));
        }
    }
    files(&sea.data, &mut all);
    files(&sea.manifests, &mut all);
    all.push(("operator log".to_owned(), sea.log().into_bytes()));
    all
}

#[test]
fn a_password_is_nowhere_but_sealed() {
    let mut sea = Sea::start();
    sea.postgres(
        "a",
        "{version: '18', parameters: {log_statement: all, log_connections: on, log_min_messages: debug2}}",
    );
    sea.postgres("b", "{version: '17', username: owner, database: shop}");
    let wrong = postgres("wrong", "{version: '17', parameters: {log_timezone: Nowhere/City}}");
    let untried = "name: wrong, annotations: {seawall.dev/skip-trial: 'true'}";
    sea.write("wrong.yaml", &wrong.replace("name: wrong", untried));
    sea.ready("a");
    sea.ready("b");
    sea.until("wrong", "dead at its start", |s| {
        matches!(condition(s, "Ready").1.as_str(), "CrashLoop" | "InitialisationFailed")
    });
    let mut passwords = vec![sea.password("a"), sea.password("b"), sea.password("wrong")];
    for password in &passwords {
        assert!(
            password.len() >= 28 && password.chars().all(|c| c.is_ascii_alphanumeric()),
            "{}",
            password.len()
        );
    }
    // Another password inside: the managed one comes back, through a server that logs every statement.
    sea.sql("a", "ALTER ROLE postgres PASSWORD 'other'");
    sea.docker(&["restart", &sea.container("a")]);
    sea.event("PasswordReset", "refused");
    sea.ready("a");
    passwords.push(sea.password("a"));
    // Nothing keeps a token, nor what it is told by in a store that was copied.
    passwords.push(sea.ok(&["token", "create", "ci", "--role", "admin"]).trim().to_owned());
    // A re-create, a reveal, a deletion, an export and a restart of the operator leave traces too.
    sea.postgres("b", "{version: '17', username: owner, database: shop, port: none}");
    sea.ready("b");
    for name in ["a", "b"] {
        let file = sea.docker(&["exec", &sea.container(name), "cat", "/etc/seawall/password"]);
        assert_eq!(file, "", "the password file is emptied after initdb");
    }
    sea.stop();
    sea.run();
    sea.ready("a");

    // The search finds what is there to be found.
    let found = everything(&sea);
    assert!(
        found.iter().any(|(_, bytes)| contains(bytes, b"PASSWORD 'other'")),
        "the user's own is in no log"
    );
    let verifiers = found.iter().filter(|(_, bytes)| contains(bytes, b"SCRAM-SHA-256$"));
    assert_eq!(
        verifiers.map(|(w, _)| w).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "a verifier is in a log"
    );
    passwords.sort();
    passwords.dedup();
    for password in &passwords {
        let hits: Vec<&String> =
            found.iter().filter(|(_, bytes)| contains(bytes, password.as_bytes())).map(|(w, _)| w).collect();
        // A container that never initialised still has its file; nothing else does.
        let expected: Vec<&String> =
            hits.iter().filter(|w| **w == &format!("files in {}", id(&sea, "wrong"))).copied().collect();
        assert_eq!(hits, expected);
    }
}

fn id(sea: &Sea, name: &str) -> String {
    let filter = format!("name=^/{}$", sea.container(name));
    sea.docker(&["ps", "-aq", "--filter", &filter])
}

/// Where what is searched for was found, and where a verifier was, which is as good as a password to who guesses.
fn places<'a>(found: &'a [(String, Vec<u8>)], needle: &str) -> Vec<&'a str> {
    found
        .iter()
        .filter(|(_, bytes)| contains(bytes, needle.as_bytes()))
        .map(|(place, _)| place.as_str())
        .collect()
}

#[test]
fn secrets_of_links_and_applications_are_where_they_may_be_also_after_rotations() {
    const STRIPE: &str = "sk_live_of_the_shop";
    let mut sea = Sea::start();
    let loud = "{log_statement: all, log_connections: on, log_min_messages: debug2}";
    sea.postgres("main", &format!("{{version: '{}', parameters: {loud}}}", version()));
    sea.write("redis-catalog.yaml", &crate::kinds::redis::KIND.catalog("redis"));
    sea.put("redis/cache", "{version: '8'}");
    let app = |name: &str, more: &str| {
        let place = format!("project/shop:environments.production.apps.{name}.env.STRIPE");
        let letter = sealed(&sea, &place, STRIPE, &[]);
        format!(
            "{name}: {{image: 'seawall/clients:test', command: ['sleep', '600'], env: {{STRIPE: {{valueFrom: {{sealed: '{letter}'}}}}}}{more}}}"
        )
    };
    let apps = format!("{}, {}", app("open", ""), app("shut", ", injection: file"));
    let environment = format!("{{apps: {{{apps}}}, envFile: {{path: ./shop.env}}}}");
    sea.write(
        "shop.yaml",
        &format!(
            "apiVersion: seawall.dev/v1\nkind: Project\nmetadata: {{name: shop}}\nspec: {{environments: {{production: {environment}}}}}\n"
        ),
    );
    crate::links::link(&sea, "shop-main", "shop", "");
    let cache = "apiVersion: seawall.dev/v1\nkind: Link\nmetadata: {name: shop-cache}\nspec: {service: redis/cache, project: shop, environment: production}\n";
    sea.write("shop-cache.yaml", cache);

    let (open, shut) = ("app/shop-production-open", "app/shop-production-shut");
    let mut secrets = BTreeSet::from([STRIPE.to_owned()]);
    // Those in force now, once all is as it should be, and the applications have this user.
    let mut settle = |sea: &Sea, user: &str| {
        let login = format!("POSTGRES_USER={user}\n");
        wait_for("the env file to have it", || {
            let file = std::fs::read_to_string(sea.manifests.join("shop.env")).unwrap_or_default();
            file.contains(&login).then_some(())
        });
        for object in ["main", "redis/cache", "link/shop-main", "link/shop-cache", open, shut, "project/shop"]
        {
            sea.until(object, "Ready", |status| {
                condition(status, "Ready").0 == "True" && condition(status, "Progressing").0 != "True"
            });
        }
        let told = sea.ok(&["env", "shop/production", "-o", "docker", "--reveal"]);
        let value = |name: &str| {
            let value = told.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
            value.unwrap().to_owned()
        };
        let passwords = ["POSTGRES_PASSWORD", "REDIS_PASSWORD"].map(value);
        secrets.extend(passwords.clone());
        secrets.extend([sea.password("main"), sea.password("redis/cache")]);
        passwords
    };
    settle(&sea, "shop_main_a");
    sea.ok(&["rotate", "link/shop-main"]);
    settle(&sea, "shop_main_b");
    for object in ["postgres/main", "redis/cache"] {
        let before = sea.password(object);
        sea.ok(&["rotate", object]);
        wait_for(object, || (sea.password(object) != before).then_some(()));
    }
    sea.ok(&["rotate", "link/shop-main", "--now"]);
    sea.ok(&["rotate", "link/shop-cache", "--now"]);
    settle(&sea, "shop_main_a");
    sea.ok(&["keys", "rotate"]);
    sea.kill();
    sea.run();
    let now = settle(&sea, "shop_main_a");
    assert!(secrets.len() >= 1 + 3 + 2 + 2 + 2, "{}", secrets.len());

    let found = everything(&sea);
    let id =
        docker(&["inspect", "--format", "{{.Id}}", sea.status(open)["container"]["name"].as_str().unwrap()]);
    let id = id.trim();
    let env_file = sea.manifests.join("shop.env").display().to_string();
    let mut may = found
        .iter()
        .map(|(place, _)| place.as_str())
        .filter(|place| {
            *place == env_file
                || place.split_once(' ').is_some_and(|(what, of)| {
                    (what == "inspect" || place.starts_with("files in"))
                        && id.starts_with(of.trim_start_matches("in "))
                })
        })
        .collect::<Vec<_>>();
    may.sort_unstable();
    assert_eq!(may.len(), 3, "{may:?}");
    for secret in &secrets {
        let mut hits = places(&found, secret);
        hits.sort_unstable();
        let current = now.contains(secret);
        if current {
            assert_eq!(hits, may, "the search finds what is there to be found");
        } else if secret == STRIPE {
            assert_eq!(hits, may.iter().copied().filter(|place| *place != env_file).collect::<Vec<_>>());
        } else {
            assert_eq!(hits, Vec::<&str>::new());
        }
    }
    assert_eq!(places(&found, "SCRAM-SHA-256$"), Vec::<&str>::new(), "a verifier is somewhere");
}
