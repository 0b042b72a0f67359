//! Env files over the fake engine, in a real directory: written, kept so, emptied again, and refused where they must not be.

use crate::machine::rig::{Rig, engine};
use seawall::control::api::{Api, Operation};
use seawall::control::operator::Times;
use seawall::core::condition::ConditionType as C;
use seawall::core::names::ObjectRef;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;

const MAIN: &str = "{version: '18'}";
const LINK: &str = "link/shop-main";
const SHOP: &str = "project/shop";
const HEADER: &str =
    "# Written by Seawall for project/shop, environment production (installation default, store ";

fn project(rig: &Rig, name: &str, environments: &str) {
    let text = format!(
        "apiVersion: seawall.dev/v1\nkind: Project\nmetadata: {{name: {name}}}\nspec: {{environments: {{{environments}}}}}\n"
    );
    rig.text(&format!("{name}.yaml"), &text);
}

fn link(rig: &Rig, name: &str, project: &str, environment: &str) {
    let spec = format!("{{service: postgres/main, project: {project}, environment: {environment}}}");
    let text = format!("apiVersion: seawall.dev/v1\nkind: Link\nmetadata: {{name: {name}}}\nspec: {spec}\n");
    rig.text(&format!("{name}.yaml"), &text);
}

/// A project with this env file, and a link to it.
fn rig(env_file: &str) -> Rig {
    let mut rig = Rig::new(engine(), Times::default());
    rig.manifest("main", MAIN);
    project(&rig, "shop", &format!("production: {{envFile: {env_file}}}"));
    link(&rig, "shop-main", "shop", "production");
    rig.drive();
    rig
}

/// What is in a file beside its first line, once that is so.
fn variables(path: &Path) -> Option<BTreeMap<String, String>> {
    let text = fs::read_to_string(path).ok()?;
    let (first, rest) = text.split_once('\n')?;
    assert!(
        first.starts_with("# Written by Seawall for project/") && first.ends_with("Do not edit."),
        "{text}"
    );
    let pair = |line: &str| {
        let (name, value) = line.split_once('=').unwrap();
        (name.to_owned(), value.trim_matches('\'').to_owned())
    };
    Some(rest.lines().map(pair).collect())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Waits until it is not Ready for this reason, in words with these.
async fn not_ready(rig: &Rig, project: &str, reason: &str, words: &str) {
    let what = format!("{project} {reason}: {words}");
    rig.until(&what, || {
        let ready = rig.condition(project, C::Ready)?;
        (ready.reason == reason && ready.message.contains(words)).then_some(())
    })
    .await;
}

fn count(rig: &Rig, reason: &str, words: &str) -> u64 {
    let all = rig.events();
    all.iter().filter(|e| e.reason == reason && e.message.contains(words)).map(|e| e.count).sum()
}

/// As `seawall env --reveal --host` gives them.
async fn given(rig: &Rig) -> BTreeMap<String, String> {
    let shop: ObjectRef = SHOP.parse().unwrap();
    let view = rig.operator.environment(&shop, "production", true, true).await.unwrap();
    view.variables.into_iter().map(|variable| (variable.name, variable.value)).collect()
}

fn status(rig: &Rig) -> serde_json::Value {
    rig.view(SHOP).unwrap().status["envFiles"]["production"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_file_has_what_applications_on_this_host_find_and_is_kept_so() {
    let mut rig = Rig::new(engine(), Times::default());
    let path = rig.path("shop.env");
    project(&rig, "shop", "production: {envFile: {path: ./shop.env}}");
    link(&rig, "shop-main", "shop", "production");
    rig.drive();
    let words = "./shop.env is not written until all of its links are Ready: link/shop-main is not Ready";
    not_ready(&rig, SHOP, "LinkNotReady", words).await;
    assert!(!path.exists());
    rig.manifest("main", MAIN);
    rig.reason(SHOP, C::Ready, "LinksReady").await;
    let found = variables(&path).unwrap();
    assert!(fs::read_to_string(&path).unwrap().starts_with(HEADER));
    assert_eq!(found, given(&rig).await);
    assert_eq!((found["POSTGRES_HOST"].as_str(), mode(&path)), ("127.0.0.1", 0o600));
    assert!(rig.said("EnvFileWritten", "write ./shop.env: it was not written yet"));
    rig.settled("it is as it should be").await;
    let seen = status(&rig);
    let shown = path.to_str().unwrap();
    assert!(seen["path"] == shown && seen["inSync"] == true, "{seen}");
    assert!(seen["writtenAt"].as_str().unwrap().ends_with('Z'), "{seen}");
    let written = fs::metadata(&path).unwrap().modified().unwrap();
    rig.let_pass(Duration::from_secs(600)).await;
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), written, "nothing to do");

    // A rotation is followed while both logins still let in.
    rig.operator.operate(&LINK.parse().unwrap(), Operation::Rotate).await.unwrap();
    rig.until("the new login is in it", || {
        (variables(&path)?["POSTGRES_USER"] == "shop_main_b").then_some(())
    })
    .await;
    assert!(rig.servers.tenants("postgres-main").unwrap().roles["shop_main_a"].login, "the old one lets in");
    let after = given(&rig).await;
    assert_eq!(variables(&path).unwrap(), after);
    assert_ne!(after["POSTGRES_PASSWORD"], found["POSTGRES_PASSWORD"]);
    let cause = "write ./shop.env: DATABASE_URL, POSTGRES_PASSWORD, POSTGRES_URL, POSTGRES_USER changed";
    rig.until("it is told", || rig.said("EnvFileWritten", cause).then_some(())).await;

    // Whoever changes it, removes it or lets others read it finds it as it was.
    let text = fs::read_to_string(&path).unwrap();
    for (spoilt, cause) in [
        (text.replace("POSTGRES_DB=", "POSTGRES_DB=x"), "somebody changed it: POSTGRES_DB"),
        (format!("{text}HUNTER2=hunter2\n"), "somebody changed it: what is in it"),
        (String::new(), "somebody changed it: DATABASE_URL, POSTGRES_DATABASE"),
    ] {
        // By rename: a look in between would see half of it.
        rig.text("shop.env", &spoilt);
        let since = Instant::now();
        rig.until(cause, || (fs::read_to_string(&path).ok()? == text).then_some(())).await;
        assert!(since.elapsed() <= Duration::from_secs(31), "{:?}", since.elapsed());
        rig.until(cause, || rig.said("EnvFileWritten", cause).then_some(())).await;
    }
    fs::remove_file(&path).unwrap();
    rig.until("it is there again", || (fs::read_to_string(&path).ok()? == text).then_some(())).await;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    rig.until("mode", || (mode(&path) == 0o600).then_some(())).await;
    rig.until("mode", || rig.said("EnvFileWritten", "mode 0644 → 0600").then_some(())).await;
    project(&rig, "shop", "production: {envFile: {path: shop.env, mode: '0640'}}");
    rig.until("the mode asked for", || (mode(&path) == 0o640).then_some(())).await;

    // No secret is told on the way, of those in the file nor of what somebody wrote into it.
    let plans = format!("{:?}", rig.plans().await);
    let told = format!("{:?} {:?} {plans} {:?}", rig.events(), rig.all(), rig.memory(SHOP));
    for password in [&found["POSTGRES_PASSWORD"], &after["POSTGRES_PASSWORD"]] {
        assert!(!told.contains(password.as_str()), "{told}");
    }
    assert!(!told.to_lowercase().contains("hunter2"));
}

#[tokio::test(start_paused = true)]
async fn the_last_content_stays_while_a_link_is_not_ready_and_goes_with_it() {
    let rig = rig("{path: ./shop.env}");
    let path = rig.path("shop.env");
    rig.reason(SHOP, C::Ready, "LinksReady").await;
    let text = fs::read_to_string(&path).unwrap();
    rig.operator.operate(&rig.named("main"), Operation::Stop).await.unwrap();
    not_ready(&rig, SHOP, "LinkNotReady", "./shop.env stays as it is").await;
    rig.let_pass(Duration::from_secs(120)).await;
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    rig.operator.operate(&rig.named("main"), Operation::Start).await.unwrap();
    rig.reason(SHOP, C::Ready, "LinksReady").await;
    assert_eq!(count(&rig, "EnvFileWritten", ""), 1, "{:#?}", rig.events());
    rig.remove("shop-main");
    rig.until("it is emptied", || variables(&path)?.is_empty().then_some(())).await;
    rig.until("it is told", || rig.said("EnvFileWritten", "no link gives to it").then_some(())).await;
    link(&rig, "shop-main", "shop", "production");
    rig.until("it is back", || variables(&path)?.contains_key("POSTGRES_URL").then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_wanted_any_more_is_emptied() {
    let rig = rig("{path: ./shop.env}");
    let (first, second, third) = (rig.path("shop.env"), rig.path("web/shop.env"), rig.path("web/third.env"));
    fs::create_dir(rig.path("web")).unwrap();
    rig.reason(SHOP, C::Ready, "LinksReady").await;
    // Another path.
    project(&rig, "shop", "production: {envFile: {path: web/shop.env}}");
    rig.until("the other one is written", || variables(&second)?.contains_key("POSTGRES_URL").then_some(()))
        .await;
    rig.until("the first one is emptied", || variables(&first)?.is_empty().then_some(())).await;
    // None any more, and the file is the next one's who wants it.
    project(&rig, "shop", "production: {}");
    rig.until("it is emptied", || variables(&second)?.is_empty().then_some(())).await;
    rig.until("nothing is remembered", || rig.memory(SHOP).as_object()?.is_empty().then_some(())).await;
    project(
        &rig,
        "shop",
        "staging: {envFile: {path: ./shop.env}}, production: {envFile: {path: web/third.env}}",
    );
    link(&rig, "shop-staging", "shop", "staging");
    rig.until("one is staging's", || variables(&first)?.contains_key("POSTGRES_URL").then_some(())).await;
    rig.until("production's", || variables(&third)?.contains_key("POSTGRES_URL").then_some(())).await;
    // Its environment goes.
    project(&rig, "shop", "production: {envFile: {path: web/third.env}}");
    rig.until("it is emptied", || variables(&first)?.is_empty().then_some(())).await;
    assert!(variables(&third).unwrap().contains_key("POSTGRES_URL"));
    // All of it goes, the file first.
    rig.remove("shop");
    rig.until("it is emptied", || variables(&third)?.is_empty().then_some(())).await;
    assert!(rig.view(SHOP).is_some(), "links refer to it");
    for link in ["shop-main", "shop-staging"] {
        rig.remove(link);
    }
    rig.until("it is forgotten", || rig.view(SHOP).is_none().then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn a_project_waits_until_its_file_is_emptied() {
    let mut rig = rig("{path: web/shop.env}");
    let path = rig.path("web/shop.env");
    not_ready(&rig, SHOP, "EnvFileRefused", "web is not there, so ").await;
    fs::create_dir(rig.path("web")).unwrap();
    rig.reason(SHOP, C::Ready, "LinksReady").await;
    // The disk does not let it be written: something has the name of the temporary file.
    fs::create_dir(rig.path("web/.shop.env.seawall")).unwrap();
    rig.remove("shop");
    rig.remove("shop-main");
    let words = format!("empty {}: Is a directory", path.display());
    not_ready(&rig, SHOP, "EnvFileFailed", &words).await;
    rig.let_pass(Duration::from_secs(120)).await;
    assert!(rig.view(SHOP).is_some() && !variables(&path).unwrap().is_empty());
    // Nor is it forgotten while the file cannot be looked at.
    rig.leave().await;
    fs::remove_dir(rig.path("web/.shop.env.seawall")).unwrap();
    rig.edit_record(SHOP, |memory| {
        let kept = memory["envFiles"].as_object_mut().unwrap().values_mut().next().unwrap();
        kept["root"] = rig.path("web").to_str().into();
    });
    fs::rename(rig.path("web"), rig.path("away")).unwrap();
    fs::write(rig.path("web"), "").unwrap();
    rig.restart();
    not_ready(&rig, SHOP, "EnvFileFailed", "mend that: it has to be emptied").await;
    rig.let_pass(Duration::from_secs(120)).await;
    assert!(rig.view(SHOP).is_some());
    fs::remove_file(rig.path("web")).unwrap();
    fs::rename(rig.path("away"), rig.path("web")).unwrap();
    rig.until("it is emptied", || variables(&path)?.is_empty().then_some(())).await;
    rig.until("it is forgotten", || rig.view(SHOP).is_none().then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_is_tried_again_and_holds_up_no_other() {
    let mut rig = Rig::new(engine(), Times::default());
    rig.manifest("main", MAIN);
    fs::create_dir(rig.path(".a.env.seawall")).unwrap();
    project(&rig, "shop", "a: {envFile: {path: a.env}}, production: {envFile: {path: shop.env}}");
    link(&rig, "shop-main", "shop", "production");
    link(&rig, "shop-a", "shop", "a");
    rig.drive();
    let words = rig.reason(SHOP, C::Degraded, "EnvFileFailed").await;
    assert!(words.contains("write ./a.env: Is a directory"), "{words}");
    rig.reason(SHOP, C::Ready, "EnvFileFailed").await;
    rig.until("the other one", || variables(&rig.path("shop.env")).map(drop)).await;
    assert!(!rig.path("a.env").exists());
    fs::remove_dir(rig.path(".a.env.seawall")).unwrap();
    rig.reason(SHOP, C::Ready, "LinksReady").await;
    assert!(variables(&rig.path("a.env")).is_some() && rig.condition(SHOP, C::Degraded).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_file_that_must_not_be_written_is_refused_and_nothing_is_touched() {
    let rig = rig("{path: ./shop.env}");
    rig.reason(SHOP, C::Ready, "LinksReady").await;
    let text = |path: &str| fs::read_to_string(rig.path(path)).unwrap();
    fs::write(rig.path("mine.env"), "MINE=1\n").unwrap();
    fs::write(rig.path("empty.env"), "").unwrap();
    symlink("mine.env", rig.path("link.env")).unwrap();
    fs::create_dir(rig.path("real")).unwrap();
    symlink("real", rig.path("folder")).unwrap();
    fs::create_dir(rig.path("dir.env")).unwrap();
    let pipe = std::process::Command::new("mkfifo").arg(rig.path("pipe.env")).status().unwrap();
    assert!(pipe.success());
    let store =
        text("shop.env").replace("(installation default, store ", "(installation default, store not-");
    fs::write(rig.path("store.env"), store.lines().next().unwrap().to_owned() + "\n").unwrap();
    for (path, words) in [
        ("/etc/shop.env", "/etc/shop.env is not below "),
        ("mine.env", "was not written by Seawall"),
        ("empty.env", "was not written by Seawall"),
        ("store.env", "was not written by Seawall"),
        ("link.env", "link.env is a link"),
        ("folder/shop.env", "folder is a link"),
        ("mine.env/shop.env", "mine.env is no directory"),
        ("dir.env", "dir.env is a directory"),
        ("pipe.env", "pipe.env is no regular file"),
        ("no/shop.env", "no is not there"),
    ] {
        project(&rig, "shop", &format!("production: {{envFile: {{path: {path}}}}}"));
        not_ready(&rig, SHOP, "EnvFileRefused", words).await;
        let degraded = rig.condition(SHOP, C::Degraded).unwrap();
        assert_eq!(degraded.reason, "EnvFileRefused", "{path}");
    }
    assert_eq!((text("mine.env"), text("empty.env")), ("MINE=1\n".to_owned(), String::new()));
    assert_eq!(fs::read_dir(rig.path("real")).unwrap().count(), 0);
    rig.until("the first one is emptied", || variables(&rig.path("shop.env"))?.is_empty().then_some(()))
        .await;
    // What is wrong in its text is a problem with a line, and the last good version stays in force.
    project(&rig, "shop", "production: {envFile: {path: ../shop.env, mode: '0666'}}");
    rig.until("problems", || (rig.problems().len() == 2).then_some(())).await;
    rig.reason(SHOP, C::Degraded, "ManifestBroken").await;
}

#[tokio::test(start_paused = true)]
async fn a_file_of_two_projects_is_the_first_ones() {
    let mut rig = Rig::new(engine(), Times::default());
    rig.manifest("main", MAIN);
    project(&rig, "first", "production: {}");
    project(&rig, "shop", "production: {envFile: {path: ./shop.env}}");
    link(&rig, "shop-main", "shop", "production");
    rig.drive();
    rig.reason(SHOP, C::Ready, "LinksReady").await;
    let text = fs::read_to_string(rig.path("shop.env")).unwrap();
    // Written otherwise it is the same file.
    let absolute = rig.path("shop.env").display().to_string();
    for path in ["./shop.env", "shop.env", &absolute, &absolute.replace("shop.env", "./shop.env")] {
        project(&rig, "web", "production: {}");
        rig.reason("project/web", C::Ready, "LinksReady").await;
        project(&rig, "web", &format!("production: {{envFile: {{path: {path}}}}}"));
        not_ready(&rig, "project/web", "NameConflict", &format!("file {absolute} is project/shop's")).await;
    }
    assert_eq!(fs::read_to_string(rig.path("shop.env")).unwrap(), text);
    // An older one that wants it later does not get it either.
    project(&rig, "first", "production: {envFile: {path: ./shop.env}}");
    rig.reason("project/first", C::Ready, "EnvFileRefused").await;
    rig.operator.operate(&LINK.parse().unwrap(), Operation::Rotate).await.unwrap();
    rig.until("it still follows", || {
        (variables(&rig.path("shop.env"))?["POSTGRES_USER"] == "shop_main_b").then_some(())
    })
    .await;
    project(&rig, "first", "production: {}");
    // When it is nobody's any more, it is the other one's.
    link(&rig, "web-main", "web", "production");
    // A scan may see the later file alone, and without a link there is nothing to write.
    rig.reason("link/web-main", C::Ready, "LoginSucceeded").await;
    project(&rig, "shop", "production: {}");
    rig.reason("project/web", C::Ready, "LinksReady").await;
    assert!(
        fs::read_to_string(rig.path("shop.env")).unwrap().starts_with("# Written by Seawall for project/web")
    );
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_cut_short_leaves_nothing_and_no_file_is_forgotten() {
    let mut rig = rig("{path: ./shop.env}");
    let (path, temporary) = (rig.path("shop.env"), rig.path(".shop.env.seawall"));
    rig.reason(SHOP, C::Ready, "LinksReady").await;
    let text = fs::read_to_string(&path).unwrap();
    rig.crash().await;
    // Killed before the rename; what was written is whole.
    fs::write(&temporary, &text[..text.len() / 2]).unwrap();
    rig.restart();
    rig.until("nothing is left over", || (!temporary.exists()).then_some(())).await;
    rig.until("it is told", || rig.said("EnvFileWritten", "a write was cut short").then_some(())).await;
    rig.reason(SHOP, C::Ready, "LinksReady").await;
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert_eq!(rig.problems(), [], "nobody took it for a manifest");
    // Killed after the rename, before it was remembered: it is learnt; and so once more when nobody wants it any more.
    let forget = |memory: &mut serde_json::Map<String, serde_json::Value>| {
        let kept = memory["envFiles"].as_object_mut().unwrap().values_mut().next().unwrap();
        (kept["at"], kept["stamp"]) = (serde_json::Value::Null, "".into());
    };
    rig.crash().await;
    rig.edit_record(SHOP, forget);
    rig.restart();
    rig.until("it is known", || rig.memory(SHOP)["envFiles"][path.to_str()?]["at"].as_str().map(drop)).await;
    rig.crash().await;
    rig.edit_record(SHOP, forget);
    project(&rig, "shop", "production: {}");
    rig.restart();
    rig.until("it is emptied", || variables(&path)?.is_empty().then_some(())).await;
}
