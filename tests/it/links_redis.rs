//! Links to a Redis on the fake engine: users of the links stand in the service's own users' file.

use crate::machine::rig::{Rig, engine};
use seawall::control::api::{Api, Operation};
use seawall::control::operator::Times;
use seawall::core::condition::ConditionType as C;
use seawall::core::names::ObjectRef;
use std::collections::BTreeSet;

const CACHE: &str = "redis/cache";
const CONTAINER: &str = "redis-cache";
const LINK: &str = "link/shop-cache";

fn shop() -> ObjectRef {
    "project/shop".parse().unwrap()
}

fn link(rig: &Rig, name: &str, more: &str) {
    let spec = format!("{{service: redis/cache, project: shop, environment: production{more}}}");
    let text = format!("apiVersion: seawall.dev/v1\nkind: Link\nmetadata: {{name: {name}}}\nspec: {spec}\n");
    rig.text(&format!("{name}.yaml"), &text);
}

async fn start() -> Rig {
    let mut rig = Rig::new(engine(), Times::default());
    rig.redis("cache", "", "{version: '8'}");
    let project = "apiVersion: seawall.dev/v1\nkind: Project\nmetadata: {name: shop}\nspec: {environments: {production: {}}}\n";
    rig.text("shop.yaml", project);
    rig.drive();
    rig.ready(CACHE).await;
    rig
}

fn users(rig: &Rig) -> BTreeSet<String> {
    rig.redis.change(CONTAINER, |run| run.users.keys().cloned().collect()).unwrap_or_default()
}

fn rules(rig: &Rig, user: &str) -> String {
    rig.redis.change(CONTAINER, |run| run.users.get(user).cloned()).flatten().unwrap_or_default()
}

async fn variable(rig: &Rig, name: &str) -> Option<String> {
    let view = rig.operator.environment(&shop(), "production", false, true).await.unwrap();
    view.variables.into_iter().find(|variable| variable.name == name).map(|variable| variable.value)
}

#[tokio::test(start_paused = true)]
async fn a_link_gets_a_user_that_survives_a_restart_and_goes_with_it() {
    let mut rig = start().await;
    link(&rig, "shop-cache", "");
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    let password = variable(&rig, "REDIS_PASSWORD").await.unwrap();
    for (name, want) in [
        ("REDIS_HOST", "redis-cache".to_owned()),
        ("REDIS_PORT", "6379".to_owned()),
        ("REDIS_USER", "shop_production".to_owned()),
        ("REDIS_PREFIX", "shop_production:".to_owned()),
        ("REDIS_URL", format!("redis://shop_production:{password}@redis-cache:6379")),
    ] {
        assert_eq!(variable(&rig, name).await, Some(want), "{name}");
    }
    assert_eq!(variable(&rig, "DATABASE_URL").await, None, "it is no SQL database");
    let of_link = rules(&rig, "shop_production");
    assert!(of_link.contains("~shop_production:* &shop_production:*") && of_link.contains("-@dangerous"));
    assert!(rig.said("TenantsChanged", "user shop_production is missing"), "{:?}", rig.events());
    rig.settled("nothing is left to do").await;

    // Whatever starts the server anew, its users are there from the start on.
    rig.operator.operate(&CACHE.parse().unwrap(), Operation::Restart).await.unwrap();
    rig.until("a restart", || rig.said("ServerRestarted", "").then_some(())).await;
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    assert_eq!(rules(&rig, "shop_production"), of_link);

    // Nor does a start of Seawall's own take them away before the link was looked at.
    let before = rig.events().iter().filter(|event| event.reason == "TenantsChanged").count();
    rig.leave().await;
    rig.restart();
    rig.drive();
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    rig.settled("nothing was changed").await;
    assert_eq!(rig.events().iter().filter(|event| event.reason == "TenantsChanged").count(), before);

    // What others change comes back.
    rig.redis
        .change(CONTAINER, |run| run.users.insert("shop_production".into(), "on nopass +@all ~* &*".into()));
    rig.until("the rules are back", || (rules(&rig, "shop_production") == of_link).then_some(())).await;

    rig.remove("shop-cache");
    let words = "link/shop-cache was forgotten: manifest removed; keys that begin with shop_production: stay";
    rig.until("the link is forgotten", || rig.said("Deleted", words).then_some(())).await;
    assert_eq!(users(&rig), ["app", "default", "seawall"].map(str::to_owned).into());
    rig.ready(CACHE).await;
    rig.settled("nothing is left to do").await;
}

#[tokio::test(start_paused = true)]
async fn a_rotation_has_two_passwords_for_a_time() {
    let rig = start().await;
    link(&rig, "shop-cache", "");
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    let hashes = |rig: &Rig| rules(rig, "shop_production").matches('#').count();
    let mut old = variable(&rig, "REDIS_PASSWORD").await;
    for more in ["RotateNow", "RotateNow", "Rotate"] {
        let operation = if more == "Rotate" { Operation::Rotate } else { Operation::RotateNow };
        rig.operator.operate(&LINK.parse().unwrap(), operation).await.unwrap();
        if operation == Operation::Rotate {
            rig.reason(LINK, C::Progressing, "Rotating").await;
            rig.until("both let in", || (hashes(&rig) == 2).then_some(())).await;
            rig.redis.change(CONTAINER, |run| run.killed.clear());
            assert_eq!(variable(&rig, "REDIS_USER").await.as_deref(), Some("shop_production"));
            continue;
        }
        while variable(&rig, "REDIS_PASSWORD").await == old {
            rig.let_pass(std::time::Duration::from_millis(100)).await;
        }
        old = variable(&rig, "REDIS_PASSWORD").await;
        rig.reason(LINK, C::Progressing, "Settled").await;
        assert_eq!(hashes(&rig), 1);
        let killed = rig.redis.change(CONTAINER, |run| run.killed.clone()).unwrap();
        assert_eq!(killed.last().map(String::as_str), Some("shop_production"), "nobody stays by the old one");
    }
    // Who uses the old one cannot be told: it is given the whole time.
    rig.let_pass(std::time::Duration::from_secs(600)).await;
    assert_eq!(hashes(&rig), 2);
    assert_eq!(rig.redis.change(CONTAINER, |run| run.killed.len()), Some(0));
}

#[tokio::test(start_paused = true)]
async fn what_a_redis_cannot_give_is_said() {
    let rig = start().await;
    link(&rig, "one", ", database: app");
    let words = rig.reason("link/one", C::Ready, "NameConflict").await;
    assert!(words.contains("user app is the service's own"), "{words}");
    for (more, want) in [
        (", database: seawall", "is the user that Seawall itself logs in as"),
        (", database: 'a b'", "a user's name is 1 to 63 letters"),
        (", extensions: [pgcrypto]", "take spec.extensions out"),
        (", connectionLimit: 5", "take spec.connectionLimit out"),
    ] {
        link(&rig, "one", more);
        rig.until(more, || {
            let ready = rig.condition("link/one", C::Ready)?;
            (ready.reason == "TenantRefused" && ready.message.contains(want)).then_some(())
        })
        .await;
    }
    assert_eq!(users(&rig), ["app", "default", "seawall"].map(str::to_owned).into());
    // Of two that want one name the first has it.
    link(&rig, "one", "");
    rig.reason("link/one", C::Ready, "LoginSucceeded").await;
    let of_one = rules(&rig, "shop_production");
    link(&rig, "two", ", prefix: OTHER");
    rig.reason("link/two", C::Ready, "NameConflict").await;
    assert_eq!(rules(&rig, "shop_production"), of_one);
    link(&rig, "two", ", prefix: OTHER, database: two");
    rig.reason("link/two", C::Ready, "LoginSucceeded").await;
    assert!(users(&rig).is_superset(&["shop_production", "two"].map(str::to_owned).into()));
    // Nor is a user shared by those who both name it.
    link(&rig, "zwei", ", prefix: THIRD, database: two");
    let words = rig.reason("link/zwei", C::Ready, "TenantRefused").await;
    assert!(words.contains("user two is link/two's"), "{words}");
    assert_eq!(variable(&rig, "THIRD_USER").await, None);
    rig.remove("zwei");
    rig.settled("nothing is left to do").await;
}

#[tokio::test(start_paused = true)]
async fn all_keys_are_for_the_only_link() {
    let mut rig = start().await;
    link(&rig, "shop-cache", ", keys: all");
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    assert_eq!(variable(&rig, "REDIS_PREFIX").await.as_deref(), Some(""));
    let all = rules(&rig, "shop_production");
    assert!(all.ends_with("~* &*") && all.contains("+keys") && !all.contains("-scan"), "{all}");
    // Whoever comes later does not get in, with a user of its own or the service's.
    for more in [", prefix: OTHER, database: two", ", prefix: OTHER, credentials: instance"] {
        link(&rig, "two", more);
        let words = rig.reason("link/two", C::Ready, "TenantRefused").await;
        assert!(words.contains("link/shop-cache has all keys of redis/cache"), "{words}");
        assert_eq!(variable(&rig, "OTHER_USER").await, None);
    }
    link(&rig, "two", ", prefix: OTHER, database: two");
    for again in [false, true] {
        if again {
            rig.leave().await;
            rig.restart();
            rig.drive();
        }
        rig.reason("link/two", C::Ready, "TenantRefused").await;
        rig.reason(LINK, C::Ready, "LoginSucceeded").await;
        assert_eq!((rules(&rig, "shop_production"), rules(&rig, "two")), (all.clone(), String::new()));
    }
    rig.remove("shop-cache");
    let words = "link/shop-cache was forgotten: manifest removed; the keys of redis/cache stay";
    rig.until("the link is forgotten", || rig.said("Deleted", words).then_some(())).await;
    rig.reason("link/two", C::Ready, "LoginSucceeded").await;
    // Nor is it made while another one is there, whichever is older.
    let two = rules(&rig, "two");
    for name in ["a", "z"] {
        let object = format!("link/{name}");
        link(&rig, name, &format!(", prefix: ALL, database: {name}"));
        rig.reason(&object, C::Ready, "LoginSucceeded").await;
        link(&rig, name, &format!(", prefix: ALL, database: {name}, keys: all"));
        let before = rules(&rig, name);
        let words = rig.reason(&object, C::Ready, "TenantRefused").await;
        assert!(words.contains("link/two is one, too"), "{words}");
        // Its applications go on with what it had, also after a start of Seawall's.
        for again in [false, true] {
            if again {
                rig.leave().await;
                rig.restart();
                rig.drive();
            }
            rig.ready(CACHE).await;
            rig.reason(&object, C::Ready, "TenantRefused").await;
            rig.reason("link/two", C::Ready, "LoginSucceeded").await;
            rig.let_pass(std::time::Duration::from_secs(60)).await;
            assert_eq!((rules(&rig, "two"), rules(&rig, name)), (two.clone(), before.clone()));
            assert!(before.ends_with(&format!("~{name}:* &{name}:*")), "{before}");
        }
        if name == "a" {
            rig.remove(name);
            rig.until("it is forgotten", || rig.view(&object).is_none().then_some(())).await;
            rig.until("no user", || (!users(&rig).contains(name)).then_some(())).await;
        }
    }
    rig.remove("two");
    rig.reason("link/z", C::Ready, "LoginSucceeded").await;
    assert!(rules(&rig, "z").ends_with("~* &*"));
    rig.settled("nothing is left to do").await;
}

#[tokio::test(start_paused = true)]
async fn a_link_with_the_services_own_user_makes_no_other() {
    let rig = start().await;
    link(&rig, "shop-cache", "");
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    let before = users(&rig);
    link(&rig, "shop-cache", ", credentials: instance");
    rig.until("its own user", || (rig.view(LINK)?.status["username"] != "shop_production").then_some(()))
        .await;
    let words = rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    let connection = rig.operator.connection(&CACHE.parse().unwrap(), true).await.unwrap();
    let (user, password) = (connection.username, connection.password.unwrap());
    assert_eq!(words, format!("logged in as {user} over the network to redis/cache"));
    for (name, want) in [("REDIS_USER", user.as_str()), ("REDIS_PASSWORD", &password), ("REDIS_PREFIX", "")] {
        assert_eq!(variable(&rig, name).await.as_deref(), Some(want), "{name}");
    }
    let now = users(&rig);
    assert!(before.contains("shop_production") && !now.contains("shop_production"), "{before:?} {now:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_said_of_a_deletion_is_true_of_keys_that_stay() {
    let rig = start().await;
    link(&rig, "shop-cache", "");
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    rig.operator.operate(&CACHE.parse().unwrap(), Operation::Stop).await.unwrap();
    rig.reason(LINK, C::Ready, "ServiceNotReady").await;
    rig.remove("shop-cache");
    let done = loop {
        match rig.operator.delete(&LINK.parse().unwrap(), "shop-cache").await {
            Ok(done) => break done,
            Err(error) => assert!(error.what.contains("has a manifest"), "{error:?}"),
        }
        rig.let_pass(std::time::Duration::from_millis(10)).await;
    };
    assert_eq!(
        done.message,
        "link/shop-cache is being deleted; the data that it gets at on redis/cache stay"
    );
    rig.operator.operate(&CACHE.parse().unwrap(), Operation::Start).await.unwrap();
    rig.until("the link is forgotten", || rig.said("Deleted", "keys that begin with").then_some(())).await;
}
