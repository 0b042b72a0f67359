//! The whole API over the operator on the fake engine, for `tests/rest/run.sh`, which asks it what its OpenAPI document allows and
//! forbids.

use super::listen::Keeper;
use crate::machine::rig::Rig;
use seawall::control::api::{Api, ApplyOptions};
use seawall::core::access::Permission;
use seawall::http::listen::{Listen, serve};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// In the directory `SEAWALL_REST` it writes where it listens and the token of an administrator, and ends when there is a file `stop`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "for tests/rest/run.sh"]
async fn until_it_is_stopped() {
    let dir = PathBuf::from(std::env::var("SEAWALL_REST").expect("SEAWALL_REST"));
    let rig = Rig::start(&[("main", "{version: '18'}")]);
    for document in [
        "apiVersion: seawall.dev/v1\nkind: Project\nmetadata: {name: shop}\nspec: {environments: {production: {}}}\n",
        "apiVersion: seawall.dev/v1\nkind: Postgres\nmetadata: {name: held}\nspec: {version: '18'}\n",
        "apiVersion: seawall.dev/v1\nkind: Link\nmetadata: {name: a}\nspec: {service: postgres/held, project: shop, environment: production}\n",
    ] {
        rig.operator.apply(document, &ApplyOptions::default()).await.unwrap();
    }
    let all: Vec<&str> = Permission::ALL.iter().map(|permission| permission.as_str()).collect();
    std::fs::write(dir.join("token"), all.join("+")).unwrap();
    let cancel = CancellationToken::new();
    let (api, stop, to) = (Arc::clone(&rig.operator), cancel.clone(), dir.join("address"));
    let (address, pages) = ("127.0.0.1:0".parse().unwrap(), axum::Router::new());
    let listen = Listen { address, tls: None, behind_proxy: false, pages };
    // The operator's own would keep off whoever tries so many wrong tokens.
    let keeper = Arc::new(Keeper);
    let served = tokio::spawn(async move {
        serve(api, keeper, listen, stop, |at| std::fs::write(&to, at.unwrap().to_string()).unwrap()).await;
    });
    while !dir.join("stop").exists() {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    cancel.cancel();
    served.await.unwrap();
}
