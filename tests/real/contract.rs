//! The real engine does what the contract says. Everything made here carries the label
//! `seawall.dev/installation` of its case and is removed before and after it, also when it fails.

#[path = "../common/contract.rs"]
mod suite;

use seawall::docker::{BollardDocker, Docker};
use std::process::Command;
use std::sync::Arc;
use suite::World;

const IMAGE: &str = "seawall/not-postgres:test";

/// Removes a case's objects with the engine's own client, which works in a panic too.
struct Cleanup(String);

impl Cleanup {
    fn run(&self) {
        let filter = format!("label=seawall.dev/installation={}", self.0);
        for (list, remove) in [
            (&["ps", "-aq", "--no-trunc"][..], &["rm", "-f"][..]),
            (&["volume", "ls", "-q"], &["volume", "rm"]),
            (&["network", "ls", "-q", "--no-trunc"], &["network", "rm"]),
        ] {
            let found = Command::new("docker").args(list).args(["--filter", &filter]).output().unwrap();
            let found = String::from_utf8_lossy(&found.stdout).into_owned();
            let ids: Vec<&str> = found.split_whitespace().collect();
            if !ids.is_empty() {
                let _ = Command::new("docker").args(remove).args(&ids).output();
            }
        }
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        self.run();
    }
}

macro_rules! on_the_engine {
    ($($case:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
            async fn $case() {
                let installation = format!("swc{}-{}", std::process::id(), stringify!($case).replace('_', "-"));
                let cleanup = Cleanup(installation.clone());
                cleanup.run();
                let docker: Arc<dyn Docker> = Arc::new(BollardDocker::connect(None).unwrap());
                let world = World { docker, fake: None, installation, image: IMAGE.to_owned(), image_with_volume: "seawall/postgres:18".to_owned() };
                suite::$case(&world).await;
            }
        )*
    };
}
suite::cases!(on_the_engine);

#[tokio::test]
async fn an_engine_that_is_not_there_is_unavailable() {
    for address in ["unix:///none/such.sock", "/none/such.sock", "tcp://127.0.0.1:1"] {
        let docker = BollardDocker::connect(Some(address)).unwrap();
        let error = docker.info().await.unwrap_err();
        assert!(error.is_unavailable(), "{address}: {error:?}");
    }
    assert!(BollardDocker::connect(Some("ssh://host")).is_err());
}
