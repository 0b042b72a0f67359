//! A project, and its links to a PostgreSQL on the fake engine: made, found, repaired, and closed again.

use crate::machine::rig::Rig;
use seawall::control::api::{Api, ErrorCode, Operation};
use seawall::core::condition::ConditionType as C;
use seawall::core::names::ObjectRef;
use seawall::store::Store;
use std::time::Duration;

const MAIN: &str = "{version: '18'}";
const LINK: &str = "link/shop-main";

fn project(rig: &Rig, environments: &[&str]) {
    let all: Vec<String> = environments.iter().map(|name| format!("{name}: {{}}")).collect();
    let spec = format!("{{environments: {{{}}}}}", all.join(", "));
    rig.text(
        "shop.yaml",
        &format!("apiVersion: seawall.dev/v1\nkind: Project\nmetadata: {{name: shop}}\nspec: {spec}\n"),
    );
}

fn link(rig: &Rig, name: &str, more: &str) {
    link_to(rig, name, "production", more);
}

fn link_to(rig: &Rig, name: &str, environment: &str, more: &str) {
    let spec = format!("{{service: postgres/main, project: shop, environment: {environment}{more}}}");
    let text = format!("apiVersion: seawall.dev/v1\nkind: Link\nmetadata: {{name: {name}}}\nspec: {spec}\n");
    rig.text(&format!("{name}.yaml"), &text);
}

fn shop() -> ObjectRef {
    "project/shop".parse().unwrap()
}

/// Name → value of what an application finds.
async fn variables(rig: &Rig, on_host: bool) -> Vec<(String, String)> {
    let view = rig.operator.environment(&shop(), "production", on_host, true).await.unwrap();
    view.variables.into_iter().map(|variable| (variable.name, variable.value)).collect()
}

fn value<'a>(all: &'a [(String, String)], name: &str) -> Option<&'a str> {
    all.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[tokio::test(start_paused = true)]
async fn a_link_waits_for_what_it_names_and_then_gives_the_variables() {
    let mut rig = Rig::start(&[]);
    link(&rig, "shop-main", "");
    rig.drive();
    assert!(rig.reason(LINK, C::Ready, "ServiceMissing").await.contains("postgres/main"));
    rig.manifest("main", MAIN);
    assert!(rig.reason(LINK, C::Ready, "ProjectMissing").await.contains("project/shop"));
    project(&rig, &["staging"]);
    assert!(rig.reason(LINK, C::Ready, "EnvironmentMissing").await.contains("production"));
    project(&rig, &["staging", "production"]);
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    rig.reason("project/shop", C::Ready, "LinksReady").await;
    let found = variables(&rig, false).await;
    let password = value(&found, "POSTGRES_PASSWORD").unwrap().to_owned();
    let url = format!("postgresql://shop_main_a:{password}@postgres-main:5432/shop_production");
    for (name, want) in [
        ("POSTGRES_HOST", "postgres-main"),
        ("POSTGRES_PORT", "5432"),
        ("POSTGRES_DB", "shop_production"),
        ("POSTGRES_DATABASE", "shop_production"),
        ("POSTGRES_NAME", "shop_production"),
        ("POSTGRES_USER", "shop_main_a"),
        ("POSTGRES_URL", &url),
        ("DATABASE_URL", &url),
    ] {
        assert_eq!(value(&found, name), Some(want), "{name}");
    }
    assert!(password.len() > 20 && rig.password("main").await != password);
    let host = variables(&rig, true).await;
    let port = rig.memory("main")["port"].to_string();
    assert_eq!(value(&host, "POSTGRES_HOST"), Some("127.0.0.1"));
    assert_eq!(value(&host, "POSTGRES_PORT"), Some(port.as_str()));
    let masked = rig.operator.environment(&shop(), "production", false, false).await.unwrap();
    assert!(masked.variables.iter().all(|variable| !variable.value.contains(&password)));
    rig.settled("nothing is left to do").await;
    let error = rig.operator.environment(&shop(), "nowhere", false, false).await.unwrap_err();
    assert_eq!((error.code, error.next.as_str()), (ErrorCode::NotFound, "it has production, staging"));
}

#[tokio::test(start_paused = true)]
async fn links_are_looked_at_by_one_survey_and_proven_by_a_login_each_in_a_while_not_all_at_once() {
    const MANY: u64 = 30;
    let mut rig = Rig::start(&[("main", MAIN)]);
    let environments: Vec<String> = (0..MANY).map(|n| format!("e{n}")).collect();
    project(&rig, &environments.iter().map(String::as_str).collect::<Vec<_>>());
    rig.drive();
    rig.ready("main").await;
    rig.settled("without a link").await;
    let asked = async |rig: &Rig| {
        let before = rig.servers.probes("postgres-main");
        rig.let_pass(Duration::from_secs(600)).await;
        rig.servers.probes("postgres-main") - before
    };
    let without = asked(&rig).await;
    let logins = rig.servers.logins();
    for environment in &environments {
        link_to(&rig, &format!("l{environment}"), environment, "");
    }
    for environment in &environments {
        rig.reason(&format!("link/l{environment}"), C::Ready, "LoginSucceeded").await;
    }
    rig.settled("all are there").await;
    rig.let_pass(Duration::from_secs(120)).await;
    assert_eq!(rig.servers.logins() - logins, 2 * MANY, "one to make what is in it, and one as the tenant");
    let mut most = 0;
    for _ in 0..20 {
        let before = rig.servers.logins();
        rig.let_pass(Duration::from_secs(30)).await;
        most = most.max(rig.servers.logins() - before);
    }
    let again = rig.servers.logins() - logins - 2 * MANY;
    assert!((MANY..=2 * MANY).contains(&again) && most <= MANY / 3, "{again} in ten minutes, {most} at once");
    // Each is looked at every half minute: twenty times, less one at most in which the border of either window falls.
    let surveys = asked(&rig).await - without;
    assert!((18..=60).contains(&surveys), "{surveys} in ten minutes");
}

#[tokio::test(start_paused = true)]
async fn a_link_whose_manifest_is_gone_is_closed_and_found_again() {
    let mut rig = Rig::start(&[("main", MAIN)]);
    project(&rig, &["production"]);
    link(&rig, "shop-main", "");
    rig.drive();
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    let before = variables(&rig, false).await;
    rig.remove("shop-main");
    let words =
        "link/shop-main was forgotten: manifest removed; database shop_production stays with its owner";
    rig.until("the link is forgotten", || rig.said("Deleted", words).then_some(())).await;
    assert!(rig.view(LINK).is_none());
    let there = rig.servers.tenants("postgres-main").unwrap();
    assert!(there.databases.contains_key("shop_production") && !there.roles["shop_main_a"].login);
    assert_eq!(variables(&rig, false).await, []);
    link(&rig, "shop-main", "");
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    let after = variables(&rig, false).await;
    assert_eq!(value(&after, "POSTGRES_DB"), value(&before, "POSTGRES_DB"));
    assert_ne!(value(&after, "POSTGRES_PASSWORD"), value(&before, "POSTGRES_PASSWORD"), "it is another one");
}

#[tokio::test(start_paused = true)]
async fn a_service_with_links_is_not_deleted_and_two_links_do_not_share_a_database() {
    let mut rig = Rig::start(&[("other", MAIN)]);
    rig.manifest_with("main", "seawall.dev/confirm-delete: main", "{version: '18', deletionPolicy: Delete}");
    project(&rig, &["production"]);
    link(&rig, "shop-main", "");
    rig.drive();
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    let alone = variables(&rig, false).await;
    link(&rig, "web", "");
    let words = rig.reason("link/web", C::Ready, "NameConflict").await;
    assert_eq!(variables(&rig, false).await, alone, "what is another one's is not given twice");
    assert!(words.contains("shop_production is link/shop-main's"), "{words}");
    link(&rig, "web", ", database: other, prefix: OTHER");
    rig.reason("link/web", C::Ready, "LoginSucceeded").await;
    let found = variables(&rig, false).await;
    assert_eq!(value(&found, "OTHER_DB"), Some("other"));
    assert_eq!(value(&found, "DATABASE_URL"), None, "there are two");
    rig.remove("main");
    let words = rig.reason("main", C::Degraded, "ReferredTo").await;
    assert!(words.contains(LINK), "{words}");
    rig.reason(LINK, C::Ready, "ServiceNotReady").await;
    let error = rig.operator.delete(&rig.named("main"), "main").await.unwrap_err();
    assert_eq!(error.what, "postgres/main is referred to by link/shop-main, link/web; nothing was changed");
    assert!(!rig.fake.call_log().contains_key("remove_volume"));
}

#[tokio::test(start_paused = true)]
async fn two_links_that_both_name_a_database_share_it() {
    let mut rig = Rig::start(&[("main", MAIN)]);
    project(&rig, &["production"]);
    let there = |rig: &Rig| rig.servers.tenants("postgres-main").unwrap();
    link(&rig, "shop-main", "");
    rig.drive();
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    // One that names what the other one did not.
    link(&rig, "web", ", database: shop_production, prefix: WEB");
    let words = rig.reason("link/web", C::Ready, "NameConflict").await;
    assert!(words.contains("shop_production is link/shop-main's"), "{words}");
    assert!(!there(&rig).roles.contains_key("web_a"));

    link(&rig, "shop-main", ", database: both, connectionLimit: 5");
    rig.until("a database", || there(&rig).databases.contains_key("both").then_some(())).await;
    link(&rig, "web", ", database: both, prefix: WEB, connectionLimit: 9");
    rig.reason("link/web", C::Ready, "LoginSucceeded").await;
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    let words = rig.reason("link/web", C::Degraded, "SharedOtherwise").await;
    assert!(words.contains("as link/shop-main has it") && words.contains("connectionLimit 9"), "{words}");
    rig.settled("neither undoes what the other one does").await;
    let now = there(&rig);
    assert_eq!(now.databases["both"].limit, 5);
    for login in ["shop_main_a", "web_a"] {
        let role = &now.roles[login];
        assert!(role.login && role.acts_as.as_deref() == Some("both") && role.of == ["both".into()].into());
    }
    let found = variables(&rig, false).await;
    assert_eq!((value(&found, "POSTGRES_DB"), value(&found, "WEB_DB")), (Some("both"), Some("both")));
    assert_ne!(value(&found, "POSTGRES_PASSWORD"), value(&found, "WEB_PASSWORD"));

    // One that goes closes its own logins, and the other one's wishes count.
    let oid = now.databases["both"].oid;
    rig.remove("shop-main");
    rig.until("the link is forgotten", || rig.view(LINK).is_none().then_some(())).await;
    rig.until("its limit", || (there(&rig).databases["both"].limit == 9).then_some(())).await;
    rig.reason("link/web", C::Ready, "LoginSucceeded").await;
    let now = there(&rig);
    assert!(!now.roles["shop_main_a"].login && now.roles["web_a"].login && now.databases["both"].oid == oid);
}

#[tokio::test(start_paused = true)]
async fn a_shared_database_goes_with_the_last_link_that_has_it() {
    let mut rig = Rig::start(&[("main", MAIN)]);
    project(&rig, &["production"]);
    let there = |rig: &Rig| rig.servers.tenants("postgres-main").unwrap();
    link(&rig, "shop-main", ", database: both, deletionPolicy: Delete");
    link(&rig, "web", ", database: both, prefix: WEB");
    rig.drive();
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    rig.reason("link/web", C::Ready, "LoginSucceeded").await;
    rig.remove("shop-main");
    let words = rig.reason(LINK, C::Ready, "DatabaseShared").await;
    assert!(words.contains("link/web has database \"both\", too"), "{words}");
    rig.operator.delete(&LINK.parse().unwrap(), "shop-main").await.unwrap();
    rig.let_pass(std::time::Duration::from_secs(1_200)).await;
    rig.reason(LINK, C::Ready, "DatabaseShared").await;
    let now = there(&rig);
    assert!(
        now.databases.contains_key("both") && !now.roles["shop_main_a"].login && now.roles["web_a"].login
    );
    rig.reason("link/web", C::Ready, "LoginSucceeded").await;
    // Also after a restart, and while the other one has nothing yet.
    rig.leave().await;
    rig.restart();
    rig.drive();
    rig.reason(LINK, C::Ready, "DatabaseShared").await;
    rig.remove("web");
    rig.until("it goes", || (!there(&rig).databases.contains_key("both")).then_some(())).await;
    rig.until("it is forgotten", || rig.view(LINK).is_none().then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn what_has_no_container_is_not_stopped_nor_renamed() {
    let mut rig = Rig::start(&[("main", MAIN)]);
    project(&rig, &["production"]);
    link(&rig, "shop-main", "");
    rig.drive();
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    let shop_main: ObjectRef = LINK.parse().unwrap();
    for object in [&shop_main, &shop()] {
        for operation in
            [Operation::Stop, Operation::Restart, Operation::Reinitialise, Operation::ReleasePort]
        {
            let error = rig.operator.operate(object, operation).await.unwrap_err();
            assert_eq!(error.code, ErrorCode::Invalid, "{object}: {error:?}");
        }
        let new = format!("{}/other", object.kind.lower()).parse().unwrap();
        let error = rig.operator.rename(object, &new).await.unwrap_err();
        assert_eq!(
            (error.code, error.next.as_str()),
            (ErrorCode::Invalid, "change the name in its manifest")
        );
    }
    assert!(rig.operator.connection(&shop_main, false).await.is_err());
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
}

#[tokio::test(start_paused = true)]
async fn a_rotation_changes_the_login_and_closes_the_old_one_when_nobody_uses_it() {
    let mut rig = Rig::start(&[("main", MAIN)]);
    project(&rig, &["production"]);
    link(&rig, "shop-main", "");
    rig.drive();
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    let shop_main: ObjectRef = LINK.parse().unwrap();
    let before = variables(&rig, false).await;
    for (old, new) in [("shop_main_a", "shop_main_b"), ("shop_main_b", "shop_main_a")] {
        let was = variables(&rig, false).await;
        rig.operator.operate(&shop_main, Operation::Rotate).await.unwrap();
        rig.reason(LINK, C::Progressing, "Rotating").await;
        rig.until("the new one is given", || {
            let user = rig.view(LINK)?.status["username"].as_str()?.to_owned();
            (user == new).then_some(())
        })
        .await;
        let found = variables(&rig, false).await;
        assert_eq!(value(&found, "POSTGRES_USER"), Some(new));
        assert_ne!(value(&found, "POSTGRES_PASSWORD"), value(&was, "POSTGRES_PASSWORD"));
        let roles = rig.servers.tenants("postgres-main").unwrap().roles;
        assert!(roles[old].login && roles[new].login, "both let in");
        let error = rig.operator.operate(&shop_main, Operation::Rotate).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Conflict, "{error:?}");
        rig.reason(LINK, C::Ready, "LoginSucceeded").await;
        rig.reason(LINK, C::Progressing, "Settled").await;
        let roles = rig.servers.tenants("postgres-main").unwrap().roles;
        assert!(!roles[old].login && roles[new].login);
    }
    assert_ne!(
        value(&variables(&rig, false).await, "POSTGRES_PASSWORD"),
        value(&before, "POSTGRES_PASSWORD"),
        "the same login with another password"
    );
    // Of a service that is down nothing is rotated.
    rig.operator.operate(&rig.named("main"), Operation::Stop).await.unwrap();
    rig.reason(LINK, C::Ready, "ServiceNotReady").await;
    let error = rig.operator.operate(&shop_main, Operation::Rotate).await.unwrap_err();
    assert!(error.what.contains("nothing was changed"), "{error:?}");
    let error = rig.operator.operate(&rig.named("main"), Operation::Rotate).await.unwrap_err();
    assert!(error.what.contains("nothing was changed"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_password_is_rotated_by_itself_when_it_is_old() {
    let mut rig = Rig::start(&[("main", MAIN)]);
    project(&rig, &["production"]);
    link(&rig, "shop-main", ", rotation: {every: 30d, grace: 10m}");
    rig.drive();
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    rig.settled("it is new").await;
    let next = rig.view(LINK).unwrap().status["nextRotation"].as_str().unwrap_or_default().to_owned();
    assert!(next.ends_with('Z') && !rig.said("RotationBegan", ""), "{next}");
    let was = variables(&rig, false).await;
    rig.leave().await;
    rig.edit_record(LINK, |memory| memory["password"]["rotatedAt"] = "2026-01-01T00:00:00Z".into());
    rig.restart();
    rig.drive();
    rig.until("a new one", || rig.said("RotationBegan", "due by spec.rotation").then_some(())).await;
    rig.reason(LINK, C::Progressing, "Rotating").await;
    rig.reason(LINK, C::Progressing, "Settled").await;
    let found = variables(&rig, false).await;
    assert_ne!(value(&found, "POSTGRES_PASSWORD"), value(&was, "POSTGRES_PASSWORD"));
    rig.let_pass(std::time::Duration::from_secs(600)).await;
    let begun: u64 = rig.events().iter().filter(|e| e.reason == "RotationBegan").map(|e| e.count).sum();
    assert_eq!(begun, 1, "once");
}

#[tokio::test(start_paused = true)]
async fn a_database_goes_with_its_link_only_when_that_was_agreed_to() {
    let mut rig = Rig::start(&[("main", MAIN)]);
    project(&rig, &["production"]);
    let there = |rig: &Rig| rig.servers.tenants("postgres-main").unwrap();
    link(&rig, "shop-main", ", deletionPolicy: Delete");
    rig.drive();
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    rig.remove("shop-main");
    let words = rig.reason(LINK, C::Ready, "DeletionNotConfirmed").await;
    assert!(words.contains("seawall delete link/shop-main --confirm shop-main"), "{words}");
    assert!(there(&rig).databases.contains_key("shop_production") && !there(&rig).roles["shop_main_a"].login);
    rig.operator.delete(&LINK.parse().unwrap(), "shop-main").await.unwrap();
    let words = "manifest removed; database shop_production was deleted";
    rig.until("it is deleted", || rig.said("Deleted", words).then_some(())).await;
    let left = there(&rig);
    assert!(
        !left.databases.contains_key("shop_production")
            && left.roles.keys().all(|name| !name.contains("shop"))
    );

    // Agreed to in the manifest it goes after a time, in which the manifest brings all of it back.
    let confirmed = "apiVersion: seawall.dev/v1\nkind: Link\nmetadata: {name: shop-main, annotations: {seawall.dev/confirm-delete: shop-main}}\nspec: {service: postgres/main, project: shop, environment: production, deletionPolicy: Delete}\n";
    rig.text("shop-main.yaml", confirmed);
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    let before = variables(&rig, false).await;
    rig.remove("shop-main");
    let words = rig.reason(LINK, C::Ready, "DeletionPending").await;
    assert!(words.contains("bring the manifest back"), "{words}");
    rig.text("shop-main.yaml", confirmed);
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    assert_eq!(variables(&rig, false).await, before);
    rig.remove("shop-main");
    rig.reason(LINK, C::Ready, "DeletionPending").await;
    rig.until("it goes", || (!there(&rig).databases.contains_key("shop_production")).then_some(())).await;
    rig.until("it is forgotten", || rig.view(LINK).is_none().then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn consent_to_one_database_drops_no_other() {
    let mut rig = Rig::start(&[("main", MAIN)]);
    project(&rig, &["production"]);
    let confirmed = |database: &str| {
        format!(
            "apiVersion: seawall.dev/v1\nkind: Link\nmetadata: {{name: shop-main, annotations: {{seawall.dev/confirm-delete: shop-main}}}}\nspec: {{service: postgres/main, project: shop, environment: production, deletionPolicy: Delete, database: {database}}}\n"
        )
    };
    rig.text("shop-main.yaml", &confirmed("first"));
    rig.drive();
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    // The name changes while nothing can be made of that, another link takes the old one, and the first goes.
    rig.operator.operate(&rig.named("main"), Operation::Stop).await.unwrap();
    rig.reason(LINK, C::Ready, "ServiceNotReady").await;
    rig.text("shop-main.yaml", &confirmed("second"));
    rig.until("it is read", || (rig.view(LINK)?.metadata.generation == 2).then_some(())).await;
    link(&rig, "web", ", database: first, prefix: WEB");
    rig.reason("link/web", C::Ready, "ServiceNotReady").await;
    rig.remove("shop-main");
    rig.let_pass(std::time::Duration::from_secs(1_200)).await;
    rig.operator.operate(&rig.named("main"), Operation::Start).await.unwrap();
    rig.reason("link/web", C::Ready, "LoginSucceeded").await;
    rig.until("it is forgotten", || rig.said("Deleted", LINK).then_some(())).await;
    assert!(rig.said("Deleted", "database first stays with its owner"), "{:#?}", rig.events());
}

#[tokio::test(start_paused = true)]
async fn a_link_with_the_services_own_user_makes_nothing_and_follows_its_password() {
    let rig = Rig::start(&[("main", MAIN)]);
    project(&rig, &["production"]);
    link(&rig, "shop-main", ", credentials: instance");
    let words = rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    assert_eq!(words, "logged in as postgres over the network to app on postgres/main");
    let found = variables(&rig, false).await;
    let password = rig.password("main").await;
    let url = format!("postgresql://postgres:{password}@postgres-main:5432/app");
    for (name, want) in [
        ("POSTGRES_USER", "postgres"),
        ("POSTGRES_DB", "app"),
        ("POSTGRES_PASSWORD", password.as_str()),
        ("POSTGRES_URL", &url),
        ("DATABASE_URL", &url),
    ] {
        assert_eq!(value(&found, name), Some(want), "{name}");
    }
    let masked = rig.operator.environment(&shop(), "production", false, false).await.unwrap();
    assert!(masked.variables.iter().all(|variable| !variable.value.contains(&password)));
    rig.settled("nothing is made").await;
    assert!(rig.servers.tenants("postgres-main").unwrap().roles.is_empty());
    let status = rig.view(LINK).unwrap().status;
    assert_eq!((&status["username"], &status["database"]), (&"postgres".into(), &"app".into()));

    let shop_main: ObjectRef = LINK.parse().unwrap();
    let error = rig.operator.operate(&shop_main, Operation::Rotate).await.unwrap_err();
    assert_eq!(error.what, "the password of link/shop-main is that of postgres/main");
    assert_eq!(error.next, "seawall rotate postgres/main");
    rig.operator.operate(&rig.named("main"), Operation::Rotate).await.unwrap();
    // Sooner than it would look by itself.
    rig.let_pass(std::time::Duration::from_secs(2)).await;
    let status = rig.view(LINK).unwrap().status;
    assert_eq!(status["password"]["generation"], 2, "{status:#}");
    let new = rig.password("main").await;
    assert_eq!(value(&variables(&rig, false).await, "POSTGRES_PASSWORD"), Some(new.as_str()));
    assert_ne!(new, password);
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;

    rig.remove("shop-main");
    let words = "it had no login of its own, and who knows the password of postgres/main still gets in";
    rig.until("the link is forgotten", || rig.said("Deleted", words).then_some(())).await;
    assert_eq!(variables(&rig, false).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_link_with_the_services_own_user_follows_the_schedule_of_that() {
    let mut rig = Rig::start(&[("main", MAIN)]);
    project(&rig, &["production"]);
    link(&rig, "shop-main", ", credentials: instance");
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    let old = rig.password("main").await;
    rig.leave().await;
    rig.edit_record("main", |memory| memory["passwordRotatedAt"] = "2026-01-01T00:00:00Z".into());
    rig.manifest("main", &MAIN.replace('}', ", rotation: {every: 30d}}"));
    rig.restart();
    rig.until("it follows", || (rig.view(LINK)?.status["password"]["generation"] == 2).then_some(())).await;
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    let new = rig.password("main").await;
    assert_ne!(new, old);
    assert_eq!(value(&variables(&rig, false).await, "POSTGRES_PASSWORD"), Some(new.as_str()));
}

#[tokio::test(start_paused = true)]
async fn a_link_that_is_given_the_services_own_user_loses_its_login_and_gets_it_again() {
    let mut rig = Rig::start(&[("main", MAIN)]);
    project(&rig, &["production"]);
    link(&rig, "shop-main", "");
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    let before = variables(&rig, false).await;
    let sealed =
        |rig: &Rig| ["a", "b"].map(|role| rig.store.get(&format!("secret/{LINK}/{role}")).unwrap().is_some());
    assert_eq!(sealed(&rig), [true, false]);
    // Killed after each commit.
    rig.store.slow_answers(std::time::Duration::from_secs(1));
    link(&rig, "shop-main", ", credentials: instance");
    for _ in 0..12 {
        rig.let_pass(std::time::Duration::from_millis(2_500)).await;
        rig.crash().await;
        rig.restart();
    }
    rig.store.slow_answers(std::time::Duration::ZERO);
    rig.until("its own user", || (rig.view(LINK)?.status["username"] == "postgres").then_some(())).await;
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    assert_eq!(sealed(&rig), [false, false]);
    let there = rig.servers.tenants("postgres-main").unwrap();
    assert!(there.databases.contains_key("shop_production") && !there.roles["shop_main_a"].login);
    let password = rig.password("main").await;
    assert_eq!(value(&variables(&rig, false).await, "POSTGRES_PASSWORD"), Some(password.as_str()));

    link(&rig, "shop-main", "");
    rig.until("its login", || (rig.view(LINK)?.status["username"] == "shop_main_a").then_some(())).await;
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    let after = variables(&rig, false).await;
    assert_eq!(value(&after, "POSTGRES_DB"), value(&before, "POSTGRES_DB"));
    assert_ne!(value(&after, "POSTGRES_PASSWORD"), value(&before, "POSTGRES_PASSWORD"), "it is another one");
}

#[tokio::test(start_paused = true)]
async fn what_has_to_do_with_an_object_is_told_without_all_the_others() {
    let rig = Rig::start(&[("main", MAIN), ("other", MAIN)]);
    project(&rig, &["production"]);
    link(&rig, "shop-main", "");
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    rig.ready("other").await;
    let around = |object: &'static str| {
        let operator = rig.operator.clone();
        async move {
            let all = operator.objects_around(&object.parse().unwrap()).await.unwrap().items;
            let mut all: Vec<String> = all.iter().map(|view| view.object().unwrap().to_string()).collect();
            all.retain(|name| !name.starts_with("imagecatalog"));
            all
        }
    };
    let ties = ["link/shop-main", "postgres/main", "project/shop"];
    let mut main = around("postgres/main").await;
    main.sort();
    assert_eq!(main, ties);
    assert!(!around("postgres/other").await.contains(&"postgres/main".to_owned()));
    // A project can be tied to any service.
    let mut of_project = around("project/shop").await;
    of_project.sort();
    assert_eq!(of_project, ["link/shop-main", "postgres/main", "postgres/other", "project/shop"]);
    let all = rig.operator.objects().await.unwrap();
    let one = rig.operator.objects_around(&"postgres/main".parse().unwrap()).await.unwrap();
    assert_eq!((one.revision, one.notices, one.kinds), (all.revision, all.notices, all.kinds));
}
