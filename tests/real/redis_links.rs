//! Links to a real Redis: each project gets at its own keys, and at nothing of another's.

use crate::harness::{Sea, condition, text, wait_for};
use crate::redis::ready;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const CACHE: &str = "redis/cache";

fn linked(sea: &Sea, project: &str) {
    linked_with(sea, project, "");
}

fn linked_with(sea: &Sea, project: &str, more: &str) {
    let manifests = format!(
        "apiVersion: seawall.dev/v1\nkind: Project\nmetadata: {{name: {project}}}\nspec: {{environments: {{production: {{}}}}}}\n---\napiVersion: seawall.dev/v1\nkind: Link\nmetadata: {{name: {project}-cache}}\nspec: {{service: redis/cache, project: {project}, environment: production{more}}}\n"
    );
    sea.write(&format!("{project}.yaml"), &manifests);
    sea.until_condition(&format!("link/{project}-cache"), "Ready", "True", "LoginSucceeded");
}

fn variable(sea: &Sea, project: &str, name: &str) -> String {
    let all = sea.ok(&["env", &format!("{project}/production"), "--reveal", "-o", "docker"]);
    let mut all = all.lines().filter_map(|line| line.split_once('='));
    all.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned()).unwrap()
}

/// What a program of the project's gets, by Redis' own client; each line of `script` is a command.
fn client(sea: &Sea, (user, password): (&str, &str), script: &str) -> Vec<String> {
    let auth = format!("REDISCLI_AUTH={password}");
    let (container, lines) = (sea.container(CACHE), script.lines().collect::<Vec<_>>());
    let one = |line: &&str| {
        let head = ["exec", "-e", &auth, &container, "redis-cli", "--user", user];
        let output = Command::new("docker").args(head).args(line.split(' ')).output().unwrap();
        let text = [&output.stdout[..], &output.stderr[..]].concat();
        String::from_utf8_lossy(&text).trim().to_owned()
    };
    lines.iter().map(one).collect()
}

#[test]
fn a_project_gets_at_its_own_keys_and_a_rotation_has_two_passwords_for_a_time() {
    let sea = ready("{version: '8'}");
    linked(&sea, "shop");
    linked(&sea, "blog");
    let login =
        |project: &str| (variable(&sea, project, "REDIS_USER"), variable(&sea, project, "REDIS_PASSWORD"));
    let (shop, blog) = (login("shop"), login("blog"));
    assert_eq!(variable(&sea, "shop", "REDIS_PREFIX"), "shop_production:");
    let ask = |(user, password): &(String, String), script: &str| client(&sea, (user, password), script);
    let own = "SET shop_production:a 1\nGET shop_production:a\nPUBLISH shop_production:news x\nEVAL return(redis.call('get',KEYS[1])) 1 shop_production:a\nACL WHOAMI";
    assert_eq!(ask(&shop, own), ["OK", "1", "0", "1", "shop_production"]);
    assert!(ask(&shop, "INFO server")[0].contains("redis_version"), "clients look at it before they work");
    // Ways to what is another's, to names of it, or to what concerns all.
    for line in [
        "GET shop_production:a",
        "SET shop_production:a 2",
        "DEL shop_production:a",
        "COPY shop_production:a blog_production:a",
        "RENAME shop_production:a blog_production:a",
        "EVAL return(redis.call('get','shop_production:a')) 0",
        "OBJECT ENCODING shop_production:a",
        "DUMP shop_production:a",
        "MOVE blog_production:b 1",
        "KEYS *",
        "SCAN 0",
        "RANDOMKEY",
        "DBSIZE",
        "SELECT 1",
        "FLUSHALL",
        "FLUSHDB",
        "SWAPDB 0 1",
        "PUBLISH shop_production:news x",
        "PUBSUB CHANNELS *",
        "CLIENT LIST",
        "CLIENT KILL USER shop_production",
        "CONFIG GET *",
        "CONFIG SET dir /tmp",
        "ACL LIST",
        "ACL SETUSER blog_production ~*",
        "SCRIPT FLUSH",
        "FUNCTION FLUSH",
        "MONITOR",
        "SAVE",
        "SHUTDOWN NOSAVE",
        "REPLICAOF 127.0.0.1 1",
        "MODULE LIST",
        "SORT shop_production:a",
        "MIGRATE 127.0.0.1 1 shop_production:a 0 1",
    ] {
        let said = ask(&blog, line).concat();
        assert!(said.contains("NOPERM") || said.contains("ACL failure in script"), "{line}: {said}");
    }
    assert_eq!(ask(&shop, "GET shop_production:a"), ["1"]);
    let status = sea.status(CACHE);
    assert_eq!(condition(&status, "Ready").0, "True", "{status}");

    // Both let in until the old one's time is over, here at once.
    sea.ok(&["rotate", "link/shop-cache", "--now"]);
    wait_for("another password", || (login("shop").1 != shop.1).then_some(()));
    wait_for("the old one is closed", || ask(&shop, "PING")[0].contains("WRONGPASS").then_some(()));
    let shop = login("shop");
    assert_eq!(ask(&shop, "GET shop_production:a"), ["1"]);

    // Users come with the file that a start reads; a container made anew has them, too.
    let container = sea.container(CACHE);
    sea.docker(&["rm", "-f", &container]);
    sea.event("ContainerCreated", "re-create");
    wait_for("the same login", || (ask(&shop, "GET shop_production:a") == ["1"]).then_some(()));

    sea.remove("shop.yaml");
    wait_for("the user is gone", || ask(&shop, "PING")[0].contains("WRONGPASS").then_some(()));
    assert_eq!(ask(&blog, "SET blog_production:b 1"), ["OK"]);
    sea.ready(CACHE);

    // The only one may have all keys, and still nothing of the server.
    sea.remove("blog.yaml");
    wait_for("the user is gone", || ask(&blog, "PING")[0].contains("WRONGPASS").then_some(()));
    linked_with(&sea, "only", ", keys: all");
    let only = login("only");
    assert_eq!(variable(&sea, "only", "REDIS_PREFIX"), "");
    let own = "SET any 1\nGET any\nKEYS a*\nPUBLISH news x\nDEL shop_production:a\nDEL blog_production:b\nDBSIZE\nRANDOMKEY";
    assert_eq!(ask(&only, own), ["OK", "1", "any", "0", "1", "1", "1", "any"]);
    assert!(ask(&only, "SCAN 0")[0].contains("any"));
    for line in [
        "ACL LIST",
        "ACL SETUSER only_production +@all",
        "CONFIG GET *",
        "CONFIG SET dir /tmp",
        "SHUTDOWN NOSAVE",
        "DEBUG SLEEP 0",
        "REPLICAOF 127.0.0.1 1",
        "MODULE LIST",
        "MIGRATE 127.0.0.1 1 any 0 1",
        "MONITOR",
        "SAVE",
        "BGREWRITEAOF",
        "CLIENT LIST",
        "CLIENT KILL USER app",
        "SCRIPT FLUSH",
        "FUNCTION FLUSH",
        "SELECT 1",
        "SWAPDB 0 1",
        "FLUSHALL",
        "FLUSHDB",
        "EVAL return(redis.call('flushall')) 0",
    ] {
        let said = ask(&only, line).concat();
        let refused = ["NOPERM", "ACL failure in script", "DEBUG command not allowed"];
        assert!(refused.iter().any(|words| said.contains(words)), "{line}: {said}");
    }
    sea.ready(CACHE);
}

/// Who reads its variables again for each command is never turned away; who keeps the old ones is, after the grace.
#[test]
fn a_rotation_lets_the_old_password_in_for_its_grace_and_no_longer() {
    let sea = ready("{version: '8'}");
    linked_with(&sea, "shop", ", rotation: {grace: 6s}");
    let login = || (variable(&sea, "shop", "REDIS_USER"), variable(&sea, "shop", "REDIS_PASSWORD"));
    let ask = |(user, password): &(String, String), line: &str| client(&sea, (user, password), line).concat();
    let phase = || sea.status("link/shop-cache")["rotation"]["phase"].as_str().map(str::to_owned);
    let old = login();
    let auth = format!("REDISCLI_AUTH={}", old.1);
    let mut stays = Command::new("docker")
        .args(["exec", "-e", &auth, &sea.container(CACHE), "redis-cli", "--user", &old.0])
        .args(["BLPOP", "shop_production:q", "0"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    sea.ok(&["rotate", "link/shop-cache"]);
    let (began, mut asked, mut by_both) = (Instant::now(), 0, 0);
    let over = loop {
        let now = login();
        assert_eq!(ask(&now, "INCR shop_production:n"), (asked + 1).to_string());
        asked += 1;
        let said = ask(&old, "PING");
        if said.contains("WRONGPASS") {
            break began.elapsed();
        }
        assert_eq!(said, "PONG");
        if now != old {
            by_both += 1;
            assert!(stays.try_wait().unwrap().is_none() || phase().is_none(), "who is in stays in");
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", phase());
    };
    assert!(over >= Duration::from_secs(6) && by_both > 3, "{over:?}: {by_both} of {asked}");
    wait_for("its session to end", || stays.try_wait().unwrap());
    sea.until("link/shop-cache", "settled", |status| {
        status["rotation"].is_null() && condition(status, "Progressing").1 == "Settled"
    });
    for _ in 0..5 {
        asked += 1;
        assert_eq!(ask(&login(), "INCR shop_production:n"), asked.to_string());
    }
}

#[test]
fn link_test_logs_in_from_the_network_and_names_the_step_that_fails() {
    let sea = ready("{version: '8'}");
    linked(&sea, "shop");
    let said = sea.ok(&["link", "test", "link/shop-cache"]);
    assert_eq!(said.lines().filter(|line| line.contains(" OK ")).count(), 5, "{said}");
    let password = variable(&sea, "shop", "REDIS_PASSWORD");
    assert!(said.contains("logged in as shop_production, and was answered"), "{said}");
    assert!(said.contains("REDIS_PASSWORD") && !said.contains(&password), "{said}");
    sea.ok(&["stop", CACHE]);
    sea.until_condition(CACHE, "Ready", "False", "Stopped");
    let output = sea.cli(&["link", "test", "link/shop-cache"]);
    let said = text(&output);
    let service = said.lines().find(|line| line.starts_with("ServiceReady ")).unwrap();
    assert!(output.status.code() == Some(1) && service.contains("FAILED"), "{said}");
}
