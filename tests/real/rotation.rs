//! A server's own password takes the place of another one, on real servers.

use super::harness::{Sea, condition, docker, text, version, wait_for};
use crate::kinds::{Ask, Kind};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::fs;

fn generation(sea: &Sea, object: &str) -> u64 {
    sea.status(object)["credentials"]["generation"].as_u64().unwrap_or_default()
}

fn is_over(sea: &Sea, object: &str, to: u64) -> bool {
    let status = sea.status(object);
    status["credentials"]["generation"] == to && condition(&status, "Progressing").1 == "Settled"
}

/// The password that is another one by then.
fn rotated(sea: &Sea, what: &str, old: &str, to: u64) -> String {
    wait_for(what, || is_over(sea, "main", to).then_some(()));
    let new = sea.password("main");
    assert_ne!(old, new, "{what}");
    assert!(sea.lets_in("main", &new) && !sea.lets_in("main", old), "{what}");
    sea.ready("main");
    new
}

#[test]
fn a_rotation_turns_the_old_password_away_and_nobody_who_is_in() {
    let mut sea = Sea::start();
    sea.postgres("main", &format!("{{version: '{}', username: owner}}", version()));
    let first = sea.ready("main");
    let one = sea.password("main");
    let mut stays = sea.client(&sea.login("main"), "main", Ask::Wait).spawn().unwrap();
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'";
    wait_for("it is in", || (sea.sql("main", sessions) == "1").then_some(()));
    assert_eq!(sea.ok(&["rotate", "postgres/main"]).trim(), "postgres/main gets a new password");
    let two = rotated(&sea, "rotated", &one, 2);
    for (reason, words) in [
        ("RotationBegan", "asked for by `seawall rotate`"),
        ("PasswordReset", "give the managed user the next password"),
        ("PasswordRotated", "it lets in"),
    ] {
        sea.event(reason, words);
    }
    assert_eq!(sea.sql("main", sessions), "1", "who is in stays in");
    assert!(stays.try_wait().unwrap().is_none());
    let inside = ["psql", "main", "--", "-XAtc", "SELECT session_user"];
    assert_eq!(sea.ok(&inside).trim(), "owner");
    let now = sea.status("main");
    for field in ["id", "startedAt"] {
        assert_eq!(now["container"][field], first["container"][field], "{field}");
    }
    stays.kill().unwrap();
    let _ = stays.wait();

    // What starts again finds the new one, whatever the image's entry point makes of its empty file.
    sea.ok(&["restart", "postgres/main"]);
    sea.until("main", "another start", |status| {
        status["container"]["startedAt"] != first["container"]["startedAt"]
    });
    sea.ready("main");
    docker(&["rm", "-f", &sea.container("main")]);
    sea.until("main", "another container", |status| {
        let id = &status["container"]["id"];
        !id.is_null() && *id != first["container"]["id"]
    });
    sea.ready("main");
    assert_eq!(
        (sea.password("main"), sea.lets_in("main", &two), generation(&sea, "main")),
        (two.clone(), true, 2)
    );

    // While it is stopped nothing is changed.
    sea.ok(&["stop", "postgres/main"]);
    let words = text(&sea.cli(&["rotate", "postgres/main"]));
    assert!(words.contains("nothing was changed"), "{words}");
    sea.ok(&["start", "postgres/main"]);
    sea.ready("main");
    assert_eq!(sea.password("main"), two);

    // Neither password is anywhere but sealed.
    let places = [
        ("inspect", docker(&["inspect", &sea.container("main")])),
        ("container log", docker(&["logs", &sea.container("main")])),
        ("export", sea.ok(&["export"])),
        ("describe", sea.ok(&["describe", "postgres/main"])),
        ("events", sea.ok(&["events"])),
        ("get", sea.ok(&["get", "postgres/main", "-o", "yaml"])),
        ("log", sea.log()),
        ("status file", fs::read_to_string(sea.data.join("status/postgres/main.yaml")).unwrap()),
    ];
    for (place, words) in places {
        assert!([&one, &two].iter().all(|secret| !words.contains(*secret)), "a password is in {place}");
    }
    sea.stop();
}

#[test]
fn a_crash_at_any_step_of_a_rotation_ends_with_one_password() {
    let mut sea = Sea::start();
    sea.main();
    sea.ready("main");
    let mut password = sea.password("main");
    let mut to = 1;
    sea.stop();
    for n in 1.. {
        let mut reached = false;
        for moment in ["before", "after"] {
            let point = format!("{n}:{moment}");
            sea.run_with(&[("SEAWALL_CRASH_AT", &point)]);
            sea.ready("main");
            to += 1;
            // The operator may die before it has answered.
            sea.cli(&["rotate", "postgres/main"]);
            let died = wait_for(&point, || {
                if sea.died() { Some(true) } else { is_over(&sea, "main", to).then_some(false) }
            });
            if died {
                sea.run();
            }
            password = rotated(&sea, &point, &password, to);
            reached |= died;
            sea.stop();
        }
        if !reached {
            assert!(n > 3, "a rotation has more steps than {n}");
            return;
        }
    }
}

#[test]
fn a_link_with_the_servers_own_user_follows_its_rotation() {
    let sea = Sea::start();
    sea.postgres("main", &format!("{{version: '{}', username: owner, database: shopping}}", version()));
    sea.write(
        "shop.yaml",
        "apiVersion: seawall.dev/v1\nkind: Project\nmetadata: {name: shop}\nspec: {environments: {production: {}}}\n---\napiVersion: seawall.dev/v1\nkind: Link\nmetadata: {name: shop-main}\nspec: {service: postgres/main, project: shop, environment: production, credentials: instance}\n",
    );
    let link = "link/shop-main";
    let words = sea.until_condition(link, "Ready", "True", "LoginSucceeded");
    assert!(words.contains("as owner over the network to shopping on postgres/main"), "{words}");
    let shown = sea.ok(&["env", "shop/production"]);
    assert!(shown.contains("POSTGRES_USER=owner") && shown.contains("POSTGRES_DB=shopping"), "{shown}");
    let given = || {
        let all = sea.ok(&["env", "shop/production", "--reveal", "-o", "docker"]);
        let line = all.lines().find_map(|line| line.strip_prefix("POSTGRES_PASSWORD="));
        line.unwrap().to_owned()
    };
    let as_program = || {
        let sql = "SELECT session_user, current_database()";
        let script = "exec psql -XAtq \"$POSTGRES_URL\" -c \"$SQL\"";
        let output = sea
            .command()
            .args(["exec", "shop/production", "--", "sh", "-c", script])
            .env("SQL", sql)
            .output();
        text(&output.unwrap())
    };
    let (one, made) = (given(), sea.sql("main", "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'shop%'"));
    assert_eq!((one.as_str(), made.as_str()), (sea.password("main").as_str(), "0"));
    assert!(as_program().contains("owner|shopping"), "{}", as_program());
    let words = text(&sea.cli(&["rotate", link]));
    assert!(words.contains("is that of postgres/main"), "{words}");

    sea.ok(&["rotate", "postgres/main"]);
    let two = rotated(&sea, "rotated", &one, 2);
    wait_for("the link follows", || (sea.status(link)["password"]["generation"] == 2).then_some(()));
    assert_eq!(given(), two);
    assert!(as_program().contains("owner|shopping"), "{}", as_program());
    sea.until_condition(link, "Ready", "True", "LoginSucceeded");
}

/// The file of the users has one password of the owner's at any time: of two the one that takes the other's place.
#[test]
fn a_rotation_of_a_redis_turns_the_old_password_away_and_nobody_who_is_in() {
    const CACHE: &str = "redis/cache";
    let mut sea = Sea::start_of(&crate::kinds::redis::KIND);
    sea.put(CACHE, "{version: '8'}");
    let first = sea.ready(CACHE);
    let one = sea.password(CACHE);
    sea.keep(CACHE, 7);
    let mut stays = sea.client(&sea.login(CACHE), CACHE, Ask::Wait).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert!(stays.try_wait().unwrap().is_none(), "it is in");
    sea.ok(&["rotate", CACHE]);
    wait_for("rotated", || is_over(&sea, CACHE, 2).then_some(()));
    let two = sea.password(CACHE);
    assert!(one != two && sea.lets_in(CACHE, &two) && !sea.lets_in(CACHE, &one));
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert!(stays.try_wait().unwrap().is_none(), "who is in stays in");
    stays.kill().unwrap();
    let _ = stays.wait();
    let now = sea.ready(CACHE);
    for field in ["id", "startedAt"] {
        assert_eq!(now["container"][field], first["container"][field], "{field}");
    }
    for point in ["1:before", "1:after", "2:before", "2:after", "3:before", "3:after"] {
        sea.stop();
        sea.run_with(&[("SEAWALL_CRASH_AT", point)]);
        sea.ready(CACHE);
        let (old, to) = (sea.password(CACHE), generation(&sea, CACHE) + 1);
        sea.cli(&["rotate", CACHE]);
        wait_for(point, || sea.died().then_some(()));
        sea.run();
        wait_for(point, || is_over(&sea, CACHE, to).then_some(()));
        let new = sea.password(CACHE);
        assert!(old != new && sea.lets_in(CACHE, &new) && !sea.lets_in(CACHE, &old), "{point}");
    }
    // The next start reads the new one, and finds the data.
    sea.ok(&["restart", CACHE]);
    sea.until(CACHE, "another start", |status| {
        status["container"]["startedAt"] != first["container"]["startedAt"]
    });
    sea.ready(CACHE);
    assert_eq!(sea.kept(CACHE), [7]);
}

/// What is remembered of an object, in a store that nobody has open.
fn edit_memory(sea: &Sea, object: &str, edit: impl FnOnce(&mut Value)) {
    let db = sled::open(sea.data.join("store")).unwrap();
    let key = format!("obj/{object}");
    let mut record: Value = serde_json::from_slice(&db.get(&key).unwrap().unwrap()).unwrap();
    edit(&mut record["body"]["memory"]);
    // As it is read: the body last.
    let text = format!(r#"{{"v":{},"at":{},"body":{}}}"#, record["v"], record["at"], record["body"]);
    db.insert(&key, text.as_bytes()).unwrap();
    db.flush().unwrap();
}

/// Nobody can wait for an hour, the shortest that there is: the passwords are older than they were, and nothing else is.
#[test]
fn a_service_and_a_link_are_rotated_by_themselves_when_their_time_comes() {
    const CACHE: &str = "redis/cache";
    const LINK: &str = "link/shop-main";
    const EVERY: SignedDuration = SignedDuration::from_hours(1);
    let mut sea = Sea::new();
    sea.write("redis.yaml", &crate::kinds::redis::KIND.catalog("redis"));
    sea.run();
    sea.postgres("main", "{version: '18', rotation: {every: 1h}}");
    sea.put(CACHE, "{version: '8', rotation: {every: 1h}}");
    sea.write(
        "shop.yaml",
        "apiVersion: seawall.dev/v1\nkind: Project\nmetadata: {name: shop}\nspec: {environments: {production: {}}}\n---\napiVersion: seawall.dev/v1\nkind: Link\nmetadata: {name: shop-main}\nspec: {service: postgres/main, project: shop, environment: production, rotation: {every: 1h, grace: 5m}}\n",
    );
    sea.ready("main");
    sea.ready(CACHE);
    sea.until_condition(LINK, "Ready", "True", "LoginSucceeded");
    let old = [sea.password("main"), sea.password(CACHE)];
    let before = sea_env(&sea);
    let time = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap();
    let next = sea.status("main")["credentials"]["nextRotation"].clone();
    assert_eq!(
        time(&next).duration_since(time(&sea.status("main")["credentials"]["rotatedAt"])).as_secs(),
        EVERY.as_secs()
    );
    assert!(time(&sea.status(LINK)["nextRotation"]) > time(&sea.status(LINK)["password"]["rotatedAt"]));

    sea.stop();
    // To the second, as times are told.
    let due = Timestamp::from_second(Timestamp::now().as_second() + 30).unwrap();
    let then = Value::from((due - EVERY).to_string());
    edit_memory(&sea, "postgres/main", |memory| memory["passwordRotatedAt"] = then.clone());
    edit_memory(&sea, CACHE, |memory| memory["passwordRotatedAt"] = then.clone());
    edit_memory(&sea, LINK, |memory| memory["password"]["rotatedAt"] = then.clone());
    sea.run();
    for (object, field) in [("main", "credentials"), (CACHE, "credentials"), (LINK, "password")] {
        let what = format!("{object} has another password");
        wait_for(&what, || (sea.status(object)[field]["generation"] == 2).then_some(()));
        // At its time: not before, and without being asked.
        let late = time(&sea.status(object)[field]["rotatedAt"]).duration_since(due);
        assert!((0..60).contains(&late.as_secs()) && !late.is_negative(), "{object}: {late:?}");
    }
    sea.event("RotationBegan", "due by spec.rotation");
    for (object, old) in ["main", CACHE].into_iter().zip(&old) {
        sea.ready(object);
        let new = sea.password(object);
        assert_ne!(new, *old, "{object}");
        let tried = sea.try_ask(&sea.login(object), object, Ask::Login);
        assert!(tried.status.success(), "{object}: {}", text(&tried));
        assert!(!sea.lets_in(object, old), "{object}");
    }
    sea.until_condition(LINK, "Ready", "True", "LoginSucceeded");
    let after = sea_env(&sea);
    assert!(after != before && after.contains("POSTGRES_USER=shop_main_b"), "it has its other login");
    std::thread::sleep(std::time::Duration::from_secs(5));
    assert_eq!((generation(&sea, "main"), generation(&sea, CACHE)), (2, 2), "once");
}

fn sea_env(sea: &Sea) -> String {
    sea.ok(&["env", "shop/production", "--reveal", "-o", "docker"])
}
