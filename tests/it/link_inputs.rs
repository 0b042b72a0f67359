//! What a link is asked for that cannot be, or that is another thing than before.

use crate::machine::rig::Rig;
use seawall::control::api::Api;
use seawall::core::condition::ConditionType as C;

const LINK: &str = "link/shop-main";

fn project(rig: &Rig, name: &str, environments: &str) {
    let text = format!(
        "apiVersion: seawall.dev/v1\nkind: Project\nmetadata: {{name: {name}}}\nspec: {{environments: {environments}}}\n"
    );
    rig.text(&format!("{name}.yaml"), &text);
}

fn link(rig: &Rig, name: &str, spec: &str) {
    let text =
        format!("apiVersion: seawall.dev/v1\nkind: Link\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n");
    rig.text(&format!("{name}.yaml"), &text);
}

const OF: &str = "service: postgres/main, project: shop, environment: production";

/// A PostgreSQL, a project, and a link that is Ready.
async fn start() -> Rig {
    let mut rig = Rig::start(&[("main", "{version: '18'}")]);
    project(&rig, "shop", "{production: {}, staging: {}}");
    link(&rig, "shop-main", OF);
    rig.drive();
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    rig
}

fn databases(rig: &Rig) -> Vec<String> {
    rig.servers.tenants("postgres-main").unwrap().databases.into_keys().collect()
}

async fn variables(rig: &Rig) -> Vec<(String, String)> {
    let shop = "project/shop".parse().unwrap();
    let view = rig.operator.environment(&shop, "production", false, true).await.unwrap();
    view.variables.into_iter().map(|variable| (variable.name, variable.value)).collect()
}

#[tokio::test(start_paused = true)]
async fn nothing_is_linked_to_what_lets_nobody_in() {
    let rig = start().await;
    link(
        &rig,
        "web",
        "service: app/shop-production-web, project: shop, environment: production, prefix: WEB",
    );
    let words = rig.reason("link/web", C::Ready, "NotLinkable").await;
    assert!(words.contains("nothing can be linked to app/shop-production-web"), "{words}");
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
}

#[tokio::test(start_paused = true)]
async fn two_links_do_not_give_one_variable() {
    let rig = start().await;
    let before = variables(&rig).await;
    link(&rig, "web", &format!("{OF}, database: other"));
    let words = rig.reason("link/web", C::Ready, "NameConflict").await;
    assert!(words.contains("variables project/shop/production POSTGRES is link/shop-main's"), "{words}");
    assert!(words.contains("spec.prefix"), "{words}");
    assert!(variables(&rig).await == before && !databases(&rig).contains(&"other".to_owned()));
    // Of another environment they are others.
    link(&rig, "staging", "service: postgres/main, project: shop, environment: staging");
    rig.reason("link/staging", C::Ready, "LoginSucceeded").await;
    rig.remove("shop-main");
    rig.reason("link/web", C::Ready, "LoginSucceeded").await;
}

#[tokio::test(start_paused = true)]
async fn another_environment_or_project_leaves_the_old_database_and_names_it() {
    let rig = start().await;
    link(&rig, "shop-main", "service: postgres/main, project: shop, environment: staging");
    let words = "take \"shop_staging\" as its database: in the place of \"shop_production\", which stays";
    rig.until("the next one", || rig.said("DatabaseChosen", words).then_some(())).await;
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    // The project has another name, before the link knows of it.
    rig.remove("shop");
    project(&rig, "store", "{staging: {}}");
    rig.until("the project to go", || {
        let ready = rig.condition(LINK, C::Ready)?;
        (ready.reason == "ProjectMissing").then_some(())
    })
    .await;
    link(&rig, "shop-main", "service: postgres/main, project: store, environment: staging");
    let words = "take \"store_staging\" as its database: in the place of \"shop_staging\", which stays";
    rig.until("the last one", || rig.said("DatabaseChosen", words).then_some(())).await;
    rig.reason(LINK, C::Ready, "LoginSucceeded").await;
    for name in ["shop_production", "shop_staging", "store_staging"] {
        assert!(databases(&rig).contains(&name.to_owned()), "{name}: {:?}", databases(&rig));
    }
}
